//! The numbers of lists (RFC 5280 section 5.2.3).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The number of a list. An authority's lists, deltas included, have ever higher ones. Its text form is decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CrlNumber(u128);

impl CrlNumber {
    /// This number. Whichever it is, it takes no more than the 20 octets that RFC 5280 allows.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u128 {
        self.0
    }

    /// From the octets of an INTEGER without its sign; none for one that is beyond what is counted here.
    pub(super) fn from_octets(octets: &[u8]) -> Option<Self> {
        let mut number = [0; 16];
        number.get_mut(16_usize.checked_sub(octets.len())?..)?.copy_from_slice(octets);
        Some(Self(u128::from_be_bytes(number)))
    }

    /// The octets, big-endian. They may begin with zeros.
    pub(super) fn to_octets(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<CrlNumber> for String {
    fn from(number: CrlNumber) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for CrlNumber {
    type Error = CrlNumberError;

    fn try_from(text: String) -> Result<Self, CrlNumberError> {
        text.parse()
    }
}

impl FromStr for CrlNumber {
    type Err = CrlNumberError;

    fn from_str(text: &str) -> Result<Self, CrlNumberError> {
        // u128 alone would take a sign.
        if !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(CrlNumberError);
        }
        text.parse().map(Self).map_err(|_| CrlNumberError)
    }
}

/// The text is no decimal number, or one above 2^128.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the number of a list is written as decimal digits, and is below 2^128")]
pub struct CrlNumberError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_from_its_text_and_its_octets() {
        for number in [0, 1, 255, 1_795_000_000_000_000_000, u128::MAX].map(CrlNumber::new) {
            assert_eq!(number.to_string().parse(), Ok(number));
            assert_eq!(serde_json::from_str::<CrlNumber>(&format!("\"{number}\"")).unwrap(), number);
            assert_eq!(serde_json::to_string(&number).unwrap(), format!("\"{number}\""));
            assert_eq!(CrlNumber::from_octets(&number.to_octets()), Some(number));
        }
        assert_eq!(CrlNumber::from_octets(&[1, 0]), Some(CrlNumber::new(256)));
        assert_eq!(CrlNumber::from_octets(&[1; 17]), None);
    }

    #[test]
    fn a_text_that_is_no_number_is_refused() {
        for text in ["", "+1", "-1", "0x1", " 1", "340282366920938463463374607431768211456"] {
            assert_eq!(text.parse::<CrlNumber>(), Err(CrlNumberError), "{text:?}");
        }
    }
}
