//! When time renews, and when it does not: windows and the policy.

use super::*;
use crate::plan::{
    forms,
    stage::{Seal, pool},
    turn,
};

/// It was issued on a Monday at noon and falls due in the night to Thursday; the window opens on Saturdays.
fn weekly() -> Value {
    json!({"duration": "240h", "renewBefore": "180h", "renewal": {"windows": [{"cron": "0 2 * * 6", "windowDuration": "4h"}]}})
}

fn disabled() -> Value {
    json!({"duration": "240h", "renewal": {"policy": "Disabled"}})
}

fn renews(desk: &Desk) -> Option<Timestamp> {
    desk.certificate.status.as_ref()?.renewal_time.as_ref().map(|time| time.0)
}

fn end(desk: &Desk) -> Timestamp {
    desk.certificate.status.clone().unwrap().not_after.unwrap().0
}

const OPENS: &str = "2026-06-06T02:00:00Z";
const CLOSES: &str = "2026-06-06T06:00:00Z";

#[test]
fn a_renewal_waits_for_its_moment_in_the_window_and_is_made_then() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(weekly(), &office);
    let moment = renews(&desk).unwrap();
    assert!(moment >= time(OPENS) && moment < time(OPENS) + hours(2), "{moment}");
    assert!(message(&desk).ends_with(&format!("to be renewed from {}", moment.strftime("%Y-%m-%d %H:%M UTC"))), "{}", message(&desk));
    // It has fallen due long since.
    for now in [noon() + hours(100), time(OPENS), moment - SignedDuration::from_secs(1)] {
        let done = reconcile(&mut desk, &around, now);
        assert_eq!((done.issued.len(), done.status_writes, done.wake), (0, 0, Some(moment)), "{now}");
    }
    assert_eq!(reconcile(&mut desk, &around, moment).issued, ["RenewalDue"]);
}

#[test]
fn what_is_in_the_way_until_the_window_is_closed_makes_it_wait_for_the_next_one() {
    let mut office = Office::ca();
    let mut desk = issued(json!({"duration": "720h", "renewBefore": "660h", "renewal": weekly()["renewal"]}), &office);
    let moment = renews(&desk).unwrap();
    office.close("SecretUnreadable", "it was lost");
    let around = Surroundings::of(&office);
    let done = reconcile(&mut desk, &around, moment);
    assert_eq!(
        (said(&desk), done.wake),
        (vec!["Ready=True Ready".to_owned(), "Issuing=True IssuerNotReady".to_owned()], Some(time(CLOSES)))
    );
    assert!(message(&desk).contains(&format!("due for renewal since {moment}")), "{}", message(&desk));
    let done = reconcile(&mut desk, &around, moment + minutes(5));
    assert_eq!((done.status_writes, renews(&desk)), (0, Some(moment)));
    // It is closed.
    let done = reconcile(&mut desk, &around, time(CLOSES));
    let next = renews(&desk).unwrap();
    assert_eq!((said(&desk), done.wake), (vec!["Ready=True Ready".to_owned()], Some(next)));
    assert!(next >= time(OPENS) + hours(24 * 7) && next < time(OPENS) + hours(24 * 7 + 2), "{next}");
    office.open();
    let around = Surroundings::of(&office);
    assert_eq!(reconcile(&mut desk, &around, time(CLOSES) + hours(1)).issued.len(), 0, "the issuer is back, and the window closed");
    assert_eq!(reconcile(&mut desk, &around, next).issued, ["RenewalDue"]);
}

#[test]
fn attempts_that_fail_end_with_the_window_and_begin_anew_in_the_next_one() {
    let mut office = Office::ca();
    let mut desk = issued(json!({"duration": "720h", "renewBefore": "660h", "renewal": weekly()["renewal"]}), &office);
    office.fails = true;
    let around = Surroundings::of(&office);
    let mut now = renews(&desk).unwrap();
    while now < time(CLOSES) {
        let done = reconcile(&mut desk, &around, now);
        assert!(done.failed);
        now = done.wake.unwrap();
    }
    assert_eq!(now, time(CLOSES));
    reconcile(&mut desk, &around, now);
    assert_eq!(said(&desk), ["Ready=True Ready"]);
    assert_eq!(desk.certificate.status.as_ref().unwrap().failed_issuance_attempts, None);
    let next = renews(&desk).unwrap();
    assert!(reconcile(&mut desk, &around, next).failed);
}

#[test]
fn where_no_window_opens_before_it_expires_it_is_renewed_all_the_same_and_says_so() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let renewal = json!({"windows": [{"cron": "@yearly", "windowDuration": "1h"}]});
    let mut desk = issued(json!({"duration": "240h", "renewal": renewal}), &office);
    let due = renews(&desk).unwrap();
    assert!(due < end(&desk) - hours(80) && due > noon() + hours(140), "{due}");
    assert!(message(&desk).ends_with("outside spec.renewal.windows: none opens before it ends"), "{}", message(&desk));
    assert_eq!(reconcile(&mut desk, &around, due - minutes(1)).wake, Some(due));
    let mut closed = office.clone();
    closed.close("SecretUnreadable", "it was lost");
    reconcile(&mut desk, &Surroundings::of(&closed), due);
    assert!(message(&desk).contains("and no window opens before it ends"), "{}", message(&desk));
    assert_eq!(reconcile(&mut desk, &around, due).issued, ["RenewalDue"]);
}

