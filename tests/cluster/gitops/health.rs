//! The health that GitOps tools tell of our objects, by their own code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::states;
use crate::harness::Program;
use crate::stage::Stage;

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What one of our Go programs makes of objects, one answer for each.
pub(super) async fn asked(program: &str, arguments: &[&str], input: &Value) -> Vec<Value> {
    let program = Program::new(source(program)).args(arguments).stdin(input.to_string()).limit(Duration::from_mins(1));
    let answer = program.run().await;
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_flux_and_helm_tell_the_health_of_each_state_rightly() {
    let stage = Stage::set("health").await;
    let states = Box::pin(states::all(&stage)).await;
    let objects: Value = states.iter().map(|state| state.object.clone()).collect();
    let configuration = source("deploy/gitops/argocd/argocd-cm.yaml");
    let kustomization = source("deploy/gitops/flux/certificates.yaml");
    let argo = asked("tests/tools/argo/bin/argo", &["health", &configuration.to_string_lossy()], &objects).await;
    let flux = asked("tests/tools/flux/bin/health", &[&kustomization.to_string_lossy()], &objects).await;
    assert_eq!((argo.len(), flux.len()), (states.len(), states.len()));
    let mut wrong = Vec::new();
    for ((state, argo), flux) in states.iter().zip(&argo).zip(&flux) {
        let found = [&argo["status"], &flux["kstatus"], &flux["expression"]];
        let expected = [state.argo, state.kstatus, state.flux];
        if found.iter().zip(expected).any(|(found, expected)| *found != expected) {
            let conditions = &state.object["status"]["conditions"];
            wrong.push(format!("{}: {found:?} and not {expected:?}: {argo} {flux}\n  {conditions}", state.what));
        }
        // A person reads there what is wrong and what to do.
        assert!(argo["message"].as_str().is_some_and(|message| !message.is_empty()), "{}: {argo}", state.what);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
