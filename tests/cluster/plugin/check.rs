//! `kubectl chancery check`: a real installation, and what is broken about it.

use std::fs;
use std::time::Duration;

use chancery::lists;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::chart::{chart, template};
use crate::harness::{
    Finished, Ground, Namespace, OwnOperator, Program, SHARED_SYSTEM, apply_manifests, until, wait_for, wait_for_rights, wait_gone,
};
use crate::stage::{SOON, Stage, authority_of, leaf, merged};

/// `check` as it is asked of an operator of one's own, which has no Deployment.
fn check(ground: &Ground, own: &OwnOperator, more: &str) -> Program {
    let (namespace, system) = (&own.ground.namespace, &own.ground.system);
    kubectl_chancery(ground, &format!("check -n {system} --watch-namespace {namespace} {more}"))
}

/// The lines about a thing: how it stands and what was found.
fn lines(finished: &Finished, topic: &str) -> Vec<(String, String)> {
    let value = json(finished);
    let lines = value["lines"].as_array().unwrap().iter().filter(|line| line["topic"] == topic);
    lines.map(|line| (line["level"].as_str().unwrap().to_owned(), line["found"].as_str().unwrap().to_owned())).collect()
}

/// Takes the Deployments away, whose pods nobody runs here: the programs run beside the cluster, as `make` runs them.
async fn without_deployments(own: &OwnOperator) {
    let deployments: Api<Deployment> = own.ground.system_api();
    for deployment in deployments.list(&ListParams::default()).await.unwrap().items {
        let name = deployment.name_any();
        deployments.delete(&name, &DeleteParams::foreground()).await.unwrap();
        wait_gone(&deployments, &name, SOON).await;
    }
}

