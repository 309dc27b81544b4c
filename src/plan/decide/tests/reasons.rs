//! Why a new certificate is made: each reason of the list, and which of several is named.

use chancery_pki::{KeyAlgorithm, Reason};

use super::*;
use crate::{
    plan::{
        Act,
        observed::Content,
        stage::{Seal, pool},
    },
    register::Standing,
};

type Change = fn(&mut Desk);

#[test]
fn each_reason_makes_one_new_certificate() {
    let table: [(&str, Change); 15] = [
        ("SecretMissing", |desk| desk.secret = None),
        ("SecretUnreadable", |desk| desk.tamper(|secret| secret.content = Content::Missing("tls.key"))),
        ("SecretUnreadable", |desk| desk.tamper(|secret| secret.content = Content::Unreadable("no PEM".to_owned()))),
        ("KeyMismatch", |desk| desk.tamper(|secret| secret.content = Content::Mismatch)),
        ("NotCurrent", |desk| {
            let other = issued(plain(), &Office::ca());
            desk.tamper(|secret| secret.content = other.secret.unwrap().content);
        }),
        ("IssuerChanged", |desk| edit(desk, json!({"issuerRef": {"name": "other"}}))),
        ("IssuerChanged", |desk| {
            desk.tamper(|secret| drop(secret.annotations.insert("chancery.dev/issuer-name".to_owned(), "x".to_owned())));
        }),
        ("NamesChanged", |desk| edit(desk, json!({"dnsNames": ["web.example", "www.example"]}))),
        ("SubjectChanged", |desk| edit(desk, json!({"subject": {"organizations": ["Shop"]}}))),
        ("UsagesChanged", |desk| edit(desk, json!({"usages": ["server auth"]}))),
        ("UsagesChanged", |desk| edit(desk, json!({"isCA": true}))),
        ("KeyChanged", |desk| edit(desk, json!({"privateKey": {"algorithm": "ECDSA", "size": 384}}))),
        ("KeyChanged", |desk| edit(desk, json!({"privateKey": {"encoding": "PKCS8"}}))),
        ("DurationChanged", |desk| edit(desk, json!({"duration": "100h"}))),
        ("RenewRequested", |desk| renew(desk, "now")),
    ];
    for (reason, change) in table {
        let office = Office::ca();
        let around = Surroundings::of(&office);
        let mut desk = issued(json!({"commonName": "web"}), &office);
        let before = desk.held_serial();
        change(&mut desk);
        let done = reconcile(&mut desk, &around, noon() + minutes(1));
        assert_eq!(done.issued, [reason]);
        assert_eq!((done.secret_writes, done.status_writes), (1, 1), "{reason}");
        assert_ne!(desk.held_serial(), before);
        assert_eq!(said(&desk), ["Ready=True Ready"], "{reason}");
        let status = desk.certificate.status.clone().unwrap();
        assert_eq!((status.revision, status.issued[0].reason.as_str()), (Some(2), reason));
    }
}

#[test]
fn time_is_a_reason_too() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"duration": "30h"}), &office);
    let status = desk.certificate.status.clone().unwrap();
    let (due, end) = (status.renewal_time.unwrap().0, status.not_after.unwrap().0);
    assert!(due <= end - hours(10) && due >= end - hours(12), "{due}");
    let done = reconcile(&mut desk, &around, due - SignedDuration::from_secs(1));
    assert_eq!((done.issued.len(), done.wake), (0, Some(due)));
    assert_eq!(reconcile(&mut desk, &around, due).issued, ["RenewalDue"]);

    let mut desk = issued(json!({"duration": "30h"}), &office);
    let end = desk.certificate.status.clone().unwrap().not_after.unwrap().0;
    assert_eq!(reconcile(&mut desk, &around, end + SignedDuration::from_secs(1)).issued, ["Expired"]);
}

