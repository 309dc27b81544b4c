//! Asking for new certificates, and waiting for them.
//!
//! What asks is an annotation whose value is new: the operator answers each value once.

use std::{
    io::{self, Write},
    pin::pin,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde_json::json;

use super::{
    change::{AT_ONCE, DryRun, change},
    list::seen,
    output::{Report, Tone, plain},
    read::object_name,
    span::moment,
    wait::answers,
};
use crate::api::{
    Certificate, CertificateStatus,
    condition::{self, find, is_true},
    names,
};

/// What became of one Certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The value of the annotation that asks.
    pub value: String,
    /// Whether that is so, or was only tried out.
    pub requested: bool,
    /// Whether a new certificate is there; none where it was not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed: Option<bool>,
    /// The new certificate's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Until when it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// What is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(skip)]
    object: String,
}

/// What became of all.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewals {
    /// One for each Certificate.
    pub items: Vec<Renewal>,
    #[serde(skip)]
    dry_run: DryRun,
    #[serde(skip)]
    now: Timestamp,
}

impl Renewals {
    /// Whether one could not be asked for, or did not come.
    pub fn failed(&self) -> bool {
        self.items.iter().any(|item| item.problem.is_some())
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Whether it is only tried out.
    pub dry_run: DryRun,
    /// How long the new certificates are waited for; none: not at all.
    pub wait: Option<Duration>,
    /// The time; each annotation gets it as its value.
    pub now: Timestamp,
}

/// Asks for a new certificate for each, and waits for them where that is wanted. `asked` hears how many were asked for, `told` of each
/// that is waited for as it comes.
pub async fn renew(client: &Client, certificates: &[Certificate], ask: Ask, asked: impl Fn(usize), told: impl Fn(&Renewal)) -> Renewals {
    let value = ask.now.to_string();
    let patch = json!({"metadata": {"annotations": {names::RENEW: value}}});
    let changes = certificates.iter().map(|certificate| {
        let api: Api<Certificate> = Api::namespaced(client.clone(), &certificate.namespace().unwrap_or_default());
        let patch = &patch;
        async move { change(&api, certificate, ask.dry_run, |_| Ok(patch.clone())).await }
    });
    let mut changes = pin!(stream::iter(changes).buffered(AT_ONCE));
    let mut items = Vec::new();
    let (mut places, mut before) = (Vec::new(), Vec::new());
    while let Some(changed) = changes.next().await {
        let certificate = &certificates[items.len()];
        let mut item = Renewal {
            namespace: certificate.namespace().unwrap_or_default(),
            name: certificate.name_any(),
            value: value.clone(),
            requested: ask.dry_run == DryRun::None && changed.is_ok(),
            renewed: None,
            serial_number: None,
            not_after: None,
            problem: None,
            object: object_name(certificate),
        };
        match changed {
            Ok(changed) => {
                places.push(items.len());
                before.push(changed);
            }
            Err(error) => item.problem = Some(format!("{error:#}")),
        }
        items.push(item);
        asked(items.len());
    }
    if let Some(limit) = ask.wait.filter(|_| ask.dry_run == DryRun::None) {
        let pick = |place: usize, state: &Certificate| outcome(&before[place], state, &value);
        answers(client, &before, limit, pick, in_the_way, |place, outcome| {
            let item = &mut items[places[place]];
            let outcome = outcome.and_then(|outcome| outcome);
            item.renewed = Some(outcome.is_ok());
            match outcome {
                Ok(status) => {
                    item.serial_number = status.serial_number;
                    item.not_after = status.not_after.map(|time| time.0);
                }
                Err(problem) => item.problem = Some(problem),
            }
            told(item);
        })
        .await;
    }
    Renewals { items, dry_run: ask.dry_run, now: ask.now }
}

/// What became of the request by this state of the Certificate; none: it is not known yet.
fn outcome(before: &Certificate, state: &Certificate, value: &str) -> Option<Result<CertificateStatus, String>> {
    let status = state.status.clone().unwrap_or_default();
    if status.renew_handled.as_deref() == Some(value)
        && is_true(&status.conditions, condition::READY)
        && seen(state.metadata.generation, status.observed_generation)
    {
        return Some(Ok(status));
    }
    if state.annotations().get(names::RENEW).map(String::as_str) != Some(value) {
        return Some(Err("somebody else asked for another one meanwhile".to_owned()));
    }
    let old = before.status.clone().unwrap_or_default();
    // What failed before this request is no answer to it.
    let failed = status.last_failure_time.is_some() && status.last_failure_time != old.last_failure_time;
    let told = |status: &CertificateStatus| {
        find(&status.conditions, condition::STALLED).map(|found| (found.reason.clone(), found.message.clone()))
    };
    let stalled = is_true(&status.conditions, condition::STALLED) && told(&status) != told(&old);
    (failed || stalled).then(|| Err(in_the_way(state)))
}

/// What the Certificate says is in the way of a new one.
fn in_the_way(state: &Certificate) -> String {
    let status = state.status.clone().unwrap_or_default();
    let found = find(&status.conditions, condition::ISSUING).or_else(|| find(&status.conditions, condition::READY));
    match found {
        Some(found) if found.type_ == condition::READY && found.status == "True" => {
            "the operator has not answered the request; see: kubectl chancery check".to_owned()
        }
        Some(found) => format!("{}: {}", found.reason, found.message),
        None => "the operator has not looked at it; see: kubectl chancery check".to_owned(),
    }
}

impl Report for Renewals {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        for item in &self.items {
            let name = plain(&item.object);
            match (&item.problem, item.renewed) {
                (Some(problem), _) => writeln!(out, "{name} {}", Tone::Bad.paint(&format!("not renewed: {problem}")))?,
                (None, Some(_)) => {
                    let end = item.not_after.map(|end| format!(", ends {}", moment(end, self.now))).unwrap_or_default();
                    writeln!(out, "{name} renewed: serial {}{end}", plain(item.serial_number.as_deref().unwrap_or_default()))?;
                }
                (None, None) => writeln!(out, "{name} renewal requested{}", self.dry_run.note())?,
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(|item| item.object.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "it reads best where it is called")]
    fn certificate(value: &str, status: Value) -> Certificate {
        serde_json::from_value(json!({
            "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate",
            "metadata": {"name": "web", "generation": 1, "annotations": {names::RENEW: value}},
            "spec": {"secretName": "web", "issuerRef": {"name": "ca"}}, "status": status,
        }))
        .unwrap()
    }

