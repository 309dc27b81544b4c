//! One watch, feeding one cache.

use std::{fmt::Debug, sync::Arc};

use futures::StreamExt as _;
use kube::{Api, Resource};
use kube_runtime::{WatchStreamExt as _, watcher};
use serde::de::DeserializeOwned;

use crate::{
    observe::{Cache, Cached, Change},
    telemetry::Gate,
};

/// What a watch shows, of which namespaces.
pub(crate) struct Watched<K> {
    /// Where.
    pub(crate) api: Api<K>,
    /// What of it.
    pub(crate) config: watcher::Config,
    /// Tells several watches of one kind apart.
    pub(crate) number: usize,
    /// What it can show.
    pub(crate) scope: Scope,
    /// Opened when it has shown all there is.
    pub(crate) synced: Gate,
    /// For the log.
    pub(crate) what: &'static str,
}

/// What a watch can show: what it does not show of that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What is in no namespace.
    Cluster,
    /// What is in one namespace.
    Namespace(String),
    /// What is in any namespace.
    Namespaces,
}

impl Scope {
    fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::Cluster => namespace.is_empty(),
            Self::Namespace(own) => own == namespace,
            Self::Namespaces => !namespace.is_empty(),
        }
    }
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// Feeds the cache for ever, and reports each change.
    pub(crate) async fn feed<V: Cached>(
        self,
        cache: &Cache<V>,
        keep: impl Fn(K) -> V,
        react: impl Fn(Change<V>),
        done: Arc<tokio::sync::Semaphore>,
    ) {
        let covers = |namespace: &str| self.scope.covers(namespace);
        let mut stream = std::pin::pin!(watcher(self.api, self.config).default_backoff());
        let mut synced = false;
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => {
                    let (changes, complete) = cache.observe(self.number, &covers, event, &keep);
                    changes.into_iter().for_each(&react);
                    if complete && !synced {
                        synced = true;
                        self.synced.open();
                        done.add_permits(1);
                    }
                }
                Err(error) => tracing::warn!(what = self.what, %error, "the watch was interrupted and is taken up again"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_watch_of_all_namespaces_says_nothing_of_what_is_in_none() {
        assert!(Scope::Cluster.covers("") && !Scope::Cluster.covers("a"));
        assert!(Scope::Namespaces.covers("a") && !Scope::Namespaces.covers(""));
        let one = Scope::Namespace("a".to_owned());
        assert!(one.covers("a") && !one.covers("b") && !one.covers(""));
    }
}
