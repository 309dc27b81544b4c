//! PKCS#12 (RFC 7292): what is written, and under which algorithms.
//!
//! The layout is the one that OpenSSL, Java and Go have in common: the certificates encrypted together, the key encrypted
//! by itself, a MAC about both.

mod holds;
mod kdf;
mod mac;
mod oid;
mod pbe;
mod read;

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::{mac::Mac, pbe::Encryption};
use super::{Contents, KeystoreError, Listed, STORE_MAX, distinct, named_authorities, password::Password};
use crate::{
    Certificate, KeyEncoding,
    tlv::{self, tag},
};

pub use holds::{pkcs12_holds, pkcs12_truststore_holds};

/// The key (PKCS#8) and the certificates of a store of any profile.
pub(super) fn contents(store: &[u8], password: Password<'_>) -> Option<Listed> {
    let opened = Pkcs12Profile::ALL.into_iter().find_map(|profile| read::open(store, profile, password).ok())?;
    Some((opened.key.map(|(key, _)| key), opened.certificates.into_iter().map(|(der, _)| der).collect()))
}

/// How often a key is derived from the password. Passwords for these stores should be random: no number that is bearable
/// saves a guessable one.
const ITERATIONS: u32 = 2048;

/// The algorithms of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pkcs12Profile {
    /// Written as [`Pkcs12Profile::LegacyDes`]: the 40-bit RC2 that the name promises protects nothing, and whatever reads
    /// it reads 3DES as well.
    #[serde(rename = "LegacyRC2")]
    LegacyRc2,
    /// 3DES with keys by PKCS#12's own derivation, HMAC-SHA-1. Everything reads it.
    #[serde(rename = "LegacyDES")]
    LegacyDes,
    /// AES-256 with keys by PBKDF2 and HMAC-SHA-256 (PBES2), HMAC-SHA-256. OpenSSL 1.1.1, Java 12, Windows Server 2019.
    Modern2023,
    /// As [`Pkcs12Profile::Modern2023`], the MAC by PBMAC1 (RFC 9579). OpenSSL 3.4, Java 26.
    Modern2026,
}

impl Pkcs12Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::LegacyRc2, Self::LegacyDes, Self::Modern2023, Self::Modern2026];

    /// Its name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegacyRc2 => "LegacyRC2",
            Self::LegacyDes => "LegacyDES",
            Self::Modern2023 => "Modern2023",
            Self::Modern2026 => "Modern2026",
        }
    }

    fn encryption(self) -> Encryption {
        match self {
            Self::LegacyRc2 | Self::LegacyDes => Encryption::TripleDes,
            Self::Modern2023 | Self::Modern2026 => Encryption::Aes256,
        }
    }

    fn mac(self) -> Mac {
        match self {
            Self::LegacyRc2 | Self::LegacyDes => Mac::Sha1,
            Self::Modern2023 => Mac::Sha256,
            Self::Modern2026 => Mac::Pbmac1,
        }
    }
}

/// Writes a key store: the key with its certificate, then the rest of the chain and the authorities, each certificate
/// once. The alias, if there is one, is the friendlyName of the key and its certificate.
///
/// Java opens no PKCS#12 store with a password beyond ASCII, Go with none beyond the Basic Multilingual Plane.
///
/// # Errors
/// When the password is empty, over-long or no text, the alias is over-long, there is no certificate or it is not of this
/// key, or the provider fails.
pub fn pkcs12(contents: &Contents<'_>, profile: Pkcs12Profile, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
    let password = Password::new(password)?;
    let leaf = contents.check()?;
    // Any identifier does that the key and its certificate share; this is the usual one.
    let identifier = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, leaf.as_der());
    let of_key = Attributes {
        friendly_name: Some(contents.alias).filter(|alias| !alias.is_empty()),
        local_key_id: Some(identifier.as_ref()),
        trusted: false,
    };
    let certificates = bags(|out| {
        for certificate in certificates(contents) {
            write_certificate_bag(out, certificate, if certificate == leaf { of_key } else { Attributes::default() });
        }
    });
    let (algorithm, key) = profile.encryption().encrypt(password, &contents.key.to_der(KeyEncoding::Pkcs8)?)?;
    let key = bags(|out| {
        write_bag(out, oid::SHROUDED_KEY_BAG, of_key, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| {
                out.extend_from_slice(&algorithm);
                tlv::write(out, tag::OCTET_STRING, &key);
            });
        });
    });
    write(profile, password, &certificates, Some(&key)).map(Zeroizing::new)
}

/// Writes a trust store: each authority once, with the attribute without which Java takes none for trusted. Their
/// friendlyNames are `ca`, `ca-1` and so on.
///
/// # Errors
/// When the password is empty, over-long or no text, there is no certificate, or the provider fails.
pub fn pkcs12_truststore(ca: &[Certificate], profile: Pkcs12Profile, password: &[u8]) -> Result<Vec<u8>, KeystoreError> {
    let password = Password::new(password)?;
    let authorities = named_authorities(ca, None);
    if authorities.is_empty() {
        return Err(KeystoreError::NoCertificate);
    }
    let certificates = bags(|out| {
        for (name, authority) in authorities {
            let attributes = Attributes { friendly_name: Some(&name), local_key_id: None, trusted: true };
            write_certificate_bag(out, authority, attributes);
        }
    });
    write(profile, password, &certificates, None)
}

