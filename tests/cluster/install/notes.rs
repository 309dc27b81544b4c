//! What Helm prints when it has installed the chart: what can be done as it is written.

use serde_json::{Value, json};

use crate::harness::{Program, chart};

/// What is printed below the manifest.
async fn notes(values: &Value) -> String {
    let helm = Program::helm().args(["install", chart::RELEASE]).args([chart::chart()]).args(["--namespace", "pki", "--dry-run=client"]);
    let printed = helm.args(["--values", "-"]).stdin(values.to_string()).run().await;
    let (_, notes) = printed.split_once("\nNOTES:\n").unwrap_or_else(|| panic!("{values}: no notes: {printed}"));
    notes.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_certificate_is_in_a_namespace_that_is_served() {
    for (values, namespace, is_made) in [
        (json!({}), "default", false),
        (json!({ "excludeNamespaces": ["other"] }), "default", false),
        (json!({ "watchNamespaces": ["team-a", "team-b"] }), "team-a", false),
        (json!({ "excludeNamespaces": ["default"] }), "chancery-first", true),
    ] {
        let notes = notes(&values).await;
        for line in ["apply -f -", "wait --for=condition=Ready ccert/first"] {
            assert!(notes.contains(&format!("\n  kubectl -n {namespace} {line}")), "{values}: {notes}");
        }
        assert_eq!(notes.contains(&format!("\n  kubectl create namespace {namespace}\n")), is_made, "{values}: {notes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_served_by_the_hosts_of_the_ingress_with_its_path() {
    for (path, host, url) in [
        ("/", "pki.example.org", "http://pki.example.org "),
        ("/pki", "pki.example.org", "http://pki.example.org/pki "),
        ("/pki/", "*.example.org", "http://pki.example.org/pki "),
    ] {
        let ingress = json!({ "enabled": true, "hosts": [host], "path": path });
        let notes = notes(&json!({ "responder": { "ingress": ingress } })).await;
        assert!(notes.contains(&format!("by {url}outside of it")), "{ingress}: {notes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_that_a_policy_holds_back_are_told_of_for_each_program() {
    let hint = |field: &str| format!("{field} lets nothing out but to the API server and DNS: traces to http://collector:4318 need a rule");
    for (controller, responder) in [(false, false), (true, false), (false, true), (true, true)] {
        let values = json!({
            "tracing": { "enabled": true, "endpoint": "http://collector:4318" },
            "networkPolicy": { "enabled": controller }, "responder": { "networkPolicy": { "enabled": responder } },
        });
        let notes = notes(&values).await;
        assert_eq!(notes.contains(&format!("\n{}", hint("networkPolicy"))), controller, "{values}: {notes}");
        assert_eq!(notes.contains(&format!("\n{}", hint("responder.networkPolicy"))), responder, "{values}: {notes}");
    }
}
