//! One reconcile of one RevocationList: what it orders goes on record, what is on record is published, and its status says so.
//!
//! What is decided is decided in `plan::list` and `plan::publication`; here it is carried out.

mod copies;
mod cover;
mod delegate;
mod edition;
mod healed;
mod import;
mod keys;
mod note;
mod press;
mod publication;
mod served;
mod sight;

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{KeyId, SerialNumber};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Context, Fault};
use crate::{
    api::{WantedList, reason},
    cluster::{CallErrorKind, MAX_SKEW},
    lists::Settings,
    observe::{Coverage, ListSight, Name},
    plan::{
        list::{
            automatic::{self, Limits},
            orders::{self, Authority, Orderer},
            standing::{self, Standing},
            status::{self, Said},
        },
        observed::Obstacle,
        renewal::add,
    },
    register::{Act, Entry, Ledger, Register as _, RegisterId},
};

pub(super) use healed::healed;
pub use press::Press;
pub use publication::{keep as keep_published, read as read_publications};

/// When it is looked at again whether the clocks are right.
const SKEWED: SignedDuration = SignedDuration::from_secs(30);
/// When a list looks again whether the authority is still another's.
const COVERED: SignedDuration = SignedDuration::from_mins(1);

/// One reconcile of one RevocationList. Returns when to look again if nothing happens before.
///
/// # Errors
/// When the API server does not answer, another leads, or another wrote.
pub async fn reconcile(context: &Context, name: &Name) -> Result<Option<Timestamp>, Fault> {
    let world = &context.world;
    let now = world.now();
    let Some(sight) = ListSight::gather(world, name) else {
        orphan(context, name, None, None);
        return Ok(None);
    };
    let mut said = Said { wanted: sight.wanted.as_ref().ok(), ..Said::default() };
    let mut wake = None;
    let mut winding_down = true;
    let covered = match standing::of(&sight.seen(world)) {
        Standing::Wait => return Ok(None),
        Standing::Obstructed(obstacle) => {
            // What a typo or an issuer that is not ready for a moment keeps from acting is kept up as it is.
            winding_down = matches!(obstacle.reason, reason::list::ISSUER_NOT_FOUND | reason::list::NOT_AN_AUTHORITY);
            if obstacle.reason == reason::list::AUTHORITY_COVERED {
                wake = Some(add(now, COVERED));
            }
            let waits = waiting_helps(&obstacle);
            said.obstacle = Some((obstacle, waits));
            None
        }
        Standing::Covers(wanted, authority) => Some((wanted, authority.clone())),
    };
    let authority = covered.as_ref().map(|(_, view)| view.key_id);
    said.authority = authority;
    orphan(context, name, sight.object.metadata.uid.as_deref(), authority);
    let former = publication::of_list(world, &sight, authority);
    let all: Vec<KeyId> = authority.into_iter().chain(former.iter().copied()).collect();
    if let (Ok(wanted), false, None) = (&sight.wanted, all.is_empty(), obstruct(context, &all)) {
        for key_id in &all {
            let own = covered.as_ref().filter(|(_, view)| view.key_id == *key_id).map(|(_, view)| view.chain.leaf().clone());
            let issuer = own.or_else(|| world.lists.coverage(key_id)?.head.chain.first().cloned());
            if let Some(issuer) = issuer {
                soonest(&mut wake, import::take(context, &sight, &issuer, now).await?);
            }
        }
        let ordered = order(context, &sight, wanted, &all, now).await?;
        said.refused = ordered.refused;
        said.done = ordered.done;
        said.held_back = ordered.waiting;
        soonest(&mut wake, ordered.again);
    }
    let mut heads = BTreeMap::new();
    for key_id in &all {
        let own = covered.as_ref().filter(|(_, view)| view.key_id == *key_id);
        let order = publication::Order {
            authority: *key_id,
            chain: own.map(|(_, view)| view.chain.certificates().to_vec()),
            settings: sight.wanted.as_ref().ok().map(settings),
            list: Some(&sight),
            current: own.is_some() || (!winding_down && world.lists.coverage(key_id).is_some_and(|coverage| coverage.current)),
            winding_down: own.is_none() && (covered.is_some() || winding_down),
        };
        let done = publication::publish(context, &order, now).await?;
        soonest(&mut wake, done.wake);
        said.pending += done.pending;
        said.oldest = [said.oldest, done.oldest].into_iter().flatten().min();
        if said.obstacle.is_none() || own.is_some() {
            said.obstacle = done.obstacle.or_else(|| said.obstacle.take());
        }
        if let Some(coverage) = world.lists.coverage(key_id) {
            heads.insert(*key_id, coverage);
        }
    }
    said.built_in = authority.and_then(|authority| context.press.built_in(&authority));
    if let (Some((wanted, _)), Some(coverage)) = (&covered, authority.and_then(|authority| heads.get(&authority))) {
        let copies = copies::keep(context, &sight, wanted, coverage, now).await?;
        said.copy_refused = copies.refused;
        soonest(&mut wake, copies.again);
    }
    said.head = authority.and_then(|authority| heads.get(&authority)).map(|coverage| &*coverage.head);
    said.former = former
        .iter()
        .filter_map(|key_id| Some((&*heads.get(key_id)?.head, world.registers.index().authority_last_not_after(key_id))))
        .collect();
    write_status(context, &sight, &said, now).await?;
    Ok(wake)
}

