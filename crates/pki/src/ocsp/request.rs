//! What clients ask (RFC 6960 section 4.1). Anyone may send it, and anything.

use const_oid::db::rfc6960::ID_PKIX_OCSP_NONCE;

use crate::{
    CertId, OcspRequestError, pem,
    tlv::{self, tag},
};

use super::field;

/// About how many certificates one request may be.
pub const REQUESTS_MAX: usize = 8;

/// How many octets a nonce may have (RFC 9654 section 2.1).
pub const NONCE_MAX: usize = 128;

/// A request that can be answered. Who asks, and a signature, are passed over: answers are for everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    /// The certificates that it is about: 1 to [`REQUESTS_MAX`].
    pub ids: Vec<CertId>,
    /// What the answer shall repeat, so that it can be no older than the question: 1 to [`NONCE_MAX`] octets (RFC 9654).
    pub nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// A request about these certificates.
    ///
    /// # Errors
    /// When there are none or too many, or the nonce is empty or too long.
    pub fn new(ids: Vec<CertId>, nonce: Option<Vec<u8>>) -> Result<Self, OcspRequestError> {
        if !(1..=REQUESTS_MAX).contains(&ids.len()) {
            return Err(OcspRequestError::Requests { requests: ids.len() });
        }
        match &nonce {
            Some(nonce) if !is_nonce(nonce) => Err(OcspRequestError::Nonce { octets: nonce.len() }),
            _ => Ok(Self { ids, nonce }),
        }
    }

    /// Reads a request, the body of a POST.
    ///
    /// # Errors
    /// When the octets are none, it is about none or too many, its nonce is empty or too long, or an extension is there
    /// twice, or critical and not known.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspRequestError> {
        let mut request = tlv::only(der, tag::SEQUENCE)?.reader();
        let mut parts = request.take(tag::SEQUENCE)?.reader();
        // Its signature, which is not looked at.
        request.take_if(tag::constructed(0))?;
        request.end()?;

        if let Some(version) = parts.take_if(field::VERSION)?
            && tlv::only(version.contents, tag::INTEGER)?.contents != [0]
        {
            return Err(OcspRequestError::Version);
        }
        // Who asks.
        parts.take_if(tag::constructed(1))?;
        let list = parts.take(tag::SEQUENCE)?;
        let extensions = parts.take_if(field::REQUEST_EXTENSIONS)?;
        parts.end()?;

        let mut list = list.reader();
        let mut ids = Vec::new();
        while !list.is_empty() {
            let mut one = list.take(tag::SEQUENCE)?.reader();
            if ids.len() == REQUESTS_MAX {
                return Err(OcspRequestError::Requests { requests: REQUESTS_MAX + 1 });
            }
            ids.push(CertId::read::<OcspRequestError>(&mut one)?);
            if let Some(extensions) = one.take_if(tag::constructed(0))? {
                refuse_critical(extensions.contents)?;
            }
            one.end()?;
        }
        let nonce = extensions.map_or(Ok(None), |extensions| find_nonce(extensions.contents))?;
        Self::new(ids, nonce)
    }

    /// Reads a request from the path of a GET: what follows the responder's own path and a slash (RFC 6960 appendix A.1).
    /// It is base64, with escapes as URLs have them; clients that do not escape slashes and plus signs are understood.
    ///
    /// # Errors
    /// When it is not, and as [`OcspRequest::from_der`] says.
    pub fn from_path(path: &str) -> Result<Self, OcspRequestError> {
        let base64 = unescape(path).ok_or(OcspRequestError::Path)?;
        let der = pem::decode_base64(&base64).ok_or(OcspRequestError::Path)?;
        Self::from_der(&der)
    }

    /// The DER.
    pub fn to_der(&self) -> Vec<u8> {
        let mut der = Vec::new();
        tlv::wrap(&mut der, tag::SEQUENCE, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| {
                tlv::wrap(out, tag::SEQUENCE, |out| self.ids.iter().for_each(|id| tlv::write(out, tag::SEQUENCE, id.as_der())));
                if let Some(nonce) = &self.nonce {
                    tlv::wrap(out, field::REQUEST_EXTENSIONS, |out| write_nonce(out, nonce));
                }
            });
        });
        der
    }
}

/// `Extensions` of a nonce alone, as requests and answers have it.
pub(super) fn write_nonce(out: &mut Vec<u8>, nonce: &[u8]) {
    tlv::wrap(out, tag::SEQUENCE, |out| {
        tlv::write_extension(out, ID_PKIX_OCSP_NONCE, false, |out| tlv::write(out, tag::OCTET_STRING, nonce));
    });
}

/// Whether this may be a nonce (RFC 9654 section 2.1).
pub(super) fn is_nonce(nonce: &[u8]) -> bool {
    (1..=NONCE_MAX).contains(&nonce.len())
}

/// The nonce among the `Extensions` of a request.
fn find_nonce(extensions: &[u8]) -> Result<Option<Vec<u8>>, OcspRequestError> {
    let mut reader = tlv::only(extensions, tag::SEQUENCE)?.reader();
    let mut nonce = None;
    while !reader.is_empty() {
        let extension = tlv::next_extension(&mut reader)?;
        if extension.oid == ID_PKIX_OCSP_NONCE.as_bytes() {
            let value = tlv::only(extension.value, tag::OCTET_STRING)?.contents;
            if nonce.replace(value.to_vec()).is_some() {
                return Err(OcspRequestError::ExtensionTwice { oid: ID_PKIX_OCSP_NONCE.to_string() });
            }
        } else if extension.critical {
            return Err(OcspRequestError::UnknownCritical { oid: tlv::oid_text(extension.oid) });
        }
    }
    Ok(nonce)
}

fn refuse_critical(extensions: &[u8]) -> Result<(), OcspRequestError> {
    let mut reader = tlv::only(extensions, tag::SEQUENCE)?.reader();
    while !reader.is_empty() {
        let extension = tlv::next_extension(&mut reader)?;
        if extension.critical {
            return Err(OcspRequestError::UnknownCritical { oid: tlv::oid_text(extension.oid) });
        }
    }
    Ok(())
}

/// The octets that a path stands for (RFC 3986 section 2.1).
fn unescape(path: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                *crate::hex::decode(str::from_utf8(&digits).ok()?)?.first()?
            }
            other => other,
        });
    }
    Some(octets)
}
