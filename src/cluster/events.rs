//! Events for people: `kubectl describe` shows them. Best effort, and never in a reconcile's way.
//!
//! [`Recorder::record`] puts a note into a bounded queue and returns; [`Delivery`] posts what is in it. An Event that
//! cannot be delivered is counted and forgotten: what must not be lost is in the register and in `status`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::clock::Clock;
use super::error::{CallError, truncate};
use crate::lease::Fence;
use crate::telemetry::Metrics;

/// What we report as.
pub const CONTROLLER: &str = "chancery.dev/controller";

/// Where Events about objects without a namespace go, as the API server demands.
const CLUSTER_NAMESPACE: &str = "default";
const MAX_NOTE: usize = 1024;
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 128;
/// At half a KiB each: a burst is told of in full, and memory has an end.
const WAITING: usize = 4096;
/// More than requests may be in flight: they stand in one line with those of 64 reconciles, each of which has two calls to make for
/// every Event. Fewer would fall behind for as long as there is work, and the Events of a long burst would be lost.
const AT_ONCE: usize = 32;

/// One thing that happened to one object.
#[derive(Clone, Debug)]
pub struct Note {
    /// The object.
    pub regarding: ObjectReference,
    /// Another object that had a part in it.
    pub related: Option<ObjectReference>,
    /// Whether a person should worry.
    pub severity: Severity,
    /// Why, in `UpperCamelCase`.
    pub reason: String,
    /// What was done, in `UpperCamelCase`.
    pub action: String,
    /// A sentence for a person. Cut to 1024 bytes.
    pub text: String,
}

/// Whether a person should worry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// As intended.
    Normal,
    /// Not as intended.
    Warning,
}

/// Takes notes; clones share one queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<(Note, Timestamp)>,
    waiting: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder, and the delivery that must be run for anything to arrive. `instance` is the pod or host.
    pub fn new(
        outbox: impl Outbox + 'static,
        fence: Arc<dyn Fence>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        instance: &str,
    ) -> (Self, Delivery) {
        let (queue, notes) = mpsc::channel(WAITING);
        let mut instance = if instance.is_empty() { "unknown".to_owned() } else { instance.to_owned() };
        truncate(&mut instance, MAX_LABEL);
        let waiting = Arc::new(AtomicU64::new(0));
        let delivery = Delivery {
            notes,
            waiting: Arc::clone(&waiting),
            outbox: Arc::new(outbox),
            fence,
            metrics: metrics.clone(),
            instance,
            sequence: AtomicU64::new(0),
        };
        (Self { queue, waiting, clock, metrics }, delivery)
    }

    /// Takes the note, or counts it as dropped when too many wait. Never blocks.
    pub fn record(&self, note: Note) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send((note, self.clock.now())).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.metrics.events("dropped", 1);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("free", &self.queue.capacity()).finish_non_exhaustive()
    }
}

/// Where Events are posted. A trait so that delivery is tested without an API server.
pub trait Outbox: Send + Sync {
    /// Creates the Event in `namespace`. One POST, no retry.
    fn post(&self, namespace: String, event: Event) -> BoxFuture<'_, Result<(), CallError>>;
}

impl Outbox for Client {
    fn post(&self, namespace: String, event: Event) -> BoxFuture<'_, Result<(), CallError>> {
        let api = Api::<Event>::namespaced(self.clone(), &namespace);
        Box::pin(async move {
            let name = event.metadata.name.clone().unwrap_or_default();
            let params = PostParams { field_manager: Some("chancery".to_owned()), ..PostParams::default() };
            api.create(&params, &event).await.map(drop).map_err(CallError::of("create", "Event", Some(&namespace), &name))
        })
    }
}

/// Posts what a [`Recorder`] took.
pub struct Delivery {
    notes: mpsc::Receiver<(Note, Timestamp)>,
    /// Notes taken and not yet dealt with.
    waiting: Arc<AtomicU64>,
    outbox: Arc<dyn Outbox>,
    fence: Arc<dyn Fence>,
    metrics: Metrics,
    instance: String,
    sequence: AtomicU64,
}

