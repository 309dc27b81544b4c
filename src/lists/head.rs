//! The head of an authority's lists: which chunks are current, and what was known when they were made.
//!
//! It is one ConfigMap: `head` holds this as JSON, `ca.crt` the authority's certificate and those above it. Whoever can
//! write it can write anything in the operator's namespace; what it says of a list is nevertheless compared with the list.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{Certificate, CrlNumber, KeyId, pem_bundle};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    place::{self, CHUNK_BYTES, Kind, SHARDS_MAX},
    read::ReadError,
};
use crate::{
    api::names,
    register::{Document, Position},
};

const HEAD_KEY: &str = "head";
const CHAIN_KEY: &str = "ca.crt";

/// What is published for an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The authority's key.
    #[serde(with = "key_id")]
    pub authority: KeyId,
    /// The authority's certificate, then those above it. They stand beside the JSON, for whoever wants them.
    #[serde(skip)]
    pub chain: Vec<Certificate>,
    /// The RevocationList that asked for it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListName>,
    /// How it is published, so that it goes on when the RevocationList is gone.
    pub settings: Settings,
    /// Other URLs under which it was published once: certificates that live still carry them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_base_urls: Vec<String>,
    /// The last line of the register when the last list was made: none of what the lists hold comes from a later one. Were it gone,
    /// the register would have gone back.
    #[serde(with = "PositionDef")]
    pub register: Position,
    /// The number of the last publication; each list has that of the publication that made it.
    pub number: CrlNumber,
    /// The lists, by shard.
    pub shards: BTreeMap<u16, Shard>,
}

/// The RevocationList behind a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// How an authority's lists are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// From thisUpdate to nextUpdate.
    pub validity: SignedDuration,
    /// How often a list is made anew though nothing has changed.
    pub refresh: SignedDuration,
    /// How often the deltas are made anew; none for no deltas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<SignedDuration>,
    /// How many lists the certificates are spread over. It only grows.
    pub shards: u16,
    /// Under which URL they are served, without a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// How long an OCSP answer holds; none for no OCSP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<SignedDuration>,
    /// How long a planned revocation waits before it is published.
    pub grace: SignedDuration,
    /// The least time between two publications.
    pub debounce: SignedDuration,
    /// How many automatic revocations an hour are carried out without a person.
    pub max_automatic: u32,
}

/// One list as it stands, or its delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shard {
    /// Its CRL number.
    pub number: CrlNumber,
    /// Its thisUpdate: five minutes before it was made.
    pub this_update: Timestamp,
    /// Its nextUpdate.
    pub next_update: Timestamp,
    /// How many entries it has.
    pub entries: usize,
    /// The length of its DER.
    pub bytes: usize,
    /// The SHA-256 of its DER, in lower-case hexadecimal.
    pub sha256: String,
    /// No line of the register up to this one is missing on it. It may hold some that came later.
    pub sequence: u64,
    /// When it was made: what was to be published by then is on it.
    pub built_at: Timestamp,
    /// How many of its entries are of certificates that had not expired when it was made, by the register.
    #[serde(default)]
    pub live: usize,
    /// When the last of its certificates expires, of those whose end is known. What the register has forgotten stays on the list so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Its delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Box<Self>>,
}

impl Shard {
    /// Whether what was recorded in this line, to be published from then on, is on the list.
    pub fn holds(&self, sequence: u64, from: Timestamp) -> bool {
        sequence <= self.sequence && from <= self.built_at
    }

    /// In how many chunks it lies.
    pub fn chunks(&self) -> usize {
        self.bytes.div_ceil(CHUNK_BYTES)
    }
}

