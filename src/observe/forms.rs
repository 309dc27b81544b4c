//! The passwords of stores, and whether the other forms of key and certificates in a Secret are what they should be.
//!
//! A password is read when a Secret is, and wiped with what was observed; nothing here is ever logged.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chancery_pki::keystore::check_password;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};
use zeroize::Zeroizing;

use super::{
    bundle::Bundle,
    cache::{Cached as _, Name},
    secret::{self, Wiped},
    world::World,
};
use crate::{
    api::{PasswordSource, Wanted, names},
    cluster::CallError,
    plan::{
        forms::{self, Passwords},
        observed::{Content, SecretRead},
    },
};

/// What is known of the passwords of the stores that are wanted, by the caches.
pub(super) fn known(world: &World, namespace: &str, wanted: &Wanted) -> Passwords {
    let mut passwords = Passwords::default();
    for (store, source) in forms::sources(wanted) {
        let PasswordSource::Secret { name, .. } = source else { continue };
        match world.secrets.get(&Name::new(namespace, name)) {
            Some(mark) => drop(passwords.marks.insert(store, mark_of(mark.uid(), mark.resource_version()))),
            None => drop(passwords.missing.get_or_insert_with(|| absent(name))),
        }
    }
    passwords
}

fn mark_of(uid: &str, resource_version: &str) -> String {
    format!("{uid}.{resource_version}")
}

fn absent(name: &str) -> String {
    format!("Secret {name} with the password of a keystore does not exist: create it")
}

/// The passwords of the stores that are wanted, by store. Wiped when it is dropped, and not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Unlocked(BTreeMap<&'static str, Arc<Zeroizing<Vec<u8>>>>);

impl Unlocked {
    /// The password of a store.
    pub fn get(&self, store: &str) -> Option<&[u8]> {
        self.0.get(store).map(|password| password.as_slice())
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}

/// Reads the passwords of the stores that are wanted.
///
/// # Errors
/// When a Secret cannot be read. That there is none, or no such key in it, is part of what is observed.
pub(super) async fn read(client: &Client, namespace: &str, wanted: &Wanted) -> Result<(Passwords, Unlocked), CallError> {
    let (mut passwords, mut unlocked) = (Passwords::default(), Unlocked::default());
    for (store, source) in forms::sources(wanted) {
        let (name, key) = match source {
            PasswordSource::Literal(password) => {
                unlocked.0.insert(store, Arc::new(Zeroizing::new(password.as_bytes().to_vec())));
                continue;
            }
            PasswordSource::Secret { name, key } => (name, key),
        };
        let secret = match Api::<Secret>::namespaced(client.clone(), namespace).get(name).await {
            Ok(secret) => Wiped::new(secret),
            Err(error) => {
                let error = CallError::of("get", "Secret", Some(namespace), name)(error);
                if !error.is_not_found() {
                    return Err(error);
                }
                passwords.missing.get_or_insert_with(|| absent(name));
                continue;
            }
        };
        let object = secret.object();
        passwords.marks.insert(store, mark_of(&object.uid().unwrap_or_default(), &object.resource_version().unwrap_or_default()));
        match object.data.as_ref().and_then(|data| data.get(key)).filter(|value| !value.0.is_empty()) {
            Some(password) => match check_password(&password.0) {
                Ok(()) => drop(unlocked.0.insert(store, Arc::new(Zeroizing::new(password.0.clone())))),
                Err(error) => drop(
                    passwords.missing.get_or_insert_with(|| format!("Secret {name} has no password of a keystore under {key}: {error}")),
                ),
            },
            None => drop(
                passwords.missing.get_or_insert_with(|| format!("Secret {name} has no key {key} with the password of a keystore: add it")),
            ),
        }
    }
    Ok((passwords, unlocked))
}

/// What a Secret holds, with a judgement of the other forms in it. Takes some milliseconds of a processor for each store.
pub(super) async fn judged(object: Wiped, wanted: Option<&Wanted>, unlocked: &Unlocked) -> (SecretRead, Wiped) {
    let mut read = secret::read(object.object());
    let (Some(wanted), Content::Pair { key, .. }) = (wanted.filter(|_| !read.forms.is_empty()), &read.content) else {
        return (read, object);
    };
    let data = |name: &str| object.object().data.as_ref().and_then(|data| data.get(name)).map(|octets| octets.0.as_slice());
    let key_pem = data(names::TLS_KEY).unwrap_or_default();
    let Some(bundle) = Bundle::new(Arc::clone(key), key_pem, &read.chain) else {
        return (read, object);
    };
    let (wanted, unlocked) = (wanted.clone(), unlocked.clone());
    let found: Vec<_> = read.forms.keys().filter_map(|name| Some((*name, Zeroizing::new(data(name)?.to_vec())))).collect();
    let judge = move || -> BTreeMap<&'static str, bool> {
        found.iter().map(|(name, octets)| (*name, bundle.holds(name, octets, &wanted, &unlocked))).collect()
    };
    // Without a judgement they count as wrong, and are written again.
    if let Ok(judged) = tokio::task::spawn_blocking(judge).await {
        read.forms = judged;
    }
    (read, object)
}
