//! From a head and chunks to lists that are worth serving. Pure; the responder reads with it what the operator has written.
//!
//! Nothing is taken on the head's word: length and hash, then the signature of the head's authority, then what the list
//! says of itself. Whether the authority is the right one is known by its key, whose hash is in the head's name.

use std::collections::BTreeMap;

use chancery_pki::{Crl, CrlError};
use thiserror::Error;

use super::{
    head::{Head, Shard},
    place::Kind,
};
use crate::{
    api::names::LIST_DER,
    register::{Document, hash},
};

/// The lists of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// The complete list.
    pub full: Crl,
    /// What has changed since a complete list.
    pub delta: Option<Crl>,
}

/// Why a head or a list is not worth anything.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// The ConfigMap lacks a key.
    #[error("the key {key:?} is missing")]
    NoKey {
        /// Which.
        key: &'static str,
    },
    /// The head's JSON.
    #[error("the head cannot be read: {why}")]
    Head {
        /// What is wrong.
        why: String,
    },
    /// The certificates beside it.
    #[error("the certificates beside the head cannot be read: {why}")]
    Chain {
        /// What is wrong.
        why: String,
    },
    /// The ConfigMap's name, the head and the certificate do not say the same.
    #[error("the head's name, its content and its certificate are of different authorities")]
    OtherAuthority,
    /// The head does not name such a list.
    #[error("there is no list of shard {shard}")]
    NoShard {
        /// Which.
        shard: u16,
    },
    /// A chunk is not there.
    #[error("the {kind} of shard {shard} lacks its chunk {name}")]
    ChunkMissing {
        /// Which shard.
        shard: u16,
        /// The list or its delta.
        kind: Kind,
        /// The chunk's name.
        name: String,
    },
    /// The chunks do not hold what the head says.
    #[error("the {kind} of shard {shard} is not the one that the head names: {what} differs")]
    NotAsNamed {
        /// Which shard.
        shard: u16,
        /// The list or its delta.
        kind: Kind,
        /// What differs.
        what: &'static str,
    },
    /// The list cannot be read.
    #[error("the {kind} of shard {shard}: {why}")]
    Unreadable {
        /// Which shard.
        shard: u16,
        /// The list or its delta.
        kind: Kind,
        /// What is wrong with it.
        why: CrlError,
    },
}

/// All lists that the head names, each from its chunks, read and verified.
///
/// # Errors
/// At the first that is not worth serving.
pub fn assemble<'a>(head: &Head, chunks: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<BTreeMap<u16, Lists>, ReadError> {
    head.shards.keys().map(|shard| Ok((*shard, read_shard(head, *shard, chunks)?))).collect()
}

/// The lists of one shard, as [`assemble`] does.
///
/// # Errors
/// When one is not worth serving.
pub fn read_shard<'a>(head: &Head, shard: u16, chunks: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Lists, ReadError> {
    let named = head.shards.get(&shard).ok_or(ReadError::NoShard { shard })?;
    let full = read_list(head, shard, Kind::Full, named, chunks)?;
    let delta = named.delta.as_deref().map(|named| read_list(head, shard, Kind::Delta, named, chunks)).transpose()?;
    Ok(Lists { full, delta })
}

/// The octets of a chunk.
pub(super) fn chunk(document: &Document) -> Option<&[u8]> {
    document.binary.get(LIST_DER).map(Vec::as_slice)
}

fn read_list<'a>(head: &Head, shard: u16, kind: Kind, named: &Shard, chunks: &dyn Fn(&str) -> Option<&'a [u8]>) -> Result<Crl, ReadError> {
    let issuer = head.issuer()?;
    let mut der = Vec::new();
    for name in head.chunk_names(shard, kind) {
        let octets = chunks(&name).ok_or(ReadError::ChunkMissing { shard, kind, name })?;
        der.extend_from_slice(octets);
    }
    let differs = |what| ReadError::NotAsNamed { shard, kind, what };
    let same = |same: bool, what| if same { Ok(()) } else { Err(differs(what)) };
    same(der.len() == named.bytes, "its length")?;
    same(hash(&der) == named.sha256, "its SHA-256")?;
    let list = Crl::from_der(der).map_err(|why| ReadError::Unreadable { shard, kind, why })?;
    same(list.issuer() == issuer.subject(), "its issuer")?;
    same(list.is_signed_by(issuer.public_key()), "who signed it")?;
    same(list.number() == Some(named.number), "its number")?;
    same(list.this_update() == named.this_update, "its thisUpdate")?;
    same(list.next_update() == Some(named.next_update), "its nextUpdate")?;
    same(list.len() == named.entries, "its number of entries")?;
    same(list.delta_base().is_some() == (kind == Kind::Delta), "whether it is a delta")?;
    // Without this, the list of one shard could stand for that of another.
    same(list.distribution_point() == head.distribution_point(shard), "its distribution point")?;
    Ok(list)
}
