//! Those who consume what is published: openssl, Go, webpki, zlint and nginx accept it, admit what is good and refuse what is
//! revoked, for each kind of authority's key, by the lists and responders that the certificates themselves name.

use std::time::Duration;

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::harness::{Nginx, Program, wait_for};
use crate::stage::{Answer, Consumer, Content, Stage, Way, authority_of, ca, condition_of, key_id, leaf, merged, serial, served_list};

/// A root and an intermediate with keys of a kind, each with a list, and Issuers `root` and `middle`. What an authority signs
/// names its list, so the lists come first.
async fn two_tiers(stage: &Stage, key: &Value) {
    let base_url = stage.ground.responder().await.base_url();
    stage.issuer("self", json!({"selfSigned": {}})).await;
    let key = json!({"privateKey": key});
    for (issuer, name, duration) in [("self", "root", "8760h"), ("root", "middle", "6000h")] {
        let spec = merged(ca(issuer, name, &format!("{} {name}", stage.namespace)), &key);
        stage.issued(name, merged(spec, &json!({"duration": duration}))).await;
        stage.issuer(name, json!({"ca": {"secretName": name}})).await;
        stage.issuer_ready(name).await;
        stage.list(name, served_list(name, &base_url)).await;
        stage.published(name).await;
    }
}

