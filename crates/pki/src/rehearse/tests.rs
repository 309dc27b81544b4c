//! What is issued passes; and each field that an encoder could get wrong is noticed.

use std::collections::BTreeSet;

use proptest::{collection, option, prelude::*, sample};

use super::*;
use crate::{CaConstraints, Name, NameConstraints, NameSubtrees, San, SerialNumber, Usage, self_sign};

fn name(common_name: &str) -> Name {
    Name::from_rfc4514(&format!("CN={common_name},O=Shop")).unwrap()
}

fn leaf() -> Template {
    Template {
        serial: SerialNumber::issued(0, [7; 13]),
        subject: name("web"),
        sans: vec![
            San::Dns("web.example.com".into()),
            San::Dns("web.example.com".into()),
            San::Ip("192.0.2.7".parse().unwrap()),
            San::Ip("2001:db8::7".parse().unwrap()),
            San::Email("web@example.com".into()),
            San::Uri("spiffe://example.com/web".into()),
            San::Other { type_id: "1.3.6.1.4.1.311.20.2.3".into(), value: "web@corp.example".into() },
        ],
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2026-04-01T00:00:00Z".parse().unwrap(),
        usages: vec![Usage::DigitalSignature, Usage::ServerAuth, Usage::IpsecUser],
        ca: None,
        name_constraints: None,
        self_signature: None,
        crl_distribution_points: vec!["http://crl.example.com/a.crl".into(), "http://crl.example.org/a.crl".into()],
        ocsp_servers: vec!["http://ocsp.example.com".into()],
        issuing_certificate_urls: vec!["http://ca.example.com/a.crt".into()],
        freshest_crls: vec!["http://crl.example.com/a-delta.crl".into()],
        ocsp_no_check: true,
    }
}

fn constraints() -> NameConstraints {
    let domains = |domains: &[&str]| domains.iter().map(|&domain| domain.to_owned()).collect::<BTreeSet<_>>();
    NameConstraints {
        critical: true,
        permitted: NameSubtrees {
            dns_domains: domains(&["example.com", "example.org"]),
            ip_ranges: ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()].into(),
            ..NameSubtrees::default()
        },
        excluded: NameSubtrees {
            email_addresses: domains(&[".example.com"]),
            uri_domains: domains(&["example.net"]),
            ..NameSubtrees::default()
        },
    }
}

