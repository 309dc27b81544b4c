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
