//! A tenant says on their own Certificate that what it had is to be revoked.

use serde_json::json;

use crate::harness::{stays, wait_for, wait_gone};
use crate::stage::{
    Answer, Consumer, SOON, Stage, WHILE, Way, ca, condition_of, in_a_second, is_observed, is_ready, key_id, leaf, merged, serial,
    served_list,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_key_is_revoked_at_once_and_replaced_by_another_key() {
    let stage = Stage::set("leaked").await;
    stage.covered().await;
    // Never would keep the key.
    let keeping = json!({"privateKey": {"rotationPolicy": "Never"}});
    let first = stage.issued("web", merged(leaf("ca", "web"), &keeping)).await;
    stage.ask("web", "once").await;
    let second = stage.replaced(&first).await;
    assert_eq!(key_id(&second), key_id(&first));
    let leaked = Consumer::of(&stage.content("web").await);

    let asked = in_a_second();
    let invalid = "2026-01-02T03:04:05Z";
    let revocation = json!({"issuedBefore": asked.to_string(), "reason": "keyCompromise", "invalidityDate": invalid});
    stage.respec("web", json!({"revocation": revocation})).await;
    let third = stage.replaced(&second).await;
    assert_ne!(key_id(&third), key_id(&second), "the leaked key was certified again");
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested", "Revoked"]);
    let told = stage.revoked("web").await;
    assert!(is_ready(&told) && serial(&told) == serial(&third), "what it has now is good");
    for before in [&first, &second] {
        let lines = stage.lines_of("web", serial(before)).await;
        let acts: Vec<&str> = lines.iter().filter_map(|line| line["act"].as_str()).collect();
        assert_eq!(acts, ["issued", "revoked"], "{}", serial(before));
        assert_eq!((&lines[1]["code"], &lines[1]["invalidityDate"]), (&json!("keyCompromise"), &json!(invalid)));
        let list = leaked.served("all that it had", |list| list.entry(serial(before)).is_some()).await;
        let entry = list.entry(serial(before)).expect("it was waited for").clone();
        assert_eq!((entry.reason, entry.invalidity_date), (1, invalid.parse().ok()));
        let recorded: jiff::Timestamp = lines[1]["time"].as_str().and_then(|time| time.parse().ok()).expect("a line has a time");
        // A list is dated back by five minutes, and nothing on it may be later.
        let dated = recorded - jiff::SignedDuration::from_mins(5);
        assert_eq!(entry.time.as_second(), dated.as_second(), "it is revoked when that was recorded");
        assert!(entry.time <= list.this_update);
    }
    stage.event("web", "Revoked", serial(&second)).await;
    let good = Consumer::of(&stage.content("web").await);
    good.fetch().await;
    assert_eq!(good.openssl().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_value_acts_once_and_a_later_one_acts_again() {
    let stage = Stage::set("once").await;
    stage.covered().await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    // In the future: what is issued after it was seen is none of its business.
    let far = json!({"revocation": {"issuedBefore": "2999-01-01T00:00:00Z", "reason": "keyCompromise"}});
    stage.respec("web", far).await;
    let second = stage.replaced(&first).await;
    let told = stage.revoked("web").await;
    let revocation = told.status.and_then(|status| status.revocation).expect("the status tells what was asked for");
    assert!(revocation.effective_time.0 <= in_a_second() && revocation.certificates == 1, "{revocation:?}");
    let looked = stage.looked_at("web").await;
    assert_eq!(serial(&looked), serial(&second));
    stays(&stage.certificates(), "web", "as it was", WHILE, |now| serial(now) == serial(&second)).await;
    stage.revoke("web", "keyCompromise").await;
    let third = stage.replaced(&second).await;
    stage.revoked("web").await;
    assert_eq!(stage.issuances("web").await, ["Created", "Revoked", "Revoked"]);
    // And what is withdrawn is done all the same.
    stage.respec("web", json!({"revocation": null})).await;
    let after = wait_for(&stage.certificates(), "web", "a look without a wish", SOON, is_observed).await;
    assert_eq!(serial(&after), serial(&third));
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.served("both", |list| list.entry(serial(&first)).is_some() && list.entry(serial(&second)).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_before_there_was_a_list_is_on_the_first_one() {
    let stage = Stage::set("listless").await;
    stage.authority().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    stage.revoke("web", "keyCompromise").await;
    let waiting = stage.revocation_says("web", "False", "NoRevocationList").await;
    let message = condition_of(&waiting, "Revoked").map(|found| found.message.clone()).unwrap_or_default();
    assert!(message.contains("RevocationList"), "it says what is missing: {message}");
    stage.replaced(&web).await;

    let base_url = stage.ground.responder().await.base_url();
    stage.list("ca", served_list("ca", &base_url)).await;
    let status = stage.published("ca").await;
    assert_eq!(status.entries, Some(1));
    stage.revoked("web").await;
    stage.issued("after", leaf("ca", "after")).await;
    let consumer = Consumer::of(&stage.content("after").await);
    consumer.served("what was revoked before", |list| list.entry(serial(&web)).is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_revoked_says_so_and_harms_nothing() {
    let stage = Stage::set("cannot").await;
    stage.covered().await;
    let alone = stage.issued("alone", leaf("self", "alone")).await;
    stage.revoke("alone", "keyCompromise").await;
    stage.revocation_says("alone", "False", "NotRevocable").await;
    assert_eq!(stage.lines_of("alone", serial(&alone)).await.len(), 1);

    let fresh = stage.issued("fresh", leaf("ca", "fresh")).await;
    stage.respec("fresh", json!({"revocation": {"issuedBefore": "2020-01-01T00:00:00Z"}})).await;
    let told = stage.revocation_says("fresh", "False", "NothingToRevoke").await;
    assert_eq!(serial(&told), serial(&fresh));
    assert_eq!(stage.published("ca").await.entries, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn planned_reasons_replace_first_and_are_published_after_the_grace() {
    let stage = Stage::set("grace").await;
    stage.covered_with(json!({"grace": "4s"})).await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    let old = Consumer::of(&stage.content("web").await);
    stage.revoke("web", "superseded").await;
    let second = stage.replaced(&first).await;
    assert_ne!(key_id(&second), key_id(&first));
    let lines = stage.lines_of("web", serial(&first)).await;
    let revoked = lines.iter().find(|line| line["act"] == "revoked").expect("it is on record before it is published");
    assert!(revoked["from"].as_str() > revoked["time"].as_str(), "{revoked}");
    stage.revoked("web").await;
    assert_eq!(old.served_revoked().await.reason, 4);

    // With an hour of grace whoever still uses the old one is not refused.
    let slow = Stage::set("grace").await;
    slow.covered_with(json!({"grace": "1h"})).await;
    let first = slow.issued("web", leaf("ca", "web")).await;
    let old = Consumer::of(&slow.content("web").await);
    slow.revoke("web", "cessationOfOperation").await;
    slow.replaced(&first).await;
    slow.revocation_says("web", "False", "AwaitingPublication").await;
    old.fetch().await;
    assert_eq!(old.openssl().await, None);
    assert_eq!(old.ask(Way::PostWithNonce).await, Answer::Good);
    // The key leaked after all: that does not wait.
    slow.revoke("web", "keyCompromise").await;
    slow.revoked("web").await;
    assert_eq!(old.served_revoked().await.reason, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_goes_can_take_its_certificates_with_it() {
    let stage = Stage::set("goes").await;
    stage.covered_with(json!({"grace": "0s"})).await;
    let revoking = json!({"deletionPolicy": "RevokeAndDelete"});
    let web = stage.issued("web", merged(leaf("ca", "web"), &revoking)).await;
    let consumer = Consumer::of(&stage.content("web").await);
    stage.delete("web").await;
    wait_gone(&stage.certificates(), "web", SOON).await;
    assert!(stage.secrets().get_opt("web").await.expect("Secrets can be read").is_none());
    assert_eq!(consumer.served_revoked().await.reason, 5);
    consumer.answers(Way::Post, &Answer::Revoked("cessationOfOperation".to_owned())).await;
    let acts = stage.lines_of("web", serial(&web)).await;
    let acts: Vec<&str> = acts.iter().filter_map(|line| line["act"].as_str()).collect();
    assert!(acts.starts_with(&["issued", "pending"]) && acts.contains(&"revoked"), "{acts:?}");

    // Of no authority, of one without a list, and never issued: each goes.
    let bare = Stage::set("goes").await;
    bare.authority().await;
    for (name, issuer) in [("alone", "self"), ("listless", "ca")] {
        bare.issued(name, merged(leaf(issuer, name), &revoking)).await;
    }
    bare.certificate("never", merged(leaf("absent", "never"), &revoking)).await;
    bare.unready("never", "IssuerNotFound").await;
    for name in ["alone", "listless", "never"] {
        bare.delete(name).await;
        wait_gone(&bare.certificates(), name, SOON).await;
    }
    let lines = bare.lines("listless").await;
    assert!(lines.iter().any(|line| line["act"] == "pending"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_can_be_revoked_by_its_owner_and_what_it_signed_is_refused() {
    let stage = Stage::set("cagone").await;
    stage.covered().await;
    let sub = stage.issued("sub", merged(ca("ca", "sub", "the sub"), &json!({"duration": "4000h"}))).await;
    let consumer = Consumer::of(&stage.content("sub").await);
    stage.revoke("sub", "keyCompromise").await;
    let message = stage.unready("sub", "Revoked").await;
    assert!(message.contains("chancery.dev/renew"), "{message}");
    assert_eq!(consumer.served_revoked().await.reason, 1);
    // Asked for, it gets another key.
    stage.ask("sub", "go on").await;
    let again = stage.replaced(&sub).await;
    assert_ne!(key_id(&again), key_id(&sub));
}
