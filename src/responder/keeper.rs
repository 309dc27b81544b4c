//! Takes in what the watches tell, and keeps what is served: the one place where it changes.
//!
//! Heads wait here until their lists can be served in the place of those before them. What was served is never let go for
//! something worse.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use chancery_pki::{KeyId, Revoked};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, time::Instant};

use super::{
    delegate::{Delegates, SECRETS},
    held::{Held, delegate_of},
    served::{Authority, Behind, Served, Shared},
    shelf::{Leaving, may_go},
    watch::News,
};
use crate::{
    api::names,
    cluster::Clock,
    lists::{Head, Part, part_of},
    register::{Document, Follower, Ledger, Look, RegisterId, Stands, Store},
};

/// How often what has ended long ago is forgotten.
const PRUNING: Duration = Duration::from_hours(1);

/// How much longer than by the operator all is remembered here: when an entry leaves a list, it is known why.
const LONGER: SignedDuration = SignedDuration::from_hours(48);

/// How often all is looked at again though nothing was told: time passes for certificates, and for what could not be read.
const ROUND: Duration = Duration::from_secs(15);

/// How long the API server has for all of a register. The keeper's heart beats between two of them.
const READING: Duration = Duration::from_secs(30);

/// What a watch tells, of what.
#[derive(Debug)]
pub(super) enum Message {
    /// Of the registers' ConfigMaps.
    Registers(News<Document>),
    /// Of the lists' ConfigMaps.
    Lists(News<Document>),
    /// Of the Secret of this number: its delegates, none where it is gone.
    Delegates(usize, Delegates),
    /// That the Secret of this number may not be read.
    NoDelegates(usize),
}

/// The keeper.
pub(super) struct Keeper {
    follower: Follower,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    shared: Shared,
    /// Chunks that no list which is served was made of.
    chunks: HashMap<String, Document>,
    held: BTreeMap<KeyId, Held>,
    /// The authorities of which lists were published, by the register, and no head is there.
    missing: BTreeMap<KeyId, Behind>,
    delegates: BTreeMap<usize, Delegates>,
    /// The Secrets of delegates that may not be read.
    forbidden: BTreeSet<usize>,
    authorities: HashMap<KeyId, Arc<Authority>>,
    /// Registers that must be read whole, and since when.
    gaps: BTreeMap<RegisterId, Instant>,
    registers_read: bool,
    lists_read: bool,
    pruned: Instant,
    went_round: Instant,
    /// What was wrong at the last round.
    troubles: BTreeSet<String>,
}

impl Keeper {
    /// A keeper that has seen nothing. `store` is asked for a register whose head alone does not tell what is new.
    pub(super) fn new(follower: Follower, store: Arc<dyn Store>, clock: Arc<dyn Clock>, shared: Shared) -> Self {
        Self {
            follower,
            store,
            clock,
            shared,
            chunks: HashMap::new(),
            held: BTreeMap::new(),
            missing: BTreeMap::new(),
            delegates: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            authorities: HashMap::new(),
            gaps: BTreeMap::new(),
            registers_read: false,
            lists_read: false,
            pruned: Instant::now(),
            went_round: Instant::now(),
            troubles: BTreeSet::new(),
        }
    }

