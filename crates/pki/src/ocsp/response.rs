//! Answering (RFC 6960 section 4.2).

use const_oid::db::rfc6960::ID_PKIX_OCSP_BASIC;
use der::Encode;
use jiff::Timestamp;

use crate::{
    Certificate, OcspAnswer, OcspError, OcspStatus, Reason, Signer, Usage, der_time,
    tlv::{self, tag},
};

use super::{
    cert_id::sha1,
    field,
    request::{is_nonce, write_nonce},
};

/// Makes and signs an answer: the DER of an OCSPResponse, with the responder's certificate in it.
///
/// The responder is the issuer itself, or one that the issuer certified for `ocsp signing` (which of the issuer's it is, is
/// the caller's to see to). It is named by the SHA-1 of its key.
///
/// # Errors
/// When the responder's certificate may not sign answers, the signer's key is not the responder's, there is no answer, a
/// time or the nonce cannot stand in one, or the signer does not sign.
pub fn sign_ocsp(
    answers: &[OcspAnswer],
    produced_at: Timestamp,
    nonce: Option<&[u8]>,
    responder: &Certificate,
    signer: &dyn Signer,
) -> Result<Vec<u8>, OcspError> {
    check(answers, nonce, responder, signer)?;
    let algorithm = signer.signature_algorithm().to_der().map_err(|_| OcspError::Algorithm)?;
    let mut response = Vec::with_capacity(512 + responder.as_der().len() + 160 * answers.len());
    tlv::nest(&mut response, tag::SEQUENCE, |out| {
        // successful(0)
        tlv::write(out, tag::ENUMERATED, &[0]);
        tlv::nest(out, field::RESPONSE_BYTES, |out| {
            tlv::nest(out, tag::SEQUENCE, |out| {
                tlv::write(out, tag::OBJECT_IDENTIFIER, ID_PKIX_OCSP_BASIC.as_bytes());
                tlv::nest(out, tag::OCTET_STRING, |out| {
                    tlv::nest(out, tag::SEQUENCE, |out| basic(out, answers, produced_at, nonce, responder, signer, &algorithm))
                })
            })
        })
    })
    .map(|()| response)
}

fn check(answers: &[OcspAnswer], nonce: Option<&[u8]>, responder: &Certificate, signer: &dyn Signer) -> Result<(), OcspError> {
    if signer.public_key() != responder.public_key() {
        return Err(OcspError::WrongSigner { responder: responder.key_id(), signer: signer.public_key().key_id() });
    }
    if responder.ca().is_none() && !responder.usages().contains(&Usage::OcspSigning) {
        return Err(OcspError::MayNotAnswer { responder: responder.subject().to_string() });
    }
    if let Some(nonce) = nonce.filter(|nonce| !is_nonce(nonce)) {
        return Err(OcspError::Nonce { octets: nonce.len() });
    }
    if answers.is_empty() {
        return Err(OcspError::NoAnswer);
    }
    let without_validity = |answer: &&OcspAnswer| answer.next_update.as_second() <= answer.this_update.as_second();
    match answers.iter().find(without_validity) {
        Some(&OcspAnswer { this_update, next_update, .. }) => Err(OcspError::NoValidity { this_update, next_update }),
        None => Ok(()),
    }
}

/// `BasicOCSPResponse`.
fn basic(
    out: &mut Vec<u8>,
    answers: &[OcspAnswer],
    produced_at: Timestamp,
    nonce: Option<&[u8]>,
    responder: &Certificate,
    signer: &dyn Signer,
    algorithm: &[u8],
) -> Result<(), OcspError> {
    let start = out.len();
    tlv::nest(out, tag::SEQUENCE, |out| {
        tlv::wrap(out, field::BY_KEY, |out| tlv::write(out, tag::OCTET_STRING, &sha1(responder.public_key().bits())));
        der_time::write_generalized(out, produced_at)?;
        tlv::nest(out, tag::SEQUENCE, |out| {
            answers.iter().try_for_each(|answer| tlv::nest(out, tag::SEQUENCE, |out| write_answer(out, answer)))
        })?;
        if let Some(nonce) = nonce {
            tlv::wrap(out, field::EXTENSIONS, |out| write_nonce(out, nonce));
        }
        Ok::<_, OcspError>(())
    })?;
    let signature = signer.sign(&out[start..])?;
    out.extend_from_slice(algorithm);
    tlv::write_bits(out, &signature);
    tlv::wrap(out, field::CERTIFICATES, |out| tlv::write(out, tag::SEQUENCE, responder.as_der()));
    Ok(())
}

/// `SingleResponse`.
fn write_answer(out: &mut Vec<u8>, answer: &OcspAnswer) -> Result<(), OcspError> {
    out.extend_from_slice(answer.id.as_der());
    match answer.status {
        OcspStatus::Good => tlv::write(out, field::GOOD, &[]),
        OcspStatus::Unknown => tlv::write(out, field::UNKNOWN, &[]),
        OcspStatus::Revoked { time, reason } => tlv::nest(out, field::REVOKED, |out| {
            der_time::write_generalized(out, time)?;
            if reason != Reason::Unspecified {
                tlv::wrap(out, field::REASON, |out| tlv::write(out, tag::ENUMERATED, &[reason.code()]));
            }
            Ok::<_, OcspError>(())
        })?,
    }
    der_time::write_generalized(out, answer.this_update)?;
    tlv::nest(out, field::NEXT_UPDATE, |out| Ok(der_time::write_generalized(out, answer.next_update)?))
}
