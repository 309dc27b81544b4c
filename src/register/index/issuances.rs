//! What is known of a Certificate and of its namespace: what was issued, and how often again.
//!
//! Records only: which line changes them, and when they go, is for `state` to say.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chancery_pki::{KeyId, SerialNumber};
use jiff::Timestamp;

use super::{refusals::Refusals, state::Order};
use crate::register::{layout::RegisterId, line::Owner};

/// How many certificates of an owner are kept.
pub const ISSUANCES: usize = 21;

/// How far back re-issues are counted.
pub const REISSUE_WINDOW: Duration = Duration::from_hours(1);

/// A certificate on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its serial.
    pub serial: SerialNumber,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Its key.
    pub key_id: KeyId,
    /// Where it is recorded: by the authority that signed it.
    pub register: RegisterId,
    /// When it was recorded.
    pub time: Timestamp,
    /// Its line.
    pub sequence: u64,
    /// Why it was issued.
    pub reason: Arc<str>,
    /// The uid that the owner had.
    pub uid: Arc<str>,
    /// Whether it was made elsewhere and accepted.
    pub imported: bool,
    pub(super) voided: bool,
}

impl Current {
    fn order(&self) -> Order {
        (self.time, self.sequence, self.register)
    }
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Namespace {
    pub(super) owners: HashMap<Box<str>, OwnerRecord>,
    pub(super) reissues: Reissues,
    pub(super) refusals: Refusals,
}

/// What is known of a Certificate.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OwnerRecord {
    /// Oldest first.
    pub(super) issuances: Vec<Current>,
    /// All that have not ended long ago, in the order of their registers' lines.
    pub(super) all: Vec<(RegisterId, SerialNumber)>,
    /// As the last line named it.
    pub(super) owner: Option<Arc<Owner>>,
    pub(super) reissues: Reissues,
}

impl OwnerRecord {
    /// Newest first.
    pub(super) fn live(&self) -> impl Iterator<Item = &Current> {
        self.issuances.iter().rev().filter(|issuance| !issuance.voided)
    }

    pub(super) fn push(&mut self, issuance: Current) {
        let place = self.issuances.partition_point(|other| other.order() < issuance.order());
        if self.issuances.len() == ISSUANCES && place == 0 {
            return;
        }
        self.issuances.insert(place, issuance);
        if self.issuances.len() > ISSUANCES {
            self.issuances.remove(0);
        }
    }
}

/// Times of re-issues in the last hour, oldest first, with the serial so that one can be taken back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reissues(Vec<(Timestamp, SerialNumber)>);

impl Reissues {
    pub(super) fn since(&self, since: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.0[self.0.partition_point(|(time, _)| *time < since)..].iter().map(|(time, _)| *time)
    }

    pub(super) fn push(&mut self, time: Timestamp, serial: SerialNumber) {
        let place = self.0.partition_point(|other| *other < (time, serial.clone()));
        self.0.insert(place, (time, serial));
        if let Some((last, _)) = self.0.last() {
            self.prune(*last);
        }
    }

    pub(super) fn take_back(&mut self, serial: &SerialNumber) {
        self.0.retain(|(_, other)| other != serial);
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        let start = now.checked_sub(REISSUE_WINDOW).unwrap_or(Timestamp::MIN);
        self.0.drain(..self.0.partition_point(|(time, _)| *time < start));
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
