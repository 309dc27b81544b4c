//! What is revoked on a Certificate's own word, what takes its place, and what is said.
//!
//! Not here: what an authority's owner says (`of_authority`), nor when lists are made (`plan::publication`).

mod of_authority;

use std::collections::BTreeMap;

use chancery_pki::Reason;

use super::*;
use crate::{
    api::condition,
    plan::{
        observed::OwnCertificate,
        stage::{Crash, Listed},
    },
    register::Standing,
};

/// An authority's list with everything up to this line, made then.
fn listed(office: &Office, sequence: u64, built_at: Timestamp) -> Surroundings<'_> {
    let list = Listed { grace: minutes(10), sequence, built_at };
    Surroundings { lists: BTreeMap::from([(office.authority().unwrap().key_id, list)]), ..Surroundings::of(office) }
}

fn order(desk: &mut Desk, before: Timestamp, reason: &str) {
    edit(desk, json!({"revocation": {"issuedBefore": before.to_string(), "reason": reason}}));
}

/// The condition `Revoked`, and its message.
fn revoked(desk: &Desk) -> Option<(String, String)> {
    desk.condition(condition::REVOKED).map(|(status, reason, message)| (format!("{status} {reason}"), message.to_owned()))
}

fn word(desk: &Desk) -> String {
    revoked(desk).map(|(word, _)| word).unwrap_or_default()
}

fn standings(desk: &Desk) -> Vec<bool> {
    desk.lines.iter().map(|line| line.standing.is_good()).collect()
}

fn own(desk: &Desk, office: &Office, now: Timestamp) -> Vec<OwnCertificate> {
    desk.history(&Surroundings::of(office), now).own
}

#[test]
fn what_was_issued_before_a_time_is_revoked_and_the_current_one_replaced_with_another_key() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    for rotation in ["Always", "Never"] {
        let mut desk = issued(json!({"privateKey": {"rotationPolicy": rotation}}), &office);
        renew(&mut desk, "again");
        reconcile(&mut desk, &around, noon() + minutes(1));
        let key = desk.leaf().unwrap().key_id();
        let now = noon() + minutes(10);
        order(&mut desk, now, "keyCompromise");
        let done = reconcile(&mut desk, &around, now);
        assert_eq!((done.revoked, done.issued.as_slice(), done.secret_writes, done.status_writes), (2, &["Revoked"][..], 1, 1));
        assert_eq!(standings(&desk), [false, false, true]);
        assert_ne!(desk.leaf().unwrap().key_id(), key, "{rotation}");
        assert_eq!(said(&desk), ["Ready=True Ready"]);
        assert_eq!(word(&desk), "False NoRevocationList");
        let status = desk.certificate.status.clone().unwrap().revocation.unwrap();
        assert_eq!((status.issued_before.0, status.effective_time.0, status.certificates), (now, now, 2));

        let done = reconcile(&mut desk, &listed(&office, 1, now), now + minutes(1));
        assert_eq!((done.issued.len(), done.status_writes, word(&desk).as_str()), (0, 1, "False AwaitingPublication"));
        reconcile(&mut desk, &listed(&office, 2, now), now + minutes(1));
        assert_eq!(word(&desk), "True Revoked");
        assert!(revoked(&desk).unwrap().1.starts_with("2 issued before 2026-06-01 12:10:00 UTC"), "{:?}", revoked(&desk));

        edit(&mut desk, json!({"revocation": null}));
        reconcile(&mut desk, &around, now + minutes(2));
        assert_eq!((revoked(&desk), desk.certificate.status.clone().unwrap().revocation), (None, None));
    }
}

#[test]
fn only_what_was_issued_before_the_time_is_meant() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    renew(&mut desk, "again");
    reconcile(&mut desk, &around, noon() + minutes(5));
    let serial = desk.held_serial();
    order(&mut desk, noon() + minutes(2), "superseded");
    let done = reconcile(&mut desk, &around, noon() + minutes(10));
    assert_eq!((done.revoked, done.issued.len(), desk.held_serial()), (1, 0, serial), "the current one is younger");
    assert_eq!(standings(&desk), [false, true]);
    order(&mut desk, noon() - hours(1), "superseded");
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(11)).revoked, 0);
    assert_eq!(word(&desk), "False NothingToRevoke");
}

