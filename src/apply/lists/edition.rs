//! One edition: made, put on record, and made current.
//!
//! The number stands in the register before anyone can see a list with it.

use std::sync::Arc;

use chancery_pki::{Certificate as X509, KeyId};
use jiff::Timestamp;
use tracing::{Instrument as _, debug_span};

use super::{
    super::blocking,
    Context, Fault,
    cover::cover,
    import, keys, note,
    publication::{Order, fault},
};
use crate::{
    api::reason,
    lists::{BuildError, Building, Built, Edition, Knows, ListEntry, Published, Standing, build, shard_of},
    plan::observed::Obstacle,
    register::{Act, Entry, Index, Register as _, RegisterId},
    telemetry::Publication,
};

/// Once a person has confirmed that the register went back: what the lists that stand show and it has lost goes on record again.
pub(super) async fn record_again(context: &Context, authority: &KeyId, published: Option<&Published>) -> Result<(), Fault> {
    for lists in published.iter().flat_map(|published| published.lists.values()) {
        // Also what has expired since: the list shows it, and the register would contradict it.
        match import::merge(context, authority, &lists.full, Timestamp::MIN).await? {
            Ok(0) => {}
            Ok(lines) => tracing::warn!(%authority, lines, "what the register had lost was recorded again from the list that stands"),
            Err(why) => tracing::error!(%authority, why, "a list that stands could not be recorded again"),
        }
    }
    Ok(())
}

/// Makes an edition and publishes it. In the answer what is in the way, and whether waiting helps.
pub(super) async fn press(
    context: &Context,
    order: &Order<'_>,
    standing: &Arc<Standing>,
    chain: &[X509],
    edition: Edition,
    now: Timestamp,
) -> Result<Option<(Obstacle, bool)>, Fault> {
    let authority = order.authority;
    let key = match keys::of(context, &authority).await? {
        Ok(key) => key,
        Err(obstacle) => return Ok(Some((obstacle, false))),
    };
    let begun = tokio::time::Instant::now();
    let made = {
        let (world, standing, chain, edition) = (Arc::clone(&context.world), Arc::clone(standing), chain.to_vec(), edition.clone());
        let making = blocking(move || make(world.registers.index(), &authority, &key, &standing, &chain, &edition));
        making.instrument(debug_span!("build lists")).await?
    };
    let built = match made {
        Ok(built) => built,
        Err(why) => {
            tracing::error!(%authority, %why, "a list was not published");
            let reason = if matches!(why, BuildError::NoUrl) {
                reason::INVALID_SPEC
            } else {
                context.metrics.guard_tripped();
                reason::list::GUARD_TRIPPED
            };
            return Ok(Some((Obstacle { reason, message: format!("{why}. What is published stays") }, false)));
        }
    };
    let took = begun.elapsed();
    if !edition.is_head_only() {
        let entry = Entry {
            number: Some(edition.number),
            reason: format!(
                "{} lists made; {} entries in all; head {}",
                built.made.len(),
                built.head.shards.values().map(|shard| shard.entries).sum::<usize>(),
                built.fingerprint()
            ),
            actor: super::super::ACTOR.to_owned(),
            ..Entry::new(Act::Published)
        };
        // Before it can be seen: no number is given out twice, whoever dies.
        let id = RegisterId::Authority(authority);
        let line = context.world.registers.append(id, entry).await?;
        if !context.world.registers.index().ledger(&id, |ledger| ledger.gave_out(&line)) {
            // A former leader was about to publish, and nothing of that was known here.
            context.press.doubt(&authority);
            return Err(Fault::Stale);
        }
    }
    let bytes = built.bytes();
    context.press.spend(bytes, now);
    let published = match context.press.publisher.publish(standing, &built).await {
        Ok(published) => published,
        Err(error) => {
            // It may have been done all the same.
            context.press.doubt(&authority);
            return Err(fault(error));
        }
    };
    let published = Arc::new(published);
    context.press.stands(&authority, Some(Arc::clone(&published)));
    if !edition.is_head_only() {
        context.press.confirm(authority, None);
        context.press.took(authority, i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
        note::published(context, order.list, &built, standing.published.as_ref());
        let delays = delays(context, &authority, standing.published.as_ref(), &built, context.world.now());
        context.metrics.published(&Publication { lists: built.made.len(), bytes, took, delays });
    }
    cover(context, published.published.as_ref(), order.list, order.current);
    Ok(None)
}

fn make(
    index: &Index,
    authority: &KeyId,
    key: &keys::SigningKey,
    standing: &Standing,
    chain: &[X509],
    edition: &Edition,
) -> Result<Built, BuildError> {
    let id = RegisterId::Authority(*authority);
    let Some(signer) = key.key() else { return Err(BuildError::Chain { authority: *authority }) };
    let shards = edition.settings.shards;
    build(
        edition,
        &Building {
            authority: *authority,
            chain,
            signer,
            previous: standing.published.as_ref(),
            register: &|| index.position(&id),
            entries: &|shard| index.ledger(&id, |ledger| ListEntry::of(ledger, shards, shard)),
            knows: &|serial| index.ledger(&id, |ledger| Knows::of(ledger, serial)),
        },
    )
}

/// How long each revocation that is new on a list took from its recording, or from when it was to be listed, in seconds.
fn delays(context: &Context, authority: &KeyId, before: Option<&Published>, built: &Built, now: Timestamp) -> Vec<f64> {
    let shards = built.head.settings.shards;
    context.world.registers.index().ledger(&RegisterId::Authority(*authority), |ledger| {
        let on = |head: &crate::lists::Head, serial, sequence, from| {
            head.holds(shard_of(serial, shards.min(head.settings.shards)), sequence, from)
        };
        let new = ledger.revoked().filter(|(serial, _, revocation)| {
            on(&built.head, serial, revocation.sequence, revocation.from)
                && before.is_none_or(|before| !on(&before.head, serial, revocation.sequence, revocation.from))
        });
        new.map(|(_, _, revocation)| now.duration_since(revocation.time.max(revocation.from)).as_secs_f64().max(0.0)).collect()
    })
}
