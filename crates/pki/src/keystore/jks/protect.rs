//! How a JKS protects a private key: with a stream of SHA-1 hashes of password and salt, and a hash of password and key.

use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use super::{super::password::Password, sha1};
use crate::tlv::{self, tag};

const SALT: usize = 20;
const HASH: usize = 20;
/// More octets than a key has.
const KEY_MAX: usize = 16 << 10;
/// The algorithm's name, of Sun's own making.
const KEY_PROTECTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// The key as an EncryptedPrivateKeyInfo (RFC 5208 section 6).
pub(super) fn protect(pkcs8: &[u8], password: Password<'_>, salt: [u8; SALT]) -> Vec<u8> {
    let password = password.utf16();
    let mut protected = Vec::with_capacity(SALT + pkcs8.len() + HASH);
    protected.extend(salt);
    protected.extend(pkcs8.iter().zip(mask(&password, salt, pkcs8.len()).iter()).map(|(octet, mask)| octet ^ mask));
    protected.extend_from_slice(sha1(&[&password, pkcs8]).as_ref());
    let mut out = Vec::new();
    tlv::wrap(&mut out, tag::SEQUENCE, |out| {
        tlv::wrap(out, tag::SEQUENCE, |out| {
            tlv::write(out, tag::OBJECT_IDENTIFIER, KEY_PROTECTOR.as_bytes());
            tlv::write(out, tag::NULL, &[]);
        });
        tlv::write(out, tag::OCTET_STRING, &protected);
    });
    out
}

/// The key, if it is protected in this way and by this password.
pub(super) fn open(protected: &[u8], password: Password<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let mut info = tlv::only(protected, tag::SEQUENCE).ok()?.reader();
    let mut algorithm = info.take(tag::SEQUENCE).ok()?.reader();
    let octets = info.take(tag::OCTET_STRING).ok()?.contents;
    info.end().ok()?;
    if algorithm.take(tag::OBJECT_IDENTIFIER).ok()?.contents != KEY_PROTECTOR.as_bytes() {
        return None;
    }
    let (salt, rest) = octets.split_first_chunk::<SALT>()?;
    let (masked, hash) = rest.split_last_chunk::<HASH>().filter(|(masked, _)| masked.len() <= KEY_MAX)?;
    let password = password.utf16();
    let mut pkcs8 = Zeroizing::new(Vec::with_capacity(masked.len()));
    pkcs8.extend(masked.iter().zip(mask(&password, *salt, masked.len()).iter()).map(|(octet, mask)| octet ^ mask));
    (sha1(&[&password, &pkcs8]).as_ref() == hash).then_some(pkcs8)
}

/// What the key is hidden under: a chain of hashes, at least as long as the key.
fn mask(password: &[u8], salt: [u8; SALT], length: usize) -> Zeroizing<Vec<u8>> {
    let mut mask = Zeroizing::new(Vec::with_capacity(length + HASH));
    let mut last = sha1(&[password, &salt]);
    while mask.len() < length {
        mask.extend_from_slice(last.as_ref());
        last = sha1(&[password, last.as_ref()]);
    }
    mask
}
