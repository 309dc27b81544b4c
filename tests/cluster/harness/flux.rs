//! Flux's kustomize-controller and helm-controller as child processes, one of each for the run, each with an identity of its own and
//! the rights that Flux gives it. They serve all namespaces. A control plane of its own has one of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::sync::OnceCell;

use super::process::{Process, tail};
use super::{Ground, apply_manifests, parse_manifests, run, wait_for_rights};

/// Their namespace.
const NAMESPACE: &str = "flux-system";

/// A running controller of Flux. The kernel kills it when the test process ends.
#[derive(Debug)]
pub(crate) struct Flux {
    name: &'static str,
    health: SocketAddr,
    log: PathBuf,
    process: Process,
}

/// No test reaches the network.
const LOCAL_BASES: [&str; 1] = ["--no-remote-bases"];

type Shared = OnceCell<Result<Flux, String>>;

impl Flux {
    /// The user name of the kustomize-controller in the audit log.
    pub(crate) const USER: &str = "system:serviceaccount:flux-system:kustomize-controller";
    /// By this name it owns fields.
    pub(crate) const FIELD_MANAGER: &str = "kustomize-controller";
    /// The user name of the helm-controller in the audit log.
    pub(crate) const HELM_USER: &str = "system:serviceaccount:flux-system:helm-controller";

    /// The kustomize-controller of this run, started at the first call, with the CRDs of Flux.
    pub(crate) async fn running(ground: &Ground) -> &'static Self {
        static SHARED: Shared = OnceCell::const_new();
        Self::shared(&SHARED, ground, "kustomize-controller", &LOCAL_BASES).await
    }

    /// A kustomize-controller for a control plane of its own, whose name is unique in the run.
    pub(crate) async fn apart(ground: &Ground, plane: &str) -> &'static Self {
        let spawned = Self::spawn(ground, "kustomize-controller", plane, &LOCAL_BASES).await;
        // It ends with the run, as its control plane does.
        let flux = &*Box::leak(Box::new(spawned.unwrap_or_else(|error| panic!("kustomize-controller was not started: {error:#}"))));
        flux.process.answers(flux.health, "/readyz", flux.name, &flux.log).await;
        flux
    }

    /// The same of its helm-controller.
    pub(crate) async fn helm(ground: &Ground) -> &'static Self {
        static SHARED: Shared = OnceCell::const_new();
        Self::shared(&SHARED, ground, "helm-controller", &[]).await
    }

    /// The last lines of its log, and those before them that mention a name.
    pub(crate) fn last_lines(&self, name: &str) -> String {
        tail(&self.log, Some(name))
    }

    async fn shared(shared: &'static Shared, ground: &Ground, name: &'static str, flags: &[&str]) -> &'static Self {
        let spawned =
            shared.get_or_init(|| async { Self::spawn(ground, name, "shared", flags).await.map_err(|error| format!("{error:#}")) });
        match spawned.await {
            Ok(flux) => {
                flux.process.answers(flux.health, "/readyz", flux.name, &flux.log).await;
                flux
            }
            Err(error) => panic!("{name} was not started: {error}"),
        }
    }

    async fn spawn(ground: &Ground, name: &'static str, plane: &str, flags: &[&str]) -> Result<Self> {
        let tool = run::source().join("tests/tools/flux/bin");
        let program = tool.join(name);
        ensure!(program.is_file(), "{} is missing: `make tools` builds it", program.display());
        apply_manifests(&ground.client, &definitions(&tool.join("crds"))?).await?;
        let rights = rights(name);
        apply_manifests(&ground.client, &rights).await?;
        wait_for_rights(&ground.client, &rights).await?;
        let day = Duration::from_hours(24);
        let identity = ground.access().as_service_account(&ground.client, NAMESPACE, name, day).await?;
        let kubeconfig = run::folder().join(format!("flux-{name}-{plane}.kubeconfig"));
        identity.write_kubeconfig(&kubeconfig)?;
        let (health, log) = (run::free_address(), run::folder().join(format!("flux-{name}-{plane}.log")));
        let output = File::create(&log).context("the run's folder is writable")?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["--watch-all-namespaces", "--metrics-addr=0", "--log-level=info", "--requeue-dependency=1s"])
            .args(flags)
            .arg(format!("--health-addr={health}"))
            .env("KUBECONFIG", kubeconfig)
            .env("RUNTIME_NAMESPACE", NAMESPACE)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self { name, health, log, process: Process::spawn(command) })
    }
}

/// The CRDs in the files of a folder.
pub(crate) fn definitions(folder: &Path) -> Result<Vec<serde_json::Value>> {
    let mut documents = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}; `make tools` makes it", folder.display()))?;
    for entry in entries {
        documents.extend(parse_manifests(&fs::read_to_string(entry?.path())?)?);
    }
    ensure!(!documents.is_empty(), "no CRD in {}", folder.display());
    Ok(documents)
}

/// What a controller of Flux has by default: it may apply whatever it finds.
fn rights(name: &str) -> Vec<serde_json::Value> {
    let role = format!("flux-{name}");
    let metadata = json!({"name": role});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        }),
    ]
}
