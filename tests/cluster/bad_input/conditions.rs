//! What gets in and is refused by the operator: in a condition that names the field or the object at fault, and in an Event.

use chancery::api::{Certificate, Issuer};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::goes_on;
use crate::harness::stays;
use crate::stage::{ForeignCa, Stage, WHILE, condition_of, leaf, merged};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_issuer_or_its_chain_does_not_allow_is_refused_until_it_does() {
    let stage = Stage::set("allow").await;
    stage.authority().await;
    let end = ForeignCa::by_openssl("no CA below", "CA:TRUE,pathlen:0", "keyCertSign,cRLSign").await;
    end.import(&stage, "end", json!({})).await;
    let strict =
        json!({"ca": {"secretName": "ca"}, "allow": {"isCA": false, "usages": ["server auth", "digital signature"], "maxDuration": "24h"}});
    stage.issuer("strict", strict).await;
    stage.issuer("lax", json!({"ca": {"secretName": "ca"}, "allow": {"usages": ["ocsp signing", "digital signature"]}})).await;
    let is_ca = json!({"isCA": true, "commonName": "sub"});
    let brief = json!({"duration": "2h"});
    let root_name = format!("{} root", stage.namespace);
    let rows: Vec<(&str, &str, Value, &str)> = vec![
        ("ca-forbidden", "strict", merged(is_ca.clone(), &brief), "spec.isCA"),
        ("ca-below-the-end", "end", is_ca, "spec.isCA"),
        ("ocsp", "ca", json!({"usages": ["ocsp signing"]}), "spec.usages"),
        ("client", "strict", json!({"usages": ["client auth"], "duration": "2h"}), "spec.usages"),
        ("long", "strict", json!({"duration": "25h"}), "spec.duration"),
        ("same-name", "ca", json!({"commonName": root_name}), "spec.subject"),
    ];
    for (name, issuer, change, _) in &rows {
        stage.certificate(name, merged(leaf(issuer, name), change)).await;
    }
    for (name, _, _, field) in &rows {
        let message = stage.unready(name, "NotAllowed").await;
        assert!(message.contains(field), "{name}: {field} is not in: {message}");
        stage.event(name, "Refused", field).await;
        let certificate = stage.certificates().get(name).await.unwrap();
        assert!(condition_of(&certificate, "Stalled").is_some_and(|stalled| stalled.status == "True"), "{name}");
        assert!(stage.secrets().get_opt(name).await.unwrap().is_none(), "{name} has a Secret");
        assert_eq!(stage.issuances(name).await.len(), 0, "{name}");
    }
    stage.issued("listed", merged(leaf("lax", "listed"), &json!({"usages": ["ocsp signing"]}))).await;
    stage.issued("of-the-end", leaf("end", "of-the-end")).await;
    stage.patch::<Issuer>("strict", json!({"spec": {"allow": {"isCA": true, "usages": null, "maxDuration": "48h"}}})).await;
    for name in ["ca-forbidden", "client", "long"] {
        stage.ready(name).await;
    }
    goes_on(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_issuer_is_named_and_waited_for() {
    let stage = Stage::set("noissuer").await;
    stage.certificate("web", leaf("absent", "web")).await;
    let message = stage.unready("web", "IssuerNotFound").await;
    assert!(message.contains(&format!("Issuer {}/absent", stage.namespace)), "{message}");
    let unknown = format!("{}-absent", stage.namespace);
    let of_cluster = merged(leaf("x", "api"), &json!({"issuerRef": {"name": unknown, "kind": "ClusterIssuer"}}));
    stage.certificate("api", of_cluster).await;
    let message = stage.unready("api", "IssuerNotFound").await;
    assert!(message.contains(&format!("ClusterIssuer {unknown}")), "{message}");
    stage.issuer("absent", json!({"selfSigned": {}})).await;
    stage.ready("web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_secret_that_cannot_sign_makes_an_issuer_that_says_so_and_certificates_that_wait() {
    let stage = Stage::set("badca").await;
    let good = ForeignCa::by_openssl("good", "CA:TRUE", "keyCertSign,cRLSign").await;
    let other = ForeignCa::by_openssl("other", "CA:TRUE", "keyCertSign,cRLSign").await;
    let no_ca = ForeignCa::by_openssl("no ca", "CA:FALSE", "digitalSignature").await;
    let no_sign = ForeignCa::by_openssl("no sign", "CA:TRUE", "digitalSignature").await;
    let past = ForeignCa::of_years("past", 2001, 2002);
    let future = ForeignCa::of_years("future", 2090, 2099);
    let rubbish = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let rows = [
        ("mismatch", json!({"tls.crt": good.certificate, "tls.key": other.key}), "KeyMismatch", "tls.key is not the key"),
        ("expired", past.data(), "Expired", "expired at 2002"),
        ("unborn", future.data(), "ChainInvalid", "2090"),
        ("rubbish", json!({"tls.crt": rubbish, "tls.key": good.key}), "ChainInvalid", "tls.crt cannot be read"),
        ("rubbish-key", json!({"tls.crt": good.certificate, "tls.key": "\u{0}\u{1}"}), "ChainInvalid", "tls.key cannot be read"),
        ("empty", json!({"tls.crt": "", "tls.key": ""}), "ChainInvalid", "has no tls.crt"),
        ("leaf", no_ca.data(), "NotACA", "isCA: true"),
        ("no-sign", no_sign.data(), "NotACA", "key usage"),
        (
            "unrelated",
            json!({"tls.crt": format!("{}{}", good.certificate, other.certificate), "tls.key": good.key}),
            "ChainInvalid",
            "chain",
        ),
    ];
    for (name, data, ..) in &rows {
        stage.put_secret(name, "kubernetes.io/tls", json!({}), data.clone()).await;
        stage.issuer(name, json!({"ca": {"secretName": name}})).await;
        stage.certificate(name, leaf(name, &format!("{name}-leaf"))).await;
    }
    for (name, _, reason, part) in &rows {
        let status = stage.issuer_says(name, "False", reason).await;
        let message = &status.conditions.iter().find(|found| found.type_ == "Ready").expect("it was waited for").message;
        assert!(message.contains(part) && message.contains(&format!("{}/{name}", stage.namespace)), "{name}: {part} is not in: {message}");
        let message = stage.unready(name, "IssuerNotReady").await;
        assert!(message.contains(part), "{name}: {part} is not in: {message}");
        assert!(!message.contains("PRIVATE KEY") && !message.contains("MIIB"), "{message}");
    }
    // Put right, each begins to sign and wakes who waits.
    for (name, ..) in &rows {
        stage.patch::<k8s_openapi::api::core::v1::Secret>(name, json!({"stringData": good.data()})).await;
    }
    for (name, ..) in &rows {
        stage.issuer_ready(name).await;
        stage.ready(name).await;
    }
    goes_on(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_ours_is_neither_written_nor_even_read() {
    let stage = Stage::set("foreign").await;
    let (certificate, key) = crate::stage::self_made("db.example.com");
    let rows = [
        ("database", "Opaque", json!({}), json!({"password": "hunter2"})),
        ("sh.helm.release.v1.web.v1", "helm.sh/release.v1", json!({"meta.helm.sh/release-name": "web"}), json!({"release": "H4sI"})),
        ("tls-of-others", "kubernetes.io/tls", json!({}), json!({"tls.crt": certificate, "tls.key": key})),
        ("of-another", "Opaque", json!({"chancery.dev/certificate-name": "somebody"}), json!({"a": "b"})),
        ("of-cert-manager", "Opaque", json!({"cert-manager.io/certificate-name": "somebody"}), json!({"a": "b"})),
    ];
    let mut before = Vec::new();
    for (name, kind, annotations, data) in &rows {
        before.push(stage.put_secret(name, kind, annotations.clone(), data.clone()).await);
    }
    // By the time that this one is issued, the Secrets have been seen.
    stage.authority().await;
    for (name, ..) in &rows {
        let name = name.replace('.', "-");
        stage.certificate(&name, merged(leaf("ca", "x"), &json!({"secretName": rows.iter().find(|row| row.0.replace('.', "-") == name).map(|row| row.0), "deletionPolicy": "Delete"}))).await;
    }
    for (name, ..) in &rows {
        let certificate = name.replace('.', "-");
        let message = stage.unready(&certificate, "SecretNotOurs").await;
        assert!(message.contains(&format!("chancery.dev/allow-adoption={certificate}")), "{message}");
        stage.event(&certificate, "Refused", "SecretNotOurs").await;
    }
    for (row, before) in rows.iter().zip(before) {
        let now = stage.secret(row.0).await;
        assert_eq!((now.resource_version(), &now.data, &now.type_), (before.resource_version(), &before.data, &before.type_), "{}", row.0);
    }
    let touched: Vec<String> = stage
        .requests()
        .iter()
        .filter(|request| request.resource == "secrets" && rows.iter().any(|row| row.0 == request.name))
        .map(crate::harness::Record::summary)
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_beyond_all_measure_is_refused_and_changes_nothing() {
    let stage = Stage::set("longask").await;
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    let secret = stage.secret("web").await.resource_version();
    stage.ask("web", &"x".repeat(254)).await;
    let message = stage.unready("web", "InvalidSpec").await;
    assert!(message.contains("chancery.dev/renew"), "{message}");
    stays(&stage.secrets(), "web", "as it was", WHILE, |now| now.resource_version() == secret).await;
    stage.patch::<Certificate>("web", json!({"metadata": {"annotations": {"chancery.dev/renew": null}}})).await;
    stage.ready("web").await;
    assert_eq!(stage.issuances("web").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_no_clock_shows_is_refused_by_its_field_and_a_good_one_takes_its_place() {
    let stage = Stage::set("windows").await;
    stage.authority().await;
    let nightly = json!({"cron": "0 2 * * *", "windowDuration": "1h"});
    let rows = [
        ("no-such-minute", json!({"cron": "60 2 * * *"}), "spec.renewal.windows[1].cron", "for the minute: use 0 to 59"),
        ("no-such-day", json!({"cron": "0 2 30 2 *"}), "spec.renewal.windows[1].cron", "names days that no year has"),
        ("no-such-zone", json!({"timezone": "Europe/Bonn"}), "spec.renewal.windows[1].timezone", "for example Europe/Berlin"),
    ];
    for (name, change, _, _) in &rows {
        let renewal = json!({"renewal": {"windows": [nightly, merged(nightly.clone(), change)]}});
        stage.certificate(name, merged(leaf("ca", name), &renewal)).await;
    }
    for (name, _, field, problem) in &rows {
        let message = stage.unready(name, "InvalidSpec").await;
        assert!(message.contains(field) && message.contains(problem), "{name}: {message}");
        assert_eq!(stage.issuances(name).await.len(), 0, "{name}");
        stage.patch::<Certificate>(name, json!({"spec": {"renewal": {"windows": [nightly]}}})).await;
        stage.ready(name).await;
        let renewed = stage.certificates().get(name).await.unwrap().status.unwrap().renewal_time.unwrap().0;
        assert_eq!(renewed.to_zoned(jiff::tz::TimeZone::UTC).hour(), 2, "{name}: {renewed}");
    }
    goes_on(&stage).await;
}
