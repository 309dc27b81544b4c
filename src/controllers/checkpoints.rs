//! How often it is looked whether a checkpoint is due.

use std::time::Duration;

use jiff::SignedDuration;

use crate::apply::{self, Context, Fault};

/// The longest pause between two looks: what is new is noticed, and waits for its time from then on.
const LOOK: Duration = Duration::from_secs(15);

/// Runs for ever; does nothing where no interval is set.
pub(super) async fn run(context: &Context, interval: Duration) {
    let Ok(every) = SignedDuration::try_from(interval) else { return std::future::pending().await };
    if every.is_zero() {
        return std::future::pending().await;
    }
    loop {
        match apply::keep_checkpoint(context, every).await {
            Ok(()) | Err(Fault::NotLeading | Fault::Stale) => {}
            Err(fault) => tracing::warn!(?fault, "no checkpoint of the registers could be written yet"),
        }
        tokio::time::sleep(interval.min(LOOK)).await;
    }
}
