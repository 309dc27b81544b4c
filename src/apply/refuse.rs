//! What was asked for and denied goes on record: once for each generation of a Certificate and each reason, and not so often that a
//! tenant could fill the store with it.

use jiff::SignedDuration;

use super::{ACTOR, Context, Fault, authority};
use crate::{
    observe::Sight,
    plan::{
        Pending, budget,
        observed::{Backing, IssuerSeen},
        renewal::add,
    },
    register::{Act, Entry, Register as _, RegisterId},
};

/// Records what a rule denies ([`Pending::is_denied`]), in the register of the authority that was asked; in the common one where there is
/// none, or its issuer does not admit the namespace.
///
/// # Errors
/// When the register may take it later. One that takes no lines at all does not keep the status from saying why.
pub(super) async fn record(context: &Context, sight: &Sight, pending: &Pending) -> Result<(), Fault> {
    let (owner, index) = (authority::owner(sight), context.world.registers.index());
    let generation = sight.certificate.metadata.generation.unwrap_or_default();
    if index.is_refused(&owner, generation, pending.reason) {
        return Ok(());
    }
    let since = add(context.world.now(), -SignedDuration::from_hours(1));
    // A namespace that an issuer does not admit has no say in what its authority's register holds.
    let asked = match sight.observed().issuer {
        IssuerSeen::Found { issuer, namespace_admitted: true } => issuer.backing.as_ref().ok().and_then(Backing::authority),
        _ => None,
    };
    let register = asked.map_or(RegisterId::Common, RegisterId::Authority);
    if index.refusals_in_namespace_since(&owner.namespace, since) >= budget::REFUSALS_PER_NAMESPACE
        || index.refusals_in_register_since(&register, since) >= budget::REFUSALS_PER_REGISTER
    {
        tracing::info!(certificate = %sight.name, reason = pending.reason, "refused, and not on record: too many were within the last hour");
        return Ok(());
    }
    let entry = Entry {
        owner: Some(owner),
        generation: Some(generation),
        reason: format!("{}: {}", pending.reason, pending.message),
        actor: ACTOR.to_owned(),
        ..Entry::new(Act::Refused)
    };
    match context.world.registers.append(register, entry).await {
        Ok(_) => Ok(()),
        Err(error) if error.waiting_helps() => Err(Fault::from(error)),
        Err(error) => {
            tracing::error!(certificate = %sight.name, %error, "a refusal is not on record");
            Ok(())
        }
    }
}
