//! Serial numbers of certificates (RFC 5280 section 4.1.2.2).
//!
//! A serial that an authority of ours gives out has 16 octets: a version octet `0x01`, two octets of shard and 104
//! random bits. The shard belongs to the serial for ever: it says which list would carry its revocation. This module
//! draws no random bits itself; they are an argument.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// How many random octets a serial of ours holds: 104 bits.
pub const RANDOM_OCTETS: usize = 13;

const VERSION: u8 = 0x01;
const LENGTH: usize = 1 + 2 + RANDOM_OCTETS;

/// A certificate's serial number: 1 to 20 octets, big-endian, without a leading zero octet.
///
/// Its text form is lower-case hexadecimal without separators.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Box<[u8]>);

impl SerialNumber {
    /// The serial of a certificate that is about to be issued: its shard, and 104 bits from a secure generator.
    pub fn issued(shard: u16, random: [u8; RANDOM_OCTETS]) -> Self {
        let mut octets = Vec::with_capacity(LENGTH);
        octets.push(VERSION);
        octets.extend_from_slice(&shard.to_be_bytes());
        octets.extend_from_slice(&random);
        Self(octets.into_boxed_slice())
    }

    /// The serial in a certificate made elsewhere, from the octets of its DER INTEGER.
    ///
    /// # Errors
    /// When it is empty, negative or longer than 20 octets after its leading zeros.
    pub fn from_octets(octets: &[u8]) -> Result<Self, SerialError> {
        Self::check(octets).map(|significant| Self(significant.into()))
    }

    /// As [`SerialNumber::from_octets`], but only the octets without leading zeros.
    pub(crate) fn check(octets: &[u8]) -> Result<&[u8], SerialError> {
        if octets.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(SerialError::Negative);
        }
        let start = octets.iter().position(|octet| *octet != 0).unwrap_or_else(|| octets.len().saturating_sub(1));
        let significant = &octets[start..];
        match significant.len() {
            0 => Err(SerialError::Empty),
            1..=20 => Ok(significant),
            octets => Err(SerialError::TooLong { octets }),
        }
    }

    /// The octets, big-endian, without a leading zero.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// The shard of a serial that this software gave out; none for one that has another form.
    pub fn shard(&self) -> Option<u16> {
        match &*self.0 {
            [VERSION, high, low, rest @ ..] if rest.len() == RANDOM_OCTETS => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex::write(&self.0, formatter)
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SerialNumber({self})")
    }
}

impl FromStr for SerialNumber {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let octets = crate::hex::decode(text).ok_or(SerialError::NotHexadecimal)?;
        if octets.first().is_some_and(|first| first & 0x80 != 0) {
            // The text form leaves out the zero octet that DER puts before a high bit.
            return Self::from_octets(&[&[0], octets.as_slice()].concat());
        }
        Self::from_octets(&octets)
    }
}

/// Why octets or a text are no serial number.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SerialError {
    /// There is no octet at all.
    #[error("a serial number has at least one octet")]
    Empty,
    /// The DER INTEGER is negative.
    #[error("a serial number is not negative")]
    Negative,
    /// The text is not pairs of hexadecimal digits.
    #[error("a serial number is written as pairs of hexadecimal digits")]
    NotHexadecimal,
    /// More than 20 octets (RFC 5280 section 4.1.2.2).
    #[error("a serial number has at most 20 octets, this one has {octets}")]
    TooLong {
        /// How many it has.
        octets: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_keeps_its_shard_through_its_text_form() {
        let serial = SerialNumber::issued(0x0102, [0xff; RANDOM_OCTETS]);
        assert_eq!(serial.to_string(), "010102ffffffffffffffffffffffffff");
        let read: SerialNumber = serial.to_string().parse().unwrap();
        assert_eq!(read, serial);
        assert_eq!(read.shard(), Some(0x0102));
    }

    #[test]
    fn a_foreign_serial_has_no_shard() {
        assert_eq!(SerialNumber::from_octets(&[0x00, 0xfe]).unwrap().shard(), None);
    }

    #[test]
    fn octets_that_are_no_serial_are_refused() {
        assert_eq!(SerialNumber::from_octets(&[]), Err(SerialError::Empty));
        assert_eq!(SerialNumber::from_octets(&[0x80]), Err(SerialError::Negative));
        assert_eq!(SerialNumber::from_octets(&[1; 21]), Err(SerialError::TooLong { octets: 21 }));
        assert_eq!("xyz".parse::<SerialNumber>(), Err(SerialError::NotHexadecimal));
        assert_eq!(SerialNumber::from_octets(&[0, 0]).unwrap().to_string(), "00");
    }
}
