//! What lasts: a list outlives its authority's re-key and its own object, a store that went back in time, and an operator's death.

use std::fs;
use std::sync::Arc;

use chancery::lease::Unfenced;
use chancery::register::{Act, Entry, Register as _, RegisterId, Registers, UNASKED};
use chancery_pki::{Certificate as X509, RANDOM_OCTETS, SerialNumber};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::evidence::Ledger;
use crate::harness::{Ground, OwnOperator, Program, stays, wait_for, wait_gone};
use crate::stage::{
    Answer, Consumer, ForeignCa, SOON, Stage, WHILE, Way, authority_of, get, key_id, leaf, merged, now, number_of, serial, served_list,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_rekeyed_authority_leaves_its_list_to_its_old_key() {
    let stage = Stage::set("rekey").await;
    let first = stage.covered().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let old = Consumer::of(&stage.content("web").await);
    let root = stage.ready("ca").await;
    stage.respec("ca", json!({"privateKey": {"rotationPolicy": "Always"}})).await;
    stage.ask("ca", "another key").await;
    let root = stage.replaced(&root).await;
    let status = stage.listed("ca", "the new authority", |status| authority_of(status) == key_id(&root) && status.entries == Some(0)).await;
    let status = if status.former_authorities.is_empty() {
        stage.listed("ca", "the former authority", |now| !now.former_authorities.is_empty()).await
    } else {
        status
    };
    assert_eq!(status.former_authorities[0].authority, authority_of(&first));

    // Its certificate is as good as it was, by its own list and its own responder.
    old.fetch().await;
    assert_eq!(old.openssl().await, None);
    assert_eq!(old.ask(Way::PostWithNonce).await, Answer::Good);
    let fresh = stage.issued("fresh", leaf("ca", "fresh")).await;
    let fresh_one = Consumer::of(&stage.content("fresh").await);
    assert_ne!(old.leaf().crl_distribution_points(), fresh_one.leaf().crl_distribution_points());
    fresh_one.fetch().await;
    assert_eq!(fresh_one.openssl().await, None);

    // What the old key signed is revoked on the old key's list, and on no other.
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    assert_eq!(old.served_revoked().await.reason, 1);
    old.fetch().await;
    old.openssl().await.expect("it is refused");
    old.answers(Way::Post, &Answer::Revoked("keyCompromise".to_owned())).await;
    fresh_one.fetch().await;
    assert!(fresh_one.list().await.entry(serial(&web)).is_none());
    assert_eq!(serial(&stage.ready("fresh").await), serial(&fresh));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_when_its_object_is_gone() {
    let stage = Stage::set("orphan").await;
    stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    stage.lists().delete("ca", &DeleteParams::default()).await.expect("it is there");
    wait_gone(&stage.lists(), "ca", SOON).await;
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    assert_eq!(consumer.served_revoked().await.reason, 1);
    // Whoever takes it up again finds it as it was left.
    stage.list("again", served_list("ca", &stage.ground.responder().await.base_url())).await;
    assert_eq!(stage.published("again").await.entries, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_too_much_for_an_hour_is_revoked_in_the_next_one_though_the_list_is_gone() {
    let hour = SignedDuration::from_hours(1);
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let root = stage.authority().await;
    let one_an_hour = json!({"maxAutomaticRevocations": 1, "grace": "0s"});
    stage.list("ca", merged(served_list("ca", "http://pki.example.test"), &one_an_hour)).await;
    stage.published("ca").await;
    stage.issued("web", merged(leaf("ca", "web"), &json!({"deletionPolicy": "RevokeAndDelete"}))).await;
    stage.lists().delete("ca", &DeleteParams::default()).await.expect("it is there");
    wait_gone(&stage.lists(), "ca", SOON).await;

    // The one of this hour, which is nearly over.
    own.kill().await;
    let maps: Api<ConfigMap> = own.ground.system_api();
    let register = RegisterId::Authority(key_id(&root).parse().expect("it is a key's"));
    let first = now() - hour + SignedDuration::from_secs(30);
    let other = Entry {
        serial: Some(SerialNumber::issued(0, [7; RANDOM_OCTETS])),
        not_after: Some(now() + hour),
        reason: UNASKED.to_owned(),
        recorded: Some(first),
        ..Entry::new(Act::Revoked)
    };
    let registers = Registers::new(maps.clone(), Arc::new(Unfenced), Arc::new(now), Arc::new(()));
    registers.open().await.expect("the registers can be read");
    registers.append(register, other).await.expect("the register takes it");
    own.restart().await;

    stage.delete("web").await;
    let is_revoked = |map: &ConfigMap| {
        let lines = map.data.as_ref().and_then(|data| data.get("lines")).map_or("", String::as_str);
        lines.lines().any(|line| line.contains("\"act\":\"revoked\"") && line.contains("\"name\":\"web\""))
    };
    wait_for(&maps, &register.name(), "web's certificate revoked", 2 * SOON, is_revoked).await;
    let ledger = Ledger::read(&maps).await;
    let [revoked] = ledger.acts(Act::Revoked, "web")[..] else { panic!("{:?}", ledger.acts(Act::Revoked, "web")) };
    assert!(revoked.time >= first + hour, "within the hour of the first: {revoked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_tells_what_is_new_since_the_list() {
    let stage = Stage::set("delta").await;
    stage.covered_with(json!({"delta": {}})).await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.fetch().await;
    assert_eq!(consumer.openssl().await, None);
    let printed = stage.content("web").await.printed().await;
    assert!(printed.contains("X509v3 Freshest CRL") && printed.contains("/0-delta.crl"), "{printed}");
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    let url = consumer.leaf().crl_distribution_points()[0].replace("/0.crl", "/0-delta.crl");
    let mut turn = tokio::time::interval(std::time::Duration::from_millis(100));
    let delta = async {
        loop {
            turn.tick().await;
            let delta = get(&url, "*/*", "application/pkix-crl").await;
            let text = Program::openssl().args(["crl", "-inform", "DER", "-noout", "-text"]).stdin(delta.clone()).run().await;
            if text.to_lowercase().contains(&serial(&web).replace(':', "").to_lowercase()) {
                return (delta, text);
            }
        }
    };
    let (delta, text) = tokio::time::timeout(SOON, delta).await.expect("the delta has it");
    assert!(text.contains("X509v3 Delta CRL Indicator: critical"), "{text}");
    // With an older list and this delta it is refused.
    let pem = Program::openssl().args(["crl", "-inform", "DER"]).stdin(delta).run().await;
    let lists = consumer.path("lists.pem");
    let whole = format!("{}{pem}", fs::read_to_string(&lists).expect("it was fetched"));
    fs::write(&lists, whole).expect("the folder is writable");
    let verify = ["verify", "-crl_check_all", "-extended_crl", "-use_deltas", "-no-CApath", "-no-CAstore"];
    let verified = Program::openssl()
        .args(verify)
        .args(["-CAfile", &consumer.path("roots.pem"), "-CRLfile", &lists, &consumer.path("leaf.pem")])
        .finish()
        .await;
    assert!(!verified.status.success() && verified.stderr.contains("certificate revoked"), "{}", verified.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_ca_software_revoked_is_taken_over_by_the_import_of_its_list() {
    let stage = Stage::set("import").await;
    let foreign = ForeignCa::by_openssl(&stage.namespace, "CA:TRUE", "keyCertSign,cRLSign").await;
    foreign.import(&stage, "ca", json!({})).await;
    stage.issuer_ready("ca").await;
    let base_url = stage.ground.responder().await.base_url();
    stage.list("ca", served_list("ca", &base_url)).await;
    stage.published("ca").await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("foreign.crl");
    let import = || {
        Program::kubectl_chancery(&stage.ground).args(["crl", "import", &file.to_string_lossy()]).args([
            "--namespace",
            &stage.system,
            "--list",
            &format!("{}/ca", stage.namespace),
        ])
    };
    // One that another key has signed is refused before anything is sent.
    let stranger = ForeignCa::by_openssl(&stage.namespace, "CA:TRUE", "keyCertSign,cRLSign").await;
    fs::write(&file, stranger.list(&[0xbad])).expect("the folder is writable");
    let refused = import().finish().await;
    assert!(!refused.status.success(), "{}", refused.stdout);
    fs::write(&file, foreign.list(&[0xcafe, 0xbeef])).expect("the folder is writable");
    import().run().await;
    let list = consumer.served("both", |list| list.entries.len() == 2).await;
    for serial in ["cafe", "beef"] {
        assert_eq!(list.entry(serial).map(|entry| entry.reason), Some(1), "{serial}");
    }
    let status = stage.listed("ca", "both", |status| status.entries == Some(2)).await;
    // The same once more changes nothing.
    import().run().await;
    let number = number_of(&status);
    stays(&stage.lists(), "ca", "as it was", WHILE, |list| list.status.as_ref().is_some_and(|status| number_of(status) == number)).await;
}

/// All ConfigMaps of an operator's namespace that hold registers and lists, as they stand.
async fn snapshot(maps: &Api<ConfigMap>) -> Vec<ConfigMap> {
    let all = maps.list(&ListParams::default()).await.expect("they can be listed").items;
    all.into_iter().filter(|map| map.name_any().starts_with("chancery-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_went_back_in_time_is_noticed_and_the_served_list_brings_it_back() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start(&ground).await;
    let responder = own.ground.responder(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    stage.covered_by(&responder, json!({})).await;
    let first = stage.issued("first", leaf("ca", "first")).await;
    let second = stage.issued("second", leaf("ca", "second")).await;
    let consumer = Consumer::of(&stage.content("second").await);
    stage.revoke("first", "keyCompromise").await;
    stage.revoked("first").await;
    consumer.served("the first", |list| list.entry(serial(&first)).is_some()).await;
    let maps: Api<ConfigMap> = own.ground.system_api();
    let older = snapshot(&maps).await;
    stage.revoke("second", "keyCompromise").await;
    stage.revoked("second").await;
    let served = consumer.served("both", |list| list.entries.len() == 2).await;
    consumer.fetch().await;

    // The operator is down while the store is put back: registers, heads and chunks, as a backup has them.
    own.kill().await;
    for map in snapshot(&maps).await {
        maps.delete(&map.name_any(), &DeleteParams::default()).await.expect("it is there");
    }
    for mut map in older {
        map.metadata.resource_version = None;
        map.metadata.uid = None;
        maps.create(&PostParams::default(), &map).await.expect("it can be made again");
    }
    own.restart().await;
    stage.unpublished("ca", "RolledBack").await;
    // What is served stays.
    consumer.fetch().await;
    let now = consumer.list().await;
    assert!(now.entries.len() == 2 && now.number == served.number, "{now:?}");
    stays(&stage.lists(), "ca", "nothing new is published", WHILE, |list| {
        list.status.iter().flat_map(|status| &status.conditions).any(|found| found.reason == "RolledBack")
    })
    .await;

    let file = consumer.path("list-0.crl");
    Program::kubectl_chancery(&ground)
        .args(["crl", "import", &file, "--namespace", &stage.system, "--list", &format!("{}/ca", stage.namespace)])
        .run()
        .await;
    let status = stage.published("ca").await;
    assert_eq!(status.entries, Some(2));
    let after = consumer.served("a newer list", |list| list.number.parse::<u128>().ok() > served.number.parse().ok()).await;
    assert!(after.entry(serial(&first)).is_some() && after.entry(serial(&second)).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_edited_chunks_are_made_again_and_never_served() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    let responder = own.ground.responder(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    stage.covered_by(&responder, json!({})).await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    consumer.served_revoked().await;
    let maps: Api<ConfigMap> = own.ground.system_api();
    let chunks = async || {
        let listed = maps.list(&ListParams::default().labels("chancery.dev/list")).await.expect("they can be listed").items;
        listed.into_iter().filter(|map| map.immutable == Some(true)).collect::<Vec<_>>()
    };
    for damage in ["lost", "edited"] {
        let before = stage.published("ca").await;
        for mut chunk in chunks().await {
            let name = chunk.name_any();
            maps.delete(&name, &DeleteParams::default()).await.expect("it is there");
            if damage == "edited" {
                for value in chunk.binary_data.iter_mut().flat_map(|data| data.values_mut()) {
                    value.0.reverse();
                }
                chunk.metadata.resource_version = None;
                chunk.metadata.uid = None;
                maps.create(&PostParams::default(), &chunk).await.expect("it can be made again");
            }
        }
        let status = stage.listed("ca", &format!("a new list, {damage}"), |status| number_of(status) > number_of(&before)).await;
        assert_eq!(status.entries, Some(1), "{damage}");
        let number = number_of(&status).to_string();
        let list = consumer.served(&format!("the new list, {damage}"), |list| list.number == number).await;
        assert!(list.entry(serial(&web)).is_some(), "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responder_that_comes_back_serves_what_was_published_and_the_authoritys_certificate() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    let mut responder = own.ground.responder(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let status = stage.covered_by(&responder, json!({})).await;
    let web = stage.issued("web", merged(leaf("ca", "web"), &json!({"privateKey": {"rotationPolicy": "Never"}}))).await;
    let consumer = Consumer::of(&stage.content("web").await);
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    consumer.served_revoked().await;
    // Without an operator.
    drop(own);
    responder.respawn().await;
    responder.ready().await;
    let entry = consumer.served_revoked().await;
    assert_eq!(entry.reason, 1);
    consumer.answers(Way::PostWithNonce, &Answer::Revoked("keyCompromise".to_owned())).await;
    let [url] = consumer.leaf().issuing_certificate_urls() else { panic!("{:?}", consumer.leaf().issuing_certificate_urls()) };
    let served = get(url, "*/*", "application/pkix-cert").await;
    let authority = X509::from_der(served).expect("it is a certificate");
    assert_eq!(authority.key_id().to_string(), authority_of(&status));
    assert!(consumer.leaf().is_signed_by(authority.public_key()));
    assert_eq!(responder.get("/troubles").await, (200, String::new()));
    let (code, metrics) = responder.get("/metrics").await;
    assert!(code == 200 && metrics.contains("chancery_"), "{metrics}");
    assert_ne!(serial(&web), "none");
}
