//! RevocationLists: what the API server refuses, and what may never change.

use chancery::api::RevocationList;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde_json::{Value, json};

use super::{accepts, refuses};
use crate::stage::{Stage, merged};

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const TIME: &str = "2026-01-01T00:00:00Z";

fn base() -> Value {
    json!({"issuerRef": {"name": "ca"}})
}

/// A list whose second order is wrong.
fn order(order: &Value) -> Value {
    json!({"revocations": [{"serialNumber": "01"}, order]})
}

fn sharded(count: i32, url: &str) -> Value {
    merged(base(), &json!({"shards": count, "distribution": {"baseURL": url}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_a_list_that_cannot_be_meant_and_names_the_field() {
    let stage = Stage::set("refused").await;
    let url = |url: &str| json!({"distribution": {"baseURL": url}});
    let many: Vec<Value> = (0..1001).map(|number| json!({"serialNumber": format!("{number:08x}")})).collect();
    let copies: Vec<Value> = (0..17).map(|number| json!({"name": format!("a{number}")})).collect();
    let rows: Vec<(&str, Value, &str)> = vec![
        ("no issuer", json!({"issuerRef": null}), "spec.issuerRef"),
        ("a kind that is none of ours", json!({"issuerRef": {"kind": "Nope"}}), "spec.issuerRef.kind"),
        // Durations.
        ("a validity below an hour", json!({"validity": "59m"}), "spec.validity"),
        ("a validity above a year", json!({"validity": "8761h"}), "spec.validity"),
        ("days", json!({"validity": "7d"}), "spec.validity"),
        ("a refresh as long as the validity", json!({"validity": "2h", "refresh": "120m"}), "spec.refresh"),
        ("a refresh as long as the default validity", json!({"refresh": "168h"}), "spec.refresh"),
        ("a refresh below a minute", json!({"refresh": "59s"}), "spec.refresh"),
        ("a debounce above ten minutes", json!({"debounce": "11m"}), "spec.debounce"),
        ("a grace above a week", json!({"grace": "169h"}), "spec.grace"),
        ("a delta as rare as the full list", json!({"refresh": "2h", "delta": {"refresh": "2h"}}), "spec.delta.refresh"),
        ("a delta as rare as the default", json!({"delta": {"refresh": "24h"}}), "spec.delta.refresh"),
        ("OCSP answers of a minute", json!({"ocsp": {"validity": "1m"}}), "spec.ocsp.validity"),
        // Numbers.
        ("no shards", json!({"shards": 0}), "spec.shards"),
        ("1,025 shards", sharded(1025, "http://a"), "spec.shards"),
        ("two shards without a URL", json!({"shards": 2}), "spec.shards"),
        ("fewer than no automatic revocations", json!({"maxAutomaticRevocations": -1}), "spec.maxAutomaticRevocations"),
        ("too many automatic revocations", json!({"maxAutomaticRevocations": 100_001}), "spec.maxAutomaticRevocations"),
        ("a time that is none", json!({"confirmPendingBefore": "now"}), "spec.confirmPendingBefore"),
        // Distribution.
        ("https", url("https://pki.example.org"), "spec.distribution.baseURL"),
        ("a slash at the end", url("http://pki.example.org/"), "spec.distribution.baseURL"),
        ("an empty segment", url("http://pki.example.org//a"), "spec.distribution.baseURL"),
        ("a query", url("http://pki.example.org?a=b"), "spec.distribution.baseURL"),
        ("a fragment", url("http://pki.example.org#a"), "spec.distribution.baseURL"),
        ("a user", url("http://me@pki.example.org"), "spec.distribution.baseURL"),
        ("a URL of 513", url(&format!("http://{}", "a".repeat(506))), "spec.distribution.baseURL"),
        ("17 copies", json!({"distribution": {"configMaps": copies}}), "spec.distribution.configMaps"),
        ("a copy without a name", json!({"distribution": {"configMaps": [{"namespace": "a"}]}}), "spec.distribution.configMaps[0].name"),
        ("a copy elsewhere", json!({"distribution": {"configMaps": [{"name": "../a"}]}}), "spec.distribution.configMaps[0].name"),
        // Orders.
        ("1,001 orders", json!({"revocations": many}), "spec.revocations"),
        ("an order about nothing", order(&json!({})), "spec.revocations[1]: Invalid value"),
        ("an order about two things", order(&json!({"serialNumber": "02", "keyID": KEY})), "exactly one of serialNumber, keyID"),
        ("a serial that is none", order(&json!({"serialNumber": "0x02"})), "spec.revocations[1].serialNumber"),
        ("a serial of 22 octets", order(&json!({"serialNumber": "01".repeat(22)})), "spec.revocations[1].serialNumber"),
        ("half a key id", order(&json!({"keyID": &KEY[..32]})), "spec.revocations[1].keyID"),
        (
            "all of a Certificate for ever",
            order(&json!({"certificateRef": {"name": "a"}})),
            "spec.revocations[1].certificateRef.issuedBefore",
        ),
        ("a reason that is none", order(&json!({"serialNumber": "02", "reason": "stolen"})), "spec.revocations[1].reason"),
        ("a hold by its reason", order(&json!({"serialNumber": "02", "reason": "certificateHold"})), "spec.revocations[1].reason"),
        ("removeFromCRL", order(&json!({"serialNumber": "02", "reason": "removeFromCRL"})), "spec.revocations[1].reason"),
        ("a hold with a reason", order(&json!({"serialNumber": "02", "hold": true, "reason": "superseded"})), "spec.revocations[1].reason"),
        (
            "a release with a reason",
            order(&json!({"serialNumber": "02", "release": true, "reason": "superseded"})),
            "spec.revocations[1].release",
        ),
        ("a release and a hold", order(&json!({"serialNumber": "02", "release": true, "hold": true})), "spec.revocations[1].release"),
        ("a release of a key", order(&json!({"keyID": KEY, "release": true})), "spec.revocations[1].release"),
        (
            "a release with a date",
            order(&json!({"serialNumber": "02", "release": true, "invalidityDate": TIME})),
            "spec.revocations[1].release",
        ),
        (
            "a time before 1970",
            order(&json!({"certificateRef": {"name": "a", "issuedBefore": "1969-12-31T23:59:59Z"}})),
            "spec.revocations[1].certificateRef.issuedBefore",
        ),
        (
            "a key that was unsafe before 1970",
            order(&json!({"serialNumber": "02", "invalidityDate": "1969-12-31T23:59:59Z"})),
            "spec.revocations[1].invalidityDate",
        ),
        ("a confirmation from before 1970", json!({"confirmPendingBefore": "1969-12-31T23:59:59Z"}), "spec.confirmPendingBefore"),
        (
            "a date that is none",
            order(&json!({"serialNumber": "02", "invalidityDate": "2026-02-30T00:00:00"})),
            "spec.revocations[1].invalidityDate",
        ),
    ];
    for (what, change, field) in rows {
        refuses(&stage, "RevocationList", what, merged(base(), &change), field).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_that_can_be_meant_is_accepted_and_nothing_is_filled_in() {
    let stage = Stage::set("accepted").await;
    let most: Vec<Value> = (0..1000).map(|number| json!({"serialNumber": format!("{number:040x}"), "reason": "keyCompromise"})).collect();
    let full = json!({
        "issuerRef": {"name": "ca", "kind": "ClusterIssuer", "group": "chancery.dev"}, "validity": "8760h", "refresh": "168h", "debounce": "0s",
        "shards": 1024, "delta": {"refresh": "90m"}, "ocsp": {"validity": "168h"}, "grace": "0s", "maxAutomaticRevocations": 0,
        "confirmPendingBefore": TIME,
        "distribution": {"baseURL": "http://[2001:db8::1]:8080/pki/~x", "configMaps": [{"name": "a", "namespace": "b"}], "caCRL": true},
        "revocations": [
            {"serialNumber": "01:AB:cd", "reason": "privilegeWithdrawn", "invalidityDate": "2026-01-01T00:00:00.123456789+01:00"},
            {"keyID": KEY, "reason": "aACompromise"},
            {"certificateRef": {"name": "web", "namespace": "blue", "issuedBefore": TIME}, "hold": true, "release": false},
            {"certificateRef": {"name": "web", "issuedBefore": TIME}, "release": true, "hold": false},
        ],
    });
    for spec in
        [base(), merged(base(), &json!({"delta": {}, "ocsp": {}, "distribution": {}})), merged(base(), &json!({"revocations": most})), full]
    {
        accepts(&stage, "RevocationList", spec).await;
    }
    let created = stage.propose("RevocationList", "proposed", base()).await.unwrap();
    assert_eq!((&created.data["spec"], &created.data["status"]), (&base(), &json!({"observedGeneration": -1})));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_certificates_carry_for_ever_cannot_be_taken_back() {
    let stage = Stage::set("immutable").await;
    let url = "http://pki.example.org";
    stage.create("RevocationList", "one", merged(base(), &json!({"distribution": {"baseURL": url}}))).await.unwrap();
    stage.create("RevocationList", "many", sharded(4, url)).await.unwrap();
    let moved = json!({"distribution": {"baseURL": "http://other.example.org"}});
    let rows = [
        ("one", json!({"issuerRef": {"name": "other"}}), Some("spec.issuerRef: Invalid value")),
        ("one", json!({"issuerRef": {"kind": "ClusterIssuer"}}), Some("spec.issuerRef: Invalid value")),
        ("one", moved.clone(), None),
        ("one", json!({"distribution": null}), None),
        ("one", json!({"distribution": {"baseURL": url}, "shards": 2}), None),
        ("many", json!({"shards": 3}), Some("only grows")),
        ("many", json!({"shards": null}), Some("only grows")),
        ("many", moved, None),
        ("many", json!({"distribution": null}), Some("needs distribution.baseURL")),
        ("many", json!({"shards": 64, "validity": "24h", "refresh": "1h"}), None),
    ];
    for (name, change, refusal) in rows {
        let patched = lists(&stage).patch(name, &PatchParams::default(), &Patch::Merge(json!({ "spec": change }))).await;
        match (patched, refusal) {
            (Ok(_), None) => {}
            (Err(kube::Error::Api(status)), Some(part)) if status.message.contains(part) => {}
            (other, expected) => panic!("{name} with {change}: {expected:?} was expected, not {other:?}"),
        }
    }
}

/// Stored as an API server with another CRD would have: what is wrong can still be said in the status, and put right.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_stored_under_looser_rules_can_be_told_what_is_wrong_with_it() {
    let stage = Stage::set("looselist").await;
    let rows = [
        ("durations", merged(base(), &json!({"validity": "1h-5m", "refresh": "nope", "delta": {"refresh": ""}, "grace": "-1h"}))),
        ("shards", merged(base(), &json!({"shards": 70_000}))),
        ("order", merged(base(), &order(&json!({"serialNumber": "x", "keyID": "y", "reason": "z", "hold": true, "release": true})))),
        ("url", merged(base(), &json!({"distribution": {"baseURL": "ftp://x/?y"}}))),
        ("times", merged(base(), &json!({"confirmPendingBefore": "2026-01-01T00:00:00+99:00"}))),
    ];
    for (name, spec) in rows {
        let object = json!({
            "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "spec": spec,
            "metadata": {
                "name": name, "namespace": stage.namespace, "generation": 1, "creationTimestamp": TIME, "uid": format!("{}-{name}", stage.namespace),
            },
        });
        let path = format!("/registry/chancery.dev/{}/{}/{name}", RevocationList::plural(&()), stage.namespace);
        stage.ground.store(&path, &object).await;
        let status = json!({"status": {"observedGeneration": 1, "appliedOrders": 0}});
        let said = lists(&stage).patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await;
        let said = said.unwrap_or_else(|error| panic!("{name} cannot be told: {error}"));
        assert_eq!(said.data["status"]["observedGeneration"], 1);
        let right = json!({"spec": {
            "validity": null, "refresh": null, "delta": null, "grace": null, "shards": null, "distribution": null, "confirmPendingBefore": null, "revocations": null,
        }});
        let put_right = lists(&stage).patch(name, &PatchParams::default(), &Patch::Merge(right)).await;
        assert_eq!(put_right.unwrap_or_else(|error| panic!("{name} cannot be put right: {error}")).data["spec"], base());
    }
}

fn lists(stage: &Stage) -> Api<DynamicObject> {
    Api::namespaced_with(stage.ground.client.clone(), &stage.namespace, &ApiResource::erase::<RevocationList>(&()))
}
