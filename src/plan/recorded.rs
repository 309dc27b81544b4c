//! Whether a Certificate's status still tells what its Secret holds, so that the Secret need not be read.

use super::{
    observed::{Backing, History},
    status::Recorded as _,
};
use crate::api::{Certificate, condition};

/// What the metadata of a Secret tells of it.
#[derive(Clone, Copy, Debug)]
pub struct SecretMark<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Its resourceVersion.
    pub resource_version: &'a str,
    /// The digest of the chain in it.
    pub chain: Option<&'a str>,
}

/// Whether the status describes this very Secret as a good one, and the register agrees with the status.
pub fn describes(certificate: &Certificate, history: &History, issuer: Option<&Backing>, secret: SecretMark<'_>) -> bool {
    let Some(status) = &certificate.status else {
        return false;
    };
    let same = status.secret.as_ref().is_some_and(|seen| seen.uid == secret.uid && seen.resource_version == secret.resource_version);
    let ready = condition::is_true(&status.conditions, condition::READY);
    if !same || !ready || status.observed_generation != certificate.metadata.generation {
        return false;
    }
    let (Some(held), Some(current)) = (certificate.held(), &history.current) else {
        return false;
    };
    let registered = current.serial == held.serial
        && current.key_id == Some(held.key_id)
        && current.not_after == Some(held.validity.not_after)
        && history.authority == held.authority;
    // Where the issuer's present authority signed it, it stands with the chain that the issuer hands out now.
    let chained = match issuer {
        Some(Backing::Authority(authority)) if held.authority == Some(authority.key_id) => {
            secret.chain == Some(authority.fingerprint.as_str())
        }
        _ => true,
    };
    registered && chained
}
