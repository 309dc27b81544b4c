//! What is taken out of git goes from the cluster, and nothing else goes with it.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;

use super::flux::{authority, document};
use super::repository::Repository;
use crate::harness::wait_gone;
use crate::stage::{SOON, Stage, leaf, merged, serial};

#[tokio::test(flavor = "multi_thread")]
async fn pruning_a_certificate_leaves_its_secret_unless_its_deletion_was_asked_for() {
    let stage = Stage::set("fluxprune").await;
    let repository = Repository::of(&stage).await;
    let documents = |names: &[&str]| {
        let mut all = authority(&stage);
        all.extend(names.iter().map(|&name| {
            let policy = if name == "gone" { json!({"deletionPolicy": "Delete"}) } else { json!({}) };
            document("Certificate", name, merged(leaf("ca", name), &policy))
        }));
        all
    };
    let all = repository.push(&documents(&["kept", "gone", "other"])).await;
    repository.apply(&json!({})).await;
    repository.is_ready(&all).await;
    let mark = |secret: Secret| (secret.uid(), secret.resource_version());
    let before = [mark(stage.secret("kept").await), mark(stage.secret("other").await), mark(stage.secret("ca").await)];
    let other = stage.ready("other").await;

    let fewer = repository.push(&documents(&["other"])).await;
    repository.is_ready(&fewer).await;
    for name in ["kept", "gone"] {
        wait_gone(&stage.certificates(), name, SOON).await;
    }
    wait_gone(&stage.secrets(), "gone", SOON).await;
    let after = [mark(stage.secret("kept").await), mark(stage.secret("other").await), mark(stage.secret("ca").await)];
    assert_eq!(before, after);
    assert_eq!(stage.ready("other").await.resource_version(), other.resource_version());

    // What comes back to git is taken over again: the same certificate, and no new one.
    let serial_before = stage.content("kept").await.serial();
    let again = repository.push(&documents(&["other", "kept"])).await;
    repository.is_ready(&again).await;
    assert_eq!(serial(&stage.ready("kept").await), serial_before);
    assert_eq!(mark(stage.secret("kept").await), before[0]);

    // And when all of it goes, at once and in no order of ours: the issuer and its root too.
    repository.withdraw().await;
    for name in ["kept", "other", "ca"] {
        wait_gone(&stage.certificates(), name, SOON).await;
    }
    let after = [mark(stage.secret("kept").await), mark(stage.secret("other").await), mark(stage.secret("ca").await)];
    assert_eq!(before, after);
}
