//! ConfigMaps in memory, for tests: resource versions as the API server keeps them, and each way in which a call can go wrong.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};

use jiff::Timestamp;

use super::{Document, Selector, Store, StoreError};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done and answered.
    None,
    /// It is not done, and no one knows.
    LostBefore,
    /// It is done, and no one knows.
    LostAfter,
    /// It is not done, and no answer ever comes.
    SilentBefore,
    /// It is done, and no answer ever comes.
    SilentAfter,
    /// No one knows, and it is done only when other calls have been made.
    Delayed,
    /// The caller dies before it is done.
    DiesBefore,
    /// The caller dies after it is done.
    DiesAfter,
}

/// What came to be, in its order.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A document was made or replaced.
    Put(Document),
    /// It was deleted.
    Gone(Document),
    /// All was put back as it once was.
    Restored(Vec<Document>),
}

/// The API server.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    documents: Mutex<BTreeMap<String, Document>>,
    versions: AtomicU64,
    delayed: Mutex<VecDeque<Write>>,
    /// What its clock says, in seconds; zero for a moment that no test minds.
    seconds: AtomicI64,
    events: Mutex<Vec<Event>>,
}

/// One caller's way to it.
#[derive(Debug)]
pub(crate) struct Client {
    memory: Arc<Memory>,
    dead: AtomicBool,
    faults: Mutex<VecDeque<Fault>>,
    writes: Mutex<Vec<String>>,
    latency: Duration,
}

#[derive(Clone, Debug)]
enum Write {
    Create(Document),
    Replace(Document),
    Delete(Document),
}

impl Memory {
    pub(crate) fn client(self: &Arc<Self>, faults: impl IntoIterator<Item = Fault>) -> Arc<Client> {
        Arc::new(Client {
            memory: Arc::clone(self),
            dead: AtomicBool::new(false),
            faults: Mutex::new(faults.into_iter().collect()),
            writes: Mutex::default(),
            latency: Duration::from_millis(3),
        })
    }

    pub(crate) fn documents(&self) -> Vec<Document> {
        self.documents.lock().unwrap().values().cloned().collect()
    }

    pub(crate) fn document(&self, name: &str) -> Option<Document> {
        self.documents.lock().unwrap().get(name).cloned()
    }

    /// A change behind everyone's back.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Document)) {
        let mut documents = self.documents.lock().unwrap();
        let document = documents.get_mut(name).unwrap();
        change(document);
        document.resource_version = Some(self.version());
    }

    /// A document as a backup has it.
    pub(crate) fn put_back(&self, document: Document) {
        let document = Document { resource_version: Some(self.version()), ..document };
        self.documents.lock().unwrap().insert(document.name.clone(), document);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.documents.lock().unwrap().remove(name).unwrap();
    }

    /// All writes that callers have made since the last time that this was asked.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts these documents in the place of all that are selected.
    pub(crate) fn restore(&self, documents: Vec<Document>, selected: impl Fn(&Document) -> bool) {
        let mut standing = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        standing.retain(|_, document| !selected(document));
        for document in documents.into_iter().filter(|document| selected(document)) {
            standing.insert(document.name.clone(), Document { resource_version: Some(self.version()), ..document });
        }
        self.record(Event::Restored(standing.values().cloned().collect()));
    }

    fn record(&self, event: Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.seconds.store(now.as_second(), Ordering::Relaxed);
    }

    fn version(&self) -> String {
        self.versions.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn apply(&self, write: Write) -> Result<Document, StoreError> {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        match write {
            Write::Create(document) => {
                if documents.contains_key(&document.name) {
                    return Err(StoreError::AlreadyExists);
                }
                let made = Document {
                    uid: Some(format!("uid-{}", self.version())),
                    resource_version: Some(self.version()),
                    created: Timestamp::from_second(self.seconds.load(Ordering::Relaxed)).ok(),
                    ..document
                };
                documents.insert(made.name.clone(), made.clone());
                self.record(Event::Put(made.clone()));
                Ok(made)
            }
            Write::Replace(document) => {
                let standing = documents.get_mut(&document.name).ok_or(StoreError::NotFound)?;
                if document.resource_version != standing.resource_version {
                    return Err(StoreError::Conflict);
                }
                if standing.immutable {
                    return Err(StoreError::Refused { why: "immutable".to_owned() });
                }
                *standing =
                    Document { uid: standing.uid.clone(), created: standing.created, resource_version: Some(self.version()), ..document };
                self.record(Event::Put(standing.clone()));
                Ok(standing.clone())
            }
            Write::Delete(document) => {
                let standing = documents.get(&document.name).ok_or(StoreError::NotFound)?;
                assert!(document.uid.is_some() && document.resource_version.is_some(), "a deletion has its preconditions");
                if document.resource_version != standing.resource_version || document.uid != standing.uid {
                    return Err(StoreError::Conflict);
                }
                let gone = documents.remove(&document.name).ok_or(StoreError::NotFound)?;
                self.record(Event::Gone(gone.clone()));
                Ok(gone)
            }
        }
    }
}