#[test]
fn the_first_violated_check_names_the_reason() {
    let mut office = Office::ca();
    office.view.spec.as_mut().unwrap().defaults.on_authority_change = crate::api::OnAuthorityChange::Reissue;
    let mut desk = issued(plain(), &office);
    let status = desk.certificate.status.clone().unwrap();
    let (due, end) = (status.renewal_time.unwrap().0, status.not_after.unwrap().0);
    let (from, to) = (time("2025-01-01T00:00:00Z"), time("2035-01-01T00:00:00Z"));
    let other = Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, 1), from, to);
    // From the last check to the first: whatever is added hides what was there.
    let changes: [(&str, Change); 12] = [
        ("Expired", |_| {}),
        ("DurationChanged", |desk| edit(desk, json!({"duration": "100h"}))),
        ("KeyChanged", |desk| edit(desk, json!({"privateKey": {"algorithm": "Ed25519"}}))),
        ("UsagesChanged", |desk| edit(desk, json!({"usages": ["client auth"]}))),
        ("SubjectChanged", |desk| edit(desk, json!({"commonName": "web"}))),
        ("NamesChanged", |desk| edit(desk, json!({"dnsNames": ["other.example"]}))),
        ("IssuerChanged", |desk| edit(desk, json!({"issuerRef": {"name": "other"}}))),
        ("NotCurrent", |desk| desk.lines.last_mut().unwrap().recorded.serial = "0101".parse().unwrap()),
        ("KeyMismatch", |desk| desk.tamper(|secret| secret.content = Content::Mismatch)),
        ("SecretUnreadable", |desk| desk.tamper(|secret| secret.content = Content::Missing("tls.crt"))),
        ("SecretMissing", |desk| desk.secret = None),
        ("Revoked", |desk| desk.stand(Standing::Revoked, Reason::KeyCompromise, noon())),
    ];
    let named = |desk: &Desk, office: &Office, now| match desk.decide(&Surroundings::of(office), now).0.act {
        Act::Issue(issue) => issue.reason(),
        other => panic!("{other:?}"),
    };
    renew(&mut desk, "now");
    assert_eq!(named(&desk, &office, noon()), "RenewRequested");
    assert_eq!(named(&desk, &office, due), "RenewalDue");
    office.reseal(other);
    assert_eq!(named(&desk, &office, due), "AuthorityChanged");
    for (reason, change) in changes {
        change(&mut desk);
        assert_eq!(named(&desk, &office, end + hours(1)), reason);
    }
}

#[test]
fn labels_annotations_and_the_template_are_put_right_without_a_new_certificate() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    let before = desk.held_serial();
    let changes: [Change; 5] = [
        |desk| edit(desk, json!({"secretTemplate": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})),
        |desk| edit(desk, json!({"secretTemplate": {"labels": {"team": "b"}}})),
        |desk| desk.tamper(|secret| drop(secret.labels.remove("team"))),
        |desk| desk.tamper(|secret| drop(secret.annotations.remove("chancery.dev/authority"))),
        |desk| desk.tamper(|secret| secret.chain.ca = None),
    ];
    for change in changes {
        change(&mut desk);
        let done = reconcile(&mut desk, &around, noon() + minutes(1));
        assert_eq!((done.issued.len(), done.secret_writes, done.status_writes), (0, 1, 1));
        assert_eq!(desk.held_serial(), before);
    }
    let secret = desk.secret.as_ref().unwrap();
    assert_eq!(secret.labels.get("team").map(String::as_str), Some("b"));
    assert!(!secret.annotations.contains_key("note"));
    assert!(secret.annotations.contains_key("chancery.dev/authority") && secret.chain.ca.is_some());
}

#[test]
fn a_changed_default_is_no_reason() {
    let defaults = |defaults: Value| {
        let (from, to) = (time("2025-01-01T00:00:00Z"), time("2035-01-01T00:00:00Z"));
        let seal = Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, 0), from, to);
        Office::new("ca", Some(seal), json!({"certificateDefaults": defaults}))
    };
    let before = Office::ca();
    let after =
        defaults(json!({"duration": "24h", "renewBefore": "8h", "usages": ["server auth"], "privateKey": {"algorithm": "Ed25519"}}));
    let mut desk = issued(plain(), &before);
    // Written once, and left to the default again.
    edit(&mut desk, json!({"duration": "2160h"}));
    reconcile(&mut desk, &Surroundings::of(&before), noon());
    desk.edit(|certificate| certificate.spec.duration = None);
    reconcile(&mut desk, &Surroundings::of(&before), noon());
    let around = Surroundings::of(&after);
    let renewal = desk.certificate.status.clone().unwrap().renewal_time.unwrap().0;
    desk.tamper(|_| {});
    assert!(reconcile(&mut desk, &around, noon()).issued.is_empty());
    let status = desk.certificate.status.clone().unwrap();
    assert_eq!(status.renewal_time.unwrap().0, renewal);
    // It is issued for a day only, and what is held outlasts that for long: it waits until it gains.
    let done = reconcile(&mut desk, &around, renewal);
    assert!(done.issued.is_empty());
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True RenewalDue"]);
    let end = status.not_after.unwrap().0;
    let wake = done.wake.unwrap();
    assert!(wake > end - hours(24) && wake < end, "{wake}");
    assert_eq!(reconcile(&mut desk, &around, wake).issued, ["RenewalDue"]);
    assert_eq!(desk.algorithm(), Some(KeyAlgorithm::Ed25519));
}

#[test]
fn another_rule_of_renewal_holds_from_the_first_look_on() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"renewBefore": "100h"}), &office);
    let due = |desk: &Desk| desk.certificate.status.clone().unwrap().renewal_time.unwrap().0;
    assert!(due(&desk) > noon() + hours(1900));
    desk.edit(|certificate| certificate.spec.renew_before = None);
    assert!(reconcile(&mut desk, &around, noon()).issued.is_empty());
    assert!(due(&desk) < noon() + hours(1441));
}
