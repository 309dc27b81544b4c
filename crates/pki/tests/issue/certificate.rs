//! What a certificate says, and what is not issued.
//!
//! One case at a time; chains are in `chain`, and no template is drawn at random.

use chancery_pki::{
    CaConstraints, Certificate, IssueError, Name, PrivateKey, San, SerialNumber, SignError, Signer, SubjectParts, Template, Usage, issue,
    pem_bundle, self_sign,
};
use jiff::Timestamp;

use super::{AUTHORITY, LEAF_KEY, at, issue_leaf, p256, template};

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
