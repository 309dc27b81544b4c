//! The responder over registers and lists that were really written, and over real HTTP.

mod ending;
mod ground;
mod http;
mod keeping;
mod openssl;
mod readiness;
