//! The index's tables, without locks: lines in, records out.
//!
//! What a record is stands in the files beside. Pure: the time is an argument, and nothing here waits.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chancery_pki::{KeyId, SerialNumber};
use jiff::Timestamp;

use super::{
    issuances::{Current, Namespace, OwnerRecord},
    keys::KeyRecord,
    ledger::{Known, Ledger},
    refusals::Recent,
    trail::{End, Stands, Trail},
};
use crate::register::{
    layout::RegisterId,
    line::{Act, Entry, Line, Owner, Position, Written},
    trim::KEPT,
};

/// The reason of a line that is the first of its owner; any other makes it a re-issue.
const CREATED: &str = "Created";

/// Lines of several registers in one order: by time, and then the same on each replay.
pub(super) type Order = (Timestamp, u64, RegisterId);

/// The tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::register) struct State {
    namespaces: HashMap<Box<str>, Namespace>,
    keys: HashMap<KeyId, KeyRecord>,
    last_not_after: HashMap<RegisterId, Timestamp>,
    ledgers: HashMap<RegisterId, Ledger>,
    trails: HashMap<RegisterId, Trail>,
    /// From which line on a register is kept, where that is not the first.
    kept_from: HashMap<RegisterId, u64>,
    /// Keys that may not be certified again, and the registers that say so.
    blocked: HashMap<KeyId, BTreeSet<RegisterId>>,
    /// What was refused lately, by the registers that say so.
    refusals: HashMap<RegisterId, Recent>,
    /// Reasons are few words said thousands of times.
    words: HashSet<Arc<str>>,
}

impl State {
    pub(in crate::register) fn apply(&mut self, register: RegisterId, written: &Written) {
        self.trails.entry(register).or_default().push(written);
        self.take(register, &written.line);
    }

    fn take(&mut self, register: RegisterId, line: &Line) {
        let order = (line.happened(), line.sequence, register);
        if line.entry.act == Act::Refused {
            // Whoever was refused owns nothing yet.
            self.refused(register, line);
            return;
        }
        let owner = line.entry.owner.as_ref().map(|owner| self.shared(owner));
        self.ledgers.entry(register).or_default().apply(line, owner);
        match line.entry.act {
            Act::Issued | Act::Imported => self.issued(register, line),
            Act::Voided => self.voided(&line.entry),
            Act::Made => self.record_key(order, &line.entry, |record| &mut record.made),
            Act::Copied => self.record_key(order, &line.entry, |record| &mut record.copied),
            Act::Retired => self.record_key(order, &line.entry, |record| &mut record.retired),
            Act::Destroyed => self.record_key(order, &line.entry, |record| &mut record.destroyed),
            Act::Blocked => {
                if let Some(key) = line.entry.key_id {
                    self.blocked.entry(key).or_default().insert(register);
                }
            }
            Act::Pending | Act::Revoked | Act::Held | Act::Released | Act::Published | Act::Refused | Act::Unknown => {}
        }
    }

    pub(super) fn namespace(&self, namespace: &str) -> Option<&Namespace> {
        self.namespaces.get(namespace)
    }

    pub(super) fn owner(&self, namespace: &str, name: &str) -> Option<&OwnerRecord> {
        self.namespaces.get(namespace)?.owners.get(name)
    }

    /// Whether a certificate that was not voided is on record as another Certificate's.
    pub(super) fn is_anothers(&self, serial: &SerialNumber, key: &KeyId, namespace: &str, name: &str) -> bool {
        let same = |issuance: &Current| issuance.serial == *serial && issuance.key_id == *key;
        self.namespaces.iter().any(|(other, record)| {
            let another = |owner: &str| **other != *namespace || *owner != *name;
            record.owners.iter().any(|(owner, record)| another(owner) && record.live().any(same))
        })
    }

    pub(super) fn currents(&self) -> impl Iterator<Item = (&str, &str, &Current)> {
        self.namespaces.iter().flat_map(|(namespace, record)| {
            record.owners.iter().filter_map(move |(name, owner)| Some((&**namespace, &**name, owner.live().next()?)))
        })
    }

    pub(super) fn ledger(&self, register: &RegisterId) -> Option<&Ledger> {
        self.ledgers.get(register)
    }

