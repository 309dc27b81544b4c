//! The responder as a child process, with the identity and the rights that it has in a cluster and no others.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use kube::Client;

use super::process::{Process, chancery, get, tail};
use super::{Access, run};

/// A running responder. It is killed when dropped, and by the kernel when the test process ends.
#[derive(Debug)]
pub(crate) struct Responder {
    name: String,
    arguments: Vec<String>,
    kubeconfig: PathBuf,
    /// Where it serves lists and answers.
    http: SocketAddr,
    health: SocketAddr,
    log: PathBuf,
    process: Process,
}

impl Responder {
    /// Starts one with the arguments of the chart for the operator of a namespace, and waits for nothing. `name` is that of its log file
    /// and unique in the run.
    pub(crate) async fn spawn(access: &Access, client: &Client, system: &str, name: &str, arguments: Vec<String>) -> Result<Self> {
        let day = Duration::from_hours(24);
        let identity = access.as_service_account(client, system, "chancery-responder", day).await?;
        let kubeconfig = run::folder().join(format!("responder-{name}.kubeconfig"));
        identity.write_kubeconfig(&kubeconfig)?;
        let (http, health) = (run::free_address(), run::free_address());
        // Named so that the logs of a run are looked through as one.
        let log = run::folder().join(format!("operator-responder-{name}.log"));
        let process = start(&arguments, &kubeconfig, [http, health], &log);
        Ok(Self { name: name.to_owned(), arguments, kubeconfig, http, health, log, process })
    }

    /// What its lists have as `distribution.baseURL`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Waits until `/livez` answers. What others make of their lists in the same namespace is not asked.
    pub(crate) async fn live(&self) {
        self.process.answers(self.health, "/livez", &format!("responder {}", self.name), &self.log).await;
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn ready(&self) {
        self.process.answers(self.health, "/readyz", &format!("responder {}", self.name), &self.log).await;
    }

    /// Ends it with SIGKILL and starts it again at the same addresses; waits for nothing.
    pub(crate) async fn respawn(&mut self) {
        self.process.signal("KILL");
        self.process.ended().await;
        self.process = start(&self.arguments, &self.kubeconfig, [self.http, self.health], &self.log);
    }

    /// A GET on its health address: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        match get(self.health, path).await {
            Ok(answer) => answer,
            Err(error) => panic!("responder {}: GET {path}: {error}\n{}", self.name, self.last_lines()),
        }
    }

    /// The last lines of its log, for the message of a failed wait.
    pub(crate) fn last_lines(&self) -> String {
        tail(&self.log, None)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.process.signal("KILL");
        if std::thread::panicking() {
            eprintln!("responder {}: {}\n{}", self.name, self.log.display(), self.last_lines());
        }
    }
}

fn start(arguments: &[String], kubeconfig: &std::path::Path, [http, health]: [SocketAddr; 2], log: &std::path::Path) -> Process {
    let mut command = chancery("responder", kubeconfig, log);
    command.args(arguments).args(["--http-address", &http.to_string(), "--health-address", &health.to_string()]);
    Process::spawn(command)
}
