//! The status of a RevocationList: what is published, what waits, and what is in the way.

use std::collections::BTreeMap;

use chancery_pki::KeyId;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::observed::Obstacle;
use crate::{
    api::{
        RevocationList, RevocationListStatus, WantedList,
        condition::{self, Finding, merge},
        reason,
        revocation_list_status::{
            DeltaStatus, FormerAuthority, MAX_FORMER, MAX_REFUSAL, MAX_REFUSED, RefusedOrder, RegisterAnchor, ShardStatus,
        },
    },
    lists::{Head, Kind, Shard},
};

/// What there is to say.
#[derive(Debug, Default)]
pub struct Said<'a> {
    /// The spec, where it can be read.
    pub wanted: Option<&'a WantedList>,
    /// The authority that the list covers.
    pub authority: Option<KeyId>,
    /// What is published of it.
    pub head: Option<&'a Head>,
    /// What is in the way, and whether waiting helps.
    pub obstacle: Option<(Obstacle, bool)>,
    /// Recorded, and on no published list yet; automatic ones that wait included.
    pub pending: usize,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// Automatic ones beyond the maximum.
    pub held_back: usize,
    /// Orders that cannot be carried out.
    pub refused: BTreeMap<usize, String>,
    /// How many can.
    pub done: usize,
    /// How long the last edition took to make, in milliseconds.
    pub built_in: Option<i64>,
    /// Why a copy that is asked for is not made.
    pub copy_refused: Option<String>,
    /// The authorities before this one: their heads, and when their last certificate ends.
    pub former: Vec<(&'a Head, Option<Timestamp>)>,
}

/// The status. Equal to the one that stands where nothing changed, so that it need not be written.
pub fn of(list: &RevocationList, said: &Said<'_>, now: Timestamp) -> RevocationListStatus {
    let old = list.status.clone().unwrap_or_default();
    let generation = list.metadata.generation;
    let mut status = RevocationListStatus { observed_generation: generation, ..RevocationListStatus::default() };
    status.authority = said.authority.map(|authority| authority.to_string()).or_else(|| old.authority.clone());
    status.resolved = said.wanted.map(WantedList::resolved);
    let rolled_back = said.obstacle.as_ref().is_some_and(|(obstacle, _)| obstacle.reason == reason::list::ROLLED_BACK);
    if rolled_back {
        // What was published once is what a store that went back in time is told by, until a person has confirmed it.
        status =
            RevocationListStatus { observed_generation: generation, authority: status.authority, resolved: status.resolved, ..old.clone() };
    } else if let Some(head) = said.head {
        status.register =
            Some(RegisterAnchor { sequence: i64::try_from(head.register.sequence).unwrap_or(i64::MAX), hash: head.register.hash.clone() });
        status.show(head.shards.keys().filter_map(|shard| shard_status(head, *shard)).collect());
        status.last_published = head.lists().map(|list| list.built_at).max().map(|time| Time(second(time)));
    } else if said.authority.is_none() || old.authority == status.authority {
        status.register.clone_from(&old.register);
        status.number.clone_from(&old.number);
        status.last_published.clone_from(&old.last_published);
    }
    status.build_milliseconds = said.built_in.or(old.build_milliseconds);
    status.pending_revocations = said.head.map(|_| count(said.pending));
    status.oldest_pending = said.oldest.map(|time| Time(second(time)));
    status.held_back = (said.held_back > 0).then(|| count(said.held_back));
    status.applied_orders = said.wanted.filter(|wanted| !wanted.orders.is_empty()).map(|_| count(said.done));
    let refused = said.refused.iter().take(MAX_REFUSED);
    status.refused_orders = refused
        .map(|(index, message)| RefusedOrder {
            index: i32::try_from(*index).unwrap_or(i32::MAX),
            message: message.chars().take(MAX_REFUSAL).collect(),
        })
        .collect();
    status.former_authorities = said.former.iter().take(MAX_FORMER).filter_map(|(head, until)| former(head, *until)).collect();
    status.conditions = merge(&old.conditions, &findings(said, &status), generation, now);
    status
}

fn findings(said: &Said<'_>, status: &RevocationListStatus) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (&said.obstacle, said.head) {
        (Some((obstacle, waiting_helps)), _) => {
            findings.push(Finding::new(condition::READY, false, obstacle.reason, obstacle.message.clone()));
            let kind = if *waiting_helps { condition::RECONCILING } else { condition::STALLED };
            findings.push(Finding::new(kind, true, obstacle.reason, obstacle.message.clone()));
        }
        (None, None) => {
            let message = "the first list is being made".to_owned();
            findings.push(Finding::new(condition::READY, false, reason::list::PUBLISHING, message.clone()));
            findings.push(Finding::new(condition::RECONCILING, true, reason::list::PUBLISHING, message));
        }
        (None, Some(_)) => {
            let entries = status.entries.unwrap_or(0);
            let mut message = match entries {
                0 => "a list without entries is published".to_owned(),
                1 => "1 certificate is on the published list".to_owned(),
                entries => format!("{entries} certificates are on the published list"),
            };
            if !said.refused.is_empty() {
                message = format!("{message}; of the orders {} cannot be carried out, see status.refusedOrders", said.refused.len());
            }
            findings.push(Finding::new(condition::READY, true, reason::list::PUBLISHED, message));
        }
    }
    if !said.refused.is_empty() {
        let first = said.refused.iter().next().map(|(index, why)| format!("spec.revocations[{index}]: {why}")).unwrap_or_default();
        findings.push(Finding::new(condition::ORDERS_REFUSED, true, reason::list::ORDERS_REFUSED, first));
    }
    if let Some(why) = &said.copy_refused {
        findings.push(Finding::new(condition::COPY_REFUSED, true, reason::FAILED, why.clone()));
    }
    if said.held_back > 0 {
        let message = format!(
            "{} revocations that nobody ordered by hand wait, since more than spec.maxAutomaticRevocations were asked for within an hour: \
             to carry them out, set spec.confirmPendingBefore to a time after they were asked for",
            said.held_back
        );
        findings.push(Finding::new(condition::HELD_BACK, true, reason::list::HELD_BACK, message));
    }
    findings
}

fn shard_status(head: &Head, shard: u16) -> Option<ShardStatus> {
    let list = head.shards.get(&shard)?;
    let delta = list.delta.as_deref().map(|delta| DeltaStatus {
        number: delta.number.to_string(),
        this_update: Time(delta.this_update),
        next_update: Time(delta.next_update),
        entries: count(delta.entries),
        bytes: count(delta.bytes),
        sha256: delta.sha256.clone(),
        url: head.url(shard, Kind::Delta),
    });
    let Shard { number, this_update, next_update, entries, bytes, sha256, .. } = list;
    Some(ShardStatus {
        shard: i32::from(shard),
        number: number.to_string(),
        this_update: Time(*this_update),
        next_update: Time(*next_update),
        entries: count(*entries),
        bytes: count(*bytes),
        sha256: sha256.clone(),
        url: head.url(shard, Kind::Full),
        delta,
    })
}

fn former(head: &Head, until: Option<Timestamp>) -> Option<FormerAuthority> {
    let next_update = head.lists().map(|list| list.next_update).min()?;
    let until = until.unwrap_or(next_update);
    Some(FormerAuthority { authority: head.authority.to_string(), next_update: Time(next_update), until: Time(until) })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
