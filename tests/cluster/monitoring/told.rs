//! What a running operator and a running responder tell, against what is asked of them and what the page says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chancery::telemetry::{Issuance, Metrics, Publication};
use serde_json::json;

use super::asked;
use super::rules::{alerts, dashboard, expressions, panels, text};
use crate::harness::{Ground, OwnOperator};
use crate::stage::{Answer, Consumer, Stage, Way, leaf};

/// A family of series, under the name that a query has for it.
#[derive(Clone, Debug, Default)]
struct Family {
    histogram: bool,
    labels: BTreeSet<String>,
}

type Families = BTreeMap<String, Family>;

/// Reads the text format. A counter is called `.._total`, an info `.._info`, as in queries.
fn families(text: &str) -> Families {
    let mut families = Families::new();
    let mut suffixes = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            suffixes.insert(name.to_owned(), suffix);
            families.entry(format!("{name}{suffix}")).or_default().histogram = kind == "histogram";
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        let (sample, labels) = series.split_once('{').unwrap_or((series, ""));
        let base = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|suffix| sample.strip_suffix(suffix).filter(|base| suffixes.contains_key(*base)));
        let family = families.get_mut(base.unwrap_or(sample)).unwrap_or_else(|| panic!("{sample} has no TYPE"));
        // Values are names and reasons of ours: none has a comma or an equals sign.
        let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        family.labels.extend(labels.filter(|label| label != "le"));
    }
    families
}

/// What an operator and a responder at work tell, with what happens only when something goes wrong.
async fn told() -> Families {
    let ground = Ground::prepared().await;
    let operator = OwnOperator::start(&ground).await;
    let responder = operator.ground.responder(&ground).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.covered_by(&responder, json!({})).await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.answers(Way::PostWithNonce, &Answer::Good).await;
    stage.revoke("web", "superseded").await;
    // Within its grace: it is on no list yet.
    stage.listed("ca", "a revocation that waits", |status| status.pending_revocations.is_some_and(|pending| pending > 0)).await;
    let mut all = families(&operator.metrics().await);
    let leads = operator.metrics().await.lines().any(|line| line == "chancery_leader 1");
    assert!(leads, "{}", operator.metrics().await);
    for (name, family) in families(&responder.get("/metrics").await.1).into_iter().chain(families(&rare())) {
        let known = all.entry(name).or_default();
        known.histogram |= family.histogram;
        known.labels.extend(family.labels);
    }
    all
}

/// What a run in which all goes well does not show: counters with labels begin with the first of their kind.
fn rare() -> String {
    let metrics = Metrics::new(1);
    let took = Duration::from_millis(1);
    metrics.issuance(Issuance { issuer_kind: "Issuer", reason: "Created", outcome: "failed", took });
    metrics.reconcile("certificate", took, Some("failed"));
    metrics.api_call("update", "secrets".to_owned(), "409".to_owned());
    metrics.api_warning("update", "secrets".to_owned());
    metrics.register_conflict();
    metrics.events("dropped", 1);
    metrics.published(&Publication { lists: 1, bytes: 1, took, delays: vec![1.0] });
    metrics.encode().expect("it can be written")
}

/// The metrics that the page explains, with their labels.
fn explained() -> BTreeMap<String, BTreeSet<String>> {
    let mut explained = BTreeMap::new();
    for line in text("docs/monitoring.md").lines() {
        let Some([_, names, labels, ..]) =
            line.split('|').collect::<Vec<_>>().get(..4).map(|cells| [cells[0], cells[1], cells[2], cells[3]])
        else {
            continue;
        };
        let words = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        for name in words(names).into_iter().filter(|name| name.starts_with("chancery_")) {
            let labels = words(labels).into_iter().collect();
            assert!(explained.insert(name.clone(), labels).is_none(), "{name} is explained twice");
        }
    }
    explained
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_and_explained_is_what_is_told() {
    let told = told().await;
    let explained = explained();
    let names = |families: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> { families.cloned().collect() };
    assert_eq!(names(&mut explained.keys()), names(&mut told.keys()), "left: docs/monitoring.md, right: /metrics");
    for (name, labels) in &explained {
        assert_eq!(labels, &told[name].labels, "the labels of {name}; left: docs/monitoring.md, right: /metrics");
    }

    let find = |metric: &str| {
        let base = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| metric.strip_suffix(suffix));
        told.get(metric).or_else(|| base.and_then(|base| told.get(base)).filter(|family| family.histogram))
    };
    let dashboard = dashboard();
    let queries =
        dashboard["templating"]["list"].as_array().expect("there are variables").iter().filter_map(|one| one["definition"].as_str());
    let variables = queries.map(|query| ("a variable".to_owned(), query.to_owned()));
    let shown = panels(&dashboard).into_iter().flat_map(|panel| {
        let title = format!("panel {}", panel["title"]);
        expressions(panel).into_iter().map(move |expression| (title.clone(), expression.to_owned()))
    });
    let alerts = alerts();
    let watched = alerts.iter().map(|(name, rule)| (name.clone(), rule["expr"].as_str().expect("it is PromQL").to_owned()));
    let mut asked_for = BTreeSet::new();
    for (who, expression) in variables.chain(shown).chain(watched) {
        let metrics = asked::metrics(&expression);
        assert!(!metrics.is_empty(), "{who} asks for nothing of ours: {expression}");
        let mut known = BTreeSet::new();
        for asked in &metrics {
            let family = find(&asked.metric).unwrap_or_else(|| panic!("{who}: nobody tells {}", asked.metric));
            for label in asked.labels.iter().filter(|label| !asked::is_of_scrapes(label)) {
                assert!(family.labels.contains(label), "{who}: {} has no label {label}", asked.metric);
            }
            known.extend(family.labels.iter().cloned());
            asked_for.insert(asked.metric.clone());
        }
        for label in asked::grouped_by(&expression).into_iter().filter(|label| !asked::is_of_scrapes(label)) {
            assert!(known.contains(&label), "{who}: nothing in it has the label {label}: {expression}");
        }
    }
    // Each is worth looking at, or it would not be told.
    let unseen: Vec<&String> = told.keys().filter(|name| !asked_for.iter().any(|asked| asked.starts_with(name.as_str()))).collect();
    assert!(unseen.is_empty(), "neither the dashboard nor an alert looks at {unseen:?}");
}
