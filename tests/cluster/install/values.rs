//! What single values come to in the objects that Helm makes, and what counts where two of them speak of the same.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::matrix;
use crate::harness::{Ground, Namespace, Program, chart, parse_manifests};

/// The namespace of these releases; none of them is installed.
const NAMESPACE: &str = "install-values";

async fn made(values: &Value) -> Vec<Value> {
    let made = chart::template(&chart::chart(), chart::RELEASE, NAMESPACE, values).await;
    made.unwrap_or_else(|error| panic!("{values}: {error:#}"))
}

/// The only object of a kind with this name.
fn object<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = documents.iter().filter(|document| document["kind"] == kind && document["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "several {kind} {name}");
    object
}

#[test]
fn a_manifest_with_a_key_twice_is_no_manifest() {
    let error = parse_manifests("metadata:\n  labels:\n    a: b\n    c: d\n    a: e\n").expect_err("the key is there twice");
    assert!(format!("{error:#}").contains("duplicate"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_key_that_is_set_twice_the_more_specific_counts() {
    const PART: &str = "app.kubernetes.io/part-of";
    let common = |label: &str| json!({ "global": { "commonLabels": { label: "all" } } });
    let with = |more: Value| crate::stage::merged(common("x"), &more);
    let monitor = |more: Value| json!({ "prometheus": { "servicemonitor": crate::stage::merged(json!({ "enabled": true }), &more) } });
    let pod_labels = "/spec/template/metadata/labels";
    let rows: Vec<(Value, &str, &str, String, &str)> = vec![
        (common(PART), "Deployment", "chancery-controller", "/metadata/labels/app.kubernetes.io~1part-of".to_owned(), "all"),
        (common(PART), "Deployment", "chancery-controller", format!("{pod_labels}/app.kubernetes.io~1part-of"), "all"),
        (
            common("helm.sh/chart"),
            "CustomResourceDefinition",
            "certificates.chancery.dev",
            "/metadata/labels/helm.sh~1chart".to_owned(),
            "all",
        ),
        (
            common("rbac.authorization.k8s.io/aggregate-to-view"),
            "ClusterRole",
            "chancery-view",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view".to_owned(),
            "true",
        ),
        (with(json!({ "podLabels": { "x": "one" } })), "Deployment", "chancery-controller", format!("{pod_labels}/x"), "one"),
        (
            with(json!({ "responder": { "podLabels": { "x": "one" } } })),
            "Deployment",
            "chancery-responder",
            format!("{pod_labels}/x"),
            "one",
        ),
        (with(json!({ "serviceLabels": { "x": "one" } })), "Service", "chancery-controller", "/metadata/labels/x".to_owned(), "one"),
        (
            with(json!({ "responder": { "service": { "labels": { "x": "one" } } } })),
            "Service",
            "chancery-responder",
            "/metadata/labels/x".to_owned(),
            "one",
        ),
        (
            with(json!({ "serviceAccount": { "labels": { "x": "one" } } })),
            "ServiceAccount",
            "chancery-controller",
            "/metadata/labels/x".to_owned(),
            "one",
        ),
        (
            with(json!({ "responder": { "ingress": { "enabled": true, "hosts": ["pki.example.org"], "labels": { "x": "one" } } } })),
            "Ingress",
            "chancery-responder",
            "/metadata/labels/x".to_owned(),
            "one",
        ),
        (
            monitor(json!({ "labels": { "prometheus": "one" } })),
            "ServiceMonitor",
            "chancery",
            "/metadata/labels/prometheus".to_owned(),
            "one",
        ),
        (
            monitor(json!({ "endpointAdditionalProperties": { "path": "/one" } })),
            "ServiceMonitor",
            "chancery",
            "/spec/endpoints/0/path".to_owned(),
            "/one",
        ),
        (
            with(json!({ "prometheus": { "rules": { "enabled": true, "labels": { "x": "one" } } } })),
            "PrometheusRule",
            "chancery",
            "/metadata/labels/x".to_owned(),
            "one",
        ),
        (
            with(json!({ "prometheus": { "dashboard": { "enabled": true, "labels": { "x": "one" } } } })),
            "ConfigMap",
            "chancery-dashboard",
            "/metadata/labels/x".to_owned(),
            "one",
        ),
        (
            json!({ "podAnnotations": { "prometheus.io/port": "one" } }),
            "Deployment",
            "chancery-controller",
            "/spec/template/metadata/annotations/prometheus.io~1port".to_owned(),
            "one",
        ),
    ];
    for (values, kind, name, pointer, wanted) in rows {
        // `made` reads strictly: a key that is there twice ends it.
        let documents = made(&values).await;
        let object = object(&documents, kind, name);
        assert_eq!(object.pointer(&pointer).and_then(Value::as_str), Some(wanted), "{values}: {kind} {name} {pointer}");
        if kind == "Deployment" {
            let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object).expect("it has a selector");
            let pods = object.pointer(pod_labels).expect("its pods have labels");
            assert!(selector.len() == 3 && selector.iter().all(|(label, value)| pods[label] == *value), "{values}: {selector:?} {pods}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_responders_there_are_is_left_to_an_autoscaler() {
    let documents = made(&json!({ "responder": { "replicaCount": null } })).await;
    let deployment = object(&documents, "Deployment", "chancery-responder");
    assert!(deployment["spec"].get("replicas").is_none(), "{}", deployment["spec"]);
    // It is more than one that is expected.
    assert_eq!(deployment.pointer("/spec/template/spec/topologySpreadConstraints/0/topologyKey"), Some(&json!("kubernetes.io/hostname")));
    let budget = object(&documents, "PodDisruptionBudget", "chancery-responder");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(object(&documents, "Deployment", "chancery-controller")["spec"]["replicas"], 1);
    let none = made(&json!({ "replicaCount": 0, "responder": { "replicaCount": 0 } })).await;
    for name in ["chancery-controller", "chancery-responder"] {
        assert_eq!(object(&none, "Deployment", name)["spec"]["replicas"], 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_leaves_alone_how_many_responders_an_autoscaler_has_set() {
    let ground = Ground::prepared().await;
    let namespace = Namespace::create(&ground, "autoscaled").await;
    let deployments = Api::<Deployment>::namespaced(ground.client.clone(), &namespace.name);
    let upgraded = async |answers: u16| {
        let values = json!({
            "watchNamespaces": [namespace.name], "crds": { "enabled": false },
            "responder": { "replicaCount": null, "keptAnswers": answers },
        });
        let helm = Program::helm_in(&ground).args(["upgrade", "--install", chart::RELEASE]).args([chart::chart()]);
        helm.args(["--namespace", &namespace.name, "--values", "-"]).stdin(values.to_string()).run().await;
        let deployment = deployments.get("chancery-responder").await.expect("it is installed");
        deployment.spec.replicas
    };
    assert_eq!(upgraded(64).await, Some(1));
    // What an autoscaler does.
    let scale = Patch::Merge(json!({ "spec": { "replicas": 4 } }));
    deployments.patch_scale("chancery-responder", &PatchParams::default(), &scale).await.expect("it can be scaled");
    assert_eq!(upgraded(65).await, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_lets_a_pod_go_however_many_there_are() {
    let on = |replicas: i32| json!({ "replicaCount": replicas, "podDisruptionBudget": { "enabled": true } });
    for replicas in [0, 1, 2, 5] {
        let documents = made(&crate::stage::merged(on(replicas), &json!({ "responder": on(replicas) }))).await;
        for name in ["chancery-controller", "chancery-responder"] {
            let spec = &object(&documents, "PodDisruptionBudget", name)["spec"];
            assert_eq!(spec["maxUnavailable"], 1, "{name} of {replicas}");
            assert!(spec.get("minAvailable").is_none(), "{name} of {replicas}");
            assert_eq!(spec["unhealthyPodEvictionPolicy"], "AlwaysAllow", "{name} of {replicas}");
        }
    }
    // The controller's is left out unless it is asked for, the responder's is there.
    let documents = made(&json!({})).await;
    let budgets = documents.iter().filter(|document| document["kind"] == "PodDisruptionBudget");
    assert_eq!(budgets.map(|budget| budget["metadata"]["name"].clone()).collect::<Vec<_>>(), ["chancery-responder"]);
    let least = made(&json!({ "replicaCount": 2, "podDisruptionBudget": { "enabled": true, "minAvailable": "50%" } })).await;
    let spec = &object(&least, "PodDisruptionBudget", "chancery-controller")["spec"];
    assert_eq!((&spec["minAvailable"], spec.get("maxUnavailable")), (&json!("50%"), None));
    // None need stay where there are none.
    made(&json!({ "replicaCount": 0, "podDisruptionBudget": { "enabled": true, "minAvailable": 0 } })).await;
}

/// The arguments of the chart's own container, with the component that it belongs to.
fn arguments(documents: &[Value]) -> Vec<(&'static str, Vec<String>)> {
    let deployments = documents.iter().filter(|document| document["kind"] == "Deployment");
    let of = |deployment: &Value| {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].as_array().expect("it has arguments").iter();
        let arguments: Vec<String> = arguments.map(|argument| argument.as_str().expect("it is text").to_owned()).collect();
        (if container["name"] == "controller" { "controller" } else { "responder" }, arguments)
    };
    deployments.map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_know_the_arguments_of_every_case() {
    let mut seen = BTreeSet::new();
    for (case, documents) in matrix::rendered().await {
        for (_, arguments) in arguments(documents) {
            if seen.insert(arguments.clone()) {
                // What stands before `--help` is looked at; nothing is begun.
                let finished = Program::chancery().args(&arguments).args(["--help"]).finish().await;
                assert!(finished.status.success(), "{case}: {arguments:?}: {}", finished.stderr);
            }
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
    // It would have seen a fault.
    let twice = Program::chancery().args(["controller", "--log-level=info", "--log-level=debug", "--help"]).finish().await;
    assert!(!twice.status.success() && twice.stderr.contains("multiple times"), "{}", twice.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_the_chart_passes_is_refused_among_further_arguments() {
    let mut passed: BTreeSet<(&str, String)> = BTreeSet::new();
    for (_, documents) in matrix::rendered().await {
        for (component, arguments) in arguments(documents) {
            let flags = arguments.iter().skip(1).filter_map(|argument| Some(argument.split_once('=')?.0.to_owned()));
            passed.extend(flags.filter(|flag| !flag.ends_with("-address")).map(|flag| (component, flag)));
        }
    }
    assert!(passed.contains(&("controller", "--exclude-namespace".to_owned())) && passed.len() > 12, "{passed:?}");
    for (component, flag) in passed {
        let further = json!({ "extraArgs": [format!("{flag}=x")] });
        let (values, field) = match component {
            "controller" => (further, "extraArgs"),
            _ => (json!({ "responder": further }), "responder.extraArgs"),
        };
        let made = chart::template(&chart::chart(), chart::RELEASE, NAMESPACE, &values).await;
        let error = format!("{:#}", made.expect_err("the program would not start"));
        let words = format!("{field}: {flag} is passed by the chart, and no flag may be passed twice; use ");
        assert!(error.contains(&words), "{component} {flag}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_has_the_selector_that_it_says_and_that_of_the_deployment_if_it_says_none() {
    let constraint = |selector: Value| {
        let mut constraint = json!({ "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule" });
        if !selector.is_null() {
            constraint["labelSelector"] = selector;
        }
        constraint
    };
    let of_person = json!({ "matchLabels": { "app": "x" } });
    let constraints = json!([constraint(of_person.clone()), constraint(json!({})), constraint(Value::Null)]);
    let values = json!({ "topologySpreadConstraints": constraints, "responder": { "topologySpreadConstraints": constraints } });
    let documents = made(&values).await;
    let deployments: Vec<&Value> = documents.iter().filter(|document| document["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        let made = &deployment["spec"]["template"]["spec"]["topologySpreadConstraints"];
        let selectors: Vec<&Value> = made.as_array().expect("there are some").iter().map(|made| &made["labelSelector"]).collect();
        assert_eq!(selectors, [&of_person, &json!({}), &deployment["spec"]["selector"]]);
    }
}
