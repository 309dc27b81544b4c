//! Ten years of renewals that wait for windows, while nothing is in the way.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Chance, World, days, desk};
use crate::{
    api::{Renewal, reason::certificate as reason},
    plan::{
        renewal::{self, Validity},
        stage::{Desk, Office, Seal, pool, time},
    },
};

const YEARS: i64 = 10;

fn desks() -> Vec<(Desk, usize)> {
    let windows = [
        ("0 2 * * *", "3h", "Europe/Berlin"),
        ("30 2 * * 0", "30m", "Europe/Berlin"),
        ("0 22 * * 1-5", "6h", "America/New_York"),
        ("0 0 1 * *", "12h", ""),
        ("45 1 * * 6,0", "2h", "Australia/Lord_Howe"),
    ];
    let desk = |number: usize| {
        let (cron, duration, zone) = windows[number % windows.len()];
        let window = json!({"cron": cron, "windowDuration": duration, "timezone": zone});
        let hours = [2160, 4320, 8760][number % 3];
        (desk(number, json!({"duration": format!("{hours}h"), "renewal": {"windows": [window]}})), 0)
    };
    (0..150).map(desk).collect()
}

#[test]
fn each_renewal_lies_in_the_first_window_since_it_fell_due() {
    let begin = time("2026-03-01T00:00:00Z");
    let root = Seal::root("Root", pool(chancery_pki::KeyAlgorithm::EcdsaP256, 0), begin - days(365), begin + days(365 * 30));
    let mut world = World::new(begin, vec![Office::new("ca", Some(root), json!({}))], desks(), Chance::new(1));
    world.run(begin + days(365 * YEARS));
    let mut renewals = 0;
    let mut together = BTreeMap::<Timestamp, usize>::new();
    for place in &world.desks {
        let schedule = &place.desk.wanted.as_ref().unwrap().schedule;
        let uid = place.desk.certificate.metadata.uid.as_deref().unwrap();
        let lines: Vec<_> = place.desk.lines.iter().filter(|line| !line.voided).map(|line| &line.recorded).collect();
        for pair in lines.windows(2) {
            let (held, next) = (pair[0], pair[1]);
            let end = held.not_after.unwrap();
            assert!(next.time < end, "{} expired", place.name);
            if next.reason != reason::RENEWAL_DUE {
                // The process died over it, and its successor made another.
                continue;
            }
            let (validity, _) = renewal::validity(held.time, SignedDuration::ZERO, None);
            let validity = Validity { not_after: end, ..validity };
            let desired = renewal::due(validity, Renewal::Default, uid, &held.serial);
            let window = match schedule.open(desired).next() {
                Some(_) => None,
                None => Some(schedule.next(desired, end).unwrap()),
            };
            let (from, to) = window.map_or((desired, desired), |window| {
                (window.begin, window.begin + SignedDuration::from_secs(window.end.duration_since(window.begin).as_secs() / 2))
            });
            assert!(schedule.is_open(next.time), "{} was renewed at {}, when no window was open", place.name, next.time);
            assert!(from <= next.time && next.time <= to, "{} fell due at {desired} and was renewed at {}", place.name, next.time);
            renewals += 1;
            *together.entry(next.time).or_default() += 1;
        }
        let last = lines.last().unwrap();
        assert!(last.not_after.unwrap() > world.now, "{} expired", place.name);
    }
    assert!(renewals > 4000, "{renewals} renewals");
    assert!(together.values().all(|count| *count < 8), "{:?}", together.values().max());
}
