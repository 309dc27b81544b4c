//! The operator as a child process: started, watched for readiness, killed, stopped in order, restarted.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::process::{Process, chancery, get, tail};
use super::run;
use super::wait::until;

/// How to start an operator.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    name: String,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    namespaces: Vec<String>,
}

impl Settings {
    /// `chancery controller`; `name` is that of its log file and unique in the run.
    pub(crate) fn new(name: impl Into<String>, kubeconfig: PathBuf) -> Self {
        Self { name: name.into(), kubeconfig, arguments: Vec::new(), environment: Vec::new(), namespaces: Vec::new() }
    }

    /// Adds arguments, each flag apart from its value.
    pub(crate) fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Adds `--flag value`.
    pub(crate) fn flag(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.arguments.extend([flag.to_owned(), value.into()]);
        self
    }

    /// Gives a flag that was added before another value.
    pub(crate) fn instead(mut self, flag: &str, value: impl Into<String>) -> Self {
        let place = self.arguments.iter().position(|argument| argument == flag);
        let place = place.unwrap_or_else(|| panic!("{flag} was not given before"));
        self.arguments[place + 1] = value.into();
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Names the namespaces whose failing tests show this operator's log; without any it is that of all others.
    pub(crate) fn serves(mut self, namespaces: impl IntoIterator<Item = String>) -> Self {
        self.namespaces.extend(namespaces);
        self
    }

    /// Starts it without waiting for anything.
    pub(crate) fn spawn(self) -> Operator {
        let log = run::folder().join(format!("operator-{}.log", self.name));
        let http = run::free_address();
        LOGS.lock().expect("nobody panics with this lock").push((self.namespaces.clone(), log.clone()));
        let process = self.process(http, &log);
        Operator { settings: self, http, log, process }
    }

    fn process(&self, http: SocketAddr, log: &Path) -> Process {
        let mut command = chancery("controller", &self.kubeconfig, log);
        command.args(["--http-address", &http.to_string()]).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::spawn(command)
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(self) -> Operator {
        let operator = self.spawn();
        operator.ready().await;
        operator
    }
}

/// A running (or ended) operator. It is killed when dropped, and by the kernel when the test process ends.
#[derive(Debug)]
pub(crate) struct Operator {
    settings: Settings,
    http: SocketAddr,
    log: PathBuf,
    process: Process,
}

/// How an operator ended after SIGTERM.
#[derive(Debug)]
pub(crate) struct Termination {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
}

impl Operator {
    /// Waits until `/readyz` answers 200; panics with its last log lines if it ends before or is not ready within a minute.
    pub(crate) async fn ready(&self) {
        self.process.answers(self.http, "/readyz", &format!("operator {}", self.settings.name), &self.log).await;
    }

    /// Ends it with SIGKILL and waits until it is gone. No harm if it has ended already.
    pub(crate) async fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.ended().await;
    }

    /// Asks it to stop (SIGTERM) and waits for that, a minute at most.
    pub(crate) async fn terminate(&mut self) -> Termination {
        let asked = Instant::now();
        self.process.signal("TERM");
        let Ok(status) = tokio::time::timeout(Duration::from_mins(1), self.process.ended()).await else {
            panic!("operator {} still runs a minute after SIGTERM\n{}", self.settings.name, tail(&self.log, None));
        };
        Termination { status, took: asked.elapsed() }
    }

    /// Starts it again as it was, killed first if it still runs; does not wait until it is ready.
    pub(crate) async fn respawn(&mut self) {
        self.kill().await;
        self.process = self.settings.process(self.http, &self.log);
    }

    /// Starts it again as it was, killed first if it still runs, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.respawn().await;
        self.ready().await;
    }

    /// Stops it from running without ending it (SIGSTOP), or lets it go on (SIGCONT): a leader that sleeps too long.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.process.signal(if frozen { "STOP" } else { "CONT" });
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&self) -> ExitStatus {
        self.process.ended().await
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&self) -> bool {
        self.process.status().is_none()
    }

    /// Its process id, for what /proc tells of it.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id
    }

    /// A GET on its HTTP address: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        match get(self.http, path).await {
            Ok(answer) => answer,
            Err(error) => panic!("operator {}: GET {path}: {error}\n{}", self.settings.name, tail(&self.log, None)),
        }
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await.1
    }

    /// Waits until one of its controllers has looked so often since the last start. That cannot be watched from here: hence the polling.
    pub(crate) async fn looked(&self, controller: &str, count: usize, limit: Duration) {
        let label = format!("chancery_reconciles_total{{controller=\"{controller}\"}} ");
        let looked = until(limit, async || {
            let metrics = self.metrics().await;
            metrics.lines().find_map(|line| line.strip_prefix(&label)?.parse::<usize>().ok()).filter(|so_far| *so_far >= count)
        });
        assert!(
            looked.await.is_some(),
            "operator {}: {controller} has not looked {count} times within {limit:?}\n{}",
            self.settings.name,
            self.metrics().await
        );
    }

    /// All that it has logged since its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.process.signal("KILL");
        if std::thread::panicking() {
            eprintln!("operator {}: {}\n{}", self.settings.name, self.log.display(), tail(&self.log, None));
        }
    }
}

/// The last log lines of the operator that serves a namespace, and those that mention `name`: for the message of a failed wait.
pub(crate) fn last_lines(namespace: Option<&str>, name: &str) -> String {
    let logs = LOGS.lock().expect("nobody panics with this lock");
    let own = logs.iter().rev().find(|(namespaces, _)| namespaces.iter().any(|served| Some(served.as_str()) == namespace));
    match own.or_else(|| logs.iter().find(|(namespaces, _)| namespaces.is_empty())) {
        Some((_, log)) => tail(log, Some(name)),
        None => "no operator was started".to_owned(),
    }
}

/// Every operator's log with the namespaces that it serves.
static LOGS: Mutex<Vec<(Vec<String>, PathBuf)>> = Mutex::new(Vec::new());
