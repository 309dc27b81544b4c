//! Where the tour takes place: on a control plane of its own, which goes with it, or on a cluster that the person has.
//!
//! On a person's cluster nothing is touched that was there: the tour has two namespaces, serves one of them only, has no right
//! outside them, and takes them away at the end; the CRDs too, where it brought them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use chancery::api::Certificate;
use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};
use kube_runtime::wait::{await_condition, conditions};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    manifests::{apply_manifests, kustomization, parse_manifests, retain_identities},
    say,
};

/// The operator's ServiceAccount and its Lease.
pub(crate) const OPERATOR: &str = "chancery-controller";
/// The responder's ServiceAccount.
pub(crate) const RESPONDER: &str = "chancery-responder";
/// Where the samples say that a responder is, for want of a better place.
const SAMPLE_URL: &str = "http://chancery-responder.chancery-system.svc";
/// How long an object may take to go: its namespace's controllers have to look at it.
const GOING: Duration = Duration::from_mins(2);

/// A cluster, and where in it things are.
pub(crate) struct Place {
    /// As the administrator, or whoever the person is.
    pub(crate) client: Client,
    /// The person's way in.
    pub(crate) kubeconfig: PathBuf,
    /// The operator's namespace.
    pub(crate) system: &'static str,
    /// The namespace of the samples.
    pub(crate) samples: &'static str,
    /// Whether the cluster is the person's own.
    pub(crate) shared: bool,
    /// What was brought and goes at the end.
    brought: Brought,
}

#[derive(Default)]
struct Brought {
    namespaces: bool,
    definitions: Vec<Value>,
}

/// A control plane, which lives as long as our end of its standard input.
pub(crate) struct ControlPlane(Child);

impl ControlPlane {
    /// Starts it; see [`ControlPlane::ready`].
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let child = Command::new(source().join("tests/controlplane/up"))
            .arg("--no-audit")
            .arg(folder.join("control-plane"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("up.log"))?)
            // An interrupt at the terminal is for us alone: the operator has to stop first.
            .process_group(0)
            .spawn()
            .context("tests/controlplane/up cannot be run")?;
        Ok(Self(child))
    }

    /// Waits until the API server answers.
    pub(crate) async fn ready(&mut self, folder: &Path) -> Result<Place> {
        let mut line = String::new();
        let output = self.0.stdout.take().context("the control plane was waited for already")?;
        BufReader::new(output).read_line(&mut line).await?;
        let Some(server) = line.trim().strip_prefix("ready ") else {
            bail!("the control plane did not start: {}", fs::read_to_string(folder.join("up.log"))?.trim());
        };
        say::line("etcd, kube-apiserver, kube-controller-manager", server);
        let kubeconfig = folder.join("control-plane/admin.kubeconfig");
        let client = client(&kubeconfig, true).await?;
        Ok(Place { client, kubeconfig, system: "chancery-system", samples: "chancery-samples", shared: false, brought: Brought::default() })
    }

    /// Ends it, with all its data.
    pub(crate) async fn end(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        tokio::time::timeout(Duration::from_secs(20), self.0.wait()).await.context("the control plane still runs after 20 s")??;
        Ok(())
    }
}

impl Place {
    /// The cluster of a kubeconfig's current context, where nothing of an earlier tour, and no other operator, may be.
    pub(crate) async fn of_the_person(kubeconfig: &Path) -> Result<Self> {
        let kubeconfig = fs::canonicalize(kubeconfig).with_context(|| format!("DEMO_KUBECONFIG: {}", kubeconfig.display()))?;
        let client = client(&kubeconfig, false).await?;
        let version = client.apiserver_version().await.context("the cluster of DEMO_KUBECONFIG does not answer")?;
        say::line("the cluster of DEMO_KUBECONFIG", format!("Kubernetes {}", version.git_version));
        let place = Self {
            client,
            kubeconfig,
            system: "chancery-demo-system",
            samples: "chancery-demo",
            shared: true,
            brought: Brought::default(),
        };
        let namespaces = Api::<Namespace>::all(place.client.clone());
        for name in [place.system, place.samples] {
            ensure!(
                namespaces.get_opt(name).await?.is_none(),
                "namespace {name} exists already, perhaps from an earlier run that was killed; if nothing in it is needed: kubectl delete namespace {} {}",
                place.system,
                place.samples
            );
        }
        place.is_alone().await?;
        Ok(place)
    }

    /// Two operators that serve the same namespace would fight.
    async fn is_alone(&self) -> Result<()> {
        let leases =
            Api::<Lease>::all(self.client.clone()).list(&ListParams::default().fields(&format!("metadata.name={OPERATOR}"))).await?;
        let held = leases.items.iter().find(|lease| holder(lease).is_some());
        match held {
            Some(lease) => bail!(
                "an operator is at work in this cluster (Lease {}/{OPERATOR} is held by {}) and may serve the demo's namespaces too: \
                 stop it for the time, or run the demo without DEMO_KUBECONFIG",
                lease.namespace().unwrap_or_default(),
                holder(lease).unwrap_or_default()
            ),
            None => Ok(()),
        }
    }

    /// Installs `crds/`: all of them on our own control plane, else those that are not there.
    pub(crate) async fn define(&mut self) -> Result<usize> {
        let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
        let mut missing = Vec::new();
        for file in files(&source().join("crds"))? {
            for document in parse_manifests(&fs::read_to_string(&file)?)? {
                let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
                if definitions.get_opt(&name).await?.is_none() {
                    missing.push(document);
                }
            }
        }
        self.brought.definitions.clone_from(&missing);
        apply_manifests(&self.client, &missing).await?;
        Ok(missing.len())
    }

