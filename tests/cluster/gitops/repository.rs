//! A team's repository as Flux sees it: a `GitRepository` that has what a test pushes, and Kustomizations that apply it, by Flux's own
//! controller.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::artifacts::Artifacts;
use super::verdict::{condition, is_settled, message, reason, says};
use crate::harness::{Flux, Program, Record, wait_for, wait_gone};
use crate::stage::{SOON, Stage, merged};

/// The name of a repository and of the Kustomization that applies it.
const NAME: &str = "team";

/// A repository and a Kustomization in a stage's namespace.
pub(super) struct Repository<'a> {
    stage: &'a Stage,
    flux: &'static Flux,
    artifacts: Artifacts,
    /// How many revisions there were, and how many reconciles were asked for.
    turns: AtomicUsize,
}

impl<'a> Repository<'a> {
    /// An empty one.
    pub(super) async fn of(stage: &'a Stage) -> Self {
        Self::seen_by(Flux::running(&stage.ground).await, stage).await
    }

    /// An empty one that another Flux than that of the run looks at.
    pub(super) async fn seen_by(flux: &'static Flux, stage: &'a Stage) -> Self {
        Self { stage, flux, artifacts: Artifacts::served().await, turns: AtomicUsize::new(0) }
    }

    /// Makes these documents the whole content, and returns the new revision.
    pub(super) async fn push(&self, documents: &[Value]) -> String {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let texts: Vec<String> = documents.iter().map(|document| serde_yaml::to_string(document).expect("it is JSON")).collect();
        fs::write(folder.path().join("manifests.yaml"), texts.join("---\n")).expect("it is writable");
        self.push_folder(folder.path(), &["."]).await
    }

    /// The same with these parts of a folder.
    pub(super) async fn push_folder(&self, folder: &Path, parts: &[&str]) -> String {
        let archive = Program::new("tar").args(["--create", "--gzip", "--directory"]).args([folder]).args(parts).run_octets().await;
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let revision = format!("main@sha1:{turn:040x}");
        let status = self.artifacts.store(&format!("/{}/{turn}.tar.gz", self.stage.namespace), archive, |_| revision.clone()).await;
        let sources = self.api("source.toolkit.fluxcd.io", "GitRepository");
        let spec = json!({"interval": "1h", "url": "https://git.example.com/team.git"});
        put(&sources, NAME, spec).await;
        let patched = sources.patch_status(NAME, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await;
        patched.unwrap_or_else(|error| panic!("the status of GitRepository {NAME}: {error}"));
        revision
    }

    /// Has Flux apply it into the stage's namespace, wait for what it has applied, and prune; with more in the spec.
    pub(super) async fn apply(&self, more: &Value) {
        self.apply_as(NAME, &merged(json!({"targetNamespace": self.stage.namespace}), more)).await;
    }

    /// Has Flux apply it wherever it belongs, by a Kustomization of this name.
    pub(super) async fn apply_as(&self, name: &str, more: &Value) {
        let spec = json!({
            "interval": "1h", "retryInterval": "2s", "timeout": "5m", "path": "./", "prune": true, "wait": true,
            "sourceRef": {"kind": "GitRepository", "name": NAME},
        });
        put(&self.kustomizations(), name, merged(spec, more)).await;
    }

    /// Waits until Flux has applied a revision and found all of it to be ready. Fails as soon as Flux calls something failed.
    pub(super) async fn is_ready(&self, revision: &str) {
        self.is_ready_as(NAME, revision).await;
    }

    /// The same of the Kustomization of this name.
    pub(super) async fn is_ready_as(&self, name: &str, revision: &str) {
        wait_for(&self.kustomizations(), name, &format!("Ready with {revision}"), SOON, |now| {
            assert!(!has_failed(now, revision), "Flux: {}\n{}", message(now), self.flux.last_lines(&self.stage.namespace));
            now.data["status"]["lastAppliedRevision"] == revision && is_settled(now) && says(now, "Ready", "True")
        })
        .await;
    }

    /// Waits until Flux says of a revision that a health check has failed, and returns what it says.
    pub(super) async fn is_failed(&self, revision: &str) -> String {
        let failed =
            wait_for(&self.kustomizations(), NAME, &format!("failed with {revision}"), SOON, |now| has_failed(now, revision)).await;
        message(&failed)
    }

    /// What Flux says now: the reason of its condition Ready.
    pub(super) async fn reason(&self) -> String {
        let now = self.kustomizations().get(NAME).await.unwrap_or_else(|error| panic!("{NAME}: {error}"));
        reason(&now)
    }

    /// Has Flux look at everything again, and waits until it has found all to be ready.
    pub(super) async fn reconcile(&self) {
        self.reconcile_as(NAME).await;
    }

    /// The same with the Kustomization of this name.
    pub(super) async fn reconcile_as(&self, name: &str) {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed).to_string();
        let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": turn}}});
        let patched = self.kustomizations().patch(name, &PatchParams::default(), &Patch::Merge(asked)).await;
        patched.unwrap_or_else(|error| panic!("{name}: {error}"));
        wait_for(&self.kustomizations(), name, &format!("reconcile {turn}"), SOON, |now| {
            now.data["status"]["lastHandledReconcileAt"] == turn.as_str() && is_settled(now) && says(now, "Ready", "True")
        })
        .await;
    }

