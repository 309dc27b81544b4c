//! Each bad value with the field that is named; what is filled in; and what orders mean.

use serde_json::{Value, json};

use super::*;

fn list(spec: &Value) -> RevocationList {
    let object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": "list", "namespace": "team"}, "spec": spec,
    });
    serde_json::from_value(object).expect("reading a RevocationList never fails")
}

fn with(changes: Value) -> Value {
    let mut spec = json!({"issuerRef": {"name": "ca"}});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (field, value) in changes {
        spec[field] = value;
    }
    spec
}

fn wanted(changes: Value) -> WantedList {
    check_list(&list(&with(changes))).unwrap()
}

fn refused(changes: Value) -> SpecError {
    let spec = with(changes);
    check_list(&list(&spec)).err().unwrap_or_else(|| panic!("{spec} was accepted"))
}

fn orders(orders: &Value) -> Vec<Order> {
    wanted(json!({ "revocations": orders })).orders
}

const KEY: &str = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789";

#[test]
fn each_bad_value_is_refused_by_the_path_of_its_field() {
    let url = |url: &str| json!({"distribution": {"baseURL": url}});
    let order = |order: Value| json!({"revocations": [{"serialNumber": "01"}, order]});
    let copies =
        |count: usize| json!({"distribution": {"configMaps": (0..count).map(|n| json!({"name": format!("a{n}")})).collect::<Vec<_>>()}});
    let target = |changes: Value| {
        let mut target = json!({"name": "web", "issuedBefore": "2026-01-01T00:00:00Z"});
        target.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        order(json!({ "certificateRef": target }))
    };
    let table = [
        (json!({"issuerRef": null}), "spec"),
        (json!({"issuerRef": {"name": "A"}}), "spec.issuerRef.name"),
        (json!({"issuerRef": {"name": "a", "kind": "Vault"}}), "spec.issuerRef.kind"),
        (json!({"issuerRef": {"name": "a", "group": "x"}}), "spec.issuerRef.group"),
        (json!({"validity": "59m"}), "spec.validity"),
        (json!({"validity": "8761h"}), "spec.validity"),
        (json!({"validity": "7d"}), "spec.validity"),
        (json!({"refresh": "59s"}), "spec.refresh"),
        (json!({"refresh": "169h", "validity": "8760h"}), "spec.refresh"),
        (json!({"refresh": "168h"}), "spec.refresh"),
        (json!({"refresh": "2h", "validity": "120m"}), "spec.refresh"),
        (json!({"debounce": "11m"}), "spec.debounce"),
        (json!({"grace": "169h"}), "spec.grace"),
        (json!({"shards": 0}), "spec.shards"),
        (json!({"shards": -1}), "spec.shards"),
        (json!({"shards": 1025, "distribution": {"baseURL": "http://a"}}), "spec.shards"),
        (json!({"shards": 65537, "distribution": {"baseURL": "http://a"}}), "spec.shards"),
        (json!({"shards": 2}), "spec.shards"),
        (json!({"delta": {"refresh": "59s"}}), "spec.delta.refresh"),
        (json!({"delta": {"refresh": "24h"}}), "spec.delta.refresh"),
        (json!({"delta": {"refresh": "30m"}, "validity": "1h"}), "spec.delta.refresh"),
        (json!({"ocsp": {"validity": "9m"}}), "spec.ocsp.validity"),
        (json!({"ocsp": {"validity": "169h"}}), "spec.ocsp.validity"),
        (json!({"maxAutomaticRevocations": -1}), "spec.maxAutomaticRevocations"),
        (json!({"maxAutomaticRevocations": 100_001}), "spec.maxAutomaticRevocations"),
        (json!({"confirmPendingBefore": "yesterday"}), "spec.confirmPendingBefore"),
        (url("https://pki.example.org"), "spec.distribution.baseURL"),
        (url("HTTP://pki.example.org"), "spec.distribution.baseURL"),
        (url("http://"), "spec.distribution.baseURL"),
        (url("http:///crl"), "spec.distribution.baseURL"),
        (url("http://a/"), "spec.distribution.baseURL"),
        (url("http://a//b"), "spec.distribution.baseURL"),
        (url("http://a?b"), "spec.distribution.baseURL"),
        (url("http://a/b#c"), "spec.distribution.baseURL"),
        (url("http://user@a"), "spec.distribution.baseURL"),
        (url("http://a:"), "spec.distribution.baseURL"),
        (url("http://a:0"), "spec.distribution.baseURL"),
        (url("http://a:65536"), "spec.distribution.baseURL"),
        (url("http://a_b"), "spec.distribution.baseURL"),
        (url("http://[::1"), "spec.distribution.baseURL"),
        (url("http://[nope]"), "spec.distribution.baseURL"),
        (url("http://a/b c"), "spec.distribution.baseURL"),
        (url("http://a/\u{e4}"), "spec.distribution.baseURL"),
        (url(&format!("http://{}", "a".repeat(506))), "spec.distribution.baseURL"),
        (copies(17), "spec.distribution.configMaps"),
        (json!({"distribution": {"configMaps": [{"name": "A"}]}}), "spec.distribution.configMaps[0].name"),
        (json!({"distribution": {"configMaps": [{"name": "a", "namespace": "a.b"}]}}), "spec.distribution.configMaps[0].namespace"),
        (json!({"distribution": {"configMaps": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}}), "spec.distribution.configMaps[2]"),
        (json!({"revocations": vec![json!({"serialNumber": "01"}); 1001]}), "spec.revocations"),
        (order(json!({})), "spec.revocations[1]"),
        (order(json!({"serialNumber": "02", "keyID": KEY})), "spec.revocations[1]"),
        (order(json!({"serialNumber": "2"})), "spec.revocations[1].serialNumber"),
        (order(json!({"serialNumber": ":"})), "spec.revocations[1].serialNumber"),
        (order(json!({"serialNumber": "0x02"})), "spec.revocations[1].serialNumber"),
        (order(json!({"serialNumber": "01".repeat(21)})), "spec.revocations[1].serialNumber"),
        (order(json!({"keyID": "01"})), "spec.revocations[1].keyID"),
        (order(json!({"keyID": KEY.replace('0', "g")})), "spec.revocations[1].keyID"),
        (order(json!({"certificateRef": {"name": "web"}})), "spec.revocations[1].certificateRef"),
        (target(json!({"name": "-"})), "spec.revocations[1].certificateRef.name"),
        (target(json!({"namespace": "a.b"})), "spec.revocations[1].certificateRef.namespace"),
        (target(json!({"issuedBefore": "2026-01-01"})), "spec.revocations[1].certificateRef.issuedBefore"),
        (target(json!({"issuedBefore": "1969-12-31T23:59:59Z"})), "spec.revocations[1].certificateRef.issuedBefore"),
        (order(json!({"serialNumber": "02", "invalidityDate": "1969-12-31T23:59:59Z"})), "spec.revocations[1].invalidityDate"),
        (json!({"confirmPendingBefore": "0000-01-01T00:00:00+01:00"}), "spec.confirmPendingBefore"),
        (order(json!({"serialNumber": "02", "reason": "stolen"})), "spec.revocations[1].reason"),
        (order(json!({"serialNumber": "02", "reason": "certificateHold"})), "spec.revocations[1].reason"),
        (order(json!({"serialNumber": "02", "reason": "removeFromCRL"})), "spec.revocations[1].reason"),
        (order(json!({"serialNumber": "02", "hold": true, "reason": "superseded"})), "spec.revocations[1].reason"),
        (order(json!({"serialNumber": "02", "release": true, "reason": "superseded"})), "spec.revocations[1].release"),
        (order(json!({"serialNumber": "02", "release": true, "hold": true})), "spec.revocations[1].release"),
        (order(json!({"serialNumber": "02", "release": true, "invalidityDate": "2026-01-01T00:00:00Z"})), "spec.revocations[1].release"),
        (order(json!({"keyID": KEY, "release": true})), "spec.revocations[1].release"),
    ];
    for (changes, expected) in table {
        let error = refused(changes.clone());
        assert_eq!(error.field(), expected, "{changes} gave {error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
}

#[test]
fn a_list_that_says_nothing_but_its_issuer_has_sensible_values() {
    let list = wanted(json!({}));
    assert_eq!(list.issuer.to_string(), "Issuer team/ca");
    let shown = serde_json::to_value(list.resolved()).unwrap();
    let expected = json!({
        "validity": "168h0m0s", "refresh": "24h0m0s", "debounce": "1s", "shards": 1, "grace": "10m0s", "maxAutomaticRevocations": 500,
    });
    assert_eq!(shown, expected);
    assert_eq!((list.base_url, list.config_maps, list.ca_crl, list.ocsp, list.delta), (None, Vec::new(), false, None, None));
}

#[test]
fn what_is_unset_follows_what_is_set() {
    let hours = SignedDuration::from_hours;
    assert_eq!(wanted(json!({"validity": "3h"})).refresh, hours(1));
    assert_eq!(wanted(json!({"validity": "8760h"})).refresh, hours(24));
    assert_eq!(wanted(json!({"delta": {}})).delta, Some(hours(1)));
    assert_eq!(wanted(json!({"delta": {}, "refresh": "30m"})).delta, Some(SignedDuration::from_mins(10)));
    assert_eq!(wanted(json!({"ocsp": {}})).ocsp, Some(hours(12)));
    assert_eq!(wanted(json!({"debounce": "0s", "grace": "0s", "maxAutomaticRevocations": 0})).max_automatic, 0);
}

#[test]
fn urls_that_a_client_can_fetch_from_are_accepted() {
    for url in [
        "http://pki.example.org",
        "http://10.0.0.1:8080",
        "http://[2001:db8::1]:80/pki",
        "http://Pki.Example.org/a/b.c~d%20",
        "http://chancery-responder.chancery-system.svc",
    ] {
        let list = wanted(json!({"shards": 1024, "distribution": {"baseURL": url}}));
        assert_eq!((list.base_url.as_deref(), list.shards), (Some(url), 1024));
    }
}

#[test]
fn an_order_says_what_happens_to_which_certificates() {
    let read = orders(&json!([
        {"serialNumber": "01:AB"},
        {"serialNumber": "00ff", "reason": "privilegeWithdrawn", "invalidityDate": "2026-02-03T04:05:06+01:00"},
        {"keyID": KEY, "reason": "keyCompromise"},
        {"keyID": KEY, "reason": "keyCompromise"},
        {"certificateRef": {"name": "web", "issuedBefore": "2026-01-01T00:00:00Z"}, "hold": true, "release": false},
        {"certificateRef": {"namespace": "blue", "name": "web", "issuedBefore": "2026-01-01T00:00:00Z"}, "release": true, "hold": false},
    ]));
    let web = |namespace: Option<&str>| Target::Certificate {
        namespace: namespace.map(str::to_owned),
        name: "web".to_owned(),
        issued_before: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let expected = [
        (Target::Serial("01ab".parse().unwrap()), OrderAct::Revoke(Reason::Unspecified), None),
        (
            Target::Serial("ff".parse().unwrap()),
            OrderAct::Revoke(Reason::PrivilegeWithdrawn),
            Some("2026-02-03T03:05:06Z".parse().unwrap()),
        ),
        (Target::Key(KEY.parse().unwrap()), OrderAct::Revoke(Reason::KeyCompromise), None),
        (Target::Key(KEY.parse().unwrap()), OrderAct::Revoke(Reason::KeyCompromise), None),
        (web(None), OrderAct::Hold, None),
        (web(Some("blue")), OrderAct::Release, None),
    ];
    assert_eq!(read, expected.map(|(what, act, invalidity_date)| Order { what, act, invalidity_date }));
}

#[test]
fn every_reason_but_hold_and_release_is_the_owners_to_give() {
    for reason in Reason::ALL {
        let spec = json!({"revocations": [{"serialNumber": "01", "reason": reason}]});
        if [Reason::CertificateHold, Reason::RemoveFromCrl].contains(&reason) {
            assert!(refused(spec).problem().contains("use one of unspecified, keyCompromise"), "{reason}");
        } else {
            assert_eq!(wanted(spec).orders[0].act, OrderAct::Revoke(reason));
        }
    }
}

#[test]
fn a_list_of_any_shape_is_read_and_the_error_names_the_field() {
    let table = [
        (json!(7), "spec"),
        (json!({"issuerRef": {"name": "a"}, "revocations": "all"}), "spec.revocations"),
        (json!({"issuerRef": {"name": "a"}, "revocations": [{"serialNumber": 7}]}), "spec.revocations[0].serialNumber"),
        (json!({"issuerRef": {"name": "a"}, "shards": 1.5}), "spec.shards"),
        (json!({"issuerRef": {"name": "a"}, "maxAutomaticRevocations": 5_000_000_000_i64}), "spec.maxAutomaticRevocations"),
    ];
    for (spec, expected) in table {
        assert_eq!(check_list(&list(&spec)).unwrap_err().field(), expected, "{spec}");
    }
}
