//! Issuing, end to end within the crate: whatever valid template goes in, the certificate says the same and stands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, net::IpAddr, sync::LazyLock};

use chancery_pki::{
    CaConstraints, Certificate, Chain, ChainError, IpRange, IssueError, KeyAlgorithm, Name, NameConstraints, NameSubtrees, PrivateKey,
    RANDOM_OCTETS, San, SerialNumber, SignError, SignatureAlgorithm, Signer, SubjectParts, Template, Usage, issue, key_matches, pem_bundle,
    self_sign, verify_leaf,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample,
};

const YEAR: i64 = 365 * 24 * 3600;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn named(common_name: &str) -> Name {
    Name::from_parts(&SubjectParts { common_name: Some(common_name.into()), ..SubjectParts::default() }).unwrap()
}

fn template(common_name: &str) -> Template {
    Template {
        serial: SerialNumber::issued(7, [0xab; RANDOM_OCTETS]),
        subject: named(common_name),
        sans: vec![San::Dns("leaf.example".into())],
        not_before: at("2026-01-01T00:00:00Z"),
        not_after: at("2027-01-01T00:00:00Z"),
        usages: vec![Usage::DigitalSignature, Usage::ServerAuth],
        ca: None,
        crl_distribution_points: Vec::new(),
        ocsp_servers: Vec::new(),
        issuing_certificate_urls: Vec::new(),
        freshest_crls: Vec::new(),
        ocsp_no_check: false,
        name_constraints: None,
        self_signature: None,
    }
}

fn ca_template(common_name: &str, path_len: Option<u8>) -> Template {
    Template {
        sans: Vec::new(),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        not_before: at("2025-01-01T00:00:00Z"),
        not_after: at("2035-01-01T00:00:00Z"),
        ca: Some(CaConstraints { path_len }),
        ..template(common_name)
    }
}

fn p256() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

/// A root, an intermediate below it, and the intermediate's key.
struct Authority {
    key: PrivateKey,
    root: Certificate,
    intermediate: Certificate,
    chain: Chain,
}

fn authority(root_path_len: Option<u8>, path_len: Option<u8>) -> Authority {
    let (root_key, key) = (p256(), p256());
    let root = self_sign(&ca_template("root", root_path_len), &root_key).unwrap();
    let intermediate = issue(&ca_template("intermediate", path_len), key.public_key(), &root, &root_key).unwrap();
    let chain = Chain::order(vec![intermediate.clone(), root.clone()]).unwrap();
    Authority { key, root, intermediate, chain }
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| authority(None, Some(0)));
static LEAF_KEY: LazyLock<PrivateKey> = LazyLock::new(p256);

fn issue_leaf(template: &Template) -> Result<Certificate, IssueError> {
    issue(template, LEAF_KEY.public_key(), &AUTHORITY.intermediate, &AUTHORITY.key)
}

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

#[test]
fn a_leaf_carries_its_issuers_name_and_identifier() {
    let leaf = issue_leaf(&template("leaf")).unwrap();
    assert_eq!(leaf.issuer().as_der(), AUTHORITY.intermediate.subject().as_der());
    assert_eq!(leaf.authority_key_identifier(), AUTHORITY.intermediate.subject_key_identifier());
    assert!(leaf.is_signed_by(AUTHORITY.key.public_key()) && !leaf.is_self_issued() && !leaf.may_sign_certificates());
    assert!(AUTHORITY.root.is_self_signed() && AUTHORITY.root.authority_key_identifier().is_none());
    assert_eq!(leaf.sha256().len(), 64);
    assert_eq!(pem_bundle(&[leaf, AUTHORITY.root.clone()]).matches("BEGIN CERTIFICATE").count(), 2);
}

#[test]
fn times_are_utc_time_before_2050_and_generalized_time_after() {
    let mut wanted = template("times");
    wanted.not_before = at("2049-12-31T23:59:59.9Z");
    wanted.not_after = at("2050-01-01T00:00:00Z");
    let leaf = issue_leaf(&wanted).unwrap();
    let find = |needle: &[u8]| leaf.as_der().windows(needle.len()).any(|window| window == needle);
    assert!(find(b"\x17\x0d491231235959Z\x18\x0f20500101000000Z"));
}

