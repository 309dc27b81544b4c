//! Moving a cluster: five hundred Certificates that cert-manager has served change their `apiVersion`, and their Secrets are taken over
//! as they are, with one write each; and the way back is open.
//!
//! The Secrets are made by `gocheck moved`, with Go's crypto/x509 and the libraries that cert-manager uses.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use chancery::api::Certificate;
use chancery_pki::{Certificate as X509, keystore::Pkcs12Profile, pem_bundle};
use futures::{StreamExt, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube_runtime::{WatchStreamExt, watcher};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Ground, OwnGround, Program, Record};
use crate::stage::{Stage, is_ready};

const COUNT: usize = 500;
/// How long all of them may take: they are many, and there are two cores.
const LIMIT: Duration = Duration::from_mins(3);
/// How many requests of the test itself are under way at once.
const AT_ONCE: usize = 16;

/// What `gocheck moved` prints.
#[derive(Deserialize)]
struct Left {
    issuers: Vec<Manifest>,
    certificates: Vec<Manifest>,
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Manifest {
    metadata: Metadata,
    spec: Value,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cert_manager_left_is_taken_over_as_it_is_with_one_write_each_and_can_be_handed_back() {
    let printed = Program::gocheck().args(["moved", &COUNT.to_string()]).limit(LIMIT).run().await;
    let left: Left = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(left.certificates.len(), COUNT);
    let ground = Ground::prepared().await;
    let own = OwnGround::claim(&ground).await;
    let stage = Stage::of_own(&ground, &own);
    apply(&stage, &left).await;
    let before = secrets(&stage).await;

    let mut operator = own.settings("operator").instead("--lease-duration", "60s").start().await;
    let certificates = all_ready(&stage).await;
    for certificate in &certificates {
        let name = certificate.name_any();
        was_taken_over(certificate, &before[&name], &stage.secret(&name).await);
    }
    let taken: BTreeMap<String, String> = stage.all_lines().await.iter().filter(|line| line["act"] == "imported").map(owner).collect();
    assert!(!stage.all_lines().await.iter().any(|line| line["act"] == "issued"), "something was issued");
    let held = |secret: &Secret| leaf(secret).serial().to_string();
    let expected: BTreeMap<_, _> = certificates.iter().map(|one| (one.name_any(), held(&before[&one.name_any()]))).collect();
    assert_eq!(taken, expected, "each is on record, with the serial number that it has");
    wrote_once(&stage, &expected.into_keys().collect()).await;

    let versions = versions_of(&stage).await;
    let requests: BTreeSet<String> = stage.requests().into_iter().map(|record| record.id).collect();
    // In order, so that the lease is given back.
    operator.terminate().await;
    operator.restart().await;
    operator.looked("certificate", COUNT, LIMIT).await;
    assert_eq!(versions_of(&stage).await, versions, "a new start writes nothing");
    let later: Vec<Record> = stage.requests().into_iter().filter(|record| !requests.contains(&record.id)).collect();
    let writes: Vec<String> = later.iter().filter(|record| record.is_write()).map(Record::summary).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let read = later.iter().filter(|record| record.resource == "secrets" && record.verb == "get").map(|record| record.name.as_str());
    assert_eq!(read.collect::<BTreeSet<_>>(), BTreeSet::from(["bounded", "corp", "ending", "middle", "modern"]), "only authorities' keys");

    let after = secrets(&stage).await;
    stage.certificates().delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("they can be deleted");
    operator.looked("certificate", 2 * COUNT, LIMIT).await;
    operator.terminate().await;
    let kept = secrets(&stage).await;
    for (name, secret) in &before {
        assert_eq!(kept[name].resource_version(), after[name].resource_version(), "{name} was written when its Certificate went");
        is_still_cert_managers(name, secret, &kept[name]);
    }
}

/// As a person does who has changed nothing but the `apiVersion`.
async fn apply(stage: &Stage, left: &Left) {
    let secrets = stage.secrets();
    let made = left.secrets.iter().map(async |secret| {
        // As cert-manager writes: by server-side apply, under this name.
        let writer = if secret.annotations().is_empty() { "kubectl" } else { "cert-manager-certificates-issuing" };
        let written = secrets.patch(&secret.name_any(), &PatchParams::apply(writer).force(), &Patch::Apply(secret)).await;
        written.unwrap_or_else(|error| panic!("Secret {}: {error}", secret.name_any()));
    });
    stream::iter(made).for_each_concurrent(AT_ONCE, |one| one).await;
    for (kind, manifests) in [("Issuer", &left.issuers), ("Certificate", &left.certificates)] {
        let made = manifests.iter().map(async |manifest| {
            let Manifest { metadata: Metadata { name }, spec } = manifest;
            stage.create(kind, name, spec.clone()).await.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        });
        stream::iter(made).for_each_concurrent(AT_ONCE, |one| one).await;
    }
}

async fn secrets(stage: &Stage) -> BTreeMap<String, Secret> {
    let list = stage.secrets().list(&ListParams::default()).await.expect("they can be listed");
    list.items.into_iter().map(|secret| (secret.name_any(), secret)).collect()
}

/// Waits until all Certificates are Ready.
async fn all_ready(stage: &Stage) -> Vec<Certificate> {
    let mut seen: BTreeMap<String, Certificate> = BTreeMap::new();
    let search = async {
        let mut changes = pin!(watcher(stage.certificates(), watcher::Config::default()).default_backoff().applied_objects());
        while let Some(change) = changes.next().await {
            let Ok(certificate) = change else { continue };
            seen.insert(certificate.name_any(), certificate);
            if seen.len() == COUNT && seen.values().all(is_ready) {
                return;
            }
        }
    };
    if tokio::time::timeout(LIMIT, search).await.is_err() {
        let say = |one: &Certificate| json!([one.name_any(), one.spec, one.status.as_ref().map(|status| &status.conditions)]).to_string();
        let late: Vec<String> = seen.values().filter(|one| !is_ready(one)).map(say).collect();
        panic!("{} of {COUNT} are not Ready after {LIMIT:?}:\n{}", late.len(), late[..late.len().min(5)].join("\n"));
    }
    seen.into_values().collect()
}

fn data<'a>(secret: &'a Secret, key: &str) -> Option<&'a ByteString> {
    secret.data.as_ref().and_then(|data| data.get(key))
}

