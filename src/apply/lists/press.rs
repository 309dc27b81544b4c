//! What publishing remembers between two looks, while we lead: what stands, the keys of authorities that come from copies, how much was
//! written lately.
//!
//! All of it may be forgotten; nothing is decided here.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chancery_pki::{CrlNumber, KeyId, PrivateKey};
use jiff::Timestamp;

use super::delegate;
use crate::{
    lists::{ByteBudget, Part, Publisher, Standing},
    observe::Name,
};

/// What publishing remembers.
pub struct Press {
    /// Where lists are written.
    pub(super) publisher: Publisher,
    memory: Mutex<Memory>,
    turns: Mutex<HashMap<KeyId, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Default)]
struct Memory {
    standings: HashMap<KeyId, Arc<Standing>>,
    /// Kept in one place, and wiped with it.
    keys: HashMap<KeyId, Arc<PrivateKey>>,
    delegates: HashMap<KeyId, delegate::Known>,
    built_in: HashMap<KeyId, i64>,
    swept: HashMap<KeyId, Timestamp>,
    /// The number of a list that was handed in since the last publication.
    handed_in: HashMap<KeyId, CrlNumber>,
    /// The number of the list that each copy holds, and when that was seen.
    copies: HashMap<Name, (String, Timestamp)>,
    budget: ByteBudget,
}

impl Press {
    /// Lists behind this publisher.
    pub fn new(publisher: Publisher) -> Self {
        Self { publisher, memory: Mutex::default(), turns: Mutex::default() }
    }

    /// Forgets all, with the keys: we do not lead any more.
    pub fn clear(&self) {
        *self.memory() = Memory::default();
    }

    /// Whose turn it is to publish for an authority: one at a time.
    pub(super) fn turn(&self, authority: &KeyId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(*authority).or_default())
    }

    pub(super) fn standing(&self, authority: &KeyId) -> Option<Arc<Standing>> {
        self.memory().standings.get(authority).cloned()
    }

    /// Takes in what stands; none: it must be read again.
    pub(super) fn stands(&self, authority: &KeyId, standing: Option<Arc<Standing>>) {
        match standing {
            Some(standing) => self.memory().standings.insert(*authority, standing),
            None => self.memory().standings.remove(authority),
        };
    }

    pub(super) fn key(&self, authority: &KeyId) -> Option<Arc<PrivateKey>> {
        self.memory().keys.get(authority).cloned()
    }

    pub(super) fn keep_key(&self, authority: &KeyId, key: Arc<PrivateKey>) {
        self.memory().keys.insert(*authority, key);
    }

    pub(super) fn delegate(&self, authority: &KeyId) -> Option<delegate::Known> {
        self.memory().delegates.get(authority).cloned()
    }

    pub(super) fn remember_delegate(&self, authority: KeyId, known: Option<delegate::Known>) {
        match known {
            Some(known) => self.memory().delegates.insert(authority, known),
            None => self.memory().delegates.remove(&authority),
        };
    }

    pub(super) fn built_in(&self, authority: &KeyId) -> Option<i64> {
        self.memory().built_in.get(authority).copied()
    }

    pub(super) fn took(&self, authority: KeyId, milliseconds: i64) {
        self.memory().built_in.insert(authority, milliseconds);
    }

    pub(super) fn swept(&self, authority: &KeyId) -> Option<Timestamp> {
        self.memory().swept.get(authority).copied()
    }

    pub(super) fn sweeps(&self, authority: KeyId, now: Timestamp) {
        self.memory().swept.insert(authority, now);
    }

    /// The number of a list that was handed in, and not published after yet: what its register had lost is on record again.
    pub(super) fn confirmed(&self, authority: &KeyId) -> Option<CrlNumber> {
        self.memory().handed_in.get(authority).copied()
    }

    pub(super) fn confirm(&self, authority: KeyId, number: Option<CrlNumber>) {
        match number {
            Some(number) => self.memory().handed_in.insert(authority, number),
            None => self.memory().handed_in.remove(&authority),
        };
    }

    /// How much may be written.
    pub(super) fn budget(&self) -> ByteBudget {
        self.memory().budget.clone()
    }

    pub(super) fn copied(&self, copy: &Name) -> Option<(String, Timestamp)> {
        self.memory().copies.get(copy).cloned()
    }

    pub(super) fn has_copy(&self, copy: Name, number: String, seen: Timestamp) {
        self.memory().copies.insert(copy, (number, seen));
    }

    pub(super) fn spend(&self, bytes: u64, now: Timestamp) {
        self.memory().budget.spend(bytes, now);
    }

    /// Nothing is published of an authority any more.
    pub(super) fn forget(&self, authority: &KeyId) {
        let mut memory = self.memory();
        memory.standings.remove(authority);
        memory.keys.remove(authority);
        memory.delegates.remove(authority);
        memory.built_in.remove(authority);
        memory.swept.remove(authority);
    }

    /// Whether a change of a ConfigMap is news: a head that we have not written so, or a chunk that is gone and is needed.
    pub fn is_news(&self, authority: &KeyId, part: Part, name: &str, stands: Option<&str>) -> bool {
        let Some(standing) = self.standing(authority) else { return true };
        match (part, stands) {
            (Part::Head, version) => standing.head_version() != version,
            // A chunk does not change: it comes before the head that names it, or it goes.
            (Part::Chunk, Some(_)) => false,
            (Part::Chunk, None) => standing.published.as_ref().is_some_and(|published| published.head.all_chunk_names().contains(name)),
        }
    }

    /// Something of an authority's lists changed that was not our doing, or may not have been: they are read again.
    pub fn doubt(&self, authority: &KeyId) {
        self.memory().standings.remove(authority);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Press {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Press")
    }
}
