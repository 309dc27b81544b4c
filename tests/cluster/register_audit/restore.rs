//! The registers' ConfigMaps are put back as they were yesterday: that is seen, and an export brings back what was done since.

use std::fs;

use chancery::api::names;
use chancery::register::{Act, LABEL, Line};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{code, register};
use crate::evidence::Ledger;
use crate::harness::{Ground, OwnOperator, wait_for};
use crate::stage::{Answer, Consumer, SOON, Stage, Way, leaf, serial};

pub(super) async fn registers(maps: &Api<ConfigMap>) -> Vec<ConfigMap> {
    maps.list(&ListParams::default().labels(LABEL)).await.expect("they can be listed").items
}

/// Puts registers back as a backup has them.
pub(super) async fn put_back(maps: &Api<ConfigMap>, older: &[ConfigMap]) {
    for map in registers(maps).await {
        maps.delete(&map.name_any(), &DeleteParams::default()).await.expect("it is there");
    }
    for mut map in older.iter().cloned() {
        map.metadata.resource_version = None;
        map.metadata.uid = None;
        maps.create(&PostParams::default(), &map).await.expect("it can be made again");
    }
}

struct Lost<'a> {
    stage: Stage,
    maps: Api<ConfigMap>,
    consumer: Consumer,
    second: String,
    folder: tempfile::TempDir,
    older: Vec<ConfigMap>,
    ground: &'a Ground,
}

impl Lost<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    fn acts(&self, ledger: &Ledger, act: Act) -> Vec<Line> {
        let of = |line: &&&Line| line.entry.serial.as_ref().is_some_and(|serial| serial.to_string() == self.second);
        ledger.acts(act, "second").iter().filter(of).map(|line| (*line).clone()).collect()
    }
}

