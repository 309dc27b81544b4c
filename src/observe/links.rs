//! Who names whom: which Certificates name a Secret or an issuer, and which issuers name a Secret.
//!
//! Kept beside the caches from the same events, so that a change wakes only whom it concerns.

use std::collections::{BTreeSet, HashMap};

use jiff::SignedDuration;

use super::cache::Name;
use crate::api::IssuerKey;

/// What one Certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its Secret.
    pub secret: Name,
    /// The Secrets with the passwords of its stores.
    pub passwords: BTreeSet<Name>,
    /// Its issuer.
    pub issuer: IssuerKey,
    /// How long its certificate is to last; none where the issuer's default holds.
    pub duration: Option<SignedDuration>,
}

/// Who names whom.
#[derive(Debug, Default)]
pub struct Links {
    named: HashMap<Name, Named>,
    by_secret: HashMap<Name, BTreeSet<Name>>,
    by_password: HashMap<Name, BTreeSet<Name>>,
    by_issuer: HashMap<IssuerKey, BTreeSet<Name>>,
    issuers: HashMap<IssuerKey, Name>,
    issuers_by_secret: HashMap<Name, BTreeSet<IssuerKey>>,
    lists: HashMap<Name, IssuerKey>,
    lists_by_issuer: HashMap<IssuerKey, BTreeSet<Name>>,
}

impl Links {
    /// Takes in which issuer a RevocationList names now; none when it names none or is gone.
    pub fn list(&mut self, list: &Name, issuer: Option<IssuerKey>) {
        if let Some(before) = self.lists.remove(list) {
            remove(&mut self.lists_by_issuer, &before, list);
        }
        if let Some(issuer) = issuer {
            self.lists_by_issuer.entry(issuer.clone()).or_default().insert(list.clone());
            self.lists.insert(list.clone(), issuer);
        }
    }

    /// The RevocationLists that name an issuer.
    pub fn lists_of_issuer(&self, issuer: &IssuerKey) -> Vec<Name> {
        self.lists_by_issuer.get(issuer).into_iter().flatten().cloned().collect()
    }

    /// The issuer that a RevocationList names.
    pub fn issuer_of_list(&self, list: &Name) -> Option<&IssuerKey> {
        self.lists.get(list)
    }

    /// Takes in what a Certificate names now; none when it is gone. Returns what it named before.
    pub fn certificate(&mut self, certificate: &Name, named: Option<Named>) -> Option<Named> {
        let before = self.named.remove(certificate);
        if let Some(before) = &before {
            remove(&mut self.by_secret, &before.secret, certificate);
            remove(&mut self.by_issuer, &before.issuer, certificate);
            before.passwords.iter().for_each(|secret| remove(&mut self.by_password, secret, certificate));
        }
        if let Some(named) = named {
            self.by_secret.entry(named.secret.clone()).or_default().insert(certificate.clone());
            self.by_issuer.entry(named.issuer.clone()).or_default().insert(certificate.clone());
            for secret in &named.passwords {
                self.by_password.entry(secret.clone()).or_default().insert(certificate.clone());
            }
            self.named.insert(certificate.clone(), named);
        }
        before
    }

    /// Takes in which Secret an issuer names now; none when it names none or is gone.
    pub fn issuer(&mut self, issuer: &IssuerKey, secret: Option<Name>) {
        if let Some(before) = self.issuers.remove(issuer) {
            remove(&mut self.issuers_by_secret, &before, issuer);
        }
        if let Some(secret) = secret {
            self.issuers_by_secret.entry(secret.clone()).or_default().insert(issuer.clone());
            self.issuers.insert(issuer.clone(), secret);
        }
    }

    /// The Certificates that name a Secret.
    pub fn of_secret(&self, secret: &Name) -> Vec<Name> {
        self.by_secret.get(secret).into_iter().flatten().cloned().collect()
    }

    /// The Certificates with a store whose password is in a Secret.
    pub fn of_password(&self, secret: &Name) -> Vec<Name> {
        self.by_password.get(secret).into_iter().flatten().cloned().collect()
    }

    /// The Certificates that name an issuer.
    pub fn of_issuer(&self, issuer: &IssuerKey) -> Vec<Name> {
        self.by_issuer.get(issuer).into_iter().flatten().cloned().collect()
    }

    /// How many Certificates name an issuer.
    pub fn number_of_issuer(&self, issuer: &IssuerKey) -> usize {
        self.by_issuer.get(issuer).map_or(0, BTreeSet::len)
    }

    /// The issuers that name a Secret.
    pub fn issuers_of_secret(&self, secret: &Name) -> Vec<IssuerKey> {
        self.issuers_by_secret.get(secret).into_iter().flatten().cloned().collect()
    }

    /// The longest duration that Certificates ask of an issuer, where the given default holds for those that name none.
    pub fn longest(&self, issuer: &IssuerKey, default: SignedDuration) -> Option<SignedDuration> {
        let names = self.by_issuer.get(issuer)?;
        names.iter().filter_map(|name| self.named.get(name)).map(|named| named.duration.unwrap_or(default)).max()
    }
}

fn remove<K: std::hash::Hash + Eq, V: Ord>(map: &mut HashMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
