//! What waits, for when, and who is next: the queue's rules without threads or clocks.
//!
//! Lanes (namespaces) are served in turn; within a lane the smallest priority is first (what expires first), and of
//! equals the one that came first. A key is in one place only: ready, delayed, or in somebody's hands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// The queue's state.
#[derive(Debug)]
pub struct Lanes<K> {
    keys: HashMap<Arc<K>, Place>,
    waiting: HashMap<Arc<str>, Lane<K>>,
    /// The lanes that have ready keys, the one to be served next in front.
    turns: VecDeque<Arc<str>>,
    delayed: BTreeMap<(Timestamp, u64), Arc<K>>,
    ready: usize,
    running: usize,
    sequence: u64,
}

/// Ready keys by priority and arrival.
type Lane<K> = BTreeMap<(i64, u64), Arc<K>>;

#[derive(Clone, Debug)]
struct Wish {
    lane: Arc<str>,
    priority: i64,
    /// `None`: now.
    at: Option<Timestamp>,
}

#[derive(Debug)]
enum Place {
    Ready { lane: Arc<str>, priority: i64, sequence: u64, since: Timestamp },
    Delayed { lane: Arc<str>, priority: i64, sequence: u64, at: Timestamp },
    Running { again: Option<Wish> },
}

/// How many keys are where.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Depth {
    /// May be handed out now.
    pub ready: usize,
    /// Wait for their time.
    pub delayed: usize,
    /// Are being worked on.
    pub running: usize,
}

impl<K: Eq + Hash> Lanes<K> {
    /// An empty queue.
    pub fn new() -> Self {
        Self {
            keys: HashMap::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            delayed: BTreeMap::new(),
            ready: 0,
            running: 0,
            sequence: 0,
        }
    }

    /// Wants `key` handed out as soon as its turn comes.
    ///
    /// Ready already: the smaller priority counts. Delayed: it no longer is. In hands: again after that.
    pub fn push(&mut self, key: K, lane: &str, priority: i64, now: Timestamp) {
        self.wish(key, Wish { lane: self.lane(lane), priority, at: None }, now);
    }

    /// Wants `key` handed out at `at`, unless it is wanted earlier already.
    pub fn push_at(&mut self, key: K, lane: &str, priority: i64, at: Timestamp, now: Timestamp) {
        let at = (at > now).then_some(at);
        self.wish(key, Wish { lane: self.lane(lane), priority, at }, now);
    }

    /// Takes back all wishes for `key`. Work on it that goes on is not touched.
    pub fn forget(&mut self, key: &K) {
        if let Some(Place::Running { again }) = self.keys.get_mut(key) {
            *again = None;
        } else {
            self.remove(key);
        }
    }

    /// Hands out the key whose turn it is. It must come back by [`Lanes::finish`].
    pub fn next(&mut self, now: Timestamp) -> Option<Arc<K>> {
        self.promote(now);
        let lane = self.turns.pop_front()?;
        let keys = self.waiting.get_mut(&lane)?;
        let (_, key) = keys.pop_first()?;
        if keys.is_empty() {
            self.waiting.remove(&lane);
        } else {
            self.turns.push_back(lane);
        }
        self.ready -= 1;
        self.running += 1;
        self.keys.insert(Arc::clone(&key), Place::Running { again: None });
        Some(key)
    }

    /// The work on `key` has ended; what was wished meanwhile takes effect.
    pub fn finish(&mut self, key: &Arc<K>, now: Timestamp) {
        if !matches!(self.keys.get(key), Some(Place::Running { .. })) {
            return;
        }
        self.running -= 1;
        if let Some(Place::Running { again: Some(wish) }) = self.keys.remove(key) {
            self.place(Arc::clone(key), wish, now);
        }
    }

    /// When the first delayed key falls due.
    pub fn due(&self) -> Option<Timestamp> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether a key could be handed out now, delayed ones aside.
    pub fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// How many keys are where.
    pub fn depth(&self) -> Depth {
        Depth { ready: self.ready, delayed: self.delayed.len(), running: self.running }
    }

