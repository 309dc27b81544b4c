//! The names of a certificate: its subject, its alternative names, and those that a CA may certify.

use std::collections::BTreeSet;

use chancery_pki::{Name, NameConstraints, NameSubtrees, San, SubjectParts};

use super::{certificate::MAX_NAME_OCTETS, error::SpecError, shared, text};
use crate::api::{
    certificate::{CertificateSpec, MAX_PATH_LEN, Subject},
    name_constraints::{MAX_CONSTRAINTS, NameSubtreesSpec},
    schema,
};

/// Reads one value of a list, or says what is wrong with it.
type Format<T> = fn(&str) -> Result<T, String>;

/// The subject, and the parts that it is made of.
pub(super) fn subject(spec: &CertificateSpec) -> Result<(Name, SubjectParts), SpecError> {
    if let Some(literal) = &spec.literal_subject {
        return literal_subject(spec, literal);
    }
    let parts = parts(spec)?;
    let name = Name::from_parts(&parts).map_err(|error| SpecError::new("spec.subject", error.to_string()))?;
    Ok((name, parts))
}

fn literal_subject(spec: &CertificateSpec, literal: &str) -> Result<(Name, SubjectParts), SpecError> {
    let wrong = |problem: String| SpecError::new("spec.literalSubject", problem);
    let names_otherwise = spec.common_name.as_ref().is_some_and(|name| !name.is_empty()) || spec.subject.is_some();
    if names_otherwise {
        return Err(wrong("it is the whole subject: commonName and subject exclude it".to_owned()));
    }
    if literal.chars().count() > schema::MAX_LITERAL_SUBJECT {
        return Err(wrong(format!("has more than {} characters", schema::MAX_LITERAL_SUBJECT)));
    }
    let name = Name::from_rfc4514(literal).map_err(|error| wrong(error.to_string()))?;
    if name.is_empty() {
        return Err(wrong("is empty: leave it out, or write a name as RFC 4514 does, CN=web,O=Shop".to_owned()));
    }
    let parts = name.known_parts();
    Ok((name, parts))
}

fn parts(spec: &CertificateSpec) -> Result<SubjectParts, SpecError> {
    let common_name = spec.common_name.clone().filter(|name| !name.is_empty());
    if let Some(name) = &common_name {
        text::attribute(name, 64).map_err(|problem| SpecError::new("spec.commonName", problem))?;
    }
    let Subject { organizations, countries, organizational_units, localities, provinces, street_addresses, postal_codes, serial_number } =
        spec.subject.clone().unwrap_or_default();
    let lists: [(&str, &[String], Format<()>); 7] = [
        ("organizations", &organizations, |value| text::attribute(value, 64)),
        ("countries", &countries, text::country),
        ("organizationalUnits", &organizational_units, |value| text::attribute(value, 64)),
        ("localities", &localities, |value| text::attribute(value, 128)),
        ("provinces", &provinces, |value| text::attribute(value, 128)),
        ("streetAddresses", &street_addresses, |value| text::attribute(value, 128)),
        ("postalCodes", &postal_codes, |value| text::attribute(value, 40)),
    ];
    for (list, values, format) in lists {
        let field = format!("spec.subject.{list}");
        shared::at_most(&field, values, schema::MAX_SUBJECT_VALUES)?;
        for (index, value) in values.iter().enumerate() {
            format(value).map_err(|problem| SpecError::new(format!("{field}[{index}]"), problem))?;
        }
    }
    let serial_number = serial_number.filter(|serial| !serial.is_empty());
    if let Some(serial) = &serial_number {
        text::printable(serial).map_err(|problem| SpecError::new("spec.subject.serialNumber", problem))?;
    }
    Ok(SubjectParts {
        common_name,
        organizations,
        countries,
        organizational_units,
        localities,
        provinces,
        street_addresses,
        postal_codes,
        serial_number,
    })
}

