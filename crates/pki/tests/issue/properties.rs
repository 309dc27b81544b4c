//! What holds of any valid template, and of any octets that are read as a certificate.
//!
//! Nothing here depends on which ones are drawn.

use std::{collections::BTreeSet, net::IpAddr};

use chancery_pki::{
    CaConstraints, Certificate, ChainError, IpRange, Name, NameConstraints, NameSubtrees, PrivateKey, RANDOM_OCTETS, San, SerialNumber,
    SignatureAlgorithm, SubjectParts, Template, Usage, key_matches, self_sign, verify_leaf,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample,
};

use super::{AUTHORITY, LEAF_KEY, at, issue_leaf};

const YEAR: i64 = 365 * 24 * 3600;

/// Asserts that the certificate says what the template says.
fn assert_says(certificate: &Certificate, template: &Template) {
    assert_eq!(certificate.serial(), &template.serial);
    assert_eq!(certificate.subject(), &template.subject);
    assert_eq!(certificate.sans(), &template.sans.iter().cloned().collect::<BTreeSet<_>>());
    assert!(!certificate.has_unknown_sans());
    assert_eq!(certificate.not_before().as_second(), template.not_before.as_second());
    assert_eq!(certificate.not_after().as_second(), template.not_after.as_second());
    let mut usages: BTreeSet<_> = template.usages.iter().copied().map(Usage::canonical).collect();
    if template.ca.is_some() {
        usages.insert(Usage::CertSign);
    }
    assert_eq!(certificate.usages(), &usages);
    assert_eq!(certificate.ca(), template.ca);
    assert_eq!(certificate.crl_distribution_points(), template.crl_distribution_points);
    assert_eq!(certificate.ocsp_servers(), template.ocsp_servers);
    assert_eq!(certificate.issuing_certificate_urls(), template.issuing_certificate_urls);
    assert_eq!(certificate.freshest_crls(), template.freshest_crls);
    assert_eq!(certificate.has_ocsp_no_check(), template.ocsp_no_check);
    assert_eq!(certificate.name_constraints(), template.name_constraints.as_ref());
    assert!(!certificate.has_unknown_name_constraints());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9 '()+,./:=?-]{1,40}", "[\\PC&&[^\u{fffe}\u{ffff}]]{1,20}"]
}

fn any_subject() -> impl Strategy<Value = SubjectParts> {
    let list = || vec(any_text(), 0..3);
    (option::of(any_text()), list(), list(), list(), list(), list(), list(), list(), option::of(any_text())).prop_map(
        |(
            common_name,
            organizations,
            countries,
            organizational_units,
            localities,
            provinces,
            street_addresses,
            postal_codes,
            serial_number,
        )| {
            SubjectParts {
                common_name,
                organizations,
                countries,
                organizational_units,
                localities,
                provinces,
                street_addresses,
                postal_codes,
                serial_number,
            }
        },
    )
}

fn any_san() -> impl Strategy<Value = San> {
    prop_oneof![
        "(\\*\\.)?([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.){0,3}[a-z]{2,6}".prop_map(San::Dns),
        "[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}@[a-z]{1,9}\\.[a-z]{2,4}".prop_map(San::Email),
        any::<IpAddr>().prop_map(San::Ip),
        "[a-z][a-z0-9+.-]{0,6}://[a-z0-9.]{1,20}(/[a-zA-Z0-9._~-]{0,9}){0,3}".prop_map(San::Uri),
        ("1\\.3\\.6\\.1\\.4\\.1(\\.[1-9][0-9]{0,5}){1,3}", any_text()).prop_map(|(type_id, value)| San::Other { type_id, value }),
    ]
}

fn any_subtrees() -> impl Strategy<Value = NameSubtrees> {
    let domain = || "\\.?([a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?\\.){0,2}[a-z]{2,6}";
    let range = (any::<IpAddr>(), 0..=128_u8).prop_filter_map("few bits", |(address, prefix)| IpRange::new(address, prefix));
    let mailboxes = prop_oneof![domain().prop_map(String::from), "[a-z]{1,9}@[a-z]{1,9}\\.[a-z]{2,4}"];
    (btree_set(domain(), 0..3), btree_set(range, 0..3), btree_set(mailboxes, 0..3), btree_set(domain(), 0..3)).prop_map(
        |(dns_domains, ip_ranges, email_addresses, uri_domains)| NameSubtrees { dns_domains, ip_ranges, email_addresses, uri_domains },
    )
}

fn any_constraints() -> impl Strategy<Value = Option<NameConstraints>> {
    (any::<bool>(), any_subtrees(), any_subtrees()).prop_map(|(critical, permitted, excluded)| {
        let empty = permitted.is_empty() && excluded.is_empty();
        (!empty).then_some(NameConstraints { critical, permitted, excluded })
    })
}

