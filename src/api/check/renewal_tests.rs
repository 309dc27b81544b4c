//! Each bad value of `spec.renewal` with the field that is named; and that what is good comes out whole.

use serde_json::{Value, json};

use crate::api::{Certificate, SpecError, Wanted, check};

fn certificate(renewal: &Value) -> Certificate {
    serde_json::from_value(json!({
        "apiVersion": "chancery.dev/v1alpha1",
        "kind": "Certificate",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "secretName": "web-tls", "issuerRef": { "name": "ca" }, "dnsNames": ["web.example.com"], "renewal": renewal },
    }))
    .expect("reading a Certificate never fails")
}

fn checked(renewal: &Value) -> Result<Wanted, SpecError> {
    check(&certificate(renewal))
}

fn with(change: &Value) -> Value {
    let mut window = json!({"cron": "0 2 * * 6", "windowDuration": "2h", "timezone": "Europe/Berlin"});
    window.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"windows": [{"cron": "0 2 * * *", "windowDuration": "1h"}, window]})
}

#[test]
fn each_bad_value_is_refused_by_the_path_of_its_field() {
    let many = vec![json!({"cron": "0 2 * * *", "windowDuration": "1h"}); 17];
    for (renewal, field, problem) in [
        (json!({"policy": "Never"}), "spec.renewal.policy", "Never"),
        (json!({"policy": "Disabled", "windows": [{"cron": "@daily", "windowDuration": "1h"}]}), "spec.renewal.windows", "must be empty"),
        (json!({"windows": many}), "spec.renewal.windows", "at most 16"),
        (json!({"windows": [{"cron": "@daily"}]}), "spec.renewal.windows[0]", "windowDuration"),
        (json!({"windows": [{"windowDuration": "1h"}]}), "spec.renewal.windows[0]", "cron"),
        (with(&json!({"cron": "60 2 * * *"})), "spec.renewal.windows[1].cron", "\"60 2 * * *\" has \"60\" for the minute: use 0 to 59"),
        (with(&json!({"cron": ""})), "spec.renewal.windows[1].cron", "must have five"),
        (with(&json!({"cron": "*".repeat(257)})), "spec.renewal.windows[1].cron", "more than 256 characters"),
        (with(&json!({"windowDuration": "59s"})), "spec.renewal.windows[1].windowDuration", "at least 1m"),
        (with(&json!({"windowDuration": "1d"})), "spec.renewal.windows[1].windowDuration", "units"),
        (with(&json!({"timezone": "Europe/Bonn"})), "spec.renewal.windows[1].timezone", "\"Europe/Bonn\" is no time zone"),
        (with(&json!({"timezone": "a".repeat(65)})), "spec.renewal.windows[1].timezone", "more than 64 characters"),
    ] {
        let error = checked(&renewal).expect_err(&renewal.to_string());
        assert_eq!(error.field(), field, "{error}");
        assert!(error.problem().contains(problem), "{error}");
    }
}

#[test]
fn what_is_good_comes_out_whole() {
    let schedule = |renewal: Value| checked(&renewal).unwrap().schedule;
    for unlimited in [json!(null), json!({}), json!({"policy": "RenewBefore"}), json!({"windows": []})] {
        let schedule = schedule(unlimited);
        assert!(!schedule.disabled && schedule.windows.is_empty());
    }
    assert!(schedule(json!({"policy": "Disabled", "windows": []})).disabled);
    let berlin = schedule(with(&json!({})));
    let next = berlin.next("2026-06-05T12:00:00Z".parse().unwrap(), jiff::Timestamp::MAX).unwrap();
    assert_eq!((next.begin.to_string(), next.end.to_string()), ("2026-06-06T00:00:00Z".to_owned(), "2026-06-06T02:00:00Z".to_owned()));
    assert_eq!(berlin.windows.len(), 2);
    assert_eq!(schedule(with(&json!({"timezone": ""}))), schedule(with(&json!({"timezone": "UTC"}))));
}
