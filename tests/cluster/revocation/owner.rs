//! The owner of a list orders: by serial number, by key, by certificate and time; holds and releases.

use serde_json::{Value, json};

use crate::harness::{stays, wait_gone};
use crate::stage::{
    Answer, Consumer, SOON, Stage, WHILE, Way, authority_of, condition_of, is_ready, key_id, leaf, merged, now, number_of, serial,
    served_list,
};

#[tokio::test(flavor = "multi_thread")]
async fn orders_by_serial_by_key_and_by_certificate_are_carried_out_and_kept() {
    let stage = Stage::set("orders").await;
    stage.covered().await;
    let keeping = json!({"privateKey": {"rotationPolicy": "Never"}});
    let by_serial = stage.issued("by-serial", leaf("ca", "by-serial")).await;
    let by_key = stage.issued("by-key", merged(leaf("ca", "by-key"), &keeping)).await;
    let by_name = stage.issued("by-name", leaf("ca", "by-name")).await;
    stage.issued("bystander", leaf("ca", "bystander")).await;
    let bystander = Consumer::of(&stage.content("bystander").await);
    let pairs: Vec<String> = serial(&by_serial).as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    let invalid = "2026-03-04T05:06:07Z";
    let orders = json!([
        {"serialNumber": pairs.join(":"), "reason": "privilegeWithdrawn", "invalidityDate": invalid},
        {"keyID": key_id(&by_key), "reason": "keyCompromise"},
        {"certificateRef": {"name": "by-name", "issuedBefore": now().to_string()}, "reason": "affiliationChanged"},
    ]);
    stage.relist("ca", json!({"revocations": orders, "grace": "0s"})).await;
    let status = stage
        .listed("ca", "three orders carried out", |status| status.entries == Some(3) && status.pending_revocations.unwrap_or_default() == 0)
        .await;
    assert_eq!(status.applied_orders, Some(3));
    let wanted = [(&by_serial, 9, invalid.parse().ok()), (&by_key, 1, None), (&by_name, 3, None)];
    let list = bystander.served("all three", |list| list.entries.len() == 3).await;
    for (certificate, reason, invalidity) in wanted {
        let entry = list.entry(serial(certificate)).unwrap_or_else(|| panic!("{} is not on the list", serial(certificate)));
        assert_eq!((entry.reason, entry.invalidity_date), (reason, invalidity));
        let after = stage.replaced(certificate).await;
        assert_ne!(key_id(&after), key_id(certificate));
        assert!(condition_of(&after, "Revoked").is_none_or(|found| found.status == "True"), "{:?}", after.status);
    }
    assert_eq!(bystander.ask(Way::Post).await, Answer::Good);

    // An order is not the record: without it all stays as it was.
    stage.relist("ca", json!({"revocations": null})).await;
    assert_eq!(stage.published("ca").await.entries, Some(3));
    bystander.served("all three", |list| list.entries.len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_key_is_never_certified_again_wherever_it_comes_from() {
    let stage = Stage::set("blocked").await;
    stage.covered().await;
    let web = stage.issued("web", merged(leaf("ca", "web"), &json!({"privateKey": {"rotationPolicy": "Never"}}))).await;
    let leaked = stage.content("web").await;
    stage.relist("ca", json!({"revocations": [{"keyID": key_id(&web), "reason": "keyCompromise"}]})).await;
    let after = stage.replaced(&web).await;
    assert_ne!(key_id(&after), key_id(&web));
    // Put back by whoever has it, and asked to keep: not with this key.
    let data = json!({"stringData": {"tls.key": leaked.key_text}});
    stage.patch::<k8s_openapi::api::core::v1::Secret>("web", data).await;
    let healed = stage.reconciled("web").await;
    assert_ne!(key_id(&healed), key_id(&web));
    assert_ne!(stage.content("web").await.leaf().key_id().to_string(), key_id(&web));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_certificate_is_suspended_and_comes_back_when_it_is_released() {
    let stage = Stage::set("hold").await;
    stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    let order = |act: &str| json!({"revocations": [{"serialNumber": serial(&web), act: true}]});
    stage.relist("ca", order("hold")).await;
    let held = stage.revocation_says("web", "True", "OnHold").await;
    assert!(serial(&held) == serial(&web), "it is not replaced");
    assert_eq!(consumer.served_revoked().await.reason, 6);
    consumer.answers(Way::Post, &Answer::Revoked("certificateHold".to_owned())).await;

    stage.relist("ca", order("release")).await;
    consumer.served("it is released", |list| list.entry(serial(&web)).is_none()).await;
    consumer.answers(Way::Post, &Answer::Good).await;
    consumer.fetch().await;
    assert_eq!(consumer.openssl().await, None);
    let back = crate::harness::wait_for(&stage.certificates(), "web", "nothing revoked", SOON, |now| {
        is_ready(now) && condition_of(now, "Revoked").is_none()
    })
    .await;
    assert_eq!(serial(&back), serial(&web));
    let lines = stage.lines_of("web", serial(&web)).await;
    let acts: Vec<&str> = lines.iter().filter_map(|line| line["act"].as_str()).collect();
    assert_eq!(acts, ["issued", "held", "released"]);

    // From a hold there is a way to the end, and from the end none back.
    stage.relist("ca", order("hold")).await;
    stage.revocation_says("web", "True", "OnHold").await;
    stage.relist("ca", json!({"revocations": [{"serialNumber": serial(&web), "reason": "keyCompromise"}]})).await;
    stage.replaced(&web).await;
    consumer.served("for good", |list| list.entry(serial(&web)).is_some_and(|entry| entry.reason == 1)).await;
    stage.relist("ca", order("release")).await;
    let status = stage.listed("ca", "a refused order", |status| !status.refused_orders.is_empty()).await;
    assert_eq!(status.refused_orders[0].index, 0);
    consumer.served("still", |list| list.entry(serial(&web)).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_has_one_list_and_the_older_one_wins() {
    let stage = Stage::set("one").await;
    let first = stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    let order = json!({"revocations": [{"keyID": key_id(&stage.ready("web").await), "reason": "keyCompromise"}]});
    stage.list("second", merged(served_list("ca", "http://elsewhere.example.org"), &order)).await;
    let message = stage.unpublished("second", "AuthorityCovered").await;
    assert!(message.contains("ca"), "{message}");
    stays(&stage.lists(), "ca", "untouched", WHILE, |_| true).await;
    assert_eq!(stage.published("ca").await.entries, Some(0));
    consumer.fetch().await;
    assert_eq!(consumer.openssl().await, None);
    // Its turn comes when the first one goes; the authority and its numbers are the same.
    stage.relist("second", json!({"revocations": null, "distribution": {"baseURL": stage.ground.responder().await.base_url()}})).await;
    stage.lists().delete("ca", &kube::api::DeleteParams::default()).await.expect("it is there");
    wait_gone(&stage.lists(), "ca", SOON).await;
    let second = stage.published("second").await;
    assert_eq!(authority_of(&second), authority_of(&first));
    assert!(number_of(&second) >= number_of(&first), "{} after {}", number_of(&second), number_of(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_says_why() {
    let stage = Stage::set("why").await;
    stage.authority().await;
    let rows: [(&str, Value, &str); 3] = [
        ("absent", json!({"issuerRef": {"name": "absent"}}), "IssuerNotFound"),
        ("self", json!({"issuerRef": {"name": "self"}}), "NotAnAuthority"),
        ("waits", json!({"issuerRef": {"name": "waits"}}), "IssuerNotReady"),
    ];
    stage.issuer("waits", json!({"ca": {"secretName": "nothing"}})).await;
    for (name, spec, reason) in rows {
        stage.list(name, spec).await;
        let message = stage.unpublished(name, reason).await;
        assert!(message.contains(name), "{name}: {message}");
    }
    // A ClusterIssuer's list belongs into the operator's namespace: else any tenant could order its revocations.
    let issuer = format!("{}-cluster", stage.namespace);
    stage.cluster_issuer(&issuer, json!({"selfSigned": {}})).await;
    stage.list("foreign", json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}})).await;
    let message = stage.unpublished("foreign", "WrongNamespace").await;
    assert!(message.contains(&stage.system), "{message}");
    // A key that may not sign lists.
    let mute = crate::stage::ForeignCa::by_openssl("mute", "CA:TRUE", "keyCertSign").await;
    mute.import(&stage, "mute", json!({})).await;
    stage.list("mute", json!({"issuerRef": {"name": "mute"}})).await;
    stage.unpublished("mute", "MayNotSignLists").await;
}
