//! Publishing the lists of one authority: read what stands, decide, put the number on record, sign, and make it current.
//!
//! It goes on for an authority whose RevocationList or issuer is gone, until its certificates have ended.

use std::sync::Arc;

use chancery_pki::{Certificate as X509, CrlNumber, KeyId};
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};
use jiff::{SignedDuration, Timestamp};
use tracing::{Instrument as _, debug_span};

use super::{
    Context, Fault,
    cover::cover,
    delegate,
    edition::{press, record_again},
    note, obstruct,
    served::served,
    sight::{Sight, list_name},
    skewed, soonest,
};
use crate::{
    api::{names, reason},
    lists::{ListError, Settings, Standing},
    observe::{Coverage, ListSight, World},
    plan::{
        list::automatic::{self, Limits},
        observed::Obstacle,
        publication::{Delay, ObservedPublication, Obstacle as Obstruction, PublicationPlan, decide, effective},
        renewal::add,
    },
    register::{Register as _, RegisterId},
};

/// How often chunks that nobody names are looked for.
const SWEEP: SignedDuration = SignedDuration::from_hours(1);
/// When a list that was not fit to be published is made again.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// How many editions one look may make: one, and the look that finds nothing left to do.
const EDITIONS: usize = 2;
/// How many authorities are read at once at the beginning of a term.
const AT_ONCE: usize = 4;

/// What is asked for.
pub(super) struct Order<'a> {
    /// Whose lists.
    pub(super) authority: KeyId,
    /// The authority's chain, where an issuer has it.
    pub(super) chain: Option<Vec<X509>>,
    /// How; none as before.
    pub(super) settings: Option<Settings>,
    /// For which RevocationList.
    pub(super) list: Option<&'a ListSight>,
    /// Whether the list's issuer signs with this authority now.
    pub(super) current: bool,
    /// Whether it goes on only until its certificates have ended.
    pub(super) winding_down: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// When to look again.
    pub(super) wake: Option<Timestamp>,
    /// What is in the way, and whether waiting helps.
    pub(super) obstacle: Option<(Obstacle, bool)>,
    /// Recorded, and not published.
    pub(super) pending: usize,
    /// Since when the oldest of these waits.
    pub(super) oldest: Option<Timestamp>,
}

/// Reads all that is published, at the beginning of a term.
///
/// # Errors
/// When the API server does not answer.
pub async fn read(context: &Context) -> Result<(), Fault> {
    let authorities = context.press.publisher.authorities().await.map_err(fault)?;
    let read = stream::iter(authorities).map(|authority| async move {
        let standing = context.press.publisher.read(&authority).await.map_err(fault)?;
        cover(context, standing.published.as_ref(), None, false);
        context.press.stands(&authority, Some(Arc::new(standing)));
        Ok::<(), Fault>(())
    });
    read.buffer_unordered(AT_ONCE).try_collect().await
}

/// The authorities whose lists were last published for this RevocationList, but for one.
pub(super) fn of_list(world: &World, list: &ListSight, but: Option<KeyId>) -> Vec<KeyId> {
    let is_of =
        |coverage: &Arc<Coverage>| coverage.list.as_ref() == Some(&list.name) && coverage.head.list.as_ref() == Some(&list_name(list));
    let mut authorities: Vec<KeyId> =
        world.lists.all().iter().filter(|coverage| is_of(coverage)).map(|coverage| coverage.head.authority).collect();
    authorities.retain(|authority| Some(*authority) != but);
    authorities.sort_unstable();
    authorities
}

/// Keeps up what is published of an authority that no RevocationList covers any more. Returns when to look again.
///
/// # Errors
/// When the API server does not answer, another leads, or another wrote.
pub async fn keep(context: &Context, authority: &KeyId) -> Result<Option<Timestamp>, Fault> {
    if is_covered(context, authority) {
        return Ok(None);
    }
    let coverage = context.world.lists.coverage(authority);
    let mut wake = None;
    if let Some(coverage) = coverage.filter(|_| obstruct(context, &[*authority]).is_none()) {
        wake = carry_out(context, authority, coverage.head.settings.max_automatic).await?;
    }
    let order = Order { authority: *authority, chain: None, settings: None, list: None, current: false, winding_down: true };
    let done = publish(context, &order, context.world.now()).await?;
    if let Some((obstacle, _)) = &done.obstacle {
        tracing::warn!(%authority, reason = obstacle.reason, message = obstacle.message, "a list without a RevocationList is not kept up");
    }
    soonest(&mut wake, done.wake);
    Ok(wake)
}

