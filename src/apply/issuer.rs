//! One reconcile of one issuer: look, decide, write its status, and keep what signs.

use jiff::Timestamp;

use super::{Context, Fault};
use crate::{
    api::IssuerKey,
    cluster::CallErrorKind,
    observe::IssuerSight,
    plan::issuer::{Plan, decide},
};

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// When time alone changes it.
    pub wake: Option<Timestamp>,
    /// Whether its Certificates have something to look at.
    pub changed: bool,
}

/// One reconcile of one issuer.
///
/// # Errors
/// When the API server does not answer, or another wrote.
pub async fn reconcile(context: &Context, key: &IssuerKey) -> Result<Done, Fault> {
    let world = &context.world;
    let now = world.now();
    let Some(sight) = IssuerSight::gather(world, &context.client, key, now).await? else {
        let known = world.book.get(key).is_some();
        world.book.remove(key);
        return Ok(Done { wake: None, changed: known });
    };
    let Plan { status, wake } = decide(&sight.observed(), now);
    let entry = sight.entry();
    let changed = entry.differs(world.book.get(key).as_deref());
    // Before the status is written: whoever waits for Ready finds an issuer that signs.
    world.book.put(entry);
    if sight.object.status.as_ref() != Some(&status) {
        let mut object = (*sight.object).clone();
        object.status = Some(status);
        match context.writer.issuer_status(&object).await {
            Ok(written) => world.issuers.wrote(written),
            // It was stored under other rules, and is so far from today's that the API server takes no write of its status. Its
            // Certificates say why they wait, and only a change of the object helps.
            Err(error) if error.kind == CallErrorKind::Invalid && sight.wanted.is_err() => {
                tracing::warn!(issuer = %key, %error, "refused, and its status cannot be written");
            }
            Err(error) => return Err(Fault::from(error)),
        }
    }
    Ok(Done { wake, changed })
}