    /// Deletes the Kustomization, and waits until Flux has taken away what it had applied.
    pub(super) async fn withdraw(&self) {
        self.withdraw_as(NAME).await;
    }

    /// The same with the Kustomization of this name.
    pub(super) async fn withdraw_as(&self, name: &str) {
        self.kustomizations().delete(name, &DeleteParams::default()).await.expect("it is there");
        wait_gone(&self.kustomizations(), name, SOON).await;
    }

    /// What Flux has asked the API server for so far, of our kinds in the stage's namespace.
    pub(super) fn requests(&self) -> Vec<Record> {
        requests_of(self.stage)
    }

    /// What it has written so far of our kinds in the stage's namespace; no dry runs.
    pub(super) fn writes(&self) -> Vec<String> {
        self.requests().iter().filter(|record| record.is_write() && !record.uri.contains("dryRun=")).map(Record::summary).collect()
    }

    fn kustomizations(&self) -> Api<DynamicObject> {
        self.api("kustomize.toolkit.fluxcd.io", "Kustomization")
    }

    fn api(&self, group: &str, kind: &str) -> Api<DynamicObject> {
        let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        if kind == "GitRepository" {
            "gitrepositories".clone_into(&mut resource.plural);
        }
        Api::namespaced_with(self.stage.ground.client.clone(), &self.stage.namespace, &resource)
    }
}

/// What Flux has asked for, of our kinds in a stage's namespace.
pub(super) fn requests_of(stage: &Stage) -> Vec<Record> {
    let mut records = stage.ground.audit().of_namespace(&stage.namespace);
    records.retain(|record| record.user == Flux::USER && record.group == "chancery.dev");
    records
}

/// Creates an object, or replaces its spec.
async fn put(api: &Api<DynamicObject>, name: &str, spec: Value) {
    let resource = api.resource_url();
    let stands = api.get_opt(name).await.unwrap_or_else(|error| panic!("{resource}/{name}: {error}"));
    let written = if let Some(mut stands) = stands {
        stands.data["spec"] = spec;
        api.replace(name, &PostParams::default(), &stands).await
    } else {
        let kind = if resource.ends_with("kustomizations") {
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
        } else {
            ("source.toolkit.fluxcd.io/v1", "GitRepository")
        };
        let object = json!({"apiVersion": kind.0, "kind": kind.1, "metadata": {"name": name}, "spec": spec});
        api.create(&PostParams::default(), &serde_json::from_value(object).expect("it has a kind and a name")).await
    };
    written.unwrap_or_else(|error| panic!("{resource}/{name}: {error}"));
}

fn has_failed(object: &DynamicObject, revision: &str) -> bool {
    // What else goes wrong is tried again: an API server that does not answer, a kind that is not known yet.
    const LASTING: [&str; 2] = ["HealthCheckFailed", "BuildFailed"];
    let attempted = object.data["status"]["lastAttemptedRevision"] == revision;
    let lasts = |ready: &Value| ready["status"] == "False" && LASTING.iter().any(|reason| ready["reason"] == *reason);
    attempted && condition(object, "Ready").is_some_and(lasts)
}
