//! `kubectl chancery inspect`: Secrets that the operator made, files, and a TLS server.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::{Ground, Namespace, Program};
use crate::stage::{Content, ForeignCa, Stage, leaf, merged};

/// A TLS server with what a Secret holds. It ends with the test.
pub(super) async fn server(content: &Content) -> SocketAddr {
    let chain: Vec<CertificateDer<'static>> = content.chain.iter().map(|one| CertificateDer::from(one.as_der().to_vec())).collect();
    let key = PrivateKeyDer::try_from(content.key.to_der(chancery_pki::KeyEncoding::Pkcs8).unwrap().to_vec()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that only looks goes away at once.
                let _ = acceptor.accept(stream).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_certificate_is_shown_with_all_its_forms_and_without_its_key() {
    let stage = Stage::set("inspect").await;
    stage.authority().await;
    stage.put_secret("password", "Opaque", json!({}), json!({"password": "changeit"})).await;
    let forms = json!({
        "additionalOutputFormats": [{"type": "CombinedPEM"}, {"type": "DER"}],
        "keystores": {"jks": {"create": true, "passwordSecretRef": {"name": "password", "key": "password"}},
                      "pkcs12": {"create": true, "passwordSecretRef": {"name": "password", "key": "password"}}},
    });
    stage.issued("web", merged(leaf("ca", "web"), &forms)).await;
    let namespace = &stage.namespace;
    let shown = Shown::new().replace(namespace.clone(), "<namespace>").replace(r"\b[0-9a-f]{40}\b", "<identifier>");

    let closed = kubectl_chancery(&stage.ground, &format!("inspect certificate web -n {namespace}")).finish().await;
    shown.assert("inspect-certificate", &closed);
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "changeit\n").unwrap();
    let line = format!("inspect secret web -n {namespace} -o json --password-from {}", password.display());
    let opened = kubectl_chancery(&stage.ground, &line).finish().await;
    let value = json(&opened);
    assert!(opened.status.success(), "{}", value["problems"]);
    let places: Vec<&str> = value["places"].as_array().unwrap().iter().filter_map(|place| place["place"].as_str()).collect();
    let expected =
        ["tls.crt", "tls.key", "ca.crt", "key.der", "keystore.jks", "keystore.p12", "tls-combined.pem", "truststore.jks", "truststore.p12"];
    assert_eq!(places, expected);
    for place in value["places"].as_array().unwrap() {
        assert_ne!(place["keyMatches"], false, "{place}");
    }
    let content = stage.content("web").await;
    assert_eq!(value["places"][0]["certificates"][0]["serialNumber"], content.serial());
    let key: String = content.key_text.lines().filter(|line| !line.starts_with('-')).collect();
    for said in [&closed, &opened] {
        assert!(!said.stdout.contains("PRIVATE KEY") && !said.stdout.contains(&key[..40]), "the key is printed");
    }
    let named = kubectl_chancery(&stage.ground, &format!("inspect secret web -o name --namespace {namespace}")).run().await;
    assert_eq!(named, "secret/web\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_secret_is_said_and_ends_with_3() {
    let ground = Ground::prepared().await;
    let namespace = Namespace::create(&ground, "inspect").await;
    let (authority, other) = (ForeignCa::of_years("Somebody", 2020, 2045), ForeignCa::of_years("Somebody else", 2020, 2045));
    let (certificate, _) = authority.sign("web.example.com");
    let (_, key) = other.sign("web.example.com");
    let chain = format!("{certificate}{}", other.certificate);
    let secret = json!({
        "metadata": {"name": "bad"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": chain, "tls.key": key, "ca.crt": "nonsense"},
    });
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = namespace.api();
    secrets.create(&kube::api::PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let shown = Shown::new()
        .replace(namespace.name.clone(), "<namespace>")
        .replace(r"\b[0-9a-f]{40}\b", "<identifier>")
        .replace(r"Serial: +[0-9a-f]+", "Serial: <serial>")
        .replace(r"\(of \w+, ends in \w+\)", "(<span>)");
    let found = kubectl_chancery(&ground, &format!("inspect secret bad -n {}", namespace.name)).finish().await;
    shown.assert("inspect-bad-secret", &found);
    let absent = kubectl_chancery(&ground, &format!("inspect secret absent -n {}", namespace.name)).finish().await;
    shown.assert("inspect-absent", &absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_in_any_form_and_without_a_cluster() {
    let ground = Ground::bare().await;
    let authority = ForeignCa::of_years("Somebody", 2020, 2045);
    let (certificate, key) = authority.sign("web.example.com");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("chain.pem"), format!("{certificate}{}", authority.certificate)).unwrap();
    fs::write(at("key.pem"), &key).unwrap();
    fs::write(at("password"), "changeit").unwrap();
    Program::openssl().args(["x509", "-in", &at("chain.pem"), "-outform", "DER", "-out", &at("leaf.der")]).run().await;
    Program::openssl()
        .args([
            "pkcs12",
            "-export",
            "-in",
            &at("chain.pem"),
            "-inkey",
            &at("key.pem"),
            "-passout",
            "pass:changeit",
            "-out",
            &at("store.p12"),
        ])
        .run()
        .await;
    let look = async |arguments: &[&str]| {
        Program::kubectl_chancery(&ground)
            .env("KUBECONFIG", "/nowhere")
            .args(["inspect", "file", "-o", "json"])
            .args(arguments)
            .finish()
            .await
    };
    for (name, certificates) in [("chain.pem", 2), ("leaf.der", 1)] {
        let found = look(&[&at(name)]).await;
        assert!(found.status.success(), "{name}: {found:?}");
        assert_eq!(json(&found)["places"][0]["certificates"].as_array().unwrap().len(), certificates, "{name}");
    }
    let opened = look(&[&at("store.p12"), "--password-from", &at("password")]).await;
    assert_eq!(json(&opened)["places"][0]["keyMatches"], true, "{opened:?}");
    let locked = look(&[&at("store.p12")]).await;
    assert!(locked.status.code() == Some(1) && locked.stderr.contains("give its password with --password-from"), "{locked:?}");
    let nothing = look(&["/dev/null"]).await;
    assert!(nothing.status.code() == Some(1) && nothing.stderr.contains("neither a certificate nor a key"), "{nothing:?}");
    let ended = Program::kubectl_chancery(&ground)
        .args(["inspect", "file", "-"])
        .stdin(ForeignCa::of_years("Old", 2010, 2015).certificate)
        .finish()
        .await;
    assert!(ended.status.code() == Some(3) && ended.stdout.contains("PROBLEM: -: certificate 1 (CN=Old) ended"), "{ended:?}");
    let piped = Program::kubectl_chancery(&ground).args(["inspect", "file", "-"]).stdin(certificate).run().await;
    assert!(piped.contains("note: who signed"), "{piped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_what_it_presents_and_need_not_be_trusted() {
    let stage = Stage::set("inspect").await;
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    let address = server(&stage.content("web").await).await;
    let shown = Shown::new().replace(stage.namespace.clone(), "<namespace>").replace(r"\b[0-9a-f]{40}\b", "<identifier>");
    let found = kubectl_chancery(&stage.ground, &format!("inspect tls {address} --server-name web.example.com")).finish().await;
    shown.assert("inspect-tls", &found);
    let misnamed = kubectl_chancery(&stage.ground, &format!("inspect tls {address} -o json")).finish().await;
    let notes = json(&misnamed)["notes"].to_string();
    assert!(notes.contains("the certificate is not for 127.0.0.1, the name that was asked for"), "{notes}");
    // Nobody listens there.
    let refused = kubectl_chancery(&stage.ground, "inspect tls 127.0.0.1:1").finish().await;
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("no connection"), "{refused:?}");
}
