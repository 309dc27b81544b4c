//! Why a store is not written.

use thiserror::Error;

use crate::KeyError;

/// The longest password, in octets of UTF-8.
pub const PASSWORD_MAX: usize = 1024;
/// The longest alias, in octets of UTF-8.
pub const ALIAS_MAX: usize = 256;

/// Why a store is not written. Never tells anything of the password.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeystoreError {
    /// There is no password.
    #[error("the password is empty")]
    PasswordEmpty,
    /// The password holds octets that are no UTF-8.
    #[error("the password is not UTF-8 text")]
    PasswordNotText,
    /// The password is longer than any reader takes.
    #[error("the password is longer than {most} octets")]
    PasswordTooLong {
        /// How many octets it may have.
        most: usize,
    },
    /// The key's entry has no name, and the format asks for one.
    #[error("the alias is empty")]
    AliasEmpty,
    /// The name of the key's entry is too long.
    #[error("the alias is longer than {most} octets")]
    AliasTooLong {
        /// How many octets it may have.
        most: usize,
    },
    /// There is no certificate to put in.
    #[error("there is no certificate")]
    NoCertificate,
    /// The first certificate is not of this key.
    #[error("the certificate is not of this private key")]
    KeyMismatch,
    /// The private key cannot be written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store does not fit into a Secret.
    #[error("the store is longer than {most} octets")]
    TooLong {
        /// How many octets it may have.
        most: usize,
    },
    /// The provider failed.
    #[error("the store could not be encrypted")]
    NotWritten,
}
