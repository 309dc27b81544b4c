//! When Certificates become Ready, as a watch of our own shows it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{Api, Client, core::Object};
use kube_runtime::{WatchStreamExt as _, watcher};
use serde::Deserialize;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::ground::certificate_resource;

/// As little of a Certificate as there can be, so that watching costs little of the machine that is measured.
type Seen = Object<Nothing, Status>;

#[derive(Clone, Debug, Default, Deserialize)]
struct Nothing {}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

type Name = (String, String);

/// Which Certificates are Ready, and since when.
pub(crate) struct Readiness {
    since: Arc<Mutex<HashMap<Name, Instant>>>,
    number: watch::Receiver<usize>,
    following: JoinHandle<()>,
}

impl Readiness {
    /// Follows all Certificates of a cluster.
    pub(crate) fn follow(client: &Client) -> Self {
        Self::follow_condition(client, "Ready")
    }

    /// The same for another condition than Ready.
    pub(crate) fn follow_condition(client: &Client, condition: &'static str) -> Self {
        let since: Arc<Mutex<HashMap<Name, Instant>>> = Arc::default();
        let (sender, number) = watch::channel(0);
        let api: Api<Seen> = Api::all_with(client.clone(), &certificate_resource());
        let table = Arc::clone(&since);
        let following = tokio::spawn(async move {
            let stream = watcher(api, watcher::Config::default()).default_backoff().applied_objects().into_stream();
            let mut stream = std::pin::pin!(stream);
            while let Some(seen) = stream.next().await {
                // An interrupted watch is taken up again by itself.
                let Ok(seen) = seen else { continue };
                let ready = seen
                    .status
                    .is_some_and(|status| status.conditions.iter().any(|found| found.r#type == condition && found.status == "True"));
                if ready {
                    let name = (seen.metadata.namespace.unwrap_or_default(), seen.metadata.name.unwrap_or_default());
                    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
                    table.entry(name).or_insert_with(Instant::now);
                    let _ = sender.send(table.len());
                }
            }
        });
        Self { since, number, following }
    }

    /// How many are.
    pub(crate) fn count(&self) -> usize {
        *self.number.borrow()
    }

    /// Waits until so many are.
    pub(crate) async fn all(&self, number: usize, limit: Duration) -> Result<()> {
        let mut seen = self.number.clone();
        let reached = tokio::time::timeout(limit, seen.wait_for(|ready| *ready >= number)).await;
        if reached.is_err() {
            bail!("{} of {number} are so after {} s", self.count(), limit.as_secs());
        }
        Ok(())
    }

    /// Since when each is Ready.
    pub(crate) fn since(&self) -> HashMap<Name, Instant> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.following.abort();
    }
}
