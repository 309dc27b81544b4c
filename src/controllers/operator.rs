//! The whole of `chancery controller`: watches, the election, and the terms in office.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Api, api::PartialObjectMeta};
use kube_runtime::watcher;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Work, holdings,
    react::Reactor,
    term,
    watch::{self, Watched},
};
use crate::{
    api::{Certificate, ClusterIssuer, Issuer, RevocationList, names},
    apply::{Checkpoints, Context, Press, RsaLane, Writer, slim},
    cluster::{Clock, Cluster, ConnectError, MAX_SKEW, Options, Recorder},
    lease::{self, Elector, TermsError},
    lists::{self, Publisher},
    observe::{Cached as _, Change, IssuerObject, Mark, NamespaceMark, PartMark, Scope, World},
    plan::renewal::add,
    register::{Batch, KubeStore, RegisterId, Registers},
    telemetry::{Append, Health, Metrics, Role, Server, ServerError},
};

/// How long Events that wait may take at the end.
const EVENTS: Duration = Duration::from_secs(3);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace.
    pub namespace: String,
    /// The namespaces that are watched; empty for all, and ClusterIssuers too.
    pub watch: Vec<String>,
    /// The namespaces that are not, where all others are.
    pub exclude: Vec<String>,
    /// The Lease.
    pub lease: String,
    /// How long others wait after our last sign of life.
    pub lease_duration: Duration,
    /// Where health and metrics are served.
    pub http: SocketAddr,
    /// The pod or host.
    pub host: String,
    /// How long after a change at the latest there is a checkpoint of the registers; zero for none.
    pub checkpoint_interval: Duration,
    /// How many Certificates get metrics of their own.
    pub certificate_series: usize,
}

/// Why the operator cannot start.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// There is no way to the API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The lease's duration cannot be used.
    #[error("--lease-duration: {0}")]
    Lease(#[from] TermsError),
    /// The address is taken, or not ours.
    #[error("--http-address: {0}")]
    Http(#[from] ServerError),
}

/// Runs until `stop`: takes no more work, ends what runs, gives the lease back.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: Settings, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<(), OperatorError> {
    let checkpoint_interval = settings.checkpoint_interval;
    let metrics = Metrics::new(settings.certificate_series);
    let health = Health::default();
    let cluster = Cluster::connect(Options::new(Arc::clone(&clock), metrics.clone())).await?;
    let server = Server::bind(settings.http, health.clone(), metrics.clone()).await?;
    tracing::info!(address = %server.address(), "serving /livez, /readyz and /metrics");
    let elector = Elector::new(
        cluster.lease_client.clone(),
        lease::Options {
            namespace: settings.namespace.clone(),
            name: settings.lease.clone(),
            host: settings.host.clone(),
            duration: settings.lease_duration,
            clock: Arc::clone(&clock),
        },
    )?;
    let term = elector.term();
    let fence: Arc<dyn lease::Fence> = term.clone();
    cluster.hold_writes_to(Arc::clone(&fence));
    let registers = registers(&cluster, &settings, &fence, &clock, &metrics);
    let world = Arc::new(World::new(
        settings.namespace.clone(),
        Scope { watch: settings.watch.clone(), exclude: settings.exclude.clone() },
        registers,
        cluster.skew.clone(),
        Arc::clone(&clock),
    ));
    let (recorder, delivery) =
        Recorder::new(cluster.client.clone(), Arc::clone(&fence), Arc::clone(&clock), metrics.clone(), &settings.host);
    let reactor = Reactor { world: Arc::clone(&world), work: Arc::new(Work::default()) };
    metrics.watch_queue("work", reactor.work.clone());
    let waking = reactor.clone();
    let (recorded, published) = (reactor.clone(), reactor.clone());
    let store = KubeStore::new(Api::<ConfigMap>::namespaced(cluster.client.clone(), &settings.namespace));
    let context = Arc::new(Context {
        world,
        client: cluster.client.clone(),
        checkpoints: Checkpoints::default(),
        press: Press::new(Publisher::new(Arc::new(store), Arc::clone(&fence))),
        writer: Writer::new(cluster.client.clone(), fence),
        recorder,
        metrics: metrics.clone(),
        rsa: RsaLane::new(Arc::clone(&clock)),
        wrote_secret: Box::new(move |secret| waking.issuers_of(secret)),
        revoked: Box::new(move |authority| recorded.revoked(authority)),
        published: Box::new(move |owners| published.listed(owners)),
    });

    let held = Arc::downgrade(&context);
    metrics.watch_holdings(move || held.upgrade().map(|context| holdings::look(&context, checkpoint_interval)).unwrap_or_default());

    let (running, end_http, end_events, end_election) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let http = tokio::spawn(server.run(end_http.clone()));
    let events = tokio::spawn(delivery.run(end_events.clone(), EVENTS));
    let watches = tokio::spawn(watch(settings, cluster, reactor.clone(), Arc::clone(&context), health.clone(), running.clone()));
    let beat = health.heartbeat("term");

    tokio::select! {
        () = running.cancelled() => tracing::info!("all watches have shown all there is"),
        () = stop.cancelled() => {}
        () = async { loop { beat.beat(); tokio::time::sleep(Duration::from_secs(5)).await; } } => {}
    }
    let election = tokio::spawn(elector.run(end_election.clone()));
    let mut leading = term.leading();
    while !stop.is_cancelled() {
        let elected = async {
            loop {
                beat.beat();
                if *leading.borrow_and_update() {
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_secs(5), leading.changed()).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = elected => {}
        }
        health.set_role(Role::Leading);
        metrics.leader(true);
        let over = stop.child_token();
        let mut watching = term.leading();
        let lost = over.clone();
        let guard = tokio::spawn(async move {
            while *watching.borrow_and_update() {
                if watching.changed().await.is_err() {
                    break;
                }
            }
            lost.cancel();
        });
        term::serve(&context, &reactor, &beat, checkpoint_interval, &over).await;
        guard.abort();
        health.set_role(Role::Standby);
        metrics.leader(false);
        // What is told of Certificates is the leader's to tell.
        metrics.certificates().clear();
        metrics.lists().clear();
        if !stop.is_cancelled() {
            tracing::warn!("the lease is lost: standing by");
        }
    }
    health.stopping();
    tracing::info!("stopping");
    end_events.cancel();
    let _ = events.await;
    end_election.cancel();
    let _ = election.await;
    watches.abort();
    end_http.cancel();
    let _ = http.await;
    Ok(())
}

fn registers(
    cluster: &Cluster,
    settings: &Settings,
    fence: &Arc<dyn lease::Fence>,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> Registers {
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), &settings.namespace);
    let clock = Arc::clone(clock);
    let skew = cluster.skew.clone();
    // The register trusts the API server's clock where ours is off: a line's time orders it, and what has ended is forgotten.
    let now: crate::register::Clock = Arc::new(move || -> Timestamp {
        let ours = clock.now();
        match skew.check(MAX_SKEW) {
            Ok(()) => ours,
            Err(_) => skew.last().map_or(ours, |skew| add(ours, -skew)),
        }
    });
    Registers::new(api, Arc::clone(fence), now, Arc::new(Counted(metrics.clone())))
}

