//! The signed checkpoint of all registers, in one ConfigMap of the operator's namespace that anyone may be given to read.
//!
//! What it says is decided in `register::checkpoint`; here its key is kept, and it is written when it is due.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chancery_pki::{KeyEncoding, KeyId, PrivateKey};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Api;

use super::{Context, Fault, blocking, failed, read_secret};
use crate::{
    api::names,
    cluster::{CallError, MAX_SKEW},
    observe::{Cached as _, Mark, Name, Wiped, data},
    plan::renewal::add,
    register::{
        RegisterState,
        checkpoint::{Checkpoint, KEY, Next, Signed},
    },
};

/// What is remembered of checkpoints, while we lead. All of it may be forgotten.
#[derive(Default)]
pub struct Checkpoints(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Whether the ConfigMap was read.
    read: bool,
    /// Its version; none where there is none.
    version: Option<String>,
    last: Option<(Checkpoint, String)>,
    /// The key, and the version of the Secret that it was read from.
    key: Option<(String, Arc<PrivateKey>)>,
    /// Since when there is something that no checkpoint says.
    since: Option<Timestamp>,
}

impl Checkpoints {
    /// Since when there is something that no checkpoint says; none where there is nothing.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.memory().since
    }

    /// Forgets all, with the key: we do not lead any more.
    pub fn clear(&self) {
        *self.memory() = Memory::default();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Checkpoints")
    }
}

/// Writes a checkpoint where there is something new, and that for so long.
///
/// # Errors
/// When the API server does not answer, another leads, or another wrote.
pub async fn keep(context: &Context, interval: SignedDuration) -> Result<(), Fault> {
    let world = &context.world;
    if !world.registers.is_open() || world.skew.check(MAX_SKEW).is_err() {
        return Ok(());
    }
    let outcome = look(context, interval).await;
    if outcome.is_err() {
        // What was written, if anything, has to be read.
        context.checkpoints.memory().read = false;
    }
    outcome
}

async fn look(context: &Context, interval: SignedDuration) -> Result<(), Fault> {
    if !context.checkpoints.memory().read {
        read(context).await?;
    }
    let now = context.world.now();
    let (last, known) = {
        let memory = context.checkpoints.memory();
        (memory.last.clone(), memory.key.as_ref().map(|(version, _)| version.clone()))
    };
    let mark = context.world.secrets.get(&key_name(context)).map(|mark| mark.resource_version().to_owned());
    let key_changed = last.is_some() && (mark.is_none() || (known.is_some() && known != mark));
    let named = last.as_ref().map_or_else(|| KeyId::of_spki(&[]), |(checkpoint, _)| checkpoint.key);
    let due = {
        let mut memory = context.checkpoints.memory();
        if !key_changed && next(context, last.as_ref(), named, now).is_none() {
            memory.since = None;
            return Ok(());
        }
        let since = *memory.since.get_or_insert_with(|| last.as_ref().map_or(now, |(last, _)| last.time.min(now)));
        add(since, interval)
    };
    if now < due {
        return Ok(());
    }
    let key = key(context).await?;
    let Some(checkpoint) = next(context, last.as_ref(), key.key_id(), now) else { return Ok(()) };
    if let Some((before, _)) = last.as_ref().filter(|(before, _)| before.key != checkpoint.key) {
        tracing::warn!(before = %before.key, now = %checkpoint.key, "checkpoints are signed by another key from now on");
    }
    let ends = context.world.registers.index().ends();
    let left_out = ends.keys().filter(|id| !checkpoint.registers.contains_key(id)).count();
    if left_out > 0 {
        tracing::warn!(left_out, "there are more registers than a checkpoint has room for: it says nothing of those that changed first");
    }
    for (register, lost) in &checkpoint.lost {
        tracing::error!(%register, line = lost.position.sequence, "a register lacks a line that a checkpoint has: it went back in time");
    }
    write(context, checkpoint, key).await
}

fn next(context: &Context, last: Option<&(Checkpoint, String)>, key: KeyId, now: Timestamp) -> Option<Checkpoint> {
    let registers = &context.world.registers;
    let broken: BTreeSet<_> =
        registers.states().into_iter().filter(|(_, state)| *state != RegisterState::Sound).map(|(id, _)| id).collect();
    let index = registers.index();
    let ends = index.ends();
    let before = last.map(|(checkpoint, text)| (checkpoint, text.as_str()));
    Next { before, ends: &ends, broken: &broken, stands: &|id, position| index.stands(id, position) }.checkpoint(
        &context.world.namespace,
        key,
        now,
    )
}

/// Reads the last one.
async fn read(context: &Context) -> Result<(), Fault> {
    let namespace = &context.world.namespace;
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
    let found = api.get_opt(names::CHECKPOINT).await;
    let found = found.map_err(CallError::of("get", "ConfigMap", Some(namespace), names::CHECKPOINT))?;
    // Whoever may write ConfigMaps, and no Secrets, does not get another key believed by putting it beside what it signs.
    let own = match stored_key(context).await? {
        Some((_, key)) => Some(key?.public_key().to_pem()),
        None => None,
    };
    let mut memory = context.checkpoints.memory();
    memory.read = true;
    memory.version = found.as_ref().and_then(|map| map.metadata.resource_version.clone());
    if let Some(signed) = found.as_ref().and_then(signed) {
        match signed.verified(own.as_deref().unwrap_or(&signed.key)) {
            Ok(checkpoint) => memory.last = Some((checkpoint, signed.text)),
            Err(error) => {
                tracing::error!(config_map = names::CHECKPOINT, %error, "the last checkpoint is not believed, and the next begins anew");
            }
        }
    }
    Ok(())
}

