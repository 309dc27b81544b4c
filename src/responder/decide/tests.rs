//! What is answered, and when nothing is: tables.

use chancery_pki::Reason;

use super::*;
use crate::register::{Revocation, Standing};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

const FINE: Circumstances<'static> = Circumstances {
    silence: Some(Duration::from_secs(50)),
    register_fault: None,
    lag: None,
    behind: None,
    list_ends: Some(Timestamp::MAX),
    delegate: Ok(Timestamp::MAX),
    clock_fault: None,
};

#[test]
fn what_stands_in_the_way_of_an_answer_is_said() {
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    let delegate = |why: &str| Some(Obstacle::NoDelegate { why: why.to_owned() });
    for (circumstances, expected) in [
        (FINE, None),
        (Circumstances { silence: None, ..FINE }, Some(Obstacle::Unread)),
        (Circumstances { silence: minutes(10), ..FINE }, None),
        (Circumstances { silence: minutes(11), ..FINE }, Some(Obstacle::Silent { silence: Duration::from_mins(11) })),
        (Circumstances { register_fault: Some("torn"), ..FINE }, Some(Obstacle::Register { why: "torn".to_owned() })),
        (Circumstances { lag: minutes(1), ..FINE }, None),
        (Circumstances { lag: minutes(2), ..FINE }, Some(Obstacle::Lag)),
        (Circumstances { behind: minutes(1), ..FINE }, None),
        (Circumstances { behind: minutes(2), ..FINE }, Some(Obstacle::Behind)),
        (Circumstances { list_ends: None, ..FINE }, Some(Obstacle::NoList)),
        (Circumstances { list_ends: Some(at(1)), ..FINE }, None),
        (Circumstances { list_ends: Some(at(0)), ..FINE }, Some(Obstacle::StaleList { due: at(0) })),
        (Circumstances { clock_fault: Some("off"), ..FINE }, Some(Obstacle::Clock { why: "off".to_owned() })),
        (Circumstances { delegate: Err("none"), ..FINE }, delegate("none")),
        (Circumstances { delegate: Ok(at(61)), ..FINE }, None),
        (Circumstances { delegate: Ok(at(60)), ..FINE }, delegate("the delegate's certificate ends at 2027-01-15T08:01:00Z")),
    ] {
        assert_eq!(circumstances.obstacle(at(0)), expected, "{circumstances:?}");
    }
}

#[test]
fn a_certificate_stands_as_the_register_says() {
    let revocation = |from| {
        Box::new(Revocation {
            time: at(0),
            date: at(-100),
            reason: Reason::Superseded,
            invalidity_date: None,
            from: at(from),
            sequence: 7,
            before: None,
            automatic: None,
        })
    };
    let revoked = OcspStatus::Revoked { time: at(-100), reason: Reason::Superseded };
    for (standing, expected) in [
        (Standing::Good, OcspStatus::Good),
        (Standing::Pending(revocation(-100)), OcspStatus::Good),
        (Standing::Released(revocation(-100)), OcspStatus::Good),
        (Standing::Revoked(revocation(0)), revoked),
        (Standing::Held(revocation(-100)), revoked),
        // Its grace has not passed.
        (Standing::Revoked(revocation(1)), OcspStatus::Good),
    ] {
        for not_after in [None, Some(at(-1)), Some(at(100))] {
            let known = Known { not_after, key_id: None, owner: None, issued: None, standing: standing.clone() };
            assert_eq!(status(Some(&known), at(0)), expected, "{known:?}");
            let waits = matches!(&known.standing, Standing::Revoked(revocation) if revocation.from == at(1));
            assert_eq!(changes_at(Some(&known), at(0)), waits.then(|| at(1)), "{known:?}");
        }
    }
    assert_eq!(status(None, at(0)), OcspStatus::Unknown);
}

#[test]
fn an_answer_holds_for_its_time_and_never_beyond_the_delegates_certificate() {
    let hour = SignedDuration::from_hours(1);
    for (validity, delegate_ends, changes, end) in [
        (hour, 86_400, None, 3600),
        (hour, 600, None, 600),
        (SignedDuration::ZERO, 600, None, 60),
        (hour, 86_400, Some(7200), 3600),
        (hour, 86_400, Some(900), 900),
        (hour, 86_400, Some(5), 60),
        (hour, 30, Some(5), 30),
    ] {
        assert_eq!(period(at(0), validity, at(delegate_ends), changes.map(at)), (at(-300), at(end)), "{changes:?}");
    }
    for (next_update, changes, too_long) in [(3600, None, false), (3600, Some(3600), false), (3600, Some(3599), true), (60, Some(5), false)]
    {
        assert_eq!(holds_too_long(at(0), at(next_update), changes.map(at)), too_long, "{changes:?}");
    }
}

#[test]
fn an_answer_is_signed_anew_when_half_of_its_time_has_passed() {
    for (now, due) in [(0, false), (1799, false), (1800, true), (4000, true), (-1, true)] {
        assert_eq!(is_due(at(0), at(3600), at(now)), due, "{now}");
    }
}