#[test]
fn the_order_of_the_pages_means_also_what_was_issued_in_the_last_moment_of_a_minute() {
    let pages = [
        include_str!("../../../../docs/revocation.md"),
        include_str!("../../../../docs/tutorials/leaked-key.md"),
        include_str!("../../../../docs/tutorials/revocation-list.md"),
    ];
    for page in pages {
        let (_, typed) = page.split_once("\"issuedBefore\":\"'\"$(date -u +").expect("the page has an order");
        let (format, _) = typed.split_once(')').expect("the shell's bracket ends");
        let office = Office::ca();
        let around = Surroundings::of(&office);
        let mut desk = issued(plain(), &office);
        // A line's time is in milliseconds, and this is the last of them.
        let last = noon() + SignedDuration::from_millis(59_999);
        renew(&mut desk, "again");
        reconcile(&mut desk, &around, last);
        order(&mut desk, last.strftime(format).to_string().parse().unwrap(), "keyCompromise");
        let now = noon() + minutes(1) + SignedDuration::from_millis(200);
        assert_eq!(reconcile(&mut desk, &around, now).revoked, 2, "{format}");
        assert_eq!(standings(&desk), [false, false, true]);
        // Said in whole seconds, it acts once all the same.
        assert_eq!(reconcile(&mut desk, &around, now + minutes(1)).revoked, 0);
    }
}

#[test]
fn a_time_that_is_yet_to_come_acts_once_whatever_becomes_of_the_status() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    order(&mut desk, noon() + hours(90_000), "unspecified");
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).issued, ["Revoked"]);
    let seen = desk.certificate.status.clone().unwrap().revocation.unwrap();
    assert_eq!(seen.effective_time.0, noon() + minutes(1));
    renew(&mut desk, "again");
    let done = reconcile(&mut desk, &around, noon() + minutes(2));
    assert_eq!((done.revoked, done.issued.as_slice()), (0, &["RenewRequested"][..]));
    // Edited to mean what was issued since; then lost.
    desk.certificate.status.as_mut().unwrap().revocation.as_mut().unwrap().effective_time.0 = noon() + hours(1);
    assert_eq!(reconcile(&mut desk, &around, noon() + hours(2)).revoked, 0);
    desk.certificate.status = None;
    assert_eq!(reconcile(&mut desk, &around, noon() + hours(3)).revoked, 0);
    assert_eq!(standings(&desk), [false, true, true]);
    // Another value is another order.
    order(&mut desk, noon() + hours(90_001), "unspecified");
    let done = reconcile(&mut desk, &around, noon() + hours(4));
    assert_eq!((done.revoked, done.issued.as_slice()), (2, &["Revoked"][..]));
}

#[test]
fn what_is_on_record_ahead_of_the_clock_is_meant_too_and_its_successor_is_not() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    order(&mut desk, noon() + hours(90_000), "keyCompromise");
    // The clock of the leader before ran a minute ahead.
    let now = noon() - minutes(1);
    let done = reconcile(&mut desk, &around, now);
    assert_eq!((done.revoked, done.issued.as_slice()), (1, &["Revoked"][..]));
    assert_eq!(reconcile(&mut desk, &around, now + minutes(5)).revoked, 0);
    assert_eq!(standings(&desk), [false, true]);
}

#[test]
fn a_planned_revocation_is_replaced_at_once_and_published_after_the_grace() {
    let office = Office::ca();
    for (reason, planned) in [
        ("unspecified", false),
        ("keyCompromise", false),
        ("affiliationChanged", true),
        ("superseded", true),
        ("cessationOfOperation", true),
    ] {
        let mut desk = issued(plain(), &office);
        let now = noon() + minutes(1);
        order(&mut desk, now, reason);
        assert_eq!(reconcile(&mut desk, &listed(&office, 0, now), now).issued, ["Revoked"]);
        let from = desk.lines[0].standing.revocation().unwrap().from;
        assert_eq!(from, if planned { now + minutes(10) } else { now }, "{reason}");
        // A list that knows the line, and was made before its time came.
        reconcile(&mut desk, &listed(&office, 1, now + minutes(1)), now + minutes(1));
        assert_eq!(word(&desk), if planned { "False AwaitingPublication" } else { "True Revoked" });
        reconcile(&mut desk, &listed(&office, 1, now + minutes(10)), now + minutes(10));
        assert_eq!(word(&desk), "True Revoked");
    }
}

#[test]
fn without_a_grace_a_planned_revocation_is_published_at_once_as_of_when_it_was_recorded() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    let now = noon() + minutes(1);
    order(&mut desk, now, "superseded");
    let mut around = listed(&office, 0, now);
    around.lists.values_mut().for_each(|list| list.grace = SignedDuration::ZERO);
    assert_eq!(reconcile(&mut desk, &around, now).issued, ["Revoked"]);
    assert_eq!(desk.lines[0].standing.revocation().unwrap().from, now);
}

