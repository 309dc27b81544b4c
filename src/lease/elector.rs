//! Runs a [`Claim`] against the API server, and is the [`Fence`] that all writers ask.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::claim::{Claim, Hold, Moment, Step, Terms, TermsError};
use super::{Fence, NotLeading};
use crate::cluster::{CallError, CallErrorKind, Clock};

/// Which lease, and as whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The pod or host; made unique to the process.
    pub host: String,
    /// How long others wait after our last sign of life. Whole seconds.
    pub duration: Duration,
    /// For the times that are written into the Lease.
    pub clock: Arc<dyn Clock>,
}

/// A candidate for a lease.
pub struct Elector {
    store: Arc<dyn LeaseStore>,
    claim: Claim,
    terms: Terms,
    term: Arc<Term>,
    namespace: String,
    name: String,
}

impl Elector {
    /// A candidate that does nothing until it is run. `client` should be the one kept for the lease.
    pub fn new(client: Client, options: Options) -> Result<Self, TermsError> {
        let store = Api::<Lease>::namespaced(client, &options.namespace);
        Self::with_store(Arc::new(store), options)
    }

    fn with_store(store: Arc<dyn LeaseStore>, options: Options) -> Result<Self, TermsError> {
        let Options { namespace, name, host, duration, clock } = options;
        let terms = Terms::new(duration)?;
        let identity = format!("{host}_{:016x}", u64::from_ne_bytes(random()));
        Ok(Self { store, claim: Claim::new(identity, terms), terms, term: Arc::new(Term::new(clock)), namespace, name })
    }

    /// The fence to put before each write; also says when leadership begins and ends.
    pub fn term(&self) -> Arc<Term> {
        Arc::clone(&self.term)
    }

    /// Stands for election until `stop`, then gives the lease back.
    ///
    /// Stop it after the work has ended: from then on [`Term`] says no.
    pub async fn run(mut self, stop: CancellationToken) {
        let term = Arc::clone(&self.term);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = term.announce() => {}
            () = self.campaign() => {}
        }
        self.term.set(None);
        self.release().await;
    }

    async fn campaign(&mut self) {
        loop {
            let jitter = u16::from_ne_bytes(random());
            let step = self.claim.next(self.term.now(), jitter);
            self.take(step).await;
            self.term.set(self.claim.hold());
        }
    }

    async fn take(&mut self, step: Step) {
        let sent = self.term.now();
        let answer = match step {
            Step::Wait(time) => return tokio::time::sleep(time).await,
            Step::Read => match self.limited(self.store.read(&self.name)).await {
                Ok(lease) => return self.claim.read(lease, self.term.now()),
                Err(error) => Err(error),
            },
            Step::Create(spec) => {
                let metadata =
                    ObjectMeta { name: Some(self.name.clone()), namespace: Some(self.namespace.clone()), ..ObjectMeta::default() };
                self.limited(self.store.create(Lease { metadata, spec: Some(spec) })).await
            }
            Step::Replace(lease) => self.limited(self.store.replace(&self.name, *lease)).await,
        };
        match answer {
            Ok(lease) => self.claim.written(lease, sent, self.term.now()),
            Err(error) if error.is_conflict() || error.is_not_found() => {
                debug!(%error, "another version of the lease stands");
                self.claim.refused();
            }
            Err(error) => {
                warn!(%error, "the lease could not be read or written");
                self.claim.failed();
            }
        }
    }

    /// A request gets half a hold, so that another attempt fits in before the hold ends.
    async fn limited<T>(&self, request: BoxFuture<'_, Result<T, CallError>>) -> Result<T, CallError> {
        let limit = self.terms.hold / 2;
        tokio::time::timeout(limit, request).await.unwrap_or_else(|_| {
            let what = format!("renew Lease {}/{}", self.namespace, self.name);
            Err(CallError { what, kind: CallErrorKind::Timeout, message: format!("no answer within {} s", limit.as_secs_f32()) })
        })
    }

    async fn release(&mut self) {
        // Our last renewal may still have been on its way: then the version is another, and one look suffices.
        for _ in 0..3 {
            let wall = self.term.now().wall;
            let Some(lease) = self.claim.release(wall) else { return };
            match self.limited(self.store.replace(&self.name, lease)).await {
                Ok(_) => {
                    info!(lease = %self.name, "gave the lease back");
                    return;
                }
                Err(error) if error.is_conflict() => match self.limited(self.store.read(&self.name)).await {
                    Ok(lease) => self.claim.read(lease, self.term.now()),
                    Err(error) => {
                        warn!(%error, "the lease could not be given back; it will run out");
                        return;
                    }
                },
                Err(error) => {
                    warn!(%error, "the lease could not be given back; it will run out");
                    return;
                }
            }
        }
    }
}

