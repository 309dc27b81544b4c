//! What the registers say, in memory: whose certificates, how often re-issued, which keys exist.
//!
//! Filled by replay and by each line that stands; it decides nothing and writes nothing. What it says does not depend on
//! the order in which registers were replayed.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chancery_pki::{KeyId, SerialNumber};
use jiff::Timestamp;

use super::{
    layout::RegisterId,
    line::{Act, Owner, Position, Written},
};

mod issuances;
mod keys;
mod ledger;
mod refusals;
mod state;
mod trail;

pub use issuances::{Current, ISSUANCES, REISSUE_WINDOW};
pub use keys::KeyRecord;
#[cfg(test)]
pub(crate) use ledger::test_ledger;
pub use ledger::{Known, Ledger, Revocation, Standing, UNASKED};
pub use trail::{End, Stands};

pub(super) use state::State;

/// The registers' contents, shared by all who ask.
#[derive(Debug, Default)]
pub struct Index {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Counts openings: a line of an earlier one is not taken.
    generation: u64,
    state: State,
}

impl Index {
    /// The last certificate that was issued to this Certificate or imported for it, in whatever register, and not voided.
    pub fn current(&self, namespace: &str, name: &str) -> Option<Current> {
        self.read().state.owner(namespace, name).and_then(|owner| owner.live().next()).cloned()
    }

    /// Whether the certificate with this serial and key is on record as that of another Certificate than this one. Looks through
    /// all there is: to be asked of a certificate that was found, not in the daily round.
    pub fn is_anothers(&self, serial: &SerialNumber, key: &KeyId, namespace: &str, name: &str) -> bool {
        self.read().state.is_anothers(serial, key, namespace, name)
    }

    /// The one before the current one.
    pub fn previous(&self, namespace: &str, name: &str) -> Option<Current> {
        self.read().state.owner(namespace, name).and_then(|owner| owner.live().nth(1)).cloned()
    }

    /// The last 21 certificates of this Certificate that were not voided, newest first: for display.
    pub fn entries(&self, namespace: &str, name: &str) -> Vec<Current> {
        self.read().state.owner(namespace, name).map(|owner| owner.live().cloned().collect()).unwrap_or_default()
    }

    /// When this Certificate was issued again (a reason other than `Created`), from `since` on, at most an hour back; oldest first.
    pub fn reissues_since(&self, namespace: &str, name: &str, since: Timestamp) -> Vec<Timestamp> {
        self.read().state.owner(namespace, name).map(|owner| owner.reissues.since(since).collect()).unwrap_or_default()
    }

    /// How many certificates of this namespace were issued again from `since` on, at most an hour back.
    pub fn reissues_in_namespace_since(&self, namespace: &str, since: Timestamp) -> usize {
        self.read().state.namespace(namespace).map_or(0, |namespace| namespace.reissues.since(since).count())
    }

    /// Whether this was refused to this Certificate, as it is now, and is on record.
    pub fn is_refused(&self, owner: &Owner, generation: i64, reason: &str) -> bool {
        self.read().state.namespace(&owner.namespace).is_some_and(|namespace| namespace.refusals.has(owner, generation, reason))
    }

    /// How many refusals went on record for this namespace from `since` on, at most an hour back.
    pub fn refusals_in_namespace_since(&self, namespace: &str, since: Timestamp) -> usize {
        self.read().state.namespace(namespace).map_or(0, |namespace| namespace.refusals.since(since))
    }

    /// How many refusals went on record in this register from `since` on, at most an hour back.
    pub fn refusals_in_register_since(&self, register: &RegisterId, since: Timestamp) -> usize {
        self.read().state.refusals_in_register_since(register, since)
    }

    /// What an authority has issued and revoked, while `read` looks at it; empty for a register without lines.
    pub fn ledger<R>(&self, register: &RegisterId, read: impl FnOnce(&Ledger) -> R) -> R {
        let inner = self.read();
        match inner.state.ledger(register) {
            Some(ledger) => read(ledger),
            None => read(&Ledger::default()),
        }
    }

    /// All certificates of a Certificate that have not ended long ago and were not voided, oldest first.
    pub fn certificates_of(&self, namespace: &str, name: &str) -> Vec<(RegisterId, SerialNumber, Known)> {
        self.read().state.certificates_of(namespace, name)
    }

    /// The last line of a register that is known here.
    pub fn position(&self, register: &RegisterId) -> Position {
        self.read().state.position(register)
    }

    /// The last line of each register that has one.
    pub fn ends(&self) -> BTreeMap<RegisterId, End> {
        self.read().state.ends()
    }

