//! The main job: a Certificate becomes a Secret that others can use, with three writes, and is then left alone.

use std::collections::BTreeSet;

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::harness::{Ground, OwnOperator, Program, Record, stays};
use crate::stage::{SOON, Stage, WHILE, ca, condition_of, is_ready, key_id, leaf, merged, serial};

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_from_a_self_signed_root_to_a_leaf_verifies_and_each_secret_is_laid_out_as_promised() {
    let stage = Stage::set("chain").await;
    let root = stage.authority().await;
    let intermediate = stage.issued("middle", ca("ca", "middle", "the middle")).await;
    stage.issuer("middle", json!({"ca": {"secretName": "middle"}})).await;
    let wanted = json!({
        "secretName": "web-tls",
        "issuerRef": {"name": "middle"},
        "commonName": "web.example.com",
        "subject": {"organizations": ["Example, Inc."], "countries": ["DE"], "serialNumber": "HRB 1"},
        "dnsNames": ["web.example.com", "*.web.example.com"],
        "ipAddresses": ["10.0.0.1", "2001:DB8::1"],
        "uris": ["spiffe://example.com/web"],
        "emailAddresses": ["ops@example.com"],
        "usages": ["server auth", "digital signature"],
        "duration": "720h",
        "secretTemplate": {"labels": {"app": "web"}, "annotations": {"example.com/owner": "ops"}},
    });
    let web = stage.issued("web", wanted).await;

    let secret = stage.secret("web-tls").await;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    assert_eq!(keys(&secret), ["ca.crt", "tls.crt", "tls.key"]);
    assert!(secret.metadata.owner_references.is_none(), "a Secret outlives its Certificate");
    assert_eq!(secret.labels().get("chancery.dev/managed").map(String::as_str), Some("true"));
    assert_eq!(secret.labels().get("app").map(String::as_str), Some("web"));
    assert_eq!(secret.annotations().get("example.com/owner").map(String::as_str), Some("ops"));
    let content = stage.content("web-tls").await;
    for (suffix, expected) in [
        ("certificate-name", "web"),
        ("issuer-name", "middle"),
        ("issuer-kind", "Issuer"),
        ("issuer-group", "chancery.dev"),
        ("common-name", "web.example.com"),
        ("alt-names", "*.web.example.com,web.example.com"),
        ("ip-sans", "10.0.0.1,2001:db8::1"),
        ("uri-sans", "spiffe://example.com/web"),
        ("email-sans", "ops@example.com"),
        ("subject-organizations", "\"Example, Inc.\""),
        ("subject-countries", "DE"),
        ("subject-serialnumber", "HRB 1"),
        ("serial-number", serial(&web)),
        ("key-id", key_id(&web)),
        ("requested-duration", "720h0m0s"),
        ("requested-key-encoding", "PKCS1"),
        ("authority", key_id(&intermediate)),
    ] {
        assert_eq!(content.note(suffix), Some(expected), "annotation {suffix}");
    }
    assert_eq!(content.chain.len(), 2, "the leaf and the intermediate, not the root");
    assert_eq!(content.roots[0].key_id().to_string(), key_id(&root));
    content.verify().await;
    let printed = content.printed().await;
    for part in
        ["O = \"Example, Inc.\"", "DNS:*.web.example.com", "URI:spiffe://example.com/web", "TLS Web Server Authentication", "CA:FALSE"]
    {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }

    let status = web.status.clone().unwrap_or_default();
    assert_eq!(status.revision, Some(1));
    assert_eq!(status.authority.as_deref(), Some(key_id(&intermediate)));
    assert_eq!(status.secret.as_ref().map(|secret| secret.name.as_str()), Some("web-tls"));
    assert_eq!(content.serial(), serial(&web));
    assert_eq!(condition_of(&web, "Issuing"), None);
    for (certificate, secret) in [(&root, "ca"), (&intermediate, "middle")] {
        assert_eq!(stage.content(secret).await.serial(), serial(certificate));
        stage.content(secret).await.verify().await;
    }
    stage.event("web", "Issued", serial(&web)).await;
    assert_eq!(stage.issuances("web").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_noted_on_a_certificate_is_still_there_after_a_status_was_written() {
    let stage = Stage::set("noted").await;
    stage.authority().await;
    // kubectl's note is one that the operator does not keep in memory.
    let notes = json!({"kubectl.kubernetes.io/last-applied-configuration": "{\"spec\":{}}", "example.com/owner": "ops"});
    stage.certificate("web", leaf("ca", "web")).await;
    stage.patch::<Certificate>("web", json!({"metadata": {"annotations": notes, "labels": {"app": "web"}}})).await;
    let before = stage.ready("web").await;
    stage.respec("web", merged(leaf("ca", "web"), &json!({"duration": "48h"}))).await;
    let web = stage.replaced(&before).await;
    assert_eq!(json!(web.annotations()), notes);
    assert_eq!(web.labels().get("app").map(String::as_str), Some("web"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_issuer_signs_for_a_namespace_that_never_sees_its_key() {
    let stage = Stage::set("clusterwide").await;
    let system = stage.elsewhere(crate::stage::SYSTEM);
    let name = stage.namespace.clone();
    system.issuer(&format!("{name}-self"), json!({"selfSigned": {}})).await;
    system.issued(&name, ca(&format!("{name}-self"), &name, &format!("{name} root"))).await;
    stage.cluster_issuer(&name, json!({"ca": {"secretName": name}})).await;
    let status = stage.cluster_issuer_says(&name, "True", "Ready").await;
    assert_eq!(status.subject.as_deref(), Some(format!("CN={name} root").as_str()));
    let web = merged(leaf("none", "web"), &json!({"issuerRef": {"name": name, "kind": "ClusterIssuer", "group": "cert-manager.io"}}));
    stage.issued("web", web).await;
    let content = stage.content("web").await;
    content.verify().await;
    assert_eq!(content.note("issuer-kind"), Some("ClusterIssuer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_key_comes_in_the_encoding_that_was_asked_for() {
    let rows = [
        ("default", json!(null), "ECDSA P-256", "EC PRIVATE KEY", "Digital Signature"),
        ("p256-8", json!({"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"}), "ECDSA P-256", "PRIVATE KEY", "Digital Signature"),
        ("p384", json!({"algorithm": "ECDSA", "size": 384}), "ECDSA P-384", "EC PRIVATE KEY", "Digital Signature"),
        ("p521", json!({"size": 521, "encoding": "PKCS8"}), "ECDSA P-521", "PRIVATE KEY", "Digital Signature"),
        ("ed25519", json!({"algorithm": "Ed25519", "encoding": "PKCS1"}), "Ed25519", "PRIVATE KEY", "Digital Signature"),
        ("rsa", json!({"algorithm": "RSA"}), "RSA 2048", "RSA PRIVATE KEY", "Digital Signature, Key Encipherment"),
        ("rsa-8", json!({"size": 2048, "encoding": "PKCS8"}), "RSA 2048", "PRIVATE KEY", "Digital Signature, Key Encipherment"),
    ];
    let stage = Stage::set("keys").await;
    stage.authority().await;
    for (name, key, ..) in &rows {
        stage.certificate(name, merged(leaf("ca", name), &json!({"privateKey": key}))).await;
    }
    for (name, _, algorithm, label, usages) in &rows {
        let certificate = stage.ready(name).await;
        let content = stage.content(name).await;
        assert_eq!(content.key.algorithm().to_string(), *algorithm, "{name}");
        assert!(content.key_text.starts_with(&format!("-----BEGIN {label}-----")), "{name} begins otherwise than as {label}");
        let printed = content.printed().await;
        assert!(printed.contains(&format!("{usages}\n")), "{name}: {usages} is not in\n{printed}");
        content.verify().await;
        let resolved = certificate.status.and_then(|status| status.resolved).expect("what is effective is in the status");
        assert!(algorithm.starts_with(&resolved.private_key.algorithm), "{name}: {resolved:?}");
        assert_eq!(resolved.private_key.encoding, if label.contains(' ') && *label != "PRIVATE KEY" { "PKCS1" } else { "PKCS8" }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_costs_three_writes_and_a_share_of_the_register() {
    const COUNT: usize = 25;
    let stage = Stage::set("writes").await;
    let root = stage.authority().await;
    let register = format!("chancery-register-{}", key_id(&root));
    for number in 0..COUNT {
        let name = format!("leaf-{number:02}");
        stage.certificate(&name, leaf("ca", &name)).await;
    }
    for number in 0..COUNT {
        stage.ready(&format!("leaf-{number:02}")).await;
        stage.event(&format!("leaf-{number:02}"), "Issued", "Created").await;
    }
    let all_logged = |records: &[Record]| writes(records, &stage.namespace).len() >= 3 * COUNT;
    stage.ground.audit().wait_for("three writes for each", SOON, all_logged).await;
    let written = writes(&stage.requests(), &stage.namespace).into_iter().cloned().collect::<Vec<_>>();
    for number in 0..COUNT {
        let name = format!("leaf-{number:02}");
        let of_it = |record: &&Record| match &record.request {
            Some(body) => record.name == name || body["metadata"]["name"] == name.as_str() || body["regarding"]["name"] == name.as_str(),
            None => false,
        };
        let mut kinds: Vec<String> = written.iter().filter(of_it).map(Record::what).collect();
        kinds.sort();
        assert_eq!(kinds, ["create events", "create secrets", "update certificates/status"], "{name}");
    }
    assert_eq!(written.len(), 3 * COUNT, "{:#?}", written.iter().map(Record::summary).collect::<Vec<_>>());
    let appends =
        stage.elsewhere(&stage.system).requests().into_iter().filter(|record| record.is_write() && record.name == register).count();
    assert!((1..=COUNT).contains(&appends), "{appends} writes of the register for {COUNT} certificates");
    let refused: Vec<String> = written.iter().filter(|record| record.code >= 400).map(Record::summary).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_left_alone_also_by_an_operator_that_starts_anew() {
    let ground = Ground::prepared().await;
    let mut operator = OwnOperator::start_with(&ground, |settings| settings.instead("--lease-duration", "60s")).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.authority().await;
    let names = ["one", "two", "three"];
    for name in names {
        stage.issued(name, leaf("ca", name)).await;
        stage.event(name, "Issued", "Created").await;
    }
    let versions = versions(&stage, &names).await;
    for name in names {
        stage.patch::<Certificate>(name, json!({"metadata": {"annotations": {"example.com/note": "x"}}})).await;
    }
    let touched = self::versions(&stage, &names).await;
    for name in names {
        let is_same = |now: &Certificate| touched.contains(&now.resource_version().unwrap_or_default());
        stays(&stage.certificates(), name, "unwritten", WHILE, |now| is_ready(now) && is_same(now)).await;
    }
    let earlier: BTreeSet<String> = stage.requests().into_iter().map(|record| record.id).collect();

    // In order, so that the lease is given back.
    operator.terminate().await;
    operator.restart().await;
    operator.looked("certificate", 4, SOON).await;

    assert_eq!(self::versions(&stage, &names).await, touched, "nothing was written");
    let secrets = |all: &[String]| all.iter().skip(names.len()).cloned().collect::<Vec<_>>();
    assert_eq!(secrets(&touched), secrets(&versions), "no Secret was written");
    let later: Vec<Record> = stage.requests().into_iter().filter(|record| !earlier.contains(&record.id)).collect();
    let shown: Vec<String> = later.iter().map(Record::summary).collect();
    assert!(!later.iter().any(Record::is_write), "{shown:#?}");
    let read = later.iter().filter(|record| record.resource == "secrets" && record.verb == "get").map(|record| record.name.as_str());
    assert_eq!(read.collect::<Vec<_>>(), ["ca"], "only the authority's key is read: {shown:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_what_people_look_for_and_explains_the_fields() {
    let stage = Stage::set("columns").await;
    let root = stage.authority().await;
    let web = stage.issued("web", leaf("ca", "web")).await;
    let kubectl = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Program::kubectl(&stage.ground).args(arguments).run()
    };
    let namespace = stage.namespace.as_str();
    let (narrow, wide, issuers, category) = tokio::join!(
        kubectl(&["get", "ccert", "web", "-n", namespace]),
        kubectl(&["get", "ccert", "web", "-n", namespace, "-o", "wide"]),
        kubectl(&["get", "cissuer", "ca", "-n", namespace, "-o", "wide"]),
        kubectl(&["get", "chancery", "-n", namespace, "-o", "name"]),
    );
    assert_eq!(columns(&narrow), ["NAME", "READY", "REASON", "SECRET", "ISSUER", "EXPIRES", "RENEWS", "AGE"]);
    let row: Vec<&str> = narrow.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(&row[..5], ["web", "True", "Ready", "web", "ca"]);
    assert!(row[5].ends_with('Z') && row[6].ends_with('Z'), "{narrow}");
    for text in [serial(&web), "ECDSA", "valid until"] {
        assert!(wide.contains(text), "{text} is not in\n{wide}");
    }
    for text in ["True", key_id(&root), "root"] {
        assert!(issuers.contains(text), "{text} is not in\n{issuers}");
    }
    for text in ["certificate.chancery.dev/web", "issuer.chancery.dev/ca"] {
        assert!(category.contains(text), "{text} is not in\n{category}");
    }
    for (path, part) in [
        ("certificates.spec.renewBefore", "How long before its expiry"),
        ("certificates.spec.privateKey.rotationPolicy", "Always"),
        ("certificates.spec.issuerRef", "Who signs the certificate"),
        ("certificates.status.keyID", "SHA-256"),
        ("issuers.spec.allow.isCA", "isCA"),
        ("clusterissuers.spec.allow.namespaceSelector", "which namespaces it serves"),
    ] {
        let group = format!("--api-version={}", "chancery.dev/v1alpha1");
        let explained = kubectl(&["explain", path, &group]).await;
        let unfolded = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.contains(part), "{path}: {part} is not in\n{explained}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_ours_is_without_a_word_of_explanation() {
    let ground = Ground::prepared().await;
    for kind in ["certificates", "issuers", "clusterissuers"] {
        let text = Program::kubectl(&ground).args(["get", "crd", &format!("{kind}.chancery.dev"), "-o", "json"]).run().await;
        let crd: Value = serde_json::from_str(&text).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let mut silent = Vec::new();
        for part in ["spec", "status"] {
            undescribed(&format!("{kind}.{part}"), &schema[part], &mut silent);
        }
        assert!(silent.is_empty(), "{silent:#?}");
    }
}

fn undescribed(path: &str, schema: &Value, silent: &mut Vec<String>) {
    if schema["description"].as_str().unwrap_or_default().is_empty() {
        silent.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        undescribed(&format!("{path}.{name}"), property, silent);
    }
    for (name, property) in schema["items"]["properties"].as_object().into_iter().flatten() {
        undescribed(&format!("{path}[].{name}"), property, silent);
    }
}

fn keys(secret: &Secret) -> Vec<&str> {
    secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn columns(table: &str) -> Vec<&str> {
    table.lines().next().unwrap_or_default().split_whitespace().collect()
}

/// What the operator wrote of the leaves.
fn writes<'a>(records: &'a [Record], namespace: &str) -> Vec<&'a Record> {
    let ours = |record: &&Record| record.is_write() && record.namespace == namespace && record.user == crate::harness::SHARED_USER;
    records.iter().filter(ours).filter(|record| record.name.starts_with("leaf-")).collect()
}

/// The resourceVersions of Certificates, and then of their Secrets.
async fn versions(stage: &Stage, names: &[&str]) -> Vec<String> {
    let mut versions = Vec::new();
    for name in names {
        versions.push(stage.certificates().get(name).await.unwrap().resource_version().unwrap_or_default());
    }
    for name in names {
        versions.push(stage.secret(name).await.resource_version().unwrap_or_default());
    }
    versions
}
