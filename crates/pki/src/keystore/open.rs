//! What is in a store, for people who look at it.
//!
//! A store that one of our profiles could have written is opened, others are not. The private key does not leave this module:
//! only its public half is told.

use super::{jks, password::Password, pkcs12};
use crate::{Certificate, PrivateKey, PublicKey};

/// What a store holds.
#[derive(Clone, Debug)]
pub struct Opened {
    /// `JKS` or `PKCS#12`.
    pub format: &'static str,
    /// The public half of its private key.
    pub key: Option<PublicKey>,
    /// The certificates, in their order.
    pub certificates: Vec<Certificate>,
}

/// Opens a store; none where the octets are no store of a form that is written here, or the password is another.
pub fn open(store: &[u8], password: &[u8]) -> Option<Opened> {
    let password = Password::new(password).ok()?;
    let (format, (key, certificates)) = match jks::contents(store, password) {
        Some(contents) => ("JKS", contents),
        None => ("PKCS#12", pkcs12::contents(store, password)?),
    };
    let key = match key {
        Some(key) => Some(PrivateKey::from_der(&key).ok()?.public_key().clone()),
        None => None,
    };
    let certificates = certificates.into_iter().map(Certificate::from_der).collect::<Result<_, _>>().ok()?;
    Some(Opened { format, key, certificates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::{Contents, Pkcs12Profile, fixed::PASSWORD, jks, pkcs12, pkcs12_truststore};

    #[test]
    fn what_was_put_into_a_store_is_told_to_whoever_has_its_password() {
        let (key, certificates) = Contents::fixed();
        let contents = Contents { key: &key, chain: &certificates, ca: &[], alias: "a" };
        let mut stores = vec![("JKS", jks(&contents, PASSWORD, [7; 20]).unwrap().to_vec())];
        stores.extend(Pkcs12Profile::ALL.map(|profile| ("PKCS#12", pkcs12(&contents, profile, PASSWORD).unwrap().to_vec())));
        for (format, store) in stores {
            let opened = open(&store, PASSWORD).unwrap();
            assert_eq!((opened.format, opened.key.as_ref()), (format, Some(key.public_key())));
            assert_eq!(opened.certificates, certificates);
            assert!(open(&store, b"another").is_none());
            assert!(!format!("{opened:?}").contains("PrivateKey"));
        }
        let trust = pkcs12_truststore(&certificates, Pkcs12Profile::Modern2023, PASSWORD).unwrap();
        let opened = open(&trust, PASSWORD).unwrap();
        assert!(opened.key.is_none() && opened.certificates == certificates);
        assert!(open(b"-----BEGIN CERTIFICATE-----", PASSWORD).is_none());
    }
}
