//! What a delta holds: all that has changed since the complete list that it adds to.

use std::collections::BTreeMap;

use chancery_pki::{Crl, CrlError, CrlNumber, Reason, Revoked, SerialNumber};
use jiff::Timestamp;

use super::select::Selection;

/// A delta to be signed.
#[derive(Debug)]
pub(super) struct Delta {
    /// The number of the complete list that it adds to.
    pub(super) base: CrlNumber,
    pub(super) entries: Vec<Revoked>,
}

impl Delta {
    /// That of a complete list whose delta starts anew. `before` is the number of the complete list before it, if that one
    /// could be read: those who have it need no other to know all.
    pub(super) fn anew(number: CrlNumber, before: Option<CrlNumber>, next: &Selection<'_>, now: Timestamp) -> Self {
        match before {
            Some(base) => Self { base, entries: changed(BTreeMap::new(), next, now) },
            None => Self { base: number, entries: Vec::new() },
        }
    }

    /// The delta that stands, and what a complete list has that the one before it had not.
    pub(super) fn continued(standing: &Crl, next: &Selection<'_>, now: Timestamp) -> Result<Self, CrlError> {
        let mut entries = BTreeMap::new();
        for revoked in standing.entries() {
            let revoked = revoked?;
            let there = next.entries.binary_search_by(|entry| entry.serial.cmp(&revoked.serial)).is_ok();
            // What has left the complete list because it expired leaves this one too.
            if there || revoked.reason == Reason::RemoveFromCrl {
                entries.insert(revoked.serial.clone(), revoked);
            }
        }
        Ok(Self { base: base(standing)?, entries: changed(entries, next, now) })
    }

    /// The same again.
    pub(super) fn again(standing: &Crl) -> Result<Self, CrlError> {
        Ok(Self { base: base(standing)?, entries: standing.entries().collect::<Result<_, _>>()? })
    }
}

fn base(delta: &Crl) -> Result<CrlNumber, CrlError> {
    delta.delta_base().ok_or(CrlError::Number)
}

fn changed(mut entries: BTreeMap<SerialNumber, Revoked>, next: &Selection<'_>, now: Timestamp) -> Vec<Revoked> {
    for serial in &next.released {
        let gone = Revoked { serial: serial.clone(), time: now, reason: Reason::RemoveFromCrl, invalidity_date: None };
        entries.insert(serial.clone(), gone);
    }
    for revoked in &next.added {
        entries.insert(revoked.serial.clone(), (*revoked).clone());
    }
    entries.into_values().collect()
}
