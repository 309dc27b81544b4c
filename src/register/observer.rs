//! Who counts what the registers do.
//!
//! An observer is told and never asked: nothing that is written depends on it.

use std::time::Duration;

use super::layout::RegisterId;

/// Lines that came to stand with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many.
    pub lines: usize,
    /// Their length in octets.
    pub bytes: usize,
    /// From the request to its answer.
    pub took: Duration,
}

/// Counts what the registers do. Called from their workers, so it must not block.
pub trait Observer: Send + Sync {
    /// A write of the head stands, and with it these lines.
    fn appended(&self, register: &RegisterId, batch: Batch);
    /// Another writer was first.
    fn conflicted(&self, register: &RegisterId);
    /// Lines were given up: those who wait for them are told why.
    fn failed(&self, register: &RegisterId);
    /// A segment was sealed.
    fn sealed(&self, register: &RegisterId);
}

/// Counts nothing.
impl Observer for () {
    fn appended(&self, _: &RegisterId, _: Batch) {}
    fn conflicted(&self, _: &RegisterId) {}
    fn failed(&self, _: &RegisterId) {}
    fn sealed(&self, _: &RegisterId) {}
}