/// Whether a RevocationList that is there covers it.
fn is_covered(context: &Context, authority: &KeyId) -> bool {
    let coverage = context.world.lists.coverage(authority);
    coverage.and_then(|coverage| coverage.list.clone()).is_some_and(|list| context.world.revocation_lists.get(&list).is_some())
}

/// Sees to it that what is published is what the register says.
pub(super) async fn publish(context: &Context, order: &Order<'_>, now: Timestamp) -> Result<Done, Fault> {
    let authority = &order.authority;
    let turn = context.press.turn(authority);
    let _turn = turn.lock().await;
    if order.list.is_none() && is_covered(context, authority) {
        // One has taken it up meanwhile: what is published is that one's from now on.
        return Ok(Done::default());
    }
    let mut looked_again = false;
    let mut editions = 0;
    loop {
        let standing = standing(context, authority).await?;
        let head = standing.published.as_ref().map(|published| &published.head);
        let Some(settings) = effective(order.settings.as_ref(), head) else { return Ok(Done::default()) };
        let Some(chain) = order.chain.clone().or_else(|| head.map(|head| head.chain.clone())) else { return Ok(Done::default()) };
        let sight = Sight::of(context, order, standing.published.as_ref(), &settings, &chain, now);
        let mut done = Done { pending: sight.pending, oldest: sight.oldest, ..Done::default() };
        let budget = context.press.budget();
        let list = order.list.map(list_name);
        let observed = ObservedPublication {
            settings: Some(&settings),
            list: list.as_ref(),
            winding_down: order.winding_down,
            chain: &chain,
            published: standing.published.as_ref(),
            surveys: &sight.surveys,
            last_number: sight.last_number,
            last_not_after: sight.last_not_after,
            status: sight.noted,
            stands: sight.stands,
            confirmed: sight.confirmed,
            obstacle: obstruction(context, authority),
            budget: &budget,
        };
        match decide(&observed, now) {
            PublicationPlan::Nothing { wake } => {
                done.wake = wake;
                cover(context, standing.published.as_ref(), order.list, order.current);
                soonest(&mut done.wake, served(context, order, &settings, &chain, now).await?);
                sweep(context, authority, now).await;
                return Ok(done);
            }
            PublicationPlan::Later { why, wake } => {
                done.wake = Some(wake);
                if why == Delay::Budget {
                    let message = "so much was published within a minute that the next list waits for a moment".to_owned();
                    done.obstacle = Some((Obstacle { reason: reason::list::BYTES_SPENT, message }, true));
                }
                cover(context, standing.published.as_ref(), order.list, order.current);
                soonest(&mut done.wake, served(context, order, &settings, &chain, now).await?);
                return Ok(done);
            }
            PublicationPlan::Blocked { obstacle: Obstruction::RolledBack { .. }, .. } if !looked_again => {
                // A former leader may have written lines that are not known here.
                looked_again = true;
                context.world.registers.look(RegisterId::Authority(*authority)).await?;
                context.press.doubt(authority);
            }
            PublicationPlan::Blocked { obstacle, wake } => {
                note::blocked(context, &obstacle);
                done.wake = Some(wake);
                let helps = matches!(obstacle, Obstruction::ClockSkew { .. } | Obstruction::AheadOfClock { .. });
                let message = confirmable(&obstacle, head.map(|head| head.number).max(sight.noted.map(|noted| noted.number)));
                done.obstacle = Some((Obstacle { reason: obstacle.reason(), message }, helps));
                cover(context, standing.published.as_ref(), order.list, order.current);
                if !matches!(obstacle, Obstruction::ClockSkew { .. } | Obstruction::Register { .. }) {
                    soonest(&mut done.wake, served(context, order, &settings, &chain, now).await?);
                }
                return Ok(done);
            }
            PublicationPlan::End => {
                end(context, authority).await?;
                return Ok(done);
            }
            PublicationPlan::Publish(edition) => {
                editions += 1;
                if editions > EDITIONS {
                    done.wake = Some(add(now, settings.debounce));
                    return Ok(done);
                }
                if edition.confirmed {
                    record_again(context, authority, standing.published.as_ref()).await?;
                }
                let pressing = press(context, order, &standing, &chain, *edition, now);
                let span = debug_span!("publish", authority = %order.authority);
                if let Some((obstacle, helps)) = pressing.instrument(span).await? {
                    done.wake = Some(if helps { skewed(now) } else { add(now, AGAIN) });
                    done.obstacle = Some((obstacle, helps));
                    cover(context, standing.published.as_ref(), order.list, order.current);
                    soonest(&mut done.wake, served(context, order, &settings, &chain, now).await?);
                    return Ok(done);
                }
            }
        }
    }
}

