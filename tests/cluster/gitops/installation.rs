//! Flux applies our CRDs and `deploy/base`, finds them ready, and nothing to change afterwards. When its Kustomization goes, so do the
//! programs, and nothing that they have made.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::repository::Repository;
use crate::harness::{Flux, Ground, Operator, Program, Record, apply_manifests, parse_manifests, wait_for_rights};
use crate::page::{Page, source};
use crate::stage::{SYSTEM, Stage, leaf};

#[tokio::test(flavor = "multi_thread")]
async fn the_crds_and_the_base_are_applied_by_flux_and_stay_as_they_are() {
    let _alone = super::DEFINITIONS.lock().await;
    let stage = Stage::set("fluxbase").await;
    let repository = Repository::of(&stage).await;
    let revision = repository.push_folder(source(), &["crds", "deploy"]).await;
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

/// What docs/gitops.md has applied without Helm.
const OVERLAY: &str = "deploy/overlays/default";

/// The operator as that overlay would run it.
async fn operator(ground: &Ground) -> Operator {
    let made = Program::kubectl(ground).args(["kustomize"]).args([source().join(OVERLAY)]).run().await;
    let documents = parse_manifests(&made).expect("kustomize prints YAML");
    wait_for_rights(&ground.client, &documents).await.expect("its rights are in force");
    let settings = ground.as_deployed("pruned", &documents, SYSTEM, "chancery-controller").await;
    settings.expect("it has a token").serves(["team".to_owned(), SYSTEM.to_owned()]).start().await
}

/// Each object that is there and is not on its way out, by name, with its uid. Of a kind that has gone there is none.
async fn standing<K>(api: Api<K>) -> Vec<(String, Option<String>)>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let listed = api.list(&ListParams::default()).await.map(|list| list.items);
    let all = match listed {
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        listed => listed.expect("they can be listed"),
    };
    all.into_iter().filter(|object| object.meta().deletion_timestamp.is_none()).map(|object| (object.name_any(), object.uid())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kustomization_that_goes_takes_the_programs_and_leaves_what_they_have_made() {
    let ground = Ground::apart("pruned").await;
    let client = || ground.client.clone();
    apply_manifests(&client(), &[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})])
        .await
        .expect("it is taken");
    let stage = Stage::of_namespace(&ground, "team", SYSTEM);
    let repository = Repository::seen_by(Flux::apart(&ground, "pruned").await, &stage).await;
    let revision = repository.push_folder(source(), &["crds", "deploy"]).await;
    let page = Page::read(Path::new("docs/gitops.md"));
    let written = page.blocks.iter().find(|block| block.language == "yaml" && block.code.contains(OVERLAY)).expect("the page has it");
    let mut spec = parse_manifests(&written.code).expect("it is YAML").remove(0)["spec"].take();
    assert_eq!(spec["prune"], true);
    spec.as_object_mut().expect("it is a map").remove("sourceRef");
    // No pod runs here: Deployments are applied and not waited for.
    spec["wait"] = false.into();
    repository.apply_as("chancery", &spec).await;
    repository.is_ready_as("chancery", &revision).await;
    let controller = Api::<Deployment>::namespaced(client(), SYSTEM).get("chancery-controller").await.expect("it was applied");
    let controller = serde_json::to_value(controller.spec).expect("it is JSON");
    assert_eq!(controller["replicas"], 2, "the component");
    let image = controller["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
    assert!(image.starts_with("registry.example.com/chancery:"), "{image}");
    let mut operator = operator(&ground).await;
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    operator.terminate().await;

    let registers: Api<ConfigMap> = Api::namespaced(client(), SYSTEM);
    let kept = async || {
        [
            standing(Api::<CustomResourceDefinition>::all(client())).await,
            standing(Api::<Namespace>::all(client())).await,
            standing(stage.certificates()).await,
            standing::<Secret>(stage.secrets()).await,
            standing(registers.clone()).await,
        ]
    };
    let before = kept().await;
    for (name, of) in ["certificates.chancery.dev", SYSTEM, "web", "web", "chancery-register"].iter().zip(&before) {
        assert!(of.iter().any(|(found, _)| found.starts_with(name)), "{name} is not among {of:?}");
    }
    repository.withdraw_as("chancery").await;
    assert_eq!(kept().await, before);
    assert_eq!(standing(Api::<Deployment>::namespaced(client(), SYSTEM)).await, []);
    let accounts = standing(Api::<ServiceAccount>::namespaced(client(), SYSTEM)).await;
    let roles = standing(Api::<ClusterRole>::all(client())).await;
    let left: Vec<_> = accounts.iter().chain(&roles).filter(|(name, _)| name.starts_with("chancery")).collect();
    assert!(left.is_empty(), "{left:?}");
    stage.content("web").await.verify().await;
}

/// What Flux has written of what is installed.
fn writes(stage: &Stage) -> Vec<String> {
    let installed = |record: &Record| {
        let ours = record.name.starts_with("chancery") || record.name.ends_with("chancery.dev");
        let of_cluster = record.namespace.is_empty() && ours;
        of_cluster || record.namespace == SYSTEM
    };
    let mut records = stage.ground.audit().of_user(Flux::USER);
    records.retain(|record| record.is_write() && !record.uri.contains("dryRun=") && installed(record));
    records.iter().map(Record::summary).collect()
}
