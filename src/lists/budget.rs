//! How many octets may be written for lists: each generation is written whole, and etcd keeps what it was given for minutes.
//!
//! Pure: the time is an argument.

use jiff::{SignedDuration, Timestamp};

/// How many octets of lists all authorities together write in a minute.
pub const BYTES_A_MINUTE: u64 = 20 * 1024 * 1024;

const MINUTE: i128 = 60_000;

/// What may still be written now. Full at the start.
#[derive(Clone, Debug, Default)]
pub struct ByteBudget {
    /// What is spent and has not come back yet. A publication larger than a minute's worth is made when nothing is, and makes the next wait.
    spent: u64,
    at: Option<Timestamp>,
}

impl ByteBudget {
    /// When so many octets may be written; `now` or before it when they may at once.
    pub fn ready(&self, bytes: u64, now: Timestamp) -> Timestamp {
        let spent = self.spent_by(now);
        let missing = spent.saturating_add(bytes.min(BYTES_A_MINUTE)).saturating_sub(BYTES_A_MINUTE);
        let milliseconds = (i128::from(missing) * MINUTE).div_euclid(i128::from(BYTES_A_MINUTE)) + i128::from(missing > 0);
        let wait = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
        now.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Counts what is about to be written.
    pub fn spend(&mut self, bytes: u64, now: Timestamp) {
        self.spent = self.spent_by(now).saturating_add(bytes);
        self.at = Some(now);
    }

    fn spent_by(&self, now: Timestamp) -> u64 {
        // A clock that goes back gives nothing back.
        let passed = self.at.map_or(0, |at| now.duration_since(at).as_millis()).max(0);
        let back = u64::try_from(passed * i128::from(BYTES_A_MINUTE) / MINUTE).unwrap_or(u64::MAX);
        self.spent.saturating_sub(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).unwrap()
    }

    #[test]
    fn twenty_mebibytes_go_out_at_once_and_the_next_wait() {
        let mut budget = ByteBudget::default();
        for _ in 0..20 {
            assert_eq!(budget.ready(MIB, at(0)), at(0));
            budget.spend(MIB, at(0));
        }
        let ready = budget.ready(MIB, at(0));
        assert!(ready > at(2) && ready <= at(4), "{ready}");
        assert_eq!(budget.ready(MIB, ready), ready);
        assert_eq!(budget.ready(20 * MIB, at(60)), at(60));
    }

    #[test]
    fn in_an_hour_no_more_is_written_than_the_budget_says() {
        let (mut budget, mut now, mut written) = (ByteBudget::default(), at(0), 0);
        while now < at(3600) {
            now = now.max(budget.ready(7 * MIB, now));
            budget.spend(7 * MIB, now);
            written += 7 * MIB;
        }
        assert!((59 * BYTES_A_MINUTE..=61 * BYTES_A_MINUTE + 7 * MIB).contains(&written), "{written}");
    }

    #[test]
    fn a_list_larger_than_the_budget_is_written_when_nothing_is_spent() {
        let mut budget = ByteBudget::default();
        assert_eq!(budget.ready(50 * MIB, at(0)), at(0));
        budget.spend(50 * MIB, at(0));
        let ready = budget.ready(MIB, at(0));
        assert!(ready > at(90) && ready < at(100), "{ready}");
    }

    #[test]
    fn a_clock_that_goes_back_neither_refills_nor_blocks_it() {
        let mut budget = ByteBudget::default();
        budget.spend(20 * MIB, at(0));
        assert!(budget.ready(MIB, at(-3600)) <= at(-3590));
        budget.spend(0, at(-3600));
        assert_eq!(budget.ready(20 * MIB, at(-3540)), at(-3540));
    }
}
