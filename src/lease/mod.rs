//! Who may write: one of several processes, by a Lease in the API server.
//!
//! Leadership is a time, not a flag: [`Fence::check`] says yes only while the lease, by our own clock, cannot have
//! passed to another. A lease does not fence a write that is already on its way; every write therefore also has a
//! precondition of its own (a resourceVersion, or POST).

mod claim;
mod elector;
#[cfg(test)]
mod rivals;

use thiserror::Error;

pub use claim::{Claim, Moment, Step, Terms, TermsError};
pub use elector::{Elector, Options, Term};

/// Asked before each write.
pub trait Fence: Send + Sync + std::fmt::Debug {
    /// Says whether this process leads at this very moment.
    fn check(&self) -> Result<(), NotLeading>;
}

/// This process does not lead now.
#[derive(Clone, Copy, Debug, Default, Eq, Error, PartialEq)]
#[error("this process does not hold the lease")]
pub struct NotLeading;

/// The fence of a process that has no rival: tests and tools of one shot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfenced;

impl Fence for Unfenced {
    fn check(&self) -> Result<(), NotLeading> {
        Ok(())
    }
}
