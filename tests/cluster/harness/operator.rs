//! The operator as a child process: started, watched for readiness, killed, stopped in order, restarted.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::run;

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
        let process = Process::spawn(command(&self, http, &log));
        Operator { settings: self, http, log, process }
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
    /// There is nothing to watch before it listens, hence the polling.
    pub(crate) async fn ready(&self) {
        let mut turn = tokio::time::interval(Duration::from_millis(25));
        let poll = async {
            loop {
                turn.tick().await;
                if self.try_get("/readyz").await.is_ok_and(|(status, _)| status == 200) {
                    return;
                }
            }
        };
        tokio::select! {
            answered = tokio::time::timeout(Duration::from_mins(1), poll) => {
                assert!(answered.is_ok(), "operator {} is not ready after a minute\n{}", self.settings.name, tail(&self.log, None));
            }
            status = self.process.ended() => panic!("operator {} ended: {status}\n{}", self.settings.name, tail(&self.log, None)),
        }
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
        self.process = Process::spawn(command(&self.settings, self.http, &self.log));
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
        match self.try_get(path).await {
            Ok(answer) => answer,
            Err(error) => panic!("operator {}: GET {path}: {error}\n{}", self.settings.name, tail(&self.log, None)),
        }
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await.1
    }

    /// All that it has logged since its first start.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn try_get(&self, path: &str) -> reqwest::Result<(u16, String)> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let answer = client.get(format!("http://{}{path}", self.http)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
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

fn tail(log: &PathBuf, name: Option<&str>) -> String {
    const LINES: usize = 30;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let (earlier, last) = lines.split_at(lines.len().saturating_sub(LINES));
    let mut mentions: Vec<&str> = name.map_or_else(Vec::new, |name| earlier.iter().filter(|line| line.contains(name)).copied().collect());
    mentions.drain(..mentions.len().saturating_sub(LINES));
    let mut shown = format!("--- {}\n", log.display());
    for line in mentions.into_iter().chain(last.iter().copied()) {
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

fn command(settings: &Settings, http: SocketAddr, log: &PathBuf) -> Command {
    let output = File::options().create(true).append(true).open(log).expect("the run's folder is writable");
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_chancery"), "controller", "--http-address", &http.to_string()])
        .args(&settings.arguments)
        .env("KUBECONFIG", &settings.kubeconfig)
        .envs(settings.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be written from two sides"))
        .stderr(output);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command
}

/// Sends a signal to a process that this run has started. Whoever else calls it must know that the process has not ended.
pub(super) fn signal(process: u32, name: &str) {
    // The shell's own kill: no further package, and no unsafe code here.
    let _ = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &process.to_string()]).stderr(Stdio::null()).status();
}

/// A child process with a thread of its own. The kernel's parent-death signal is sent when the *thread* that started the child
/// ends, and a test's threads end with the test; this one waits for the child and so outlives it.
#[derive(Debug)]
struct Process {
    id: u32,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    fn spawn(mut command: Command) -> Self {
        let (started, start) = mpsc::channel();
        let (ended, status) = watch::channel(None);
        std::thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = started.send(Ok(child.id()));
                let _ = ended.send(child.wait().ok());
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        });
        let id = start.recv().expect("the thread reports in any case").unwrap_or_else(|error| panic!("setpriv cannot be started: {error}"));
        Self { id, status }
    }

    fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    fn signal(&self, name: &str) {
        if self.status().is_none() {
            signal(self.id, name);
        }
    }

    async fn ended(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await.expect("the thread reports before it ends");
        ended.expect("it was waited for")
    }
}
