//! An issuer's authority is renewed, or replaced; and a CA's own key is lost.

use chancery_pki::KeyAlgorithm;

use super::*;
use crate::plan::stage::{Seal, pool};

fn seal(key: u64, end: i64) -> Seal {
    Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, key), time("2025-01-01T00:00:00Z"), noon() + hours(end))
}

#[test]
fn a_ca_that_is_renewed_with_its_key_changes_the_chain_and_no_leaf() {
    let mut office = Office::new("ca", Some(seal(0, 10_000)), plain());
    let mut desk = issued(plain(), &office);
    let (serial, old) = (desk.held_serial(), desk.secret.as_ref().unwrap().chain.ca.clone());
    office.reseal(seal(0, 90_000));
    let done = reconcile(&mut desk, &Surroundings::of(&office), noon() + hours(1));
    assert_eq!((done.issued.len(), done.secret_writes), (0, 1));
    assert_eq!(desk.held_serial(), serial);
    assert_ne!(desk.secret.as_ref().unwrap().chain.ca, old);
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn leaves_of_an_authority_that_was_replaced_stay_ready_until_they_fall_due() {
    let mut office = Office::new("ca", Some(seal(0, 90_000)), plain());
    let mut desk = issued(plain(), &office);
    let (serial, chain) = (desk.held_serial(), desk.secret.as_ref().unwrap().chain.clone());
    office.reseal(seal(1, 90_000));
    let around = Surroundings::of(&office);
    desk.tamper(|_| {});
    let done = reconcile(&mut desk, &around, noon() + hours(1));
    assert_eq!((done.issued.len(), done.secret_writes), (0, 0));
    assert_eq!((desk.held_serial(), &desk.secret.as_ref().unwrap().chain), (serial, &chain));
    assert_eq!(said(&desk), ["Ready=True Ready"]);
    assert_eq!(reconcile(&mut desk, &around, done.wake.unwrap()).issued, ["RenewalDue"]);
    assert_ne!(desk.secret.as_ref().unwrap().chain.ca, chain.ca);
}

#[test]
fn leaves_that_follow_their_authority_wait_for_their_turn_unless_they_are_due_or_asked_for() {
    let spec = json!({"certificateDefaults": {"onAuthorityChange": "Reissue"}});
    let mut office = Office::new("ca", Some(seal(0, 90_000)), spec);
    let desk = || issued(plain(), &Office::new("ca", Some(seal(0, 90_000)), plain()));
    let (mut patient, mut asked, mut late) = (desk(), desk(), desk());
    office.reseal(seal(1, 90_000));
    let turn = noon() + minutes(20);
    let around = Surroundings { turn: Some(turn), ..Surroundings::of(&office) };
    let done = reconcile(&mut patient, &around, noon() + minutes(1));
    assert_eq!((done.issued.len(), done.wake), (0, Some(turn)));
    assert_eq!(said(&patient), ["Ready=True Ready", "Issuing=True AuthorityChanged"]);
    assert_eq!(reconcile(&mut patient, &around, turn).issued, ["AuthorityChanged"]);

    renew(&mut asked, "now");
    assert_eq!(reconcile(&mut asked, &around, noon() + minutes(1)).issued, ["AuthorityChanged"]);

    let due = late.certificate.status.clone().unwrap().renewal_time.unwrap().0;
    let around = Surroundings { turn: Some(due + hours(10)), ..Surroundings::of(&office) };
    assert_eq!(reconcile(&mut late, &around, due).issued, ["AuthorityChanged"]);
}

#[test]
fn a_cas_lost_key_comes_back_from_its_copy_or_not_at_all() {
    let office = Office::new("ca", None, plain());
    let around = Surroundings::of(&office);
    let spec = json!({"isCA": true, "commonName": "Root"});
    let mut desk = issued(spec, &office);
    let key = desk.leaf().unwrap().key_id();
    assert_eq!(desk.copies.keys().collect::<Vec<_>>(), [&key]);
    desk.secret = None;
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).issued, ["SecretMissing"]);
    assert_eq!(desk.leaf().unwrap().key_id(), key);

    desk.secret = None;
    desk.copies.clear();
    assert!(reconcile(&mut desk, &around, noon() + minutes(2)).issued.is_empty());
    let reason = "AuthoritySecretMissing";
    assert_eq!(said(&desk), [format!("Ready=False {reason}"), format!("Issuing=True {reason}"), format!("Stalled=True {reason}")]);
    renew(&mut desk, "a new key");
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(3)).issued, ["SecretMissing"]);
    assert_ne!(desk.leaf().unwrap().key_id(), key);
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}
