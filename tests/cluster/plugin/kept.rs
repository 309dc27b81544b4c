//! What is kept of registers outside of the cluster: no export and no checkpoint takes the place of a better one, and deploy/audit makes
//! both from a pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use chancery::api::names;
use chancery::register::checkpoint::{Checkpoint, KEY};
use chancery::register::{Act, RegisterId};
use chancery_pki::PrivateKey;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::Value;

use super::register::Scene;
use super::shown::Shown;
use crate::harness::{Finished, Namespace, Program, apply_manifests, parse_manifests, run, wait_for_rights};

/// Has the operator's checkpoint say this.
async fn checkpoint(scene: &Scene, key: &PrivateKey, second: i64, spoilt: bool) {
    let checkpoint = Checkpoint {
        namespace: scene.namespace.name.clone(),
        key: key.public_key().key_id(),
        time: Timestamp::from_second(1_795_000_000 + second).expect("it is a time"),
        // The first is that of second 100.
        previous: format!("{:064}", second - 100),
        registers: BTreeMap::new(),
        lost: BTreeMap::new(),
    };
    let mut signed = checkpoint.sign(key).expect("the key signs");
    if spoilt {
        signed.text = signed.text.replace("previous 0", "previous 1");
    }
    let map = ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some(names::CHECKPOINT.to_owned()), ..Default::default() },
        data: Some(
            [(names::CHECKPOINT_TEXT, signed.text), (names::CHECKPOINT_PUBLIC, signed.key)]
                .map(|(key, text)| (key.to_owned(), text))
                .into(),
        ),
        binary_data: Some([(names::CHECKPOINT_SIGNATURE.to_owned(), ByteString(signed.signature))].into()),
        ..ConfigMap::default()
    };
    let maps: Api<ConfigMap> = scene.namespace.api();
    maps.patch(names::CHECKPOINT, &PatchParams::apply("test").force(), &Patch::Apply(map)).await.expect("an administrator may do that");
}

/// What is in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("it can be read").map(|entry| entry.expect("it can be read"));
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("it is a file"))).collect()
}

