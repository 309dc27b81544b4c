//! Flux's kustomize-controller as a child process, one for the run, with an identity of its own and the rights that Flux
//! gives it. It serves all namespaces.

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

/// Its namespace.
const NAMESPACE: &str = "flux-system";

/// A running kustomize-controller. The kernel kills it when the test process ends.
#[derive(Debug)]
pub(crate) struct Flux {
    health: SocketAddr,
    log: PathBuf,
    process: Process,
}

impl Flux {
    /// Its user name in the audit log.
    pub(crate) const USER: &str = "system:serviceaccount:flux-system:kustomize-controller";
    /// By this name it owns fields.
    pub(crate) const FIELD_MANAGER: &str = "kustomize-controller";

    /// That of this run, started at the first call, with the CRDs of Flux.
    pub(crate) async fn running(ground: &Ground) -> &'static Self {
        static SHARED: OnceCell<Result<Flux, String>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(|| async { Self::spawn(ground).await.map_err(|error| format!("{error:#}")) }).await;
        match shared {
            Ok(flux) => {
                flux.process.answers(flux.health, "/readyz", "kustomize-controller", &flux.log).await;
                flux
            }
            Err(error) => panic!("kustomize-controller was not started: {error}"),
        }
    }

    /// The last lines of its log, and those before them that mention a name.
    pub(crate) fn last_lines(&self, name: &str) -> String {
        tail(&self.log, Some(name))
    }

    async fn spawn(ground: &Ground) -> Result<Self> {
        let tool = run::source().join("tests/tools/flux/bin");
        let program = tool.join("kustomize-controller");
        ensure!(program.is_file(), "{} is missing: `make tools` builds it", program.display());
        apply_manifests(&ground.client, &definitions(&tool.join("crds"))?).await?;
        let rights = rights();
        apply_manifests(&ground.client, &rights).await?;
        wait_for_rights(&ground.client, &rights).await?;
        let day = Duration::from_hours(24);
        let identity = ground.access().as_service_account(&ground.client, NAMESPACE, "kustomize-controller", day).await?;
        let kubeconfig = run::folder().join("flux.kubeconfig");
        identity.write_kubeconfig(&kubeconfig)?;
        let (health, log) = (run::free_address(), run::folder().join("flux-kustomize-controller.log"));
        let output = File::create(&log).context("the run's folder is writable")?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(["--watch-all-namespaces", "--metrics-addr=0", "--log-level=info", "--requeue-dependency=1s", "--no-remote-bases"])
            .arg(format!("--health-addr={health}"))
            .env("KUBECONFIG", kubeconfig)
            .env("RUNTIME_NAMESPACE", NAMESPACE)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self { health, log, process: Process::spawn(command) })
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

/// What Flux has by default: it may apply whatever it finds.
fn rights() -> Vec<serde_json::Value> {
    let metadata = json!({"name": "flux-kustomize-controller"});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "kustomize-controller", "namespace": NAMESPACE}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flux-kustomize-controller"},
            "subjects": [{"kind": "ServiceAccount", "name": "kustomize-controller", "namespace": NAMESPACE}],
        }),
    ]
}
