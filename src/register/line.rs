//! One line of a register: what happened, and the hash that chains it to the line before it.
//!
//! A line is JSON on one line of text. Its exact octets are what the next line's hash covers, so a line that was read is
//! kept as it was written and never printed anew: fields and acts of a newer version survive in this way. This module is
//! pure; it reads no clock.

// The fuzz target takes this file in by its path, and what is below it has to be found from there too.
#[path = "line/entry.rs"]
mod entry;

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

pub use entry::{Act, Entry, EntryError, Owner};

/// The longest line that is ever written, in octets without its newline.
pub const LINE_BYTES: usize = 1280;

/// The `previous` of the first line of a register.
pub const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its place, from 1, without a gap.
    #[serde(deserialize_with = "place")]
    pub sequence: u64,
    /// When it was written, to the millisecond; never earlier than the line before it.
    pub time: Timestamp,
    /// The SHA-256 of the previous line's octets without the newline, in lower-case hexadecimal; 64 zeros for the first.
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Line {
    /// The line as it is written, without its newline.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a line has only text, numbers and times, which JSON can always hold")
    }

    /// When that happened: when the line was written, or, where it had been lost, when it was written first.
    pub fn happened(&self) -> Timestamp {
        self.entry.recorded.unwrap_or(self.time)
    }

    /// The line for a person: place, time, act, serial, owner or key, reason.
    pub fn show(&self) -> String {
        let Self { sequence, time, entry, .. } = self;
        let serial = entry.serial.as_ref().map_or_else(|| "-".to_owned(), |serial| shortened(&serial.to_string(), 16));
        let subject = match (&entry.owner, &entry.key_id) {
            (Some(owner), _) => format!("{}/{}", owner.namespace, owner.name),
            (None, Some(key)) => format!("key {}", shortened(&key.to_string(), 16)),
            (None, None) => "-".to_owned(),
        };
        format!("{sequence:>6}  {time:.0}  {:<9}  {serial:<17}  {subject:<32}  {}", entry.act.as_str(), entry.reason)
    }
}

impl Entry {
    /// The octets of the longest line that this entry can become, whatever its sequence and time.
    pub(super) fn longest_line(&self) -> usize {
        let longest = Line { sequence: u64::MAX, time: Timestamp::MAX, previous: NO_LINE.to_owned(), entry: self.clone() };
        longest.to_text().len()
    }
}

/// A line with the octets in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The exact text, without the newline.
    pub text: String,
    /// What it says.
    pub line: Line,
}

impl Written {
    /// The place after this line, from which the next one follows.
    pub fn end(&self) -> Position {
        Position { sequence: self.line.sequence, hash: hash(&self.text) }
    }
}

/// A place in a register: the last line so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last line's sequence, 0 where there is none.
    pub sequence: u64,
    /// The last line's hash, in hexadecimal.
    pub hash: String,
}

impl Position {
    /// Before the first line.
    pub fn start() -> Self {
        Self { sequence: 0, hash: NO_LINE.to_owned() }
    }
}

/// The chain does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {sequence}: {why}")]
pub struct BrokenAt {
    /// The sequence that the line at fault has, or should have.
    pub sequence: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Reads JSON lines that follow `after` and checks that they do, one by one.
///
/// # Errors
/// At the first line that is no line, is out of sequence, is earlier than the one before, or does not carry its hash.
pub fn read(after: &Position, text: &str) -> Result<Vec<Written>, BrokenAt> {
    let mut end = after.clone();
    let mut read: Vec<Written> = Vec::new();
    for raw in text.lines() {
        let broken = |why: String| BrokenAt { sequence: end.sequence.saturating_add(1), why };
        let line: Line = serde_json::from_str(raw).map_err(|error| broken(format!("not a register's line: {error}")))?;
        if line.sequence - 1 != end.sequence {
            return Err(broken(format!("a line with sequence {} stands in its place", line.sequence)));
        }
        if line.previous != end.hash {
            return Err(broken("it does not carry the hash of the line before it: one of the two was changed".to_owned()));
        }
        if read.last().is_some_and(|before| line.time < before.line.time) {
            return Err(broken("it is earlier than the line before it".to_owned()));
        }
        let written = Written { text: raw.to_owned(), line };
        end = written.end();
        read.push(written);
    }
    Ok(read)
}

/// Checks JSON lines by themselves, as a person has them from `kubectl`: the first may have any sequence.
///
/// # Errors
/// As [`read`]; and when a line with sequence 1 claims a line before it.
pub fn verify(text: &str) -> Result<(), BrokenAt> {
    let Some(first) = text.lines().next() else { return Ok(()) };
    let after = match serde_json::from_str::<Line>(first) {
        Ok(line) if line.sequence > 1 => Position { sequence: line.sequence - 1, hash: line.previous },
        _ => Position::start(),
    };
    read(&after, text).map(|_| ())
}

/// The SHA-256 of a line's text, or of other octets, in lower-case hexadecimal.
pub fn hash(text: impl AsRef<[u8]>) -> String {
    use std::fmt::Write as _;
    let mut hexadecimal = String::with_capacity(NO_LINE.len());
    for octet in digest::digest(&digest::SHA256, text.as_ref()).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(hexadecimal, "{octet:02x}");
    }
    hexadecimal
}

fn shortened(text: &str, digits: usize) -> String {
    match text.get(..digits) {
        Some(start) if text.len() > digits => format!("{start}…"),
        _ => text.to_owned(),
    }
}

/// The sequence of a line: it has one before it, and one after it.
fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        0 | u64::MAX => Err(serde::de::Error::custom("sequence: it is no place of a line, which are counted from 1")),
        sequence => Ok(sequence),
    }
}

#[cfg(test)]
mod tests;
