//! The state of an object, in the words of `--state`.

use std::collections::BTreeSet;

use clap::ValueEnum;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use crate::{
    api::condition::{self, find, is_true},
    plugin::output::{Cell, Tone},
};

/// What can hold of an object. Several can at once; the first in this order is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its certificate, or for a list the list, has ended.
    Expired,
    /// Nothing happens until somebody changes something.
    Stalled,
    /// Its condition Ready is not True.
    NotReady,
    /// It should have been renewed by now; or time does not renew it, and a third of its life is left; or a CA ends too soon for what is
    /// asked of it.
    Expiring,
    /// A new certificate is wanted and not there yet.
    Issuing,
    /// Certificates of it were revoked, or are to be.
    Revoked,
    /// The operator has not looked at it as it is now.
    Unseen,
    /// Its condition Ready is True.
    Ready,
}

/// How an object stands, as every row says it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The condition Ready: True, False or Unknown.
    pub ready: String,
    /// All that holds of it.
    pub states: BTreeSet<State>,
    /// The reason of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// READY and STATUS.
    #[serde(skip)]
    pub(super) cells: [Cell; 2],
}

impl Standing {
    /// What the conditions come to; `seen`: whether they are about the object as it is now.
    pub(super) fn new(conditions: &[Condition], seen: bool, life: Life, now: Timestamp) -> Self {
        let states = states(conditions, seen, life, now);
        let cells = [ready(conditions, &states), status(conditions, &states)];
        let ready = find(conditions, condition::READY);
        Self {
            ready: cells[0].text.clone(),
            states,
            reason: ready.map(|ready| ready.reason.clone()),
            message: ready.map(|ready| ready.message.clone()),
            cells,
        }
    }
}

/// From when to when it holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    pub(super) begin: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) renewal: Option<Timestamp>,
}

/// Whether the status is about the spec that the object has now.
pub fn seen(generation: Option<i64>, observed: Option<i64>) -> bool {
    observed.is_some() && observed == generation
}

fn states(conditions: &[Condition], seen: bool, life: Life, now: Timestamp) -> BTreeSet<State> {
    let due = match (life.renewal, life.begin, life.end) {
        (Some(renewal), ..) => renewal <= now,
        (None, Some(begin), Some(end)) => end.duration_since(now) <= end.duration_since(begin) / 3,
        _ => false,
    };
    let expired = life.end.is_some_and(|end| end <= now);
    let ready = is_true(conditions, condition::READY);
    let holds = [
        (State::Expired, expired),
        (State::Stalled, is_true(conditions, condition::STALLED)),
        (State::NotReady, !ready),
        (State::Expiring, (due || is_true(conditions, condition::AUTHORITY_ENDING)) && !expired),
        (State::Issuing, is_true(conditions, condition::ISSUING)),
        (State::Revoked, find(conditions, condition::REVOKED).is_some()),
        (State::Unseen, !seen),
        (State::Ready, ready),
    ];
    holds.into_iter().filter(|(_, holds)| *holds).map(|(state, _)| state).collect()
}

/// The condition Ready as a cell.
fn ready(conditions: &[Condition], states: &BTreeSet<State>) -> Cell {
    let status = find(conditions, condition::READY).map_or("Unknown", |ready| ready.status.as_str());
    let tone = match status {
        "True" if states.contains(&State::Expired) => Tone::Bad,
        "True" => Tone::Good,
        "False" => Tone::Bad,
        _ => Tone::Warning,
    };
    Cell::new(status, tone)
}

/// The most urgent that there is to say, in words.
fn status(conditions: &[Condition], states: &BTreeSet<State>) -> Cell {
    let reason = |kind: &str| find(conditions, kind).map(|found| words(&found.reason));
    let ready = states.contains(&State::Ready);
    if ready && states.contains(&State::Expired) {
        return Cell::new("expired", Tone::Bad);
    }
    if !ready {
        // What is in the way says more than what is missing.
        let why = reason(condition::ISSUING).or_else(|| reason(condition::READY)).unwrap_or_else(|| "not seen yet".to_owned());
        return Cell::new(why, if conditions.is_empty() { Tone::Warning } else { Tone::Bad });
    }
    if let Some(why) = reason(condition::ISSUING) {
        return Cell::new(format!("ready; new one: {why}"), Tone::Warning);
    }
    if let Some(found) = find(conditions, condition::REVOKED).filter(|found| found.status != "True") {
        return Cell::new(format!("ready; revocation: {}", words(&found.reason)), Tone::Warning);
    }
    for kind in [condition::AUTHORITY_ENDING, condition::ORDERS_REFUSED, condition::COPY_REFUSED, condition::HELD_BACK] {
        if is_true(conditions, kind) {
            return Cell::new(format!("ready; {}", words(kind)), Tone::Warning);
        }
    }
    if states.contains(&State::Expiring) {
        return Cell::new("ready; renewal is due", Tone::Warning);
    }
    if states.contains(&State::Unseen) {
        return Cell::new("ready; last change not seen yet", Tone::Warning);
    }
    Cell::new("ready", Tone::Good)
}

/// A reason as words: `IssuerNotFound` as `issuer not found`.
pub fn words(reason: &str) -> String {
    if reason == "NotACA" {
        return "not a CA".to_owned();
    }
    let mut words = String::new();
    for letter in reason.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
