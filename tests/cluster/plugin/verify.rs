//! `kubectl chancery verify`: against real servers, the real responder, and openssl.

use std::fs;

use super::inspect::server;
use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::Program;
use crate::stage::{Consumer, Stage, leaf};

/// A certificate `web` of the authority `ca`, whose list the responder serves.
async fn covered(name: &str) -> (Stage, Consumer) {
    let stage = Stage::set(name).await;
    stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    // Issuer and responder know of each other's list a moment later.
    consumer.fetch().await;
    (stage, consumer)
}

fn shown(stage: &Stage) -> Shown {
    Shown::new()
        .replace(stage.namespace.clone(), "<namespace>")
        .replace(r"/\S*/\.tmp\w+/", "<folder>/")
        .replace(r"\b[0-9dhms]+ old", "<age> old")
        .replace(r"\bthe next in [0-9dhms]+", "the next in <span>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_certificate_is_valid_step_by_step_as_openssl_says() {
    let (stage, consumer) = covered("verify").await;
    let line = format!("verify certificate web -n {} --name web.example.com --purpose server --revocation require", stage.namespace);
    let found = kubectl_chancery(&stage.ground, &line).finish().await;
    assert_eq!(consumer.openssl().await, None);
    shown(&stage).assert("verify-good", &found);

    // The same of a server, by the issuer's chain in the cluster, with the cluster's own lists; and of a file.
    let address = server(&stage.content("web").await).await;
    let line = format!(
        "verify tls {address} --server-name web.example.com --name web.example.com --issuer Issuer/ca -n {} --cluster-lists --revocation require -o json",
        stage.namespace
    );
    let served = kubectl_chancery(&stage.ground, &line).finish().await;
    assert!(served.status.success() && json(&served)["valid"] == true, "{served:?}");
    // Whoever dials an address wants that address; whoever presents the certificate has its key.
    let dialled = format!("verify tls {address} --issuer Issuer/ca -n {} --revocation skip -o json", stage.namespace);
    let other = kubectl_chancery(&stage.ground, &dialled).finish().await;
    let failed = |value: &serde_json::Value| {
        let steps = value["steps"].as_array().unwrap().iter().filter(|step| step["outcome"] == "failed");
        steps.map(|step| step["check"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((other.status.code(), failed(&json(&other))), (Some(3), vec!["names".to_owned()]), "{other:?}");
    let own = kubectl_chancery(&stage.ground, &format!("{dialled} --server-name web.example.com")).finish().await;
    assert!(own.status.success() && json(&own)["steps"][0]["check"] == "session", "{own:?}");
    let files = format!("verify file {} --ca {}", consumer.path("chain.pem"), consumer.path("roots.pem"));
    let read = kubectl_chancery(&stage.ground, &files).env("KUBECONFIG", "/nowhere").finish().await;
    assert!(read.status.success(), "{read:?}");
    let untrusted = kubectl_chancery(&stage.ground, &format!("verify file {}", consumer.path("chain.pem"))).finish().await;
    assert!(untrusted.status.code() == Some(1) && untrusted.stderr.contains("nothing says who is trusted"), "{untrusted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_another_purpose_and_another_time_are_refused() {
    let (stage, consumer) = covered("verify").await;
    let line = format!(
        "verify secret web -n {} --name other.example.com --purpose client --at 2099-01-01T00:00:00Z --revocation skip",
        stage.namespace
    );
    let found = kubectl_chancery(&stage.ground, &line).finish().await;
    shown(&stage).replace(r"\d+y\d*d? ago", "<long ago>").assert("verify-refused", &found);
    let openssl = Program::openssl()
        .args(["verify", "-CAfile", &consumer.path("roots.pem"), "-verify_hostname", "other.example.com", &consumer.path("leaf.pem")])
        .finish()
        .await;
    assert!(!openssl.status.success(), "openssl holds it to be for another name");
    let late = Program::openssl()
        .args(["verify", "-CAfile", &consumer.path("roots.pem"), "-attime", "4070908800", &consumer.path("leaf.pem")])
        .finish()
        .await;
    assert!(!late.status.success() && late.stderr.contains("expired"), "{late:?}");
    // Who trusts somebody else trusts nobody here.
    let other = Stage::set("verify").await;
    other.authority().await;
    let root = tempfile::NamedTempFile::new().unwrap();
    fs::write(root.path(), other.content("ca").await.leaf().to_pem()).unwrap();
    let line = format!("verify secret web -n {} --ca {} -o json", stage.namespace, root.path().display());
    let stranger = kubectl_chancery(&stage.ground, &line).finish().await;
    assert_eq!(stranger.status.code(), Some(3), "{stranger:?}");
    assert_eq!(json(&stranger)["steps"][0]["outcome"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused_whichever_way_it_is_learnt() {
    let (stage, consumer) = covered("verify").await;
    let chain = consumer.path("chain.pem");
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    consumer.served_revoked().await;
    let about = format!("verify file {chain} --ca {}", consumer.path("roots.pem"));
    let list = consumer.path("list-0.crl");
    for more in [String::new(), "--cluster-lists".to_owned(), format!("--crl {list}")] {
        let found = kubectl_chancery(&stage.ground, &format!("{about} {more}")).finish().await;
        assert_eq!(found.status.code(), Some(3), "{more}: {found:?}");
        assert!(found.stdout.contains("keyCompromise") && found.stdout.ends_with("NOT VALID\n"), "{more}: {found:?}");
    }
    let found = kubectl_chancery(&stage.ground, &about).finish().await;
    shown(&stage).replace(r"http://127\.0\.0\.1:\d+/crl/[0-9a-f]{64}", "<url>").assert("verify-revoked", &found);
    let complaint = consumer.openssl().await.expect("openssl refuses it too");
    assert!(complaint.contains("revoked"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_found_out_is_said_and_fails_only_where_it_is_required() {
    let stage = Stage::set("verify").await;
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    let line = format!("verify certificate web -n {}", stage.namespace);
    let tried = kubectl_chancery(&stage.ground, &line).finish().await;
    shown(&stage).assert("verify-unknown", &tried);
    let required = kubectl_chancery(&stage.ground, &format!("{line} --revocation require")).finish().await;
    assert_eq!(required.status.code(), Some(1), "{required:?}");
    let skipped = kubectl_chancery(&stage.ground, &format!("{line} --revocation skip")).finish().await;
    assert!(skipped.status.success() && skipped.stdout.ends_with("\nvalid\n"), "{skipped:?}");
}