fn has(finished: &Finished, topic: &str, level: &str, text: &str) -> bool {
    lines(finished, topic).iter().any(|(how, found)| how == level && found.contains(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_ok_and_what_breaks_is_told_with_what_to_do() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    without_deployments(&own).await;
    let responder = own.ground.responder(&ground).await;
    // Nobody is behind the Service here; a list that names no URL needs nobody.
    let status = stage.covered_by(&responder, json!({"distribution": null})).await;
    stage.issued("web", leaf("ca", "web")).await;
    let (namespace, system) = (stage.namespace.clone(), stage.system.clone());
    let found = check(&ground, &own, "").finish().await;
    Shown::new()
        .replace(format!("{system}|{namespace}"), "<namespace>")
        .replace(r"held by \S+", "held by <holder>")
        .replace(r"version v\d\S+", "version <version>")
        .replace(r"with \d+ lines", "with <n> lines")
        .replace(r"\(\d+ rights\)", "(<n> rights)")
        .assert("check", &found);

    // A binding is gone.
    let bindings: Api<RoleBinding> = own.ground.api();
    let binding = bindings.list(&ListParams::default()).await.unwrap().items.remove(0);
    bindings.delete(&binding.name_any(), &DeleteParams::default()).await.unwrap();
    // The API server learns of its own roles by watching them.
    let denied = until(SOON, async || {
        Some(check(&ground, &own, "-o json").finish().await).filter(|found| has(found, "rights", "failed", "may not"))
    });
    let denied = denied.await.expect("the missing right is told");
    assert_eq!(denied.status.code(), Some(3));
    assert!(has(&denied, "rights", "failed", &format!("in namespace {namespace}")), "{:?}", lines(&denied, "rights"));
    let mut again = binding.clone();
    again.metadata.resource_version = None;
    again.metadata.uid = None;
    bindings.create(&PostParams::default(), &again).await.unwrap();

    // The list's head says another number; and the leader is gone.
    let maps: Api<ConfigMap> = own.ground.system_api();
    own.kill().await;
    let name = lists::head_name(&authority_of(&status).parse().unwrap());
    let mut head = maps.get(&name).await.unwrap();
    let text = head.data.as_ref().unwrap()["head"].clone();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["shards"]["0"]["entries"] = json!(77);
    let damaged = json!({"data": {"head": value.to_string()}});
    maps.patch(&name, &PatchParams::default(), &Patch::Merge(&damaged)).await.unwrap();
    let dead = until(SOON, async || {
        Some(check(&ground, &own, "-o json").finish().await).filter(|found| has(found, "lease", "failed", "was last heard of"))
    });
    let dead = dead.await.expect("a lease of 3 seconds is over");
    assert!(has(&dead, "lists", "failed", "its number of entries differs"), "{:?}", lines(&dead, "lists"));
    head.metadata.resource_version = None;
    head.metadata.managed_fields = None;
    maps.patch(&name, &PatchParams::default(), &Patch::Merge(&json!({"data": {"head": text}}))).await.unwrap();

    // Whoever waits is told for what, and goes on when it is there.
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let said = || fs::read_to_string(&told).unwrap_or_default();
    let waiting = check(&ground, &own, "--wait --timeout 60s").errors_into(&told).limit(Duration::from_secs(90)).finish();
    let (waited, ()) = tokio::join!(waiting, async {
        until(SOON, async || (!said().is_empty()).then_some(())).await.expect("it tells what it waits for");
        own.respawn().await;
    });
    assert!(waited.status.success() && said().starts_with("waiting: lease: "), "{waited:?}: {}", said());
    own.kill().await;
    let in_vain = check(&ground, &own, "--wait --timeout 4s --lease-name absent").finish().await;
    assert!(in_vain.status.code() == Some(3) && in_vain.stdout.contains("there is no Lease absent"), "{in_vain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_of_another_version_are_told() {
    let ground = Ground::with_operator().await;
    // It is ready before it leads.
    let leases: Api<Lease> = Api::namespaced(ground.client.clone(), SHARED_SYSTEM);
    let is_held = |lease: &Lease| lease.spec.as_ref().is_some_and(|spec| spec.holder_identity.is_some());
    wait_for(&leases, "chancery-controller", "a leader", SOON, is_held).await;
    let found = kubectl_chancery(&ground, "check -o json").finish().await;
    let definitions = lines(&found, "CRDs");
    assert!(definitions.len() == 4 && definitions.iter().all(|(level, _)| level == "ok"), "{definitions:?}");
    for topic in ["API server", "clocks", "lease"] {
        assert!(lines(&found, topic).iter().all(|(level, _)| level == "ok"), "{topic}: {:?}", lines(&found, topic));
    }
    assert!(
        lines(&found, "rights").iter().all(|(level, found)| level == "ok" && found.contains("may do all")),
        "{:?}",
        lines(&found, "rights")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_look_is_told_so_and_nothing_is_called_broken() {
    let ground = Ground::prepared().await;
    let namespace = Namespace::create(&ground, "check").await;
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "nobody"}})).unwrap();
    namespace.api::<ServiceAccount>().create(&PostParams::default(), &account).await.unwrap();
    let nobody = ground.access().as_service_account(&ground.client, &namespace.name, "nobody", Duration::from_mins(10)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    nobody.write_kubeconfig(&kubeconfig).unwrap();
    let found = kubectl_chancery(&ground, &format!("check -n {} -o json", namespace.name)).env("KUBECONFIG", &kubeconfig).finish().await;
    assert!(found.status.success(), "{found:?}");
    for topic in ["CRDs", "Deployments", "rights", "lease", "registers", "lists", "Certificates"] {
        assert!(
            lines(&found, topic).iter().all(|(level, found)| level == "warning" && found.contains("not looked at")),
            "{topic}: {:?}",
            lines(&found, topic)
        );
    }
    assert!(lines(&found, "API server").iter().all(|(level, _)| level == "ok"));
    let removed = kubectl_chancery(&ground, "check --uninstall").env("KUBECONFIG", &kubeconfig).finish().await;
    assert!(removed.status.code() == Some(1) && removed.stderr.contains("could not list certificates"), "{removed:?}");
    fs::remove_file(kubeconfig).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_left_is_told_before_it_is_removed() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let responder = own.ground.responder(&ground).await;
    stage.covered_by(&responder, json!({})).await;
    stage.issued("web", leaf("ca", "web")).await;
    stage.issued("gone", merged(leaf("ca", "gone"), &json!({"deletionPolicy": "Delete"}))).await;
    let told = kubectl_chancery(&ground, &format!("check --uninstall -n {} -o json", stage.system)).finish().await;
    let value = json(&told);
    let finalized: Vec<&str> = value["finalized"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(finalized.contains(&format!("{}/gone", stage.namespace).as_str()), "{finalized:?}");
    assert!(!finalized.contains(&format!("{}/web", stage.namespace).as_str()), "{finalized:?}");
    assert_eq!((value["registers"].as_u64(), value["lists"].as_u64()), (Some(2), Some(1)), "{value}");
    assert_eq!(value["copies"].as_array().unwrap().len(), 1, "{value}");
    let text = kubectl_chancery(&ground, &format!("check --uninstall -n {}", stage.system)).run().await;
    // Certificates of other tests count too.
    Shown::new()
        .replace(stage.system.clone(), "<namespace>")
        .replace(r"(?m)^(Secrets of Certificates|  of these: \w+|Finalizers) +\d+ +", "$1   <n>   ")
        .replace(r"hang when deleted: .*", "hang when deleted: <names>")
        .replace(r"the first ends at .*", "the first ends at <time>")
        .replace(r"\(in \S+\)", "(in <span>)")
        .assert_text("check-uninstall", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_is_found_whatever_it_is_called_and_wherever_its_pods_are() {
    let ground = Ground::prepared().await;
    let [pods, kept, served] =
        [Namespace::create(&ground, "pods").await, Namespace::create(&ground, "kept").await, Namespace::create(&ground, "served").await];
    // All labels that can be set are others.
    let values = json!({
        "crds": {"enabled": false}, "nameOverride": "pki", "clusterResourceNamespace": kept.name, "watchNamespaces": [served.name],
        "global": {"commonLabels": {"app.kubernetes.io/part-of": "platform"}},
    });
    let documents = template(&chart(), "pki", &pods.name, &values).await.unwrap();
    apply_manifests(&ground.client, &documents).await.unwrap();
    // Other programs have a controller too.
    let labels = json!({"app.kubernetes.io/name": "ingress", "app.kubernetes.io/component": "controller"});
    let foreign = json!({
        "metadata": {"name": "ingress-controller", "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "controller", "image": "ingress:1.0", "args": ["/ingress"]}]},
        }},
    });
    let deployments: Api<Deployment> = pods.api();
    deployments.create(&PostParams::default(), &serde_json::from_value(foreign).unwrap()).await.unwrap();
    wait_for_rights(&ground.client, &documents).await.unwrap();
    // A person may name the one or the other.
    for named in [&kept.name, &pods.name] {
        let found = kubectl_chancery(&ground, &format!("check -n {named} -o json")).finish().await;
        assert!(
            has(&found, "controller", "failed", "Deployment pki-controller: 0 of 1 ready"),
            "{named}: {:?}",
            lines(&found, "controller")
        );
        assert!(has(&found, "responder", "failed", "Deployment pki-responder: "), "{named}: {:?}", lines(&found, "responder"));
        let rights = lines(&found, "rights");
        let of = |account: &str| format!("ServiceAccount {}/{account} may do all that it needs", pods.name);
        for account in ["pki-controller", "pki-responder"] {
            assert!(has(&found, "rights", "ok", &of(account)), "{named}: {rights:?}");
        }
        assert!(has(&found, "lease", "failed", "there is no Lease pki-controller"), "{named}: {:?}", lines(&found, "lease"));
        assert_eq!(json(&found)["operatorNamespace"], kept.name, "{named}");
        let versions = json(&kubectl_chancery(&ground, &format!("version --operator-namespace {named} -o json")).finish().await);
        let expected = json!({"controller": env!("CARGO_PKG_VERSION"), "responder": env!("CARGO_PKG_VERSION")});
        assert_eq!(versions["deployments"], expected, "{named}");
        let removal = kubectl_chancery(&ground, &format!("check --uninstall -n {named}")).run().await;
        let stop = format!("kubectl -n {} delete deployment pki-controller pki-responder.", pods.name);
        assert!(removal.contains(&stop), "{named}: {removal}");
        assert!(removal.contains(&format!("Delete the namespace {} ", kept.name)), "{named}: {removal}");
    }
}
