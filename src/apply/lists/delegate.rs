//! OCSP delegates: for each authority with OCSP a key and a certificate that say what the authority would (RFC 6960 section 4.2.2.2), so
//! that whoever answers need not hold the authority's key.
//!
//! They lie in sixteen Secrets of the operator's namespace, by the first digit of the authority's keyID: a role can name these, and so
//! give the responder nothing else. Each is written by the leader only.

use chancery_pki::{Certificate as X509, KeyAlgorithm, KeyEncoding, KeyId, PrivateKey, SerialNumber, issue};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::{
    super::{failed, issue::serial, read_secret},
    Context, Fault,
};
use crate::{
    api::names,
    observe::{Cached as _, Mark, Name, Wiped},
    plan::delegate,
    register::{Act, Entry, Owner, Register as _, RegisterId},
};

/// The Secret with an authority's delegate.
fn secret_of(authority: &KeyId) -> String {
    let digit: String = authority.to_string().chars().take(1).collect();
    format!("{}{digit}", names::DELEGATES_PREFIX)
}

fn certificate_key(authority: &KeyId) -> String {
    format!("{authority}.crt")
}

fn private_key(authority: &KeyId) -> String {
    format!("{authority}.key")
}

/// What is known of a delegate without reading it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The version of the Secret that it was read from or written with.
    version: String,
    /// When it must be replaced.
    due: Timestamp,
}

/// Sees to it that the authority has a delegate that holds; returns when it must be replaced.
///
/// # Errors
/// When the register or the API server does not take it.
pub(super) async fn ensure(
    context: &Context,
    authority: &KeyId,
    issuer: &X509,
    chain: &[X509],
    key: &PrivateKey,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let name = Name::new(&context.world.namespace, &secret_of(authority));
    let mark = context.world.secrets.get(&name);
    let version = mark.as_ref().map(|mark| mark.resource_version().to_owned());
    if let Some(known) = context.press.delegate(authority)
        && Some(&known.version) == version.as_ref()
        && known.due > now
    {
        return Ok(known.due);
    }
    let mut present = read_secret(context, &name).await?;
    let held = present.as_ref().and_then(|secret| held(secret.object(), authority));
    if let (Some(due), Some(secret)) = (held.map(|held| delegate::due(&held, issuer)).filter(|due| *due > now), &present) {
        let version = secret.object().metadata.resource_version.clone().unwrap_or_default();
        context.press.remember_delegate(*authority, Some(Known { version, due }));
        return Ok(due);
    }
    let made =
        PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(|error| failed(format!("no delegate's key could be made: {error}")))?;
    let template = delegate::template(authority, chain, serial(1)?, now).map_err(|error| failed(error.to_string()))?;
    let register = RegisterId::Authority(*authority);
    context.world.registers.append(register, line(context, &template.serial, template.not_after, made.public_key().key_id())).await?;
    let certificate =
        issue(&template, made.public_key(), issuer, key).map_err(|error| failed(format!("no delegate was signed: {error}")))?;
    let pem = made.to_pem(KeyEncoding::Pkcs8).map_err(|error| failed(format!("a delegate's key cannot be written down: {error}")))?;
    let entries = [
        (certificate_key(authority), ByteString(certificate.to_pem().into_bytes())),
        (private_key(authority), ByteString(pem.as_bytes().to_vec())),
    ];
    let written = if let Some(secret) = &mut present {
        let object = secret.object_mut();
        object.metadata.managed_fields = None;
        object.data.get_or_insert_default().extend(entries);
        context.writer.replace_secret(secret).await?
    } else {
        let mut secret = Secret { type_: Some("Opaque".to_owned()), data: Some(entries.into()), ..Secret::default() };
        secret.metadata.name = Some(name.name.to_string());
        secret.metadata.namespace = Some(name.namespace.to_string());
        secret.metadata.labels = Some([(names::MANAGED.to_owned(), names::MANAGED_VALUE.to_owned())].into());
        context.writer.create_secret(&Wiped::new(secret)).await?
    };
    took(context, &written);
    let due = delegate::due(&certificate, issuer);
    let version = written.object().metadata.resource_version.clone().unwrap_or_default();
    context.press.remember_delegate(*authority, Some(Known { version, due }));
    Ok(due)
}

/// Destroys the delegate of an authority that needs none any more.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn remove(context: &Context, authority: &KeyId) -> Result<(), Fault> {
    context.press.remember_delegate(*authority, None);
    let name = Name::new(&context.world.namespace, &secret_of(authority));
    if context.world.secrets.get(&name).is_none() {
        return Ok(());
    }
    let Some(mut secret) = read_secret(context, &name).await? else { return Ok(()) };
    let (certificate, key) = (certificate_key(authority), private_key(authority));
    let data = secret.object_mut().data.get_or_insert_default();
    if data.remove(&certificate).is_none() & data.remove(&key).is_none() {
        return Ok(());
    }
    secret.object_mut().metadata.managed_fields = None;
    took(context, &context.writer.replace_secret(&secret).await?);
    Ok(())
}

fn took(context: &Context, written: &Wiped) {
    context.world.secrets.wrote(Mark::of_metadata(&written.object().metadata));
}

/// The delegate's certificate in the Secret, where it stands there with its key.
fn held(secret: &Secret, authority: &KeyId) -> Option<X509> {
    let data = secret.data.as_ref()?;
    let certificate = X509::bundle_from_pem(&data.get(&certificate_key(authority))?.0).ok()?.into_iter().next()?;
    let key = PrivateKey::from_pem(&data.get(&private_key(authority))?.0).ok()?;
    (certificate.public_key() == key.public_key()).then_some(certificate)
}

fn line(context: &Context, serial: &SerialNumber, not_after: Timestamp, key_id: KeyId) -> Entry {
    Entry {
        serial: Some(serial.clone()),
        not_after: Some(not_after),
        key_id: Some(key_id),
        owner: Some(Owner { namespace: context.world.namespace.clone(), name: delegate::OWNER.to_owned(), uid: String::new() }),
        reason: crate::api::reason::certificate::CREATED.to_owned(),
        actor: super::super::ACTOR.to_owned(),
        ..Entry::new(Act::Issued)
    }
}
