//! Secrets that cert-manager made: what of theirs is not ours, and is kept all the same.

use chancery_pki::{KeyAlgorithm, KeyEncoding, SignatureAlgorithm};

use super::*;
use crate::plan::stage::{cert_manager_template, pool};

/// A Certificate whose Secret cert-manager made by this spec, with such a key.
fn found(spec: Value, office: &Office, algorithm: KeyAlgorithm) -> Desk {
    let mut desk = Desk::new(certificate(spec));
    let template = cert_manager_template(desk.wanted.as_ref().unwrap(), 1, noon());
    desk.find(office, &template, pool(algorithm, 3), KeyEncoding::Pkcs1);
    desk
}

fn own() -> Office {
    Office::new("ca", None, json!({}))
}

#[test]
fn several_values_in_one_set_are_taken_over_in_whatever_order_der_puts_them() {
    let office = Office::ca();
    let subject =
        json!({"organizations": ["zebra", "Example, Inc.", "A & B"], "organizationalUnits": ["Web", "Ops"], "countries": ["FR", "DE"]});
    let mut desk = found(json!({"subject": subject}), &office, KeyAlgorithm::EcdsaP256);
    let serial = desk.held_serial();
    let around = Surroundings::of(&office);
    let done = reconcile(&mut desk, &around, noon());
    assert_eq!((done.issued.len(), done.secret_writes, desk.held_serial()), (0, 1, serial));
    // Of what is made here the order counts.
    renew(&mut desk, "now");
    assert_eq!(reconcile(&mut desk, &around, noon()).issued, ["RenewRequested"]);
    edit(
        &mut desk,
        json!({"subject": {"organizations": ["A & B", "zebra", "Example, Inc."], "organizationalUnits": ["Web", "Ops"], "countries": ["FR", "DE"]}}),
    );
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).issued, ["SubjectChanged"]);
}

#[test]
fn a_signature_that_cert_manager_did_not_make_as_asked_is_asked_for_at_the_next_issuance() {
    let office = own();
    let spec = json!({"signatureAlgorithm": "SHA384WithRSA", "isCA": true, "commonName": "Root"});
    let mut desk = found(spec, &office, KeyAlgorithm::Rsa { bits: 2048 });
    let serial = desk.held_serial();
    let around = Surroundings::of(&office);
    let signature = |desk: &Desk| desk.leaf().unwrap().signature_algorithm();
    let noted = |desk: &Desk| desk.secret.as_ref().unwrap().annotations.get("chancery.dev/requested-signature-algorithm").cloned();
    assert_eq!(signature(&desk), Some(SignatureAlgorithm::Sha256WithRsa));
    assert!(reconcile(&mut desk, &around, noon()).issued.is_empty());
    assert_eq!((desk.held_serial(), noted(&desk).as_deref()), (serial, Some("SHA384WithRSA")));
    // Another look at the Secret sees the same.
    desk.tamper(|_| {});
    let done = reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!((done.issued.len(), done.secret_writes), (0, 0));
    // Who asks for another gets it, and then it is as asked.
    edit(&mut desk, json!({"signatureAlgorithm": "SHA512WithRSA"}));
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(2)).issued, ["SignatureChanged"]);
    assert_eq!((signature(&desk), noted(&desk)), (Some(SignatureAlgorithm::Sha512WithRsa), None));
    edit(&mut desk, json!({"signatureAlgorithm": "SHA384WithRSA"}));
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(3)).issued, ["SignatureChanged"]);
}

#[test]
fn the_renewal_of_one_that_was_taken_over_makes_it_as_asked() {
    let office = own();
    let mut desk = found(json!({"signatureAlgorithm": "SHA384WithRSA"}), &office, KeyAlgorithm::Rsa { bits: 2048 });
    let around = Surroundings::of(&office);
    reconcile(&mut desk, &around, noon());
    renew(&mut desk, "now");
    assert_eq!(reconcile(&mut desk, &around, noon()).issued, ["RenewRequested"]);
    assert_eq!(desk.leaf().unwrap().signature_algorithm(), Some(SignatureAlgorithm::Sha384WithRsa));
    assert!(!desk.secret.as_ref().unwrap().annotations.contains_key("chancery.dev/requested-signature-algorithm"));
}

#[test]
fn who_takes_the_wish_for_a_signature_back_is_not_held_to_it_later() {
    let office = own();
    let mut desk = found(
        json!({"privateKey": {"algorithm": "RSA"}, "signatureAlgorithm": "SHA384WithRSA"}),
        &office,
        KeyAlgorithm::Rsa { bits: 2048 },
    );
    let around = Surroundings::of(&office);
    reconcile(&mut desk, &around, noon());
    edit(&mut desk, json!({"signatureAlgorithm": null}));
    let done = reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!((done.issued.len(), done.secret_writes), (0, 1), "the note goes");
    edit(&mut desk, json!({"signatureAlgorithm": "SHA384WithRSA"}));
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(2)).issued, ["SignatureChanged"]);
}

#[test]
fn usages_that_cert_manager_gives_a_key_of_whatever_kind_are_kept() {
    let office = Office::ca();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519] {
        let mut desk = found(json!({"privateKey": {"algorithm": algorithm.family()}}), &office, algorithm);
        let serial = desk.held_serial();
        let done = reconcile(&mut desk, &Surroundings::of(&office), noon());
        assert_eq!((done.issued.len(), done.secret_writes, desk.held_serial()), (0, 1, serial), "{algorithm}");
    }
}