/// Counts what the registers do.
struct Counted(Metrics);

impl crate::register::Observer for Counted {
    fn appended(&self, _: &RegisterId, batch: Batch) {
        self.0.register_append(Append { lines: batch.lines, bytes: batch.bytes, took: batch.took });
    }

    fn conflicted(&self, _: &RegisterId) {
        self.0.register_conflict();
    }

    fn failed(&self, _: &RegisterId) {
        self.0.register_failure();
    }

    fn sealed(&self, _: &RegisterId) {
        self.0.register_sealed();
    }
}

/// Feeds the caches for ever; `running` says when each watch has shown all there is.
async fn watch(settings: Settings, cluster: Cluster, reactor: Reactor, context: Arc<Context>, health: Health, running: CancellationToken) {
    let client = &cluster.client;
    let world = &reactor.world;
    let scopes: Vec<Option<String>> =
        if settings.watch.is_empty() { vec![None] } else { settings.watch.iter().cloned().map(Some).collect() };
    let excluded = settings.exclude.iter().map(|namespace| format!("metadata.namespace!={namespace}")).collect::<Vec<_>>().join(",");
    let config = |scope: &Option<String>| {
        let config = watcher::Config::default();
        if scope.is_none() && !excluded.is_empty() { config.fields(&excluded) } else { config }
    };
    let done = Arc::new(Semaphore::new(0));
    let mut feeds: Vec<futures::future::BoxFuture<'_, ()>> = Vec::new();
    // The operator's own namespace holds the Secrets of ClusterIssuers, and copies of authorities' keys.
    let mut secret_scopes = scopes.clone();
    if !settings.watch.is_empty() && !settings.watch.contains(&settings.namespace) {
        secret_scopes.push(Some(settings.namespace.clone()));
    }
    for (number, scope) in scopes.iter().enumerate() {
        let watched = Watched {
            api: namespaced::<Certificate>(client, scope.as_deref()),
            config: config(scope),
            number,
            scope: scope.clone().map_or(watch::Scope::Namespaces, watch::Scope::Namespace),
            synced: health.gate("certificates"),
            what: "certificates",
        };
        feeds.push(Box::pin(watched.feed(&world.certificates, slim, |change| reactor.certificate(&change), Arc::clone(&done))));
        let watched = Watched {
            api: namespaced::<Issuer>(client, scope.as_deref()),
            config: config(scope),
            number,
            scope: scope.clone().map_or(watch::Scope::Namespaces, watch::Scope::Namespace),
            synced: health.gate("issuers"),
            what: "issuers",
        };
        feeds.push(Box::pin(watched.feed(&world.issuers, IssuerObject::namespaced, |change| reactor.issuer(&change), Arc::clone(&done))));
    }
    // The lists of ClusterIssuers stand in the operator's own namespace.
    for (number, scope) in scopes.iter().enumerate() {
        let watched = Watched {
            api: namespaced::<RevocationList>(client, scope.as_deref()),
            config: config(scope),
            number,
            scope: scope.clone().map_or(watch::Scope::Namespaces, watch::Scope::Namespace),
            synced: health.gate("revocationlists"),
            what: "revocationlists",
        };
        feeds.push(Box::pin(watched.feed(&world.revocation_lists, |list| list, |change| reactor.list(&change), Arc::clone(&done))));
    }
    // What is published, and lists and copies of registers that are handed in: only that they change, not what they hold.
    let parts = [
        (names::LIST, &world.list_parts, "lists"),
        (names::IMPORT, &world.imports, "imports"),
        (names::REGISTER_IMPORT, &world.register_imports, "registerimports"),
    ];
    for (label, cache, gate) in parts {
        let watched = Watched {
            api: Api::<PartialObjectMeta<ConfigMap>>::namespaced(client.clone(), &settings.namespace),
            config: watcher::Config::default().labels(label),
            number: 0,
            scope: watch::Scope::Namespace(settings.namespace.clone()),
            synced: health.gate(gate),
            what: gate,
        };
        let changed = |change| list_part(&context, &reactor, label, &change);
        feeds.push(Box::pin(watched.feed(cache, |part| PartMark::of(&part), changed, Arc::clone(&done))));
    }
    for (number, scope) in secret_scopes.iter().enumerate() {
        let watched = Watched {
            api: namespaced::<PartialObjectMeta<Secret>>(client, scope.as_deref()),
            config: config(scope),
            number,
            scope: scope.clone().map_or(watch::Scope::Namespaces, watch::Scope::Namespace),
            synced: health.gate("secrets"),
            what: "secrets",
        };
        feeds.push(Box::pin(watched.feed(&world.secrets, |secret| Mark::of(&secret), |change| reactor.secret(&change), Arc::clone(&done))));
    }
    if settings.watch.is_empty() {
        let watched = Watched {
            api: Api::<ClusterIssuer>::all(client.clone()),
            config: watcher::Config::default(),
            number: usize::MAX,
            scope: watch::Scope::Cluster,
            synced: health.gate("clusterissuers"),
            what: "clusterissuers",
        };
        feeds.push(Box::pin(watched.feed(&world.issuers, IssuerObject::cluster, |change| reactor.issuer(&change), Arc::clone(&done))));
        let watched = Watched {
            api: Api::<PartialObjectMeta<Namespace>>::all(client.clone()),
            config: watcher::Config::default(),
            number: 0,
            scope: watch::Scope::Cluster,
            synced: health.gate("namespaces"),
            what: "namespaces",
        };
        feeds.push(Box::pin(watched.feed(
            &world.namespaces,
            |namespace| NamespaceMark::of(&namespace),
            |change| reactor.namespace(&change),
            Arc::clone(&done),
        )));
    }
    let all = u32::try_from(feeds.len()).unwrap_or(u32::MAX);
    let complete = async {
        if done.acquire_many(all).await.is_ok() {
            running.cancel();
        }
    };
    tokio::join!(complete, futures::future::join_all(feeds));
}

/// A part of what is published changed, or a list was handed in.
fn list_part(context: &Context, reactor: &Reactor, label: &str, change: &Change<PartMark>) {
    let (name, stands) = match change {
        Change::Applied { now, .. } => (now.name(), Some(now.resource_version())),
        Change::Deleted(mark) => (mark.name(), None),
    };
    if label == names::REGISTER_IMPORT {
        if stands.is_some() {
            reactor.copies();
        }
    } else if label == names::IMPORT {
        // One that goes leaves nothing to take in.
        if stands.is_some() {
            reactor.list_part(&name);
        }
    } else if let Some((authority, part)) = lists::part_of(&name.name)
        && context.press.is_news(&authority, part, &name.name, stands)
    {
        context.press.doubt(&authority);
        reactor.list_part(&name);
    }
}

fn namespaced<K>(client: &kube::Client, scope: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