impl fmt::Debug for Elector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elector").field("claim", &self.claim).finish_non_exhaustive()
    }
}

/// Our time in office: shared by the elector, which prolongs it, and by all who write, who ask.
#[derive(Debug)]
pub struct Term {
    hold: Mutex<Option<Hold>>,
    changed: Notify,
    leading: watch::Sender<bool>,
    origin: Instant,
    clock: Arc<dyn Clock>,
}

impl Term {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { hold: Mutex::new(None), changed: Notify::new(), leading: watch::Sender::new(false), origin: Instant::now(), clock }
    }

    /// Changes when leadership begins and when it ends, at the latest when the hold does.
    ///
    /// For starting and stopping work. A write asks [`Fence::check`], which needs nobody to have run in time.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    fn now(&self) -> Moment {
        Moment { elapsed: self.origin.elapsed(), wall: self.clock.now() }
    }

    fn current(&self) -> Option<Hold> {
        let now = self.now();
        let hold = *self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        hold.filter(|hold| hold.lasts(now))
    }

    fn set(&self, hold: Option<Hold>) {
        let mut current = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == hold {
            return;
        }
        *current = hold;
        drop(current);
        self.publish(self.current().is_some());
        self.changed.notify_one();
    }

    fn publish(&self, leading: bool) {
        let changed = self.leading.send_if_modified(|last| std::mem::replace(last, leading) != leading);
        if changed {
            info!(leading, "leadership changed");
        }
    }

    /// Tells of the end of each hold when it comes, even while a renewal hangs.
    async fn announce(&self) {
        loop {
            if let Some(hold) = self.current() {
                let left = hold.left(self.now());
                let _ = tokio::time::timeout(left, self.changed.notified()).await;
            } else {
                self.publish(false);
                self.changed.notified().await;
            }
        }
    }
}

impl Fence for Term {
    fn check(&self) -> Result<(), NotLeading> {
        self.current().map(drop).ok_or(NotLeading)
    }
}

/// Where the lease is kept: compare-and-swap by resourceVersion.
trait LeaseStore: Send + Sync {
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Lease>, CallError>>;
    fn create(&self, lease: Lease) -> BoxFuture<'_, Result<Lease, CallError>>;
    fn replace<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Lease, CallError>>;
}

impl LeaseStore for Api<Lease> {
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Lease>, CallError>> {
        Box::pin(async move { self.get_opt(name).await.map_err(CallError::of("get", "Lease", self.namespace(), name)) })
    }

    fn create(&self, lease: Lease) -> BoxFuture<'_, Result<Lease, CallError>> {
        Box::pin(async move {
            let name = lease.metadata.name.clone().unwrap_or_default();
            self.create(&params(), &lease).await.map_err(CallError::of("create", "Lease", self.namespace(), &name))
        })
    }

    fn replace<'a>(&'a self, name: &'a str, lease: Lease) -> BoxFuture<'a, Result<Lease, CallError>> {
        Box::pin(
            async move { self.replace(name, &params(), &lease).await.map_err(CallError::of("update", "Lease", self.namespace(), name)) },
        )
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some("chancery".to_owned()), ..PostParams::default() }
}

/// Random bits; zeros where the generator fails, which costs nothing but the spread of retries, and an identity that
/// the host's name alone makes unique.
fn random<const N: usize>() -> [u8; N] {
    let mut bits = [0; N];
    let _ = aws_lc_rs::rand::fill(&mut bits);
    bits
}

#[cfg(test)]
mod tests;
