//! The lists of one authority that are served, and whether newer ones may take their place.
//!
//! What is served was verified, and never gets worse: a list with a lower number, or one that has lost an entry for no reason
//! that the register gives, is refused, and the one before it stays. Pure: what the register lets go is an argument.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
};

use axum::body::Bytes;
use chancery_pki::{Crl, CrlNumber, SerialNumber};
use jiff::Timestamp;

use super::caching::http_date;
use crate::{
    lists::{Head, Kind, Lists, Shard, read_shard},
    register::Known,
};

/// A list in the forms in which it is served.
#[derive(Debug)]
pub struct Listed {
    /// The list.
    pub crl: Crl,
    /// Its SHA-256, in hexadecimal: the tag by which clients know it.
    pub sha256: String,
    /// Its thisUpdate, as HTTP writes it.
    pub last_modified: String,
    /// Its nextUpdate.
    pub next_update: Timestamp,
    pem: OnceLock<Bytes>,
}

impl Listed {
    fn new(crl: Crl, named: &Shard) -> Self {
        let last_modified = http_date(named.this_update);
        Self { crl, sha256: named.sha256.clone(), last_modified, next_update: named.next_update, pem: OnceLock::new() }
    }

    /// The DER, without a copy.
    pub fn der(&self) -> Bytes {
        Bytes::from_owner(Octets(self.crl.clone()))
    }

    /// The PEM, made when it is first wanted.
    pub fn pem(&self) -> Bytes {
        self.pem.get_or_init(|| self.crl.to_pem().into()).clone()
    }
}

struct Octets(Crl);

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        self.0.as_der()
    }
}

/// The lists of a shard.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The complete list.
    pub full: Arc<Listed>,
    /// The delta.
    pub delta: Option<Arc<Listed>>,
}

/// What is served for an authority.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The last head that was taken; what it names may be newer than what is served, where that was refused.
    pub head: Arc<Head>,
    /// The lists.
    pub shards: BTreeMap<u16, Pair>,
    /// What keeps the newest head from being served whole; none when it is.
    pub refused: Option<String>,
}

impl Shelf {
    /// The list of this shard.
    pub fn list(&self, shard: u16, kind: Kind) -> Option<&Arc<Listed>> {
        let pair = self.shards.get(&shard)?;
        match kind {
            Kind::Full => Some(&pair.full),
            Kind::Delta => pair.delta.as_ref(),
        }
    }

    /// The shelf after this head was read: with what of it may be served in the place of what is. Says whether anything of it is not.
    pub fn take<'a>(
        before: Option<&Self>,
        head: Head,
        chunks: &dyn Fn(&str) -> Option<&'a [u8]>,
        may_go: &dyn Fn(&SerialNumber) -> bool,
    ) -> Result<Self, String> {
        if let Some(before) = before
            && head.number < before.head.number
        {
            let mut shelf = before.clone();
            shelf.refused = Some(format!("its number has gone back from {} to {}", before.head.number, head.number));
            return Ok(shelf);
        }
        let mut shards = BTreeMap::new();
        let mut refused = Vec::new();
        for (shard, named) in &head.shards {
            let served = before.and_then(|before| before.shards.get(shard));
            match take_shard(&head, *shard, named, served, chunks, may_go) {
                Ok(pair) => {
                    shards.insert(*shard, pair);
                }
                Err(why) => {
                    refused.push(why);
                    if let Some(served) = served {
                        shards.insert(*shard, served.clone());
                    }
                }
            }
        }
        for (shard, served) in before.iter().flat_map(|before| &before.shards) {
            if !head.shards.contains_key(shard) {
                refused.push(format!("the list of shard {shard} is not named any more"));
                shards.insert(*shard, served.clone());
            }
        }
        if shards.is_empty() {
            return Err(refused.into_iter().next().unwrap_or_else(|| "it names no list".to_owned()));
        }
        Ok(Self { head: Arc::new(head), shards, refused: (!refused.is_empty()).then(|| refused.join("; ")) })
    }
}

