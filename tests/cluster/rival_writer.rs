//! Another program that rewrites a Secret each second: it costs few certificates, the condition names it, and all is well
//! when it stops.

use std::time::Duration;

use chancery::api::Certificate;
use chancery::plan::budget::PER_CERTIFICATE;
use chancery::register::Act;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::evidence::Ledger;
use crate::harness::{Ground, OwnOperator, wait_for};
use crate::scene::{SOON, certificate, create, issuer_is_ready, make_ca_issuer, settled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_writer_costs_few_certificates_and_is_named() {
    let ground = Ground::prepared().await;
    let operator = OwnOperator::start(&ground).await;
    let own = &operator.ground;
    make_ca_issuer(own, "ca").await;
    issuer_is_ready(own, "ca").await;
    create(&own.api::<Certificate>(), &certificate("web", "ca", json!({}))).await;
    settled(own, "web", "before the other came", |_| true).await;

    let secrets = own.api::<Secret>();
    let rival = tokio::spawn(async move {
        // The interval is the workload.
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let params = PatchParams { field_manager: Some("stubborn-sync".to_owned()), ..PatchParams::default() };
        for number in 0..60 {
            second.tick().await;
            let damage = Patch::Merge(json!({ "stringData": { "tls.key": format!("rubbish {number}") } }));
            secrets.patch("web", &params, &damage).await.expect("nobody deletes it");
        }
    });
    let named = |certificate: &Certificate| {
        let conditions = certificate.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.message.contains("\"stubborn-sync\""))
    };
    wait_for(&own.api::<Certificate>(), "web", "the condition names the other writer", SOON, named).await;
    rival.await.expect("it writes to the end");

    settled(own, "web", "after the other has gone", |_| true).await;
    let issued = Ledger::read(&own.system_api()).await.acts(Act::Issued, "web").len();
    assert!(issued <= PER_CERTIFICATE, "{issued} certificates");
    let log = operator.log();
    assert!(!log.contains("rubbish"), "what stood in the Secret is in the log");
}
