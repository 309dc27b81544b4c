//! The registers as audit: what was refused, the log, checkpoints that openssl believes, and a store that went back in time.

mod refusals;
mod restore;
mod several;

use std::fs;

use chancery::api::{Certificate, names};
use chancery::register::{Act, RegisterId, export};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::evidence::Ledger;
use crate::harness::{Finished, Ground, OwnOperator, Program, wait_for, wait_gone};
use crate::scene::{SOON, certificate, change, create, issuer_is_ready, make_ca_issuer, make_issuer, settled};

/// Runs `kubectl chancery register` on an operator's namespace.
async fn register(ground: &Ground, system: &str, arguments: &[&str]) -> Finished {
    Program::kubectl_chancery(ground).args(["register"]).args(arguments).args(["--namespace", system]).finish().await
}

fn code(finished: &Finished) -> Option<i32> {
    finished.status.code()
}

/// Waits until a Certificate is refused in its present form.
async fn is_refused(own: &OwnOperator, name: &str, generation: i64) {
    let refused = |certificate: &Certificate| {
        let status = certificate.status.as_ref().filter(|status| status.observed_generation == Some(generation));
        status.is_some_and(|status| status.conditions.iter().any(|found| found.type_ == "Ready" && found.reason == "NotAllowed"))
    };
    wait_for(&own.ground.api::<Certificate>(), name, "refused", SOON, refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_on_record_once_and_each_line_is_in_the_log_once() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start_with(&ground, |settings| settings.instead("--log-format", "json")).await;
    make_issuer(&own.ground, "no-ca", json!({ "selfSigned": {}, "allow": { "isCA": false } })).await;
    issuer_is_ready(&own.ground, "no-ca").await;
    let certificates = own.ground.api::<Certificate>();
    create(&certificates, &certificate("ca", "no-ca", json!({ "isCA": true, "commonName": "ca" }))).await;
    is_refused(&own, "ca", 1).await;
    create(&certificates, &certificate("web", "no-ca", json!({}))).await;
    settled(&own.ground, "web", "allowed", |_| true).await;
    let maps = own.ground.system_api::<ConfigMap>();
    let refusals = async || {
        let ledger = Ledger::read(&maps).await;
        ledger.acts(Act::Refused, "ca").into_iter().map(|line| line.entry.clone()).collect::<Vec<_>>()
    };
    let first = refusals().await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].generation, Some(1));
    assert!(first[0].reason.starts_with("NotAllowed: ") && first[0].reason.contains("spec.isCA"), "{}", first[0].reason);
    assert!(first[0].serial.is_none() && first[0].owner.as_ref().is_some_and(|owner| owner.name == "ca" && !owner.uid.is_empty()));

    // A label makes no new generation, a restart no new look at what is known.
    change(&certificates, "ca", json!({ "metadata": { "labels": { "touched": "yes" } } })).await;
    own.restart().await;
    own.looked("certificate", 2, SOON).await;
    assert_eq!(refusals().await.len(), 1);
    change(&certificates, "ca", json!({ "spec": { "commonName": "other" } })).await;
    is_refused(&own, "ca", 2).await;
    assert_eq!(refusals().await.iter().map(|entry| entry.generation).collect::<Vec<_>>(), [Some(1), Some(2)]);

    own.terminate().await;
    let log = export::read(&own.log()).expect("the log can be read");
    let logged = log.registers[&Some(RegisterId::Common)].chain().expect("no line is missing, none stands twice");
    let ledger = Ledger::read(&maps).await;
    let standing = ledger.of_register(&RegisterId::Common.name());
    assert_eq!(logged.lines.iter().map(|line| &line.line).collect::<Vec<_>>(), standing.iter().collect::<Vec<_>>());
    // The log is as good as an export.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("operator.log");
    fs::write(&file, own.log()).expect("the folder is writable");
    let verified = register(&ground, &own.ground.system, &["verify", "--against", &file.to_string_lossy()]).await;
    assert_eq!(code(&verified), Some(0), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_cannot_fill_the_register_with_refusals() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    make_issuer(&own.ground, "no-ca", json!({ "selfSigned": {}, "allow": { "isCA": false } })).await;
    issuer_is_ready(&own.ground, "no-ca").await;
    let certificates = own.ground.api::<Certificate>();
    for number in 0..40 {
        create(&certificates, &certificate(&format!("ca-{number}"), "no-ca", json!({ "isCA": true, "commonName": "ca" }))).await;
        is_refused(&own, &format!("ca-{number}"), 1).await;
    }
    let ledger = Ledger::read(&own.ground.system_api()).await;
    assert_eq!(ledger.lines().filter(|line| line.entry.act == Act::Refused).count(), chancery::plan::budget::REFUSALS_PER_NAMESPACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_believes_a_checkpoint_and_it_tells_what_hashes_alone_do_not() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start_with(&ground, |settings| settings.flag("--checkpoint-interval", "1s")).await;
    make_ca_issuer(&own.ground, "ca").await;
    issuer_is_ready(&own.ground, "ca").await;
    create(&own.ground.api::<Certificate>(), &certificate("web", "ca", json!({}))).await;
    settled(&own.ground, "web", "issued", |_| true).await;
    let (system, maps) = (own.ground.system.clone(), own.ground.system_api::<ConfigMap>());
    let written = |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data[names::CHECKPOINT_TEXT].contains("\nregister "));
    wait_for(&maps, names::CHECKPOINT, "a checkpoint", SOON, written).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let saved = register(&ground, &system, &["checkpoint", "--save", &path("checkpoint")]).await;
    assert_eq!(code(&saved), Some(0), "{saved:?}");
    let verified = Program::openssl()
        .args(["dgst", "-sha256", "-verify", &path("checkpoint.pem"), "-signature", &path("checkpoint.sig"), &path("checkpoint")])
        .run()
        .await;
    assert_eq!(verified, "Verified OK\n");
    let compare = ["verify", "--checkpoint", &path("checkpoint"), "--checkpoint-key", &path("checkpoint.pem")];
    let sound = register(&ground, &system, &compare).await;
    assert_eq!(code(&sound), Some(0), "{sound:?}");

    // The key signs nothing else, and is in no ConfigMap.
    let key = own.ground.system_api::<Secret>().get(names::CHECKPOINT_KEY).await.expect("it was made");
    assert_eq!(key.data.expect("it has data").len(), 2);
    own.kill().await;
    // The last line, which no other vouches for.
    let text = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get("lines")).cloned().unwrap_or_default();
    let heads = maps.list(&kube::api::ListParams::default().labels("chancery.dev/register")).await.expect("they can be listed").items;
    let mut head = heads.into_iter().find(|map| text(map).contains("\"web\"")).expect("its authority has a register");
    let altered = text(&head).replacen("\"Created\"", "\"Altered\"", 1);
    head.data.get_or_insert_default().insert("lines".to_owned(), altered);
    maps.replace(&head.name_any(), &PostParams::default(), &head).await.expect("an administrator may do that");
    let found = register(&ground, &system, &compare).await;
    assert_eq!(code(&found), Some(3), "{found:?}");
    assert!(found.stdout.contains("line 1 was altered"), "{}", found.stdout);

    // The key is lost: whoever kept the old one is told.
    own.ground.system_api::<Secret>().delete(names::CHECKPOINT_KEY, &DeleteParams::default()).await.expect("it is there");
    wait_gone(&own.ground.system_api::<Secret>(), names::CHECKPOINT_KEY, SOON).await;
    let old = maps.get(names::CHECKPOINT).await.expect("it is there").data.expect("it has data")[names::CHECKPOINT_PUBLIC].clone();
    own.restart().await;
    wait_for(&maps, names::CHECKPOINT, "another key", SOON, |map: &ConfigMap| {
        map.data.as_ref().is_some_and(|data| data[names::CHECKPOINT_PUBLIC] != old)
    })
    .await;
    let found = register(&ground, &system, &["verify", "--checkpoint-key", &path("checkpoint.pem")]).await;
    assert!(code(&found) == Some(3) && found.stdout.contains("the key was lost or replaced"), "{found:?}");
}
