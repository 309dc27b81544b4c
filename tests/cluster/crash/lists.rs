//! The flows of revocation: what stands before, what sets it off, and where it ends, crash or no crash.
//!
//! The Certificate's work and the list's go on side by side, so that only which kinds of writes there are is certain.

use chancery::api::{Certificate, RevocationList};
use chancery::cluster::{Clock as _, SystemClock};
use chancery::register::Act;
use chancery_pki::{CrlNumber, CrlTemplate, RANDOM_OCTETS, Reason, Revoked, SerialNumber, sign_crl};
use jiff::SignedDuration;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::flows::Before;
use super::stage::Stage;
use crate::evidence::{Ledger, Publications};
use crate::harness::{wait_for, wait_gone};
use crate::scene::{Authority, SOON, certificate, change, create, is_true, issuer_is_ready, make_ca_issuer, settled};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::crash) enum ListFlow {
    /// An authority gets its first list, with a delegate for OCSP and a copy in a namespace.
    First,
    /// A Certificate's owner has it revoked.
    Revoke,
    /// The list's owner puts a certificate on hold.
    Hold,
    /// And releases it.
    Release,
    /// A Certificate goes, and its certificates are revoked.
    Goes,
    /// A list that another software has signed is taken over.
    TakeOver,
    /// A Certificate asks for the lists in its Secret.
    Hand,
}

impl ListFlow {
    pub(super) async fn prepare(self, stage: &Stage, name: &str) -> Before {
        let own = &stage.own;
        let authority = make_ca_issuer(own, name).await;
        issuer_is_ready(own, name).await;
        if self == Self::First {
            return Before::default();
        }
        make_list(stage, name, json!({})).await;
        list_says(stage, name, "prepared", 0).await;
        let certificates = own.api::<Certificate>();
        match self {
            Self::First => Before::default(),
            Self::TakeOver => Before::of_authority(authority),
            Self::Revoke | Self::Hold | Self::Hand => {
                create(&certificates, &certificate(name, name, json!({}))).await;
                Before::from(settled(own, name, "prepared", |_| true).await)
            }
            Self::Release => {
                create(&certificates, &certificate(name, name, json!({}))).await;
                let before = Before::from(settled(own, name, "prepared", |_| true).await);
                order(stage, name, before.serial.as_deref(), "hold").await;
                revoked_says(stage, name, "prepared", Some("OnHold")).await;
                list_says(stage, name, "prepared", 1).await;
                before
            }
            Self::Goes => {
                create(&certificates, &certificate(name, name, json!({ "deletionPolicy": "RevokeAndDelete" }))).await;
                Before::from(settled(own, name, "prepared", |pair| !pair.certificate.finalizers().is_empty()).await)
            }
        }
    }

    pub(super) async fn act(self, stage: &Stage, name: &str, before: &Before) {
        let own = &stage.own;
        let certificates = own.api::<Certificate>();
        let serial = before.serial.as_deref();
        match self {
            Self::First => make_list(stage, name, json!({ "distribution": { "configMaps": [{ "name": format!("{name}-copy") }] } })).await,
            Self::Revoke => {
                let wish = json!({ "issuedBefore": "2999-01-01T00:00:00Z", "reason": "keyCompromise" });
                change(&certificates, name, json!({ "spec": { "revocation": wish } })).await;
            }
            Self::Hold => order(stage, name, serial, "hold").await,
            Self::Release => order(stage, name, serial, "release").await,
            Self::Goes => drop(certificates.delete(name, &DeleteParams::default()).await.expect("it is there")),
            Self::TakeOver => drop(create(&own.system_api::<ConfigMap>(), &foreign_list(name, before)).await),
            Self::Hand => change(&certificates, name, json!({ "metadata": { "annotations": { "chancery.dev/ca-crl": "true" } } })).await,
        }
    }

