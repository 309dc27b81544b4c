//! What is asked for is had, once; and what nobody should have asked for reaches no key.

use std::collections::BTreeMap;

use chancery_pki::{KeyAlgorithm, SignatureAlgorithm, Usage};
use proptest::{prelude::*, sample};
use serde_json::{Value, json};

use super::{
    NOON, minutes, seal,
    specs::{specs, wrong},
};
use crate::{
    api::{PasswordSource, condition, names},
    plan::{
        Act,
        forms::{JKS, PKCS12, Passwords},
        stage::{Desk, Office, Surroundings, certificate, time},
    },
};

fn office(own: bool) -> Office {
    let seal = (!own).then(|| seal(0, time("2036-01-01T00:00:00Z")));
    Office::new("ca", seal, json!({"allow": {"usages": Usage::ALL}}))
}

fn desk(spec: Value, temporary: bool) -> Desk {
    let mut certificate = certificate(spec);
    if temporary {
        let annotation = (names::TEMPORARY.to_owned(), "true".to_owned());
        certificate.metadata.annotations.get_or_insert_default().extend([annotation]);
    }
    Desk::new(certificate)
}

/// Whether this issuer may give what is wanted: all but a signature that the key cannot make.
fn may_have(desk: &Desk, own: bool) -> bool {
    desk.wanted.as_ref().is_ok_and(|wanted| {
        let by_signature = || wanted.signature.map_or(KeyAlgorithm::EcdsaP256, SignatureAlgorithm::usual_key);
        let key = wanted.key.unwrap_or_else(by_signature);
        !own || wanted.signature.is_none_or(|signature| signature.suits(key))
    })
}

const ABSENT: &str = "Secret stores does not exist";

/// The passwords that are kept in Secrets, in this version.
fn stored(desk: &Desk, version: u8) -> Passwords {
    let Ok(wanted) = &desk.wanted else { return Passwords::default() };
    let secret = |source: &PasswordSource| matches!(source, PasswordSource::Secret { .. });
    let jks = wanted.keystores.jks.as_ref().filter(|jks| secret(&jks.password)).map(|_| JKS);
    let pkcs12 = wanted.keystores.pkcs12.as_ref().filter(|pkcs12| secret(&pkcs12.password)).map(|_| PKCS12);
    let marks = jks.into_iter().chain(pkcs12).map(|store| (store, format!("uid.{version}"))).collect();
    Passwords { marks, missing: BTreeMap::new() }
}