    /// All certificates of a Certificate that have not ended long ago and were not voided, oldest first.
    pub(super) fn certificates_of(&self, namespace: &str, name: &str) -> Vec<(RegisterId, SerialNumber, Known)> {
        let all = self.owner(namespace, name).map_or(&[][..], |record| &record.all);
        let known = |(register, serial): &(RegisterId, SerialNumber)| {
            Some((*register, serial.clone(), self.ledgers.get(register)?.get(serial)?.clone()))
        };
        let mut certificates: Vec<_> = all.iter().filter_map(known).collect();
        certificates.sort_by_key(|(_, _, known)| known.issued);
        certificates
    }

    /// Where a register ends.
    pub(super) fn position(&self, register: &RegisterId) -> Position {
        self.trails.get(register).map_or_else(Position::start, Trail::end)
    }

    /// Where each register ends.
    pub(super) fn ends(&self) -> BTreeMap<RegisterId, End> {
        let end = |(id, trail): (&RegisterId, &Trail)| {
            let kept_from = self.kept_from.get(id).copied().unwrap_or(1);
            Some((*id, End { position: trail.end(), time: trail.time()?, kept_from }))
        };
        self.trails.iter().filter_map(end).collect()
    }

    pub(in crate::register) fn keep_from(&mut self, register: RegisterId, kept_from: u64) {
        if kept_from > 1 {
            self.kept_from.insert(register, kept_from);
        }
    }

    /// Whether a line that was seen once still stands.
    pub(super) fn stands(&self, register: &RegisterId, position: &Position) -> Stands {
        self.trails.get(register).map_or_else(|| Trail::default().stands(position), |trail| trail.stands(position))
    }

    /// Whether a key is blocked for all, or for what this register's authority signs.
    pub(super) fn is_blocked(&self, register: &RegisterId, key: &KeyId) -> bool {
        self.blocked.get(key).is_some_and(|by| by.contains(&RegisterId::Common) || by.contains(register))
    }

    pub(super) fn refusals_in_register_since(&self, register: &RegisterId, since: Timestamp) -> usize {
        self.refusals.get(register).map_or(0, |recent| recent.since(since))
    }

    pub(super) fn last_not_after(&self, register: &RegisterId) -> Option<Timestamp> {
        self.last_not_after.get(register).copied()
    }

    pub(super) fn key(&self, key: &KeyId) -> Option<&KeyRecord> {
        self.keys.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&KeyId, &KeyRecord)> {
        self.keys.iter()
    }

    pub(super) fn made_by(&self, namespace: &str, name: &str) -> Option<KeyId> {
        let of_owner = |record: &KeyRecord| record.owner().is_some_and(|owner| owner.namespace == namespace && owner.name == name);
        let living = self.keys.iter().filter(|(_, record)| record.made.is_some() && record.lives() && of_owner(record));
        living.max_by_key(|(_, record)| record.made).map(|(key, _)| *key)
    }

    /// Clocks of two leaders may differ: a later line must not look older than the owner's line in another register.
    pub(super) fn not_before(&self, register: &RegisterId, owner: &Owner) -> Timestamp {
        match self.owner(&owner.namespace, &owner.name).and_then(|record| record.issuances.last()) {
            None => Timestamp::MIN,
            Some(last) if last.register == *register => last.time,
            Some(last) => last.time.checked_add(Duration::from_millis(1)).unwrap_or(Timestamp::MAX),
        }
    }

    pub(in crate::register) fn prune(&mut self, now: Timestamp) {
        self.ledgers.retain(|_, ledger| {
            ledger.prune(now);
            !ledger.is_spent()
        });
        let ledgers = &self.ledgers;
        let on_record =
            |(register, serial): &(RegisterId, SerialNumber)| ledgers.get(register).is_some_and(|ledger| ledger.get(serial).is_some());
        let ended = |not_after: Timestamp| not_after.checked_add(KEPT).is_ok_and(|end| end < now);
        self.namespaces.retain(|_, namespace| {
            namespace.owners.retain(|_, owner| {
                // All or none: an older certificate must not become current because the newer one has ended.
                if owner.issuances.iter().all(|issuance| ended(issuance.not_after)) {
                    owner.issuances = Vec::new();
                }
                owner.all.retain(on_record);
                owner.reissues.prune(now);
                !(owner.issuances.is_empty() && owner.all.is_empty() && owner.reissues.is_empty())
            });
            namespace.reissues.prune(now);
            namespace.refusals.prune(now);
            !(namespace.owners.is_empty() && namespace.reissues.is_empty() && namespace.refusals.is_empty())
        });
        self.refusals.retain(|_, recent| {
            recent.prune(now);
            !recent.is_empty()
        });
        self.keys.retain(|_, record| !record.destroyed().is_some_and(ended));
        self.last_not_after.retain(|_, not_after| !ended(*not_after));
        self.words.retain(|word| Arc::strong_count(word) > 1);
    }

