//! The issuers as their own reconciles left them, with the keys of those that have one, while we lead.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use chancery_pki::KeyId;
use jiff::{SignedDuration, Timestamp};

use super::Issuer;
use crate::{
    api::IssuerKey,
    observe::Name,
    plan::observed::{AuthorityView, Backing, IssuerView},
};

/// How many certificates of one issuer follow a changed authority in a minute.
const FOLLOWING_A_MINUTE: i64 = 60;

/// An issuer that was looked at.
#[derive(Debug)]
pub struct Entry {
    /// What it is.
    pub view: IssuerView,
    /// What signs for it, when it is ready.
    pub signer: Option<Arc<dyn Issuer>>,
    /// The uid and resourceVersion of the Secret that its key was read from.
    pub secret: Option<(String, String)>,
}

impl Entry {
    /// Whether Certificates that wait for this issuer, or hold a certificate of it, have something to look at again.
    pub fn differs(&self, before: Option<&Self>) -> bool {
        let Some(before) = before else {
            return true;
        };
        let chain = |entry: &Self| entry.view.backing.as_ref().ok().and_then(authority).map(|authority| authority.fingerprint.clone());
        self.view.generation != before.view.generation
            || self.view.backing.is_ok() != before.view.backing.is_ok()
            || self.view.backing.as_ref().err() != before.view.backing.as_ref().err()
            || chain(self) != chain(before)
    }
}

fn authority(backing: &Backing) -> Option<&AuthorityView> {
    match backing {
        Backing::Authority(authority) => Some(authority),
        Backing::SelfSigned => None,
    }
}

/// When a certificate's turn comes.
pub type Turn = Timestamp;

/// All issuers that were looked at.
#[derive(Debug, Default)]
pub struct Book {
    entries: RwLock<HashMap<IssuerKey, Arc<Entry>>>,
    turns: Mutex<HashMap<IssuerKey, HashMap<Name, Turn>>>,
}

impl Book {
    /// The issuer of that name.
    pub fn get(&self, key: &IssuerKey) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// An issuer whose authority has this key, with that key at hand.
    pub fn of_authority(&self, authority: &KeyId) -> Option<Arc<Entry>> {
        let has = |entry: &&Arc<Entry>| {
            entry.signer.is_some() && entry.view.backing.as_ref().ok().and_then(Backing::authority) == Some(*authority)
        };
        self.entries.read().unwrap_or_else(PoisonError::into_inner).values().find(has).cloned()
    }

    /// Takes in an issuer; returns what it was before.
    pub fn put(&self, entry: Entry) -> Option<Arc<Entry>> {
        let key = entry.view.key.clone();
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::new(entry))
    }

    /// Forgets an issuer, with its key.
    pub fn remove(&self, key: &IssuerKey) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Forgets all, with their keys: we do not lead any more.
    pub fn clear(&self) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives the certificates of an issuer their turns, in the order given, from `now` on.
    pub fn line_up(&self, issuer: &IssuerKey, certificates: impl IntoIterator<Item = Name>, now: Timestamp) {
        let pause = SignedDuration::from_secs(60 / FOLLOWING_A_MINUTE);
        let mut at = now;
        let mut turns = HashMap::new();
        for certificate in certificates {
            turns.insert(certificate, at);
            at = crate::plan::renewal::add(at, pause);
        }
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.clone(), turns);
    }

    /// When a certificate's turn comes; none when it has none.
    pub fn turn(&self, issuer: &IssuerKey, certificate: &Name) -> Option<Turn> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).get(issuer)?.get(certificate).copied()
    }
}
