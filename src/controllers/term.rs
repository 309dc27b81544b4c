//! One term in office: from the lease to its loss or the end of the process.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, debug_span, field::Empty};

use super::{Key, checkpoints, housekeeping, queue::Queue, react::Reactor};
use crate::{
    apply::{self, Context, Fault, Interrupted},
    plan::{budget, renewal::add},
    telemetry::Heartbeat,
};

/// How many reconciles run at once. More than requests may be in flight, so that those that wait for the register share its write.
const AT_ONCE: usize = 64;
/// How long what runs may take to end.
const GRACE: Duration = Duration::from_secs(20);
/// How long a Certificate rests at most whose status the API server refuses for good, or which it may not be written for.
const LONGEST_REFUSAL: SignedDuration = SignedDuration::from_hours(1);
/// How long to wait before looking again after another's write, in milliseconds: its watch event is on the way. Doubled each time.
const STALE: i64 = 100;
/// The same for an issuer.
const ISSUER_STALE: SignedDuration = SignedDuration::from_millis(500);
/// How long to wait where the fence said no.
const FENCED: SignedDuration = SignedDuration::from_secs(5);
/// How long a key may take to be made.
const KEY_PENDING: SignedDuration = SignedDuration::from_mins(10);
/// How long to wait after a panic, which is a defect.
const PANICKED: SignedDuration = SignedDuration::from_mins(1);

/// Works until `over`, then ends what runs.
pub(super) async fn serve(
    context: &Arc<Context>,
    reactor: &Reactor,
    beat: &Heartbeat,
    checkpoint_interval: Duration,
    over: &CancellationToken,
) {
    let world = &context.world;
    if !unless_over(open(context), beat, over).await {
        end(context, reactor);
        return;
    }
    let queue = Arc::new(Queue::new(Arc::clone(&world.clock)));
    reactor.work.begin(Arc::clone(&queue));
    // Issuers first: a Certificate whose issuer was not looked at can only wait for it.
    let first = stream::iter(world.issuers.all()).for_each_concurrent(8, |issuer| async move {
        self::issuer(context, reactor, &issuer.key, false).await;
        reactor.line_up(&issuer.key);
    });
    if !unless_over(first, beat, over).await {
        end(context, reactor);
        return;
    }
    // Then what is published: certificates carry where their lists are, and say whether a revocation stands on one.
    if !unless_over(publications(context), beat, over).await {
        end(context, reactor);
        return;
    }
    // What a register has lost comes back before anything is decided or published by it.
    if !unless_over(first_copies(context, reactor), beat, over).await {
        end(context, reactor);
        return;
    }
    reactor.everything();
    tracing::info!(certificates = world.certificates.len(), issuers = world.issuers.len(), "leading");

    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut housekeeping = std::pin::pin!(housekeeping::run(context));
    let mut checkpoints = std::pin::pin!(checkpoints::run(context, checkpoint_interval));
    let mut keys = std::pin::pin!(context.rsa.run(|certificate| reactor.push_certificate(certificate)));
    loop {
        while running.try_join_next().is_some() {}
        let work = async {
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((slot, queue.next().await?))
        };
        tokio::select! {
            biased;
            () = over.cancelled() => break,
            () = &mut housekeeping => {}
            () = &mut checkpoints => {}
            () = &mut keys => {}
            () = pulse(beat) => {}
            next = work => {
                let Some((slot, ticket)) = next else { break };
                let (context, reactor) = (Arc::clone(context), reactor.clone());
                running.spawn(async move {
                    let key = ticket.key().clone();
                    let done = AssertUnwindSafe(work_on(&context, &reactor, &key)).catch_unwind().await;
                    if done.is_err() {
                        tracing::error!(?key, "a reconcile panicked, which is a defect; it is tried again");
                        reactor.work.push_at(key, 0, add(context.world.now(), PANICKED));
                    }
                    drop(ticket);
                    drop(slot);
                });
            }
        }
    }
    reactor.work.end();
    let ended = tokio::time::timeout(GRACE, async { while running.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(left = running.len(), "what still ran was broken off");
    }
    running.abort_all();
    end(context, reactor);
}

/// Lets go of what is held only while we lead: the work, the keys of authorities, what the registers say.
fn end(context: &Context, reactor: &Reactor) {
    reactor.work.end();
    context.world.book.clear();
    context.world.lists.clear();
    context.press.clear();
    context.checkpoints.clear();
    context.world.vouch_for_none();
    context.rsa.clear();
    context.world.registers.reset();
}

/// Does something that may take long, while the process shows that it lives. False when the term ended first.
async fn unless_over(work: impl Future, beat: &Heartbeat, over: &CancellationToken) -> bool {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            () = over.cancelled() => return false,
            _ = &mut work => return true,
            () = pulse(beat) => {}
        }
    }
}

