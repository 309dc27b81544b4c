//! Why a line does not stand, and whether waiting helps.
//!
//! Facts for a person and for the caller; what a caller does about them is its own.

use thiserror::Error;

use super::{layout::RegisterId, line::EntryError};

/// Why a line does not stand, or is not known to stand.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// The registers are not open: we do not lead yet, or no longer.
    #[error("the registers are not open")]
    Closed,
    /// The registers could not be read at their opening.
    #[error("the registers cannot be read: {why}")]
    Unreadable {
        /// The API server's answer, or what came instead.
        why: String,
    },
    /// Another leads.
    #[error("another instance leads")]
    NotLeading,
    /// The entry lacks what its act needs, or is too long.
    #[error("register {register}: {why}")]
    Invalid {
        /// The register.
        register: RegisterId,
        /// What is wrong with it.
        why: EntryError,
    },
    /// The register does not hold together. Nothing is signed under it until a person has put it right.
    #[error(
        "register {register} does not hold together: {why}. Put the ConfigMaps labelled chancery.dev/register={label} back from a backup, \
         all of them from one moment, and restart the operator", label = register.label()
    )]
    Broken {
        /// The register.
        register: RegisterId,
        /// What is wrong with it.
        why: String,
    },
    /// Lines of before do not follow the last one.
    #[error("register {register}: the lines do not follow line {last}, which is the last one")]
    NotNext {
        /// The register.
        register: RegisterId,
        /// The last line's sequence.
        last: u64,
    },
    /// The API server will not take the line.
    #[error("register {register}: the API server refuses the line: {why}")]
    Refused {
        /// The register.
        register: RegisterId,
        /// Its answer.
        why: String,
    },
    /// The API server did not answer, or someone else was first each time. The line may come to stand after all.
    #[error("register {register} cannot be written: {why}")]
    Unavailable {
        /// The register.
        register: RegisterId,
        /// What came instead of an answer.
        why: String,
    },
}

impl RegisterError {
    /// Whether the same append may succeed later without anyone doing anything.
    pub fn waiting_helps(&self) -> bool {
        match self {
            Self::Closed | Self::Unreadable { .. } | Self::NotLeading | Self::Unavailable { .. } => true,
            Self::Invalid { .. } | Self::Broken { .. } | Self::NotNext { .. } | Self::Refused { .. } => false,
        }
    }
}
