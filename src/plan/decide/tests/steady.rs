//! What a good certificate is said to be, and when it is looked at again.

use chancery_pki::KeyAlgorithm;

use super::*;
use crate::plan::{
    Act,
    stage::{Seal, pool},
};

#[test]
fn a_secret_that_exists_but_is_empty_and_was_offered_gets_its_first_certificate() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = Desk::new(certificate(plain()));
    let mut offered = crate::plan::stage::blank();
    offered.annotations.insert("chancery.dev/allow-adoption".to_owned(), "web".to_owned());
    desk.secret = Some(offered);
    let (plan, _) = desk.decide(&around, noon());
    let Act::Issue(issue) = plan.act else { panic!() };
    assert_eq!(issue.reason(), "Created");
    assert_eq!(reconcile(&mut desk, &around, noon()).issued, ["Created"]);
}

#[test]
fn a_certificate_that_ends_with_its_issuers_chain_says_so_at_each_look() {
    let (from, to) = (time("2025-01-01T00:00:00Z"), noon() + hours(240));
    let office = Office::new("ca", Some(Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, 0), from, to)), json!({}));
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    assert!(message(&desk).contains("it ends with its issuer's chain, sooner than the 2160h0m0s"), "{}", message(&desk));
    assert_eq!(desk.certificate.status.clone().unwrap().not_after.unwrap().0, to);
    desk.tamper(|_| {});
    let done = reconcile(&mut desk, &around, noon() + hours(1));
    assert_eq!(done.status_writes, 1);
    assert!(message(&desk).contains("sooner than the 2160h0m0s"));
}

#[test]
fn without_enough_to_gain_no_renewal_is_made_until_it_doubles_what_is_left() {
    let (from, key) = (time("2025-01-01T00:00:00Z"), pool(KeyAlgorithm::EcdsaP256, 0));
    let short = Office::new("ca", Some(Seal::root("Root", key.clone(), from, noon() + hours(100))), json!({}));
    let mut desk = issued(json!({"duration": "100h"}), &short);
    let due = desk.certificate.status.clone().unwrap().renewal_time.unwrap().0;
    let around = Surroundings::of(&short);
    let done = reconcile(&mut desk, &around, due);
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True AuthorityEnding"]);
    assert!(message(&desk).contains("renew the issuer's certificate"), "{}", message(&desk));
    // It gains five minutes: in the last five minutes it is made.
    let end = desk.certificate.status.clone().unwrap().not_after.unwrap().0;
    assert_eq!(done.wake, Some(end - minutes(5)));
    assert_eq!(reconcile(&mut desk, &around, end - minutes(5)).issued, ["RenewalDue"]);
    let last = desk.certificate.status.clone().unwrap().not_after.unwrap().0;
    // And then no more: there is nothing left to gain.
    let done = reconcile(&mut desk, &around, last - minutes(1));
    assert!(done.issued.is_empty());
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True AuthorityEnding"]);
    assert_eq!(done.wake, Some(last + SignedDuration::from_secs(1)));
    // The CA is renewed.
    let long = Office::new("ca", Some(Seal::root("Root", key, from, noon() + hours(1000))), json!({}));
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&long), last - minutes(1)).issued, ["RenewalDue"]);
}

#[test]
fn an_expired_certificate_is_not_ready() {
    let mut office = Office::ca();
    let mut desk = issued(json!({"duration": "30h"}), &office);
    let end = desk.certificate.status.clone().unwrap().not_after.unwrap().0;
    office.close("SecretUnreadable", "it was lost");
    let around = Surroundings::of(&office);
    let done = reconcile(&mut desk, &around, end);
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True IssuerNotReady"], "the last second is a good one");
    let wake = done.wake.unwrap();
    assert_eq!(wake, end + SignedDuration::from_secs(1));
    let done = reconcile(&mut desk, &around, wake);
    assert_eq!(said(&desk), ["Ready=False Expired", "Issuing=True IssuerNotReady", "Reconciling=True IssuerNotReady"]);
    assert_eq!(done.wake, None);
}

#[test]
fn a_clock_that_jumps_back_makes_no_new_certificate() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    let done = reconcile(&mut desk, &around, noon() - minutes(6));
    assert!(done.issued.is_empty());
    assert_eq!(said(&desk), ["Ready=True Ready"], "as far as a clock may be off");
    let done = reconcile(&mut desk, &around, noon() - minutes(30));
    assert!(done.issued.is_empty());
    assert_eq!(said(&desk), ["Ready=False NotYetValid", "Issuing=True NotYetValid", "Reconciling=True NotYetValid"]);
    assert_eq!(done.wake, Some(noon() - minutes(7)));
    reconcile(&mut desk, &around, noon() - minutes(7));
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn a_certificate_that_is_found_is_taken_over_as_it_is() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"privateKey": {"encoding": "PKCS8"}}), &office);
    let serial = desk.held_serial();
    desk.lines.clear();
    desk.certificate.status = None;
    desk.tamper(|secret| {
        secret.annotations.clear();
        secret.annotations.insert("cert-manager.io/certificate-name".to_owned(), "web".to_owned());
    });
    desk.edit(|certificate| certificate.spec.private_key = None);
    let done = reconcile(&mut desk, &around, noon());
    assert!(done.issued.is_empty());
    assert_eq!(desk.held_serial(), serial);
    assert_eq!(desk.lines.last().unwrap().recorded.reason, "Found");
    assert_eq!(desk.certificate.status.clone().unwrap().issued[0].reason, "Found");
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn a_ready_message_of_a_defaulted_spec_is_the_same_whether_the_secret_was_read_or_not() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    let status = desk.certificate.status.clone();
    desk.tamper(|_| {});
    reconcile(&mut desk, &around, noon() + hours(3));
    let (read, recorded) = (desk.certificate.status.clone().unwrap(), status.unwrap());
    assert_eq!((read.conditions, read.resolved), (recorded.conditions, recorded.resolved));
}
