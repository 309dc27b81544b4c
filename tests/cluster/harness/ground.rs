//! A test's way in: the control plane, with or without the chart installed, with or without the shared operator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::ByteString;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::control_plane::ControlPlane;
use super::operator::{Operator, Settings};
use super::program::Program;
use super::{Access, Audit, Responder, apply_manifests, chart, established, own, run, wait_for_rights};

/// The shared operator's namespace.
pub(crate) const SHARED_SYSTEM: &str = "chancery-system";

/// The user name of the shared operator in the audit log.
pub(crate) const SHARED_USER: &str = "system:serviceaccount:chancery-system:chancery-controller";

/// What a test stands on. Cheap enough to be made by each test; clients are not shared between tests.
#[derive(Clone)]
pub(crate) struct Ground {
    /// As administrator, in the runtime of the test that made it.
    pub(crate) client: Client,
    plane: &'static ControlPlane,
}

/// Keys of etcd with what stands there.
pub(crate) type Stored = BTreeMap<String, Value>;

fn encoded(octets: &[u8]) -> ByteString {
    ByteString(octets.to_vec())
}

/// All keys that begin so.
fn range(prefix: &str) -> Value {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    json!({"key": encoded(prefix.as_bytes()), "range_end": encoded(&end)})
}

impl Ground {
    /// Only the control plane.
    pub(crate) async fn bare() -> Self {
        let plane = ControlPlane::of_this_run().await;
        let client = plane.admin.client().unwrap_or_else(|error| panic!("no client: {error:#}"));
        Self { client, plane }
    }

    /// A control plane of its own that nobody else sees and nothing is installed on, under a name that is unique in the run.
    pub(crate) async fn apart(name: &str) -> Self {
        let plane = ControlPlane::another(name).await.unwrap_or_else(|error| panic!("control plane {name} did not start: {error:#}"));
        let client = plane.admin.client().unwrap_or_else(|error| panic!("no client: {error:#}"));
        // It ends with the run.
        Self { client, plane: Box::leak(Box::new(plane)) }
    }

    /// The same ground for another runtime.
    pub(crate) fn again(&self) -> Self {
        let client = self.plane.admin.client().unwrap_or_else(|error| panic!("no client: {error:#}"));
        Self { client, plane: self.plane }
    }

    /// With the chart installed: our CRDs, ServiceAccounts and their rights. Its pods wait for a node that never comes.
    pub(crate) async fn prepared() -> Self {
        let ground = Self::bare().await;
        ground.installed().await;
        ground
    }

