//! Programs and libraries that are not ours read, check and trust what comes out, and what they make is read here.
//!
//! Needs the commands `openssl`, 3.0 or newer, and `keytool` of a JDK, 17 or newer, and `make tools`, which builds zlint and
//! gocheck.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod constraints;
mod crl;
mod keystore;
mod ocsp;
mod openssl;
mod support;
mod zlint;
