//! Moments and windows, case by case; and what holds of all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::check,
    plan::stage::{certificate, time},
};

const NIGHTLY: &str = "0 2 * * *";

#[expect(clippy::needless_pass_by_value, reason = "the literals of the tables read better without a sign before each")]
fn schedule(renewal: Value) -> Schedule {
    check(&certificate(json!({"renewal": renewal}))).unwrap().schedule
}

fn windows(windows: &[(&str, &str)]) -> Schedule {
    let windows: Vec<_> = windows.iter().map(|(cron, duration)| json!({"cron": cron, "windowDuration": duration})).collect();
    schedule(json!({"windows": windows}))
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::issued(0, [number; 13])
}

fn of(schedule: &Schedule, desired: &str, end: &str, now: &str) -> Turn {
    turn(time(desired), time(end), schedule, "uid", &serial(7), time(now))
}

/// Its own moment in a window that opens then and is so many minutes long.
fn own(begin: &str, minutes: i64) -> Timestamp {
    time(begin) + SignedDuration::from_secs(scale(minutes * 30, spread("uid", &serial(7))))
}

const DESIRED: &str = "2026-06-01T12:00:00Z";
const END: &str = "2026-06-20T00:00:00Z";

#[test]
fn without_windows_it_is_renewed_when_it_falls_due() {
    let always = windows(&[]);
    let early = of(&always, DESIRED, END, "2026-06-01T11:59:59Z");
    assert_eq!(early, Turn { at: Some(time(DESIRED)), due: false, outside: false, over: None });
    assert_eq!(of(&always, DESIRED, END, DESIRED), Turn { due: true, ..early });
}

#[test]
fn where_renewal_is_disabled_no_time_ever_comes() {
    let never = schedule(json!({"policy": "Disabled"}));
    for now in [DESIRED, "2026-06-19T23:59:59Z"] {
        assert_eq!(of(&never, DESIRED, END, now), Turn { at: None, due: false, outside: false, over: None });
    }
}

#[test]
fn what_falls_due_in_a_window_is_renewed_then() {
    let noon = windows(&[("0 10 * * *", "4h")]);
    let before = of(&noon, DESIRED, END, "2026-06-01T00:00:00Z");
    assert_eq!(before, Turn { at: Some(time(DESIRED)), due: false, outside: false, over: None });
    assert_eq!(of(&noon, DESIRED, END, DESIRED), Turn { due: true, over: Some(time("2026-06-01T14:00:00Z")), ..before });
}

#[test]
fn what_falls_due_outside_waits_for_its_moment_in_the_first_half_of_the_next_window() {
    let nightly = windows(&[(NIGHTLY, "4h"), ("0 12 * * 6", "1h")]);
    let moment = own("2026-06-02T02:00:00Z", 240);
    assert!(moment > time("2026-06-02T02:00:00Z") && moment < time("2026-06-02T04:00:00Z"));
    let waits = Turn { at: Some(moment), due: false, outside: false, over: None };
    for now in ["2026-05-20T00:00:00Z", DESIRED, "2026-06-02T02:00:00Z"] {
        assert_eq!(of(&nightly, DESIRED, END, now), waits, "{now}");
    }
    for now in [&moment.to_string(), "2026-06-02T05:59:59Z"] {
        assert_eq!(of(&nightly, DESIRED, END, now), Turn { due: true, over: Some(time("2026-06-02T06:00:00Z")), ..waits }, "{now}");
    }
}

#[test]
fn a_window_that_was_missed_is_followed_by_the_next_one() {
    let nightly = windows(&[(NIGHTLY, "4h")]);
    let next = Turn { at: Some(own("2026-06-03T02:00:00Z", 240)), due: false, outside: false, over: None };
    for now in ["2026-06-02T06:00:00Z", "2026-06-02T23:00:00Z", "2026-06-03T02:00:00Z"] {
        assert_eq!(of(&nightly, DESIRED, END, now), next, "{now}");
    }
    // While it is overdue it is so since its first turn.
    let first = own("2026-06-02T02:00:00Z", 240);
    let now = next.at.unwrap().to_string();
    assert_eq!(
        of(&nightly, DESIRED, END, &now),
        Turn { at: Some(first), due: true, outside: false, over: Some(time("2026-06-03T06:00:00Z")) }
    );
}

#[test]
fn where_no_window_opens_before_it_ends_it_is_renewed_when_it_falls_due() {
    let yearly = windows(&[("@yearly", "24h")]);
    let outside = Turn { at: Some(time(DESIRED)), due: false, outside: true, over: None };
    assert_eq!(of(&yearly, DESIRED, END, "2026-05-01T00:00:00Z"), outside);
    assert_eq!(of(&yearly, DESIRED, END, DESIRED), Turn { due: true, ..outside });
    // The one that opens when it ends is too late, the one before was the last.
    let weekly = windows(&[("0 0 * * 6", "1h")]);
    let first = own("2026-06-06T00:00:00Z", 60);
    assert_eq!(of(&weekly, DESIRED, END, DESIRED), Turn { at: Some(first), due: false, outside: false, over: None });
    assert_eq!(of(&weekly, DESIRED, END, "2026-06-13T01:00:00Z"), Turn { at: Some(first), due: true, outside: true, over: None });
}