impl Delivery {
    /// Posts until `stop`, then takes no more and posts what waits, for `grace` at most.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) {
        let notes = std::mem::replace(&mut self.notes, mpsc::channel(1).1);
        let waiting = futures::stream::unfold(notes, |mut notes| {
            let stop = stop.clone();
            async move {
                if !notes.is_closed() {
                    tokio::select! {
                        note = notes.recv() => return note.map(|note| (note, notes)),
                        () = stop.cancelled() => notes.close(),
                    }
                }
                notes.recv().await.map(|note| (note, notes))
            }
        });
        let this = &self;
        let mut posting = std::pin::pin!(waiting.for_each_concurrent(AT_ONCE, |(note, at)| this.deliver(note, at)));
        tokio::select! {
            () = &mut posting => return,
            () = stop.cancelled() => {}
        }
        if tokio::time::timeout(grace, posting).await.is_err() {
            let lost = self.waiting.load(Ordering::Relaxed);
            self.metrics.events("dropped", lost);
            warn!(lost, "not all Events could be posted before the end");
        }
    }

    async fn deliver(&self, note: Note, at: Timestamp) {
        let outcome = self.post(note, at).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.metrics.events(outcome, 1);
    }

    async fn post(&self, note: Note, at: Timestamp) -> &'static str {
        if self.fence.check().is_err() {
            return "dropped";
        }
        let namespace = note.regarding.namespace.clone().unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned());
        let event = self.event(note, at, &namespace);
        match self.outbox.post(namespace, event).await {
            Ok(()) => "posted",
            Err(error) => {
                debug!(%error, "an Event was not posted");
                "failed"
            }
        }
    }

    fn event(&self, note: Note, at: Timestamp, namespace: &str) -> Event {
        let Note { regarding, related, severity, mut reason, mut action, mut text } = note;
        truncate(&mut text, MAX_NOTE);
        truncate(&mut reason, MAX_LABEL);
        truncate(&mut action, MAX_LABEL);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        Event {
            metadata: ObjectMeta {
                name: Some(event_name(regarding.name.as_deref().unwrap_or_default(), at, sequence)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(at)),
            type_: Some(match severity {
                Severity::Normal => "Normal".to_owned(),
                Severity::Warning => "Warning".to_owned(),
            }),
            reason: Some(reason),
            action: Some(action),
            note: Some(text),
            regarding: Some(regarding),
            related,
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// `{object}.{time and sequence in hex}`: unique in parallel too, and a DNS subdomain of at most 253 characters.
fn event_name(object: &str, at: Timestamp, sequence: u64) -> String {
    let unique = format!(".{:x}{:04x}", at.as_nanosecond().unsigned_abs(), sequence & 0xffff);
    let mut name = object.to_owned();
    truncate(&mut name, MAX_NAME - unique.len());
    // A cut can leave a dot or hyphen at the end, where none may be before another dot.
    let kept = name.trim_end_matches(['.', '-']).len();
    name.truncate(kept);
    if name.is_empty() {
        name.push_str("object");
    }
    name + &unique
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::cluster::SettableClock;
    use crate::lease::{NotLeading, Unfenced};

    #[derive(Clone, Default)]
    struct Posted {
        events: Arc<Mutex<Vec<(String, Event)>>>,
        stuck: bool,
    }

    impl Outbox for Posted {
        fn post(&self, namespace: String, event: Event) -> BoxFuture<'_, Result<(), CallError>> {
            Box::pin(async move {
                if self.stuck {
                    futures::future::pending::<()>().await;
                }
                self.events.lock().unwrap().push((namespace, event));
                Ok(())
            })
        }
    }

    #[derive(Debug)]
    struct Closed;

    impl Fence for Closed {
        fn check(&self) -> Result<(), NotLeading> {
            Err(NotLeading)
        }
    }

    fn note(namespace: Option<&str>, name: &str, text: &str) -> Note {
        Note {
            regarding: ObjectReference {
                namespace: namespace.map(str::to_owned),
                name: Some(name.to_owned()),
                ..ObjectReference::default()
            },
            related: None,
            severity: Severity::Normal,
            reason: "Issued".to_owned(),
            action: "Issue".to_owned(),
            text: text.to_owned(),
        }
    }

    fn recorder(posted: &Posted, fence: Arc<dyn Fence>) -> (Recorder, Delivery, Metrics) {
        let metrics = Metrics::new(1);
        let clock = Arc::new(SettableClock::new(Timestamp::UNIX_EPOCH));
        let (recorder, delivery) = Recorder::new(posted.clone(), fence, clock, metrics.clone(), "pod-1");
        (recorder, delivery, metrics)
    }

    #[tokio::test]
    async fn notes_are_posted_with_all_that_the_server_demands() {
        let posted = Posted::default();
        let (recorder, delivery, _) = recorder(&posted, Arc::new(Unfenced));
        recorder.record(note(Some("team"), "web", &"ä".repeat(2000)));
        recorder.record(note(None, "ca", "made"));
        drop(recorder);
        delivery.run(CancellationToken::new(), Duration::from_secs(1)).await;
        let events = posted.events.lock().unwrap();
        let (namespace, event) = &events[0];
        assert_eq!((namespace.as_str(), event.metadata.namespace.as_deref()), ("team", Some("team")));
        assert_eq!(event.note.as_ref().unwrap().len(), 1024);
        assert_eq!(event.reporting_controller.as_deref(), Some("chancery.dev/controller"));
        assert_eq!(event.reporting_instance.as_deref(), Some("pod-1"));
        assert_eq!((event.type_.as_deref(), event.action.as_deref()), (Some("Normal"), Some("Issue")));
        assert!(event.event_time.is_some());
        let (namespace, event) = &events[1];
        assert_eq!((namespace.as_str(), event.regarding.as_ref().unwrap().namespace.as_ref()), ("default", None));
        assert_ne!(events[0].1.metadata.name, events[1].1.metadata.name);
    }

    #[tokio::test]
    async fn what_waits_at_the_stop_is_still_posted() {
        let posted = Posted::default();
        let (recorder, delivery, _) = recorder(&posted, Arc::new(Unfenced));
        for number in 0..100 {
            recorder.record(note(Some("team"), &format!("web-{number}"), "made"));
        }
        let stop = CancellationToken::new();
        stop.cancel();
        delivery.run(stop, Duration::from_secs(1)).await;
        assert_eq!(posted.events.lock().unwrap().len(), 100);
        recorder.record(note(Some("team"), "late", "made"));
        assert_eq!(posted.events.lock().unwrap().len(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_hangs_delays_the_end_no_longer_than_allowed() {
        let posted = Posted { stuck: true, ..Posted::default() };
        let (recorder, delivery, metrics) = recorder(&posted, Arc::new(Unfenced));
        for _ in 0..WAITING + 5 {
            recorder.record(note(Some("team"), "web", "made"));
        }
        assert!(metrics.encode().unwrap().contains("chancery_events_total{outcome=\"dropped\"} 5\n"));
        let stop = CancellationToken::new();
        stop.cancel();
        let began = tokio::time::Instant::now();
        delivery.run(stop, Duration::from_secs(3)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        let text = metrics.encode().unwrap();
        assert!(text.contains(&format!("chancery_events_total{{outcome=\"dropped\"}} {}\n", WAITING + 5)), "{text}");
    }

    #[tokio::test]
    async fn who_does_not_lead_posts_nothing() {
        let posted = Posted::default();
        let (recorder, delivery, metrics) = recorder(&posted, Arc::new(Closed));
        recorder.record(note(Some("team"), "web", "made"));
        drop(recorder);
        delivery.run(CancellationToken::new(), Duration::from_secs(1)).await;
        assert!(posted.events.lock().unwrap().is_empty());
        assert!(metrics.encode().unwrap().contains("outcome=\"dropped\"} 1"));
    }

    #[test]
    fn names_are_unique_short_and_dns_subdomains() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_ne!(event_name("web", at, 1), event_name("web", at, 2));
        for object in ["", "web", &"a".repeat(253), &format!("{}--{}", "a".repeat(232), "b".repeat(19))] {
            let name = event_name(object, at, 0xffff);
            assert!(name.len() <= 253, "{name}");
            let labels = name.split('.');
            assert!(labels.clone().all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')), "{name}");
        }
    }
}
