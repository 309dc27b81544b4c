//! How Certificates go, and what stays behind: nothing hangs, nothing is lost that was to be kept, and what is destroyed is on record.

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::{stays, wait_for, wait_gone};
use crate::stage::{SOON, Stage, WHILE, ca, is_observed, key_id, leaf, merged, serial};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_kept_unless_its_deletion_was_asked_for() {
    let stage = Stage::set("retain").await;
    stage.authority().await;
    stage.issued("unset", leaf("ca", "unset")).await;
    stage.issued("retain", merged(leaf("ca", "retain"), &json!({"deletionPolicy": "Retain"}))).await;
    for name in ["unset", "retain"] {
        let version = stage.secret(name).await.resource_version();
        assert!(stage.certificates().get(name).await.unwrap().finalizers().is_empty(), "{name}");
        stage.delete(name).await;
        wait_gone(&stage.certificates(), name, SOON).await;
        stays(&stage.secrets(), name, "kept", WHILE, |now| now.resource_version() == version).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_whose_deletion_was_asked_for_goes_with_its_key_on_record() {
    let stage = Stage::set("delete").await;
    stage.authority().await;
    let web = stage.issued("web", merged(leaf("ca", "web"), &json!({"deletionPolicy": "Delete"}))).await;
    assert_eq!(web.finalizers(), ["chancery.dev/cleanup"]);
    stage.delete("web").await;
    wait_gone(&stage.certificates(), "web", SOON).await;
    assert!(stage.secrets().get_opt("web").await.unwrap().is_none());
    stage.event("web", "KeyDestroyed", serial(&web)).await;
    let lines = stage.lines("web").await;
    let acts: Vec<&str> = lines.iter().filter_map(|line| line["act"].as_str()).collect();
    assert_eq!(acts, ["issued", "destroyed"]);
    assert_eq!((&lines[1]["keyID"], &lines[1]["serial"]), (&json!(key_id(&web)), &json!(serial(&web))));
    // The name can be used again.
    let again = stage.issued("web", leaf("ca", "web")).await;
    assert_ne!(serial(&again), serial(&web));
    assert_ne!(key_id(&again), key_id(&web));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_stays_whatever_the_policy_says() {
    let stage = Stage::set("keepforeign").await;
    stage.authority().await;
    let delete = json!({"deletionPolicy": "Delete"});
    let password = stage.put_secret("password", "Opaque", json!({}), json!({"password": "hunter2"})).await;
    stage.certificate("password", merged(leaf("ca", "password"), &delete)).await;
    stage.unready("password", "SecretNotOurs").await;
    // Another Certificate's Secret, by way of a second one that names it.
    stage.issued("owner", leaf("ca", "owned")).await;
    let owned = stage.secret("owned").await;
    stage.certificate("rival", merged(leaf("ca", "owned"), &delete)).await;
    stage.unready("rival", "SecretShared").await;
    // And one that was ours, until somebody took it over.
    stage.issued("lost", merged(leaf("ca", "lost"), &delete)).await;
    stage.patch::<Secret>("lost", json!({"metadata": {"annotations": {"chancery.dev/certificate-name": "somebody"}}})).await;
    stage.unready("lost", "SecretNotOurs").await;
    let lost = stage.secret("lost").await;
    for (certificate, secret) in [("password", &password), ("rival", &owned), ("lost", &lost)] {
        stage.delete(certificate).await;
        wait_gone(&stage.certificates(), certificate, SOON).await;
        let name = secret.name_any();
        stays(&stage.secrets(), &name, "untouched", WHILE, |now| now.resource_version() == secret.resource_version()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_counts_as_it_is_when_the_certificate_goes() {
    let stage = Stage::set("policy").await;
    stage.authority().await;
    stage.issued("kept", merged(leaf("ca", "kept"), &json!({"deletionPolicy": "Delete"}))).await;
    stage.issued("gone", leaf("ca", "gone")).await;
    stage.respec("kept", json!({"deletionPolicy": "Retain"})).await;
    stage.respec("gone", json!({"deletionPolicy": "Delete"})).await;
    let finalizers = |count: usize| move |now: &Certificate| is_observed(now) && now.finalizers().len() == count;
    wait_for(&stage.certificates(), "kept", "no finalizer", SOON, finalizers(0)).await;
    wait_for(&stage.certificates(), "gone", "a finalizer", SOON, finalizers(1)).await;
    for name in ["kept", "gone"] {
        stage.delete(name).await;
        wait_gone(&stage.certificates(), name, SOON).await;
    }
    stays(&stage.secrets(), "kept", "kept", WHILE, |_| true).await;
    assert!(stage.secrets().get_opt("gone").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_goes_also_when_there_is_nothing_left_to_delete() {
    let stage = Stage::set("nothing").await;
    let delete = json!({"deletionPolicy": "Delete"});
    stage.certificate("never", merged(leaf("absent", "never"), &delete)).await;
    stage.unready("never", "IssuerNotFound").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    let frozen = stage.issued("frozen", merged(leaf("self", "frozen"), &delete)).await;
    stage.patch::<Secret>("frozen", json!({"immutable": true})).await;
    for name in ["never", "frozen"] {
        stage.delete(name).await;
        wait_gone(&stage.certificates(), name, SOON).await;
    }
    assert!(stage.secrets().get_opt("frozen").await.unwrap().is_none());
    stage.event("frozen", "KeyDestroyed", serial(&frozen)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_secret_name_has_it_when_it_is_free() {
    let stage = Stage::set("free").await;
    stage.authority().await;
    let first = stage.issued("first", merged(leaf("ca", "common"), &json!({"deletionPolicy": "Delete"}))).await;
    stage.certificate("second", leaf("ca", "common")).await;
    stage.unready("second", "SecretShared").await;
    stage.delete("first").await;
    let second = stage.ready("second").await;
    assert_ne!(serial(&second), serial(&first));
    assert_eq!(stage.content("common").await.note("certificate-name"), Some("second"));
    // A Secret that is kept is still its former owner's, until that is given up.
    stage.certificate("third", leaf("ca", "common")).await;
    stage.unready("third", "SecretShared").await;
    stage.delete("second").await;
    stage.unready("third", "SecretNotOurs").await;
    stage.patch::<Secret>("common", json!({"metadata": {"annotations": {"chancery.dev/allow-adoption": "third"}}})).await;
    let third = stage.ready("third").await;
    assert_ne!(serial(&third), serial(&second), "what is on record as another's does not change hands");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_deleted_ends() {
    let stage = Stage::set("ending").await;
    stage.authority().await;
    let delete = json!({"deletionPolicy": "Delete"});
    for name in ["one", "two", "three"] {
        stage.issued(name, merged(leaf("ca", name), &delete)).await;
    }
    stage.issued("sub", merged(ca("ca", "sub", "sub"), &delete)).await;
    stage.certificate("waiting", merged(leaf("absent", "waiting"), &delete)).await;
    stage.unready("waiting", "IssuerNotFound").await;
    let namespaces: Api<Namespace> = Api::all(stage.ground.client.clone());
    namespaces.delete(&stage.namespace, &DeleteParams::default()).await.unwrap();
    wait_gone(&namespaces, &stage.namespace, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_made_again_takes_its_secret_up_without_a_new_certificate() {
    let stage = Stage::set("again").await;
    stage.authority().await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    let version = stage.secret("web").await.resource_version();
    stage.delete("web").await;
    wait_gone(&stage.certificates(), "web", SOON).await;
    let second = stage.issued("web", leaf("ca", "web")).await;
    assert_ne!(second.uid(), first.uid());
    assert_eq!(serial(&second), serial(&first));
    assert_eq!(stage.secret("web").await.resource_version(), version, "not even written");
    assert_eq!(stage.issuances("web").await, ["Created"]);
    // With another wish it is another certificate.
    stage.delete("web").await;
    wait_gone(&stage.certificates(), "web", SOON).await;
    let third = stage.issued("web", merged(leaf("ca", "web"), &json!({"dnsNames": ["new.example.com"]}))).await;
    assert_ne!(serial(&third), serial(&first));
    assert_eq!(stage.issuances("web").await, ["Created", "NamesChanged"]);
}
