//! What the subjects share: a namespace with issuers and Certificates in it, made from a few words, and waited for.
//!
//! It knows the kinds, and nothing of how the operator works: what it reads is what a person with kubectl would read.

mod consumer;
mod content;
mod foreign;
mod list;
mod record;

use std::fmt::Debug;
use std::time::Duration;

use chancery::api::{Certificate, ClusterIssuer, Issuer, IssuerStatus, RevocationList, condition};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::harness::{Ground, Namespace, OwnGround, wait_for};

pub(crate) use consumer::{Answer, Consumer, Way, get};
pub(crate) use content::Content;
pub(crate) use foreign::{ForeignCa, self_made};
pub(crate) use list::{authority_of, in_a_second, now, number_of, served_list};

/// How long anything may take before it counts as never: many tests share two cores.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// How long a thing that must not happen is waited for, where no later event proves that it did not.
pub(crate) const WHILE: Duration = Duration::from_millis(700);
/// The shared operator's namespace.
pub(crate) const SYSTEM: &str = "chancery-system";

/// A namespace with an operator that serves it.
pub(crate) struct Stage {
    pub(crate) ground: Ground,
    /// Its name.
    pub(crate) namespace: String,
    /// The namespace of its operator: registers and ClusterIssuers' Secrets are there.
    pub(crate) system: String,
    client: Client,
    _namespace: Option<Namespace>,
}

impl Stage {
    /// In a new namespace that the shared operator serves.
    pub(crate) async fn set(prefix: &str) -> Self {
        Self::set_with_labels(prefix, &[]).await
    }

    /// The same, for issuers that select namespaces.
    pub(crate) async fn set_with_labels(prefix: &str, labels: &[(&str, &str)]) -> Self {
        let ground = Ground::with_operator().await;
        let namespace = Namespace::create_with_labels(&ground, prefix, labels).await;
        let (name, client) = (namespace.name.clone(), ground.client.clone());
        Self { ground, namespace: name, system: SYSTEM.to_owned(), client, _namespace: Some(namespace) }
    }

    /// In a new namespace of exactly this name: for a test whose output is compared letter by letter. No other test may use it.
    pub(crate) async fn named(name: &str) -> Self {
        let ground = Ground::with_operator().await;
        let namespace = Namespace::named(&ground, name).await;
        let client = ground.client.clone();
        Self { ground, namespace: name.to_owned(), system: SYSTEM.to_owned(), client, _namespace: Some(namespace) }
    }

    /// In the namespace of an operator of its own.
    pub(crate) fn of_own(ground: &Ground, own: &OwnGround) -> Self {
        Self::of_namespace(ground, &own.namespace, &own.system)
    }

    /// In a namespace that is there already, served by the operator of another.
    pub(crate) fn of_namespace(ground: &Ground, namespace: &str, system: &str) -> Self {
        Self {
            ground: ground.clone(),
            namespace: namespace.to_owned(),
            system: system.to_owned(),
            client: ground.client.clone(),
            _namespace: None,
        }
    }

    /// The same operator and the same rights in another namespace.
    pub(crate) fn elsewhere(&self, namespace: &str) -> Self {
        Self {
            ground: self.ground.clone(),
            namespace: namespace.to_owned(),
            system: self.system.clone(),
            client: self.client.clone(),
            _namespace: None,
        }
    }

