//! The lists that lie in the operator's namespace, read as the responder reads them: nothing is taken on a head's word.

use std::{collections::HashMap, fmt};

use chancery_pki::{Crl, KeyId, SerialNumber};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use thiserror::Error;

use crate::{
    api::{ClusterIssuer, Issuer, RevocationList, names},
    cluster::CallError,
    lists::{self, Head, Kind, Part, ReadError},
    plugin::read,
    register::{self, Document, Line, RegisterId},
};

/// How many chunks are asked for at once.
const AT_ONCE: usize = 8;

/// The published lists of an operator.
#[derive(Clone)]
pub struct Published {
    client: Client,
    maps: Api<ConfigMap>,
    namespace: String,
}

impl fmt::Debug for Published {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Published").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Published {
    /// Those in this operator's namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { maps: Api::namespaced(client.clone(), namespace), client, namespace: namespace.to_owned() }
    }

    /// The operator's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The authorities that have published lists.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn authorities(&self) -> Result<Vec<KeyId>, PublishedError> {
        // Chunks have the same label, and up to 1 MiB each: only names are asked for.
        let named = self.maps.list_metadata(&ListParams::default().labels(names::LIST)).await;
        let named = named.map_err(CallError::of("list", "ConfigMaps", Some(&self.namespace), ""))?;
        let head = |name: String| lists::part_of(&name).filter(|(_, part)| *part == Part::Head).map(|(authority, _)| authority);
        let mut authorities: Vec<_> = named.items.iter().filter_map(|map| head(map.name_any())).collect();
        authorities.sort_unstable();
        Ok(authorities)
    }

    /// The head of an authority's lists; none where nothing is published.
    ///
    /// # Errors
    /// When the API server does not give it, or it is damaged.
    pub async fn head(&self, authority: &KeyId) -> Result<Option<Head>, PublishedError> {
        let name = lists::head_name(authority);
        let found = self.maps.get_opt(&name).await.map_err(CallError::of("get", "ConfigMap", Some(&self.namespace), &name))?;
        let Some(found) = found else { return Ok(None) };
        let head = Head::from_document(&Document::from(found));
        head.map(Some).map_err(|why| PublishedError::Damaged { what: format!("ConfigMap {}/{name}", self.namespace), why })
    }

    /// The heads of all authorities that have published lists, and what is wrong with those that cannot be read.
    ///
    /// # Errors
    /// When the API server does not tell which there are.
    pub async fn heads(&self) -> Result<(Vec<Head>, Vec<String>), PublishedError> {
        let (mut heads, mut damaged) = (Vec::new(), Vec::new());
        for authority in self.authorities().await? {
            match self.head(&authority).await {
                Ok(head) => heads.extend(head),
                Err(error) => damaged.push(error.to_string()),
            }
        }
        Ok((heads, damaged))
    }

    /// A list of an authority, from its chunks: its length, hash, signature and content are those that the head names.
    ///
    /// # Errors
    /// When there is none, the API server does not give it, or it is damaged.
    pub async fn list(&self, head: &Head, shard: u16, kind: Kind) -> Result<Crl, PublishedError> {
        let damaged = |why| PublishedError::Damaged { what: format!("the list of {}", head.authority), why };
        if head.of(shard, kind).is_none() {
            return Err(damaged(ReadError::NoShard { shard }));
        }
        // The complete list is read with its delta.
        let wanted = [Kind::Full, Kind::Delta].into_iter().flat_map(|kind| head.chunk_names(shard, kind));
        let fetched = stream::iter(wanted)
            .map(|name| async move {
                let found = self.maps.get_opt(&name).await.map_err(CallError::of("get", "ConfigMap", Some(&self.namespace), &name))?;
                let octets = found.and_then(|map| map.binary_data?.remove(names::LIST_DER)).map(|octets| octets.0);
                Ok::<_, PublishedError>((name, octets))
            })
            .buffer_unordered(AT_ONCE);
        let chunks: HashMap<String, Vec<u8>> =
            fetched.try_filter_map(async |(name, octets)| Ok(octets.map(|octets| (name, octets)))).try_collect().await?;
        let lists = lists::read_shard(head, shard, &|name| chunks.get(name).map(Vec::as_slice)).map_err(damaged)?;
        match kind {
            Kind::Full => Ok(lists.full),
            Kind::Delta => lists.delta.ok_or_else(|| damaged(ReadError::NoShard { shard })),
        }
    }

    /// The authority that a person means: a key id (or its first 8 digits at least, where only one begins so), `ClusterIssuer/name`,
    /// `Issuer/namespace/name` or `RevocationList/namespace/name`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn authority(&self, text: &str) -> Result<KeyId, PublishedError> {
        let client = self.client.clone();
        let authority = match text.split('/').collect::<Vec<_>>().as_slice() {
            [_] => return self.by_key(text).await,
            ["ClusterIssuer", name] => {
                let found = Api::<ClusterIssuer>::all(client).get(name).await;
                found.map_err(CallError::of("get", "ClusterIssuer", None, name))?.status.and_then(|status| status.authority)
            }
            ["Issuer", namespace, name] => {
                read::one(&Api::<Issuer>::namespaced(client, namespace), name).await?.status.and_then(|status| status.authority)
            }
            ["RevocationList", namespace, name] => {
                read::one(&Api::<RevocationList>::namespaced(client, namespace), name).await?.status.and_then(|status| status.authority)
            }
            _ => return Err(PublishedError::Unclear { text: text.to_owned() }),
        };
        let authority = authority.and_then(|authority| authority.parse().ok());
        authority.ok_or_else(|| PublishedError::NoAuthority { what: text.to_owned() })
    }

    /// The lines of an authority's register about a certificate, as they stand: that they were not changed is verified elsewhere.
    ///
    /// # Errors
    /// When the API server does not give them.
    pub async fn lines(&self, authority: &KeyId, serial: &SerialNumber) -> Result<Vec<Line>, CallError> {
        let id = RegisterId::Authority(*authority);
        let params = ListParams::default().labels(&format!("{}={}", register::LABEL, id.label()));
        let documents = read::all(&self.maps, &params).await?;
        let documents = documents.into_iter().map(Document::from).filter(|document| document.name.starts_with(&id.name()));
        let mut lines: Vec<Line> = documents
            .flat_map(|document| document.lines().lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()).collect::<Vec<_>>())
            .filter(|line| line.entry.serial.as_ref() == Some(serial))
            .collect();
        lines.sort_by_key(|line| line.sequence);
        Ok(lines)
    }

    async fn by_key(&self, text: &str) -> Result<KeyId, PublishedError> {
        if let Ok(authority) = text.parse() {
            return Ok(authority);
        }
        if !is_key(text) {
            return Err(PublishedError::Unclear { text: text.to_owned() });
        }
        let mut known = self.authorities().await?;
        known.retain(|authority| authority.to_string().starts_with(&text.to_lowercase()));
        match known.as_slice() {
            [one] => Ok(*one),
            found => Err(PublishedError::Several { text: text.to_owned(), authorities: found.len(), namespace: self.namespace.clone() }),
        }
    }
}

