//! Each bad value with the field that is named; what is filled in; and what an issuer permits.

use serde_json::{Value, json};

use super::*;

fn spec(value: Value) -> IssuerSpec {
    serde_json::from_value(value).expect("reading an issuer's spec never fails")
}

#[test]
fn each_bad_value_is_refused_by_the_path_of_its_field() {
    let table = [
        (json!({}), "spec"),
        (json!({"selfSigned": {}, "ca": {"secretName": "a"}}), "spec"),
        (json!({"selfSigned": 7}), "spec.selfSigned"),
        (json!({"ca": {}}), "spec.ca"),
        (json!({"ca": {"secretName": "A"}}), "spec.ca.secretName"),
        (json!({"ca": {"secretName": "a", "ocspServers": ["nope"]}}), "spec.ca.ocspServers[0]"),
        (json!({"ca": {"secretName": "a", "crlDistributionPoints": vec!["http://a"; 17]}}), "spec.ca.crlDistributionPoints"),
        (json!({"selfSigned": {}, "allow": {"maxDuration": "1m"}}), "spec.allow.maxDuration"),
        (json!({"selfSigned": {}, "allow": {"usages": ["flying"]}}), "spec.allow.usages[0]"),
        (json!({"selfSigned": {}, "allow": {"namespaceSelector": {}}}), "spec.allow.namespaceSelector"),
        (json!({"selfSigned": {}, "certificateDefaults": {"privateKey": {"size": 1}}}), "spec.certificateDefaults.privateKey.size"),
        (json!({"selfSigned": {}, "certificateDefaults": {"duration": "2h", "renewBefore": "2h"}}), "spec.certificateDefaults.renewBefore"),
        (json!({"selfSigned": {}, "certificateDefaults": {"usages": ["cert sign"]}}), "spec.certificateDefaults.usages"),
        (json!({"selfSigned": {}, "certificateDefaults": {"onAuthorityChange": "Never"}}), "spec.certificateDefaults.onAuthorityChange"),
        (
            json!({"selfSigned": {}, "allow": {"maxDuration": "1h"}, "certificateDefaults": {"duration": "2h"}}),
            "spec.certificateDefaults.duration",
        ),
    ];
    for (value, expected) in table {
        let error = check_issuer(&spec(value.clone()), Scope::Namespace).expect_err("the spec is wrong");
        assert_eq!(error.field(), expected, "{value} gave {error}");
    }
}

#[test]
fn only_a_cluster_issuer_with_ca_refuses_cas_by_default() {
    let is_ca = |value: Value, scope| check_issuer(&spec(value), scope).unwrap().allow.is_ca;
    assert!(is_ca(json!({"selfSigned": {}}), Scope::Namespace));
    assert!(is_ca(json!({"selfSigned": {}}), Scope::Cluster));
    assert!(is_ca(json!({"ca": {"secretName": "a"}}), Scope::Namespace));
    assert!(!is_ca(json!({"ca": {"secretName": "a"}}), Scope::Cluster));
    assert!(is_ca(json!({"ca": {"secretName": "a"}, "allow": {"isCA": true}}), Scope::Cluster));
}

#[test]
fn an_issuer_permits_what_it_says() {
    let hours = SignedDuration::from_hours;
    let usages = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<Usage>>();
    let open = check_issuer(&spec(json!({"selfSigned": {}})), Scope::Namespace).unwrap().allow;
    let closed =
        json!({"ca": {"secretName": "a"}, "allow": {"isCA": false, "usages": ["server auth", "ocsp signing"], "maxDuration": "24h"}});
    let closed = check_issuer(&spec(closed), Scope::Namespace).unwrap().allow;
    let table = [
        (&open, true, usages(&["cert sign", "crl sign"]), hours(999_999), Ok(())),
        (&open, false, usages(&["server auth", "any"]), hours(1), Ok(())),
        (&open, false, usages(&["ocsp signing"]), hours(1), Err(Refusal::Usage(Usage::OcspSigning))),
        (&open, false, usages(&["crl sign"]), hours(1), Err(Refusal::Usage(Usage::CrlSign))),
        (&closed, true, usages(&["cert sign"]), hours(1), Err(Refusal::Ca)),
        (&closed, false, usages(&["server auth", "ocsp signing"]), hours(24), Ok(())),
        (&closed, false, usages(&["client auth"]), hours(1), Err(Refusal::Usage(Usage::ClientAuth))),
        (&closed, false, usages(&["server auth"]), hours(25), Err(Refusal::Duration { asked: hours(25), max: hours(24) })),
    ];
    for (allow, is_ca, usages, duration, expected) in table {
        assert_eq!(allow.permits(is_ca, &usages, duration), expected, "{usages:?}");
    }
}

#[test]
fn a_cluster_issuer_serves_the_namespaces_that_it_selects() {
    let value = json!({"selfSigned": {}, "allow": {"namespaceSelector": {"matchLabels": {"team": "blue"}}}});
    let allow = check_issuer(&spec(value), Scope::Cluster).unwrap().allow;
    assert!(allow.serves(&BTreeMap::from([("team".to_owned(), "blue".to_owned())])));
    assert!(!allow.serves(&BTreeMap::new()));
    assert!(check_issuer(&spec(json!({"selfSigned": {}})), Scope::Cluster).unwrap().allow.serves(&BTreeMap::new()));
}

#[test]
fn a_cluster_issuer_is_read_and_written_like_an_issuer() {
    let object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "ClusterIssuer", "metadata": {"name": "ca"},
        "spec": {"ca": {"secretName": "a"}, "certificateDefaults": {"duration": "24h0m0s"}},
    });
    let read: crate::api::ClusterIssuer = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(check_issuer(&read.spec.0, Scope::Cluster).unwrap().defaults.duration, Some(SignedDuration::from_hours(24)));
    assert_eq!(serde_json::to_value(&read).unwrap(), object);
}

#[test]
fn an_issuer_without_a_spec_is_still_read() {
    let object = json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "ClusterIssuer", "metadata": {"name": "ca"}, "status": 7});
    let read: crate::api::ClusterIssuer = serde_json::from_value(object).unwrap();
    assert_eq!(check_issuer(&read.spec.0, Scope::Cluster).unwrap_err().field(), "spec");
}
