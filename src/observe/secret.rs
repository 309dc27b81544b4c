//! A Secret that was read: its content in checked terms, and the object itself until it has been written or is dropped.
//!
//! The key bytes that we own are wiped when it is dropped; nothing here is ever logged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use chancery_pki::{Certificate as X509, KeyEncoding, PrivateKey};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry};
use kube::{ResourceExt as _, api::PartialObjectMeta};
use zeroize::Zeroize as _;

use super::cache::{Cached, Name};
use crate::{
    api::names,
    plan::{
        dress::Record,
        forms,
        observed::{ChainText, Content, SecretRead},
    },
};

/// A Secret object whose data is wiped when it is dropped, and whose Debug shows none of it.
pub struct Wiped(Secret);

impl Wiped {
    /// Takes charge of a Secret.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The object.
    pub fn object(&self) -> &Secret {
        &self.0
    }

    /// The object, to be changed.
    pub fn object_mut(&mut self) -> &mut Secret {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        for value in self.0.data.iter_mut().flat_map(BTreeMap::values_mut) {
            value.0.zeroize();
        }
        for value in self.0.string_data.iter_mut().flat_map(BTreeMap::values_mut) {
            value.zeroize();
        }
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret {}/{}", self.0.namespace().unwrap_or_default(), self.0.name_any())
    }
}

/// What a Secret holds, in the terms of a decision. The other forms in it are not judged here.
pub fn read(secret: &Secret) -> SecretRead {
    let data = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.as_slice());
    let content = content(data(names::TLS_CERTIFICATE), data(names::TLS_KEY));
    SecretRead {
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
        kind: secret.type_.clone().unwrap_or_default(),
        immutable: secret.immutable == Some(true),
        annotations: secret.annotations().clone(),
        labels: secret.labels().clone(),
        weakness: match &content {
            Content::Pair { key, .. } => key.public_key().weakness().map(|weakness| weakness.to_string()),
            Content::Missing(_) | Content::Unreadable(_) | Content::Mismatch => None,
        },
        content,
        key_encoding: data(names::TLS_KEY).and_then(encoding),
        chain: ChainText { chain: text(data(names::TLS_CERTIFICATE)), ca: data(names::CA_CERTIFICATE).map(|ca| text(Some(ca))) },
        ca_crl: data(names::CA_CRL_KEY).map(|lists| text(Some(lists))),
        forms: forms::ALL.into_iter().filter(|form| data(form).is_some()).map(|form| (form, false)).collect(),
        put_elsewhere: put_elsewhere(secret),
        other_writer: other_writer(secret),
    }
}

/// The forms that cert-manager put, by its field manager: those of others stay, whatever they are called.
fn put_elsewhere(secret: &Secret) -> BTreeSet<&'static str> {
    let theirs =
        secret.metadata.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() == Some(names::CERT_MANAGER_WRITER));
    let data = |entry: &ManagedFieldsEntry| entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:data").cloned());
    let owned: Vec<_> = theirs.filter_map(data).collect();
    forms::ALL.into_iter().filter(|form| owned.iter().any(|data| data.get(format!("f:{form}")).is_some())).collect()
}

/// By the label of its PEM: PKCS#8 says only that it is a private key, the older forms say of what kind.
fn encoding(pem: &[u8]) -> Option<KeyEncoding> {
    let text = std::str::from_utf8(pem).ok()?.trim_start();
    if text.starts_with("-----BEGIN PRIVATE KEY-----") {
        return Some(KeyEncoding::Pkcs8);
    }
    let older = ["-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----", "-----BEGIN EC PARAMETERS-----"];
    older.iter().any(|label| text.starts_with(label)).then_some(KeyEncoding::Pkcs1)
}

fn text(octets: Option<&[u8]>) -> String {
    String::from_utf8_lossy(octets.unwrap_or_default()).into_owned()
}

fn content(certificate: Option<&[u8]>, key: Option<&[u8]>) -> Content {
    let (certificate, key) = match (certificate, key) {
        (None | Some([]), _) => return Content::Missing(names::TLS_CERTIFICATE),
        (_, None | Some([])) => return Content::Missing(names::TLS_KEY),
        (Some(certificate), Some(key)) => (certificate, key),
    };
    let certificates = match X509::bundle_from_pem(certificate) {
        Ok(certificates) => certificates,
        Err(error) => return Content::Unreadable(format!("the Secret's {} cannot be read: {error}", names::TLS_CERTIFICATE)),
    };
    let key = match PrivateKey::from_pem(key) {
        Ok(key) => key,
        Err(error) => return Content::Unreadable(format!("the Secret's {} cannot be read: {error}", names::TLS_KEY)),
    };
    if certificates.first().is_none_or(|leaf| leaf.public_key() != key.public_key()) {
        return Content::Mismatch;
    }
    Content::Pair { certificates, key: Arc::new(key) }
}

/// The field manager of the last write to a Secret that was not ours.
fn other_writer(secret: &Secret) -> Option<String> {
    secret
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.manager.as_deref() != Some(names::FIELD_MANAGER))
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))
        .and_then(|entry| entry.manager.clone())
}

/// What a watch of metadata keeps of a Secret: enough to tell whose it is and whether it changed, and not a byte of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    name: Name,
    uid: Box<str>,
    resource_version: Box<str>,
    /// The annotations by which its owner is told.
    pub ownership: BTreeMap<String, String>,
    /// The digest of the chain in it.
    pub chain: Option<Box<str>>,
    /// The numbers of the revocation lists in it.
    pub ca_crl: Option<Box<str>>,
    /// Which other forms of key and certificates are in it.
    pub forms: Option<Box<str>>,
}

impl Mark {
    /// Of a Secret's metadata.
    pub fn of(secret: &PartialObjectMeta<Secret>) -> Self {
        Self::of_metadata(&secret.metadata)
    }

    /// Of a Secret that a write returned.
    pub fn of_metadata(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Self {
        let none = BTreeMap::new();
        let annotations = metadata.annotations.as_ref().unwrap_or(&none);
        let telling = [names::CERTIFICATE_NAME, names::CERT_MANAGER_CERTIFICATE_NAME, names::ALLOW_ADOPTION];
        Self {
            name: Name::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default().into(),
            resource_version: metadata.resource_version.clone().unwrap_or_default().into(),
            ownership: telling.iter().filter_map(|key| annotations.get(*key).map(|value| ((*key).to_owned(), value.clone()))).collect(),
            chain: Record::read(annotations).chain.map(Into::into),
            ca_crl: annotations.get(names::CRL_NUMBER).map(|numbers| numbers.as_str().into()),
            forms: annotations.get(names::FORMS).map(|forms| forms.as_str().into()),
        }
    }
}

impl Cached for Mark {
    fn name(&self) -> Name {
        self.name.clone()
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn resource_version(&self) -> &str {
        &self.resource_version
    }
}

/// The data of a Secret, made new.
pub fn data(entries: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> BTreeMap<String, ByteString> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value))).collect()
}
