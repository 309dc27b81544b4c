//! Making a list: the entries are written one by one into the buffer that becomes the list, and that is all there is of it.

use der::Encode;

use crate::{Certificate, CrlError, CrlTemplate, Reason, Revoked, Signer, der_time, san, tlv, tlv::tag};

use super::{CrlNumber, URI, oid};

/// Version 2 (RFC 5280 section 5.1.2.1).
const VERSION: u8 = 1;

/// Makes and signs a list of version 2 (RFC 5280 section 5): the DER of a CertificateList.
///
/// The issuer's name is the subject of its certificate, octet for octet, and so is the authorityKeyIdentifier its
/// subjectKeyIdentifier (or, where it has none, that of its key). The entries stand in the order in which they come.
///
/// # Errors
/// When the issuer's certificate may not sign lists, the signer's key is not the issuer's, a time, URI or entry cannot
/// stand in such a list, or the signer does not sign.
pub fn sign_crl<'a>(
    template: &CrlTemplate,
    entries: impl Iterator<Item = &'a Revoked>,
    issuer: &Certificate,
    signer: &dyn Signer,
) -> Result<Vec<u8>, CrlError> {
    check(template, issuer, signer)?;
    let algorithm = signer.signature_algorithm().to_der().map_err(|_| CrlError::Algorithm)?;
    let mut list = Vec::new();
    tlv::nest(&mut list, tag::SEQUENCE, |out| {
        let start = out.len();
        tlv::nest(out, tag::SEQUENCE, |out| to_be_signed(out, template, entries, issuer, &algorithm))?;
        let signature = signer.sign(&out[start..])?;
        out.extend_from_slice(&algorithm);
        tlv::write_bits(out, &signature);
        Ok(())
    })
    .map(|()| list)
}

fn check(template: &CrlTemplate, issuer: &Certificate, signer: &dyn Signer) -> Result<(), CrlError> {
    if signer.public_key() != issuer.public_key() {
        return Err(CrlError::WrongSigner { issuer: issuer.key_id(), signer: signer.public_key().key_id() });
    }
    if !issuer.may_sign_lists() {
        return Err(CrlError::MayNotSign { issuer: issuer.subject().to_string() });
    }
    if issuer.subject().is_empty() {
        return Err(CrlError::IssuerWithoutName);
    }
    if template.next_update.as_second() <= template.this_update.as_second() {
        return Err(CrlError::NoValidity { this_update: template.this_update, next_update: template.next_update });
    }
    if let Some(base) = template.delta_base {
        if base > template.number {
            return Err(CrlError::DeltaBase { number: template.number, base });
        }
        if !template.freshest.is_empty() {
            return Err(CrlError::FreshestInDelta);
        }
    }
    Ok(template.distribution_point.iter().chain(&template.freshest).try_for_each(|uri| san::check_uri(uri))?)
}

fn to_be_signed<'a>(
    out: &mut Vec<u8>,
    template: &CrlTemplate,
    entries: impl Iterator<Item = &'a Revoked>,
    issuer: &Certificate,
    algorithm: &[u8],
) -> Result<(), CrlError> {
    tlv::write_unsigned(out, &[VERSION]);
    out.extend_from_slice(algorithm);
    out.extend_from_slice(issuer.subject().as_der());
    der_time::write(out, template.this_update)?;
    der_time::write(out, template.next_update)?;
    let mut entries = entries.peekable();
    // An empty list of entries may not be there (RFC 5280 section 5.1.2.6).
    if entries.peek().is_some() {
        tlv::nest(out, tag::SEQUENCE, |out| {
            for entry in entries {
                if entry.reason == Reason::RemoveFromCrl && template.delta_base.is_none() {
                    return Err(CrlError::RemoveFromFull { serial: entry.serial.clone() });
                }
                tlv::nest(out, tag::SEQUENCE, |out| write_entry(out, entry))?;
            }
            Ok(())
        })?;
    }
    tlv::wrap(out, tag::constructed(0), |out| tlv::wrap(out, tag::SEQUENCE, |out| write_extensions(out, template, issuer)));
    Ok(())
}

fn write_entry(out: &mut Vec<u8>, entry: &Revoked) -> Result<(), CrlError> {
    tlv::write_unsigned(out, entry.serial.as_octets());
    der_time::write(out, entry.time)?;
    if entry.reason == Reason::Unspecified && entry.invalidity_date.is_none() {
        return Ok(());
    }
    let date = entry.invalidity_date.map(der_time::generalized).transpose()?;
    tlv::wrap(out, tag::SEQUENCE, |out| {
        if entry.reason != Reason::Unspecified {
            tlv::write_extension(out, oid::REASON, false, |out| tlv::write(out, tag::ENUMERATED, &[entry.reason.code()]));
        }
        if let Some(date) = date {
            tlv::write_extension(out, oid::INVALIDITY_DATE, false, |out| tlv::write(out, tag::GENERALIZED_TIME, &date));
        }
    });
    Ok(())
}

fn write_extensions(out: &mut Vec<u8>, template: &CrlTemplate, issuer: &Certificate) {
    tlv::write_extension(out, oid::AUTHORITY_KEY_IDENTIFIER, false, |out| {
        let identifier = issuer.identifier_for_issued();
        tlv::wrap(out, tag::SEQUENCE, |out| tlv::write(out, tag::context(0), &identifier));
    });
    tlv::write_extension(out, oid::CRL_NUMBER, false, |out| write_number(out, template.number));
    if let Some(base) = template.delta_base {
        tlv::write_extension(out, oid::DELTA_INDICATOR, true, |out| write_number(out, base));
    }
    if !template.distribution_point.is_empty() {
        tlv::write_extension(out, oid::ISSUING_DISTRIBUTION_POINT, true, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| write_distribution_point_name(out, &template.distribution_point));
        });
    }
    if !template.freshest.is_empty() {
        tlv::write_extension(out, oid::FRESHEST, false, |out| write_distribution_points(out, &template.freshest));
    }
}

fn write_number(out: &mut Vec<u8>, number: CrlNumber) {
    let octets = number.to_octets();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    tlv::write_unsigned(out, &octets[zeros..]);
}

/// `CRLDistributionPoints` with one distribution point of these URIs (RFC 5280 section 4.2.1.13).
fn write_distribution_points(out: &mut Vec<u8>, uris: &[String]) {
    tlv::wrap(out, tag::SEQUENCE, |out| tlv::wrap(out, tag::SEQUENCE, |out| write_distribution_point_name(out, uris)));
}

/// The field `distributionPoint [0]` with a `fullName [0]`. The choice within makes the outer tag explicit.
fn write_distribution_point_name(out: &mut Vec<u8>, uris: &[String]) {
    let write_names = |out: &mut Vec<u8>| uris.iter().for_each(|uri| tlv::write(out, tag::context(URI), uri.as_bytes()));
    tlv::wrap(out, tag::constructed(0), |out| tlv::wrap(out, tag::constructed(0), write_names));
}
