//! Two operators with one lease: whoever leads, no Secret ever holds a key and a certificate that do not match, no register
//! forks, and who does not lead any more begins no write.
//!
//! Each operator has a proxy of its own, so that it is known which writes are whose.

use chancery::api::Certificate;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use crate::evidence::{Ledger, Witness};
use crate::harness::{Ground, Operator, OwnGround, Proxy, wait_for};
use crate::scene::{SOON, certificate, change, create, issuer_is_ready, make_ca_issuer, settled};

/// How many Certificates are made at once: more than an operator works on at a time.
const MANY: usize = 80;
/// After how many of its writes the leader is disturbed: in the middle of its work.
const MIDDLE: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_slept_too_long_writes_nothing_more() {
    let ground = Ground::prepared().await;
    let pair = Pair::start(&ground).await;
    let names = pair.set_to_work().await;

    pair.leader.operator.freeze(true);
    pair.second_leads().await;
    pair.all_settled(&names).await;
    let before = pair.leader.proxy.writes().len();
    pair.leader.operator.freeze(false);
    for name in &names[..5] {
        change(&pair.own.api::<Certificate>(), name, json!({ "metadata": { "annotations": { "chancery.dev/renew": "1" } } })).await;
        settled(&pair.own, name, "renewed", |pair| pair.annotation("chancery.dev/renew-handled") == Some("1")).await;
    }
    let (mut leader, proxy) = (pair.leader.operator, pair.leader.proxy);
    leader.terminate().await;
    // It may have fallen asleep between the question whether it leads and the octets on the wire. What it was about to write then is
    // refused; but for an Event, the one thing that the API server takes without a version: it tells of what was done before.
    let late: Vec<String> = proxy.writes()[before..]
        .iter()
        .filter(|write| !write.resource.starts_with("events") && write.code.is_none_or(|code| code < 400))
        .map(|write| format!("{} {} {}", write.verb, write.resource, write.name))
        .collect();
    assert!(late.is_empty(), "{} writes after the leader had slept: {late:?}", late.len());
    pair.witness.vouch(&Ledger::read(&pair.own.system_api()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_former_leader_had_sent_and_arrives_late_does_no_harm() {
    let ground = Ground::prepared().await;
    let pair = Pair::start(&ground).await;
    let names = pair.set_to_work().await;

    pair.leader.proxy.hang();
    let (before, at_the_second) = (pair.leader.proxy.writes().len(), pair.second.proxy.writes().len());
    pair.second_leads().await;
    // What was on its way arrives while the other is in the middle of the same work.
    pair.second.proxy.written(at_the_second + MIDDLE).await;
    pair.leader.proxy.heal();
    pair.all_settled(&names).await;
    let (mut leader, proxy) = (pair.leader.operator, pair.leader.proxy);
    leader.terminate().await;
    assert!(proxy.writes().len() > before, "nothing was on its way");
    pair.witness.vouch(&Ledger::read(&pair.own.system_api()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_cut_off_stands_by_and_leads_again_when_its_turn_comes() {
    let ground = Ground::prepared().await;
    let mut pair = Pair::start(&ground).await;
    let names = pair.set_to_work().await;

    pair.leader.proxy.cut();
    let second = pair.second_leads().await;
    pair.all_settled(&names).await;
    pair.leader.proxy.heal();
    pair.second.operator.kill().await;
    pair.holder_after(&second).await;
    let names = pair.make_many("again").await;
    pair.all_settled(&names).await;
    assert!(pair.leader.operator.runs());
    pair.witness.vouch(&Ledger::read(&pair.own.system_api()).await);
}

struct Side {
    operator: Operator,
    proxy: Proxy,
}

struct Pair {
    own: OwnGround,
    witness: Witness,
    leader: Side,
    second: Side,
    first_holder: String,
}

impl Pair {
    /// Two operators, the first of which leads.
    async fn start(ground: &Ground) -> Self {
        let own = OwnGround::claim(ground).await;
        let witness = Witness::start(&own).await;
        let side = |name: &'static str| {
            let own = own.clone();
            async move {
                let proxy = Proxy::start(ground).await;
                let operator = own.settings_through(name, &proxy.url()).instead("--lease-duration", "10s").start().await;
                Side { operator, proxy }
            }
        };
        let leader = side("first").await;
        make_ca_issuer(&own, "ca").await;
        issuer_is_ready(&own, "ca").await;
        let first_holder = holder_other_than(&own, "").await;
        let second = side("second").await;
        Self { own, witness, leader, second, first_holder }
    }

    /// Makes more Certificates than one takes at a time, and returns when the leader is in the middle of it.
    async fn set_to_work(&self) -> Vec<String> {
        // Slow enough to be caught at it, and so that much waits for its turn to be sent.
        self.leader.proxy.delay(std::time::Duration::from_millis(20));
        let before = self.leader.proxy.writes().len();
        let names = self.make_many("web").await;
        self.leader.proxy.written(before + MIDDLE).await;
        names
    }

    async fn make_many(&self, prefix: &str) -> Vec<String> {
        let names: Vec<String> = (0..MANY).map(|number| format!("{prefix}-{number:02}")).collect();
        let certificates: Api<Certificate> = self.own.api();
        let made = names.iter().map(|name| {
            let certificates = certificates.clone();
            async move { create(&certificates, &certificate(name, "ca", json!({}))).await }
        });
        futures::future::join_all(made).await;
        names
    }

    async fn second_leads(&self) -> String {
        self.holder_after(&self.first_holder).await
    }

    async fn holder_after(&self, before: &str) -> String {
        holder_other_than(&self.own, before).await
    }

    async fn all_settled(&self, names: &[String]) {
        for name in names {
            settled(&self.own, name, "after a change of leaders", |_| true).await;
        }
    }
}

/// Waits until somebody holds the lease who is not this one.
async fn holder_other_than(own: &OwnGround, before: &str) -> String {
    let leases = own.system_api::<Lease>();
    let holder = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty());
    let other = |lease: &Lease| holder(lease).is_some_and(|holder| holder != before);
    let lease = wait_for(&leases, "chancery-controller", "held by another", SOON, other).await;
    holder(&lease).unwrap_or_default()
}
