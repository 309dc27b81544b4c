//! RevocationLists, and revocation as it is asked for: by a Certificate's owner, and by the owner of a list.

use std::time::Duration;

use chancery::api::{Certificate, RevocationList, RevocationListStatus, condition};
use chancery::cluster::{Clock as _, SystemClock};
use jiff::{SignedDuration, Timestamp, Unit};
use kube::Api;
use serde_json::{Value, json};

use super::{SOON, Stage, condition_of, is_observed, merged};
use crate::harness::{Responder, wait_for};

impl Stage {
    pub(crate) fn lists(&self) -> Api<RevocationList> {
        self.api()
    }

    /// Creates a RevocationList and waits for nothing.
    pub(crate) async fn list(&self, name: &str, spec: Value) {
        self.create("RevocationList", name, spec).await.unwrap_or_else(|error| panic!("RevocationList {name}: {error}"));
    }

    /// Changes a RevocationList's spec.
    pub(crate) async fn relist(&self, name: &str, spec: Value) {
        self.patch::<RevocationList>(name, json!({"spec": spec})).await;
    }

    /// Waits until a list is Ready under the spec that it has now: all that was asked for is published.
    pub(crate) async fn published(&self, name: &str) -> RevocationListStatus {
        self.listed(name, "Ready", |status| condition::is_true(&status.conditions, condition::READY)).await
    }

    /// Waits until a list says of itself, under the spec that it has now, that it is not Ready for this reason; its message.
    pub(crate) async fn unpublished(&self, name: &str, reason: &str) -> String {
        let what = format!("Ready False, {reason}");
        let status = self.listed(name, &what, |status| {
            condition::find(&status.conditions, condition::READY).is_some_and(|ready| ready.status == "False" && ready.reason == reason)
        });
        let status = status.await;
        condition::find(&status.conditions, condition::READY).map(|ready| ready.message.clone()).unwrap_or_default()
    }

    /// Waits until the status of a list is about the spec that it has now, and so.
    pub(crate) async fn listed(&self, name: &str, what: &str, is: impl Fn(&RevocationListStatus) -> bool) -> RevocationListStatus {
        self.long_listed(name, what, SOON, is).await
    }

    /// The same for what takes longer.
    pub(crate) async fn long_listed(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        is: impl Fn(&RevocationListStatus) -> bool,
    ) -> RevocationListStatus {
        let found = wait_for(&self.lists(), name, what, limit, |list| {
            let observed = list.status.as_ref().filter(|status| status.observed_generation == list.metadata.generation);
            observed.is_some_and(&is)
        })
        .await;
        found.status.unwrap_or_default()
    }

    /// The authority `ca` as `Stage::authority` makes it, with a list `ca` that the shared responder serves. Returns the list's
    /// status once it is published: what is issued from now on names it.
    pub(crate) async fn covered(&self) -> RevocationListStatus {
        self.covered_with(json!({})).await
    }

    /// The same with more in the list's spec.
    pub(crate) async fn covered_with(&self, list: Value) -> RevocationListStatus {
        let responder = self.ground.responder().await;
        self.covered_by(responder, list).await
    }

    /// The same with a list that this responder serves.
    pub(crate) async fn covered_by(&self, responder: &Responder, list: Value) -> RevocationListStatus {
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

/// The keyID of a list's authority.
pub(crate) fn authority_of(status: &RevocationListStatus) -> &str {
    status.authority.as_deref().unwrap_or("none")
}

/// The number of the newest published list; 0 without one.
pub(crate) fn number_of(status: &RevocationListStatus) -> u128 {
    status.number.as_deref().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The time. An order on a Certificate means what was issued before, so that one ahead would mean its successor too.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A time after all that has happened, to the second as the API server keeps it.
pub(crate) fn in_a_second() -> Timestamp {
    let soon = SystemClock.now() + SignedDuration::from_secs(1);
    soon.round(Unit::Second).unwrap_or(soon)
}
