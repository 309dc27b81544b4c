//! One operator behind a proxy on a ground of its own, killed and started again; and what must hold whatever happened.

use std::collections::BTreeSet;
use std::time::Duration;

use chancery::api::Certificate;
use chancery::api::names::{CHECKPOINT, CHECKPOINT_KEY, DELEGATES_PREFIX, LIST_PREFIX};
use chancery::lists::{Part, part_of};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use super::flows::Flow;
use super::{ISSUER, MATRIX, is_beside};
use crate::evidence::{Ledger, Publications, Witness};
use crate::harness::{Ground, Moment, Operator, OwnGround, Proxy, Write};
use crate::scene::{certificate, create, issuer_is_ready, make_ca_issuer, make_issuer, settled};

/// Long enough for a kill that is to come; it comes within milliseconds.
const KILL: Duration = Duration::from_secs(30);

pub(super) struct Stage {
    pub(super) own: OwnGround,
    proxy: Proxy,
    witness: Witness,
    operator: Operator,
    runs: usize,
    /// Whether the next start writes checkpoints: when is a matter of time, so that other flows go without.
    pub(super) checkpoints: bool,
}

impl Stage {
    /// With an operator that runs, the issuers `ca` and `self-signed`, and registers that both have begun.
    pub(super) async fn set(ground: &Ground) -> Self {
        let own = OwnGround::claim(ground).await;
        let proxy = Proxy::start(ground).await;
        let witness = Witness::start(&own).await;
        let operator = launch(&own, &proxy, "0s").await;
        let stage = Self { own, proxy, witness, operator, runs: 0, checkpoints: false };
        make_ca_issuer(&stage.own, "ca").await;
        make_issuer(&stage.own, "self-signed", json!({ "selfSigned": {} })).await;
        for issuer in ["ca", "self-signed"] {
            issuer_is_ready(&stage.own, issuer).await;
            let name = format!("first-{issuer}");
            create(&stage.own.api::<Certificate>(), &certificate(&name, issuer, json!({}))).await;
            settled(&stage.own, &name, "before the first run", |_| true).await;
        }
        stage
    }

    /// One run of a flow: as it is, or with a crash at a row.
    pub(super) async fn run(&mut self, flow: Flow, rows: &[&str], crash: Option<(usize, Moment)>) {
        self.runs += 1;
        let name = format!("{}-{:02}", flow.word(), self.runs);
        let before = flow.prepare(self, &name).await;
        let begin = self.proxy.writes().len();
        if flow.is_a_start() {
            self.start().await;
        }
        let what = if let Some((row, moment)) = crash {
            let what = format!("{flow:?}, killed at \"{}\" {moment:?}", rows[row]);
            self.arm(rows, row, moment, &name);
            flow.act(self, &name, &before).await;
            let killed = tokio::time::timeout(KILL, async { tokio::join!(self.proxy.sprung(), self.operator.ended()) }).await;
            assert!(killed.is_ok(), "{what}: no such write; there were {:?}", self.kinds_since(begin));
            self.start().await;
            what
        } else {
            flow.act(self, &name, &before).await;
            format!("{flow:?}, not killed")
        };
        flow.done(self, &name, &before, &what).await;
        if crash.is_none() {
            self.compare(flow, rows, begin).await;
        }
        let known = |kind: &String| MATRIX.iter().any(|(_, rows)| rows.contains(&kind.as_str()));
        let unknown: Vec<String> = self.kinds_since(begin).into_iter().filter(|kind| !known(kind)).collect();
        assert!(unknown.is_empty(), "{what}: a new kind of write without a row: {unknown:?}");
        flow.afterwards(self, &name, &what).await;
    }

    /// Ends the operator without notice, where it has not ended.
    pub(super) async fn kill(&mut self) {
        self.operator.kill().await;
    }

    /// Starts the next operator; what was asked of the proxy is forgotten.
    pub(super) async fn start(&mut self) {
        self.kill().await;
        self.proxy.reset();
        let interval = if self.checkpoints { "1s" } else { "0s" };
        self.operator = launch(&self.own, &self.proxy, interval).await;
    }

    /// What must hold at the end, whatever happened.
    pub(super) async fn judge(&mut self) {
        // Before that it does not watch for signals yet.
        self.operator.ready().await;
        let ended = self.operator.terminate().await;
        assert!(ended.status.success(), "{:?}", ended.status);
        let log = self.operator.log();
        assert!(!log.contains("panicked"), "an operator panicked: {log}");
        let secrets = self.own.api::<Secret>().list(&ListParams::default()).await.expect("Secrets can be listed");
        let newest = secrets.items.iter().filter_map(Secret::resource_version).max_by_key(|version| version.parse::<u64>().ok());
        self.witness.sightings_up_to(&newest.expect("there are Secrets")).await;
        let ledger = Ledger::read(&self.own.system_api()).await;
        self.witness.vouch(&ledger);
        Publications::read(&self.own.system_api()).await.agree_with(&ledger);
        for certificate in self.own.api::<Certificate>().list(&ListParams::default()).await.expect("Certificates can be listed") {
            let name = certificate.name_any();
            assert!(certificate.metadata.deletion_timestamp.is_none(), "{name} is not released");
            let wanted = certificate.spec.deletion_policy == Some(chancery::api::DeletionPolicy::Delete);
            assert_eq!(!certificate.finalizers().is_empty(), wanted, "{name}: {:?}", certificate.finalizers());
        }
        for secret in self.own.system_api::<Secret>().list_metadata(&ListParams::default()).await.expect("Secrets can be listed") {
            if let Some(key) = secret.name_any().strip_prefix("chancery-authority-") {
                let key = key.parse().expect("its name is a key's");
                let known = ledger.index().living_keys().into_iter().any(|(living, _)| living == key);
                assert!(known, "a copy of key {key} that the register does not know");
            }
        }
    }