#[test]
fn a_certificate_without_an_end_is_read_as_one_of_the_last_day_that_is_counted() {
    let mut wanted = template("endless");
    wanted.not_after = Timestamp::MAX;
    let mut der = issue_leaf(&wanted).unwrap().as_der().to_vec();
    let (counted, endless) = (b"99991230220000Z", b"99991231235959Z");
    let at = der.windows(counted.len()).position(|window| window == counted).unwrap();
    der[at..at + endless.len()].copy_from_slice(endless);
    assert_eq!(Certificate::from_der(der).unwrap().not_after(), at_second(Timestamp::MAX));
}

fn at_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap()
}

#[test]
fn the_alternative_names_are_critical_when_there_is_no_subject() {
    let mut wanted = template("x");
    let critical = [0x06, 0x03, 0x55, 0x1d, 0x11, 0x01, 0x01, 0xff];
    let has = |leaf: &Certificate| leaf.as_der().windows(critical.len()).any(|window| window == critical);
    assert!(!has(&issue_leaf(&wanted).unwrap()));
    wanted.subject = Name::from_parts(&SubjectParts::default()).unwrap();
    assert!(has(&issue_leaf(&wanted).unwrap()));
}

#[test]
fn templates_that_cannot_stand_are_refused() {
    let refused = |change: fn(&mut Template)| {
        let mut wanted = template("leaf");
        change(&mut wanted);
        issue_leaf(&wanted).unwrap_err()
    };
    let begin = at("2026-01-01T00:00:00Z");
    assert_eq!(refused(|wanted| wanted.not_after = wanted.not_before), IssueError::NoValidity { not_before: begin, not_after: begin });
    assert!(matches!(refused(|wanted| wanted.not_before = at("1969-12-31T23:59:59.5Z")), IssueError::TimeOutOfRange { .. }));
    assert!(matches!(refused(|wanted| wanted.sans = vec![San::Dns("a_b".into())]), IssueError::Name(_)));
    assert!(matches!(refused(|wanted| wanted.crl_distribution_points = vec!["no uri".into()]), IssueError::Name(_)));
    assert!(matches!(refused(|wanted| wanted.ocsp_servers = vec![String::new()]), IssueError::Name(_)));
    assert_eq!(refused(|wanted| wanted.usages.push(Usage::CertSign)), IssueError::CertSignWithoutCa);
    assert!(matches!(refused(|wanted| wanted.serial = SerialNumber::from_octets(&[0]).unwrap()), IssueError::Serial { .. }));
    assert!(matches!(refused(|wanted| wanted.ca = Some(CaConstraints::default())), IssueError::IssuerPathLength { .. }));
    let nameless = refused(|wanted| {
        wanted.subject = Name::from_parts(&SubjectParts::default()).unwrap();
        wanted.sans.clear();
    });
    assert_eq!(nameless, IssueError::WithoutName);
}

#[test]
fn only_the_issuers_own_key_signs_and_only_a_ca_issues() {
    let wanted = template("leaf");
    let wrong = issue(&wanted, LEAF_KEY.public_key(), &AUTHORITY.intermediate, &*LEAF_KEY).unwrap_err();
    assert_eq!(wrong, IssueError::WrongSigner { issuer: AUTHORITY.key.key_id(), signer: LEAF_KEY.key_id() });
    let leaf = issue_leaf(&wanted).unwrap();
    let wrong = issue(&wanted, LEAF_KEY.public_key(), &leaf, &*LEAF_KEY).unwrap_err();
    assert_eq!(wrong, IssueError::IssuerMayNotSign { issuer: "CN=leaf".into() });
}

#[test]
fn a_signer_that_fails_is_an_error_and_not_a_certificate() {
    #[derive(Debug)]
    struct Broken(PrivateKey);
    impl Signer for Broken {
        fn public_key(&self) -> &chancery_pki::PublicKey {
            self.0.public_key()
        }
        fn signature_algorithm(&self) -> spki::AlgorithmIdentifierOwned {
            self.0.signature_algorithm()
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
            Err(SignError { reason: "out of order".into() })
        }
    }
    let error = self_sign(&template("leaf"), &Broken(p256())).unwrap_err();
    assert_eq!(error.to_string(), "the key did not sign: out of order");
}

