//! The one lane in which RSA keys are made: each takes up to seconds of a processor, and a tenant may ask for many.
//!
//! A reconcile does not wait here, since those that wait would keep all others from running. It asks, ends, and is run again
//! when its key is there. Namespaces take turns.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chancery_pki::{KeyAlgorithm, KeyError, PrivateKey};
use jiff::{SignedDuration, Timestamp};

use crate::{cluster::Clock, controllers::queue::Queue, observe::Name, plan::renewal::add};

/// How long a key waits for the reconcile that asked for it; one that is not fetched is wiped.
const KEPT: SignedDuration = SignedDuration::from_mins(1);

const PRUNED_EVERY: Duration = Duration::from_secs(30);

/// Makes RSA keys, one at a time.
pub struct RsaLane {
    wanted: Queue<(Name, KeyAlgorithm)>,
    made: Mutex<HashMap<Name, Made>>,
    /// What is being made now: asking for it again must not make a second one.
    making: Mutex<Option<(Name, KeyAlgorithm)>>,
    clock: Arc<dyn Clock>,
}

struct Made {
    algorithm: KeyAlgorithm,
    key: Result<PrivateKey, KeyError>,
    at: Timestamp,
}

impl std::fmt::Debug for RsaLane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RsaLane").field("waiting", &self.wanted.len()).finish_non_exhaustive()
    }
}

impl RsaLane {
    /// A lane in which nothing is made until it is run.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { wanted: Queue::new(Arc::clone(&clock)), made: Mutex::default(), making: Mutex::default(), clock }
    }

    /// The key that was made for a Certificate; none when it is made now, and the Certificate will be told.
    pub fn take(&self, certificate: &Name, algorithm: KeyAlgorithm) -> Option<Result<PrivateKey, KeyError>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(certificate);
        if let Some(made) = made.filter(|made| made.algorithm == algorithm) {
            return Some(made.key);
        }
        let wanted = (certificate.clone(), algorithm);
        if self.making.lock().unwrap_or_else(PoisonError::into_inner).as_ref() != Some(&wanted) {
            self.wanted.push(wanted, &certificate.namespace, 0);
        }
        None
    }

    /// Makes what is wanted, for ever, and tells for whom a key was made.
    pub async fn run(&self, tell: impl Fn(&Name)) {
        loop {
            let next = tokio::time::timeout(PRUNED_EVERY, self.wanted.next()).await;
            self.prune();
            let wanted = match next {
                Ok(Some(wanted)) => wanted,
                Ok(None) => return,
                Err(_) => continue,
            };
            let (certificate, algorithm) = wanted.key().clone();
            self.set_making(Some(wanted.key().clone()));
            let key = tokio::task::spawn_blocking(move || PrivateKey::generate(algorithm)).await;
            if let Ok(key) = key {
                let made = Made { algorithm, key, at: self.clock.now() };
                self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate.clone(), made);
            }
            self.set_making(None);
            tell(&certificate);
        }
    }

    fn set_making(&self, wanted: Option<(Name, KeyAlgorithm)>) {
        *self.making.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    fn prune(&self) {
        let now = self.clock.now();
        self.made.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, made| add(made.at, KEPT) > now);
    }

    /// Wipes what was made and not fetched, and forgets what was being made: we do not lead any more.
    pub fn clear(&self) {
        self.set_making(None);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
