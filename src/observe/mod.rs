//! Reads only: gathers from caches, the register and, where it must, the API server what a decision is made from.
//!
//! Nothing here writes, and nothing here decides.

mod bundle;
mod cache;
mod certificate;
mod coverage;
mod forms;
mod issuer;
mod links;
mod list;
mod marks;
mod revocation;
mod secret;
mod world;

pub use bundle::{Bundle, FormError};
pub use cache::{Cache, Cached, Change, Name};
pub use certificate::{SecretSight, Sight};
pub use coverage::{Coverage, Coverages, Pem, Urls};
pub use forms::Unlocked;
pub use issuer::IssuerSight;
pub use links::{Links, Named};
pub use list::ListSight;
pub use marks::{IssuerObject, NamespaceMark, PartMark};
pub(crate) use revocation::ca_crl;
pub use secret::{Mark, Wiped, data, read};
pub use world::{Memory, Scope, World};
