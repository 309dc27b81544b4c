//! Key and certificates in all the forms that a Secret may hold them in: how each is written, and whether one is right.
//!
//! What it makes holds a private key, and is wiped when it is dropped.

use std::sync::Arc;

use chancery_pki::{
    Certificate as X509, PrivateKey,
    keystore::{self, Contents, KeystoreError},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::forms::Unlocked;
use crate::{
    api::{Wanted, names},
    plan::{
        forms::{JKS, PKCS12},
        observed::ChainText,
    },
};

/// Key and certificates, as the usual keys of a Secret hold them.
#[derive(Clone, Debug)]
pub struct Bundle {
    key: Arc<PrivateKey>,
    key_pem: Arc<Zeroizing<Vec<u8>>>,
    text: ChainText,
    chain: Vec<X509>,
    ca: Vec<X509>,
}

/// Why a form cannot be written. Tells nothing of key or password.
#[derive(Clone, Debug, Error)]
pub enum FormError {
    /// A store could not be made.
    #[error("{name} cannot be made: {error}")]
    Store {
        /// Its name in the Secret.
        name: &'static str,
        /// What is in the way.
        error: KeystoreError,
    },
    /// The key's PEM holds no key.
    #[error("{name} cannot be made of the private key")]
    Key {
        /// The form's name in the Secret.
        name: &'static str,
    },
    /// The system gives no random octets.
    #[error("{name} cannot be made: the system gives no random octets")]
    NoRandomness {
        /// Its name in the Secret.
        name: &'static str,
    },
    /// There is no password for it.
    #[error("{name} has no password")]
    Locked {
        /// Its name in the Secret.
        name: &'static str,
    },
}

impl Bundle {
    /// Of what stands, or will stand, in a Secret. None where its certificates cannot be read.
    pub fn new(key: Arc<PrivateKey>, key_pem: &[u8], text: &ChainText) -> Option<Self> {
        let chain = X509::bundle_from_pem(text.chain.as_bytes()).ok()?;
        // What cannot be read there is nothing that could be trusted.
        let ca = text.ca.as_ref().and_then(|ca| X509::bundle_from_pem(ca.as_bytes()).ok()).unwrap_or_default();
        Some(Self { key, key_pem: Arc::new(Zeroizing::new(key_pem.to_vec())), text: text.clone(), chain, ca })
    }

    /// Writes the form that stands under this key of a Secret.
    ///
    /// # Errors
    /// When a store cannot be made, or there is no password for it.
    pub fn write(&self, name: &'static str, wanted: &Wanted, unlocked: &Unlocked) -> Result<Zeroizing<Vec<u8>>, FormError> {
        let store = |error| FormError::Store { name, error };
        let password = |store| unlocked.get(store).ok_or(FormError::Locked { name });
        match (name, &wanted.keystores.jks, &wanted.keystores.pkcs12) {
            (names::KEY_DER, ..) => self.der().ok_or(FormError::Key { name }),
            (names::COMBINED_PEM, ..) => Ok(self.combined()),
            (names::KEYSTORE_JKS, Some(jks), _) => {
                let salt = salt().ok_or(FormError::NoRandomness { name })?;
                keystore::jks(&self.contents(&jks.alias), password(JKS)?, salt).map_err(store)
            }
            (names::TRUSTSTORE_JKS, Some(_), _) => keystore::jks_truststore(&self.ca, password(JKS)?).map(Zeroizing::new).map_err(store),
            (names::KEYSTORE_P12, _, Some(pkcs12)) => {
                keystore::pkcs12(&self.contents(""), pkcs12.profile, password(PKCS12)?).map_err(store)
            }
            (names::TRUSTSTORE_P12, _, Some(pkcs12)) => {
                keystore::pkcs12_truststore(&self.ca, pkcs12.profile, password(PKCS12)?).map(Zeroizing::new).map_err(store)
            }
            _ => Err(FormError::Locked { name }),
        }
    }

    /// Whether this is what would be written, but for what is random in it.
    pub fn holds(&self, name: &str, octets: &[u8], wanted: &Wanted, unlocked: &Unlocked) -> bool {
        let (jks, pkcs12) = (wanted.keystores.jks.as_ref(), wanted.keystores.pkcs12.as_ref());
        match (name, unlocked.get(JKS).zip(jks), unlocked.get(PKCS12).zip(pkcs12)) {
            (names::KEY_DER, ..) => self.der().is_some_and(|der| *der == *octets),
            (names::COMBINED_PEM, ..) => **self.combined() == *octets,
            (names::KEYSTORE_JKS, Some((password, jks)), _) => keystore::jks_holds(octets, &self.contents(&jks.alias), password),
            (names::TRUSTSTORE_JKS, Some((password, _)), _) => keystore::jks_truststore_holds(octets, &self.ca, password),
            (names::KEYSTORE_P12, _, Some((password, pkcs12))) => {
                keystore::pkcs12_holds(octets, &self.contents(""), pkcs12.profile, password)
            }
            (names::TRUSTSTORE_P12, _, Some((password, pkcs12))) => {
                keystore::pkcs12_truststore_holds(octets, &self.ca, pkcs12.profile, password)
            }
            _ => false,
        }
    }

    fn contents<'a>(&'a self, alias: &'a str) -> Contents<'a> {
        Contents { key: &self.key, chain: &self.chain, ca: &self.ca, alias }
    }

    /// The octets of the key in its PEM: of whatever encoding that is.
    fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        PrivateKey::der_of_pem(&self.key_pem).ok()
    }

    fn combined(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.key_pem.as_slice(), self.text.chain.as_bytes()].join(&b'\n'))
    }
}

/// Without one, two keys under one password would give each other away.
fn salt() -> Option<[u8; 20]> {
    let mut salt = [0; 20];
    aws_lc_rs::rand::fill(&mut salt).ok().map(|()| salt)
}
