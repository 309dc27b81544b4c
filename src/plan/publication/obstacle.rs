//! What keeps lists from being published, and how a person is told.

use std::fmt;

use jiff::Timestamp;

use super::FORMER_URLS;
use crate::api::reason;

/// What keeps lists from being published. What is published stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Our clock and the API server's differ.
    ClockSkew {
        /// By how much, for a person.
        why: String,
    },
    /// The register cannot be read or written.
    Register {
        /// What is wrong.
        why: String,
    },
    /// A line of the register that was there is gone. Before a person is told, the register has to be read again: a former
    /// leader may have written lines that are not known here.
    RolledBack {
        /// Who remembers the line.
        who: &'static str,
    },
    /// The list that stands was made later than now.
    AheadOfClock {
        /// When it says it was made.
        this_update: Timestamp,
    },
    /// Several lists without a URL.
    NoUrl,
    /// The URL was changed too often.
    TooManyUrls,
}

impl Obstacle {
    /// The reason for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ClockSkew { .. } | Self::AheadOfClock { .. } => reason::list::CLOCK_SKEW,
            Self::Register { .. } => reason::list::REGISTER_UNAVAILABLE,
            Self::RolledBack { .. } => reason::list::ROLLED_BACK,
            Self::NoUrl | Self::TooManyUrls => reason::INVALID_SPEC,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClockSkew { why } | Self::Register { why } => formatter.write_str(why),
            Self::RolledBack { who } => write!(
                formatter,
                "the register lacks a line that {who} remembers: a store went back in time. What is published stays, and nothing new is \
                 published, until the register is put back from a backup, or what it has lost is confirmed"
            ),
            Self::AheadOfClock { this_update } => write!(
                formatter,
                "the list that stands says that it was made at {this_update}, which is yet to come: a clock was wrong. No other is \
                 published before that, unless it is confirmed"
            ),
            Self::NoUrl => formatter.write_str("spec.distribution.baseURL: the lists of several shards need one"),
            Self::TooManyUrls => write!(
                formatter,
                "spec.distribution.baseURL: it was changed {FORMER_URLS} times, and all of these URLs stand in certificates and lists; \
                 set one of them"
            ),
        }
    }
}
