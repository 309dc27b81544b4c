//! What a register that does not hold together changes, and what it must not change.

use super::*;
use crate::plan::stage::Crash;

fn torn(office: &Office) -> Surroundings<'_> {
    let mut around = Surroundings::of(office);
    around.broken.insert(office.authority().map(|authority| authority.key_id), "the register is torn".to_owned());
    around
}

#[test]
fn what_stands_stays_as_it_is_while_its_register_does_not_know_it() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    let serial = desk.held_serial();
    // Its line came after the break.
    desk.lines.clear();
    let around = torn(&office);
    let done = reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!((done.issued.len(), done.secret_writes), (0, 0));
    assert_eq!(desk.held_serial(), serial);
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True RegisterUnavailable"]);
    assert!(message(&desk).contains("the register is torn"), "{}", message(&desk));
    let status = desk.certificate.status.clone().unwrap();
    assert_eq!(done.wake, Some(status.renewal_time.unwrap().0));
    // It was put back.
    let office = Office::ca();
    let mut whole = issued(plain(), &office);
    whole.certificate.status.as_mut().unwrap().conditions = status.conditions;
    reconcile(&mut whole, &Surroundings::of(&office), noon() + minutes(2));
    assert_eq!(said(&whole), ["Ready=True Ready"]);
}

#[test]
fn an_older_line_is_no_proof_against_a_newer_certificate() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    let older = desk.lines.clone();
    renew(&mut desk, "now");
    reconcile(&mut desk, &Surroundings::of(&office), noon() + minutes(1));
    let serial = desk.held_serial();
    desk.lines = older;
    assert!(reconcile(&mut desk, &torn(&office), noon() + minutes(2)).issued.is_empty());
    assert_eq!(desk.held_serial(), serial);
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True RegisterUnavailable"]);
}

#[test]
fn a_planted_certificate_is_not_said_to_be_good_because_a_register_is_torn() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    let planted = issued(plain(), &office).secret.unwrap();
    desk.tamper(|secret| secret.content = planted.content);
    assert!(reconcile(&mut desk, &torn(&office), noon()).issued.is_empty());
    assert_eq!(said(&desk), ["Ready=False RegisterUnavailable", "Issuing=True RegisterUnavailable", "Stalled=True RegisterUnavailable"]);
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&office), noon() + minutes(1)).issued, ["NotCurrent"]);
}

#[test]
fn another_authoritys_register_changes_nothing() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    let mut around = Surroundings::of(&office);
    around.broken.insert(None, "the common register is torn".to_owned());
    let done = reconcile(&mut desk, &around, noon());
    assert_eq!((done.status_writes, said(&desk)), (0, vec!["Ready=True Ready".to_owned()]));
    renew(&mut desk, "now");
    assert_eq!(reconcile(&mut desk, &around, noon()).issued, ["RenewRequested"]);
}

#[test]
fn no_new_ca_is_made_where_a_torn_register_may_know_of_one() {
    let office = Office::ca();
    let spec = json!({"isCA": true, "commonName": "Below"});
    let mut desk = Desk::new(certificate(spec));
    assert!(reconcile(&mut desk, &torn(&office), noon()).issued.is_empty());
    assert_eq!(said(&desk), ["Ready=False RegisterUnavailable", "Issuing=True RegisterUnavailable", "Stalled=True RegisterUnavailable"]);
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&office), noon()).issued, ["Created"]);
}

#[test]
fn a_line_without_its_certificate_is_made_good_and_a_key_that_is_kept_is_kept() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    for (spec, kept) in [
        (plain(), false),
        (json!({"privateKey": {"rotationPolicy": "Never"}}), true),
        // A CA's key without a copy: it was there before we were.
        (json!({"isCA": true, "commonName": "Below"}), true),
    ] {
        let mut desk = issued(spec, &office);
        desk.copies.clear();
        let key = desk.leaf().unwrap().key_id();
        edit(&mut desk, json!({"dnsNames": ["other.example"]}));
        assert!(desk.reconcile(&around, Some(Crash::AfterLine), noon() + minutes(1)).crashed);
        edit(&mut desk, json!({"dnsNames": ["web.example"]}));
        assert_eq!(reconcile(&mut desk, &around, noon() + minutes(2)).issued, ["NotDelivered"]);
        assert_eq!(desk.leaf().unwrap().key_id() == key, kept);
        assert_eq!(said(&desk), ["Ready=True Ready"]);
    }
}

#[test]
fn a_secret_without_its_status_is_found_again_without_a_new_certificate() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    renew(&mut desk, "now");
    assert!(desk.reconcile(&around, Some(Crash::AfterSecret), noon() + minutes(1)).crashed);
    let done = reconcile(&mut desk, &around, noon() + minutes(2));
    assert_eq!((done.issued.len(), done.secret_writes, done.status_writes), (0, 0, 1));
    assert_eq!(desk.certificate.status.clone().unwrap().revision, Some(2));
}
