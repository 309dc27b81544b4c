use serde_json::{Value, json};

use super::*;
use crate::api::Certificate;

const NOW: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "it reads best where it is called")]
fn certificate(name: &str, issuer: &str, status: Value) -> CertificateRow {
    let object: Certificate = serde_json::from_value(json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": name, "namespace": "team", "generation": 2},
        "spec": {"secretName": format!("{name}-tls"), "issuerRef": {"name": issuer}, "dnsNames": ["a.example.com"], "commonName": "a.example.com"},
        "status": status,
    }))
    .unwrap();
    CertificateRow::new(&object, now())
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": NOW})
}

fn valid(conditions: &[Value], not_after: &str, renewal: Option<&str>) -> Value {
    json!({"observedGeneration": 2, "conditions": conditions, "notBefore": "2026-03-03T00:00:00Z", "notAfter": not_after, "renewalTime": renewal})
}

/// Each state that a person may meet, and the words for it.
fn rows() -> Vec<(CertificateRow, &'static [State], &'static str)> {
    let ready = condition("Ready", "True", "Ready");
    let far = Some("2026-08-01T00:00:00Z");
    let late = "2026-09-01T00:00:00Z";
    vec![
        (certificate("well", "ca", valid(std::slice::from_ref(&ready), late, far)), &[State::Ready], "ready"),
        (
            certificate("due", "ca", valid(std::slice::from_ref(&ready), late, Some("2026-05-01T00:00:00Z"))),
            &[State::Expiring, State::Ready],
            "ready; renewal is due",
        ),
        (
            certificate("left", "ca", valid(std::slice::from_ref(&ready), "2026-06-11T00:00:00Z", None)),
            &[State::Expiring, State::Ready],
            "ready; renewal is due",
        ),
        (
            certificate("dead", "ca", valid(std::slice::from_ref(&ready), "2026-05-30T00:00:00Z", None)),
            &[State::Expired, State::Ready],
            "expired",
        ),
        (
            certificate("trying", "ca", valid(&[ready.clone(), condition("Issuing", "True", "BackingOff")], late, far)),
            &[State::Issuing, State::Ready],
            "ready; new one: backing off",
        ),
        (
            certificate("leaked", "ca", valid(&[ready, condition("Revoked", "False", "NoRevocationList")], late, far)),
            &[State::Revoked, State::Ready],
            "ready; revocation: no revocation list",
        ),
        (
            certificate(
                "stuck",
                "absent",
                json!({"observedGeneration": 2, "conditions": [
                    condition("Ready", "False", "SecretMissing"), condition("Issuing", "True", "IssuerNotFound"), condition("Stalled", "True", "IssuerNotFound"),
                ]}),
            ),
            &[State::Stalled, State::NotReady, State::Issuing],
            "issuer not found",
        ),
        (certificate("new", "ca", json!({"observedGeneration": -1})), &[State::NotReady, State::Unseen], "not seen yet"),
    ]
}

#[test]
fn each_state_has_its_words_and_is_found_by_them() {
    for (row, states, words) in rows() {
        assert_eq!(row.standing.states.iter().copied().collect::<Vec<_>>(), states, "{}", row.name);
        assert_eq!(row.cells(now())[6].text, words, "{}", row.name);
    }
    for state in State::value_variants() {
        let wanted = Wanted { states: vec![*state], ..Wanted::default() };
        let expected = rows().iter().filter(|(_, states, _)| states.contains(state)).count();
        let rows = rows().into_iter().map(|(row, ..)| row).collect();
        assert_eq!(Listing::new(rows, &wanted, SortBy::Name, false, now()).items.len(), expected, "{state:?}");
    }
}

#[test]
fn rows_are_sorted_and_chosen_as_asked() {
    let names = |wanted: &Wanted, sort| {
        let rows = rows().into_iter().map(|(row, ..)| row).collect();
        Listing::new(rows, wanted, sort, false, now()).items.iter().map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    let any = Wanted::default();
    assert_eq!(names(&any, SortBy::Expiry), ["new", "stuck", "dead", "left", "due", "leaked", "trying", "well"]);
    assert_eq!(names(&any, SortBy::Name), ["dead", "due", "leaked", "left", "new", "stuck", "trying", "well"]);
    assert_eq!(names(&any, SortBy::Issuer)[0], "stuck");
    assert_eq!(names(&any, SortBy::State), ["dead", "stuck", "new", "due", "left", "trying", "leaked", "well"]);
    for issuer in ["absent", "Issuer/absent", "issuer/absent"] {
        assert_eq!(names(&Wanted { issuer: Some(issuer.to_owned()), ..Wanted::default() }, SortBy::Name), ["stuck"], "{issuer}");
    }
    assert!(names(&Wanted { issuer: Some("ClusterIssuer/absent".to_owned()), ..Wanted::default() }, SortBy::Name).is_empty());
    let soon = Wanted { expiring_within: Some(SignedDuration::from_hours(24 * 30)), ..Wanted::default() };
    assert_eq!(names(&soon, SortBy::Expiry), ["dead", "left"]);
}

#[test]
fn reasons_are_read_as_words() {
    for (reason, expected) in [("IssuerNotFound", "issuer not found"), ("NotACA", "not a CA"), ("Ready", "ready"), ("", "")] {
        assert_eq!(words(reason), expected);
    }
}

#[test]
fn a_name_that_stands_twice_is_shown_once_and_few_of_many_are() {
    let mut row = certificate("well", "ca", Value::Null);
    assert_eq!(row.names, ["a.example.com"]);
    row.names = (0..7).map(|number| format!("{number}.example.com")).collect();
    let shown = row.cells(now()).pop().unwrap().text;
    assert!(shown.starts_with("0.example.com,1.example.com") && shown.ends_with("4.example.com and 2 more"), "{shown}");
}
