//! A bounded memory of answers: what was asked for lately is there, what was not has gone.
//!
//! Two generations: when the young one has half of the room, the old one goes and the young one takes its place. What is asked
//! for in the old one moves to the young one. It knows nothing of what is true: whoever asks must look whether the answer still holds.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

/// How many parts there are, each under its own lock.
const PARTS: usize = 16;

/// What each entry takes besides its key and answer: tables and counters.
const OVERHEAD: usize = 128;

/// The answers.
#[derive(Debug)]
pub struct Cache<V> {
    parts: Vec<Mutex<Part<V>>>,
    hasher: RandomState,
    /// Octets that one generation of one part may have.
    room: usize,
}

#[derive(Debug)]
struct Part<V> {
    young: HashMap<Box<[u8]>, (Arc<V>, usize)>,
    old: HashMap<Box<[u8]>, (Arc<V>, usize)>,
    bytes: usize,
}

impl<V> Cache<V> {
    /// A cache that holds about so many octets at most.
    pub fn of_bytes(bytes: usize) -> Self {
        let part = || Mutex::new(Part { young: HashMap::new(), old: HashMap::new(), bytes: 0 });
        Self { parts: (0..PARTS).map(|_| part()).collect(), hasher: RandomState::new(), room: bytes / PARTS / 2 }
    }

    /// The answer that is kept under this key.
    pub fn get(&self, key: &[u8]) -> Option<Arc<V>> {
        let mut part = self.part(key);
        if let Some((value, _)) = part.young.get(key) {
            return Some(Arc::clone(value));
        }
        let (key, (value, bytes)) = part.old.remove_entry(key)?;
        part.put(self.room, key, Arc::clone(&value), bytes);
        Some(value)
    }

    /// Keeps an answer of so many octets.
    pub fn put(&self, key: Box<[u8]>, value: Arc<V>, bytes: usize) {
        let bytes = bytes + key.len() + OVERHEAD;
        let mut part = self.part(&key);
        part.old.remove(&key);
        part.put(self.room, key, value, bytes);
    }

    fn part(&self, key: &[u8]) -> std::sync::MutexGuard<'_, Part<V>> {
        let number = usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0);
        self.parts[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Part<V> {
    fn put(&mut self, room: usize, key: Box<[u8]>, value: Arc<V>, bytes: usize) {
        if self.bytes + bytes > room {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += bytes;
        if let Some((_, before)) = self.young.insert(key, (value, bytes)) {
            self.bytes -= before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Box<[u8]> {
        Box::new(number.to_be_bytes())
    }

    fn held(cache: &Cache<u32>) -> usize {
        cache.parts.iter().map(|part| part.lock().unwrap()).map(|part| part.young.len() + part.old.len()).sum()
    }

    #[test]
    fn an_answer_is_found_again_and_the_last_one_counts() {
        let cache = Cache::of_bytes(100_000);
        assert_eq!(cache.get(&key(1)), None);
        cache.put(key(1), Arc::new(10), 100);
        cache.put(key(1), Arc::new(11), 100);
        assert_eq!(cache.get(&key(1)), Some(Arc::new(11)));
    }

    #[test]
    fn however_much_is_asked_the_room_is_enough_and_what_is_asked_often_stays() {
        let cache = Cache::of_bytes(1_000_000);
        cache.put(key(0), Arc::new(0), 868);
        for number in 1..50_000 {
            cache.put(key(number), Arc::new(number), 868);
            if number % 100 == 0 {
                assert!(cache.get(&key(0)).is_some(), "lost after {number}");
            }
        }
        // 1,000 octets each.
        assert!((300..=1_000).contains(&held(&cache)), "{}", held(&cache));
    }
}
