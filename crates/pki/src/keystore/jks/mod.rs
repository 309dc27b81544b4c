//! JKS, Java's own format: version 2, as Java since 1.2 reads and writes it.
//!
//! No standard describes it; it is what `sun.security.provider.JavaKeyStore` and `KeyProtector` do. Its protection is
//! weak by design (one SHA-1 of password and salt for every 20 octets of the key): who can read the store can try
//! passwords fast. It is here for programs that read nothing else.

mod holds;
mod protect;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use super::{Contents, KeystoreError, STORE_MAX, named_authorities, password::Password};
use crate::{Certificate, KeyEncoding};

pub(super) use holds::contents;
pub use holds::{jks_holds, jks_truststore_holds};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const KEY_ENTRY: u32 = 1;
const TRUSTED_ENTRY: u32 = 2;
const CERTIFICATE_TYPE: &str = "X.509";
/// What is hashed between password and store.
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// Writes a key store: the key with its chain under the alias, the authorities under `ca`, `ca-1` and so on. The password
/// protects both the store and the key. An entry's date is the begin of its certificate's validity.
///
/// Java finds no alias that has capital letters in it, so that it is written without any.
///
/// # Errors
/// When the password is empty, over-long or no text, the alias is empty or over-long, there is no certificate or it is
/// not of this key.
pub fn jks(contents: &Contents<'_>, password: &[u8], random: [u8; 20]) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let password = Password::new(password)?;
    let leaf = contents.check()?;
    let alias = contents.alias.to_lowercase();
    if alias.is_empty() {
        return Err(KeystoreError::AliasEmpty);
    }
    let authorities = named_authorities(contents.ca, Some(&alias));
    let key = protect::protect(&contents.key.to_der(KeyEncoding::Pkcs8)?, password, random);
    let mut out = begin(1 + authorities.len())?;
    write_entry(&mut out, KEY_ENTRY, &alias, leaf)?;
    write_length(&mut out, key.len())?;
    out.extend_from_slice(&key);
    write_length(&mut out, contents.chain.len())?;
    for certificate in contents.chain {
        write_certificate(&mut out, certificate)?;
    }
    write_authorities(&mut out, &authorities)?;
    seal(out, password).map(Zeroizing::new)
}

/// Writes a trust store: the authorities under `ca`, `ca-1` and so on, each once.
///
/// # Errors
/// When the password is empty, over-long or no text, or there is no certificate.
pub fn jks_truststore(ca: &[Certificate], password: &[u8]) -> Result<Vec<u8>, KeystoreError> {
    let password = Password::new(password)?;
    let authorities = named_authorities(ca, None);
    if authorities.is_empty() {
        return Err(KeystoreError::NoCertificate);
    }
    let mut out = begin(authorities.len())?;
    write_authorities(&mut out, &authorities)?;
    seal(out, password)
}

fn begin(entries: usize) -> Result<Vec<u8>, KeystoreError> {
    let mut out = Vec::new();
    out.extend(MAGIC.to_be_bytes());
    out.extend(VERSION.to_be_bytes());
    write_length(&mut out, entries)?;
    Ok(out)
}

fn write_authorities(out: &mut Vec<u8>, authorities: &[(String, &Certificate)]) -> Result<(), KeystoreError> {
    for (alias, certificate) in authorities {
        write_entry(out, TRUSTED_ENTRY, alias, certificate)?;
        write_certificate(out, certificate)?;
    }
    Ok(())
}

fn write_entry(out: &mut Vec<u8>, kind: u32, alias: &str, certificate: &Certificate) -> Result<(), KeystoreError> {
    out.extend(kind.to_be_bytes());
    write_text(out, alias)?;
    out.extend(certificate.not_before().as_millisecond().to_be_bytes());
    Ok(())
}

fn write_certificate(out: &mut Vec<u8>, certificate: &Certificate) -> Result<(), KeystoreError> {
    write_text(out, CERTIFICATE_TYPE)?;
    write_length(out, certificate.as_der().len())?;
    out.extend_from_slice(certificate.as_der());
    Ok(())
}

fn write_length(out: &mut Vec<u8>, length: usize) -> Result<(), KeystoreError> {
    out.extend(u32::try_from(length).map_err(|_| KeystoreError::TooLong { most: STORE_MAX })?.to_be_bytes());
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str) -> Result<(), KeystoreError> {
    let octets = modified_utf8(text);
    out.extend(u16::try_from(octets.len()).map_err(|_| KeystoreError::AliasTooLong { most: super::ALIAS_MAX })?.to_be_bytes());
    out.extend(octets);
    Ok(())
}

/// The text as `java.io.DataOutput.writeUTF` has it: each of Java's characters by itself, and zero in two octets.
fn modified_utf8(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [_, low] = unit.to_be_bytes();
        let six = |shift: u32| 0x80 | ((unit >> shift) & 0x3f).to_be_bytes()[1];
        match unit {
            0x01..=0x7f => octets.push(low),
            0 | 0x80..=0x7ff => octets.extend([0xc0 | (unit >> 6).to_be_bytes()[1], six(0)]),
            0x800.. => octets.extend([0xe0 | (unit >> 12).to_be_bytes()[1], six(6), six(0)]),
        }
    }
    octets
}

fn seal(mut out: Vec<u8>, password: Password<'_>) -> Result<Vec<u8>, KeystoreError> {
    let seal = seal_of(&out, password);
    out.extend_from_slice(seal.as_ref());
    if out.len() > STORE_MAX { Err(KeystoreError::TooLong { most: STORE_MAX }) } else { Ok(out) }
}

fn seal_of(store: &[u8], password: Password<'_>) -> digest::Digest {
    sha1(&[&password.utf16(), WHITENER, store])
}

fn sha1(parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    context.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_java_writes_it() {
        assert_eq!(modified_utf8("a\0ß€😀"), [0x61, 0xc0, 0x80, 0xc3, 0x9f, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]);
    }
}