/// A checkpoint as it stands in its ConfigMap.
pub fn signed(map: &ConfigMap) -> Option<Signed> {
    let text = |key: &str| map.data.as_ref()?.get(key).cloned();
    let signature = map.binary_data.as_ref()?.get(names::CHECKPOINT_SIGNATURE)?.0.clone();
    Some(Signed { text: text(names::CHECKPOINT_TEXT)?, signature, key: text(names::CHECKPOINT_PUBLIC)? })
}

async fn write(context: &Context, checkpoint: Checkpoint, key: Arc<PrivateKey>) -> Result<(), Fault> {
    let to_sign = checkpoint.clone();
    let signed = blocking(move || to_sign.sign(&key)).await?.map_err(|error| failed(format!("no checkpoint was signed: {error}")))?;
    let text = signed.text.clone();
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::CHECKPOINT.to_owned()),
            namespace: Some(context.world.namespace.clone()),
            labels: Some([(names::MANAGED.to_owned(), names::MANAGED_VALUE.to_owned())].into()),
            resource_version: context.checkpoints.memory().version.clone(),
            ..ObjectMeta::default()
        },
        data: Some([(names::CHECKPOINT_TEXT.to_owned(), signed.text), (names::CHECKPOINT_PUBLIC.to_owned(), signed.key)].into()),
        binary_data: Some([(names::CHECKPOINT_SIGNATURE.to_owned(), ByteString(signed.signature))].into()),
        ..ConfigMap::default()
    };
    let written = context.writer.config_map(&map).await?;
    let mut memory = context.checkpoints.memory();
    memory.version = written.metadata.resource_version;
    memory.last = Some((checkpoint, text));
    memory.since = None;
    Ok(())
}

fn key_name(context: &Context) -> Name {
    Name::new(&context.world.namespace, names::CHECKPOINT_KEY)
}

/// The key that signs, which is made where there is none.
async fn key(context: &Context) -> Result<Arc<PrivateKey>, Fault> {
    let name = key_name(context);
    let mark = context.world.secrets.get(&name);
    if let (Some((version, key)), Some(mark)) = (&context.checkpoints.memory().key, &mark)
        && version == mark.resource_version()
    {
        return Ok(Arc::clone(key));
    }
    let (secret, key) = match stored_key(context).await? {
        Some((secret, key)) => (secret, key?),
        None => make_key(context, &name).await?,
    };
    let key = Arc::new(key);
    let version = secret.object().metadata.resource_version.clone().unwrap_or_default();
    context.checkpoints.memory().key = Some((version, Arc::clone(&key)));
    Ok(key)
}

/// The Secret with the key, where it is there, and the key, where it can be read.
async fn stored_key(context: &Context) -> Result<Option<(Wiped, Result<PrivateKey, Fault>)>, Fault> {
    let name = key_name(context);
    let Some(secret) = read_secret(context, &name).await? else { return Ok(None) };
    let pem = secret.object().data.as_ref().and_then(|data| data.get(names::CHECKPOINT_PRIVATE));
    let key = pem.and_then(|pem| PrivateKey::from_pem(&pem.0).ok()).filter(|key| key.algorithm() == KEY);
    let why = || format!("Secret {name} holds no key of {KEY} under {}: delete it, and a new one is made", names::CHECKPOINT_PRIVATE);
    let key = key.ok_or_else(|| failed(why()));
    Ok(Some((secret, key)))
}

async fn make_key(context: &Context, name: &Name) -> Result<(Wiped, PrivateKey), Fault> {
    let made = blocking(|| PrivateKey::generate(KEY)).await?;
    let key = made.map_err(|error| failed(format!("no key for checkpoints could be made: {error}")))?;
    let pem = key.to_pem(KeyEncoding::Pkcs8).map_err(|error| failed(format!("the key of checkpoints cannot be written down: {error}")))?;
    let public = key.public_key().to_pem().into_bytes();
    let entries = [(names::CHECKPOINT_PRIVATE, pem.as_bytes().to_vec()), (names::CHECKPOINT_PUBLIC, public)];
    let mut secret = Secret { type_: Some("Opaque".to_owned()), data: Some(data(entries)), ..Secret::default() };
    secret.metadata.name = Some(name.name.to_string());
    secret.metadata.namespace = Some(name.namespace.to_string());
    secret.metadata.labels = Some([(names::MANAGED.to_owned(), names::MANAGED_VALUE.to_owned())].into());
    let written = context.writer.create_secret(&Wiped::new(secret)).await?;
    context.world.secrets.wrote(Mark::of_metadata(&written.object().metadata));
    Ok((written, key))
}
