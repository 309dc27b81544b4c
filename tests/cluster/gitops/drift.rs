//! Whatever we do to the objects that Flux applied, Flux and `kubectl diff` find no difference to what is in git.

use chancery::api::{Certificate, Issuer, RevocationList};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::flux::{authority, document};
use super::repository::Repository;
use crate::harness::{Flux, Program, wait_for};
use crate::stage::{SOON, Stage, in_a_second, leaf, merged, serial, served_list};

/// How often Flux looks without finding anything to do.
const RECONCILES: usize = 10;

/// All that we have kinds for, with what makes us write most: a list, a finalizer.
fn documents(stage: &Stage, base_url: &str, web: &Value) -> Vec<Value> {
    let mut all = authority(stage);
    all.push(document("RevocationList", "ca", served_list("ca", base_url)));
    let mut web = document("Certificate", "web", merged(leaf("ca", "web"), web));
    web["metadata"]["labels"] = json!({"app": "web"});
    web["metadata"]["annotations"] = json!({"example.com/owner": "team"});
    all.push(web);
    all.push(document("Certificate", "api", merged(leaf("ca", "api"), &json!({"deletionPolicy": "Delete"}))));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_reconciles_of_flux_find_nothing_to_change() {
    let stage = Stage::set("fluxten").await;
    let repository = Repository::of(&stage).await;
    let base_url = stage.ground.responder().await.base_url();
    let documents = documents(&stage, &base_url, &json!({}));
    let revision = repository.push(&documents).await;
    repository.apply(&json!({})).await;
    repository.is_ready(&revision).await;
    stage.published("ca").await;
    // It is noted beside the issuance, a moment later.
    stage.counted("ca").await;
    let (written, versions) = (repository.writes(), versions(&stage).await);
    for _ in 0..RECONCILES {
        repository.reconcile().await;
    }
    assert_eq!(repository.writes(), written, "Flux found something to change");
    assert_eq!(self::versions(&stage).await, versions, "somebody wrote something");
    assert_no_diff(&stage, &documents).await;
    assert_we_own_nothing_of_what_is_in_git(&stage).await;
    // The comparison can fail: it is one of all fields, and a field that differs is found.
    let mut other = documents.clone();
    other[4]["spec"]["duration"] = json!("48h");
    assert!(!diff(&stage, &other).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_and_revocations_are_no_drift_whoever_asked_for_them() {
    let stage = Stage::set("fluxdrift").await;
    let repository = Repository::of(&stage).await;
    let base_url = stage.ground.responder().await.base_url();
    let mut in_git = documents(&stage, &base_url, &json!({}));
    let revision = repository.push(&in_git).await;
    repository.apply(&json!({})).await;
    repository.is_ready(&revision).await;
    let written = repository.writes();
    let unchanged = async |what: &str, in_git: &[Value], written: &[String]| {
        repository.reconcile().await;
        assert_eq!(repository.writes(), written, "Flux changed something after {what}");
        assert_no_diff(&stage, in_git).await;
        assert_we_own_nothing_of_what_is_in_git(&stage).await;
    };

    // What a person asks for with the plugin stays, though it is not in git: nobody takes a revocation back.
    let plugin = |line: &str| Program::kubectl_chancery(&stage.ground).args(line.split(' ')).args(["--namespace", &stage.namespace]);
    let first = stage.ready("web").await;
    plugin("renew web").run().await;
    let renewed = stage.replaced(&first).await;
    unchanged("a renewal", &in_git, &written).await;
    assert!(stage.certificates().get("web").await.unwrap().annotations().contains_key("chancery.dev/renew"));
    plugin("revoke api --reason superseded --yes").run().await;
    stage.ready("api").await;
    unchanged("a revocation in the cluster", &in_git, &written).await;
    assert!(stage.certificates().get("api").await.unwrap().spec.revocation.is_some());

    // A revocation in git.
    let revocation = json!({"issuedBefore": in_a_second().to_string(), "reason": "keyCompromise"});
    in_git[4]["spec"]["revocation"] = revocation;
    let revision = repository.push(&in_git).await;
    repository.is_ready(&revision).await;
    stage.revoked("web").await;
    let revoked = stage.replaced(&renewed).await;
    assert_ne!(serial(&revoked), serial(&renewed));
    let written = repository.writes();
    unchanged("a revocation in git", &in_git, &written).await;

    // What a person changes with kubectl Flux takes back, by its own rules: no second renewal comes of that.
    let annotate = ["annotate", "ccert", "web", "chancery.dev/renew=by-hand", "--overwrite", "--namespace", &stage.namespace];
    Program::kubectl(&stage.ground).args(annotate).run().await;
    let by_hand = stage.replaced(&revoked).await;
    let issuances = stage.issuances("web").await;
    repository.reconcile().await;
    let has_none = |now: &Certificate| !now.annotations().contains_key("chancery.dev/renew");
    wait_for(&stage.certificates(), "web", "the annotation is taken back", SOON, has_none).await;
    assert_eq!(serial(&stage.ready("web").await), serial(&by_hand));
    assert_eq!(stage.issuances("web").await, issuances);
}

/// The resourceVersions of the objects that are in git.
async fn versions(stage: &Stage) -> Vec<String> {
    let mut versions = Vec::new();
    for name in ["ca", "web", "api"] {
        versions.push(stage.certificates().get(name).await.unwrap().resource_version().unwrap_or_default());
    }
    for name in ["self", "ca"] {
        versions.push(stage.api::<Issuer>().get(name).await.unwrap().resource_version().unwrap_or_default());
    }
    versions
}

async fn assert_no_diff(stage: &Stage, documents: &[Value]) {
    assert_eq!(diff(stage, documents).await, "", "kubectl diff finds a difference");
}

/// What a server-side apply by somebody new would change.
async fn diff(stage: &Stage, documents: &[Value]) -> String {
    let texts: Vec<String> = documents.iter().map(|document| serde_yaml::to_string(document).expect("it is JSON")).collect();
    let arguments = ["diff", "--server-side", "--force-conflicts", "--field-manager=team", "--namespace", &stage.namespace, "--filename=-"];
    let finished = Program::kubectl(&stage.ground).args(arguments).stdin(texts.join("---\n")).finish().await;
    // 1 says that there is a difference.
    assert!(matches!(finished.status.code(), Some(0 | 1)), "{finished:?}");
    finished.stdout
}

async fn assert_we_own_nothing_of_what_is_in_git(stage: &Stage) {
    for name in ["ca", "web", "api"] {
        assert_ours("Certificate", &stage.certificates().get(name).await.unwrap().metadata);
    }
    for name in ["self", "ca"] {
        assert_ours("Issuer", &stage.api::<Issuer>().get(name).await.unwrap().metadata);
    }
    assert_ours("RevocationList", &stage.api::<RevocationList>().get("ca").await.unwrap().metadata);
}

/// Ours are the status and our finalizer, and nothing that could be in git.
fn assert_ours(kind: &str, metadata: &ObjectMeta) {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let by_flux = entries.iter().any(|entry| entry.manager.as_deref() == Some(Flux::FIELD_MANAGER));
    assert!(by_flux, "{kind}: Flux applied nothing: {entries:?}");
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some("chancery"));
    let mut statuses = 0;
    for entry in ours {
        let fields = entry.fields_v1.as_ref().map(|fields| fields.0.clone()).unwrap_or_default();
        if entry.subresource.as_deref() == Some("status") {
            assert!(fields.as_object().is_some_and(|fields| fields.keys().all(|key| key == "f:status")), "{kind}: {fields}");
            statuses += 1;
        } else {
            let metadata = fields["f:metadata"].as_object();
            let only = |fields: &serde_json::Map<String, Value>, name: &str| fields.keys().all(|key| key == name);
            let is_finalizer = fields.as_object().is_some_and(|fields| only(fields, "f:metadata"));
            assert!(is_finalizer && metadata.is_some_and(|metadata| only(metadata, "f:finalizers")), "{kind}: {fields}");
        }
    }
    assert_eq!(statuses, 1, "{kind}: the status is ours: {entries:?}");
}

/// As Argo CD's own comparison has it, after a client-side apply, which is what it does by default.
#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_shows_our_objects_as_synced_whatever_we_do() {
    let stage = Stage::set("argodrift").await;
    let base_url = stage.ground.responder().await.base_url();
    let mut wanted = documents(&stage, &base_url, &json!({}));
    for document in &mut wanted {
        let kind = document["kind"].as_str().unwrap_or_default();
        let id = format!("team:chancery.dev/{kind}:{}/{}", stage.namespace, document["metadata"]["name"].as_str().unwrap_or_default());
        document["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!(id);
        document["metadata"]["namespace"] = json!(stage.namespace);
    }
    let texts: Vec<String> = wanted.iter().map(|document| serde_yaml::to_string(document).unwrap()).collect();
    Program::kubectl(&stage.ground).args(["apply", "--filename=-"]).stdin(texts.join("---\n")).run().await;
    let first = stage.ready("web").await;
    stage.ready("api").await;
    stage.published("ca").await;
    stage.ask("web", "please").await;
    stage.replaced(&first).await;
    stage.revoke("api", "keyCompromise").await;
    stage.revoked("api").await;

    let mut pairs = Vec::new();
    for document in wanted {
        let live = super::states::raw(&stage, document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap()).await;
        pairs.push(json!({"wanted": document, "live": live}));
    }
    // One that differs, to see that it would be seen.
    let mut other = pairs[4].clone();
    other["wanted"]["spec"]["duration"] = json!("48h");
    pairs.push(other);
    let found = super::health::asked("tests/tools/argo/bin/argo", &["diff"], &json!(pairs)).await;
    let (last, ours) = found.split_last().unwrap();
    assert!(ours.iter().all(|difference| difference == ""), "{ours:#?}");
    assert!(last.as_str().is_some_and(|difference| difference.contains("48h")), "{last}");
}
