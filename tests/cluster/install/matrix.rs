//! Many ways to set values: each value of values.yaml at least once, every result taken by the API server and by kubeconform.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::schemas::{Kubeconform, Schemas};
use super::{leaves, rehearse};
use crate::harness::{Ground, Program, apply_manifests, chart, parse_manifests, run};
use crate::stage::merged;

/// The namespace of all releases of the matrix, and another one.
const NAMESPACE: &str = "install-matrix";
const OTHER: &str = "install-matrix-other";
/// A namespace whose name YAML takes for a number. So is the namespace 0.
const NUMBER: &str = "1234";

/// The same fields for the controller and the responder.
fn both(values: &Value) -> Value {
    merged(values.clone(), &json!({ "responder": values }))
}

fn probe() -> Value {
    json!({ "enabled": true, "initialDelaySeconds": 2, "periodSeconds": 3, "timeoutSeconds": 4, "successThreshold": 1, "failureThreshold": 5 })
}

fn cases() -> Vec<(&'static str, Value)> {
    let peers = json!([{ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "monitoring" } } }]);
    let block = json!([{ "ipBlock": { "cidr": "10.0.0.1/32" } }]);
    let policy = json!({
        "enabled": true,
        "metricsFrom": peers,
        "apiServer": { "to": block, "ports": [6443] },
        "dns": {
            "enabled": true, "to": [{ "namespaceSelector": {}, "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } } }],
            "ports": [53, 5353],
        },
        "extraIngress": [{ "from": peers }],
        "extraEgress": [{ "to": peers, "ports": [{ "port": 4318, "protocol": "TCP" }] }],
    });
    let monitor =
        |more: Value| merged(json!({ "enabled": true, "namespace": OTHER, "labels": { "a": "b" }, "annotations": { "c": "d" } }), &more);
    vec![
        ("defaults", json!({})),
        ("without CRDs", json!({ "crds": { "enabled": false } })),
        ("CRDs that go with the release", json!({ "crds": { "enabled": true, "keep": false } })),
        ("one served namespace", json!({ "watchNamespaces": [OTHER], "crds": { "enabled": false } })),
        ("the operator's namespace served too", json!({ "watchNamespaces": [NAMESPACE, OTHER], "crds": { "enabled": false } })),
        ("some left out", json!({ "excludeNamespaces": ["kube-system", "team-b"] })),
        ("other places", json!({ "namespace": OTHER, "clusterResourceNamespace": NAMESPACE })),
        ("other names", json!({ "fullnameOverride": "pki", "nameOverride": "certificates", "creator": "argocd" })),
        (
            "for all objects",
            json!({ "global": {
                "imagePullSecrets": [{ "name": "registry" }],
                "priorityClassName": "system-cluster-critical",
                "hostUsers": false,
                "commonLabels": { "team": "pki" },
                "logLevel": "info,chancery::lease=debug",
                "leaderElection": { "leaseDuration": "1m30s" },
            } }),
        ),
        ("no rights", json!({ "global": { "rbac": { "create": false } } })),
        ("no rights for people", json!({ "global": { "rbac": { "create": true, "aggregateClusterRoles": false } } })),
        (
            "an image by digest from a mirror",
            both(&json!({ "image": {
                "registry": "mirror.example.org",
                "repository": "ghcr.io/chancery-dev/chancery",
                "tag": "0.1.0",
                "digest": format!("sha256:{}", "0a".repeat(32)),
                "pullPolicy": "Always",
            } })),
        ),
        (
            "accounts of their own",
            merged(
                both(&json!({ "serviceAccount": {
                    "create": true, "annotations": { "a": "b" }, "labels": { "c": "d" }, "automountServiceAccountToken": true,
                }, "automountServiceAccountToken": true })),
                &json!({ "serviceAccount": { "name": "pki" }, "responder": { "serviceAccount": { "name": "pki-responder" } } }),
            ),
        ),
        (
            "accounts of somebody else, and their tokens",
            merged(
                both(&json!({
                    "serviceAccount": { "create": false },
                    "automountServiceAccountToken": false,
                    "volumes": [{ "name": "token", "projected": { "sources": [
                        { "serviceAccountToken": { "path": "token", "expirationSeconds": 3600 } },
                        { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
                        { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
                    ] } }],
                    "volumeMounts": [{ "name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true }],
                })),
                &json!({ "serviceAccount": { "name": "pki" }, "responder": { "serviceAccount": { "name": "pki-responder" } } }),
            ),
        ),
        (
            "highly available",
            both(&json!({
                "replicaCount": 3,
                "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
                "revisionHistoryLimit": 1,
                "podDisruptionBudget": { "enabled": true, "minAvailable": 2 },
                "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway" }],
            })),
        ),
        ("a budget in per cent", both(&json!({ "replicaCount": 4, "podDisruptionBudget": { "enabled": true, "maxUnavailable": "50%" } }))),
        ("another strategy", both(&json!({ "strategy": { "type": "Recreate" } }))),
        ("network policies", both(&json!({ "networkPolicy": { "enabled": true } }))),
        (
            "network policies with peers",
            merged(both(&json!({ "networkPolicy": policy })), &json!({ "responder": { "networkPolicy": { "from": block } } })),
        ),
        ("network policies without DNS", both(&json!({ "networkPolicy": { "enabled": true, "dns": { "enabled": false } } }))),
        ("no FlowSchema", json!({ "flowSchema": { "enabled": false } })),
        ("another FlowSchema", json!({ "flowSchema": { "enabled": true, "matchingPrecedence": 900 } })),
        (
            "pods",
            both(&json!({
                "resources": { "requests": { "cpu": "100m", "memory": "256Mi" }, "limits": { "memory": "512Mi" } },
                "securityContext": { "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": { "type": "RuntimeDefault" } },
                "containerSecurityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] }, "readOnlyRootFilesystem": true, "runAsUser": 65532,
                },
                "deploymentAnnotations": { "a": "b" },
                "podAnnotations": { "c": "d" },
                "podLabels": { "e": "f" },
                "nodeSelector": { "kubernetes.io/os": "linux", "pool": "pki" },
                "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                    { "matchExpressions": [{ "key": "pool", "operator": "Exists" }] },
                ] } } },
                "tolerations": [{ "key": "pki", "operator": "Exists", "effect": "NoSchedule" }],
                "extraEnv": [{ "name": "HTTPS_PROXY", "value": "http://proxy.example.org:3128" }],
                "extraEnvFrom": [{ "configMapRef": { "name": "proxy" } }, { "prefix": "P_", "secretRef": { "name": "proxy", "optional": true } }],
                "hostAliases": [{ "ip": "10.0.0.1", "hostnames": ["api.example.org"] }],
                "enableServiceLinks": true,
            })),
        ),
        (
            "pods with more than ours",
            both(&json!({
                "terminationGracePeriodSeconds": 60,
                "runtimeClassName": "gvisor",
                "podDnsPolicy": "None",
                "podDnsConfig": {
                    "nameservers": ["10.0.0.53"], "searches": ["example.org"], "options": [{ "name": "ndots", "value": "2" }, { "name": "edns0" }],
                },
                "initContainers": [{ "name": "wait", "image": "registry.example.com/wait:1", "args": ["--for=proxy"] }],
                "extraContainers": [{ "name": "proxy", "image": "registry.example.com/proxy:1", "ports": [{ "containerPort": 3128 }] }],
            })),
        ),
        ("an autoscaled responder", json!({ "responder": { "replicaCount": null } })),
        (
            "arguments",
            merged(
                json!({
                    "extraArgs": ["--http-address=[::]:9402"],
                    "responder": { "extraArgs": ["--http-address=[::]:8080", "--health-address=[::]:9403"] },
                }),
                &json!({
                    "metricsCertificates": 50_000,
                    "checkpointInterval": "1h",
                    "logging": { "format": "json" },
                    "tracing": { "enabled": true, "endpoint": "http://otel-collector.monitoring:4318", "sampling": 0.25 },
                    "responder": { "signaturesPerSecond": 2_000, "keptAnswers": 128, "preStopSeconds": 10 },
                }),
            ),
        ),
        ("probes", both(&json!({ "livenessProbe": probe(), "readinessProbe": probe() }))),
        ("no probes", both(&json!({ "livenessProbe": { "enabled": false }, "readinessProbe": { "enabled": false } }))),
        ("no metrics", json!({ "prometheus": { "enabled": false } })),
        (
            "metrics",
            merged(
                both(&json!({
                    "serviceAnnotations": { "a": "b" }, "serviceLabels": { "c": "d" },
                    "serviceIPFamilyPolicy": "SingleStack", "serviceIPFamilies": ["IPv4"],
                })),
                &json!({ "prometheus": {
                    "enabled": true,
                    "servicemonitor": monitor(json!({
                        "prometheusInstance": "main", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s", "honorLabels": false,
                        "endpointAdditionalProperties": { "relabelings": [{ "action": "labeldrop", "regex": "pod" }] },
                    })),
                    "dashboard": monitor(json!({ "labels": { "grafana_dashboard": "1" } })),
                } }),
            ),
        ),
        (
            "alerts",
            json!({ "prometheus": { "rules": monitor(json!({
                "runbookURL": "https://wiki.example.org/chancery/runbooks",
                "disabled": { "ChanceryRegisterSlow": true },
                "customRules": { "ChanceryIssuerNotReady": { "severity": "page", "for": "30m" } },
                "additionalRuleLabels": { "team": "pki" },
                "additionalRuleAnnotations": { "dashboard": "https://grafana.example.org/d/chancery" },
            })) } }),
        ),
        ("no responder", json!({ "responder": { "enabled": false } })),
        (
            "a responder behind an Ingress",
            json!({ "responder": { "enabled": true, "ingress": {
                "enabled": true, "className": "nginx", "annotations": { "a": "b" }, "labels": { "c": "d" },
                "hosts": ["pki.example.org", "pki.example.com"], "path": "/pki", "pathType": "Prefix",
                "tls": [{ "hosts": ["pki.example.org"], "secretName": "pki-tls" }],
            } } }),
        ),
        (
            "a responder behind a load balancer",
            json!({ "responder": { "service": {
                "type": "LoadBalancer", "port": 8080, "nodePort": 30080, "annotations": { "a": "b" }, "labels": { "c": "d" },
                "clusterIP": "10.0.0.9", "loadBalancerIP": "192.0.2.1",
                "loadBalancerClass": "example.org/internal", "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "externalTrafficPolicy": "Local", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
            } } }),
        ),
        (
            "objects that come along",
            json!({ "extraObjects": [
                { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one", "namespace": NAMESPACE } },
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-two\n  namespace: {{ .Release.Namespace }}\n",
            ] }),
        ),
    ]
}

