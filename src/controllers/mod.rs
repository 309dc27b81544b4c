//! Wiring: streams, fairness, backoff and shutdown. What to do is decided elsewhere.

mod checkpoints;
mod holdings;
mod housekeeping;
mod operator;
pub mod queue;
mod react;
mod term;
mod watch;

pub use operator::{OperatorError, Settings, run};

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chancery_pki::KeyId;
use jiff::Timestamp;
use queue::Queue;

use crate::{api::IssuerKey, observe::Name, telemetry::QueueGauge};

/// What is worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A Certificate.
    Certificate(Name),
    /// An issuer.
    Issuer(IssuerKey),
    /// A RevocationList: its orders, what it publishes, its status.
    List(Name),
    /// What is published of an authority that no RevocationList covers any more.
    Publication(KeyId),
    /// Copies of registers that were handed in.
    Copies,
}

impl Key {
    /// The queue that it stands in: its namespace's; issuers and lists have their own beside it, since Certificates wait for them. No
    /// namespace has a name with a slash.
    fn lane(&self) -> String {
        match self {
            Self::Certificate(name) => name.namespace.to_string(),
            Self::Issuer(key) => format!("{}/issuers", key.namespace.as_deref().unwrap_or_default()),
            Self::List(name) => format!("{}/lists", name.namespace),
            Self::Publication(_) => "/lists".to_owned(),
            Self::Copies => "/registers".to_owned(),
        }
    }
}

/// The queue of the present term in office; nothing is queued while another leads.
#[derive(Debug, Default)]
pub(crate) struct Work(RwLock<Option<Arc<Queue<Key>>>>);

impl Work {
    /// Wants something worked on, the more urgently the smaller the priority.
    fn push(&self, key: Key, priority: i64) {
        if let Some(queue) = self.queue() {
            let lane = key.lane();
            queue.push(key, &lane, priority);
        }
    }

    /// Wants something worked on at a later time.
    fn push_at(&self, key: Key, priority: i64, at: Timestamp) {
        if let Some(queue) = self.queue() {
            let lane = key.lane();
            queue.push_at(key, &lane, priority, at);
        }
    }

    /// Wants something worked on no more.
    fn forget(&self, key: &Key) {
        if let Some(queue) = self.queue() {
            queue.forget(key);
        }
    }

    fn begin(&self, queue: Arc<Queue<Key>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(queue);
    }

    fn end(&self) {
        if let Some(queue) = self.0.write().unwrap_or_else(PoisonError::into_inner).take() {
            queue.close();
        }
    }

    fn queue(&self) -> Option<Arc<Queue<Key>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl QueueGauge for Work {
    fn depth(&self) -> (usize, usize, usize) {
        self.queue().map_or((0, 0, 0), |queue| QueueGauge::depth(&*queue))
    }

    fn oldest_waiting(&self) -> Duration {
        self.queue().map_or(Duration::ZERO, |queue| queue.oldest_waiting())
    }
}
