//! RevocationLists, and revocation as it is asked for: by a Certificate's owner, and by the owner of a list.

use std::time::Duration;

use chancery::api::Certificate;
use chancery::cluster::{Clock as _, SystemClock};
use jiff::{SignedDuration, Timestamp, Unit};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::{SOON, Stage, condition_of, is_observed, merged};
use crate::harness::{Responder, wait_for};

/// As the API server calls them.
fn list_resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("chancery.dev", "v1alpha1", "RevocationList"), "revocationlists")
}

/// The status of a RevocationList as a person reads it.
#[derive(Clone, Debug)]
pub(crate) struct ListStatus(Value);

impl ListStatus {
    pub(crate) fn of(list: &DynamicObject) -> Self {
        Self(list.data["status"].clone())
    }

    /// Whatever stands at this place; null where nothing does.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The keyID of the authority.
    pub(crate) fn authority(&self) -> &str {
        self.at("/authority").as_str().unwrap_or("none")
    }

    /// How many entries all of its shards have.
    pub(crate) fn entries(&self) -> u64 {
        self.sum("entries")
    }

    /// The number of the newest shard.
    pub(crate) fn number(&self) -> u128 {
        let number = |shard: &Value| shard["number"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        self.shards().iter().map(number).max().unwrap_or_default()
    }

    /// Revocations that wait for a list.
    pub(crate) fn pending(&self) -> u64 {
        self.at("/pendingRevocations").as_u64().unwrap_or_default()
    }

    pub(crate) fn shards(&self) -> &[Value] {
        self.at("/shards").as_array().map_or(&[], Vec::as_slice)
    }

    fn sum(&self, field: &str) -> u64 {
        self.shards().iter().filter_map(|shard| shard[field].as_u64()).sum()
    }

    /// Status, reason and message of a condition.
    pub(crate) fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let found = self.at("/conditions").as_array()?.iter().find(|condition| condition["type"] == kind)?;
        Some((found["status"].as_str()?, found["reason"].as_str()?, found["message"].as_str().unwrap_or_default()))
    }
}

impl Stage {
    pub(crate) fn lists(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &list_resource())
    }

    /// Creates a RevocationList and waits for nothing.
    pub(crate) async fn list(&self, name: &str, spec: Value) {
        self.create("RevocationList", name, spec).await.unwrap_or_else(|error| panic!("RevocationList {name}: {error}"));
    }

    /// Changes a RevocationList's spec.
    pub(crate) async fn relist(&self, name: &str, spec: Value) {
        let patched = self.lists().patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await;
        patched.unwrap_or_else(|error| panic!("RevocationList {name} cannot be changed: {error}"));
    }

    /// Waits until a list is Ready under the spec that it has now: all that was asked for is published.
    pub(crate) async fn published(&self, name: &str) -> ListStatus {
        self.listed(name, "Ready", |status| status.condition("Ready").is_some_and(|ready| ready.0 == "True")).await
    }

    /// Waits until a list says of itself, under the spec that it has now, that it is not Ready for this reason; its message.
    pub(crate) async fn unpublished(&self, name: &str, reason: &str) -> String {
        let status = self
            .listed(name, &format!("Ready False, {reason}"), |status| {
                status.condition("Ready").is_some_and(|ready| (ready.0, ready.1) == ("False", reason))
            })
            .await;
        status.condition("Ready").map(|ready| ready.2.to_owned()).unwrap_or_default()
    }

    /// Waits until the status of a list is about the spec that it has now, and so.
    pub(crate) async fn listed(&self, name: &str, what: &str, is: impl Fn(&ListStatus) -> bool) -> ListStatus {
        self.long_listed(name, what, SOON, is).await
    }

    /// The same for what takes longer.
    pub(crate) async fn long_listed(&self, name: &str, what: &str, limit: Duration, is: impl Fn(&ListStatus) -> bool) -> ListStatus {
        let found = wait_for(&self.lists(), name, what, limit, |list| {
            let status = ListStatus::of(list);
            status.at("/observedGeneration").as_i64() == list.metadata.generation && is(&status)
        })
        .await;
        ListStatus::of(&found)
    }

    /// The authority `ca` as `Stage::authority` makes it, with a list `ca` that the shared responder serves. Returns the list's
    /// status once it is published: what is issued from now on names it.
    pub(crate) async fn covered(&self) -> ListStatus {
        self.covered_with(json!({})).await
    }

    /// The same with more in the list's spec.
    pub(crate) async fn covered_with(&self, list: Value) -> ListStatus {
        let responder = self.ground.responder().await;
        self.covered_by(responder, list).await
    }

    /// The same with a list that this responder serves.
    pub(crate) async fn covered_by(&self, responder: &Responder, list: Value) -> ListStatus {
        self.authority().await;
        self.list("ca", merged(served_list("ca", &responder.base_url()), &list)).await;
        self.published("ca").await
    }

    /// Has all certificates revoked that this Certificate has had so far, as its owner does it.
    pub(crate) async fn revoke(&self, name: &str, reason: &str) {
        self.respec(name, json!({"revocation": {"issuedBefore": in_a_second().to_string(), "reason": reason}})).await;
    }

    /// Waits until what was asked for is on a published list.
    pub(crate) async fn revoked(&self, name: &str) -> Certificate {
        self.revocation_says(name, "True", "Revoked").await
    }

    /// Waits until a Certificate says this of its revocation under the spec that it has now.
    pub(crate) async fn revocation_says(&self, name: &str, status: &str, reason: &str) -> Certificate {
        wait_for(&self.certificates(), name, &format!("Revoked {status}, {reason}"), SOON, |now| {
            is_observed(now) && condition_of(now, "Revoked").is_some_and(|revoked| revoked.status == status && revoked.reason == reason)
        })
        .await
    }

    /// The lines of all registers about a serial number, as `Stage::lines` has them.
    pub(crate) async fn lines_of(&self, certificate: &str, serial: &str) -> Vec<Value> {
        let mut lines = self.lines(certificate).await;
        lines.retain(|line| line["serial"] == serial);
        lines
    }
}

/// A list's spec: of an Issuer, published at once, served by a responder, with OCSP.
pub(crate) fn served_list(issuer: &str, base_url: &str) -> Value {
    json!({"issuerRef": {"name": issuer}, "debounce": "0s", "distribution": {"baseURL": base_url}, "ocsp": {}})
}

/// A time after all that has happened, to the second as the API server keeps it.
pub(crate) fn in_a_second() -> Timestamp {
    let soon = SystemClock.now() + SignedDuration::from_secs(1);
    soon.round(Unit::Second).unwrap_or(soon)
}
