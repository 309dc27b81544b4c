//! A certificate as a person wants to read it.

use chancery_pki::{Certificate, Hexadecimal, NameSubtrees, PublicKey};
use jiff::Timestamp;
use serde::Serialize;

use crate::plugin::span::{span, when};

/// A certificate in words. The names of its fields are an interface.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The subject, as RFC 4514 has it.
    pub subject: String,
    /// The issuer's subject.
    pub issuer: String,
    /// The serial number, in hexadecimal.
    pub serial_number: String,
    /// The begin of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Its key.
    pub key: Key,
    /// What it is signed with: a name, or an object identifier.
    pub signature_algorithm: String,
    /// Who signed it, among what is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The alternative names.
    pub names: Vec<String>,
    /// Whether there are other alternative names, which cannot be shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_other_names: bool,
    /// The usages.
    pub usages: Vec<&'static str>,
    /// Whether it is a CA's.
    #[serde(rename = "isCA")]
    pub is_ca: bool,
    /// How many CAs may stand below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u8>,
    /// Which names may stand below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<Constraints>,
    /// Its key identifier extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_key_identifier: Option<String>,
    /// That of its issuer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_key_identifier: Option<String>,
    /// Where its revocation lists are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crl_distribution_points: Vec<String>,
    /// Where the deltas to these are.
    #[serde(rename = "freshestCRLs", skip_serializing_if = "Vec::is_empty")]
    pub freshest_crls: Vec<String>,
    /// Who answers by OCSP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ocsp_servers: Vec<String>,
    /// Where its issuer's certificate is.
    #[serde(rename = "issuingCertificateURLs", skip_serializing_if = "Vec::is_empty")]
    pub issuing_certificate_urls: Vec<String>,
    /// Whether its own revocation is not to be asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ocsp_no_check: bool,
    /// The SHA-256 of its DER.
    pub sha256: String,
}

/// A public key in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// As `ECDSA P-256` or `RSA 2048`.
    pub algorithm: String,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub id: String,
    /// Why it must not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakness: Option<String>,
}

/// Name constraints in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Constraints {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Names that may stand below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permitted: Vec<String>,
    /// Names that may not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Whether there are constraints on other forms of names, which cannot be shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_others: bool,
}

impl Key {
    /// A key in words.
    pub fn of(key: &PublicKey) -> Self {
        Self {
            algorithm: key.algorithm().map_or_else(|| "of an unknown kind".to_owned(), |algorithm| algorithm.to_string()),
            id: key.key_id().to_string(),
            weakness: key.weakness().map(|weakness| weakness.to_string()),
        }
    }
}

impl Described {
    /// A certificate in words; who signed it is said by whoever knows the others.
    pub fn of(certificate: &Certificate) -> Self {
        let hexadecimal = |octets: &[u8]| Hexadecimal(octets).to_string();
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: certificate.serial().to_string(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            key: Key::of(certificate.public_key()),
            signature_algorithm: signature_algorithm(certificate),
            signed_by: None,
            names: certificate.sans().iter().map(ToString::to_string).collect(),
            has_other_names: certificate.has_unknown_sans(),
            usages: certificate.usages().iter().map(chancery_pki::Usage::as_str).collect(),
            is_ca: certificate.ca().is_some(),
            path_length: certificate.ca().and_then(|ca| ca.path_len),
            name_constraints: certificate.name_constraints().map(|constraints| Constraints {
                critical: constraints.critical,
                permitted: subtrees(&constraints.permitted),
                excluded: subtrees(&constraints.excluded),
                has_others: certificate.has_unknown_name_constraints(),
            }),
            subject_key_identifier: certificate.subject_key_identifier().map(hexadecimal),
            authority_key_identifier: certificate.authority_key_identifier().map(hexadecimal),
            crl_distribution_points: certificate.crl_distribution_points().to_vec(),
            freshest_crls: certificate.freshest_crls().to_vec(),
            ocsp_servers: certificate.ocsp_servers().to_vec(),
            issuing_certificate_urls: certificate.issuing_certificate_urls().to_vec(),
            ocsp_no_check: certificate.has_ocsp_no_check(),
            sha256: certificate.sha256(),
        }
    }

