//! The other forms of key and certificates in a Secret: programs that are not ours read them, they follow certificate and password,
//! and nothing is written that need not be.

use std::collections::BTreeSet;

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Map, Value, json};

use super::passwords::nobody_is_told;
use super::store::{Entry, Store, data, public_key, serials};
use super::versions::{Versions, changes};
use crate::harness::{Ground, OwnOperator, Program, wait_for};
use crate::stage::{Content, SOON, Stage, ca, condition_of, is_ready, leaf, merged, serial};

const FORMS: [&str; 6] = ["key.der", "tls-combined.pem", "keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"];
const NOTE: &str = "~annotation chancery.dev/forms";
const JKS: &str = "change it: 4 jks";
const PKCS12: &str = "change it: 4 pkcs12";

/// A root, an intermediate, and Issuers of both: then there is a chain to put into a store.
async fn two_tiers(stage: &Stage) {
    stage.authority().await;
    let middle = ca("ca", "middle", &format!("{} middle", stage.namespace));
    stage.issued("middle", merged(middle, &json!({"duration": "4000h"}))).await;
    stage.issuer("middle", json!({"ca": {"secretName": "middle"}})).await;
    stage.issuer_ready("middle").await;
}

/// All forms, with passwords from a Secret.
fn all_forms(passwords: &str) -> Value {
    let password = |key: &str| json!({"name": passwords, "key": key});
    json!({
        "additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}],
        "keystores": {
            "jks": {"create": true, "passwordSecretRef": password("jks")},
            "pkcs12": {"create": true, "profile": "Modern2023", "passwordSecretRef": password("pkcs12")},
        },
    })
}

async fn put_passwords(stage: &Stage, name: &str) {
    stage.put_secret(name, "Opaque", json!({}), json!({"jks": JKS, "pkcs12": PKCS12})).await;
}

/// Whether all forms in a Secret are those of the certificate and the key in it, as openssl and keytool read them.
async fn all_are_of_its_certificate(secret: &Secret, profile: &str) {
    let content = Content::of(secret);
    let public = public_key(&content.key_text).await;
    let chain: Vec<String> = content.chain.iter().map(|certificate| plain(certificate.serial())).collect();
    let root = plain(content.roots[0].serial());

    let der = Program::openssl().args(["pkey", "-inform", "DER", "-pubout"]).stdin(data(secret, "key.der")).run().await;
    assert_eq!(der, public, "key.der");
    let combined = String::from_utf8(data(secret, "tls-combined.pem")).unwrap();
    assert_eq!(combined, format!("{}\n{}", content.key_text, content.texts()["tls.crt"]));
    assert_eq!((public_key(&combined).await, serials(&combined).await), (public.clone(), chain.clone()), "tls-combined.pem");

    let trusted = || Entry { alias: "ca".to_owned(), key: false, serials: vec![root.clone()] };
    let own = |alias: &str, serials: &[String]| Entry { alias: alias.to_owned(), key: true, serials: serials.to_vec() };
    let store = Store::of(secret, "keystore.jks", JKS);
    assert_eq!(sorted(store.entries().await), [trusted(), own("certificate", &chain)], "keystore.jks");
    assert_eq!(store.public_key_by_keytool("certificate").await, public, "keystore.jks");
    assert_eq!(Store::of(secret, "truststore.jks", JKS).entries().await, [trusted()], "truststore.jks");

    let (store, trust) = (Store::of(secret, "keystore.p12", PKCS12), Store::of(secret, "truststore.p12", PKCS12));
    let whole: Vec<String> = chain.iter().chain([&root]).cloned().collect();
    let newest = profile == "Modern2026";
    let more: &[&str] = if newest { &["-nomacver"] } else { &[] };
    let text = store.by_openssl(more).await.unwrap_or_else(|complaint| panic!("keystore.p12: {complaint}"));
    assert_eq!((public_key(&text).await, serials(&text).await), (public.clone(), whole.clone()), "keystore.p12");
    let text = trust.by_openssl(more).await.unwrap_or_else(|complaint| panic!("truststore.p12: {complaint}"));
    assert_eq!(serials(&text).await, std::slice::from_ref(&root), "truststore.p12");
    if !newest {
        // Java does not know the integrity code of the newest profile before its version 26.
        assert_eq!(sorted(store.entries().await), [own("1", &whole)], "keystore.p12");
        assert_eq!(store.public_key_by_keytool("1").await, public, "keystore.p12");
        assert_eq!(trust.entries().await, [trusted()], "truststore.p12");
    }
}

