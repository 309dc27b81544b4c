//! A list that no ConfigMap holds is taken into a register that has lost all of it.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::harness::{Ground, OwnOperator, Program};
use crate::stage::{Consumer, ForeignCa, Stage, authority_of, leaf, served_list};

const ENTRIES: u64 = 50_000;
/// What a ConfigMap may hold.
const MEBIBYTE: usize = 1024 * 1024;
/// So many lines are recorded here by a debug build, beside all other tests.
const LONG: Duration = Duration::from_mins(9);

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_fifty_thousand_entries_is_taken_back_in() {
    let ground = Ground::prepared().await;
    let mut own = OwnOperator::start(&ground).await;
    let responder = own.ground.responder(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let root = ForeignCa::by_openssl(&stage.namespace, "CA:TRUE", "keyCertSign,cRLSign").await;
    root.import(&stage, "ca", json!({})).await;
    stage.issuer_ready("ca").await;
    stage.list("ca", served_list("ca", &responder.base_url())).await;
    let status = stage.published("ca").await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);

    // Handed over while no operator runs, as on the day after.
    own.kill().await;
    let serials: Vec<u64> = (1..=ENTRIES).map(|number| 0x7100_0000_0000_0000 + number).collect();
    let list = root.list(&serials);
    assert!(list.len() > MEBIBYTE, "{} octets fit into a ConfigMap", list.len());
    let file = consumer.path("yesterday.crl");
    fs::write(&file, list).expect("the folder is writable");
    let import = |limit: &'static str| {
        let arguments = ["crl", "import", &file, "--namespace", &stage.system, "--timeout", limit].map(str::to_owned);
        Program::kubectl_chancery(&ground).args(arguments).limit(LONG)
    };
    let waits = import("1s").finish().await;
    assert!(!waits.status.success() && waits.stderr.contains("still waits"), "{waits:?}");
    let maps: Api<ConfigMap> = own.ground.system_api();
    let parts = async || maps.list(&ListParams::default().labels("chancery.dev/crl-import")).await.expect("they can be listed").items.len();
    assert!(parts().await > 2, "it is in parts");

    own.restart().await;
    let all = stage.long_listed("ca", "all of it", LONG, |status| status.entries == i64::try_from(ENTRIES).ok()).await;
    assert_eq!(authority_of(&all), authority_of(&status));
    assert_eq!(parts().await, 0, "what is on record is taken away");
    let served = consumer.served_within(LONG, "all of it", |list| list.entries.len() == serials.len()).await;
    for serial in [serials.first(), serials.last()].into_iter().flatten() {
        assert_eq!(served.entry(&format!("{serial:x}")).map(|entry| entry.reason), Some(1), "{serial:x}");
    }
    // Once more it is all there: nothing is written again.
    let said = import("8m").run().await;
    assert!(said.starts_with("50000 entries are on record"), "{said}");
    assert_eq!(parts().await, 0);
}
