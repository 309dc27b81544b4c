//! When windows are open, above all where clocks are changed.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::api::GoDuration;

fn window(cron: &str, duration: &str, name: &str) -> Window {
    let duration = duration.parse::<GoDuration>().unwrap().get();
    Window::new(Cron::parse(cron).unwrap(), duration, zone(name).unwrap())
}

fn of(windows: &[(&str, &str, &str)]) -> Schedule {
    Schedule { disabled: false, windows: windows.iter().map(|(cron, duration, zone)| window(cron, duration, zone)).collect() }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn begins(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let mut from = time(from);
    let mut begins = Vec::new();
    while begins.len() < count
        && let Some(next) = schedule.next(from, Timestamp::MAX)
    {
        begins.push(next.begin.to_string());
        from = next.begin + SignedDuration::from_nanos(1);
    }
    begins
}

#[test]
fn a_window_opens_by_the_clocks_of_its_zone() {
    let tokyo = of(&[("0 2 * * *", "1h", "Asia/Tokyo")]);
    assert_eq!(begins(&tokyo, "2026-06-01T00:00:00Z", 2), ["2026-06-01T17:00:00Z", "2026-06-02T17:00:00Z"]);
    let berlin = of(&[("0 2 * * *", "1h", "Europe/Berlin")]);
    assert_eq!(begins(&berlin, "2026-01-01T12:00:00Z", 1), ["2026-01-02T01:00:00Z"]);
    assert_eq!(begins(&berlin, "2026-07-01T12:00:00Z", 1), ["2026-07-02T00:00:00Z"]);
    assert_eq!(begins(&of(&[("0 2 * * *", "1h", "")]), "2026-07-01T12:00:00Z", 1), ["2026-07-02T02:00:00Z"]);
}

#[test]
fn at_an_hour_that_the_clocks_skip_no_window_opens() {
    let berlin = of(&[("30 2 * * *", "1h", "Europe/Berlin")]);
    let expected = ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(begins(&berlin, "2026-03-28T00:00:00Z", 2), expected);
    // 03:00 is the moment of the change, and there.
    assert_eq!(begins(&of(&[("0 3 * * *", "1h", "Europe/Berlin")]), "2026-03-28T12:00:00Z", 1), ["2026-03-29T01:00:00Z"]);
    // Where the clocks skip midnight.
    let cairo = of(&[("0 0 * * *", "1h", "Africa/Cairo")]);
    assert_eq!(begins(&cairo, "2026-04-23T00:00:00Z", 2), ["2026-04-24T21:00:00Z", "2026-04-25T21:00:00Z"]);
}

#[test]
fn at_an_hour_that_the_clocks_repeat_a_window_opens_twice() {
    let berlin = of(&[("30 2 * * *", "30m", "Europe/Berlin")]);
    let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(begins(&berlin, "2026-10-24T00:00:00Z", 4), expected);
    for (at, open) in [("00:29:59", false), ("00:30:00", true), ("00:59:59", true), ("01:00:00", false), ("01:30:00", true)] {
        assert_eq!(berlin.is_open(time(&format!("2026-10-25T{at}Z"))), open, "{at}");
    }
    // By half an hour, across midnight, and on another day.
    let howe = of(&[("45 1 * * *", "10m", "Australia/Lord_Howe")]);
    assert_eq!(begins(&howe, "2026-04-04T00:00:00Z", 3), ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-05T15:15:00Z"]);
    assert_eq!(begins(&of(&[("0 5 * * *", "10m", "Australia/Lord_Howe")]), "2026-04-04T00:00:00Z", 1), ["2026-04-04T18:30:00Z"]);
    let azores = of(&[("30 0 * * *", "10m", "Atlantic/Azores")]);
    assert_eq!(begins(&azores, "2026-10-25T00:00:00Z", 3), ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn a_window_is_open_from_its_first_moment_until_before_its_last() {
    let nightly = of(&[("0 23 * * *", "5h", "UTC")]);
    for (at, open) in [
        ("2026-06-01T22:59:59.999999999Z", false),
        ("2026-06-01T23:00:00Z", true),
        ("2026-06-02T03:59:59.999999999Z", true),
        ("2026-06-02T04:00:00Z", false),
    ] {
        assert_eq!(nightly.is_open(time(at)), open, "{at}");
    }
    let occurrence = Occurrence { begin: time("2026-06-01T23:00:00Z"), end: time("2026-06-02T04:00:00Z") };
    assert_eq!(nightly.open(time("2026-06-02T01:00:00Z")).collect::<Vec<_>>(), [occurrence]);
    assert_eq!(nightly.next(occurrence.begin, Timestamp::MAX), Some(occurrence));
    assert_eq!(nightly.next(time("2026-06-01T12:00:00Z"), occurrence.begin), None);
}

#[test]
fn any_one_of_several_windows_suffices_and_the_longest_comes_first() {
    let schedule = of(&[("0 2 * * 1-5", "1h", "UTC"), ("0 2 * * *", "4h", "UTC"), ("0 12 * * 6", "1h", "UTC")]);
    assert!(schedule.is_open(time("2026-06-06T12:30:00Z")) && schedule.is_open(time("2026-06-01T05:00:00Z")));
    let next = schedule.next(time("2026-06-01T00:00:00Z"), Timestamp::MAX).unwrap();
    assert_eq!((next.begin, next.end), (time("2026-06-01T02:00:00Z"), time("2026-06-01T06:00:00Z")));
    assert_eq!(schedule.open(time("2026-06-01T02:30:00Z")).count(), 2);
}

#[test]
fn of_times_that_overlap_the_earliest_tells_since_when_it_is_open() {
    let schedule = of(&[("*/10 2 * * *", "1h", "UTC")]);
    let since = |at: &str| schedule.open(time(at)).map(|open| open.begin.to_string()).collect::<Vec<_>>();
    assert_eq!(since("2026-06-01T02:55:00Z"), ["2026-06-01T02:00:00Z"]);
    assert_eq!(since("2026-06-01T03:05:00Z"), ["2026-06-01T02:10:00Z"]);
    assert_eq!(since("2026-06-01T03:50:00Z"), Vec::<String>::new());
}

#[test]
fn zones_are_those_of_the_iana_database_as_it_writes_them() {
    for name in ["", "UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "US/Pacific"] {
        assert!(zone(name).is_ok(), "{name}");
    }
    for (name, expected) in [
        ("europe/berlin", "use Europe/Berlin"),
        ("Europe/Bonn", "is no time zone"),
        ("Etc/Unknown", "is no time zone"),
        ("Local", "is no time zone"),
        ("+02:00", "is no time zone"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "is no time zone"),
        ("../UTC", "is no time zone"),
        ("Europe/Berlin ", "is no time zone"),
    ] {
        assert!(zone(name).is_err_and(|problem| problem.contains(expected)), "{name}: {:?}", zone(name));
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a search takes is what is asked")]
#[test]
fn no_search_takes_long() {
    let begun = Instant::now();
    for name in ["UTC", "Europe/Berlin", "Africa/Casablanca", "Australia/Lord_Howe", "America/Sao_Paulo"] {
        for cron in ["0 0 29 2 *", "* * * * *", "59 23 31 12 *", "0 5 * * *"] {
            for duration in ["1m", "2562047h"] {
                let schedule = of(&[(cron, duration, name)]);
                for at in ["1970-01-01T00:00:00Z", "2026-04-04T13:00:00Z", "2096-03-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
                    schedule.is_open(time(at));
                    schedule.next(time(at), Timestamp::MAX);
                }
                schedule.is_open(Timestamp::MIN);
                schedule.is_open(Timestamp::MAX);
                schedule.next(Timestamp::MIN, Timestamp::MAX);
            }
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn each_beginning_shows_its_time_on_the_clocks_of_its_zone(
        name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]),
        hour in 0..24_i8, minute in 0..60_i8, from in 1_700_000_000..2_000_000_000_i64,
    ) {
        let window = window(&format!("{minute} {hour} * * *"), "1h", name);
        let from = Timestamp::from_second(from).unwrap();
        let next = window.next(from, Timestamp::MAX).unwrap();
        let civil = next.begin.to_zoned(window.zone.clone());
        prop_assert!(next.begin >= from && (civil.hour(), civil.minute(), civil.second()) == (hour, minute, 0), "{civil}");
        // The clocks skip an hour at most: two days never pass without.
        prop_assert!(next.begin.duration_since(from) <= SignedDuration::from_hours(49), "{civil}");
        prop_assert!(window.open(next.begin).is_some() && window.open(next.end).is_none_or(|open| open.begin > next.begin));
    }
}