fn obstruction(context: &Context, authority: &KeyId) -> Option<Obstruction> {
    let (obstacle, _) = obstruct(context, &[*authority])?;
    let why = obstacle.message;
    Some(if obstacle.reason == reason::list::CLOCK_SKEW { Obstruction::ClockSkew { why } } else { Obstruction::Register { why } })
}

/// What is in the way, and how a person says that it is to go on all the same.
fn confirmable(obstacle: &Obstruction, number: Option<CrlNumber>) -> String {
    match (obstacle, number) {
        (Obstruction::RolledBack { .. } | Obstruction::AheadOfClock { .. }, Some(number)) => {
            format!("{obstacle}: annotate the RevocationList with {}={number}", names::CONFIRM_ROLLBACK)
        }
        _ => obstacle.to_string(),
    }
}

async fn standing(context: &Context, authority: &KeyId) -> Result<Arc<Standing>, Fault> {
    if let Some(standing) = context.press.standing(authority) {
        return Ok(standing);
    }
    let standing = Arc::new(context.press.publisher.read(authority).await.map_err(fault)?);
    if let Some(why) = &standing.unreadable {
        tracing::error!(%authority, why, "the head of an authority's lists cannot be read, and is made anew");
    }
    if standing.published.is_none() {
        // No list says what the next one must not lose: the register has to be known to its end.
        context.world.registers.look(RegisterId::Authority(*authority)).await?;
    }
    context.press.stands(authority, Some(Arc::clone(&standing)));
    Ok(standing)
}

/// Carries out what nobody ordered by hand, where the list that would have said how much is gone. Returns when there is room for
/// what is left.
async fn carry_out(context: &Context, authority: &KeyId, most: u32) -> Result<Option<Timestamp>, Fault> {
    let id = RegisterId::Authority(*authority);
    let limits = Limits { most, confirmed_before: None };
    let now = context.world.now();
    let carried = context.world.registers.index().ledger(&id, |ledger| automatic::carry_out(ledger, limits, super::super::ACTOR, now));
    let appended = join_all(carried.entries.into_iter().map(|entry| context.world.registers.append(id, entry))).await;
    for line in appended {
        line?;
    }
    Ok(carried.again)
}

/// Looks for chunks that nobody names, now and then. Best effort.
async fn sweep(context: &Context, authority: &KeyId, now: Timestamp) {
    if context.press.swept(authority).is_some_and(|last| add(last, SWEEP) > now) {
        return;
    }
    context.press.sweeps(*authority, now);
    match context.press.publisher.sweep(authority, now).await {
        Ok(0) => {}
        Ok(swept) => tracing::info!(%authority, swept, "chunks of lists that were never published were deleted"),
        Err(error) => tracing::debug!(%authority, %error, "chunks of lists could not be looked for"),
    }
}

/// The last certificate has ended, and so has the list that was made after that.
async fn end(context: &Context, authority: &KeyId) -> Result<(), Fault> {
    context.press.publisher.end(authority).await.map_err(fault)?;
    delegate::remove(context, authority).await?;
    context.world.lists.remove(authority);
    context.press.forget(authority);
    tracing::info!(%authority, "the last certificate has ended, and so have the authority's lists");
    Ok(())
}

pub(super) fn fault(error: ListError) -> Fault {
    match error {
        ListError::NotLeading => Fault::NotLeading,
        ListError::Late | ListError::Taken { .. } => Fault::Stale,
        error if error.waiting_helps() => Fault::Unavailable(error.to_string()),
        error => super::super::failed(error.to_string()),
    }
}
