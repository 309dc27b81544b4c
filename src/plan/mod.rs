//! Pure decisions: `decide(&Observed, now) -> Plan`.
//!
//! Nothing here has a client, a clock or a random number; ten years of renewals are a unit test. What a decision is made
//! from is gathered by `observe`, what it asks for is carried out by `apply`.

mod assess;
pub mod budget;
pub mod checks;
mod decide;
pub mod delegate;
pub mod deletion;
pub mod dress;
pub mod forms;
pub mod issuer;
pub mod limits;
pub mod list;
pub mod observed;
mod obtain;
mod outcome;
pub mod ownership;
#[cfg(test)]
mod properties;
pub mod publication;
pub mod recorded;
pub mod renewal;
pub mod revocation;
#[cfg(test)]
mod simulation;
#[cfg(test)]
pub(crate) mod stage;
pub mod status;
pub mod temporary;
pub mod turn;

pub use decide::{decide, failed};
pub use outcome::{Act, Finalizer, Helps, Issue, KeySource, Pending, Plan, Standing};
