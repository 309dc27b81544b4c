//! What is decided, said and waited for, case by case.

mod authorities;
mod blocked;
mod failures;
mod lists;
mod moved;
mod ownership;
mod reasons;
mod registers;
mod revocations;
mod steady;
mod windows;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::stage::{Desk, Done, Office, Surroundings, certificate, time};
use crate::api::condition;

const NOON: &str = "2026-06-01T12:00:00Z";

fn noon() -> Timestamp {
    time(NOON)
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A Certificate that was issued at noon.
fn issued(spec: Value, office: &Office) -> Desk {
    let mut desk = Desk::new(certificate(spec));
    let around = Surroundings::of(office);
    let done = desk.reconcile(&around, None, noon());
    assert_eq!(done.issued, ["Created"]);
    desk.assert_quiet(&around, noon());
    desk
}

/// A reconcile after which a second look changes nothing.
fn reconcile(desk: &mut Desk, around: &Surroundings<'_>, now: Timestamp) -> Done {
    let done = desk.reconcile(around, None, now);
    desk.assert_quiet(around, now);
    done
}

/// The conditions that are True, with their reasons; Ready also when it is False.
fn said(desk: &Desk) -> Vec<String> {
    let kinds = [condition::READY, condition::ISSUING, condition::RECONCILING, condition::STALLED];
    let shown = |kind: &str| desk.condition(kind).map(|(status, reason, _)| format!("{kind}={status} {reason}"));
    kinds.into_iter().filter_map(shown).collect()
}

/// Ready's message.
fn message(desk: &Desk) -> String {
    desk.condition(condition::READY).unwrap().2.to_owned()
}

fn renew(desk: &mut Desk, value: &str) {
    desk.edit(|certificate| {
        certificate.metadata.annotations.get_or_insert_default().insert("chancery.dev/renew".to_owned(), value.to_owned());
    });
}

#[expect(clippy::needless_pass_by_value, reason = "the literals of the tables read better without a sign before each")]
fn edit(desk: &mut Desk, spec: Value) {
    desk.edit(|certificate| {
        let mut object = serde_json::to_value(&certificate.spec).unwrap();
        object.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        certificate.spec = serde_json::from_value(object).unwrap();
    });
}

fn plain() -> Value {
    json!({})
}