impl Head {
    /// The head as it lies in its ConfigMap.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_document(document: &Document) -> Result<Self, ReadError> {
        let text = document.data.get(HEAD_KEY).ok_or(ReadError::NoKey { key: HEAD_KEY })?;
        let mut head: Self = serde_json::from_str(text).map_err(|error| ReadError::Head { why: error.to_string() })?;
        let chain = document.data.get(CHAIN_KEY).ok_or(ReadError::NoKey { key: CHAIN_KEY })?;
        head.chain = Certificate::bundle_from_pem(chain.as_bytes()).map_err(|error| ReadError::Chain { why: error.to_string() })?;
        if document.name != place::head_name(&head.authority) {
            return Err(ReadError::OtherAuthority);
        }
        head.issuer()?;
        head.settings.check().map_err(|why| ReadError::Head { why })?;
        Ok(head)
    }

    /// The ConfigMap to be written; `resource_version` is none where there is none yet.
    pub fn to_document(&self, resource_version: Option<String>) -> Document {
        let text = serde_json::to_string(self).expect("a head has only text, numbers and times, which JSON can always hold");
        Document {
            name: place::head_name(&self.authority),
            labels: labels(&self.authority),
            data: BTreeMap::from([(HEAD_KEY.to_owned(), text), (CHAIN_KEY.to_owned(), pem_bundle(&self.chain))]),
            resource_version,
            ..Document::default()
        }
    }

    /// The certificate of the authority's key.
    ///
    /// # Errors
    /// When the chain does not begin with it.
    pub fn issuer(&self) -> Result<&Certificate, ReadError> {
        self.chain.first().filter(|first| first.key_id() == self.authority).ok_or(ReadError::OtherAuthority)
    }

    /// The list of this shard.
    pub fn of(&self, shard: u16, kind: Kind) -> Option<&Shard> {
        let full = self.shards.get(&shard)?;
        match kind {
            Kind::Full => Some(full),
            Kind::Delta => full.delta.as_deref(),
        }
    }

    /// The names of the chunks in which a list lies, in their order.
    pub fn chunk_names(&self, shard: u16, kind: Kind) -> Vec<String> {
        let Some(list) = self.of(shard, kind) else { return Vec::new() };
        (0..list.chunks()).map(|index| place::chunk_name(&self.authority, shard, kind, list.number, index)).collect()
    }

    /// The names of all chunks that are current.
    pub fn all_chunk_names(&self) -> BTreeSet<String> {
        let kinds = [Kind::Full, Kind::Delta];
        self.shards.keys().flat_map(|shard| kinds.map(|kind| self.chunk_names(*shard, kind))).flatten().collect()
    }

    /// Where a list is served; none without a base URL.
    pub fn url(&self, shard: u16, kind: Kind) -> Option<String> {
        self.settings.base_url.as_ref().map(|base| place::url(base, &self.authority, shard, kind))
    }

    /// What the list of a shard says of where it is (RFC 5280 section 5.2.5): all URLs that its certificates may carry. Empty while
    /// there is one list for all certificates, which may then be read wherever it is found.
    pub fn distribution_point(&self, shard: u16) -> Vec<String> {
        if self.settings.shards == 1 {
            return Vec::new();
        }
        let bases = self.settings.base_url.iter().chain(&self.former_base_urls);
        bases.map(|base| place::url(base, &self.authority, shard, Kind::Full)).collect()
    }

    /// All lists, deltas included.
    pub fn lists(&self) -> impl Iterator<Item = &Shard> {
        self.shards.values().flat_map(|full| [Some(full), full.delta.as_deref()]).flatten()
    }

    /// Whether what was recorded of this shard's certificate, to be published from then on, is on its list.
    pub fn holds(&self, shard: u16, sequence: u64, from: Timestamp) -> bool {
        self.shards.get(&shard).is_some_and(|list| list.holds(sequence, from))
    }
}

impl Settings {
    /// What cannot be worked with, for a person. A RevocationList never says it: this is for a head that was edited.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.shards == 0 || self.shards > SHARDS_MAX {
            return Err(format!("settings.shards is {}, and must be 1 to {SHARDS_MAX}", self.shards));
        }
        if !self.refresh.is_positive() || self.refresh >= self.validity {
            return Err("settings.refresh must be longer than nothing and shorter than settings.validity".to_owned());
        }
        if self.delta.is_some_and(|delta| !delta.is_positive()) {
            return Err("settings.delta must be longer than nothing".to_owned());
        }
        Ok(())
    }
}

/// The labels of heads and chunks.
pub(super) fn labels(authority: &KeyId) -> BTreeMap<String, String> {
    BTreeMap::from([(names::LIST.to_owned(), place::label(authority))])
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Position")]
struct PositionDef {
    sequence: u64,
    hash: String,
}

/// A key identifier stands in the head as its text.
mod key_id {
    use chancery_pki::KeyId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &KeyId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
