//! Making an edition: for each list that is due its entries, its signature, and the last look at it.
//!
//! Pure but for the signer. What comes out is not published yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chancery_pki::{Certificate, Crl, CrlError, CrlNumber, CrlTemplate, KeyId, Revoked, SerialNumber, Signer, sign_crl};
use jiff::Timestamp;
use thiserror::Error;

use super::{
    delta::Delta,
    entries::{Knows, ListEntry},
    guard::{self, GuardTripped, Looking},
    head::{Head, ListName, Settings, Shard},
    place::Kind,
    publisher::Published,
    read::Lists,
    select::{self, Rules, Selection},
};
use crate::{
    plan::renewal::add,
    register::{Position, hash},
};

/// What is to be published, and when: made by `plan::publication`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// How.
    pub settings: Settings,
    /// Other URLs under which the lists were published once.
    pub former_base_urls: Vec<String>,
    /// For which RevocationList.
    pub list: Option<ListName>,
    /// The number of all lists in it.
    pub number: CrlNumber,
    /// The time.
    pub now: Timestamp,
    /// The thisUpdate of all lists in it.
    pub this_update: Timestamp,
    /// The shards whose lists are made, with their deltas. Where neither this nor `deltas` has one, the head alone is written.
    pub shards: BTreeSet<u16>,
    /// Those of them whose deltas start anew.
    pub rebase: BTreeSet<u16>,
    /// The shards whose deltas alone are made.
    pub deltas: BTreeSet<u16>,
    /// Whether other lists may have been published since those that stand: by one who died, or before the store went back. What a delta
    /// would have to take back of them is not known.
    pub gap: bool,
    /// Whether a person has confirmed that the register, or a clock, went back: neither lines nor thisUpdate are compared with those of
    /// the lists that stand. Their entries are.
    pub confirmed: bool,
}

impl Edition {
    /// Whether no list is made.
    pub fn is_head_only(&self) -> bool {
        self.shards.is_empty() && self.deltas.is_empty()
    }

    /// The nextUpdate of the complete lists.
    pub fn next_update(&self) -> Timestamp {
        add(self.this_update, self.settings.validity)
    }
}

/// What an edition is made from.
pub struct Building<'a> {
    /// Whose lists.
    pub authority: KeyId,
    /// The authority's certificate, then those above it.
    pub chain: &'a [Certificate],
    /// Its key.
    pub signer: &'a dyn Signer,
    /// What stands.
    pub previous: Option<&'a Published>,
    /// The last line of the register that is known now. It is asked before a shard's entries are, which hold no less, and after all
    /// of them, which hold no more.
    pub register: &'a dyn Fn() -> Position,
    /// The register's entries of a shard, in ascending order of serials; see [`ListEntry::of`].
    pub entries: &'a dyn Fn(u16) -> Vec<ListEntry>,
    /// What the register says of other certificates; see [`Knows::of`].
    pub knows: &'a dyn Fn(&SerialNumber) -> Knows,
}

/// An edition that is made and not published.
#[derive(Clone, Debug)]
pub struct Built {
    /// The head that makes it current.
    pub head: Head,
    /// All lists, those that stay included.
    pub lists: BTreeMap<u16, Lists>,
    /// Those that were made and have to be written.
    pub made: BTreeSet<(u16, Kind)>,
    /// Shards that were damaged and were not made.
    pub damaged: BTreeMap<u16, String>,
}

impl fmt::Debug for Building<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Building").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Built {
    /// How many octets will be written.
    pub fn bytes(&self) -> u64 {
        let lists: usize = self.made.iter().filter_map(|(shard, kind)| self.list(*shard, *kind)).map(|list| list.as_der().len()).sum();
        let head: usize = self.head.to_document(None).data.values().map(String::len).sum();
        u64::try_from(lists + head).unwrap_or(u64::MAX)
    }

    /// The SHA-256 of the head that names all of it, in lower-case hexadecimal. It stands in the register's line on the publication:
    /// what was published can be told later, and the lines of two who were about to publish differ.
    pub fn fingerprint(&self) -> String {
        let document = self.head.to_document(None);
        hash(document.data.values().map(String::as_str).collect::<Vec<_>>().join("\n"))
    }

    pub(super) fn list(&self, shard: u16, kind: Kind) -> Option<&Crl> {
        let lists = self.lists.get(&shard)?;
        match kind {
            Kind::Full => Some(&lists.full),
            Kind::Delta => lists.delta.as_ref(),
        }
    }
}

