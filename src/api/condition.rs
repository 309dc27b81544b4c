//! Conditions: what a status says holds, and since when.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Whether the object is as it is asked for.
pub const READY: &str = "Ready";
/// Present while a certificate is being made that takes longer than one reconcile.
pub const ISSUING: &str = "Issuing";
/// kstatus: present and True when nothing will happen until somebody changes something.
pub const STALLED: &str = "Stalled";
/// kstatus: present and True while work is going on towards what is asked for.
pub const RECONCILING: &str = "Reconciling";
/// On an issuer: True when its remaining life is below the longest duration asked of it.
pub const AUTHORITY_ENDING: &str = "AuthorityEnding";
/// On a Certificate: True when every certificate that is revoked stands on a published list; False while that is asked for and not so.
pub const REVOKED: &str = "Revoked";
/// Some orders of a RevocationList cannot be carried out; present only then.
pub const ORDERS_REFUSED: &str = "OrdersRefused";
/// A copy of a list that spec.distribution.configMaps asks for is not made; present only then.
pub const COPY_REFUSED: &str = "CopyRefused";
/// Revocations that nobody ordered by hand wait for a person; present only then.
pub const HELD_BACK: &str = "HeldBack";

/// The types that we write. A condition of another type is somebody else's and is left alone.
const OURS: [&str; 9] = [READY, ISSUING, STALLED, RECONCILING, AUTHORITY_ENDING, REVOKED, ORDERS_REFUSED, COPY_REFUSED, HELD_BACK];
/// How many conditions a status may have, by the schema.
const MAX_CONDITIONS: usize = 16;
/// The longest message, in characters: what fits a terminal is shorter, and a cluster has many objects.
const MAX_MESSAGE: usize = 4096;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known.
    Unknown,
}

impl Truth {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A condition as a decision finds it; since when it holds, [`merge`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub type_: &'static str,
    /// Whether it holds.
    pub status: Truth,
    /// Why, for programs: a constant of [`crate::api::reason`].
    pub reason: &'static str,
    /// Why, for people. A very long one is cut.
    pub message: String,
}

impl Finding {
    /// A condition that holds or not, and why.
    pub fn new(type_: &'static str, status: impl Into<Truth>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, status: status.into(), reason, message: message.into() }
    }
}

/// The conditions after `findings`, sorted by type: of our types exactly those found, of others what was there.
///
/// `lastTransitionTime` stays where the status is what it was, else it is `now`. Equal input gives equal output, so that
/// an unchanged status can be recognised and not written.
pub fn merge(old: &[Condition], findings: &[Finding], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let mut merged: Vec<Condition> = findings.iter().map(|finding| condition(old, finding, generation, now)).collect();
    merged.truncate(MAX_CONDITIONS);
    let foreign = old.iter().filter(|condition| !OURS.contains(&condition.type_.as_str()));
    merged.extend(foreign.take(MAX_CONDITIONS - merged.len()).cloned());
    merged.sort_by(|one, other| one.type_.cmp(&other.type_));
    merged.dedup_by(|one, other| one.type_ == other.type_);
    merged
}

/// Our conditions of one status with the foreign ones of another, sorted by type.
pub fn with_foreign<'a>(ours: &[Condition], present: impl Iterator<Item = &'a Condition>) -> Vec<Condition> {
    let is_ours = |condition: &&Condition| OURS.contains(&condition.type_.as_str());
    let mut both: Vec<Condition> = ours.iter().filter(is_ours).cloned().collect();
    both.extend(present.filter(|condition| !is_ours(condition)).cloned());
    both.sort_by(|one, other| one.type_.cmp(&other.type_));
    both
}

fn condition(old: &[Condition], finding: &Finding, generation: Option<i64>, now: Timestamp) -> Condition {
    let before = find(old, finding.type_).filter(|before| before.status == finding.status.as_str());
    let since = before.map_or_else(|| Time(whole_seconds(now)), |before| before.last_transition_time.clone());
    Condition {
        last_transition_time: since,
        message: finding.message.chars().take(MAX_MESSAGE).collect(),
        observed_generation: generation,
        reason: finding.reason.to_owned(),
        status: finding.status.as_str().to_owned(),
        type_: finding.type_.to_owned(),
    }
}

/// The API writes whole seconds; a fraction kept here would make a written status differ from the same one read back.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type is there and True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == Truth::True.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let first = merge(&[], &[Finding::new(READY, false, reason::FAILED, "a")], Some(1), at(10));
        let second = merge(&first, &[Finding::new(READY, false, reason::INVALID_SPEC, "b")], Some(2), at(20));
        assert_eq!(second[0].last_transition_time, Time(at(10)));
        assert_eq!((second[0].reason.as_str(), second[0].message.as_str(), second[0].observed_generation), ("InvalidSpec", "b", Some(2)));
        let third = merge(&second, &[Finding::new(READY, true, reason::READY, "")], Some(2), at(30));
        assert_eq!(third[0].last_transition_time, Time(at(30)));
        assert!(is_true(&third, READY));
    }

    #[test]
    fn the_same_findings_again_change_nothing() {
        let findings = [Finding::new(STALLED, true, reason::INVALID_SPEC, "x"), Finding::new(READY, Truth::Unknown, reason::FAILED, "y")];
        let once = merge(&[], &findings, Some(3), at(10));
        assert_eq!(merge(&once, &findings, Some(3), at(99)), once);
        assert_eq!(once.iter().map(|condition| condition.type_.as_str()).collect::<Vec<_>>(), ["Ready", "Stalled"]);
    }

    #[test]
    fn a_condition_of_ours_that_is_not_found_goes_and_a_foreign_one_stays() {
        let mut old = merge(&[], &[Finding::new(STALLED, true, reason::FAILED, "x")], None, at(10));
        old.push(Condition { type_: "Audited".to_owned(), ..old[0].clone() });
        let merged = merge(&old, &[Finding::new(READY, true, reason::READY, "")], None, at(20));
        assert_eq!(merged.iter().map(|condition| condition.type_.as_str()).collect::<Vec<_>>(), ["Audited", "Ready"]);
    }

    #[test]
    fn our_conditions_of_one_status_go_with_the_foreign_ones_of_another() {
        let ours = merge(&[], &[Finding::new(READY, true, reason::READY, "ours")], None, at(10));
        let mut edited = merge(&[], &[Finding::new(READY, false, reason::FAILED, "edited")], None, at(20));
        edited.insert(0, Condition { type_: "Audited".to_owned(), ..edited[0].clone() });
        let both = with_foreign(&ours, edited.iter());
        assert_eq!(both.iter().map(|condition| condition.type_.as_str()).collect::<Vec<_>>(), ["Audited", "Ready"]);
        assert_eq!(both[1].message, "ours");
    }

    #[test]
    fn a_time_has_whole_seconds_and_a_long_message_is_cut() {
        let merged = merge(
            &[],
            &[Finding::new(READY, true, reason::READY, "\u{e4}".repeat(40_000))],
            None,
            Timestamp::from_millisecond(10_900).unwrap(),
        );
        assert_eq!(merged[0].last_transition_time, Time(at(10)));
        assert_eq!(merged[0].message.chars().count(), MAX_MESSAGE);
    }
}
