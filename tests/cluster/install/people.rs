//! What an installation gives to whom: tenants by Kubernetes' own roles, the lease its place in the API server's queue, pods that the
//! restricted Pod Security Standard lets pass.

use std::time::Duration;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::flowcontrol::v1::PriorityLevelConfiguration;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::harness::{Ground, Namespace, Program, SHARED_SYSTEM, apply_manifests, wait_for};
use crate::stage::SOON;

pub(super) async fn may(client: &Client, user: &str, namespace: &str, verb: &str, resource: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        group: Some("chancery.dev".to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec { user: Some(user.to_owned()), resource_attributes: Some(attributes), ..Default::default() };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let answer =
        Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await.expect("access can be reviewed");
    answer.status.is_some_and(|status| status.allowed)
}

/// The API server learns of its own Roles by watching them. Access can be asked for but not watched: hence the polling.
pub(super) async fn will(client: &Client, user: &str, namespace: &str, verb: &str, resource: &str) {
    let mut turn = tokio::time::interval(Duration::from_millis(50));
    let granted = async {
        while !may(client, user, namespace, verb, resource).await {
            turn.tick().await;
        }
    };
    assert!(tokio::time::timeout(SOON, granted).await.is_ok(), "{user} may not {verb} {resource}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_get_what_is_in_their_namespace_with_kubernetes_own_roles_and_no_more() {
    let ground = Ground::prepared().await;
    let namespace = Namespace::create(&ground, "people").await;
    let roles = Api::<ClusterRole>::all(ground.client.clone());
    for role in ["view", "edit", "admin"] {
        let has_ours = |role: &ClusterRole| {
            let mut groups = role.rules.iter().flatten().flat_map(|rule| rule.api_groups.iter().flatten());
            groups.any(|group| group == "chancery.dev")
        };
        wait_for(&roles, role, "what ours adds to it", SOON, has_ours).await;
    }
    let bound = |user: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": user, "namespace": namespace.name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
        })
    };
    let users =
        [("viewer", "view"), ("editor", "edit"), ("administrator", "admin"), ("ours", "chancery-admin"), ("owner", "chancery-authorities")];
    let bindings: Vec<_> = users.iter().map(|(user, role)| bound(user, role)).collect();
    apply_manifests(&ground.client, &bindings).await.expect("roles can be bound");
    for (user, _) in users {
        will(&ground.client, user, &namespace.name, "list", "issuers").await;
    }
    let writes = ["create", "update", "patch", "delete", "deletecollection"];
    for (user, verbs, resource, allowed) in [
        ("viewer", &["get", "list", "watch"][..], "certificates", true),
        ("viewer", &writes, "certificates", false),
        ("viewer", &writes, "issuers", false),
        ("viewer", &["get", "list", "watch"], "revocationlists", true),
        ("editor", &writes, "certificates", true),
        ("editor", &writes, "issuers", true),
        ("administrator", &writes, "certificates", true),
        ("ours", &writes, "issuers", true),
        ("ours", &["get", "list", "watch"], "certificates", true),
        ("ours", &["get", "list", "watch"], "revocationlists", true),
        ("owner", &writes, "revocationlists", true),
        ("owner", &writes, "certificates", false),
    ] {
        for verb in verbs {
            assert_eq!(may(&ground.client, user, &namespace.name, verb, resource).await, allowed, "{user}: {verb} {resource}");
        }
    }
    for user in ["viewer", "editor", "administrator", "ours"] {
        for resource in ["certificates/status", "issuers/status", "clusterissuers", "clusterissuers/status", "revocationlists/status"] {
            for verb in ["get", "list", "create", "update", "patch", "delete"] {
                assert!(!may(&ground.client, user, &namespace.name, verb, resource).await, "{user} may {verb} {resource}");
            }
        }
        for verb in writes {
            assert!(!may(&ground.client, user, &namespace.name, verb, "revocationlists").await, "{user} may {verb} revocationlists");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_the_cluster_issuers_sees_them_and_writes_none() {
    let ground = Ground::prepared().await;
    let role = |name: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }],
        })
    };
    // As OpenShift has it.
    let cluster_reader = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "cluster-reader" },
        "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { "rbac.authorization.k8s.io/aggregate-to-cluster-reader": "true" } }] },
        "rules": [],
    });
    let documents = [cluster_reader, role("discoverer", "chancery-cluster-view"), role("cluster-reader", "cluster-reader")];
    apply_manifests(&ground.client, &documents).await.expect("roles can be bound");
    for user in ["discoverer", "cluster-reader"] {
        for verb in ["get", "list", "watch"] {
            will(&ground.client, user, "", verb, "clusterissuers").await;
        }
        for verb in ["create", "update", "patch", "delete", "deletecollection"] {
            assert!(!may(&ground.client, user, "", verb, "clusterissuers").await, "{user} may {verb} clusterissuers");
        }
        let listed = Program::kubectl(&ground).args(["get", "clusterissuers", "--as", user]).finish().await;
        assert!(listed.status.success(), "{user}: {}", listed.stderr);
    }
    // The one says nothing of what is in namespaces, the other all.
    assert!(!may(&ground.client, "discoverer", "default", "list", "certificates").await);
    will(&ground.client, "cluster-reader", "default", "list", "revocationlists").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_stands_before_other_requests_in_the_api_servers_queue() {
    let ground = Ground::with_operator().await;
    let leases = Api::<Lease>::namespaced(ground.client.clone(), SHARED_SYSTEM);
    wait_for(&leases, "chancery-controller", "the lease", SOON, |_| true).await;
    let levels = Api::<PriorityLevelConfiguration>::all(ground.client.clone());
    let uid = |level: PriorityLevelConfiguration| level.uid().expect("it is stored");
    let leader_election = uid(levels.get("leader-election").await.expect("Kubernetes has it"));
    let day = Duration::from_hours(1);
    let identity =
        ground.access().as_service_account(&ground.client, SHARED_SYSTEM, "chancery-controller", day).await.expect("there is a token");
    let http = reqwest::Client::builder().no_proxy().danger_accept_invalid_certs(true).build().expect("it needs nothing");
    let level_of = async |path: &str| {
        let answer = http.get(format!("{}{path}", identity.server)).bearer_auth(&identity.token).send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        let header = answer.headers().get("x-kubernetes-pf-prioritylevel-uid").expect("fairness is on");
        header.to_str().expect("it is a uid").to_owned()
    };
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{SHARED_SYSTEM}/leases/chancery-controller");
    assert_eq!(level_of(&lease).await, leader_election);
    assert_ne!(level_of("/apis/chancery.dev/v1alpha1/issuers?limit=1").await, leader_election);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restricted_pod_security_standard_lets_our_pods_pass() {
    let ground = Ground::prepared().await;
    let sets = Api::<ReplicaSet>::namespaced(ground.client.clone(), SHARED_SYSTEM);
    let pods = Api::<Pod>::namespaced(ground.client.clone(), SHARED_SYSTEM);
    for component in ["controller", "responder"] {
        let selector = ListParams::default().labels(&format!("app.kubernetes.io/name=chancery,app.kubernetes.io/component={component}"));
        let mut turn = tokio::time::interval(Duration::from_millis(50));
        // Another test installs the same with Flux: then there are two ReplicaSets. One that cannot make its pods never has them. Its
        // name is made of the template's hash: what cannot be named cannot be watched by name.
        let made = async {
            loop {
                turn.tick().await;
                let items = sets.list(&selector).await.expect("they can be listed").items;
                if items.iter().any(has_its_pods) {
                    return;
                }
            }
        };
        tokio::time::timeout(SOON, made).await.unwrap_or_else(|_| panic!("the {component} has no pods"));
        let made = pods.list(&selector).await.expect("they can be listed").items;
        assert!(!made.is_empty(), "{component}");
        for pod in made {
            assert_eq!(pod.spec.and_then(|spec| spec.service_account_name), Some(format!("chancery-{component}")));
        }
    }
}

/// Whether a ReplicaSet that wants pods has made all of them.
fn has_its_pods(set: &ReplicaSet) -> bool {
    let wanted = set.spec.replicas.unwrap_or(1);
    wanted > 0 && set.status.as_ref().is_some_and(|status| status.replicas == wanted)
}