/// What a list published that is gone goes on, as long as its certificates live; another list of its name does not inherit it.
fn orphan(context: &Context, name: &Name, uid: Option<&str>, covered: Option<KeyId>) {
    let lists = &context.world.lists;
    for coverage in lists.all() {
        let of_name = coverage.list.as_ref() == Some(name);
        let other = uid.is_none() || coverage.head.list.as_ref().is_none_or(|of| Some(of.uid.as_str()) != uid);
        // One that the list covers is its own, though it may not be published for it yet.
        if of_name && other && Some(coverage.head.authority) != covered {
            lists.put(Coverage { list: None, current: false, ..Coverage::clone(&coverage) });
            (context.revoked)(&coverage.head.authority);
        }
    }
}

/// Whether what keeps a list from acting may go without anybody's doing: the issuer is on its way, or comes up again.
fn waiting_helps(obstacle: &Obstacle) -> bool {
    matches!(obstacle.reason, reason::list::ISSUER_NOT_FOUND | reason::list::ISSUER_NOT_READY)
}

fn soonest(wake: &mut Option<Timestamp>, other: Option<Timestamp>) {
    *wake = [*wake, other].into_iter().flatten().min();
}

/// How a list is published.
fn settings(wanted: &WantedList) -> Settings {
    Settings {
        validity: wanted.validity,
        refresh: wanted.refresh,
        delta: wanted.delta,
        shards: wanted.shards,
        base_url: wanted.base_url.clone(),
        ocsp: wanted.ocsp,
        grace: wanted.grace,
        debounce: wanted.debounce,
        max_automatic: wanted.max_automatic,
    }
}

/// What keeps anything from being recorded or signed for these authorities, and whether waiting helps.
fn obstruct(context: &Context, authorities: &[KeyId]) -> Option<(Obstacle, bool)> {
    let world = &context.world;
    let broken = world.registers.broken();
    if let Some(why) = authorities.iter().find_map(|authority| broken.get(&Some(*authority))) {
        return Some((Obstacle { reason: reason::list::REGISTER_UNAVAILABLE, message: why.clone() }, false));
    }
    let skew = world.skew.check(MAX_SKEW).err()?;
    let message = format!(
        "nothing is recorded or signed while this machine's clock and the API server's differ by {} minutes: set the clocks right",
        skew.skew.abs().as_mins()
    );
    Some((Obstacle { reason: reason::list::CLOCK_SKEW, message }, true))
}

/// What the orders came to.
#[derive(Default)]
struct Ordered {
    refused: BTreeMap<usize, String>,
    done: usize,
    waiting: usize,
    again: Option<Timestamp>,
}