/// Stores whose passwords, or one of them, stand in Secrets.
fn locked() -> Vec<Value> {
    let of = |key: &str| json!({"create": true, "passwordSecretRef": {"name": "stores", "key": key}});
    let literal = json!({"create": true, "password": "changeit"});
    vec![
        json!({"jks": of("a")}),
        json!({"pkcs12": of("b")}),
        json!({"jks": of("a"), "pkcs12": of("b")}),
        json!({"jks": literal, "pkcs12": of("b")}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_for_is_had_once_and_then_left_alone(spec in specs(), own in any::<bool>(), temporary in any::<bool>()) {
        let office = office(own);
        let mut desk = desk(spec, temporary);
        let mut around = Surroundings::of(&office);
        around.passwords = stored(&desk, 1);
        let now = time(NOON);
        let (valid, allowed) = (desk.wanted.is_ok(), may_have(&desk, own));
        let done = desk.reconcile(&around, None, now);
        if allowed {
            prop_assert_eq!(&done.issued, &["Created"], "{:?}", desk.certificate.status);
            prop_assert_eq!((done.secret_writes, done.status_writes, office.signatures()), (1, 1, 1));
        } else {
            let reason = if valid { "NotAllowed" } else { "InvalidSpec" };
            prop_assert_eq!(desk.condition(condition::READY).map(|(status, reason, _)| (status, reason)), Some(("False", reason)));
            prop_assert_eq!(office.signatures(), 0);
            prop_assert!(valid || desk.secret.is_none(), "a wrong spec has a Secret");
        }
        desk.assert_quiet(&around, now);
        desk.through_the_api_server();
        desk.assert_quiet(&around, now);
        if let Some(version) = desk.secret.as_mut().filter(|_| allowed) {
            // The Secret is read again, for whatever reason.
            version.resource_version = "999".to_owned();
            let done = desk.reconcile(&around, None, now + minutes(1));
            prop_assert_eq!((done.issued.len(), done.secret_writes, done.status_writes), (0, 0, 1));
        }
    }

    #[test]
    fn a_spec_that_is_wrong_never_reaches_a_signer(
        spec in specs(), wrong in sample::select(wrong()), own in any::<bool>(), temporary in any::<bool>(), late in any::<bool>(),
    ) {
        let office = office(own);
        let around = Surroundings::of(&office);
        let now = time(NOON);
        let mut asked = spec.clone();
        asked.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let mut desk = desk(if late { spec } else { asked.clone() }, temporary);
        if late {
            // It was right before, and may have been issued then.
            desk.reconcile(&around, None, now);
            desk.edit(|before| before.spec = certificate(asked).spec);
        }
        prop_assert!(desk.wanted.is_err(), "{wrong} is taken for right: {:?}", desk.wanted);
        let (held, signatures) = (desk.held_serial(), office.signatures());
        let (plan, _) = desk.decide(&around, now);
        prop_assert!(matches!(plan.act, Act::Nothing), "{:?}", plan.act);
        for hours in [0, 24, 10_000] {
            let done = desk.reconcile(&around, None, now + minutes(60 * hours));
            prop_assert_eq!((done.issued.len(), done.secret_writes), (0, 0));
        }
        prop_assert_eq!((desk.held_serial(), office.signatures()), (held, signatures));
        let said = desk.condition(condition::READY).map(|(status, reason, _)| (status, reason));
        prop_assert_eq!(said, Some(("False", "InvalidSpec")));
        desk.assert_quiet(&around, now + minutes(60 * 10_000));
    }

    #[test]
    fn a_password_that_is_missing_is_waited_for_and_another_one_changes_the_stores_alone(
        spec in specs(), stores in sample::select(locked()), temporary in any::<bool>(),
    ) {
        let office = office(false);
        let mut spec = spec;
        spec["keystores"] = stores;
        let mut desk = desk(spec, temporary);
        let passwords = stored(&desk, 1);
        prop_assume!(desk.wanted.is_ok());
        prop_assert!(!passwords.marks.is_empty());
        let mut around = Surroundings::of(&office);
        let missing = || Passwords { marks: BTreeMap::new(), missing: [(JKS, ABSENT.to_owned()), (PKCS12, ABSENT.to_owned())].into() };
        let now = time(NOON);
        around.passwords = missing();
        let done = desk.reconcile(&around, None, now);
        prop_assert_eq!((done.issued.len(), office.signatures()), (0, 0));
        let said = desk.condition(condition::READY).map(|(status, reason, _)| (status, reason));
        prop_assert_eq!(said, Some(("False", "KeystorePasswordMissing")));
        let is_ca = desk.wanted.as_ref().is_ok_and(|wanted| wanted.is_ca);
        prop_assert_eq!(desk.secret.is_some(), temporary && !is_ca, "whether there is a temporary certificate");
        desk.assert_quiet(&around, now);

        around.passwords = passwords;
        let done = desk.reconcile(&around, None, now + minutes(1));
        prop_assert_eq!((&done.issued[..], office.signatures()), (&["Created"][..], 1));
        desk.assert_quiet(&around, now + minutes(1));

        around.passwords = stored(&desk, 2);
        let held = desk.held_serial();
        let before = desk.secret.as_ref().unwrap().annotations.clone();
        let done = desk.reconcile(&around, None, now + minutes(2));
        prop_assert_eq!((done.issued.len(), done.secret_writes, office.signatures()), (0, 1, 1));
        let after = &desk.secret.as_ref().unwrap().annotations;
        let changed: Vec<&str> = after.iter().filter(|(key, value)| before.get(*key) != Some(*value)).map(|(key, _)| key.as_str()).collect();
        prop_assert_eq!((changed, after.len()), (vec!["chancery.dev/forms"], before.len()));
        desk.assert_quiet(&around, now + minutes(2));

        // What is there stays good without it.
        around.passwords = missing();
        let done = desk.reconcile(&around, None, now + minutes(3));
        prop_assert_eq!((done.issued.len(), done.secret_writes, desk.held_serial()), (0, 0, held));
        prop_assert_eq!(desk.condition(condition::READY).map(|(status, ..)| status), Some("True"));
        desk.assert_quiet(&around, now + minutes(3));
    }
}
