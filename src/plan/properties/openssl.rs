//! What is issued for any spec, as openssl reads it: each field of the spec stands in the certificate, and nothing else.
//!
//! What is expected is worked out from the spec's own text, and not with the code that issues.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path, process::Command, thread};

use chancery_pki::{Certificate as X509, Usage};
use jiff::SignedDuration;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{
    NOON, seal,
    specs::{Asked, Rdn, asked},
};
use crate::plan::{
    observed::Content,
    renewal::add,
    stage::{Desk, Office, Surroundings, certificate, time},
};

const CASES: usize = 48;

/// Fields of which each stands in one of the specs at least.
const FIELDS: [&str; 8] =
    ["literalSubject", "subject", "otherNames", "nameConstraints", "pathLen", "signatureAlgorithm", "usages", "ipAddresses"];

/// A certificate that was issued, with what was asked for.
struct Issued {
    asked: Asked,
    own: bool,
    leaf: X509,
}

fn is_written(spec: &Value, field: &str) -> bool {
    match &spec[field] {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// Certificates for so many specs and more, until each field was asked for.
fn issue_some(office: &Office, own: &Office) -> Vec<Issued> {
    let mut runner = TestRunner::default();
    let mut issued: Vec<Issued> = Vec::new();
    let mut missing: BTreeSet<&str> = FIELDS.into();
    for number in 0..100 * CASES {
        if issued.len() >= CASES && missing.is_empty() {
            return issued;
        }
        let asked = asked().new_tree(&mut runner).unwrap().current();
        let is_own = number % 2 == 0;
        let office = if is_own { own } else { office };
        let mut desk = Desk::new(certificate(asked.spec.clone()));
        if desk.reconcile(&Surroundings::of(office), None, time(NOON)).issued.is_empty() {
            continue;
        }
        let news = missing.iter().any(|field| is_written(&asked.spec, field));
        if issued.len() < CASES || news {
            missing.retain(|field| !is_written(&asked.spec, field));
            let Content::Pair { certificates, .. } = &desk.secret.as_ref().unwrap().content else { panic!() };
            issued.push(Issued { asked, own: is_own, leaf: certificates[0].clone() });
        }
    }
    panic!("no spec asks for {missing:?}");
}

#[test]
fn openssl_reads_in_each_certificate_what_its_spec_asks_for() {
    let office = Office::new("ca", Some(seal(0, time("2036-01-01T00:00:00Z"))), json!({"allow": {"usages": Usage::ALL}}));
    let own = Office::new("ca", None, json!({"allow": {"usages": Usage::ALL}}));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.pem"), office.authority().unwrap().chain.leaf().to_pem()).unwrap();
    let issued = issue_some(&office, &own);
    thread::scope(|scope| {
        for (number, part) in issued.chunks(issued.len().div_ceil(4)).enumerate() {
            let file = format!("{number}.pem");
            let folder = folder.path();
            scope.spawn(move || part.iter().for_each(|one| check(folder, &file, one)));
        }
    });
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {arguments}: {said}");
    said
}

fn check(folder: &Path, file: &str, one: &Issued) {
    fs::write(folder.join(file), one.leaf.to_pem()).unwrap();
    let form = "-nameopt esc_2253,esc_ctrl,utf8,sname,sep_multiline";
    let text = openssl(folder, &format!("x509 -in {file} -noout -text {form}"));
    let spec = &one.asked.spec;
    let subject = &one.asked.subject;
    let shown = |what: &str| format!("{what}\n{spec}\n{text}");
    assert_eq!(names(&text, "        Subject:\n"), *subject, "{}", shown("subject"));
    let issuer = if one.own { subject.clone() } else { vec![Rdn::from([("CN".to_owned(), "Root".to_owned())])] };
    assert_eq!(names(&text, "        Issuer:\n"), issuer, "{}", shown("issuer"));

    assert_eq!(items(&text, "Subject Alternative Name").1, sans(spec), "{}", shown("names"));
    let critical = items(&text, "Subject Alternative Name").0;
    assert_eq!(critical, subject.is_empty() && !sans(spec).is_empty(), "{}", shown("whether the names are critical"));

    let (bits, purposes) = usages(spec);
    assert_eq!(items(&text, "Key Usage"), (!bits.is_empty(), bits), "{}", shown("usages"));
    assert_eq!(items(&text, "Extended Key Usage"), (false, purposes), "{}", shown("purposes"));

    let ca = match (&spec["isCA"], &spec["pathLen"]) {
        (Value::Bool(true), Value::Number(length)) => format!("CA:TRUE, pathlen:{length}"),
        (Value::Bool(true), _) => "CA:TRUE".to_owned(),
        _ => "CA:FALSE".to_owned(),
    };
    assert_eq!(section(&text, "Basic Constraints"), Some((true, vec![ca])), "{}", shown("basic constraints"));
    assert_eq!(constraints_in(&text), constraints_of(spec), "{}", shown("name constraints"));

    let hours = spec["duration"].as_str().map_or(2160, |text| text.trim_end_matches('h').parse().unwrap());
    let begin = add(time(NOON), -SignedDuration::from_mins(5));
    for (label, moment) in [("Not Before: ", begin), ("Not After : ", add(begin, SignedDuration::from_hours(hours)))] {
        assert!(text.contains(&format!("{label}{}\n", moment.strftime("%b %e %H:%M:%S %Y GMT"))), "{}", shown("validity"));
    }
    for part in key(spec) {
        assert!(text.contains(part), "{}", shown(part));
    }
    let signature = format!("    Signature Algorithm: {}\n", if one.own { signature(spec) } else { "ecdsa-with-SHA256" });
    assert_eq!(text.matches("Signature Algorithm: ").count(), text.matches(&signature).count(), "{}", shown(&signature));

    let at = begin.as_second();
    let trust = if one.own { format!("-check_ss_sig -CAfile {file}") } else { "-x509_strict -CAfile root.pem".to_owned() };
    let verified = openssl(folder, &format!("verify -attime {at} {trust} {file}"));
    assert!(verified.contains(": OK"), "{verified}{}", shown("trust"));
}

/// A distinguished name below this line, a relative one in each line.
fn names(text: &str, label: &str) -> Vec<Rdn> {
    let (_, below) = text.split_once(label).unwrap_or_default();
    let lines = below.lines().take_while(|line| line.starts_with("            "));
    // An empty name is an empty line.
    lines.filter(|line| !line.trim().is_empty()).map(|line| attributes(&line[12..])).collect()
}

/// `A=b + C=d`, with the escapes of RFC 2253.
fn attributes(line: &str) -> Rdn {
    let mut rdn = Rdn::new();
    let (mut name, mut value) = (String::new(), None::<String>);
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        match (&mut value, character) {
            (None, '=') => value = Some(String::new()),
            (None, other) => name.push(other),
            (Some(value), '\\') => value.extend(rest.next()),
            (Some(_), '+') => {
                // Space stands around it.
                let before = value.take().unwrap_or_default();
                rdn.insert(std::mem::take(&mut name), before[..before.len() - 1].to_owned());
                rest.next();
            }
            (Some(value), other) => value.push(other),
        }
    }
    rdn.insert(name, value.unwrap_or_default());
    rdn
}

/// The lines of an extension, and whether it is critical.
fn section(text: &str, name: &str) -> Option<(bool, Vec<String>)> {
    let mut lines = text.lines();
    let label = format!("            X509v3 {name}: ");
    let head = lines.find(|line| line.starts_with(&label))?;
    let body = lines.take_while(|line| line.starts_with("                "));
    Some((head.ends_with(": critical"), body.map(|line| line[16..].to_owned()).collect()))
}

/// The same of an extension that is one line with commas.
fn items(text: &str, name: &str) -> (bool, BTreeSet<String>) {
    let (critical, lines) = section(text, name).unwrap_or_default();
    let items: Vec<String> = lines.iter().flat_map(|line| line.split(", ")).map(ToOwned::to_owned).collect();
    let set: BTreeSet<String> = items.iter().cloned().collect();
    assert_eq!(items.len(), set.len(), "each once: {items:?}");
    (critical, set)
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:X}")).join(":"),
    }
}

