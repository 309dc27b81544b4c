//! A list as others see it, before it is published: read and verified by implementations that are not ours.

use der::{AnyRef, Decode, Encode, Sequence, asn1::BitStringRef};
use spki::AlgorithmIdentifierOwned;
use webpki::BorrowedCertRevocationList;
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

use crate::{Certificate, CrlError, certificate_parse::length_of_header};

/// `CertificateList` (RFC 5280 section 5.1).
#[derive(Sequence)]
struct SignedList<'a> {
    to_be_signed: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// Reads a list with `der` for its frame and rustls-webpki for all within it, and verifies that `issuer` made and signed it.
/// A delta, which rustls-webpki refuses to know, is read with x509-parser.
///
/// # Returns
/// The number of its entries.
///
/// # Errors
/// When one of them does not read it, the issuer is another, or the signature is wrong.
pub fn cross_check(der: &[u8], issuer: &Certificate) -> Result<usize, CrlError> {
    let refused = |reason: String| CrlError::CrossCheck { reason };
    let frame = SignedList::from_der(der).map_err(|error| refused(format!("der: {error}")))?;
    let (name, entries) = match BorrowedCertRevocationList::from_der(der) {
        Ok(list) => {
            let count = list.into_iter().try_fold(0, |count, entry| entry.map(|_| count + 1));
            let count = count.map_err(|error| refused(format!("webpki: {error}")))?;
            (webpki::CertRevocationList::from(list).issuer().to_vec(), count)
        }
        Err(webpki::Error::UnsupportedDeltaCrl) => read_delta(der)?,
        Err(error) => return Err(refused(format!("webpki: {error}"))),
    };
    if name != contents(issuer.subject().as_der())? {
        return Err(refused(format!("its issuer is not {}", issuer.subject())));
    }
    let to_be_signed = to_be_signed(der, &frame).ok_or_else(|| refused("it is longer than it says".to_owned()))?;
    let signature = frame.signature.as_bytes().ok_or_else(|| refused("its signature is not whole octets".to_owned()))?;
    let verified = issuer.public_key().verify(&frame.algorithm, to_be_signed, signature);
    verified.map_err(|error| refused(error.to_string())).map(|()| entries)
}

/// The signed part, where it stands: a list may be too long to be copied for this.
fn to_be_signed<'a>(der: &'a [u8], frame: &SignedList<'_>) -> Option<&'a [u8]> {
    let start = length_of_header(der)?;
    let length = usize::try_from(frame.to_be_signed.encoded_len().ok()?).ok()?;
    der.get(start..start.checked_add(length)?)
}

fn read_delta(der: &[u8]) -> Result<(Vec<u8>, usize), CrlError> {
    let refused = |reason: &str| CrlError::CrossCheck { reason: format!("x509-parser: {reason}") };
    let (rest, list) = CertificateRevocationList::from_der(der).map_err(|error| refused(&error.to_string()))?;
    if !rest.is_empty() {
        return Err(refused("something follows it"));
    }
    Ok((contents(list.issuer().as_raw())?, list.iter_revoked_certificates().count()))
}

/// What is in a name's SEQUENCE: the form in which webpki tells of it.
fn contents(name: &[u8]) -> Result<Vec<u8>, CrlError> {
    let name = AnyRef::from_der(name).map_err(|error| CrlError::CrossCheck { reason: format!("der: {error}") })?;
    Ok(name.value().to_vec())
}
