//! The temporary certificate: it is there while none can be had, says of itself that it is none, and goes when one can be had.

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::store::{Store, public_key};
use super::versions::Versions;
use crate::harness::{Ground, OwnOperator, Program, wait_for};
use crate::scene::create;
use crate::stage::{Content, ForeignCa, SOON, Stage, ca, condition_of, is_observed, key_id, leaf, merged, serial};

const ASKED: &str = "chancery.dev/issue-temporary-certificate";
const NOTE: &str = "chancery.dev/temporary-serial-number";

/// Creates a Certificate that asks for it.
async fn asking(stage: &Stage, name: &str, spec: Value) {
    let object = json!({"metadata": {"name": name, "annotations": {ASKED: "true"}}, "spec": spec});
    create::<Certificate>(&stage.certificates(), &serde_json::from_value(object).unwrap()).await;
}

/// Waits until the Secret holds a temporary certificate.
async fn stands_in(stage: &Stage, name: &str) -> Secret {
    let temporary = |secret: &Secret| secret.annotations().contains_key(NOTE);
    wait_for(&stage.secrets(), name, "a temporary certificate", SOON, temporary).await
}

/// Holds that it is for the same names, can be served with its key, and is trusted by nobody, by openssl.
async fn is_temporary(stage: &Stage, name: &str, secret: &Secret) {
    let content = Content::of(secret);
    let printed = content.printed().await;
    assert!(printed.contains(&format!("DNS:{name}.example.com")), "{printed}");
    assert!(content.name("issuer").await.starts_with("CN=temporary certificate"), "{printed}");
    assert!(!printed.contains("CA:TRUE"), "{printed}");
    let of_key = public_key(&content.key_text).await;
    let of_certificate = Program::openssl().args(["x509", "-noout", "-pubkey"]).stdin(content.leaf().to_pem()).run().await;
    assert_eq!(of_key, of_certificate);
    assert_eq!((content.roots.len(), content.chain.len()), (0, 1), "there is nothing that it could be trusted by");
    assert_eq!(content.note("temporary-serial-number"), Some(content.serial().as_str()));
    assert!(content.note("serial-number").is_none() && content.note("key-id").is_none(), "{:?}", content.annotations);
    let certificate = stage.certificates().get(name).await.unwrap();
    assert!(certificate.status.is_none_or(|status| status.serial_number.is_none() && status.issued.is_empty()), "the status has none");
    let lines = stage.lines(name).await;
    assert!(lines.is_empty(), "no register has a line: {lines:?}");
}

