//! When a new certificate is made, and why: the first check that is violated names the reason in register, status and Event.
//! When none is made: everything that can be put right around the same certificate.

use std::collections::BTreeMap;

use chancery::api::{Certificate, Issuer};
use chancery_pki::{KeyAlgorithm, KeyEncoding, PrivateKey};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{stays, wait_for};
use crate::stage::{ForeignCa, SOON, Stage, WHILE, ca, condition_of, is_ready, key_id, leaf, merged, serial};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_spec_makes_a_new_certificate_and_names_the_first_check_that_it_violates() {
    let rsa = json!({"privateKey": {"algorithm": "RSA"}});
    let rows = [
        ("issuer", json!({}), json!({"issuerRef": {"name": "other"}}), "IssuerChanged"),
        ("dns-name", json!({}), json!({"dnsNames": ["a.example.com", "b.example.com"]}), "NamesChanged"),
        ("address", json!({"ipAddresses": ["10.0.0.1"]}), json!({"ipAddresses": null}), "NamesChanged"),
        ("uri", json!({}), json!({"uris": ["spiffe://a/b"]}), "NamesChanged"),
        ("email", json!({}), json!({"emailAddresses": ["a@example.com"]}), "NamesChanged"),
        ("common-name", json!({"commonName": "a"}), json!({"commonName": "b"}), "SubjectChanged"),
        ("subject", json!({"subject": {"organizations": ["A"]}}), json!({"subject": {"organizations": ["A", "B"]}}), "SubjectChanged"),
        ("subject-gone", json!({"subject": {"organizations": ["A"]}}), json!({"subject": null}), "SubjectChanged"),
        ("usages", json!({}), json!({"usages": ["digital signature", "client auth"]}), "UsagesChanged"),
        ("usages-gone", json!({"usages": ["digital signature", "client auth"]}), json!({"usages": null}), "UsagesChanged"),
        ("algorithm", json!({}), json!({"privateKey": {"algorithm": "Ed25519"}}), "KeyChanged"),
        ("size", json!({"privateKey": {"size": 256}}), json!({"privateKey": {"size": 384}}), "KeyChanged"),
        ("key-gone", json!({"privateKey": {"size": 384}}), json!({"privateKey": null}), "KeyChanged"),
        ("encoding", json!({}), json!({"privateKey": {"encoding": "PKCS8"}}), "KeyChanged"),
        ("duration", json!({"duration": "240h"}), json!({"duration": "241h"}), "DurationChanged"),
        ("duration-gone", json!({"duration": "240h"}), json!({"duration": null}), "DurationChanged"),
        ("two-at-once", json!({}), merged(rsa, &json!({"dnsNames": ["b.example.com"], "duration": "10h"})), "NamesChanged"),
    ];
    let stage = Stage::set("respec").await;
    stage.authority().await;
    stage.issuer("other", json!({"ca": {"secretName": "ca"}})).await;
    for (name, spec, ..) in &rows {
        stage.certificate(name, merged(leaf("ca", name), spec)).await;
    }
    let mut before = Vec::new();
    for (name, _, change, _) in &rows {
        before.push((stage.ready(name).await, stage.content(name).await.key.key_id()));
        stage.respec(name, change.clone()).await;
    }
    for ((name, _, _, reason), (before, key)) in rows.iter().zip(before) {
        let after = stage.replaced(&before).await;
        let issued = after.status.clone().unwrap_or_default().issued;
        assert_eq!(issued.iter().map(|issued| issued.reason.as_str()).collect::<Vec<_>>(), [*reason, "Created"], "{name}");
        stage.event(name, "Reissued", &format!("serial {}, {reason}: ", serial(&after))).await;
        assert_eq!(stage.issuances(name).await, ["Created", *reason], "{name}");
        let content = stage.content(name).await;
        assert_eq!(content.serial(), serial(&after), "{name}");
        assert_ne!(content.key.key_id(), key, "{name}: a new certificate has a new key");
        content.verify().await;
        assert_eq!(serial(&stage.looked_at(name).await), serial(&after), "{name}: once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_secret_is_made_anew_and_the_reason_says_how_it_was_damaged() {
    let another_key = || {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        key.to_pem(KeyEncoding::Pkcs8).unwrap().to_string()
    };
    let rows = [
        ("no-certificate", json!({"data": {"tls.crt": ""}}), "SecretUnreadable"),
        ("no-key", json!({"data": {"tls.key": ""}}), "SecretUnreadable"),
        (
            "rubbish-certificate",
            json!({"stringData": {"tls.crt": "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n"}}),
            "SecretUnreadable",
        ),
        ("rubbish-key", json!({"stringData": {"tls.key": "\u{1}\u{2}\u{3}"}}), "SecretUnreadable"),
        ("another-key", json!({"stringData": {"tls.key": another_key()}}), "KeyMismatch"),
        ("both", json!({"stringData": {"tls.key": another_key(), "tls.crt": "x"}}), "SecretUnreadable"),
    ];
    let stage = Stage::set("damage").await;
    stage.authority().await;
    stage.certificate("deleted", leaf("ca", "deleted")).await;
    for (name, ..) in &rows {
        stage.certificate(name, leaf("ca", name)).await;
    }
    let deleted = stage.ready("deleted").await;
    stage.secrets().delete("deleted", &DeleteParams::default()).await.unwrap();
    let mut before = vec![("deleted", deleted, "SecretMissing")];
    for (name, damage, reason) in &rows {
        before.push((name, stage.ready(name).await, reason));
        // A person's own key beside ours stays.
        stage.patch::<Secret>(name, merged(json!({"data": {"extra": "eA=="}}), damage)).await;
    }
    for (name, before, reason) in before {
        let after = stage.replaced(&before).await;
        stage.event(name, "Reissued", &format!("serial {}, {reason}: ", serial(&after))).await;
        assert_eq!(stage.issuances(name).await, ["Created", reason], "{name}");
        let content = stage.content(name).await;
        assert_eq!(content.serial(), serial(&after), "{name}");
        content.verify().await;
        assert_eq!(content.texts().contains_key("extra"), name != "deleted", "{name}: a foreign key of the Secret is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_certificate_that_is_put_back_is_not_current() {
    let stage = Stage::set("older").await;
    stage.authority().await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    let old = stage.content("web").await.texts().clone();
    stage.ask("web", "1").await;
    let second = stage.replaced(&first).await;
    stage.patch::<Secret>("web", json!({"stringData": old})).await;
    let third = stage.replaced(&second).await;
    assert_ne!(serial(&third), serial(&first));
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested", "NotCurrent"]);
    stage.event("web", "Reissued", &format!("the register's last one for this Certificate is {}", serial(&second))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_due_is_renewed_and_one_that_has_expired_is_made_anew() {
    let stage = Stage::set("due").await;
    let foreign = ForeignCa::by_openssl("their CA", "CA:TRUE", "keyCertSign,cRLSign").await;
    foreign.import(&stage, "ca", json!({})).await;
    // The way to a certificate of some age: it was cert-manager's before.
    // The way to a certificate of some age: it was cert-manager's before.
    let adopt = async |name: &str, from: i64, until: i64| {
        let (certificate, key) = foreign.sign_for_days(&format!("{name}.example.com"), from, until);
        let notes =
            json!({"cert-manager.io/certificate-name": name, "cert-manager.io/issuer-name": "ca", "cert-manager.io/issuer-kind": "Issuer"});
        stage.put_secret(name, "kubernetes.io/tls", notes, json!({"tls.crt": certificate, "tls.key": key})).await;
        stage.certificate(name, leaf("ca", name)).await;
    };
    for (name, spec) in [("sooner", json!({"renewBefore": "1000h"})), ("percentage", json!({"renewBeforePercentage": 50}))] {
        adopt(name, -50, 40).await;
        let found = stage.ready(name).await;
        stage.respec(name, spec).await;
        stage.replaced(&found).await;
        stage.event(name, "Renewed", "RenewalDue: due for renewal since").await;
        assert_eq!(stage.issuances(name).await, ["Found", "RenewalDue"], "{name}");
        stage.content(name).await.verify().await;
    }
    // What is found too late is not taken over: the first certificate on record is a new one.
    for (name, from, until, event, reason) in [("due", -80, 10, "Renewed", "RenewalDue"), ("expired", -80, -1, "Reissued", "Expired")] {
        adopt(name, from, until).await;
        stage.ready(name).await;
        stage.event(name, event, reason).await;
        assert_eq!(stage.issuances(name).await, ["Created"], "{name}");
        stage.content(name).await.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_of_the_annotation_asks_once_and_the_same_value_not_again() {
    let stage = Stage::set("asked").await;
    stage.authority().await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    stage.ask("web", "today").await;
    let second = stage.replaced(&first).await;
    assert_eq!(second.status.as_ref().and_then(|status| status.renew_handled.as_deref()), Some("today"));
    assert_eq!(stage.content("web").await.note("renew-handled"), Some("today"));
    stage.ask("web", "today").await;
    assert_eq!(serial(&stage.looked_at("web").await), serial(&second), "the same value");
    stage.patch::<Certificate>("web", json!({"metadata": {"annotations": {"chancery.dev/renew": null}}})).await;
    assert_eq!(serial(&stage.looked_at("web").await), serial(&second), "no value");
    stage.ask("web", "tomorrow").await;
    let third = stage.replaced(&second).await;
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested", "RenewRequested"]);
    assert_eq!(third.status.and_then(|status| status.revision), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_around_a_certificate_is_put_right_without_a_new_one() {
    let stage = Stage::set("dress").await;
    stage.authority().await;
    let template = json!({"labels": {"app": "web", "tier": "a"}, "annotations": {"example.com/a": "1", "example.com/b": "1"}});
    let first = stage.issued("web", merged(leaf("ca", "web"), &json!({"secretTemplate": template}))).await;
    let notes = |secret: &Secret| -> BTreeMap<String, String> {
        secret.labels().iter().chain(secret.annotations()).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let original = notes(&stage.secret("web").await);

    let spoilt = json!({
        "labels": {"app": null, "tier": "z", "chancery.dev/managed": null, "mine": "stays"},
        "annotations": {"example.com/a": null, "example.com/b": "9", "chancery.dev/serial-number": "00", "chancery.dev/issuer-kind": null, "example.com/mine": "stays"},
    });
    stage.patch::<Secret>("web", json!({"metadata": spoilt})).await;
    let right = |secret: &Secret| original.iter().all(|(key, value)| notes(secret).get(key) == Some(value));
    let mended = wait_for(&stage.secrets(), "web", "its labels and annotations as they were", SOON, right).await;
    assert_eq!(mended.labels().get("mine").map(String::as_str), Some("stays"));
    assert_eq!(mended.annotations().get("example.com/mine").map(String::as_str), Some("stays"));

    stage.respec("web", json!({"secretTemplate": {"labels": {"tier": null, "zone": "b"}, "annotations": {"example.com/a": "2", "example.com/b": null}}})).await;
    stage.ready("web").await;
    let now = notes(&stage.secret("web").await);
    for (key, value) in [("app", Some("web")), ("zone", Some("b")), ("tier", None), ("example.com/a", Some("2")), ("example.com/b", None)] {
        assert_eq!(now.get(key).map(String::as_str), value, "{key}");
    }
    stage.respec("web", json!({"secretTemplate": null})).await;
    stage.ready("web").await;
    let now = notes(&stage.secret("web").await);
    assert!(!now.contains_key("app") && !now.contains_key("example.com/a") && now.contains_key("mine"), "{now:?}");
    assert_eq!(serial(&stage.reconciled("web").await), serial(&first));
    assert_eq!(stage.issuances("web").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_default_acts_at_the_next_renewal_and_triggers_none() {
    let stage = Stage::set("defaults").await;
    let defaults =
        json!({"certificateDefaults": {"duration": "48h", "renewBefore": "12h", "usages": ["server auth"], "privateKey": {"size": 384}}});
    stage.authority_with(defaults).await;
    let first = stage.issued("web", leaf("ca", "web")).await;
    let resolved = |certificate: &Certificate| {
        let resolved = certificate.status.as_ref().and_then(|status| status.resolved.clone()).expect("it is in the status");
        (resolved.duration.to_string(), resolved.usages.join(","), resolved.private_key.size)
    };
    assert_eq!(resolved(&first), ("48h0m0s".to_owned(), "server auth".to_owned(), Some(384)));
    let changed =
        json!({"duration": "24h", "renewBefore": "6h", "usages": ["client auth"], "privateKey": {"algorithm": "Ed25519", "size": null}});
    stage.patch::<Issuer>("ca", json!({"spec": {"certificateDefaults": changed}})).await;
    stage.issuer_ready("ca").await;
    let renewal = |now: &Certificate| now.status.as_ref().and_then(|status| status.renewal_time.clone());
    let unmoved = |now: &Certificate| is_ready(now) && serial(now) == serial(&first) && renewal(now) == renewal(&first);
    stays(&stage.certificates(), "web", "as it was issued", WHILE, unmoved).await;
    // Another spec is resolved anew, and a renewal may move; there is no new certificate for it.
    let same = stage.looked_at("web").await;
    assert_eq!((serial(&same), is_ready(&same)), (serial(&first), true));
    stage.ask("web", "now").await;
    let second = stage.replaced(&first).await;
    assert_eq!(resolved(&second), ("24h0m0s".to_owned(), "client auth".to_owned(), None));
    assert_eq!(stage.content("web").await.key.algorithm(), KeyAlgorithm::Ed25519);
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_renew_before_moves_the_renewal_and_makes_nothing_new() {
    let stage = Stage::set("before").await;
    stage.authority().await;
    let first = stage.issued("web", merged(leaf("ca", "web"), &json!({"duration": "1000h"}))).await;
    let lead = |certificate: &Certificate| {
        let status = certificate.status.clone().unwrap_or_default();
        let (end, renewal) = (status.not_after.expect("it has an end").0, status.renewal_time.expect("it has a time").0);
        end.duration_since(renewal).as_hours()
    };
    let in_spread = |hours: i64, lead: i64| (hours..=hours + 50).contains(&lead);
    assert!(in_spread(333, lead(&first)), "{}", lead(&first));
    for (change, hours) in [
        (json!({"renewBefore": "100h"}), 100),
        (json!({"renewBefore": null, "renewBeforePercentage": 50}), 500),
        (json!({"renewBeforePercentage": null}), 333),
    ] {
        stage.respec("web", change.clone()).await;
        let now = stage.ready("web").await;
        assert!(in_spread(hours, lead(&now)), "{change}: {}", lead(&now));
        assert_eq!(serial(&now), serial(&first), "{change}");
    }
    assert_eq!(stage.issuances("web").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_certificate_renewed_with_its_key_brings_its_leaves_the_new_chain_and_no_new_certificate() {
    let stage = Stage::set("cachain").await;
    let root = stage.authority().await;
    let middle = stage.issued("middle", ca("ca", "middle", "the middle")).await;
    stage.issuer("middle", json!({"ca": {"secretName": "middle"}})).await;
    let of_root = stage.issued("of-root", leaf("ca", "of-root")).await;
    let of_middle = stage.issued("of-middle", leaf("middle", "of-middle")).await;

    stage.ask("middle", "1").await;
    let new_middle = stage.replaced(&middle).await;
    assert_eq!(key_id(&new_middle), key_id(&middle), "a CA keeps its key");
    holds_in_chain(&stage, "of-middle", "tls.crt", serial(&new_middle)).await;
    stage.ask("ca", "1").await;
    let new_root = stage.replaced(&root).await;
    assert_eq!(key_id(&new_root), key_id(&root));
    holds_in_chain(&stage, "of-root", "ca.crt", serial(&new_root)).await;
    holds_in_chain(&stage, "middle", "ca.crt", serial(&new_root)).await;
    holds_in_chain(&stage, "of-middle", "ca.crt", serial(&new_root)).await;
    for (name, before) in [("of-root", &of_root), ("of-middle", &of_middle)] {
        assert_eq!(serial(&stage.reconciled(name).await), serial(before), "{name}");
        assert_eq!(stage.issuances(name).await, ["Created"], "{name}");
        stage.content(name).await.verify().await;
    }
    assert_eq!(serial(&stage.reconciled("middle").await), serial(&new_middle));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_of_an_authority_is_followed_when_due_unless_the_issuer_asks_for_it_at_once() {
    let stage = Stage::set("rekey").await;
    stage.authority().await;
    stage.issuer("following", json!({"ca": {"secretName": "ca"}, "certificateDefaults": {"onAuthorityChange": "Reissue"}})).await;
    let stays = stage.issued("stays", leaf("ca", "stays")).await;
    let follows = stage.issued("follows", leaf("following", "follows")).await;

    stage.respec("ca", json!({"privateKey": {"rotationPolicy": "Always"}})).await;
    let root = stage.ready("ca").await;
    stage.ask("ca", "1").await;
    let new_root = stage.replaced(&root).await;
    assert_ne!(key_id(&new_root), key_id(&root));
    let followed = stage.replaced(&follows).await;
    assert_eq!(stage.issuances("follows").await, ["Created", "AuthorityChanged"]);
    stage.event("follows", "Reissued", "AuthorityChanged: ").await;
    assert_eq!(followed.status.as_ref().and_then(|status| status.authority.as_deref()), Some(key_id(&new_root)));
    stage.content("follows").await.verify().await;

    let stayed = stage.looked_at("stays").await;
    assert!(is_ready(&stayed) && condition_of(&stayed, "Issuing").is_none());
    assert_eq!(serial(&stayed), serial(&stays));
    assert_eq!(stayed.status.as_ref().and_then(|status| status.authority.as_deref()), Some(key_id(&root)));
    let content = stage.content("stays").await;
    assert_eq!(content.roots[0].key_id().to_string(), key_id(&root), "the root that its certificate hangs on");
    content.verify().await;
    stage.ask("stays", "1").await;
    let renewed = stage.replaced(&stays).await;
    assert_eq!(renewed.status.as_ref().and_then(|status| status.authority.as_deref()), Some(key_id(&new_root)));
    stage.content("stays").await.verify().await;
}

async fn holds_in_chain(stage: &Stage, secret: &str, key: &str, serial: &str) {
    let what = format!("{serial} in {key}");
    wait_for(&stage.secrets(), secret, &what, SOON, |secret| {
        let content = crate::stage::Content::of(secret);
        let certificates = if key == "ca.crt" { &content.roots } else { &content.chain };
        certificates.iter().any(|certificate| certificate.serial().to_string() == serial)
    })
    .await;
}
