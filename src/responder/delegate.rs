//! The keys that sign OCSP answers for authorities (RFC 6960 section 4.2.2.2), as they stand in Secrets of the operator's namespace.
//!
//! A delegate is believed when its authority's certificate, which comes from elsewhere, has signed its own.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chancery_pki::{Certificate as X509, KeyId, PrivateKey, Usage, key_matches};
use jiff::Timestamp;
use k8s_openapi::ByteString;

/// The hexadecimal digits that end the names of the Secrets: a delegate is in that of its authority's first one.
pub const SECRETS: &str = "0123456789abcdef";

const CERTIFICATE: &str = ".crt";
const KEY: &str = ".key";

/// A key and its certificate.
pub struct Delegate {
    /// Its certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PrivateKey,
}

impl Delegate {
    /// Whether it may sign for this authority at this time.
    ///
    /// # Errors
    /// Says why not.
    pub fn check(&self, authority: &X509, now: Timestamp) -> Result<(), String> {
        let certificate = &self.certificate;
        if !certificate.usages().contains(&Usage::OcspSigning) {
            return Err("the delegate's certificate is not for OCSP signing".to_owned());
        }
        if certificate.issuer() != authority.subject() || !certificate.is_signed_by(authority.public_key()) {
            return Err("the delegate's certificate was not signed by this authority".to_owned());
        }
        if now > certificate.not_after() {
            return Err(format!("the delegate's certificate ended at {}", certificate.not_after()));
        }
        if now < certificate.not_before() {
            return Err(format!("the delegate's certificate is not valid before {}", certificate.not_before()));
        }
        Ok(())
    }
}

impl fmt::Debug for Delegate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Delegate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// The delegates of one Secret, by authority: each with what is wrong where it cannot be used.
pub type Delegates = BTreeMap<KeyId, Result<Arc<Delegate>, String>>;

/// Reads the data of a Secret. Entries whose names are no authority's are passed over.
pub fn read(data: &BTreeMap<String, ByteString>) -> Delegates {
    data.iter()
        .filter_map(|(name, certificate)| {
            let authority = name.strip_suffix(CERTIFICATE)?;
            let key = data.get(&format!("{authority}{KEY}"));
            Some((authority.parse().ok()?, pair(&certificate.0, key.map(|key| key.0.as_slice())).map(Arc::new)))
        })
        .collect()
}

fn pair(certificate: &[u8], key: Option<&[u8]>) -> Result<Delegate, String> {
    let key = key.ok_or_else(|| "the delegate has no key".to_owned())?;
    let certificate = match X509::bundle_from_pem(certificate).map_err(|error| format!("the delegate's certificate: {error}"))?.as_slice() {
        [certificate] => certificate.clone(),
        several => return Err(format!("the delegate has {} certificates, not one", several.len())),
    };
    let key = PrivateKey::from_pem(key).map_err(|error| format!("the delegate's key: {error}"))?;
    if !key_matches(&certificate, &key) {
        return Err("the delegate's key is not that of its certificate".to_owned());
    }
    Ok(Delegate { certificate, key })
}
