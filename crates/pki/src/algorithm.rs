//! The kinds of key that Chancery makes, loads and signs with.
//!
//! Only what a key is; what signature goes with it is said in `private_key`, what signatures are accepted in `public_key`.

use std::fmt;

use const_oid::{
    ObjectIdentifier,
    db::{rfc5912, rfc8410},
};

/// The kind and size of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA, with PKCS#1 v1.5 signatures.
    Rsa {
        /// The length of the modulus in bits.
        bits: u32,
    },
}

impl KeyAlgorithm {
    /// The name of the kind without its size: `ECDSA`, `RSA` or `Ed25519`.
    pub fn family(&self) -> &'static str {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => "ECDSA",
            Self::Ed25519 => "Ed25519",
            Self::Rsa { .. } => "RSA",
        }
    }

    /// The size in bits, of the curve's field or of the RSA modulus; none for Ed25519, which has one size only.
    pub fn size(&self) -> Option<u32> {
        match self {
            Self::EcdsaP256 => Some(256),
            Self::EcdsaP384 => Some(384),
            Self::EcdsaP521 => Some(521),
            Self::Ed25519 => None,
            Self::Rsa { bits } => Some(*bits),
        }
    }

    /// Whether this is RSA of any size.
    pub fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa { .. })
    }

    pub(crate) fn of_curve(curve: ObjectIdentifier) -> Option<Self> {
        [(rfc5912::SECP_256_R_1, Self::EcdsaP256), (rfc5912::SECP_384_R_1, Self::EcdsaP384), (rfc5912::SECP_521_R_1, Self::EcdsaP521)]
            .into_iter()
            .find_map(|(oid, algorithm)| (oid == curve).then_some(algorithm))
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => formatter.write_str("Ed25519"),
            Self::Rsa { bits } => write!(formatter, "RSA {bits}"),
            Self::EcdsaP256 => formatter.write_str("ECDSA P-256"),
            Self::EcdsaP384 => formatter.write_str("ECDSA P-384"),
            Self::EcdsaP521 => formatter.write_str("ECDSA P-521"),
        }
    }
}

/// The object identifiers of the public keys' algorithms.
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = rfc5912::RSA_ENCRYPTION;
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = rfc5912::ID_EC_PUBLIC_KEY;
pub(crate) const ED25519: ObjectIdentifier = rfc8410::ID_ED_25519;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_key_is_named_as_users_know_it() {
        for (algorithm, text, family, size) in [
            (KeyAlgorithm::EcdsaP256, "ECDSA P-256", "ECDSA", Some(256)),
            (KeyAlgorithm::EcdsaP384, "ECDSA P-384", "ECDSA", Some(384)),
            (KeyAlgorithm::EcdsaP521, "ECDSA P-521", "ECDSA", Some(521)),
            (KeyAlgorithm::Ed25519, "Ed25519", "Ed25519", None),
            (KeyAlgorithm::Rsa { bits: 3072 }, "RSA 3072", "RSA", Some(3072)),
        ] {
            assert_eq!((algorithm.to_string().as_str(), algorithm.family(), algorithm.size()), (text, family, size));
            assert_eq!(algorithm.is_rsa(), family == "RSA");
        }
    }
}
