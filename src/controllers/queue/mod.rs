//! A fair queue of work: many push, many take, no key is in two hands at once.
//!
//! The rules are in [`Lanes`]; here are the lock, the waiting and the timers.

mod lanes;

use std::fmt;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

pub use lanes::{Depth, Lanes};

use crate::cluster::Clock;
use crate::telemetry::QueueGauge;

/// Timers run on the monotonic clock; the time of day is looked at anew at least this often, for it may jump.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A queue; clones share it.
pub struct Queue<K>(Arc<Shared<K>>);

struct Shared<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    clock: Arc<dyn Clock>,
}

struct State<K> {
    lanes: Lanes<K>,
    closed: bool,
}

impl<K: Eq + Hash> Queue<K> {
    /// An empty queue.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { lanes: Lanes::new(), closed: false });
        Self(Arc::new(Shared { state, changed: Notify::new(), clock }))
    }

    /// Wants `key` handed out as soon as its turn comes. `lane` is its namespace; smaller priorities go first, so the
    /// second in which something expires is one.
    pub fn push(&self, key: K, lane: &str, priority: i64) {
        let now = self.0.clock.now();
        self.0.lock().lanes.push(key, lane, priority, now);
        self.0.changed.notify_one();
    }

    /// Wants `key` handed out at `at`; an earlier wish stands.
    pub fn push_at(&self, key: K, lane: &str, priority: i64, at: Timestamp) {
        let now = self.0.clock.now();
        let mut state = self.0.lock();
        let due = state.lanes.due();
        state.lanes.push_at(key, lane, priority, at, now);
        let sooner = state.lanes.due() != due;
        drop(state);
        if sooner {
            // Whoever sleeps, sleeps for the wrong time now.
            self.0.changed.notify_waiters();
        }
        self.0.changed.notify_one();
    }

    /// Takes back all wishes for `key`. Work on it that goes on is not touched.
    pub fn forget(&self, key: &K) {
        self.0.lock().lanes.forget(key);
    }

    /// Waits for the next key. `None` once the queue is closed and all that was handed out is finished.
    ///
    /// May be dropped while it waits without losing anything.
    pub async fn next(&self) -> Option<Ticket<K>> {
        let shared = &self.0;
        loop {
            let mut changed = pin!(shared.changed.notified());
            // Registered before the look at the state: what changes after the look is not missed.
            changed.as_mut().enable();
            let now = shared.clock.now();
            let due = {
                let mut state = shared.lock();
                if state.closed {
                    if state.lanes.depth().running == 0 {
                        return None;
                    }
                    None
                } else if let Some(key) = state.lanes.next(now) {
                    if state.lanes.has_ready() {
                        shared.changed.notify_one();
                    }
                    return Some(Ticket { key, shared: Arc::clone(shared) });
                } else {
                    state.lanes.due()
                }
            };
            let nap = due.map_or(LOOK_AGAIN, |due| nap(now, due));
            let _ = tokio::time::timeout(nap, changed).await;
        }
    }

    /// Hands out nothing more. What is in hands goes on.
    pub fn close(&self) {
        self.0.lock().closed = true;
        self.0.changed.notify_waiters();
    }

    /// The number of keys that wait, for their turn or for their time.
    pub fn len(&self) -> usize {
        let depth = self.0.lock().lanes.depth();
        depth.ready + depth.delayed
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys are where.
    pub fn depth(&self) -> Depth {
        self.0.lock().lanes.depth()
    }

    /// For how long the oldest key that could be handed out has waited.
    pub fn oldest_waiting(&self) -> Duration {
        let now = self.0.clock.now();
        self.0.lock().lanes.oldest(now).try_into().unwrap_or(Duration::ZERO)
    }
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Queue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Send + Sync + 'static> QueueGauge for Queue<K> {
    fn depth(&self) -> (usize, usize, usize) {
        let Depth { ready, delayed, running } = Self::depth(self);
        (ready, delayed, running)
    }

    fn oldest_waiting(&self) -> Duration {
        Self::oldest_waiting(self)
    }
}