#[track_caller]
fn refused(finished: &Finished, word: &str) {
    let said = &finished.stderr;
    assert!(finished.status.code() == Some(3) && said.contains(word) && said.contains("--force"), "no word of {word}: {finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_replaced_by_one_that_goes_on_and_by_no_other() {
    let scene = Scene::set("register-kept").await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let export = format!("export --file {}", folder.path().join("export").display());
    assert!(scene.run(&export).await.status.success());
    scene.append(RegisterId::Common, Act::Refused, 9).await;
    assert!(scene.run(&export).await.status.success(), "it goes on");
    let last = files(folder.path());
    assert_eq!(last.keys().collect::<Vec<_>>(), ["export"]);
    assert_eq!(last["export"], scene.run("export").await.octets);
    refused(&scene.run(&format!("{export} common")).await, "would not be any more");

    // A register that went back looks sound.
    scene.edit(|text| text.split_inclusive('\n').take(3).collect()).await;
    assert_eq!(scene.run("verify").await.status.code(), Some(0));
    refused(&scene.run(&export).await, "cut off");
    scene.edit(|text| text.replacen("web-2", "web-9", 1)).await;
    refused(&scene.run(&export).await, "line 2 was altered");
    assert_eq!(files(folder.path()), last, "the last good one is there");

    let forced = scene.run(&format!("{export} --force")).await;
    assert_eq!(forced.status.code(), Some(3), "it is written, and it is not well: {forced:?}");
    assert_ne!(files(folder.path()), last);
    // What is no export is nobody's to be replaced.
    fs::write(folder.path().join("export"), "dear diary\n").expect("the folder is writable");
    refused(&scene.run(&export).await, "neither an export");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_checkpoint_is_replaced_by_a_newer_one_of_the_same_key_and_by_no_other() {
    let scene = Scene::set("register-saved").await;
    let (own, other) = (PrivateKey::generate(KEY).expect("a key is made"), PrivateKey::generate(KEY).expect("a key is made"));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let save = format!("checkpoint --save {}", folder.path().join("kept").display());
    let none = scene.run(&save).await;
    assert!(none.status.success() && none.stderr.contains("no checkpoint in namespace"), "{none:?}");
    checkpoint(&scene, &own, 100, true).await;
    let unbelieved = scene.run(&save).await;
    assert!(unbelieved.status.code() == Some(3) && unbelieved.stderr.contains("signature"), "{unbelieved:?}");
    assert!(files(folder.path()).is_empty(), "what is not believed is not written");

    checkpoint(&scene, &own, 100, false).await;
    assert!(scene.run(&save).await.status.success());
    checkpoint(&scene, &own, 200, false).await;
    assert!(scene.run(&save).await.status.success(), "it is newer");
    let kept = files(folder.path());
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["kept", "kept.pem", "kept.sig"]);
    let printed = scene.run("checkpoint").await;
    assert_eq!(kept["kept"], printed.octets);
    Shown::new().assert("register-checkpoint", &printed);

    checkpoint(&scene, &own, 150, false).await;
    refused(&scene.run(&save).await, "went back in time");
    checkpoint(&scene, &other, 300, false).await;
    refused(&scene.run(&save).await, "somebody else signs");
    assert_eq!(files(folder.path()), kept, "the key and the checkpoint are those of before");
    checkpoint(&scene, &own, 300, true).await;
    assert_eq!(scene.run(&format!("{save} --force")).await.status.code(), Some(3));
    assert_eq!(files(folder.path()), kept, "nobody insists on what is not believed");
    checkpoint(&scene, &other, 300, false).await;
    assert!(scene.run(&format!("{save} --force")).await.status.success());
    assert_ne!(files(folder.path())["kept.pem"], kept["kept.pem"]);
    let forced = files(folder.path());
    scene.namespace.api::<ConfigMap>().delete(names::CHECKPOINT, &DeleteParams::default()).await.expect("it is there");
    let gone = scene.run(&save).await;
    assert!(gone.status.code() == Some(3) && gone.stderr.contains("any more"), "{gone:?}");
    assert_eq!(files(folder.path()), forced);
    checkpoint(&scene, &other, 100, false).await;
    refused(&scene.run(&save).await, "begins anew");
    assert_eq!(scene.run("checkpoint --force").await.status.code(), Some(2), "there is nothing to insist on");
}

/// What deploy/audit has, for an operator and a namespace for audit that are called so.
fn audit(system: &str, own: &str) -> Vec<Value> {
    let folder = run::source().join("deploy/audit");
    let text: String = ["namespace", "rights", "volume", "cronjob"]
        .map(|name| fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("it is there"))
        .map(|text| text.replace("chancery-system", system).replace("namespace: chancery-audit", &format!("namespace: {own}")))
        .join("---\n");
    let mut documents = parse_manifests(&text).expect("it is YAML");
    documents.retain(|document| document["kind"] != "Namespace");
    documents
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deploy_audit_runs_in_a_pod_exports_and_saves_with_the_rights_that_it_has() {
    let scene = Scene::set("register-pod").await;
    let own = Namespace::named(&scene.ground, "register-pod-audit").await;
    checkpoint(&scene, &PrivateKey::generate(KEY).expect("a key is made"), 100, false).await;
    let documents = audit(&scene.namespace.name, &own.name);
    let client = &scene.ground.client;
    apply_manifests(client, &documents).await.expect("the API server takes deploy/audit");
    wait_for_rights(client, &documents).await.expect("the rights are there");
    let hour = Duration::from_hours(1);
    let access = scene.ground.access().as_service_account(client, &own.name, "chancery-audit", hour).await.expect("there is a token");
    let reader = access.client().expect("there is a client");
    let secrets = Api::<Secret>::namespaced(reader, &scene.namespace.name).list(&ListParams::default()).await;
    assert!(matches!(&secrets, Err(kube::Error::Api(status)) if status.code == 403), "{secrets:?}");

    // What the kubelet would put into the pod, where it would put it; and no kubeconfig.
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (mounted, volume) = (folder.path().join("mounted"), folder.path().join("volume"));
    fs::create_dir(&mounted).and_then(|()| fs::create_dir(&volume)).expect("the folder is writable");
    fs::write(mounted.join("token"), &access.token).expect("the folder is writable");
    fs::write(mounted.join("namespace"), &own.name).expect("the folder is writable");
    fs::copy(access.ca.as_ref().expect("it is TLS"), mounted.join("ca.crt")).expect("the folder is writable");
    let (host, port) = access.server.trim_start_matches("https://").rsplit_once(':').expect("it has a port");
    let plugin = Program::kubectl_chancery(&scene.ground).shown_path();
    let in_pod = async |arguments: &[String]| {
        const MOUNT: &str = "mount -t tmpfs none \"$(readlink -f /var/run)\" && mkdir -p /var/run/secrets/kubernetes.io && \
            cp -r \"$0\" /var/run/secrets/kubernetes.io/serviceaccount && exec env -u KUBECONFIG -u CHANCERY_NAMESPACE \"$@\"";
        let program = Program::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", MOUNT]).args([&mounted]).args([&plugin]);
        let program = program.args(arguments).env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
        program.env("HOME", folder.path()).finish().await
    };
    let job = documents.iter().find(|document| document["kind"] == "CronJob").expect("there is a CronJob");
    let containers = job.pointer("/spec/jobTemplate/spec/template/spec/containers").and_then(Value::as_array).expect("it has containers");
    for container in containers {
        assert_eq!(container["image"], format!("ghcr.io/chancery-dev/chancery:{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(container["command"], serde_json::json!(["/kubectl-chancery"]));
        let arguments = container["args"].as_array().expect("it has arguments").iter().filter_map(Value::as_str);
        let arguments: Vec<String> = arguments.map(|argument| argument.replace("/audit/", &format!("{}/", volume.display()))).collect();
        // The second night finds the files of the first.
        for _ in 0..2 {
            let finished = in_pod(&arguments).await;
            assert!(finished.status.success(), "{finished:?}");
        }
    }
    let kept = files(&volume);
    let names: Vec<&str> = kept.keys().map(String::as_str).collect();
    assert_eq!(names, ["register.checkpoint", "register.checkpoint.pem", "register.checkpoint.sig", "registers.jsonl"]);
    assert_eq!(kept["registers.jsonl"], scene.run("export").await.octets);
    assert_eq!(kept["register.checkpoint"], scene.run("checkpoint").await.octets);

    // A command about objects takes them to be in the pod's own namespace.
    let status = in_pod(&["status".to_owned(), "web".to_owned()]).await;
    assert!(!status.status.success() && status.stderr.contains(&format!("in the namespace \"{}\"", own.name)), "{status:?}");
}
