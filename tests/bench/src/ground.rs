//! A control plane of one measurement's own, with the CRDs and the operator's rights, and what issues in it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::{Value, json};

use crate::{
    Arguments,
    operator::{self, Operator, ProcessTimes},
    responder::Responder,
    say,
    watch::Readiness,
};

#[path = "../../cluster/harness/access.rs"]
#[expect(dead_code, reason = "the cluster tests use more of it")]
mod access;
#[path = "../../cluster/harness/manifests.rs"]
mod manifests;
#[path = "../../cluster/harness/rights.rs"]
mod rights;

use access::Access;

/// The operator's namespace and ServiceAccount.
pub(crate) const SYSTEM: &str = "chancery-system";
const ACCOUNT: &str = "chancery-controller";
const RESPONDER: &str = "chancery-responder";
/// The ClusterIssuer.
pub(crate) const ISSUER: &str = "bench";
/// Over how many namespaces Certificates are spread.
pub(crate) const NAMESPACES: usize = 10;
/// Where what is not measured is made.
pub(crate) const ASIDE: &str = "aside";

/// A running control plane. It ends when this is dropped.
pub(crate) struct Ground {
    /// As administrator.
    pub(crate) client: Client,
    admin: Access,
    folder: PathBuf,
    binary: PathBuf,
    supervisor: Child,
}

