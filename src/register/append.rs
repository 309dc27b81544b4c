//! Group commit: one worker for each register; all who wait when the last write returns share the next one.
//!
//! The worker decides only what goes into one batch and when. How a batch comes to stand is the writer's business.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::Instrument as _;

use super::{
    RegisterError,
    layout::HEAD_BYTES,
    line::{Entry, LINE_BYTES, Line, Position, Written},
    trim,
    writer::Writer,
};

/// The least time between the starts of two writes of one register while it is busy; one that was idle writes at once.
/// An append takes some milliseconds, each certificate waits for one, and each write carries the whole head: without a gap,
/// bulk work would cost a write for every few certificates. 20 writes a second share among all that is signed in between.
const GAP: Duration = Duration::from_millis(50);

/// The most octets of lines in one write: an empty head, less the lines that a seal carries forward.
const BATCH_BYTES: usize = HEAD_BYTES - trim::CARRIED * (LINE_BYTES + 1);

/// With less room than this in the head, a batch seals it rather than being cut to fit.
const WORTH_FILLING: usize = 8 * 1024;

/// An entry whose caller waits for its line.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entry: Entry,
    pub(super) answer: oneshot::Sender<Result<Line, RegisterError>>,
}

/// Lines of before that are to stand again, word for word, after a place.
pub(super) struct Former {
    pub(super) after: Position,
    pub(super) lines: Vec<Written>,
    pub(super) answer: oneshot::Sender<Result<(), RegisterError>>,
}

/// What a worker is asked for.
enum Asked {
    /// To append a line.
    Line(Box<Waiting>),
    /// To read what others may have written.
    Look(oneshot::Sender<Result<(), RegisterError>>),
    /// To bring back what was lost.
    Restore(Former),
}

/// The way to a register's worker.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    sender: mpsc::UnboundedSender<Asked>,
    broken: Arc<Mutex<Option<String>>>,
}

impl Queue {
    /// Starts a worker, which ends when the last queue to it is dropped and all that waited has its answer.
    pub(super) fn to(writer: Writer) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let broken = Arc::new(Mutex::new(None));
        tokio::spawn(work(writer, receiver, Arc::clone(&broken)));
        Self { sender, broken }
    }

    /// False when the worker is gone.
    pub(super) fn push(&self, waiting: Waiting) -> bool {
        self.sender.send(Asked::Line(Box::new(waiting))).is_ok()
    }

    /// Has the register read again; false when the worker is gone.
    pub(super) fn look(&self, answer: oneshot::Sender<Result<(), RegisterError>>) -> bool {
        self.sender.send(Asked::Look(answer)).is_ok()
    }

    /// Has lines of before brought back; false when the worker is gone.
    pub(super) fn restore(&self, former: Former) -> bool {
        self.sender.send(Asked::Restore(former)).is_ok()
    }

    /// Why the last write found the register broken; none when it did not.
    pub(super) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn work(mut writer: Writer, mut receiver: mpsc::UnboundedReceiver<Asked>, broken: Arc<Mutex<Option<String>>>) {
    let mut queue = Batches::default();
    let mut next_start = Instant::now();
    while let Some(first) = receiver.recv().await {
        let mut asides = Asides::default();
        queue.take_in(first, &mut asides);
        while !queue.is_empty() || !asides.is_empty() {
            if queue.is_empty() {
                asides.answer(&mut writer, &broken).await;
                continue;
            }
            // A full write gains nothing by waiting.
            if queue.bytes < BATCH_BYTES {
                sleep_until(next_start).await;
            }
            while let Ok(asked) = receiver.try_recv() {
                queue.take_in(asked, &mut asides);
            }
            next_start = Instant::now() + GAP;
            let (entries, answers) = queue.take(writer.room());
            let write = tracing::debug_span!("register write", register = %writer.id(), lines = entries.len());
            let outcome = writer.commit(&entries).instrument(write).await;
            note(&broken, &outcome);
            if outcome.is_err() {
                writer.failed();
            }
            answer(outcome, answers);
        }
    }
}

/// Remembers why a register was found broken, or that it was not.
fn note<T>(broken: &Mutex<Option<String>>, outcome: &Result<T, RegisterError>) {
    *broken.lock().unwrap_or_else(PoisonError::into_inner) = match outcome {
        Err(RegisterError::Broken { why, .. }) => Some(why.clone()),
        _ => None,
    };
}

type Answers = Vec<oneshot::Sender<Result<Line, RegisterError>>>;

// A caller that no longer waits has dropped its end; the line stands all the same.
fn answer(outcome: Result<Vec<Line>, RegisterError>, answers: Answers) {
    match outcome {
        Ok(lines) => answers.into_iter().zip(lines).for_each(|(answer, line)| drop(answer.send(Ok(line)))),
        Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
    }
}

/// What is asked for beside lines; it waits until these stand.
#[derive(Default)]
struct Asides {
    looks: Vec<oneshot::Sender<Result<(), RegisterError>>>,
    former: VecDeque<Former>,
}

impl Asides {
    fn is_empty(&self) -> bool {
        self.looks.is_empty() && self.former.is_empty()
    }

    // Who no longer waits has dropped its end.
    async fn answer(&mut self, writer: &mut Writer, broken: &Mutex<Option<String>>) {
        if let Some(former) = self.former.pop_front() {
            let outcome = writer.restore(&former.after, &former.lines).await;
            note(broken, &outcome);
            drop(former.answer.send(outcome));
        } else {
            let outcome = writer.look().await;
            note(broken, &outcome);
            self.looks.drain(..).for_each(|answer| drop(answer.send(outcome.clone())));
        }
    }
}

/// What waits, and how many octets its lines will have at most.
#[derive(Debug, Default)]
struct Batches {
    waiting: VecDeque<(usize, Waiting)>,
    bytes: usize,
}

impl Batches {
    fn take_in(&mut self, asked: Asked, asides: &mut Asides) {
        match asked {
            Asked::Line(waiting) => self.push(*waiting),
            Asked::Look(answer) => asides.looks.push(answer),
            Asked::Restore(former) => asides.former.push_back(former),
        }
    }

    fn push(&mut self, waiting: Waiting) {
        let bytes = waiting.entry.longest_line() + 1;
        self.bytes += bytes;
        self.waiting.push_back((bytes, waiting));
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next write's entries: as many as the head has room for, or, where that is little, as an empty head has.
    fn take(&mut self, room: usize) -> (Vec<Entry>, Answers) {
        let limit = if room < WORTH_FILLING { BATCH_BYTES } else { room.min(BATCH_BYTES) };
        let (mut entries, mut answers) = (Vec::new(), Vec::new());
        let mut taken = 0;
        while let Some((bytes, waiting)) = self.waiting.pop_front() {
            if taken + bytes > limit {
                self.waiting.push_front((bytes, waiting));
                break;
            }
            taken += bytes;
            entries.push(waiting.entry);
            answers.push(waiting.answer);
        }
        self.bytes -= taken;
        (entries, answers)
    }
}