/// The certificates of a key store, in their order.
fn certificates<'a>(contents: &Contents<'a>) -> Vec<&'a Certificate> {
    distinct(contents.chain.iter().chain(contents.ca))
}

/// The PFX (RFC 7292 section 4) of encrypted certificates and, in the clear, a bag with an encrypted key.
fn write(profile: Pkcs12Profile, password: Password<'_>, certificates: &[u8], key: Option<&[u8]>) -> Result<Vec<u8>, KeystoreError> {
    let (algorithm, certificates) = profile.encryption().encrypt(password, certificates)?;
    let mut safes = Vec::new();
    tlv::wrap(&mut safes, tag::SEQUENCE, |out| {
        write_content(out, oid::ENCRYPTED_DATA, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| {
                tlv::write(out, tag::INTEGER, &[0]);
                tlv::wrap(out, tag::SEQUENCE, |out| {
                    tlv::write(out, tag::OBJECT_IDENTIFIER, oid::DATA.as_bytes());
                    out.extend_from_slice(&algorithm);
                    tlv::write(out, tag::context(0), &certificates);
                });
            });
        });
        if let Some(key) = key {
            write_content(out, oid::DATA, |out| tlv::write(out, tag::OCTET_STRING, key));
        }
    });
    let mac = profile.mac().write(password, &safes)?;
    let mut out = Vec::new();
    tlv::wrap(&mut out, tag::SEQUENCE, |out| {
        tlv::write(out, tag::INTEGER, &[3]);
        write_content(out, oid::DATA, |out| tlv::write(out, tag::OCTET_STRING, &safes));
        out.extend_from_slice(&mac);
    });
    if out.len() > STORE_MAX { Err(KeystoreError::TooLong { most: STORE_MAX }) } else { Ok(out) }
}

/// A ContentInfo (RFC 5652 section 3).
fn write_content(out: &mut Vec<u8>, kind: ObjectIdentifier, body: impl FnOnce(&mut Vec<u8>)) {
    tlv::wrap(out, tag::SEQUENCE, |out| {
        tlv::write(out, tag::OBJECT_IDENTIFIER, kind.as_bytes());
        tlv::wrap(out, tag::constructed(0), body);
    });
}

/// What is said of a bag.
#[derive(Clone, Copy, Default)]
struct Attributes<'a> {
    friendly_name: Option<&'a str>,
    local_key_id: Option<&'a [u8]>,
    trusted: bool,
}

/// A SafeContents (RFC 7292 section 4.2).
fn bags(body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::wrap(&mut out, tag::SEQUENCE, body);
    out
}

fn write_certificate_bag(out: &mut Vec<u8>, certificate: &Certificate, attributes: Attributes<'_>) {
    write_bag(out, oid::CERTIFICATE_BAG, attributes, |out| {
        tlv::wrap(out, tag::SEQUENCE, |out| {
            tlv::write(out, tag::OBJECT_IDENTIFIER, oid::X509_CERTIFICATE.as_bytes());
            tlv::wrap(out, tag::constructed(0), |out| tlv::write(out, tag::OCTET_STRING, certificate.as_der()));
        });
    });
}

fn write_bag(out: &mut Vec<u8>, kind: ObjectIdentifier, attributes: Attributes<'_>, body: impl FnOnce(&mut Vec<u8>)) {
    tlv::wrap(out, tag::SEQUENCE, |out| {
        tlv::write(out, tag::OBJECT_IDENTIFIER, kind.as_bytes());
        tlv::wrap(out, tag::constructed(0), body);
        attributes.write(out);
    });
}

impl Attributes<'_> {
    fn write(self, out: &mut Vec<u8>) {
        let mut values = Vec::new();
        if let Some(name) = self.friendly_name {
            let characters: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
            values.push(attribute(oid::FRIENDLY_NAME, tag::BMP_STRING, &characters));
        }
        if let Some(identifier) = self.local_key_id {
            values.push(attribute(oid::LOCAL_KEY_ID, tag::OCTET_STRING, identifier));
        }
        if self.trusted {
            values.push(attribute(oid::JAVA_TRUSTED_KEY_USAGE, tag::OBJECT_IDENTIFIER, oid::ANY_EXTENDED_KEY_USAGE.as_bytes()));
        }
        if values.is_empty() {
            return;
        }
        // X.690 section 11.6: the members of a set in the order of their octets.
        values.sort();
        tlv::wrap(out, tag::SET, |out| out.extend(values.concat()));
    }
}

fn attribute(kind: ObjectIdentifier, tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::wrap(&mut out, tag::SEQUENCE, |out| {
        tlv::write(out, tag::OBJECT_IDENTIFIER, kind.as_bytes());
        tlv::wrap(out, tag::SET, |out| tlv::write(out, tag, contents));
    });
    out
}