#[test]
fn another_window_makes_no_new_certificate() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(weekly(), &office);
    let serial = desk.held_serial();
    edit(&mut desk, json!({"renewal": {"windows": [{"cron": "0 2 * * 0", "windowDuration": "4h", "timezone": "Asia/Tokyo"}]}}));
    reconcile(&mut desk, &around, noon() + hours(1));
    let moment = renews(&desk).unwrap();
    assert!(moment >= time("2026-06-06T17:00:00Z") && moment < time("2026-06-06T19:00:00Z"), "{moment}");
    edit(&mut desk, json!({"renewal": null}));
    reconcile(&mut desk, &around, noon() + hours(1));
    assert!(renews(&desk).unwrap() < noon() + hours(61));
    edit(&mut desk, disabled());
    reconcile(&mut desk, &around, noon() + hours(1));
    assert_eq!((renews(&desk), desk.held_serial()), (None, serial));
}

type Change = fn(&mut Desk);

#[test]
fn windows_bind_renewals_by_time_alone() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let now = noon() + hours(100);
    let changes: [(&str, Change); 4] = [
        ("NamesChanged", |desk| edit(desk, json!({"dnsNames": ["other.example"]}))),
        ("SecretMissing", |desk| desk.secret = None),
        ("RenewRequested", |desk| renew(desk, "now")),
        ("Revoked", |desk| desk.stand(crate::register::Standing::Revoked, chancery_pki::Reason::KeyCompromise, noon())),
    ];
    for spec in [weekly(), disabled()] {
        for (reason, change) in changes {
            let mut desk = issued(spec.clone(), &office);
            change(&mut desk);
            assert_eq!(reconcile(&mut desk, &around, now).issued, [reason], "{spec}");
        }
    }
}

#[test]
fn what_follows_another_authority_has_its_turn_there_and_not_in_a_window() {
    for spec in [weekly(), disabled()] {
        let mut office = Office::ca();
        office.view.spec.as_mut().unwrap().defaults.on_authority_change = crate::api::OnAuthorityChange::Reissue;
        let mut desk = issued(spec, &office);
        let (from, to) = (time("2025-01-01T00:00:00Z"), time("2035-01-01T00:00:00Z"));
        office.reseal(Seal::root("Root", pool(chancery_pki::KeyAlgorithm::EcdsaP256, 1), from, to));
        // It has fallen due, and no window is open.
        let now = noon() + hours(100);
        let turn = now + minutes(3);
        let around = Surroundings { turn: Some(turn), ..Surroundings::of(&office) };
        let done = reconcile(&mut desk, &around, now);
        assert_eq!((done.issued.len(), done.wake), (0, Some(turn)));
        assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True AuthorityChanged"]);
        assert_eq!(reconcile(&mut desk, &around, turn).issued, ["AuthorityChanged"]);
    }
}

#[test]
fn what_is_not_renewed_by_time_expires_and_says_what_helps() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(disabled(), &office);
    let end = end(&desk);
    assert_eq!(renews(&desk), None);
    assert!(message(&desk).ends_with("not renewed by time, since spec.renewal.policy is Disabled"), "{}", message(&desk));
    let expired = end + SignedDuration::from_secs(1);
    let done = reconcile(&mut desk, &around, end);
    assert_eq!((done.issued.len(), done.wake), (0, Some(expired)));
    let done = reconcile(&mut desk, &around, expired);
    assert_eq!((done.issued.len(), done.wake), (0, None));
    assert_eq!(said(&desk), ["Ready=False Expired", "Issuing=True Expired", "Stalled=True Expired"]);
    assert!(message(&desk).contains("spec.renewal.policy is Disabled: annotation chancery.dev/renew"), "{}", message(&desk));
    let mut other = issued(disabled(), &office);
    edit(&mut other, json!({"renewal": {"policy": "RenewBefore"}}));
    assert_eq!(reconcile(&mut other, &around, expired).issued, ["Expired"]);
    renew(&mut desk, "now");
    assert_eq!(reconcile(&mut desk, &around, expired).issued, ["Expired"]);
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn what_expires_under_an_issuer_that_has_changed_says_the_same_at_the_first_look_and_at_the_second() {
    let office = Office::ca();
    let mut spec = disabled();
    spec["privateKey"] = json!({"algorithm": "ECDSA", "size": 384});
    let mut desk = issued(spec, &office);
    let expired = end(&desk) + SignedDuration::from_secs(1);
    // An authority's P-256 key signed it, and the issuer of that name is a self-signed one since.
    let office = Office::new("ca", None, json!({}));
    let mut around = Surroundings::of(&office);
    around.passwords.missing.insert(forms::JKS, "Secret stores does not exist".to_owned());
    // The first look has a status that says Ready, and needs no Secret; the second has one that does not.
    reconcile(&mut desk, &around, expired);
    assert_eq!(
        said(&desk),
        ["Ready=False SignatureChanged", "Issuing=True KeystorePasswordMissing", "Reconciling=True KeystorePasswordMissing"]
    );
}

#[test]
fn a_wake_is_never_past_and_a_second_look_says_the_same_at_any_time() {
    let mut office = Office::ca();
    let mut desk = issued(weekly(), &office);
    let (uid, serial) = (desk.certificate.metadata.uid.clone().unwrap(), desk.held_serial().unwrap());
    let schedule = desk.wanted.as_ref().unwrap().schedule.clone();
    let moment = renews(&desk).unwrap();
    office.close("SecretUnreadable", "it was lost");
    let around = Surroundings::of(&office);
    let mut now = noon();
    while now < end(&desk) {
        let done = reconcile(&mut desk, &around, now);
        assert!(done.wake.is_some_and(|wake| wake > now), "{now}: {:?}", done.wake);
        let turn = turn::turn(moment, end(&desk), &schedule, &uid, &serial, now);
        assert_eq!((renews(&desk), said(&desk).len()), (turn.at, 1 + usize::from(turn.due)), "{now}");
        now += minutes(13);
    }
}
