//! That an authority has somebody who answers for it: a delegate for OCSP, as long as anyone could ask.

use chancery_pki::Certificate as X509;
use jiff::{SignedDuration, Timestamp};

use super::{Context, Fault, delegate, keys, publication::Order, sight::last_end};
use crate::{lists::Settings, plan::renewal::add, register::RegisterId};

/// When a delegate that could not be made is tried again.
const UNSERVED: SignedDuration = SignedDuration::from_mins(1);

/// The same as [`answer`], where what fails does not keep lists from being published; it is tried again.
pub(super) async fn served(
    context: &Context,
    order: &Order<'_>,
    settings: &Settings,
    chain: &[X509],
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    match answer(context, order, settings, chain, now).await {
        Ok(wake) => Ok(wake),
        Err(Fault::NotLeading) => Err(Fault::NotLeading),
        Err(fault) => {
            tracing::warn!(authority = %order.authority, ?fault, "no OCSP delegate could be made");
            Ok(Some(add(now, UNSERVED)))
        }
    }
}

/// Sees to it that the authority has somebody who answers for it, while it has certificates that anyone could ask about.
async fn answer(
    context: &Context,
    order: &Order<'_>,
    settings: &Settings,
    chain: &[X509],
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let authority = &order.authority;
    let last = context.world.registers.index().ledger(&RegisterId::Authority(*authority), |ledger| last_end(ledger, chain));
    if settings.ocsp.is_none() || !(order.current || last.is_some_and(|last| last > now)) {
        delegate::remove(context, authority).await?;
        return Ok(None);
    }
    let key = match keys::of(context, authority).await? {
        Ok(key) => key,
        Err(obstacle) => {
            tracing::warn!(%authority, message = obstacle.message, "no OCSP delegate can be made");
            return Ok(None);
        }
    };
    let (Some(signer), Some(issuer)) = (key.key(), chain.first()) else { return Ok(None) };
    delegate::ensure(context, authority, issuer, chain, signer, now).await.map(Some)
}