    /// For how long the oldest ready key has waited. Looks at every key: for scrapes.
    pub fn oldest(&self, now: Timestamp) -> SignedDuration {
        let since = self.keys.values().filter_map(|place| match place {
            Place::Ready { since, .. } => Some(*since),
            Place::Delayed { at, .. } if *at <= now => Some(*at),
            _ => None,
        });
        since.min().map_or(SignedDuration::ZERO, |since| now.duration_since(since).max(SignedDuration::ZERO))
    }

    fn wish(&mut self, key: K, wish: Wish, now: Timestamp) {
        let merged = match self.keys.get_mut(&key) {
            None => wish,
            Some(Place::Running { again }) => {
                *again = Some(match again.take() {
                    None => wish,
                    Some(last) => last.merged(wish),
                });
                return;
            }
            Some(Place::Ready { lane, priority, .. }) => {
                let merged = Wish { lane: Arc::clone(lane), priority: *priority, at: None }.merged(wish);
                if merged.priority == *priority && merged.lane == *lane {
                    return;
                }
                merged
            }
            Some(Place::Delayed { lane, priority, at, .. }) => {
                Wish { lane: Arc::clone(lane), priority: *priority, at: Some(*at) }.merged(wish)
            }
        };
        let (key, since) = self.remove(&key).unwrap_or_else(|| (Arc::new(key), now));
        self.place(key, merged, since);
    }

    fn place(&mut self, key: Arc<K>, wish: Wish, since: Timestamp) {
        self.sequence += 1;
        let Wish { lane, priority, at } = wish;
        let sequence = self.sequence;
        if let Some(at) = at {
            self.delayed.insert((at, sequence), Arc::clone(&key));
            self.keys.insert(key, Place::Delayed { lane, priority, sequence, at });
            return;
        }
        if !self.waiting.contains_key(&lane) {
            self.turns.push_back(Arc::clone(&lane));
        }
        self.waiting.entry(Arc::clone(&lane)).or_default().insert((priority, sequence), Arc::clone(&key));
        self.ready += 1;
        self.keys.insert(key, Place::Ready { lane, priority, sequence, since });
    }

    /// Removes a key that waits; returns it with the time since when it was ready.
    fn remove(&mut self, key: &K) -> Option<(Arc<K>, Timestamp)> {
        let (key, place) = self.keys.remove_entry(key)?;
        match place {
            Place::Ready { lane, priority, sequence, since } => {
                self.ready -= 1;
                if let Some(keys) = self.waiting.get_mut(&lane) {
                    keys.remove(&(priority, sequence));
                    if keys.is_empty() {
                        self.waiting.remove(&lane);
                        self.turns.retain(|turn| *turn != lane);
                    }
                }
                Some((key, since))
            }
            Place::Delayed { sequence, at, .. } => {
                self.delayed.remove(&(at, sequence));
                None
            }
            Place::Running { .. } => None,
        }
    }

    fn promote(&mut self, now: Timestamp) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), key) = entry.remove_entry();
            if let Some(Place::Delayed { lane, priority, .. }) = self.keys.remove(&key) {
                self.place(key, Wish { lane, priority, at: None }, at);
            }
        }
    }

    /// One allocation for all keys of a lane that has any ready.
    fn lane(&self, name: &str) -> Arc<str> {
        self.waiting.get_key_value(name).map_or_else(|| Arc::from(name), |(lane, _)| Arc::clone(lane))
    }
}

impl<K: Eq + Hash> Default for Lanes<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl Wish {
    /// Both wishes in one: the earlier time, the smaller priority, the newer lane.
    fn merged(self, newer: Self) -> Self {
        let at = match (self.at, newer.at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            _ => None,
        };
        Self { lane: newer.lane, priority: self.priority.min(newer.priority), at }
    }
}

#[cfg(test)]
mod tests;
