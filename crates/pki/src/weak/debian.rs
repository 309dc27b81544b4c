//! The RSA keys that Debian's OpenSSL made from 2006-09-17 to 2008-05-13 (CVE-2008-0166).
//!
//! Its generator knew nothing but the process identifier, the machine's word and byte order, and whether there was a
//! readable `~/.rnd`: 32,768 keys of one size for each combination. The list has those that `openssl genrsa 2048` made on
//! amd64, all of them, and a part of those of i386. Which, how it is made, and how that was checked is in
//! `debian-weak-keys/README.md` of this crate. Keys of other sizes are not in it. Those of `ssh-keygen` need not be: their
//! exponent is 35, and refused as such.

use aws_lc_rs::digest;

/// For each value of a hash's first two octets, how many keys have it: one octet each; then of each key the three octets
/// that follow, in ascending order of the hash.
///
/// The hash is the SHA-256 of the modulus. Five octets make one key in ten million look like one of these by chance.
static LIST: &[u8] = include_bytes!("debian_rsa_2048.bin");

const PREFIXES: usize = 1 << 16;

/// The size that the list is for.
const BITS: u32 = 2048;

/// Whether the key with this modulus, big-endian and without leading zeros, is on the list.
pub(super) fn made(bits: u32, modulus: &[u8]) -> bool {
    bits == BITS && is_listed(digest::digest(&digest::SHA256, modulus).as_ref())
}

fn is_listed(hash: &[u8]) -> bool {
    let (Some(&[high, low]), Some(&rest)) = (hash.first_chunk::<2>(), hash.get(2..).and_then(<[u8]>::first_chunk::<3>)) else {
        return false;
    };
    let prefix = usize::from(u16::from_be_bytes([high, low]));
    let (counts, entries) = LIST.split_at(PREFIXES);
    let before: usize = counts[..prefix].iter().copied().map(usize::from).sum();
    let (entries, _) = entries.as_chunks::<3>();
    entries.iter().skip(before).take(usize::from(counts[prefix])).any(|entry| *entry == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_what_its_counts_say_in_ascending_order() {
        let (counts, entries) = LIST.split_at(PREFIXES);
        let (entries, rest) = entries.as_chunks::<3>();
        assert!(rest.is_empty());
        assert_eq!(counts.iter().copied().map(usize::from).sum::<usize>(), entries.len());
        // The three sets of amd64, and three eighths of one of i386.
        assert_eq!(entries.len(), 3 * 32_768 + 12_288);
        let mut entries = entries.iter();
        for count in counts {
            assert!(entries.by_ref().take(usize::from(*count)).is_sorted());
        }
    }
}