fn any_template() -> impl Strategy<Value = Template> {
    let urls = || vec("http://[a-z]{1,9}\\.example/[a-z0-9/]{0,9}", 0..3);
    let times = (0_i64..253_402_300_799).prop_flat_map(|begin| (Just(begin), begin + 1..=253_402_300_799));
    (
        (any::<u16>(), any::<[u8; RANDOM_OCTETS]>(), any_subject(), vec(any_san(), 0..6)),
        (times, 0..1_000_000_000_i32),
        (sample::subsequence(Usage::ALL.to_vec(), 0..12), option::of((option::of(any::<u8>()), any_constraints()))),
        (urls(), urls(), urls(), urls(), any::<bool>()),
    )
        .prop_filter_map(
            "a certificate needs a name",
            |((shard, random, subject, sans), ((begin, end), nanoseconds), (usages, ca), urls)| {
                let subject = Name::from_parts(&subject).ok()?;
                if subject.is_empty() && (sans.is_empty() || ca.is_some()) {
                    return None;
                }
                Some(Template {
                    serial: SerialNumber::issued(shard, random),
                    subject,
                    sans,
                    not_before: Timestamp::new(begin, nanoseconds).ok()?,
                    not_after: Timestamp::new(end, nanoseconds.min(999_999_998)).ok()?,
                    usages: usages.into_iter().filter(|usage| ca.is_some() || *usage != Usage::CertSign).collect(),
                    ca: ca.as_ref().map(|(path_len, _)| CaConstraints { path_len: *path_len }),
                    crl_distribution_points: urls.0,
                    ocsp_servers: urls.1,
                    issuing_certificate_urls: urls.2,
                    freshest_crls: urls.3,
                    ocsp_no_check: urls.4,
                    name_constraints: ca.and_then(|(_, constraints)| constraints),
                    self_signature: Some(SignatureAlgorithm::EcdsaWithSha256),
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_valid_template_is_issued_as_it_stands(template in any_template()) {
        let issued = if template.ca.is_some() {
            self_sign(&template, &*LEAF_KEY).unwrap()
        } else {
            issue_leaf(&template).unwrap()
        };
        assert_says(&issued, &template);
        prop_assert!(key_matches(&issued, &LEAF_KEY));
        prop_assert_eq!(issued.subject_key_identifier(), Some(&LEAF_KEY.public_key().subject_key_identifier()[..]));
        let again = Certificate::bundle_from_pem(issued.to_pem().as_bytes()).unwrap();
        prop_assert_eq!(again, vec![issued]);
    }

    #[test]
    fn any_valid_leaf_within_the_authority_stands_under_it(mut template in any_template(), begin in 0..YEAR, length in 1..YEAR) {
        template.ca = None;
        template.name_constraints = None;
        template.usages.retain(|usage| *usage != Usage::CertSign);
        template.sans.push(San::Dns("a.example".into()));
        template.not_before = at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(begin);
        template.not_after = template.not_before + SignedDuration::from_secs(length);
        let leaf = issue_leaf(&template).unwrap();
        prop_assert_eq!(verify_leaf(&leaf, &AUTHORITY.chain, template.not_before), Ok(()));
        prop_assert_eq!(verify_leaf(&leaf, &AUTHORITY.chain, template.not_after), Ok(()));
        let late = template.not_after + SignedDuration::from_secs(1);
        let ended = matches!(verify_leaf(&leaf, &AUTHORITY.chain, late), Err(ChainError::Ended { .. }));
        prop_assert!(ended);
    }

    #[test]
    fn damaged_certificates_never_panic(position in any::<sample::Index>(), octet in any::<u8>(), cut in any::<sample::Index>()) {
        let mut octets = AUTHORITY.intermediate.as_der().to_vec();
        let position = position.index(octets.len());
        octets[position] = octet;
        let _ = Certificate::from_der(octets[..cut.index(octets.len())].to_vec());
        if let Ok(read) = Certificate::from_der(octets.clone()) {
            let _ = (format!("{read:?} {} {}", read.subject(), read.issuer()), read.to_pem(), read.is_self_signed());
            if octets != AUTHORITY.intermediate.as_der() {
                prop_assert!(!read.is_signed_by(AUTHORITY.root.public_key()) || read.serial() == AUTHORITY.intermediate.serial());
            }
        }
    }

    #[test]
    fn any_octets_never_panic(octets in vec(any::<u8>(), 0..200)) {
        let _ = Certificate::from_der(octets.clone());
        let _ = Certificate::bundle_from_pem(&octets);
        let _ = PrivateKey::from_pem(&octets);
        let _ = chancery_pki::PublicKey::from_spki_der(&octets);
        if let Ok(name) = Name::from_der(&octets) {
            let _ = (name.to_string(), name.to_parts());
        }
    }
}