/// Why there is no edition.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// A list would be wrong.
    #[error(transparent)]
    Guard(#[from] GuardTripped),
    /// A list could not be signed.
    #[error("the {kind} of shard {shard} was not made: {why}")]
    NotMade {
        /// Which shard.
        shard: u16,
        /// The list or its delta.
        kind: Kind,
        /// What is wrong.
        why: CrlError,
    },
    /// The certificates that were given are not the authority's.
    #[error("the first certificate of the chain is not that of the authority {authority}")]
    Chain {
        /// The authority.
        authority: KeyId,
    },
    /// Only a list that says where it is can be one of several (RFC 5280 section 5.2.5).
    #[error("the lists of several shards need a base URL")]
    NoUrl,
}

/// Makes an edition.
///
/// # Errors
/// When a list could not be made, or would not be fit to be published.
pub fn build(edition: &Edition, from: &Building<'_>) -> Result<Built, BuildError> {
    let issuer = from.chain.first().filter(|first| first.key_id() == from.authority);
    let issuer = issuer.ok_or(BuildError::Chain { authority: from.authority })?;
    let previous = from.previous.map(|previous| &previous.head);
    let number = previous.map(|previous| previous.number).filter(|_| edition.is_head_only()).unwrap_or(edition.number);
    let mut head = Head {
        authority: from.authority,
        chain: from.chain.to_vec(),
        list: edition.list.clone(),
        settings: edition.settings.clone(),
        former_base_urls: edition.former_base_urls.clone(),
        register: Position::start(),
        number,
        shards: previous.map(|previous| previous.shards.clone()).unwrap_or_default(),
    };
    let mut lists = from.previous.map(|previous| previous.lists.clone()).unwrap_or_default();
    let mut damaged = from.previous.map(|previous| previous.damaged.clone()).unwrap_or_default();
    let mut made = BTreeSet::new();
    let maker = Maker { edition, from, issuer, head: head.clone() };
    for &shard in &edition.shards {
        let (facts, list) = maker.shard(shard)?;
        made.insert((shard, Kind::Full));
        made.extend(list.delta.is_some().then_some((shard, Kind::Delta)));
        head.shards.insert(shard, facts);
        lists.insert(shard, list);
        damaged.remove(&shard);
    }
    for &shard in edition.deltas.difference(&edition.shards) {
        let standing = lists.get_mut(&shard).and_then(|lists| lists.delta.as_mut());
        if let (Some(facts), Some(standing)) = (head.shards.get_mut(&shard), standing) {
            let (delta_facts, delta) = maker.delta_again(shard, facts, standing)?;
            facts.delta = Some(Box::new(delta_facts));
            *standing = delta;
            made.insert((shard, Kind::Delta));
        }
    }
    head.register = match previous {
        Some(previous) if edition.is_head_only() => previous.register.clone(),
        _ => (from.register)(),
    };
    Ok(Built { head, lists, made, damaged })
}

struct Maker<'a> {
    edition: &'a Edition,
    from: &'a Building<'a>,
    issuer: &'a Certificate,
    /// The head as it will be, but for its lists, which are those that stand.
    head: Head,
}

