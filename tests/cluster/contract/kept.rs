//! The key of a CA that was not made for one: it is as safe from then on as any CA's.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use crate::stage::{ForeignCa, Stage, key_id, leaf, merged};

/// Holds that the operator has a copy of the key, and that a lost Secret comes back with it.
async fn outlives_its_secret(stage: &Stage, name: &str) {
    let before = stage.ready(name).await;
    let system: Api<Secret> = Api::namespaced(stage.ground.client.clone(), &stage.system);
    let copy = system.get_opt(&format!("chancery-authority-{}", key_id(&before))).await.unwrap();
    assert!(copy.is_some(), "{name}: there is no copy of its key");
    stage.secrets().delete(name, &DeleteParams::default()).await.unwrap();
    let after = stage.replaced(&before).await;
    assert_eq!(key_id(&after), key_id(&before), "{name}: another key");
    stage.content(name).await.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_becomes_a_ca_has_its_key_copied_before_it_is_used() {
    let stage = Stage::set("promoted").await;
    stage.authority().await;
    let spec = merged(leaf("ca", "web"), &json!({"commonName": "no CA yet", "privateKey": {"rotationPolicy": "Never"}}));
    let first = stage.issued("web", spec).await;
    stage.respec("web", json!({"isCA": true})).await;
    let second = stage.replaced(&first).await;
    assert_eq!(key_id(&second), key_id(&first), "it was to be kept");
    outlives_its_secret(&stage, "web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_was_taken_over_has_its_key_copied_when_it_is_renewed() {
    let stage = Stage::set("takenca").await;
    let extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
    let theirs = ForeignCa::with_extensions("their CA", &extensions).await;
    theirs.import(&stage, "ca", json!({})).await;
    let key = ForeignCa::with_extensions("sub", &extensions).await.key;
    let certificate = theirs.certify(&key, "/CN=sub", &extensions).await;
    let notes =
        json!({"cert-manager.io/certificate-name": "sub", "cert-manager.io/issuer-name": "ca", "cert-manager.io/issuer-kind": "Issuer"});
    stage.put_secret("sub", "kubernetes.io/tls", notes, json!({"tls.crt": certificate, "tls.key": key})).await;
    let spec = merged(leaf("ca", "sub"), &json!({"commonName": "sub", "isCA": true, "dnsNames": null}));
    let found = stage.issued("sub", spec).await;
    assert_eq!(stage.issuances("sub").await, ["Found"]);
    stage.ask("sub", "now").await;
    let renewed = stage.replaced(&found).await;
    assert_eq!(key_id(&renewed), key_id(&found), "a CA keeps its key");
    outlives_its_secret(&stage, "sub").await;
}
