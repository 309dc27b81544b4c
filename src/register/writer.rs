//! One register's writer: brings a batch of entries into the head, whoever else writes and whatever gets lost.
//!
//! Every write stands under the version that was read, so of two leaders one is told that it is late. A line counts as
//! written only when the API server said so, or when it was read there. Until a batch's outcome is known its lines keep
//! their octets: by these they are recognised, and never written twice.

mod look;
mod seal;

use std::{future::Future, sync::Arc, time::Duration};

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tokio::time::{sleep, timeout};

use super::{
    Batch, RegisterError, Shared,
    layout::{self, HEAD_BYTES, Link, RegisterId},
    line::{Entry, Line, Position, Written},
    replay::{Head, Replayed, Segment},
    store::StoreError,
};

/// The target of the log's lines about lines.
pub const LOG_TARGET: &str = "chancery::register::line";

/// How long one call to the API server may take.
const CALL: Duration = Duration::from_secs(10);

/// How often a batch is tried again when no answer comes, with pauses of 0.1 s to 1.6 s between.
const SILENCES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How often a batch is tried again when another writer was first: each time that other has got on.
const CONFLICTS: u32 = 50;

/// The writer of one register.
pub(super) struct Writer {
    id: RegisterId,
    generation: u64,
    shared: Arc<Shared>,
    head: Head,
    segments: Vec<Segment>,
    /// Set between the writing of a segment and that of the head which lets go of the segment's lines.
    sealed: Option<Link>,
    end: Position,
    last_time: Timestamp,
    /// The last write's outcome is unknown, or another has written: read before writing.
    doubtful: bool,
}

