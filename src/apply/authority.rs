//! Copies of authorities' keys: made before such a key signs anything, read when a CA's Secret is lost, destroyed at their end.

use chancery_pki::{KeyEncoding, KeyId, PrivateKey};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use super::{Context, Fault, failed};
use crate::{
    api::{names, reason},
    cluster::{CallError, CallErrorKind},
    observe::{Cached as _, Mark, Name, Sight, Wiped, data},
    plan::status::Failure,
    register::{Act, Entry, Owner, Register as _, RegisterId},
};

/// The Secret with the copy of an authority's key.
pub(super) fn name_of(key_id: &KeyId) -> String {
    format!("{}{key_id}", names::AUTHORITY_COPY)
}

/// Whether a key has a copy: on record, and there. A line may have come back without the Secret that it speaks of.
pub(super) fn has_copy(context: &Context, key_id: &KeyId) -> bool {
    context.world.registers.index().copy_exists(key_id) && context.world.copy(key_id).is_some()
}

/// Copies a CA's key that has no copy yet, and puts both on record in that authority's register. The first line stands before the
/// copy does: of a process that dies in between, no copy is left that nobody knows of.
pub(super) async fn keep(context: &Context, sight: &Sight, key: &PrivateKey) -> Result<(), Fault> {
    let owner = owner(sight);
    let key_id = key.public_key().key_id();
    context.world.registers.append(RegisterId::Authority(key_id), line(Act::Made, key_id, Some(&owner), "it is a CA's")).await?;
    copy(context, key, Some(&owner), &sight.name.to_string()).await
}

/// Copies an authority's key to the operator's namespace, and puts that on record. Where a copy stands already, it is the work of a
/// process that died before it could say so.
pub(super) async fn copy(context: &Context, key: &PrivateKey, owner: Option<&Owner>, copy_of: &str) -> Result<(), Fault> {
    let key_id = key.public_key().key_id();
    let pem = key.to_pem(KeyEncoding::Pkcs8).map_err(|error| failed(format!("the CA's key cannot be written down: {error}")))?;
    let mut secret = Secret { data: Some(data([(names::TLS_KEY, pem.as_bytes().to_vec())])), ..Secret::default() };
    secret.type_ = Some("Opaque".to_owned());
    secret.metadata.name = Some(name_of(&key_id));
    secret.metadata.namespace = Some(context.world.namespace.clone());
    secret.metadata.labels = Some([(names::MANAGED.to_owned(), names::MANAGED_VALUE.to_owned())].into());
    secret.metadata.annotations =
        Some([(names::COPY_OF.to_owned(), copy_of.to_owned()), (names::KEY_ID.to_owned(), key_id.to_string())].into());
    match context.writer.create_secret(&Wiped::new(secret)).await {
        Ok(written) => context.world.secrets.wrote(Mark::of_metadata(&written.object().metadata)),
        Err(error) if error.kind == CallErrorKind::AlreadyExists => drop(restore(context, &key_id).await?),
        Err(error) => return Err(Fault::from(error)),
    }
    let entry = line(Act::Copied, key_id, owner, "copied to the operator's namespace");
    context.world.registers.append(RegisterId::Authority(key_id), entry).await?;
    Ok(())
}

fn line(act: Act, key_id: KeyId, owner: Option<&Owner>, reason: &str) -> Entry {
    Entry { key_id: Some(key_id), owner: owner.cloned(), reason: reason.to_owned(), actor: super::ACTOR.to_owned(), ..Entry::new(act) }
}

/// The key of an authority, from its copy.
pub(super) async fn restore(context: &Context, key_id: &KeyId) -> Result<PrivateKey, Fault> {
    let (namespace, name) = (&context.world.namespace, name_of(key_id));
    let api = Api::<Secret>::namespaced(context.client.clone(), namespace);
    let secret = match api.get(&name).await {
        Ok(secret) => Wiped::new(secret),
        Err(error) => {
            let error = CallError::of("get", "Secret", Some(namespace), &name)(error);
            let lost = error.is_not_found();
            return Err(if lost { missing(&name) } else { Fault::from(error) });
        }
    };
    let pem = secret.object().data.as_ref().and_then(|data| data.get(names::TLS_KEY)).ok_or_else(|| missing(&name))?;
    let key = PrivateKey::from_pem(&pem.0).map_err(|error| failed(format!("Secret {namespace}/{name} cannot be read: {error}")))?;
    if key.public_key().key_id() != *key_id {
        return Err(failed(format!("Secret {namespace}/{name} holds another key than that of its name")));
    }
    Ok(key)
}

/// Destroys the copy of a key whose last certificate has ended, and puts it on record. In this order: a key on record as
/// destroyed is looked for no more, so that a copy that still stood then would stand for ever.
///
/// # Errors
/// When the register or the API server does not take it.
pub async fn destroy_copy(context: &Context, key_id: &KeyId, owner: Option<Owner>) -> Result<(), Fault> {
    let (namespace, name) = (context.world.namespace.as_str(), name_of(key_id));
    if let Some(mark) = context.world.secrets.get(&Name::new(namespace, &name)) {
        match context.writer.delete_secret(namespace, &name, mark.uid(), mark.resource_version()).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(Fault::from(error)),
        }
    }
    let entry = Entry {
        key_id: Some(*key_id),
        owner,
        reason: "the last certificate of a key that is not used any more has ended".to_owned(),
        actor: super::ACTOR.to_owned(),
        ..Entry::new(Act::Destroyed)
    };
    context.world.registers.append(RegisterId::Authority(*key_id), entry).await?;
    Ok(())
}

pub(super) fn owner(sight: &Sight) -> Owner {
    Owner {
        namespace: sight.name.namespace.to_string(),
        name: sight.name.name.to_string(),
        uid: sight.certificate.metadata.uid.clone().unwrap_or_default(),
    }
}

fn missing(name: &str) -> Fault {
    Fault::Failed(Failure {
        reason: reason::certificate::AUTHORITY_SECRET_MISSING,
        message: format!(
            "the copy of the CA's key, Secret {name} in the operator's namespace, is gone: restore one of the two Secrets from a backup"
        ),
        retry: true,
    })
}
