//! The lists of one authority that are served, and whether newer ones may take their place.
//!
//! What is served was verified, and never gets worse: a list with a lower number, or one that has lost an entry for no reason
//! that the register gives, is refused, and the one before it stays. Pure: what the register lets go is an argument.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, OnceLock},
};

use axum::body::Bytes;
use chancery_pki::{Crl, CrlError, CrlNumber, Reason, Revoked, SerialNumber};
use jiff::Timestamp;

use super::caching::http_date;
use crate::{
    lists::{Head, Kind, Lists, Shard, read_shard},
    register::{Known, Standing},
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
    /// When the last of its certificates expires, as far as that was known.
    until: Option<Timestamp>,
    pem: OnceLock<Bytes>,
}

impl Listed {
    fn new(crl: Crl, named: &Shard) -> Self {
        let last_modified = http_date(named.this_update);
        Self { crl, sha256: named.sha256.clone(), last_modified, next_update: named.next_update, until: named.until, pem: OnceLock::new() }
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
        may_go: &MayGo<'_>,
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
    may_go: &MayGo<'_>,
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
        not_worse(shard, &served.full, (&full, named), may_go)?;
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
fn not_worse(shard: u16, served: &Listed, (next, named): (&Crl, &Shard), may_go: &MayGo<'_>) -> Result<(), String> {
    let before = &served.crl;
    not_lower(shard, Kind::Full, before.number(), next.number())?;
    if before.number() == next.number() && before != next {
        return Err(format!("two lists of shard {shard} have the same number"));
    }
    let there: HashSet<SerialNumber> =
        next.entries().map(|entry| Ok(entry?.serial)).collect::<Result<_, CrlError>>().map_err(|error| unread(&error))?;
    let leaving = Leaving { until: served.until, this_update: named.this_update, built_at: named.built_at };
    let (mut count, mut first) = (0_usize, None);
    for entry in before.entries() {
        let entry = entry.map_err(|error| unread(&error))?;
        if !there.contains(&entry.serial) && !may_go(&entry, &leaving) {
            count += 1;
            first.get_or_insert(entry.serial);
        }
    }
    match first {
        None => Ok(()),
        Some(serial) => {
            Err(format!("the list of shard {shard} has lost {count} entries that the register does not let go, such as {serial}"))
        }
    }
}

fn unread(error: &CrlError) -> String {
    error.to_string()
}

/// The list on which an entry is missing, and the one that had it.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// When the last certificate of the list that had it expires, as far as that was known.
    pub until: Option<Timestamp>,
    /// The thisUpdate of the list on which it is missing.
    pub this_update: Timestamp,
    /// When that list was made.
    pub built_at: Timestamp,
}

/// Whether an entry may be missing on the next list.
pub type MayGo<'a> = dyn Fn(&Revoked, &Leaving) -> bool + 'a;

/// Whether an entry may be missing, when this is known of its certificate: by what decides for the operator which entries leave, as
/// far as that can be told by who has not seen each list between. It has expired, its hold has ended, or the register has
/// forgotten it and all that was on the list with it has expired. One that is called good and was not released may not: the
/// register says something else than it did.
pub fn may_go(known: Option<&Known>, revoked: &Revoked, leaving: &Leaving) -> bool {
    let has_ended = |end: Option<Timestamp>| end.is_some_and(|end| end < leaving.this_update);
    let was_held = revoked.reason == Reason::CertificateHold;
    let Some(known) = known else { return has_ended(leaving.until) };
    match &known.standing {
        Standing::Released(_) => true,
        Standing::Pending(_) => was_held,
        Standing::Revoked(revocation) => has_ended(known.not_after) || (was_held && revocation.from > leaving.built_at),
        Standing::Held(_) => has_ended(known.not_after),
        Standing::Good => false,
    }
}

#[cfg(test)]
mod tests;
