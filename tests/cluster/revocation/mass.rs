//! A thousand at once: a namespace that goes with all of its certificates.

use std::time::Duration;

use chancery::api::RevocationListStatus;
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::harness::{wait_for, wait_gone};
use crate::stage::{ForeignCa, Stage, in_a_second, leaf, merged, number_of, served_list};

const MANY: usize = 1000;
/// So many may be revoked in an hour without a person.
const GUARD: i64 = 600;
/// A thousand certificates are made and revoked here by a debug build, beside all other tests.
const LONG: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_a_thousand_ends_and_all_are_on_the_list_or_wait_for_a_person() {
    let stage = Stage::set("thousand").await;
    let system = stage.elsewhere(&stage.system);
    let issuer = format!("{}-issuer", stage.namespace);
    let root = ForeignCa::by_openssl(&issuer, "CA:TRUE", "keyCertSign,cRLSign").await;
    system.put_secret(&issuer, "kubernetes.io/tls", json!({}), root.data()).await;
    stage.cluster_issuer(&issuer, json!({"ca": {"secretName": issuer}})).await;
    stage.cluster_issuer_says(&issuer, "True", "Ready").await;
    let of_cluster = json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}});
    let base_url = stage.ground.responder().await.base_url();
    let guard = json!({"maxAutomaticRevocations": GUARD, "grace": "0s"});
    system.list(&issuer, merged(merged(served_list(&issuer, &base_url), &of_cluster), &guard)).await;
    system.published(&issuer).await;

    let spec = |name: &str| merged(merged(leaf("x", name), &of_cluster), &json!({"deletionPolicy": "RevokeAndDelete"}));
    let certificates = stage.certificates();
    let make = |number: usize| {
        let (certificates, name) = (&certificates, format!("web-{number:04}"));
        let object = json!({"metadata": {"name": name}, "spec": spec(&name)});
        async move {
            let certificate = serde_json::from_value(object).expect("it is a Certificate");
            certificates.create(&PostParams::default(), &certificate).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    };
    stream::iter(0..MANY).for_each_concurrent(16, make).await;
    // Each in turn: who waited for the first has waited for most.
    for number in 0..MANY {
        wait_for(&certificates, &format!("web-{number:04}"), "Ready", LONG, crate::stage::is_ready).await;
    }

    let namespaces: Api<Namespace> = Api::all(stage.ground.client.clone());
    namespaces.delete(&stage.namespace, &DeleteParams::default()).await.expect("it is there");
    wait_gone(&namespaces, &stage.namespace, LONG).await;
    let is = |entries: i64, waiting: i64| {
        move |status: &RevocationListStatus| {
            let numbers = [status.entries, status.pending_revocations, status.held_back].map(Option::unwrap_or_default);
            numbers == [entries, waiting, waiting]
        }
    };
    let many = i64::try_from(MANY).expect("it is small");
    let what = format!("{GUARD} on the list, the others wait");
    let held = system.long_listed(&issuer, &what, LONG, is(GUARD, many - GUARD)).await;
    assert!(held.oldest_pending.is_some(), "{held:?}");
    system.relist(&issuer, json!({"confirmPendingBefore": in_a_second().to_string()})).await;
    let done = system.long_listed(&issuer, "all on the list", LONG, is(many, 0)).await;
    assert!(number_of(&done) > number_of(&held));
    let left = certificates.list_metadata(&ListParams::default()).await.expect("Certificates can be listed");
    assert!(left.items.is_empty());
}
