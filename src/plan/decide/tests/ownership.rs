//! Whose Secret it is, and what happens to it in the end.

use super::*;
use crate::plan::Act;

#[test]
fn a_secret_that_is_not_ours_is_never_touched() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    for annotations in [
        &[][..],
        &[("chancery.dev/certificate-name", "other")],
        &[("cert-manager.io/certificate-name", "other")],
        &[("chancery.dev/allow-adoption", "other")],
    ] {
        for deleted in [false, true] {
            let mut desk = Desk::new(certificate(json!({"deletionPolicy": "Delete"})));
            let mut foreign = crate::plan::stage::blank();
            foreign.annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            desk.secret = Some(foreign);
            desk.certificate.metadata.finalizers = Some(vec!["chancery.dev/cleanup".to_owned()]);
            if deleted {
                desk.certificate.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(noon()));
            }
            let done = desk.reconcile(&around, None, noon());
            assert_eq!((done.secret_writes, done.issued.len(), done.gone), (0, 0, deleted));
            assert_eq!(desk.secret.as_ref().unwrap().annotations.len(), annotations.len());
            if !deleted {
                assert_eq!(said(&desk), ["Ready=False SecretNotOurs", "Issuing=True SecretNotOurs", "Stalled=True SecretNotOurs"]);
            }
        }
    }
}

#[test]
fn of_two_certificates_with_one_secret_the_second_never_writes() {
    let office = Office::ca();
    let around = Surroundings { rival: Some("elder".to_owned()), ..Surroundings::of(&office) };
    let mut desk = Desk::new(certificate(plain()));
    let done = reconcile(&mut desk, &around, noon());
    assert_eq!((done.secret_writes, done.issued.len(), done.wake), (0, 0, None));
    assert_eq!(said(&desk), ["Ready=False SecretShared", "Issuing=True SecretShared", "Stalled=True SecretShared"]);
    assert!(message(&desk).contains("Certificate elder"));
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&office), noon()).issued, ["Created"], "the elder went");
}

#[test]
fn what_a_policy_asks_for_happens_to_the_secret_and_the_object_is_always_released() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let deletion = |desk: &mut Desk| {
        desk.certificate.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(noon()));
    };
    let finalizers = |desk: &Desk| desk.certificate.metadata.finalizers.clone().unwrap_or_default().len();

    let mut retained = issued(plain(), &office);
    assert_eq!(finalizers(&retained), 0);
    deletion(&mut retained);
    assert_eq!(retained.reconcile(&around, None, noon()).secret_writes, 0);
    assert!(retained.secret.is_some());

    let mut deleted = issued(json!({"deletionPolicy": "Delete"}), &office);
    assert_eq!(finalizers(&deleted), 1);
    deletion(&mut deleted);
    assert!(deleted.reconcile(&around, None, noon()).gone);
    assert!(deleted.secret.is_none());

    let mut missing = issued(json!({"deletionPolicy": "Delete"}), &office);
    missing.secret = None;
    deletion(&mut missing);
    assert!(missing.reconcile(&around, None, noon()).gone);

    let mut unreadable = issued(json!({"deletionPolicy": "Delete"}), &office);
    edit(&mut unreadable, json!({"dnsNames": ["*.*"]}));
    deletion(&mut unreadable);
    assert!(unreadable.reconcile(&around, None, noon()).gone, "what cannot be read is released too");
    assert!(unreadable.secret.is_some());

    let mut changed = issued(json!({"deletionPolicy": "Delete"}), &office);
    edit(&mut changed, json!({"deletionPolicy": "Retain"}));
    reconcile(&mut changed, &around, noon());
    assert_eq!(finalizers(&changed), 0);
}

#[test]
fn what_is_found_is_taken_over_only_where_it_would_be_issued() {
    let office = Office::ca();
    let mut desk = issued(plain(), &office);
    desk.lines.clear();
    // Its status must not speak for it.
    desk.certificate.status = None;
    let act = |around: &Surroundings<'_>| desk.decide(around, noon()).0.act;
    assert!(matches!(act(&Surroundings::of(&office)), Act::Import(..)));
    let elsewhere = Surroundings { admitted: false, ..Surroundings::of(&office) };
    assert!(matches!(act(&elsewhere), Act::Nothing));
    let wrong_clock = Surroundings { skew: Some(SignedDuration::from_mins(3)), ..Surroundings::of(&office) };
    assert!(matches!(act(&wrong_clock), Act::Nothing));
    let stricter = Office::new("ca", office.seal.clone(), json!({"allow": {"maxDuration": "1h"}}));
    assert!(!matches!(act(&Surroundings::of(&stricter)), Act::Import(..)));
}
