//! An etcd that is restored as a whole agrees with itself: what docs/disasters.md says of the operator that finds it so, and of a person
//! who holds its Lease meanwhile.

use std::fs;

use chancery::api::RevocationListStatus;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Ground, OwnOperator, Program, Responder, Stored, stays, wait_for};
use crate::stage::{Consumer, SOON, Stage, WHILE, authority_of, is_ready, leaf, number_of, serial};

/// An authority with three certificates, of which the first is revoked in yesterday's etcd, and the second was since.
struct Scene {
    ground: Ground,
    own: OwnOperator,
    responder: Responder,
    stage: Stage,
    yesterday: Stored,
    /// The list that was served today.
    kept: String,
    consumer: Consumer,
}

const LEASE: &str = "chancery-controller";

impl Scene {
    /// Etcd as it was yesterday, and no operator.
    async fn set() -> Self {
        let ground = Ground::prepared().await;
        let own = OwnOperator::start(&ground).await;
        let responder = own.ground.responder(&ground).await;
        let stage = Stage::of_own(&ground, &own.ground);
        stage.covered_by(&responder, json!({})).await;
        for name in ["first", "second", "third"] {
            stage.issued(name, leaf("ca", name)).await;
        }
        let consumer = Consumer::of(&stage.content("third").await);
        stage.revoke("first", "keyCompromise").await;
        stage.revoked("first").await;
        consumer.served("the first", |list| list.entries.len() == 1).await;
        let mut scene = Self { ground, own, responder, stage, yesterday: Stored::new(), kept: String::new(), consumer };
        scene.yesterday = scene.ground.stored(&scene.prefixes()).await;
        assert!(scene.yesterday.len() > 10, "{:?}", scene.yesterday.keys());
        scene.stage.revoke("second", "keyCompromise").await;
        scene.stage.revoked("second").await;
        scene.consumer.served("both", |list| list.entries.len() == 2).await;
        scene.kept = scene.consumer.path("kept.crl");
        fs::copy(scene.consumer.path("list-0.crl"), &scene.kept).expect("the folder is writable");
        scene.own.kill().await;
        scene.ground.restore(&scene.prefixes(), &scene.yesterday).await;
        scene
    }

    /// All that there is of an installation.
    fn prefixes(&self) -> Vec<String> {
        let Stage { namespace, system, .. } = &self.stage;
        let ours = ["certificates", "issuers", "revocationlists"].map(|plural| format!("/registry/chancery.dev/{plural}/{namespace}/"));
        let of_system = ["configmaps", "secrets", "leases"].map(|kind| format!("/registry/{kind}/{system}/"));
        let secrets = format!("/registry/secrets/{namespace}/");
        ours.into_iter().chain(of_system).chain([secrets]).collect()
    }

    /// What the page has a person type to hold the Lease, or with nobody as its holder to hand it back.
    async fn hold(&self, holder: Option<&str>) {
        let leases: Api<Lease> = self.own.ground.system_api();
        let patch = json!({"spec": {"holderIdentity": holder, "leaseDurationSeconds": 3600}});
        leases.patch(LEASE, &PatchParams::default(), &Patch::Merge(patch)).await.expect("it was restored");
    }

    fn import(&self) -> Program {
        let list = format!("{}/ca", self.stage.namespace);
        let arguments = ["crl", "import", &self.kept, "--namespace", &self.stage.system, "--list", &list];
        Program::kubectl_chancery(&self.ground).args(arguments)
    }

    /// How many entries each list had that was ever published, by the register.
    async fn published(&self) -> Vec<u64> {
        let authority = authority_of(&self.stage.published("ca").await).to_owned();
        let arguments = ["register", "show", &authority, "--act", "published", "-o", "json", "--namespace", &self.stage.system];
        let lines = Program::kubectl_chancery(&self.ground).args(arguments).run().await;
        let reasons = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON")["reason"].clone());
        // "1 lists made; 2 entries in all; ..."
        let count = |reason: Value| reason.as_str()?.split(' ').nth(3)?.parse().ok();
        reasons.map(|reason| count(reason).expect("it says how many")).collect()
    }

    /// Waits until the responder says that something went back. A server cannot be watched: hence the polling.
    async fn is_noticed(&self) {
        let mut turn = tokio::time::interval(std::time::Duration::from_millis(50));
        let noticed = async {
            loop {
                turn.tick().await;
                let (code, health) = self.responder.get("/troubles").await;
                if code == 200 && (health.contains("refused") || health.contains("not the one that was there before")) {
                    return;
                }
            }
        };
        tokio::time::timeout(SOON, noticed).await.expect("the responder notices");
    }

    async fn entries(&self, count: i64) -> RevocationListStatus {
        self.stage.listed("ca", &format!("{count} entries"), |status| status.entries == Some(count)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_person_holds_the_lease_a_restored_cluster_publishes_nothing_and_then_all_that_was_handed_in() {
    let mut scene = Scene::set().await;
    scene.hold(Some("restore")).await;
    // As the kubelet starts it, since its Deployment is back too.
    scene.own.restart().await;
    let before = scene.stage.published("ca").await;
    assert_eq!(before.entries, Some(1), "yesterday's");
    let yesterdays = scene.published().await.len();
    // Something is due, and stays undone.
    let third = scene.stage.ready("third").await;
    scene.stage.ask("third", "after the restore").await;
    stays(&scene.stage.certificates(), "third", "nothing is issued", WHILE, |now| serial(now) == serial(&third)).await;
    let waits = scene.import().args(["--timeout", "1s"]).finish().await;
    assert!(!waits.status.success() && waits.stderr.contains("still waits"), "{waits:?}");
    assert_eq!(number_of(&scene.stage.published("ca").await), number_of(&before), "nothing is published");

    scene.hold(None).await;
    scene.stage.replaced(&third).await;
    let status = scene.entries(2).await;
    scene.consumer.served("a newer list", |list| list.number == number_of(&status).to_string() && list.entries.len() == 2).await;
    let since = scene.published().await.split_off(yesterdays);
    assert!(!since.is_empty() && since.iter().all(|entries| *entries == 2), "a list without the second was published: {since:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_runs_after_a_restore_publishes_without_the_lost_until_the_old_list_is_handed_in() {
    let mut scene = Scene::set().await;
    let served = scene.consumer.list().await;
    scene.own.restart().await;
    scene.stage.revoke("third", "keyCompromise").await;
    // It cannot know better: it says that all is well, and its list is the newest there is.
    let lacking = scene.entries(2).await;
    assert!(number_of(&lacking) > served.number.parse().expect("it is a number"));
    scene.stage.published("ca").await;
    // The responder that ran on knows better, by the list or by the register, and serves what it has.
    scene.is_noticed().await;
    scene.consumer.fetch().await;
    let still = scene.consumer.list().await;
    assert!(still.number == served.number && still.entries.len() == 2, "{still:?}");

    scene.import().run().await;
    scene.entries(3).await;
    scene.consumer.served("all three", |list| list.entries.len() == 3).await;
    // What is revoked again is replaced.
    wait_for(&scene.stage.certificates(), "second", "replaced", SOON, |now| is_ready(now) && still.entry(serial(now)).is_none()).await;
}
