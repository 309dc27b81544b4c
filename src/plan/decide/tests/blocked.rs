//! What is in the way of a certificate, and what is said meanwhile.

use super::*;

struct Row {
    what: &'static str,
    block: fn(&mut Office, &mut Surroundings<'static>),
    reason: &'static str,
    /// The condition of kstatus: whether somebody must do something.
    kind: &'static str,
}

fn nobody(office: &mut Office, around: &mut Surroundings<'static>) {
    drop(std::mem::replace(office, Office::ca()));
    around.issuer = None;
}

const TABLE: [Row; 6] = [
    Row { what: "no issuer", block: nobody, reason: "IssuerNotFound", kind: "Reconciling" },
    Row { what: "a namespace that is not served", block: |_, around| around.admitted = false, reason: "NotAllowed", kind: "Stalled" },
    Row {
        what: "an issuer that is not ready",
        block: |office, _| office.close("Expired", "a certificate of its chain expired"),
        reason: "IssuerNotReady",
        kind: "Reconciling",
    },
    Row {
        what: "a lifetime that is not allowed",
        block: |office, _| office.view.spec.as_mut().unwrap().allow.max_duration = Some(hours(1)),
        reason: "NotAllowed",
        kind: "Stalled",
    },
    Row { what: "a clock that is off", block: |_, around| around.skew = Some(minutes(3)), reason: "ClockSkew", kind: "Reconciling" },
    Row {
        what: "a register that does not hold together",
        block: |office, around| {
            around.broken.insert(Some(office.authority().unwrap().key_id), "the register is torn".to_owned());
        },
        reason: "RegisterUnavailable",
        kind: "Stalled",
    },
];

fn blocked(row: &Row) -> (Office, Surroundings<'static>) {
    let mut office = Office::ca();
    let mut around = Surroundings { issuer: None, ..Surroundings::of(Box::leak(Box::new(Office::ca()))) };
    around.admitted = true;
    let mut found = Some(());
    (row.block)(&mut office, &mut around);
    if row.reason == "IssuerNotFound" {
        found = None;
    }
    let kept: &'static Office = Box::leak(Box::new(office.clone()));
    around.issuer = found.map(|()| kept);
    (office, around)
}

#[test]
fn a_first_certificate_that_cannot_be_had_says_what_is_in_the_way() {
    for row in &TABLE {
        let (_, around) = blocked(row);
        let mut desk = Desk::new(certificate(json!({"duration": "100h"})));
        let done = reconcile(&mut desk, &around, noon());
        assert!(done.issued.is_empty(), "{}", row.what);
        let (reason, kind) = (row.reason, row.kind);
        let expected = [format!("Ready=False {reason}"), format!("Issuing=True {reason}"), format!("{kind}=True {reason}")];
        assert_eq!(said(&desk), expected, "{}", row.what);
        assert!(message(&desk).starts_with("Secret web-tls does not exist yet; "), "{}", message(&desk));
        assert_eq!(done.wake.is_some(), row.reason == "ClockSkew", "{}", row.what);
    }
}

#[test]
fn a_renewal_that_cannot_be_had_leaves_a_good_certificate_ready_and_says_what_is_in_the_way() {
    for row in &TABLE {
        let (_, around) = blocked(row);
        let mut desk = issued(json!({"duration": "100h"}), &Office::ca());
        let status = desk.certificate.status.clone().unwrap();
        let (due, end) = (status.renewal_time.unwrap().0, status.not_after.unwrap().0);
        let done = reconcile(&mut desk, &around, due);
        assert!(done.issued.is_empty(), "{}", row.what);
        assert_eq!(said(&desk), ["Ready=True Ready".to_owned(), format!("Issuing=True {}", row.reason)], "{}", row.what);
        assert!(message(&desk).contains("due for renewal since"), "{}", message(&desk));
        assert!(done.wake.is_some_and(|wake| wake <= end + SignedDuration::from_secs(1)));
        // Time passes, and nothing new is to be said.
        let done = reconcile(&mut desk, &around, due + SignedDuration::from_secs(100));
        assert_eq!(done.status_writes, 0, "{}", row.what);
    }
}

#[test]
fn a_spec_that_cannot_be_read_is_said_and_waited_for() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    edit(&mut desk, json!({"dnsNames": ["*.*.example"]}));
    let done = reconcile(&mut desk, &around, noon());
    assert_eq!((done.issued.len(), done.wake), (0, None));
    assert_eq!(said(&desk), ["Ready=False InvalidSpec", "Issuing=True InvalidSpec", "Stalled=True InvalidSpec"]);
    edit(&mut desk, json!({"dnsNames": ["web.example"]}));
    assert!(reconcile(&mut desk, &around, noon()).issued.is_empty(), "what stands is what is asked for again");
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn a_certificate_that_is_damaged_again_and_again_is_mended_ever_more_slowly_and_its_writer_named() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    let mut made = 0;
    let mut now = noon() + hours(2);
    for _ in 0..60 {
        desk.tamper(|secret| {
            secret.content = crate::plan::observed::Content::Mismatch;
            secret.other_writer = Some("vandal".to_owned());
        });
        made += reconcile(&mut desk, &around, now).issued.len();
        now += SignedDuration::from_secs(1);
    }
    assert_eq!(made, 4);
    assert_eq!(said(&desk), ["Ready=False KeyMismatch", "Issuing=True SecretContested", "Reconciling=True SecretContested"]);
    assert!(message(&desk).contains("field manager \"vandal\" rewrites the Secret"), "{}", message(&desk));
    let wake = reconcile(&mut desk, &around, now).wake.unwrap();
    assert_eq!(reconcile(&mut desk, &around, wake).issued, ["KeyMismatch"]);
    assert_eq!(said(&desk), ["Ready=True Ready"]);
}

