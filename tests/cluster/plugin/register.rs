//! `kubectl chancery register`, on registers that the test writes itself: what is printed is the same each time.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chancery::lease::Unfenced;
use chancery::register::{Act, Entry, Owner, Register as _, RegisterId, Registers};
use chancery_pki::{KeyId, Reason, SerialNumber};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use serde::Deserialize as _;

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::{Finished, Ground, Namespace, Program};

pub(super) struct Scene {
    pub(super) ground: Ground,
    pub(super) namespace: Namespace,
    registers: Registers,
}

impl Scene {
    /// A namespace that has no register yet.
    pub(super) async fn empty(name: &'static str) -> Self {
        let ground = Ground::prepared().await;
        let namespace = Namespace::named(&ground, name).await;
        let minutes = AtomicI64::new(0);
        let clock = move || Timestamp::from_second(1_795_000_000 + 60 * minutes.fetch_add(1, Ordering::Relaxed)).expect("it is a time");
        let registers = Registers::new(namespace.api(), Arc::new(Unfenced), Arc::new(clock), Arc::new(()));
        registers.open().await.expect("there are none yet");
        Self { ground, namespace, registers }
    }

    /// Lines a minute apart, of one authority and of the common register.
    pub(super) async fn set(name: &'static str) -> Self {
        let scene = Self::empty(name).await;
        for (act, number) in [(Act::Issued, 1), (Act::Issued, 2), (Act::Revoked, 1), (Act::Published, 7)] {
            scene.append(RegisterId::Authority(KeyId::of_spki(b"ca")), act, number).await;
        }
        scene.append(RegisterId::Common, Act::Refused, 3).await;
        scene
    }

    pub(super) async fn append(&self, id: RegisterId, act: Act, number: u8) {
        let certificate = act != Act::Published && act != Act::Refused;
        let entry = Entry {
            serial: certificate.then(|| SerialNumber::issued(0, [number; 13])),
            not_after: certificate.then(|| Timestamp::from_second(1_895_000_000).expect("it is a time")),
            key_id: certificate.then(|| KeyId::of_spki(&[number])),
            owner: (act != Act::Published).then(|| Owner { namespace: "team-a".into(), name: format!("web-{number}"), uid: "u".into() }),
            reason: if act == Act::Refused { "NotAllowed: Issuer ca does not allow it".into() } else { "Created".into() },
            actor: "controller".into(),
            code: (act == Act::Revoked).then_some(Reason::KeyCompromise),
            number: (act == Act::Published).then(|| chancery_pki::CrlNumber::new(number.into())),
            generation: (act == Act::Refused).then_some(1),
            ..Entry::new(act)
        };
        self.registers.append(id, entry).await.expect("the register takes it");
    }

    pub(super) async fn run(&self, line: &str) -> Finished {
        kubectl_chancery(&self.ground, &format!("register {line} --namespace {}", self.namespace.name)).finish().await
    }

