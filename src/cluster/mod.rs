//! The way to the API server: clients with limits, timeouts and counts, errors that say what can be done, Events.
//!
//! Nothing here retries: a failed call is reported, and whoever made it observes again and decides.

mod clock;
mod error;
mod events;
mod layer;
mod limit;
mod request;
mod skew;

#[cfg(test)]
mod layer_tests;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use thiserror::Error;

pub use clock::{Clock, SettableClock, SystemClock};
pub use error::{CallError, CallErrorKind, TimedOut};
pub use events::{CONTROLLER, Delivery, Note, Outbox, Recorder, Severity};
pub use layer::{CallLayer, CallService, LateFence};
pub use limit::{Answer, Limiter, Permit};
pub use request::RequestInfo;
pub use skew::{ClockSkew, MAX_SKEW, Skewed};

use crate::lease::Fence;
use crate::telemetry::Metrics;

/// How to talk to the API server.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one call may take, once it has its slot.
    pub call_timeout: Duration,
    /// How long one call of the lease's client may take.
    pub lease_timeout: Duration,
    /// How many calls may be in flight at once, before the server has complained.
    pub in_flight: u32,
    /// Our clock, compared with the server's.
    pub clock: Arc<dyn Clock>,
    /// Where calls are counted.
    pub metrics: Metrics,
}

impl Options {
    /// 30 s a call, 5 s for the lease, 16 in flight.
    pub fn new(clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self { call_timeout: Duration::from_secs(30), lease_timeout: Duration::from_secs(5), in_flight: 16, clock, metrics }
    }
}

/// A cluster that we can talk to.
#[derive(Clone)]
pub struct Cluster {
    /// For all but the lease: limited, timed, counted. Cheap to clone; every clone shares the limit.
    pub client: Client,
    /// For the lease alone: no limit, a short timeout, connections of its own.
    pub lease_client: Client,
    /// The last comparison of the clocks.
    pub skew: ClockSkew,
    /// The limit that `client` works under.
    pub limiter: Limiter,
    fence: LateFence,
}

impl Cluster {
    /// Connects as `KUBECONFIG` or `~/.kube/config` says, else as a pod does. Makes no call.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let config = Config::infer().await.map_err(|error| ConnectError::NoConfig(error.to_string()))?;
        Self::from_config(config, &options)
    }

    /// Connects as `config` says; its retry and read timeout are replaced. Makes no call. Needs a tokio runtime.
    pub fn from_config(mut config: Config, options: &Options) -> Result<Self, ConnectError> {
        // A retried POST answers AlreadyExists, and fifteen silent retries take minutes: failures are ours to see.
        config.default_retry = false;
        config.read_timeout = None;
        let agent = HeaderValue::from_static(concat!("chancery/", env!("CARGO_PKG_VERSION")));
        config.headers.push((header::USER_AGENT, agent));

        let skew = ClockSkew::default();
        let limiter = Limiter::new(options.in_flight);
        options.metrics.watch_limiter(limiter.clone());
        let fence = LateFence::default();
        let layer = |timeout, limiter, fence| {
            CallLayer::new(timeout, limiter, fence, Arc::clone(&options.clock), skew.clone(), options.metrics.clone())
        };
        let client = build(config.clone(), &layer(options.call_timeout, Some(limiter.clone()), Arc::clone(&fence)))?;
        config.connect_timeout = Some(options.lease_timeout);
        let lease_client = build(config, &layer(options.lease_timeout, None, LateFence::default()))?;
        Ok(Self { client, lease_client, skew, limiter, fence })
    }

    /// Holds the writes of `client` to this fence from now on, at the moment at which they are sent; the first one given counts.
    pub fn hold_writes_to(&self, fence: Arc<dyn Fence>) {
        let _ = self.fence.set(fence);
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("skew", &self.skew).field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

/// There is no way to the API server.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The configuration cannot be used.
    #[error("the API server's configuration cannot be used: {0}")]
    BadConfig(String),
    /// There is no configuration.
    #[error("no way to an API server: {0}")]
    NoConfig(String),
}

fn build(config: Config, layer: &CallLayer) -> Result<Client, ConnectError> {
    let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::BadConfig(error.to_string()))?;
    Ok(builder.with_layer(layer).build())
}