async fn everybody_accepts_what_is_published(key: Value) {
    let stage = Stage::set("accepted").await;
    two_tiers(&stage, &key).await;
    for name in ["good", "bad"] {
        stage.issued(name, merged(leaf("middle", name), &json!({"privateKey": key}))).await;
    }
    let good = Consumer::of(&stage.content("good").await);
    let bad = Consumer::of(&stage.content("bad").await);
    for (consumer, name) in [(&good, "good.example.com"), (&bad, "bad.example.com")] {
        let lists = consumer.fetch().await;
        assert_eq!(consumer.openssl().await, None, "{name}");
        assert!(!consumer.go_says_revoked().await, "{name}");
        assert_eq!(consumer.webpki(&lists, name), None, "{name}");
        assert!(consumer.list().await.entries.is_empty(), "{name}");
        consumer.lint().await;
        consumer.answers(Way::Post, &Answer::Good).await;
        for way in Way::ALL {
            assert_eq!(consumer.ask(way).await, Answer::Good, "{name} {way:?}");
        }
    }

    stage.revoke("bad", "keyCompromise").await;
    stage.revoked("bad").await;
    let entry = bad.served_revoked().await;
    assert_eq!((entry.reason, entry.invalidity_date), (1, None));
    bad.lint().await;
    let lists = bad.fetch().await;
    let complaint = bad.openssl().await.expect("it is refused");
    assert!(complaint.contains("certificate revoked"), "{complaint}");
    assert!(bad.go_says_revoked().await);
    let complaint = bad.webpki(&lists, "bad.example.com").expect("it is refused");
    assert!(complaint.contains("Revoked"), "{complaint}");
    bad.answers(Way::Post, &Answer::Revoked("keyCompromise".to_owned())).await;
    for way in Way::ALL {
        assert_eq!(bad.ask(way).await, Answer::Revoked("keyCompromise".to_owned()), "{way:?}");
    }

    // The neighbour on the same list is as good as before.
    let lists = good.fetch().await;
    assert_eq!(good.openssl().await, None);
    assert!(!good.go_says_revoked().await);
    assert_eq!(good.webpki(&lists, "good.example.com"), None);
    assert_eq!(good.ask(Way::PostWithNonce).await, Answer::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_accepts_the_lists_and_answers_of_p256_authorities() {
    everybody_accepts_what_is_published(json!({"algorithm": "ECDSA", "size": 256})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_accepts_the_lists_and_answers_of_p384_authorities() {
    everybody_accepts_what_is_published(json!({"algorithm": "ECDSA", "size": 384})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_accepts_the_lists_and_answers_of_rsa_authorities() {
    everybody_accepts_what_is_published(json!({"algorithm": "RSA", "size": 2048})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_accepts_the_lists_and_answers_of_ed25519_authorities() {
    everybody_accepts_what_is_published(json!({"algorithm": "Ed25519"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_certificate_names_the_list_of_its_shard_and_no_list_stands_for_another() {
    let stage = Stage::set("shards").await;
    two_tiers(&stage, &json!({"algorithm": "ECDSA"})).await;
    stage.relist("middle", json!({"shards": 4})).await;
    let status = stage.listed("middle", "four lists", |status| status.shards.len() == 4).await;
    let base = format!("{}/crl/{}/", stage.ground.responder().await.base_url(), authority_of(&status));
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..8 {
        let name = format!("web-{number}");
        stage.issued(&name, leaf("middle", &name)).await;
        let consumer = Consumer::of(&stage.content(&name).await);
        let [url] = consumer.leaf().crl_distribution_points() else { panic!("one list is named") };
        let shard = consumer.leaf().serial().shard().expect("it is one of ours");
        assert_eq!(*url, format!("{base}{shard}.crl"));
        if seen.insert(shard) {
            consumer.fetch().await;
            // openssl and webpki take a list with a critical issuingDistributionPoint only where the certificate names the same.
            assert_eq!(consumer.openssl().await, None, "shard {shard}");
            consumer.lint().await;
            stage.revoke(&name, "keyCompromise").await;
            stage.revoked(&name).await;
            consumer.served_revoked().await;
            let complaint = consumer.openssl().await.expect("it is refused");
            assert!(complaint.contains("certificate revoked"), "shard {shard}: {complaint}");
        }
    }
    assert!(seen.len() > 1, "eight certificates are all in one shard: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responder_knows_no_authority_and_no_serial_but_those_of_the_registers() {
    let stage = Stage::set("unknown").await;
    stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.answers(Way::Post, &Answer::Good).await;
    let url = consumer.leaf().ocsp_servers()[0].clone();
    let planted = Consumer::of(&stage.plant_unrecorded().await);
    for way in Way::ALL {
        assert_eq!(planted.ask_at(&url, way).await, Answer::Unknown, "{way:?}");
    }
    // An authority without a list.
    let other = Stage::set("unknown").await;
    other.authority().await;
    other.issued("web", leaf("ca", "web")).await;
    let stranger = Consumer::of(&other.content("web").await);
    assert_eq!(stranger.refusal(&url).await, "unauthorized (6)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_ca_is_refused_with_all_below_it_and_its_owner_is_told_what_depends_on_it() {
    let stage = Stage::set("revokedca").await;
    two_tiers(&stage, &json!({"algorithm": "ECDSA"})).await;
    let middle = stage.ready("middle").await;
    stage.issued("web", leaf("middle", "web")).await;
    let web = Consumer::of(&stage.content("web").await);
    web.fetch().await;
    assert_eq!(web.openssl().await, None);

    let order = json!([{"serialNumber": serial(&middle), "reason": "cACompromise"}]);
    stage.relist("root", json!({"revocations": order})).await;
    stage.published("root").await;
    let message = stage.unready("middle", "Revoked").await;
    assert!(message.contains("web") && message.contains("chancery.dev/renew"), "{message}");
    let now = stage.certificates().get("middle").await.expect("it is there");
    assert!(condition_of(&now, "Stalled").is_some_and(|stalled| stalled.status == "True"), "{:?}", now.status);
    assert_eq!((serial(&now), key_id(&now)), (serial(&middle), key_id(&middle)), "it is not replaced by itself");
    let middle_itself = Consumer::of(&stage.content("middle").await);
    assert_eq!(middle_itself.served_revoked().await.reason, 2);
    web.fetch().await;
    let complaint = web.openssl().await.expect("it is refused");
    assert!(complaint.contains("error 23 at 1 depth lookup"), "{complaint}");
}

/// A server of nginx with a server certificate's Secret, which asks its clients for certificates under the Secret's `ca.crl`.
async fn serve(content: &Content) -> Nginx {
    let texts = content.texts();
    let trusted = format!("{}{}", texts["tls.crt"], texts["ca.crt"]);
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let files = [files.as_slice(), &[("trusted.pem", trusted.as_str())]].concat();
    let server = "ssl_certificate tls.crt; ssl_certificate_key tls.key;
    ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate ca.crt; ssl_crl ca.crl;
    ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate trusted.pem;";
    Nginx::start(&files, server).await
}

/// What a client with this certificate is answered.
async fn visit(nginx: &Nginx, client: &Consumer, key: &Content) -> String {
    let key_file = client.path("key.pem");
    std::fs::write(&key_file, &key.key_text).expect("the folder is writable");
    let asked = Program::openssl()
        .args(["s_client", "-quiet", "-connect", &nginx.address.to_string(), "-CAfile", &client.path("roots.pem"), "-verify_return_error"])
        .args(["-cert", &client.path("leaf.pem"), "-cert_chain", &client.path("chain.pem"), "-key", &key_file])
        .stdin("GET / HTTP/1.0\r\nHost: web.example.com\r\n\r\n")
        .finish()
        .await;
    format!("{}{}", asked.stdout, asked.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_with_the_secrets_ca_crl_refuses_a_revoked_client_and_staples_the_responders_answer() {
    let stage = Stage::set("nginx").await;
    two_tiers(&stage, &json!({"algorithm": "ECDSA"})).await;
    let client = |name: &str| merged(leaf("middle", name), &json!({"usages": ["digital signature", "client auth"]}));
    stage.issued("good", client("good")).await;
    stage.issued("bad", client("bad")).await;
    let server: Value = merged(leaf("middle", "web"), &json!({"usages": ["digital signature", "server auth"]}));
    let annotated = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate",
        "metadata": {"name": "web", "annotations": {"chancery.dev/ca-crl": "true"}}, "spec": server,
    });
    for list in ["root", "middle"] {
        stage.relist(list, json!({"distribution": {"caCRL": true}})).await;
        stage.published(list).await;
    }
    let certificate: Certificate = serde_json::from_value(annotated).expect("it is a Certificate");
    stage.certificates().create(&kube::api::PostParams::default(), &certificate).await.expect("it is accepted");
    stage.ready("web").await;
    let number = |secret: &Secret| secret.metadata.annotations.as_ref()?.get("chancery.dev/ca-crl-number").cloned();
    let limit = Duration::from_mins(3);
    let first = wait_for(&stage.secrets(), "web", "ca.crl", limit, |secret| {
        number(secret).is_some() && secret.data.as_ref().is_some_and(|data| data.contains_key("ca.crl"))
    })
    .await;
    let contents = (stage.content("good").await, stage.content("bad").await);
    let (good, bad) = (Consumer::of(&contents.0), Consumer::of(&contents.1));
    let nginx = serve(&Content::of(&first)).await;
    for (name, client, content) in [("good", &good, &contents.0), ("bad", &bad, &contents.1)] {
        let said = visit(&nginx, client, content).await;
        assert!(said.contains("admitted"), "{name}: {said}\n{}", nginx.log());
    }
    staples(&nginx, &good).await;

    // The Secret has the next list at most a minute later.
    stage.revoke("bad", "keyCompromise").await;
    stage.revoked("bad").await;
    let next = wait_for(&stage.secrets(), "web", "another ca.crl", limit, |secret| number(secret) != number(&first)).await;
    let nginx = serve(&Content::of(&next)).await;
    let said = visit(&nginx, &good, &contents.0).await;
    assert!(said.contains("admitted"), "{said}\n{}", nginx.log());
    let said = visit(&nginx, &bad, &contents.1).await;
    assert!(said.contains("400 Bad Request") && !said.contains("admitted"), "{said}\n{}", nginx.log());
    assert!(nginx.log().contains("certificate revoked"), "{}", nginx.log());
}

/// Waits until nginx staples an answer, which it gets from the responder when the first client has asked for one.
async fn staples(nginx: &Nginx, client: &Consumer) {
    let mut turn = tokio::time::interval(Duration::from_millis(100));
    let connect = nginx.address.to_string();
    let search = async {
        loop {
            turn.tick().await;
            let asked =
                Program::openssl().args(["s_client", "-status", "-connect", &connect, "-CAfile", &client.path("roots.pem")]).finish().await;
            if asked.stdout.contains("OCSP Response Status: successful") {
                return asked.stdout;
            }
        }
    };
    let Ok(said) = tokio::time::timeout(crate::stage::SOON, search).await else { panic!("nginx staples nothing\n{}", nginx.log()) };
    assert!(said.contains("Cert Status: good"), "{said}");
}
