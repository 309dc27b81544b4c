//! A Secret against what is expected of it, through openssl and keytool.

use std::fs;
use std::path::Path;

use chancery::api::{Certificate, GoDuration};
use chancery_pki::Certificate as X509;
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use super::expectation::Expected;
use crate::contract::store::{Entry, Store};
use crate::harness::Program;
use crate::stage::Content;

/// What is looked at.
struct Seen<'a> {
    certificate: &'a Certificate,
    secret: &'a Secret,
    content: Content,
    /// As openssl prints the certificate.
    text: String,
    /// Subject and issuer as RFC 4514 writes them.
    subject: String,
    issuer: String,
}

pub(super) async fn compare(file: &str, expected: &Expected, certificate: &Certificate, secret: &Secret) {
    let content = Content::of(secret);
    content.verify().await;
    let seen = Seen {
        certificate,
        secret,
        text: content.printed().await,
        subject: content.name("subject").await,
        issuer: content.name("issuer").await,
        content,
    };
    for (what, value) in &expected.rows {
        if let Some((key, file_kind)) = what.rsplit_once('.').filter(|(key, _)| key.ends_with("store")) {
            seen.store(&format!("{key}.{file_kind}"), value).await;
            continue;
        }
        let found = seen.fact(what, value);
        assert_eq!(found, *value, "{file}: {what} of Secret {}\n{}", expected.name, seen.text);
    }
}

