//! Objects of our kinds in each state that a GitOps tool meets, as the API server has them, and what such tools are to make of them.

use chancery::api::{Certificate, ClusterIssuer, Issuer, RevocationList, condition};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject};
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::harness::wait_for;
use crate::stage::{SOON, Stage, condition_of, is_ready, leaf, merged, serial};

/// A state, and what is made of it.
pub(super) struct State {
    pub(super) what: &'static str,
    pub(super) object: Value,
    /// Argo CD with `deploy/gitops/argocd/argocd-cm.yaml`.
    pub(super) argo: &'static str,
    /// Flux and Helm without a word of ours.
    pub(super) kstatus: &'static str,
    /// Flux with the expressions in `deploy/gitops/flux/certificates.yaml`.
    pub(super) flux: &'static str,
}

const GOOD: [&str; 3] = ["Healthy", "Current", "Current"];
const ON_ITS_WAY: [&str; 3] = ["Progressing", "InProgress", "InProgress"];
const BAD: [&str; 3] = ["Degraded", "Failed", "Failed"];

/// All of them.
pub(super) async fn all(stage: &Stage) -> Vec<State> {
    let mut states = Vec::new();
    let mut add = |what, object, [argo, kstatus, flux]: [&'static str; 3]| states.push(State { what, object, argo, kstatus, flux });

    for (kind, name) in [("Certificate", "new"), ("Issuer", "new"), ("ClusterIssuer", "gitops-new"), ("RevocationList", "new")] {
        let spec = match kind {
            "Certificate" => leaf("ca", "new"),
            "RevocationList" => json!({"issuerRef": {"name": "ca"}}),
            _ => json!({"selfSigned": {}}),
        };
        let proposed = stage.propose(kind, name, spec).await.unwrap();
        add("just created", serde_json::to_value(&proposed).unwrap(), ON_ITS_WAY);
    }

    // Issuers.
    stage.issuer("waits", json!({"ca": {"secretName": "absent"}})).await;
    stage.issuer_says("waits", "False", "AuthoritySecretMissing").await;
    stage.put_secret("text", "Opaque", json!({}), json!({"tls.crt": "no certificate", "tls.key": "no key"})).await;
    stage.issuer("broken", json!({"ca": {"secretName": "text"}})).await;
    stage.issuer_says("broken", "False", "ChainInvalid").await;
    let of_cluster = format!("{}-gitops", stage.namespace);
    stage.cluster_issuer(&of_cluster, json!({"selfSigned": {}})).await;
    stage.cluster_issuer_says(&of_cluster, "True", "Ready").await;
    stage.covered().await;
    add("an issuer that waits for its Secret", raw(stage, "Issuer", "waits").await, ON_ITS_WAY);
    add("an issuer whose Secret is no CA's", raw(stage, "Issuer", "broken").await, BAD);
    add("a self-signing issuer", raw(stage, "Issuer", "self").await, GOOD);
    add("an issuer with an authority", raw(stage, "Issuer", "ca").await, GOOD);
    add("a ClusterIssuer", raw(stage, "ClusterIssuer", &of_cluster).await, GOOD);

    // Lists.
    stage.list("waits", json!({"issuerRef": {"name": "waits"}})).await;
    stage.unpublished("waits", "IssuerNotReady").await;
    stage.list("absent", json!({"issuerRef": {"name": "absent"}})).await;
    stage.unpublished("absent", "IssuerNotFound").await;
    stage.list("self", json!({"issuerRef": {"name": "self"}})).await;
    stage.unpublished("self", "NotAnAuthority").await;
    let published = raw(stage, "RevocationList", "ca").await;
    let held_back = json!({"type": "HeldBack", "status": "True", "reason": "HeldBack", "message": "3 revocations wait"});
    add("a list whose issuer waits", raw(stage, "RevocationList", "waits").await, ON_ITS_WAY);
    add("a list without an issuer", raw(stage, "RevocationList", "absent").await, ON_ITS_WAY);
    add("a list of no authority", raw(stage, "RevocationList", "self").await, BAD);
    add("a list on which a person has to confirm", with_condition(&published, held_back), ["Suspended", "Current", "Current"]);
    add("a published list", published, GOOD);

    // Certificates.
    let web = stage.issued("web", leaf("ca", "web")).await;
    let ready = raw(stage, "Certificate", "web").await;
    let mut behind = ready.clone();
    behind["metadata"]["generation"] = json!(web.metadata.generation.unwrap_or_default() + 1);
    add("a spec that was not looked at yet", behind, ON_ITS_WAY);
    add("a certificate", ready, GOOD);
    stage.certificate("waits", leaf("absent", "waits")).await;
    stage.unready("waits", "IssuerNotFound").await;
    let waits = raw(stage, "Certificate", "waits").await;
    let mut attempts = waits.clone();
    attempts["status"]["failedIssuanceAttempts"] = json!(3);
    add("attempts that failed", attempts, ["Degraded", "InProgress", "InProgress"]);
    let mut expired = waits.clone();
    let ready_now = expired["status"]["conditions"].as_array_mut().unwrap().iter_mut().find(|found| found["type"] == "Ready");
    ready_now.unwrap()["reason"] = json!("Expired");
    add("expired, and its issuer is not there", expired, ["Degraded", "InProgress", "Failed"]);
    add("a certificate without an issuer", waits, ON_ITS_WAY);
    stage.certificate("end", merged(leaf("ca", "end"), &json!({"usages": ["ocsp signing"]}))).await;
    stage.unready("end", "NotAllowed").await;
    add("a usage that is not allowed", raw(stage, "Certificate", "end").await, BAD);
    stage.certificate("foreign", leaf("ca", "text")).await;
    stage.unready("foreign", "SecretNotOurs").await;
    add("a Secret that is somebody else's", raw(stage, "Certificate", "foreign").await, BAD);
    add("a renewal that cannot be had", unrenewed(stage).await, GOOD);

    // Revocation.
    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    stage.replaced(&web).await;
    add("revoked and replaced", raw(stage, "Certificate", "web").await, GOOD);
    add("a revocation that nobody can publish", unlisted(stage).await, ["Degraded", "Current", "Failed"]);
    let held = stage.issued("held", leaf("ca", "held")).await;
    let orders = json!([{"serialNumber": serial(&held), "hold": true}, {"serialNumber": serial(&web), "release": true}]);
    stage.relist("ca", json!({"revocations": orders})).await;
    stage.revocation_says("held", "True", "OnHold").await;
    stage.unready("held", "OnHold").await;
    add("on hold", raw(stage, "Certificate", "held").await, ["Suspended", "Failed", "Failed"]);
    stage.listed("ca", "a refused order", |status| condition::is_true(&status.conditions, condition::ORDERS_REFUSED)).await;
    add("an order that is refused", raw(stage, "RevocationList", "ca").await, ["Degraded", "Current", "Failed"]);
    add("being deleted", deleting(stage).await, ["Progressing", "Terminating", "InProgress"]);
    states
}

/// An object as the API server has it.
pub(super) async fn raw(stage: &Stage, kind: &str, name: &str) -> Value {
    let client = stage.ground.client.clone();
    let api: Api<DynamicObject> = match kind {
        "Certificate" => Api::namespaced_with(client, &stage.namespace, &ApiResource::erase::<Certificate>(&())),
        "Issuer" => Api::namespaced_with(client, &stage.namespace, &ApiResource::erase::<Issuer>(&())),
        "RevocationList" => Api::namespaced_with(client, &stage.namespace, &ApiResource::erase::<RevocationList>(&())),
        _ => Api::all_with(client, &ApiResource::erase::<ClusterIssuer>(&())),
    };
    let found = api.get(name).await.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    serde_json::to_value(found).expect("it came as JSON")
}

fn with_condition(object: &Value, condition: Value) -> Value {
    let mut object = object.clone();
    object["status"]["conditions"].as_array_mut().expect("it has conditions").push(condition);
    object
}

/// A good certificate whose issuer has gone when another one is asked for.
async fn unrenewed(stage: &Stage) -> Value {
    stage.issuer("brief", json!({"ca": {"secretName": "ca"}})).await;
    stage.issuer_ready("brief").await;
    stage.issued("brief", leaf("brief", "brief")).await;
    stage.api::<Issuer>().delete("brief", &DeleteParams::default()).await.expect("it is there");
    // The operator may hear of what is asked before it hears that the issuer has gone: then it is asked again.
    for number in 0.. {
        let asked = format!("please-{number}");
        stage.ask("brief", &asked).await;
        let is_handled = |now: &Certificate| now.status.as_ref().is_some_and(|status| status.renew_handled.as_deref() == Some(&*asked));
        let certificates = stage.certificates();
        let told = wait_for(&certificates, "brief", "renewed, or Issuing", SOON, |now| {
            is_ready(now) && (is_handled(now) || condition_of(now, "Issuing").is_some())
        });
        if condition_of(&told.await, "Issuing").is_some() {
            break;
        }
    }
    raw(stage, "Certificate", "brief").await
}

/// A revocation where there is no list.
async fn unlisted(stage: &Stage) -> Value {
    stage.certificate("bare", crate::stage::ca("self", "bare", "a bare root")).await;
    stage.issuer("bare", json!({"ca": {"secretName": "bare"}})).await;
    stage.issuer_ready("bare").await;
    stage.issued("unlisted", leaf("bare", "unlisted")).await;
    stage.revoke("unlisted", "superseded").await;
    stage.revocation_says("unlisted", "False", "NoRevocationList").await;
    stage.ready("unlisted").await;
    raw(stage, "Certificate", "unlisted").await
}

/// A Certificate that somebody keeps from going.
async fn deleting(stage: &Stage) -> Value {
    stage.issued("leaving", leaf("ca", "leaving")).await;
    stage.patch::<Certificate>("leaving", json!({"metadata": {"finalizers": ["example.com/kept"]}})).await;
    stage.delete("leaving").await;
    let object = raw(stage, "Certificate", "leaving").await;
    stage.patch::<Certificate>("leaving", json!({"metadata": {"finalizers": null}})).await;
    object
}
