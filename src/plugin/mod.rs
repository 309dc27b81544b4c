//! What `kubectl chancery` does; its command line is `src/bin/kubectl-chancery/`.
//!
//! It acts as the person who runs it, with that person's rights, and through the same objects that anyone may write: it knows no
//! way into the operator that a manifest does not have.

pub mod change;
pub mod check;
pub mod crl;
pub mod fetch;
pub mod gitops;
pub mod import;
pub mod inspect;
pub mod list;
pub mod material;
pub mod migrate;
pub mod ocsp;
pub mod output;
pub mod published;
pub mod read;
pub mod register;
pub mod renew;
pub mod revoke;
pub mod said;
pub mod show;
pub mod span;
pub mod status;
pub mod verify;
pub mod version;
pub mod wait;

pub use import::{Import, ImportError, Imported, import};
pub use migrate::migrate;