fn ca() -> Template {
    Template {
        subject: name("root"),
        sans: Vec::new(),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ca: Some(CaConstraints { path_len: Some(1) }),
        name_constraints: Some(constraints()),
        ocsp_no_check: false,
        ..leaf()
    }
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

#[test]
fn what_will_be_issued_passes() {
    let (root_key, key) = (key(), key());
    rehearse(&ca(), root_key.public_key(), None).unwrap();
    let root = self_sign(&ca(), &root_key).unwrap();
    for key in [key, PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap()] {
        rehearse(&leaf(), key.public_key(), Some(&root)).unwrap();
        rehearse(&leaf(), key.public_key(), None).unwrap();
    }
    let nameless = Template { subject: Name::from_parts(&crate::SubjectParts::default()).unwrap(), ..leaf() };
    rehearse(&nameless, root_key.public_key(), Some(&root)).unwrap();
}

#[test]
fn what_cannot_be_issued_is_refused_before_anything_is_signed() {
    let root_key = key();
    let root = self_sign(&Template { ca: Some(CaConstraints { path_len: Some(0) }), ..ca() }, &root_key).unwrap();
    let refused = rehearse(&ca(), key().public_key(), Some(&root));
    assert!(matches!(refused, Err(RehearsalError::Issue(IssueError::IssuerPathLength { .. }))), "{refused:?}");
}

/// An encoder that gets a field wrong writes what another template asks for.
#[test]
fn each_field_that_comes_out_wrong_is_named() {
    let (one, other) = (key(), key());
    let under = || Under { name: name("root"), key_identifier: Some(vec![1; 20]) };
    let wrong = |made: &Template, asked: &Template| {
        let der = issue::draft(made, one.public_key(), &under(), &one).unwrap();
        compare(&der, asked, one.public_key(), &under())
    };
    let differs = |outcome: Result<(), RehearsalError>| match outcome {
        Err(RehearsalError::Differs { field, .. } | RehearsalError::Unasked { field }) => field,
        other => panic!("not noticed: {other:?}"),
    };
    let dropped = |index: usize| {
        let mut sans = leaf().sans;
        sans.remove(index);
        sans
    };
    let second = |seconds: i64| jiff::Timestamp::from_second(leaf().not_after.as_second() + seconds).unwrap();
    let table: Vec<(&str, Template)> = vec![
        ("serialNumber", Template { serial: SerialNumber::issued(0, [8; 13]), ..leaf() }),
        ("subject", Template { subject: Name::from_rfc4514("O=Shop,CN=web").unwrap(), ..leaf() }),
        ("notBefore", Template { not_before: "2026-01-01T00:00:01Z".parse().unwrap(), ..leaf() }),
        ("notAfter", Template { not_after: second(-1), ..leaf() }),
        ("keyUsage", Template { usages: vec![Usage::KeyEncipherment, Usage::ServerAuth, Usage::IpsecUser], ..leaf() }),
        ("extKeyUsage", Template { usages: vec![Usage::DigitalSignature, Usage::ServerAuth], ..leaf() }),
        ("extKeyUsage", Template { usages: vec![Usage::DigitalSignature], ..leaf() }),
        ("subjectAltName", Template { sans: dropped(2), ..leaf() }),
        ("subjectAltName", Template { sans: dropped(6), ..leaf() }),
        ("subjectAltName", Template { sans: leaf().sans.into_iter().rev().collect(), ..leaf() }),
        ("subjectAltName", Template { sans: Vec::new(), ..leaf() }),
        ("authorityInfoAccess", Template { ocsp_servers: Vec::new(), ..leaf() }),
        ("authorityInfoAccess", Template { ocsp_servers: vec!["http://ca.example.com/a.crt".into()], ..leaf() }),
        ("cRLDistributionPoints", Template { crl_distribution_points: vec!["http://crl.example.org/a.crl".into()], ..leaf() }),
        ("freshestCRL", Template { freshest_crls: Vec::new(), ..leaf() }),
        ("ocspNoCheck", Template { ocsp_no_check: false, ..leaf() }),
        ("basicConstraints", Template { ca: Some(CaConstraints { path_len: None }), ..leaf() }),
    ];
    for (field, made) in table {
        assert_eq!(differs(wrong(&made, &leaf())), field);
        differs(wrong(&leaf(), &made));
    }
    for (field, made) in [
        ("basicConstraints", Template { ca: Some(CaConstraints { path_len: None }), ..ca() }),
        ("nameConstraints", Template { name_constraints: None, ..ca() }),
        ("nameConstraints", Template { name_constraints: Some(NameConstraints { critical: false, ..constraints() }), ..ca() }),
        (
            "nameConstraints",
            Template { name_constraints: Some(NameConstraints { excluded: NameSubtrees::default(), ..constraints() }), ..ca() },
        ),
    ] {
        assert_eq!(differs(wrong(&made, &ca())), field);
    }
    let der = issue::draft(&leaf(), one.public_key(), &under(), &one).unwrap();
    assert_eq!(differs(compare(&der, &leaf(), other.public_key(), &under())), "subjectKeyIdentifier");
    let elsewhere = Under { name: name("other root"), key_identifier: Some(vec![1; 20]) };
    assert_eq!(differs(compare(&der, &leaf(), one.public_key(), &elsewhere)), "issuer");
    let otherwise = Under { name: name("root"), key_identifier: Some(vec![2; 20]) };
    assert_eq!(differs(compare(&der, &leaf(), one.public_key(), &otherwise)), "authorityKeyIdentifier");
    let itself = Under { name: name("root"), key_identifier: None };
    assert_eq!(differs(compare(&der, &leaf(), one.public_key(), &itself)), "authorityKeyIdentifier");
    let mut longer = der;
    longer.push(0);
    assert!(matches!(compare(&longer, &leaf(), one.public_key(), &under()), Err(RehearsalError::Unreadable(_))));
}

fn templates() -> impl Strategy<Value = Template> {
    let names = collection::vec("[a-z]{1,20}(\\.[a-z]{1,20}){0,3}", 0..20);
    let usages = collection::vec(sample::select(Usage::ALL.to_vec()), 0..8);
    (
        any::<[u8; 13]>(),
        "[A-Za-z ,+\"=]{0,30}[A-Za-z]",
        names,
        usages,
        option::of(option::of(0..5_u8)),
        0..1_000_000_000_i64,
        60..1_000_000_000_i64,
    )
        .prop_map(|(serial, common_name, names, usages, ca, begin, lasts)| {
            let parts = crate::SubjectParts { common_name: Some(common_name), ..crate::SubjectParts::default() };
            let usages = usages.into_iter().filter(|usage| ca.is_some() || *usage != Usage::CertSign).collect();
            Template {
                serial: SerialNumber::issued(0, serial),
                subject: Name::from_parts(&parts).unwrap(),
                sans: names.into_iter().map(San::Dns).collect(),
                not_before: jiff::Timestamp::from_second(begin).unwrap(),
                not_after: jiff::Timestamp::from_second(begin + lasts).unwrap(),
                usages,
                ca: ca.map(|path_len| CaConstraints { path_len }),
                name_constraints: ca.map(|_| constraints()),
                ..leaf()
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_asked_for_comes_out_as_it_is_read_by_the_other_parser(template in templates()) {
        let key = key();
        prop_assert_eq!(rehearse(&template, key.public_key(), None), Ok(()));
    }
}