fn take_shard<'a>(
    head: &Head,
    shard: u16,
    named: &Shard,
    served: Option<&Pair>,
    chunks: &dyn Fn(&str) -> Option<&'a [u8]>,
    may_go: &dyn Fn(&SerialNumber) -> bool,
) -> Result<Pair, String> {
    let delta_named = named.delta.as_deref();
    let same =
        |listed: Option<&Arc<Listed>>, named: Option<&Shard>| listed.map(|listed| &listed.sha256) == named.map(|named| &named.sha256);
    if let Some(served) = served
        && same(Some(&served.full), Some(named))
        && same(served.delta.as_ref(), delta_named)
    {
        return Ok(served.clone());
    }
    // What is served is at hand, whole; only what is new lies in chunks.
    let at_hand = |kind| served.and_then(|pair| if kind == Kind::Full { Some(&pair.full) } else { pair.delta.as_ref() });
    let mut pieces: BTreeMap<String, &[u8]> = BTreeMap::new();
    for kind in [Kind::Full, Kind::Delta] {
        if let Some(listed) = at_hand(kind)
            && same(Some(listed), head.of(shard, kind))
        {
            let parts = listed.crl.as_der().chunks(crate::lists::CHUNK_BYTES);
            pieces.extend(head.chunk_names(shard, kind).into_iter().zip(parts));
        }
    }
    let Lists { full, delta } =
        read_shard(head, shard, &|name| pieces.get(name).copied().or_else(|| chunks(name))).map_err(|error| error.to_string())?;
    if let Some(served) = served {
        not_worse(shard, &served.full, &full, may_go)?;
        if let (Some(before), Some(delta)) = (&served.delta, &delta) {
            not_lower(shard, Kind::Delta, before.crl.number(), delta.number())?;
        }
    }
    let delta = delta.zip(delta_named).map(|(delta, named)| Arc::new(Listed::new(delta, named)));
    Ok(Pair { full: Arc::new(Listed::new(full, named)), delta })
}

fn not_lower(shard: u16, kind: Kind, before: Option<CrlNumber>, after: Option<CrlNumber>) -> Result<(), String> {
    match (before, after) {
        (Some(before), Some(after)) if after < before => {
            Err(format!("the number of the {kind} of shard {shard} has gone back from {before} to {after}"))
        }
        _ => Ok(()),
    }
}

/// Whether every entry that was there is there still, or may be gone.
fn not_worse(shard: u16, served: &Listed, next: &Crl, may_go: &dyn Fn(&SerialNumber) -> bool) -> Result<(), String> {
    let before = &served.crl;
    not_lower(shard, Kind::Full, before.number(), next.number())?;
    if before.number() == next.number() && before != next {
        return Err(format!("two lists of shard {shard} have the same number"));
    }
    let there: HashSet<SerialNumber> = serials(next)?;
    let lost = serials::<Vec<_>>(before)?.into_iter().filter(|serial| !there.contains(serial) && !may_go(serial));
    let (count, first) = lost.fold((0_usize, None), |(count, first), serial| (count + 1, Some(first.unwrap_or(serial))));
    match first {
        None => Ok(()),
        Some(serial) => {
            Err(format!("the list of shard {shard} has lost {count} entries that the register does not let go, such as {serial}"))
        }
    }
}

fn serials<C: FromIterator<SerialNumber>>(crl: &Crl) -> Result<C, String> {
    crl.entries().map(|entry| entry.map(|entry| entry.serial)).collect::<Result<C, _>>().map_err(|error| error.to_string())
}

/// Whether the entry of a certificate of which this is known may leave the list: it has expired, was released, or ended so long
/// ago that the register has forgotten it. What is followed here forgets nothing else.
pub fn may_go(known: Option<&Known>, now: Timestamp) -> bool {
    known.is_none_or(|known| known.has_ended(now) || known.on_list(now).is_none())
}