    /// Makes the namespaces and gives the operator its rights there; returns what was applied.
    pub(crate) async fn prepare(&mut self) -> Result<Vec<Value>> {
        self.brought.namespaces = true;
        let folder = if self.shared { "deploy/overlays/namespaced" } else { "deploy/base" };
        let mut documents = kustomization(&source().join("deploy/samples"))?;
        documents.retain(|document| document["kind"] == "Namespace");
        documents.extend(kustomization(&source().join(folder))?);
        // The operator and the responder run beside this program, not as pods.
        retain_identities(&mut documents);
        let documents = documents.into_iter().map(|document| self.at_home(&document)).collect::<Result<Vec<_>>>()?;
        apply_manifests(&self.client, &documents).await?;
        Ok(documents)
    }

    /// The samples, as they are applied here: what they publish is served by the responder at this URL.
    pub(crate) fn samples(&self, responder: &str) -> Result<Vec<Value>> {
        let mut documents = kustomization(&source().join("deploy/samples"))?;
        documents.retain(|document| document["kind"] != "Namespace");
        for document in &mut documents {
            if let Some(url) = document.pointer_mut("/spec/distribution/baseURL") {
                ensure!(url == SAMPLE_URL, "a sample is served at {url}, and not at {SAMPLE_URL}");
                *url = responder.into();
            }
        }
        documents.iter().map(|document| self.at_home(document)).collect()
    }

    /// A document with the names of this place. On a person's cluster ClusterIssuers become Issuers of the one namespace that is served.
    fn at_home(&self, document: &Value) -> Result<Value> {
        if !self.shared {
            return Ok(document.clone());
        }
        let text = serde_json::to_string(document)?;
        let is_sample = document["apiVersion"] == "chancery.dev/v1alpha1";
        let operator_is_at = if is_sample { self.samples } else { self.system };
        let text = text
            .replace("\"chancery-system\"", &format!("\"{operator_is_at}\""))
            .replace("\"chancery-samples\"", &format!("\"{}\"", self.samples))
            .replace("\"team-a\"", &format!("\"{}\"", self.samples))
            .replace("\"ClusterIssuer\"", "\"Issuer\"");
        let mut document: Value = serde_json::from_str(&text)?;
        if is_sample {
            document["metadata"]["namespace"] = self.samples.into();
        }
        if let Some(allow) = document.pointer_mut("/spec/allow").and_then(Value::as_object_mut) {
            allow.remove("namespaceSelector");
        }
        Ok(document)
    }

    /// Takes the samples away; their finalizers are the operator's to release, and ours where it does not run any more.
    pub(crate) async fn clear_samples(&self, operator_runs: bool) -> Result<()> {
        if !self.shared || !self.brought.namespaces {
            return Ok(());
        }
        if !operator_runs {
            let certificates = Api::<Certificate>::namespaced(self.client.clone(), self.samples);
            let release = Patch::Merge(serde_json::json!({ "metadata": { "finalizers": null } }));
            for certificate in certificates.list_metadata(&ListParams::default()).await?.items {
                certificates.patch_metadata(&certificate.name_any(), &PatchParams::default(), &release).await?;
            }
        }
        self.delete_namespace(self.samples).await
    }

    /// Takes away what is left of what was brought, after the operator has stopped.
    pub(crate) async fn clear(&mut self) -> Result<()> {
        if !self.shared {
            return Ok(());
        }
        if self.brought.namespaces {
            self.delete_namespace(self.system).await?;
        }
        let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
        for document in std::mem::take(&mut self.brought.definitions) {
            let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            if self.is_used(&document).await? {
                say::line(name, "stays: somebody uses it by now");
                continue;
            }
            delete(&definitions, name).await?;
            say::line(name, "deleted");
        }
        Ok(())
    }

    async fn is_used(&self, definition: &Value) -> Result<bool> {
        let kind = definition.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or_default();
        let gvk = GroupVersionKind::gvk("chancery.dev", "v1alpha1", kind);
        let plural = definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or_default();
        let objects = Api::<DynamicObject>::all_with(self.client.clone(), &ApiResource::from_gvk_with_plural(&gvk, plural));
        Ok(!objects.list_metadata(&ListParams::default().limit(1)).await?.items.is_empty())
    }

    async fn delete_namespace(&self, name: &str) -> Result<()> {
        delete(&Api::<Namespace>::all(self.client.clone()), name).await?;
        say::line(format!("namespace {name}"), "deleted");
        Ok(())
    }
}

/// Who holds a Lease that has not run out.
pub(crate) fn holder(lease: &Lease) -> Option<String> {
    let spec = lease.spec.as_ref()?;
    let lasts = jiff::SignedDuration::from_secs(spec.lease_duration_seconds?.into());
    #[expect(clippy::disallowed_methods, reason = "the tour has no clock to be handed")]
    let now = jiff::Timestamp::now();
    let renewed = spec.renew_time.as_ref()?.0;
    spec.holder_identity.clone().filter(|holder| !holder.is_empty() && now.duration_since(renewed) < lasts)
}

/// The root of the source tree.
pub(crate) fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

async fn delete<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let Some(found) = api.get_opt(name).await? else { return Ok(()) };
    let uid = found.uid().unwrap_or_default();
    api.delete(name, &DeleteParams::default()).await?;
    let gone = await_condition(api.clone(), name, conditions::is_deleted(&uid));
    tokio::time::timeout(GOING, gone)
        .await
        .with_context(|| format!("{name} is still there {} s after its deletion", GOING.as_secs()))??;
    Ok(())
}

async fn client(kubeconfig: &Path, loopback: bool) -> Result<Client> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    if loopback {
        config.proxy_url = None;
    }
    Ok(Client::try_from(config)?)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    Ok(files)
}