    /// Takes in from which line on a register is kept.
    pub(super) fn keep_from(&self, generation: u64, register: RegisterId, kept_from: u64) {
        let mut inner = self.write();
        if inner.generation == generation {
            inner.state.keep_from(register, kept_from);
        }
    }

    /// Whether a line that was seen once still stands in its place.
    pub fn stands(&self, register: &RegisterId, position: &Position) -> Stands {
        self.read().state.stands(register, position)
    }

    /// Whether a key may not be certified: by anyone, or by this authority.
    pub fn is_blocked(&self, authority: Option<&KeyId>, key: &KeyId) -> bool {
        let register = authority.map_or(RegisterId::Common, |authority| RegisterId::Authority(*authority));
        self.read().state.is_blocked(&register, key)
    }

    /// When the first of them was issued.
    pub fn first_reissue_in_namespace_since(&self, namespace: &str, since: Timestamp) -> Option<Timestamp> {
        self.read().state.namespace(namespace).and_then(|namespace| namespace.reissues.since(since).next())
    }

    /// Each Certificate whose current certificate this authority signed, with that certificate; in no order.
    pub fn issued_by(&self, authority: &KeyId) -> Vec<(Owner, SerialNumber, Timestamp)> {
        let register = RegisterId::Authority(*authority);
        let inner = self.read();
        inner
            .state
            .currents()
            .filter(|(_, _, current)| current.register == register)
            .map(|(namespace, name, current)| {
                let owner = Owner { namespace: namespace.to_owned(), name: name.to_owned(), uid: current.uid.to_string() };
                (owner, current.serial.clone(), current.not_after)
            })
            .collect()
    }

    /// The latest notAfter of all that this authority has issued; none when it has issued nothing that has not ended long ago.
    pub fn authority_last_not_after(&self, authority: &KeyId) -> Option<Timestamp> {
        self.read().state.last_not_after(&RegisterId::Authority(*authority))
    }

    /// What is on record of this key: made, copied, retired, destroyed.
    pub fn key(&self, key: &KeyId) -> Option<KeyRecord> {
        self.read().state.key(key).cloned()
    }

    /// The newest key that was made for this Certificate and not destroyed.
    pub fn authority_made_by(&self, namespace: &str, name: &str) -> Option<KeyId> {
        self.read().state.made_by(namespace, name)
    }

    /// Whether a copy of this key was made and not destroyed since.
    pub fn copy_exists(&self, key: &KeyId) -> bool {
        self.read().state.key(key).is_some_and(KeyRecord::is_copied)
    }

    /// All keys that were made or copied and not destroyed, and whose they are. A key that was made may have a copy that is
    /// not on record yet.
    pub fn living_keys(&self) -> Vec<(KeyId, Option<Owner>)> {
        self.read().state.keys().filter(|(_, record)| record.lives()).map(|(key, record)| (*key, record.owner().cloned())).collect()
    }

    /// How many Certificates have a certificate on record.
    pub fn owners(&self) -> usize {
        self.read().state.currents().count()
    }

    /// Lets go of what has ended: certificates 8 days after their notAfter, destroyed keys after 8 days, re-issues after an hour.
    pub fn prune(&self, now: Timestamp) {
        self.write().state.prune(now);
    }

    /// When an entry on this owner may be written: not before what stands, and later than that if it stands in another register.
    pub(super) fn not_before(&self, register: &RegisterId, act: Act, owner: Option<&Owner>) -> Timestamp {
        let (Act::Issued | Act::Imported, Some(owner)) = (act, owner) else {
            return Timestamp::MIN;
        };
        self.read().state.not_before(register, owner)
    }

    pub(super) fn lives(&self, key: &KeyId) -> bool {
        self.read().state.key(key).is_some_and(KeyRecord::lives)
    }

    /// Takes lines that stand, unless the registers were closed since.
    pub(super) fn apply<'a>(&self, generation: u64, register: RegisterId, lines: impl Iterator<Item = &'a Written>) {
        let mut inner = self.write();
        if inner.generation == generation {
            lines.for_each(|written| inner.state.apply(register, written));
        }
    }

    /// Puts a fresh replay in the place of all that was known.
    pub(super) fn restart(&self, generation: u64, state: State) {
        *self.write() = Inner { generation, state };
    }

    #[cfg(test)]
    pub(super) fn snapshot(&self, now: Timestamp) -> State {
        let mut state = self.read().state.clone();
        state.lasting(now);
        state
    }

    // A panic while the lock was held leaves a state that is whole but for one line; the next opening replays it.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
