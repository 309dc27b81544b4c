//! The lists that lie in the operator's namespace, read as the responder reads them: nothing is taken on a head's word.

use std::{collections::HashMap, fmt};

use chancery_pki::{Crl, KeyId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use thiserror::Error;

use crate::{
    api::{ClusterIssuer, Issuer, RevocationList, names},
    lists::{self, Head, Kind, Part, ReadError},
    register::Document,
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
        let named = named.map_err(|source| self.refused("ConfigMaps".to_owned(), source))?;
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
        let found = self.maps.get_opt(&name).await.map_err(|source| self.refused(format!("ConfigMap {name}"), source))?;
        let Some(found) = found else { return Ok(None) };
        let head = Head::from_document(&Document::from(found));
        head.map(Some).map_err(|why| PublishedError::Damaged { what: format!("ConfigMap {}/{name}", self.namespace), why })
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
                let found = self.maps.get_opt(&name).await.map_err(|source| self.refused(format!("ConfigMap {name}"), source))?;
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

    /// The authority that a person means: a key id (or its first 8 digits at least, where only one begins so), `Issuer/name`,
    /// `ClusterIssuer/name` or `RevocationList/name`, the first and the last in `namespace`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn authority(&self, namespace: &str, text: &str) -> Result<KeyId, PublishedError> {
        let Some((kind, name)) = text.split_once('/') else { return self.by_key(text).await };
        let refused = |source| self.refused(text.to_owned(), source);
        let authority = match kind {
            "Issuer" => {
                let found = Api::<Issuer>::namespaced(self.client.clone(), namespace).get(name).await.map_err(refused)?;
                found.status.and_then(|status| status.authority)
            }
            "ClusterIssuer" => {
                let found = Api::<ClusterIssuer>::all(self.client.clone()).get(name).await.map_err(refused)?;
                found.status.and_then(|status| status.authority)
            }
            "RevocationList" => {
                let found = Api::<RevocationList>::namespaced(self.client.clone(), namespace).get(name).await.map_err(refused)?;
                found.status.and_then(|status| status.authority)
            }
            _ => return Err(PublishedError::Unclear { text: text.to_owned() }),
        };
        let authority = authority.and_then(|authority| authority.parse().ok());
        authority.ok_or_else(|| PublishedError::NoAuthority { what: text.to_owned() })
    }

    async fn by_key(&self, text: &str) -> Result<KeyId, PublishedError> {
        if let Ok(authority) = text.parse() {
            return Ok(authority);
        }
        if text.len() < 8 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(PublishedError::Unclear { text: text.to_owned() });
        }
        let mut known = self.authorities().await?;
        known.retain(|authority| authority.to_string().starts_with(&text.to_lowercase()));
        match known.as_slice() {
            [one] => Ok(*one),
            found => Err(PublishedError::Several { text: text.to_owned(), authorities: found.len(), namespace: self.namespace.clone() }),
        }
    }

    fn refused(&self, what: String, source: kube::Error) -> PublishedError {
        PublishedError::Cluster { what: format!("{what} in {}", self.namespace), source }
    }
}

/// Why a published list is not read.
#[derive(Debug, Error)]
pub enum PublishedError {
    /// The API server was asked and did not give it.
    #[error("{what}: {source}")]
    Cluster {
        /// What was asked for.
        what: String,
        /// What it said.
        source: kube::Error,
    },
    /// What lies there is not worth anything.
    #[error("{what}: {why}")]
    Damaged {
        /// Which.
        what: String,
        /// What is wrong.
        why: ReadError,
    },
    /// It is not known which authority is meant.
    #[error("{text:?} names no authority: write its key id, Issuer/name, ClusterIssuer/name or RevocationList/name")]
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
