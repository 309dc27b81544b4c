//! cert-manager's manifests as its users write them (`tests/corpus`): each is carried over by the core of `kubectl chancery migrate`,
//! applied, and its Secret compared with what the file says above the manifest.
//!
//! It must not know how a manifest is carried over, nor look at a certificate with the eyes of the operator alone: openssl and keytool
//! read what came out.

mod checks;
mod expectation;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use chancery::plugin::migrate::{Fate, Outcome, documents, migrate};
use serde_json::{Value, json};

use self::expectation::Expectation;
use crate::harness::apply_manifests;
use crate::stage::{SYSTEM, Stage};

/// Where cert-manager has the Secrets of its ClusterIssuers.
const THEIR_SYSTEM: &str = "cert-manager";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn read(name: &str) -> String {
    let file = folder().join(name).with_extension("yaml");
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Carries over what a file holds, and says what is expected of it.
fn carried_over(name: &str) -> (Expectation, Outcome) {
    let text = read(name);
    let expectation = Expectation::parse(name, &text);
    let documents = documents::parse(name, &text).unwrap();
    (expectation, migrate(&documents, &[]))
}

/// What is to be applied, in the namespaces that it belongs to here.
fn manifests(name: &str, outcome: &Outcome, originals: &str, stage: &Stage) -> Vec<Value> {
    let originals = documents::parse(name, originals).unwrap();
    let objects = outcome.objects.iter().zip(originals).map(|(migrated, original)| match &migrated.fate {
        Fate::Carried { object, .. } => object.clone(),
        Fate::LeftOut => original.object,
        Fate::Refused(reasons) => panic!("{name}: {} is refused: {reasons:?}", migrated.subject),
    });
    objects.map(|object| placed(object, stage)).collect()
}

fn placed(mut object: Value, stage: &Stage) -> Value {
    let namespace = match object["metadata"]["namespace"].as_str() {
        _ if object["kind"] == "ClusterIssuer" => return object,
        Some(THEIR_SYSTEM) => SYSTEM,
        _ => &stage.namespace,
    };
    object["metadata"]["namespace"] = json!(namespace);
    object
}

async fn each_secret_is_as_the_manifest_says(name: &str) {
    let (expectation, outcome) = carried_over(name);
    assert_eq!(differences(&outcome), expectation.differences, "{name}: what the report says");
    let stage = Stage::set("corpus").await;
    for name in expectation.needs.iter().map(String::as_str).chain([name]) {
        let (_, outcome) = carried_over(name);
        let manifests = manifests(name, &outcome, &read(name), &stage);
        apply_manifests(&stage.ground.client, &manifests).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
    let mut made = BTreeSet::new();
    for manifest in manifests(name, &outcome, &read(name), &stage).iter().filter(|manifest| manifest["kind"] == "Certificate") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let at = stage.elsewhere(&text(&manifest["metadata"]["namespace"]));
        let certificate = at.ready(&text(&manifest["metadata"]["name"])).await;
        let secret = text(&manifest["spec"]["secretName"]);
        let expected = expectation.secrets.iter().find(|expected| expected.name == secret);
        let expected = expected.unwrap_or_else(|| panic!("{name}: nothing is said of Secret {secret}"));
        checks::compare(name, expected, &certificate, &at.secret(&secret).await).await;
        made.insert(secret);
    }
    let said: BTreeSet<String> = expectation.secrets.iter().map(|expected| expected.name.clone()).collect();
    assert_eq!(made, said, "{name}: Secrets that were made, and that something is said of");
}

/// The objects that the report says something of, with the fields.
fn differences(outcome: &Outcome) -> Vec<(String, Vec<String>)> {
    let noted = |fate: &Fate| match fate {
        Fate::Carried { differences, .. } if !differences.is_empty() => {
            Some(differences.iter().map(|note| note.field.clone()).collect::<Vec<_>>())
        }
        _ => None,
    };
    outcome.objects.iter().filter_map(|migrated| Some((migrated.subject.to_string(), noted(&migrated.fate)?))).collect()
}

macro_rules! manifests {
    ($($name:ident)*) => {
        const MANIFESTS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::each_secret_is_as_the_manifest_says(&stringify!($name).replace('_', "-")).await;
            }
        )*
    };
}

mod a_manifest_makes_the_secret_that_it_describes {
    manifests! {
        basic ca_bootstrap chain cluster_ca duration email full ip_addresses issuer_urls key_ecdsa_384 key_ecdsa_521_pkcs8 key_ed25519
        key_rsa_2048 key_rsa_3072_never key_rsa_4096_pkcs8 keystore_des keystore_jks keystore_legacy keystore_pkcs12 literal_subject
        literal_subject_joined mtls_client name_constraints other_names output_formats renew_before renew_percentage
        renewal_disabled renewal_windows secret_template self_signed signature_ca signature_self spiffe subject subject_several temporary usages_any
        usages_many webhook_serving wildcard without_effect
    }

    #[test]
    fn and_no_manifest_is_forgotten() {
        let files = std::fs::read_dir(super::folder()).unwrap().map(|entry| entry.unwrap().path().with_extension(""));
        let mut found: Vec<String> = files.map(|file| file.file_name().unwrap().to_string_lossy().replace('-', "_")).collect();
        found.sort();
        let mut tested = [MANIFESTS, &["prelude"]].concat();
        tested.sort_unstable();
        assert_eq!(found, tested);
    }
}