fn sans(spec: &Value) -> BTreeSet<String> {
    // What `certificate` gives a spec without the list.
    let dns = spec.get("dnsNames").cloned().unwrap_or_else(|| json!(["web.example"]));
    let mut sans: BTreeSet<String> = texts(&dns).map(|name| format!("DNS:{name}")).collect();
    sans.extend(texts(&spec["emailAddresses"]).map(|address| format!("email:{address}")));
    sans.extend(texts(&spec["uris"]).map(|uri| format!("URI:{uri}")));
    sans.extend(texts(&spec["ipAddresses"]).map(|text| format!("IP Address:{}", address(text.parse().unwrap()))));
    for other in spec["otherNames"].as_array().into_iter().flatten() {
        let kind = match other["oid"].as_str().unwrap() {
            "1.3.6.1.4.1.311.20.2.3" => "UPN",
            oid => oid,
        };
        sans.insert(format!("othername: {kind}::{}", other["utf8Value"].as_str().unwrap()));
    }
    sans
}

/// openssl's words for what is asked for: bits and purposes.
fn usages(spec: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_ca = spec["isCA"] == true;
    let mut asked: Vec<&str> = texts(&spec["usages"]).collect();
    if asked.is_empty() {
        asked.push("digital signature");
        asked.extend((kind(spec) == "RSA").then_some("key encipherment"));
        asked.extend(is_ca.then_some("crl sign"));
    }
    asked.extend(is_ca.then_some("cert sign"));
    let (mut bits, mut purposes) = (BTreeSet::new(), BTreeSet::new());
    for usage in asked {
        let (set, word) = match usage {
            "signing" | "digital signature" => (&mut bits, "Digital Signature"),
            "content commitment" => (&mut bits, "Non Repudiation"),
            "key encipherment" => (&mut bits, "Key Encipherment"),
            "data encipherment" => (&mut bits, "Data Encipherment"),
            "key agreement" => (&mut bits, "Key Agreement"),
            "cert sign" => (&mut bits, "Certificate Sign"),
            "crl sign" => (&mut bits, "CRL Sign"),
            "encipher only" => (&mut bits, "Encipher Only"),
            "decipher only" => (&mut bits, "Decipher Only"),
            "any" => (&mut purposes, "Any Extended Key Usage"),
            "server auth" => (&mut purposes, "TLS Web Server Authentication"),
            "client auth" => (&mut purposes, "TLS Web Client Authentication"),
            "code signing" => (&mut purposes, "Code Signing"),
            "email protection" | "s/mime" => (&mut purposes, "E-mail Protection"),
            "ipsec end system" => (&mut purposes, "IPSec End System"),
            "ipsec tunnel" => (&mut purposes, "IPSec Tunnel"),
            "ipsec user" => (&mut purposes, "IPSec User"),
            "timestamping" => (&mut purposes, "Time Stamping"),
            "ocsp signing" => (&mut purposes, "OCSP Signing"),
            "microsoft sgc" => (&mut purposes, "Microsoft Server Gated Crypto"),
            "netscape sgc" => (&mut purposes, "Netscape Server Gated Crypto"),
            other => panic!("{other}"),
        };
        set.insert(word.to_owned());
    }
    (bits, purposes)
}

