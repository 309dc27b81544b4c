//! What an older copy of a register brings back to one that has gone back in time.
//!
//! Where the copy goes on exactly where the register ends, its lines stand again, word for word. Where the register has gone on otherwise
//! since, what the copy knows and the register does not is recorded once more, with the time of then. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use chancery_pki::{KeyId, Reason, SerialNumber};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::{
    export::Former,
    index::{KeyRecord, Ledger, Standing, Stands},
    line::{Act, Entry, Line, NO_LINE, Position, Written},
    trim::KEPT,
};

/// How far ahead of now a line's time may lie: clocks differ a little.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Who acts, on the lines of what is recorded once more; who did it first follows.
pub const ACTOR: &str = "restore";

/// What a copy brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// All of it stands.
    Nothing,
    /// These lines stand again after this place, which is the register's end; or the register begins with them.
    Again(Former),
    /// The register has gone on otherwise: these lines are lost as they were, and what they say may be recorded once more.
    Anew(Vec<Written>),
}

/// Why a copy is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RecoverError {
    /// No line of it is in the register.
    #[error(
        "it has no line in common with the register as it stands: it is another register's, or this one was begun anew. If it was, \
         say so (--begun-anew)"
    )]
    Foreign,
    /// It begins after the register's end.
    #[error("lines {from} to {to} are neither in it nor in the register: hand in an older export too, or one with these lines")]
    Gap {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A line is from a time to come.
    #[error("line {sequence} says that it was written at {time}, which is yet to come")]
    Ahead {
        /// The line.
        sequence: u64,
        /// Its time.
        time: Timestamp,
    },
}

/// What to do with a copy. `end` is where the register ends, and `stands` says of a place whether the line there is the same.
///
/// # Errors
/// When the copy is not this register's, or there is a gap between them. `begun_anew` says that neither matters.
pub fn recover(
    copy: &Former,
    end: &Position,
    stands: &dyn Fn(&Position) -> Stands,
    begun_anew: bool,
    now: Timestamp,
) -> Result<Recovery, RecoverError> {
    // Also what was recorded once more says when it was recorded first.
    let latest = |line: &Line| line.time.max(line.happened());
    if let Some(line) = copy.lines.iter().map(|line| &line.line).find(|line| latest(line).duration_since(now) > AHEAD) {
        return Err(RecoverError::Ahead { sequence: line.sequence, time: latest(line) });
    }
    if end.sequence == 0 {
        return Ok(if copy.lines.is_empty() { Recovery::Nothing } else { Recovery::Again(copy.clone()) });
    }
    // How many of its lines stand: the last that does vouches for those before it.
    let common = (1..=copy.lines.len()).rev().find(|count| stands(&copy.lines[count - 1].end()) == Stands::Yes);
    let common = common.or_else(|| (copy.after.sequence > 0 && stands(&copy.after) == Stands::Yes).then_some(0));
    match common {
        Some(count) => {
            let after = count.checked_sub(1).map_or_else(|| copy.after.clone(), |last| copy.lines[last].end());
            let lines = copy.lines[count..].to_vec();
            Ok(if lines.is_empty() {
                Recovery::Nothing
            } else if after == *end {
                Recovery::Again(Former { after, lines })
            } else {
                Recovery::Anew(lines)
            })
        }
        None if begun_anew => Ok(if copy.lines.is_empty() { Recovery::Nothing } else { Recovery::Anew(copy.lines.clone()) }),
        None if copy.after.sequence > end.sequence => Err(RecoverError::Gap { from: end.sequence + 1, to: copy.after.sequence }),
        None => Err(RecoverError::Foreign),
    }
}

