//! When an authority's lists are made, and which of them.
//!
//! A list is made for the first time, when something belongs on it that is not there, when it was damaged or is published
//! otherwise, and when its time has come. Pure; the list itself is made by `lists`.

mod obstacle;

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{Certificate, CrlNumber};
use jiff::{SignedDuration, Timestamp};

use super::renewal::{BACKDATE, add, whole_second};
use crate::{
    lists::{ByteBudget, Edition, Head, ListName, Published, Settings, Shard, Survey},
    register::Stands,
};

pub use obstacle::Obstacle;

/// How many former URLs are kept: each stands in every list for ever.
pub const FORMER_URLS: usize = 8;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// When to look again at what only a person, a clock or the API server can change.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// What an entry takes, and a list without entries, to know beforehand what will be written.
const ENTRY_BYTES: u64 = 80;
const LIST_BYTES: u64 = 1024;

/// What a decision is made from.
#[derive(Clone, Debug)]
pub struct ObservedPublication<'a> {
    /// How it is to be published: see [`effective`]. None where no one asks for it and nothing is published.
    pub settings: Option<&'a Settings>,
    /// The RevocationList that asks for it.
    pub list: Option<&'a ListName>,
    /// Whether no RevocationList asks for it, or the authority signs no more certificates: it goes on until all have expired.
    pub winding_down: bool,
    /// The authority's certificate, then those above it.
    pub chain: &'a [Certificate],
    /// What stands.
    pub published: Option<&'a Published>,
    /// How the register compares with what stands, for the number of shards in `settings`.
    pub surveys: &'a BTreeMap<u16, Survey>,
    /// The number of the last list that was, or was about to be, published.
    pub last_number: Option<CrlNumber>,
    /// When the last certificate expires that the register knows.
    pub last_not_after: Option<Timestamp>,
    /// What the RevocationList's status says was published.
    pub status: Option<Noted>,
    /// Whether the line that the head names still stands in the register; and that of the status.
    pub stands: [Stands; 2],
    /// A person has confirmed that the register, or a clock, went back.
    pub confirmed: bool,
    /// What keeps anything from being published, whatever is due.
    pub obstacle: Option<Obstacle>,
    /// How much may be written.
    pub budget: &'a ByteBudget,
}

/// What was noted elsewhere of the last publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its number.
    pub number: CrlNumber,
    /// Its thisUpdate.
    pub this_update: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationPlan {
    /// What stands is right.
    Nothing {
        /// When to look again; none when something has to change first.
        wake: Option<Timestamp>,
    },
    /// Something is due, and waits.
    Later {
        /// For what.
        why: Delay,
        /// Until when.
        wake: Timestamp,
    },
    /// Publish.
    Publish(Box<Edition>),
    /// Nothing can be published.
    Blocked {
        /// Why.
        obstacle: Obstacle,
        /// When to look again.
        wake: Timestamp,
    },
    /// The last certificate has expired, and so has the list that was made after that: it ends.
    End,
}

/// What a publication waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// The time between two publications.
    Debounce,
    /// So much was written that the next octets wait.
    Budget,
}

/// How an authority is published: as its RevocationList wants it, or, where there is none any more, as it was. The number of
/// shards never falls: certificates name theirs.
pub fn effective(wanted: Option<&Settings>, head: Option<&Head>) -> Option<Settings> {
    let standing = head.map(|head| &head.settings);
    let mut settings = wanted.or(standing)?.clone();
    settings.shards = settings.shards.max(standing.map_or(1, |standing| standing.shards));
    Some(settings)
}

/// When the last certificate that the lists are for has expired; none where there was none. `chain` bounds those whose end
/// nobody knows.
pub fn last_end(last_not_after: Option<Timestamp>, surveys: &BTreeMap<u16, Survey>, chain: &[Certificate]) -> Option<Timestamp> {
    let unending = surveys.values().any(|survey| survey.unending);
    last_not_after.max(chain.first().map(Certificate::not_after).filter(|_| unending))
}

/// Decides.
pub fn decide(observed: &ObservedPublication<'_>, now: Timestamp) -> PublicationPlan {
    let Some(settings) = observed.settings else { return PublicationPlan::Nothing { wake: None } };
    if let Some(obstacle) = obstacle(observed) {
        return blocked(obstacle, now);
    }
    let former_base_urls = match former_urls(observed, settings) {
        Ok(former) => former,
        Err(obstacle) => return blocked(obstacle, now),
    };
    let look =
        Look { observed, settings, former_base_urls: &former_base_urls, head: observed.published.map(|published| &published.head), now };
    let end = look.end();
    if let End::Over = end {
        return PublicationPlan::End;
    }
    let due = look.due(end);
    if due.is_empty() && !look.is_head_old() {
        return PublicationPlan::Nothing { wake: look.wake(end) };
    }
    if let Some(later) = look.delay(&due) {
        return later;
    }
    let this_update = look.this_update();
    // A confirmation that nothing needs is none.
    let went_back = observed.confirmed && (this_update.is_err() || observed.stands.contains(&Stands::No));
    match this_update {
        Err(this_update) if !went_back && !due.is_empty() => {
            PublicationPlan::Blocked { obstacle: Obstacle::AheadOfClock { this_update }, wake: add(this_update, SECOND) }
        }
        this_update => PublicationPlan::Publish(Box::new(Edition {
            settings: settings.clone(),
            former_base_urls: former_base_urls.clone(),
            list: observed.list.cloned(),
            number: look.number(),
            now,
            this_update: this_update.unwrap_or_else(|_| look.backdated()),
            shards: due.shards,
            rebase: due.rebase,
            deltas: due.deltas,
            gap: went_back || look.is_gap(),
            confirmed: went_back,
        })),
    }
}