/// The kind of key and its size, as the spec says it or the signature does.
fn kind(spec: &Value) -> &str {
    match (spec["privateKey"]["algorithm"].as_str(), spec["signatureAlgorithm"].as_str()) {
        (Some(kind), _) => kind,
        (None, Some(signature)) if signature.ends_with("RSA") => "RSA",
        (None, Some("PureEd25519")) => "Ed25519",
        _ => "ECDSA",
    }
}

fn curve(spec: &Value) -> &'static str {
    match (spec["privateKey"]["size"].as_u64(), spec["signatureAlgorithm"].as_str()) {
        (Some(384), _) | (None, Some("ECDSAWithSHA384")) => "P-384",
        (Some(521), _) | (None, Some("ECDSAWithSHA512")) => "P-521",
        _ => "P-256",
    }
}

fn key(spec: &Value) -> Vec<&'static str> {
    match (kind(spec), curve(spec)) {
        ("RSA", _) => vec!["Public Key Algorithm: rsaEncryption\n", "Public-Key: (2048 bit)\n"],
        ("Ed25519", _) => vec!["Public Key Algorithm: ED25519\n"],
        (_, "P-384") => vec!["Public Key Algorithm: id-ecPublicKey\n", "NIST CURVE: P-384\n"],
        (_, "P-521") => vec!["Public Key Algorithm: id-ecPublicKey\n", "NIST CURVE: P-521\n"],
        _ => vec!["Public Key Algorithm: id-ecPublicKey\n", "NIST CURVE: P-256\n"],
    }
}

/// How a certificate signs itself.
fn signature(spec: &Value) -> &'static str {
    match (spec["signatureAlgorithm"].as_str(), kind(spec), curve(spec)) {
        (Some("SHA384WithRSA"), ..) => "sha384WithRSAEncryption",
        (Some("SHA512WithRSA"), ..) => "sha512WithRSAEncryption",
        (Some("SHA256WithRSA"), ..) | (None, "RSA", _) => "sha256WithRSAEncryption",
        (Some("ECDSAWithSHA256"), ..) | (None, "ECDSA", "P-256") => "ecdsa-with-SHA256",
        (Some("ECDSAWithSHA384"), ..) | (None, "ECDSA", "P-384") => "ecdsa-with-SHA384",
        (Some("ECDSAWithSHA512"), ..) | (None, "ECDSA", _) => "ecdsa-with-SHA512",
        _ => "ED25519",
    }
}

/// Whether they are critical, and each subtree with its side.
type Subtrees = Option<(bool, BTreeSet<String>)>;

fn constraints_in(text: &str) -> Subtrees {
    let (critical, lines) = section(text, "Name Constraints")?;
    let mut side = String::new();
    let mut found = BTreeSet::new();
    for line in lines {
        match line.trim() {
            "Permitted:" => "permitted".clone_into(&mut side),
            "Excluded:" => "excluded".clone_into(&mut side),
            subtree => assert!(found.insert(format!("{side} {subtree}")), "{subtree} stands there twice"),
        }
    }
    Some((critical, found))
}

fn constraints_of(spec: &Value) -> Subtrees {
    let constraints = spec["nameConstraints"].as_object()?;
    let mut wanted = BTreeSet::new();
    for side in ["permitted", "excluded"] {
        for (list, form) in [("dnsDomains", "DNS"), ("ipRanges", "IP"), ("emailAddresses", "email"), ("uriDomains", "URI")] {
            for value in texts(&constraints[side][list]) {
                let value = match value {
                    "10.0.0.0/8" => "10.0.0.0/255.0.0.0",
                    "192.0.2.77/24" => "192.0.2.0/255.255.255.0",
                    "0.0.0.0/0" => "0.0.0.0/0.0.0.0",
                    "2001:db8::/32" => "2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0",
                    other => other,
                };
                wanted.insert(format!("{side} {form}:{value}"));
            }
        }
    }
    Some((constraints["critical"] == true, wanted))
}
