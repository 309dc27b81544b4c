//! Where lists are: the names of their ConfigMaps, their URLs, and which of an authority's lists a certificate stands in.

use std::fmt;

use chancery_pki::{CrlNumber, KeyId, SerialNumber};

use crate::{api::names::LIST_PREFIX, register::RegisterId};

/// The most octets of DER in one chunk: a ConfigMap holds 1 MiB with its names and labels.
pub const CHUNK_BYTES: usize = 900 * 1024;
/// The most shards of an authority: their head has to fit into one ConfigMap.
pub const SHARDS_MAX: u16 = 1024;

const DELTA_MARK: char = 'd';

/// A complete list, or what has changed since one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// All entries.
    Full,
    /// A delta CRL (RFC 5280 section 5.2.4).
    Delta,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => "list",
            Self::Delta => "delta",
        })
    }
}

/// What a ConfigMap is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It names the chunks that are current.
    Head,
    /// It holds a part of a list.
    Chunk,
}

/// The value of the label [`crate::api::names::LIST`]: the first digits of the key identifier. Two authorities may share it, in theory: names tell them apart.
pub fn label(authority: &KeyId) -> String {
    RegisterId::Authority(*authority).label()
}

/// Which of an authority's lists the certificate stands in: the one of its serial, or the first where it is of another form.
pub fn shard_of(serial: &SerialNumber, shards: u16) -> u16 {
    serial.shard().filter(|shard| *shard < shards).unwrap_or(0)
}

/// Where a list is served under `base`, which has no slash at its end. Certificates carry it; it never changes.
pub fn url(base: &str, authority: &KeyId, shard: u16, kind: Kind) -> String {
    match kind {
        Kind::Full => format!("{base}/crl/{authority}/{shard}.crl"),
        Kind::Delta => format!("{base}/crl/{authority}/{shard}-delta.crl"),
    }
}

/// Where OCSP is served.
pub fn ocsp_url(base: &str) -> String {
    format!("{base}/ocsp")
}

/// Where the authority's certificate is served.
pub fn ca_url(base: &str, authority: &KeyId) -> String {
    format!("{base}/ca/{authority}.crt")
}

/// The name of an authority's head.
pub fn head_name(authority: &KeyId) -> String {
    format!("{LIST_PREFIX}{authority}")
}

/// The name of a chunk. No two lists have the same number, so no name is ever used for other octets.
pub(super) fn chunk_name(authority: &KeyId, shard: u16, kind: Kind, number: CrlNumber, index: usize) -> String {
    match kind {
        Kind::Full => format!("{LIST_PREFIX}{authority}-{shard}-{number}-{index}"),
        Kind::Delta => format!("{LIST_PREFIX}{authority}-{shard}{DELTA_MARK}-{number}-{index}"),
    }
}

/// The authority and part that a ConfigMap's name stands for; none for a name of another form.
pub fn part_of(name: &str) -> Option<(KeyId, Part)> {
    let mut parts = name.strip_prefix(LIST_PREFIX)?.split('-');
    let authority = parts.next()?.parse().ok()?;
    let Some(shard) = parts.next() else { return Some((authority, Part::Head)) };
    let _: u16 = shard.trim_end_matches(DELTA_MARK).parse().ok()?;
    let _: CrlNumber = parts.next()?.parse().ok()?;
    let _: usize = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((authority, Part::Chunk))
}

#[cfg(test)]
mod tests {
    use chancery_pki::RANDOM_OCTETS;

    use super::*;

    #[test]
    fn names_and_labels_fit_and_read_back() {
        let authority = KeyId::of_spki(b"x");
        let number = CrlNumber::new(u128::MAX);
        assert_eq!(part_of(&head_name(&authority)), Some((authority, Part::Head)));
        for kind in [Kind::Full, Kind::Delta] {
            let name = chunk_name(&authority, SHARDS_MAX, kind, number, 999);
            assert_eq!(part_of(&name), Some((authority, Part::Chunk)));
            assert!(name.len() <= 253, "{name}");
        }
        assert!(label(&authority).len() <= 63);
        let key = authority.to_string();
        for name in ["", "chancery-list-", "chancery-list-abc", &format!("chancery-list-{key}-1"), &format!("chancery-list-{key}-x-1-1")] {
            assert_eq!(part_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_serial_that_is_not_ours_stands_in_the_first_list() {
        let foreign = SerialNumber::from_octets(&[7]).unwrap();
        let ours = SerialNumber::issued(3, [0; RANDOM_OCTETS]);
        assert_eq!((shard_of(&foreign, 8), shard_of(&ours, 8), shard_of(&ours, 3)), (0, 3, 0));
    }

    #[test]
    fn urls_are_those_that_the_documentation_shows() {
        let authority = KeyId::of_spki(b"x");
        let base = "http://pki.example.org";
        assert_eq!(url(base, &authority, 2, Kind::Full), format!("http://pki.example.org/crl/{authority}/2.crl"));
        assert_eq!(url(base, &authority, 2, Kind::Delta), format!("http://pki.example.org/crl/{authority}/2-delta.crl"));
        assert_eq!(ca_url(base, &authority), format!("http://pki.example.org/ca/{authority}.crt"));
        assert_eq!(ocsp_url(base), "http://pki.example.org/ocsp");
    }
}
