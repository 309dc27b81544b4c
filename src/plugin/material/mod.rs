//! Certificates, and what lies beside them, from wherever a person points at: a Secret, a file, a TLS server.
//!
//! What is found is read and nothing is said about it: that is for `inspect` and `verify`. Of a private key only the public half is
//! kept.

use chancery_pki::{Certificate, Crl, PublicKey};
use thiserror::Error;

use crate::{api::names, cluster::CallError};

mod cluster;
mod octets;
mod tls;

pub use cluster::{Trusted, certificate, issuer, secret};
pub use octets::file;
pub use tls::{Endpoint, connect};

/// What was found.
#[derive(Clone, Debug)]
pub struct Material {
    /// Where, as `secret/web`, `file/web.pem` or `tls/example.com:443`.
    pub name: String,
    /// The Secret's namespace.
    pub namespace: Option<String>,
    /// The things that were found, each with its place.
    pub pieces: Vec<Piece>,
    /// What a person should know of what was not read.
    pub notes: Vec<String>,
    /// How a TLS server speaks.
    pub session: Option<Session>,
}

/// What is in one place: a key of a Secret, a file, a handshake.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// Which, as `tls.crt`.
    pub place: String,
    /// What it is for.
    pub role: Role,
    /// Certificates, in their order.
    pub certificates: Vec<Certificate>,
    /// The public half of a private key.
    pub key: Option<PublicKey>,
    /// Revocation lists.
    pub lists: Vec<Crl>,
    /// What of it cannot be read.
    pub trouble: Option<String>,
    /// Whether what cannot be read may be a certificate: then it is not known which one is the first.
    pub is_torn: bool,
}

/// What certificates are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The first proves something; those after it lead to who is trusted.
    #[default]
    Proof,
    /// They are who is trusted.
    Trust,
}

/// What a TLS handshake showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// As `TLS 1.3`; none where the handshake failed.
    pub version: Option<String>,
    /// As `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: Option<String>,
    /// The name that was asked for.
    pub server_name: String,
    /// Why the handshake failed after the certificates had come, or what was wrong with it.
    pub trouble: Option<String>,
}

impl Material {
    /// The certificates that prove something: those of the first piece that has any.
    pub fn proof(&self) -> &[Certificate] {
        self.pieces
            .iter()
            .find(|piece| piece.role == Role::Proof && !piece.certificates.is_empty())
            .map_or(&[], |piece| &piece.certificates)
    }

    /// The certificates that prove something, where it is certain which one is the first: nobody else's is taken for one that cannot
    /// be read.
    ///
    /// # Errors
    /// When there is none, or the piece, or `tls.crt`, has something in it that cannot be read and may be a certificate.
    pub fn proven(&self) -> Result<&[Certificate], MaterialError> {
        let lacks = |why: String| MaterialError::Lacks { what: self.shown(), why };
        let own = self.pieces.iter().find(|piece| piece.place == names::TLS_CERTIFICATE && piece.role == Role::Proof);
        let proving = || self.pieces.iter().find(|piece| piece.role == Role::Proof && (piece.is_torn || !piece.certificates.is_empty()));
        let Some(piece) = own.or_else(proving) else { return Err(lacks("there is no certificate in it".to_owned())) };
        if let Some(trouble) = piece.trouble.as_ref().filter(|_| piece.is_torn) {
            return Err(lacks(format!("{}: {trouble}", piece.place)));
        }
        if piece.certificates.is_empty() {
            return Err(lacks(format!("{}: there is no certificate in it", piece.place)));
        }
        Ok(&piece.certificates)
    }

    /// The certificates of who is trusted.
    pub fn trust(&self) -> Vec<Certificate> {
        let trust = self.pieces.iter().filter(|piece| piece.role == Role::Trust);
        trust.flat_map(|piece| piece.certificates.iter().cloned()).collect()
    }

    /// Where it is, in words.
    pub fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} in namespace {namespace}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Why there is nothing to look at.
#[derive(Debug, Error)]
pub enum MaterialError {
    /// The API server was asked and did not give it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An object lacks something.
    #[error("{what}: {why}")]
    Lacks {
        /// Which.
        what: String,
        /// What, and what to do.
        why: String,
    },
    /// There is no certificate, key or list in it.
    #[error("{what}: there is neither a certificate nor a key nor a list in it")]
    Nothing {
        /// Which.
        what: String,
    },
    /// No certificate came from a server.
    #[error("{what}: {why}")]
    Server {
        /// Which.
        what: String,
        /// What happened.
        why: String,
    },
}
