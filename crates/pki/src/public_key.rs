//! Public keys: the SubjectPublicKeyInfo, kept byte for byte, and what it can verify.
//!
//! Equality is that of the DER. A key of a kind we do not know is still a key: it has an identifier, and no algorithm.

use std::{fmt, ops::Range, sync::Arc};

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence, asn1::UintRef, referenced::OwnedToRef};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use thiserror::Error;

use crate::{
    KeyAlgorithm, KeyId, SignatureAlgorithm,
    algorithm::{EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION},
    pem,
};

const PUBLIC_KEY: &str = "PUBLIC KEY";

/// A public key (RFC 5280 section 4.1.2.7). Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    spki: Box<[u8]>,
    /// Where in the SPKI the key's own octets are: the value of its BIT STRING.
    bits: Range<usize>,
    /// The contents of the AlgorithmIdentifier, without its tag and length.
    algorithm_contents: Box<[u8]>,
    algorithm: Option<KeyAlgorithm>,
    key_id: KeyId,
}

impl PublicKey {
    /// The key with this DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// When the octets are anything else.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, PublicKeyError> {
        let parsed = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| PublicKeyError::Malformed)?;
        let bits = parsed.subject_public_key.as_bytes().ok_or(PublicKeyError::Malformed)?;
        let algorithm = algorithm_of(&parsed.algorithm, bits)?;
        // The BIT STRING is the last thing in an SPKI, and without unused bits its value is the end of it.
        let start = spki.len() - bits.len();
        Ok(Self(Arc::new(Inner {
            spki: spki.into(),
            bits: start..spki.len(),
            algorithm_contents: contents_of(&parsed.algorithm).ok_or(PublicKeyError::Malformed)?,
            algorithm,
            key_id: KeyId::of_spki(spki),
        })))
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// The key as PEM, `PUBLIC KEY` (RFC 7468 section 13).
    pub fn to_pem(&self) -> String {
        // The label is a good one, and octets of any kind can be encoded.
        pem::encode(PUBLIC_KEY, self.spki_der()).unwrap_or_default()
    }

    /// The one key in a PEM text, `PUBLIC KEY`.
    ///
    /// # Errors
    /// When there is none, or another thing, or more than one.
    pub fn from_pem(text: &[u8]) -> Result<Self, PublicKeyError> {
        let found = pem::decode(text).map_err(|_| PublicKeyError::Malformed)?;
        match found.blocks.as_slice() {
            [block] if block.label == PUBLIC_KEY => Self::from_spki_der(&block.contents),
            _ => Err(PublicKeyError::Malformed),
        }
    }

    /// Checks a signature over `message` that was made with this algorithm.
    ///
    /// # Errors
    /// As [`PublicKey::verify`].
    pub fn verify_with(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.verify(&algorithm.identifier(), message, signature)
    }

    /// The key's own octets: the value of its BIT STRING, without the octet of unused bits.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.0.spki[self.0.bits.clone()]
    }

    /// Modulus and public exponent of an RSA key, big-endian and without leading zeros.
    pub(crate) fn rsa_numbers(&self) -> Option<(&[u8], &[u8])> {
        if !self.algorithm().is_some_and(|algorithm| algorithm.is_rsa()) {
            return None;
        }
        let key = RsaPublicKey::from_der(self.bits()).ok()?;
        Some((key.modulus.as_bytes(), key.exponent.as_bytes()))
    }

    /// The SHA-256 of the SubjectPublicKeyInfo.
    pub fn key_id(&self) -> KeyId {
        self.0.key_id
    }

    /// The kind of key; none for one that we neither make nor load.
    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        self.0.algorithm
    }

    /// The identifier that a certificate of this key carries as subjectKeyIdentifier: the leftmost 160 bits of the
    /// SHA-256 of the key's BIT STRING (RFC 7093 section 2, method 1).
    pub fn subject_key_identifier(&self) -> [u8; 20] {
        let hash = digest::digest(&digest::SHA256, self.bits());
        let mut identifier = [0; 20];
        identifier.copy_from_slice(&hash.as_ref()[..20]);
        identifier
    }

    /// Checks a signature over `message` that was made with `algorithm` (the signature's AlgorithmIdentifier).
    ///
    /// # Errors
    /// When the algorithm does not go with this key or is not accepted (SHA-1, RSA below 2048 bits), or the signature is wrong.
    pub fn verify(&self, algorithm: &AlgorithmIdentifierOwned, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let unsupported = || VerifyError::Unsupported { oid: algorithm.oid };
        let wanted = contents_of(&algorithm.owned_to_ref()).ok_or_else(unsupported)?;
        let key = self.bits();
        let mut candidates = webpki::ALL_VERIFICATION_ALGS
            .iter()
            .filter(|candidate| *candidate.signature_alg_id() == *wanted && *candidate.public_key_alg_id() == *self.0.algorithm_contents)
            .peekable();
        candidates.peek().ok_or_else(unsupported)?;
        // One algorithm may be listed twice, with other bounds on the key's size.
        if candidates.any(|candidate| candidate.verify_signature(key, message, signature).is_ok()) {
            Ok(())
        } else {
            Err(VerifyError::Wrong)
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PublicKey").field("algorithm", &self.0.algorithm).field("key_id", &self.0.key_id).finish()
    }
}

