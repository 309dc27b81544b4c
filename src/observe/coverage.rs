//! What is published of which authority, for those who issue under it and for those who wait until a revocation stands on a list.
//!
//! Kept by whoever publishes; nothing is published or decided here.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use chancery_pki::{KeyId, SerialNumber};

use super::cache::Name;
use crate::{
    lists::{Head, Kind, ca_url, ocsp_url, shard_of},
    register::Revocation,
};

/// What is published of one authority.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The head as it stands.
    pub head: Arc<Head>,
    /// The RevocationList for which it is published; none where that is gone: what is published is kept up.
    pub list: Option<Name>,
    /// Whether that list's issuer signs with this authority now: else no new certificate names what is published.
    pub current: bool,
    /// The lists as PEM, and their number, where Certificates may ask for them.
    pub pem: Option<Arc<Pem>>,
}

/// An authority's lists as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// The number of the newest.
    pub number: String,
    /// The lists, one after the other.
    pub text: String,
}

/// The URLs that a certificate carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urls {
    /// Of its list.
    pub lists: Vec<String>,
    /// Of the delta to it.
    pub deltas: Vec<String>,
    /// Of OCSP.
    pub ocsp: Vec<String>,
    /// Of the issuer's certificate.
    pub issuers: Vec<String>,
}

impl Coverage {
    /// Whether a revocation stands on a published list.
    pub fn is_published(&self, serial: &SerialNumber, revocation: &Revocation) -> bool {
        self.head.holds(shard_of(serial, self.head.settings.shards), revocation.sequence, revocation.from)
    }

    /// Over how many lists the certificates are spread; new ones go to any of them.
    pub fn shards(&self) -> u16 {
        self.head.settings.shards
    }

    /// What a new certificate of this shard carries; nothing where what is published is only kept up.
    pub fn urls(&self, shard: u16) -> Urls {
        let Some(base) = self.head.settings.base_url.as_ref().filter(|_| self.current && self.list.is_some()) else {
            return Urls::default();
        };
        let authority = &self.head.authority;
        Urls {
            lists: self.head.url(shard, Kind::Full).into_iter().collect(),
            deltas: self.head.settings.delta.and_then(|_| self.head.url(shard, Kind::Delta)).into_iter().collect(),
            ocsp: self.head.settings.ocsp.map(|_| ocsp_url(base)).into_iter().collect(),
            issuers: vec![ca_url(base, authority)],
        }
    }
}

/// All that is published.
#[derive(Debug, Default)]
pub struct Coverages(RwLock<HashMap<KeyId, Arc<Coverage>>>);

impl Coverages {
    /// What is published of an authority.
    pub fn coverage(&self, authority: &KeyId) -> Option<Arc<Coverage>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(authority).cloned()
    }

    /// Everything.
    pub fn all(&self) -> Vec<Arc<Coverage>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes in what is published now; returns what was before.
    pub fn put(&self, coverage: Coverage) -> Option<Arc<Coverage>> {
        let authority = coverage.head.authority;
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(authority, Arc::new(coverage))
    }

    /// Nothing is published of an authority any more.
    pub fn remove(&self, authority: &KeyId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(authority);
    }

    /// Forgets all: we do not lead any more, and another publishes.
    pub fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