#[test]
fn a_bundle_is_put_in_order_and_what_is_foreign_is_named() {
    let Authority { root, intermediate, .. } = &*AUTHORITY;
    let leaf = issue_leaf(&template("leaf")).unwrap();
    let bundle = vec![leaf.clone(), root.clone(), intermediate.clone(), root.clone(), leaf.clone()];
    let chain = Chain::order(bundle).unwrap();
    assert_eq!(chain.certificates(), [leaf.clone(), intermediate.clone(), root.clone()]);
    assert_eq!((chain.leaf(), chain.root()), (&leaf, Some(root)));
    assert_eq!(chain.without_root(), [leaf.clone(), intermediate.clone()]);
    assert_eq!((chain.not_before(), chain.not_after()), (leaf.not_before(), leaf.not_after()));

    let partial = Chain::order(vec![leaf.clone(), intermediate.clone()]).unwrap();
    assert_eq!((partial.root(), partial.without_root().len()), (None, 2));

    let stranger = self_sign(&ca_template("stranger", None), &p256()).unwrap();
    let error = Chain::order(vec![leaf.clone(), stranger.clone(), intermediate.clone()]).unwrap_err();
    assert!(matches!(&error, ChainError::Unrelated { subject, .. } if subject == "CN=stranger"), "{error}");
    // The same name, and another key.
    let twin = self_sign(&ca_template("intermediate", None), &p256()).unwrap();
    assert!(matches!(Chain::order(vec![leaf.clone(), twin]), Err(ChainError::Unrelated { .. })));
    assert_eq!(Chain::order(Vec::new()), Err(ChainError::Empty));
    assert!(matches!(Chain::order(vec![leaf; 17]), Err(ChainError::TooLong { .. })));
}

#[test]
fn a_cross_signed_root_takes_the_place_where_the_chain_goes_on() {
    let (old_key, new_key) = (p256(), p256());
    let old = self_sign(&ca_template("old root", None), &old_key).unwrap();
    let new = self_sign(&ca_template("new root", None), &new_key).unwrap();
    let cross = issue(&ca_template("new root", None), new_key.public_key(), &old, &old_key).unwrap();
    let leaf = issue(&template("leaf"), LEAF_KEY.public_key(), &new, &new_key).unwrap();
    let all = Chain::order(vec![leaf.clone(), new.clone(), cross.clone(), old.clone()]).unwrap();
    assert_eq!(all.certificates(), [leaf.clone(), cross.clone(), old]);
    let without_old = Chain::order(vec![leaf.clone(), cross, new.clone()]).unwrap();
    assert_eq!(without_old.certificates(), [leaf, new]);
}

#[test]
fn path_lengths_are_counted_down_the_chain() {
    let now = at("2026-06-01T00:00:00Z");
    for (root, intermediate, left) in
        [(None, None, None), (None, Some(0), Some(0)), (Some(3), None, Some(2)), (Some(1), Some(5), Some(0)), (Some(255), Some(4), Some(4))]
    {
        let made = authority(root, intermediate);
        assert_eq!(made.chain.path_len_left(), left, "{root:?} {intermediate:?}");
        assert_eq!(made.chain.verify_authority(now), Ok(()));
    }
    let made = authority(Some(0xff), Some(1));
    let (low_key, lower_key) = (p256(), p256());
    let low = issue(&ca_template("low", None), low_key.public_key(), &made.intermediate, &made.key).unwrap();
    let lower = issue(&ca_template("lower", None), lower_key.public_key(), &low, &low_key).unwrap();
    let chain = Chain::order(vec![lower, low.clone(), made.intermediate, made.root]).unwrap();
    assert_eq!(chain.verify_authority(now), Err(ChainError::PathLength { subject: "CN=intermediate".into() }));
    assert_eq!(chain.path_len_left(), Some(0));
    let leaf = issue(&template("leaf"), LEAF_KEY.public_key(), chain.leaf(), &lower_key).unwrap();
    assert!(matches!(verify_leaf(&leaf, &chain, now), Err(ChainError::PathLength { .. })));
}

