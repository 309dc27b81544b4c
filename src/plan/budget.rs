//! What keeps a storm small: the delay after failures, the budget of re-issuances, and the pace at which damage is mended.
//!
//! Inputs come from the object's status and from the register, so that a restart refills nothing.

use jiff::{SignedDuration, Timestamp};

use super::renewal::{TOLERANCE, add};

/// Successful re-issuances of one Certificate within an hour.
pub const PER_CERTIFICATE: usize = 10;
/// Successful re-issuances in one namespace within an hour.
pub const PER_NAMESPACE: usize = 600;
/// Refusals that go on record for one namespace within an hour: at most 7.4 MB in eight days, of lines of the greatest length. They
/// stay for longer where their segment has a certificate that has not ended.
pub const REFUSALS_PER_NAMESPACE: usize = 30;
/// Refusals that go on record in one register within an hour, of all namespaces: at most 30 MB in eight days.
pub const REFUSALS_PER_REGISTER: usize = 120;
/// The time over which the budgets count.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);

const FIRST_DELAY: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(32);
/// How long after its last re-issuance a Certificate whose Secret was damaged again waits; doubled by each that came before it within the hour.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// What the register says of the last hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// When this Certificate was re-issued, oldest first.
    pub by_certificate: Vec<Timestamp>,
    /// The oldest re-issuance in the namespace within the window, and how many there were.
    pub in_namespace: usize,
    /// The oldest of them.
    pub oldest_in_namespace: Option<Timestamp>,
}

/// The delay after the n-th failure in a row: one minute, doubled each time, 32 hours at most.
pub fn backoff(failures: i64) -> SignedDuration {
    let doublings = u32::try_from(failures.clamp(1, 32) - 1).unwrap_or(0);
    let seconds = FIRST_DELAY.as_secs().saturating_mul(1_i64 << doublings.min(31));
    SignedDuration::from_secs(seconds.min(LONGEST_DELAY.as_secs()))
}

/// The delay after the n-th failure in a row where what is held ends after `left`: at most half of that, so that it does not
/// end during a delay that it could have outlived.
pub fn delay(failures: i64, left: Option<SignedDuration>) -> SignedDuration {
    let half = left.filter(SignedDuration::is_positive).map_or(LONGEST_DELAY, |left| SignedDuration::from_secs(left.as_secs() / 2));
    backoff(failures).min(half.max(FIRST_DELAY))
}

/// Which budget is spent, and when there is room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// This Certificate's.
    Certificate {
        /// When the oldest re-issuance leaves the window.
        until: Timestamp,
    },
    /// The namespace's.
    Namespace {
        /// When the oldest re-issuance leaves the window.
        until: Timestamp,
    },
}

/// Whether one more re-issuance is within both budgets.
///
/// # Errors
/// The budget that is spent.
pub fn within(spent: &Spent, now: Timestamp) -> Result<(), Exhausted> {
    let recent = recent(spent, now);
    if recent.len() >= PER_CERTIFICATE {
        let oldest = recent[recent.len() - PER_CERTIFICATE];
        return Err(Exhausted::Certificate { until: add(oldest, WINDOW) });
    }
    if spent.in_namespace >= PER_NAMESPACE {
        let oldest = spent.oldest_in_namespace.unwrap_or(now);
        return Err(Exhausted::Namespace { until: add(oldest, WINDOW).max(add(now, FIRST_DELAY)) });
    }
    Ok(())
}

/// The moment before which damage to a Secret is not mended once more: another writer who keeps rewriting it would
/// otherwise spend the whole budget in seconds.
pub fn next_mending(spent: &Spent, now: Timestamp) -> Option<Timestamp> {
    let recent = recent(spent, now);
    let last = recent.last()?;
    let doublings = u32::try_from(recent.len().saturating_sub(1)).unwrap_or(0).min(16);
    let pause = SignedDuration::from_secs(FIRST_PAUSE.as_secs() << doublings);
    let next = add(*last, pause);
    (next > now).then_some(next)
}

/// The re-issuances within the window. A clock that once ran ahead left times that are yet to come; to wait for these could take years.
fn recent(spent: &Spent, now: Timestamp) -> Vec<Timestamp> {
    let (since, until) = (add(now, -WINDOW), add(now, TOLERANCE));
    spent.by_certificate.iter().copied().filter(|time| *time > since && *time <= until).collect()
}

/// Up to five minutes in seconds, the same for the same object: those who wait for one budget do not all come at once.
pub fn share(uid: Option<&str>) -> i64 {
    uid.unwrap_or_default().bytes().fold(0_i64, |sum, octet| (sum * 31 + i64::from(octet)) % 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn failures_back_off_from_a_minute_to_32_hours() {
        assert_eq!(backoff(1), SignedDuration::from_mins(1));
        assert_eq!(backoff(2), SignedDuration::from_mins(2));
        assert_eq!(backoff(11), SignedDuration::from_mins(1024));
        assert_eq!(backoff(12), SignedDuration::from_hours(32));
        assert_eq!(backoff(i64::MAX), SignedDuration::from_hours(32));
        assert_eq!(backoff(-1), SignedDuration::from_mins(1));
    }

    #[test]
    fn no_delay_is_longer_than_half_of_what_is_left_of_the_certificate() {
        let hours = SignedDuration::from_hours;
        assert_eq!(delay(20, Some(hours(10))), hours(5));
        assert_eq!(delay(20, Some(hours(100))), hours(32));
        assert_eq!(delay(2, Some(hours(100))), SignedDuration::from_mins(2));
        assert_eq!(delay(20, Some(SignedDuration::from_secs(30))), SignedDuration::from_mins(1));
        assert_eq!(delay(20, Some(hours(-1))), hours(32));
        assert_eq!(delay(20, None), hours(32));
    }

    #[test]
    fn re_issuances_that_are_yet_to_come_count_for_nothing() {
        let spent = Spent { by_certificate: (0..10).map(|n| at(1_000_000 + n)).collect(), ..Spent::default() };
        assert_eq!(within(&spent, at(10_000)), Ok(()));
        assert_eq!(next_mending(&spent, at(10_000)), None);
    }

    #[test]
    fn the_eleventh_reissue_within_an_hour_waits_for_the_first_to_leave_the_window() {
        let spent = Spent { by_certificate: (0..10).map(|n| at(10_000 + n)).collect(), ..Spent::default() };
        assert_eq!(within(&spent, at(10_100)), Err(Exhausted::Certificate { until: at(13_600) }));
        assert_eq!(within(&spent, at(13_600)), Ok(()));
    }

    #[test]
    fn one_namespace_has_600_an_hour() {
        let spent = Spent { in_namespace: 600, oldest_in_namespace: Some(at(9_000)), ..Spent::default() };
        assert_eq!(within(&spent, at(10_000)), Err(Exhausted::Namespace { until: at(12_600) }));
    }

    #[test]
    fn a_writer_who_damages_a_secret_each_second_is_answered_ever_more_slowly() {
        let mut spent = Spent::default();
        let mut mended = 0;
        for second in 0..60 {
            if next_mending(&spent, at(second)).is_none() {
                spent.by_certificate.push(at(second));
                mended += 1;
            }
        }
        assert_eq!(mended, 4);
    }
}
