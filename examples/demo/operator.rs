//! The operator as a process of its own, with the identity and the rights that it has in a cluster and no others.

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
    coordination::v1::Lease,
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams, config::Kubeconfig};
use kube_runtime::wait::await_condition;
use tokio::{
    process::Command,
    sync::watch,
    time::{Instant, timeout},
};

use crate::place::{OPERATOR, Place, holder};

/// A running operator.
pub(crate) struct Operator {
    id: u32,
    /// Where it serves health and metrics.
    pub(crate) address: SocketAddr,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Operator {
    /// Starts `chancery controller` as its ServiceAccount. Its log is `operator.log` in the folder.
    pub(crate) async fn start(place: &Place, folder: &Path) -> Result<Self> {
        let kubeconfig = folder.join("operator.kubeconfig");
        identity(place, &kubeconfig).await?;
        let address = free_address()?;
        let log = File::create(folder.join("operator.log"))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(binary()?)
            .args(["controller", "--http-address", &address.to_string(), "--cluster-resource-namespace", place.system])
            .env("KUBECONFIG", &kubeconfig)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // An interrupt at the terminal is for us alone: we stop it in order.
            .process_group(0);
        if place.shared {
            command.args(["--watch-namespace", place.samples]);
        } else {
            for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
                command.env_remove(proxy);
            }
        }
        let mut child = command.spawn().context("setpriv cannot be run: apt-get install util-linux")?;
        let id = child.id().context("the operator ended at once")?;
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move { end.send(child.wait().await.ok()) });
        Ok(Self { id, address, ended })
    }

    /// Waits until it leads, which its Lease says.
    pub(crate) async fn leads(&self, place: &Place) -> Result<String> {
        let leases = Api::<Lease>::namespaced(place.client.clone(), place.system);
        let held = await_condition(leases, OPERATOR, |lease: Option<&Lease>| lease.and_then(holder).is_some());
        let lease = timeout(Duration::from_mins(1), held).await.context("the operator does not lead after a minute")??;
        Ok(lease.as_ref().and_then(holder).unwrap_or_default())
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits until it ends by itself, which it should not.
    pub(crate) async fn ended(&self) -> anyhow::Error {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.ok().and_then(|status| *status) {
            Some(status) => anyhow::anyhow!("the operator ended by itself: {status}"),
            None => anyhow::anyhow!("the operator ended by itself"),
        }
    }

    /// Asks it to stop and waits for that; then nobody may hold the lease. One that has ended already was complained of before.
    pub(crate) async fn stop(self, place: &Place) -> Result<Option<Duration>> {
        let asked = Instant::now();
        if !self.runs() {
            return Ok(None);
        }
        let mut ended = self.ended;
        // The shell's own kill: no further package, and no unsafe code here.
        std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.id.to_string()]).status()?;
        let status = match timeout(Duration::from_secs(40), ended.wait_for(Option::is_some)).await {
            Ok(status) => status.ok().and_then(|status| *status),
            Err(_) => bail!("the operator (process {}) still runs 40 s after SIGTERM", self.id),
        };
        ensure!(status.is_some_and(|status| status.success()), "the operator ended with {status:?}");
        let lease = Api::<Lease>::namespaced(place.client.clone(), place.system).get_opt(OPERATOR).await?;
        ensure!(lease.as_ref().and_then(holder).is_none(), "the operator did not release its lease");
        Ok(Some(asked.elapsed()))
    }
}

/// Writes a kubeconfig with the person's cluster and a token of the operator's ServiceAccount.
async fn identity(place: &Place, path: &Path) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(place.client.clone(), place.system);
    // `make run` may be left running for days.
    let spec = TokenRequestSpec { expiration_seconds: Some(7 * 24 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let answer = accounts.create_token_request(OPERATOR, &PostParams::default(), &request).await.context("no token for the operator")?;
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
        "users": [{ "name": "operator", "user": { "token": token } }],
        "contexts": [{ "name": "demo", "context": { "cluster": "demo", "user": "operator" } }],
        "current-context": "demo",
    });
    Ok(fs::write(path, serde_json::to_vec(&kubeconfig)?)?)
}

/// The operator's binary, which was built beside this example.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = own.parent().and_then(Path::parent).context("this program is in no target folder")?.join("chancery");
    ensure!(binary.exists(), "{} is missing: run tests/demo/run, which builds it", binary.display());
    Ok(binary)
}

/// Another program may take the port in between; then the operator says so and ends.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
