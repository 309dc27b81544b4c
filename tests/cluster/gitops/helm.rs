//! `helm install --wait` of a chart with Certificates in it: Helm tells their health by the same library as Flux.

use std::fs;

use serde_json::{Value, json};

use super::flux::{authority, document};
use crate::harness::{Finished, Program};
use crate::page::source;
use crate::stage::{Stage, is_ready, leaf, merged};

async fn installed(stage: &Stage, release: &str, documents: &[Value], limit: &str) -> Finished {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let chart = folder.path().join("team");
    fs::create_dir_all(chart.join("templates")).expect("it is writable");
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: team\nversion: 1.0.0\n").expect("it is writable");
    let texts: Vec<String> = documents.iter().map(|document| serde_yaml::to_string(document).expect("it is JSON")).collect();
    fs::write(chart.join("templates/all.yaml"), texts.join("---\n")).expect("it is writable");
    let helm = Program::new(source().join("tests/tools/helm/bin/helm")).env("KUBECONFIG", stage.ground.kubeconfig());
    let homes = ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"];
    let helm = homes.into_iter().fold(helm, |helm, home| helm.env(home, folder.path().join(home)));
    let arguments = ["install", release, "--namespace", &stage.namespace, "--wait", "--timeout", limit];
    helm.args(arguments).args([chart]).limit(std::time::Duration::from_mins(2)).finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_waits_until_certificates_are_ready_and_names_one_that_is_not_allowed() {
    let stage = Stage::set("helmwait").await;
    let mut documents = authority(&stage);
    documents.push(document("Certificate", "web", leaf("ca", "web")));
    let finished = installed(&stage, "team", &documents, "60s").await;
    assert!(finished.status.success(), "{finished:?}");
    let web = stage.certificates().get("web").await.unwrap();
    assert!(is_ready(&web), "Helm did not wait: {:?}", web.status);

    let forbidden = merged(leaf("ca", "forbidden"), &json!({"usages": ["ocsp signing"]}));
    let begun = tokio::time::Instant::now();
    let finished = installed(&stage, "more", &[document("Certificate", "forbidden", forbidden)], "90s").await;
    assert!(!finished.status.success() && finished.stderr.contains("Certificate"), "{finished:?}");
    assert!(finished.stderr.contains("forbidden") && finished.stderr.contains("Failed"), "{finished:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(80), "not by its time limit: {:?}", begun.elapsed());
}
