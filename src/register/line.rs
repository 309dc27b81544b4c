//! One line of a register: what happened, and the hash that chains it to the line before it.
//!
//! A line is JSON on one line of text. Its exact octets are what the next line's hash covers, so a line that was read is
//! kept as it was written and never printed anew: fields and acts of a newer version survive in this way. This module is
//! pure; it reads no clock.

use aws_lc_rs::digest;
use chancery_pki::{CrlNumber, KeyId, Reason, SerialNumber};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest line that is ever written, in octets without its newline.
pub const LINE_BYTES: usize = 1280;

/// The `previous` of the first line of a register.
pub const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How many octets of a reason are kept. With `ACTOR_BYTES` and the longest names that Kubernetes has, a line stays below `LINE_BYTES`.
const REASON_BYTES: usize = 160;
const ACTOR_BYTES: usize = 104;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// A certificate is about to be signed: the line stands before the signature is made.
    Issued,
    /// A certificate made elsewhere is accepted as its owner's current one.
    Imported,
    /// An issued serial was not used: no certificate with it was handed out.
    Voided,
    /// A revocation that nobody ordered by hand (a Certificate was deleted, say) is asked for, and waits for its list.
    Pending,
    /// The certificate is revoked (RFC 5280 section 5.3.1).
    Revoked,
    /// The certificate is on hold.
    Held,
    /// The hold has ended.
    Released,
    /// The key may not be certified again.
    Blocked,
    /// A revocation list was published.
    Published,
    /// A key for an authority was made.
    Made,
    /// The authority's key was copied to the operator's namespace.
    Copied,
    /// The authority signs no certificates any more.
    Retired,
    /// The key was destroyed.
    Destroyed,
    /// A certificate was asked for and refused.
    Refused,
    /// An act of a newer version. It is read and left alone, and never written.
    #[serde(other)]
    Unknown,
}

impl Act {
    /// The act as it stands in the line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Imported => "imported",
            Self::Voided => "voided",
            Self::Pending => "pending",
            Self::Revoked => "revoked",
            Self::Held => "held",
            Self::Released => "released",
            Self::Blocked => "blocked",
            Self::Published => "published",
            Self::Made => "made",
            Self::Copied => "copied",
            Self::Retired => "retired",
            Self::Destroyed => "destroyed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// The Certificate that a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: tells it from a later object of the same name.
    pub uid: String,
}

/// What a caller wants recorded; sequence, time and hash are added when it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    pub act: Act,
    /// The certificate's serial.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text")]
    pub serial: Option<SerialNumber>,
    /// The end of its validity.
    #[serde(rename = "notAfter", default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// The certified key, or the authority's key where the act is about one.
    #[serde(rename = "keyID", default, skip_serializing_if = "Option::is_none", with = "as_text")]
    pub key_id: Option<KeyId>,
    /// Whose certificate or key it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Why, in a word or a short sentence; cut to 160 octets.
    #[serde(default)]
    pub reason: String,
    /// Who did it; cut to 104 octets.
    #[serde(default)]
    pub actor: String,
    /// Of a revocation: its reason code (RFC 5280 section 5.3.1); none for unspecified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Reason>,
    /// Of a revocation: when the key is known or believed to have become unsafe (RFC 5280 section 5.3.2).
    #[serde(rename = "invalidityDate", default, skip_serializing_if = "Option::is_none")]
    pub invalidity_date: Option<Timestamp>,
    /// Of a revocation: it stands on no list before this time, where that lies ahead; where it lies back, since when the certificate
    /// is revoked. None: the line's own time is both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Of a revocation that was asked for by time: everything issued before this was to be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// Of a published list: its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<CrlNumber>,
    /// Of a refusal: the generation of the Certificate that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Of what was lost and is on record again, in a register that had gone on meanwhile: when it was recorded first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Timestamp>,
}

impl Entry {
    /// An entry that says nothing yet but what happened.
    pub fn new(act: Act) -> Self {
        Self {
            act,
            serial: None,
            not_after: None,
            key_id: None,
            owner: None,
            reason: String::new(),
            actor: String::new(),
            code: None,
            invalidity_date: None,
            from: None,
            before: None,
            number: None,
            generation: None,
            recorded: None,
        }
    }

    /// The entry as it will be written: texts cut to their limits, control characters replaced, what its act needs present.
    ///
    /// # Errors
    /// When a field that the act needs is missing, or the line would be longer than `LINE_BYTES`.
    pub fn checked(mut self) -> Result<Self, EntryError> {
        self.reason = bounded(&self.reason, REASON_BYTES);
        self.actor = bounded(&self.actor, ACTOR_BYTES);
        let missing = |field| Err(EntryError::Missing { act: self.act.as_str(), field });
        match self.act {
            Act::Unknown => return Err(EntryError::UnknownAct),
            Act::Issued | Act::Imported if self.not_after.is_none() => return missing("notAfter"),
            Act::Issued | Act::Imported | Act::Made | Act::Copied | Act::Retired | Act::Destroyed | Act::Blocked
                if self.key_id.is_none() =>
            {
                return missing("keyID");
            }
            Act::Issued | Act::Imported | Act::Voided | Act::Pending | Act::Revoked | Act::Held | Act::Released
                if self.serial.is_none() =>
            {
                return missing("serial");
            }
            Act::Published if self.number.is_none() => return missing("number"),
            Act::Issued | Act::Imported | Act::Voided | Act::Refused if self.owner.is_none() => return missing("owner"),
            Act::Refused if self.generation.is_none() => return missing("generation"),
            _ => {}
        }
        match self.longest_line() {
            bytes if bytes > LINE_BYTES => Err(EntryError::TooLong { bytes }),
            _ => Ok(self),
        }
    }

    /// The octets of the longest line that this entry can become, whatever its sequence and time.
    pub(super) fn longest_line(&self) -> usize {
        let longest = Line { sequence: u64::MAX, time: Timestamp::MAX, previous: NO_LINE.to_owned(), entry: self.clone() };
        longest.to_text().len()
    }
}

/// Why an entry cannot be written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EntryError {
    /// The act is one that this version does not know.
    #[error("an act of another version cannot be written")]
    UnknownAct,
    /// The act needs a field that is not there.
    #[error("a line \"{act}\" needs {field}")]
    Missing {
        /// The act.
        act: &'static str,
        /// The field, as it is called in the line.
        field: &'static str,
    },
    /// Names or other fields are too long.
    #[error("the line would have {bytes} octets, and may have {LINE_BYTES}")]
    TooLong {
        /// How many it would have.
        bytes: usize,
    },
}

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

/// The text without control characters, cut so that its JSON form has at most `limit` octets.
fn bounded(text: &str, limit: usize) -> String {
    const ELLIPSIS: char = '…';
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let width = |c: char| if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
    if clean.chars().map(width).sum::<usize>() <= limit {
        return clean;
    }
    let mut left = limit - ELLIPSIS.len_utf8();
    let mut cut: String = clean
        .chars()
        .take_while(|c| {
            let fits = width(*c) <= left;
            left = left.saturating_sub(width(*c));
            fits
        })
        .collect();
    cut.push(ELLIPSIS);
    cut
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

/// Serials and key identifiers stand in a line as their text.
mod as_text {
    use std::{fmt::Display, str::FromStr};

    use super::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests;
