//! Pure X.509 for Chancery: keys, names, certificates, chains, serial numbers, revocation lists, OCSP and key stores.
//!
//! Nothing here knows Kubernetes, runs a task, reads a clock or a file: the time and the random bits of a serial are
//! arguments. (Key pairs, and the salts of PKCS#12 stores, are drawn by the cryptographic provider from its own generator.)

#![warn(missing_docs)]

mod algorithm;
mod certificate;
mod certificate_parse;
mod chain;
mod crl;
mod der_time;
mod hex;
mod issue;
mod key_id;
pub mod keystore;
mod name;
mod name_constraints;
mod ocsp;
mod pem;
mod private_key;
mod private_key_info;
mod public_key;
mod reason;
mod rehearse;
mod relying;
mod san;
mod serial;
mod signature_algorithm;
mod signer;
mod template;
mod tlv;
mod usage;
mod verify;
mod weak;

pub use algorithm::KeyAlgorithm;
pub use certificate::{Certificate, key_matches, pem_bundle};
pub use certificate_parse::CertificateError;
pub use chain::{CHAIN_MAX, Chain, ChainError, PurposeRefused};
pub use crl::{Crl, CrlError, CrlNumber, CrlNumberError, CrlScope, CrlTemplate, Revoked, cross_check, sign_crl};
pub use hex::Hexadecimal;
pub use issue::{IssueError, issue, self_sign};
pub use key_id::{KeyId, KeyIdError};
pub use name::{COMMON_NAME_MAX, Name, NameError, SubjectParts};
pub use name_constraints::{BrokenRule, ConstraintBroken, IpRange, IpRangeError, NameConstraints, NameConstraintsError, NameSubtrees};
pub use ocsp::{
    CertId, CertIdHash, IssuerHash, IssuerHashes, NONCE_MAX, OcspAnswer, OcspError, OcspRefusal, OcspRequest, OcspRequestError,
    OcspResponse, OcspResponseError, OcspStatus, REQUESTS_MAX, sign_ocsp,
};
pub use pem::PemError;
pub use private_key::{KeyEncoding, KeyError, PrivateKey, RSA_BITS_MAX, RSA_BITS_MIN};
pub use public_key::{PublicKey, PublicKeyError, VerifyError};
pub use reason::{Reason, ReasonError};
pub use rehearse::{RehearsalError, rehearse};
pub use relying::NameRefused;
pub use san::{San, SanError};
pub use serial::{RANDOM_OCTETS, SerialError, SerialNumber};
pub use signature_algorithm::{SignatureAlgorithm, SignatureAlgorithmError};
pub use signer::{SignError, Signer};
pub use template::{CaConstraints, Template};
pub use usage::{Usage, UsageError};
pub use verify::verify_leaf;
pub use weak::Weakness;
