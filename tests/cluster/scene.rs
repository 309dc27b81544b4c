//! What the crash-safety subjects need on a ground of their own: an authority, issuers, Certificates, and the wait until one
//! of them is as it should be.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use chancery::api::{Certificate, Issuer};
use chancery::cluster::{Clock as _, SystemClock};
use chancery_pki::{
    CaConstraints, Certificate as X509, KeyAlgorithm, KeyEncoding, Name, PrivateKey, RANDOM_OCTETS, San, SerialNumber, SubjectParts,
    Template, Usage, issue, self_sign,
};
use futures::StreamExt as _;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource, ResourceExt as _};
use kube_runtime::WatchStreamExt as _;
use kube_runtime::watcher::watch_object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::evidence::{current, read};
use crate::harness::{OwnGround, printable, wait_for};

/// How long anything may take here: the operator itself waits some seconds before it mends what was damaged a moment ago.
pub(crate) const SOON: Duration = Duration::from_secs(45);

/// A CA made by the test.
pub(crate) struct Authority {
    pub(crate) key: PrivateKey,
    pub(crate) certificate: X509,
}

impl Authority {
    pub(crate) fn make(name: &str) -> Self {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
        let mut template = template(name, SignedDuration::from_hours(24 * 365));
        template.ca = Some(CaConstraints { path_len: None });
        template.usages = vec![Usage::CertSign, Usage::CrlSign];
        let certificate = self_sign(&template, &key).expect("the template is sound");
        Self { key, certificate }
    }

    /// The Secret of a CA.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        tls_secret(name, &self.certificate, &self.key, &json!({}))
    }

    /// A Secret as cert-manager makes it for a Certificate of this name, and the serial in it.
    pub(crate) fn foreign_leaf(&self, name: &str) -> (Secret, String) {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
        let mut template = template("", SignedDuration::from_hours(2160));
        template.sans = vec![San::Dns(dns_name(name))];
        template.usages = vec![Usage::DigitalSignature];
        let leaf = issue(&template, chancery_pki::Signer::public_key(&key), &self.certificate, &self.key).expect("the template is sound");
        let annotations = json!({
            "cert-manager.io/certificate-name": name, "cert-manager.io/issuer-name": name,
            "cert-manager.io/issuer-kind": "Issuer", "cert-manager.io/issuer-group": "cert-manager.io",
        });
        (tls_secret(name, &leaf, &key, &annotations), leaf.serial().to_string())
    }
}

fn template(common_name: &str, duration: SignedDuration) -> Template {
    let mut random = [0; RANDOM_OCTETS];
    aws_lc_rs::rand::fill(&mut random).expect("the system gives random bits");
    let common_name = Some(common_name.to_owned()).filter(|name| !name.is_empty());
    let not_before = SystemClock.now() - SignedDuration::from_mins(5);
    Template {
        serial: SerialNumber::issued(0, random),
        subject: Name::from_parts(&SubjectParts { common_name, ..SubjectParts::default() }).expect("a plain name"),
        sans: Vec::new(),
        not_before,
        not_after: not_before + duration,
        usages: Vec::new(),
        ca: None,
        crl_distribution_points: Vec::new(),
        ocsp_servers: Vec::new(),
        issuing_certificate_urls: Vec::new(),
        freshest_crls: Vec::new(),
        ocsp_no_check: false,
        name_constraints: None,
        self_signature: None,
    }
}

fn tls_secret(name: &str, certificate: &X509, key: &PrivateKey, annotations: &Value) -> Secret {
    let key = key.to_pem(KeyEncoding::Pkcs1).expect("a key can be written down");
    let secret = json!({
        "metadata": { "name": name, "annotations": annotations }, "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": certificate.to_pem(), "tls.key": key.as_str() },
    });
    serde_json::from_value(secret).expect("a Secret")
}

/// The one name that each Certificate is for.
pub(crate) fn dns_name(name: &str) -> String {
    format!("{name}.example.test")
}

/// A Certificate whose Secret has its own name.
pub(crate) fn certificate(name: &str, issuer: &str, more: Value) -> Certificate {
    let mut spec = json!({ "secretName": name, "dnsNames": [dns_name(name)], "issuerRef": { "name": issuer } });
    let (Some(fields), Value::Object(more)) = (spec.as_object_mut(), more) else { panic!("fields of a spec are wanted") };
    fields.extend(more);
    serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec })).expect("a Certificate")
}

