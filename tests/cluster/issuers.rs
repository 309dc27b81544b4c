//! Issuers: what they say of themselves is true, those who wait for them are woken, and an authority's key is not lost lightly.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::wait_for;
use crate::stage::{ForeignCa, SOON, Stage, ca, condition_of, is_observed, is_ready, key_id, leaf, merged, serial};

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_an_issuer_is_what_its_chain_says() {
    let stage = Stage::set("truth").await;
    let root = stage.authority().await;
    let middle = stage.issued("middle", merged(ca("ca", "middle", "the middle"), &json!({"duration": "3000h"}))).await;
    stage.issuer("middle", json!({"ca": {"secretName": "middle"}})).await;
    let status = stage.issuer_ready("middle").await;
    let content = stage.content("middle").await;
    assert_eq!(status.subject.as_deref(), Some("CN=the middle"));
    assert_eq!(status.key_id.as_deref(), Some(key_id(&middle)));
    assert_eq!(status.authority.as_deref(), Some(key_id(&middle)));
    assert_eq!(status.serial_number.as_deref(), Some(serial(&middle)));
    assert_eq!(status.not_before.map(|time| time.0), Some(content.leaf().not_before()));
    assert_eq!(status.not_after.map(|time| time.0), Some(content.leaf().not_after()));
    assert_eq!(status.chain_length, Some(2));
    assert_eq!(status.path_length, None);
    assert_eq!(status.secret.map(|secret| Some(secret.resource_version)), Some(stage.secret("middle").await.resource_version()));

    let end = ForeignCa::by_openssl("the end", "CA:TRUE,pathlen:0", "keyCertSign").await;
    end.import(&stage, "end", json!({})).await;
    assert_eq!(stage.issuer_ready("end").await.path_length, Some(0));
    let status = stage.issuer_ready("self").await;
    assert!(status.authority.is_none() && status.not_after.is_none());
    let status = stage.issuer_ready("ca").await;
    assert_eq!((status.key_id.as_deref(), status.chain_length), (Some(key_id(&root)), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_waits_for_its_secret_and_then_wakes_all_who_wait_for_it() {
    let stage = Stage::set("waits").await;
    stage.issuer("middle", json!({"ca": {"secretName": "middle"}})).await;
    stage.certificate("web", leaf("middle", "web")).await;
    let status = stage.issuer_says("middle", "False", "AuthoritySecretMissing").await;
    assert!(
        status.conditions.iter().any(|found| found.type_ == "Ready" && found.message.contains("isCA: true")),
        "{:?}",
        status.conditions
    );
    let message = stage.unready("web", "IssuerNotReady").await;
    assert!(message.contains("middle"), "{message}");
    // Everything else in the wrong order, too.
    stage.certificate("middle", ca("ca", "middle", "the middle")).await;
    stage.issuer("ca", json!({"ca": {"secretName": "ca"}})).await;
    stage.certificate("ca", ca("self", "ca", "the root")).await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    for name in ["ca", "middle", "web"] {
        stage.ready(name).await;
        assert_eq!(stage.issuances(name).await, ["Created"], "{name}");
    }
    stage.content("web").await.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_ends_before_what_is_asked_of_it_warns_and_cuts() {
    let stage = Stage::set("ending").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.issuer("ca", json!({"ca": {"secretName": "ca"}})).await;
    stage.issued("ca", merged(ca("self", "ca", "brief"), &json!({"duration": "48h"}))).await;
    stage.issuer_ready("ca").await;
    let short = stage.issued("short", merged(leaf("ca", "short"), &json!({"duration": "24h"}))).await;
    wait_for(&stage.api(), "ca", "enough life", SOON, |issuer| ending(issuer) == Some(("False", "LifeSufficient"))).await;
    let long = stage.issued("long", merged(leaf("ca", "long"), &json!({"duration": "72h"}))).await;
    let warned = wait_for(&stage.api(), "ca", "a warning", SOON, |issuer| ending(issuer) == Some(("True", "LifeTooShort"))).await;
    let status = warned.status.unwrap_or_default();
    assert_eq!(status.longest_duration.map(|longest| longest.to_string()).as_deref(), Some("72h0m0s"));
    let message = &status.conditions.iter().find(|found| found.type_ == "AuthorityEnding").expect("it was waited for").message;
    assert!(message.contains("72h0m0s") && message.contains("renew the CA certificate"), "{message}");

    let end = async |secret| stage.content(secret).await.leaf().not_after();
    assert_eq!(end("long").await, end("ca").await, "cut to the end of its issuer");
    assert!(end("short").await < end("ca").await);
    let says = |certificate| condition_of(certificate, "Ready").map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(says(&long).contains("72h0m0s"), "the condition says that it was cut: {}", says(&long));
    assert!(!says(&short).contains("24h0m0s"), "{}", says(&short));
    stage.content("long").await.verify().await;
    assert_eq!(serial(&stage.looked_at("long").await), serial(&long), "a cut certificate is not made again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ca_secret_comes_back_with_the_same_key() {
    let stage = Stage::set("restore").await;
    let root = stage.authority().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let damage = json!({"stringData": {"tls.key": "lost", "tls.crt": "lost"}});
    let mut before = root;
    for step in ["deleted", "overwritten"] {
        match step {
            "deleted" => drop(stage.secrets().delete("ca", &DeleteParams::default()).await.unwrap()),
            _ => drop(stage.patch::<Secret>("ca", damage.clone()).await),
        }
        let after = stage.replaced(&before).await;
        assert_eq!(key_id(&after), key_id(&before), "{step}");
        assert_eq!(stage.content("ca").await.key.key_id().to_string(), key_id(&after), "{step}");
        stage.issuer_ready("ca").await;
        before = after;
    }
    let leaf_now = stage.reconciled("web").await;
    assert_eq!(serial(&leaf_now), serial(&web));
    stage.content("web").await.verify().await;
    assert_eq!(stage.issuances("web").await, ["Created"]);
    assert_eq!(stage.issuances("ca").await, ["Created", "SecretMissing", "SecretUnreadable"]);
    let acts: Vec<String> = stage.lines("ca").await.iter().filter_map(|line| line["act"].as_str().map(str::to_owned)).collect();
    assert_eq!(acts.iter().filter(|act| *act == "made" || *act == "copied").count(), 2, "one key: {acts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_copy_nothing_is_made_in_place_of_a_lost_ca_until_somebody_says_so() {
    let stage = Stage::set("lost").await;
    let root = stage.authority().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let system = stage.elsewhere(&stage.system);
    let copy = format!("chancery-authority-{}", key_id(&root));
    let kept = stage.content("ca").await;
    let of_copy = system.secret(&copy).await;
    system.secrets().delete(&copy, &DeleteParams::default()).await.unwrap();
    stage.secrets().delete("ca", &DeleteParams::default()).await.unwrap();
    let missing = |what: &'static str| {
        let (stage, copy) = (&stage, copy.clone());
        async move {
            let found = wait_for(&stage.certificates(), "ca", what, SOON, |now| {
                is_observed(now) && condition_of(now, "Issuing").is_some_and(|issuing| issuing.reason == "AuthoritySecretMissing")
            })
            .await;
            let message = condition_of(&found, "Issuing").map(|issuing| issuing.message.clone()).unwrap_or_default();
            assert!(message.contains(&copy) && message.contains("chancery.dev/renew"), "{message}");
        }
    };
    missing("AuthoritySecretMissing").await;
    stage.issuer_says("ca", "False", "AuthoritySecretMissing").await;
    assert!(is_ready(&stage.ready("web").await), "a leaf that was good is good");
    assert!(stage.secrets().get_opt("ca").await.unwrap().is_none());
    assert_eq!(stage.issuances("ca").await, ["Created"]);

    // The copy comes back from a backup, and the CA with it.
    let restored = json!({"tls.key": kept.key_text});
    let notes = json!(of_copy.annotations());
    system.put_secret(&copy, "Opaque", notes, restored).await;
    let again = stage.replaced(&root).await;
    assert_eq!(key_id(&again), key_id(&root));
    assert_eq!(serial(&stage.looked_at("web").await), serial(&web));

    // Or there is no backup, and a person decides for a new key.
    system.secrets().delete(&copy, &DeleteParams::default()).await.unwrap();
    stage.secrets().delete("ca", &DeleteParams::default()).await.unwrap();
    missing("AuthoritySecretMissing once more").await;
    stage.ask("ca", "a new key").await;
    let renewed = stage.replaced(&again).await;
    assert_ne!(key_id(&renewed), key_id(&root));
    stage.issuer_ready("ca").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_cert_managers_is_taken_over_without_a_new_certificate() {
    let stage = Stage::set("migrate").await;
    let foreign = ForeignCa::by_openssl("their CA", "CA:TRUE", "keyCertSign,cRLSign").await;
    foreign.import(&stage, "ca", json!({})).await;
    stage.issuer_ready("ca").await;
    let (certificate, key) = foreign.sign("web.example.com");
    let notes = json!({
        "cert-manager.io/certificate-name": "web", "cert-manager.io/issuer-name": "ca", "cert-manager.io/issuer-kind": "Issuer",
        "cert-manager.io/issuer-group": "cert-manager.io", "cert-manager.io/common-name": "", "cert-manager.io/alt-names": "web.example.com",
    });
    let data = json!({"tls.crt": certificate, "tls.key": key, "ca.crt": foreign.certificate});
    stage.put_secret("web", "kubernetes.io/tls", notes.clone(), data.clone()).await;
    let spec = merged(leaf("ca", "web"), &json!({"issuerRef": {"group": "cert-manager.io", "kind": "Issuer"}}));
    let web = stage.issued("web", spec.clone()).await;
    let content = stage.content("web").await;
    assert_eq!((content.leaf().to_pem(), content.key_text.as_str()), (normal(&certificate), key.as_str()), "the very same");
    assert_eq!(content.serial(), serial(&web));
    // Who hears of the Certificate before the Secret begins one of its own, is told by the API server that the Secret is there, and
    // records that nothing came of it.
    let acts: Vec<_> = stage.lines("web").await.iter().map(|line| line["act"].clone()).collect();
    assert!(acts == ["imported"] || acts == ["issued", "voided", "imported"], "{acts:?}");
    assert_eq!(content.note("certificate-name"), Some("web"));
    assert_eq!(content.annotations.get("cert-manager.io/certificate-name").map(String::as_str), Some("web"), "theirs is left");
    content.verify().await;
    assert_eq!(serial(&stage.looked_at("web").await), serial(&web));

    // What does not fit the spec is made anew; another's is not ours to take.
    let other = merged(notes, &json!({"cert-manager.io/certificate-name": "misfit"}));
    stage.put_secret("misfit", "kubernetes.io/tls", other.clone(), data.clone()).await;
    let misfit = stage.issued("misfit", leaf("ca", "misfit")).await;
    assert_ne!(serial(&misfit), serial(&web));
    stage.put_secret("theirs", "kubernetes.io/tls", other, data).await;
    stage.certificate("theirs", leaf("ca", "theirs")).await;
    stage.unready("theirs", "SecretNotOurs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_can_let_a_certificate_have_a_secret() {
    let stage = Stage::set("consent").await;
    stage.authority().await;
    stage.put_secret("mixed", "Opaque", json!({"example.com/a": "b"}), json!({"password": "hunter2"})).await;
    stage.certificate("web", leaf("ca", "mixed")).await;
    let message = stage.unready("web", "SecretNotOurs").await;
    assert!(message.contains("chancery.dev/allow-adoption=web"), "{message}");
    stage.patch::<Secret>("mixed", json!({"metadata": {"annotations": {"chancery.dev/allow-adoption": "somebody"}}})).await;
    stage.looked_at("web").await;
    stage.unready("web", "SecretNotOurs").await;
    stage.patch::<Secret>("mixed", json!({"metadata": {"annotations": {"chancery.dev/allow-adoption": "web"}}})).await;
    stage.ready("web").await;
    let secret = stage.secret("mixed").await;
    assert_eq!(secret.type_.as_deref(), Some("Opaque"), "the type cannot be changed, and need not be");
    assert_eq!(secret.annotations().get("example.com/a").map(String::as_str), Some("b"));
    let content = stage.content("mixed").await;
    assert_eq!(content.texts().get("password").map(String::as_str), Some("hunter2"));
    assert_eq!(content.note("certificate-name"), Some("web"));
    content.verify().await;
}

fn ending(issuer: &chancery::api::Issuer) -> Option<(&str, &str)> {
    let conditions = &issuer.status.as_ref()?.conditions;
    let found = conditions.iter().find(|found| found.type_ == "AuthorityEnding")?;
    Some((found.status.as_str(), found.reason.as_str()))
}

/// PEM as we write it, whatever its line ends.
fn normal(pem: &str) -> String {
    chancery_pki::Certificate::bundle_from_pem(pem.as_bytes()).expect("it is PEM")[0].to_pem()
}
