use chancery_pki::{Reason, Revoked, SerialNumber};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::{
    certificate::CertificateReport,
    chain::SecretFacts,
    facts::{CertificateFacts, OnList},
    *,
};
use crate::{
    api::{Certificate, RevocationList},
    plugin::output::{Format, render},
};

const NOW: &str = "2026-06-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "it reads best where it is called")]
fn certificate(status: Value) -> Certificate {
    serde_json::from_value(json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": "web", "namespace": "team", "generation": 2},
        "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "dnsNames": ["web.example.com"]}, "status": status,
    }))
    .unwrap()
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "because", "lastTransitionTime": NOW})
}

fn report(status: Value) -> CertificateReport {
    let facts = CertificateFacts {
        certificate: certificate(status),
        secret: None,
        issuer: None,
        list: None,
        published: None,
        events: Vec::new(),
        unread: Vec::new(),
    };
    CertificateReport::new(facts, now())
}

fn text(report: &CertificateReport) -> String {
    let mut out = Vec::new();
    render(report, Format::Table, &mut out).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
}

#[test]
fn what_to_do_is_said_once_and_only_where_something_is_wrong() {
    let found = report(json!({"observedGeneration": 2, "conditions": [
        condition("Issuing", "True", "IssuerNotFound"), condition("Ready", "False", "IssuerNotFound"), condition("Stalled", "True", "IssuerNotFound"),
    ]}));
    assert!(!found.ready);
    assert_eq!(found.conditions[0].type_, "Ready");
    assert_eq!(text(&found).matches("What to do: Create the issuer").count(), 1, "{}", text(&found));
    let well = report(json!({"observedGeneration": 2, "conditions": [condition("Ready", "True", "Ready")]}));
    assert!(well.ready && !text(&well).contains("What to do"), "{}", text(&well));
}

#[test]
fn a_certificate_that_ended_or_was_not_looked_at_is_not_ready() {
    let ready = [condition("Ready", "True", "Ready")];
    let ended = report(json!({"observedGeneration": 2, "conditions": ready, "notAfter": "2026-05-31T00:00:00Z"}));
    assert!(!ended.ready && text(&ended).starts_with("Certificate team/web: expired\n"), "{}", text(&ended));
    let changed = report(json!({"observedGeneration": 1, "conditions": ready}));
    assert!(!changed.ready && changed.next[0].what.contains("the last change"), "{changed:?}");
    let new = report(json!({"observedGeneration": -1}));
    assert!(!new.ready && new.next[0].what.contains("has not looked at it yet"), "{new:?}");
}

#[test]
fn a_ready_certificate_with_a_broken_secret_or_on_a_list_is_not_well() {
    let status = json!({"observedGeneration": 2, "conditions": [condition("Ready", "True", "Ready")]});
    let facts = || CertificateFacts {
        certificate: certificate(status.clone()),
        secret: None,
        issuer: None,
        list: None,
        published: None,
        events: Vec::new(),
        unread: Vec::new(),
    };
    assert!(CertificateReport::new(facts(), now()).is_well(), "what may not be read is no fault");
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "web-tls"}, "type": "Opaque", "data": {}})).unwrap();
    let secret = SecretFacts::of(&secret, &certificate(status.clone()), now());
    let broken = CertificateReport::new(CertificateFacts { secret: Some(secret), ..facts() }, now());
    assert!(broken.ready && !broken.is_well(), "{broken:?}");
    let list: RevocationList = serde_json::from_value(json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": "ca", "namespace": "team"},
        "spec": {"issuerRef": {"name": "ca"}},
    }))
    .unwrap();
    let entry =
        Revoked { serial: SerialNumber::from_octets(&[7]).unwrap(), time: now(), reason: Reason::KeyCompromise, invalidity_date: None };
    for (entry, well) in [(None, true), (Some(entry), false)] {
        let facts = CertificateFacts { list: Some(list.clone()), published: Some(OnList { entry }), ..facts() };
        assert_eq!(CertificateReport::new(facts, now()).is_well(), well);
    }
}

#[test]
fn what_comes_next_is_told_in_the_order_of_time() {
    let found = report(json!({
        "observedGeneration": 2, "conditions": [condition("Ready", "True", "Ready"), condition("Issuing", "True", "BackingOff")],
        "notAfter": "2026-07-01T00:00:00Z", "renewalTime": "2026-05-20T00:00:00Z", "nextRetryTime": "2026-06-01T00:08:00Z", "failedIssuanceAttempts": 3,
    }));
    let told: Vec<&str> = found.next.iter().map(|next| next.what.as_str()).collect();
    assert_eq!(told, ["it should have been renewed (BackingOff)", "the next attempt, after 3 that failed", "it ends"]);
}

#[test]
fn what_is_wrong_with_a_secret_is_named_and_no_value_of_it_is_shown() {
    let secret = |data: Value, annotations: Value| -> Secret {
        serde_json::from_value(json!({"metadata": {"name": "web-tls", "annotations": annotations}, "type": "Opaque", "data": data}))
            .unwrap()
    };
    let ours = json!({"chancery.dev/certificate-name": "web"});
    // "hunter2", in base64.
    let hidden = json!({"tls.crt": "aHVudGVyMg==", "tls.key": "aHVudGVyMg=="});
    let rows = [
        (secret(json!({}), ours.clone()), vec!["it has no tls.crt", "it has no tls.key"]),
        (secret(hidden, json!({})), vec!["tls.crt cannot be read", "tls.key cannot be read", "it belongs to no Certificate"]),
        (secret(json!({}), json!({"chancery.dev/certificate-name": "other"})), vec!["it belongs to the Certificate other"]),
    ];
    for (secret, expected) in rows {
        let facts = SecretFacts::of(&secret, &certificate(json!({})), now());
        for problem in expected {
            assert!(facts.problems.iter().any(|found| found.contains(problem)), "{problem:?} is not in {:?}", facts.problems);
        }
        assert!(!format!("{facts:?}").contains("hunter2"), "{facts:?}");
    }
}