    /// The objects of a kind in the namespace.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn certificates(&self) -> Api<Certificate> {
        self.api()
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        self.api()
    }

    pub(crate) fn cluster_issuers(&self) -> Api<ClusterIssuer> {
        Api::all(self.client.clone())
    }

    /// Creates an Issuer.
    pub(crate) async fn issuer(&self, name: &str, spec: Value) {
        self.create("Issuer", name, spec).await.unwrap_or_else(|error| panic!("Issuer {name}: {error}"));
    }

    /// Creates a ClusterIssuer; its name must be unique in the run.
    pub(crate) async fn cluster_issuer(&self, name: &str, spec: Value) {
        self.create("ClusterIssuer", name, spec).await.unwrap_or_else(|error| panic!("ClusterIssuer {name}: {error}"));
    }

    /// Creates a Certificate and waits for nothing.
    pub(crate) async fn certificate(&self, name: &str, spec: Value) {
        self.create("Certificate", name, spec).await.unwrap_or_else(|error| panic!("Certificate {name}: {error}"));
    }

    /// Creates a Certificate and waits until it is Ready.
    pub(crate) async fn issued(&self, name: &str, spec: Value) -> Certificate {
        self.certificate(name, spec).await;
        self.ready(name).await
    }

    /// A self-signed root in the Secret `ca`, an Issuer `ca` that signs with it, both Ready. Returns the root's Certificate, `ca`.
    pub(crate) async fn authority(&self) -> Certificate {
        self.authority_with(json!({})).await
    }

    /// The same with more in the Issuer's spec.
    pub(crate) async fn authority_with(&self, issuer: Value) -> Certificate {
        self.issuer("self", json!({"selfSigned": {}})).await;
        self.issuer("ca", merged(json!({"ca": {"secretName": "ca"}}), &issuer)).await;
        let root = self.issued("ca", ca("self", "ca", &format!("{} root", self.namespace))).await;
        self.issuer_ready("ca").await;
        root
    }

    /// Creates an object from its spec; what the API server says to it is the caller's.
    pub(crate) async fn create(&self, kind: &str, name: &str, spec: Value) -> kube::Result<DynamicObject> {
        self.post(kind, name, spec, &PostParams::default()).await
    }

    /// The same without storing it: only what the API server says.
    pub(crate) async fn propose(&self, kind: &str, name: &str, spec: Value) -> kube::Result<DynamicObject> {
        self.post(kind, name, spec, &PostParams { dry_run: true, ..PostParams::default() }).await
    }

    async fn post(&self, kind: &str, name: &str, spec: Value, params: &PostParams) -> kube::Result<DynamicObject> {
        let api: Api<DynamicObject> = match kind {
            "Certificate" => Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<Certificate>(&())),
            "Issuer" => Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<Issuer>(&())),
            "RevocationList" => Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<RevocationList>(&())),
            "ClusterIssuer" => Api::all_with(self.client.clone(), &ApiResource::erase::<ClusterIssuer>(&())),
            other => panic!("{other} is none of our kinds"),
        };
        let mut object = json!({"apiVersion": "chancery.dev/v1alpha1", "kind": kind, "metadata": {"name": name}});
        if !spec.is_null() {
            object["spec"] = spec;
        }
        api.create(params, &serde_json::from_value(object).expect("it has a kind and a name")).await
    }

    /// Changes an object by a merge patch, as `kubectl patch --type merge` does.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let patched = self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.unwrap_or_else(|error| panic!("{name} cannot be patched: {error}"))
    }

    /// Changes a Certificate's spec.
    pub(crate) async fn respec(&self, name: &str, spec: Value) {
        self.patch::<Certificate>(name, json!({"spec": spec})).await;
    }

    /// Asks for a new certificate with this value of the annotation.
    pub(crate) async fn ask(&self, name: &str, value: &str) {
        self.patch::<Certificate>(name, json!({"metadata": {"annotations": {"chancery.dev/renew": value}}})).await;
    }

    /// Deletes a Certificate, and returns without waiting.
    pub(crate) async fn delete(&self, name: &str) {
        self.certificates().delete(name, &DeleteParams::default()).await.unwrap_or_else(|error| panic!("{name} stays: {error}"));
    }

    /// Waits until a Certificate is Ready under the spec that it has now.
    pub(crate) async fn ready(&self, name: &str) -> Certificate {
        wait_for(&self.certificates(), name, "Ready", SOON, is_ready).await
    }

    /// Waits until a Certificate is Ready with another serial number.
    pub(crate) async fn replaced(&self, before: &Certificate) -> Certificate {
        let name = before.name_any();
        let what = format!("Ready with another certificate than {}", serial(before));
        wait_for(&self.certificates(), &name, &what, SOON, |now| is_ready(now) && serial(now) != serial(before)).await
    }

    /// Waits until the operator has said of a Certificate that it is not Ready for this reason, and returns its message.
    pub(crate) async fn unready(&self, name: &str, reason: &str) -> String {
        let what = format!("Ready False, {reason}");
        let found = wait_for(&self.certificates(), name, &what, SOON, |now| {
            is_observed(now) && ready_condition(now).is_some_and(|ready| ready.status == "False" && ready.reason == reason)
        })
        .await;
        ready_condition(&found).map(|ready| ready.message.clone()).unwrap_or_default()
    }

    /// Has the operator look at a Certificate as if it were new, and returns what came of it: another generation of a spec that
    /// asks for the same. Its Secret is read from the API server then, and every check is made.
    pub(crate) async fn looked_at(&self, name: &str) -> Certificate {
        let now = self.certificates().get(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let turn = if now.spec.deletion_policy.is_some() { Value::Null } else { json!("Retain") };
        self.respec(name, json!({"deletionPolicy": turn})).await;
        wait_for(&self.certificates(), name, "looked at", SOON, is_observed).await
    }

    /// Waits until the Certificate is Ready and its status names the Secret as it is now: whatever was done to the Secret
    /// before has been seen.
    pub(crate) async fn reconciled(&self, name: &str) -> Certificate {
        let secret = self.ready(name).await.spec.secret_name;
        let version = self.secret(&secret).await.resource_version().unwrap_or_default();
        let at_least = |text: &str| text.parse::<u64>().unwrap_or_default() >= version.parse().unwrap_or_default();
        wait_for(&self.certificates(), name, &format!("a status that has seen version {version} of the Secret"), SOON, |now| {
            is_ready(now) && now.status.iter().filter_map(|status| status.secret.as_ref()).any(|secret| at_least(&secret.resource_version))
        })
        .await
    }

    /// A Secret as it is now.
    pub(crate) async fn secret(&self, name: &str) -> Secret {
        self.secrets().get(name).await.unwrap_or_else(|error| panic!("Secret {name}: {error}"))
    }

    /// What a Secret holds now.
    pub(crate) async fn content(&self, secret: &str) -> Content {
        Content::of(&self.secret(secret).await)
    }

    /// Creates a Secret from text.
    pub(crate) async fn put_secret(&self, name: &str, kind: &str, annotations: Value, data: Value) -> Secret {
        let object = json!({"metadata": {"name": name, "annotations": annotations}, "type": kind, "stringData": data});
        let secret = serde_json::from_value(object).expect("it is a Secret");
        self.secrets().create(&PostParams::default(), &secret).await.unwrap_or_else(|error| panic!("Secret {name}: {error}"))
    }

    /// Waits until an Issuer is Ready under the spec that it has now.
    pub(crate) async fn issuer_ready(&self, name: &str) -> IssuerStatus {
        self.issuer_says(name, "True", "Ready").await
    }

    /// Waits until an Issuer says how long what is asked of it lasts: it hears of that beside the issuance.
    pub(crate) async fn counted(&self, name: &str) {
        let has = |issuer: &Issuer| issuer.status.as_ref().is_some_and(|status| status.longest_duration.is_some());
        wait_for(&self.api(), name, "the longest duration", SOON, has).await;
    }

    /// Waits until an Issuer says this of itself under the spec that it has now.
    pub(crate) async fn issuer_says(&self, name: &str, status: &str, reason: &str) -> IssuerStatus {
        let found = wait_for(&self.api::<Issuer>(), name, &format!("Ready {status}, {reason}"), SOON, |issuer| {
            says(issuer.status.as_ref(), issuer.metadata.generation, status, reason)
        })
        .await;
        found.status.unwrap_or_default()
    }

    /// The same of a ClusterIssuer.
    pub(crate) async fn cluster_issuer_says(&self, name: &str, status: &str, reason: &str) -> IssuerStatus {
        let found = wait_for(&self.cluster_issuers(), name, &format!("Ready {status}, {reason}"), SOON, |issuer| {
            says(issuer.status.as_ref(), issuer.metadata.generation, status, reason)
        })
        .await;
        found.status.unwrap_or_default()
    }
}

