//! When a certificate is renewed, and how long the next one may live.
//!
//! Everything here is arithmetic on times that were observed; nothing reads a clock or draws a random number. The spread
//! that keeps thousands of certificates from renewing together is a hash of the object's uid and the certificate's serial, so
//! that a restart, or a second look, computes the same moment.

use chancery_pki::SerialNumber;
use jiff::{SignedDuration, Timestamp};

use crate::api::Renewal;

/// How far `notBefore` lies before the moment of issuance: clocks of relying parties may be behind ours.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// How far this machine's clock may be off while it signs, and a certificate's `notBefore` lie ahead before that is worth a word.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

/// A renewal gains at least this share of the lifetime, or it waits: of a year's certificate ten are made in a year at most.
const LEAST_GAIN: i64 = 10;

/// The span of a certificate, in whole seconds, as X.509 keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second at which it holds.
    pub not_before: Timestamp,
    /// The last second at which it holds.
    pub not_after: Timestamp,
}

impl Validity {
    /// `notAfter` minus `notBefore`.
    pub fn lifetime(&self) -> SignedDuration {
        self.not_after.duration_since(self.not_before)
    }

    /// Whether `at` lies within it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.not_before <= at && at <= self.not_after
    }
}

/// The validity of a certificate that is issued now: as long as was asked, but never past the end of the issuer's chain.
///
/// The second part is true where it was cut.
pub fn validity(now: Timestamp, wanted: SignedDuration, chain_end: Option<Timestamp>) -> (Validity, bool) {
    let not_before = whole_second(add(now, -BACKDATE));
    let asked = whole_second(add(not_before, wanted));
    match chain_end.map(whole_second) {
        Some(end) if end < asked => (Validity { not_before, not_after: end }, true),
        _ => (Validity { not_before, not_after: asked }, false),
    }
}

/// Whether a renewal is worth making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It is.
    Now,
    /// It will be.
    From(Timestamp),
    /// It never will be, unless the issuer's chain gets another end.
    Never,
}

/// Whether a renewal now is worth making: it lengthens what is held by at least a tenth of the lifetime that is wanted, or,
/// where the issuer's chain ends too soon for that, it doubles what is left.
pub fn worth(held: Validity, next: Validity, cut: bool, wanted: SignedDuration, now: Timestamp) -> Worth {
    let gain = next.not_after.duration_since(held.not_after);
    let least = SignedDuration::from_secs(wanted.as_secs() / LEAST_GAIN);
    if gain >= least {
        return Worth::Now;
    }
    let from = if cut {
        if gain <= SignedDuration::ZERO {
            return Worth::Never;
        }
        add(held.not_after, -gain)
    } else {
        // What is held is longer than what is asked for now: each second of waiting is a second of gain.
        add(held.not_after, least + BACKDATE - SignedDuration::from_secs(wanted.as_secs()))
    };
    if from <= now { Worth::Now } else { Worth::From(from) }
}

/// The moment from which a certificate is due for renewal.
///
/// Two thirds into its real lifetime, or `renewBefore`, or a percentage of the real lifetime, before its end; and up to a
/// twentieth of the lifetime earlier, by the certificate's own share of the spread. Never before a tenth of the lifetime
/// has passed since it was issued, whatever was asked.
pub fn due(validity: Validity, renewal: Renewal, uid: &str, serial: &SerialNumber) -> Timestamp {
    let lifetime = validity.lifetime().as_secs();
    let lead = match renewal {
        Renewal::Before(lead) if lead.as_secs() > 0 && lead.as_secs() < lifetime => lead.as_secs(),
        Renewal::Percentage(percentage) => lifetime.saturating_mul(i64::from(percentage)) / 100,
        Renewal::Before(_) | Renewal::Default => lifetime / 3,
    };
    let spreading = lifetime / 20;
    let soonest = BACKDATE.as_secs() + lifetime / LEAST_GAIN + 1;
    let latest = lifetime.saturating_sub(lead).max(soonest.saturating_add(spreading)).min(lifetime);
    let window = spreading.min(latest.saturating_sub(soonest).max(0)).min(latest / 10);
    let earlier = scale(window, spread(uid, serial));
    add(validity.not_before, SignedDuration::from_secs(latest.saturating_sub(earlier)))
}

/// A number that is the same for the same certificate, and evenly spread over all of them.
pub(super) fn spread(uid: &str, serial: &SerialNumber) -> u32 {
    // FNV-1a, then the finisher of SplitMix64: uids differ in few places, and the result must not.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for octet in uid.bytes().chain(serial.as_octets().iter().copied()) {
        hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((hash ^ (hash >> 31)) >> 32).unwrap_or(u32::MAX)
}