    pub(super) async fn edit(&self, change: impl Fn(&str) -> String) {
        let maps: Api<ConfigMap> = self.namespace.api();
        let name = RegisterId::Authority(KeyId::of_spki(b"ca")).name();
        let mut head = maps.get(&name).await.expect("it is there");
        let lines = head.data.as_mut().and_then(|data| data.get_mut("lines")).expect("it has lines");
        *lines = change(lines);
        maps.replace(&name, &PostParams::default(), &head).await.expect("an administrator may do that");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_are_listed_shown_and_chosen_from() {
    let scene = Scene::set("register-show").await;
    Shown::new().assert("register-list", &scene.run("list").await);
    Shown::new().assert("register-list-wide", &scene.run("list -o wide").await);
    let items = json(&scene.run("list -o json").await);
    assert_eq!((items["items"][0]["register"].as_str(), items["items"][0]["state"].as_str()), (Some("common"), Some("sound")));
    assert_eq!(scene.run("list -o name").await.stdout.lines().count(), 2);
    Shown::new().assert("register-show", &scene.run("show").await);
    let digits = &KeyId::of_spki(b"ca").to_string()[..8];
    let chosen = scene.run(&format!("show {digits} --act revoked --certificate team-a/web-1 -o json")).await;
    assert_eq!(chosen.stdout.lines().count(), 1, "{chosen:?}");
    assert!(json(&chosen)["act"] == "revoked" && json(&chosen)["code"] == "keyCompromise");
    let serial = SerialNumber::issued(0, [2; 13]);
    assert_eq!(scene.run(&format!("show --serial {serial} -o json")).await.stdout.lines().count(), 1);
    let all = scene.run("show -o json").await.stdout;
    let third: serde_json::Value = all.lines().nth(2).map(|line| serde_json::from_str(line).expect("it is JSON")).expect("there are five");
    let since = third["time"].as_str().expect("it has a time");
    let later = scene.run(&format!("show --since {since} -o json")).await.stdout;
    assert!(later.lines().eq(all.lines().skip(2)), "{later}");
    // The same lines, in the other forms that programs read.
    let documents = scene.run("show -o yaml").await.stdout;
    let documents =
        serde_yaml::Deserializer::from_str(&documents).map(|document| serde_json::Value::deserialize(document).expect("it is YAML"));
    assert!(documents.eq(all.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is JSON"))));
    let revoked = scene.run("show --act revoked -o name").await.stdout;
    assert_eq!(revoked, format!("configmap/{}\n", RegisterId::Authority(KeyId::of_spki(b"ca")).name()));
    assert_eq!(scene.run("show -o name").await.stdout.lines().count(), 2);
    for (wrong, code) in [("show --act burned", 2), ("show --since yesterday", 2), ("show ffffffff", 1), ("show zzzz", 2)] {
        let finished = scene.run(wrong).await;
        assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_told_in_a_sentence_and_an_exit_code() {
    let scene = Scene::set("register-verify").await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("export");
    let export = format!("export --file {}", file.display());
    assert!(scene.run(&export).await.status.success());
    let first = fs::read(&file).expect("it was written");
    assert!(scene.run(&export).await.status.success());
    assert_eq!(first, fs::read(&file).expect("it was written"), "an export says nothing of when it was made");
    let printed = scene.run("export").await;
    assert_eq!(printed.octets, first);
    Shown::new().assert("register-export", &printed);
    Shown::new().assert("register-verify", &scene.run("verify").await);
    let offline = format!("verify --file {}", file.display());
    assert_eq!(scene.run(&offline).await.status.code(), Some(0));

    scene.edit(|text| text.replacen("web-2", "web-9", 1)).await;
    Shown::new().assert("register-verify-altered", &scene.run("verify").await);
    let found = json(&scene.run("verify -o json").await);
    assert_eq!(found["registers"][1]["faults"][0]["kind"], "altered");
    let against = scene.run(&format!("verify --against {}", file.display())).await;
    assert!(against.status.code() == Some(3) && against.stdout.contains("has another line 2"), "{against:?}");
    // What is damaged is not written to by a restore either.
    let restore = scene.run(&format!("restore --file {} --yes", file.display())).await;
    assert!(restore.status.code() == Some(1) && restore.stderr.contains("line 2 was altered"), "{restore:?}");
    // An altered export is found out by itself.
    let text = String::from_utf8(first).expect("it is text");
    fs::write(&file, text.replacen("web-1", "web-8", 1)).expect("the folder is writable");
    let offline = scene.run(&offline).await;
    assert!(offline.status.code() == Some(3) && offline.stdout.contains("line 1 was altered"), "{offline:?}");
    assert_eq!(scene.run("checkpoint").await.status.code(), Some(1), "nobody has written one here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_looked_at_nothing_fails_and_says_what_was_not_there() {
    let scene = Scene::set("register-nothing").await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let [all, common, empty] = ["all", "common", "empty"].map(|name| folder.path().join(name).display().to_string());
    for export in [format!("export --file {all}"), format!("export --file {common} common")] {
        assert!(scene.run(&export).await.status.success());
    }
    fs::write(&empty, "").expect("the folder is writable");
    let (authority, absent) = (KeyId::of_spki(b"ca").to_string(), "0".repeat(64));
    let digits = &authority[..8];
    for (line, word) in [
        (format!("verify --file {empty}"), "nothing was verified"),
        (format!("verify --file {empty} common"), "FAULT common: "),
        (format!("verify --file {common} {authority}"), &authority),
        (format!("verify --file {common} {digits}"), digits),
        (format!("verify --file {all} {absent}"), &absent),
        (format!("verify --file {all} common {absent}"), &absent),
        (format!("verify {absent}"), &absent),
        (format!("verify common {}", &absent[..8]), &absent[..8]),
        (format!("verify --against {empty}"), "nothing was compared"),
        (format!("verify --against {common} {authority}"), "nothing was compared"),
        (format!("verify --against {common} common {digits}"), "nothing was compared"),
        (format!("verify --file {all} --against {empty}"), "nothing was compared"),
    ] {
        let verified = scene.run(&line).await;
        assert!(verified.status.code() == Some(3) && verified.stdout.contains(word), "{line}: {verified:?}");
        let found = json(&scene.run(&format!("{line} -o json")).await);
        let wrong = found["registers"].as_array().is_some_and(|all| all.iter().any(|one| one["sound"] == false));
        assert!(wrong || found["problems"].is_array(), "{line}: {found}");
    }
    // What is there is verified all the same.
    let verified = scene.run(&format!("verify common {absent}")).await;
    assert!(verified.stdout.contains(" common: 1 line, 1 to 1"), "{verified:?}");
    // A copy from before a register was begun says nothing against it, and the first digits are enough.
    for well in [format!("verify --against {common}"), format!("verify --file {all} {digits}"), format!("verify --against {all} {digits}")]
    {
        let verified = scene.run(&well).await;
        assert_eq!(verified.status.code(), Some(0), "{well}: {verified:?}");
    }
    for malformed in ["verify deadbeefx", "verify abc", &format!("verify --file {all} abc"), "follow abc", "export Common"] {
        let refused = scene.run(malformed).await;
        assert!(refused.status.code() == Some(2) && refused.stderr.contains("first digits"), "{malformed}: {refused:?}");
    }
    // Nothing of what was named is left out in silence.
    let restore = scene.run(&format!("restore --file {common} common {digits} --yes")).await;
    assert!(restore.status.code() == Some(1) && restore.stderr.contains(&authority), "{restore:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_would_do_is_said_of_each_register() {
    let scene = Scene::set("register-restore").await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("export");
    assert!(scene.run(&format!("export --file {}", file.display())).await.status.success());
    scene.edit(|text| text.split_inclusive('\n').take(2).collect()).await;
    Shown::new().assert("register-restore", &scene.run(&format!("restore --dry-run --file {}", file.display())).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_register_yet_it_is_said_and_no_audit_passes() {
    let scene = Scene::empty("register-none").await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("export");
    Shown::new().assert("register-verify-none", &scene.run("verify").await);
    let named = scene.run("verify common").await;
    assert!(named.status.code() == Some(3) && named.stdout.contains("FAULT common: "), "{named:?}");
    assert_eq!(json(&scene.run("verify -o json").await)["registers"], serde_json::json!([]));
    // A first night of deploy/audit is none to worry about, unless something is kept already.
    for (export, code) in [("export".to_owned(), 3), (format!("export --file {}", file.display()), 0)] {
        let exported = scene.run(&export).await;
        assert!(exported.status.code() == Some(code) && exported.stderr.contains("there is no register"), "{exported:?}");
        assert!(exported.stdout.is_empty() && !file.exists(), "nothing looks like an export: {exported:?}");
    }
    fs::write(&file, "what was exported before").expect("the folder is writable");
    let exported = scene.run(&format!("export --file {} --force", file.display())).await;
    assert!(exported.status.code() == Some(3) && exported.stderr.contains("stays as it is"), "{exported:?}");
    assert_eq!(fs::read(&file).expect("it is there"), b"what was exported before");
    let shown = scene.run("show").await;
    assert!(shown.status.success() && shown.stderr.contains("there is no register"), "{shown:?}");
    for named in ["show common", "export common"] {
        assert_eq!(scene.run(named).await.status.code(), Some(1), "{named}");
    }
    fs::write(&file, "").expect("the folder is writable");
    let restored = scene.run(&format!("restore --file {} --yes", file.display())).await;
    assert!(restored.status.code() == Some(1) && restored.stderr.contains("no lines"), "{restored:?}");
}

/// What comes first of what `register follow` prints about the common register, while lines are written to it.
async fn followed(scene: &Scene, arguments: &str, lines: usize) -> Vec<String> {
    let plugin = Program::kubectl_chancery(&scene.ground).shown_path();
    let namespace = &scene.namespace.name;
    let line = format!("'{plugin}' register follow common --since-sequence 0 --namespace {namespace} {arguments} | head -n {lines}");
    let follow = Program::new("sh").args(["-c", &line]).env("KUBECONFIG", scene.ground.kubeconfig()).finish();
    let mut follow = std::pin::pin!(follow);
    // It notices that nobody reads any more by the line after that.
    let mut turn = tokio::time::interval(std::time::Duration::from_millis(100));
    let finished = loop {
        tokio::select! {
            finished = &mut follow => break finished,
            _ = turn.tick() => scene.append(RegisterId::Common, Act::Refused, 4).await,
        }
    };
    let found: Vec<String> = finished.stdout.lines().map(str::to_owned).collect();
    assert_eq!(found.len(), lines, "{finished:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn new_lines_are_followed_as_they_come() {
    let scene = Scene::set("register-follow").await;
    let lines = followed(&scene, "", 3).await;
    // Only the first is the same in each run: the others are written while it is followed.
    Shown::new().assert_text("register-follow", &lines[0]);
    assert!(lines[0].contains("team-a/web-3") && lines[1..].iter().all(|line| line.contains("team-a/web-4")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_followed_are_printed_in_every_format_one_by_one() {
    let scene = Scene::set("register-follow-as").await;
    let objects = followed(&scene, "-o json", 2).await;
    let first: serde_json::Value = serde_json::from_str(&objects[0]).expect("a line is an object");
    assert_eq!((&first["sequence"], &first["act"]), (&1.into(), &"refused".into()));
    let documents = followed(&scene, "-o yaml", 30).await;
    assert_eq!(documents[0], "---");
    let end = documents[1..].iter().position(|line| line == "---").expect("a second line came") + 1;
    let document: serde_json::Value = serde_yaml::from_str(&documents[1..end].join("\n")).expect("it is YAML");
    assert_eq!(document, first);
    assert!(followed(&scene, "-o wide", 2).await[0].ends_with("  by controller"));
    assert_eq!(followed(&scene, "-o name", 2).await, ["configmap/chancery-register-common"; 2]);
}
