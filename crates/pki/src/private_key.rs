//! Private keys: made, read and written, and signing.
//!
//! The cryptographic provider holds the key and wipes the memory when it frees it; every DER or PEM form that exists on
//! the way is wiped too. No `Debug` and no error shows anything but the kind of key.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA256_ASN1_SIGNING, ECDSA_P521_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RsaKeyPair,
    },
};
use rcgen::RsaKeySize;
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    KeyAlgorithm, KeyId, PemError, PublicKey, SignError, SignatureAlgorithm, Signer, pem,
    private_key_info::{self, Material},
};

/// The shortest RSA modulus that is loaded, in bits.
pub const RSA_BITS_MIN: u32 = 2048;
/// The longest RSA modulus that is loaded, in bits.
pub const RSA_BITS_MAX: u32 = 8192;

/// How a private key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyEncoding {
    /// The form of the key's own kind: PKCS#1 (RFC 8017) for RSA, SEC1 (RFC 5915) for ECDSA. Ed25519 has none and is
    /// written as PKCS#8.
    Pkcs1,
    /// PKCS#8 (RFC 5208), for every kind.
    Pkcs8,
}

/// A private key. Its memory is wiped when it is dropped.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
    algorithm: KeyAlgorithm,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl PrivateKey {
    /// Makes a new key: ECDSA on any curve, Ed25519, or RSA of 2048, 3072, 4096 or 8192 bits.
    ///
    /// This draws on the provider's own generator of random bits. RSA takes from tenths of a second to minutes.
    ///
    /// # Errors
    /// When the provider makes no key of this size, or fails.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let made = match algorithm {
            KeyAlgorithm::EcdsaP256 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyAlgorithm::EcdsaP384 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyAlgorithm::EcdsaP521 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            KeyAlgorithm::Ed25519 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyAlgorithm::Rsa { bits: 2048 } => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyAlgorithm::Rsa { bits: 3072 } => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
            KeyAlgorithm::Rsa { bits: 4096 } => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
            // rcgen names no such size; the provider beneath it does.
            KeyAlgorithm::Rsa { bits: 8192 } => {
                let pair = RsaKeyPair::generate(KeySize::Rsa8192).map_err(|_| KeyError::NotMade { algorithm })?;
                return Self::of_pair(Pair::Rsa(pair));
            }
            KeyAlgorithm::Rsa { .. } => return Err(KeyError::UnsupportedSize { algorithm }),
        };
        // rcgen's key pair does not wipe itself.
        let made = Zeroizing::new(made.map_err(|_| KeyError::NotMade { algorithm })?);
        Self::of_material(&private_key_info::read(made.serialized_der())?)
    }

    /// Reads the one private key that a PEM text holds: PKCS#8, PKCS#1 or SEC1, whatever the label says, of ECDSA on
    /// P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits. An `EC PARAMETERS` block before it is passed over.
    /// That the key works is shown by a signature.
    ///
    /// # Errors
    /// When there is no key or more than one, something follows it, it is encrypted, of another kind or size, or its
    /// parts do not belong together.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let key = Self::from_der(&Self::der_of_pem(text)?)?;
        key.prove()?;
        Ok(key)
    }

    /// The octets of the one private key that a PEM text holds, in whatever form; they are not looked at.
    ///
    /// # Errors
    /// When there is no key or more than one, something follows it, or it is encrypted.
    pub fn der_of_pem(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut found = pem::decode(text)?;
        found.blocks.retain(|block| block.label != "EC PARAMETERS");
        let [block] = found.blocks.as_slice() else {
            return Err(match found.blocks.len() {
                0 => KeyError::NoKey,
                keys => KeyError::SeveralBlocks { blocks: keys },
            });
        };
        if found.trailing_text {
            return Err(KeyError::TrailingText);
        }
        if block.label == "ENCRYPTED PRIVATE KEY" {
            return Err(KeyError::Encrypted);
        }
        Ok(block.contents.clone())
    }

    /// The key as PEM, ended by a line feed.
    ///
    /// # Errors
    /// When the provider does not write the key.
    pub fn to_pem(&self, encoding: KeyEncoding) -> Result<Zeroizing<String>, KeyError> {
        let label = match (&self.pair, encoding) {
            (Pair::Rsa(_), KeyEncoding::Pkcs1) => "RSA PRIVATE KEY",
            (Pair::Ecdsa(_), KeyEncoding::Pkcs1) => "EC PRIVATE KEY",
            (Pair::Ed25519(_), KeyEncoding::Pkcs1) | (_, KeyEncoding::Pkcs8) => "PRIVATE KEY",
        };
        pem::encode(label, &self.to_der(encoding)?).map(Zeroizing::new).ok_or(KeyError::NotWritten)
    }

    /// The key as DER: the octets inside [`PrivateKey::to_pem`].
    ///
    /// # Errors
    /// When the provider does not write the key.
    pub fn to_der(&self, encoding: KeyEncoding) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let pkcs8 = self.to_pkcs8().map_err(|Unspecified| KeyError::NotWritten)?;
        match (&self.pair, encoding) {
            (Pair::Rsa(_), KeyEncoding::Pkcs1) => {
                let Material::Rsa { pkcs1 } = private_key_info::read(&pkcs8)? else { return Err(KeyError::NotWritten) };
                Ok(Zeroizing::new(pkcs1.to_vec()))
            }
            (Pair::Ecdsa(pair), KeyEncoding::Pkcs1) => {
                let sec1 = pair.private_key().as_der().map_err(|Unspecified| KeyError::NotWritten)?;
                Ok(Zeroizing::new(sec1.as_ref().to_vec()))
            }
            (Pair::Ed25519(_), KeyEncoding::Pkcs1) | (_, KeyEncoding::Pkcs8) => Ok(pkcs8),
        }
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The kind and size of the key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SHA-256 of the public half's SubjectPublicKeyInfo.
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    /// Reads DER of any of the forms of [`PrivateKey::from_pem`]. That the key works is not tried.
    ///
    /// # Errors
    /// When the octets are no key of these kinds and sizes.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::of_material(&private_key_info::read(der)?)
    }

    fn of_material(material: &Material<'_>) -> Result<Self, KeyError> {
        let refused = |_: KeyRejected| KeyError::Inconsistent;
        Self::of_pair(match material {
            Material::Rsa { pkcs1 } => Pair::Rsa(rsa_from_pkcs1(pkcs1)?),
            Material::Ecdsa { algorithm, der } => {
                Pair::Ecdsa(EcdsaKeyPair::from_private_key_der(ecdsa_signing(*algorithm)?, der).map_err(refused)?)
            }
            Material::Ed25519 { seed, public: None } => Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(seed).map_err(refused)?),
            Material::Ed25519 { seed, public: Some(public) } => {
                Pair::Ed25519(Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(refused)?)
            }
        })
    }

    fn of_pair(pair: Pair) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        }
        .map_err(|Unspecified| KeyError::Inconsistent)?;
        let public = PublicKey::from_spki_der(spki.as_ref()).map_err(|_| KeyError::Inconsistent)?;
        let algorithm = public.algorithm().ok_or(KeyError::Inconsistent)?;
        Ok(Self { pair, public, algorithm })
    }

    fn prove(&self) -> Result<(), KeyError> {
        const MESSAGE: &[u8] = b"chancery: does this key work?";
        let signature = self.sign(MESSAGE).map_err(|_| KeyError::Inconsistent)?;
        self.public.verify(&self.signature_algorithm(), MESSAGE, &signature).map_err(|_| KeyError::Inconsistent)
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        Ok(Zeroizing::new(match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            // Version 1, without the public key: OpenSSL 3.0 reads no other.
            Pair::Ed25519(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref().to_vec(),
        }))
    }
}