/// Why octets are no public key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PublicKeyError {
    /// They are no DER SubjectPublicKeyInfo, or its key is not what its algorithm says.
    #[error("the public key is not a DER SubjectPublicKeyInfo")]
    Malformed,
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum VerifyError {
    /// The algorithm is not accepted, or does not go with the key.
    #[error("signature algorithm {oid} is not accepted for this key")]
    Unsupported {
        /// The signature's algorithm.
        oid: ObjectIdentifier,
    },
    /// The signature was not made by this key over this message.
    #[error("the signature is wrong")]
    Wrong,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn algorithm_of(identifier: &AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Result<Option<KeyAlgorithm>, PublicKeyError> {
    Ok(match identifier.oid {
        RSA_ENCRYPTION => {
            let key = RsaPublicKey::from_der(bits).map_err(|_| PublicKeyError::Malformed)?;
            if key.exponent.as_bytes() == [0] {
                return Err(PublicKeyError::Malformed);
            }
            Some(KeyAlgorithm::Rsa { bits: bit_length(key.modulus.as_bytes()) })
        }
        EC_PUBLIC_KEY => identifier.parameters_oid().ok().and_then(KeyAlgorithm::of_curve),
        ED25519 => Some(KeyAlgorithm::Ed25519),
        _ => None,
    })
}

fn bit_length(octets: &[u8]) -> u32 {
    let first = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    let bits = (octets.len() - first) * 8;
    let unused = octets.get(first).map_or(0, |octet| octet.leading_zeros());
    u32::try_from(bits).unwrap_or(u32::MAX).saturating_sub(unused)
}

/// The value of the AlgorithmIdentifier's SEQUENCE, the form in which webpki compares algorithms.
fn contents_of(identifier: &AlgorithmIdentifierRef<'_>) -> Option<Box<[u8]>> {
    let mut contents = identifier.oid.to_der().ok()?;
    if let Some(parameters) = identifier.parameters {
        contents.extend(parameters.to_der().ok()?);
    }
    Some(contents.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_no_key_are_refused() {
        for octets in [&[][..], &[0x30, 0x00], &[0x30, 0x80, 0, 0], b"-----BEGIN PUBLIC KEY-----"] {
            assert_eq!(PublicKey::from_spki_der(octets).map(|_| ()), Err(PublicKeyError::Malformed));
        }
    }

    #[test]
    fn a_key_reads_back_from_its_pem() {
        let text = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let key = PublicKey::from_spki_der(&crate::hex::decode(text).unwrap()).unwrap();
        let pem = key.to_pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert!(PublicKey::from_pem(pem.as_bytes()).unwrap() == key);
        for other in [pem.repeat(2), pem.replace("PUBLIC", "PRIVATE"), String::new()] {
            assert!(PublicKey::from_pem(other.as_bytes()).is_err());
        }
    }

    #[test]
    fn the_length_of_a_modulus_is_counted_in_bits() {
        for (octets, bits) in [(&[][..], 0), (&[0], 0), (&[1], 1), (&[0, 0x80], 8), (&[0x40, 0], 15)] {
            assert_eq!(bit_length(octets), bits);
        }
    }

    /// The key of RFC 8410 section 10.1.
    #[test]
    fn a_known_ed25519_key_has_its_identifiers() {
        let text = "302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let key = PublicKey::from_spki_der(&crate::hex::decode(text).unwrap()).unwrap();
        assert_eq!(key.algorithm(), Some(KeyAlgorithm::Ed25519));
        let hash = digest::digest(&digest::SHA256, &key.spki_der()[12..]);
        assert_eq!(key.subject_key_identifier(), hash.as_ref()[..20]);
        assert_eq!(key.key_id(), KeyId::of_spki(key.spki_der()));
    }
}
