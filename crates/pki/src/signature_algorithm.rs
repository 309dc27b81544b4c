//! What a key signs with: the algorithms that a certificate may be signed with, and which keys can make such signatures.
//!
//! Which signatures of others are accepted is said in `public_key`, and is more.

use std::{fmt, str::FromStr};

use const_oid::{
    ObjectIdentifier,
    db::{rfc5912, rfc8410},
};
use der::{Any, asn1::Null};
use serde::{Deserialize, Serialize};
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;

use crate::KeyAlgorithm;

/// A signature algorithm, named as cert-manager names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 4055 section 5).
    #[serde(rename = "SHA256WithRSA")]
    Sha256WithRsa,
    /// RSA PKCS#1 v1.5 with SHA-384.
    #[serde(rename = "SHA384WithRSA")]
    Sha384WithRsa,
    /// RSA PKCS#1 v1.5 with SHA-512.
    #[serde(rename = "SHA512WithRSA")]
    Sha512WithRsa,
    /// ECDSA with SHA-256 (RFC 5758 section 3.2).
    #[serde(rename = "ECDSAWithSHA256")]
    EcdsaWithSha256,
    /// ECDSA with SHA-384.
    #[serde(rename = "ECDSAWithSHA384")]
    EcdsaWithSha384,
    /// ECDSA with SHA-512.
    #[serde(rename = "ECDSAWithSHA512")]
    EcdsaWithSha512,
    /// Ed25519 over the message itself (RFC 8410).
    PureEd25519,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 7] = [
        Self::Sha256WithRsa,
        Self::Sha384WithRsa,
        Self::Sha512WithRsa,
        Self::EcdsaWithSha256,
        Self::EcdsaWithSha384,
        Self::EcdsaWithSha512,
        Self::PureEd25519,
    ];

    /// The name that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256WithRsa => "SHA256WithRSA",
            Self::Sha384WithRsa => "SHA384WithRSA",
            Self::Sha512WithRsa => "SHA512WithRSA",
            Self::EcdsaWithSha256 => "ECDSAWithSHA256",
            Self::EcdsaWithSha384 => "ECDSAWithSHA384",
            Self::EcdsaWithSha512 => "ECDSAWithSHA512",
            Self::PureEd25519 => "PureEd25519",
        }
    }

    /// The family of keys that sign so, as [`KeyAlgorithm::family`] names it.
    pub fn family(self) -> &'static str {
        match self {
            Self::Sha256WithRsa | Self::Sha384WithRsa | Self::Sha512WithRsa => "RSA",
            Self::EcdsaWithSha256 | Self::EcdsaWithSha384 | Self::EcdsaWithSha512 => "ECDSA",
            Self::PureEd25519 => "Ed25519",
        }
    }

    /// Whether a key of this kind can sign so. An RSA key or one on P-521 can with each hash of its family. P-256 goes with
    /// SHA-256 alone and P-384 with SHA-384: the cryptographic provider makes no other signatures with them.
    pub fn suits(self, key: KeyAlgorithm) -> bool {
        match key {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => self == Self::usual(key),
            KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa { .. } => self.family() == key.family(),
        }
    }

    /// What a key of this kind signs with unless told otherwise: SHA-256 with RSA and P-256, SHA-384 with P-384, SHA-512 with
    /// P-521.
    pub fn usual(key: KeyAlgorithm) -> Self {
        match key {
            KeyAlgorithm::EcdsaP256 => Self::EcdsaWithSha256,
            KeyAlgorithm::EcdsaP384 => Self::EcdsaWithSha384,
            KeyAlgorithm::EcdsaP521 => Self::EcdsaWithSha512,
            KeyAlgorithm::Ed25519 => Self::PureEd25519,
            KeyAlgorithm::Rsa { .. } => Self::Sha256WithRsa,
        }
    }

    /// The key that is made where nothing is said but this: the smallest whose usual algorithm it is.
    pub fn usual_key(self) -> KeyAlgorithm {
        match self {
            Self::Sha256WithRsa | Self::Sha384WithRsa | Self::Sha512WithRsa => KeyAlgorithm::Rsa { bits: 2048 },
            Self::EcdsaWithSha256 => KeyAlgorithm::EcdsaP256,
            Self::EcdsaWithSha384 => KeyAlgorithm::EcdsaP384,
            Self::EcdsaWithSha512 => KeyAlgorithm::EcdsaP521,
            Self::PureEd25519 => KeyAlgorithm::Ed25519,
        }
    }

    pub(crate) fn identifier(self) -> AlgorithmIdentifierOwned {
        // RFC 4055 section 5: the parameters of RSA are NULL, and not left out.
        let parameters = (self.family() == "RSA").then(|| Any::from(Null));
        AlgorithmIdentifierOwned { oid: self.oid(), parameters }
    }

    pub(crate) fn of_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.oid() == oid)
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256WithRsa => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
            Self::Sha384WithRsa => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
            Self::Sha512WithRsa => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
            Self::EcdsaWithSha256 => rfc5912::ECDSA_WITH_SHA_256,
            Self::EcdsaWithSha384 => rfc5912::ECDSA_WITH_SHA_384,
            Self::EcdsaWithSha512 => rfc5912::ECDSA_WITH_SHA_512,
            Self::PureEd25519 => rfc8410::ID_ED_25519,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = SignatureAlgorithmError;

    fn from_str(text: &str) -> Result<Self, SignatureAlgorithmError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or_else(|| SignatureAlgorithmError { text: text.to_owned() })
    }
}

/// The text names no signature algorithm.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not a signature algorithm")]
pub struct SignatureAlgorithmError {
    /// What it says.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_reads_back_from_its_name_and_its_object_identifier() {
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(SignatureAlgorithm::of_oid(algorithm.identifier().oid), Some(algorithm));
        }
        assert!("sha256withrsa".parse::<SignatureAlgorithm>().is_err());
    }

    #[test]
    fn what_a_key_signs_with_usually_suits_it_and_its_family() {
        let keys = [
            (KeyAlgorithm::EcdsaP256, 1),
            (KeyAlgorithm::EcdsaP384, 1),
            (KeyAlgorithm::EcdsaP521, 3),
            (KeyAlgorithm::Ed25519, 1),
            (KeyAlgorithm::Rsa { bits: 2048 }, 3),
        ];
        for (key, choices) in keys {
            assert!(SignatureAlgorithm::usual(key).suits(key));
            let suiting: Vec<_> = SignatureAlgorithm::ALL.into_iter().filter(|algorithm| algorithm.suits(key)).collect();
            assert_eq!(suiting.len(), choices, "{key}");
            assert!(suiting.iter().all(|algorithm| algorithm.family() == key.family()));
        }
    }
}
