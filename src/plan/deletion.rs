//! How a Certificate goes: what happens before it is released, and that it is always released.

use kube::ResourceExt as _;

use super::{
    observed::{Observed, SecretSeen},
    outcome::{Act, Finalizer, Plan},
    ownership::{self, Ownership},
    revocation,
};
use crate::api::{Certificate, DeletionPolicy, Wanted, names};

/// A Secret that is deleted, with the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroy {
    /// Its uid: a precondition, so that nothing else of that name goes.
    pub uid: String,
    /// Its resourceVersion: likewise.
    pub resource_version: String,
    /// Whether the register already says so.
    pub recorded: bool,
}

/// Whether the finalizer must come or go, by the policy as it is now.
pub fn finalizer(certificate: &Certificate, wanted: &Wanted) -> Option<Finalizer> {
    let present = certificate.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER);
    match (wanted.deletion, present) {
        (DeletionPolicy::Delete | DeletionPolicy::RevokeAndDelete, false) => Some(Finalizer::Add),
        (DeletionPolicy::Retain, true) => Some(Finalizer::Remove),
        _ => None,
    }
}

/// What happens to a Certificate that is being deleted.
pub fn decide(observed: &Observed<'_>) -> Plan {
    let certificate = observed.certificate;
    let plan = |act| Plan { act, standing: None, wake: None };
    if !certificate.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
        return plan(Act::Nothing);
    }
    let pending = revocation::on_deletion(observed);
    if !pending.is_empty() {
        return plan(Act::Pend(pending));
    }
    let deletes = matches!(observed.wanted, Ok(Wanted { deletion: DeletionPolicy::Delete | DeletionPolicy::RevokeAndDelete, .. }));
    match &observed.secret {
        _ if !deletes => plan(Act::Finalizer(Finalizer::Remove)),
        SecretSeen::Absent | SecretSeen::Foreign(_) => plan(Act::Finalizer(Finalizer::Remove)),
        SecretSeen::AsRecorded => plan(Act::Read),
        SecretSeen::Read(secret) => match ownership::of(&secret.annotations, certificate) {
            Ownership::Ours => plan(Act::Destroy(Destroy {
                uid: secret.uid.clone(),
                resource_version: secret.resource_version.clone(),
                recorded: observed.history.destroyed,
            })),
            Ownership::Offered | Ownership::Foreign(_) => plan(Act::Finalizer(Finalizer::Remove)),
        },
    }
}
