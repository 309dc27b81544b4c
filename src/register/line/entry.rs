//! What a line records: the act, and whose certificate or key it is about.
//!
//! Whoever has something to record makes an entry; its place, time and hash come with the line. Not here: what is recorded when.

use chancery_pki::{CrlNumber, KeyId, Reason, SerialNumber};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::LINE_BYTES;

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
