//! Ten years of a thousand Certificates, in seconds.
//!
//! The loop jumps from one event to the next: what was decided to be looked at again, and what befalls the world. What is
//! asserted of each step stands in `audit`, what befalls the world in `event`, and when in `fate`.

mod audit;
mod chance;
mod event;
mod fate;
mod windows;
mod world;

use chancery_pki::KeyAlgorithm;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::{Desk, Office, Seal, certificate, pool, time};
use chance::Chance;
use fate::Fate;
use world::World;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn desk(number: usize, spec: Value) -> Desk {
    let mut certificate = certificate(spec);
    certificate.metadata.name = Some(format!("web-{number}"));
    certificate.metadata.namespace = Some(format!("team-{}", number % 10));
    certificate.metadata.uid = Some(format!("00000000-0000-4000-8000-{number:012}"));
    certificate.spec.secret_name = format!("web-{number}-tls");
    Desk::new(certificate)
}

/// A root that outlives all, and CAs below it.
fn offices(begin: jiff::Timestamp) -> Vec<Office> {
    let root = Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, 0), begin - days(365), begin + days(365 * 30));
    let below = |name: &str, number, life| root.below(name, pool(KeyAlgorithm::EcdsaP256, number), begin - days(1), begin + days(life));
    let reissue = json!({"certificateDefaults": {"onAuthorityChange": "Reissue", "renewBefore": "360h"}});
    vec![
        Office::new("same-key", Some(below("Same", 1, 730)), json!({})),
        Office::new("new-key", Some(below("New", 2, 365 * 5)), json!({"certificateDefaults": {"duration": "4320h"}})),
        Office::new("follow", Some(below("Follow", 3, 365 * 5)), reissue),
        Office::new("own", None, json!({})),
        Office::new("late", Some(below("Late", 4, 365 * 3)), json!({})),
    ]
}

fn desks(offices: &[Office], count: usize) -> Vec<(Desk, usize)> {
    let place = |number: usize| {
        let office = number % offices.len();
        let mut spec = json!({
            "issuerRef": {"name": offices[office].view.key.name}, "dnsNames": [format!("web-{number}.example")],
        });
        let more = match number {
            0 => json!({"duration": "48h"}),
            1..4 => json!({"duration": "168h", "renewBeforePercentage": 25}),
            _ => match number % 20 {
                0..2 => json!({}),
                2..9 => json!({"duration": "8760h"}),
                10 => json!({"duration": "8760h", "renewal": {"windows": [{"cron": "0 2 * * 6", "windowDuration": "4h"}]}}),
                11 => json!({
                    "renewal": {"windows": [{"cron": "30 2 1,15 * *", "windowDuration": "90m", "timezone": "Europe/Berlin"}]},
                }),
                9 => json!({"duration": "26280h", "renewBefore": "26000h"}),
                12 => json!({"duration": "4320h", "privateKey": {"rotationPolicy": "Never"}}),
                13 => json!({"duration": "17520h", "isCA": true, "commonName": format!("CA {number}")}),
                14 => json!({"duration": "17520h", "renewBefore": "720h"}),
                15 => json!({"duration": "87600h"}),
                _ => json!({"duration": "17520h"}),
            },
        };
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if offices[office].view.key.name != "own" && spec.get("isCA").is_some() {
            // A CA that may have leaves only has no CAs below it.
            spec.as_object_mut().unwrap().remove("isCA");
        }
        (desk(number, spec), office)
    };
    (0..count).map(place).collect()
}

fn run(seed: u64, count: usize, years: i64) -> World {
    let begin = time("2026-03-01T00:00:00Z");
    let offices = offices(begin);
    let desks = desks(&offices, count);
    let mut world = World::new(begin, offices, desks, Chance::new(seed));
    Fate::new(begin, begin + days(365 * years)).befall(&mut world);
    world.run(begin + days(365 * years));
    world
}

#[test]
fn over_ten_years_a_thousand_certificates_stay_right() {
    let world = run(1, 1000, 10);
    world.audit.close(&world);
    println!("{}", world.audit);
}

#[test]
fn whatever_befalls_them_certificates_stay_right() {
    for seed in 2..8 {
        let world = run(seed, 40, 3);
        world.audit.close(&world);
    }
}
