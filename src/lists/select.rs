//! Which entries stand on the next list of a shard, given the one that stands.
//!
//! What was on a list stays until its certificate has expired and one more list has shown it (RFC 5280 section 3.3), or its
//! hold has ended. What the register has forgotten stays until all that was on the list with it has expired. Pure.

use std::borrow::Cow;

use chancery_pki::{Crl, CrlError, Reason, Revoked, SerialNumber};
use jiff::Timestamp;

use super::{
    entries::{Knows, ListEntry},
    head::Shard,
};

/// A list as it stands, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) shard: &'a Shard,
    /// None where its chunks are lost.
    pub(super) list: Option<&'a Crl>,
}

/// What the next list holds.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    /// Its entries, by ascending serial.
    pub(super) entries: Vec<Cow<'a, Revoked>>,
    /// Those of them that the list before did not show so.
    pub(super) added: Vec<&'a Revoked>,
    /// What the list before showed, and is not revoked any more.
    pub(super) released: Vec<SerialNumber>,
    /// How many are of certificates that the register knows and that have not expired.
    pub(super) live: usize,
    /// See [`Shard::until`].
    pub(super) until: Option<Timestamp>,
}

/// Why an entry that was on the list may not be on the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Its certificate has expired, and the list that stands was made after that.
    Ended,
    /// Its hold has ended.
    Released,
    /// It may not.
    Never,
    /// The register calls it good, and has no release: it says something else than it did.
    Contradicted,
}

/// What decides on a shard's entries.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// All that the register has of this shard, by ascending serial.
    pub(super) entries: &'a [ListEntry],
    /// What it says of others.
    pub(super) knows: &'a dyn Fn(&SerialNumber) -> Knows,
    pub(super) standing: Option<Standing<'a>>,
    /// What is to be published by then is put on the list.
    pub(super) by: Timestamp,
    /// The thisUpdate of the list to be made.
    pub(super) this_update: Timestamp,
    /// The register went back: its lines are not those that the list was made from.
    pub(super) afresh: bool,
}

impl<'a> Rules<'a> {
    /// The entries of the next list.
    pub(super) fn select(&self) -> Result<Selection<'a>, CrlError> {
        let mut selection = Selection::default();
        for entry in self.entries.iter().filter(|entry| entry.from <= self.by && !self.has_ended(entry)) {
            self.known(entry, &mut selection);
        }
        if let Some(standing) = self.standing
            && let Some(list) = standing.list
        {
            self.keep(&standing, list, &mut selection)?;
        }
        Ok(selection)
    }

    /// Whether an entry of the list that stands may be missing on the next one.
    pub(super) fn leave(&self, revoked: &Revoked) -> Leave {
        if let Some(entry) = self.entry(&revoked.serial) {
            // A hold that becomes a revocation stays on the list meanwhile; one that comes later was released before.
            let is_released = entry.from > self.by && revoked.reason == Reason::CertificateHold && entry.revoked.reason != revoked.reason;
            return match (self.has_ended(entry), is_released) {
                (true, _) => Leave::Ended,
                (false, true) => Leave::Released,
                (false, false) => Leave::Never,
            };
        }
        match (self.knows)(&revoked.serial) {
            Knows::Released => Leave::Released,
            Knows::Pending if revoked.reason == Reason::CertificateHold => Leave::Released,
            Knows::Good | Knows::Pending => Leave::Contradicted,
            // What stands in another shard now stays here as well, for those who look here.
            Knows::Revoked | Knows::Nothing => self.by_the_others(),
        }
    }

    fn known(&self, entry: &'a ListEntry, selection: &mut Selection<'a>) {
        selection.entries.push(Cow::Borrowed(&entry.revoked));
        selection.live += usize::from(entry.not_after.is_none_or(|end| end > self.by));
        selection.until = selection.until.max(entry.not_after);
        if self.standing.is_none_or(|standing| !self.is_known_to(entry, standing.shard)) {
            selection.added.push(&entry.revoked);
        }
    }

    /// Adds what has to stay and is not there.
    fn keep(&self, standing: &Standing<'_>, list: &Crl, selection: &mut Selection<'a>) -> Result<(), CrlError> {
        let mut kept = Vec::new();
        for revoked in list.entries() {
            let revoked = revoked?;
            let place = selection.entries.binary_search_by(|entry| entry.serial.cmp(&revoked.serial));
            if place.is_ok() {
                continue;
            }
            match self.leave(&revoked) {
                Leave::Never => kept.push(revoked),
                Leave::Released => selection.released.push(revoked.serial),
                // The guard says so.
                Leave::Ended | Leave::Contradicted => {}
            }
        }
        if !kept.is_empty() {
            selection.until = selection.until.max(standing.shard.until);
            selection.entries.extend(kept.into_iter().map(Cow::Owned));
            selection.entries.sort_by(|one, other| one.serial.cmp(&other.serial));
        }
        Ok(())
    }

    fn entry(&self, serial: &SerialNumber) -> Option<&'a ListEntry> {
        let place = self.entries.binary_search_by(|entry| entry.revoked.serial.cmp(serial)).ok()?;
        self.entries.get(place)
    }

    /// Whether the certificate had expired when the list that stands was made, and that list was to show it.
    fn has_ended(&self, entry: &ListEntry) -> bool {
        let Some(standing) = self.standing else { return false };
        self.is_known_to(entry, standing.shard) && entry.not_after.is_some_and(|end| end < self.shown_at(standing.shard))
    }

    fn is_known_to(&self, entry: &ListEntry, list: &Shard) -> bool {
        !self.afresh && list.holds(entry.sequence, entry.from)
    }

    /// The register does not say when the certificate expires; the last of all that were on the list with it is late enough.
    fn by_the_others(&self) -> Leave {
        match self.standing.and_then(|standing| Some((standing.shard, standing.shard.until?))) {
            Some((shard, until)) if until < self.shown_at(shard) => Leave::Ended,
            _ => Leave::Never,
        }
    }

    /// When the list that stands was made; not later than now, should a clock have run ahead.
    fn shown_at(&self, shard: &Shard) -> Timestamp {
        shard.this_update.min(self.this_update)
    }
}
