//! `kubectl chancery revoke`, as a Certificate's owner and as the owner of a CA.

use chancery::api::{Certificate, RevocationList};
use serde_json::{Value, json};

use super::shown::{json, kubectl_chancery, shown};
use super::viewer::Viewer;
use crate::harness::Finished;
use crate::stage::{Stage, key_id, leaf, serial};

async fn run(stage: &Stage, line: &str) -> Finished {
    kubectl_chancery(&stage.ground, &format!("revoke {line} -n {}", stage.namespace)).finish().await
}

/// The same on a terminal, where this is typed.
async fn typed(stage: &Stage, line: &str, word: &str) -> Finished {
    let program = kubectl_chancery(&stage.ground, &format!("revoke {line} -n {}", stage.namespace));
    program.on_terminal().stdin(format!("{word}\n")).finish().await
}

async fn orders(stage: &Stage) -> Value {
    let list = stage.lists().get("ca").await.unwrap();
    serde_json::to_value(&list.spec.revocations).unwrap()
}

async fn is_asked(stage: &Stage, name: &str) -> bool {
    stage.certificates().get(name).await.unwrap().spec.revocation.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_revoked_before_a_person_has_typed_what_is_asked() {
    let stage = Stage::named("plugin-revoke").await;
    stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let api = stage.issued("api", leaf("ca", "api")).await;

    let alone = run(&stage, "web --reason keyCompromise").await;
    assert_eq!(alone.status.code(), Some(1));
    shown().assert("revoke-alone", &alone);
    for word in ["", "y", "yes", "api"] {
        let refused = typed(&stage, "web", word).await;
        assert!(refused.status.code() == Some(1) && refused.stdout.contains("not confirmed: nothing was changed"), "{refused:?}");
    }
    for line in ["web --dry-run=client", "web --dry-run=server"] {
        let tried = run(&stage, line).await;
        assert!(tried.status.success() && tried.stdout.contains("dry run"), "{tried:?}");
    }
    let two = typed(&stage, "web api", "1").await;
    assert!(two.stdout.contains("Type the number of Certificates (2) to revoke: ") && two.status.code() == Some(1), "{two:?}");
    assert!(!is_asked(&stage, "web").await && !is_asked(&stage, "api").await);

    let confirmed = typed(&stage, "web --reason keycompromise --invalidity-date 2026-01-02T03:04:05Z --wait", "web").await;
    assert!(confirmed.status.success() && confirmed.stdout.contains("Type the name of the Certificate (web) to revoke: "), "{confirmed:?}");
    assert!(confirmed.stdout.contains("certificate.chancery.dev/web revoked: 1 certificate, on the published list"), "{confirmed:?}");
    let second = stage.replaced(&web).await;
    assert_ne!(key_id(&second), key_id(&web));
    let lines = stage.lines_of("web", serial(&web)).await;
    assert_eq!((&lines[1]["code"], &lines[1]["invalidityDate"]), (&json!("keyCompromise"), &json!("2026-01-02T03:04:05Z")));

    // Again, and for a script; the reason of the last time is gone.
    let again = run(&stage, "web api --yes --wait -o json").await;
    assert!(again.status.success(), "{again:?}");
    let value = json(&again);
    for (item, before) in value["items"].as_array().unwrap().iter().zip([&second, &api]) {
        assert_eq!((&item["published"], &item["revocationList"]), (&json!(true), &json!("plugin-revoke/ca")), "{item}");
        assert_eq!(item["certificates"][0]["serialNumber"], serial(before), "{item}");
        stage.replaced(before).await;
    }
    let spec = stage.certificates().get("web").await.unwrap().spec.revocation.unwrap();
    assert!(spec.reason.is_none() && spec.invalidity_date.is_none(), "{spec:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_would_hear_of_it_that_is_said_before_and_after() {
    let stage = Stage::named("plugin-revoke-unheard").await;
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    stage.issued("own", leaf("self", "own")).await;
    let kept = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "a:b/c"}}});
    stage.patch::<Certificate>("web", kept).await;
    let unheard = run(&stage, "web own --yes --wait").await;
    assert_eq!(unheard.status.code(), Some(3));
    shown().assert("revoke-unheard", &unheard);
    let early = run(&stage, "own --yes --wait --issued-before 2020-01-01T00:00:00Z").await;
    assert!(early.status.code() == Some(3) && early.stderr.contains("shows no certificate that was issued before"), "{early:?}");
    let twice = run(&stage, "own --yes --issued-before 2020-01-01T00:00:00Z").await;
    assert!(twice.status.code() == Some(1) && twice.stdout.contains("asks for this already"), "{twice:?}");
    let other = run(&stage, "own --yes --reason cACompromise").await;
    assert!(other.status.code() == Some(2) && other.stderr.contains("use one of unspecified, keyCompromise"), "{other:?}");
    let viewer = Viewer::of(&stage).await;
    let refused = viewer.kubectl_chancery(&stage, &format!("revoke web --yes -n {}", stage.namespace)).finish().await;
    assert!(refused.status.code() == Some(1) && refused.stdout.contains("forbidden"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_ca_orders_by_serial_number_and_by_key() {
    let stage = Stage::named("plugin-orders").await;
    stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let order = async |line: &str| kubectl_chancery(&stage.ground, &format!("revoke --list plugin-orders/ca {line}")).finish().await;
    let colons = serial(&web).as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect::<Vec<_>>().join(":");

    let alone = order(&format!("--serial {colons} --hold")).await;
    assert_eq!(alone.status.code(), Some(1));
    shown().assert("revoke-order-alone", &alone);
    assert_eq!(orders(&stage).await, json!([]));
    stage.patch::<RevocationList>("ca", json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "pki"}}})).await;
    let held = order(&format!("--serial {colons} --hold --yes --wait")).await;
    assert!(held.status.success() && held.stderr.contains("is kept by Flux"), "{held:?}");
    shown().assert("revoke-order", &held);
    stage.revocation_says("web", "True", "OnHold").await;
    let twice = order(&format!("--serial {} --hold --yes", serial(&web))).await;
    assert!(twice.status.code() == Some(1) && twice.stderr.contains("already"), "{twice:?}");
    let released = order(&format!("--serial {} --release --yes --wait -o json", serial(&web))).await;
    assert!(released.status.success() && json(&released)["published"] == true, "{released:?}");
    assert_eq!(orders(&stage).await[1], json!({"serialNumber": serial(&web), "release": true}));

    let blocked = order(&format!("--key-id {} --reason privilegeWithdrawn --yes --wait", key_id(&web))).await;
    assert!(blocked.status.success(), "{blocked:?}");
    let next = stage.replaced(&web).await;
    assert_ne!(key_id(&next), key_id(&web));
    let unknown = order("--serial 0123456789 --yes --reason superseded --wait").await;
    assert!(unknown.status.code() == Some(1) && unknown.stdout.contains("refused: "), "{unknown:?}");
    let missing = order("--serial 01 --yes --dry-run=server").await;
    assert!(missing.status.success() && missing.stdout.contains("(server dry run)"), "{missing:?}");
    let absent = kubectl_chancery(&stage.ground, "revoke --list plugin-orders/absent --serial 01 --yes").finish().await;
    assert!(absent.status.code() == Some(1) && absent.stderr.contains("could not get RevocationList"), "{absent:?}");
}