#[test]
fn a_process_that_dies_in_between_leaves_nothing_unrevoked_and_no_revoked_key_in_use() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    for crash in [Crash::BetweenRevocations, Crash::AfterLine, Crash::AfterSecret] {
        for before in [noon() + minutes(3), noon() + hours(90_000)] {
            let mut desk = issued(json!({"privateKey": {"rotationPolicy": "Never"}}), &office);
            renew(&mut desk, "again");
            reconcile(&mut desk, &around, noon() + minutes(1));
            let key = desk.leaf().unwrap().key_id();
            order(&mut desk, before, "superseded");
            assert!(desk.reconcile(&around, Some(crash), noon() + minutes(4)).crashed);
            reconcile(&mut desk, &around, noon() + minutes(5));
            assert_eq!(standings(&desk)[..2], [false, false], "{crash:?}");
            assert!(standings(&desk)[2..].iter().all(|good| *good), "{crash:?}: what came after was revoked");
            assert_ne!(desk.leaf().unwrap().key_id(), key, "{crash:?}");
            assert_eq!(said(&desk), ["Ready=True Ready"], "{crash:?}");
            assert!(desk.lines.len() <= 4, "{crash:?}");
        }
    }
}

#[test]
fn a_cas_certificate_is_not_replaced_by_itself_and_says_who_depends_on_it() {
    let office = Office::ca();
    let mut around = Surroundings::of(&office);
    around.dependents = (10..22).map(|number| format!("shop/web-{number}")).collect();
    let mut desk = issued(json!({"isCA": true, "commonName": "Below"}), &office);
    let key = desk.leaf().unwrap().key_id();
    order(&mut desk, noon() + minutes(1), "keyCompromise");
    for secret in ["there", "lost"] {
        if secret == "lost" {
            desk.secret = None;
        }
        let done = reconcile(&mut desk, &around, noon() + minutes(2));
        assert!(done.issued.is_empty(), "{secret}");
        assert_eq!(said(&desk), ["Ready=False Revoked", "Issuing=True Revoked", "Stalled=True Revoked"]);
        let message = message(&desk);
        assert!(message.contains("12 Certificates depend on it: shop/web-10, ") && message.contains("shop/web-19 and 2 more"), "{message}");
        assert!(message.contains("annotation chancery.dev/renew"), "{message}");
    }
    assert_eq!(word(&desk), "False NoRevocationList");
    renew(&mut desk, "a new key");
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(3)).issued, ["Revoked"]);
    assert_ne!(desk.leaf().unwrap().key_id(), key, "its copy is not used");
    assert_eq!(said(&desk), ["Ready=True Ready"]);
    // An annotation that was answered before asks for nothing.
    order(&mut desk, noon() + minutes(4), "keyCompromise");
    assert!(reconcile(&mut desk, &around, noon() + minutes(5)).issued.is_empty());
}

#[test]
fn what_no_authority_signed_cannot_be_revoked_and_stays() {
    let office = Office::new("ca", None, plain());
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    order(&mut desk, noon() + minutes(1), "keyCompromise");
    let done = reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!((done.revoked, done.issued.len()), (0, 0));
    assert_eq!((said(&desk), word(&desk).as_str()), (vec!["Ready=True Ready".to_owned()], "False NotRevocable"));
}

#[test]
fn a_register_that_takes_no_lines_and_clocks_that_differ_are_said_and_waited_for() {
    let office = Office::ca();
    let mut around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    let now = noon() + minutes(1);
    order(&mut desk, now, "keyCompromise");
    around.skew = Some(minutes(5));
    let done = reconcile(&mut desk, &around, now);
    assert_eq!((done.revoked, word(&desk).as_str()), (0, "False ClockSkew"));
    assert_eq!(done.wake, Some(now + SignedDuration::from_secs(30)));
    around.skew = None;
    around.broken.insert(Some(office.authority().unwrap().key_id), "the register is torn".to_owned());
    assert_eq!(reconcile(&mut desk, &around, now).revoked, 0);
    assert_eq!(word(&desk), "False RegisterUnavailable");
    assert!(revoked(&desk).unwrap().1.contains("the register is torn"));
    let done = reconcile(&mut desk, &Surroundings::of(&office), now + minutes(1));
    assert_eq!((done.revoked, done.issued.as_slice()), (1, &["Revoked"][..]));
}