/// The alternative names.
pub(super) fn sans(spec: &CertificateSpec) -> Result<BTreeSet<San>, SpecError> {
    let lists: [(&str, &[String], usize, Format<San>); 4] = [
        ("dnsNames", &spec.dns_names, schema::MAX_DNS_NAMES, |name| valid(San::Dns(name.to_owned()))),
        ("ipAddresses", &spec.ip_addresses, schema::MAX_OTHER_NAMES, |address| text::ip(address).map(San::Ip)),
        ("uris", &spec.uris, schema::MAX_OTHER_NAMES, |uri| valid(San::Uri(uri.to_owned()))),
        ("emailAddresses", &spec.email_addresses, schema::MAX_OTHER_NAMES, |address| valid(San::Email(address.to_owned()))),
    ];
    let mut sans = BTreeSet::new();
    let mut octets = 0_usize;
    for (list, values, most, read) in lists {
        let field = format!("spec.{list}");
        shared::at_most(&field, values, most)?;
        for (index, value) in values.iter().enumerate() {
            let item = || format!("{field}[{index}]");
            if value.len() > schema::MAX_URI {
                return Err(SpecError::new(item(), format!("has more than {} characters", schema::MAX_URI)));
            }
            sans.insert(read(value).map_err(|problem| SpecError::new(item(), problem))?);
            octets = octets.saturating_add(value.len());
        }
        if octets > MAX_NAME_OCTETS {
            return Err(SpecError::new(field, TOO_MANY_OCTETS));
        }
    }
    shared::at_most("spec.otherNames", &spec.other_names, schema::MAX_OTHER_NAMES)?;
    for (index, other) in spec.other_names.iter().enumerate() {
        let name = San::Other { type_id: other.oid.clone(), value: other.utf8_value.clone() };
        sans.insert(valid(name).map_err(|problem| SpecError::new(format!("spec.otherNames[{index}]"), problem))?);
        octets = octets.saturating_add(other.utf8_value.len());
    }
    if octets > MAX_NAME_OCTETS {
        return Err(SpecError::new("spec.otherNames", TOO_MANY_OCTETS));
    }
    Ok(sans)
}

const TOO_MANY_OCTETS: &str = "all names of a certificate together have at most 64 KiB: ask for several certificates";

fn valid(san: San) -> Result<San, String> {
    san.validate().map_err(|error| error.to_string())?;
    Ok(san)
}

/// How many CAs may follow.
pub(super) fn path_len(spec: &CertificateSpec) -> Result<Option<u8>, SpecError> {
    let Some(length) = spec.path_len else { return Ok(None) };
    if !spec.is_ca {
        return Err(SpecError::new("spec.pathLen", "only a CA has a path length: needs isCA: true"));
    }
    match u8::try_from(length) {
        Ok(short) if length <= MAX_PATH_LEN => Ok(Some(short)),
        _ => Err(SpecError::new("spec.pathLen", format!("{length} is not between 0 and {MAX_PATH_LEN}"))),
    }
}

/// Which names a CA may certify.
pub(super) fn constraints(spec: &CertificateSpec) -> Result<Option<NameConstraints>, SpecError> {
    let Some(constraints) = &spec.name_constraints else { return Ok(None) };
    if !spec.is_ca {
        return Err(SpecError::new("spec.nameConstraints", "only a CA has name constraints: needs isCA: true"));
    }
    let side = |name: &str, subtrees: &Option<NameSubtreesSpec>| match subtrees {
        Some(subtrees) => self::subtrees(&format!("spec.nameConstraints.{name}"), subtrees),
        None => Ok(NameSubtrees::default()),
    };
    let constraints = NameConstraints {
        critical: constraints.critical,
        permitted: side("permitted", &constraints.permitted)?,
        excluded: side("excluded", &constraints.excluded)?,
    };
    constraints.validate().map_err(|error| SpecError::new("spec.nameConstraints", error.to_string()))?;
    Ok(Some(constraints))
}

fn subtrees(field: &str, spec: &NameSubtreesSpec) -> Result<NameSubtrees, SpecError> {
    for (list, values) in [
        ("dnsDomains", &spec.dns_domains),
        ("ipRanges", &spec.ip_ranges),
        ("emailAddresses", &spec.email_addresses),
        ("uriDomains", &spec.uri_domains),
    ] {
        shared::at_most(&format!("{field}.{list}"), values, MAX_CONSTRAINTS)?;
    }
    let mut ip_ranges = BTreeSet::new();
    for (index, range) in spec.ip_ranges.iter().enumerate() {
        let wrong = |_| {
            SpecError::new(
                format!("{field}.ipRanges[{index}]"),
                format!("{} is no range in CIDR notation, as 10.0.0.0/8 is", text::quoted(range)),
            )
        };
        ip_ranges.insert(range.parse().map_err(wrong)?);
    }
    let set = |values: &[String]| values.iter().cloned().collect();
    Ok(NameSubtrees {
        dns_domains: set(&spec.dns_domains),
        ip_ranges,
        email_addresses: set(&spec.email_addresses),
        uri_domains: set(&spec.uri_domains),
    })
}