fn first(secret: &Secret, key: &str) -> X509 {
    let octets = data(secret, key).unwrap_or_else(|| panic!("{} has no {key}", secret.name_any()));
    X509::bundle_from_pem(&octets.0).unwrap_or_else(|error| panic!("{}: {error}", secret.name_any())).swap_remove(0)
}

fn leaf(secret: &Secret) -> X509 {
    first(secret, "tls.crt")
}

/// The Secret holds what it held, and the Certificate stands by it.
fn was_taken_over(certificate: &Certificate, before: &Secret, after: &Secret) {
    let name = certificate.name_any();
    is_still_cert_managers(&name, before, after);
    stores_are_opened_before_they_are_made_anew(certificate, before, after);
    let (leaf, note) = (leaf(before), |suffix: &str| after.annotations().get(&format!("chancery.dev/{suffix}")).map(String::as_str));
    let serial = leaf.serial().to_string();
    assert_eq!(note("certificate-name"), Some(name.as_str()));
    assert_eq!(note("issuer-name"), Some(certificate.spec.issuer_ref.name.as_str()), "{name}");
    assert_eq!((note("serial-number"), note("key-id")), (Some(&*serial), Some(&*leaf.key_id().to_string())), "{name}");
    let status = certificate.status.as_ref().unwrap_or_else(|| panic!("{name} has no status"));
    assert_eq!(status.serial_number.as_deref(), Some(&*serial), "{name}");
    assert_eq!(status.issued.iter().map(|issued| issued.reason.as_str()).collect::<Vec<_>>(), ["Found"], "{name}");
    let seen = status.secret.as_ref().map(|secret| secret.resource_version.clone());
    assert_eq!(seen, after.resource_version(), "{name}: the Secret was written again");
}