#[test]
fn in_a_window_that_outlasts_it_its_moment_is_before_its_end() {
    let long = windows(&[("0 0 19 6 *", "720h")]);
    assert_eq!(of(&long, DESIRED, END, DESIRED).at, Some(own("2026-06-19T00:00:00Z", 24 * 60)));
}

#[test]
fn windows_without_a_gap_are_no_reason_to_wait_again() {
    for (cron, duration) in [("* * * * *", "1m"), ("0 * * * *", "1h"), ("*/10 * * * *", "3h")] {
        let always = windows(&[(cron, duration)]);
        for minute in 0..300 {
            let now = time(DESIRED) + SignedDuration::from_secs(minute * 61);
            let turn = of(&always, DESIRED, END, &now.to_string());
            assert!(turn.due && !turn.outside && turn.at == Some(time(DESIRED)), "{cron} at {now}: {turn:?}");
        }
    }
}

#[test]
fn a_thousand_that_wait_for_one_window_do_not_go_together() {
    let nightly = windows(&[(NIGHTLY, "4h")]);
    let mut per_minute = std::collections::BTreeMap::<i64, usize>::new();
    for number in 0..1000 {
        let turn = turn(time(DESIRED), time(END), &nightly, &format!("uid-{number}"), &serial(7), time(DESIRED));
        *per_minute.entry(turn.at.unwrap().as_second() / 60).or_default() += 1;
    }
    assert!(per_minute.len() > 115 && per_minute.values().all(|count| *count < 30), "{per_minute:?}");
}

#[test]
fn of_windows_that_open_together_the_moment_in_the_longest_counts() {
    let two = windows(&[("0 2 * * *", "1m"), ("0 2 * * *", "20m")]);
    let (desired, end) = (time("2026-01-01T02:00:00Z"), time("2026-02-01T00:00:00Z"));
    let at = |uid: &str, now| turn(desired, end, &two, uid, &serial(1), now);
    let missed = time("2026-01-01T12:00:00Z");
    let mut waited = 0;
    for number in 0..50 {
        let uid = format!("uid-{number}");
        let moment = at(&uid, missed).at.unwrap();
        let before = (moment - SignedDuration::from_secs(1)).max(time("2026-01-02T02:00:00Z"));
        if before < moment {
            assert_eq!(at(&uid, before).at, Some(moment), "{uid}");
            waited += 1;
        }
        assert!(at(&uid, moment).due, "{uid}");
    }
    assert!(waited > 40, "{waited}");
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let cron = prop::sample::select(vec![
        "@daily",
        "@weekly",
        "@monthly",
        "@yearly",
        "@hourly",
        "0 2 * * 6",
        "30 2 * * *",
        "*/20 1-5 * * 0,3",
        "0 0 29 2 *",
        "* * * * *",
    ]);
    let duration = prop::sample::select(vec!["1m", "20m", "1h", "90m", "26h", "170h"]);
    let zone = prop::sample::select(vec!["", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]);
    let window =
        (cron, duration, zone).prop_map(|(cron, duration, zone)| json!({"cron": cron, "windowDuration": duration, "timezone": zone}));
    proptest::collection::vec(window, 0..4).prop_map(|windows| schedule(json!({"windows": windows})))
}

proptest! {
    #[test]
    fn a_turn_lies_in_a_window_and_stays_until_it_comes(
        schedule in schedules(), lifetime in 3600..100_000_000_i64, desired in 0..100_i64, after in 0..100_i64, between in 0..100_i64, uid in "[a-f0-9]{4}",
    ) {
        let begin = time("2026-01-01T00:00:00Z");
        let later = |percent: i64| begin + SignedDuration::from_secs(lifetime / 100 * percent);
        let (desired, end, now) = (later(desired), later(100), later(after));
        let at = |now| turn(desired, end, &schedule, &uid, &serial(1), now);
        let found = at(now);
        let moment = found.at.unwrap();
        prop_assert!(moment >= desired && moment < end, "{found:?}");
        prop_assert_eq!(found.due, moment <= now);
        let free = schedule.windows.is_empty();
        prop_assert!(free || found.outside || schedule.is_open(if found.due { now } else { moment }), "{:?}", found);
        prop_assert!(found.over.is_none_or(|over| found.due && over > now && schedule.is_open(over - SignedDuration::from_nanos(1))));
        if found.outside {
            prop_assert_eq!(schedule.next(if found.due { now.max(desired) } else { desired }, end), None);
        }
        if !found.due {
            // It is what it is until then, and then it is due.
            let left = moment.duration_since(now).as_secs();
            prop_assert_eq!(at(now + SignedDuration::from_secs(left / 100 * between)), found);
            prop_assert_eq!(at(moment - SignedDuration::from_secs(1).min(moment.duration_since(now))), found);
            prop_assert!(at(moment).due);
        }
    }
}