    fn arm(&self, rows: &[&str], row: usize, moment: Moment, name: &str) {
        let wanted = rows[row].to_owned();
        let mut left = rows[..=row].iter().filter(|other| **other == wanted).count();
        let name = name.to_owned();
        self.proxy.arm(self.operator.process_id(), moment, move |write| {
            if kind(write) == wanted && concerns(write, &name) {
                left -= 1;
            }
            left == 0
        });
    }

    /// After the operator has ended in order, all that it wrote is what the table says.
    async fn compare(&mut self, flow: Flow, rows: &[&str], begin: usize) {
        self.operator.terminate().await;
        let written = self.kinds_since(begin);
        let split = |kinds: &[&str]| -> (Vec<String>, Vec<String>) {
            let (mut beside, in_order): (Vec<String>, Vec<String>) =
                kinds.iter().map(|kind| (*kind).to_owned()).partition(|kind| is_beside(kind));
            beside.sort();
            (beside, in_order)
        };
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        if flow.is_of_several() {
            // What an issuer notes of its first certificate may come as late as this.
            let kinds =
                |kinds: &[&str]| kinds.iter().filter(|kind| **kind != ISSUER).map(|kind| (*kind).to_owned()).collect::<BTreeSet<_>>();
            assert_eq!(kinds(&written), kinds(rows), "{flow:?}: what it writes (left), and the rows of the table (right)");
            self.start().await;
            return;
        }
        assert_eq!(split(&written), split(rows), "{flow:?}: what it writes (left), and the rows of the table (right)");
        self.start().await;
    }

    fn kinds_since(&self, begin: usize) -> Vec<String> {
        self.proxy.writes()[begin..].iter().map(kind).collect()
    }
}

/// Starts an operator, whose predecessor has ended. A busy machine does not lose its lease, and nobody waits for the last one.
async fn launch(own: &OwnGround, proxy: &Proxy, checkpoint_interval: &str) -> Operator {
    let left = own.system_api::<Lease>().delete("chancery-controller", &DeleteParams::default()).await;
    assert!(left.is_ok() || matches!(&left, Err(kube::Error::Api(status)) if status.is_not_found()), "the last lease stays: {left:?}");
    let settings = own.settings_through("matrix", &proxy.url()).instead("--lease-duration", "60s");
    settings.flag("--checkpoint-interval", checkpoint_interval).spawn()
}

/// What the table calls a write.
fn kind(write: &Write) -> String {
    let Write { verb, resource, name, body, .. } = write;
    // A Secret of delegates is that of all authorities whose keyIDs begin alike: the first of them makes it.
    let verb = if resource == "secrets" && name.starts_with(DELEGATES_PREFIX) { "write" } else { *verb };
    let role = match (verb, resource.as_str()) {
        ("create", "configmaps") if body.pointer("/metadata/labels/chancery.dev~1list-copy").is_some() => "copy of a list",
        (_, "configmaps") if name.ends_with("-copy") => "copy of a list",
        (_, "configmaps") if name.ends_with("-import") => "import",
        (_, "configmaps") if name == CHECKPOINT => "checkpoint",
        (_, "secrets") if name == CHECKPOINT_KEY => "key of checkpoints",
        (_, "configmaps") if name.starts_with(LIST_PREFIX) => match part_of(name) {
            Some((_, Part::Head)) => "list",
            _ => "chunk",
        },
        (_, "secrets") if name.starts_with(DELEGATES_PREFIX) => "delegates",
        (_, "configmaps") => {
            let digits = name.rsplit('-').next().unwrap_or_default();
            if digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_digit()) { "segment" } else { "head" }
        }
        (_, "secrets") if name.starts_with("chancery-authority-") => "copy",
        (_, "events.events.k8s.io") => body["reason"].as_str().unwrap_or_default(),
        ("patch", "certificates.chancery.dev") if body.pointer("/metadata/finalizers").is_some() => "finalizers",
        _ => return format!("{verb} {resource}"),
    };
    format!("{verb} {resource} ({role})")
}

/// Whether a write is about the object of this name; registers and copies of keys are about whoever writes them.
fn concerns(write: &Write, name: &str) -> bool {
    match write.resource.as_str() {
        "configmaps" => true,
        "secrets" if write.name == CHECKPOINT_KEY => true,
        "secrets" if write.name.starts_with("chancery-authority-") || write.name.starts_with(DELEGATES_PREFIX) => true,
        "events.events.k8s.io" => write.body.pointer("/regarding/name").is_some_and(|regarding| regarding == name),
        _ => write.name == name,
    }
}
