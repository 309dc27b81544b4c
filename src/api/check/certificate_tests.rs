//! Each bad value with the field that is named; and that what is good comes out whole.

use chancery_pki::{KeyAlgorithm, San, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn certificate(change: impl FnOnce(&mut Value)) -> Certificate {
    let mut object = json!({
        "apiVersion": "chancery.dev/v1alpha1",
        "kind": "Certificate",
        "metadata": { "name": "web", "namespace": "shop", "annotations": {} },
        "spec": { "secretName": "web-tls", "issuerRef": { "name": "ca" }, "dnsNames": ["web.example.com"] },
    });
    change(&mut object);
    serde_json::from_value(object).expect("reading a Certificate never fails")
}

fn with(field: &str, value: Value) -> Certificate {
    certificate(|object| object["spec"][field] = value)
}

fn refused(certificate: &Certificate) -> SpecError {
    check(certificate).expect_err("the spec is wrong")
}

#[test]
fn each_bad_value_is_refused_by_the_path_of_its_field() {
    let many: Vec<String> = (0..2000).map(|number| format!("a{number}.example.com")).collect();
    let large: Vec<String> = (0..300)
        .map(|number| format!("{}.a{number}.example", ["b".repeat(60), "c".repeat(60), "d".repeat(60), "e".repeat(40)].join(".")))
        .collect();
    let table = [
        ("secretName", json!("My_Secret"), "spec.secretName"),
        ("secretName", json!(""), "spec.secretName"),
        ("secretName", json!(7), "spec.secretName"),
        ("secretName", json!(null), "spec"),
        ("issuerRef", json!({}), "spec.issuerRef"),
        ("issuerRef", json!({"name": "A"}), "spec.issuerRef.name"),
        ("issuerRef", json!({"name": "a", "kind": "VaultIssuer"}), "spec.issuerRef.kind"),
        ("issuerRef", json!({"name": "a", "group": "example.com"}), "spec.issuerRef.group"),
        ("dnsNames", json!([]), "spec"),
        ("dnsNames", json!("a.example.com"), "spec.dnsNames"),
        ("dnsNames", json!(["a.example.com", "*.*.example.com"]), "spec.dnsNames[1]"),
        ("dnsNames", json!(["a.*.example.com"]), "spec.dnsNames[0]"),
        ("dnsNames", json!(["*"]), "spec.dnsNames[0]"),
        ("dnsNames", json!([7]), "spec.dnsNames[0]"),
        ("dnsNames", json!(many), "spec.dnsNames"),
        ("dnsNames", json!(large), "spec.dnsNames"),
        ("ipAddresses", json!(["10.0.0.256"]), "spec.ipAddresses[0]"),
        ("ipAddresses", json!(["::ffff:10.0.0.1"]), "spec.ipAddresses[0]"),
        ("uris", json!(["no scheme"]), "spec.uris[0]"),
        ("literalSubject", json!("no name"), "spec.literalSubject"),
        ("literalSubject", json!(""), "spec.literalSubject"),
        ("literalSubject", json!("NOSUCH=a"), "spec.literalSubject"),
        ("literalSubject", json!(format!("CN={}", "a".repeat(65))), "spec.literalSubject"),
        ("otherNames", json!([{"oid": "1.2.3", "utf8Value": "a"}, {"oid": "9.9", "utf8Value": "a"}]), "spec.otherNames[1]"),
        ("otherNames", json!([{"oid": "1.2.3"}]), "spec.otherNames[0]"),
        ("nameConstraints", json!({"permitted": {"dnsDomains": ["example.com"]}}), "spec.nameConstraints"),
        ("pathLen", json!(0), "spec.pathLen"),
        ("signatureAlgorithm", json!("MD5"), "spec.signatureAlgorithm"),
        ("revisionHistoryLimit", json!(0), "spec.revisionHistoryLimit"),
        ("additionalOutputFormats", json!([{"type": "DER"}, {"type": "DER"}]), "spec.additionalOutputFormats[1].type"),
        ("keystores", json!({"jks": {"create": true}}), "spec.keystores.jks"),
        ("keystores", json!({"jks": {"create": true, "password": ""}}), "spec.keystores.jks.password"),
        ("keystores", json!({"jks": {"create": true, "password": "a".repeat(1025)}}), "spec.keystores.jks.password"),
        ("keystores", json!({"jks": {"create": true, "password": "a", "alias": "a\nb"}}), "spec.keystores.jks.alias"),
        ("keystores", json!({"jks": {"create": true, "password": "a", "alias": "\u{e4}".repeat(200)}}), "spec.keystores.jks.alias"),
        (
            "keystores",
            json!({"pkcs12": {"create": true, "passwordSecretRef": {"name": "A"}}}),
            "spec.keystores.pkcs12.passwordSecretRef.name",
        ),
        (
            "keystores",
            json!({"pkcs12": {"create": true, "passwordSecretRef": {"name": "a", "key": "b/c"}}}),
            "spec.keystores.pkcs12.passwordSecretRef.key",
        ),
        ("keystores", json!({"pkcs12": {"create": true, "password": "a", "profile": "Old"}}), "spec.keystores.pkcs12.profile"),
        (
            "keystores",
            json!({"jks": {"create": true, "passwordSecretRef": {"name": "web-tls"}}}),
            "spec.keystores.jks.passwordSecretRef.name",
        ),
        ("uris", json!([format!("a:{}", "b".repeat(2048))]), "spec.uris[0]"),
        ("emailAddresses", json!(["A <a@example.com>"]), "spec.emailAddresses[0]"),
        ("commonName", json!("a".repeat(65)), "spec.commonName"),
        ("isCA", json!(true), "spec.commonName"),
        ("commonName", json!("a\nb"), "spec.commonName"),
        ("subject", json!({"countries": ["Germany"]}), "spec.subject.countries[0]"),
        ("subject", json!({"organizations": ["a", ""]}), "spec.subject.organizations[1]"),
        ("subject", json!({"localities": vec!["a"; 17]}), "spec.subject.localities"),
        ("subject", json!({"serialNumber": "a_b"}), "spec.subject.serialNumber"),
        ("duration", json!("-1h"), "spec.duration"),
        ("duration", json!("1h-5m"), "spec.duration"),
        ("duration", json!("99999999999999999999h"), "spec.duration"),
        ("duration", json!("59m59s"), "spec.duration"),
        ("duration", json!("90d"), "spec.duration"),
        ("duration", json!(3600), "spec.duration"),
        ("renewBefore", json!("4m"), "spec.renewBefore"),
        ("renewBeforePercentage", json!(0), "spec.renewBeforePercentage"),
        ("renewBeforePercentage", json!(100), "spec.renewBeforePercentage"),
        ("renewBeforePercentage", json!(-4_000_000_000_i64), "spec.renewBeforePercentage"),
        ("privateKey", json!({"algorithm": "RSA", "size": 1024}), "spec.privateKey.size"),
        ("privateKey", json!({"size": 1024}), "spec.privateKey.size"),
        ("privateKey", json!({"algorithm": "ECDSA", "size": 2048}), "spec.privateKey.size"),
        ("privateKey", json!({"algorithm": "Ed25519", "size": 256}), "spec.privateKey.size"),
        ("privateKey", json!({"algorithm": "DSA"}), "spec.privateKey.algorithm"),
        ("privateKey", json!({"encoding": "DER"}), "spec.privateKey.encoding"),
        ("privateKey", json!({"rotationPolicy": "always"}), "spec.privateKey.rotationPolicy"),
        ("privateKey", json!({"size": 1e300}), "spec.privateKey.size"),
        ("usages", json!(["server auth", "flying"]), "spec.usages[1]"),
        ("usages", json!(["cert sign"]), "spec.usages"),
        ("usages", json!(["crl sign"]), "spec.usages"),
        ("usages", json!(["a\n".repeat(10_000)]), "spec.usages[0]"),
        ("isCA", json!("yes"), "spec.isCA"),
        ("secretTemplate", json!({"annotations": {"chancery.dev/key-id": "a"}}), "spec.secretTemplate.annotations[chancery.dev/key-id]"),
        ("secretTemplate", json!({"annotations": {"a b": "c"}}), "spec.secretTemplate.annotations[a b]"),
        ("secretTemplate", json!({"annotations": {"a": "b".repeat(70_000)}}), "spec.secretTemplate.annotations"),
        (
            "secretTemplate",
            json!({"labels": {"cert-manager.io/allow-direct-injection": "true"}}),
            "spec.secretTemplate.labels[cert-manager.io/allow-direct-injection]",
        ),
        ("secretTemplate", json!({"labels": {"a": "b c"}}), "spec.secretTemplate.labels[a]"),
        ("deletionPolicy", json!("Nuke"), "spec.deletionPolicy"),
        ("revocation", json!({}), "spec.revocation"),
        ("revocation", json!({"issuedBefore": "yesterday"}), "spec.revocation.issuedBefore"),
        ("revocation", json!({"issuedBefore": "2026-01-01T00:00:00Z", "reason": "stolen"}), "spec.revocation.reason"),
        ("revocation", json!({"issuedBefore": "2026-01-01T00:00:00Z", "reason": "cACompromise"}), "spec.revocation.reason"),
        ("revocation", json!({"issuedBefore": "2026-01-01T00:00:00Z", "reason": "certificateHold"}), "spec.revocation.reason"),
        ("revocation", json!({"issuedBefore": "2026-01-01T00:00:00Z", "invalidityDate": 7}), "spec.revocation.invalidityDate"),
        (
            "revocation",
            json!({"issuedBefore": "2026-01-01T00:00:00Z", "invalidityDate": "1970-01-01T00:59:59+01:00"}),
            "spec.revocation.invalidityDate",
        ),
        ("revocation", json!({"issuedBefore": "0000-01-01T00:00:00+01:00"}), "spec.revocation.issuedBefore"),
    ];
    for (field, value, expected) in table {
        let error = refused(&with(field, value.clone()));
        assert_eq!(error.field(), expected, "{field}: {value} gave {error}");
        assert!(error.to_string().len() < 700, "{error}");
    }
}

#[test]
fn relations_between_fields_are_checked() {
    let table = [
        (json!({"duration": "2h", "renewBefore": "3h"}), "spec.renewBefore"),
        (json!({"duration": "2h", "renewBefore": "120m"}), "spec.renewBefore"),
        (json!({"renewBefore": "1h", "renewBeforePercentage": 10}), "spec.renewBefore"),
    ];
    for (fields, expected) in table {
        let certificate = certificate(|object| object["spec"].as_object_mut().unwrap().extend(fields.as_object().unwrap().clone()));
        assert_eq!(refused(&certificate).field(), expected, "{fields}");
    }
}

#[test]
fn an_object_without_a_spec_or_with_a_foreign_status_is_still_read() {
    let without = certificate(|object| {
        object.as_object_mut().unwrap().remove("spec");
    });
    assert_eq!(refused(&without).to_string(), "spec: is missing");
    assert_eq!(refused(&certificate(|object| object["spec"] = json!([1]))).field(), "spec");
    let status = certificate(|object| object["status"] = json!({"revision": "many", "conditions": 7}));
    assert_eq!(status.status, Some(crate::api::CertificateStatus::default()));
    assert!(check(&status).is_ok());
}

#[test]
fn one_unreadable_object_does_not_hide_the_others_of_a_list() {
    let objects = [with("dnsNames", json!(7)), with("duration", json!("2160h"))].map(|object| serde_json::to_value(object).unwrap());
    let mut broken = objects[1].clone();
    broken["spec"]["duration"] = json!("1h-5m");
    let list: Vec<Certificate> = serde_json::from_value(json!([broken, objects[1]])).unwrap();
    assert_eq!(refused(&list[0]).field(), "spec.duration");
    assert!(check(&list[1]).is_ok());
}

#[test]
fn a_null_means_the_same_as_nothing() {
    let certificate = with("duration", json!(null));
    assert_eq!(check(&certificate).unwrap().duration, None);
}

#[test]
fn what_is_written_comes_out_checked() {
    let certificate = certificate(|object| {
        object["metadata"]["annotations"] = json!({"chancery.dev/renew": "now"});
        object["spec"] = json!({
            "secretName": "web-tls", "issuerRef": {"name": "ca", "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "commonName": "web", "subject": {"organizations": ["Shop, Inc."]},
            "dnsNames": ["b.example.com", "*.a.example.com", "b.example.com"], "ipAddresses": ["2001:DB8::1"], "uris": ["spiffe://a/b"],
            "duration": "2160h", "renewBeforePercentage": 25,
            "privateKey": {"size": 3072, "encoding": "PKCS8"}, "usages": ["signing", "s/mime"],
            "secretTemplate": {"annotations": {"cert-manager.io/allow-direct-injection": "true"}}, "deletionPolicy": "Delete",
        });
    });
    let wanted = check(&certificate).unwrap();
    assert_eq!(wanted.issuer, IssuerKey { kind: IssuerKind::ClusterIssuer, namespace: None, name: "ca".to_owned() });
    assert_eq!(wanted.subject.to_string(), "CN=web,O=Shop\\, Inc.");
    assert_eq!(wanted.sans.len(), 4);
    assert!(wanted.sans.contains(&San::Ip("2001:db8::1".parse().unwrap())));
    assert_eq!(wanted.duration, Some(SignedDuration::from_hours(2160)));
    assert_eq!(wanted.renewal, Renewal::Percentage(25));
    assert_eq!(wanted.key, Some(KeyAlgorithm::Rsa { bits: 3072 }));
    assert_eq!(wanted.encoding, Some(KeyEncoding::Pkcs8));
    assert_eq!(wanted.usages, Some(BTreeSet::from([Usage::DigitalSignature, Usage::EmailProtection])));
    assert_eq!((wanted.rotation, wanted.deletion), (RotationPolicy::Always, DeletionPolicy::Delete));
    assert_eq!(wanted.renew.as_deref(), Some("now"));
}

#[test]
fn a_ca_keeps_its_key_unless_it_says_otherwise_and_may_sign() {
    let rotation = |is_ca: bool, policy: Option<&str>| {
        let certificate = certificate(|object| {
            object["spec"]["isCA"] = json!(is_ca);
            object["spec"]["commonName"] = json!("web");
            object["spec"]["usages"] = json!(["digital signature"]);
            if let Some(policy) = policy {
                object["spec"]["privateKey"] = json!({"rotationPolicy": policy});
            }
        });
        let wanted = check(&certificate).unwrap();
        assert_eq!(wanted.usages.unwrap().contains(&Usage::CertSign), is_ca);
        wanted.rotation
    };
    assert_eq!(rotation(true, None), RotationPolicy::Never);
    assert_eq!(rotation(true, Some("Always")), RotationPolicy::Always);
    assert_eq!(rotation(false, None), RotationPolicy::Always);
    assert_eq!(rotation(false, Some("Never")), RotationPolicy::Never);
}

#[test]
fn algorithm_and_size_name_a_key_together() {
    let table = [
        (json!({}), None),
        (json!({"algorithm": "RSA"}), Some(KeyAlgorithm::Rsa { bits: 2048 })),
        (json!({"size": 4096}), Some(KeyAlgorithm::Rsa { bits: 4096 })),
        (json!({"algorithm": "ECDSA"}), Some(KeyAlgorithm::EcdsaP256)),
        (json!({"size": 384}), Some(KeyAlgorithm::EcdsaP384)),
        (json!({"algorithm": "ECDSA", "size": 521}), Some(KeyAlgorithm::EcdsaP521)),
        (json!({"algorithm": "Ed25519"}), Some(KeyAlgorithm::Ed25519)),
    ];
    for (value, expected) in table {
        assert_eq!(check(&with("privateKey", value.clone())).unwrap().key, expected, "{value}");
    }
}

#[test]
fn a_very_long_renew_annotation_is_refused() {
    let certificate = certificate(|object| object["metadata"]["annotations"] = json!({"chancery.dev/renew": "a".repeat(254)}));
    assert_eq!(refused(&certificate).field(), "metadata.annotations[chancery.dev/renew]");
}

#[test]
fn what_is_to_be_revoked_comes_out_checked() {
    let revocation = |value: Value| check(&with("revocation", value)).unwrap().revocation.unwrap();
    let least = revocation(json!({"issuedBefore": "2026-01-01T01:00:00+01:00"}));
    let time = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(least, WantedRevocation { issued_before: time, reason: Reason::Unspecified, invalidity_date: None });
    for reason in TENANT_REASONS {
        let full = json!({"issuedBefore": "2026-01-01T00:00:00Z", "reason": reason, "invalidityDate": "2026-01-01T00:00:00Z"});
        assert_eq!(revocation(full), WantedRevocation { issued_before: time, reason, invalidity_date: Some(time) });
    }
    assert_eq!(check(&certificate(|_| ())).unwrap().revocation, None);
    let earliest = revocation(json!({"issuedBefore": "1970-01-01T00:00:00Z", "invalidityDate": "1970-01-01T01:00:00+01:00"}));
    assert_eq!((earliest.issued_before, earliest.invalidity_date), (Timestamp::UNIX_EPOCH, Some(Timestamp::UNIX_EPOCH)));
    let early = check(&with("revocation", json!({"issuedBefore": "1969-12-31T23:59:59.9Z"}))).unwrap_err().to_string();
    assert_eq!(early, "spec.revocation.issuedBefore: 1969-12-31T23:59:59.9Z is before 1970: must be 1970-01-01T00:00:00Z or later");
}

#[test]
fn lists_in_the_secret_are_asked_for_by_one_word() {
    let asked = |value: &str| check(&certificate(|object| object["metadata"]["annotations"] = json!({"chancery.dev/ca-crl": value})));
    assert_eq!(["true", "false", ""].map(|value| asked(value).unwrap().ca_crl), [true, false, false]);
    assert_eq!(asked("yes").unwrap_err().field(), "metadata.annotations[chancery.dev/ca-crl]");
}

#[test]
fn a_spec_is_written_as_it_was_read() {
    let spec = json!({
        "secretName": "s", "issuerRef": {"name": "a"}, "dnsNames": ["a"], "isCA": true, "duration": "2160h0m0s", "usages": ["cert sign"],
        "privateKey": {"algorithm": "RSA", "size": 2048, "encoding": "PKCS1", "rotationPolicy": "Never"}, "deletionPolicy": "RevokeAndDelete",
        "revocation": {"issuedBefore": "2026-01-01T00:00:00Z", "reason": "superseded", "invalidityDate": "2025-01-01T00:00:00Z"},
    });
    let read: CertificateSpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(read.unreadable, None);
    assert_eq!(serde_json::to_value(&read).unwrap(), spec);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop_oneof![
            Just("name".to_owned()),
            Just("size".to_owned()),
            Just("algorithm".to_owned()),
            Just("annotations".to_owned()),
            "[a-z]{1,4}".prop_map(String::from)
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_stored_is_read_and_checked_without_a_panic(
        field in prop::sample::select(vec![
            "secretName", "issuerRef", "subject", "commonName", "dnsNames", "ipAddresses", "uris", "emailAddresses", "duration", "renewBefore",
            "renewBeforePercentage", "privateKey", "usages", "isCA", "secretTemplate", "deletionPolicy", "revocation",
        ]),
        value in any_json(),
    ) {
        let _ = check(&with(field, value));
    }
}

fn ca(field: &str, value: Value) -> Certificate {
    certificate(|object| {
        object["spec"]["isCA"] = json!(true);
        object["spec"]["commonName"] = json!("Web CA");
        object["spec"][field] = value;
    })
}

#[test]
fn what_only_a_ca_can_have_is_checked_by_the_path_of_its_field() {
    for (field, value, named) in [
        ("pathLen", json!(-1), "spec.pathLen"),
        ("pathLen", json!(16), "spec.pathLen"),
        ("nameConstraints", json!({}), "spec.nameConstraints"),
        ("nameConstraints", json!({"excluded": {"ipRanges": ["10.0.0.0/33"]}}), "spec.nameConstraints.excluded.ipRanges[0]"),
        ("nameConstraints", json!({"permitted": {"dnsDomains": ["*.example"]}}), "spec.nameConstraints"),
        ("nameConstraints", json!({"permitted": {"emailAddresses": ["a@b@c"]}}), "spec.nameConstraints"),
    ] {
        let error = refused(&ca(field, value.clone()));
        assert_eq!(error.field(), named, "{field}: {value}: {error}");
    }
    let wanted = check(&ca("pathLen", json!(0))).unwrap();
    assert_eq!(wanted.path_len, Some(0));
    let wanted = check(&ca("nameConstraints", json!({"critical": true, "permitted": {"ipRanges": ["10.1.2.3/8"]}}))).unwrap();
    let constraints = wanted.name_constraints.unwrap();
    assert!(constraints.critical);
    assert_eq!(constraints.permitted.ip_ranges.first().unwrap().to_string(), "10.0.0.0/8");
}

#[test]
fn a_literal_subject_keeps_its_order_and_excludes_the_other_ways_to_say_it() {
    let wanted = check(&with("literalSubject", json!("CN=web+UID=7,OU=Shop,DC=example,DC=com"))).unwrap();
    assert!(wanted.literal);
    assert_eq!(wanted.subject.to_string(), "CN=web+UID=7,OU=Shop,DC=example,DC=com");
    assert_eq!(wanted.subject_parts.common_name.as_deref(), Some("web"));
    for (field, value) in [("commonName", json!("web")), ("subject", json!({"countries": ["DE"]}))] {
        let both = certificate(|object| {
            object["spec"]["literalSubject"] = json!("CN=web");
            object["spec"][field] = value;
        });
        assert_eq!(refused(&both).field(), "spec.literalSubject");
    }
}

#[test]
fn a_signature_algorithm_goes_with_the_key() {
    let of = |signature: &str, key: Value| {
        check(&certificate(|object| {
            object["spec"]["signatureAlgorithm"] = json!(signature);
            object["spec"]["privateKey"] = key;
        }))
    };
    assert_eq!(of("SHA512WithRSA", json!({})).unwrap().key, None);
    assert_eq!(of("SHA256WithRSA", json!({"size": 4096})).unwrap().key, Some(KeyAlgorithm::Rsa { bits: 4096 }));
    for (signature, key) in [("SHA256WithRSA", json!({"algorithm": "ECDSA"})), ("PureEd25519", json!({"size": 2048}))] {
        assert_eq!(of(signature, key).unwrap_err().field(), "spec.signatureAlgorithm");
    }
}

#[test]
fn a_store_is_wanted_only_where_it_is_to_be_created_and_shows_no_password() {
    let spec = json!({
        "jks": {"create": false},
        "pkcs12": {"create": true, "profile": "Modern2023", "password": "correct horse"},
    });
    let wanted = check(&with("keystores", spec)).unwrap();
    assert!(wanted.keystores.jks.is_none());
    assert!(wanted.keystores.pkcs12.is_some());
    assert!(!format!("{wanted:?}").contains("horse"));
}
