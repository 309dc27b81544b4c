//! The authorities' registers: append-only logs in ConfigMaps of the operator's namespace.
//!
//! A register is a certificate authority's database, audit trail and record of revocation in one. A line is appended before
//! a certificate is signed, so that a crash leaves a line without a certificate, never a certificate without a line. Lines
//! are chained by hash and never change; what two leaders write at once is told apart by resource versions.
//!
//! This module must not read a Secret, decide what is recorded, or read a clock of its own: the time is an argument.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chancery_pki::KeyId;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tokio::{sync::oneshot, time::timeout};
use tracing::Instrument as _;

use crate::lease::Fence;

mod append;
pub mod checkpoint;
mod error;
pub mod examine;
pub mod export;
mod follow;
mod index;
mod layout;
mod line;
mod observer;
pub mod recover;
mod replay;
mod store;
mod trim;
mod writer;

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tests;

pub use error::RegisterError;
pub use follow::{Follower, Look};
#[cfg(test)]
pub(crate) use index::test_ledger;
pub use index::{Current, End, ISSUANCES, Index, KeyRecord, Known, Ledger, REISSUE_WINDOW, Revocation, Standing, Stands, UNASKED};
pub use layout::{HEAD_BYTES, LABEL, RegisterId};
pub use line::{Act, BrokenAt, Entry, EntryError, LINE_BYTES, Line, NO_LINE, Owner, Position, Written, hash, read, verify};
pub use observer::{Batch, Observer};
pub use store::{Document, KubeStore, Selector, Store, StoreError};
pub use trim::KEPT;
pub use writer::LOG_TARGET;

use append::{Former, Queue, Waiting};
use index::State;
use replay::{Replayed, replay};
use writer::Writer;

/// How long all pages of the list at the opening may take.
const OPENING: Duration = Duration::from_mins(1);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where lines are appended: ConfigMaps now, a database where there are more than some 100,000 unexpired certificates.
pub trait Register: Send + Sync {
    /// Appends a line, and resolves when it stands for good. Dropping the future does not take the entry back.
    ///
    /// # Errors
    /// When the line does not stand, or that is not known; [`RegisterError::waiting_helps`] says what to do.
    fn append(&self, id: RegisterId, entry: Entry) -> BoxFuture<'_, Result<Line, RegisterError>>;
}

/// All registers of an operator.
///
/// Nothing is appended before [`Registers::open`], nor after [`Registers::reset`] until they are opened again.
pub struct Registers {
    shared: Arc<Shared>,
    open: Mutex<Opened>,
}

struct Shared {
    store: Arc<dyn Store>,
    fence: Arc<dyn Fence>,
    clock: Clock,
    observer: Arc<dyn Observer>,
    index: Index,
}

#[derive(Default)]
struct Opened {
    /// Counts openings and closings.
    generation: u64,
    /// None while closed.
    registers: Option<HashMap<RegisterId, Slot>>,
}

enum Slot {
    /// Replayed, and nothing appended since.
    Idle(Box<Writer>),
    Busy(Queue),
    Broken(String),
}

/// How a register stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterState {
    /// It holds together.
    Sound,
    /// It does not, and takes no lines. What comes after the break is not in the index.
    Broken {
        /// What is wrong, for a person.
        why: String,
    },
}

impl Registers {
    /// Registers in the ConfigMaps behind `api`, which must be that of the operator's namespace. They are closed.
    pub fn new(api: Api<ConfigMap>, fence: Arc<dyn Fence>, clock: Clock, observer: Arc<dyn Observer>) -> Self {
        Self::over(Arc::new(KubeStore::new(api)), fence, clock, observer)
    }

    /// Registers in another store.
    pub fn over(store: Arc<dyn Store>, fence: Arc<dyn Fence>, clock: Clock, observer: Arc<dyn Observer>) -> Self {
        let shared = Shared { store, fence, clock, observer, index: Index::default() };
        Self { shared: Arc::new(shared), open: Mutex::default() }
    }

    /// Reads and checks all registers, and fills the index. To be called on becoming the leader; it writes nothing.
    /// A register that does not hold together does not stop the others: see [`Registers::states`].
    ///
    /// # Errors
    /// When the ConfigMaps cannot be listed. The registers are closed then.
    pub async fn open(&self) -> Result<(), RegisterError> {
        let generation = self.begin();
        let documents = match timeout(OPENING, self.shared.store.list(layout::selector(None))).await {
            Ok(listed) => listed.map_err(|error| RegisterError::Unreadable { why: error.to_string() })?,
            Err(_) => {
                return Err(RegisterError::Unreadable { why: format!("no answer within {} s", OPENING.as_secs()) });
            }
        };
        let mut state = State::default();
        let mut registers = HashMap::new();
        for (id, documents) in by_register(documents) {
            let slot = match replay(&id, &documents, &mut |written| state.apply(id, written)) {
                Ok(replayed) => {
                    state.keep_from(id, replayed.head.link.kept_from);
                    Slot::Idle(Box::new(self.writer(id, generation, replayed)))
                }
                Err(why) => {
                    tracing::error!(register = %id, why, "a register does not hold together and takes no more lines");
                    Slot::Broken(why)
                }
            };
            registers.insert(id, slot);
        }
        state.prune((self.shared.clock)());
        let mut open = self.opened();
        if open.generation != generation {
            return Err(RegisterError::Closed);
        }
        self.shared.index.restart(generation, state);
        open.registers = Some(registers);
        Ok(())
    }

