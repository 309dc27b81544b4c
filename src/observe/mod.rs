//! Reads only: gathers from caches, the register and, where it must, the API server what a decision is made from.
//!
//! Nothing here writes, and nothing here decides.

mod cache;
mod certificate;
mod issuer;
mod links;
mod marks;
mod revocation;
mod secret;
mod world;

pub use cache::{Cache, Cached, Change, Name};
pub use certificate::{SecretSight, Sight};
pub use issuer::IssuerSight;
pub use links::{Links, Named};
pub use marks::{IssuerObject, NamespaceMark};
pub use secret::{Mark, Wiped, data, read};
pub use world::{Memory, Scope, World};