    pub(super) async fn done(self, stage: &Stage, name: &str, before: &Before, what: &str) {
        let own = &stage.own;
        let serial = before.serial.as_deref().unwrap_or_default();
        match self {
            Self::First => {
                list_says(stage, name, what, 0).await;
                let has_list = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get("ca.crl")).is_some();
                wait_for(&own.api::<ConfigMap>(), &format!("{name}-copy"), what, SOON, has_list).await;
            }
            Self::Revoke => {
                let after = settled(own, name, what, |pair| pair.serial != serial).await;
                assert_ne!(after.key_id(), before.key_id(), "{what}: the same key again");
                revoked_says(stage, name, what, Some("Revoked")).await;
                list_says(stage, name, what, 1).await;
            }
            Self::Hold => {
                revoked_says(stage, name, what, Some("OnHold")).await;
                list_says(stage, name, what, 1).await;
            }
            Self::Release => {
                list_says(stage, name, what, 0).await;
                revoked_says(stage, name, what, None).await;
                settled(own, name, what, |pair| pair.serial == serial).await;
            }
            Self::Goes => {
                wait_gone(&own.api::<Certificate>(), name, SOON).await;
                wait_gone(&own.api::<Secret>(), name, SOON).await;
                list_says(stage, name, what, 1).await;
            }
            Self::TakeOver => {
                wait_gone(&own.system_api::<ConfigMap>(), &format!("{name}-import"), SOON).await;
                list_says(stage, name, what, 2).await;
            }
            Self::Hand => {
                let has_list = |secret: &Secret| secret.data.as_ref().is_some_and(|data| data.contains_key("ca.crl"));
                wait_for(&own.api::<Secret>(), name, what, SOON, has_list).await;
                settled(own, name, what, |pair| pair.serial == serial).await;
            }
        }
        // On record once, however often it was begun; and what is published is what is on record.
        let ledger = Ledger::read(&own.system_api()).await;
        let acts = |act| {
            ledger.acts(act, name).iter().filter(|line| line.entry.serial.as_ref().is_some_and(|one| one.to_string() == serial)).count()
        };
        let wanted = match self {
            Self::First | Self::TakeOver | Self::Hand => [0, 0, 0, 0],
            Self::Revoke => [1, 0, 0, 0],
            Self::Hold => [0, 1, 0, 0],
            Self::Release => [0, 1, 1, 0],
            Self::Goes => [1, 0, 0, 1],
        };
        let found = [Act::Revoked, Act::Held, Act::Released, Act::Pending].map(acts);
        assert_eq!(found, wanted, "{what}: lines that say revoked, held, released, pending");
        Publications::read(&own.system_api()).await.agree_with(&ledger);
    }
}

async fn make_list(stage: &Stage, name: &str, more: Value) {
    let mut spec = json!({
        "issuerRef": { "name": name }, "debounce": "0s", "grace": "0s", "ocsp": {},
        "distribution": { "baseURL": "http://pki.example.test", "caCRL": true },
    });
    if let Some(copies) = more.pointer("/distribution/configMaps") {
        spec["distribution"]["configMaps"] = copies.clone();
    }
    let list: RevocationList = serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec })).expect("a RevocationList");
    create(&stage.own.api(), &list).await;
}

async fn order(stage: &Stage, name: &str, serial: Option<&str>, act: &str) {
    let orders = json!([{ "serialNumber": serial, act: true }]);
    change(&stage.own.api::<RevocationList>(), name, json!({ "spec": { "revocations": orders } })).await;
}

/// Waits until all is published, with so many entries.
async fn list_says(stage: &Stage, name: &str, what: &str, entries: i64) {
    let published = |list: &RevocationList| {
        let observed = list.status.as_ref().filter(|status| status.observed_generation == list.metadata.generation);
        observed.is_some_and(|status| {
            is_true(&status.conditions, "Ready") && status.entries == Some(entries) && status.pending_revocations.unwrap_or_default() == 0
        })
    };
    wait_for(&stage.own.api::<RevocationList>(), name, what, SOON, published).await;
}

/// Waits until a Certificate says this of its revocation, or nothing.
async fn revoked_says(stage: &Stage, name: &str, what: &str, reason: Option<&str>) {
    let says = |certificate: &Certificate| {
        let conditions = certificate.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let revoked = conditions.iter().find(|condition| condition.type_ == "Revoked");
        revoked.map(|found| (found.status.as_str(), found.reason.as_str())) == reason.map(|reason| ("True", reason))
    };
    wait_for(&stage.own.api::<Certificate>(), name, what, SOON, says).await;
}

/// A ConfigMap with a list of two certificates that the authority has signed elsewhere.
fn foreign_list(name: &str, before: &Before) -> ConfigMap {
    let Authority { key, certificate } = before.authority.as_ref().expect("it was prepared");
    let now = SystemClock.now();
    let revoked = [1, 2].map(|shade| Revoked {
        serial: SerialNumber::issued(0, [shade; RANDOM_OCTETS]),
        time: now - SignedDuration::from_hours(1),
        reason: Reason::Superseded,
        invalidity_date: None,
    });
    let template = CrlTemplate {
        number: CrlNumber::new(1),
        this_update: now - SignedDuration::from_mins(30),
        next_update: now + SignedDuration::from_hours(24),
        distribution_point: Vec::new(),
        delta_base: None,
        freshest: Vec::new(),
    };
    let der = sign_crl(&template, revoked.iter(), certificate, key).expect("the template is sound");
    let map = json!({
        "metadata": { "name": format!("{name}-import"), "labels": { "chancery.dev/crl-import": "true" } },
        "binaryData": { "crl": ByteString(der) },
    });
    serde_json::from_value(map).expect("a ConfigMap")
}
