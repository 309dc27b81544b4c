//! What values of the chart make of the alerts: which there are, how bad, for how long, with which labels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::rules::{alerts, promtool, text};
use crate::harness::chart;

/// The alerts that the chart makes with these values of `prometheus.rules`, by name.
async fn with(values: Value) -> BTreeMap<String, Value> {
    let groups = groups(json!({ "prometheus": { "rules": crate::stage::merged(json!({ "enabled": true }), &values) } })).await;
    let rules =
        groups.as_array().expect("there are groups").iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    rules.map(|rule| (rule["alert"].as_str().expect("it is an alert").to_owned(), rule)).collect()
}

async fn groups(values: Value) -> Value {
    let documents = chart::template(&chart::chart(), chart::RELEASE, "team-a", &values).await.expect("Helm makes something of it");
    let rule = documents.into_iter().find(|document| document["kind"] == "PrometheusRule").expect("there is a PrometheusRule");
    rule["spec"]["groups"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_is_disabled_is_left_out_and_all_others_stay_as_they_are() {
    assert_eq!(with(json!({})).await, alerts());
    let left = with(json!({ "disabled": { "ChanceryRegisterSlow": true, "ChanceryNoLeader": false } })).await;
    let mut wanted = alerts();
    wanted.remove("ChanceryRegisterSlow").expect("there is one");
    assert_eq!(left, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_alerts_are_all_disabled_is_left_out() {
    let rules = json!({ "enabled": true, "disabled": { "ChanceryIssuerNotReady": true, "ChanceryAuthorityEnding": true } });
    let groups = groups(json!({ "prometheus": { "rules": rules } })).await;
    let names: Vec<&str> = groups.as_array().expect("there are groups").iter().filter_map(|group| group["name"].as_str()).collect();
    assert!(!names.contains(&"chancery-authorities") && names.contains(&"chancery-controller"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn severity_and_duration_of_one_alert_can_be_chosen_and_labels_of_all_added() {
    let chosen = with(json!({
        "customRules": { "ChanceryIssuerNotReady": { "severity": "page", "for": "30m" }, "ChanceryListRolledBack": { "for": "1m" } },
        "additionalRuleLabels": { "team": "pki", "severity": "none" },
        "additionalRuleAnnotations": { "wiki": "https://wiki.example.org" },
    }))
    .await;
    let one = &chosen["ChanceryIssuerNotReady"];
    assert_eq!((&one["labels"]["severity"], &one["for"]), (&json!("page"), &json!("30m")));
    assert_eq!(chosen["ChanceryListRolledBack"]["for"], "1m");
    for (name, rule) in &chosen {
        assert_eq!((&rule["labels"]["team"], &rule["annotations"]["wiki"]), (&json!("pki"), &json!("https://wiki.example.org")), "{name}");
        let severity = if name == "ChanceryIssuerNotReady" { json!("page") } else { alerts()[name]["labels"]["severity"].clone() };
        assert_eq!(rule["labels"]["severity"], severity, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_that_a_release_has_switched_off_is_not_missed_and_that_of_another_release_is() {
    let values = |enabled: bool| json!({ "responder": { "enabled": enabled }, "prometheus": { "rules": { "enabled": true } } });
    let folder = tempfile::tempdir().expect("a folder can be made");
    let gone = |namespace: &str| {
        let series = format!("chancery_build_info{{namespace=\"{namespace}\",job=\"responder\",component=\"responder\"}}");
        json!({ "series": series, "values": "1x20 stale" })
    };
    let missed =
        |namespace: &str| json!({ "labels": format!("{{alertname=\"ChanceryResponderDown\",namespace=\"{namespace}\"}}"), "value": 1 });
    for (enabled, told) in [(true, vec![missed("team-a"), missed("team-b")]), (false, vec![missed("team-b")])] {
        fs::write(folder.path().join("rules.yaml"), json!({ "groups": groups(values(enabled)).await }).to_string())
            .expect("it can be written");
        let case = json!({
            "rule_files": ["rules.yaml"],
            "evaluation_interval": "1m",
            "tests": [{
                "interval": "1m",
                "input_series": [gone("team-a"), gone("team-b")],
                "promql_expr_test": [{
                    "expr": "count by (alertname, namespace) (ALERTS{alertstate=\"firing\"})", "eval_time": "60m", "exp_samples": told,
                }],
            }],
        });
        fs::write(folder.path().join("case.yaml"), case.to_string()).expect("it can be written");
        promtool().args(["test", "rules"]).args([folder.path().join("case.yaml")]).run().await;
    }
}

#[test]
fn the_schema_knows_the_alerts_by_name() {
    let schema: Value = serde_json::from_str(&text("charts/chancery/values.schema.json")).expect("it is JSON");
    let rules = &schema["properties"]["prometheus"]["properties"]["rules"]["properties"];
    for value in ["disabled", "customRules"] {
        let known = rules[value]["properties"].as_object().expect("they are listed");
        assert_eq!(known.keys().cloned().collect::<BTreeSet<_>>(), alerts().into_keys().collect::<BTreeSet<_>>(), "{value}");
    }
}
