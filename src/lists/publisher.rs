//! Lists in ConfigMaps: chunks first, then one write of the head, under the version that was read.
//!
//! Of two who publish at once one is told that it is late, and what it wrote is never named. A crash at any moment leaves the
//! last generation or the next, and chunks that nobody names; these are swept away when no attempt can be under way any more.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    future::Future,
    sync::Arc,
    time::Duration,
};

use chancery_pki::KeyId;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::{
    build::Built,
    head::{self, Head},
    place::{self, CHUNK_BYTES, Kind, Part},
    read::{self, Lists},
};
use crate::{
    api::names,
    lease::Fence,
    register::{Document, Selector, Store, StoreError},
};

/// How long one call to the API server may take.
const CALL: Duration = Duration::from_secs(10);
/// How often a write is tried again when no answer comes, with pauses of 0.1 s to 0.8 s between.
const SILENCES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How many chunks are read or written at once.
const AT_ONCE: usize = 4;
/// How long a publication may take. What it has written is not swept away before `ORPHANED`, which is well after that.
const PUBLISHING: Duration = Duration::from_mins(5);
/// How old a chunk is that nobody names before it is deleted.
const ORPHANED: SignedDuration = SignedDuration::from_mins(10);

/// Reads and writes lists in the operator's namespace.
#[derive(Clone)]
pub struct Publisher {
    store: Arc<dyn Store>,
    fence: Arc<dyn Fence>,
}

/// What is published for an authority.
#[derive(Clone, Debug)]
pub struct Published {
    /// The head.
    pub head: Head,
    /// The lists, all verified.
    pub lists: BTreeMap<u16, Lists>,
    /// Shards whose chunks are lost or were edited, with what is wrong.
    pub damaged: BTreeMap<u16, String>,
}

/// What stands in the store for an authority, and under which version.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// None where nothing is published, or the head cannot be read.
    pub published: Option<Published>,
    /// What is wrong with a head that cannot be read.
    pub unreadable: Option<String>,
    head: Option<Version>,
    chunks: BTreeMap<String, Version>,
    /// The chunks that the head before this one named.
    superseded: BTreeMap<String, Version>,
}

impl Standing {
    /// The resourceVersion of the head; none where there is none.
    pub fn head_version(&self) -> Option<&str> {
        self.head.as_ref()?.resource_version.as_deref()
    }
}

/// Exactly this version of exactly this object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Version {
    fn of(document: &Document) -> Self {
        Self { uid: document.uid.clone(), resource_version: document.resource_version.clone() }
    }
}

/// Why lists could not be read or published.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ListError {
    /// Another leads.
    #[error("another instance leads")]
    NotLeading,
    /// Another has published meanwhile: read what stands, and decide anew.
    #[error("another has published meanwhile")]
    Late,
    /// The name of a chunk is taken by other octets: an attempt of the same number was made before.
    #[error("the ConfigMap {name} exists and holds something else")]
    Taken {
        /// The chunk's name.
        name: String,
    },
    /// The API server will not take it.
    #[error("the API server refuses the ConfigMap {name}: {why}")]
    Refused {
        /// The ConfigMap's name.
        name: String,
        /// Its answer.
        why: String,
    },
    /// The API server did not answer. What was to be published may come to stand after all.
    #[error("the API server did not answer: {why}")]
    Unavailable {
        /// What came instead.
        why: String,
    },
    /// It took too long, and chunks that were written may be swept away.
    #[error("the publication took longer than {} minutes", PUBLISHING.as_secs() / 60)]
    TooSlow,
}

