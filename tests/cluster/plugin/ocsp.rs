//! `kubectl chancery ocsp`: the real responder, and openssl about the same answers.

use serde_json::json;

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::chart::{chart, template};
use crate::harness::{Namespace, Program, apply_manifests};
use crate::stage::{Answer, Consumer, Stage, Way, leaf};

fn shown(stage: &Stage) -> Shown {
    Shown::new()
        .replace(stage.namespace.clone(), "<namespace>")
        .replace(r"OCSP responder [0-9a-f]{16}", "OCSP responder <key>")
        .replace(r"\b[0-9dhms]+ old", "<age> old")
        .replace(r"\(in [0-9dhms]+\)", "(in <span>)")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responders_answer_is_explained_and_openssl_reads_the_same() {
    let stage = Stage::set("ocsp").await;
    stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.answers(Way::Post, &Answer::Good).await;
    let line = format!("ocsp certificate web -n {}", stage.namespace);
    let good = kubectl_chancery(&stage.ground, &line).finish().await;
    shown(&stage).assert("ocsp-good", &good);
    for more in ["--get", "--no-nonce", "--get --no-nonce"] {
        let found = kubectl_chancery(&stage.ground, &format!("{line} {more} -o json")).finish().await;
        assert!(found.status.success() && json(&found)["status"] == "good", "{more}: {found:?}");
        assert_eq!(json(&found)["nonce"], if more.contains("no-nonce") { "notSent" } else { "repeated" });
    }

    let chain = consumer.path("chain.pem");
    stage.revoke("web", "keyCompromise").await;
    consumer.answers(Way::PostWithNonce, &Answer::Revoked("keyCompromise".to_owned())).await;
    let kept = consumer.path("kept.der");
    let about = format!("ocsp file {chain} --issuer {} -f {kept}", consumer.path("roots.pem"));
    let revoked = kubectl_chancery(&stage.ground, &about).env("KUBECONFIG", "/nowhere").finish().await;
    shown(&stage).assert("ocsp-revoked", &revoked);
    let read = Program::openssl()
        .args(["ocsp", "-respin", &kept, "-issuer", &consumer.path("issuer.pem"), "-cert", &consumer.path("leaf.pem"), "-no_nonce"])
        .args(["-CAfile", &consumer.path("roots.pem")])
        .finish()
        .await;
    assert!(read.stdout.contains("leaf.pem: revoked") && read.stdout.contains("keyCompromise"), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_on_record_is_unknown_and_no_answer_is_told_from_a_bad_one() {
    let stage = Stage::set("ocsp").await;
    stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.answers(Way::Post, &Answer::Good).await;
    let url = consumer.leaf().ocsp_servers()[0].clone();
    stage.plant_unrecorded().await;
    let line = format!("ocsp secret nobody -n {} --url", stage.namespace);
    let unknown = kubectl_chancery(&stage.ground, &format!("{line} {url}")).finish().await;
    shown(&stage).replace(r"serial number [0-9a-f]+", "serial number <serial>").assert("ocsp-unknown", &unknown);
    let nobody = kubectl_chancery(&stage.ground, &format!("{line} http://127.0.0.1:1/ocsp")).finish().await;
    assert!(nobody.status.code() == Some(1) && nobody.stderr.contains("no connection"), "{nobody:?}");
    // There is no Service of the responder in this cluster that leads anywhere: the API server says so.
    let service = kubectl_chancery(&stage.ground, &format!("ocsp secret nobody -n {}", stage.namespace)).finish().await;
    assert!(service.status.code() == Some(1) && service.stderr.contains("Service chancery-system/chancery-responder"), "{service:?}");
    // The installation of another release has another Service; what is named is asked.
    let pods = Namespace::create(&stage.ground, "ocsp-pods").await;
    let documents = template(&chart(), "pki", &pods.name, &json!({"crds": {"enabled": false}})).await.unwrap();
    apply_manifests(&stage.ground.client, &documents).await.unwrap();
    for (more, name) in [("", "pki-chancery-responder"), ("--service other", "other")] {
        let line = format!("ocsp secret nobody -n {} --operator-namespace {} --limit 1s {more}", stage.namespace, pods.name);
        let asked = kubectl_chancery(&stage.ground, &line).finish().await;
        let service = format!("Service {}/{name}, ", pods.name);
        assert!(asked.status.code() == Some(1) && asked.stderr.contains(&service), "{asked:?}");
    }
    let other = Stage::set("ocsp").await;
    other.authority().await;
    other.issued("web", leaf("ca", "web")).await;
    let refused = kubectl_chancery(&stage.ground, &format!("ocsp secret web -n {} --url {url}", other.namespace)).finish().await;
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("unauthorized"), "{refused:?}");
}
