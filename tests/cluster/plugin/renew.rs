//! `kubectl chancery renew`.

use chancery::api::Certificate;
use kube::ResourceExt as _;
use serde_json::json;

use super::shown::{json, kubectl_chancery, shown};
use super::viewer::Viewer;
use crate::harness::Finished;
use crate::stage::{Stage, leaf, serial};

const RENEW: &str = "chancery.dev/renew";

async fn run(stage: &Stage, line: &str) -> Finished {
    kubectl_chancery(&stage.ground, &format!("renew {line} -n {}", stage.namespace)).finish().await
}

async fn asked(stage: &Stage, name: &str) -> Option<String> {
    stage.certificates().get(name).await.unwrap().annotations().get(RENEW).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_certificates_are_asked_for_and_waited_for() {
    let stage = Stage::named("plugin-renew").await;
    stage.authority().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let api = stage.issued("api", leaf("ca", "api")).await;
    stage.patch::<Certificate>("api", json!({"metadata": {"labels": {"tier": "back"}}})).await;

    for (line, snapshot) in [("web --dry-run=client", "renew-client"), ("web --dry-run=server", "renew-server")] {
        shown().assert(snapshot, &run(&stage, line).await);
        assert_eq!(asked(&stage, "web").await, None, "{line}");
    }
    shown().assert("renew", &run(&stage, "web").await);
    let second = stage.replaced(&web).await;
    assert_eq!(serial(&stage.looked_at("api").await), serial(&api));

    let waited = run(&stage, "--wait web api web").await;
    shown().assert("renew-wait", &waited);
    for (name, before) in [("web", &second), ("api", &api)] {
        let now = stage.certificates().get(name).await.unwrap();
        assert_ne!(serial(&now), serial(before), "{name}");
        assert!(waited.stdout.contains(serial(&now)), "{name}: {waited:?}");
    }
    let selected = json(&run(&stage, "-l tier=back --wait -o json").await);
    let items = selected["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["name"], &items[0]["renewed"]), (1, &json!("api"), &json!(true)));
    assert_eq!(items[0]["value"].as_str().map(str::to_owned), asked(&stage, "api").await);
    assert_eq!(stage.issuances("api").await, ["Created", "RenewRequested", "RenewRequested"]);
    let all = run(&stage, "--all -o name").await;
    assert_eq!(all.stdout, "certificate.chancery.dev/api\ncertificate.chancery.dev/ca\ncertificate.chancery.dev/web\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_is_told_with_what_is_in_the_way() {
    let stage = Stage::named("plugin-renew-fails").await;
    stage.certificate("stuck", leaf("absent", "stuck")).await;
    stage.unready("stuck", "IssuerNotFound").await;
    let stuck = run(&stage, "stuck --wait --timeout 10s").await;
    assert_eq!(stuck.status.code(), Some(1));
    shown().assert("renew-stuck", &stuck);
    assert!(asked(&stage, "stuck").await.is_some());
    for (line, expected) in [
        ("absent", "could not get Certificate plugin-renew-fails/absent"),
        ("-l tier=none", "no certificates found in namespace plugin-renew-fails"),
    ] {
        let found = run(&stage, line).await;
        assert!(found.status.code() == Some(1) && found.stderr.contains(expected), "{found:?}");
    }
    let viewer = Viewer::of(&stage).await;
    let refused = viewer.kubectl_chancery(&stage, &format!("renew stuck -n {}", stage.namespace)).finish().await;
    assert!(refused.status.code() == Some(1) && refused.stdout.contains("forbidden"), "{refused:?}");

    // On a terminal it says what it waits for.
    let line = format!("renew stuck --wait --timeout 1s -n {}", stage.namespace);
    let watched = kubectl_chancery(&stage.ground, &line).on_terminal().finish().await;
    let told = watched.stdout.contains("waiting for 1 new certificate\r\n") && watched.stdout.contains("stuck: not renewed");
    assert!(told && watched.status.code() == Some(1), "{watched:?}");
}
