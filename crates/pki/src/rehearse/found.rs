//! What a certificate says, in words, as x509-parser reads it.
//!
//! It does not read freshestCRL, which has the syntax of cRLDistributionPoints: that is read as one.

use std::{collections::BTreeSet, net::IpAddr};

use x509_parser::{
    certificate::X509Certificate,
    extensions::{
        CRLDistributionPoints, DistributionPointName, ExtendedKeyUsage, GeneralName, GeneralSubtree, ParsedExtension, X509Extension,
    },
    prelude::FromDer,
    x509::X509Version,
};

use super::Facts;
use crate::{Hexadecimal, tlv};

/// What a certificate says.
pub(super) fn facts(der: &[u8]) -> Result<Facts, String> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err("something follows the certificate".to_owned());
    }
    if certificate.signature != certificate.signature_algorithm {
        return Err("it names two signature algorithms".to_owned());
    }
    let mut facts = Facts::new();
    let mut put = |field: &str, fact: String| facts.insert(field.to_owned(), fact);
    put("version", if certificate.version() == X509Version::V3 { "3".to_owned() } else { format!("{:?}", certificate.version()) });
    put("serialNumber", Hexadecimal(without_leading_zero(certificate.raw_serial())).to_string());
    put("issuer", Hexadecimal(certificate.issuer().as_raw()).to_string());
    put("subject", Hexadecimal(certificate.subject().as_raw()).to_string());
    put("notBefore", certificate.validity().not_before.timestamp().to_string());
    put("notAfter", certificate.validity().not_after.timestamp().to_string());
    put("subjectPublicKeyInfo", Hexadecimal(certificate.public_key().raw).to_string());
    for extension in certificate.extensions() {
        let (field, fact) = of(extension)?;
        if put(&field, format!("{}{fact}", if extension.critical { "critical " } else { "" })).is_some() {
            return Err(format!("{field} stands in it twice"));
        }
    }
    Ok(facts)
}

fn without_leading_zero(octets: &[u8]) -> &[u8] {
    match octets {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => octets,
    }
}

fn of(extension: &X509Extension<'_>) -> Result<(String, String), String> {
    let oid = extension.oid.to_id_string();
    let fact = |field: &str, fact: String| Ok((field.to_owned(), fact));
    match extension.parsed_extension() {
        ParsedExtension::KeyUsage(usage) => {
            let bits: BTreeSet<u8> = (0..16).filter(|bit| usage.flags & (1_u16 << bit) != 0).collect();
            fact("keyUsage", format!("{bits:?}"))
        }
        ParsedExtension::ExtendedKeyUsage(usage) => fact("extKeyUsage", format!("{:?}", purposes(usage))),
        ParsedExtension::BasicConstraints(constraints) => {
            fact("basicConstraints", format!("ca {} {:?}", constraints.ca, constraints.path_len_constraint))
        }
        ParsedExtension::SubjectKeyIdentifier(identifier) => fact("subjectKeyIdentifier", Hexadecimal(identifier.0).to_string()),
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            let alone = identifier.authority_cert_issuer.is_none() && identifier.authority_cert_serial.is_none();
            let octets = identifier.key_identifier.as_ref().filter(|_| alone).ok_or("authorityKeyIdentifier is no key identifier alone")?;
            fact("authorityKeyIdentifier", Hexadecimal(octets.0).to_string())
        }
        ParsedExtension::AuthorityInfoAccess(access) => {
            let each =
                access.iter().map(|access| Ok(format!("{} {}", access.access_method.to_id_string(), name(&access.access_location)?)));
            fact("authorityInfoAccess", format!("{:?}", each.collect::<Result<Vec<_>, String>>()?))
        }
        ParsedExtension::SubjectAlternativeName(names) => {
            fact("subjectAltName", format!("{:?}", names.general_names.iter().map(name).collect::<Result<Vec<_>, _>>()?))
        }
        ParsedExtension::NameConstraints(constraints) => {
            let side = |subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
                subtrees.iter().flatten().map(|subtree| self::subtree(&subtree.base)).collect::<Result<BTreeSet<_>, _>>()
            };
            let (permitted, excluded) = (side(&constraints.permitted_subtrees)?, side(&constraints.excluded_subtrees)?);
            fact("nameConstraints", format!("permitted {permitted:?} excluded {excluded:?}"))
        }
        ParsedExtension::CRLDistributionPoints(points) => fact("cRLDistributionPoints", one_point(points)?),
        _ if oid == "2.5.29.46" => {
            let (_, points) = CRLDistributionPoints::from_der(extension.value).map_err(|error| format!("freshestCRL: {error}"))?;
            fact("freshestCRL", one_point(&points)?)
        }
        _ if oid == "1.3.6.1.5.5.7.48.1.5" => fact("ocspNoCheck", Hexadecimal(extension.value).to_string()),
        _ => fact(&oid, Hexadecimal(extension.value).to_string()),
    }
}

