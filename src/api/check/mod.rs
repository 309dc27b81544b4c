//! From a stored spec to a checked type.
//!
//! Everything that the schema says is checked again here, since an object may have been stored under other rules; and
//! some things that no schema can say. What comes out cannot be invalid.

pub mod certificate;
pub mod error;
pub mod issuer;
pub mod keystores;
mod names;
mod renewal;
pub mod revocation_list;
pub(super) mod shared;
pub(super) mod text;