    /// What Helm has installed for the shared operator, at the first call.
    pub(crate) async fn installed(&self) -> &'static [Value] {
        static INSTALLED: OnceCell<Result<Vec<Value>, String>> = OnceCell::const_new();
        match INSTALLED.get_or_init(|| async { self.install().await.map_err(|error| format!("{error:#}")) }).await {
            Ok(documents) => documents,
            Err(error) => panic!("the chart was not installed: {error}"),
        }
    }

    /// With the shared operator, which serves every namespace but the `own-..` ones. This is what most tests want.
    pub(crate) async fn with_operator() -> Self {
        let ground = Self::prepared().await;
        ground.operator().await;
        ground
    }

    /// The shared operator, started at the first call. Nobody may stop it: it is everyone's.
    pub(crate) async fn operator(&self) -> &'static Operator {
        static SHARED: OnceCell<Result<Operator, String>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(|| async {
            let settings = self.shared_settings().await.map_err(|error| format!("{error:#}"))?;
            Ok(settings.spawn())
        });
        match shared.await {
            Ok(operator) => {
                // Each caller waits by itself: whoever comes first may be a test that fails and takes its runtime with it.
                operator.ready().await;
                operator
            }
            Err(error) => panic!("the shared operator was not started: {error}"),
        }
    }

    /// The responder of the shared operator's namespace, started at the first call.
    pub(crate) async fn responder(&self) -> &'static Responder {
        static SHARED: OnceCell<Result<Responder, String>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(|| async {
            let arguments = chart::arguments(self.installed().await, "chancery-responder");
            let spawned = Responder::spawn(self.access(), &self.client, SHARED_SYSTEM, "shared", arguments).await;
            spawned.map_err(|error| format!("{error:#}"))
        });
        match shared.await {
            Ok(responder) => {
                responder.live().await;
                responder
            }
            Err(error) => panic!("the responder was not started: {error}"),
        }
    }

    /// The administrator's way in.
    pub(crate) fn access(&self) -> &'static Access {
        &self.plane.admin
    }

    /// The administrator's kubeconfig file.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// Puts an object under a key into etcd, past the API server and all of its rules: as an API server with other rules
    /// would have stored it.
    pub(crate) async fn store(&self, key: &str, object: &Value) {
        self.etcd("kv/put", &json!({"key": encoded(key.as_bytes()), "value": encoded(object.to_string().as_bytes())})).await;
    }

    /// What etcd holds under these prefixes, octet for octet, as a snapshot of it would.
    pub(crate) async fn stored(&self, prefixes: &[String]) -> Stored {
        let mut stored = Stored::new();
        for prefix in prefixes {
            let answer = self.etcd("kv/range", &range(prefix)).await;
            for pair in answer["kvs"].as_array().into_iter().flatten() {
                stored.insert(pair["key"].to_string(), pair.clone());
            }
        }
        stored
    }

    /// Puts etcd back to what it held under these prefixes, past the API server: what was made since is gone.
    pub(crate) async fn restore(&self, prefixes: &[String], before: &Stored) {
        for (key, pair) in &self.stored(prefixes).await {
            if !before.contains_key(key) {
                self.etcd("kv/deleterange", &json!({"key": pair["key"]})).await;
            }
        }
        for pair in before.values() {
            self.etcd("kv/put", &json!({"key": pair["key"], "value": pair["value"]})).await;
        }
    }

    async fn etcd(&self, what: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("it needs nothing");
        let answer = client.post(format!("{}/v3/{what}", self.plane.etcd())).json(body).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).unwrap_or_else(|error| panic!("etcd: {what}: {error}"));
        answer.json().await.unwrap_or_else(|error| panic!("etcd: {what}: {error}"))
    }

    /// The API server's audit log of this run.
    pub(crate) fn audit(&self) -> Audit {
        Audit::new(self.plane.audit_log())
    }

    async fn install(&self) -> Result<Vec<Value>> {
        // As docs/install.md has it made.
        let metadata = json!({ "name": SHARED_SYSTEM, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } });
        apply_manifests(&self.client, &[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })]).await?;
        let values = json!({ "excludeNamespaces": own::names().collect::<Vec<_>>() });
        let helm = Program::helm_in(self).args(["install", chart::RELEASE]).args([chart::chart()]);
        let finished = helm.args(["--namespace", SHARED_SYSTEM, "--values", "-"]).stdin(values.to_string()).finish().await;
        ensure!(finished.status.success(), "helm install: {}", finished.stderr.trim());
        let documents = chart::manifest(self, chart::RELEASE, SHARED_SYSTEM).await?;
        established(&self.client, &documents).await?;
        wait_for_rights(&self.client, &documents).await?;
        Ok(documents)
    }

    async fn shared_settings(&self) -> Result<Settings> {
        self.as_deployed("shared", self.installed().await, SHARED_SYSTEM, "chancery-controller").await
    }

    /// How to start the controller as the Deployment of this name among what is installed would, with the token of the ServiceAccount of
    /// the same name. `name` is unique in the run, and for the operator's files.
    pub(crate) async fn as_deployed(&self, name: &str, installed: &[Value], system: &str, deployment: &str) -> Result<Settings> {
        let day = Duration::from_hours(24);
        let identity = self.plane.admin.as_service_account(&self.client, system, deployment, day).await?;
        let kubeconfig = run::folder().join(format!("operator-{name}.kubeconfig"));
        identity.write_kubeconfig(&kubeconfig)?;
        Ok(Settings::new(name, kubeconfig).arguments(chart::arguments(installed, deployment)))
    }
}
