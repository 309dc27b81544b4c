//! The flows of the matrix: what stands before, what sets it off, and where it ends, crash or no crash.

use chancery::api::{Certificate, names};
use chancery::cluster::{Clock as _, SystemClock};
use chancery::register::{Act, LABEL, RegisterId};
use chancery_pki::{KeyId, PrivateKey};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::lists::ListFlow;
use super::registers::{copied_key, days_ago, fill, filler, went_back};
use super::stage::Stage;
use crate::evidence::Ledger;
use crate::harness::{wait_for, wait_gone};
use crate::scene::{Authority, Pair, SOON, certificate, change, create, dns_name, issuer_is_ready, make_ca_issuer, make_issuer, settled};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// An Issuer with a CA's Secret becomes ready.
    IssuerReady,
    /// The first certificate of a Certificate, and the first of its authority.
    FirstByCa,
    /// A self-signed CA: its key is copied.
    FirstCa,
    /// A new value of the renew annotation.
    Renew,
    /// The spec asks for other names.
    Reissue,
    /// The Secret was deleted.
    Heal,
    /// The Secret of a CA was deleted: its key comes back.
    HealCa,
    /// The Secret gets labels, and no new certificate.
    Dress,
    /// deletionPolicy becomes Delete.
    AddFinalizer,
    /// A Certificate goes, and its Secret with it.
    Destroy,
    /// A CA goes, and its Secret with it; the copy of its key stays.
    DestroyCa,
    /// A full register is sealed, and an ended segment given up.
    Seal,
    /// A Secret that cert-manager made is taken over.
    Import,
    /// What is asked for is not allowed.
    Refuse,
    /// A CA's key whose Certificate is gone.
    Retire,
    /// A CA's key whose last certificate has ended long ago.
    DestroyCopy,
    /// The registers get their first checkpoint.
    Checkpoint,
    /// A copy of a register that went back in time is handed in.
    Restore,
    /// One of revocation.
    List(ListFlow),
}

/// What stood before.
#[derive(Default)]
pub(super) struct Before {
    pair: Option<Pair>,
    pub(super) serial: Option<String>,
    key: Option<KeyId>,
    /// The CA that another software used too.
    pub(super) authority: Option<Authority>,
    /// An export of the register of `key`.
    copy: String,
}

impl From<Pair> for Before {
    fn from(pair: Pair) -> Self {
        Self { serial: Some(pair.serial.clone()), pair: Some(pair), ..Self::default() }
    }
}

impl Before {
    pub(super) fn of_authority(authority: Authority) -> Self {
        Self { authority: Some(authority), ..Self::default() }
    }

    /// The keyID of the Certificate that was prepared.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.pair.as_ref().and_then(Pair::key_id)
    }
}

impl Flow {
    /// In the names of its objects.
    pub(super) fn word(self) -> String {
        match self {
            Self::List(flow) => format!("list{flow:?}").to_lowercase(),
            flow => format!("{flow:?}").to_lowercase(),
        }
    }

    /// Whether its writes are those of several who work side by side: then only which kinds there are is certain.
    pub(super) fn is_of_several(self) -> bool {
        matches!(self, Self::List(_))
    }

    /// Whether it begins with the start of the operator: `prepare` has ended the last one.
    pub(super) fn is_a_start(self) -> bool {
        matches!(self, Self::Retire | Self::DestroyCopy | Self::Checkpoint)
    }

