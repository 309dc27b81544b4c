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
#[derive(Debug)]
pub struct Done {
    /// Whether its Certificates have something to look at: so whether or not its status could be written.
    pub changed: bool,
    /// When time alone changes it; or that the API server does not answer, or another wrote.
    pub wake: Result<Option<Timestamp>, Fault>,
}

/// One reconcile of one issuer.
pub async fn reconcile(context: &Context, key: &IssuerKey) -> Done {
    let world = &context.world;
    let now = world.now();
    let sight = match IssuerSight::gather(world, &context.client, key, now).await {
        Ok(Some(sight)) => sight,
        Ok(None) => {
            let known = world.book.get(key).is_some();
            world.book.remove(key);
            return Done { changed: known, wake: Ok(None) };
        }
        Err(error) => return Done { changed: false, wake: Err(Fault::from(error)) },
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
            Err(error) => return Done { changed, wake: Err(Fault::from(error)) },
        }
    }
    Done { changed, wake: Ok(wake) }
}