/// The fewest digits of a key id that stand for all of it, and all of them.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

fn is_key(text: &str) -> bool {
    DIGITS.contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether a text may name an authority: by a key id, the beginning of one, or an object.
pub fn names_authority(text: &str) -> bool {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [key] => is_key(key),
        ["ClusterIssuer", name] => !name.is_empty(),
        ["Issuer" | "RevocationList", namespace, name] => !namespace.is_empty() && !name.is_empty(),
        _ => false,
    }
}

/// Why a published list is not read.
#[derive(Debug, Error)]
pub enum PublishedError {
    /// The API server was asked and did not give it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What lies there is not worth anything.
    #[error("{what}: {why}")]
    Damaged {
        /// Which.
        what: String,
        /// What is wrong.
        why: ReadError,
    },
    /// It is not known which authority is meant.
    #[error("{text:?} names no authority: write its key id, ClusterIssuer/name, Issuer/namespace/name or RevocationList/namespace/name")]
    Unclear {
        /// What was given.
        text: String,
    },
    /// The object has none.
    #[error("{what} has no authority yet: see its condition Ready")]
    NoAuthority {
        /// Which.
        what: String,
    },
    /// None, or more than one.
    #[error("{authorities} authorities with published lists in namespace {namespace} have a key id that begins with {text}")]
    Several {
        /// What was given.
        text: String,
        /// How many there are.
        authorities: usize,
        /// Where.
        namespace: String,
    },
}