    fn conditions(rows: &[(&str, &str, &str)]) -> Value {
        let condition = |(kind, status, reason): &(&str, &str, &str)| json!({"type": kind, "status": status, "reason": reason, "message": "why", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        rows.iter().map(condition).collect()
    }

    type Row = (&'static str, Value, Option<Result<(), &'static str>>);

    #[test]
    fn only_an_answer_to_this_request_counts() {
        let ready = conditions(&[("Ready", "True", "Ready")]);
        let stalled = conditions(&[("Ready", "False", "Revoked"), ("Stalled", "True", "Revoked")]);
        let otherwise =
            conditions(&[("Ready", "False", "NotAllowed"), ("Issuing", "True", "NotAllowed"), ("Stalled", "True", "NotAllowed")]);
        let failed = "2026-01-01T00:00:00Z";
        let before =
            certificate("new", json!({"observedGeneration": 1, "conditions": stalled, "renewHandled": "old", "lastFailureTime": failed}));
        let rows: [Row; 6] = [
            ("new", json!({"observedGeneration": 1, "conditions": stalled, "renewHandled": "old", "lastFailureTime": failed}), None),
            ("new", json!({"observedGeneration": 1, "conditions": ready, "renewHandled": "old"}), None),
            ("new", json!({"observedGeneration": 1, "conditions": ready, "renewHandled": "new"}), Some(Ok(()))),
            ("new", json!({"observedGeneration": 1, "conditions": otherwise}), Some(Err("NotAllowed: why"))),
            (
                "new",
                json!({"observedGeneration": 1, "conditions": stalled, "lastFailureTime": "2026-01-01T00:01:00Z"}),
                Some(Err("Revoked: why")),
            ),
            ("other", json!({"observedGeneration": 1, "conditions": stalled}), Some(Err("somebody else"))),
        ];
        for (value, status, expected) in rows {
            let found = outcome(&before, &certificate(value, status.clone()), "new");
            match (expected, found) {
                (None, None) | (Some(Ok(())), Some(Ok(_))) => {}
                (Some(Err(expected)), Some(Err(found))) => assert!(found.starts_with(expected), "{found}"),
                (expected, found) => panic!("{status}: {found:?} is not {expected:?}"),
            }
        }
    }
}
