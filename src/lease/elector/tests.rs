//! The elector against an in-memory store, in tokio's simulated time.

use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;
use crate::cluster::SettableClock;

#[derive(Default)]
struct Memory {
    lease: Mutex<Option<Lease>>,
    cut_off: AtomicBool,
}

impl Memory {
    async fn reach(&self) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if self.cut_off.load(Ordering::Relaxed) {
            futures::future::pending::<()>().await;
        }
    }

    fn spec(&self) -> LeaseSpec {
        self.lease.lock().unwrap().clone().unwrap().spec.unwrap()
    }

    fn put(stored: &mut Option<Lease>, lease: Lease) -> Lease {
        let version =
            stored.as_ref().and_then(|lease| lease.metadata.resource_version.clone()).map_or(0, |version| version.parse::<u32>().unwrap());
        let metadata = ObjectMeta { resource_version: Some((version + 1).to_string()), uid: Some("u".to_owned()), ..lease.metadata };
        let lease = Lease { metadata, spec: lease.spec };
        *stored = Some(lease.clone());
        lease
    }
}

fn conflict(kind: CallErrorKind) -> CallError {
    CallError { what: "write Lease".to_owned(), kind, message: String::new() }
}

impl LeaseStore for Memory {
    fn read<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Lease>, CallError>> {
        Box::pin(async move {
            self.reach().await;
            Ok(self.lease.lock().unwrap().clone())
        })
    }

    fn create(&self, lease: Lease) -> BoxFuture<'_, Result<Lease, CallError>> {
        Box::pin(async move {
            self.reach().await;
            let mut stored = self.lease.lock().unwrap();
            if stored.is_some() { Err(conflict(CallErrorKind::AlreadyExists)) } else { Ok(Self::put(&mut stored, lease)) }
        })
    }

    fn replace<'a>(&'a self, _: &'a str, lease: Lease) -> BoxFuture<'a, Result<Lease, CallError>> {
        Box::pin(async move {
            self.reach().await;
            let mut stored = self.lease.lock().unwrap();
            let current = stored.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
            if current == lease.metadata.resource_version {
                Ok(Self::put(&mut stored, lease))
            } else {
                Err(conflict(CallErrorKind::Conflict))
            }
        })
    }
}

fn elector(store: &Arc<Memory>, host: &str) -> Elector {
    let options = Options {
        namespace: "chancery-system".to_owned(),
        name: "chancery-controller".to_owned(),
        host: host.to_owned(),
        duration: Duration::from_secs(15),
        clock: Arc::new(SettableClock::new(jiff::Timestamp::UNIX_EPOCH)),
    };
    Elector::with_store(Arc::clone(store) as Arc<dyn LeaseStore>, options).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lone_candidate_leads_at_once_and_goes_on_leading() {
    let store = Arc::new(Memory::default());
    let elector = elector(&store, "one");
    let term = elector.term();
    assert_eq!(term.check(), Err(NotLeading));
    tokio::spawn(elector.run(CancellationToken::new()));
    term.leading().wait_for(|leading| *leading).await.unwrap();
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(term.check(), Ok(()));
    }
    assert_eq!(store.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_leader_cut_off_stops_before_another_begins() {
    let store = Arc::new(Memory::default());
    let first = elector(&store, "one");
    let old = first.term();
    tokio::spawn(first.run(CancellationToken::new()));
    let mut leading = old.leading();
    leading.wait_for(|leading| *leading).await.unwrap();
    store.cut_off.store(true, Ordering::Relaxed);
    let cut = Instant::now();
    leading.wait_for(|leading| !*leading).await.unwrap();
    assert!(cut.elapsed() <= Duration::from_secs(10));
    assert_eq!(old.check(), Err(NotLeading));
    store.cut_off.store(false, Ordering::Relaxed);
}

#[tokio::test(start_paused = true)]
async fn the_fence_closes_without_any_code_running() {
    let store = Arc::new(Memory::default());
    let elector = elector(&store, "one");
    let term = elector.term();
    let running = tokio::spawn(elector.run(CancellationToken::new()));
    term.leading().wait_for(|leading| *leading).await.unwrap();
    running.abort();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(term.check(), Ok(()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(term.check(), Err(NotLeading));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_leader_gives_the_lease_back_and_the_standby_takes_it() {
    let store = Arc::new(Memory::default());
    let (first, second) = (elector(&store, "one"), elector(&store, "two"));
    let (old, new) = (first.term(), second.term());
    let stop = CancellationToken::new();
    let running = tokio::spawn(first.run(stop.clone()));
    old.leading().wait_for(|leading| *leading).await.unwrap();
    tokio::spawn(second.run(CancellationToken::new()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!((old.check(), new.check()), (Ok(()), Err(NotLeading)));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(old.check(), Err(NotLeading));
    let stopped = Instant::now();
    new.leading().wait_for(|leading| *leading).await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(4));
    let spec = store.spec();
    assert!(spec.holder_identity.unwrap().starts_with("two_"));
    assert_eq!(spec.lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_was_taken_by_hand_steps_down_at_its_next_renewal() {
    let store = Arc::new(Memory::default());
    let elector = elector(&store, "one");
    let term = elector.term();
    tokio::spawn(elector.run(CancellationToken::new()));
    let mut leading = term.leading();
    leading.wait_for(|leading| *leading).await.unwrap();
    {
        let mut stored = store.lease.lock().unwrap();
        let mut lease = stored.clone().unwrap();
        lease.spec.as_mut().unwrap().holder_identity = Some("someone".to_owned());
        Memory::put(&mut stored, lease);
    }
    let taken = Instant::now();
    leading.wait_for(|leading| !*leading).await.unwrap();
    assert!(taken.elapsed() < Duration::from_secs(3));
}
