//! One change of one field: what is expected of it, how it is made, and how it is seen that this happened and nothing else.

use std::collections::BTreeSet;

use chancery::api::Certificate;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use super::versions::{Versions, changes};
use crate::stage::{Stage, key_id, leaf, merged, serial};

/// A row of the table: a field of the spec, two values of it, and what a change from the one to the other and back does.
pub(super) struct Row {
    /// The path of the field, without `spec`.
    pub(super) field: &'static str,
    before: Value,
    after: Value,
    there: Outcome,
    back: Outcome,
}

/// What a change does.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// There is a new certificate with a new key, for this reason.
    NewCertificate(&'static str),
    /// There is a new certificate with the same key, for this reason.
    SameKey(&'static str),
    /// The Secret is written once, around the same certificate and key, and differs in exactly this.
    PutRight(Vec<String>),
    /// The Secret is not written, and the status differs in exactly these fields.
    Nothing(&'static [&'static str]),
}

impl Outcome {
    /// Of the change that takes this one back.
    fn reversed(&self) -> Self {
        match self {
            Self::PutRight(changes) => Self::PutRight(changes.iter().map(|change| reversed(change)).collect()),
            other => other.clone(),
        }
    }
}

fn reversed(change: &str) -> String {
    match change.split_at(1) {
        ("+", what) => format!("-{what}"),
        ("-", what) => format!("+{what}"),
        _ => change.to_owned(),
    }
}

/// A row whose change back does the same as the change there.
pub(super) fn row(field: &'static str, before: Value, after: Value, there: Outcome) -> Row {
    let back = there.reversed();
    Row { field, before, after, there, back }
}

/// The Secret is written once, and differs in this.
pub(super) fn put_right<const N: usize>(changes: [&str; N]) -> Outcome {
    Outcome::PutRight(changes.map(ToOwned::to_owned).to_vec())
}

impl Row {
    /// The same row, where the change back does something else.
    pub(super) fn but_back(self, back: Outcome) -> Self {
        Self { back, ..self }
    }

    /// The same row with more in both specs.
    pub(super) fn with(self, more: &Value) -> Self {
        Self { before: merged(more.clone(), &self.before), after: merged(more.clone(), &self.after), ..self }
    }

    /// Whether the two specs differ in the field that the row is named after.
    pub(super) fn changes_its_field(&self) -> bool {
        values_at(&self.before, self.field) != values_at(&self.after, self.field)
    }

    /// Makes a Certificate, the change, and the change back.
    pub(super) async fn run(&self, stage: &Stage, number: usize) {
        let name = format!("{number:02}-{}", self.field.to_lowercase().replace('.', "-"));
        let (before, after) = (merged(leaf("ca", &name), &self.before), merged(leaf("ca", &name), &self.after));
        let certificate = stage.issued(&name, before.clone()).await;
        let mut reasons = vec!["Created".to_owned()];
        let certificate = self.step(stage, &certificate, (&before, &after), &self.there, &mut reasons).await;
        self.step(stage, &certificate, (&after, &before), &self.back, &mut reasons).await;
        assert_eq!(stage.issuances(&name).await, reasons, "{name}: on record");
    }

    async fn step(
        &self,
        stage: &Stage,
        was: &Certificate,
        specs: (&Value, &Value),
        outcome: &Outcome,
        reasons: &mut Vec<String>,
    ) -> Certificate {
        let name = was.name_any();
        let (from, to) = specs;
        let change = difference(from, to);
        let what = format!("{name}: {change}");
        let before = stage.secret(&was.spec.secret_name).await;
        let target = to["secretName"].as_str().expect("each has one");
        let mut versions = Versions::since(stage, target, &before.resource_version().unwrap_or_default()).await;
        stage.respec(&name, change).await;
        let now = match outcome {
            Outcome::NewCertificate(_) | Outcome::SameKey(_) => stage.replaced(was).await,
            Outcome::PutRight(_) | Outcome::Nothing(_) => stage.ready(&name).await,
        };
        // Another look at a spec that asks for the same: what was not written at the first one is not written at all.
        let looked = look_again(stage, &now).await;
        assert_eq!(serial(&looked), serial(&now), "{what}: another look made another certificate");
        let written = versions.up_to_now(stage).await;
        match outcome {
            Outcome::NewCertificate(reason) | Outcome::SameKey(reason) => {
                let keeps = matches!(outcome, Outcome::SameKey(_));
                assert_eq!(key_id(&now) == key_id(was), keeps, "{what}: whether the key is the same");
                assert_eq!(written.len(), 1, "{what}: writes of the Secret");
                let issued = now.status.iter().flat_map(|status| &status.issued).next();
                assert_eq!(issued.map(|issued| issued.reason.as_str()), Some(*reason), "{what}");
                reasons.push((*reason).to_owned());
            }
            Outcome::PutRight(expected) => {
                assert_eq!((serial(&now), key_id(&now)), (serial(was), key_id(was)), "{what}");
                assert_eq!(written.len(), 1, "{what}: writes of the Secret");
                assert_eq!(changes(&before, &written[0]), expected.iter().cloned().collect(), "{what}: what changed in the Secret");
            }
            Outcome::Nothing(fields) => {
                assert_eq!((serial(&now), key_id(&now)), (serial(was), key_id(was)), "{what}");
                assert_eq!(written.len(), 0, "{what}: writes of the Secret");
                let expected: BTreeSet<String> = fields.iter().map(|field| (*field).to_owned()).collect();
                assert_eq!(told_otherwise(was, &now), expected, "{what}: what changed in the status");
            }
        }
        looked
    }
}

async fn look_again(stage: &Stage, certificate: &Certificate) -> Certificate {
    let limit = certificate.metadata.generation.unwrap_or_default() + 100;
    stage.respec(&certificate.name_any(), json!({"revisionHistoryLimit": limit})).await;
    stage.ready(&certificate.name_any()).await
}

/// The merge patch (RFC 7386) that makes the one of the other.
fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let mut patch = Map::new();
    for field in from.keys().filter(|field| !to.contains_key(*field)) {
        patch.insert(field.clone(), Value::Null);
    }
    for (field, value) in to {
        match from.get(field) {
            Some(before) if before == value => {}
            Some(before) => drop(patch.insert(field.clone(), difference(before, value))),
            None => drop(patch.insert(field.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

/// The fields in which two statuses differ, but for the generation that they are about.
fn told_otherwise(before: &Certificate, after: &Certificate) -> BTreeSet<String> {
    let status = |certificate: &Certificate| {
        let mut status = serde_json::to_value(&certificate.status).expect("a status is JSON");
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["observedGeneration"] = Value::Null;
        }
        status["observedGeneration"] = Value::Null;
        status
    };
    let (before, after) = (status(before), status(after));
    let fields = [&before, &after].into_iter().filter_map(Value::as_object).flat_map(Map::keys);
    fields.filter(|field| before[*field] != after[*field]).cloned().collect()
}

/// The values of a field, of all items where lists lie on the way.
fn values_at<'a>(spec: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut values = vec![spec];
    for step in path.split('.') {
        let items = values.into_iter().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        });
        values = items.filter_map(|item| item.get(step)).collect();
    }
    values
}