    pub(super) async fn prepare(self, stage: &mut Stage, name: &str) -> Before {
        let own = stage.own.clone();
        let certificates = own.api::<Certificate>();
        let issued = |issuer: &'static str, more: Value| {
            let (own, certificates) = (own.clone(), certificates.clone());
            async move {
                create(&certificates, &certificate(name, issuer, more)).await;
                Before::from(settled(&own, name, "prepared", |_| true).await)
            }
        };
        match self {
            Self::List(flow) => flow.prepare(stage, name).await,
            Self::FirstCa => Before::default(),
            Self::Renew | Self::Reissue | Self::Heal | Self::Dress | Self::AddFinalizer => issued("ca", json!({})).await,
            Self::HealCa => issued("self-signed", json!({ "isCA": true, "commonName": name })).await,
            Self::Destroy => issued("ca", json!({ "deletionPolicy": "Delete" })).await,
            Self::DestroyCa => issued("self-signed", json!({ "isCA": true, "commonName": name, "deletionPolicy": "Delete" })).await,
            Self::IssuerReady => {
                create(&own.api::<Secret>(), &Authority::make(name).secret(&format!("authority-{name}"))).await;
                Before::default()
            }
            Self::FirstByCa => {
                make_ca_issuer(&own, name).await;
                issuer_is_ready(&own, name).await;
                Before::default()
            }
            Self::Import => {
                let authority = make_ca_issuer(&own, name).await;
                issuer_is_ready(&own, name).await;
                // Started when it is there: else the Certificate may be seen before the Secret is.
                stage.kill().await;
                let (secret, serial) = authority.foreign_leaf(name);
                create(&own.api::<Secret>(), &secret).await;
                stage.start().await;
                Before { serial: Some(serial), ..Before::default() }
            }
            Self::Refuse => {
                make_issuer(&own, name, json!({ "selfSigned": {}, "allow": { "isCA": false } })).await;
                issuer_is_ready(&own, name).await;
                Before::default()
            }
            Self::Seal => {
                let authority = make_ca_issuer(&own, name).await;
                issuer_is_ready(&own, name).await;
                stage.kill().await;
                fill(stage, authority.key.public_key().key_id(), &filler(name)).await;
                stage.start().await;
                Before::default()
            }
            Self::Checkpoint => {
                stage.kill().await;
                stage.checkpoints = true;
                let gone = DeleteParams::default();
                // Of the run before, if any.
                drop(own.system_api::<Secret>().delete(names::CHECKPOINT_KEY, &gone).await);
                drop(own.system_api::<ConfigMap>().delete(names::CHECKPOINT, &gone).await);
                Before::default()
            }
            Self::Restore => {
                stage.kill().await;
                let (key, copy) = went_back(stage, name).await;
                stage.start().await;
                Before { key: Some(key), copy, ..Before::default() }
            }
            Self::Retire => {
                stage.kill().await;
                let key = copied_key(stage, name, &[Act::Made, Act::Copied], SystemClock.now()).await;
                Before { key: Some(key), ..Before::default() }
            }
            Self::DestroyCopy => {
                stage.kill().await;
                let key = copied_key(stage, name, &[Act::Made, Act::Copied, Act::Retired], days_ago(30)).await;
                Before { key: Some(key), ..Before::default() }
            }
        }
    }

    pub(super) async fn act(self, stage: &Stage, name: &str, before: &Before) {
        let own = &stage.own;
        let certificates = own.api::<Certificate>();
        match self {
            Self::List(flow) => flow.act(stage, name, before).await,
            Self::FirstByCa | Self::Seal => drop(create(&certificates, &certificate(name, name, json!({}))).await),
            Self::Import => {
                let more = json!({ "duration": "2160h", "usages": ["digital signature"] });
                create(&certificates, &certificate(name, name, more)).await;
            }
            Self::FirstCa => {
                create(&certificates, &certificate(name, "self-signed", json!({ "isCA": true, "commonName": name }))).await;
            }
            Self::Refuse => drop(create(&certificates, &certificate(name, name, json!({ "isCA": true, "commonName": name }))).await),
            Self::Renew => change(&certificates, name, json!({ "metadata": { "annotations": { "chancery.dev/renew": "1" } } })).await,
            Self::Reissue => change(&certificates, name, json!({ "spec": { "dnsNames": [dns_name(name), "more.test"] } })).await,
            Self::Dress => change(&certificates, name, json!({ "spec": { "secretTemplate": { "labels": { "dressed": "yes" } } } })).await,
            Self::AddFinalizer => change(&certificates, name, json!({ "spec": { "deletionPolicy": "Delete" } })).await,
            Self::Heal | Self::HealCa => drop(own.api::<Secret>().delete(name, &DeleteParams::default()).await.expect("it is there")),
            Self::Destroy | Self::DestroyCa => drop(certificates.delete(name, &DeleteParams::default()).await.expect("it is there")),
            Self::IssuerReady => make_issuer(own, name, json!({ "ca": { "secretName": format!("authority-{name}") } })).await,
            Self::Restore => {
                let map = json!({
                    "metadata": { "name": format!("{name}-import"), "labels": { names::REGISTER_IMPORT: "true" } },
                    "data": { names::REGISTER_EXPORT: before.copy },
                });
                create(&own.system_api::<ConfigMap>(), &serde_json::from_value(map).expect("a ConfigMap")).await;
            }
            Self::Retire | Self::DestroyCopy | Self::Checkpoint => {}
        }
    }

    /// Waits for the right end.
    pub(super) async fn done(self, stage: &Stage, name: &str, before: &Before, what: &str) {
        let own = &stage.own;
        let same = |pair: &Pair| Some(&pair.serial) == before.serial.as_ref();
        let uid = before.pair.as_ref().map_or("", Pair::uid);
        match self {
            Self::List(flow) => flow.done(stage, name, before, what).await,
            Self::FirstByCa | Self::Seal => drop(settled(own, name, what, |_| true).await),
            Self::FirstCa => drop(settled_with_copy(stage, name, what, |_| true).await),
            Self::Renew => {
                let handled =
                    |pair: &Pair| pair.certificate.status.as_ref().is_some_and(|status| status.renew_handled.as_deref() == Some("1"));
                settled(own, name, what, |pair| !same(pair) && handled(pair)).await;
            }
            Self::Reissue => {
                let named = |pair: &Pair| pair.annotation("chancery.dev/alt-names").is_some_and(|names| names.contains("more.test"));
                settled(own, name, what, |pair| !same(pair) && named(pair)).await;
            }
            Self::Heal => drop(settled(own, name, what, |pair| pair.uid() != uid).await),
            Self::HealCa => {
                let healed = settled_with_copy(stage, name, what, |pair| pair.uid() != uid).await;
                assert_eq!(healed.key_id(), before.key_id(), "{what}: the CA has another key");
            }
            Self::Dress => drop(settled(own, name, what, |pair| pair.secret.labels().contains_key("dressed") && same(pair)).await),
            Self::AddFinalizer => drop(settled(own, name, what, |pair| !pair.certificate.finalizers().is_empty() && same(pair)).await),
            Self::Import => {
                settled(own, name, what, same).await;
                assert_eq!(Ledger::read(&own.system_api()).await.acts(Act::Issued, name).len(), 0, "{what}: it was made anew");
            }
            Self::Destroy | Self::DestroyCa => {
                wait_gone(&own.api::<Certificate>(), name, SOON).await;
                wait_gone(&own.api::<Secret>(), name, SOON).await;
                let ledger = Ledger::read(&own.system_api()).await;
                let act = if self == Self::Destroy { Act::Destroyed } else { Act::Retired };
                assert_eq!(ledger.acts(act, name).len(), 1, "{what}: {act:?} on record");
            }
            Self::IssuerReady => drop(issuer_is_ready(own, name).await),
            Self::Refuse => {
                let refused = |certificate: &Certificate| {
                    let conditions = certificate.status.iter().flat_map(|status| &status.conditions);
                    conditions.into_iter().any(|found| found.type_ == "Ready" && found.status == "False" && found.reason == "NotAllowed")
                };
                wait_for(&own.api::<Certificate>(), name, what, SOON, refused).await;
            }
            Self::Checkpoint => {
                let found = wait_for(&own.system_api::<ConfigMap>(), names::CHECKPOINT, what, SOON, |_| true).await;
                let signed = chancery::apply::signed_checkpoint(&found).expect("it has all its parts");
                let checkpoint = signed.verified(&signed.key).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(checkpoint.registers, Ledger::read(&own.system_api()).await.index().ends(), "{what}");
            }
            Self::Restore => {
                wait_gone(&own.system_api::<ConfigMap>(), &format!("{name}-import"), SOON).await;
                let ledger = Ledger::read(&own.system_api()).await;
                let head = RegisterId::Authority(before.key.expect("it was prepared")).name();
                let lines: Vec<String> = ledger.of_register(&head).iter().map(chancery::register::Line::to_text).collect();
                let copy: Vec<&str> = before.copy.lines().skip(2).collect();
                assert_eq!(lines, copy, "{what}: its lines");
            }
            Self::Retire => recorded(stage, before, Act::Retired, what).await,
            Self::DestroyCopy => {
                recorded(stage, before, Act::Destroyed, what).await;
                let key = before.key.expect("it was prepared");
                wait_gone(&own.system_api::<Secret>(), &format!("chancery-authority-{key}"), SOON).await;
            }
        }
    }

    /// What the next work finds and puts right, where that is a part of it.
    pub(super) async fn afterwards(self, stage: &Stage, name: &str, what: &str) {
        if self != Self::Seal {
            return;
        }
        // An ended segment that was given up and not deleted goes after the next write of the head. One that was not given up,
        // since the seal was broken off, goes with the next seal.
        let next = format!("{name}-next");
        create(&stage.own.api::<Certificate>(), &certificate(&next, name, json!({}))).await;
        settled(&stage.own, &next, what, |_| true).await;
        let authority = stage.own.api::<Secret>().get(&format!("authority-{name}")).await.expect("it is there");
        let key = PrivateKey::from_pem(&authority.data.expect("it has data")["tls.key"].0).expect("it is a key").public_key().key_id();
        let register = RegisterId::Authority(key);
        let labelled = ListParams::default().labels(&format!("{LABEL}={}", register.label()));
        let maps = stage.own.system_api::<ConfigMap>().list(&labelled).await.expect("they can be listed").items;
        if maps.iter().any(|map| map.name_any() == register.segment_name(1)) {
            let head = maps.iter().find(|map| map.name_any() == register.name()).and_then(|map| map.data.as_ref());
            let link: Value = serde_json::from_str(&head.expect("it has lines")["previous"]).expect("the link is JSON");
            assert_eq!(link["keptFrom"], 1, "{what}: the first segment was given up and is still there");
        }
        let texts = maps.iter().filter_map(|map| map.data.as_ref()?.get("lines"));
        let fresh = texts.flat_map(|text| text.lines()).filter(|line| line.contains(&filler(name)) && !line.contains("ancient")).count();
        assert!(fresh > 50, "{what}: {fresh} lines that have not ended");
    }
}

/// Settled, and the key in its copy is the one in the Secret.
async fn settled_with_copy(stage: &Stage, name: &str, what: &str, also: impl Fn(&Pair) -> bool) -> Pair {
    let pair = settled(&stage.own, name, what, also).await;
    let copy = format!("chancery-authority-{}", pair.key_id().unwrap_or_default());
    let copy = stage.own.system_api::<Secret>().get(&copy).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let key = copy.data.as_ref().and_then(|data| data.get("tls.key")).map(|key| PrivateKey::from_pem(&key.0));
    let copied = key.and_then(Result::ok).map(|key| key.public_key().key_id().to_string());
    assert_eq!(copied.as_deref(), pair.key_id(), "{what}: the copy holds another key");
    pair
}

/// Waits for a line with this act in the register of the key.
async fn recorded(stage: &Stage, before: &Before, act: Act, what: &str) {
    let head = RegisterId::Authority(before.key.expect("it was prepared")).name();
    let line = format!("\"act\":\"{}\"", act.as_str());
    let stands = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get("lines")).is_some_and(|lines| lines.contains(&line));
    wait_for(&stage.own.system_api::<ConfigMap>(), &head, what, SOON, stands).await;
}
