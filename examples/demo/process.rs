//! `chancery` as a process of its own, with the identity and the rights that it has in a cluster and no others.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams, config::Kubeconfig};
use tokio::{process::Command, sync::watch, time::timeout};

use crate::place::Place;

/// A running process.
pub(crate) struct Process {
    name: &'static str,
    id: u32,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts a subcommand of `chancery` as a ServiceAccount of the operator's namespace. Its log is `<name>.log` in the folder.
    pub(crate) async fn start(place: &Place, folder: &Path, name: &'static str, account: &str, arguments: &[&str]) -> Result<Self> {
        let kubeconfig = folder.join(format!("{name}.kubeconfig"));
        identity(place, account, &kubeconfig).await?;
        let log = File::create(folder.join(format!("{name}.log")))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(binary()?)
            .args(arguments)
            .args(["--cluster-resource-namespace", place.system])
            .env("KUBECONFIG", &kubeconfig)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // An interrupt at the terminal is for us alone: we stop it in order.
            .process_group(0);
        if !place.shared {
            for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
                command.env_remove(proxy);
            }
        }
        let mut child = command.spawn().context("setpriv cannot be run: apt-get install util-linux")?;
        let id = child.id().with_context(|| format!("the {name} ended at once"))?;
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move { end.send(child.wait().await.ok()) });
        Ok(Self { name, id, ended })
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits until it ends by itself, which it should not.
    pub(crate) async fn ended(&self) -> anyhow::Error {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.ok().and_then(|status| *status) {
            Some(status) => anyhow::anyhow!("the {} ended by itself: {status}", self.name),
            None => anyhow::anyhow!("the {} ended by itself", self.name),
        }
    }

    /// Asks it to stop and waits for that. One that has ended already was complained of before: false.
    pub(crate) async fn stop(self) -> Result<bool> {
        if !self.runs() {
            return Ok(false);
        }
        let mut ended = self.ended;
        // The shell's own kill: no further package, and no unsafe code here.
        std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.id.to_string()]).status()?;
        let status = match timeout(Duration::from_secs(40), ended.wait_for(Option::is_some)).await {
            Ok(status) => status.ok().and_then(|status| *status),
            Err(_) => bail!("the {} (process {}) still runs 40 s after SIGTERM", self.name, self.id),
        };
        ensure!(status.is_some_and(|status| status.success()), "the {} ended with {status:?}", self.name);
        Ok(true)
    }
}

/// Writes a kubeconfig with the person's cluster and a token of a ServiceAccount.
async fn identity(place: &Place, account: &str, path: &Path) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(place.client.clone(), place.system);
    // `make run` may be left running for days.
    let spec = TokenRequestSpec { expiration_seconds: Some(7 * 24 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let answer = answer.with_context(|| format!("no token for {account}"))?;
    let token = answer.status.map(|status| status.token).context("a TokenRequest was answered without a token")?;
    let read = Kubeconfig::read_from(&place.kubeconfig)?;
    let current = read.contexts.iter().find(|context| Some(&context.name) == read.current_context.as_ref());
    let wanted = current.and_then(|context| context.context.as_ref()).map(|context| &context.cluster);
    let named = read.clusters.iter().find(|named| Some(&named.name) == wanted);
    let cluster = named.and_then(|named| named.cluster.as_ref()).context("the kubeconfig's current context names no cluster")?;
    let kubeconfig = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "demo", "cluster": cluster }],
        "users": [{ "name": "demo", "user": { "token": token } }],
        "contexts": [{ "name": "demo", "context": { "cluster": "demo", "user": "demo" } }],
        "current-context": "demo",
    });
    Ok(fs::write(path, serde_json::to_vec(&kubeconfig)?)?)
}

/// The binary, which was built beside this example.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = own.parent().and_then(Path::parent).context("this program is in no target folder")?.join("chancery");
    ensure!(binary.exists(), "{} is missing: run tests/demo/run, which builds it", binary.display());
    Ok(binary)
}

/// A loopback address that nothing listens on. Another program may take the port in between; then whoever was to have it says so
/// and ends.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