fn plain(serial: &chancery_pki::SerialNumber) -> String {
    serial.to_string().trim_start_matches('0').to_owned()
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|one, other| one.alias.cmp(&other.alias));
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_and_java_read_every_form_of_every_kind_of_key_in_every_profile() {
    let rows = [
        ("p256", json!({}), Value::Null),
        ("p384", json!({"size": 384, "encoding": "PKCS8"}), json!("LegacyDES")),
        ("p521", json!({"size": 521}), json!("LegacyRC2")),
        ("rsa", json!({"algorithm": "RSA"}), json!("Modern2023")),
        ("rsa-pkcs8", json!({"algorithm": "RSA", "size": 3072, "encoding": "PKCS8"}), json!("LegacyRC2")),
        ("ed25519", json!({"algorithm": "Ed25519"}), json!("Modern2023")),
        ("newest", json!({}), json!("Modern2026")),
    ];
    let stage = Stage::set("read").await;
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    for (name, key, profile) in &rows {
        let more = json!({"privateKey": key, "keystores": {"pkcs12": {"profile": profile}}});
        stage.certificate(name, merged(merged(leaf("middle", name), &all_forms("passwords")), &more)).await;
    }
    for (name, _, profile) in &rows {
        stage.ready(name).await;
        all_are_of_its_certificate(&stage.secret(name).await, profile.as_str().unwrap_or("LegacyRC2")).await;
        stage.content(name).await.verify().await;
    }
    nobody_is_told(&stage, stage.ground.operator().await, &[JKS, PKCS12]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_self_signed_certificate_and_one_whose_alias_has_capitals_are_read_by_java() {
    let stage = Stage::set("alone").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    // Java reads no certificate whose issuer has no name.
    let store = |alias: &str| json!({"commonName": "web", "keystores": {"jks": {"create": true, "alias": alias, "password": JKS}}});
    stage.issued("web", merged(leaf("self", "web"), &store("My-Web"))).await;
    let secret = stage.secret("web").await;
    let own = plain(Content::of(&secret).leaf().serial());
    let entry = |alias: &str, key| Entry { alias: alias.to_owned(), key, serials: vec![own.clone()] };
    assert_eq!(sorted(Store::of(&secret, "keystore.jks", JKS).entries().await), [entry("ca", false), entry("my-web", true)]);
    // The alias that a trusted certificate usually has is the key's where it is asked for.
    stage.respec("web", store("ca")).await;
    stage.ready("web").await;
    let entries = sorted(Store::of(&stage.secret("web").await, "keystore.jks", JKS).entries().await);
    assert_eq!(entries, [entry("ca", true), entry("ca-1", false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_waits_for_the_password_of_its_stores_and_says_for_which() {
    let stage = Stage::set("nopass").await;
    two_tiers(&stage).await;
    stage.certificate("web", merged(leaf("middle", "web"), &all_forms("passwords"))).await;
    let message = stage.unready("web", "KeystorePasswordMissing").await;
    assert!(message.contains("Secret passwords "), "{message}");
    stage.put_secret("passwords", "Opaque", json!({}), json!({"jks": JKS})).await;
    let says_key = |now: &Certificate| {
        condition_of(now, "Ready").is_some_and(|ready| ready.reason == "KeystorePasswordMissing" && ready.message.contains("no key pkcs12"))
    };
    wait_for(&stage.certificates(), "web", "the key that is missing is named", SOON, says_key).await;
    assert_eq!(stage.issuances("web").await.len(), 0, "nothing is signed meanwhile");
    assert!(stage.secrets().get_opt("web").await.unwrap().is_none());

    stage.patch::<Secret>("passwords", json!({"stringData": {"pkcs12": PKCS12}})).await;
    stage.ready("web").await;
    all_are_of_its_certificate(&stage.secret("web").await, "Modern2023").await;
    assert_eq!(stage.issuances("web").await, ["Created"]);
    nobody_is_told(&stage, stage.ground.operator().await, &[JKS, PKCS12]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_locks_the_same_certificate_anew_and_one_that_does_not_costs_no_new_store() {
    let stage = Stage::set("repass").await;
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    let web = stage.issued("web", merged(leaf("middle", "web"), &all_forms("passwords"))).await;
    let before = stage.secret("web").await;
    let mut versions = Versions::since(&stage, "web", &before.resource_version().unwrap()).await;

    // A version of the Secret is noted; what is in the stores is the same.
    stage.patch::<Secret>("passwords", json!({"metadata": {"labels": {"touched": "true"}}})).await;
    let noted = follows(&stage, "passwords").await;
    assert_eq!(changes(&before, &noted), BTreeSet::from([NOTE.to_owned()]));
    stage.reconciled("web").await;
    stage.looked_at("web").await;
    assert_eq!(versions.up_to_now(&stage).await.len(), 1, "writes of the Secret");

    stage.patch::<Secret>("passwords", json!({"stringData": {"pkcs12": "the next one"}})).await;
    let after = follows(&stage, "passwords").await;
    let expected = [NOTE, "~data keystore.p12", "~data truststore.p12"].map(ToOwned::to_owned);
    assert_eq!(changes(&noted, &after), BTreeSet::from(expected));
    for name in ["keystore.p12", "truststore.p12"] {
        assert!(Store::of(&after, name, "the next one").opens().await, "{name} is not opened by the new password");
        assert!(!Store::of(&after, name, PKCS12).opens().await, "{name} is opened by the old password");
    }
    stage.patch::<Secret>("passwords", json!({"stringData": {"pkcs12": PKCS12, "jks": "another for jks"}})).await;
    let last = follows(&stage, "passwords").await;
    for name in ["keystore.jks", "truststore.jks"] {
        assert!(Store::of(&last, name, "another for jks").opens().await, "{name} is not opened by the new password");
        assert!(!Store::of(&last, name, JKS).opens().await, "{name} is opened by the old password");
    }
    assert_eq!(serial(&stage.reconciled("web").await), serial(&web));
    assert_eq!(versions.up_to_now(&stage).await.len(), 2, "writes of the Secret");
    assert_eq!(stage.issuances("web").await, ["Created"]);
    nobody_is_told(&stage, stage.ground.operator().await, &[JKS, PKCS12, "the next one", "another for jks"]).await;
}

/// Waits until the stores in the Secret `web` are locked with the passwords as they are now.
async fn follows(stage: &Stage, passwords: &str) -> Secret {
    let version = stage.secret(passwords).await.resource_version().unwrap();
    // The Secret's uid stands before it, and a quotation mark after it.
    let mark = format!(".{version}\"");
    let noted = |secret: &Secret| secret.annotations().get("chancery.dev/forms").is_some_and(|forms| forms.contains(&mark));
    wait_for(&stage.secrets(), "web", &format!("made with version {version} of the passwords"), SOON, noted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_gone_takes_nothing_away_and_only_a_new_certificate_waits_for_it() {
    let stage = Stage::set("lostpass").await;
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    let web = stage.issued("web", merged(leaf("middle", "web"), &all_forms("passwords"))).await;
    let before = stage.secret("web").await.resource_version();
    stage.secrets().delete("passwords", &DeleteParams::default()).await.unwrap();
    let warns =
        |now: &Certificate| is_ready(now) && condition_of(now, "Ready").is_some_and(|ready| ready.message.contains("Secret passwords "));
    wait_for(&stage.certificates(), "web", "Ready, and a warning", SOON, warns).await;
    stage.ask("web", "now").await;
    let asked =
        |now: &Certificate| warns(now) && condition_of(now, "Ready").is_some_and(|ready| ready.message.contains("chancery.dev/renew"));
    let waits = wait_for(&stage.certificates(), "web", "Ready, and a wish that waits", SOON, asked).await;
    assert_eq!(serial(&waits), serial(&web));
    assert_eq!(stage.secret("web").await.resource_version(), before);

    put_passwords(&stage, "passwords").await;
    stage.replaced(&web).await;
    all_are_of_its_certificate(&stage.secret("web").await, "Modern2023").await;
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_tampered_with_is_put_right_around_the_same_certificate() {
    let stage = Stage::set("tamper").await;
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    let web = stage.issued("web", merged(leaf("middle", "web"), &all_forms("passwords"))).await;
    stage.issued("api", merged(leaf("middle", "api"), &all_forms("passwords"))).await;
    let of_another = stage.secret("api").await.data.unwrap();
    let damage = |value: &dyn Fn(&str) -> Value| json!({"data": FORMS.map(|form| (form.to_owned(), value(form))).into_iter().collect::<Map<_, _>>()});
    let damages = [
        ("rubbish", damage(&|_| json!("cnViYmlzaA=="))),
        ("nothing", damage(&|_| Value::Null)),
        ("emptiness", damage(&|_| json!(""))),
        ("another certificate's", damage(&|form| json!(of_another[form]))),
    ];
    for (what, damage) in damages {
        let before = stage.secret("web").await;
        let mut versions = Versions::since(&stage, "web", &before.resource_version().unwrap()).await;
        let spoilt = stage.patch::<Secret>("web", damage).await.resource_version();
        wait_for(&stage.secrets(), "web", &format!("another version than the one with {what}"), SOON, |now| {
            now.resource_version() != spoilt
        })
        .await;
        assert_eq!(serial(&stage.reconciled("web").await), serial(&web), "{what}");
        let after = stage.secret("web").await;
        all_are_of_its_certificate(&after, "Modern2023").await;
        assert_eq!(versions.up_to_now(&stage).await.len(), 2, "{what}: the damage, and one write");
        // The root's store has nothing random in it but in PKCS#12, and a form without any is as it was.
        let same = |form: &str| data(&before, form) == data(&after, form);
        assert!(same("key.der") && same("tls-combined.pem") && same("truststore.jks"), "{what}");
    }
    assert_eq!(stage.issuances("web").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_forms_are_of_a_renewed_certificate_and_go_when_they_are_not_asked_for_any_more() {
    let stage = Stage::set("turn").await;
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    let first = stage.issued("web", merged(leaf("middle", "web"), &all_forms("passwords"))).await;
    stage.patch::<Secret>("web", json!({"stringData": {"mine": "stays"}})).await;
    let old = stage.secret("web").await;
    stage.ask("web", "now").await;
    let second = stage.replaced(&first).await;
    let new = stage.secret("web").await;
    assert!(FORMS.iter().filter(|form| !form.starts_with("truststore")).all(|form| data(&old, form) != data(&new, form)));
    all_are_of_its_certificate(&new, "Modern2023").await;

    let names = |secret: &Secret| secret.data.iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    stage.respec("web", json!({"additionalOutputFormats": [{"type": "DER"}], "keystores": {"jks": null}})).await;
    stage.ready("web").await;
    let kept = ["ca.crt", "key.der", "keystore.p12", "mine", "tls.crt", "tls.key", "truststore.p12"];
    assert_eq!(names(&stage.secret("web").await), kept);
    stage.respec("web", json!({"additionalOutputFormats": null, "keystores": null})).await;
    stage.ready("web").await;
    let bare = stage.secret("web").await;
    assert_eq!(names(&bare), ["ca.crt", "mine", "tls.crt", "tls.key"]);
    assert!(!bare.annotations().contains_key("chancery.dev/forms"));

    // Of that name, and somebody else's: who did not put it does not take it away, not even with another certificate.
    stage.patch::<Secret>("web", json!({"stringData": {"truststore.jks": "somebody's"}})).await;
    stage.ask("web", "again").await;
    stage.replaced(&second).await;
    assert_eq!(data(&stage.secret("web").await, "truststore.jks"), b"somebody's");
    assert_eq!(data(&stage.secret("web").await, "mine"), b"stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_start_of_the_operator_writes_nothing() {
    let ground = Ground::prepared().await;
    let mut operator = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    two_tiers(&stage).await;
    put_passwords(&stage, "passwords").await;
    let literal = json!({"keystores": {"jks": {"create": true, "password": JKS}, "pkcs12": {"create": true, "password": PKCS12}}});
    let rows = [("referred", all_forms("passwords")), ("literal", literal)];
    let mut before = Vec::new();
    for (name, forms) in &rows {
        stage.issued(name, merged(leaf("middle", name), forms)).await;
    }
    for (name, _) in &rows {
        before.push((stage.reconciled(name).await.resource_version(), stage.secret(name).await.resource_version()));
    }
    operator.restart().await;
    // By the time that a new one is made, those that were there have been looked at.
    stage.issued("after", leaf("middle", "after")).await;
    for ((name, _), before) in rows.iter().zip(before) {
        let now = stage.certificates().get(name).await.unwrap();
        assert_eq!((now.resource_version(), stage.secret(name).await.resource_version()), before, "{name}");
        stage.looked_at(name).await;
        assert_eq!(stage.secret(name).await.resource_version(), before.1, "{name}");
    }
    nobody_is_told(&stage, &operator, &[JKS, PKCS12]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_secret_of_a_certificate_is_not_taken() {
    let stage = Stage::set("ownpass").await;
    stage.authority().await;
    stage.issued("other", leaf("ca", "other")).await;
    stage.patch::<Secret>("other", json!({"stringData": {"password": "no place for it"}})).await;
    let store = json!({"keystores": {"jks": {"create": true, "passwordSecretRef": {"name": "other"}}}});
    stage.certificate("web", merged(leaf("ca", "web"), &store)).await;
    let message = stage.unready("web", "KeystorePasswordMissing").await;
    assert!(message.contains("Secret other") && message.contains("keep the password in another"), "{message}");
    nobody_is_told(&stage, stage.ground.operator().await, &["no place for it"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_no_store_takes_is_refused_before_anything_is_signed() {
    let stage = Stage::set("badpass").await;
    stage.authority().await;
    let bad = [
        ("binary", json!({"data": {"password": "/wD+"}}), "UTF-8"),
        ("long", json!({"stringData": {"password": "x".repeat(1025)}}), "1024"),
    ];
    let store = |passwords: &str| json!({"keystores": {"pkcs12": {"create": true, "passwordSecretRef": {"name": passwords}}}});
    for (name, password, words) in bad {
        stage.put_secret(name, "Opaque", json!({}), json!({"password": "a good one"})).await;
        let good = stage.issued(&format!("{name}-later"), merged(leaf("ca", &format!("{name}-later")), &store(name))).await;
        stage.patch::<Secret>(name, password).await;
        let warns = |now: &Certificate| is_ready(now) && condition_of(now, "Ready").is_some_and(|ready| ready.message.contains(words));
        let later = wait_for(&stage.certificates(), &good.name_any(), "Ready, and a warning", SOON, warns).await;
        assert_eq!(serial(&later), serial(&good), "{name}");

        stage.certificate(name, merged(leaf("ca", &format!("{name}-tls")), &store(name))).await;
        let message = stage.unready(name, "KeystorePasswordMissing").await;
        assert!(message.contains(words) && message.contains(&format!("Secret {name}")), "{name}: {message}");
        assert!(stage.lines(name).await.is_empty(), "{name}: on record");
        stage.patch::<Secret>(name, json!({"stringData": {"password": "a better one"}})).await;
        stage.ready(name).await;
        for secret in [format!("{name}-tls"), format!("{name}-later")] {
            let opened = async |secret: &str| Store::of(&stage.secret(secret).await, "keystore.p12", "a better one").opens().await;
            stage.reconciled(if secret.ends_with("-tls") { name } else { &secret }).await;
            assert!(opened(&secret).await, "{secret}");
        }
    }
}
