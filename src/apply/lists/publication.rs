//! Publishing the lists of one authority: read what stands, decide, put the number on record, sign, and make it current.
//!
//! It goes on for an authority whose RevocationList or issuer is gone, until its certificates have ended.

use std::{collections::BTreeMap, sync::Arc};

use chancery_pki::{Certificate as X509, CrlNumber, KeyId, SerialNumber};
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};
use jiff::{SignedDuration, Timestamp};

use super::{super::blocking, Context, Fault, copies, delegate, import, keys, note, obstruct, skewed, soonest};
use crate::{
    api::{RevocationList, names, reason},
    lists::{
        BuildError, Building, Built, Edition, Knows, ListEntry, ListError, ListName, Published, Settings, Standing, Survey, build, shard_of,
    },
    observe::{Cached as _, Coverage, ListSight, Name, World},
    plan::{
        delegate::OWNER,
        list::automatic::{self, Limits},
        observed::Obstacle,
        publication::{Delay, Noted, ObservedPublication, Obstacle as Obstruction, PublicationPlan, decide, effective},
        renewal::add,
    },
    register::{Act, Entry, Index, Ledger, Position, Register as _, RegisterId, Revocation, Standing as Recorded, Stands},
    telemetry::Publication,
};

/// When a delegate that could not be made is tried again.
const UNSERVED: SignedDuration = SignedDuration::from_mins(1);
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
    let coverage = context.world.lists.coverage(authority);
    if coverage.as_ref().and_then(|coverage| coverage.list.as_ref()).is_some_and(|list| context.world.revocation_lists.get(list).is_some())
    {
        // Another list covers it by now.
        return Ok(None);
    }
    if let Some(coverage) = coverage.filter(|_| obstruct(context, &[*authority]).is_none()) {
        carry_out(context, authority, coverage.head.settings.max_automatic).await?;
    }
    let order = Order { authority: *authority, chain: None, settings: None, list: None, current: false, winding_down: true };
    let done = publish(context, &order, context.world.now()).await?;
    if let Some((obstacle, _)) = &done.obstacle {
        tracing::warn!(%authority, reason = obstacle.reason, message = obstacle.message, "a list without a RevocationList is not kept up");
    }
    Ok(done.wake)
}