/// A leaf's spec: the Secret has the given name, the DNS name is made of it.
pub(crate) fn leaf(issuer: &str, secret: &str) -> Value {
    json!({"secretName": secret, "issuerRef": {"name": issuer}, "dnsNames": [format!("{secret}.example.com")]})
}

/// A CA's spec.
pub(crate) fn ca(issuer: &str, secret: &str, common_name: &str) -> Value {
    json!({"secretName": secret, "issuerRef": {"name": issuer}, "commonName": common_name, "isCA": true, "duration": "8760h"})
}

/// A document with a merge patch (RFC 7386) applied.
pub(crate) fn merged(mut document: Value, patch: &Value) -> Value {
    match patch {
        Value::Object(fields) => {
            if !document.is_object() {
                document = json!({});
            }
            for (key, value) in fields {
                if value.is_null() {
                    document.as_object_mut().expect("it was just made one").remove(key);
                } else {
                    let before = document[key].take();
                    document[key] = merged(before, value);
                }
            }
            document
        }
        other => other.clone(),
    }
}

/// Whether the operator has seen the spec that the object has now, and holds it to be fulfilled.
pub(crate) fn is_ready(certificate: &Certificate) -> bool {
    is_observed(certificate) && ready_condition(certificate).is_some_and(|ready| ready.status == "True")
}

/// Whether the status is about the spec that the object has now.
pub(crate) fn is_observed(certificate: &Certificate) -> bool {
    certificate.status.as_ref().is_some_and(|status| status.observed_generation == certificate.metadata.generation)
}

/// A condition of a Certificate.
pub(crate) fn condition_of<'a>(certificate: &'a Certificate, kind: &str) -> Option<&'a Condition> {
    condition::find(&certificate.status.as_ref()?.conditions, kind)
}

fn ready_condition(certificate: &Certificate) -> Option<&Condition> {
    condition_of(certificate, condition::READY)
}

/// The serial number in a Certificate's status.
pub(crate) fn serial(certificate: &Certificate) -> &str {
    certificate.status.as_ref().and_then(|status| status.serial_number.as_deref()).unwrap_or("none")
}

/// The keyID in a Certificate's status.
pub(crate) fn key_id(certificate: &Certificate) -> &str {
    certificate.status.as_ref().and_then(|status| status.key_id.as_deref()).unwrap_or("none")
}

fn says(status: Option<&IssuerStatus>, generation: Option<i64>, wanted: &str, reason: &str) -> bool {
    status.filter(|status| status.observed_generation == generation).is_some_and(|status| {
        condition::find(&status.conditions, condition::READY).is_some_and(|ready| ready.status == wanted && ready.reason == reason)
    })
}