impl Client {
    /// Nothing that it calls from now on is done or answered.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// What it calls from now on is done and answered again.
    pub(crate) fn revive(&self) {
        self.dead.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(crate) fn next_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    pub(crate) fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// The writes so far, as verb and name.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap().clone()
    }

    async fn write(&self, write: Write) -> Result<Document, StoreError> {
        self.arrive().await;
        let (verb, document) = match &write {
            Write::Create(document) => ("POST", document),
            Write::Replace(document) => ("PUT", document),
            Write::Delete(document) => ("DELETE", document),
        };
        self.writes.lock().unwrap().push(format!("{verb} {}", document.name));
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        if matches!(fault, Fault::DiesBefore) {
            self.kill();
        }
        let done = match fault {
            Fault::None | Fault::LostAfter | Fault::SilentAfter | Fault::DiesAfter => Some(self.memory.apply(write)),
            Fault::Delayed => {
                self.memory.delayed.lock().unwrap().push_back(write);
                None
            }
            Fault::LostBefore | Fault::SilentBefore | Fault::DiesBefore => None,
        };
        match (fault, done) {
            (Fault::None, Some(done)) => {
                tokio::time::sleep(self.latency).await;
                if self.is_dead() { pending().await } else { done }
            }
            (Fault::LostBefore | Fault::LostAfter | Fault::Delayed, _) => Err(StoreError::Unknown { why: "connection reset".to_owned() }),
            _ => {
                if fault == Fault::DiesAfter {
                    self.kill();
                }
                pending().await
            }
        }
    }

    async fn arrive(&self) {
        tokio::time::sleep(self.latency).await;
        if self.is_dead() {
            pending::<()>().await;
        }
        let late = self.memory.delayed.lock().unwrap().pop_front();
        if let Some(late) = late {
            // Whoever sent it has long ceased to listen.
            let _ = self.memory.apply(late);
        }
    }
}

impl Store for Client {
    fn list(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>> {
        async move {
            self.arrive().await;
            let mut documents = self.memory.documents();
            documents.retain(|document| selector.matches(document));
            Ok(documents)
        }
        .boxed()
    }

    fn names(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>> {
        async move {
            let listed = self.list(selector).await?;
            Ok(listed.into_iter().map(|document| Document { data: BTreeMap::new(), binary: BTreeMap::new(), ..document }).collect())
        }
        .boxed()
    }

    fn get(&self, name: String) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        async move {
            self.arrive().await;
            Ok(self.memory.document(&name))
        }
        .boxed()
    }

    fn create(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        self.write(Write::Create(document)).boxed()
    }

    fn replace(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        self.write(Write::Replace(document)).boxed()
    }

    fn delete(&self, document: Document) -> BoxFuture<'_, Result<(), StoreError>> {
        async move { self.write(Write::Delete(document)).await.map(|_| ()) }.boxed()
    }
}