/// Holds that a certificate by the issuer took its place, with another key.
async fn is_real(stage: &Stage, name: &str, temporary: &Secret) {
    let now = stage.ready(name).await;
    let content = stage.content(name).await;
    content.verify().await;
    assert_eq!(content.serial(), serial(&now));
    assert_ne!(content.key.key_id(), Content::of(temporary).key.key_id(), "the key is another");
    assert!(content.note("temporary-serial-number").is_none(), "{:?}", content.annotations);
    assert_eq!(stage.issuances(name).await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_certificate_stands_in_until_the_issuer_is_there_also_over_a_new_start() {
    let ground = Ground::prepared().await;
    let mut operator = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.issuer("self", json!({"selfSigned": {}})).await;
    asking(&stage, "web", merged(leaf("late", "web"), &json!({"usages": ["server auth"]}))).await;
    let stores = json!({"keystores": {"jks": {"create": true, "password": "any word"}}, "additionalOutputFormats": [{"type": "DER"}]});
    asking(&stage, "java", merged(leaf("late", "java"), &stores)).await;
    // Asked for later, by a person who sees that it takes long.
    stage.certificate("slow", leaf("late", "slow")).await;
    stage.unready("slow", "IssuerNotFound").await;
    assert!(stage.secrets().get_opt("slow").await.unwrap().is_none(), "nobody asked yet");
    stage.patch::<Certificate>("slow", json!({"metadata": {"annotations": {ASKED: "true"}}})).await;
    let mut before = Vec::new();
    for name in ["web", "java", "slow"] {
        let secret = stands_in(&stage, name).await;
        stage.unready(name, "IssuerNotFound").await;
        is_temporary(&stage, name, &secret).await;
        before.push((name, Versions::since(&stage, name, &secret.resource_version().unwrap()).await, secret));
    }
    let java = Store::of(&before[1].2, "keystore.jks", "any word").entries().await;
    assert!(java.len() == 1 && java[0].key, "{java:?}");

    operator.restart().await;
    // By the time that another is made, those that were there have been looked at.
    stage.issued("after", leaf("self", "after")).await;
    for (name, versions, _) in &mut before {
        stage.looked_at(name).await;
        assert_eq!(versions.up_to_now(&stage).await.len(), 0, "{name}: written again");
        stage.unready(name, "IssuerNotFound").await;
    }

    let authority = ForeignCa::by_openssl("late", "CA:TRUE", "keyCertSign,cRLSign").await;
    authority.import(&stage, "late", json!({})).await;
    for (name, versions, temporary) in &mut before {
        is_real(&stage, name, temporary).await;
        stage.looked_at(name).await;
        assert_eq!(versions.up_to_now(&stage).await.len(), 1, "{name}: writes of the Secret");
    }
    let secret = stage.secret("java").await;
    assert_eq!(Store::of(&secret, "keystore.jks", "any word").entries().await.len(), 2);
    assert!(secret.data.unwrap().contains_key("truststore.jks"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_certificate_waits_for_a_temporary_one_stands_in() {
    let stage = Stage::set("interim").await;
    stage.authority().await;
    stage.issuer("broken", json!({"ca": {"secretName": "absent"}})).await;
    asking(&stage, "not-ready", leaf("broken", "not-ready")).await;
    let store = json!({"keystores": {"pkcs12": {"create": true, "passwordSecretRef": {"name": "later"}}}});
    asking(&stage, "no-password", merged(leaf("ca", "no-password"), &store)).await;
    let mut temporary = Vec::new();
    for (name, reason) in [("not-ready", "IssuerNotReady"), ("no-password", "KeystorePasswordMissing")] {
        let secret = stands_in(&stage, name).await;
        stage.unready(name, reason).await;
        is_temporary(&stage, name, &secret).await;
        temporary.push((name, secret));
    }
    assert!(!temporary[1].1.data.as_ref().unwrap().contains_key("keystore.p12"), "without a password there is no store");
    let authority = ForeignCa::by_openssl("there", "CA:TRUE", "keyCertSign,cRLSign").await;
    stage.put_secret("absent", "kubernetes.io/tls", json!({}), authority.data()).await;
    stage.put_secret("later", "Opaque", json!({}), json!({"password": "at last"})).await;
    for (name, temporary) in &temporary {
        is_real(&stage, name, temporary).await;
    }
    assert!(Store::of(&stage.secret("no-password").await, "keystore.p12", "at last").opens().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_lost_while_there_is_no_issuer_is_stood_in_for_as_well() {
    let stage = Stage::set("lost").await;
    stage.authority().await;
    asking(&stage, "web", leaf("ca", "web")).await;
    let first = stage.ready("web").await;
    stage.api::<chancery::api::Issuer>().delete("ca", &DeleteParams::default()).await.unwrap();
    crate::harness::wait_gone(&stage.api::<chancery::api::Issuer>(), "ca", SOON).await;
    stage.secrets().delete("web", &DeleteParams::default()).await.unwrap();
    let temporary = stands_in(&stage, "web").await;
    assert_eq!(stage.issuances("web").await, ["Created"]);
    stage.issuer("ca", json!({"ca": {"secretName": "ca"}})).await;
    let second = stage.replaced(&first).await;
    assert_ne!(key_id(&second), Content::of(&temporary).key.key_id().to_string());
    assert_ne!(key_id(&second), key_id(&first));
    stage.content("web").await.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_temporary_certificate_is_for_a_ca_or_takes_the_place_of_what_is_there() {
    let stage = Stage::set("nointerim").await;
    stage.authority().await;
    asking(&stage, "authority", ca("absent", "authority", "a CA")).await;
    // One that is still good, and its issuer is another now.
    asking(&stage, "web", leaf("ca", "web")).await;
    let web = stage.ready("web").await;
    // One that has a certificate which is not the right one, and the issuer is not there.
    let theirs = stage.put_secret("db", "Opaque", json!({}), json!({"password": "hunter2"})).await;
    asking(&stage, "db", leaf("absent", "db")).await;
    let (certificate, key) = crate::stage::self_made("old.example.com");
    let notes = json!({"cert-manager.io/certificate-name": "old"});
    let old = stage.put_secret("old", "kubernetes.io/tls", notes, json!({"tls.crt": certificate, "tls.key": key})).await;
    asking(&stage, "old", leaf("absent", "old")).await;

    let before = stage.secret("web").await;
    stage.respec("web", json!({"issuerRef": {"name": "absent"}})).await;
    let told = |now: &Certificate| {
        is_observed(now) && condition_of(now, "Ready").is_some_and(|ready| ready.status == "False" && ready.message.contains("/absent"))
    };
    let after = wait_for(&stage.certificates(), "web", "Ready False, and the issuer that is missing", SOON, told).await;
    assert_eq!(serial(&after), serial(&web));
    stage.unready("authority", "IssuerNotFound").await;
    stage.unready("db", "SecretNotOurs").await;
    stage.unready("old", "IssuerNotFound").await;
    for (name, before) in [("web", before), ("db", theirs), ("old", old)] {
        assert_eq!(stage.secret(name).await.resource_version(), before.resource_version(), "{name}");
    }
    assert!(stage.secrets().get_opt("authority").await.unwrap().is_none(), "a CA has no temporary certificate");
    // A value that is none is refused where it stands.
    stage.patch::<Certificate>("authority", json!({"metadata": {"annotations": {ASKED: "perhaps"}}})).await;
    let message = stage.unready("authority", "InvalidSpec").await;
    assert!(message.contains(ASKED), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_certificate_keeps_up_with_what_is_asked_for() {
    let stage = Stage::set("keepup").await;
    let spec = merged(leaf("late", "web"), &json!({"dnsNames": ["old.example.com"]}));
    asking(&stage, "web", spec).await;
    let old = stands_in(&stage, "web").await;
    let store = json!({"keystores": {"jks": {"create": true, "password": "any word"}}});
    stage.respec("web", merged(store, &json!({"dnsNames": ["web.example.com"]}))).await;
    let of_now = |secret: &Secret| Content::of(secret).leaf().sans().iter().any(|san| san.to_string().contains("web.example.com"));
    let new = wait_for(&stage.secrets(), "web", "a temporary certificate for the other name", SOON, of_now).await;
    is_temporary(&stage, "web", &new).await;
    assert_ne!(Content::of(&new).serial(), Content::of(&old).serial());
    let entries = Store::of(&new, "keystore.jks", "any word").entries().await;
    assert!(entries.len() == 1 && entries[0].key, "{entries:?}");
    // What does not bear on it makes no other.
    stage.respec("web", json!({"renewBefore": "100h", "secretTemplate": {"labels": {"a": "b"}}})).await;
    stage.unready("web", "IssuerNotFound").await;
    assert_eq!(Content::of(&stage.secret("web").await).serial(), Content::of(&new).serial());
}
