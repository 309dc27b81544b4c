//! When a certificate has its turn to be renewed: the moment at which it falls due, moved into a window.
//!
//! A pure function of what was observed and the time, so that a second look says the same. What waits for a window has a moment
//! of its own in the first half of it, by the same hash that spreads all renewals.

use chancery_pki::SerialNumber;
use jiff::{SignedDuration, Timestamp};

use super::renewal::{add, scale, spread};
use crate::api::{Occurrence, Schedule};

/// When a certificate is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// From this moment on; it stays while the renewal is overdue. None where time does not renew it.
    pub at: Option<Timestamp>,
    /// It is now.
    pub due: bool,
    /// No window opens before the certificate ends: it is renewed outside.
    pub outside: bool,
    /// When it may be over, since a window is closed then.
    pub over: Option<Timestamp>,
}

impl Turn {
    fn at(at: Timestamp, now: Timestamp) -> Self {
        Self { at: Some(at), due: at <= now, outside: false, over: None }
    }
}

/// The windows, and what bears on their use by one certificate.
struct Windows<'a> {
    schedule: &'a Schedule,
    not_after: Timestamp,
    /// Its share of the spread.
    share: u32,
}

/// The turn of a certificate that falls due at `desired` and ends at `not_after`.
///
/// What was in the way when its turn came may be so until the window is closed: then it waits for the next one. But it never waits
/// for a window that opens too late.
pub fn turn(desired: Timestamp, not_after: Timestamp, schedule: &Schedule, uid: &str, serial: &SerialNumber, now: Timestamp) -> Turn {
    if schedule.disabled {
        return Turn { at: None, due: false, outside: false, over: None };
    }
    if schedule.windows.is_empty() {
        return Turn::at(desired, now);
    }
    let windows = Windows { schedule, not_after, share: spread(uid, serial) };
    let first = if schedule.is_open(desired) { Some(desired) } else { windows.next(desired) };
    let Some(first) = first else {
        return Turn { outside: true, ..Turn::at(desired, now) };
    };
    if first > now {
        return Turn::at(first, now);
    }
    windows.again(first, now)
}

impl Windows<'_> {
    /// Its moment in the window that opens next, if that is before its end.
    fn next(&self, from: Timestamp) -> Option<Timestamp> {
        self.schedule.next(from, self.not_after).map(|occurrence| self.moment(occurrence))
    }

    /// Its moment in a window, before its own end.
    fn moment(&self, Occurrence { begin, end }: Occurrence) -> Timestamp {
        let half = end.min(self.not_after).duration_since(begin).as_secs() / 2;
        add(begin, SignedDuration::from_secs(scale(half, self.share)))
    }

    /// Its turn after the first, which was at `first`.
    fn again(&self, first: Timestamp, now: Timestamp) -> Turn {
        let open: Vec<Occurrence> = self.schedule.open(now).collect();
        // Its moment in a window that is open and was when the other one opened.
        let in_another = |begin: Timestamp| {
            let around = open.iter().filter(|other| other.begin > first && other.begin < begin && begin < other.end);
            around.map(|other| self.moment(*other)).max()
        };
        let moments = |occurrence: Occurrence| match occurrence {
            Occurrence { begin, .. } if begin <= first => first,
            // It opened while another one was open: nobody has waited for it.
            Occurrence { begin, .. } if self.schedule.is_open(add(begin, -SignedDuration::from_nanos(1))) => {
                in_another(begin).map_or(begin, |moment| moment.max(begin))
            }
            // As `next` had it before: of those that open together, in the longest.
            Occurrence { begin, end } => {
                let end = open.iter().filter(|other| other.begin == begin).map(|other| other.end).fold(end, Timestamp::max);
                self.moment(Occurrence { begin, end })
            }
        };
        let open: Vec<_> = open.iter().map(|occurrence| (moments(*occurrence), occurrence.end)).collect();
        if let Some(over) = open.iter().filter(|(moment, _)| *moment <= now).map(|(_, end)| *end).max() {
            return Turn { over: Some(over), ..Turn::at(first, now) };
        }
        match open.into_iter().map(|(moment, _)| moment).min().or_else(|| self.next(now)) {
            Some(next) => Turn::at(next, now),
            None => Turn { outside: true, ..Turn::at(first, now) },
        }
    }
}

#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;
