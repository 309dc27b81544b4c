//! What the tests share: a folder to run OpenSSL and others in, and certificates to begin with.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chancery_pki::{CaConstraints, KeyAlgorithm, Name, RANDOM_OCTETS, SerialNumber, SubjectParts, Template, Usage};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write_octets(&self, name: &str, octets: &[u8]) {
        fs::write(self.path(name), octets).unwrap();
    }

    pub(crate) fn try_openssl(&self, arguments: &str) -> Result<String, String> {
        self.try_program("openssl", arguments)
    }

    pub(crate) fn try_program(&self, program: &str, arguments: &str) -> Result<String, String> {
        let output = run(program, self.0.path(), arguments);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
    }

    pub(crate) fn openssl(&self, arguments: &str) -> String {
        self.try_openssl(arguments).unwrap_or_else(|error| panic!("openssl {arguments}: {error}"))
    }
}

/// Arguments are parted by spaces; `~` within one stands for a space.
fn run(program: &str, directory: &Path, arguments: &str) -> std::process::Output {
    let arguments = arguments.split(' ').map(|argument| argument.replace('~', " "));
    // Java takes arguments in the locale's encoding.
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("LC_ALL", "C.UTF-8");
    command.output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// A time at which everything that is issued here is valid.
pub(crate) fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// How OpenSSL is told to verify as of then.
pub(crate) fn at(time: Timestamp) -> String {
    format!("-attime {}", time.as_second())
}

pub(crate) fn template(common_name: &str, serial: u8) -> Template {
    let subject = SubjectParts {
        common_name: Some(common_name.into()),
        organizations: vec!["Example, Inc.".into(), "Second".into()],
        organizational_units: vec!["One".into(), "Zwölf".into()],
        countries: vec!["DE".into()],
        ..SubjectParts::default()
    };
    Template {
        serial: SerialNumber::issued(1, [serial; RANDOM_OCTETS]),
        subject: Name::from_parts(&subject).unwrap(),
        sans: Vec::new(),
        not_before: noon() - SignedDuration::from_mins(5),
        not_after: noon() + SignedDuration::from_hours(24),
        usages: Vec::new(),
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

pub(crate) fn ca(common_name: &str, serial: u8, path_len: Option<u8>) -> Template {
    Template { ca: Some(CaConstraints { path_len }), usages: vec![Usage::CertSign, Usage::CrlSign], ..template(common_name, serial) }
}

/// Every kind of key that an authority may have.
pub(crate) const KINDS: [KeyAlgorithm; 5] =
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }];
