//! Key stores and trust stores: what is written is found again, and nothing else is taken for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixed;
mod holds;
mod hostile;
mod refused;
mod support;