impl Signer for PrivateKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// That of [`SignatureAlgorithm::usual`].
    fn signature_algorithm(&self) -> AlgorithmIdentifierOwned {
        SignatureAlgorithm::usual(self.algorithm).identifier()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign_with(SignatureAlgorithm::usual(self.algorithm), message)
    }

    fn sign_with(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |Unspecified| SignError { reason: format!("the {} operation failed", self.algorithm) };
        if !algorithm.suits(self.algorithm) {
            return Err(SignError { reason: format!("a key of {} does not sign with {algorithm}", self.algorithm) });
        }
        match &self.pair {
            Pair::Ecdsa(pair) if algorithm == SignatureAlgorithm::usual(self.algorithm) => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            // The provider binds a key to its hash when it is loaded.
            Pair::Ecdsa(_) => {
                let hash = match algorithm {
                    SignatureAlgorithm::EcdsaWithSha256 => &ECDSA_P521_SHA256_ASN1_SIGNING,
                    _ => &ECDSA_P521_SHA384_ASN1_SIGNING,
                };
                let pkcs8 = self.to_pkcs8().map_err(failed)?;
                let pair = EcdsaKeyPair::from_pkcs8(hash, &pkcs8).map_err(|_| failed(Unspecified))?;
                Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let padding = match algorithm {
                    SignatureAlgorithm::Sha384WithRsa => &RSA_PKCS1_SHA384,
                    SignatureAlgorithm::Sha512WithRsa => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.public.key_id())
            .finish_non_exhaustive()
    }
}

/// Why there is no private key, or it is not written. Never tells anything of the key but its kind and size.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The text is not PEM.
    #[error("the private key cannot be read: {0}")]
    Pem(#[from] PemError),
    /// There is no PEM block.
    #[error("there is no private key in PEM form")]
    NoKey,
    /// There is more than one PEM block.
    #[error("there must be one private key and nothing else, not {blocks} PEM blocks")]
    SeveralBlocks {
        /// How many there are.
        blocks: usize,
    },
    /// Something follows the key.
    #[error("there is text after the private key")]
    TrailingText,
    /// The key needs a password.
    #[error("the private key is encrypted")]
    Encrypted,
    /// The block holds no private key in a form we know, or something follows it.
    #[error("the PEM block holds no private key in the form of PKCS#1, SEC1 or PKCS#8")]
    Malformed,
    /// A key of another kind.
    #[error("private keys of kind {oid} are not supported")]
    UnsupportedKind {
        /// The algorithm or curve it names.
        oid: const_oid::ObjectIdentifier,
    },
    /// A size that is not made or not loaded.
    #[error("private keys of {algorithm} are not supported")]
    UnsupportedSize {
        /// The kind and size.
        algorithm: KeyAlgorithm,
    },
    /// Its parts do not belong together, or its signatures are wrong.
    #[error("the private key is damaged: its parts do not belong together")]
    Inconsistent,
    /// The provider made no key.
    #[error("no {algorithm} key could be made")]
    NotMade {
        /// The kind and size.
        algorithm: KeyAlgorithm,
    },
    /// The provider did not write the key.
    #[error("the private key could not be written")]
    NotWritten,
}

fn rsa_from_pkcs1(pkcs1: &[u8]) -> Result<RsaKeyPair, KeyError> {
    let bits = private_key_info::rsa_bits(pkcs1)?;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(KeyError::UnsupportedSize { algorithm: KeyAlgorithm::Rsa { bits } });
    }
    RsaKeyPair::from_der(pkcs1).map_err(|_| KeyError::Inconsistent)
}

fn ecdsa_signing(algorithm: KeyAlgorithm) -> Result<&'static EcdsaSigningAlgorithm, KeyError> {
    match algorithm {
        KeyAlgorithm::EcdsaP256 => Ok(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP384 => Ok(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::EcdsaP521 => Ok(&ECDSA_P521_SHA512_ASN1_SIGNING),
        KeyAlgorithm::Ed25519 | KeyAlgorithm::Rsa { .. } => Err(KeyError::UnsupportedSize { algorithm }),
    }
}
