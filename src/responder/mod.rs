//! `chancery responder`: serves revocation lists, OCSP answers and the certificates of authorities over HTTP.
//!
//! It reads the operator's namespace and writes nothing. It holds no CA's key: OCSP answers are signed with delegates' keys.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::routing::get;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use thiserror::Error;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    api::names,
    cluster::{Clock, Cluster, ConnectError, Options},
    lease::{Fence, NotLeading},
    observe::Wiped,
    register::{Document, Follower, KubeStore, LABEL},
    telemetry::{Health, Limits, Metrics, Server, ServerError, operations},
};

pub mod bucket;
pub mod cache;
pub mod caching;
pub mod counter;
pub mod decide;
pub mod delegate;
mod held;
mod keeper;
pub mod metrics;
pub mod route;
pub mod serve;
pub mod served;
pub mod shelf;
pub mod watch;

use bucket::Bucket;
use cache::Cache;
use counter::Counter;
use keeper::{Keeper, Message};
use metrics::{ResponderMetrics, Sample};
use served::Shared;
use watch::{Heard, News, Selection, watch};

/// ConfigMaps on one page of a list: heads and segments of registers have 64 KiB, chunks of lists up to 1 MiB.
const REGISTERS_PAGE: u32 = 32;
const LISTS_PAGE: u32 = 8;

/// What watches have told and the keeper has not yet looked at: a few MiB at most.
const WAITING: usize = 4;

/// How many lines `/troubles` has at most, before one that says how many more there are.
const LINES: usize = 100;

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace.
    pub namespace: String,
    /// Where lists, OCSP and certificates are served.
    pub http: SocketAddr,
    /// Where health and metrics are served.
    pub health: SocketAddr,
    /// How many OCSP answers a second are signed for one request alone.
    pub signatures: u32,
    /// How many octets of signed OCSP answers are kept.
    pub kept_bytes: usize,
}

/// Why the responder cannot start, or go on.
#[derive(Debug, Error)]
pub enum ResponderError {
    /// There is no way to the API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// What is served is kept up to date no more.
    #[error("what is served is kept up to date no more: {why}")]
    Keeper {
        /// What came of the keeper.
        why: String,
    },
    /// An address is taken, or not ours.
    #[error("{flag}: {error}")]
    Http {
        /// The flag that gives the address.
        flag: &'static str,
        /// What is wrong.
        error: ServerError,
    },
}

/// Runs until `stop`, then ends what has begun.
///
/// # Errors
/// When it cannot start, or when what is served would grow old unseen.
pub async fn run(settings: Settings, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<(), ResponderError> {
    let calls = Metrics::new(0);
    let cluster = Cluster::connect(Options::new(Arc::clone(&clock), calls)).await?;
    cluster.hold_writes_to(Arc::new(Never));
    let health = Health::default();
    let (metrics, shared, follower) = (ResponderMetrics::new(), Shared::default(), Follower::default());
    let heard = [Heard::nothing(), Heard::nothing()];
    let counter = Arc::new(Counter {
        served: shared.clone(),
        index: Arc::clone(follower.index()),
        kept: Cache::of_bytes(settings.kept_bytes),
        bucket: Bucket::a_second(settings.signatures),
        clock: Arc::clone(&clock),
        skew: cluster.skew.clone(),
        heard: heard.to_vec(),
        start: Instant::now(),
        metrics: metrics.clone(),
    });
    let looked_at = Arc::clone(&counter);
    metrics.look_at(move || Sample {
        served: looked_at.served.get(),
        silence: looked_at.silence(),
        skew: looked_at.skew.last(),
        now: looked_at.clock.now(),
    });
    let (alive, readied, told) = (health.clone(), (Arc::clone(&counter), health.clone()), (Arc::clone(&counter), health.clone()));
    let probes = operations(move || alive.live(), move || ready(&readied.0, &readied.1), move || metrics.encode())
        .route("/troubles", get(async move || troubles(&told.0, &told.1)));
    let operations = bind("--health-address", settings.health, probes, Limits::OPERATIONS).await?;
    let public = bind("--http-address", settings.http, serve::routes(counter), serve::LIMITS).await?;
    tracing::info!(address = %public.address(), health = %operations.address(), "serving lists, OCSP and certificates");

    let (sender, messages) = mpsc::channel(WAITING);
    let beat = health.heartbeat("keeper");
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), &settings.namespace);
    let store = Arc::new(KubeStore::new(api.clone()));
    let keeper = Keeper::new(follower, store, clock, shared);
    let handle = tokio::runtime::Handle::current();
    let ended = stop.clone();
    // Long lists are verified there, which would hold up requests.
    let keeping = tokio::task::spawn_blocking(move || {
        handle.block_on(async {
            tokio::select! {
                () = keeper.run(messages, move || beat.beat()) => {}
                () = ended.cancelled() => {}
            }
        });
    });
    let watching = tokio::spawn(watch_all(cluster, settings.namespace, api, heard, sender));
    let end = stop.child_token();
    let ending = async {
        end.cancelled().await;
        health.stopping();
    };
    let ((), (), (), kept) = tokio::join!(ending, operations.run(end.clone()), public.run(end.clone()), kept(keeping, &stop, &end));
    tracing::info!("stopping");
    watching.abort();
    kept
}

