//! What another operator left: a certificate as cert-manager has it made, and its Secret.
//!
//! Facts of cert-manager v1.21, which is written in Go: what its template says, and how Go writes names.

use std::sync::Arc;

use chancery_pki::{
    CaConstraints, KeyAlgorithm, KeyEncoding, Name, PrivateKey, SerialNumber, SignatureAlgorithm, SubjectParts, Template, Usage,
};
use jiff::{SignedDuration, Timestamp};

use super::{Desk, Office, blank};
use crate::{
    api::Wanted,
    plan::{
        dress,
        observed::{Content, SecretRead},
        renewal::add,
    },
};

/// The template that cert-manager makes of a spec, an hour ago.
pub(crate) fn cert_manager_template(wanted: &Wanted, serial: u8, now: Timestamp) -> Template {
    let not_before = add(now, -SignedDuration::from_hours(1));
    let duration = wanted.duration.unwrap_or(SignedDuration::from_hours(2160));
    // Whatever the key is.
    let mut usages = wanted.usages.clone().unwrap_or_else(|| [Usage::DigitalSignature, Usage::KeyEncipherment].into());
    if wanted.is_ca {
        usages.insert(Usage::CertSign);
    }
    let mut octets = [0x7f; 20];
    octets[19] = serial;
    Template {
        serial: SerialNumber::from_octets(&octets).unwrap(),
        subject: if wanted.literal { wanted.subject.clone() } else { go_subject(&wanted.subject_parts) },
        sans: wanted.sans.iter().cloned().collect(),
        not_before,
        not_after: add(not_before, duration),
        usages: usages.into_iter().collect(),
        ca: wanted.is_ca.then_some(CaConstraints { path_len: None }),
        name_constraints: wanted.name_constraints.clone(),
        // Whatever the spec asks for.
        self_signature: None,
        crl_distribution_points: Vec::new(),
        ocsp_servers: Vec::new(),
        issuing_certificate_urls: Vec::new(),
        freshest_crls: Vec::new(),
        ocsp_no_check: false,
    }
}

/// The key that cert-manager makes where the spec says nothing of it.
pub(crate) fn cert_manager_key(wanted: &Wanted) -> (KeyAlgorithm, KeyEncoding) {
    // It refuses a signature that does not go with the kind of key.
    let by_signature = || wanted.signature.map_or(KeyAlgorithm::Rsa { bits: 2048 }, SignatureAlgorithm::usual_key);
    let key = wanted.key.unwrap_or_else(by_signature);
    let encoding = if key == KeyAlgorithm::Ed25519 { KeyEncoding::Pkcs8 } else { wanted.encoding.unwrap_or(KeyEncoding::Pkcs1) };
    (key, encoding)
}

/// One set for all values of an attribute, and the attributes in an order of their own.
fn go_subject(parts: &SubjectParts) -> Name {
    let lists: [(&str, &[String]); 9] = [
        ("C", &parts.countries),
        ("O", &parts.organizations),
        ("OU", &parts.organizational_units),
        ("L", &parts.localities),
        ("ST", &parts.provinces),
        ("STREET", &parts.street_addresses),
        ("POSTALCODE", &parts.postal_codes),
        ("CN", parts.common_name.as_slice()),
        ("SERIALNUMBER", parts.serial_number.as_slice()),
    ];
    let special = |character: char| ",+\"\\<>;#= ".contains(character);
    let escaped = |value: &String| -> String {
        value.chars().flat_map(|character| special(character).then_some('\\').into_iter().chain([character])).collect()
    };
    let set = |(attribute, values): &(&str, &[String])| {
        values.iter().map(|value| format!("{attribute}={}", escaped(value))).collect::<Vec<_>>().join("+")
    };
    let text: Vec<String> = lists.iter().rev().filter(|(_, values)| !values.is_empty()).map(set).collect();
    Name::from_rfc4514(&text.join(",")).unwrap()
}

impl Desk {
    /// The Secret is one that cert-manager made for a Certificate of this name.
    pub(crate) fn find(&mut self, office: &Office, template: &Template, key: Arc<PrivateKey>, encoding: KeyEncoding) {
        let certificate = office.sign(template, &key);
        let chain = dress::chain_text(&certificate, office.authority());
        let mut certificates = vec![certificate];
        if let Some(authority) = office.authority() {
            certificates.extend(authority.chain.without_root());
        }
        let notes = [("certificate-name", "web"), ("issuer-name", "ca"), ("issuer-kind", "Issuer"), ("issuer-group", "cert-manager.io")];
        let notes = notes.into_iter().chain([("alt-names", ""), ("ip-sans", ""), ("uri-sans", ""), ("common-name", "")]);
        self.version += 1;
        self.secret = Some(SecretRead {
            resource_version: self.version.to_string(),
            annotations: notes.map(|(suffix, value)| (format!("cert-manager.io/{suffix}"), value.to_owned())).collect(),
            labels: [("controller.cert-manager.io/fao".to_owned(), "true".to_owned())].into(),
            content: Content::Pair { certificates, key },
            key_encoding: Some(encoding),
            chain,
            ..blank()
        });
    }
}
