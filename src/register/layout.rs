//! How a register lies in ConfigMaps: a head that grows to 64 KiB, and sealed immutable segments before it.
//!
//! Pure: names, labels and contents. The head's link names the last sealed segment, its last line and that line's hash,
//! and the first line that must still be there: what was trimmed on purpose is told from what was lost.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chancery_pki::KeyId;
use serde::{Deserialize, Serialize};

use super::{
    line::{NO_LINE, Position, Written},
    store::{Document, Selector},
};

/// The label on every ConfigMap of a register; its value is `common` or the first 32 digits of the authority's key identifier.
pub const LABEL: &str = "chancery.dev/register";

/// The most octets of lines that a head or a segment holds. Each append writes the whole head: more would make appends dear,
/// less would make many objects.
pub const HEAD_BYTES: usize = 64 * 1024;

const PREFIX: &str = "chancery-register-";
const COMMON: &str = "common";
const LINES: &str = "lines";
const PREVIOUS: &str = "previous";
const SEQUENCE_DIGITS: usize = 12;
/// A label's value has at most 63 characters, a key identifier 64.
const LABEL_DIGITS: usize = 32;

/// Which register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterId {
    /// That of the certificates whose issuer is no authority (self-signed).
    Common,
    /// That of the authority with this key.
    Authority(KeyId),
}

impl RegisterId {
    /// The name of the register's head ConfigMap.
    pub fn name(&self) -> String {
        format!("{PREFIX}{self}")
    }

    /// The value of the label [`LABEL`] on the register's ConfigMaps. Two authorities may share it, in theory: names tell them apart.
    pub fn label(&self) -> String {
        self.to_string().chars().take(LABEL_DIGITS).collect()
    }

    /// The label on the register's ConfigMaps.
    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(LABEL.to_owned(), self.label())])
    }

    /// The name of the sealed segment whose first line has this sequence.
    pub fn segment_name(&self, first: u64) -> String {
        format!("{PREFIX}{self}-{first:0SEQUENCE_DIGITS$}")
    }
}

impl fmt::Display for RegisterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Common => formatter.write_str(COMMON),
            Self::Authority(key) => key.fmt(formatter),
        }
    }
}

impl FromStr for RegisterId {
    type Err = chancery_pki::KeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == COMMON { Ok(Self::Common) } else { text.parse().map(Self::Authority) }
    }
}

/// The ConfigMaps of one register, or of all.
pub(super) fn selector(only: Option<RegisterId>) -> Selector {
    Selector { label: LABEL, value: only.map(|id| id.label()) }
}

/// What a ConfigMap is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Segment { first: u64 },
}

/// The register and part that a ConfigMap's name stands for; none for a name of another form.
pub(super) fn part_of(name: &str) -> Option<(RegisterId, Part)> {
    let rest = name.strip_prefix(PREFIX)?;
    match rest.split_once('-') {
        None => Some((rest.parse().ok()?, Part::Head)),
        Some((id, digits)) if digits.len() == SEQUENCE_DIGITS => Some((id.parse().ok()?, Part::Segment { first: digits.parse().ok()? })),
        Some(_) => None,
    }
}

impl Document {
    /// The register that it is a part of, by its name; none for one of another name.
    pub fn register(&self) -> Option<RegisterId> {
        part_of(&self.name).map(|(id, _)| id)
    }

    /// The lines as they stand.
    pub fn lines(&self) -> &str {
        self.data.get(LINES).map_or("", String::as_str)
    }

    /// The link to the segment before; [`Link::none`] where it has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn link(&self) -> Result<Link, String> {
        match self.data.get(PREVIOUS) {
            None => Ok(Link::none()),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("the key \"{PREVIOUS}\" of ConfigMap {} cannot be read: {error}", self.name)),
        }
    }
}

/// What comes before the lines of a head or segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    /// The segment's name.
    pub(super) segment: String,
    /// The sequence of its last line.
    pub(super) sequence: u64,
    /// The hash of its last line.
    pub(super) hash: String,
    /// The first line of the register that was not given up when its time had passed.
    #[serde(default = "first_line")]
    pub(super) kept_from: u64,
}

impl Link {
    pub(super) fn none() -> Self {
        Self { segment: String::new(), sequence: 0, hash: NO_LINE.to_owned(), kept_from: 1 }
    }

    pub(super) fn position(&self) -> Position {
        Position { sequence: self.sequence, hash: self.hash.clone() }
    }
}

fn first_line() -> u64 {
    1
}

/// The head as it is to be written; `resource_version` is none where there is no head yet.
pub(super) fn head(id: &RegisterId, link: &Link, lines: &[&[Written]], resource_version: Option<String>) -> Document {
    Document { name: id.name(), labels: id.labels(), data: content(link, lines), resource_version, ..Document::default() }
}

/// The sealed segment of these lines.
pub(super) fn segment(id: &RegisterId, link: &Link, lines: &[Written]) -> Document {
    let first = lines.first().map_or(link.sequence + 1, |written| written.line.sequence);
    Document { name: id.segment_name(first), labels: id.labels(), data: content(link, &[lines]), immutable: true, ..Document::default() }
}

/// How many octets the lines take with their newlines.
pub(super) fn bytes(lines: &[Written]) -> usize {
    lines.iter().map(|written| written.text.len() + 1).sum()
}

fn content(link: &Link, parts: &[&[Written]]) -> BTreeMap<String, String> {
    let mut text = String::with_capacity(parts.iter().map(|lines| bytes(lines)).sum());
    for written in parts.iter().copied().flatten() {
        text.push_str(&written.text);
        text.push('\n');
    }
    let mut data = BTreeMap::from([(LINES.to_owned(), text)]);
    if *link != Link::none() {
        let link = serde_json::to_string(link).expect("a link has only text and numbers, which JSON can always hold");
        data.insert(PREVIOUS.to_owned(), link);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_fit_and_read_back() {
        let authority = RegisterId::Authority(KeyId::of_spki(b"x"));
        for id in [RegisterId::Common, authority] {
            assert_eq!(part_of(&id.name()), Some((id, Part::Head)));
            assert_eq!(part_of(&id.segment_name(77)), Some((id, Part::Segment { first: 77 })));
            assert!(id.label().len() <= 63);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(RegisterId::Common.segment_name(1), "chancery-register-common-000000000001");
    }

    #[test]
    fn other_names_are_no_part_of_a_register() {
        for name in
            ["", "chancery-register-", "chancery-register-abc", "chancery-register-common-1", "chancery-register-common-00000000000x", "x"]
        {
            assert_eq!(part_of(name), None, "{name}");
        }
    }
}