/// A key in our hands: nobody else gets it until this is dropped.
pub struct Ticket<K: Eq + Hash> {
    key: Arc<K>,
    shared: Arc<Shared<K>>,
}

impl<K: Eq + Hash> Ticket<K> {
    /// What to work on.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Eq + Hash> Drop for Ticket<K> {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        self.shared.lock().lanes.finish(&self.key, now);
        // It may be ready again, have set a new earliest time, or have been the last one before the end.
        self.shared.changed.notify_waiters();
        self.shared.changed.notify_one();
    }
}

impl<K: Eq + Hash + fmt::Debug> fmt::Debug for Ticket<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.key).finish()
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nap(now: Timestamp, due: Timestamp) -> Duration {
    let left = due.duration_since(now).max(SignedDuration::from_millis(1));
    Duration::try_from(left).map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN))
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::cluster::SettableClock;

    fn queue() -> (Queue<u32>, Arc<SettableClock>) {
        let clock = Arc::new(SettableClock::new(Timestamp::UNIX_EPOCH));
        (Queue::new(Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn who_waits_gets_what_is_pushed() {
        let (queue, _) = queue();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { *queue.next().await.unwrap().key() }
        });
        tokio::task::yield_now().await;
        queue.push(7, "a", 0);
        assert_eq!(waiting.await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_of_the_clock_is_noticed_within_half_a_minute() {
        let (queue, clock) = queue();
        queue.push_at(1, "a", 0, at(86_400));
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await.map(|ticket| *ticket.key()) }
        });
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!waiting.is_finished());
        clock.set(at(86_400));
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(waiting.await.unwrap(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_time_wakes_whoever_sleeps_for_a_later_one() {
        let (queue, clock) = queue();
        queue.push_at(1, "a", 0, at(20));
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await.map(|ticket| *ticket.key()) }
        });
        tokio::task::yield_now().await;
        queue.push_at(2, "a", 0, at(1));
        tokio::task::yield_now().await;
        clock.set(at(1));
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert!(waiting.is_finished());
        assert_eq!(waiting.await.unwrap(), Some(2));
    }

    #[tokio::test]
    async fn a_closed_queue_ends_when_the_last_ticket_is_back() {
        let (queue, _) = queue();
        queue.push(1, "a", 0);
        queue.push(2, "a", 0);
        let ticket = queue.next().await.unwrap();
        queue.close();
        let mut end = Box::pin(queue.next());
        assert!(futures::poll!(&mut end).is_pending());
        drop(ticket);
        assert!(end.await.is_none());
        assert_eq!(queue.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_takes_no_wake_with_it() {
        let (queue, _) = queue();
        let mut first = Box::pin(queue.next());
        assert!(futures::poll!(&mut first).is_pending());
        let second = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await.map(|ticket| *ticket.key()) }
        });
        tokio::task::yield_now().await;
        queue.push(1, "a", 0);
        drop(first);
        let began = tokio::time::Instant::now();
        assert_eq!(second.await.unwrap(), Some(1));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_workers_do_all_of_it_and_none_twice_at_once() {
        let (queue, _) = queue();
        let busy = Arc::new(Mutex::new(std::collections::HashSet::new()));
        let done = Arc::new(Mutex::new(0u32));
        let workers = (0..8).map(|_| {
            let (queue, busy, done) = (queue.clone(), Arc::clone(&busy), Arc::clone(&done));
            tokio::spawn(async move {
                while let Some(ticket) = queue.next().await {
                    assert!(busy.lock().unwrap().insert(*ticket.key()));
                    tokio::task::yield_now().await;
                    assert!(busy.lock().unwrap().remove(ticket.key()));
                    let mut done = done.lock().unwrap();
                    *done += 1;
                    if *done == 2000 {
                        queue.close();
                    }
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        for key in 0..2000 {
            queue.push(key, ["a", "b", "c"][key as usize % 3], 0);
        }
        for worker in join_all(workers).await {
            worker.unwrap();
        }
        assert_eq!(*done.lock().unwrap(), 2000);
        assert!(queue.is_empty());
    }
}
