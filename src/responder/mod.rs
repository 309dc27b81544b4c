//! `chancery responder`: serves revocation lists, OCSP answers and the certificates of authorities over HTTP.
//!
//! It reads the operator's namespace and writes nothing. It holds no CA's key: OCSP answers are signed with delegates' keys.

pub mod bucket;
pub mod cache;
pub mod caching;
pub mod route;
