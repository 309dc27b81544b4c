//! What bears on one issuer: its object, and the Secret with its authority's key where it has one.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::{
    cache::{Cached as _, Name},
    marks::IssuerObject,
    secret::Wiped,
    world::World,
};
use crate::{
    api::{DEFAULT_DURATION, IssuerKey, Kind, SecretIdentity, SpecError, WantedIssuer, reason},
    cluster::CallError,
    issuers::{CertificateAuthority, Entry, Issuer, SelfSigned},
    plan::{
        issuer::Observed,
        observed::{AuthorityView, Backing, IssuerView, Obstacle},
    },
};

/// What bears on one issuer.
#[derive(Debug)]
pub struct IssuerSight {
    /// The object.
    pub object: Arc<IssuerObject>,
    /// Its spec, parsed once.
    pub wanted: Result<WantedIssuer, SpecError>,
    backing: Option<Result<Arc<dyn Issuer>, Obstacle>>,
    authority: Option<AuthorityView>,
    secret: Option<(String, SecretIdentity)>,
    longest: Option<jiff::SignedDuration>,
}

impl IssuerSight {
    /// Gathers what bears on an issuer; none when it does not exist. A Secret whose uid and resourceVersion are those of the
    /// last look is not read again.
    ///
    /// # Errors
    /// When the Secret cannot be read.
    pub async fn gather(world: &World, client: &Client, key: &IssuerKey, now: Timestamp) -> Result<Option<Self>, CallError> {
        let Some(object) = world.issuers.get(&World::issuer_name(key)).filter(|object| object.key == *key) else {
            return Ok(None);
        };
        let wanted = object.wanted();
        let mut sight = Self { object, wanted, backing: None, authority: None, secret: None, longest: None };
        let Ok(spec) = &sight.wanted else {
            return Ok(Some(sight));
        };
        let secret_name = match &spec.kind {
            Kind::Ca { secret_name, .. } => secret_name,
            Kind::SelfSigned { crl_distribution_points } => {
                sight.backing = Some(Ok(Arc::new(SelfSigned { crl_distribution_points: crl_distribution_points.clone() })));
                return Ok(Some(sight));
            }
        };
        let default = spec.defaults.duration.unwrap_or(DEFAULT_DURATION);
        sight.longest = world.links().longest(key, default);
        let namespace = world.secret_namespace(key).to_owned();
        let name = Name::new(&namespace, secret_name);
        let before = world.book.get(key);
        let mark = world.secrets.get(&name);
        if let (Some(mark), Some(before)) = (&mark, &before)
            && before.view.generation == sight.object.metadata.generation.unwrap_or_default()
            && before.secret.as_ref().is_some_and(|(uid, version)| uid == mark.uid() && version == mark.resource_version())
            && let (Some(signer), Ok(Backing::Authority(view))) = (&before.signer, &before.view.backing)
            && view.chain.not_after() >= now
        {
            sight.backing = Some(Ok(Arc::clone(signer)));
            sight.authority = Some(view.clone());
            sight.secret = Some((secret_name.clone(), identity(secret_name, mark.uid(), mark.resource_version())));
            return Ok(Some(sight));
        }
        let api = Api::<Secret>::namespaced(client.clone(), &namespace);
        let secret = match api.get(secret_name).await {
            Ok(secret) => Wiped::new(secret),
            Err(error) => {
                let error = CallError::of("get", "Secret", Some(&namespace), secret_name)(error);
                if error.is_not_found() {
                    sight.backing = Some(Err(Obstacle {
                        reason: reason::issuer::AUTHORITY_SECRET_MISSING,
                        message: format!(
                            "Secret {name} does not exist: apply it, or a Certificate with isCA: true and spec.secretName: {secret_name}"
                        ),
                    }));
                    return Ok(Some(sight));
                }
                return Err(error);
            }
        };
        let metadata = &secret.object().metadata;
        let identity =
            identity(secret_name, metadata.uid.as_deref().unwrap_or_default(), metadata.resource_version.as_deref().unwrap_or_default());
        sight.secret = Some((secret_name.clone(), identity));
        let none = std::collections::BTreeMap::new();
        let data = secret.object().data.as_ref().unwrap_or(&none);
        match CertificateAuthority::read(data, spec, now) {
            Ok(authority) => {
                sight.authority = Some(authority.view().clone());
                sight.backing = Some(Ok(Arc::new(authority)));
            }
            Err(obstacle) => {
                let message = format!("Secret {name}: {}", obstacle.message);
                sight.backing = Some(Err(Obstacle { message, ..obstacle }));
            }
        }
        Ok(Some(sight))
    }

    /// What a decision is made from.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            generation: self.object.metadata.generation,
            status: self.object.status.as_ref(),
            wanted: &self.wanted,
            authority: match (&self.backing, &self.authority) {
                (Some(Err(obstacle)), _) => Some(Err(obstacle)),
                (_, Some(authority)) => Some(Ok(authority)),
                _ => None,
            },
            secret: self.secret.as_ref().map(|(_, identity)| identity.clone()),
            longest: self.longest,
        }
    }

    /// The issuer as the book keeps it.
    pub fn entry(&self) -> Entry {
        let backing = match (&self.wanted, &self.backing, &self.authority) {
            (Err(error), ..) => Err(Obstacle { reason: reason::INVALID_SPEC, message: error.to_string() }),
            (_, Some(Err(obstacle)), _) => Err(obstacle.clone()),
            (_, _, Some(authority)) => Ok(Backing::Authority(authority.clone())),
            _ => Ok(Backing::SelfSigned),
        };
        Entry {
            view: IssuerView {
                key: self.object.key.clone(),
                generation: self.object.metadata.generation.unwrap_or_default(),
                spec: self.wanted.as_ref().ok().cloned(),
                backing,
            },
            signer: self.backing.as_ref().and_then(|backing| backing.as_ref().ok()).map(Arc::clone),
            secret: self.secret.as_ref().map(|(_, identity)| (identity.uid.clone(), identity.resource_version.clone())),
        }
    }
}

fn identity(name: &str, uid: &str, resource_version: &str) -> SecretIdentity {
    SecretIdentity { name: name.to_owned(), uid: uid.to_owned(), resource_version: resource_version.to_owned() }
}
