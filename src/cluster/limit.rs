//! How many requests may be in flight at once: few enough for the API server, found by what it answers.
//!
//! [`Window`] is the arithmetic (additive increase, multiplicative decrease); [`Limiter`] makes requests wait.
//! Watches and the lease's requests do not pass here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Makes callers wait, first come first served, so that at most the window's limit is in flight.
#[derive(Clone, Debug)]
pub struct Limiter {
    slots: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

impl Limiter {
    /// At most `max` requests at once, and never fewer than one.
    pub fn new(max: u32) -> Self {
        let window = Window::new(max);
        Self {
            slots: Arc::new(Semaphore::new(window.limit as usize)),
            state: Arc::new(Mutex::new(State { window, surplus: 0, in_flight: 0 })),
        }
    }

    /// Waits for a slot. It is given back when the answer is reported, or when the permit is dropped.
    pub async fn acquire(&self) -> Permit {
        // The semaphore is never closed; were it, working without a limit beats not working.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let mut state = self.lock();
        state.in_flight += 1;
        Permit { round: state.window.round, slot, limiter: self.clone() }
    }

    /// The number of requests allowed at once now.
    pub fn limit(&self) -> u32 {
        self.lock().window.limit
    }

    /// The number of requests that have a slot now.
    pub fn in_flight(&self) -> u32 {
        self.lock().in_flight
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot for one request.
#[derive(Debug)]
pub struct Permit {
    round: u64,
    slot: Option<OwnedSemaphorePermit>,
    limiter: Limiter,
}

impl Permit {
    /// Gives the slot back and tells the window how the request fared.
    pub fn finish(self, answer: Answer) {
        let mut state = self.limiter.lock();
        let before = state.window.limit as usize;
        state.window.answered(self.round, answer);
        let after = state.window.limit as usize;
        let more = after.saturating_sub(before);
        let owed = more.min(state.surplus);
        self.limiter.slots.add_permits(more - owed);
        state.surplus = state.surplus - owed + before.saturating_sub(after);
        // Slots that nobody holds are taken away at once, the others as they come back.
        let taken = self.limiter.slots.forget_permits(state.surplus);
        state.surplus -= taken;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.in_flight -= 1;
        if state.surplus > 0
            && let Some(slot) = self.slot.take()
        {
            state.surplus -= 1;
            slot.forget();
        }
    }
}

#[derive(Debug)]
struct State {
    window: Window,
    /// Slots that are still out although the window no longer has them.
    surplus: usize,
    in_flight: u32,
}

/// How a request fared, as far as the window is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The server answered.
    Served,
    /// The server said 429.
    Throttled,
    /// No answer: it says nothing about the server's load.
    Lost,
}

/// The limit as the answers move it: one more for each full round of answers, half of it for a 429.
#[derive(Debug)]
struct Window {
    max: u32,
    limit: u32,
    served: u32,
    round: u64,
}

impl Window {
    fn new(max: u32) -> Self {
        let max = max.max(1);
        Self { max, limit: max, served: 0, round: 0 }
    }

    /// Takes the answer to a request that began in `round`.
    fn answered(&mut self, round: u64, answer: Answer) {
        match answer {
            Answer::Served => {
                self.served += 1;
                if self.served >= self.limit {
                    self.served = 0;
                    self.limit = (self.limit + 1).min(self.max);
                }
            }
            // The 429s of requests that were under way together are one refusal, not sixteen.
            Answer::Throttled if round == self.round => {
                self.round += 1;
                self.served = 0;
                self.limit = (self.limit / 2).max(1);
            }
            Answer::Lost | Answer::Throttled => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_the_limit_once_for_all_that_were_under_way() {
        let mut window = Window::new(16);
        for _ in 0..16 {
            window.answered(0, Answer::Throttled);
        }
        assert_eq!(window.limit, 8);
        window.answered(1, Answer::Throttled);
        assert_eq!(window.limit, 4);
    }

    #[test]
    fn the_limit_never_falls_below_one_nor_rises_above_the_maximum() {
        let mut window = Window::new(16);
        for round in 0..10 {
            window.answered(round, Answer::Throttled);
        }
        assert_eq!(window.limit, 1);
        for _ in 0..10_000 {
            window.answered(0, Answer::Served);
        }
        assert_eq!(window.limit, 16);
        assert_eq!(Window::new(0).limit, 1);
    }

    #[test]
    fn it_grows_by_one_for_a_round_of_answers() {
        let mut window = Window::new(16);
        window.answered(0, Answer::Throttled);
        for _ in 0..7 {
            window.answered(1, Answer::Served);
        }
        assert_eq!(window.limit, 8);
        window.answered(1, Answer::Served);
        assert_eq!(window.limit, 9);
    }

    #[test]
    fn lost_requests_say_nothing() {
        let mut window = Window::new(16);
        window.answered(0, Answer::Throttled);
        for _ in 0..100 {
            window.answered(1, Answer::Lost);
        }
        assert_eq!(window.limit, 8);
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_let_in() {
        let limiter = Limiter::new(2);
        let first = limiter.acquire().await;
        let _second = limiter.acquire().await;
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_pending());
        first.finish(Answer::Served);
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_ready());
    }

    #[tokio::test]
    async fn slots_taken_away_while_they_are_out_do_not_come_back() {
        let limiter = Limiter::new(4);
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire().await);
        }
        permits.pop().unwrap().finish(Answer::Throttled);
        assert_eq!(limiter.limit(), 2);
        // Three are out and two allowed: the next one back frees nothing, the one after it does.
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_pending());
        drop(permits.pop());
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_pending());
        drop(permits.pop());
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_ready());
        drop(permits.pop());
        assert_eq!(limiter.in_flight(), 0);
        let _one = limiter.acquire().await;
        let _two = limiter.acquire().await;
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_pending());
    }

    #[tokio::test]
    async fn a_limit_that_grew_back_lets_as_many_in_as_before() {
        let limiter = Limiter::new(4);
        limiter.acquire().await.finish(Answer::Throttled);
        assert_eq!(limiter.limit(), 2);
        for _ in 0..20 {
            limiter.acquire().await.finish(Answer::Served);
        }
        assert_eq!(limiter.limit(), 4);
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire().await);
        }
        assert!(futures::poll!(std::pin::pin!(limiter.acquire())).is_pending());
    }
}
