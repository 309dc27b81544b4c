//! What can be wrong with a request, with what is to be answered, and with an answer.

use jiff::Timestamp;
use thiserror::Error;

use crate::{KeyId, OcspRefusal, SerialError, SignError, der_time::OutOfRange, tlv::Malformed};

use super::{NONCE_MAX, REQUESTS_MAX};

/// Why octets are no request that is answered. What is said to whoever sent them is [`OcspRefusal::MalformedRequest`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OcspRequestError {
    /// They are not the DER of an OCSPRequest.
    #[error("the request is not the DER of an OCSPRequest")]
    Malformed,
    /// The path of a GET is not base64, or not escaped as URLs are (RFC 6960 appendix A.1).
    #[error("the path is not the URL-encoded base64 of an OCSPRequest")]
    Path,
    /// A version other than v1.
    #[error("the request is of a version that is not known")]
    Version,
    /// It asks about no certificate, or about too many.
    #[error("a request is about 1 to {REQUESTS_MAX} certificates, this one about {requests}")]
    Requests {
        /// About how many.
        requests: usize,
    },
    /// RFC 9654 section 2.1.
    #[error("a nonce has 1 to {NONCE_MAX} octets, this one {octets}")]
    Nonce {
        /// How many it has.
        octets: usize,
    },
    /// An extension is there twice.
    #[error("the request has the extension {oid} twice")]
    ExtensionTwice {
        /// Its object identifier.
        oid: String,
    },
    /// What is critical and not known may not be passed over (RFC 6960 section 4.4).
    #[error("the request has the critical extension {oid}, which is not known")]
    UnknownCritical {
        /// Its object identifier.
        oid: String,
    },
    /// A certificate's serial number.
    #[error(transparent)]
    Serial(#[from] SerialError),
}

impl From<Malformed> for OcspRequestError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why no answer was signed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OcspError {
    /// There is nothing to say.
    #[error("an answer is about at least one certificate")]
    NoAnswer,
    /// It would be relied on for no time.
    #[error("the next answer would be due at {next_update}, which is not after this one of {this_update}")]
    NoValidity {
        /// When it was known to be so.
        this_update: Timestamp,
        /// When the next one would be due.
        next_update: Timestamp,
    },
    /// A time that an answer cannot hold.
    #[error("{time} cannot stand in an answer: times from 1970 to 9999 can")]
    TimeOutOfRange {
        /// The time.
        time: Timestamp,
    },
    /// RFC 9654 section 2.1.
    #[error("a nonce has 1 to {NONCE_MAX} octets, this one {octets}")]
    Nonce {
        /// How many it has.
        octets: usize,
    },
    /// The signer holds another key than the responder's certificate.
    #[error("the private key {signer} is not that of the responder's certificate, {responder}")]
    WrongSigner {
        /// The key of the responder's certificate.
        responder: KeyId,
        /// The signer's key.
        signer: KeyId,
    },
    /// The certificate is neither a CA's nor for `ocsp signing` (RFC 6960 section 4.2.2.2).
    #[error("the certificate of {responder:?} may not sign answers: it is no CA's and its usages lack \"ocsp signing\"")]
    MayNotAnswer {
        /// The responder's subject.
        responder: String,
    },
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signature's algorithm is not DER.
    #[error("the signature's algorithm cannot be encoded")]
    Algorithm,
}

impl From<OutOfRange> for OcspError {
    fn from(OutOfRange(time): OutOfRange) -> Self {
        Self::TimeOutOfRange { time }
    }
}

/// Why octets are no answer, or none that may be relied on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OcspResponseError {
    /// They are not the DER of an OCSPResponse.
    #[error("the answer is not the DER of an OCSPResponse")]
    Malformed,
    /// The responder says nothing about any certificate.
    #[error("the responder refuses: {}", .0.as_str())]
    Refused(OcspRefusal),
    /// A status that there is not, or a kind of answer other than the basic one.
    #[error("the answer is of a status, version or kind that is not known")]
    Unsupported,
    /// An answer without nextUpdate may be of any age.
    #[error("the answer does not say until when it may be relied on")]
    NoNextUpdate,
    /// What is critical and not known may not be passed over.
    #[error("the answer has the critical extension {oid}, which is not known")]
    UnknownCritical {
        /// Its object identifier.
        oid: String,
    },
    /// A certificate's serial number.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// It is about certificates of another issuer.
    #[error("the answer is about a certificate of another issuer")]
    OtherIssuer,
    /// Neither the issuer nor a responder that it certified for that has signed it (RFC 6960 section 4.2.2.2).
    #[error("the answer is not signed by the issuer, nor by a responder that the issuer certified for it: {reason}")]
    NotSigned {
        /// What does not hold.
        reason: &'static str,
    },
    /// It is not yet or no longer to be relied on.
    #[error("the answer is good from {this_update} to {next_update}, not at {at}")]
    Stale {
        /// When it was known to be so.
        this_update: Timestamp,
        /// Until when it may be relied on.
        next_update: Timestamp,
        /// When it was to be relied on.
        at: Timestamp,
    },
}

impl From<Malformed> for OcspResponseError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
