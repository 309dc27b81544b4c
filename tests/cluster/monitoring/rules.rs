//! Alerts and dashboard as files: promtool takes them, they are the same wherever they lie, and each alert has its runbook.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Program, parse_manifests};

/// Where the runbooks are, when nothing else is said.
const RUNBOOKS: &str = "https://github.com/chancery-dev/chancery/blob/main/docs/runbooks.md";

pub(super) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub(super) fn text(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

pub(super) fn rules() -> Value {
    serde_yaml(&text("deploy/monitoring/rules.yaml"))
}

fn serde_yaml(text: &str) -> Value {
    parse_manifests(text).expect("it is YAML").into_iter().next().expect("there is a document")
}

pub(super) fn dashboard() -> Value {
    serde_json::from_str(&text("deploy/monitoring/dashboard.json")).expect("it is JSON")
}

/// The alerts by name.
pub(super) fn alerts() -> BTreeMap<String, Value> {
    let rules = rules();
    let groups = rules["groups"].as_array().expect("there are groups");
    let alerts = groups.iter().flat_map(|group| group["rules"].as_array().expect("there are rules").clone());
    alerts.map(|rule| (rule["alert"].as_str().expect("it is an alert").to_owned(), rule)).collect()
}

/// The panels that show something.
pub(super) fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().expect("there are panels");
    panels.iter().filter(|panel| panel["type"] != "row").collect()
}

pub(super) fn expressions(panel: &Value) -> Vec<&str> {
    let targets = panel["targets"].as_array().expect("there are queries");
    targets.iter().map(|target| target["expr"].as_str().expect("it is PromQL")).collect()
}

pub(super) fn promtool() -> Program {
    Program::new(path("tests/tools/promtool/bin/promtool"))
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(path("tests/monitoring")).expect("there are cases");
    files.map(|file| file.expect("it can be read").path()).filter(|file| file.extension().is_some_and(|end| end == "yaml")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_when_they_should_and_are_silent_when_not() {
    promtool().args(["check", "rules", "--lint-fatal", "--lint=all"]).args([path("deploy/monitoring/rules.yaml")]).run().await;
    // Weeks are played through.
    promtool().limit(Duration::from_mins(10)).args(["test", "rules"]).args(cases()).run().await;
    let cases: String = cases().iter().map(|file| fs::read_to_string(file).expect("it can be read")).collect();
    let untested: Vec<String> = alerts().into_keys().filter(|alert| !cases.contains(&format!("alertname=\"{alert}\""))).collect();
    assert!(untested.is_empty(), "no case in tests/monitoring lets these fire: {untested:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_understands_what_the_dashboard_asks() {
    let dashboard = dashboard();
    let mut rules = Vec::new();
    for panel in panels(&dashboard) {
        for (number, expression) in expressions(panel).into_iter().enumerate() {
            let expression = expression.replace("$__rate_interval", "5m").replace("$namespace", ".*").replace("$issuer", ".*");
            assert!(!expression.contains('$'), "a variable that is not there: {expression}");
            rules.push(serde_json::json!({"record": format!("panel:{}:{number}", panel["id"]), "expr": expression}));
        }
    }
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file can be made");
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(file.path(), groups.to_string()).expect("it can be written");
    promtool().args(["check", "rules"]).args([file.path()]).run().await;
}

#[test]
fn the_rules_and_the_dashboard_are_the_same_wherever_they_lie() {
    let object = serde_yaml(&text("deploy/monitoring/prometheusrule.yaml"));
    assert_eq!((&object["kind"], &object["spec"]), (&Value::from("PrometheusRule"), &rules()));
    for file in ["rules.yaml", "dashboard.json"] {
        assert!(
            text(&format!("deploy/monitoring/{file}")) == text(&format!("charts/chancery/files/monitoring/{file}")),
            "charts/chancery/files/monitoring/{file} is not deploy/monitoring/{file}: copy it"
        );
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_means_and_where_the_runbook_is() {
    for (name, rule) in alerts() {
        // A template of one says both that it may come to.
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        let by_owner = severity.starts_with("{{") && severity.ends_with("}}critical{{ else }}warning{{ end }}");
        assert!(by_owner || ["critical", "warning", "info"].contains(&severity), "{name}: severity {severity:?}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].as_str().is_some_and(|text| text.ends_with('.')), "{name}: {annotation}");
        }
        assert_eq!(rule["annotations"]["runbook_url"], format!("{RUNBOOKS}#{}", name.to_lowercase()), "{name}");
    }
}

#[test]
fn no_alert_asks_whether_a_scrape_or_a_probe_succeeded() {
    for (name, rule) in alerts() {
        let expression = rule["expr"].as_str().unwrap_or_default();
        let words: Vec<&str> = expression.split(|other: char| !other.is_ascii_alphanumeric() && other != '_').collect();
        let foreign = ["up", "probe_success", "kube_pod_status_ready"].into_iter().find(|metric| words.contains(metric));
        assert_eq!(foreign, None, "{name}");
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_its_alert() {
    let page = text("docs/runbooks.md");
    let sections: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("## Chancery")).map(|rest| format!("Chancery{rest}")).collect();
    assert_eq!(sections, alerts().into_keys().collect());
    for section in page.split("\n## Chancery").skip(1) {
        let name = section.lines().next().unwrap_or_default();
        for part in ["**What users notice:**", "**Look:**", "**Do:**"] {
            assert!(section.contains(part), "the runbook of Chancery{name} has no {part}");
        }
    }
    let monitoring = text("docs/monitoring.md");
    let untold: Vec<String> =
        alerts().into_keys().filter(|alert| !monitoring.contains(&format!("(runbooks.md#{})", alert.to_lowercase()))).collect();
    assert!(untold.is_empty(), "docs/monitoring.md does not name these alerts: {untold:?}");
}

#[test]
fn the_dashboard_holds_together() {
    const CORE: [&str; 5] = ["stat", "table", "timeseries", "histogram", "row"];
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("it has an id")).collect();
    assert_eq!(ids.len(), panels.len(), "ids are there twice");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 41));
    let variables: Vec<&str> =
        dashboard["templating"]["list"].as_array().expect("there are variables").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(variables, ["datasource", "namespace", "issuer"]);
    let alerts = alerts();
    for panel in panels {
        let title = panel["title"].as_str().unwrap_or_default();
        assert!(CORE.contains(&panel["type"].as_str().unwrap_or_default()), "{title}: a plugin would have to be installed");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title} has no description");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for link in panel["links"].as_array().expect("links") {
            let url = link["url"].as_str().unwrap_or_default();
            let anchor = url.strip_prefix(&format!("{RUNBOOKS}#")).unwrap_or_else(|| panic!("{title}: {url}"));
            assert!(alerts.keys().any(|alert| alert.to_lowercase() == anchor), "{title}: {url}");
        }
    }
    let grid = |panel: &Value| ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_i64().expect("it has a place"));
    for (number, one) in panels.iter().enumerate() {
        let [x, y, width, height] = grid(one);
        assert!(x + width <= 24, "{} is too wide", one["title"]);
        for other in &panels[..number] {
            let [left, top, wide, high] = grid(other);
            let apart = x >= left + wide || left >= x + width || y >= top + high || top >= y + height;
            assert!(apart, "{} lies on {}", one["title"], other["title"]);
        }
    }
}
