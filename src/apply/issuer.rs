//! One reconcile of one issuer: look, decide, write its status, and keep what signs.

use jiff::Timestamp;

use super::{Context, Fault};
use crate::{
    api::IssuerKey,
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
        let written = context.writer.issuer_status(&object).await?;
        world.issuers.wrote(written);
    }
    Ok(Done { wake, changed })
}