    /// Names and values, in the order in which they are read.
    pub(super) fn fields(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let listed = |values: &[String]| values.join(", ");
        let mut fields = vec![
            ("Subject", if self.subject.is_empty() { "none".to_owned() } else { self.subject.clone() }),
            ("Issuer", self.issuer.clone()),
            ("Serial", self.serial_number.clone()),
            ("Valid", format!("{} to {} ({})", self.not_before, self.not_after, self.validity(now))),
            ("Key", self.key.algorithm.clone()),
            ("Key ID", self.key.id.clone()),
            ("Signature", self.signature_algorithm.clone()),
        ];
        let mut add = |name, value: Option<String>| fields.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
        add("Signed by", self.signed_by.clone());
        let others = self.has_other_names.then(|| "others, which cannot be shown".to_owned());
        add("Names", Some(self.names.iter().cloned().chain(others).collect::<Vec<_>>().join(", ")));
        add("Usages", Some(self.usages.join(", ")));
        add(
            "CA",
            Some(match (self.is_ca, self.path_length) {
                (false, _) => "no".to_owned(),
                (true, None) => "yes".to_owned(),
                (true, Some(0)) => "yes, of certificates that are no CA's".to_owned(),
                (true, Some(length)) => format!("yes, {length} CAs may stand below it"),
            }),
        );
        if let Some(constraints) = &self.name_constraints {
            add("Permits", Some(listed(&constraints.permitted)));
            add("Excludes", Some(listed(&constraints.excluded)));
            add("Constrains", constraints.has_others.then(|| "other forms of names, which cannot be shown".to_owned()));
        }
        add("Subject key", self.subject_key_identifier.clone());
        add("Authority key", self.authority_key_identifier.clone());
        add("CRL", Some(listed(&self.crl_distribution_points)));
        add("Delta CRL", Some(listed(&self.freshest_crls)));
        add("OCSP", Some(listed(&self.ocsp_servers)));
        add("CA issuers", Some(listed(&self.issuing_certificate_urls)));
        add("OCSP nocheck", self.ocsp_no_check.then(|| "yes: nobody asks for its revocation".to_owned()));
        add("SHA-256", Some(self.sha256.clone()));
        fields
    }

    fn validity(&self, now: Timestamp) -> String {
        if now < self.not_before {
            format!("begins {}", when(self.not_before, now))
        } else if now.as_second() > self.not_after.as_second() {
            format!("ended {}", when(self.not_after, now))
        } else {
            format!("of {}, ends {}", span(self.not_after.duration_since(self.not_before)), when(self.not_after, now))
        }
    }
}

/// The name of what a certificate is signed with, else its object identifier.
pub(super) fn signature_algorithm(certificate: &Certificate) -> String {
    certificate.signature_algorithm().map_or_else(
        || {
            let oid = certificate.signature_algorithm_oid().to_string();
            OLD.iter().find(|(known, _)| *known == oid).map_or(oid, |(_, name)| (*name).to_owned())
        },
        |known| known.as_str().to_owned(),
    )
}

/// Signature algorithms that nobody should rely on any more.
const OLD: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.4", "MD5WithRSA"),
    ("1.2.840.113549.1.1.5", "SHA1WithRSA"),
    ("1.2.840.10045.4.1", "ECDSAWithSHA1"),
    ("1.2.840.10040.4.3", "DSAWithSHA1"),
];

/// Whether what it is signed with is one of those that others can forge.
pub(super) fn is_forgeable(certificate: &Certificate) -> bool {
    let oid = certificate.signature_algorithm_oid().to_string();
    OLD.iter().any(|(known, _)| *known == oid)
}

fn subtrees(names: &NameSubtrees) -> Vec<String> {
    let dns = names.dns_domains.iter().map(|domain| format!("DNS:{domain}"));
    let ranges = names.ip_ranges.iter().map(|range| format!("IP:{range}"));
    let mail = names.email_addresses.iter().map(|address| format!("email:{address}"));
    let uris = names.uri_domains.iter().map(|domain| format!("URI:{domain}"));
    dns.chain(ranges).chain(mail).chain(uris).collect()
}
