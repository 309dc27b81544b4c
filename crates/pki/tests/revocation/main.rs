//! Lists and OCSP, end to end within the crate: what goes in comes out, and what anyone may send does no harm.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod crl;
mod ocsp;

use std::{fs, path::Path, sync::LazyLock};

use chancery_pki::{
    CaConstraints, Certificate, Crl, KeyAlgorithm, Name, OcspRequest, PrivateKey, RANDOM_OCTETS, SerialNumber, SubjectParts, Template,
    Usage, issue, self_sign,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn template(common_name: &str, usages: Vec<Usage>) -> Template {
    let subject = SubjectParts { common_name: Some(common_name.into()), organizations: vec!["Zwölf".into()], ..SubjectParts::default() };
    Template {
        serial: SerialNumber::issued(0, [7; RANDOM_OCTETS]),
        subject: Name::from_parts(&subject).unwrap(),
        sans: Vec::new(),
        not_before: noon() - SignedDuration::from_hours(1),
        not_after: noon() + SignedDuration::from_hours(48),
        usages,
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

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn authority(usages: Vec<Usage>) -> (Certificate, PrivateKey) {
    let key = key();
    (self_sign(&Template { ca: Some(CaConstraints::default()), ..template("Lists", usages) }, &key).unwrap(), key)
}

static AUTHORITY: LazyLock<(Certificate, PrivateKey)> = LazyLock::new(|| authority(vec![Usage::CertSign, Usage::CrlSign]));

/// A certificate of the authority, and its key.
fn issued(template: &Template) -> (Certificate, PrivateKey) {
    let key = key();
    (issue(template, key.public_key(), &AUTHORITY.0, &AUTHORITY.1).unwrap(), key)
}

/// One who answers for the authority.
static RESPONDER: LazyLock<(Certificate, PrivateKey)> =
    LazyLock::new(|| issued(&template("Responder", vec![Usage::DigitalSignature, Usage::OcspSigning])));

fn any_second() -> impl Strategy<Value = Timestamp> {
    (0_i64..253_402_207_201).prop_map(|seconds| Timestamp::from_second(seconds).unwrap())
}

/// Every input that is kept for the fuzz target of this name, with the name of its file.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |file: fs::DirEntry| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap());
    files.map(|file| read(file.unwrap())).collect()
}

/// So that what the fuzz targets have reached is reached with every change. The inputs that were written by hand stand for
/// what must be read; the others are named by their hash.
#[test]
fn what_is_kept_of_fuzzing_is_read_or_refused_as_before() {
    let mut by_hand = 0;
    let mut check = |target: &str, reads: &dyn Fn(&[u8]) -> bool| {
        for (name, input) in kept(target) {
            let (read, is_hash) = (reads(&input), name.len() == 40);
            assert!(read || is_hash, "{target}/{name} is no longer read");
            by_hand += usize::from(!is_hash);
        }
    };
    check("ocsp_request", &|input| OcspRequest::from_der(input).is_ok());
    check("ocsp_url", &|input| str::from_utf8(input).is_ok_and(|path| OcspRequest::from_path(path).is_ok()));
    check("crl", &|input| Crl::from_pem_or_der(input).is_ok_and(|list| list.entries().all(|entry| entry.is_ok())));
    assert!(by_hand >= 17, "only {by_hand} inputs");
}
