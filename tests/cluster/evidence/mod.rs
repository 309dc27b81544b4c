//! What tells that nothing went wrong on the way: every version of every Secret that stood, and what the registers say.
//!
//! The judgement is made with the parsers and the register's own replay, and with a replay of its own: see `ledger`.

mod ledger;
mod publications;
mod witness;

pub(crate) use ledger::{Ledger, current};
pub(crate) use publications::Publications;
pub(crate) use witness::{Witness, read};
