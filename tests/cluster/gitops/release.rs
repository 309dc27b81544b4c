//! A release of `deploy/gitops/flux/release.yaml`, by Flux's own helm-controller, in namespaces that no other test uses.
//!
//! The manifest is used as it stands but for its names: it has another namespace and another release name, because the cluster has an
//! installation of its own. What stands in for parts that are not here: loopback for the registry (see [`Artifacts`]), the test for the
//! kubelet, which says of each pod that it is ready, and a process of ours for the controller's pods.

use std::collections::BTreeMap;
use std::fs;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt as _};
use kube_runtime::WatchStreamExt as _;
use kube_runtime::watcher::{self, watcher};
use serde_json::{Value, json};

use super::artifacts::Artifacts;
use super::verdict::{is_settled, message, reason, says};
use crate::harness::{
    Flux, Ground, Operator, Program, Record, apply_manifests, chart, claim_name, parse_manifests, stays, wait_for, wait_for_rights,
    wait_gone,
};
use crate::page::source;
use crate::stage::{SOON, Stage, WHILE, merged, serial};

/// The name of the HelmRelease and of its source.
const NAME: &str = "chancery";
/// What the release is called, and so what the names of its objects begin with: others have those that begin with `chancery-`.
pub(super) const RELEASE: &str = "chancery-flux";

/// What must not change, by kind and name: versions of Secrets, serials of Certificates, uids of definitions.
pub(super) type Standing = BTreeMap<String, String>;

pub(super) struct Release {
    pub(super) stage: Stage,
    flux: &'static Flux,
    /// The HelmRelease as it stands in git.
    manifest: Value,
    turns: AtomicUsize,
    _artifacts: Artifacts,
}

impl Release {
    /// Has Flux install it, and waits for nothing; no pod is ready before [`Self::run_pods`].
    pub(super) async fn install() -> Self {
        let ground = Ground::prepared().await;
        let flux = Flux::helm(&ground).await;
        let served = claim_name();
        let system = format!("{served}-system");
        let stage = Stage::of_namespace(&ground, &served, &system);
        let mut documents = in_git(&system);
        let manifest = documents.pop().filter(|document| document["kind"] == "HelmRelease").expect("the HelmRelease comes last");
        documents.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": served}}));
        apply_manifests(&ground.client, &documents).await.expect("the API server takes them");
        let artifacts = Artifacts::served().await;
        let status = artifacts.store(&format!("/{system}/chart.tgz"), packaged().await, |digest| format!("0.1.0@{digest}")).await;
        let patched = api(&ground.client, &system, "source.toolkit.fluxcd.io", "v1", "OCIRepository")
            .patch_status(NAME, &PatchParams::default(), &Patch::Merge(json!({"status": status})))
            .await;
        patched.expect("the API server takes what the source-controller would write");
        let release = Self { stage, flux, manifest, turns: AtomicUsize::new(0), _artifacts: artifacts };
        release.apply(&json!({})).await;
        release
    }

    /// Applies the HelmRelease as it would stand in git with these values besides its own.
    pub(super) async fn apply(&self, values: &Value) {
        let changed = merged(self.manifest.clone(), &json!({"spec": {"values": values}}));
        apply_manifests(self.client(), &[changed]).await.expect("the API server takes it");
    }

    /// Waits until there are pods that are not ready, and looks for a while whether Flux waits for them. Then all pods are ready soon.
    pub(super) async fn run_pods(&self, deployments: &[&str]) {
        let all: Api<Deployment> = Api::namespaced(self.client().clone(), &self.stage.system);
        for name in deployments {
            let has_pods = |now: &Deployment| now.status.as_ref().is_some_and(|status| status.unavailable_replicas == Some(2));
            wait_for(&all, name, "pods that are not ready", SOON, has_pods).await;
        }
        stays(&self.releases(), NAME, "not Ready before its pods are", WHILE, |now| !says(now, "Ready", "True")).await;
        make_pods_ready(Api::namespaced(self.client().clone(), &self.stage.system));
    }

    /// Waits until Flux has brought about what the HelmRelease says now. Fails as soon as Flux calls it failed.
    pub(super) async fn is_ready(&self) {
        self.reaches("Ready", |now| is_settled(now) && says(now, "Ready", "True")).await;
    }

    /// Waits until Flux has failed to bring about what the HelmRelease says now, and returns what it says of that.
    pub(super) async fn is_failed(&self) -> String {
        // It goes on trying, and so is not done.
        let failed = wait_for(&self.releases(), NAME, "UpgradeFailed", SOON, |now| reason(now) == "UpgradeFailed").await;
        message(&failed)
    }

