//! Who signs: the trait that every kind of issuer implements, one file each.
//!
//! An issuer turns a template into a certificate. It decides nothing: whether it may, for whom and for how long is decided
//! in `plan`, and the register knows of it before it is asked.

mod book;
pub mod ca;
mod self_signed;

use std::fmt;

use chancery_pki::{Certificate as X509, IssueError, PrivateKey, Template};

pub use book::{Book, Entry, Turn};
pub use ca::CertificateAuthority;
pub use self_signed::SelfSigned;

/// What signs.
pub trait Issuer: Send + Sync + fmt::Debug {
    /// Adds to a template what this issuer puts into each certificate: where its lists and its answers are.
    fn complete(&self, template: Template) -> Template;

    /// Signs a certificate for that key, as the template says and no more.
    ///
    /// # Errors
    /// When the template cannot be a certificate, or the signer fails.
    fn sign(&self, template: &Template, subject: &PrivateKey) -> Result<X509, IssueError>;

    /// The certificate under which it signs; none where each certificate signs itself.
    fn certificate(&self) -> Option<&X509> {
        None
    }

    /// The authority's own key, for its lists and for the copy of it; none for an issuer without an authority.
    fn key(&self) -> Option<&PrivateKey> {
        None
    }
}
