//! What PromQL asks for: the metrics in an expression, and the labels by which it chooses or groups them.
//!
//! No parser of PromQL, which promtool has: it knows only how our own expressions are written.

use std::collections::BTreeSet;

/// Labels that a scrape puts on whatever it reads, and that of a histogram's buckets.
const OF_SCRAPES: [&str; 6] = ["namespace", "job", "pod", "instance", "le", "alertname"];

/// A metric in an expression, with the labels by which it is chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) metric: String,
    pub(super) labels: BTreeSet<String>,
}

/// The metrics of an expression.
pub(super) fn metrics(expression: &str) -> Vec<Asked> {
    let mut found = Vec::new();
    for (start, _) in expression.match_indices("chancery_") {
        let rest = &expression[start..];
        let length = rest.find(|other: char| !other.is_ascii_alphanumeric() && other != '_').unwrap_or(rest.len());
        let (metric, after) = rest.split_at(length);
        let labels = after.strip_prefix('{').and_then(|inner| inner.split_once('}')).map_or("", |(inner, _)| inner);
        found.push(Asked { metric: metric.to_owned(), labels: chosen_by(labels) });
    }
    found
}

/// The labels of `{one="a",other=~"b"}`, without the braces.
fn chosen_by(matchers: &str) -> BTreeSet<String> {
    let names = matchers.split(',').filter_map(|matcher| matcher.split(['=', '!']).next()).map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The labels by which an expression groups or joins.
pub(super) fn grouped_by(expression: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for word in ["by (", "on ("] {
        for part in expression.split(word).skip(1) {
            let inner = part.split_once(')').map_or("", |(inner, _)| inner);
            labels.extend(inner.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
        }
    }
    labels
}

/// Whether every scrape has this label.
pub(super) fn is_of_scrapes(label: &str) -> bool {
    OF_SCRAPES.contains(&label)
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let expression = r#"sum by (outcome, le) (rate(chancery_a_total{x="1",y!~"b"}[5m])) > on (name) chancery_b"#;
    let asked = |metric: &str, labels: &[&str]| Asked {
        metric: metric.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    assert_eq!(metrics(expression), [asked("chancery_a_total", &["x", "y"]), asked("chancery_b", &[])]);
    assert_eq!(grouped_by(expression).into_iter().collect::<Vec<_>>(), ["le", "name", "outcome"]);
}