/// Waits for the keeper. When it ends before it should, all else ends as well: what is served would be frozen.
async fn kept(keeping: JoinHandle<()>, stop: &CancellationToken, end: &CancellationToken) -> Result<(), ResponderError> {
    let why = match keeping.await {
        Ok(()) if stop.is_cancelled() => return Ok(()),
        Ok(()) => "the watches have ended".to_owned(),
        Err(error) => error.to_string(),
    };
    end.cancel();
    Err(ResponderError::Keeper { why })
}

async fn bind(flag: &'static str, address: SocketAddr, routes: axum::Router, limits: Limits) -> Result<Server, ResponderError> {
    Server::over(address, routes, limits).await.map_err(|error| ResponderError::Http { flag, error })
}

/// Ready to be sent requests: all was read once, what is served is kept up to date, and the process does not end. A list that is
/// stale, a register that is broken or an API server that is silent are the same for all replicas: whoever took them out of service
/// for it would take what can be answered from those who ask.
fn ready(counter: &Counter, health: &Health) -> Result<String, String> {
    health.ready()?;
    health.live()?;
    let served = counter.served.get();
    match served.unread() {
        unread if unread.is_empty() => Ok(format!("ready, {} authorities\n", served.authorities.len())),
        unread => Err(lines(unread)),
    }
}

/// All that is stale, refused, missing or in doubt, a line each; nothing where all is well. Always an answer, so that nobody takes it
/// for a probe.
fn troubles(counter: &Counter, health: &Health) -> String {
    let served = counter.served.get();
    let troubles = served.troubles(counter.silence(), counter.clock.now());
    health.live().err().unwrap_or_default() + &lines(troubles)
}

/// So many lines, and how many more there are: thousands of authorities may have the same trouble at once.
fn lines(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(LINES);
    all.truncate(LINES);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all.into_iter().map(|line| line + "\n").collect()
}

/// A responder writes nothing, whatever its ServiceAccount may do.
#[derive(Debug)]
struct Never;

impl Fence for Never {
    fn check(&self) -> Result<(), NotLeading> {
        Err(NotLeading)
    }
}

async fn watch_all(cluster: Cluster, namespace: String, api: Api<ConfigMap>, heard: [Heard; 2], sender: mpsc::Sender<Message>) {
    let send = |message: Message| {
        let sender = sender.clone();
        // The keeper goes on until all senders are gone.
        async move { _ = sender.send(message).await }
    };
    let [registers, lists] = heard;
    let registers =
        watch(api.clone(), Selection::Label(LABEL, REGISTERS_PAGE), registers, Document::from, |news| send(Message::Registers(news)));
    let lists = watch(api, Selection::Label(names::LIST, LISTS_PAGE), lists, Document::from, |news| send(Message::Lists(news)));
    let secrets = Api::<Secret>::namespaced(cluster.client.clone(), &namespace);
    let delegates = delegate::SECRETS.chars().enumerate().map(|(number, digit)| {
        let selection = Selection::Name(format!("{}{digit}", names::DELEGATES_PREFIX));
        let keep = |secret: Secret| {
            let secret = Wiped::new(secret);
            secret.object().data.as_ref().map(delegate::read).unwrap_or_default()
        };
        watch(secrets.clone(), selection, Heard::nothing(), keep, move |news| {
            send(match news {
                News::All(all) => Message::Delegates(number, all.into_iter().next().unwrap_or_default()),
                News::Changed(delegates) => Message::Delegates(number, delegates),
                News::Gone(_) => Message::Delegates(number, BTreeMap::new()),
                News::Forbidden => Message::NoDelegates(number),
            })
        })
    });
    tokio::join!(registers, lists, futures::future::join_all(delegates));
}

#[cfg(test)]
mod tests;
