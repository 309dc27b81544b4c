//! Ranges of IP addresses, as name constraints and networks are written.
//!
//! Whether an address may be used is not decided here.

use std::{fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

/// The addresses that begin with the same bits, as `10.0.0.0/8` (RFC 4632). The other bits of its address are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange {
    address: IpAddr,
    prefix: u8,
}

impl IpRange {
    /// The range of the addresses that have their first `prefix` bits in common with this one; none when it has fewer bits.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(address)).then(|| Self { address: masked(address, prefix), prefix })
    }

    /// Whether the address is in the range. An IPv6 address is in no range of IPv4, and the other way round.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// The address and its mask, as RFC 5280 section 4.2.1.10 writes them.
    pub(super) fn to_octets(self) -> Vec<u8> {
        match (self.address, masked(all_ones(self.address), self.prefix)) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => [address.octets(), mask.octets()].concat(),
            (IpAddr::V6(address), IpAddr::V6(mask)) => [address.octets(), mask.octets()].concat(),
            // A mask is of the kind of its address.
            _ => Vec::new(),
        }
    }

    /// The range with this address and mask; none when they are of another length, or the mask is not ones before zeros.
    pub(super) fn from_octets(octets: &[u8]) -> Option<Self> {
        let (address, mask) = octets.split_at(octets.len() / 2);
        let address_of = |octets: &[u8]| match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
            _ => None,
        };
        let (address, mask) = (address_of(address)?, address_of(mask)?);
        let ones = match mask {
            IpAddr::V4(mask) => mask.to_bits().leading_ones(),
            IpAddr::V6(mask) => mask.to_bits().leading_ones(),
        };
        let prefix = u8::try_from(ones).ok()?;
        (masked(all_ones(address), prefix) == mask).then_some(())?;
        Self::new(address, prefix)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn all_ones(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { IpAddr::from([0xff; 4]) } else { IpAddr::from([0xff_u8; 16]) }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    /// Bits of the address that are not of the range are set to zero.
    fn from_str(text: &str) -> Result<Self, IpRangeError> {
        let refused = || IpRangeError { text: text.to_owned() };
        let (address, prefix) = text.split_once('/').ok_or_else(refused)?;
        if !prefix.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(refused());
        }
        let (address, prefix) = (address.parse().map_err(|_| refused())?, prefix.parse().map_err(|_| refused())?);
        Self::new(address, prefix).ok_or_else(refused)
    }
}

/// The text is no range of addresses.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not a range of IP addresses as 10.0.0.0/8 or 2001:db8::/32")]
pub struct IpRangeError {
    /// What it says.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_back_with_the_bits_that_it_has() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("255.255.255.255/0", "0.0.0.0/0"),
            ("192.0.2.7/32", "192.0.2.7/32"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::1/128", "::1/128"),
        ] {
            let range: IpRange = text.parse().unwrap();
            assert_eq!(range.to_string(), shown);
            assert_eq!(IpRange::from_octets(&range.to_octets()), Some(range), "{text}");
        }
        for wrong in
            ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "/8", "10.0.0.0/8/8", "a/8", "10.0.0.0/999"]
        {
            assert_eq!(wrong.parse::<IpRange>(), Err(IpRangeError { text: wrong.into() }));
        }
    }

    #[test]
    fn a_range_holds_the_addresses_that_begin_as_it_does() {
        for (range, address, holds) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
        ] {
            assert_eq!(range.parse::<IpRange>().unwrap().contains(address.parse().unwrap()), holds, "{range} {address}");
        }
    }

    #[test]
    fn a_mask_that_is_not_ones_before_zeros_is_no_range() {
        for octets in [&[][..], &[10, 0, 0, 0], &[10, 0, 0, 0, 255, 0, 255, 0], &[10, 0, 0, 0, 0, 0, 0, 1], &[0; 7], &[0; 10], &[0; 34]] {
            assert_eq!(IpRange::from_octets(octets), None, "{octets:?}");
        }
        // Bits beyond the mask mean nothing.
        assert_eq!(IpRange::from_octets(&[10, 1, 2, 3, 255, 0, 0, 0]), "10.0.0.0/8".parse().ok());
    }
}
