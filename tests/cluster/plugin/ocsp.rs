//! `kubectl chancery ocsp`: the real responder, and openssl about the same answers.

use std::net::UdpSocket;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json as object;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::{Ground, OwnOperator, Program, Responder, wait_gone};
use crate::stage::{Answer, Consumer, Content, ForeignCa, Stage, Way, leaf};

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
    // Signed with the very key of the authority, and by nobody who keeps a register.
    let content = stage.content("ca").await;
    let authority = ForeignCa { certificate: content.leaf().to_pem(), key: content.key_text.clone() };
    let (certificate, key) = authority.sign("nobody.example.com");
    let data = object!({"tls.crt": certificate, "tls.key": key, "ca.crt": content.leaf().to_pem()});
    let planted = Content::of(&stage.put_secret("nobody", "kubernetes.io/tls", object!({}), data).await);
    assert_eq!(planted.chain.len(), 1);
    let line = format!("ocsp secret nobody -n {} --url", stage.namespace);
    let unknown = kubectl_chancery(&stage.ground, &format!("{line} {url}")).finish().await;
    shown(&stage).replace(r"serial number [0-9a-f]+", "serial number <serial>").assert("ocsp-unknown", &unknown);
    let nobody = kubectl_chancery(&stage.ground, &format!("{line} http://127.0.0.1:1/ocsp")).finish().await;
    assert!(nobody.status.code() == Some(1) && nobody.stderr.contains("no connection"), "{nobody:?}");
    // There is no Service of the responder in this cluster that leads anywhere: the API server says so.
    let service = kubectl_chancery(&stage.ground, &format!("ocsp secret nobody -n {}", stage.namespace)).finish().await;
    assert!(service.status.code() == Some(1) && service.stderr.contains("Service chancery-system/chancery-responder"), "{service:?}");
    let other = Stage::set("ocsp").await;
    other.authority().await;
    other.issued("web", leaf("ca", "web")).await;
    let refused = kubectl_chancery(&stage.ground, &format!("ocsp secret web -n {} --url {url}", other.namespace)).finish().await;
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("unauthorized"), "{refused:?}");
}

/// Puts a responder behind the Service `chancery-responder` of a namespace, as its pods would be: the API server leads there whoever asks
/// it. It goes to no loopback address, so that a relay stands between.
pub(super) async fn answering_service(ground: &Ground, system: &str, responder: &Responder) {
    let target = responder.base_url().trim_start_matches("http://").to_owned();
    let here = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    let here = here.expect("this machine has an address besides loopback").ip();
    let relay = TcpListener::bind((here, 0)).await.expect("a port is free");
    let port = relay.local_addr().expect("it listens").port();
    tokio::spawn(async move {
        while let Ok((mut one, _)) = relay.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut other) = TcpStream::connect(target).await {
                    let _ = copy_bidirectional(&mut one, &mut other).await;
                }
            });
        }
    });
    // One without a selector, whose endpoints are those that it is given.
    let services: Api<Service> = Api::namespaced(ground.client.clone(), system);
    if services.get_opt("chancery-responder").await.expect("Services are read").is_some() {
        services.delete("chancery-responder", &DeleteParams::default()).await.expect("it can go");
        wait_gone(&services, "chancery-responder", crate::stage::SOON).await;
    }
    let service =
        object!({"metadata": {"name": "chancery-responder"}, "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]}});
    services.create(&PostParams::default(), &serde_json::from_value(service).expect("a Service")).await.expect("it is made");
    // The API server's own way to a Service goes by Endpoints.
    let subsets = object!([{"addresses": [{"ip": here.to_string()}], "ports": [{"name": "http", "port": port}]}]);
    let endpoints = object!({"metadata": {"name": "chancery-responder"}, "subsets": subsets});
    let all: Api<Endpoints> = Api::namespaced(ground.client.clone(), system);
    wait_gone(&all, "chancery-responder", crate::stage::SOON).await;
    all.create(&PostParams::default(), &serde_json::from_value(endpoints).expect("Endpoints")).await.expect("they are made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_names_no_responder_is_asked_about_through_the_api_server() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let responder = own.ground.responder(&ground).await;
    stage.authority().await;
    // Issued before there was a list: it names no URL.
    stage.issued("early", leaf("ca", "early")).await;
    stage.list("ca", crate::stage::served_list("ca", &responder.base_url())).await;
    stage.published("ca").await;
    stage.issued("web", leaf("ca", "web")).await;
    Consumer::of(&stage.content("web").await).answers(Way::Post, &Answer::Good).await;
    answering_service(&ground, &stage.system, &responder).await;
    let line = format!("ocsp certificate early -n {} --operator-namespace {} -o json", stage.namespace, stage.system);
    let found = kubectl_chancery(&ground, &line).finish().await;
    assert!(found.status.success(), "{found:?}");
    let value = json(&found);
    assert_eq!((&value["status"], &value["nonce"]), (&object!("good"), &object!("repeated")), "{value}");
    assert_eq!(value["from"], format!("Service {}/chancery-responder", stage.system));
}