/// Every case with what Helm makes of it.
pub(super) async fn rendered() -> &'static Vec<(&'static str, Vec<Value>)> {
    static RENDERED: OnceCell<Vec<(&'static str, Vec<Value>)>> = OnceCell::const_new();
    RENDERED
        .get_or_init(|| async {
            let mut all = Vec::new();
            // Names that YAML takes for numbers and truths.
            let names = json!({
                "fullnameOverride": "true",
                "creator": "1e3",
                "global": { "priorityClassName": "123", "commonLabels": { "no": "off" } },
                "runtimeClassName": "0x1",
                "serviceAccount": { "name": "null" },
                "prometheus": {
                    "servicemonitor": { "enabled": true, "prometheusInstance": "7", "namespace": "0" },
                    "rules": { "enabled": true }, "dashboard": { "enabled": true },
                },
                "responder": {
                    "serviceAccount": { "name": "true" },
                    "ingress": { "enabled": true, "className": "1", "hosts": ["1.0"] },
                    "networkPolicy": { "enabled": true },
                },
            });
            let made = chart::template(&chart::chart(), "123", NUMBER, &names).await;
            all.push(("names like numbers", made.unwrap_or_else(|error| panic!("names like numbers: {error:#}"))));
            let served = json!({ "fullnameOverride": "pki", "watchNamespaces": [NUMBER, "0"], "crds": { "enabled": false } });
            let made = chart::template(&chart::chart(), "123", NUMBER, &served).await;
            all.push(("served namespaces like numbers", made.unwrap_or_else(|error| panic!("served namespaces like numbers: {error:#}"))));
            // Names are shortened to what a Service's name may have.
            let long = chart::template(&chart::chart(), &"a".repeat(53), NAMESPACE, &json!({})).await;
            all.push(("a long release name", long.unwrap_or_else(|error| panic!("a long release name: {error:#}"))));
            for (name, values) in cases() {
                let documents = chart::template(&chart::chart(), chart::RELEASE, NAMESPACE, &values).await;
                all.push((name, documents.unwrap_or_else(|error| panic!("{name}: {error:#}"))));
            }
            all
        })
        .await
}

#[test]
fn every_value_is_set_in_some_case() {
    let text = fs::read_to_string(chart::chart().join("values.yaml")).expect("the chart has values");
    let known: BTreeSet<String> = leaves(&parse_manifests(&text).expect("they are YAML")[0]).into_iter().collect();
    let cases = cases();
    assert!(cases.len() > 20, "{}", cases.len());
    let is_set = |pointer: &String| cases.iter().any(|(_, values)| values.pointer(pointer).is_some());
    let unset: Vec<&String> = known.iter().filter(|pointer| !is_set(pointer)).collect();
    assert!(unset.is_empty(), "no case sets {unset:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_finds_nothing_to_say_about_the_chart() {
    let linted = Program::helm().args(["lint", "--strict"]).args([chart::chart()]).finish().await;
    assert!(linted.status.success(), "{}{}", linted.stdout, linted.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_what_every_case_makes() {
    let ground = Ground::prepared().await;
    super::schemas::define_monitoring(&ground.client).await;
    let namespaces =
        [NAMESPACE, OTHER, NUMBER, "0"].map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
    apply_manifests(&ground.client, &namespaces).await.expect("namespaces can be made");
    for (name, documents) in rendered().await {
        assert!(!documents.is_empty(), "{name}");
        for document in documents {
            if let Err(error) = rehearse(&ground.client, document).await {
                panic!("{name}: {error:#}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubeconform_takes_what_every_case_makes() {
    let ground = Ground::prepared().await;
    super::schemas::define_monitoring(&ground.client).await;
    let folder = run::folder().join("kubeconform");
    let documents: Vec<&Value> = rendered().await.iter().flat_map(|(_, documents)| documents).collect();
    let schemas = Schemas::of(&ground.client, &folder, documents.iter().copied()).await;
    let kubeconform = Kubeconform::new(&schemas);
    for (name, documents) in rendered().await {
        kubeconform.accepts(name, documents).await;
    }
    // It would have seen a fault.
    let mut wrong = rendered().await[0].1.clone();
    let deployment = wrong.iter_mut().find(|document| document["kind"] == "Deployment").expect("there is a Deployment");
    deployment["spec"]["template"]["spec"]["serviceAcountName"] = "typo".into();
    let found = kubeconform.findings(&wrong).await;
    assert!(found.contains("serviceAcountName"), "{found}");
}