impl Maker<'_> {
    /// The list of a shard, and its delta where there are deltas.
    fn shard(&self, shard: u16) -> Result<(Shard, Lists), BuildError> {
        let edition = self.edition;
        let not_made = |why| BuildError::NotMade { shard, kind: Kind::Full, why };
        let before = self.head.shards.get(&shard);
        let lists = self.from.previous.and_then(|previous| previous.lists.get(&shard));
        let standing = before.map(|before| select::Standing { shard: before, list: lists.map(|lists| &lists.full) });
        // What was published stays published, whatever a clock says.
        let by = before.map_or(edition.now, |before| before.built_at.max(edition.now));
        let sequence = (self.from.register)().sequence;
        let entries = (self.from.entries)(shard);
        let rules =
            Rules { entries: &entries, knows: self.from.knows, standing, by, this_update: edition.this_update, afresh: edition.confirmed };
        let selection = rules.select().map_err(not_made)?;

        let distribution_point = self.head.distribution_point(shard);
        if edition.settings.shards > 1 && distribution_point.is_empty() {
            return Err(BuildError::NoUrl);
        }
        let freshest = self.head.url(shard, Kind::Delta).filter(|_| edition.settings.delta.is_some());
        let template = CrlTemplate {
            number: edition.number,
            this_update: edition.this_update,
            next_update: edition.next_update(),
            distribution_point,
            delta_base: None,
            freshest: freshest.into_iter().collect(),
        };
        let full = self.make(shard, Kind::Full, &template, selection.entries.iter().map(AsRef::as_ref), selection.entries.len(), before)?;
        if let Some(standing) = lists {
            let kept = guard::nothing_lost(&standing.full, &full, &rules);
            kept.map_err(|rule| GuardTripped { shard, kind: Kind::Full, rule })?;
        }
        let mut facts = self.facts(&full, sequence, by);
        facts.live = selection.live;
        facts.until = selection.until;

        let delta = self.delta(shard, lists, before, &selection)?;
        facts.delta = delta.as_ref().map(|delta| Box::new(self.facts(delta, sequence, by)));
        Ok((facts, Lists { full, delta }))
    }

    fn delta(
        &self,
        shard: u16,
        lists: Option<&Lists>,
        before: Option<&Shard>,
        selection: &Selection<'_>,
    ) -> Result<Option<Crl>, BuildError> {
        let edition = self.edition;
        if edition.settings.delta.is_none() {
            return Ok(None);
        }
        let standing = lists.and_then(|lists| lists.delta.as_ref()).filter(|_| !edition.gap && !edition.rebase.contains(&shard));
        let delta = if let Some(standing) = standing {
            Delta::continued(standing, selection, edition.this_update)
        } else {
            let before = lists.and_then(|lists| lists.full.number()).filter(|_| !edition.gap);
            Ok(Delta::anew(edition.number, before, selection, edition.this_update))
        };
        let delta = delta.map_err(|why| BuildError::NotMade { shard, kind: Kind::Delta, why })?;
        self.sign_delta(shard, &delta, before).map(Some)
    }

    fn delta_again(&self, shard: u16, facts: &Shard, standing: &Crl) -> Result<(Shard, Crl), BuildError> {
        let delta = Delta::again(standing).map_err(|why| BuildError::NotMade { shard, kind: Kind::Delta, why })?;
        let list = self.sign_delta(shard, &delta, Some(facts))?;
        // It says no more than the complete list beside it.
        Ok((self.facts(&list, facts.sequence, facts.built_at.max(self.edition.now)), list))
    }

    fn sign_delta(&self, shard: u16, delta: &Delta, before: Option<&Shard>) -> Result<Crl, BuildError> {
        let edition = self.edition;
        let refresh = edition.settings.delta.unwrap_or_default();
        let template = CrlTemplate {
            number: edition.number,
            this_update: edition.this_update,
            // One may be late.
            next_update: add(add(edition.now, refresh), refresh),
            distribution_point: self.head.distribution_point(shard),
            delta_base: Some(delta.base),
            freshest: Vec::new(),
        };
        self.make(shard, Kind::Delta, &template, delta.entries.iter(), delta.entries.len(), before)
    }

    fn make<'e>(
        &self,
        shard: u16,
        kind: Kind,
        template: &CrlTemplate,
        entries: impl Iterator<Item = &'e Revoked>,
        written: usize,
        before: Option<&Shard>,
    ) -> Result<Crl, BuildError> {
        let der = sign_crl(template, entries, self.issuer, self.from.signer).map_err(|why| BuildError::NotMade { shard, kind, why })?;
        let last = before.into_iter().flat_map(|before| [Some(before), before.delta.as_deref()]).flatten();
        let looking = Looking {
            issuer: self.issuer,
            written,
            last_number: last.clone().map(|list| list.number).max(),
            last_this_update: last.map(|list| list.this_update).max().filter(|_| !self.edition.confirmed),
        };
        looking.at(der).map_err(|rule| GuardTripped { shard, kind, rule }.into())
    }

    fn facts(&self, list: &Crl, sequence: u64, built_at: Timestamp) -> Shard {
        Shard {
            number: self.edition.number,
            this_update: list.this_update(),
            next_update: list.next_update().unwrap_or(Timestamp::MAX),
            entries: list.len(),
            bytes: list.as_der().len(),
            sha256: hash(list.as_der()),
            sequence,
            built_at,
            live: 0,
            until: None,
            delta: None,
        }
    }
}
