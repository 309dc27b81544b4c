//! Several registers are lost at once, as where a store is restored: one export brings all of them back.

use chancery::api::Certificate;
use chancery::register::Act;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::restore::{put_back, registers};
use super::{code, register};
use crate::evidence::Ledger;
use crate::harness::{Ground, OwnOperator};
use crate::scene::{certificate, create, issuer_is_ready, make_ca_issuer, settled};

#[tokio::test(flavor = "multi_thread")]
async fn one_export_brings_back_the_lines_of_two_authorities() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start(&ground).await;
    let (system, maps) = (own.ground.system.clone(), own.ground.system_api::<ConfigMap>());
    let certificates = own.ground.api::<Certificate>();
    let issuers = ["east", "west"];
    for issuer in issuers {
        make_ca_issuer(&own.ground, issuer).await;
        issuer_is_ready(&own.ground, issuer).await;
        create(&certificates, &certificate(&format!("{issuer}-first"), issuer, json!({}))).await;
        settled(&own.ground, &format!("{issuer}-first"), "issued", |_| true).await;
    }
    let older = registers(&maps).await;
    for issuer in issuers {
        create(&certificates, &certificate(&format!("{issuer}-second"), issuer, json!({}))).await;
        settled(&own.ground, &format!("{issuer}-second"), "issued", |_| true).await;
    }
    own.kill().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("export").to_string_lossy().into_owned();
    let done = register(&ground, &system, &["export", "--file", &file]).await;
    assert_eq!(code(&done), Some(0), "{done:?}");
    put_back(&maps, &older).await;
    let lost = Ledger::read(&maps).await;
    assert!(issuers.iter().all(|issuer| lost.acts(Act::Issued, &format!("{issuer}-second")).is_empty()), "the store went back");

    // All of them are handed over before any is waited for: the operator does not run, and takes in both when it starts.
    let handed = register(&ground, &system, &["restore", "--file", &file, "--yes", "--timeout", "1s"]).await;
    assert!(code(&handed) == Some(1) && handed.stderr.contains("2 of 2 registers were not restored"), "{handed:?}");
    assert_eq!(handed.stdout.matches(" come back as they were").count(), 2, "{handed:?}");
    own.restart().await;
    let again = register(&ground, &system, &["restore", "--file", &file, "--yes"]).await;
    assert_eq!(code(&again), Some(0), "{again:?}");
    let compared = register(&ground, &system, &["verify", "--against", &file]).await;
    assert_eq!(code(&compared), Some(0), "{compared:?}");
    let ledger = Ledger::read(&maps).await;
    for issuer in issuers {
        let name = format!("{issuer}-second");
        let lines = ledger.acts(Act::Issued, &name);
        assert!(lines.len() == 1 && lines[0].entry.recorded.is_none(), "{name}: {lines:?}");
    }
}
