//! `kubectl chancery status`.

use serde_json::json;

use super::shown::{json, kubectl_chancery, shown};
use super::viewer::Viewer;
use crate::harness::Finished;
use crate::stage::{Stage, leaf, serial};

async fn run(stage: &Stage, line: &str) -> Finished {
    kubectl_chancery(&stage.ground, &format!("status {line} -n {}", stage.namespace)).finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_with_all_that_belongs_to_it() {
    let stage = Stage::named("plugin-status").await;
    stage.covered().await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    stage.event("web", "Issued", serial(&first)).await;
    stage.counted("ca").await;
    let shown_first = run(&stage, "web").await;
    shown().assert("status", &shown_first);
    let value = json(&run(&stage, "certificate/web -o json").await);
    assert_eq!(value["ready"], true);
    assert_eq!(value["serialNumber"], serial(&first));
    assert_eq!(value["secret"]["keys"], json!(["ca.crt", "tls.crt", "tls.key"]));
    assert_eq!(value["secret"]["chain"][0]["serialNumber"], serial(&first));
    assert_eq!(value["secret"]["problems"], json!([]));
    assert_eq!(value["revocationList"]["listsIt"], false);
    assert_eq!(value["notLookedAt"], json!([]));
    let key = stage.content("web").await.key_text;
    let digits: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!shown_first.stdout.contains(&digits[..40]) && !value.to_string().contains(&digits[..40]), "the key is printed");

    stage.event("ca", "ListPublished", "0 certificates").await;
    shown().assert("status-issuer", &run(&stage, "issuer ca").await);
    shown().replace(r"in (7d|6d\d+h)", "in a week").replace(r"in 2[34]h", "in a day").assert("status-list", &run(&stage, "crl ca").await);

    // The list's owner puts it on hold: then it is on the list, and stays what the Secret holds.
    stage.relist("ca", json!({"revocations": [{"serialNumber": serial(&first), "hold": true}]})).await;
    stage.listed("ca", "one entry", |status| status.entries == Some(1)).await;
    let held = json(&run(&stage, "web -o json").await);
    let listed = &held["revocationList"];
    assert!(held["serialNumber"] != serial(&first) || (listed["listsIt"] == true && listed["reason"] == "certificateHold"), "{held:#}");

    let list = json(&run(&stage, "list/ca -o json").await);
    assert_eq!((&list["ready"], &list["status"]["entries"], &list["orders"]), (&json!(true), &json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_ends_with_3_and_says_what_to_do() {
    let stage = Stage::named("plugin-stuck").await;
    stage.certificate("stuck", leaf("absent", "stuck")).await;
    stage.unready("stuck", "IssuerNotFound").await;
    let stuck = run(&stage, "stuck").await;
    assert_eq!(stuck.status.code(), Some(3));
    shown().assert("status-stuck", &stuck);
    stage.issuer("empty", json!({"ca": {"secretName": "absent"}})).await;
    stage.issuer_says("empty", "False", "AuthoritySecretMissing").await;
    let issuer = run(&stage, "cissuer/empty").await;
    assert!(issuer.status.code() == Some(3) && issuer.stdout.contains("What to do: Create the Secret"), "{issuer:?}");
    for (line, expected) in [
        ("absent", "could not get Certificate plugin-stuck/absent"),
        ("clusterissuer absent-everywhere", "could not get ClusterIssuer absent-everywhere"),
    ] {
        let found = run(&stage, line).await;
        assert!(found.status.code() == Some(1) && found.stderr.contains(expected), "{found:?}");
    }
    // On a terminal, what is wrong is red.
    let line = format!("status stuck -n {}", stage.namespace);
    let painted = kubectl_chancery(&stage.ground, &line).on_terminal().finish().await;
    assert!(painted.status.code() == Some(3) && painted.stdout.contains("\u{1b}[1m\u{1b}[31m"), "{painted:?}");
    assert!(!stuck.stdout.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_said_and_the_rest_is_shown() {
    let stage = Stage::named("plugin-viewer").await;
    stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    stage.event("web", "Issued", serial(&web)).await;
    stage.counted("ca").await;
    let viewer = Viewer::of(&stage).await;
    let found = viewer.kubectl_chancery(&stage, "status web -n plugin-viewer").finish().await;
    assert!(found.status.success(), "{found:?}");
    shown().assert("status-viewer", &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_somebody_else_wrote_is_told_with_its_problems() {
    let stage = Stage::set("status-foreign").await;
    stage.authority().await;
    stage.put_secret("theirs", "Opaque", json!({}), json!({"tls.crt": "hunter2", "tls.key": "hunter2"})).await;
    stage.certificate("mine", leaf("ca", "theirs")).await;
    stage.unready("mine", "SecretNotOurs").await;
    let found = run(&stage, "mine").await;
    assert_eq!(found.status.code(), Some(3));
    for text in ["tls.key cannot be read", "it belongs to no Certificate", "chancery.dev/allow-adoption"] {
        assert!(found.stdout.contains(text), "{text:?} is not in {}", found.stdout);
    }
    assert!(!found.stdout.contains("hunter2"));
    // Asked for a revocation that means nothing, it says so.
    stage.issued("fresh", leaf("ca", "fresh")).await;
    stage.respec("fresh", json!({"revocation": {"issuedBefore": "2020-01-01T00:00:00Z"}})).await;
    stage.revocation_says("fresh", "False", "NothingToRevoke").await;
    let found = run(&stage, "fresh").await;
    assert!(found.status.success() && found.stdout.contains("What to do: Nothing was issued before"), "{found:?}");
}
