//! Bad input: what the API server refuses by our schema, what the operator refuses in a condition, and what was stored under
//! other rules. Whatever comes, the operator goes on for the others.

mod conditions;
mod refusals;
mod stored;

use serde_json::json;

use crate::stage::{Stage, leaf};

/// The operator did not panic, and still serves who comes.
async fn goes_on(stage: &Stage) {
    stage.ground.operator().await;
    stage.issuer("still-there", json!({"selfSigned": {}})).await;
    stage.issued("still-there", leaf("still-there", "still-there")).await;
    let log = stage.ground.operator().await.log();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
    assert!(panics.is_empty(), "{panics:#?}");
}
