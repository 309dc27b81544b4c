//! Objects that were stored under looser rules than today's, and are then read: put into etcd as an API server with another
//! CRD would have stored them, without disturbing the CRDs that the other tests use at the same time.

use chancery::api::{Certificate, Issuer};
use kube::api::{DeleteParams, DynamicObject};
use kube::core::ApiResource;
use kube::{Api, Resource};
use serde_json::{Value, json};

use super::goes_on;
use crate::harness::{wait_for, wait_gone};
use crate::stage::{SOON, Stage, leaf, merged};

/// Their spec is of another type altogether: the API server cannot even evaluate our rules, and refuses every write of the status.
/// What can be said is said in an Event, and for an issuer by the Certificates that wait for it.
const UNWRITABLE: [&str; 4] = ["types", "a-text", "a-list", "deep"];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_under_looser_rules_is_refused_in_its_condition_and_can_be_put_right() {
    let stage = Stage::set("loose").await;
    stage.authority().await;
    let good = leaf("ca", "x");
    let many: Vec<String> = (0..20_000).map(|number| format!("a{number}.example.com")).collect();
    let everything = json!({
        "dnsNames": ["*.*.x.com", "a.example.com"], "duration": "1h-5m", "privateKey": {"algorithm": "DSA", "size": 1024},
        "renewBeforePercentage": -4_000_000_000_i64,
    });
    let rows: Vec<(&str, Value, &str)> = vec![
        ("everything", merged(good.clone(), &everything), "spec."),
        ("types", json!({"secretName": 7, "dnsNames": "a", "duration": 3600, "isCA": "yes"}), "spec.dnsNames"),
        ("no-spec", Value::Null, "spec"),
        ("a-text", json!("spec"), "spec"),
        ("a-list", json!([]), "spec"),
        ("no-issuer", json!({"secretName": "x", "dnsNames": ["a.example.com"]}), "issuerRef"),
        ("no-name", merged(good.clone(), &json!({"dnsNames": null})), "at least one of commonName"),
        ("upper-case", merged(good.clone(), &json!({"secretName": "My_Secret"})), "spec.secretName"),
        ("path", merged(good.clone(), &json!({"secretName": "../ca"})), "spec.secretName"),
        ("issuer-path", merged(good.clone(), &json!({"issuerRef": {"name": "../x"}})), "spec.issuerRef.name"),
        ("kind", merged(good.clone(), &json!({"issuerRef": {"kind": "Nope"}})), "spec.issuerRef.kind"),
        ("wildcards", merged(good.clone(), &json!({"dnsNames": ["*.*.example.com"]})), "spec.dnsNames[0]"),
        ("address", merged(good.clone(), &json!({"ipAddresses": ["10.0.0.256"]})), "spec.ipAddresses[0]"),
        ("negative", merged(good.clone(), &json!({"duration": "-1h"})), "spec.duration"),
        ("sign-within", merged(good.clone(), &json!({"duration": "1h-5m"})), "spec.duration"),
        ("endless", merged(good.clone(), &json!({"duration": "99999999999999999999h"})), "spec.duration"),
        ("rsa-1024", merged(good.clone(), &json!({"privateKey": {"algorithm": "RSA", "size": 1024}})), "spec.privateKey.size"),
        ("size", merged(good.clone(), &json!({"privateKey": {"size": -9_223_372_036_854_775_808_i64}})), "spec.privateKey.size"),
        ("late", merged(good.clone(), &json!({"duration": "2h", "renewBefore": "3h"})), "spec.renewBefore"),
        ("per-cent", merged(good.clone(), &json!({"renewBeforePercentage": 4000})), "spec.renewBeforePercentage"),
        ("usage", merged(good.clone(), &json!({"usages": ["nope"]})), "spec.usages[0]"),
        ("cert-sign", merged(good.clone(), &json!({"usages": ["cert sign"]})), "spec.usages"),
        ("many", merged(good.clone(), &json!({"dnsNames": many})), "spec.dnsNames"),
        ("control", merged(good.clone(), &json!({"commonName": "a\u{0}b"})), "spec.commonName"),
        (
            "reserved",
            merged(good.clone(), &json!({"secretTemplate": {"annotations": {"chancery.dev/certificate-name": "x"}}})),
            "spec.secretTemplate",
        ),
        ("when", merged(good.clone(), &json!({"revocation": {"issuedBefore": "yesterday"}})), "spec.revocation.issuedBefore"),
        (
            "why",
            merged(good.clone(), &json!({"revocation": {"issuedBefore": "2026-01-01T00:00:00Z", "reason": "certificateHold"}})),
            "spec.revocation.reason",
        ),
        ("deep", merged(good.clone(), &json!({"subject": nested(90)})), "spec.subject.organizations"),
    ];
    for (name, spec, _) in &rows {
        store(&stage, "Certificate", name, spec, Value::Null).await;
    }
    for (name, _, part) in &rows {
        stage.event(name, "Refused", part).await;
        if UNWRITABLE.contains(name) {
            continue;
        }
        let message = stage.unready(name, "InvalidSpec").await;
        assert!(message.contains(part) && message.len() < 2000, "{name}: {part} is not in: {message}");
    }
    assert!(stage.secrets().get_opt("My_Secret").await.is_ok_and(|found| found.is_none()));
    stage.respec("negative", json!({"duration": "24h", "secretName": "negative"})).await;
    stage.ready("negative").await;
    goes_on(&stage).await;
    for (name, ..) in &rows {
        stage.delete(name).await;
        wait_gone(&dynamic::<Certificate>(&stage), name, SOON).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_stored_under_looser_rules_signs_nothing_and_says_why() {
    let stage = Stage::set("looseissuer").await;
    stage.authority().await;
    let good = json!({"ca": {"secretName": "ca"}});
    let rows = [
        ("nothing", json!({}), "exactly one of selfSigned and ca"),
        ("both", merged(good.clone(), &json!({"selfSigned": {}})), "exactly one of selfSigned and ca"),
        ("types", json!({"ca": {"secretName": ["ca"]}, "allow": "all"}), "spec."),
        ("no-spec", Value::Null, "spec"),
        ("other-namespace", json!({"ca": {"secretName": "chancery-system/ca"}}), "spec.ca.secretName"),
        ("maximum", merged(good.clone(), &json!({"allow": {"maxDuration": "1h-5m"}})), "spec.allow.maxDuration"),
        ("selector", merged(good.clone(), &json!({"allow": {"namespaceSelector": {}}})), "namespaceSelector"),
        (
            "default-key",
            merged(good.clone(), &json!({"certificateDefaults": {"privateKey": {"algorithm": "RSA", "size": 512}}})),
            "spec.certificateDefaults.privateKey",
        ),
        ("url", merged(good.clone(), &json!({"ca": {"ocspServers": ["nope"]}})), "spec.ca.ocspServers"),
    ];
    for (name, spec, _) in &rows {
        store(&stage, "Issuer", name, spec, Value::Null).await;
        stage.certificate(name, leaf(name, name)).await;
    }
    for (name, _, part) in &rows {
        if !UNWRITABLE.contains(name) {
            let status = stage.issuer_says(name, "False", "InvalidSpec").await;
            let message = &status.conditions.iter().find(|found| found.type_ == "Ready").expect("it was waited for").message;
            assert!(message.contains(part), "{name}: {part} is not in: {message}");
        }
        let message = stage.unready(name, "IssuerNotReady").await;
        assert!(message.contains(part), "{name}: {part} is not in: {message}");
    }
    goes_on(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_any_shape_is_overwritten_and_an_unreadable_object_lets_go_of_its_finalizer() {
    let stage = Stage::set("loosestatus").await;
    stage.authority().await;
    let statuses = [
        ("a-text", json!("fine")),
        ("wrong-types", json!({"conditions": "Ready", "notAfter": "tomorrow", "revision": "x", "secret": 7})),
        ("half-right", json!({"conditions": [{"type": "Ready", "status": "True"}], "observedGeneration": 1, "serialNumber": "zz"})),
        (
            "huge",
            json!({"observedGeneration": i64::MAX, "failedIssuanceAttempts": 2_147_483_647, "lastFailureTime": "9999-12-31T23:59:59Z", "revision": i64::MAX}),
        ),
    ];
    for (name, status) in &statuses {
        store(&stage, "Certificate", name, &leaf("ca", name), status.clone()).await;
    }
    for (name, _) in &statuses {
        stage.ready(name).await;
        stage.content(name).await.verify().await;
    }
    let unreadable = json!({"secretName": 7, "deletionPolicy": "Delete"});
    let finalizers = json!({"finalizers": ["chancery.dev/cleanup"]});
    store_with(&stage, "Certificate", "going", &unreadable, Value::Null, finalizers).await;
    let api = dynamic::<Certificate>(&stage);
    wait_for(&api, "going", "seen", SOON, |found| found.data["status"]["observedGeneration"] == 1).await;
    api.delete("going", &DeleteParams::default()).await.unwrap();
    wait_gone(&api, "going", SOON).await;
}

fn dynamic<K: Resource>(stage: &Stage) -> Api<DynamicObject>
where
    K::DynamicType: Default,
{
    Api::namespaced_with(stage.ground.client.clone(), &stage.namespace, &ApiResource::erase::<K>(&K::DynamicType::default()))
}

async fn store(stage: &Stage, kind: &str, name: &str, spec: &Value, status: Value) {
    store_with(stage, kind, name, spec, status, json!({})).await;
}

async fn store_with(stage: &Stage, kind: &str, name: &str, spec: &Value, status: Value, metadata: Value) {
    let plural = if kind == "Issuer" { Issuer::plural(&()) } else { Certificate::plural(&()) };
    let mut object = json!({
        "apiVersion": "chancery.dev/v1alpha1",
        "kind": kind,
        "metadata": merged(json!({
            "name": name, "namespace": stage.namespace, "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
            "uid": format!("{}-{name}", stage.namespace),
        }), &metadata),
    });
    for (field, value) in [("spec", spec.clone()), ("status", status)] {
        if !value.is_null() {
            object[field] = value;
        }
    }
    stage.ground.store(&format!("/registry/chancery.dev/{plural}/{}/{name}", stage.namespace), &object).await;
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!("x"), |inner, _| json!({"organizations": [inner]}))
}