    /// Takes in what comes, until nobody can send any more.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>, mut came_round: impl FnMut()) {
        loop {
            let message = match tokio::time::timeout(Duration::from_secs(5), messages.recv()).await {
                Ok(Some(message)) => Some(message),
                Ok(None) => return,
                Err(_) => None,
            };
            came_round();
            if let Some(message) = message {
                self.take(message).await;
            }
            if self.pruned.elapsed() > PRUNING {
                self.pruned = Instant::now();
                self.prune();
            }
            if self.went_round.elapsed() > ROUND {
                self.round(&mut came_round).await;
                self.went_round = Instant::now();
            }
        }
    }

    /// Looks at all again, and tries again what could not be read.
    pub(super) async fn round(&mut self, came_round: &mut impl FnMut()) {
        for id in self.gaps.keys().copied().collect::<Vec<_>>() {
            came_round();
            // One that does not answer has nothing to say of the others.
            if !self.read_whole(id).await {
                break;
            }
        }
        self.settle_all(&self.held.keys().copied().collect());
        self.tell_troubles();
    }

    pub(super) async fn take(&mut self, message: Message) {
        let touched = match message {
            Message::Registers(news) => self.registers(news).await,
            Message::Lists(news) => self.lists(news),
            Message::Delegates(secret, delegates) => {
                self.forbidden.remove(&secret);
                let before = self.delegates.insert(secret, delegates);
                let after = self.delegates.get(&secret);
                before.iter().chain(after).flat_map(BTreeMap::keys).copied().collect()
            }
            Message::NoDelegates(secret) => {
                self.forbidden.insert(secret);
                // One Secret must not keep all else from being served; and a delegate that was read is not let go for this.
                self.delegates.entry(secret).or_default();
                BTreeSet::new()
            }
        };
        self.settle_all(&touched);
    }

    fn prune(&self) {
        let now = self.clock.now();
        self.follower.index().prune(now.checked_sub(LONGER).unwrap_or(now));
    }

    fn settle_all(&mut self, keys: &BTreeSet<KeyId>) {
        let now = self.clock.now();
        for key in keys {
            self.settle(key, now);
        }
        self.miss(now);
        self.publish();
    }

    async fn registers(&mut self, news: News<Document>) -> BTreeSet<KeyId> {
        match news {
            News::All(documents) => {
                self.follower.all(documents);
                self.gaps.clear();
                self.prune();
                self.registers_read = true;
                self.held.keys().copied().collect()
            }
            News::Changed(document) => match self.follower.head(&document) {
                Look::Taken(id) => {
                    self.gaps.remove(&id);
                    authority_of(id)
                }
                Look::Gap(id) => {
                    // What could not be read a moment ago has its turn with the next round.
                    if let Entry::Vacant(gap) = self.gaps.entry(id) {
                        gap.insert(Instant::now());
                        self.read_whole(id).await;
                    }
                    authority_of(id)
                }
                Look::Late(id) => {
                    self.gaps.entry(id).or_insert_with(Instant::now);
                    BTreeSet::new()
                }
                Look::NoHead => BTreeSet::new(),
            },
            News::Gone(name) => self.follower.removed(&name).map(authority_of).unwrap_or_default(),
            // What was never read is not ready, and what is not heard of any more is told as silence.
            News::Forbidden => BTreeSet::new(),
        }
    }

    /// Reads a whole register, which fills its gap. Says whether there was an answer in time.
    async fn read_whole(&mut self, id: RegisterId) -> bool {
        match tokio::time::timeout(READING, self.store.list(Follower::selector(id))).await {
            Ok(Ok(documents)) => {
                self.follower.whole(id, documents);
                self.gaps.remove(&id);
            }
            Ok(Err(error)) => tracing::warn!(register = %id, %error, "a register could not be read whole and will be tried again"),
            Err(_) => {
                tracing::warn!(register = %id, "the API server did not answer in time; a register will be read whole later");
                return false;
            }
        }
        true
    }

    fn lists(&mut self, news: News<Document>) -> BTreeSet<KeyId> {
        match news {
            News::All(documents) => {
                self.chunks.clear();
                let mut touched = self.held.keys().copied().collect::<BTreeSet<_>>();
                let mut seen = BTreeSet::new();
                for document in documents {
                    if let Some((key, Part::Head)) = part_of(&document.name) {
                        seen.insert(key);
                    }
                    touched.extend(self.list_document(document));
                }
                for (key, held) in &mut self.held {
                    held.is_headless = !seen.contains(key);
                }
                self.lists_read = true;
                touched
            }
            News::Changed(document) => self.list_document(document).into_iter().collect(),
            News::Gone(name) => match part_of(&name) {
                Some((key, Part::Head)) => {
                    if let Some(held) = self.held.get_mut(&key) {
                        held.is_headless = true;
                    }
                    [key].into()
                }
                Some((_, Part::Chunk)) => {
                    self.chunks.remove(&name);
                    BTreeSet::new()
                }
                None => BTreeSet::new(),
            },
            News::Forbidden => BTreeSet::new(),
        }
    }

    /// Takes in a head or a chunk; returns the authority for which something may have changed.
    fn list_document(&mut self, document: Document) -> Option<KeyId> {
        let (key, part) = part_of(&document.name)?;
        match part {
            Part::Chunk => {
                self.chunks.insert(document.name.clone(), document);
                self.held.get(&key).and_then(|held| held.waiting.as_ref()).map(|_| key)
            }
            Part::Head => {
                let held = self.held.entry(key).or_default();
                held.is_headless = false;
                match Head::from_document(&document) {
                    Ok(head) => held.waiting = Some(head),
                    Err(error) => held.refuse(error.to_string()),
                }
                Some(key)
            }
        }
    }

    /// Brings what is served for an authority up to date with what is known.
    fn settle(&mut self, key: &KeyId, now: Timestamp) {
        let id = RegisterId::Authority(*key);
        let index = Arc::clone(self.follower.index());
        let Some(held) = self.held.get_mut(key) else { return };
        if let Some(head) = held.waiting.take() {
            let chunks = &self.chunks;
            let chunk = |name: &str| chunks.get(name)?.binary.get(names::LIST_DER).map(Vec::as_slice);
            let gone = |revoked: &Revoked, leaving: &Leaving| {
                // What was not read yet may hold a release, and what it does not hold is no release.
                self.registers_read && index.ledger(&id, |ledger| may_go(ledger.get(&revoked.serial), revoked, leaving))
            };
            held.put(head, &chunk, &gone);
            if let Some(shelf) = &held.shelf
                && held.waiting.is_none()
            {
                for name in shelf.head.all_chunk_names() {
                    self.chunks.remove(&name);
                }
            }
        }
        held.compare(index.ledger(&id, Ledger::last_number));
        let last_ends = index.authority_last_not_after(key);
        let is_over = held.is_headless && last_ends.is_none_or(|end| end < now);
        let Some((shelf, certificate)) = held.shelf.as_ref().zip(held.certificate.as_ref()).filter(|_| !is_over) else {
            self.authorities.remove(key);
            if is_over {
                self.held.remove(key);
            }
            return;
        };
        match index.stands(&id, &shelf.head.register) {
            Stands::No => _ = held.lag_since.get_or_insert_with(Instant::now),
            Stands::Yes | Stands::Unknown => held.lag_since = None,
        }
        let delegate = delegate_of(&self.delegates, key, shelf, now);
        match &delegate {
            Ok(_) => held.no_delegate_since = None,
            Err(_) => _ = held.no_delegate_since.get_or_insert_with(Instant::now),
        }
        let authority = Authority {
            shelf: shelf.clone(),
            certificate: Arc::clone(certificate),
            delegate,
            no_delegate_since: held.no_delegate_since,
            register_fault: self.follower.fault(&id).map(str::to_owned),
            lag_since: held.lag_since.into_iter().chain(self.gaps.get(&id).copied()).min(),
            refused_since: held.refused_since,
            behind: held.behind,
            is_headless: held.is_headless,
        };
        self.authorities.insert(*key, Arc::new(authority));
    }

    /// Looks for authorities that have no head, and once had one: their certificates live, and name lists that are not served.
    fn miss(&mut self, now: Timestamp) {
        if !(self.lists_read && self.registers_read) {
            return;
        }
        let index = self.follower.index();
        let missing = self.follower.ids().filter_map(|id| {
            let RegisterId::Authority(key) = id else { return None };
            let lives = index.authority_last_not_after(key).is_some_and(|end| end >= now);
            let last = index.ledger(id, Ledger::last_number).filter(|_| lives && !self.held.contains_key(key));
            Some((*key, Behind::of(self.missing.get(key).copied(), None, last)?))
        });
        self.missing = missing.collect();
    }

    /// Says once that something is wrong, and once that it is not any more.
    fn tell_troubles(&mut self) {
        // Silence is told by the watches.
        let troubles: BTreeSet<String> = self.shared.get().troubles(Some(Duration::ZERO), self.clock.now()).into_iter().collect();
        for trouble in troubles.difference(&self.troubles) {
            tracing::warn!(trouble, "something is not served as it should be");
        }
        for trouble in self.troubles.difference(&troubles) {
            tracing::info!(trouble, "this is over");
        }
        self.troubles = troubles;
    }

    fn publish(&self) {
        let faults = self.follower.faults().map(|(id, why)| (id.to_string(), why.to_owned())).collect();
        let unserved = self.held.iter().filter_map(|(key, held)| Some((*key, held.unserved.clone()?))).collect();
        self.shared.set(Served {
            lists_read: self.lists_read,
            registers_read: self.registers_read,
            delegates_read: self.delegates.len() == SECRETS.len(),
            forbidden: SECRETS.chars().enumerate().filter(|(number, _)| self.forbidden.contains(number)).map(|(_, digit)| digit).collect(),
            register_faults: faults,
            unserved,
            missing: self.missing.clone(),
            ..Served::of(self.authorities.clone())
        });
    }
}

fn authority_of(id: RegisterId) -> BTreeSet<KeyId> {
    match id {
        RegisterId::Authority(key) => [key].into(),
        RegisterId::Common => BTreeSet::new(),
    }
}
