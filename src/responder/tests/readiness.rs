//! When a responder is ready to be sent requests, and when something is not as it should be. The one does not follow from the other.

use std::time::Duration;

use chancery_pki::{KeyAlgorithm, OcspStatus};

use super::ground::{DAY, Ground};
use crate::{
    api::names,
    register::LABEL,
    responder::{delegate::Delegates, keeper::Message, lines, ready, troubles, watch::News},
    telemetry::Health,
};

async fn ground() -> Ground {
    Ground::new(KeyAlgorithm::EcdsaP256, 1000).await
}

#[tokio::test]
async fn one_stale_list_is_told_and_leaves_the_responder_ready() {
    let ground = ground().await;
    let health = Health::default();
    assert_eq!(troubles(&ground.counter, &health), "");
    ground.clock.advance(DAY * 8);
    let stale = troubles(&ground.counter, &health);
    assert!(stale.contains("the list of shard 0 should have been renewed by"), "{stale}");
    assert_eq!(ready(&ground.counter, &health).unwrap(), "ready, 1 authorities\n");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_silent_leaves_it_ready() {
    let ground = ground().await;
    let health = Health::default();
    tokio::time::sleep(Duration::from_mins(11)).await;
    assert!(troubles(&ground.counter, &health).contains("nothing was heard of the API server for 660 s"));
    ready(&ground.counter, &health).unwrap();
}

#[tokio::test]
async fn a_responder_is_not_ready_before_it_has_read_all_that_it_answers_from() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    let health = Health::default();
    ground.restart();
    let waits_for = |ground: &Ground| ready(&ground.counter, &health).err().unwrap_or_default();
    assert_eq!(waits_for(&ground), "registers and lists were not read yet\nthe keys that sign OCSP answers were not read yet\n");
    ground.tell(Message::Registers(News::All(ground.documents(LABEL).await))).await;
    assert!(waits_for(&ground).contains("registers and lists"));
    ground.tell(Message::Lists(News::All(ground.documents(names::LIST).await))).await;
    assert_eq!(waits_for(&ground), "the keys that sign OCSP answers were not read yet\n");
    for secret in 1..16 {
        ground.tell(Message::Delegates(secret, Delegates::new())).await;
    }
    assert_eq!(waits_for(&ground), "the keys that sign OCSP answers were not read yet\n");
    ground.tell_delegate(Some(DAY)).await;
    assert_eq!(waits_for(&ground), "");
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
}

#[tokio::test]
async fn one_secret_of_delegates_that_may_not_be_read_is_told_and_leaves_the_responder_ready() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    let health = Health::default();
    ground.restart();
    ground.tell_all().await;
    for secret in 1..16 {
        ground.tell(Message::Delegates(secret, Delegates::new())).await;
    }
    ground.tell(Message::NoDelegates(0)).await;
    assert_eq!(ready(&ground.counter, &health).unwrap(), "ready, 1 authorities\n");
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
    let told = "Secret chancery-ocsp-0, with keys that sign OCSP answers, may not be read\n";
    assert_eq!(troubles(&ground.counter, &health), told);
    // Once it may be read, all is well; a delegate that was read stays when it may not be read again.
    ground.tell_delegate(Some(DAY)).await;
    assert_eq!(troubles(&ground.counter, &health), "");
    ground.tell(Message::NoDelegates(0)).await;
    assert_eq!((ground.status(leaf.serial()), troubles(&ground.counter, &health).as_str()), (Ok(OcspStatus::Good), told));
}

#[test]
fn of_many_troubles_the_first_hundred_are_told_and_how_many_more_there_are() {
    let told = |count: usize| lines((0..count).map(|number| format!("authority {number}: its head is gone")).collect());
    assert_eq!(told(100).lines().count(), 100);
    let many = told(500);
    assert_eq!((many.lines().count(), many.lines().last()), (101, Some("and 400 more")));
}

#[tokio::test(start_paused = true)]
async fn a_responder_whose_keeper_stands_still_is_neither_live_nor_ready() {
    let ground = ground().await;
    let health = Health::default();
    let beat = health.heartbeat("keeper");
    ready(&ground.counter, &health).unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    ground.heard.now();
    for told in [health.live().unwrap_err(), ready(&ground.counter, &health).unwrap_err(), troubles(&ground.counter, &health)] {
        assert!(told.contains("keeper has made no progress"));
    }
    beat.beat();
    ready(&ground.counter, &health).unwrap();
}

#[tokio::test]
async fn a_responder_that_ends_is_not_ready_any_more() {
    let ground = ground().await;
    let health = Health::default();
    health.stopping();
    assert_eq!(ready(&ground.counter, &health).unwrap_err(), "stopping\n");
}
