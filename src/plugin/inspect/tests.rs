use chancery_pki::{
    CaConstraints, IpRange, KeyAlgorithm, Name, NameConstraints, NameSubtrees, PrivateKey, San, SerialNumber, SubjectParts, Template,
    Usage, issue, self_sign,
};

use super::*;
use crate::plugin::output::{Format, render};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn template(serial: u8, name: &str, days: u32) -> Template {
    let parts = SubjectParts { common_name: Some(name.to_owned()), ..SubjectParts::default() };
    let begin = time("2026-01-01T00:00:00Z");
    let end = begin + jiff::SignedDuration::from_hours(24 * i64::from(days));
    Template::new(SerialNumber::from_octets(&[serial]).unwrap(), Name::from_parts(&parts).unwrap(), begin, end)
}

fn key() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn root(name: &str) -> (Certificate, PrivateKey) {
    let key = key();
    let template = Template {
        ca: Some(CaConstraints { path_len: Some(0) }),
        usages: vec![Usage::CertSign],
        name_constraints: Some(NameConstraints {
            critical: true,
            permitted: NameSubtrees { dns_domains: ["example.com".to_owned()].into(), ..NameSubtrees::default() },
            excluded: NameSubtrees { ip_ranges: ["10.0.0.0/8".parse::<IpRange>().unwrap()].into(), ..NameSubtrees::default() },
        }),
        ..template(1, name, 3650)
    };
    (self_sign(&template, &key).unwrap(), key)
}

fn leaf(issuer: &(Certificate, PrivateKey)) -> (Certificate, PrivateKey) {
    let key = key();
    let template = Template {
        sans: vec![San::Dns("web.example.com".to_owned())],
        usages: vec![Usage::ServerAuth],
        crl_distribution_points: vec!["http://pki.example.com/1.crl".to_owned()],
        ..template(2, "web", 90)
    };
    (issue(&template, key.public_key(), &issuer.0, &issuer.1).unwrap(), key)
}

fn material(pieces: Vec<Piece>) -> Material {
    Material { name: "secret/web".to_owned(), namespace: Some("team".to_owned()), pieces, notes: Vec::new(), session: None }
}

fn chain(certificates: &[&Certificate]) -> Piece {
    Piece { place: "tls.crt".to_owned(), certificates: certificates.iter().map(|&one| one.clone()).collect(), ..Piece::default() }
}

fn trusted(certificate: &Certificate) -> Piece {
    Piece { place: "ca.crt".to_owned(), role: Role::Trust, certificates: vec![certificate.clone()], ..Piece::default() }
}

fn held(key: &PrivateKey) -> Piece {
    Piece { place: "tls.key".to_owned(), key: Some(key.public_key().clone()), ..Piece::default() }
}

fn text(inspection: &Inspection) -> String {
    let mut out = Vec::new();
    render(inspection, Format::Table, &mut out).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
}

#[test]
fn a_sound_secret_is_shown_with_all_that_its_certificates_say() {
    let ca = root("Root");
    let (web, key) = leaf(&ca);
    let found = inspect(&material(vec![chain(&[&web]), held(&key), trusted(&ca.0)]), time("2026-01-31T00:00:00Z"));
    assert!(found.is_well(), "{:?}", found.problems);
    let text = text(&found);
    for line in [
        "secret/web in namespace team",
        "tls.crt, certificate 1 of 1",
        "  Subject:        CN=web",
        "  Valid:          2026-01-01T00:00:00Z to 2026-04-01T00:00:00Z (of 90d, ends in 60d)",
        "  Key:            ECDSA P-256",
        "  Signed by:      a certificate of ca.crt",
        "  Names:          DNS:web.example.com",
        "  CRL:            http://pki.example.com/1.crl",
        "  CA:             yes, of certificates that are no CA's",
        "  Permits:        DNS:example.com",
        "  Excludes:       IP:10.0.0.0/8",
        "no problem was found",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line:?} is not in:\n{text}");
    }
    assert!(text.contains("the key of the first certificate"), "{text}");
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let (ca, other) = (root("Root"), root("Root"));
    let (web, own) = leaf(&ca);
    let at = time("2026-02-01T00:00:00Z");
    let problems = |pieces, at| inspect(&material(pieces), at).problems.join("\n");
    let late = problems(vec![chain(&[&web]), held(&own)], time("2026-05-01T00:00:00Z"));
    assert_eq!(late, "tls.crt: certificate 1 (CN=web) ended 30d ago");
    let early = problems(vec![chain(&[&web])], time("2025-12-31T00:00:00Z"));
    assert_eq!(early, "tls.crt: certificate 1 (CN=web) is not valid yet: it begins in 24h");
    assert_eq!(problems(vec![chain(&[&web]), held(&key())], at), "tls.key: the private key is not that of the first certificate");
    assert_eq!(problems(vec![chain(&[&web, &other.0])], at), "tls.crt: certificate 1 (CN=web) is not signed by the next one, CN=Root");
    let combined = Piece { place: "tls-combined.pem".to_owned(), ..chain(&[&other.0]) };
    assert_eq!(problems(vec![chain(&[&web, &ca.0]), combined], at), "tls-combined.pem: its certificates are others than those of tls.crt");
    let notes = inspect(&material(vec![chain(&[&web]), trusted(&other.0)]), at).notes;
    assert_eq!(notes, ["who signed CN=web (CN=Root) is not here"]);
}

#[test]
fn programs_read_the_same() {
    let ca = root("Root");
    let (web, key) = leaf(&ca);
    let value = serde_json::to_value(inspect(&material(vec![chain(&[&web]), held(&key)]), time("2026-02-01T00:00:00Z"))).unwrap();
    assert_eq!(value["places"][0]["certificates"][0]["names"][0], "DNS:web.example.com");
    assert_eq!(value["places"][1]["keyMatches"], true);
    assert_eq!(value["places"][0]["certificates"][0]["isCA"], false);
}