/// Puts on record what the orders and what nobody ordered come to.
async fn order(context: &Context, sight: &ListSight, wanted: &WantedList, authorities: &[KeyId], now: Timestamp) -> Result<Ordered, Fault> {
    let world = &context.world;
    let index = world.registers.index();
    let waits = |key_id: &KeyId| index.ledger(&RegisterId::Authority(*key_id), |ledger| ledger.pending().next().is_some());
    if wanted.orders.is_empty() && !authorities.iter().any(waits) {
        return Ok(Ordered::default());
    }
    let actor = format!("RevocationList {}", sight.name);
    let ledgers: Vec<(KeyId, Ledger)> =
        authorities.iter().map(|key_id| (*key_id, index.ledger(&RegisterId::Authority(*key_id), Ledger::clone))).collect();
    let known: Vec<Authority<'_>> = ledgers
        .iter()
        .map(|(key_id, ledger)| Authority { key_id: *key_id, ledger, exclusive: index.key(key_id).is_some_and(|key| key.is_made()) })
        .collect();
    let orderer = Orderer {
        namespace: &sight.name.namespace,
        everywhere: *sight.name.namespace == *world.namespace,
        actor: &actor,
        grace: wanted.grace,
    };
    let outcome = orders::decide(&wanted.orders, &orderer, &known, &|authority, key| index.is_blocked(authority, key), now);
    let mut lines = outcome.lines;
    let ordered: BTreeSet<_> = lines.iter().filter_map(|(_, entry)| entry.serial.clone()).collect();
    let mut result = Ordered { refused: outcome.refused, done: outcome.done, ..Ordered::default() };
    let limits = Limits { most: wanted.max_automatic, confirmed_before: wanted.confirm_before };
    for (key_id, ledger) in &ledgers {
        let carried = automatic::carry_out(ledger, limits, &actor, now);
        result.waiting += carried.waiting;
        soonest(&mut result.again, carried.again);
        let entries = carried.entries.into_iter().filter(|entry| entry.serial.as_ref().is_none_or(|serial| !ordered.contains(serial)));
        lines.extend(entries.map(|entry| (RegisterId::Authority(*key_id), entry)));
    }
    drop(known);
    drop(ledgers);
    let appended = join_all(lines.iter().map(|(register, entry)| world.registers.append(*register, entry.clone()))).await;
    (context.published)(&concerned(context, &lines));
    for line in appended {
        line?;
    }
    note::recorded(context, sight, &lines);
    Ok(result)
}

/// The Certificates whose certificates or keys lines are about: what is revoked is replaced before it is listed.
fn concerned(context: &Context, lines: &[(RegisterId, Entry)]) -> Vec<Name> {
    let index = context.world.registers.index();
    let mut owners = BTreeSet::new();
    let mut add = |register: &RegisterId, of: &dyn Fn(&Ledger) -> Vec<SerialNumber>| {
        index.ledger(register, |ledger| {
            let known = of(ledger).into_iter().filter_map(|serial| ledger.get(&serial)?.owner.clone());
            owners.extend(known.map(|owner| Name::new(&owner.namespace, &owner.name)));
        });
    };
    for (register, entry) in lines {
        if let Some(serial) = &entry.serial {
            add(register, &|_| vec![serial.clone()]);
        } else if let Some(key) = entry.key_id.filter(|_| entry.act == Act::Blocked) {
            // What the common register blocks no authority certifies.
            let registers = match register {
                RegisterId::Common => context.world.registers.states().into_keys().collect(),
                RegisterId::Authority(_) => vec![*register],
            };
            for register in &registers {
                add(register, &|ledger| ledger.by_key(&key));
            }
        }
    }
    owners.into_iter().collect()
}

async fn write_status(context: &Context, sight: &ListSight, said: &Said<'_>, now: Timestamp) -> Result<(), Fault> {
    let status = status::of(&sight.object, said, now);
    context.metrics.lists().set(&sight.name.namespace, &sight.name.name, note::state(&status));
    if sight.object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    note::obstructed(context, sight, &status);
    let mut object = (*sight.object).clone();
    object.status = Some(status);
    match context.writer.list_status(&object).await {
        Ok(written) => context.world.revocation_lists.wrote(written),
        // It was stored under other rules, and is so far from today's that the API server takes no write of its status.
        Err(error) if error.kind == CallErrorKind::Invalid && sight.wanted.is_err() => {
            tracing::warn!(list = %sight.name, %error, "refused, and its status cannot be written");
        }
        Err(error) => return Err(Fault::from(error)),
    }
    Ok(())
}

/// When it is looked at again while the clocks differ.
fn skewed(now: Timestamp) -> Timestamp {
    add(now, SKEWED)
}