    /// Has Flux look at the release again, and waits until it has, and has found or made what is in the cluster to be what was installed.
    pub(super) async fn reconcile(&self) {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed).to_string();
        let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": turn}}});
        self.releases().patch(NAME, &PatchParams::default(), &Patch::Merge(asked)).await.expect("it is there");
        self.reaches(&format!("reconcile {turn}"), |now| {
            let handled = now.data["status"]["lastHandledReconcileAt"] == turn.as_str();
            handled && is_settled(now) && says(now, "Ready", "True") && says(now, "Drifted", "False")
        })
        .await;
    }

    /// Deletes the HelmRelease, and waits until Flux has uninstalled what it had installed.
    pub(super) async fn withdraw(&self) {
        self.releases().delete(NAME, &DeleteParams::default()).await.expect("it is there");
        wait_gone(&self.releases(), NAME, SOON).await;
    }

    /// What is installed now.
    pub(super) async fn documents(&self) -> Vec<Value> {
        chart::manifest(&self.stage.ground, RELEASE, &self.stage.system).await.expect("it is installed")
    }

    /// The controller as its Deployment would run it now, but for this namespace only.
    pub(super) async fn operator(&self) -> Operator {
        let Stage { ground, namespace, system, .. } = &self.stage;
        let (documents, account) = (self.documents().await, format!("{RELEASE}-controller"));
        wait_for_rights(&ground.client, &documents).await.expect("its rights are in force");
        let name = format!("{namespace}-flux-{}", self.turns.fetch_add(1, Ordering::Relaxed));
        let settings = ground.as_deployed(&name, &documents, system, &account).await.expect("it has a token");
        settings.flag("--watch-namespace", namespace.clone()).serves([namespace.clone(), system.clone()]).start().await
    }

    /// What must outlive whatever happens to the release.
    pub(super) async fn standing(&self) -> Standing {
        let mut found = Standing::new();
        for namespace in [&self.stage.namespace, &self.stage.system] {
            let secrets: Api<Secret> = Api::namespaced(self.client().clone(), namespace);
            for secret in secrets.list(&ListParams::default()).await.expect("Secrets can be listed") {
                // Those of Flux's releases come and go with them.
                if secret.type_.as_deref() != Some("helm.sh/release.v1") {
                    found.insert(format!("Secret {namespace}/{}", secret.name_any()), format!("{:?}", secret.resource_version()));
                }
            }
        }
        for certificate in self.stage.certificates().list(&ListParams::default()).await.expect("Certificates can be listed") {
            found.insert(format!("Certificate {}", certificate.name_any()), serial(&certificate).to_owned());
        }
        for definition in self.definitions().await {
            let leaving = definition.metadata.deletion_timestamp.is_some();
            found.insert(format!("CustomResourceDefinition {}", definition.name_any()), format!("{:?} {leaving}", definition.uid()));
        }
        found
    }

    /// The definitions of our kinds.
    pub(super) async fn definitions(&self) -> Vec<CustomResourceDefinition> {
        let all: Api<CustomResourceDefinition> = Api::all(self.client().clone());
        let mut definitions = all.list(&ListParams::default()).await.expect("definitions can be listed").items;
        definitions.retain(|definition| definition.spec.group == "chancery.dev");
        definitions
    }

    /// What Flux has written so far of what is installed: no dry runs, and not its own objects.
    pub(super) fn writes(&self) -> Vec<String> {
        let mut records = self.stage.ground.audit().of_user(Flux::HELM_USER);
        records.retain(|record| record.is_write() && !record.uri.contains("dryRun=") && !is_its_own(record));
        records.iter().map(Record::summary).collect()
    }

    pub(super) fn client(&self) -> &Client {
        &self.stage.ground.client
    }

    async fn reaches(&self, what: &str, predicate: impl Fn(&DynamicObject) -> bool) {
        wait_for(&self.releases(), NAME, what, 2 * SOON, |now| {
            // The source may be seen a moment later than the release.
            let failed = is_settled(now) && says(now, "Ready", "False") && !reason(now).starts_with("Artifact");
            assert!(!failed, "Flux: {}\n{}", message(now), self.flux.last_lines(&self.stage.system));
            predicate(now)
        })
        .await;
    }

    fn releases(&self) -> Api<DynamicObject> {
        api(self.client(), &self.stage.system, "helm.toolkit.fluxcd.io", "v2", "HelmRelease")
    }
}

/// The documents of the manifest under other names.
fn in_git(system: &str) -> Vec<Value> {
    let text = fs::read_to_string(source().join("deploy/gitops/flux/release.yaml")).expect("it is there");
    let mut documents = parse_manifests(&text).expect("it is YAML");
    for document in &mut documents {
        let field = if document["kind"] == "Namespace" { "name" } else { "namespace" };
        assert_eq!(document["metadata"][field], "chancery-system");
        document["metadata"][field] = json!(system);
        if document["kind"] == "HelmRelease" {
            document["spec"]["releaseName"] = json!(RELEASE);
        }
    }
    documents
}

/// The chart as it would be pushed to a registry.
async fn packaged() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    Program::helm().args(["package", "--destination"]).args([folder.path()]).args([chart::chart()]).run().await;
    fs::read(folder.path().join("chancery-0.1.0.tgz")).expect("Helm has written it")
}

/// In the place of a kubelet: says of each pod in a namespace that it is ready, as long as the test's runtime lasts.
fn make_pods_ready(pods: Api<Pod>) {
    tokio::spawn(async move {
        let ready = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let mut seen = pin!(watcher(pods.clone(), watcher::Config::default()).default_backoff().applied_objects());
        while let Some(pod) = seen.next().await {
            let Some(pod) = pod.ok().filter(|pod| pod.status.as_ref().is_none_or(|status| status.phase.as_deref() != Some("Running")))
            else {
                continue;
            };
            // It may be gone by now.
            let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&ready)).await;
        }
    });
}

/// Whether a request was about Flux's own book-keeping: the HelmRelease, Helm's record of its releases, Events.
fn is_its_own(record: &Record) -> bool {
    let of_helm = record.resource == "secrets" && (record.name.is_empty() || record.name.starts_with("sh.helm.release.v1."));
    of_helm || record.group == "helm.toolkit.fluxcd.io" || record.resource == "events"
}

fn api(client: &Client, namespace: &str, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}