fn purposes(usage: &ExtendedKeyUsage<'_>) -> BTreeSet<String> {
    let known = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let known = known.into_iter().filter(|(there, _)| *there).map(|(_, oid)| oid.to_owned());
    known.chain(usage.other.iter().map(x509_parser::oid_registry::Oid::to_id_string)).collect()
}

fn name(name: &GeneralName<'_>) -> Result<String, String> {
    Ok(match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::RFC822Name(address) => format!("email:{address}"),
        GeneralName::IPAddress(octets) => format!("IP:{}", Hexadecimal(octets)),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::OtherName(oid, value) => format!("otherName:{} {}", oid.to_id_string(), utf8(value)?),
        other => return Err(format!("a name of another form: {other:?}")),
    })
}

/// The text of an otherName: a UTF8String under the tag `[0]`.
fn utf8(value: &[u8]) -> Result<String, String> {
    let inner = tlv::only(value, 0xa0).and_then(|outer| tlv::only(outer.contents, 0x0c)).map_err(|_| "an otherName is no UTF8String")?;
    String::from_utf8(inner.contents.to_vec()).map_err(|_| "an otherName is no UTF-8".to_owned())
}

fn subtree(base: &GeneralName<'_>) -> Result<String, String> {
    let GeneralName::IPAddress(octets) = base else {
        return name(base);
    };
    let (address, mask): (IpAddr, u32) = match octets.len() {
        8 => {
            let (address, mask) = octets.split_at(4);
            (<[u8; 4]>::try_from(address).map_err(|_| "a range")?.into(), ones(mask)?)
        }
        32 => {
            let (address, mask) = octets.split_at(16);
            (<[u8; 16]>::try_from(address).map_err(|_| "a range")?.into(), ones(mask)?)
        }
        length => return Err(format!("a range of IP addresses in {length} octets")),
    };
    Ok(format!("IP:{address}/{mask}"))
}

/// How many ones a mask begins with, where only zeros follow.
fn ones(mask: &[u8]) -> Result<u32, String> {
    let bits: Vec<bool> = mask.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet & (1 << bit) != 0)).collect();
    let ones = bits.iter().take_while(|bit| **bit).count();
    if bits.iter().skip(ones).any(|bit| *bit) {
        return Err("a mask with holes".to_owned());
    }
    u32::try_from(ones).map_err(|_| "a mask".to_owned())
}

fn one_point(points: &CRLDistributionPoints<'_>) -> Result<String, String> {
    let [point] = points.points.as_slice() else {
        return Err(format!("{} distribution points", points.points.len()));
    };
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) if point.reasons.is_none() && point.crl_issuer.is_none() => {
            Ok(format!("{:?}", names.iter().map(name).collect::<Result<Vec<_>, _>>()?))
        }
        _ => Err("a distribution point that is no list of URIs alone".to_owned()),
    }
}