#[test]
fn what_does_not_stand_under_an_authority_is_told_apart() {
    let now = at("2026-06-01T00:00:00Z");
    let leaf = issue_leaf(&template("leaf")).unwrap();
    assert_eq!(verify_leaf(&leaf, &AUTHORITY.chain, now), Ok(()));
    let partial = Chain::order(vec![AUTHORITY.intermediate.clone()]).unwrap();
    assert_eq!(verify_leaf(&leaf, &partial, now), Ok(()));

    let other = authority(None, None);
    assert!(matches!(verify_leaf(&leaf, &other.chain, now), Err(ChainError::Signature { .. })));
    let root_only = Chain::order(vec![AUTHORITY.root.clone()]).unwrap();
    assert!(matches!(verify_leaf(&leaf, &root_only, now), Err(ChainError::OtherIssuer { .. })));
    assert!(matches!(verify_leaf(&leaf, &AUTHORITY.chain, at("2025-06-01T00:00:00Z")), Err(ChainError::NotYetValid { .. })));
    assert!(matches!(verify_leaf(&leaf, &AUTHORITY.chain, at("2027-01-01T00:00:01Z")), Err(ChainError::Ended { .. })));
    let below_leaf = Chain::order(vec![leaf]).unwrap();
    assert_eq!(below_leaf.verify_authority(now), Err(ChainError::NotCa { subject: "CN=leaf".into() }));
    assert!(matches!(AUTHORITY.chain.verify_authority(at("2036-01-01T00:00:00Z")), Err(ChainError::Ended { .. })));
}

#[test]
fn a_cas_certificate_is_verified_too_and_so_is_a_self_signed_leaf() {
    let now = at("2026-06-01T00:00:00Z");
    let root = Chain::order(vec![AUTHORITY.root.clone()]).unwrap();
    assert_eq!(verify_leaf(&AUTHORITY.intermediate, &root, now), Ok(()));
    let own = self_sign(&template("own"), &*LEAF_KEY).unwrap();
    let chain = Chain::order(vec![own.clone()]).unwrap();
    assert_eq!(verify_leaf(&own, &chain, now), Ok(()));
    assert_eq!(chain.verify_authority(now), Err(ChainError::NotCa { subject: "CN=own".into() }));
}

#[test]
fn a_chain_of_every_kind_of_key_stands() {
    let now = at("2026-06-01T00:00:00Z");
    let kinds = [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa { bits: 2048 },
    ];
    for algorithm in kinds {
        let key = PrivateKey::generate(algorithm).unwrap();
        let root = self_sign(&ca_template("root", None), &key).unwrap();
        let leaf = issue(&template("leaf"), key.public_key(), &root, &key).unwrap();
        assert_eq!(leaf.public_key().algorithm(), Some(algorithm));
        let chain = Chain::order(vec![root]).unwrap();
        assert_eq!(verify_leaf(&leaf, &chain, now), Ok(()), "{algorithm}");
    }
}

#[test]
fn bundles_with_anything_but_certificates_are_refused() {
    let leaf = issue_leaf(&template("leaf")).unwrap();
    let text = format!("before\n{}between\n{}after\n", leaf.to_pem(), AUTHORITY.root.to_pem());
    assert_eq!(Certificate::bundle_from_pem(text.as_bytes()).unwrap(), [leaf.clone(), AUTHORITY.root.clone()]);
    for (text, message) in [
        (String::new(), "there is no certificate in PEM form"),
        ("-----BEGIN X-----\nAQ==\n-----END X-----\n".into(), "a PEM block is a \"X\", not a certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAQ==\n-----END CERTIFICATE-----\n".into(),
            "certificate 1 of the bundle: the certificate is not DER",
        ),
    ] {
        assert_eq!(Certificate::bundle_from_pem(text.as_bytes()).unwrap_err().to_string(), message);
    }
    let mut trailing = leaf.as_der().to_vec();
    trailing.push(0);
    assert_eq!(Certificate::from_der(trailing).unwrap_err().to_string(), "there are 1 octets after the certificate");
}