impl ListError {
    /// Whether the same may succeed later without anyone doing anything.
    pub fn waiting_helps(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

impl Publisher {
    /// Lists in this store, written while `fence` says that we lead.
    pub fn new(store: Arc<dyn Store>, fence: Arc<dyn Fence>) -> Self {
        Self { store, fence }
    }

    /// Reads what is published for an authority, and verifies every list.
    ///
    /// # Errors
    /// When the API server does not answer. What is wrong with what it answers is in what is returned.
    pub async fn read(&self, authority: &KeyId) -> Result<Standing, ListError> {
        let Some(document) = self.get(place::head_name(authority)).await? else { return Ok(Standing::default()) };
        let version = Some(Version::of(&document));
        let head = match Head::from_document(&document) {
            Ok(head) => head,
            Err(why) => return Ok(Standing { unreadable: Some(why.to_string()), head: version, ..Standing::default() }),
        };
        let names = head.all_chunk_names();
        // Boxed, since a closure over borrowed names would not be general enough for a task that may move between threads.
        let reads: Vec<_> = names.into_iter().map(|name| self.get(name).boxed()).collect();
        let found: Vec<Option<Document>> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        let found: HashMap<String, Document> = found.into_iter().flatten().map(|chunk| (chunk.name.clone(), chunk)).collect();
        let chunk = |name: &str| found.get(name).and_then(read::chunk);
        let (mut lists, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for &shard in head.shards.keys() {
            match read::read_shard(&head, shard, &chunk) {
                Ok(list) => {
                    lists.insert(shard, list);
                }
                Err(why) => {
                    damaged.insert(shard, why.to_string());
                }
            }
        }
        let chunks = found.values().map(|chunk| (chunk.name.clone(), Version::of(chunk))).collect();
        let published = Some(Published { head, lists, damaged });
        Ok(Standing { published, unreadable: None, head: version, chunks, superseded: BTreeMap::new() })
    }

    /// Publishes an edition in the place of what stood when `standing` was read. Its number must be on record before.
    ///
    /// # Errors
    /// When it does not stand, or that is not known: then read again.
    pub async fn publish(&self, standing: &Standing, next: &Built) -> Result<Standing, ListError> {
        let start = Instant::now();
        let named = next.head.all_chunk_names();
        let kept = standing.chunks.iter().filter(|(name, _)| named.contains(*name));
        let mut chunks: BTreeMap<String, Version> = kept.map(|(name, version)| (name.clone(), version.clone())).collect();
        let writes: Vec<_> = chunk_places(next).into_iter().map(|(name, octets)| self.chunk(next, name, octets).boxed()).collect();
        let written: Vec<(String, Version)> = stream::iter(writes).buffered(AT_ONCE).try_collect().await?;
        chunks.extend(written);
        if start.elapsed() > PUBLISHING {
            return Err(ListError::TooSlow);
        }
        let head = self.flip(standing.head.as_ref(), next).await?;
        for (name, version) in &standing.superseded {
            // What cannot be deleted now is swept away later.
            if !named.contains(name)
                && let Err(error) = self.delete(name, version).await
            {
                tracing::debug!(config_map = name, %error, "a chunk that is not needed any more could not be deleted");
            }
        }
        let superseded = standing.chunks.iter().filter(|(name, _)| !named.contains(*name));
        let superseded = superseded.map(|(name, version)| (name.clone(), version.clone())).collect();
        let published = Published { head: next.head.clone(), lists: next.lists.clone(), damaged: next.damaged.clone() };
        Ok(Standing { published: Some(published), unreadable: None, head: Some(head), chunks, superseded })
    }

    /// Deletes the chunks of an authority that no head names and no attempt can name any more; says how many.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn sweep(&self, authority: &KeyId, now: Timestamp) -> Result<usize, ListError> {
        let found = self.named(authority).await?;
        let named = match self.get(place::head_name(authority)).await? {
            None => BTreeSet::new(),
            // Which chunks a head names that cannot be read is not known.
            Some(document) => match Head::from_document(&document) {
                Ok(head) => head.all_chunk_names(),
                Err(_) => return Ok(0),
            },
        };
        let orphaned = |chunk: &Document| {
            let age = chunk.created.map(|created| now.duration_since(created));
            !named.contains(&chunk.name) && age.is_some_and(|age| age > ORPHANED)
        };
        let mut swept = 0;
        for chunk in found.iter().filter(|chunk| orphaned(chunk)) {
            self.delete(&chunk.name, &Version::of(chunk)).await?;
            swept += 1;
        }
        Ok(swept)
    }

    /// Ends an authority's lists: the head goes first, so that nobody reads one whose chunks are gone.
    ///
    /// # Errors
    /// When something is left, to be tried again.
    pub async fn end(&self, authority: &KeyId) -> Result<(), ListError> {
        if let Some(head) = self.get(place::head_name(authority)).await? {
            self.delete(&head.name, &Version::of(&head)).await?;
        }
        for chunk in self.named(authority).await? {
            self.delete(&chunk.name, &Version::of(&chunk)).await?;
        }
        Ok(())
    }

    /// All authorities that have a head, or chunks that were left.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn authorities(&self) -> Result<BTreeSet<KeyId>, ListError> {
        let found = call(self.store.names(Selector { label: names::LIST, value: None })).await.map_err(unavailable)?;
        Ok(found.iter().filter_map(|document| place::part_of(&document.name)).map(|(authority, _)| authority).collect())
    }

    /// The chunks of an authority, without their octets.
    async fn named(&self, authority: &KeyId) -> Result<Vec<Document>, ListError> {
        let selector = Selector { label: names::LIST, value: Some(place::label(authority)) };
        let mut found = call(self.store.names(selector)).await.map_err(unavailable)?;
        found.retain(|document| place::part_of(&document.name) == Some((*authority, Part::Chunk)));
        Ok(found)
    }

    /// Makes one chunk, or finds that it was made.
    async fn chunk(&self, next: &Built, name: String, octets: &[u8]) -> Result<(String, Version), ListError> {
        for silence in 0..=SILENCES {
            self.lead()?;
            let document = Document {
                name: name.clone(),
                labels: head::labels(&next.head.authority),
                binary: BTreeMap::from([(names::LIST_DER.to_owned(), octets.to_vec())]),
                immutable: true,
                ..Document::default()
            };
            match call(self.store.create(document)).await {
                Ok(made) => return Ok((name, Version::of(&made))),
                Err(StoreError::AlreadyExists) => match self.get(name.clone()).await? {
                    Some(standing) if read::chunk(&standing) == Some(octets) => return Ok((name, Version::of(&standing))),
                    Some(_) => return Err(ListError::Taken { name }),
                    None => {}
                },
                Err(StoreError::Refused { why }) => return Err(ListError::Refused { name, why }),
                Err(error) if silence == SILENCES => return Err(unavailable(error)),
                Err(_) => sleep(FIRST_PAUSE * 2_u32.pow(silence)).await,
            }
        }
        Err(ListError::Unavailable { why: format!("the ConfigMap {name} comes and goes") })
    }

    /// The one write that makes an edition current. Repeated under the same version, it can be done only once.
    async fn flip(&self, version: Option<&Version>, next: &Built) -> Result<Version, ListError> {
        let document = next.head.to_document(version.and_then(|version| version.resource_version.clone()));
        let name = document.name.clone();
        for silence in 0..=SILENCES {
            self.lead()?;
            let write = match version {
                Some(_) => self.store.replace(document.clone()),
                None => self.store.create(document.clone()),
            };
            match call(write).await {
                Ok(written) => return Ok(Version::of(&written)),
                // It may be what an earlier attempt of ours did.
                Err(StoreError::Conflict | StoreError::AlreadyExists | StoreError::NotFound) => {
                    let standing = self.get(name).await?;
                    let own = standing.filter(|standing| standing.data == document.data);
                    return own.map(|own| Version::of(&own)).ok_or(ListError::Late);
                }
                Err(StoreError::Refused { why }) => return Err(ListError::Refused { name, why }),
                Err(error) if silence == SILENCES => return Err(unavailable(error)),
                Err(StoreError::Unknown { .. }) => sleep(FIRST_PAUSE * 2_u32.pow(silence)).await,
            }
        }
        Err(ListError::Unavailable { why: format!("the ConfigMap {name} could not be written") })
    }

    async fn get(&self, name: String) -> Result<Option<Document>, ListError> {
        call(self.store.get(name)).await.map_err(unavailable)
    }

    async fn delete(&self, name: &str, version: &Version) -> Result<(), ListError> {
        self.lead()?;
        let document = Document {
            name: name.to_owned(),
            uid: version.uid.clone(),
            resource_version: version.resource_version.clone(),
            ..Document::default()
        };
        match call(self.store.delete(document)).await {
            Ok(()) | Err(StoreError::NotFound) => Ok(()),
            Err(StoreError::Refused { why }) => Err(ListError::Refused { name: name.to_owned(), why }),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Asked before each write.
    fn lead(&self) -> Result<(), ListError> {
        self.fence.check().map_err(|_| ListError::NotLeading)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Publisher")
    }
}

/// The chunks to be written: their names and octets.
fn chunk_places(next: &Built) -> Vec<(String, &[u8])> {
    let of = |(shard, kind): &(u16, Kind)| {
        let octets = next.list(*shard, *kind).map_or(&[][..], |list| list.as_der());
        next.head.chunk_names(*shard, *kind).into_iter().zip(octets.chunks(CHUNK_BYTES))
    };
    next.made.iter().flat_map(of).collect()
}

async fn call<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match timeout(CALL, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unknown { why: format!("no answer within {} s", CALL.as_secs()) }),
    }
}

fn unavailable(error: StoreError) -> ListError {
    let StoreError::Unknown { why } = error else { return ListError::Unavailable { why: error.to_string() } };
    ListError::Unavailable { why }
}

#[cfg(test)]
mod tests;
