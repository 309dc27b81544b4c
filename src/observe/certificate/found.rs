//! The Secret of a Certificate: looked for, read where the caches do not settle what is in it, and judged.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::{SecretSight, Sight};
use crate::{
    api::{Certificate, names},
    cluster::CallError,
    observe::{
        cache::{Cached as _, Name},
        forms, revocation,
        secret::{self, Wiped},
        world::World,
    },
    plan::{
        forms::as_recorded,
        ownership::{self, Ownership},
        recorded::{self, SecretMark},
    },
};

/// A Secret that was looked for, before its content was judged.
#[derive(Debug)]
enum Found {
    Absent,
    AsRecorded,
    Foreign(String),
    Read(Box<Wiped>),
}

impl Sight {
    /// Looks for the Secret, and reads it with the passwords of its stores where the caches do not settle what is in it. Returns its name.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub(super) async fn look_for(&mut self, world: &World, client: &Client, ask: bool) -> Result<Option<Name>, CallError> {
        let Ok(wanted) = &self.wanted else {
            return Ok(None);
        };
        let (namespace, name) = (&self.name.namespace, Name::new(&self.name.namespace, &wanted.secret_name));
        self.passwords = forms::known(world, namespace, wanted);
        let found = self.secret_sight(world, client, &name, ask).await?;
        if !matches!(found, Found::AsRecorded | Found::Foreign(_)) {
            (self.passwords, self.unlocked) = forms::read(client, namespace, wanted).await?;
        }
        self.secret = match found {
            Found::Absent => SecretSight::Absent,
            Found::AsRecorded => SecretSight::AsRecorded,
            Found::Foreign(why) => SecretSight::Foreign(why),
            Found::Read(secret) => self.judged(*secret).await,
        };
        Ok(Some(name))
    }

    /// Takes in the Secret that a write of ours returned.
    pub async fn take_secret(&mut self, secret: Wiped) {
        self.secret = self.judged(secret).await;
    }

    async fn judged(&self, secret: Wiped) -> SecretSight {
        let (read, object) = forms::judged(secret, self.wanted.as_ref().ok(), &self.unlocked).await;
        SecretSight::Read(Box::new(read), Box::new(object))
    }

    /// When the Secret may be given new lists, where it holds others; none for at once.
    pub(super) fn ca_crl_after(&self, world: &World, now: Timestamp) -> Option<Timestamp> {
        let old = match (&self.secret, &self.wanted) {
            (SecretSight::Read(read, _), _) => {
                let other = self.ca_crl.as_ref().is_some_and(|wanted| read.ca_crl.as_ref() != Some(&wanted.text));
                other || self.has_old_lists(read.annotations.get(names::CRL_NUMBER).map(String::as_str))
            }
            (SecretSight::AsRecorded, Ok(wanted)) => {
                let mark = world.secrets.get(&Name::new(&self.name.namespace, &wanted.secret_name));
                self.has_old_lists(mark.as_ref().and_then(|mark| mark.ca_crl.as_deref()))
            }
            _ => false,
        };
        if old { revocation::lists_after(world, &self.name, now) } else { None }
    }

    /// Whether lists with these numbers are not those that the Secret should hold.
    fn has_old_lists(&self, numbers: Option<&str>) -> bool {
        match &self.ca_crl {
            Some(wanted) => numbers != Some(&*wanted.numbers),
            None => numbers.is_some() && self.wanted.as_ref().is_ok_and(|wanted| !wanted.ca_crl),
        }
    }

    async fn secret_sight(&self, world: &World, client: &Client, name: &Name, ask: bool) -> Result<Found, CallError> {
        let api = Api::<Secret>::namespaced(client.clone(), &name.namespace);
        let failed = |error| {
            let error = CallError::of("get", "Secret", Some(&name.namespace), &name.name)(error);
            if error.is_not_found() { Ok(Found::Absent) } else { Err(error) }
        };
        let mark = match world.secrets.get(name) {
            Some(mark) => mark,
            None if !ask => return Ok(Found::Absent),
            // The cache does not have it yet: whose it is comes before what is in it.
            None => match api.get_metadata(&name.name).await {
                Ok(metadata) => Arc::new(secret::Mark::of(&metadata)),
                Err(error) => return failed(error),
            },
        };
        if let Ownership::Foreign(why) = ownership::of(&mark.ownership, &self.certificate) {
            return Ok(Found::Foreign(why));
        }
        let gives_lists = self.has_old_lists(mark.ca_crl.as_deref()) && revocation::lists_after(world, &self.name, world.now()).is_none();
        if !ask && !gives_lists && self.is_as_recorded(&mark) {
            return Ok(Found::AsRecorded);
        }
        api.get(&name.name).await.map_or_else(failed, |secret| Ok(Found::Read(Box::new(Wiped::new(secret)))))
    }

    /// Whether the status describes this very Secret, and the register agrees with the status.
    fn is_as_recorded(&self, mark: &secret::Mark) -> bool {
        let issuer = self.issuer.as_ref().and_then(|entry| entry.view.backing.as_ref().ok());
        let forms = mark.forms.as_deref();
        let mark = SecretMark { uid: mark.uid(), resource_version: mark.resource_version(), chain: mark.chain.as_deref() };
        let forms = self.wanted.as_ref().is_ok_and(|wanted| as_recorded(wanted, &self.passwords, forms));
        forms && recorded::describes(&self.certificate, &self.history, issuer, mark)
    }

    /// Another Certificate that names the same Secret and comes first: the one that the Secret names, else the oldest.
    pub(super) fn rival(&self, world: &World, secret: &Name) -> Option<String> {
        let others: Vec<Arc<Certificate>> = world
            .links()
            .of_secret(secret)
            .iter()
            .filter(|other| **other != self.name)
            .filter_map(|other| world.certificates.get(other))
            .filter(|other| other.metadata.deletion_timestamp.is_none())
            .collect();
        if others.is_empty() {
            return None;
        }
        let owner = world.secrets.get(secret).and_then(|mark| mark.ownership.get(names::CERTIFICATE_NAME).cloned());
        if let Some(owner) = owner {
            if *owner == *self.name.name {
                return None;
            }
            if others.iter().any(|other| other.metadata.name.as_ref() == Some(&owner)) {
                return Some(owner);
            }
        }
        let age = |certificate: &Certificate| {
            (certificate.metadata.creation_timestamp.as_ref().map(|time| time.0), certificate.metadata.name.clone().unwrap_or_default())
        };
        let oldest = others.iter().min_by_key(|other| age(other))?;
        (age(oldest) < age(&self.certificate)).then(|| oldest.metadata.name.clone().unwrap_or_default())
    }
}
