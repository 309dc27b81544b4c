//! Public keys that must not be certified, since others can find the private half (CA/Browser Forum Baseline
//! Requirements 6.1.1.3 and 6.1.6).
//!
//! What is looked at here is public: nothing takes constant time, and nothing may be given a private key. That a key is
//! not found weak does not say that it is strong.

mod debian;
mod fermat;
mod residues;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey, VerificationAlgorithm,
};
use num_bigint::BigUint;
use thiserror::Error;

use crate::{KeyAlgorithm, PublicKey, RSA_BITS_MAX, RSA_BITS_MIN};

use residues::Residues;

/// Why a key must not be certified.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Weakness {
    /// The modulus is too short to be safe or too long to be used.
    #[error("its modulus has {bits} bits, and {RSA_BITS_MIN} to {RSA_BITS_MAX} are allowed")]
    Size {
        /// The length of the modulus.
        bits: u32,
    },
    /// Baseline Requirements 6.1.6.
    #[error("its public exponent is not an odd number from 65537 to 2^256-1")]
    Exponent,
    /// The modulus is divisible by this prime.
    #[error("its modulus is divisible by {0}")]
    SmallFactor(u32),
    /// CVE-2017-15361: made by Infineon's RSALib, as in many smart cards and trusted platform modules.
    #[error("it was made by a library whose keys can be factored (ROCA, CVE-2017-15361)")]
    Roca,
    /// Fermat's method finds the primes within a few steps.
    #[error("its primes are too close together (Fermat's method finds them)")]
    CloseFactors,
    /// CVE-2008-0166: one of the few keys that Debian's OpenSSL of 2006 to 2008 could make.
    #[error("it is one of the keys that Debian's OpenSSL of 2006 to 2008 made without randomness (CVE-2008-0166)")]
    Debian,
    /// The key's octets are no point of its curve.
    #[error("it is not a point of its curve")]
    NotOnCurve,
}

impl PublicKey {
    /// What is known to be wrong with the key; none for one of a kind that we neither make nor load.
    ///
    /// RSA: the size, the exponent, prime factors up to 751, ROCA, primes that are close together, and keys of 2048
    /// bits that Debian's `openssl genrsa` made on amd64, and in part on i386. ECDSA: whether the point is on its curve. Ed25519: the length.
    ///
    /// This takes some tenths of a millisecond for RSA, and microseconds for the others.
    pub fn weakness(&self) -> Option<Weakness> {
        match self.algorithm()? {
            KeyAlgorithm::Rsa { bits } => {
                let (modulus, exponent) = self.rsa_numbers()?;
                of_rsa(bits, modulus, exponent)
            }
            KeyAlgorithm::EcdsaP256 => of_ecdsa(&ECDSA_P256_SHA256_ASN1, self.bits()),
            KeyAlgorithm::EcdsaP384 => of_ecdsa(&ECDSA_P384_SHA384_ASN1, self.bits()),
            KeyAlgorithm::EcdsaP521 => of_ecdsa(&ECDSA_P521_SHA512_ASN1, self.bits()),
            KeyAlgorithm::Ed25519 => (self.bits().len() != 32).then_some(Weakness::NotOnCurve),
        }
    }
}

/// Both numbers are big-endian, without leading zeros.
fn of_rsa(bits: u32, modulus: &[u8], exponent: &[u8]) -> Option<Weakness> {
    // First of all, since it bounds the work of the rest.
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Some(Weakness::Size { bits });
    }
    if !exponent_is_allowed(exponent) {
        return Some(Weakness::Exponent);
    }
    let number = BigUint::from_bytes_be(modulus);
    let residues = Residues::of(&number);
    if let Some(prime) = residues.divisor() {
        return Some(Weakness::SmallFactor(prime));
    }
    if residues.have_mark_of_roca() {
        return Some(Weakness::Roca);
    }
    if fermat::finds_factors(&number) {
        return Some(Weakness::CloseFactors);
    }
    debian::made(bits, modulus).then_some(Weakness::Debian)
}

/// 65537, the usual exponent and the least that is allowed.
const F4: &[u8] = &[1, 0, 1];

/// Odd, at least 2^16+1, at most 2^256-1.
fn exponent_is_allowed(exponent: &[u8]) -> bool {
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    let large = exponent.len() > 3 || exponent.len() == 3 && exponent >= F4;
    odd && large && exponent.len() <= 32
}

fn of_ecdsa(curve: &'static dyn VerificationAlgorithm, point: &[u8]) -> Option<Weakness> {
    ParsedPublicKey::new(curve, point).is_err().then_some(Weakness::NotOnCurve)
}

#[cfg(test)]
mod tests;
