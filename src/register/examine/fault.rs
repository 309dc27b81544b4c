//! What can be wrong with a register, and how that is said to a person.
//!
//! Only the names: what is found is found by `search`.

use std::fmt;

/// One thing that is wrong with a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The head is not there, and segments are.
    HeadGone {
        /// Its ConfigMap.
        name: String,
    },
    /// A sealed segment is not there.
    SegmentMissing {
        /// Its ConfigMap.
        name: String,
        /// Its first line that is not there.
        from: u64,
        /// Its last.
        to: u64,
    },
    /// Lines are not there.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A line is not what it was.
    Altered {
        /// Its place.
        sequence: u64,
        /// How that shows.
        why: String,
    },
    /// A line does not stand in its place.
    Moved {
        /// The place that it names.
        sequence: u64,
        /// The line before which it stands; none at the end.
        before: Option<u64>,
    },
    /// Two lines name the same place.
    Twice {
        /// The place.
        sequence: u64,
    },
    /// The end is not there.
    CutOff {
        /// The last line that is there.
        end: u64,
        /// The last line that there was.
        was: u64,
        /// Who remembers it.
        who: String,
    },
    /// Another thing, as the operator finds it.
    Other {
        /// What.
        why: String,
    },
}

impl Fault {
    /// What was done, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::HeadGone { .. } => "head gone",
            Self::SegmentMissing { .. } => "segment missing",
            Self::Missing { .. } => "missing",
            Self::Altered { .. } => "altered",
            Self::Moved { .. } => "moved",
            Self::Twice { .. } => "twice",
            Self::CutOff { .. } => "cut off",
            Self::Other { .. } => "unsound",
        }
    }

    pub(super) fn place(&self) -> u64 {
        match self {
            Self::HeadGone { .. } | Self::Other { .. } => u64::MAX,
            Self::SegmentMissing { from, .. } | Self::Missing { from, .. } => *from,
            Self::Altered { sequence, .. } | Self::Moved { sequence, .. } | Self::Twice { sequence } => *sequence,
            Self::CutOff { end, .. } => *end,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadGone { name } => write!(formatter, "the head is gone: there is no ConfigMap {name}, and there are segments of it"),
            Self::SegmentMissing { name, from, to } => {
                write!(formatter, "a segment is missing: there is no ConfigMap {name}, and {} with it", are_gone(*from, *to))
            }
            Self::Missing { from, to } if from == to => write!(formatter, "line {from} is missing"),
            Self::Missing { from, to } => write!(formatter, "lines {from} to {to} are missing"),
            Self::Altered { sequence, why } => write!(formatter, "line {sequence} was altered: {why}"),
            Self::Moved { sequence, before: Some(before) } => {
                write!(formatter, "line {sequence} was moved: it stands before line {before}")
            }
            Self::Moved { sequence, before: None } => write!(formatter, "line {sequence} was moved: it stands at the end"),
            Self::Twice { sequence } => write!(formatter, "line {sequence} stands twice"),
            Self::CutOff { end: 0, was, who } => write!(formatter, "the register is gone: {who} remembers {was} lines"),
            Self::CutOff { end, was, who } => write!(formatter, "the end was cut off after line {end}: {who} remembers line {was}"),
            Self::Other { why } => formatter.write_str(why),
        }
    }
}

fn are_gone(from: u64, to: u64) -> String {
    if from == to { format!("line {from} is gone") } else { format!("lines {from} to {to} are gone") }
}
