//! SIGTERM: no more work is taken, what runs is finished, and the lease is given back so that nobody waits for it.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery::api::Certificate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use crate::evidence::{Ledger, Witness};
use crate::harness::{Ground, OwnGround, Proxy, wait_for};
use crate::scene::{certificate, create, issuer_is_ready, make_ca_issuer, settled};

/// What a kubelet gives a pod to end.
const KUBELET: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_finished_and_the_next_one_leads_without_waiting() {
    let ground = Ground::prepared().await;
    let own = OwnGround::claim(&ground).await;
    let witness = Witness::start(&own).await;
    let proxy = Proxy::start(&ground).await;
    let mut operator = own.settings_through("first", &proxy.url()).instead("--lease-duration", "60s").start().await;
    make_ca_issuer(&own, "ca").await;
    issuer_is_ready(&own, "ca").await;

    // Slow enough that not all is begun when the signal comes: an operator works on 64 at a time.
    proxy.delay(Duration::from_millis(200));
    let before = proxy.writes().len();
    let names: Vec<String> = (0..200).map(|number| format!("web-{number:03}")).collect();
    let certificates: Api<Certificate> = own.api();
    let made = names.iter().map(|name| {
        let certificates = certificates.clone();
        async move { create(&certificates, &certificate(name, "ca", json!({}))).await }
    });
    futures::future::join_all(made).await;
    proxy.written(before + 20).await;
    let ended = operator.terminate().await;
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(ended.took < KUBELET, "it took {:?}", ended.took);
    let leases = own.system_api::<Lease>();
    let given_back = |lease: &Lease| lease.spec.as_ref().is_some_and(|spec| spec.holder_identity.as_deref().unwrap_or_default().is_empty());
    wait_for(&leases, "chancery-controller", "given back", KUBELET, given_back).await;

    // What was begun has all its parts, and not everything was begun.
    let writes = proxy.writes();
    let of = |resource: &str| -> BTreeSet<String> {
        writes[before..].iter().filter(|write| write.resource == resource).map(|write| write.name.clone()).collect()
    };
    let (secrets, statuses) = (of("secrets"), of("certificates.chancery.dev/status"));
    assert_eq!(secrets, statuses, "each Secret has its status");
    assert!(secrets.len() < names.len(), "all {} were finished: no work was left untaken", secrets.len());
    let ledger = Ledger::read(&own.system_api()).await;
    let recorded: BTreeSet<String> = ledger.lines().filter_map(|line| Some(line.entry.owner.as_ref()?.name.clone())).collect();
    assert_eq!(recorded, secrets, "each line has its Secret");

    // The other would have to wait for a minute if the lease had not been given back.
    let next = own.settings("second").instead("--lease-duration", "60s").start().await;
    for name in &names {
        settled(&own, name, "by the next operator", |_| true).await;
    }
    assert!(next.runs());
    witness.vouch(&Ledger::read(&own.system_api()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_does_not_answer_does_not_keep_it_from_ending() {
    let ground = Ground::prepared().await;
    let own = OwnGround::claim(&ground).await;
    let proxy = Proxy::start(&ground).await;
    let mut operator = own.settings_through("first", &proxy.url()).start().await;
    make_ca_issuer(&own, "ca").await;
    issuer_is_ready(&own, "ca").await;
    create(&own.api::<Certificate>(), &certificate("web", "ca", json!({}))).await;
    settled(&own, "web", "made", |_| true).await;
    proxy.hang();
    create(&own.api::<Certificate>(), &certificate("late", "ca", json!({}))).await;
    let ended = operator.terminate().await;
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(ended.took < KUBELET, "it took {:?}", ended.took);
}
