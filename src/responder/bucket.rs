//! How often something dear may be done: so many times a second, and some at once after a pause. Pure: the time is an argument.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A limit that all threads share.
#[derive(Debug)]
pub struct Bucket {
    /// Nanoseconds that one costs.
    cost: u64,
    /// How far ahead of the time one may be, in nanoseconds.
    ahead: u64,
    /// The time up to which all is spent.
    spent: AtomicU64,
}

impl Bucket {
    /// So many a second, at least one; and at once what comes together in a second.
    pub fn a_second(number: u32) -> Self {
        let second = 1_000_000_000;
        Self { cost: second / u64::from(number.max(1)), ahead: second, spent: AtomicU64::new(0) }
    }

    /// Takes one, if there is one at this time, counted from any fixed moment.
    pub fn take(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let take = |spent: u64| {
            let after = spent.max(now).saturating_add(self.cost);
            (after <= now.saturating_add(self.ahead)).then_some(after)
        };
        self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_taken_in_any_second_but_the_first() {
        let bucket = Bucket::a_second(100);
        let mut taken = [0; 5];
        for millisecond in 0..5_000 {
            let now = Duration::from_millis(millisecond);
            taken[usize::try_from(millisecond / 1000).unwrap()] += (0..3).filter(|_| bucket.take(now)).count();
        }
        assert!((195..=200).contains(&taken[0]), "{taken:?}");
        assert!(taken[1..].iter().all(|taken| (99..=101).contains(taken)), "{taken:?}");
    }

    #[test]
    fn a_pause_fills_it_up_once() {
        let bucket = Bucket::a_second(5);
        let count = |second| (0..100).filter(|_| bucket.take(Duration::from_secs(second))).count();
        assert_eq!(count(0), 5);
        assert_eq!(count(0), 0);
        assert_eq!(count(60), 5);
    }
}