/// What a write brings.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// What happened, to be chained after the last line.
    Entries(&'a [Entry]),
    /// Lines of before, which follow the last line as they are.
    Former(&'a [Written]),
}

/// Lines that were or will be written after a place.
struct Attempt {
    after: Position,
    lines: Vec<Written>,
    /// How many lines at the start are carried forward, and belong to no one who waits.
    carried: usize,
    kept_from: u64,
}

/// One step's result, when it is not final.
enum Setback {
    /// Another has written.
    Late,
    /// No answer, or none that says anything.
    Silence(String),
    /// It is of no use to try again.
    Final(RegisterError),
}

impl Writer {
    pub(super) fn new(id: RegisterId, generation: u64, shared: Arc<Shared>, replayed: Replayed) -> Self {
        let Replayed { head, segments, sealed, end, last_time } = replayed;
        Self { id, generation, shared, head, segments, sealed, end, last_time, doubtful: false }
    }

    /// Which register it writes.
    pub(super) fn id(&self) -> RegisterId {
        self.id
    }

    /// Has it counted that lines were given up.
    pub(super) fn failed(&self) {
        self.shared.observer.failed(&self.id);
    }

    /// How many octets of lines still fit into the head; after a seal all of it.
    pub(super) fn room(&self) -> usize {
        HEAD_BYTES.saturating_sub(layout::bytes(self.unsealed()))
    }

    /// Brings the entries into the register, all together, and answers with their lines once they stand.
    /// Together they must fit into an empty head, beside the lines that a seal carries forward.
    pub(super) async fn commit(&mut self, entries: &[Entry]) -> Result<Vec<Line>, RegisterError> {
        self.write(Wanted::Entries(entries)).await
    }

    /// Brings back lines that once stood here, as they were. They must follow the last line; where there is none, and no
    /// register, they may begin anywhere, since what came before them may have been given up.
    pub(super) async fn restore(&mut self, after: &Position, lines: &[Written]) -> Result<(), RegisterError> {
        let begins = self.end.sequence == 0 && self.head.resource_version.is_none() && self.segments.is_empty();
        if begins && after.sequence > 0 {
            self.head.link =
                Link { segment: String::new(), sequence: after.sequence, hash: after.hash.clone(), kept_from: after.sequence + 1 };
            self.end = after.clone();
        }
        let restored = self.restore_lines(lines).await;
        if restored.is_err() && begins && self.head.resource_version.is_none() {
            // Nothing stands. A write that arrives after all is seen by the next look, as every doubtful one.
            (self.head.link, self.end) = (Link::none(), Position::start());
        }
        restored
    }

    async fn restore_lines(&mut self, lines: &[Written]) -> Result<(), RegisterError> {
        let mut left = lines;
        while !left.is_empty() {
            // At least one line, since a head has room for any.
            let room = if self.room() < HEAD_BYTES / 4 { HEAD_BYTES } else { self.room() };
            let mut bytes = 0;
            let fits = left.iter().take_while(|line| {
                bytes += line.text.len() + 1;
                bytes <= room
            });
            let (now, later) = left.split_at(fits.count().max(1));
            self.write(Wanted::Former(now)).await?;
            left = later;
        }
        Ok(())
    }

    async fn write(&mut self, wanted: Wanted<'_>) -> Result<Vec<Line>, RegisterError> {
        let mut attempt: Option<Attempt> = None;
        let (mut silences, mut conflicts) = (0, 0);
        loop {
            match self.step(wanted, &mut attempt).await {
                Ok(lines) => return Ok(lines),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::Late) if conflicts < CONFLICTS => {
                    conflicts += 1;
                    self.shared.observer.conflicted(&self.id);
                }
                Err(Setback::Silence(_)) if silences < SILENCES => {
                    sleep(FIRST_PAUSE * 2_u32.pow(silences)).await;
                    silences += 1;
                }
                Err(Setback::Late) => return Err(self.unavailable("another writer was first each time".to_owned())),
                Err(Setback::Silence(why)) => return Err(self.unavailable(why)),
            }
        }
    }

    async fn step(&mut self, wanted: Wanted<'_>, attempt: &mut Option<Attempt>) -> Result<Vec<Line>, Setback> {
        if self.doubtful {
            let known = self.end.sequence;
            let news = self.read_again().await?;
            self.doubtful = false;
            if attempt.is_some() && news.first().is_some_and(|first| first.line.sequence > known + 1) {
                return Err(Setback::Final(
                    self.unavailable("the lines that would tell whether it stands were given up meanwhile".to_owned()),
                ));
            }
            if let Some(attempt) = attempt.take_if(|attempt| news.starts_with(&attempt.lines)) {
                self.tell(&attempt.lines);
                return Ok(own_lines(attempt));
            }
        }
        let current = match attempt.take().filter(|attempt| attempt.after == self.end) {
            Some(current) => current,
            None => self.prepare(wanted).await?,
        };
        match self.write_head(&current).await {
            Ok(()) => {
                self.tell(&current.lines);
                Ok(own_lines(current))
            }
            Err(setback) => {
                self.doubtful = true;
                *attempt = Some(current);
                Err(setback)
            }
        }
    }

    /// Chains the entries after the last line, and seals the head first where they do not fit into it.
    async fn prepare(&mut self, wanted: Wanted<'_>) -> Result<Attempt, Setback> {
        let lines = match wanted {
            Wanted::Entries(entries) => self.chained(entries.iter()),
            Wanted::Former(lines) => self.following(lines)?,
        };
        let mut attempt = Attempt { after: self.end.clone(), lines, carried: 0, kept_from: self.head.link.kept_from };
        let mut sealed = false;
        while layout::bytes(&attempt.lines) > self.room() && !self.unsealed().is_empty() {
            if let Err(setback) = self.seal().await {
                self.doubtful = true;
                return Err(setback);
            }
            sealed = true;
        }
        // Nothing comes before lines that must follow the last one.
        if let (true, Wanted::Entries(entries)) = (sealed, wanted) {
            self.trim(&mut attempt, entries);
        }
        Ok(attempt)
    }

    fn chained<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Vec<Written> {
        let now = self.now();
        let (mut end, mut last_time) = (self.end.clone(), self.last_time);
        entries
            .map(|entry| {
                let earliest = self.shared.index.not_before(&self.id, entry.act, entry.owner.as_ref());
                let time = now.max(last_time).max(earliest);
                let line = Line { sequence: end.sequence + 1, time, previous: end.hash.clone(), entry: entry.clone() };
                let written = Written { text: line.to_text(), line };
                (end, last_time) = (written.end(), time);
                written
            })
            .collect()
    }

    /// Lines of before, if they follow the last one.
    fn following(&self, lines: &[Written]) -> Result<Vec<Written>, Setback> {
        let first = lines.first().map(|first| &first.line);
        if first
            .is_none_or(|first| first.sequence != self.end.sequence + 1 || first.previous != self.end.hash || first.time < self.last_time)
        {
            return Err(Setback::Final(RegisterError::NotNext { register: self.id, last: self.end.sequence }));
        }
        Ok(lines.to_vec())
    }

    /// Each line that came to stand goes to the log, by whoever wrote it: a log store keeps it longer than a cluster does.
    fn tell(&self, lines: &[Written]) {
        for line in lines {
            tracing::info!(target: LOG_TARGET, register = %self.id, line = %line.text);
        }
    }

    /// The time to the millisecond: enough to tell lines apart, and short enough to read.
    fn now(&self) -> Timestamp {
        let now = (self.shared.clock)();
        now.round(TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Trunc)).unwrap_or(now)
    }

    async fn write_head(&mut self, attempt: &Attempt) -> Result<(), Setback> {
        let mut link = self.sealed.clone().unwrap_or_else(|| self.head.link.clone());
        link.kept_from = attempt.kept_from;
        let document = layout::head(&self.id, &link, &[self.unsealed(), &attempt.lines], self.head.resource_version.clone());
        let sent = tokio::time::Instant::now();
        self.lead()?;
        let written = match document.resource_version {
            Some(_) => self.call(self.shared.store.replace(document)).await,
            // The first head, or one that was deleted and is made again.
            None => self.call(self.shared.store.create(document)).await,
        };
        let written = written.map_err(|error| self.setback(error))?;
        let mut lines = self.unsealed().to_vec();
        lines.extend(attempt.lines.iter().cloned());
        self.head = Head { resource_version: written.resource_version, link, lines };
        self.sealed = None;
        let bytes = attempt.lines.iter().map(|line| line.text.len() + 1).sum();
        self.shared.observer.appended(&self.id, Batch { lines: attempt.lines.len(), bytes, took: sent.elapsed() });
        self.stand(&attempt.lines);
        self.shared.index.keep_from(self.generation, self.id, self.head.link.kept_from);
        self.delete_given_up().await;
        Ok(())
    }

    /// Lines that stand become what the next ones follow, and known to those who ask.
    fn stand(&mut self, lines: &[Written]) {
        let Some(last) = lines.last() else { return };
        (self.end, self.last_time) = (last.end(), last.line.time);
        self.shared.index.apply(self.generation, self.id, lines.iter());
    }

    /// The head's lines that stand in no segment.
    fn unsealed(&self) -> &[Written] {
        let Some(sealed) = &self.sealed else { return &self.head.lines };
        let start = self.head.lines.partition_point(|written| written.line.sequence <= sealed.sequence);
        &self.head.lines[start..]
    }

    /// Asked before each write.
    fn lead(&self) -> Result<(), Setback> {
        self.shared.fence.check().map_err(|_| Setback::Final(RegisterError::NotLeading))
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match timeout(CALL, call).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::Unknown { why: format!("no answer within {} s", CALL.as_secs()) }),
        }
    }

    fn setback(&self, error: StoreError) -> Setback {
        match error {
            StoreError::Conflict | StoreError::AlreadyExists => Setback::Late,
            StoreError::NotFound if self.head.resource_version.is_some() => Setback::Late,
            StoreError::NotFound => Setback::Silence("the operator's namespace does not exist".to_owned()),
            StoreError::Refused { why } => Setback::Final(RegisterError::Refused { register: self.id, why }),
            StoreError::Unknown { why } => Setback::Silence(why),
        }
    }

    fn forked(&self, why: String) -> Setback {
        Setback::Final(RegisterError::Broken { register: self.id, why })
    }

    fn unavailable(&self, why: String) -> RegisterError {
        RegisterError::Unavailable { register: self.id, why }
    }
}

fn own_lines(attempt: Attempt) -> Vec<Line> {
    attempt.lines.into_iter().skip(attempt.carried).map(|written| written.line).collect()
}