#[test]
fn what_was_issued_in_the_very_second_of_an_order_that_waits_is_meant_too() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    order(&mut desk, noon() + hours(90_000), "keyCompromise");
    let now = noon() + SignedDuration::from_millis(300);
    let around = Surroundings { skew: Some(minutes(5)), ..Surroundings::of(&office) };
    reconcile(&mut desk, &around, now);
    assert_eq!(word(&desk), "False ClockSkew");
    let done = reconcile(&mut desk, &Surroundings::of(&office), now + minutes(1));
    assert_eq!((done.revoked, done.issued.as_slice()), (1, &["Revoked"][..]));
}

#[test]
fn what_was_revoked_stays_said_when_its_certificates_have_ended() {
    let office = Office::ca();
    let mut desk = issued(json!({"duration": "30h"}), &office);
    let now = noon() + minutes(1);
    order(&mut desk, now, "keyCompromise");
    reconcile(&mut desk, &listed(&office, 0, now), now);
    let before = desk.certificate.status.clone();
    assert_eq!(word(&desk), "False AwaitingPublication");
    let around = listed(&office, 9, now + minutes(1));
    reconcile(&mut desk, &around, now + minutes(1));
    let told = revoked(&desk);
    assert_eq!(word(&desk), "True Revoked");
    let later = now + hours(31);
    desk.reconcile(&around, None, later);
    assert!(own(&desk, &office, later).iter().all(|own| own.standing.is_good()), "those that were revoked have ended");
    assert_eq!(revoked(&desk), told);
    // One that nobody ever listed is not said to have been.
    desk.certificate.status = before;
    desk.reconcile(&around, None, later);
    assert_eq!(word(&desk), "False NothingToRevoke");
}

#[test]
fn a_revocation_waits_neither_for_a_delay_after_failures_nor_for_the_budget_of_its_namespace() {
    let failing = Office { fails: true, ..Office::ca() };
    let mut desk = issued(plain(), &Office::ca());
    renew(&mut desk, "now");
    assert!(reconcile(&mut desk, &Surroundings::of(&failing), noon()).failed);
    desk.stand(Standing::Revoked, Reason::KeyCompromise, noon());
    let office = Office::ca();
    let around = Surroundings { in_namespace: (600, Some(noon())), ..Surroundings::of(&office) };
    assert_eq!(reconcile(&mut desk, &around, noon() + SignedDuration::from_secs(1)).issued, ["Revoked"]);
}

#[test]
fn a_certificate_that_goes_with_revocation_leaves_its_certificates_pending_and_is_always_released() {
    let office = Office::ca();
    let key = Some(office.authority().unwrap().key_id);
    let deletion = |desk: &mut Desk| {
        desk.certificate.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(noon()));
    };
    let mut desk = issued(json!({"deletionPolicy": "RevokeAndDelete"}), &office);
    assert_eq!(desk.certificate.metadata.finalizers.as_deref(), Some(&["chancery.dev/cleanup".to_owned()][..]));
    renew(&mut desk, "again");
    reconcile(&mut desk, &Surroundings::of(&office), noon() + minutes(1));
    deletion(&mut desk);
    let torn = {
        let mut around = Surroundings::of(&office);
        around.broken.insert(key, "the register is torn".to_owned());
        around
    };
    let mut lost = issued(json!({"deletionPolicy": "RevokeAndDelete"}), &office);
    deletion(&mut lost);
    let left = crate::plan::revocation::left_behind(&lost.observed(&torn, false, noon()));
    assert!(left.is_some_and(|left| left.contains(&lost.held_serial().unwrap().to_string())));
    assert!(lost.reconcile(&torn, None, noon()).gone, "a register that takes no lines does not hold it back");
    assert!(lost.lines[0].standing.is_good() && lost.secret.is_none());

    assert_eq!(crate::plan::revocation::left_behind(&desk.observed(&Surroundings::of(&office), false, noon())), None);
    assert!(desk.reconcile(&Surroundings::of(&office), None, noon() + minutes(2)).gone);
    assert!(desk.secret.is_none());
    assert!(desk.lines.iter().all(|line| matches!(line.standing, Standing::Pending(_))));

    let mut retained = issued(json!({"deletionPolicy": "Delete"}), &office);
    deletion(&mut retained);
    assert!(retained.reconcile(&Surroundings::of(&office), None, noon()).gone);
    assert!(retained.lines[0].standing.is_good());
}
