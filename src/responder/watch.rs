//! A look at all there is and then at each change, for ever; and when the API server was heard last.
//!
//! kube's watcher keeps bookmarks to itself: silence cannot be told from calm with it. Nothing is kept here but the version
//! from which the watch goes on.

use std::{
    fmt::Debug,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{ListParams, WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// How long one watch lasts, in seconds: the API server ends it then.
const LASTS: u32 = 240;

/// A watch that is silent for longer than it may last has no one at its other end.
const DEAD: Duration = Duration::from_secs(LASTS as u64 + 10);

/// Watches do not follow each other faster.
const SHORTEST: Duration = Duration::from_secs(1);

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is watched.
#[derive(Clone, Debug)]
pub enum Selection {
    /// The objects with this label, listed in pages of so many.
    Label(&'static str, u32),
    /// The object of this name. It is never listed, so that the right to `get` and `watch` it is enough.
    Name(String),
}

/// What a watch has to tell.
#[derive(Debug)]
pub enum News<T> {
    /// All there is, at one moment: what is not in it is not there.
    All(Vec<T>),
    /// An object is new or changed.
    Changed(T),
    /// The object of this name is gone.
    Gone(String),
    /// What is watched may not be read. It is tried again.
    Forbidden,
}

/// When something was heard last; clones share it.
#[derive(Clone, Debug)]
pub struct Heard {
    start: Instant,
    /// Milliseconds after the start; 0 for never.
    last: Arc<AtomicU64>,
}

impl Heard {
    /// Nothing was heard yet.
    pub fn nothing() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }

    /// Something is heard now.
    pub fn now(&self) {
        let milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(milliseconds.max(1), Ordering::Relaxed);
    }

    /// For how long it has been silent; none when nothing was ever heard.
    pub fn silence(&self) -> Option<Duration> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            last => Some(self.start.elapsed().saturating_sub(Duration::from_millis(last))),
        }
    }
}

/// Watches for ever. Each object is turned by `keep` into what is wanted of it before it goes on; what `tell` returns is waited for.
pub async fn watch<K, T, F>(api: Api<K>, selection: Selection, heard: Heard, keep: impl Fn(K) -> T, tell: impl Fn(News<T>) -> F)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Future<Output = ()>,
{
    let watched = Watched { api, selection, heard, keep, tell };
    let mut pause = Pause(FIRST_PAUSE);
    loop {
        if let Err(error) = watched.round(&mut pause).await {
            if matches!(&error, kube::Error::Api(status) if status.code == 403) {
                (watched.tell)(News::Forbidden).await;
            }
            pause.after(&watched.selection, &error).await;
        }
    }
}

/// How long to wait after a failure; longer after each, until one succeeds.
struct Pause(Duration);

impl Pause {
    async fn after(&mut self, selection: &Selection, error: &kube::Error) {
        tracing::warn!(what = ?selection, %error, "what is watched could not be read and will be tried again");
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

struct Watched<K, T, F: Future, Keep: Fn(K) -> T, Tell: Fn(News<T>) -> F> {
    api: Api<K>,
    selection: Selection,
    heard: Heard,
    keep: Keep,
    tell: Tell,
}

impl<K, T, F, Keep, Tell> Watched<K, T, F, Keep, Tell>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Future<Output = ()>,
    Keep: Fn(K) -> T,
    Tell: Fn(News<T>) -> F,
{
    /// One look at all there is, and the watches that follow from it, until the thread is lost.
    async fn round(&self, pause: &mut Pause) -> Result<(), kube::Error> {
        let (all, mut version) = self.all().await?;
        self.heard.now();
        (self.tell)(News::All(all)).await;
        loop {
            let begun = Instant::now();
            match self.changes(&mut version).await {
                Ok(()) => {
                    pause.0 = FIRST_PAUSE;
                    // Whoever ends watches at once must not be asked without end.
                    tokio::time::sleep(SHORTEST.saturating_sub(begun.elapsed())).await;
                }
                Err(kube::Error::Api(status)) if status.code == 410 => return Ok(()),
                Err(error) => pause.after(&self.selection, &error).await,
            }
            // A single object costs little to read, and a watch without a version does not tell that it is gone.
            if matches!(self.selection, Selection::Name(_)) {
                return Ok(());
            }
        }
    }

    async fn all(&self) -> Result<(Vec<T>, String), kube::Error> {
        let (label, page) = match &self.selection {
            Selection::Label(label, page) => (label, *page),
            Selection::Name(name) => {
                let found = self.api.get_opt(name).await?;
                // The version of an object may be older than all that a watch can begin with: without one it begins with what is there.
                return Ok((found.into_iter().map(&self.keep).collect(), String::new()));
            }
        };
        let mut params = ListParams::default().labels(label).limit(page);
        let mut all = Vec::new();
        loop {
            let list = self.api.list(&params).await?;
            all.extend(list.items.into_iter().map(&self.keep));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok((all, list.metadata.resource_version.unwrap_or_default())),
            }
        }
    }

    /// One watch from a version on, which goes along.
    async fn changes(&self, version: &mut String) -> Result<(), kube::Error> {
        let params = WatchParams::default().timeout(LASTS);
        let params = match &self.selection {
            Selection::Label(label, _) => params.labels(label),
            Selection::Name(name) => params.fields(&format!("metadata.name={name}")),
        };
        let mut events = pin!(self.api.watch(&params, version).await?);
        self.heard.now();
        while let Ok(Some(event)) = tokio::time::timeout(DEAD, events.next()).await {
            let event = event?;
            self.heard.now();
            let next = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    let next = object.resource_version();
                    (self.tell)(News::Changed((self.keep)(object))).await;
                    next
                }
                WatchEvent::Deleted(object) => {
                    let next = object.resource_version();
                    let name = object.name_any();
                    // It comes with all that was in it, which is wiped where it is a Secret's.
                    drop((self.keep)(object));
                    (self.tell)(News::Gone(name)).await;
                    next
                }
                WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            };
            // Without a version, what is there now is shown first: its own versions are no places to go on from.
            if let Some(next) = next.filter(|_| !version.is_empty()) {
                *version = next;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::Secret;
    use kube::{Client, client::Body};
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_not_be_read_is_told_and_tried_again() {
        let refused = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"no","code":403}"#;
        let server = tower::service_fn(move |_: Request<Body>| async move {
            Ok::<_, std::convert::Infallible>(Response::builder().status(403).body(Body::from(refused.as_bytes().to_vec())).unwrap())
        });
        let (sender, mut told) = mpsc::unbounded_channel();
        let secrets = Api::<Secret>::namespaced(Client::new(server, "system"), "system");
        let tell = move |news: News<Secret>| {
            sender.send(news).unwrap();
            std::future::ready(())
        };
        let watching = tokio::spawn(watch(secrets, Selection::Name("chancery-ocsp-3".to_owned()), Heard::nothing(), |secret| secret, tell));
        for _ in 0..2 {
            assert!(matches!(told.recv().await, Some(News::Forbidden)));
        }
        watching.abort();
    }
}