impl Seen<'_> {
    /// What is found; `value` is what is expected, for rows that allow for a range.
    fn fact(&self, what: &str, value: &str) -> String {
        let leaf = self.content.leaf();
        let yes = |holds: bool| if holds { value.to_owned() } else { format!("not {value}") };
        match what {
            "keys" => self.secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", "),
            "type" => self.secret.type_.clone().unwrap_or_default(),
            "subject" => self.subject.clone(),
            "issuer" => self.issuer.clone(),
            "names" => self.extension("Subject Alternative Name").join(""),
            "own-names" => leaf.sans().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            "key" => self.key(),
            "pem" => self.content.key_text.lines().next().unwrap_or_default().trim_matches('-').trim_start_matches("BEGIN ").to_owned(),
            "usage" => self.extension("Key Usage").join(""),
            "purposes" => self.extension("Extended Key Usage").join(""),
            "ca" => match self.extension("Basic Constraints").join("").as_str() {
                "CA:TRUE" => "yes".to_owned(),
                "CA:FALSE" => "no".to_owned(),
                other => other.to_owned(),
            },
            "chain" => self.content.chain.len().to_string(),
            "signature" => self.after("Signature Algorithm: "),
            "crl" => self.extension("CRL Distribution Points").iter().filter_map(|line| line.strip_prefix("URI:")).collect(),
            "ocsp" => self.access("OCSP - URI:"),
            "authority" => self.access("CA Issuers - URI:"),
            "constraints" => self.constraints(),
            "lasts" => yes(leaf.not_after().duration_since(leaf.not_before()) == duration(value)),
            "renews" => yes(self.renews(leaf, value)),
            "key.der" => yes(self.octets("key.der") == inside(&self.content.key_text)),
            "tls-combined.pem" => {
                let texts = self.content.texts();
                yes(texts["tls-combined.pem"] == format!("{}\n{}", texts["tls.key"], texts["tls.crt"]))
            }
            _ => match what.split_once(' ') {
                Some(("label", key)) => self.secret.labels().get(key).cloned().unwrap_or_else(|| "absent".to_owned()),
                Some(("annotation", key)) => self.secret.annotations().get(key).cloned().unwrap_or_else(|| "absent".to_owned()),
                _ => panic!("nobody knows how to look at {what:?}"),
            },
        }
    }

    /// The lines below the heading of an extension.
    fn extension(&self, name: &str) -> Vec<String> {
        let heading = format!("X509v3 {name}:");
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut lines = self.text.lines().skip_while(|line| !line.trim_start().starts_with(&heading));
        let Some(first) = lines.next() else { return Vec::new() };
        lines.take_while(|line| indent(line) > indent(first)).map(|line| line.trim().to_owned()).collect()
    }

    /// The rest of the first line with this in it.
    fn after(&self, mark: &str) -> String {
        self.text.lines().find_map(|line| line.trim().strip_prefix(mark)).unwrap_or_default().to_owned()
    }

    fn access(&self, mark: &str) -> String {
        self.text.lines().find_map(|line| line.trim().strip_prefix(mark)).unwrap_or("none").to_owned()
    }

    fn key(&self) -> String {
        match self.after("Public Key Algorithm: ").as_str() {
            "rsaEncryption" => format!("RSA {}", self.after("Public-Key: (").trim_end_matches(" bit)")),
            "id-ecPublicKey" => format!("ECDSA {}", self.after("NIST CURVE: ")),
            "ED25519" => "Ed25519".to_owned(),
            other => other.to_owned(),
        }
    }

    fn constraints(&self) -> String {
        let mut lists = [("permitted", Vec::new()), ("excluded", Vec::new())];
        let mut current = 0;
        for line in self.extension("Name Constraints") {
            match line.as_str() {
                "Permitted:" => current = 0,
                "Excluded:" => current = 1,
                name => lists[current].1.push(name.to_owned()),
            }
        }
        let critical = self.text.contains("X509v3 Name Constraints: critical");
        let lists = lists.iter().filter(|(_, names)| !names.is_empty()).map(|(list, names)| format!("{list} {}", names.join(", ")));
        critical.then(|| "critical".to_owned()).into_iter().chain(lists).collect::<Vec<_>>().join("; ")
    }

    /// Whether the renewal falls due as it should: so long before the end, and at most a twentieth of the lifetime earlier.
    fn renews(&self, leaf: &X509, value: &str) -> bool {
        let due = self.certificate.status.as_ref().and_then(|status| status.renewal_time.as_ref()).map(|time| time.0);
        let Some(due) = due else { return value == "never" };
        if let Some(window) = value.strip_prefix("on a ") {
            let words: Vec<&str> = window.split(' ').collect();
            let [day, "from", from, "to", to, "in", zone] = words.as_slice() else { panic!("{window:?} is no window") };
            let there = due.in_tz(zone).expect("a time zone").strftime("%A %H:%M").to_string();
            return there.split_once(' ').is_some_and(|(on, at)| on == *day && at >= *from && at <= *to);
        }
        if value == "never" {
            return false;
        }
        let latest = leaf.not_after() - duration(value);
        let spread = leaf.not_after().duration_since(leaf.not_before()) / 20;
        due <= latest && due >= latest - spread - SignedDuration::from_secs(1)
    }

    fn octets(&self, key: &str) -> Vec<u8> {
        self.secret.data.iter().flatten().find(|(found, _)| *found == key).map(|(_, value)| value.0.clone()).unwrap_or_default()
    }

    /// Whether a store opens with its password, as a program that is not ours has it, and holds what belongs into it.
    async fn store(&self, key: &str, value: &str) {
        let (how, password) = value.split_once("password ").unwrap_or_else(|| panic!("{key}: {value:?} has no password"));
        let of_key = key.starts_with("keystore");
        if Path::new(key).extension().is_some_and(|extension| extension == "jks") {
            let alias = how.trim_start_matches("alias ").trim_end_matches(", ");
            self.jks(&Store::of(self.secret, key, password), alias, of_key).await;
        } else {
            let folder = tempfile::tempdir().expect("a folder can be made");
            let path = folder.path().join(key);
            fs::write(&path, self.octets(key)).expect("it is writable");
            self.pkcs12(&path, how.starts_with("legacy"), password, of_key).await;
        }
    }

    async fn jks(&self, store: &Store, alias: &str, of_key: bool) {
        let held = if of_key { &self.content.chain } else { &self.content.roots };
        let serials = held.iter().map(|certificate| certificate.serial().to_string().trim_start_matches('0').to_owned()).collect();
        let wanted = Entry { alias: alias.to_owned(), key: of_key, serials };
        let entries = store.entries().await;
        assert!(entries.contains(&wanted), "{wanted:?} is not in {entries:?}");
    }

    async fn pkcs12(&self, path: &Path, legacy: bool, password: &str, of_key: bool) {
        let shown = Program::openssl()
            .args(["pkcs12", "-info", "-nodes", "-passin", &format!("pass:{password}")])
            .args(legacy.then_some("-legacy"))
            .args([Path::new("-in"), path])
            .finish()
            .await;
        assert!(shown.status.success(), "{shown:?}");
        let protection = if legacy { "pbeWithSHA1And3-KeyTripleDES-CBC" } else { "PBES2, PBKDF2, AES-256-CBC" };
        assert!(shown.stderr.contains(protection), "{protection} is not in {}", shown.stderr);
        let held = X509::bundle_from_pem(certificates(&shown.stdout).as_bytes()).expect("certificates");
        if of_key {
            assert!(held.contains(self.content.leaf()), "the certificate is not in the store");
            let key = Program::openssl().args(["pkey"]).stdin(shown.stdout).run().await;
            let own = Program::openssl().args(["pkey"]).stdin(self.content.key_text.clone()).run().await;
            assert_eq!(key, own, "the key in the store");
        } else {
            assert_eq!(held, self.content.roots, "the root in the store");
        }
    }
}

fn duration(text: &str) -> SignedDuration {
    text.parse::<GoDuration>().unwrap_or_else(|error| panic!("{text}: {error}")).get()
}

/// The octets in a PEM text.
fn inside(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    serde_json::from_value::<ByteString>(json!(base64)).expect("base64").0
}

/// The certificates among what openssl prints of a store.
fn certificates(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        inside |= line.contains("BEGIN CERTIFICATE");
        let wanted = inside;
        inside &= !line.contains("END CERTIFICATE");
        wanted
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}
