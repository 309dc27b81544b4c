//! What a register says that belongs on a list, and whether a list that stands still says the same.

use std::collections::BTreeMap;

use chancery_pki::{RANDOM_OCTETS, Revoked, SerialNumber};
use jiff::Timestamp;

use super::{
    head::{Head, Shard},
    place::shard_of,
};
use crate::register::{Known, Ledger, Revocation, Standing};

/// A certificate that is revoked or on hold, by the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// What the list says of it.
    pub revoked: Revoked,
    /// It stands on no list before this time.
    pub from: Timestamp,
    /// The line that says so.
    pub sequence: u64,
    /// The end of the certificate's validity; none where the register does not know it.
    pub not_after: Option<Timestamp>,
}

impl ListEntry {
    fn new(serial: &SerialNumber, known: &Known, revocation: &Revocation) -> Self {
        let revoked = Revoked {
            serial: serial.clone(),
            time: revocation.date,
            reason: revocation.reason,
            invalidity_date: revocation.invalidity_date,
        };
        Self { revoked, from: revocation.from, sequence: revocation.sequence, not_after: known.not_after }
    }

    /// All that the register has of one shard, in ascending order of serials.
    pub fn of(ledger: &Ledger, shards: u16, shard: u16) -> Vec<Self> {
        let entry = |(serial, known, revocation): (&SerialNumber, &Known, &Revocation)| {
            (shard_of(serial, shards) == shard).then(|| Self::new(serial, known, revocation))
        };
        if shard == 0 {
            return ledger.revoked().filter_map(entry).collect();
        }
        let ours = SerialNumber::issued(shard, [0; RANDOM_OCTETS])..=SerialNumber::issued(shard, [u8::MAX; RANDOM_OCTETS]);
        ledger.revoked_in(ours).filter_map(entry).collect()
    }
}

/// What the register says of a certificate that is not among the entries of its list, and was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knows {
    /// Nothing: it was let go, or never known.
    Nothing,
    /// It is not revoked.
    Good,
    /// A hold on it has ended.
    Released,
    /// Its revocation waits.
    Pending,
    /// It is revoked or on hold.
    Revoked,
}

impl Knows {
    /// What this register says.
    pub fn of(ledger: &Ledger, serial: &SerialNumber) -> Self {
        match ledger.get(serial).map(|known| &known.standing) {
            None => Self::Nothing,
            Some(Standing::Good) => Self::Good,
            Some(Standing::Released(_)) => Self::Released,
            Some(Standing::Pending(_)) => Self::Pending,
            Some(Standing::Held(_) | Standing::Revoked(_)) => Self::Revoked,
        }
    }
}

/// How a register compares with the list of one shard as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Entries that belong on the list now and are not on it.
    pub due: usize,
    /// Entries that will belong on it later: planned revocations.
    pub waiting: usize,
    /// When the first of these does.
    pub next_from: Option<Timestamp>,
    /// When the first of those that are not on the list, due or waiting, was revoked.
    pub oldest: Option<Timestamp>,
    /// Entries on the list whose certificates had not expired when it was made. Fewer than the list has: one was released.
    pub live: usize,
    /// Whether there are entries whose certificates have no end that the register knows.
    pub unending: bool,
}

impl Survey {
    /// Compares each shard. Goes through all entries and copies none.
    pub fn of(ledger: &Ledger, head: Option<&Head>, shards: u16, now: Timestamp) -> BTreeMap<u16, Self> {
        let mut surveys: BTreeMap<u16, Self> = BTreeMap::new();
        for (serial, known, revocation) in ledger.revoked() {
            let shard = shard_of(serial, shards);
            let list = head.and_then(|head| head.shards.get(&shard));
            surveys.entry(shard).or_default().take(list, known.not_after, revocation, now);
        }
        surveys
    }

    fn take(&mut self, list: Option<&Shard>, not_after: Option<Timestamp>, revocation: &Revocation, now: Timestamp) {
        self.unending |= not_after.is_none();
        if let Some(list) = list.filter(|list| list.holds(revocation.sequence, revocation.from)) {
            self.live += usize::from(not_after.is_none_or(|end| end > list.built_at));
            return;
        }
        self.oldest = Some(self.oldest.map_or(revocation.time, |oldest| oldest.min(revocation.time)));
        if revocation.from <= now {
            self.due += 1;
        } else {
            self.waiting += 1;
            self.next_from = Some(self.next_from.map_or(revocation.from, |next| next.min(revocation.from)));
        }
    }
}