    /// What a replay must find again, whenever things were let go.
    #[cfg(test)]
    pub(super) fn lasting(&mut self, now: Timestamp) {
        self.prune(now);
        self.words.clear();
        self.trails.values_mut().for_each(Trail::forget_the_past);
        for owner in self.namespaces.values_mut().flat_map(|namespace| namespace.owners.values_mut()) {
            owner.issuances.retain(|issuance| issuance.not_after + KEPT >= now);
        }
    }

    fn refused(&mut self, register: RegisterId, line: &Line) {
        self.refusals.entry(register).or_default().push(line.happened());
        if let (Some(owner), Some(generation)) = (&line.entry.owner, line.entry.generation) {
            let refusals = &mut entry(&mut self.namespaces, &owner.namespace).refusals;
            refusals.push(owner, generation, &line.entry.reason, line.happened());
        }
    }

    fn issued(&mut self, register: RegisterId, line: &Line) {
        let Entry { serial: Some(serial), not_after: Some(not_after), key_id: Some(key_id), owner: Some(owner), reason, act, .. } =
            &line.entry
        else {
            return;
        };
        let last = self.last_not_after.entry(register).or_insert(*not_after);
        *last = (*last).max(*not_after);
        let reason = self.word(reason);
        let namespace = entry(&mut self.namespaces, &owner.namespace);
        if *act == Act::Issued && *reason != *CREATED {
            namespace.reissues.push(line.happened(), serial.clone());
        }
        let record = entry(&mut namespace.owners, &owner.name);
        let place = (register, serial.clone());
        if !record.all.contains(&place) {
            record.all.push(place);
        }
        if *act == Act::Issued && *reason != *CREATED {
            record.reissues.push(line.happened(), serial.clone());
        }
        let known = record.issuances.iter().find(|issuance| *issuance.uid == *owner.uid).map(|issuance| Arc::clone(&issuance.uid));
        record.push(Current {
            serial: serial.clone(),
            not_after: *not_after,
            key_id: *key_id,
            register,
            time: line.happened(),
            sequence: line.sequence,
            reason,
            uid: known.unwrap_or_else(|| owner.uid.as_str().into()),
            imported: *act == Act::Imported,
            voided: false,
        });
    }

    /// A serial that was not used counts for nothing.
    fn voided(&mut self, entry: &Entry) {
        let (Some(serial), Some(owner)) = (&entry.serial, &entry.owner) else {
            return;
        };
        let Some(namespace) = self.namespaces.get_mut(&*owner.namespace) else {
            return;
        };
        namespace.reissues.take_back(serial);
        let Some(record) = namespace.owners.get_mut(&*owner.name) else {
            return;
        };
        record.reissues.take_back(serial);
        for issuance in record.issuances.iter_mut().filter(|issuance| issuance.serial == *serial) {
            issuance.voided = true;
        }
    }

    fn record_key(&mut self, order: Order, entry: &Entry, act: impl Fn(&mut KeyRecord) -> &mut Option<Order>) {
        let Some(key) = entry.key_id else { return };
        let record = self.keys.entry(key).or_default();
        let last = act(record);
        *last = (*last).max(Some(order));
        if let Some(owner) = &entry.owner
            && record.owner.as_ref().is_none_or(|(before, _)| *before < order)
        {
            record.owner = Some((order, owner.clone()));
        }
    }

    /// The owner as it is kept: once for all its certificates.
    fn shared(&mut self, owner: &Owner) -> Arc<Owner> {
        let record = entry(&mut entry(&mut self.namespaces, &owner.namespace).owners, &owner.name);
        match &record.owner {
            Some(known) if **known == *owner => Arc::clone(known),
            _ => Arc::clone(record.owner.insert(Arc::new(owner.clone()))),
        }
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }
}

/// The entry of a name, which is copied only where it is new.
fn entry<'a, V: Default>(table: &'a mut HashMap<Box<str>, V>, name: &str) -> &'a mut V {
    if !table.contains_key(name) {
        table.insert(name.into(), V::default());
    }
    table.entry(name.into()).or_default()
}
