//! Values that are wrong are refused, and the message names the value.

use serde_json::{Value, json};

use crate::harness::chart;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_refused_by_its_name() {
    let rows: Vec<(Value, &[&str])> = vec![
        (json!({ "replicas": 2 }), &["'replicas' not allowed"]),
        (json!({ "webhook": { "replicaCount": 3 } }), &["'webhook' not allowed"]),
        (json!({ "installCRDs": true }), &["'installCRDs' not allowed"]),
        (json!({ "enabled": true }), &["enabled: there is no such value"]),
        (json!({ "global": { "loglevel": "debug" } }), &["global.loglevel: there is no such value"]),
        (json!({ "global": { "logLevel": 2 } }), &["/global/logLevel", "want string"]),
        (json!({ "global": { "logLevel": "loud" } }), &["/global/logLevel", "error|warn|info|debug|trace"]),
        (json!({ "global": { "leaderElection": { "leaseDuration": "15" } } }), &["/global/leaderElection/leaseDuration"]),
        (json!({ "global": { "leaderElection": { "namespace": "kube-system" } } }), &["/global/leaderElection", "'namespace' not allowed"]),
        (json!({ "global": { "imagePullSecrets": ["registry"] } }), &["/global/imagePullSecrets/0", "want object"]),
        (json!({ "replicaCount": "two" }), &["/replicaCount", "want integer"]),
        (json!({ "replicaCount": -1 }), &["/replicaCount", "minimum"]),
        (json!({ "image": { "digest": "0a0a" } }), &["/image/digest", "sha256"]),
        (json!({ "image": { "pullPolicy": "Sometimes" } }), &["/image/pullPolicy", "'IfNotPresent'"]),
        (json!({ "image": { "name": "chancery" } }), &["/image", "'name' not allowed"]),
        (json!({ "watchNamespaces": "team-a" }), &["/watchNamespaces", "want array"]),
        (json!({ "watchNamespaces": ["Team A"] }), &["/watchNamespaces/0"]),
        (json!({ "watchNamespaces": ["a", "a"] }), &["/watchNamespaces", "equal"]),
        (json!({ "watchNamespaces": ["a"], "excludeNamespaces": ["b"] }), &["watchNamespaces and excludeNamespaces: set one of them"]),
        (json!({ "logging": { "format": "xml" } }), &["/logging/format", "'json'"]),
        (json!({ "metricsCertificates": "many" }), &["/metricsCertificates"]),
        (json!({ "checkpointInterval": "daily" }), &["/checkpointInterval"]),
        (json!({ "tracing": { "enabled": true } }), &["tracing.endpoint: say where traces go"]),
        (json!({ "tracing": { "endpoint": "collector:4318" } }), &["/tracing/endpoint", "https?://"]),
        (json!({ "tracing": { "sampling": 2 } }), &["/tracing/sampling", "maximum"]),
        (json!({ "extraArgs": ["log-level=debug"] }), &["/extraArgs/0", "^--"]),
        (json!({ "serviceAccount": { "create": false } }), &["serviceAccount.name: name the ServiceAccount to use"]),
        (json!({ "responder": { "serviceAccount": { "create": false } } }), &["responder.serviceAccount.name: name the ServiceAccount"]),
        (
            json!({ "serviceAccount": { "name": "same" }, "responder": { "serviceAccount": { "name": "same" } } }),
            &["responder.serviceAccount.name: the responder needs another ServiceAccount"],
        ),
        (json!({ "podDisruptionBudget": { "enabled": true, "minAvailable": 1 } }), &["podDisruptionBudget.minAvailable: 1 of 1 replicas"]),
        (
            json!({ "responder": { "podDisruptionBudget": { "minAvailable": 1, "maxUnavailable": 1 } } }),
            &["responder.podDisruptionBudget: set minAvailable or maxUnavailable, not both"],
        ),
        (json!({ "podDisruptionBudget": { "enabled": true, "maxUnavailable": "half" } }), &["/podDisruptionBudget/maxUnavailable"]),
        (
            json!({ "podDisruptionBudget": { "enabled": true, "maxUnavailable": 0 } }),
            &["podDisruptionBudget.maxUnavailable: with 0 no replica"],
        ),
        (
            json!({ "responder": { "podDisruptionBudget": { "maxUnavailable": "0%" } } }),
            &["responder.podDisruptionBudget.maxUnavailable: with 0% no replica"],
        ),
        (
            json!({ "responder": { "podDisruptionBudget": { "minAvailable": "100%" } } }),
            &["responder.podDisruptionBudget.minAvailable: 2 of 2 replicas"],
        ),
        (
            json!({ "responder": { "podDisruptionBudget": { "minAvailable": "51%" } } }),
            &["responder.podDisruptionBudget.minAvailable: 2 of 2 replicas"],
        ),
        (json!({ "fullnameOverride": "pki.example" }), &["/fullnameOverride", "pattern"]),
        (json!({ "nameOverride": "1st" }), &["/nameOverride", "pattern"]),
        (json!({ "podLabels": { "app.kubernetes.io/name": "x" } }), &["podLabels: app.kubernetes.io/name is the chart's own"]),
        (
            json!({ "responder": { "podLabels": { "app.kubernetes.io/component": "x" } } }),
            &["responder.podLabels: app.kubernetes.io/component is the chart's own"],
        ),
        (
            json!({ "global": { "commonLabels": { "app.kubernetes.io/instance": "x" } } }),
            &["global.commonLabels: app.kubernetes.io/instance is the chart's own"],
        ),
        (json!({ "prometheus": { "rules": { "runbookURL": "wiki" } } }), &["/prometheus/rules/runbookURL", "https?://"]),
        (
            json!({ "prometheus": { "rules": { "disabled": { "ChanceryNoLeadr": true } } } }),
            &["/prometheus/rules/disabled", "'ChanceryNoLeadr' not allowed"],
        ),
        (
            json!({ "prometheus": { "rules": { "customRules": { "ChanceryNoLeadr": { "for": "1h" } } } } }),
            &["/prometheus/rules/customRules", "'ChanceryNoLeadr' not allowed"],
        ),
        (
            json!({ "prometheus": { "rules": { "customRules": { "ChanceryNoLeader": { "expr": "vector(0)" } } } } }),
            &["/prometheus/rules/customRules/ChanceryNoLeader", "'expr' not allowed"],
        ),
        (
            json!({ "prometheus": { "enabled": false, "servicemonitor": { "enabled": true } } }),
            &["prometheus.servicemonitor.enabled: needs"],
        ),
        (json!({ "prometheus": { "servicemonitor": { "interval": "often" } } }), &["/prometheus/servicemonitor/interval"]),
        (json!({ "responder": { "preStopSeconds": 60 } }), &["/responder/preStopSeconds", "maximum"]),
        (json!({ "responder": { "keptAnswers": 0 } }), &["/responder/keptAnswers", "minimum"]),
        (json!({ "responder": { "service": { "type": "ExternalName" } } }), &["/responder/service/type", "'ClusterIP'"]),
        (json!({ "responder": { "ingress": { "enabled": true } } }), &["responder.ingress.hosts: name a host"]),
        (
            json!({ "responder": { "enabled": false, "ingress": { "enabled": true, "hosts": ["pki.example.org"] } } }),
            &["responder.ingress.enabled: there is nothing behind it"],
        ),
        (json!({ "topologySpreadConstraints": [{ "maxSkew": 1 }] }), &["/topologySpreadConstraints/0", "topologyKey"]),
    ];
    let mut wrong = Vec::new();
    for (values, words) in rows {
        match chart::template(&chart::chart(), chart::RELEASE, "default", &values).await {
            Ok(_) => wrong.push(format!("{values}: taken")),
            Err(error) => {
                let said = format!("{error:#}");
                wrong.extend(
                    words.iter().filter(|word| !said.contains(**word)).map(|word| format!("{values}: nothing of \"{word}\": {said}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