    /// Closes the registers and forgets what they said. To be called when leadership ends.
    pub fn reset(&self) {
        self.begin();
    }

    /// What the registers say.
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    /// Whether the registers are open: the index is worth asking only then.
    pub fn is_open(&self) -> bool {
        self.opened().registers.is_some()
    }

    /// How a register stands; one that has no line yet is sound.
    pub fn state(&self, id: &RegisterId) -> RegisterState {
        self.opened().registers.as_ref().and_then(|registers| registers.get(id)).map_or(RegisterState::Sound, Slot::state)
    }

    /// How each register stands.
    pub fn states(&self) -> BTreeMap<RegisterId, RegisterState> {
        self.opened().registers.iter().flatten().map(|(id, slot)| (*id, slot.state())).collect()
    }

    /// The registers that do not hold together, by their authority (none: the common one), with what is wrong and what to do.
    pub fn broken(&self) -> BTreeMap<Option<KeyId>, String> {
        let authority = |id: RegisterId| match id {
            RegisterId::Common => None,
            RegisterId::Authority(key_id) => Some(key_id),
        };
        let broken = |(id, slot): (&RegisterId, &Slot)| match slot.state() {
            RegisterState::Sound => None,
            RegisterState::Broken { why } => Some((authority(*id), RegisterError::Broken { register: *id, why }.to_string())),
        };
        self.opened().registers.iter().flatten().filter_map(broken).collect()
    }

    fn begin(&self) -> u64 {
        let mut open = self.opened();
        open.generation += 1;
        // Workers end when their queues are gone; what they still write is not taken into the index.
        open.registers = None;
        self.shared.index.restart(open.generation, State::default());
        open.generation
    }

    /// Reads a register again: a leader before us may have written lines after it was opened, by a request that was late.
    ///
    /// # Errors
    /// When it cannot be read, or does not hold together.
    pub async fn look(&self, id: RegisterId) -> Result<(), RegisterError> {
        let (answer, done) = oneshot::channel();
        self.with_queue(id, |queue| queue.look(answer))?;
        done.await.unwrap_or(Err(RegisterError::Closed))
    }

    /// Brings back lines that once stood after a place, word for word, where that place is the register's end. Where there is no
    /// register they are its beginning.
    ///
    /// # Errors
    /// [`RegisterError::NotNext`] where they do not follow the last line: another may have been written meanwhile. Else as for an append;
    /// the first of the lines may stand then.
    pub async fn restore(&self, id: RegisterId, after: Position, lines: Vec<Written>) -> Result<(), RegisterError> {
        let (answer, done) = oneshot::channel();
        self.with_queue(id, |queue| queue.restore(Former { after, lines, answer }))?;
        done.await.unwrap_or(Err(RegisterError::Closed))
    }

    fn enqueue(&self, id: RegisterId, waiting: Waiting) -> Result<(), RegisterError> {
        self.with_queue(id, |queue| queue.push(waiting))
    }

    fn with_queue(&self, id: RegisterId, ask: impl FnOnce(&Queue) -> bool) -> Result<(), RegisterError> {
        let mut open = self.opened();
        let generation = open.generation;
        let registers = open.registers.as_mut().ok_or(RegisterError::Closed)?;
        let queue = match registers.remove(&id) {
            Some(Slot::Busy(queue)) => queue,
            Some(Slot::Idle(writer)) => Queue::to(*writer),
            Some(Slot::Broken(why)) => {
                registers.insert(id, Slot::Broken(why.clone()));
                return Err(RegisterError::Broken { register: id, why });
            }
            None => Queue::to(self.writer(id, generation, Replayed::none())),
        };
        let taken = ask(&queue);
        registers.insert(id, Slot::Busy(queue));
        if taken { Ok(()) } else { Err(RegisterError::Closed) }
    }

    fn writer(&self, id: RegisterId, generation: u64, replayed: Replayed) -> Writer {
        Writer::new(id, generation, Arc::clone(&self.shared), replayed)
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register for Registers {
    fn append(&self, id: RegisterId, entry: Entry) -> BoxFuture<'_, Result<Line, RegisterError>> {
        let span = tracing::debug_span!("register append", register = %id, act = entry.act.as_str());
        async move {
            let entry = entry.checked().map_err(|why| RegisterError::Invalid { register: id, why })?;
            let (answer, line) = oneshot::channel();
            self.enqueue(id, Waiting { entry, answer })?;
            // The worker ends without an answer only when the process does.
            line.await.unwrap_or(Err(RegisterError::Closed))
        }
        .instrument(span)
        .boxed()
    }
}

impl Slot {
    fn state(&self) -> RegisterState {
        let why = match self {
            Self::Idle(_) => None,
            Self::Busy(queue) => queue.broken(),
            Self::Broken(why) => Some(why.clone()),
        };
        why.map_or(RegisterState::Sound, |why| RegisterState::Broken { why })
    }
}

impl fmt::Debug for Registers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registers").field("states", &self.states()).finish_non_exhaustive()
    }
}

/// The documents of each register; what is labelled as a register's and is none is left alone.
fn by_register(documents: Vec<Document>) -> BTreeMap<RegisterId, Vec<Document>> {
    let mut registers: BTreeMap<RegisterId, Vec<Document>> = BTreeMap::new();
    for document in documents {
        if let Some(id) = document.register() {
            registers.entry(id).or_default().push(document);
        } else {
            tracing::warn!(config_map = document.name, "a ConfigMap is labelled as a register's, and is none by its name");
        }
    }
    registers
}
