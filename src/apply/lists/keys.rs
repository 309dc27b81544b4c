//! The keys that sign lists: an issuer's own while it is ready, else the copy of it, which goes on signing lists when the issuer has
//! another key or is gone.

use std::sync::Arc;

use chancery_pki::{KeyId, PrivateKey};

use super::super::{Context, Fault, authority};
use crate::{
    api::reason,
    issuers::{Entry, Issuer},
    plan::observed::Obstacle,
};

/// A key that signs lists, wherever it is held.
#[derive(Clone, Debug)]
pub(super) enum SigningKey {
    /// An issuer holds it.
    Issuer(Arc<dyn Issuer>),
    /// It was read from its copy.
    Copy(Arc<PrivateKey>),
}

impl SigningKey {
    /// The key; none where an issuer has given up its key meanwhile.
    pub(super) fn key(&self) -> Option<&PrivateKey> {
        match self {
            Self::Issuer(issuer) => issuer.key(),
            Self::Copy(key) => Some(key),
        }
    }
}

/// The key of an authority; in the inner error what is in the way.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn of(context: &Context, authority: &KeyId) -> Result<Result<SigningKey, Obstacle>, Fault> {
    if let Some(entry) = context.world.book.of_authority(authority)
        && let Some(issuer) = entry.signer.clone()
    {
        keep_copy(context, authority, &entry, &issuer).await?;
        return Ok(Ok(SigningKey::Issuer(issuer)));
    }
    if let Some(key) = context.press.key(authority) {
        return Ok(Ok(SigningKey::Copy(key)));
    }
    match authority::restore(context, authority).await {
        Ok(key) => {
            let key = Arc::new(key);
            context.press.keep_key(authority, Arc::clone(&key));
            Ok(Ok(SigningKey::Copy(key)))
        }
        Err(Fault::Failed(failure)) => Ok(Err(Obstacle {
            reason: reason::list::AUTHORITY_KEY_MISSING,
            message: format!("no list can be signed: no issuer has the authority's key, and {}", failure.message),
        })),
        Err(fault) => Err(fault),
    }
}

/// A key that is about to sign its first list is copied first: it has to sign lists as long as its certificates live, whatever
/// becomes of the issuer.
async fn keep_copy(context: &Context, authority: &KeyId, entry: &Entry, issuer: &Arc<dyn Issuer>) -> Result<(), Fault> {
    if authority::has_copy(context, authority) {
        return Ok(());
    }
    let Some(key) = issuer.key() else { return Ok(()) };
    authority::copy(context, key, None, &entry.view.key.to_string()).await
}