#[test]
fn ten_new_certificates_an_hour_are_made_whatever_the_reason() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    for number in 0..12 {
        edit(&mut desk, json!({"dnsNames": [format!("web-{number}.example")]}));
        let done = reconcile(&mut desk, &around, noon() + minutes(number));
        assert_eq!(done.issued.len(), usize::from(number < 10));
    }
    assert_eq!(said(&desk), ["Ready=False NamesChanged", "Issuing=True BudgetSpent", "Reconciling=True BudgetSpent"]);
    let wake = desk.certificate.status.clone().unwrap().next_retry_time.unwrap().0;
    assert_eq!(wake, noon() + hours(1));
    assert_eq!(reconcile(&mut desk, &around, wake).issued, ["NamesChanged"]);
}

#[test]
fn a_namespace_that_spent_its_budget_says_the_same_at_each_look_and_makes_first_certificates_all_the_same() {
    let office = Office::ca();
    let around = Surroundings { in_namespace: (600, Some(noon())), ..Surroundings::of(&office) };
    let mut desk = Desk::new(certificate(plain()));
    assert_eq!(reconcile(&mut desk, &around, noon()).issued, ["Created"]);
    renew(&mut desk, "now");
    reconcile(&mut desk, &around, noon());
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True BudgetSpent"]);
    for minute in 1..60 {
        let around = Surroundings { in_namespace: (600, Some(noon() + minutes(minute))), ..around.clone() };
        let done = reconcile(&mut desk, &around, noon() + minutes(minute));
        assert_eq!(done.status_writes, 0);
        assert!(done.wake.is_some_and(|wake| wake >= noon() + minutes(minute) + hours(1)));
    }
}

#[test]
fn a_secret_that_is_immutable_is_left_alone_and_that_is_said() {
    let mut office = Office::ca();
    let mut desk = issued(plain(), &office);
    desk.tamper(|secret| secret.immutable = true);
    // The CA is renewed with its key.
    office.reseal(Office::ca().seal.unwrap());
    let around = Surroundings::of(&office);
    let done = reconcile(&mut desk, &around, noon());
    assert_eq!((done.issued.len(), done.secret_writes), (0, 0));
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True SecretImmutable"]);
    renew(&mut desk, "now");
    assert!(reconcile(&mut desk, &around, noon()).issued.is_empty());
    assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True SecretImmutable"]);
}

#[test]
fn a_key_that_may_not_be_replaced_is_not() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"privateKey": {"rotationPolicy": "Never"}}), &office);
    let key = desk.leaf().unwrap().key_id();
    renew(&mut desk, "now");
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).issued, ["RenewRequested"]);
    assert_eq!(desk.leaf().unwrap().key_id(), key);
    edit(&mut desk, json!({"privateKey": {"rotationPolicy": "Never", "algorithm": "Ed25519"}}));
    assert!(reconcile(&mut desk, &around, noon() + minutes(2)).issued.is_empty());
    assert_eq!(said(&desk), ["Ready=False KeyRotationForbidden", "Issuing=True KeyRotationForbidden", "Stalled=True KeyRotationForbidden"]);
    edit(&mut desk, json!({"privateKey": {"rotationPolicy": "Always", "algorithm": "Ed25519"}}));
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(3)).issued, ["KeyChanged"]);
}