/// A decision's view of what was observed.
struct Look<'a> {
    observed: &'a ObservedPublication<'a>,
    settings: &'a Settings,
    former_base_urls: &'a [String],
    head: Option<&'a Head>,
    now: Timestamp,
}

/// What is due.
#[derive(Debug, Default)]
struct Due {
    shards: BTreeSet<u16>,
    rebase: BTreeSet<u16>,
    deltas: BTreeSet<u16>,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.shards.is_empty() && self.deltas.is_empty()
    }
}

/// How far an authority is that winds down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It does not, or not yet.
    Open {
        /// When the last certificate has expired.
        until: Option<Timestamp>,
    },
    /// The list after the last certificate's end is to be made.
    Last {
        /// That end.
        after: Timestamp,
    },
    /// It stands, and holds until then.
    Waiting {
        /// Until when.
        until: Timestamp,
    },
    Over,
}

impl Look<'_> {
    fn end(&self) -> End {
        if !self.observed.winding_down {
            return End::Open { until: None };
        }
        let Some(after) = last_end(self.observed.last_not_after, self.observed.surveys, self.observed.chain) else { return End::Over };
        let from = add(add(after, BACKDATE), SECOND);
        if self.now < from {
            return End::Open { until: Some(from) };
        }
        let Some(head) = self.head else { return End::Over };
        if head.shards.values().any(|list| list.this_update <= after) {
            return End::Last { after };
        }
        match head.shards.values().map(|list| list.next_update).max() {
            Some(until) if until > self.now => End::Waiting { until },
            _ => End::Over,
        }
    }

    fn due(&self, end: End) -> Due {
        let mut due = Due::default();
        let none = Survey::default();
        for shard in 0..self.settings.shards {
            let survey = self.observed.surveys.get(&shard).unwrap_or(&none);
            match self.head.and_then(|head| head.shards.get(&shard)) {
                Some(list) if !self.is_anew(shard, list, end) => {
                    let delta = self.delta_due(list).is_some_and(|at| at <= self.now);
                    if survey.due > 0 || survey.live < list.live || (delta && self.is_gap()) {
                        due.shards.insert(shard);
                    } else if delta {
                        due.deltas.insert(shard);
                    }
                }
                _ => {
                    due.shards.insert(shard);
                    due.rebase.insert(shard);
                }
            }
        }
        due
    }

    /// Whether a list is made though the register says nothing new.
    fn is_anew(&self, shard: u16, list: &Shard, end: End) -> bool {
        let Some(published) = self.observed.published else { return true };
        let timely = match end {
            End::Waiting { .. } | End::Over => false,
            End::Last { after } => list.this_update <= after,
            End::Open { .. } => self.refresh_due(list) <= self.now,
        };
        timely
            || published.damaged.contains_key(&shard)
            || self.is_published_otherwise(&published.head)
            || self.observed.status.is_some_and(|noted| published.head.number < noted.number)
            || (self.observed.confirmed && self.observed.stands.contains(&Stands::No))
    }

    /// Whether what the settings change stands in every list.
    fn is_published_otherwise(&self, head: &Head) -> bool {
        let (was, is) = (&head.settings, self.settings);
        was.shards != is.shards
            || was.base_url != is.base_url
            || was.delta.is_some() != is.delta.is_some()
            || was.validity > is.validity
            || head.former_base_urls != self.former_base_urls
            || head.chain.first() != self.observed.chain.first()
    }

    /// Whether the head says what no list says, and says it no longer rightly.
    fn is_head_old(&self) -> bool {
        self.head.is_none_or(|head| {
            head.settings != *self.settings || head.list.as_ref() != self.observed.list || head.chain != self.observed.chain
        })
    }

    fn refresh_due(&self, list: &Shard) -> Timestamp {
        add(add(list.this_update, BACKDATE), self.settings.refresh).min(list.next_update)
    }

    fn delta_due(&self, list: &Shard) -> Option<Timestamp> {
        let (delta, refresh) = (list.delta.as_deref()?, self.settings.delta?);
        Some(add(add(delta.this_update, BACKDATE), refresh).min(delta.next_update))
    }

    /// When to look again while what stands is right.
    fn wake(&self, end: End) -> Option<Timestamp> {
        let planned = self.observed.surveys.values().filter_map(|survey| survey.next_from).min();
        let lists = self.head.into_iter().flat_map(|head| head.shards.values());
        let deltas = lists.clone().filter_map(|list| self.delta_due(list)).min();
        let (refresh, end) = match end {
            End::Open { until } => (lists.map(|list| self.refresh_due(list)).min(), until),
            End::Waiting { until } => (None, Some(until)),
            End::Last { .. } | End::Over => (None, None),
        };
        [planned, deltas, refresh, end].into_iter().flatten().min().map(|wake| wake.max(self.now))
    }

    /// What a publication waits for, if anything.
    fn delay(&self, due: &Due) -> Option<PublicationPlan> {
        let last = self.head.into_iter().flat_map(Head::lists).map(|list| list.built_at).max();
        // A clock that goes back does not make anyone wait.
        if let Some(next) = last.filter(|last| *last <= self.now).map(|last| add(last, self.settings.debounce))
            && next > self.now
        {
            return Some(PublicationPlan::Later { why: Delay::Debounce, wake: next });
        }
        let ready = self.observed.budget.ready(self.estimate(due), self.now);
        (ready > self.now).then_some(PublicationPlan::Later { why: Delay::Budget, wake: ready })
    }

    /// About how many octets the publication will have.
    fn estimate(&self, due: &Due) -> u64 {
        let of = |shard: &u16| {
            let list = self.head.and_then(|head| head.shards.get(shard));
            let bytes = list.map_or(0, |list| list.bytes + list.delta.as_ref().map_or(0, |delta| delta.bytes));
            let more = self.observed.surveys.get(shard).map_or(0, |survey| survey.due);
            u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(u64::try_from(more).unwrap_or(u64::MAX).saturating_mul(ENTRY_BYTES))
        };
        let lists: u64 = due.shards.union(&due.deltas).map(of).fold(0, u64::saturating_add);
        lists.saturating_add(u64::from(self.settings.shards) * LIST_BYTES)
    }

    /// Whether numbers were given out since that of the head.
    fn is_gap(&self) -> bool {
        let given_out = self.observed.last_number.max(self.observed.status.map(|noted| noted.number));
        self.head.is_some_and(|head| given_out > Some(head.number))
    }

    /// Above all that were ever given out, also by one who died before it was published; and, were all of these forgotten, the time.
    fn number(&self) -> CrlNumber {
        let head = self.head.into_iter().flat_map(|head| head.lists().map(|list| list.number).chain([head.number]));
        let noted = self.observed.status.map(|noted| noted.number);
        let last = head.chain(self.observed.last_number).chain(noted).max();
        let after = last.map_or(0, |last| last.get().saturating_add(1));
        CrlNumber::new(after.max(u128::try_from(self.now.as_nanosecond()).unwrap_or_default()))
    }

    /// Five minutes ago, and after the one before; in the error the one before, where that is later than now.
    fn this_update(&self) -> Result<Timestamp, Timestamp> {
        let head = self.head.into_iter().flat_map(Head::lists).map(|list| list.this_update);
        let last = head.chain(self.observed.status.map(|noted| noted.this_update)).max();
        let next = last.map_or(Timestamp::MIN, |last| add(last, SECOND)).max(self.backdated());
        if next <= self.now { Ok(next) } else { Err(last.unwrap_or(next)) }
    }

    fn backdated(&self) -> Timestamp {
        whole_second(add(self.now, -BACKDATE))
    }
}

