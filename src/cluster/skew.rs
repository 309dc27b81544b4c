//! How far our clock is from the API server's, taken from the `Date` header of its answers.
//!
//! A certificate signed by a wrong clock is wrong for its whole life, so nothing is signed while the two disagree.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use thiserror::Error;

/// The greatest difference under which anything is signed.
pub const MAX_SKEW: SignedDuration = SignedDuration::from_mins(2);

const UNMEASURED: i64 = i64::MIN;

/// The last measured difference between our clock and the API server's, shared by all that measure or ask.
#[derive(Clone)]
pub struct ClockSkew(Arc<AtomicI64>);

impl ClockSkew {
    /// Refuses while the clocks differ by more than `max`.
    ///
    /// Before the first answer nothing is known and nothing is refused: whatever is signed is preceded by calls.
    pub fn check(&self, max: SignedDuration) -> Result<(), Skewed> {
        match self.last() {
            Some(skew) if skew.abs() > max => Err(Skewed { skew, max }),
            _ => Ok(()),
        }
    }

    /// Our clock minus the server's, in whole seconds; `None` before the first measurement.
    pub fn last(&self) -> Option<SignedDuration> {
        match self.0.load(Ordering::Relaxed) {
            UNMEASURED => None,
            seconds => Some(SignedDuration::from_secs(seconds)),
        }
    }

    /// Takes the `date` header of an answer whose request left at `sent` and which arrived at `received`, both by
    /// our clock. A header that is no HTTP date measures nothing.
    pub fn observe(&self, date: &str, sent: Timestamp, received: Timestamp) -> Option<SignedDuration> {
        let server = rfc2822::parse(date).ok()?.timestamp();
        let skew = measure(server, sent, received);
        self.0.store(skew.as_secs(), Ordering::Relaxed);
        Some(skew)
    }
}

impl Default for ClockSkew {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNMEASURED)))
    }
}

impl fmt::Debug for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClockSkew").field(&self.last()).finish()
    }
}

/// The clocks differ by more than is allowed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("our clock is {} s {} the API server's, more than the {} s allowed", skew.abs().as_secs(), if skew.is_negative() { "behind" } else { "ahead of" }, max.as_secs())]
pub struct Skewed {
    /// Our clock minus the server's.
    pub skew: SignedDuration,
    /// What was allowed.
    pub max: SignedDuration,
}

/// The least difference that explains the header: the server wrote it at some moment between `sent` and `received`,
/// and it drops the fraction of the second, so a slow answer is never taken for a wrong clock.
fn measure(server: Timestamp, sent: Timestamp, received: Timestamp) -> SignedDuration {
    let least = sent.duration_since(server) - SignedDuration::from_secs(1);
    let most = received.duration_since(server);
    if least.is_positive() {
        least
    } else if most.is_negative() {
        most
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_measured_difference_is_the_least_that_explains_the_header() {
        let rows = [
            // (sent, received, skew in seconds)
            ("1994-11-06T08:49:37Z", "1994-11-06T08:49:37.010Z", 0),
            ("1994-11-06T08:49:37.9Z", "1994-11-06T08:49:37.95Z", 0),
            // A slow answer: the server wrote the header somewhere on the way.
            ("1994-11-06T08:48:40Z", "1994-11-06T08:49:50Z", 0),
            ("1994-11-06T08:52:38Z", "1994-11-06T08:52:39Z", 180),
            ("1994-11-06T08:44:36Z", "1994-11-06T08:44:37Z", -300),
        ];
        for (sent, received, seconds) in rows {
            let skew = ClockSkew::default();
            let measured = skew.observe(DATE, at(sent), at(received)).unwrap();
            assert_eq!(measured.as_secs(), seconds, "{sent} {received}");
            assert_eq!(skew.last().unwrap().as_secs(), seconds);
        }
    }

    #[test]
    fn more_than_two_minutes_is_refused_in_both_directions() {
        let skew = ClockSkew::default();
        assert_eq!(skew.check(MAX_SKEW), Ok(()));
        skew.observe(DATE, at("1994-11-06T08:55:38Z"), at("1994-11-06T08:55:38Z"));
        let refused = skew.check(MAX_SKEW).unwrap_err();
        assert_eq!(refused.to_string(), "our clock is 360 s ahead of the API server's, more than the 120 s allowed");
        skew.observe(DATE, at("1994-11-06T08:40:37Z"), at("1994-11-06T08:40:37Z"));
        assert!(skew.check(MAX_SKEW).unwrap_err().to_string().contains("540 s behind"));
        skew.observe(DATE, at("1994-11-06T08:51:37Z"), at("1994-11-06T08:51:37Z"));
        assert_eq!(skew.check(MAX_SKEW), Ok(()));
    }

    #[test]
    fn a_header_that_is_no_date_measures_nothing() {
        let skew = ClockSkew::default();
        for rubbish in ["", "now", "Sun, 99 Nov 1994 08:49:37 GMT", "\u{0}"] {
            assert_eq!(skew.observe(rubbish, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH), None);
        }
        assert_eq!(skew.last(), None);
    }
}
