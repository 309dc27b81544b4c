//! The chart as Helm renders and installs it: what a test stands on, and the arguments with which the kubelet would start our
//! programs.
//!
//! It must not know what the chart is made of beyond the names of its two Deployments.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Ground, Program, parse_manifests, run};

/// The release that most tests stand on, and what the names of its objects begin with.
pub(crate) const RELEASE: &str = "chancery";

/// Where the chart is.
pub(crate) fn chart() -> PathBuf {
    run::source().join("charts/chancery")
}

impl Program {
    /// Helm as `make tools` builds it, without a cluster and with nothing of our own settings.
    pub(crate) fn helm() -> Self {
        // Beside the runs' folders: to look at the last run must not begin another.
        let folder = run::folders().join("helm");
        Self::new(run::source().join("tests/tools/helm/bin/helm"))
            .env("HELM_CACHE_HOME", folder.join("cache"))
            .env("HELM_CONFIG_HOME", folder.join("config"))
            .env("HELM_DATA_HOME", folder.join("data"))
            .limit(Duration::from_mins(2))
    }

    /// The same, as administrator.
    pub(crate) fn helm_in(ground: &Ground) -> Self {
        Self::helm().env("KUBECONFIG", ground.kubeconfig())
    }
}

/// What `helm template` makes of values, of a chart that is not ours perhaps.
pub(crate) async fn template(chart: &std::path::Path, release: &str, namespace: &str, values: &Value) -> Result<Vec<Value>> {
    let helm = Program::helm().args(["template", release]).args([chart]).args(["--namespace", namespace, "--values", "-"]);
    let finished = helm.stdin(values.to_string()).finish().await;
    ensure!(finished.status.success(), "helm template: {}", finished.stderr.trim());
    parse_manifests(&finished.stdout).context("Helm did not print YAML")
}

/// What is installed as a release.
pub(crate) async fn manifest(ground: &Ground, release: &str, namespace: &str) -> Result<Vec<Value>> {
    let helm = Program::helm_in(ground).args(["get", "manifest", release, "--namespace", namespace]);
    let finished = helm.finish().await;
    ensure!(finished.status.success(), "helm get manifest: {}", finished.stderr.trim());
    parse_manifests(&finished.stdout).context("Helm did not print YAML")
}

/// The arguments of a Deployment's container behind the subcommand, each flag apart from its value, with the variables replaced
/// that the kubelet would replace.
///
/// # Panics
/// When there is no such Deployment.
pub(crate) fn arguments(documents: &[Value], name: &str) -> Vec<String> {
    let deployment = documents.iter().find(|document| document["kind"] == "Deployment" && document["metadata"]["name"] == name);
    let deployment = deployment.unwrap_or_else(|| panic!("the chart has no Deployment {name}"));
    let namespace = deployment["metadata"]["namespace"].as_str().expect("a Deployment is in a namespace");
    let arguments = deployment.pointer("/spec/template/spec/containers/0/args").and_then(Value::as_array);
    let arguments = arguments.unwrap_or_else(|| panic!("Deployment {name} has no arguments"));
    let texts = arguments.iter().map(|argument| argument.as_str().expect("an argument is a text").replace("$(POD_NAMESPACE)", namespace));
    texts.skip(1).flat_map(|text| text.splitn(2, '=').map(str::to_owned).collect::<Vec<_>>()).collect()
}
