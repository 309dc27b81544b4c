//! The name by which a key is known everywhere: the SHA-256 of its SubjectPublicKeyInfo.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use thiserror::Error;

/// The SHA-256 of a key's DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). Its text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The identifier of the key with this DER SubjectPublicKeyInfo.
    pub fn of_spki(spki_der: &[u8]) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest::digest(&digest::SHA256, spki_der).as_ref());
        Self(octets)
    }

    /// The 32 octets.
    pub fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex::write(&self.0, formatter)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let octets = crate::hex::decode(text).ok_or(KeyIdError)?;
        octets.try_into().map(Self).map_err(|_| KeyIdError)
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a key identifier is written as 64 hexadecimal digits")]
pub struct KeyIdError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_identifier_reads_back_from_its_text() {
        let id = KeyId::of_spki(b"any octets");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("12".parse::<KeyId>(), Err(KeyIdError));
    }
}
