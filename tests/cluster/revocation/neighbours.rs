//! Nobody revokes, or keeps from being revoked, what is another's: whatever they write into lists, Certificates, Secrets, statuses
//! and copies that are theirs.

use chancery::api::Certificate;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Map, Value, json};

use crate::harness::{stays, wait_for};
use crate::stage::{Answer, Consumer, SOON, Stage, WHILE, Way, authority_of, key_id, leaf, merged, now, number_of, serial};

/// Has the operator look at a list once more, and holds that this certificate is as good as it was.
async fn is_still_good(stage: &Stage, certificate: &Certificate, consumer: &Consumer) {
    let name = certificate.name_any();
    assert_eq!(serial(&stage.looked_at(&name).await), serial(certificate), "{name} was replaced");
    assert_eq!(stage.lines_of(&name, serial(certificate)).await.len(), 1, "{name}: more on record than that it was issued");
    consumer.fetch().await;
    assert_eq!(consumer.openssl().await, None, "{name}");
    assert_eq!(consumer.ask(Way::PostWithNonce).await, Answer::Good, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lists_orders_reach_no_further_than_its_own_authority() {
    let victim = Stage::set("victim").await;
    victim.covered().await;
    let web = victim.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&victim.content("web").await);
    let attacker = Stage::set("attacker").await;
    attacker.covered().await;
    let own = attacker.issued("own", leaf("ca", "own")).await;
    let of_own = Consumer::of(&attacker.content("own").await);
    let reference = |namespace: &str| json!({"namespace": namespace, "name": "web", "issuedBefore": now().to_string()});
    let orders = json!([
        {"serialNumber": serial(&web), "reason": "keyCompromise"},
        {"keyID": key_id(&web), "reason": "keyCompromise"},
        {"certificateRef": reference(&victim.namespace), "reason": "keyCompromise"},
        {"serialNumber": serial(&web), "hold": true},
        {"serialNumber": serial(&own), "reason": "keyCompromise"},
    ]);
    attacker.relist("ca", json!({"revocations": orders})).await;
    // The last of them is lawful, and shows that all were looked at.
    of_own.served_revoked().await;
    let status = attacker.listed("ca", "orders refused", |status| !status.refused_orders.is_empty()).await;
    assert!(status.refused_orders.iter().all(|refused| refused.index < 4), "{:?}", status.refused_orders);
    assert!(status.refused_orders.iter().any(|refused| refused.index == 2), "{:?}", status.refused_orders);
    is_still_good(&victim, &web, &consumer).await;
    // A key that is blocked by one authority may be used under another: else anybody could shut anybody out.
    victim.ask("web", "again").await;
    victim.replaced(&web).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_on_the_same_authority_revokes_nothing_but_their_own() {
    // Two tenants of a ClusterIssuer whose list is the operator's.
    let victim = Stage::set("tenant").await;
    let system = victim.elsewhere(&victim.system);
    let issuer = format!("{}-shared", victim.namespace);
    let base_url = victim.ground.responder().await.base_url();
    let own_root = crate::stage::ForeignCa::by_openssl(&issuer, "CA:TRUE", "keyCertSign,cRLSign").await;
    system.put_secret(&issuer, "kubernetes.io/tls", json!({}), own_root.data()).await;
    victim.cluster_issuer(&issuer, json!({"ca": {"secretName": issuer}})).await;
    victim.cluster_issuer_says(&issuer, "True", "Ready").await;
    let list = json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}});
    system.list(&issuer, merged(crate::stage::served_list(&issuer, &base_url), &list)).await;
    system.published(&issuer).await;
    let of_cluster = |secret: &str| merged(leaf("x", secret), &json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}}));
    let attacker = Stage::set("tenant").await;
    let web = victim.issued("web", of_cluster("web")).await;
    let consumer = Consumer::of(&victim.content("web").await);

    // The victim's certificate and key planted in the attacker's Secret, under the attacker's Certificate.
    let own = attacker.issued("web", of_cluster("web")).await;
    let texts = victim.content("web").await.texts().clone();
    attacker.patch::<k8s_openapi::api::core::v1::Secret>("web", json!({"stringData": texts})).await;
    // An edited status that claims the victim's serial and key.
    let claim = json!({"status": {
        "serialNumber": serial(&web), "keyID": key_id(&web),
        "revocation": {"issuedBefore": "2999-01-01T00:00:00Z", "effectiveTime": "2999-01-01T00:00:00Z", "certificates": 0},
    }});
    attacker.certificates().patch_status("web", &PatchParams::default(), &Patch::Merge(claim)).await.expect("anybody may who may");
    attacker.revoke("web", "keyCompromise").await;
    attacker.revoked("web").await;
    let theirs = Consumer::of(&attacker.content("web").await);
    theirs.served("their own", |list| list.entry(serial(&own)).is_some()).await;
    is_still_good(&victim, &web, &consumer).await;

    // And with all that they delete.
    attacker.respec("web", json!({"deletionPolicy": "RevokeAndDelete", "secretName": "web"})).await;
    attacker.ready("web").await;
    attacker.delete("web").await;
    crate::harness::wait_gone(&attacker.certificates(), "web", SOON).await;
    is_still_good(&victim, &web, &consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_list_status_is_put_right_and_takes_nothing_off_the_list() {
    let stage = Stage::set("edited").await;
    stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    consumer.served_revoked().await;
    let before = stage.published("ca").await;
    for edit in [
        json!({"shards": [], "pendingRevocations": 7}),
        json!({"authority": "00".repeat(32), "observedGeneration": 99}),
        json!({"shards": null, "register": null, "conditions": null}),
    ] {
        let patched = stage.lists().patch_status("ca", &PatchParams::default(), &Patch::Merge(json!({"status": edit}))).await;
        patched.unwrap_or_else(|error| panic!("{edit}: {error}"));
        let after = stage
            .listed("ca", "as it was", |now| {
                authority_of(now) == authority_of(&before) && now.entries == Some(1) && now.pending_revocations.unwrap_or_default() == 0
            })
            .await;
        assert!(number_of(&after) >= number_of(&before), "{edit}");
        consumer.served("still on it", |list| list.entry(serial(&web)).is_some()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_put_right_and_a_stranger_of_its_name_is_left_alone() {
    let stage = Stage::set("copies").await;
    let maps = stage.api::<ConfigMap>();
    let own = json!({"metadata": {"name": "taken"}, "data": {"poem": "mine"}});
    let stranger: ConfigMap = serde_json::from_value(own).expect("it is a ConfigMap");
    let stranger = maps.create(&PostParams::default(), &stranger).await.expect("it is accepted");
    stage.covered_with(json!({"distribution": {"configMaps": [{"name": "copy"}]}})).await;
    stage.relist("ca", json!({"distribution": {"configMaps": [{"name": "taken"}, {"name": "copy"}]}})).await;
    let status = stage.listed("ca", "a complaint", |status| status.conditions.iter().any(|found| found.message.contains("taken"))).await;
    assert!(status.entries == Some(0) && status.number.is_some(), "what is published is published: {status:?}");
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.fetch().await;
    // However it is laid out, the octets of the list that is served are in it.
    let has_list = |map: &ConfigMap| {
        let binary = map.binary_data.iter().flatten().map(|(_, value)| value.0.len());
        let text = map.data.iter().flatten().filter(|(_, text)| text.contains("X509 CRL")).map(|(_, text)| text.len());
        binary.chain(text).any(|length| length > 100)
    };
    let copy = wait_for(&maps, "copy", "a copy", SOON, has_list).await;
    // With the next list it is as it should be, whatever was done to it.
    maps.delete("copy", &DeleteParams::default()).await.expect("it is there");
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    let again = wait_for(&maps, "copy", "the copy again", SOON, |now| now.uid() != copy.uid() && has_list(now)).await;
    let spoiled = |map: &ConfigMap| {
        let octets = map.binary_data.iter().flatten().map(|(key, _)| (key.clone(), json!(ByteString(vec![1, 2, 3]))));
        let words = map.data.iter().flatten().map(|(key, _)| (key.clone(), json!("nothing")));
        json!({"binaryData": octets.collect::<Map<String, Value>>(), "data": words.collect::<Map<String, Value>>()})
    };
    stage.patch::<ConfigMap>("copy", spoiled(&again)).await;
    let second = stage.issued("second", leaf("ca", "second")).await;
    stage.revoke("second", "keyCompromise").await;
    stage.revoked("second").await;
    wait_for(&maps, "copy", "the copy put right", SOON, has_list).await;
    // What is in it is never read.
    consumer.served("both", |list| list.entries.len() == 2 && list.entry(serial(&second)).is_some()).await;
    stays(&maps, "taken", "the stranger's own", WHILE, |now| now.resource_version() == stranger.resource_version()).await;
}