/// A store that holds what it should is left as it is: all but those of RC2, which cannot be opened, and those with another root.
fn stores_are_opened_before_they_are_made_anew(certificate: &Certificate, before: &Secret, after: &Secret) {
    let pkcs12 = certificate.spec.keystores.as_ref().and_then(|stores| stores.pkcs12.as_ref());
    let profile = pkcs12.and_then(|store| store.profile).unwrap_or(Pkcs12Profile::LegacyRc2);
    let same_root = data(before, "ca.crt") == data(after, "ca.crt");
    for key in ["keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"] {
        let readable = key.ends_with("jks") || profile != Pkcs12Profile::LegacyRc2;
        let same = data(before, key) == data(after, key);
        assert!(data(before, key).is_none() || same == (readable && same_root), "{}: {key}, {profile:?}", certificate.name_any());
    }
}

/// All that cert-manager put there and looks for is there: octet for octet, but for stores, which may be made anew, and for the root,
/// which may take the place of the intermediate that cert-manager calls the CA.
fn is_still_cert_managers(name: &str, before: &Secret, after: &Secret) {
    assert_eq!(before.type_, after.type_, "{name}");
    for (key, value) in before.annotations().iter().chain(before.labels()) {
        let now = after.annotations().get(key).or_else(|| after.labels().get(key));
        assert_eq!(now, Some(value), "{name}: {key}");
    }
    for (key, octets) in before.data.iter().flatten() {
        let now = data(after, key).unwrap_or_else(|| panic!("{name} has no {key} any more"));
        match key.as_str() {
            "ca.crt" if now != octets => {
                let (old, new) = (first(before, key), first(after, key));
                assert!(new.is_self_signed() && old.is_signed_by(new.public_key()), "{name}: another CA");
                assert_eq!(pem_bundle(&[new]).as_bytes(), now.0, "{name}: and only that one");
            }
            "keystore.jks" | "truststore.jks" | "keystore.p12" | "truststore.p12" => assert!(!now.0.is_empty(), "{name}: {key}"),
            _ => assert_eq!(now, octets, "{name}: {key}"),
        }
    }
}

/// Whose a line of the register is, and its serial number.
fn owner(line: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&line["owner"]["name"]), text(&line["serial"]))
}

/// One write of each Secret, one of each status, one Event: by the API server's own log.
async fn wrote_once(stage: &Stage, names: &BTreeSet<String>) {
    let about = |record: &Record| {
        let regarding = record.request.as_ref().map_or(&Value::Null, |body| &body["regarding"]);
        match record.resource.as_str() {
            "secrets" | "certificates" => Some(record.name.clone()),
            "events" if regarding["kind"] == "Certificate" => regarding["name"].as_str().map(ToOwned::to_owned),
            _ => None,
        }
    };
    let user = stage.requests().first().map(|record| record.user.clone()).expect("the operator has asked for something");
    let of_it = |record: &&Record| record.is_write() && record.user == user && record.namespace == stage.namespace;
    let enough = |records: &[Record]| records.iter().filter(of_it).filter_map(about).count() >= 3 * names.len();
    let records = stage.ground.audit().wait_for("three writes for each", LIMIT, enough).await;
    let mut writes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records.iter().filter(of_it) {
        if let Some(name) = about(record) {
            writes.entry(name).or_default().push(record.what());
        }
    }
    for kinds in writes.values_mut() {
        kinds.sort();
    }
    let once = ["create events", "update certificates/status", "update secrets"];
    let more: Vec<_> = writes.iter().filter(|(_, kinds)| **kinds != once).collect();
    assert!(more.is_empty(), "{} were written in another way: {:#?}", more.len(), &more[..more.len().min(10)]);
    assert_eq!(writes.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
}

/// The resourceVersions of all Certificates and Secrets.
async fn versions_of(stage: &Stage) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let certificates = stage.certificates().list(&ListParams::default()).await.expect("they can be listed");
    found.extend(certificates.iter().map(|one| (format!("Certificate {}", one.name_any()), one.resource_version().unwrap_or_default())));
    let secrets = secrets(stage).await;
    found.extend(secrets.iter().map(|(name, one)| (format!("Secret {name}"), one.resource_version().unwrap_or_default())));
    found
}