fn obstacle(observed: &ObservedPublication<'_>) -> Option<Obstacle> {
    if observed.obstacle.is_some() {
        return observed.obstacle.clone();
    }
    let who = ["the list that stands", "the status of the RevocationList"];
    let lost = observed.stands.iter().position(|stands| *stands == Stands::No).filter(|_| !observed.confirmed)?;
    Some(Obstacle::RolledBack { who: who[lost] })
}

/// The URLs under which the lists were published and are not any more.
fn former_urls(observed: &ObservedPublication<'_>, settings: &Settings) -> Result<Vec<String>, Obstacle> {
    let head = observed.published.map(|published| &published.head);
    let mut former: Vec<String> = head.map(|head| head.former_base_urls.clone()).unwrap_or_default();
    former.extend(head.and_then(|head| head.settings.base_url.clone()));
    former.retain(|url| Some(url) != settings.base_url.as_ref());
    if former.len() > FORMER_URLS {
        return Err(Obstacle::TooManyUrls);
    }
    if settings.shards > 1 && settings.base_url.is_none() && former.is_empty() {
        return Err(Obstacle::NoUrl);
    }
    Ok(former)
}

fn blocked(obstacle: Obstacle, now: Timestamp) -> PublicationPlan {
    PublicationPlan::Blocked { obstacle, wake: add(now, LOOK_AGAIN) }
}

#[cfg(test)]
mod tests;