/// A certificate is issued and revoked after a backup of the registers; an export and a checkpoint are kept; the operator is dead, and
/// the registers are as in the backup.
async fn lost<'a>(ground: &'a Ground, own: &mut OwnOperator, responder: &crate::harness::Responder) -> Lost<'a> {
    let stage = Stage::of_own(ground, &own.ground);
    stage.covered_by(responder, json!({})).await;
    stage.issued("first", leaf("ca", "first")).await;
    let maps: Api<ConfigMap> = own.ground.system_api();
    let older = registers(&maps).await;
    let second = stage.issued("second", leaf("ca", "second")).await;
    let consumer = Consumer::of(&stage.content("second").await);
    stage.revoke("second", "keyCompromise").await;
    stage.revoked("second").await;
    consumer.served_revoked().await;
    let lost =
        Lost { second: serial(&second).to_owned(), stage, maps, consumer, folder: tempfile::tempdir().expect("a folder"), older, ground };
    let system = own.ground.system.clone();
    // The checkpoint of all that was done.
    let lines = Ledger::read(&lost.maps).await;
    let end = lines.index().ends().into_iter().find(|(id, _)| id.to_string() != "common").expect("there is an authority");
    let stand = format!("register {} {} ", end.0, end.1.position.sequence);
    wait_for(&lost.maps, names::CHECKPOINT, "a checkpoint", SOON, |map: &ConfigMap| {
        map.data.as_ref().is_some_and(|data| data[names::CHECKPOINT_TEXT].contains(&stand))
    })
    .await;
    own.kill().await;
    for arguments in [["export", "--file", &lost.path("export")], ["checkpoint", "--save", &lost.path("checkpoint")]] {
        let done = register(ground, &system, &arguments).await;
        assert_eq!(code(&done), Some(0), "{done:?}");
    }
    put_back(&lost.maps, &lost.older).await;
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_a_restored_store_lost_stand_again_as_they_were() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start_with(&ground, |settings| settings.flag("--checkpoint-interval", "1s")).await;
    let responder = own.ground.responder(&ground).await;
    let lost = lost(&ground, &mut own, &responder).await;
    let system = own.ground.system.clone();
    let (file, checkpoint, key) = (lost.path("export"), lost.path("checkpoint"), lost.path("checkpoint.pem"));

    // By itself it is sound; what was kept elsewhere says more.
    let compared = register(lost.ground, &system, &["verify", "--checkpoint", &checkpoint, "--checkpoint-key", &key]).await;
    assert!(code(&compared) == Some(3) && compared.stdout.contains("the end was cut off after line"), "{compared:?}");
    let compared = register(lost.ground, &system, &["verify", "--against", &file]).await;
    assert!(code(&compared) == Some(3) && compared.stdout.contains("the end was cut off after line"), "{compared:?}");

    // A copy that was altered is refused before anything is handed over.
    let altered = lost.path("altered");
    fs::write(&altered, fs::read_to_string(&file).expect("it was written").replacen("\"second\"", "\"third\"", 1)).expect("it is writable");
    let refused = register(lost.ground, &system, &["restore", "--file", &altered, "--yes"]).await;
    assert!(code(&refused) == Some(1) && refused.stderr.contains("was changed"), "{refused:?}");
    // And so it is by the operator, whoever hands it over.
    let by_hand = json!({
        "metadata": { "name": "by-hand", "labels": { names::REGISTER_IMPORT: "true" } },
        "data": { names::REGISTER_EXPORT: fs::read_to_string(&altered).expect("it was written") },
    });
    lost.maps.create(&PostParams::default(), &serde_json::from_value(by_hand).expect("a ConfigMap")).await.expect("it can be made");

    // Handed over before the operator starts, so that it takes nothing for lost.
    let handed = register(lost.ground, &system, &["restore", "--file", &file, "--yes", "--timeout", "1s"]).await;
    assert!(code(&handed) == Some(1) && handed.stderr.contains("still wait after 1 s"), "{handed:?}");
    own.restart().await;
    let refused = |map: &ConfigMap| map.annotations().get(names::IMPORT_REFUSED).is_some_and(|why| why.contains("was changed"));
    wait_for(&lost.maps, "by-hand", "refused", SOON, refused).await;
    lost.maps.delete("by-hand", &DeleteParams::default()).await.expect("it is there");
    lost.stage.published("ca").await;
    let ledger = Ledger::read(&lost.maps).await;
    assert_eq!(lost.acts(&ledger, Act::Issued).len(), 1);
    let revoked = lost.acts(&ledger, Act::Revoked);
    assert!(revoked.len() == 1 && revoked[0].entry.recorded.is_none(), "{revoked:?}");
    let compared =
        register(lost.ground, &system, &["verify", "--against", &file, "--checkpoint", &checkpoint, "--checkpoint-key", &key]).await;
    assert_eq!(code(&compared), Some(0), "{compared:?}");
    assert_eq!(lost.consumer.served_revoked().await.reason, 1);
    lost.consumer.answers(Way::Post, &Answer::Revoked("keyCompromise".to_owned())).await;
    // Once more there is nothing to do.
    let again = register(lost.ground, &system, &["restore", "--file", &file, "--yes"]).await;
    assert!(code(&again) == Some(0) && again.stdout.contains("nothing is missing") && !again.stdout.contains("done"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_went_on_what_was_lost_is_recorded_once_more() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start_with(&ground, |settings| settings.flag("--checkpoint-interval", "1s")).await;
    let mut responder = own.ground.responder(&ground).await;
    let lost = lost(&ground, &mut own, &responder).await;
    let system = own.ground.system.clone();
    own.restart().await;
    lost.stage.unpublished("ca", "RolledBack").await;
    lost.stage.issued("third", leaf("ca", "third")).await;

    let file = lost.path("export");
    let shown = register(lost.ground, &system, &["restore", "--file", &file, "--dry-run"]).await;
    assert!(shown.stdout.contains("it has gone on otherwise"), "{shown:?}");
    let asked = register(lost.ground, &system, &["restore", "--file", &file]).await;
    assert!(code(&asked) == Some(1) && asked.stderr.contains("--yes"), "{asked:?}");
    let done = register(lost.ground, &system, &["restore", "--file", &file, "--yes"]).await;
    assert_eq!(code(&done), Some(0), "{done:?}");
    lost.stage.published("ca").await;
    let ledger = Ledger::read(&lost.maps).await;
    for act in [Act::Issued, Act::Revoked] {
        let lines = lost.acts(&ledger, act);
        assert_eq!(lines.len(), 1, "{act:?}");
        assert!(
            lines[0].entry.actor.starts_with("restore, ") && lines[0].entry.recorded.is_some_and(|then| then < lines[0].time),
            "{lines:?}"
        );
    }
    let list = lost.consumer.served("the second is on the list", |list| list.entry(&lost.second).is_some()).await;
    assert_eq!(list.entry(&lost.second).map(|entry| entry.reason), Some(1));
    responder.respawn().await;
    responder.ready().await;
    lost.consumer.answers(Way::Post, &Answer::Revoked("keyCompromise".to_owned())).await;
    let again = register(lost.ground, &system, &["restore", "--file", &file, "--yes"]).await;
    assert_eq!(code(&again), Some(0), "{again:?}");
    assert_eq!(lost.acts(&Ledger::read(&lost.maps).await, Act::Revoked).len(), 1, "nothing is recorded a third time");
    // The checkpoint goes on saying what was lost.
    let said = |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data[names::CHECKPOINT_TEXT].contains("\nlost "));
    wait_for(&lost.maps, names::CHECKPOINT, "what was lost", SOON, said).await;
    let verified = register(lost.ground, &system, &["verify"]).await;
    assert!(code(&verified) == Some(0) && verified.stdout.contains("it went back once"), "{verified:?}");
    // Who has kept the checkpoint of before sees it all the same.
    let (checkpoint, key) = (lost.path("checkpoint"), lost.path("checkpoint.pem"));
    let verified = register(lost.ground, &system, &["verify", "--checkpoint", &checkpoint, "--checkpoint-key", &key]).await;
    assert_eq!(code(&verified), Some(3), "{verified:?}");
}
