//! Key stores and trust stores for programs that do not read PEM: JKS (Java's own format) and PKCS#12 (RFC 7292).
//!
//! They are written, compared with what they should hold, and opened for people who look at them. Nothing else is read out of a
//! store: the key and the certificates have their place elsewhere. PKCS#12 draws its salts from the provider's own generator; JKS
//! is given its one.

mod error;
#[cfg(test)]
#[path = "../../tests/keystore/fixed.rs"]
mod fixed;
mod jks;
mod open;
mod password;
mod pkcs12;

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::{Certificate, KeyEncoding, PrivateKey, key_matches};

use password::Password;

pub use error::{ALIAS_MAX, KeystoreError, PASSWORD_MAX};
pub use jks::{jks, jks_holds, jks_truststore, jks_truststore_holds};
pub use open::{Opened, open};
pub use pkcs12::{Pkcs12Profile, pkcs12, pkcs12_holds, pkcs12_truststore, pkcs12_truststore_holds};

/// A store's private key (PKCS#8) and its certificates.
type Listed = (Option<Zeroizing<Vec<u8>>>, Vec<Vec<u8>>);

/// More octets than a Secret can have: what is longer is not looked at.
const STORE_MAX: usize = 1 << 20;

/// What a key store holds.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// The private key.
    pub key: &'a PrivateKey,
    /// The certificates that prove the key's names, that of the key first.
    pub chain: &'a [Certificate],
    /// The authorities that are trusted; there may be none.
    pub ca: &'a [Certificate],
    /// The name of the key's entry. In a JKS it has no capital letters, since Java would not find it otherwise. In a
    /// PKCS#12 store there may be none: Java then calls the entry `1`.
    pub alias: &'a str,
}

impl Contents<'_> {
    fn check(&self) -> Result<&Certificate, KeystoreError> {
        let leaf = self.chain.first().ok_or(KeystoreError::NoCertificate)?;
        if !key_matches(leaf, self.key) {
            return Err(KeystoreError::KeyMismatch);
        }
        check_alias(self.alias)?;
        Ok(leaf)
    }

    /// Whether a key in PKCS#8 is the one, in whatever way it is written.
    fn is_key(&self, pkcs8: &[u8]) -> bool {
        self.key.to_der(KeyEncoding::Pkcs8).is_ok_and(|own| own.as_slice() == pkcs8)
            || PrivateKey::from_der(pkcs8).is_ok_and(|key| key.public_key() == self.key.public_key())
    }
}

#[cfg(test)]
impl Contents<'_> {
    /// What never changes, for tests: the certificate is its own authority.
    fn fixed() -> (PrivateKey, Vec<Certificate>) {
        let certificates = Certificate::bundle_from_pem(fixed::CERTIFICATE.as_bytes()).unwrap();
        (PrivateKey::from_pem(fixed::KEY.as_bytes()).unwrap(), certificates)
    }
}

/// Whether a store can be locked with this.
///
/// # Errors
/// What is wrong with it: it is empty, no text, or longer than readers take.
pub fn check_password(octets: &[u8]) -> Result<(), KeystoreError> {
    Password::new(octets).map(|_| ())
}

fn check_alias(alias: &str) -> Result<(), KeystoreError> {
    if alias.len() > ALIAS_MAX { Err(KeystoreError::AliasTooLong { most: ALIAS_MAX }) } else { Ok(()) }
}

/// The certificates, each once, where it stands first.
fn distinct<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> Vec<&'a Certificate> {
    let mut seen = BTreeSet::new();
    certificates.filter(|certificate| seen.insert(certificate.as_der())).collect()
}

/// The authorities, each once, under `ca`, `ca-1`, `ca-2` and so on; the name of the key's entry is left out.
fn named_authorities<'a>(ca: &'a [Certificate], taken: Option<&str>) -> Vec<(String, &'a Certificate)> {
    let names = (0_u32..).map(|number| if number == 0 { "ca".to_owned() } else { format!("ca-{number}") });
    names.filter(|name| Some(name.as_str()) != taken).zip(distinct(ca.iter())).collect()
}
