//! What a template asks for, in words.

use std::{collections::BTreeSet, net::IpAddr};

use super::Facts;
use crate::{Hexadecimal, NameConstraints, NameSubtrees, PublicKey, San, Template, Usage, issue::Under};

/// What a certificate is to say.
pub(super) fn facts(template: &Template, subject_key: &PublicKey, under: &Under) -> Facts {
    let mut facts = Facts::new();
    let mut put = |field: &str, fact: String| drop(facts.insert(field.to_owned(), fact));
    put("version", "3".to_owned());
    put("serialNumber", Hexadecimal(template.serial.as_octets()).to_string());
    put("issuer", Hexadecimal(under.name.as_der()).to_string());
    put("subject", Hexadecimal(template.subject.as_der()).to_string());
    put("notBefore", template.not_before.as_second().to_string());
    put("notAfter", template.not_after.as_second().to_string());
    put("subjectPublicKeyInfo", Hexadecimal(subject_key.spki_der()).to_string());
    let (bits, purposes) = usages(template);
    if !bits.is_empty() {
        put("keyUsage", format!("critical {bits:?}"));
    }
    if !purposes.is_empty() {
        put("extKeyUsage", format!("{purposes:?}"));
    }
    let path_len = template.ca.and_then(|ca| ca.path_len).map(u32::from);
    put("basicConstraints", format!("critical ca {} {path_len:?}", template.ca.is_some()));
    put("subjectKeyIdentifier", Hexadecimal(&subject_key.subject_key_identifier()).to_string());
    if let Some(identifier) = &under.key_identifier {
        put("authorityKeyIdentifier", Hexadecimal(identifier).to_string());
    }
    let ocsp = template.ocsp_servers.iter().map(|url| format!("1.3.6.1.5.5.7.48.1 URI:{url}"));
    let access: Vec<_> = ocsp.chain(template.issuing_certificate_urls.iter().map(|url| format!("1.3.6.1.5.5.7.48.2 URI:{url}"))).collect();
    if !access.is_empty() {
        put("authorityInfoAccess", format!("{access:?}"));
    }
    if !template.sans.is_empty() {
        let mut seen = BTreeSet::new();
        let names: Vec<_> = template.sans.iter().filter(|san| seen.insert(*san)).map(san).collect();
        put("subjectAltName", format!("{}{names:?}", if template.subject.is_empty() { "critical " } else { "" }));
    }
    if let Some(constraints) = &template.name_constraints {
        put("nameConstraints", constrained(constraints));
    }
    for (field, urls) in [("cRLDistributionPoints", &template.crl_distribution_points), ("freshestCRL", &template.freshest_crls)] {
        if !urls.is_empty() {
            put(field, format!("{:?}", urls.iter().map(|url| format!("URI:{url}")).collect::<Vec<_>>()));
        }
    }
    if template.ocsp_no_check {
        put("ocspNoCheck", "0500".to_owned());
    }
    facts
}

/// The bits of keyUsage (RFC 5280 section 4.2.1.3) and the purposes of extKeyUsage, from a table of their own.
fn usages(template: &Template) -> (BTreeSet<u8>, BTreeSet<&'static str>) {
    let (mut bits, mut purposes) = (BTreeSet::new(), BTreeSet::new());
    if template.ca.is_some() {
        bits.insert(5);
    }
    for usage in &template.usages {
        match usage {
            Usage::Signing | Usage::DigitalSignature => drop(bits.insert(0)),
            Usage::ContentCommitment => drop(bits.insert(1)),
            Usage::KeyEncipherment => drop(bits.insert(2)),
            Usage::DataEncipherment => drop(bits.insert(3)),
            Usage::KeyAgreement => drop(bits.insert(4)),
            Usage::CertSign => drop(bits.insert(5)),
            Usage::CrlSign => drop(bits.insert(6)),
            Usage::EncipherOnly => drop(bits.insert(7)),
            Usage::DecipherOnly => drop(bits.insert(8)),
            Usage::Any => drop(purposes.insert("2.5.29.37.0")),
            Usage::ServerAuth => drop(purposes.insert("1.3.6.1.5.5.7.3.1")),
            Usage::ClientAuth => drop(purposes.insert("1.3.6.1.5.5.7.3.2")),
            Usage::CodeSigning => drop(purposes.insert("1.3.6.1.5.5.7.3.3")),
            Usage::EmailProtection | Usage::SMime => drop(purposes.insert("1.3.6.1.5.5.7.3.4")),
            Usage::IpsecEndSystem => drop(purposes.insert("1.3.6.1.5.5.7.3.5")),
            Usage::IpsecTunnel => drop(purposes.insert("1.3.6.1.5.5.7.3.6")),
            Usage::IpsecUser => drop(purposes.insert("1.3.6.1.5.5.7.3.7")),
            Usage::Timestamping => drop(purposes.insert("1.3.6.1.5.5.7.3.8")),
            Usage::OcspSigning => drop(purposes.insert("1.3.6.1.5.5.7.3.9")),
            Usage::MicrosoftSgc => drop(purposes.insert("1.3.6.1.4.1.311.10.3.3")),
            Usage::NetscapeSgc => drop(purposes.insert("2.16.840.1.113730.4.1")),
        }
    }
    (bits, purposes)
}

fn san(san: &San) -> String {
    match san {
        San::Dns(name) => format!("DNS:{name}"),
        San::Email(address) => format!("email:{address}"),
        San::Ip(IpAddr::V4(address)) => format!("IP:{}", Hexadecimal(&address.octets())),
        San::Ip(IpAddr::V6(address)) => format!("IP:{}", Hexadecimal(&address.octets())),
        San::Uri(uri) => format!("URI:{uri}"),
        San::Other { type_id, value } => format!("otherName:{type_id} {value}"),
    }
}

/// Each side's subtrees, whatever their order.
fn constrained(constraints: &NameConstraints) -> String {
    let side = |subtrees: &NameSubtrees| -> BTreeSet<String> {
        let dns = subtrees.dns_domains.iter().map(|domain| format!("DNS:{domain}"));
        let email = subtrees.email_addresses.iter().map(|address| format!("email:{address}"));
        let uri = subtrees.uri_domains.iter().map(|domain| format!("URI:{domain}"));
        let ip = subtrees.ip_ranges.iter().map(|range| format!("IP:{range}"));
        dns.chain(email).chain(uri).chain(ip).collect()
    };
    let critical = if constraints.critical { "critical " } else { "" };
    format!("{critical}permitted {:?} excluded {:?}", side(&constraints.permitted), side(&constraints.excluded))
}
