//! One object in depth: what is asked, what holds and since when, what to do, and what comes next.
//!
//! [`facts`] reads, as the person who runs it; what may not be read is said and is no failure. Reports are made from what was
//! read and the time, and hold no key.

pub mod advice;
pub mod certificate;
pub mod chain;
pub mod facts;
pub mod issuer;
pub mod list;
mod text;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use self::advice::{Scope, advice};
use crate::api::condition;

/// A condition, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionLine {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Why, for programs.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when it is so.
    pub since: Timestamp,
    /// Whether it is as it should be.
    pub well: bool,
    /// What a person does about it; none where there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// Something that will happen, or should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// When; none: it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What.
    pub what: String,
}

impl Next {
    fn at(time: Timestamp, what: impl Into<String>) -> Self {
        Self { at: Some(time), what: what.into() }
    }

    fn sometime(what: impl Into<String>) -> Self {
        Self { at: None, what: what.into() }
    }
}

/// An Event about the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventLine {
    /// When it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub type_: String,
    /// Why, for programs.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// How often it was seen.
    pub count: i32,
}

/// The conditions of an object, that of Ready first. What to do about one reason is said once.
fn condition_lines(scope: Scope, conditions: &[Condition]) -> Vec<ConditionLine> {
    let mut told: Vec<&str> = Vec::new();
    let mut sorted: Vec<&Condition> = conditions.iter().collect();
    sorted.sort_by_key(|condition| condition.type_ != condition::READY);
    let mut line = |found: &Condition| {
        // These are bad news when they hold, the others when they do not.
        let holds_ill = [
            condition::ISSUING,
            condition::STALLED,
            condition::RECONCILING,
            condition::AUTHORITY_ENDING,
            condition::ORDERS_REFUSED,
            condition::COPY_REFUSED,
            condition::HELD_BACK,
        ]
        .contains(&found.type_.as_str());
        let well = (found.status == "True") != holds_ill;
        let on_hold = found.reason == crate::api::reason::certificate::ON_HOLD;
        let wanted = (!well || on_hold).then(|| advice(scope, &found.reason)).flatten().filter(|text| !text.is_empty());
        let advice = wanted.filter(|text| !told.contains(text));
        told.extend(advice);
        ConditionLine {
            type_: found.type_.clone(),
            status: found.status.clone(),
            reason: found.reason.clone(),
            message: found.message.clone(),
            since: found.last_transition_time.0,
            well,
            advice,
        }
    };
    sorted.into_iter().map(&mut line).collect()
}

/// Whether the object is as it is asked for: Ready, by a status about the spec that it has now.
fn is_well(conditions: &[Condition], generation: Option<i64>, observed: Option<i64>) -> bool {
    super::list::seen(generation, observed) && condition::is_true(conditions, condition::READY)
}

/// What is said where the operator has not looked at the object as it is now.
fn unseen(generation: Option<i64>, observed: Option<i64>) -> Option<Next> {
    (!super::list::seen(generation, observed)).then(|| {
        let text = match observed {
            None | Some(..=-1) => "the operator has not looked at it yet; if it stays so: kubectl chancery check",
            Some(_) => "the operator has not looked at the last change yet; what stands here is about the one before",
        };
        Next::sometime(text)
    })
}

#[cfg(test)]
mod tests;
