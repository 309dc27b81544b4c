//! Each profile is linted by zlint with its RFC lints: no error and no warning, and no exception to that.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path, process::Command};

use chancery_pki::{
    CaConstraints, Certificate, KeyAlgorithm, Name, NameConstraints, NameSubtrees, PrivateKey, RANDOM_OCTETS, San, SerialNumber,
    SubjectParts, Template, Usage, issue, self_sign,
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// The lints of the RFCs that zlint has; those of browsers' and other programmes are not ours to meet.
const SOURCES: &str = "RFC3279,RFC5280,RFC5480,RFC5891,RFC6962,RFC8813";

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn template(common_name: &str, hours: i64) -> Template {
    let subject = SubjectParts { common_name: Some(common_name.into()), organizations: vec!["Example".into()], ..SubjectParts::default() };
    Template {
        serial: SerialNumber::issued(0, [7; RANDOM_OCTETS]),
        subject: Name::from_parts(&subject).unwrap(),
        sans: Vec::new(),
        not_before: noon() - SignedDuration::from_mins(5),
        not_after: noon() + SignedDuration::from_hours(hours),
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

fn ca(common_name: &str, hours: i64) -> Template {
    Template {
        ca: Some(CaConstraints { path_len: None }),
        usages: vec![Usage::DigitalSignature, Usage::CertSign, Usage::CrlSign],
        ..template(common_name, hours)
    }
}

/// Every kind of certificate that is issued, under an authority of one kind of key.
fn profiles(algorithm: KeyAlgorithm) -> Vec<(String, Certificate)> {
    let (root_key, middle_key, leaf_key) =
        (PrivateKey::generate(algorithm).unwrap(), PrivateKey::generate(algorithm).unwrap(), PrivateKey::generate(algorithm).unwrap());
    let root = self_sign(&ca("Lint Root", 87_600), &root_key).unwrap();
    let middle = issue(&ca("Lint Intermediate", 43_800), middle_key.public_key(), &root, &root_key).unwrap();
    let rsa = if algorithm.is_rsa() { vec![Usage::KeyEncipherment] } else { Vec::new() };
    let usages = |more: &[Usage]| [&[Usage::DigitalSignature], rsa.as_slice(), more].concat();
    let server = Template {
        sans: vec![San::Dns("www.example.com".into()), San::Dns("*.example.com".into()), San::Ip(IpAddr::from([192, 0, 2, 1]))],
        usages: usages(&[Usage::ServerAuth]),
        crl_distribution_points: vec!["http://crl.example.com/a.crl".into()],
        ocsp_servers: vec!["http://ocsp.example.com".into()],
        issuing_certificate_urls: vec!["http://ca.example.com/a.crt".into()],
        ..template("www.example.com", 2160)
    };
    let partitioned = Template { freshest_crls: vec!["http://crl.example.com/a-delta.crl".into()], ..server.clone() };
    let responder =
        Template { usages: vec![Usage::DigitalSignature, Usage::OcspSigning], ocsp_no_check: true, ..template("OCSP responder", 48) };
    let client = Template {
        sans: vec![San::Uri("spiffe://example.com/ns/a/sa/b".into()), San::Email("a@example.com".into())],
        usages: usages(&[Usage::ClientAuth, Usage::EmailProtection]),
        ..template("client", 24)
    };
    let nameless = Template {
        subject: Name::from_parts(&SubjectParts::default()).unwrap(),
        sans: vec![San::Dns("only.example.com".into())],
        usages: usages(&[]),
        ..template("unused", 2160)
    };
    let far = Template { not_after: "2060-01-01T00:00:00Z".parse().unwrap(), ..ca("Lint Far Root", 1) };
    let under = |template: &Template| issue(template, leaf_key.public_key(), &middle, &middle_key).unwrap();
    let texts = |values: [&str; 2]| values.map(str::to_owned).into();
    let permitted = NameSubtrees {
        dns_domains: texts(["example.com", ".example.org"]),
        ip_ranges: ["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()].into(),
        email_addresses: texts(["a@example.com", ".example.com"]),
        uri_domains: texts(["example.com", ".example.com"]),
    };
    let excluded = NameSubtrees { dns_domains: ["secret.example.com".to_owned()].into(), ..NameSubtrees::default() };
    let constraints = Some(NameConstraints { critical: true, permitted, excluded });
    let constrained = Template { name_constraints: constraints, ..ca("Lint Constrained CA", 8760) };
    let constrained = issue(&constrained, leaf_key.public_key(), &middle, &middle_key).unwrap();
    let others = Template {
        subject: Name::from_rfc4514("CN=a.example.com+UID=7,OU=Zwölf,DC=example,DC=com").unwrap(),
        sans: vec![
            San::Other { type_id: "1.3.6.1.4.1.311.20.2.3".into(), value: "zoë@example.com".into() },
            San::Dns("a.example.com".into()),
        ],
        usages: vec![Usage::DigitalSignature, Usage::ClientAuth],
        ..template("unused", 24)
    };
    let others = issue(&others, middle_key.public_key(), &constrained, &leaf_key).unwrap();
    let profiles = [
        ("root", root.clone()),
        ("intermediate", middle.clone()),
        ("server", under(&server)),
        ("server with a delta", under(&partitioned)),
        ("OCSP responder", under(&responder)),
        ("client", under(&client)),
        ("without a subject", under(&nameless)),
        ("CA with name constraints", constrained),
        ("with other names", others),
        ("root beyond 2050", self_sign(&far, &root_key).unwrap()),
    ];
    profiles.into_iter().map(|(name, certificate)| (format!("{algorithm}, {name}"), certificate)).collect()
}

/// What zlint has to say against a PEM text, having run at least so many lints of these sources.
pub(crate) fn lint(directory: &Path, pem: &str, sources: &str, at_least: usize) -> BTreeSet<(String, String)> {
    let zlint = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/zlint/bin/zlint");
    let file = directory.join("linted.pem");
    fs::write(&file, pem).unwrap();
    let output = Command::new(&zlint).args(["-includeSources", sources]).arg(&file).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: run `make tools`", zlint.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = results.as_object().unwrap();
    assert!(results.len() >= at_least, "zlint ran {} lints", results.len());
    results
        .iter()
        .map(|(name, result)| (name.clone(), result["result"].as_str().unwrap_or_default().to_owned()))
        .filter(|(_, result)| !matches!(result.as_str(), "pass" | "NA" | "NE" | "info"))
        .collect()
}

#[test]
fn every_profile_passes_the_lints_of_the_rfcs() {
    let directory = TempDir::new().unwrap();
    let mut found = Vec::new();
    for algorithm in
        [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }]
    {
        for (profile, certificate) in profiles(algorithm) {
            let complaints = lint(directory.path(), &certificate.to_pem(), SOURCES, 100);
            found.extend(complaints.into_iter().map(|(lint, result)| format!("{profile}: {lint}: {result}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
