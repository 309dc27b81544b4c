//! The Online Certificate Status Protocol (RFC 6960; RFC 5019 for what is sent often, RFC 9654 for nonces): what is asked,
//! and what is answered.
//!
//! Whether a certificate is good is decided elsewhere, and so is when an answer is signed and for how long it is kept.

mod cert_id;
mod error;
mod read;
mod request;
mod response;

use jiff::Timestamp;

use crate::Reason;

pub use cert_id::{CertId, CertIdHash, IssuerHash, IssuerHashes};
pub use error::{OcspError, OcspRequestError, OcspResponseError};
pub use read::OcspResponse;
pub use request::{NONCE_MAX, OcspRequest, REQUESTS_MAX};
pub use response::sign_ocsp;

/// How a certificate stands (CertStatus, RFC 6960 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// It was issued, and is not revoked.
    Good,
    /// It is not to be trusted any more, or not for now.
    Revoked {
        /// Since when, to the second.
        time: Timestamp,
        /// Why. [`Reason::Unspecified`] is written by leaving it out.
        reason: Reason,
    },
    /// Whoever answers does not know the certificate.
    Unknown,
}

/// What is said about one certificate (SingleResponse, RFC 6960 section 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    /// Which, as it was asked.
    pub id: CertId,
    /// How it stands.
    pub status: OcspStatus,
    /// When that was known to be so, to the second.
    pub this_update: Timestamp,
    /// Until when it may be relied on, to the second.
    pub next_update: Timestamp,
}

/// Why nothing is said about any certificate (OCSPResponseStatus, RFC 6960 section 2.3). Such an answer is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OcspRefusal {
    /// The request is not one (1).
    MalformedRequest,
    /// Something went wrong here (2).
    InternalError,
    /// Not now (3).
    TryLater,
    /// Only signed requests are answered (5).
    SigRequired,
    /// Not about these certificates, or not to this client (6).
    Unauthorized,
}

impl OcspRefusal {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::MalformedRequest, Self::InternalError, Self::TryLater, Self::SigRequired, Self::Unauthorized];

    /// The value that stands for it in an answer.
    pub fn code(self) -> u8 {
        match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::SigRequired => 5,
            Self::Unauthorized => 6,
        }
    }

    /// The name that RFC 6960 gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        }
    }

    /// The whole answer (OCSPResponse): the status and nothing else.
    pub fn der(self) -> &'static [u8] {
        match self {
            Self::MalformedRequest => &[0x30, 3, 0x0a, 1, 1],
            Self::InternalError => &[0x30, 3, 0x0a, 1, 2],
            Self::TryLater => &[0x30, 3, 0x0a, 1, 3],
            Self::SigRequired => &[0x30, 3, 0x0a, 1, 5],
            Self::Unauthorized => &[0x30, 3, 0x0a, 1, 6],
        }
    }
}

/// The tags of the fields, by what the numbers mean where they stand.
mod field {
    use crate::tlv::tag;

    /// `version [0]` of a request and of an answer.
    pub(super) const VERSION: u8 = tag::constructed(0);
    /// `requestExtensions [2]`.
    pub(super) const REQUEST_EXTENSIONS: u8 = tag::constructed(2);
    /// `responseBytes [0]`.
    pub(super) const RESPONSE_BYTES: u8 = tag::constructed(0);
    /// `byName [1]` of a ResponderID.
    pub(super) const BY_NAME: u8 = tag::constructed(1);
    /// `byKey [2]` of a ResponderID.
    pub(super) const BY_KEY: u8 = tag::constructed(2);
    /// `responseExtensions [1]` and `singleExtensions [1]`.
    pub(super) const EXTENSIONS: u8 = tag::constructed(1);
    /// `certs [0]`.
    pub(super) const CERTIFICATES: u8 = tag::constructed(0);
    /// `nextUpdate [0]`.
    pub(super) const NEXT_UPDATE: u8 = tag::constructed(0);
    /// `good [0]` of a CertStatus.
    pub(super) const GOOD: u8 = tag::context(0);
    /// `revoked [1]` of a CertStatus.
    pub(super) const REVOKED: u8 = tag::constructed(1);
    /// `revocationReason [0]`.
    pub(super) const REASON: u8 = tag::constructed(0);
    /// `unknown [2]` of a CertStatus.
    pub(super) const UNKNOWN: u8 = tag::context(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_code_and_nothing_else() {
        for refusal in OcspRefusal::ALL {
            assert_eq!(refusal.der(), [0x30, 3, 0x0a, 1, refusal.code()]);
            assert_eq!(OcspResponse::from_der(refusal.der()).unwrap_err(), OcspResponseError::Refused(refusal));
        }
    }
}