/// Sees to it that what is published is what the register says.
pub(super) async fn publish(context: &Context, order: &Order<'_>, now: Timestamp) -> Result<Done, Fault> {
    let authority = &order.authority;
    let turn = context.press.turn(authority);
    let _turn = turn.lock().await;
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
                if let Some((obstacle, helps)) = press(context, order, &standing, &chain, *edition, now).await? {
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

/// What is known of an authority without asking.
struct Sight {
    surveys: BTreeMap<u16, Survey>,
    last_number: Option<CrlNumber>,
    last_not_after: Option<Timestamp>,
    noted: Option<Noted>,
    stands: [Stands; 2],
    confirmed: bool,
    pending: usize,
    oldest: Option<Timestamp>,
}

impl Sight {
    fn of(
        context: &Context,
        order: &Order<'_>,
        published: Option<&Published>,
        settings: &Settings,
        chain: &[X509],
        now: Timestamp,
    ) -> Self {
        let index = context.world.registers.index();
        let id = RegisterId::Authority(order.authority);
        let head = published.map(|published| &published.head);
        let (surveys, last_number, last_not_after, waiting, oldest) = index.ledger(&id, |ledger| {
            let surveys = Survey::of(ledger, head, settings.shards, now);
            let waiting = ledger.pending().count();
            let oldest = ledger.pending().map(|(_, _, asked)| asked.time).min();
            (surveys, ledger.last_number(), last_end(ledger, chain), waiting, oldest)
        });
        let pending = waiting + surveys.values().map(|survey| survey.due + survey.waiting).sum::<usize>();
        let oldest = surveys.values().filter_map(|survey| survey.oldest).chain(oldest).min();
        let (noted, anchor) = order.list.map_or((None, None), |list| said(&list.object, &order.authority));
        let stands = |position: Option<&Position>| position.map_or(Stands::Unknown, |position| index.stands(&id, position));
        let number = head.map(|head| head.number).max(noted.map(|noted| noted.number));
        let by_import = context.press.confirmed(&order.authority).is_some_and(|of| Some(of) >= number);
        let confirmed = by_import
            || order.list.is_some_and(|list| {
                let value = list.object.metadata.annotations.as_ref().and_then(|annotations| annotations.get(names::CONFIRM_ROLLBACK));
                value.is_some() && value.map(String::as_str) == number.map(|number| number.to_string()).as_deref()
            });
        Self {
            stands: [stands(head.map(|head| &head.register)), stands(anchor.as_ref())],
            surveys,
            last_number,
            last_not_after,
            noted,
            confirmed,
            pending,
            oldest,
        }
    }
}

/// When the last certificate ends that a list is for; the certificates of those who answer for the authority are none of these.
fn last_end(ledger: &Ledger, chain: &[X509]) -> Option<Timestamp> {
    let leaves = ledger.certificates().filter(|(_, known)| known.owner.as_ref().is_none_or(|owner| owner.name != OWNER));
    let last = leaves.filter_map(|(_, known)| known.not_after).max();
    // Nothing that the authority signed is valid longer than it is itself.
    last.map(|last| chain.first().map_or(last, |own| last.min(own.not_after())))
}

/// What a status says of the authority's lists: the newest list, and the line of the register that it was made from.
fn said(list: &RevocationList, authority: &KeyId) -> (Option<Noted>, Option<Position>) {
    let Some(status) = list.status.as_ref().filter(|status| status.authority == Some(authority.to_string())) else { return (None, None) };
    let number: Option<CrlNumber> = status.number.as_deref().and_then(|number| number.parse().ok());
    let shards = || status.shards.iter();
    let updates =
        shards().map(|shard| shard.this_update.0).chain(shards().filter_map(|shard| shard.delta.as_ref().map(|delta| delta.this_update.0)));
    let noted = number.zip(updates.max()).map(|(number, this_update)| Noted { number, this_update });
    let anchor = status
        .register
        .as_ref()
        .map(|anchor| Position { sequence: u64::try_from(anchor.sequence).unwrap_or_default(), hash: anchor.hash.clone() });
    (noted, anchor)
}

fn list_name(list: &ListSight) -> ListName {
    ListName {
        namespace: list.name.namespace.to_string(),
        name: list.name.name.to_string(),
        uid: list.object.metadata.uid.clone().unwrap_or_default(),
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

/// Tells the others what is published.
fn cover(context: &Context, published: Option<&Published>, list: Option<&ListSight>, current: bool) {
    let Some(published) = published else { return };
    let head = &published.head;
    let before = context.world.lists.coverage(&head.authority);
    // At the beginning of a term nobody has looked at the list yet.
    let name = list.map(|list| list.name.clone()).or_else(|| {
        let of = head.list.as_ref()?;
        let name = Name::new(&of.namespace, &of.name);
        context.world.revocation_lists.get(&name).filter(|list| list.uid() == of.uid).map(|_| name)
    });
    let name_is_there = name.is_some();
    let wants_copies = list.is_some_and(|list| list.wanted.as_ref().is_ok_and(|wanted| wanted.ca_crl));
    let pem = wants_copies.then(|| copies::pem(published)).flatten();
    let coverage = Coverage {
        head: Arc::new(head.clone()),
        list: name,
        current: current || (list.is_none() && name_is_there && before.is_none()),
        pem: pem.map(Arc::new),
    };
    let same = before.is_some_and(|before| {
        before.head == coverage.head && before.list == coverage.list && before.current == coverage.current && before.pem == coverage.pem
    });
    if !same {
        let before = context.world.lists.put(coverage);
        (context.published)(&newly_listed(context, &head.authority, before.as_deref()));
    }
}

/// The Certificates whose revocations stand on a list now, and did not before; and those who wait for another list in their Secrets.
fn newly_listed(context: &Context, authority: &KeyId, before: Option<&Coverage>) -> Vec<Name> {
    let Some(now) = context.world.lists.coverage(authority) else { return Vec::new() };
    let mut owners: Vec<Name> = context.world.registers.index().ledger(&RegisterId::Authority(*authority), |ledger| {
        let is_new = |serial: &SerialNumber, revocation: &Revocation| {
            now.is_published(serial, revocation) && before.is_none_or(|before| !before.is_published(serial, revocation))
        };
        let revoked = ledger.revoked().filter(|(serial, _, revocation)| is_new(serial, revocation)).map(|(_, known, _)| known);
        let released = ledger.certificates().filter(|(serial, known)| match &known.standing {
            Recorded::Released(release) => is_new(serial, release),
            _ => false,
        });
        let new = revoked.chain(released.map(|(_, known)| known));
        new.filter_map(|known| known.owner.as_ref()).map(|owner| Name::new(&owner.namespace, &owner.name)).collect()
    });
    if before.is_none_or(|before| before.pem != now.pem) {
        let asks = |certificate: &Arc<crate::api::Certificate>| {
            certificate.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(names::CA_CRL))
        };
        owners
            .extend(context.world.certificates.all().iter().filter(|certificate| asks(certificate)).map(|certificate| certificate.name()));
    }
    owners.sort();
    owners.dedup();
    owners
}

/// Once a person has confirmed that the register went back: what the lists that stand show and it has lost goes on record again.
async fn record_again(context: &Context, authority: &KeyId, published: Option<&Published>) -> Result<(), Fault> {
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
async fn press(
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
        blocking(move || make(world.registers.index(), &authority, &key, &standing, &chain, &edition)).await?
    };
    let built = match made {
        Ok(built) => built,
        Err(why) => {
            tracing::error!(%authority, %why, "a list was not published");
            context.metrics.guard_tripped();
            let reason = if matches!(why, BuildError::NoUrl) { reason::INVALID_SPEC } else { reason::list::GUARD_TRIPPED };
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

/// The same as [`answer`], where what fails does not keep lists from being published; it is tried again.
async fn served(
    context: &Context,
    order: &Order<'_>,
    settings: &Settings,
    chain: &[X509],
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    match answer(context, order, settings, chain, now).await {
        Ok(wake) => Ok(wake),
        Err(Fault::NotLeading) => Err(Fault::NotLeading),
        Err(fault) => {
            tracing::warn!(authority = %order.authority, ?fault, "no OCSP delegate could be made");
            Ok(Some(add(now, UNSERVED)))
        }
    }
}

/// Carries out what nobody ordered by hand, where the list that would have said how much is gone.
async fn carry_out(context: &Context, authority: &KeyId, most: u32) -> Result<(), Fault> {
    let id = RegisterId::Authority(*authority);
    let limits = Limits { most, confirmed_before: None };
    let now = context.world.now();
    let carried = context.world.registers.index().ledger(&id, |ledger| automatic::carry_out(ledger, limits, super::super::ACTOR, now));
    let appended = join_all(carried.entries.into_iter().map(|entry| context.world.registers.append(id, entry))).await;
    for line in appended {
        line?;
    }
    Ok(())
}

/// Sees to it that the authority has somebody who answers for it, while it has certificates that anyone could ask about.
async fn answer(
    context: &Context,
    order: &Order<'_>,
    settings: &Settings,
    chain: &[X509],
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let authority = &order.authority;
    let last = context.world.registers.index().ledger(&RegisterId::Authority(*authority), |ledger| last_end(ledger, chain));
    if settings.ocsp.is_none() || !(order.current || last.is_some_and(|last| last > now)) {
        delegate::remove(context, authority).await?;
        return Ok(None);
    }
    let key = match keys::of(context, authority).await? {
        Ok(key) => key,
        Err(obstacle) => {
            tracing::warn!(%authority, message = obstacle.message, "no OCSP delegate can be made");
            return Ok(None);
        }
    };
    let (Some(signer), Some(issuer)) = (key.key(), chain.first()) else { return Ok(None) };
    delegate::ensure(context, authority, issuer, chain, signer, now).await.map(Some)
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

fn fault(error: ListError) -> Fault {
    match error {
        ListError::NotLeading => Fault::NotLeading,
        ListError::Late | ListError::Taken { .. } => Fault::Stale,
        error if error.waiting_helps() => Fault::Unavailable(error.to_string()),
        error => super::super::failed(error.to_string()),
    }
}
