//! Issuing, end to end within the crate: whatever valid template goes in, the certificate says the same and stands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod certificate;
mod chain;
mod properties;

use std::sync::LazyLock;

use chancery_pki::{
    CaConstraints, Certificate, Chain, IssueError, KeyAlgorithm, Name, PrivateKey, RANDOM_OCTETS, San, SerialNumber, SubjectParts,
    Template, Usage, issue, self_sign,
};
use jiff::Timestamp;

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
