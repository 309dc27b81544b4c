//! Who signs: a key that may be anywhere.
//!
//! What is to be signed goes out whole and a signature comes back; the caller learns nothing else of the private key.

use std::fmt;

use spki::AlgorithmIdentifierOwned;
use thiserror::Error;

use crate::{PublicKey, SignatureAlgorithm};

/// A private key that signs, wherever it is kept.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The public half of the key.
    fn public_key(&self) -> &PublicKey;

    /// The algorithm of the signatures that [`Signer::sign`] makes.
    fn signature_algorithm(&self) -> AlgorithmIdentifierOwned;

    /// The signature over `message`, in the form that a certificate holds: ECDSA as DER (RFC 3279 section 2.2.3).
    ///
    /// # Errors
    /// When the key's keeper did not sign.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// As [`Signer::sign`], with an algorithm of the caller's choice. A keeper that has no choice signs with its own only.
    ///
    /// # Errors
    /// When the key does not sign with that algorithm, or its keeper did not sign.
    fn sign_with(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if SignatureAlgorithm::of_oid(self.signature_algorithm().oid) == Some(algorithm) {
            return self.sign(message);
        }
        Err(SignError { reason: format!("it does not sign with {algorithm}") })
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the key did not sign: {reason}")]
pub struct SignError {
    /// What the key's keeper said. Never anything of the key.
    pub reason: String,
}
