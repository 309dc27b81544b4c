//! Keys from passwords: PKCS#12's own derivation and PBKDF2, and how PBKDF2's parameters are written and read.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use zeroize::Zeroizing;

use super::{ITERATIONS, oid, read::algorithm};
use crate::{
    keystore::password::Password,
    tlv::{self, Malformed, Reader, tag},
};

/// The most derivations that are done for a store that is read: some five times what is written.
const ITERATIONS_MAX: u32 = 10_000;
/// The longest salt that is looked at.
const SALT_MAX: usize = 64;
/// The length of what PBKDF2 derives here: a key of AES-256, and of HMAC-SHA-256.
pub(super) const DERIVED: usize = 32;
/// The length of a block of SHA-1 and SHA-256, in octets.
const BLOCK: usize = 64;

/// What a key is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Encryption = 1,
    Iv = 2,
    Mac = 3,
}

/// Salt and number of iterations.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'a> {
    pub(super) salt: &'a [u8],
    iterations: NonZeroU32,
}

impl<'a> Parameters<'a> {
    /// What is written.
    pub(super) fn usual(salt: &'a [u8]) -> Self {
        Self { salt, iterations: NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN) }
    }

    /// What is read.
    ///
    /// # Errors
    /// When the salt is too long or the number is not one that is done.
    pub(super) fn read(salt: &'a [u8], iterations: &[u8]) -> Result<Self, Malformed> {
        let octets = tlv::unsigned(iterations)?;
        if salt.len() > SALT_MAX || octets.len() > size_of::<u32>() {
            return Err(Malformed);
        }
        let iterations = octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
        let iterations = NonZeroU32::new(iterations).filter(|number| number.get() <= ITERATIONS_MAX).ok_or(Malformed)?;
        Ok(Self { salt, iterations })
    }

    /// Writes salt and iterations as two values.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        tlv::write(out, tag::OCTET_STRING, self.salt);
        let octets = self.iterations.get().to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        tlv::write_unsigned(out, octets.get(zeros..).unwrap_or_default());
    }

    /// Writes PBKDF2 with HMAC-SHA-256 as an AlgorithmIdentifier (RFC 8018 appendix A.2).
    pub(super) fn write_pbkdf2(self, out: &mut Vec<u8>) {
        tlv::wrap(out, tag::SEQUENCE, |out| {
            tlv::write(out, tag::OBJECT_IDENTIFIER, oid::PBKDF2.as_bytes());
            tlv::wrap(out, tag::SEQUENCE, |out| {
                self.write(out);
                // RFC 9579 section 4 asks for it, and it does no harm elsewhere.
                tlv::write_unsigned(out, &DERIVED.to_be_bytes()[size_of::<usize>() - 1..]);
                write_hmac_sha256(out);
            });
        });
    }

    /// Reads that; nothing else is PBKDF2 of ours.
    pub(super) fn read_pbkdf2(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let (kind, mut rest) = algorithm(reader)?;
        let mut parameters = rest.take(tag::SEQUENCE)?.reader();
        rest.end()?;
        let salt = parameters.take(tag::OCTET_STRING)?.contents;
        let iterations = parameters.take(tag::INTEGER)?.contents;
        let length = parameters.take_if(tag::INTEGER)?;
        read_hmac_sha256(&mut parameters)?;
        parameters.end()?;
        let fits = length.is_none_or(|length| tlv::unsigned(length.contents).is_ok_and(|octets| octets.iter().copied().eq([32])));
        if kind == oid::PBKDF2.as_bytes() && fits { Self::read(salt, iterations) } else { Err(Malformed) }
    }

    /// PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2).
    pub(super) fn pbkdf2(self, password: Password<'_>) -> Zeroizing<[u8; DERIVED]> {
        let mut out = Zeroizing::new([0; DERIVED]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, self.iterations, self.salt, password.utf8(), out.as_mut());
        out
    }

    /// PKCS#12's own derivation (RFC 7292 appendix B.2), with a hash of blocks of 64 octets.
    pub(super) fn pkcs12<const N: usize>(
        self,
        hash: &'static digest::Algorithm,
        purpose: Purpose,
        password: Password<'_>,
    ) -> Zeroizing<[u8; N]> {
        let mut input = Zeroizing::new(Vec::new());
        let password = password.bmp_with_end();
        input.reserve_exact(filled(self.salt.len()) + filled(password.len()));
        for part in [self.salt, &password] {
            input.extend(part.iter().cycle().take(filled(part.len())));
        }
        let mut out = Zeroizing::new([0; N]);
        for place in out.chunks_mut(hash.output_len()) {
            let mut context = digest::Context::new(hash);
            context.update(&[purpose as u8; BLOCK]);
            context.update(&input);
            let mut last = context.finish();
            for _ in 1..self.iterations.get() {
                last = digest::digest(hash, last.as_ref());
            }
            place.iter_mut().zip(last.as_ref()).for_each(|(octet, derived)| *octet = *derived);
            for block in input.chunks_mut(BLOCK) {
                add_with_one(block, last.as_ref());
            }
        }
        out
    }
}

/// As many octets as the blocks have that these fill or begin.
fn filled(octets: usize) -> usize {
    octets.next_multiple_of(BLOCK)
}

/// Adds `addend`, repeated to the block's length, and one, modulo 2 to the block's bits.
fn add_with_one(block: &mut [u8], addend: &[u8]) {
    let repeated: Zeroizing<Vec<u8>> = Zeroizing::new(addend.iter().copied().cycle().take(block.len()).collect());
    let mut carry = 1;
    for (octet, added) in block.iter_mut().zip(repeated.iter()).rev() {
        let sum = u16::from(*octet) + u16::from(*added) + carry;
        carry = sum >> 8;
        *octet = sum.to_be_bytes()[1];
    }
}

pub(super) fn write_hmac_sha256(out: &mut Vec<u8>) {
    tlv::wrap(out, tag::SEQUENCE, |out| {
        tlv::write(out, tag::OBJECT_IDENTIFIER, oid::HMAC_SHA256.as_bytes());
        tlv::write(out, tag::NULL, &[]);
    });
}

/// Reads that; others leave the NULL out.
pub(super) fn read_hmac_sha256(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let (kind, mut rest) = algorithm(reader)?;
    rest.take_if(tag::NULL)?;
    rest.end()?;
    if kind == oid::HMAC_SHA256.as_bytes() { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_store_makes_us_derive_for_long() {
        for (iterations, done) in
            [(&[1][..], true), (&[0x27, 0x10], true), (&[0x27, 0x11], false), (&[0x7f, 0xff, 0xff, 0xff], false), (&[1, 0, 0, 0, 0], false)]
        {
            assert_eq!(Parameters::read(b"salt", iterations).is_ok(), done, "{iterations:02x?}");
        }
        for iterations in [&[][..], &[0], &[0xff]] {
            assert!(Parameters::read(b"salt", iterations).is_err(), "{iterations:02x?}");
        }
        assert!(Parameters::read(&[7; SALT_MAX], &[1]).is_ok());
        assert!(Parameters::read(&[7; SALT_MAX + 1], &[1]).is_err());
    }

    #[test]
    fn addition_carries_to_the_front_and_out() {
        let mut block = [0x00, 0xff, 0xff, 0xff];
        add_with_one(&mut block, &[0, 0]);
        assert_eq!(block, [1, 0, 0, 0]);
        let mut block = [0xff; 4];
        add_with_one(&mut block, &[0xff]);
        assert_eq!(block, [0xff; 4]);
    }
}
