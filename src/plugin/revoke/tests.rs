use serde_json::{Value, json};

use super::*;
use crate::api::IssuedCertificate;

const NOW: &str = "2026-06-01T00:00:00.5Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn certificate(spec: Value, issued: &[&str]) -> Certificate {
    let one = |(number, time): (usize, &&str)| {
        json!({
            "serialNumber": format!("0{number}"), "notBefore": time, "notAfter": "2026-07-01T00:00:00Z", "keyID": "ab", "issuedAt": time, "reason": "Created",
        })
    };
    let mut object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": "web", "namespace": "team", "generation": 3},
        "spec": {"secretName": "web", "issuerRef": {"name": "ca"}},
        "status": {"serialNumber": "00", "keyID": "ab", "authority": "cd", "issued": issued.iter().enumerate().map(one).collect::<Vec<_>>()},
    });
    if let (Some(fields), Value::Object(more)) = (object["spec"].as_object_mut(), spec) {
        fields.extend(more);
    }
    serde_json::from_value(object).unwrap()
}

fn wish(before: Option<&str>) -> Wish {
    Wish { issued_before: before.map(|time| time.parse().unwrap()), reason: Some(Reason::KeyCompromise), invalidity_date: None }
}

fn victim(certificate: &Certificate, list: Option<&str>, wish: Wish) -> Victim {
    Victim::new(certificate, list.map(str::to_owned), true, &[], wish, now())
}

#[test]
fn what_is_meant_is_shown_with_what_follows() {
    let issued = ["2026-05-31T00:00:00Z", "2026-04-01T00:00:00Z", "2026-03-01T00:00:00Z"];
    let serials = |victim: &Victim| victim.certificates.iter().map(|one: &IssuedCertificate| one.serial_number.clone()).collect::<Vec<_>>();
    let all = victim(&certificate(json!({}), &issued), Some("team/ca"), wish(None));
    assert_eq!((serials(&all).len(), all.replaces_current, all.warnings.len()), (3, true, 0), "{all:?}");
    let some = victim(&certificate(json!({}), &issued), Some("team/ca"), wish(Some("2026-03-15T00:00:00Z")));
    assert_eq!((serials(&some), some.replaces_current), (vec!["02".to_owned()], false));
    let none = victim(&certificate(json!({}), &issued), None, wish(Some("2026-01-01T00:00:00Z")));
    let warned = none.warnings.join("\n");
    assert!(warned.contains("shows no certificate") && warned.contains("no RevocationList"), "{warned}");
    let ca = victim(&certificate(json!({"isCA": true, "commonName": "x"}), &issued), Some("team/ca"), wish(None));
    assert!(ca.warnings.join("\n").contains("all that it signed falls"), "{ca:?}");
}

#[test]
fn up_to_now_means_also_what_was_issued_by_a_clock_ahead_and_is_another_time_than_the_last() {
    let before = |certificate: &Certificate| victim(certificate, None, wish(None)).issued_before.to_string();
    assert_eq!(before(&certificate(json!({}), &[])), "2026-06-01T00:00:01Z");
    assert_eq!(before(&certificate(json!({}), &["2026-06-01T00:05:00Z"])), "2026-06-01T00:05:01Z");
    let asked = json!({"revocation": {"issuedBefore": "2026-06-01T00:00:00Z"}});
    assert_eq!(before(&certificate(asked, &[])), "2026-06-01T00:00:01Z");
    let same = json!({"revocation": {"issuedBefore": "2026-06-01T00:00:01Z"}});
    assert_eq!(before(&certificate(same, &[])), "2026-06-01T00:00:02Z");
    let ahead = json!({"revocation": {"issuedBefore": "2999-01-01T00:00:00Z"}});
    assert_eq!(before(&certificate(ahead, &[])), "2026-06-01T00:00:01Z");
}

#[test]
fn only_what_was_shown_is_asked_for() {
    let shown = certificate(
        json!({"revocation": {"issuedBefore": "2026-05-01T00:00:00Z", "invalidityDate": "2026-01-01T00:00:00Z"}}),
        &["2026-05-31T00:00:00Z"],
    );
    let meant = victim(&shown, None, wish(None));
    let patch = ask(&shown, &shown, &meant, wish(None)).unwrap();
    let expected = json!({"issuedBefore": "2026-06-01T00:00:01Z", "reason": "keyCompromise", "invalidityDate": null});
    assert_eq!(patch, json!({"spec": {"revocation": expected}}));
    let changed = Certificate { metadata: kube::api::ObjectMeta { generation: Some(4), ..shown.metadata.clone() }, ..shown.clone() };
    assert!(ask(&shown, &changed, &meant, wish(None)).unwrap_err().to_string().contains("was changed meanwhile"));
    let mut renewed = shown.clone();
    renewed.status.as_mut().unwrap().serial_number = Some("77".to_owned());
    assert!(ask(&shown, &renewed, &meant, wish(None)).unwrap_err().to_string().contains("another certificate meanwhile"));
    let again = wish(Some("2026-05-01T00:00:00Z"));
    assert!(ask(&shown, &shown, &victim(&shown, None, again), again).unwrap_err().to_string().contains("asks for this already"));
}
