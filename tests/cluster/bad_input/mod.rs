//! Bad input: what the API server refuses by our schema, what the operator refuses in a condition, and what was stored under
//! other rules. Whatever comes, the operator goes on for the others.

mod conditions;
mod lists;
mod refusals;
mod stored;

use serde_json::{Value, json};

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

/// The API server refuses such an object, and names the field.
async fn refuses(stage: &Stage, kind: &str, what: &str, spec: Value, field: &str) {
    let said = match stage.propose(kind, "proposed", spec).await {
        Ok(_) => panic!("{kind} with {what} was accepted"),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(error) => panic!("{kind} with {what}: {error}"),
    };
    assert!(said.contains("is invalid") && said.contains(field), "{kind} with {what}: {field} is not in: {said}");
}

/// The API server accepts such an object.
async fn accepts(stage: &Stage, kind: &str, spec: Value) {
    let shown = spec.to_string();
    if let Err(error) = stage.propose(kind, "proposed", spec).await {
        panic!("{kind} {}: {error}", &shown[..shown.len().min(300)]);
    }
}