pub(super) fn scale(window: i64, share: u32) -> i64 {
    let scaled = (i128::from(window) * i128::from(share)) >> 32;
    i64::try_from(scaled).unwrap_or(0)
}

/// Addition that stays within the times that exist: a spec may ask for thousands of years.
pub fn add(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.saturating_add(span).unwrap_or(time)
}

/// Parts of a second cut off, as X.509 keeps times.
pub fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn serial() -> SerialNumber {
        SerialNumber::issued(0, [7; 13])
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    #[test]
    fn what_was_asked_is_what_is_given_although_it_starts_earlier() {
        let (validity, cut) = validity(at(1_000_000), hours(24), None);
        assert_eq!(validity.not_before, at(1_000_000 - 300));
        assert_eq!(validity.lifetime(), hours(24));
        assert!(!cut);
    }

    #[test]
    fn a_certificate_ends_with_its_issuers_chain() {
        let (validity, cut) = validity(at(1_000_000), hours(24), Some(at(1_000_000 + HOUR)));
        assert_eq!(validity.not_after, at(1_000_000 + HOUR));
        assert!(cut);
    }

    #[test]
    fn renewal_falls_due_by_the_rule_that_was_asked() {
        let validity = Validity { not_before: at(0), not_after: at(300 * HOUR) };
        for (renewal, latest) in
            [(Renewal::Default, 200), (Renewal::Before(hours(30)), 270), (Renewal::Before(hours(300)), 200), (Renewal::Percentage(25), 225)]
        {
            let due = due(validity, renewal, "uid", &serial());
            assert!(due <= at(latest * HOUR), "{renewal:?}: {due}");
            assert!(due >= at((latest - 15) * HOUR), "{renewal:?}: {due}");
        }
    }

    #[test]
    fn a_thousand_certificates_made_together_do_not_renew_together() {
        let validity = Validity { not_before: at(0), not_after: at(2160 * HOUR) };
        let mut per_hour = std::collections::BTreeMap::<i64, usize>::new();
        for number in 0..1000 {
            let due = due(validity, Renewal::Default, &format!("uid-{number}"), &serial());
            *per_hour.entry(due.as_second() / HOUR).or_default() += 1;
        }
        assert!(per_hour.len() > 90, "spread over {} hours", per_hour.len());
        assert!(per_hour.values().all(|count| *count < 40));
    }

    #[test]
    fn a_renewal_is_never_due_before_a_tenth_of_the_lifetime_has_passed() {
        for (renewal, lifetime) in [(Renewal::Before(hours(85 * 24)), 90 * 24), (Renewal::Percentage(99), 24), (Renewal::Percentage(99), 1)]
        {
            let (validity, _) = validity(at(1_000_000), hours(lifetime), None);
            for number in 0..100 {
                let due = due(validity, renewal, &format!("uid-{number}"), &serial());
                let passed = due.as_second() - 1_000_000;
                assert!(passed * 10 >= lifetime * HOUR, "{renewal:?} of {lifetime} h: {passed} s");
                assert!(passed * 6 <= lifetime * HOUR + 60, "{renewal:?} of {lifetime} h: {passed} s");
            }
        }
    }

    #[test]
    fn a_renewal_that_gains_next_to_nothing_waits_until_it_doubles_what_is_left() {
        let held = Validity { not_before: at(0), not_after: at(100 * HOUR) };
        let next = |end: i64| Validity { not_before: at(60 * HOUR), not_after: at(end * HOUR) };
        let worth = |end: i64, hour: i64| worth(held, next(end), true, hours(100), at(hour * HOUR));
        assert_eq!(worth(110, 60), Worth::Now);
        assert_eq!(worth(109, 60), Worth::From(at(91 * HOUR)));
        assert_eq!(worth(109, 91), Worth::Now);
        assert_eq!(worth(100, 99), Worth::Never);
        assert_eq!(worth(90, 80), Worth::Never);
    }

    #[test]
    fn a_renewal_for_a_shorter_lifetime_waits_until_it_gains() {
        let held = Validity { not_before: at(0), not_after: at(2160 * HOUR) };
        let now = at(1440 * HOUR);
        let (next, cut) = validity(now, hours(24), None);
        let Worth::From(from) = worth(held, next, cut, hours(24), now) else { panic!() };
        assert!(from < held.not_after);
        let (next, cut) = validity(from, hours(24), None);
        assert_eq!(worth(held, next, cut, hours(24), from), Worth::Now);
    }
}