/// Makes an object.
pub(crate) async fn create<K>(api: &Api<K>, object: &K) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    match api.create(&PostParams::default(), object).await {
        Ok(created) => created,
        Err(error) => panic!("{} was not made: {error}", object.name_any()),
    }
}

/// Changes fields of an object.
pub(crate) async fn change<K>(api: &Api<K>, name: &str, fields: Value)
where
    K: Clone + Debug + DeserializeOwned,
{
    if let Err(error) = api.patch(name, &PatchParams::default(), &Patch::Merge(fields)).await {
        panic!("{name} was not changed: {error}");
    }
}

/// Makes an Issuer on a new authority, both of this name, and returns when it is ready if an operator runs.
pub(crate) async fn make_ca_issuer(own: &OwnGround, name: &str) -> Authority {
    let authority = Authority::make(name);
    let secret = format!("authority-{name}");
    create(&own.api::<Secret>(), &authority.secret(&secret)).await;
    make_issuer(own, name, json!({ "ca": { "secretName": secret } })).await;
    authority
}

/// Makes an Issuer.
pub(crate) async fn make_issuer(own: &OwnGround, name: &str, spec: Value) {
    let issuer: Issuer = serde_json::from_value(json!({ "metadata": { "name": name }, "spec": spec })).expect("an Issuer");
    create(&own.api(), &issuer).await;
}

/// Waits until an Issuer is ready.
pub(crate) async fn issuer_is_ready(own: &OwnGround, name: &str) -> Issuer {
    let ready = |issuer: &Issuer| issuer.status.as_ref().is_some_and(|status| is_true(&status.conditions, "Ready"));
    wait_for(&own.api::<Issuer>(), name, "ready", SOON, ready).await
}

/// A Certificate and its Secret that agree with each other.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: Certificate,
    pub(crate) secret: Secret,
    pub(crate) serial: String,
}

impl Pair {
    pub(crate) fn uid(&self) -> &str {
        self.secret.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.certificate.status.as_ref().and_then(|status| status.key_id.as_deref())
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.secret.annotations().get(key).map(String::as_str)
    }
}

/// Waits until a Certificate and the Secret of its name are as they should be, and the register agrees: Ready, about this
/// generation, about this very version of the Secret, key and certificate matching, the current serial everywhere. And `also`.
pub(crate) async fn settled(own: &OwnGround, name: &str, what: &str, also: impl Fn(&Pair) -> bool) -> Pair {
    let (certificates, secrets) = (own.api::<Certificate>(), own.api::<Secret>());
    let (mut certificate, mut secret): (Option<Certificate>, Option<Secret>) = (None, None);
    let search = async {
        let mut one = pin!(watch_object(certificates, name).default_backoff().fuse());
        let mut other = pin!(watch_object(secrets, name).default_backoff().fuse());
        loop {
            tokio::select! {
                Some(state) = one.next() => if let Ok(state) = state { certificate = state },
                Some(state) = other.next() => if let Ok(state) = state { secret = state },
            }
            if let Some(pair) = agree(certificate.as_ref(), secret.as_ref()).filter(&also) {
                return pair;
            }
        }
    };
    // Boxed: two watches are large.
    let found = tokio::time::timeout(SOON, Box::pin(search)).await;
    let Ok(pair) = found else {
        panic!("not within {SOON:?}: {name}, {what}\n{}\n{}", printable(&certificate), printable(&secret));
    };
    let current = current(&own.system_api(), &own.namespace, name).await;
    let current = current.unwrap_or_else(|| panic!("{name}, {what}: the register does not know it"));
    assert_eq!(current.serial.to_string(), pair.serial, "{name}, {what}: the register's current serial and the Secret's");
    pair
}

fn agree(certificate: Option<&Certificate>, secret: Option<&Secret>) -> Option<Pair> {
    let (certificate, secret) = (certificate?, secret?);
    let status = certificate.status.as_ref()?;
    let (serial, matches) = read(secret).ok()?;
    let described = status.secret.as_ref()?;
    let agreed = is_true(&status.conditions, "Ready")
        && !status.conditions.iter().any(|condition| condition.type_ == "Issuing" && condition.status == "True")
        && status.observed_generation == certificate.metadata.generation
        && Some(&described.uid) == secret.metadata.uid.as_ref()
        && Some(&described.resource_version) == secret.metadata.resource_version.as_ref()
        && status.serial_number.as_ref() == Some(&serial)
        && matches;
    agreed.then(|| Pair { certificate: certificate.clone(), secret: secret.clone(), serial })
}

/// Whether there is this condition, and it holds.
pub(crate) fn is_true(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}