/// What is known where lost lines are recorded once more.
pub struct Known<'a> {
    /// What the register says; changed as what is recorded would change it.
    pub ledger: Ledger,
    /// What is on record of a key.
    pub key: &'a dyn Fn(&KeyId) -> Option<KeyRecord>,
    /// Whether a key may not be certified.
    pub blocked: &'a dyn Fn(&KeyId) -> bool,
    /// Whether the copy of an authority's key is there.
    pub copy: &'a dyn Fn(&KeyId) -> bool,
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// What lost lines say that is not known, as entries to be recorded: each with the time of then, so that it counts as it did.
pub fn facts(lost: &[Written], mut known: Known<'_>, now: Timestamp) -> Vec<Entry> {
    let with = |acts: &[Act]| -> HashSet<&SerialNumber> {
        lost.iter()
            .map(|line| &line.line.entry)
            .filter(|entry| acts.contains(&entry.act))
            .filter_map(|entry| entry.serial.as_ref())
            .collect()
    };
    let (issued, voided) = (with(&[Act::Issued, Act::Imported]), with(&[Act::Voided]));
    let mut said: HashSet<(Act, KeyId)> = HashSet::new();
    let mut entries = Vec::new();
    for Written { line, .. } in lost {
        // What was issued and taken back again never was.
        let never = line.entry.serial.as_ref().is_some_and(|serial| issued.contains(serial) && voided.contains(serial))
            && matches!(line.entry.act, Act::Issued | Act::Imported | Act::Voided);
        if never || !is_news(line, &known, &mut said, now) {
            continue;
        }
        let actor = if line.entry.actor.is_empty() { ACTOR.to_owned() } else { format!("{ACTOR}, {}", line.entry.actor) };
        let entry = Entry { recorded: Some(line.happened()), actor, ..line.entry.clone() };
        let owner = entry.owner.clone().map(Arc::new);
        known.ledger.apply(&Line { sequence: line.sequence, time: now, previous: NO_LINE.to_owned(), entry: entry.clone() }, owner);
        entries.push(entry);
    }
    entries
}

fn is_news(line: &Line, known: &Known<'_>, said: &mut HashSet<(Act, KeyId)>, now: Timestamp) -> bool {
    let (entry, then) = (&line.entry, line.happened());
    let certificate = entry.serial.as_ref().and_then(|serial| known.ledger.get(serial));
    let end = entry.not_after.or_else(|| certificate.and_then(|certificate| certificate.not_after));
    let ended = end.is_some_and(|end| end.checked_add(KEPT).is_ok_and(|end| end < now));
    let standing = certificate.map(|certificate| &certificate.standing);
    match entry.act {
        Act::Issued | Act::Imported => !ended && certificate.is_none_or(|certificate| certificate.issued.is_none()),
        Act::Voided => standing.is_some_and(|standing| standing.revocation().is_none()),
        Act::Revoked => match standing {
            Some(Standing::Revoked(revocation)) => entry.code == Some(Reason::KeyCompromise) && revocation.reason != Reason::KeyCompromise,
            _ => !ended,
        },
        Act::Held => match standing {
            None | Some(Standing::Good | Standing::Pending(_)) => !ended,
            // Whoever released it since knew what they did.
            Some(Standing::Released(since)) => !ended && since.time < then,
            Some(Standing::Held(_) | Standing::Revoked(_)) => false,
        },
        Act::Released => matches!(standing, Some(Standing::Held(since)) if since.time <= then),
        Act::Pending => match standing {
            None | Some(Standing::Good) => !ended,
            Some(Standing::Released(since)) => !ended && since.time < then,
            Some(Standing::Pending(_) | Standing::Held(_) | Standing::Revoked(_)) => false,
        },
        Act::Blocked | Act::Made | Act::Copied | Act::Retired | Act::Destroyed => {
            let Some(key) = entry.key_id else { return false };
            let record = (known.key)(&key);
            let record = record.as_ref();
            let news = match entry.act {
                Act::Blocked => !(known.blocked)(&key),
                Act::Made => record.is_none_or(|record| !record.is_made()),
                // A line on a copy that is not there, or a destruction of one that is there again, would be wrong.
                Act::Copied => record.is_none_or(|record| !record.is_copied()) && (known.copy)(&key),
                Act::Retired => record.is_none_or(|record| !record.is_retired()),
                _ => record.is_none_or(|record| record.destroyed().is_none()) && !(known.copy)(&key),
            };
            news && said.insert((entry.act, key))
        }
        Act::Published | Act::Refused | Act::Unknown => false,
    }
}

#[cfg(test)]
mod tests;