impl Ground {
    /// Starts one, without an audit log, and makes all that the operator needs.
    pub(crate) async fn start(arguments: &Arguments, name: &str) -> Result<Self> {
        say(&format!("{name}: starting a control plane"));
        let folder = arguments.folder.join(name);
        fs::create_dir_all(&folder)?;
        let folder = folder.canonicalize()?;
        let plane = folder.join("control-plane");
        let complaints = folder.join("up.log");
        let mut supervisor = Command::new(source().join("tests/controlplane/up"))
            .arg("--no-audit")
            .arg(&plane)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .spawn()
            .context("tests/controlplane/up cannot be run")?;
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().context("it was asked for")?).read_line(&mut line)?;
        let Some(server) = line.trim().strip_prefix("ready ") else {
            let status = supervisor.wait()?;
            bail!("the control plane did not start: {status}: {}", fs::read_to_string(&complaints)?.trim());
        };
        let token = fs::read_to_string(plane.join("admin.token"))?.trim().to_owned();
        let admin = Access { server: server.to_owned(), ca: Some(plane.join("ca.crt")), token };
        let ground = Self { client: admin.client()?, admin, folder, binary: arguments.operator.clone(), supervisor };
        ground.prepare().await?;
        Ok(ground)
    }

    /// Keeps a text beside the logs, for whoever wants to know more.
    pub(crate) fn keep(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(name), text).with_context(|| format!("{name} cannot be written"))
    }

    /// The processor time in seconds that the control plane has used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let parent = self.supervisor.id().to_string();
        let mut sum = 0.0;
        for entry in fs::read_dir("/proc")?.flatten() {
            // Processes come and go while this reads.
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let process = ProcessTimes::read(&text);
            sum += process.filter(|process| process.parent == parent).map_or(0.0, |process| process.cpu);
        }
        Ok(sum)
    }

    /// Starts the operator under its ServiceAccount and waits until it leads.
    pub(crate) async fn operator(&self, name: &str) -> Result<Operator> {
        let kubeconfig = self.identity(ACCOUNT).await?;
        Operator::start(&self.binary, &kubeconfig, &self.folder.join(format!("operator-{name}.log"))).await
    }

    /// Starts the responder under its ServiceAccount; it ends when this is dropped.
    pub(crate) async fn responder(&self, flags: &[&str]) -> Result<Responder> {
        let kubeconfig = self.identity(RESPONDER).await?;
        Responder::start(&self.binary, flags, &kubeconfig, &self.folder.join("responder.log")).await
    }

    /// The octets that etcd has been sent so far.
    pub(crate) async fn written(&self) -> Result<f64> {
        let url = fs::read_to_string(self.folder.join("control-plane/etcd.url"))?;
        let address = url.trim().trim_start_matches("http://").parse().context("etcd.url names no address")?;
        let metrics = operator::get(address, "/metrics").await?;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let line = metrics.lines().find_map(|line| line.strip_prefix("etcd_network_client_grpc_received_bytes_total "));
        line.and_then(|number| number.parse().ok()).context("etcd does not say what it was sent")
    }

    /// The folder of this measurement.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    async fn identity(&self, account: &str) -> Result<PathBuf> {
        let day = Duration::from_hours(24);
        let identity = self.admin.as_service_account(&self.client, SYSTEM, account, day).await?;
        let kubeconfig = self.folder.join(format!("{account}.kubeconfig"));
        identity.write_kubeconfig(&kubeconfig)?;
        Ok(kubeconfig)
    }

    /// Makes the ClusterIssuer with a CA that the operator itself signs, and some Certificates so that all is warm.
    pub(crate) async fn issuer(&self, operator: &Operator) -> Result<()> {
        let (group, version) = (GROUP, VERSION);
        let api = format!("{group}/{version}");
        let root =
            json!({"apiVersion": api, "kind": "Issuer", "metadata": {"name": "self", "namespace": SYSTEM}, "spec": {"selfSigned": {}}});
        let ca = json!({
            "apiVersion": api, "kind": "Certificate", "metadata": {"name": "bench-ca", "namespace": SYSTEM},
            "spec": {"secretName": "bench-ca", "commonName": "Bench CA", "isCA": true, "duration": "87600h", "issuerRef": {"name": "self"}},
        });
        let issuer =
            json!({"apiVersion": api, "kind": "ClusterIssuer", "metadata": {"name": ISSUER}, "spec": {"ca": {"secretName": "bench-ca"}}});
        let ready = Readiness::follow(&self.client);
        manifests::apply_manifests(&self.client, &[root, ca, issuer]).await?;
        ready.all(1, Duration::from_mins(1)).await.context("the CA's Certificate")?;
        let workers = (0..crate::WARM_UP).map(|number| self.create(ASIDE, format!("warm-{number}")));
        try_join_all(workers).await?;
        ready.all(1 + crate::WARM_UP, Duration::from_mins(1)).await.context("the first Certificates")?;
        operator.quiet(Duration::from_secs(1), Duration::from_mins(1)).await?;
        Ok(())
    }

    /// Creates a Certificate.
    pub(crate) async fn create(&self, namespace: &str, name: String) -> Result<DynamicObject> {
        let object: DynamicObject = serde_json::from_value(certificate(namespace, &name))?;
        certificates(&self.client, namespace).create(&PostParams::default(), &object).await.with_context(|| format!("Certificate {name}"))
    }

    async fn prepare(&self) -> Result<()> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(source().join("crds"))?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let documents = manifests::parse_manifests(&text)?;
            manifests::apply_manifests(&self.client, &documents).await.with_context(|| file.display().to_string())?;
        }
        let mut base = manifests::kustomization(&source().join("deploy/base"))?;
        manifests::retain_identities(&mut base);
        manifests::apply_manifests(&self.client, &base).await.context("deploy/base")?;
        rights::wait_for_rights(&self.client, &base).await?;
        let namespaces: Vec<Value> = (0..NAMESPACES)
            .map(namespace)
            .chain([ASIDE.to_owned()])
            .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .collect();
        manifests::apply_manifests(&self.client, &namespaces).await
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The control plane hangs on this pipe.
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

const GROUP: &str = "chancery.dev";
const VERSION: &str = "v1alpha1";

/// The name of one of the namespaces.
pub(crate) fn namespace(number: usize) -> String {
    format!("team-{}", number % NAMESPACES)
}

/// The Certificate that is measured: P-256, two names.
pub(crate) fn certificate(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "Certificate", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "secretName": name,
            "dnsNames": [format!("{name}.{namespace}.svc"), format!("{name}.{namespace}.svc.cluster.local")],
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"name": ISSUER, "kind": "ClusterIssuer"},
        },
    })
}

/// Certificates as plain JSON: the bench must not depend on how the operator reads them.
pub(crate) fn certificates(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &certificate_resource())
}

/// What the API server calls them.
pub(crate) fn certificate_resource() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "Certificate".to_owned(),
        plural: "certificates".to_owned(),
    }
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
