//! Flux applies our CRDs and `deploy/base`, finds them ready, and nothing to change afterwards.

use serde_json::json;

use super::repository::Repository;
use crate::harness::{Flux, Record};
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_crds_and_the_base_are_applied_by_flux_and_stay_as_they_are() {
    let _alone = super::DEFINITIONS.lock().await;
    let stage = Stage::set("fluxbase").await;
    let repository = Repository::of(&stage).await;
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let revision = repository.push_folder(source, &["crds", "deploy"]).await;
    // All operators of the run stand on them: nothing of it may go again.
    repository.apply_as("crds", &json!({"path": "./crds", "prune": false, "deletionPolicy": "Orphan"})).await;
    let base = json!({
        "path": "./deploy/base", "prune": false, "deletionPolicy": "Orphan", "dependsOn": [{"name": "crds"}],
        // No pod runs here: Deployments are applied and not waited for.
        "wait": false,
        "healthChecks": [
            {"apiVersion": "v1", "kind": "Service", "name": "chancery-responder", "namespace": "chancery-system"},
            {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "name": "chancery-responder", "namespace": "chancery-system"},
        ],
    });
    repository.apply_as("base", &base).await;
    repository.is_ready_as("crds", &revision).await;
    repository.is_ready_as("base", &revision).await;
    let before = writes(&stage);
    for part in
        ["customresourcedefinitions /certificates.chancery.dev", "deployments chancery-system/chancery-controller", "clusterroles /"]
    {
        assert!(before.iter().any(|line| line.contains(part)), "{part} is not applied: {before:#?}");
    }
    for _ in 0..3 {
        repository.reconcile_as("crds").await;
        repository.reconcile_as("base").await;
    }
    assert_eq!(writes(&stage), before, "Flux found something to change");
}

/// What Flux has written of what is installed.
fn writes(stage: &Stage) -> Vec<String> {
    let installed = |record: &Record| {
        let ours = record.name.starts_with("chancery") || record.name.ends_with("chancery.dev");
        let of_cluster = record.namespace.is_empty() && ours;
        of_cluster || record.namespace == crate::stage::SYSTEM
    };
    let mut records = stage.ground.audit().of_user(Flux::USER);
    records.retain(|record| record.is_write() && !record.uri.contains("dryRun=") && installed(record));
    records.iter().map(Record::summary).collect()
}
