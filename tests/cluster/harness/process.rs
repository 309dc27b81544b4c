//! Child processes that serve, `chancery` above all: log, health, signals, end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::watch;

/// A subcommand of `chancery`, with nothing of our environment that would lead it astray. It is killed when the thread that
/// starts it ends.
pub(super) fn chancery(subcommand: &str, kubeconfig: &Path, log: &Path) -> Command {
    let output = File::options().create(true).append(true).open(log).expect("the run's folder is writable");
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_chancery"), subcommand])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be written from two sides"))
        .stderr(output);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    // Whoever runs the tests may trace them; the operators in them have collectors of their own or none.
    command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
    command
}

/// A GET on an address of ours: status and body.
pub(super) async fn get(address: SocketAddr, path: &str) -> reqwest::Result<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
    let answer = client.get(format!("http://{address}{path}")).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// The last lines of a log, and those before them that mention `name`.
pub(super) fn tail(log: &Path, name: Option<&str>) -> String {
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

/// Sends a signal to a process that this run has started. Whoever else calls it must know that the process has not ended.
pub(super) fn signal(process: u32, name: &str) {
    // The shell's own kill: no further package, and no unsafe code here.
    let _ = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &process.to_string()]).stderr(Stdio::null()).status();
}

/// A child process with a thread of its own. The kernel's parent-death signal is sent when the *thread* that started the child
/// ends, and a test's threads end with the test; this one waits for the child and so outlives it.
#[derive(Debug)]
pub(super) struct Process {
    /// Its process id.
    pub(super) id: u32,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts it.
    pub(super) fn spawn(mut command: Command) -> Self {
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

    /// How it ended, if it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Sends it a signal, unless it has ended.
    pub(super) fn signal(&self, name: &str) {
        if self.status().is_none() {
            signal(self.id, name);
        }
    }

    /// Waits until it ends.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await.expect("the thread reports before it ends");
        ended.expect("it was waited for")
    }

    /// Waits until a path at this address answers 200; panics with its last log lines if it ends before or does not within a
    /// minute. There is nothing to watch before it listens, hence the polling.
    pub(super) async fn answers(&self, health: SocketAddr, path: &str, who: &str, log: &Path) {
        let mut turn = tokio::time::interval(Duration::from_millis(25));
        let poll = async {
            loop {
                turn.tick().await;
                if get(health, path).await.is_ok_and(|(status, _)| status == 200) {
                    return;
                }
            }
        };
        tokio::select! {
            answered = tokio::time::timeout(Duration::from_mins(1), poll) => {
                assert!(answered.is_ok(), "{who}: {path} is not 200 after a minute\n{}", tail(log, None));
            }
            status = self.ended() => panic!("{who} ended: {status}\n{}", tail(log, None)),
        }
    }
}
