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
        (
            json!({ "prometheus": { "rules": { "additionalRuleLabels": { "namespace": "pki" } } } }),
            &["prometheus.rules.additionalRuleLabels: namespace says what an alert is about"],
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
        (
            json!({ "prometheus": { "servicemonitor": { "enabled": true, "interval": "15s" } } }),
            &["prometheus.servicemonitor.scrapeTimeout: 30s is longer than the interval of 15s", "set it to 15s or less"],
        ),
        (
            json!({ "prometheus": { "servicemonitor": { "enabled": true, "interval": "1m30s", "scrapeTimeout": "91s" } } }),
            &["91s is longer than the interval of 1m30s"],
        ),
        (
            json!({ "prometheus": { "servicemonitor": { "enabled": true, "endpointAdditionalProperties": { "interval": "500ms" } } } }),
            &["30s is longer than the interval of 500ms"],
        ),
        (json!({ "prometheus": { "servicemonitor": { "interval": "1.5m" } } }), &["/prometheus/servicemonitor/interval"]),
        (json!({ "prometheus": { "servicemonitor": { "interval": "30s1m" } } }), &["/prometheus/servicemonitor/interval"]),
        (json!({ "responder": { "preStopSeconds": 26 } }), &["responder.preStopSeconds: of terminationGracePeriodSeconds (30) at least 5"]),
        (
            json!({ "responder": { "terminationGracePeriodSeconds": 60, "preStopSeconds": 56 } }),
            &["responder.preStopSeconds", "raise that to 61"],
        ),
        (json!({ "terminationGracePeriodSeconds": 10 }), &["/terminationGracePeriodSeconds", "minimum"]),
        (json!({ "replicaCount": null }), &["replicaCount: say how many"]),
        (
            json!({ "responder": { "replicaCount": null, "podDisruptionBudget": { "minAvailable": "100%" } } }),
            &["responder.podDisruptionBudget.minAvailable: with 100% no replica"],
        ),
        (
            json!({ "extraArgs": ["--log-level=debug"] }),
            &["extraArgs: --log-level is passed by the chart, and no flag may be passed twice; use global.logLevel"],
        ),
        (json!({ "extraArgs": ["--watch-namespace=a"] }), &["extraArgs: --watch-namespace", "use watchNamespaces"]),
        (
            json!({ "responder": { "extraArgs": ["--kept-answers=8"] } }),
            &["responder.extraArgs: --kept-answers", "use responder.keptAnswers"],
        ),
        (json!({ "extraArgs": ["--http-address=0.0.0.0:9999"] }), &["extraArgs: --http-address has to end with port :9402"]),
        (
            json!({ "responder": { "extraArgs": ["--health-address=[::]:9999"] } }),
            &["responder.extraArgs: --health-address has to end with port :9403"],
        ),
        (json!({ "extraArgs": ["--http-address=[::]:9402", "--http-address=[::1]:9402"] }), &["extraArgs: --http-address is there twice"]),
        (json!({ "extraEnv": [{ "name": "POD_NAME", "value": "x" }] }), &["extraEnv: POD_NAME is the chart's own"]),
        (
            json!({ "responder": { "extraEnv": [{ "name": "A", "value": "x" }, { "name": "A", "value": "y" }] } }),
            &["responder.extraEnv: A is there twice"],
        ),
        (json!({ "podDnsPolicy": "None" }), &["podDnsPolicy: with None the resolvers have to be in podDnsConfig.nameservers"]),
        (json!({ "podDnsPolicy": "Cluster" }), &["/podDnsPolicy", "'ClusterFirst'"]),
        (json!({ "extraContainers": [{ "name": "controller", "image": "x" }] }), &["controller is the name of the chart's own container"]),
        (json!({ "initContainers": [{ "name": "wait" }] }), &["/initContainers/0", "image"]),
        (json!({ "networkPolicy": { "dns": { "ports": [] } } }), &["/networkPolicy/dns/ports", "minItems"]),
        (
            json!({ "responder": { "service": { "loadBalancerIP": "192.0.2.1" } } }),
            &["responder.service.loadBalancerIP: needs responder.service.type LoadBalancer"],
        ),
        (
            json!({ "responder": { "service": { "externalTrafficPolicy": "Local" } } }),
            &["responder.service.externalTrafficPolicy: needs responder.service.type NodePort or LoadBalancer"],
        ),
        (
            json!({ "responder": { "service": { "type": "NodePort", "clusterIP": "None" } } }),
            &["responder.service.clusterIP: None needs responder.service.type ClusterIP"],
        ),
        (
            json!({ "responder": { "service": { "labels": { "app.kubernetes.io/instance": "x" } } } }),
            &["responder.service.labels: app.kubernetes.io/instance is the chart's own"],
        ),
        (json!({ "responder": { "keptAnswers": 0 } }), &["/responder/keptAnswers", "minimum"]),
        (json!({ "responder": { "service": { "type": "ExternalName" } } }), &["/responder/service/type", "'ClusterIP'"]),
        (json!({ "responder": { "ingress": { "enabled": true } } }), &["responder.ingress.hosts: name a host"]),
        (
            json!({ "responder": { "enabled": false, "ingress": { "enabled": true, "hosts": ["pki.example.org"] } } }),
            &["responder.ingress.enabled: there is nothing behind it"],
        ),
        (json!({ "topologySpreadConstraints": [{ "maxSkew": 1 }] }), &["/topologySpreadConstraints/0", "topologyKey"]),
        (json!({ "responder": { "ingress": { "hosts": ["http://pki.example.org"] } } }), &["/responder/ingress/hosts/0", "pattern"]),
        (json!({ "responder": { "ingress": { "hosts": ["PKI.example.org"] } } }), &["/responder/ingress/hosts/0", "pattern"]),
        (json!({ "responder": { "ingress": { "hosts": ["pki.*.example.org"] } } }), &["/responder/ingress/hosts/0", "pattern"]),
        (json!({ "image": { "repository": "registry.example.com/Chancery" } }), &["/image/repository", "pattern"]),
        (json!({ "image": { "repository": "registry.example.com/chancery:0.1.0" } }), &["/image/repository", "pattern"]),
        (json!({ "image": { "repository": "" } }), &["/image/repository", "pattern"]),
        (json!({ "responder": { "image": { "repository": "https://registry.example.com/chancery" } } }), &["/responder/image/repository"]),
        (json!({ "global": { "priorityClassName": "System Critical" } }), &["/global/priorityClassName", "pattern"]),
        (json!({ "resources": { "requests": { "memory": "128 Mi" } } }), &["/resources/requests/memory", "pattern"]),
        (json!({ "resources": { "limits": { "memory": "128MB" } } }), &["/resources/limits/memory", "pattern"]),
        (json!({ "responder": { "resources": { "requests": { "cpu": -1 } } } }), &["/responder/resources/requests/cpu", "minimum"]),
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
