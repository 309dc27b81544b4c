//! Which entries may leave a list: a table.

use super::*;
use crate::register::Revocation;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[test]
fn an_entry_leaves_when_it_has_ended_or_was_released_and_not_because_it_is_unknown_or_called_good() {
    let leaving = |until: Option<i64>| Leaving { until: until.map(at), this_update: at(0), built_at: at(300) };
    let revocation = |from| {
        Box::new(Revocation {
            time: at(-900),
            date: at(-900),
            reason: Reason::Superseded,
            invalidity_date: None,
            from: at(from),
            sequence: 7,
            before: None,
            automatic: None,
        })
    };
    let known = |standing| Some(Known { not_after: Some(at(100)), key_id: None, owner: None, issued: None, standing });
    let ended = |standing| known(standing).map(|known| Known { not_after: Some(at(-1)), ..known });
    let (held, other) = (Reason::CertificateHold, Reason::Superseded);
    for (known, reason, until, goes) in [
        (None, other, None, false),
        (None, other, Some(1), false),
        (None, other, Some(-1), true),
        (known(Standing::Good), other, Some(-1), false),
        (ended(Standing::Good), other, None, false),
        (known(Standing::Released(revocation(-900))), held, None, true),
        (known(Standing::Pending(revocation(-900))), held, None, true),
        (known(Standing::Pending(revocation(-900))), other, None, false),
        (known(Standing::Held(revocation(-900))), held, None, false),
        (ended(Standing::Held(revocation(-900))), held, None, true),
        (known(Standing::Revoked(revocation(-900))), other, None, false),
        // Its hold has ended, and its grace has not.
        (known(Standing::Revoked(revocation(301))), held, None, true),
        (known(Standing::Revoked(revocation(300))), held, None, false),
        (known(Standing::Revoked(revocation(301))), other, None, false),
        (ended(Standing::Revoked(revocation(-900))), other, None, true),
    ] {
        let serial = SerialNumber::issued(0, [1; chancery_pki::RANDOM_OCTETS]);
        let revoked = Revoked { serial, time: at(-900), reason, invalidity_date: None };
        assert_eq!(may_go(known.as_ref(), &revoked, &leaving(until)), goes, "{known:?} {reason} {until:?}");
    }
}
