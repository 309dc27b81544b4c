//! What can be wrong with a list, one that is to be made or one that is read.

use jiff::Timestamp;
use thiserror::Error;

use crate::{KeyId, NameError, PemError, SanError, SerialError, SerialNumber, SignError, der_time::OutOfRange, tlv::Malformed};

use super::CrlNumber;

/// Why a list was not made, or cannot be worked with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CrlError {
    /// The text is not PEM.
    #[error("the list cannot be read: {0}")]
    Pem(#[from] PemError),
    /// The text holds no PEM block, or several.
    #[error("there must be one list in PEM form, not {blocks}")]
    Blocks {
        /// How many there are.
        blocks: usize,
    },
    /// The PEM block has another label.
    #[error("the PEM block is a {label:?}, not an X509 CRL")]
    UnexpectedBlock {
        /// Its label.
        label: String,
    },
    /// The octets are not the DER of a list.
    #[error("the list is not DER")]
    Malformed,
    /// Something follows the list.
    #[error("there are {octets} octets after the list")]
    Trailing {
        /// How many.
        octets: usize,
    },
    /// A version that there is not, or extensions in a list of version 1.
    #[error("the list is of a version that is not known, or has what its version does not")]
    Version,
    /// The two places that name the signature's algorithm differ (RFC 5280 section 5.1.1.2).
    #[error("the list names two different signature algorithms")]
    SignatureAlgorithms,
    /// The issuer's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A serial number.
    #[error("an entry of the list: {0}")]
    Serial(#[from] SerialError),
    /// A number of more octets than RFC 5280 section 5.2.3 allows, one of a delta's base beyond what is counted here, or none at all.
    #[error("the list's number is malformed or missing, or that of the list it adds to is not below 2^128")]
    Number,
    /// An extension cannot be read.
    #[error("the list's extension {oid} is malformed")]
    Extension {
        /// Its object identifier.
        oid: String,
    },
    /// RFC 5280 section 4.2.
    #[error("the list has the extension {oid} twice, or an entry of it has")]
    ExtensionTwice {
        /// Its object identifier.
        oid: String,
    },
    /// What is critical and not known makes a list useless (RFC 5280 section 5.2).
    #[error("the list, or an entry of it, has the critical extension {oid}, which is not known")]
    UnknownCritical {
        /// Its object identifier.
        oid: String,
    },
    /// It holds revocations by others than its issuer (RFC 5280 section 5.3.3).
    #[error("the list is indirect: it holds revocations by others than its issuer")]
    Indirect,
    /// It covers only some of the reasons, attribute certificates, or has a name relative to its issuer's (RFC 5280
    /// section 5.2.5).
    #[error("the list covers only some reasons or attribute certificates, or is named relative to its issuer")]
    Scope,
    /// A reason that there is not (RFC 5280 section 5.3.1).
    #[error("an entry of the list gives a reason that there is not")]
    Reason,
    /// A time that a list cannot hold.
    #[error("{time} cannot stand in a list: times from 1970 to 9999 can")]
    TimeOutOfRange {
        /// The time.
        time: Timestamp,
    },
    /// The next list would be due before this one.
    #[error("the next list would be due at {next_update}, which is not after this one of {this_update}")]
    NoValidity {
        /// When it is made.
        this_update: Timestamp,
        /// When the next one would be due.
        next_update: Timestamp,
    },
    /// A URI cannot stand in a list.
    #[error(transparent)]
    Uri(#[from] SanError),
    /// RFC 5280 section 5.3.1.
    #[error("serial number {serial}: removeFromCRL may stand in a delta only")]
    RemoveFromFull {
        /// The certificate.
        serial: SerialNumber,
    },
    /// RFC 5280 section 5.2.4.
    #[error("a delta of number {number} cannot add to the list of number {base}, which is higher")]
    DeltaBase {
        /// The delta's number.
        number: CrlNumber,
        /// The number of the list that it would add to.
        base: CrlNumber,
    },
    /// RFC 5280 section 5.2.6.
    #[error("a delta does not say where its delta is")]
    FreshestInDelta,
    /// RFC 5280 section 5.1.2.3.
    #[error("the issuer's certificate has an empty subject")]
    IssuerWithoutName,
    /// The signer holds another key than the issuer's certificate.
    #[error("the private key {signer} is not that of the issuer's certificate, {issuer}")]
    WrongSigner {
        /// The key of the issuer's certificate.
        issuer: KeyId,
        /// The signer's key.
        signer: KeyId,
    },
    /// The issuer's key usage has no `crl sign` (RFC 5280 section 4.2.1.3).
    #[error("the certificate of {issuer:?} may not sign lists: its key usages lack \"crl sign\"")]
    MayNotSign {
        /// The issuer's subject.
        issuer: String,
    },
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signature's algorithm is not DER.
    #[error("the signature's algorithm cannot be encoded")]
    Algorithm,
    /// Another implementation does not read the list, or reads another.
    #[error("another implementation refuses the list: {reason}")]
    CrossCheck {
        /// What it says.
        reason: String,
    },
}

impl From<Malformed> for CrlError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<OutOfRange> for CrlError {
    fn from(OutOfRange(time): OutOfRange) -> Self {
        Self::TimeOutOfRange { time }
    }
}