async fn work_on(context: &Context, reactor: &Reactor, key: &Key) {
    match key {
        Key::Certificate(name) => certificate(context, reactor, name).await,
        Key::Issuer(key) => issuer(context, reactor, key, true).await,
        Key::List(name) => {
            let begun = tokio::time::Instant::now();
            let span = debug_span!("reconcile", kind = "RevocationList", namespace = &*name.namespace, name = &*name.name, outcome = Empty);
            let done = apply::reconcile_list(context, name).boxed().instrument(span.clone()).await;
            ended(&span, done.as_ref().err());
            of_lists(context, reactor, key, &name.to_string(), begun, done);
        }
        Key::Publication(authority) => {
            let begun = tokio::time::Instant::now();
            let span = debug_span!("reconcile", kind = "authority", name = %authority, outcome = Empty);
            let done = apply::keep_published(context, authority).boxed().instrument(span.clone()).await;
            ended(&span, done.as_ref().err());
            of_lists(context, reactor, key, &authority.to_string(), begun, done);
        }
        Key::Copies => {
            if copies(context, reactor).await {
                reactor.everything();
            }
        }
    }
}

/// Tells that the loop goes on, also when there is nothing to do.
async fn pulse(beat: &Heartbeat) {
    beat.beat();
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// Reads the registers; retried, since nothing can be signed without them.
async fn open(context: &Context) {
    let mut pause = Duration::from_millis(500);
    while let Err(error) = context.world.registers.open().await {
        tracing::error!(%error, "the registers could not be opened, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// Reads what is published; retried, since what is not known cannot be kept up.
async fn publications(context: &Context) {
    let mut pause = Duration::from_millis(500);
    while let Err(fault) = apply::read_publications(context).await {
        tracing::error!(?fault, "what is published could not be read, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// Takes in what was handed in before anything is decided; retried, since what is decided without it is decided wrongly.
async fn first_copies(context: &Context, reactor: &Reactor) {
    let mut pause = Duration::from_millis(500);
    loop {
        match apply::take_copies(context).boxed().await {
            Ok(taken) => {
                if let Some(at) = taken.again {
                    reactor.work.push_at(Key::Copies, 0, at);
                }
                return;
            }
            Err(interrupted) => {
                let fault = interrupted.fault;
                tracing::error!(?fault, "what was handed in for the registers could not be taken in, trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// Takes in copies of registers that were handed in; whether something came back by it.
async fn copies(context: &Context, reactor: &Reactor) -> bool {
    let now = context.world.now();
    let (changed, again) = match apply::take_copies(context).boxed().await {
        Ok(taken) => (taken.changed, taken.again),
        Err(Interrupted { fault, changed }) => {
            if !matches!(fault, Fault::NotLeading) {
                tracing::warn!(?fault, "what was handed in for the registers could not be taken in, and is tried again");
            }
            (changed, Some(add(now, FENCED)))
        }
    };
    if let Some(at) = again {
        reactor.work.push_at(Key::Copies, 0, at);
    }
    changed
}

async fn certificate(context: &Context, reactor: &Reactor, name: &crate::observe::Name) {
    let begun = tokio::time::Instant::now();
    let span = debug_span!("reconcile", kind = "Certificate", namespace = &*name.namespace, name = &*name.name, outcome = Empty);
    let done = apply::reconcile(context, name).instrument(span.clone()).await;
    ended(&span, done.as_ref().err());
    let class = done.as_ref().err().map(class);
    context.metrics.reconcile("certificate", begun.elapsed(), class);
    let again = match done {
        Ok(wake) => wake,
        Err(fault) => Some(retry(context, &fault, name)),
    };
    if let Some(at) = again {
        reactor.work.push_at(Key::Certificate(name.clone()), reactor.priority(name), at);
    }
}

fn retry(context: &Context, fault: &Fault, name: &crate::observe::Name) -> Timestamp {
    let now = context.world.now();
    match fault {
        // The queue goes with the term; where only the lease's renewal was late, the object must not be forgotten.
        Fault::NotLeading => add(now, FENCED),
        // It is told when its key is made. This is a net.
        Fault::KeyPending => add(now, KEY_PENDING),
        Fault::Stale => {
            let times = again(context, name).min(9);
            add(now, SignedDuration::from_millis(STALE.saturating_mul(1_i64 << times)))
        }
        Fault::Failed(failure) => {
            // Not even the status could be written, so the delay is remembered here.
            let times = again(context, name);
            tracing::warn!(certificate = %name, message = failure.message, times, "could not be reconciled");
            add(now, budget::backoff(i64::from(times) + 1).min(LONGEST_REFUSAL))
        }
        Fault::Unavailable(message) => {
            // The write may have happened.
            context.world.remember(name, |memory| memory.ask = true);
            let times = again(context, name);
            tracing::warn!(certificate = %name, message, times, "the API server did not take it");
            add(now, SignedDuration::from_secs(1_i64 << times.min(6)))
        }
    }
}

/// How often in a row it was tried before.
fn again(context: &Context, name: &crate::observe::Name) -> u32 {
    let mut times = 0;
    context.world.remember(name, |memory| {
        times = memory.unavailable;
        memory.unavailable = times.saturating_add(1);
    });
    times
}

async fn issuer(context: &Context, reactor: &Reactor, key: &crate::api::IssuerKey, wake_certificates: bool) {
    let begun = tokio::time::Instant::now();
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let span = debug_span!("reconcile", kind = key.kind.as_str(), namespace, name = key.name, outcome = Empty);
    let done = apply::reconcile_issuer(context, key).instrument(span.clone()).await;
    ended(&span, done.wake.as_ref().err());
    let class = done.wake.as_ref().err().map(class);
    context.metrics.reconcile("issuer", begun.elapsed(), class);
    let now = context.world.now();
    if done.changed && wake_certificates {
        reactor.issuer_changed(key);
    }
    let again = match done.wake {
        Ok(wake) => wake,
        Err(Fault::NotLeading | Fault::KeyPending) => Some(add(now, FENCED)),
        Err(Fault::Stale) => Some(add(now, ISSUER_STALE)),
        Err(Fault::Failed(failure)) => {
            tracing::warn!(issuer = %key, message = failure.message, "could not be reconciled");
            Some(add(now, SignedDuration::from_mins(1)))
        }
        Err(Fault::Unavailable(message)) => {
            tracing::warn!(issuer = %key, message, "the API server did not take it");
            Some(add(now, SignedDuration::from_secs(5)))
        }
    };
    if let Some(at) = again {
        reactor.work.push_at(Key::Issuer(key.clone()), 0, at);
    }
}

fn of_lists(
    context: &Context,
    reactor: &Reactor,
    key: &Key,
    name: &str,
    begun: tokio::time::Instant,
    done: Result<Option<Timestamp>, Fault>,
) {
    context.metrics.reconcile("list", begun.elapsed(), done.as_ref().err().map(class));
    let now = context.world.now();
    let again = match done {
        Ok(wake) => wake,
        Err(Fault::NotLeading | Fault::KeyPending) => Some(add(now, FENCED)),
        Err(Fault::Stale) => Some(add(now, ISSUER_STALE)),
        Err(Fault::Failed(failure)) => {
            tracing::warn!(list = name, message = failure.message, "could not be reconciled");
            Some(add(now, SignedDuration::from_mins(1)))
        }
        Err(Fault::Unavailable(message)) => {
            tracing::warn!(list = name, message, "the API server did not take it");
            Some(add(now, SignedDuration::from_secs(2)))
        }
    };
    if let Some(at) = again {
        reactor.work.push_at(key.clone(), 0, at);
    }
}

/// Notes in a reconcile's span what came of it.
fn ended(span: &Span, fault: Option<&Fault>) {
    span.record("outcome", fault.map_or("done", class));
}

fn class(fault: &Fault) -> &'static str {
    match fault {
        Fault::KeyPending => "key pending",
        Fault::Stale => "stale",
        Fault::NotLeading => "not leading",
        Fault::Unavailable(_) => "unavailable",
        Fault::Failed(_) => "failed",
    }
}
