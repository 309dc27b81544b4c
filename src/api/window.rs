//! When renewals may happen: windows that open by a cron expression in a time zone, and stay open for a while.
//!
//! The zones are those compiled in, so that every replica has the same ones. Nothing reads a clock, and each search ends: it goes
//! from one change of the zone's offset to the next, and nine years ahead at most.

use std::sync::LazyLock;

use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

mod cron;

pub(super) use cron::Cron;

/// How far ahead a beginning is looked for: 29 February may be eight years away.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 9);

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// When renewals may happen that are due by time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Never.
    pub disabled: bool,
    /// While one of these is open; none of them: at any time.
    pub windows: Vec<Window>,
}

/// A span of time that comes again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    cron: Cron,
    duration: SignedDuration,
    zone: TimeZone,
}

/// One time that a window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// When it opens.
    pub begin: Timestamp,
    /// When it is closed again.
    pub end: Timestamp,
}

impl Schedule {
    /// Of each window that is open then, since when: of occurrences that overlap the earliest.
    pub fn open(&self, at: Timestamp) -> impl Iterator<Item = Occurrence> {
        self.windows.iter().filter_map(move |window| window.open(at))
    }

    /// Whether a window is open then.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.open(at).next().is_some()
    }

    /// What opens next, at or after `from` and before `until`; of several that open together the longest.
    pub fn next(&self, from: Timestamp, until: Timestamp) -> Option<Occurrence> {
        let next = self.windows.iter().filter_map(|window| window.next(from, until));
        next.min_by_key(|occurrence| (occurrence.begin, std::cmp::Reverse(occurrence.end)))
    }
}

impl Window {
    pub(super) fn new(cron: Cron, duration: SignedDuration, zone: TimeZone) -> Self {
        Self { cron, duration, zone }
    }

    fn open(&self, at: Timestamp) -> Option<Occurrence> {
        let earliest = later(later(at, -self.duration), SignedDuration::from_nanos(1));
        self.next(earliest, later(at, SignedDuration::from_nanos(1)))
    }

    fn next(&self, from: Timestamp, until: Timestamp) -> Option<Occurrence> {
        let begin = self.begins(from, until.min(later(from, HORIZON)))?;
        Some(Occurrence { begin, end: later(begin, self.duration) })
    }

    /// The first beginning at or after `from` and before `until`. While a zone's offset stays, civil time runs as time does; what a
    /// change skips is in neither stretch, and what it repeats is in both.
    fn begins(&self, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut from = from;
        while from < until {
            let change = self.zone.following(from).next().map(|change| change.timestamp());
            let end = change.map_or(until, |change| change.min(until));
            let offset = self.zone.to_offset(from);
            let found = self.cron.at_or_after(offset.to_datetime(from), offset.to_datetime(end)).and_then(|civil| instant(offset, civil));
            if let Some(found) = found.filter(|found| *found < end) {
                return Some(found);
            }
            from = end;
        }
        None
    }
}

fn instant(offset: Offset, civil: jiff::civil::DateTime) -> Option<Timestamp> {
    offset.to_timestamp(civil).ok()
}

/// Addition that stays within the times that exist.
fn later(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.saturating_add(span).unwrap_or(time)
}

/// The time zone of this name in the IANA database; UTC for none. What is wrong with the name, and what would be right, is for people.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown());
    let Some(zone) = zone else {
        return Err("is no time zone: use a name of the IANA database, for example Europe/Berlin, or leave it out for UTC".to_owned());
    };
    match zone.iana_name() {
        Some(right) if right != name => Err(format!("is not how the IANA database writes it: use {right}")),
        _ => Ok(zone),
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
