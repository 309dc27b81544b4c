//! Namespaced mode: installed twice by Helm, neither sees the other; and what such an operator does in a namespace that it serves.

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::harness::{
    Ground, Namespace, Operator, OwnOperator, Program, apply_manifests, chart, claim_name, stays, wait_for, wait_for_rights,
};
use crate::stage::{SOON, Stage, WHILE, leaf, served_list};

use super::people::{may, will};

/// A release of the chart for one namespace, and its operator.
struct Release {
    served: String,
    system: String,
    operator: Operator,
}

impl Release {
    /// As a person without rights in the whole cluster installs it.
    async fn install(ground: &Ground) -> Self {
        let served = claim_name();
        let system = format!("{served}-system");
        let namespaces = [&served, &system].map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
        apply_manifests(&ground.client, &namespaces).await.expect("namespaces can be made");
        let values = json!({ "watchNamespaces": [served], "crds": { "enabled": false } });
        helm_install(ground, chart::RELEASE, &system, &values).await.expect("it is installed");
        let documents = chart::manifest(ground, chart::RELEASE, &system).await.expect("it is installed");
        wait_for_rights(&ground.client, &documents).await.expect("its rights are in force");
        let cluster_scoped = documents.iter().filter(|document| document["metadata"]["namespace"].is_null()).count();
        assert_eq!(cluster_scoped, 0, "nothing outside of namespaces");
        let settings = ground.as_deployed(&format!("{served}-helm"), &documents, &system, "chancery-controller").await;
        let operator = settings.expect("it has a token").serves([served.clone(), system.clone()]).start().await;
        Self { served, system, operator }
    }

    fn stage(&self, ground: &Ground) -> Stage {
        Stage::of_namespace(ground, &self.served, &self.system)
    }
}

async fn helm_install(ground: &Ground, release: &str, namespace: &str, values: &Value) -> Result<(), String> {
    let helm = Program::helm_in(ground).args(["install", release]).args([chart::chart()]).args(["--namespace", namespace, "--values", "-"]);
    let finished = helm.stdin(values.to_string()).finish().await;
    if finished.status.success() { Ok(()) } else { Err(finished.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_in_two_namespaces_do_not_see_each_other() {
    let ground = Ground::prepared().await;
    let mut first = Release::install(&ground).await;
    let second = Release::install(&ground).await;
    for release in [&first, &second] {
        let stage = release.stage(&ground);
        stage.issuer("self", json!({ "selfSigned": {} })).await;
        stage.issued("web", leaf("self", "web")).await;
    }
    // Of two, one goes; what it served stays as it is, and so does the other. Its pod would end with it.
    first.operator.terminate().await;
    let helm = Program::helm_in(&ground).args(["uninstall", chart::RELEASE, "--namespace", &first.system]);
    helm.run().await;
    let stage = first.stage(&ground);
    stays(&stage.certificates(), "web", "ready", WHILE, |web: &Certificate| web.metadata.deletion_timestamp.is_none()).await;
    assert!(stage.secrets().get_opt("web").await.expect("it can be asked for").is_some(), "the Secret went with the release");
    let roles = |namespace: &str| Api::<Role>::namespaced(ground.client.clone(), namespace);
    assert!(roles(&first.served).get_opt("chancery-controller-served").await.expect("it can be asked for").is_none());
    assert!(roles(&second.served).get_opt("chancery-controller-served").await.expect("it can be asked for").is_some());
    second.stage(&ground).issued("after", leaf("self", "after")).await;
    assert!(second.operator.runs());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_served_namespace_are_given_its_roles() {
    let ground = Ground::prepared().await;
    let [tenant, neighbour] = [Namespace::create(&ground, "served").await, Namespace::create(&ground, "served").await];
    let [served, other] = [&tenant.name, &neighbour.name];
    let values = json!({ "watchNamespaces": [served], "crds": { "enabled": false } });
    helm_install(&ground, chart::RELEASE, served, &values).await.expect("it is installed");
    let users = ["view", "edit", "authorities"].map(|role| (format!("{served}-{role}"), format!("chancery-{role}")));
    let bound = |(user, role): &(String, String)| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": user, "namespace": served },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
        })
    };
    apply_manifests(&ground.client, &users.each_ref().map(bound)).await.expect("roles can be bound");
    for (user, _) in &users {
        will(&ground.client, user, served, "list", "revocationlists").await;
        assert!(!may(&ground.client, user, other, "list", "certificates").await, "{user} sees another namespace");
        assert!(!may(&ground.client, user, served, "update", "certificates/status").await, "{user} writes a status");
    }
    let [viewer, editor, owner] = &users.map(|(user, _)| user);
    // What they type, and what the API server says.
    let issuer = |name: &str| json!({ "apiVersion": "chancery.dev/v1alpha1", "kind": "Issuer", "metadata": { "name": name }, "spec": { "selfSigned": {} } });
    let list = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": { "name": "list" }, "spec": { "issuerRef": { "name": "own" } },
    });
    for (user, object, allowed) in [
        (viewer, issuer("seen"), false),
        (editor, issuer("own"), true),
        (editor, list.clone(), false),
        (owner, issuer("authority"), true),
        (owner, list, true),
    ] {
        let apply = Program::kubectl(&ground).args(["apply", "--namespace", served, "--as", user, "-f", "-"]);
        let applied = apply.stdin(object.to_string()).finish().await;
        assert_eq!(applied.status.success(), allowed, "{user}: {object}: {}", applied.stderr);
        assert!(allowed || applied.stderr.contains("orbidden"), "{user}: {object}: {}", applied.stderr);
    }
    let seen = Program::kubectl(&ground).args([
        "get",
        "issuers.chancery.dev,revocationlists",
        "--namespace",
        served,
        "--as",
        viewer,
        "-o",
        "name",
    ]);
    let seen = seen.run().await;
    for name in ["issuer.chancery.dev/own", "issuer.chancery.dev/authority", "revocationlist.chancery.dev/list"] {
        assert!(seen.contains(name), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_does_not_take_over_the_definitions_of_the_first() {
    let ground = Ground::prepared().await;
    let refused =
        helm_install(&ground, "other", "default", &json!({ "watchNamespaces": ["default"] })).await.expect_err("they are another's");
    // Flux's controller takes them over for its release while its test runs here.
    let owners = ["chancery-system", "chancery-flux"];
    assert!(refused.contains("certificates.chancery.dev") && owners.iter().any(|owner| refused.contains(owner)), "{refused}");
    let left = Program::helm_in(&ground).args(["list", "--namespace", "default", "--deployed", "--short"]).run().await;
    assert_eq!(left.trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_a_served_namespace_follows_its_list() {
    let ground = Ground::prepared().await;
    let operator = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.authority().await;
    let copies = json!({ "distribution": { "baseURL": "http://pki.example.org", "configMaps": [{ "name": "copy" }] } });
    stage.list("ca", crate::stage::merged(served_list("ca", "http://pki.example.org"), &copies)).await;
    stage.published("ca").await;
    let maps = stage.api::<ConfigMap>();
    let first = wait_for(&maps, "copy", "a copy", SOON, |_| true).await;
    stage.issued("web", leaf("ca", "web")).await;
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    wait_for(&maps, "copy", "the next list", SOON, |copy| copy.resource_version() != first.resource_version() && copy.uid() == first.uid())
        .await;
}
