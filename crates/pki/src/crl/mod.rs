//! Certificate revocation lists (RFC 5280 section 5).

mod number;

pub use number::{CrlNumber, CrlNumberError};
