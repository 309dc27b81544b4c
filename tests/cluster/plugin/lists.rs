//! `kubectl chancery crl list`, `fetch` and `explain`: real lists of the real operator, and openssl about the same.

use chancery::api::names;
use chancery::lists;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::{Ground, OwnOperator, Program};
use crate::stage::{Consumer, Stage, authority_of, leaf, serial};

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_listed_fetched_and_explained_as_the_responder_serves_them() {
    let ground = Ground::prepared().await;
    let own = OwnOperator::start(&ground).await;
    let stage = Stage::of_own(&ground, &own.ground);
    let responder = own.ground.responder(&ground).await;
    let status = stage.covered_by(&responder, json!({"shards": 2})).await;
    let authority = authority_of(&status).to_owned();
    let first = stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.fetch().await;
    let system = stage.system.clone();
    let run = async |line: String| kubectl_chancery(&ground, &format!("crl {line} -n {system}")).finish().await;
    let shown = || {
        Shown::new()
            .replace(system.clone(), "<system>")
            .replace(stage.namespace.clone(), "<namespace>")
            .replace(r"\b[0-9a-f]{16}   ", "<authority>   ")
            .replace(r"\bshard [01]\b", "shard <shard>")
            .replace(r"/[01]\.crl", "/<shard>.crl")
            .replace(r"\b\d{3}   (fresh)", "<bytes>   $1")
            .replace(r"\b[56]m(\d+s)?   ", "<age>   ")
            .replace(r"\b[0-9dhms]+ old", "<age> old")
            .replace(r"\bline \d+:", "line <n>:")
    };
    shown().assert("crl-list", &run("list".to_owned()).await);
    let verified = run("list --verify -o json".to_owned()).await;
    let listed = json(&verified);
    assert!(listed["lists"].as_array().unwrap().iter().all(|list| list["state"] == "verified"), "{listed}");
    shown().assert("crl-explain-good", &run(format!("explain certificate {}/web", stage.namespace)).await);

    stage.revoke("web", "keyCompromise").await;
    stage.revoked("web").await;
    let entry = consumer.served_revoked().await;
    let shard = consumer.leaf().serial().shard().unwrap();
    let explained = run(format!("explain {}", serial(&first))).await;
    shown().assert("crl-explain-revoked", &explained);
    assert!(explained.stdout.contains(&entry.time.to_string()), "{explained:?}");
    let colons: Vec<String> = serial(&first).as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    let again = run(format!("explain {} --authority {} -o json", colons.join(":"), &authority[..8])).await;
    assert_eq!(json(&again)["listed"], true, "{again:?}");
    // What is wrong with another authority is told, and hides nothing.
    let damaged = lists::head_name(&"ab".repeat(32).parse().unwrap());
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": damaged, "labels": {names::LIST: "x"}}})).unwrap();
    let maps: Api<ConfigMap> = own.ground.system_api();
    maps.create(&PostParams::default(), &map).await.unwrap();
    let beside = run(format!("explain {} -o json", serial(&first))).await;
    assert!(beside.status.code() == Some(3) && json(&beside)["listed"] == true, "{beside:?}");
    assert!(beside.stderr.contains(&format!("not looked at: ConfigMap {system}/{damaged}")), "{beside:?}");
    maps.delete(&damaged, &DeleteParams::default()).await.unwrap();

    // The very octets that the responder serves, by key, by issuer, by list, and by URL.
    let url = consumer.leaf().crl_distribution_points()[0].clone();
    let lists = consumer.fetch().await;
    for from in [authority.clone(), format!("Issuer/{}/ca", stage.namespace), format!("RevocationList/{}/ca", stage.namespace), url.clone()]
    {
        let file = consumer.path("fetched.crl");
        let fetched = run(format!("fetch {from} --shard {shard} --der -f {file}")).await;
        assert!(fetched.status.success() && fetched.stderr.contains("signed by CN="), "{from}: {fetched:?}");
        assert_eq!(std::fs::read(&file).unwrap(), lists[0], "{from}");
        shown().replace(r"list number \d+", "list number <n>").replace(r"\bCN=\S+", "CN=<name>").assert("crl-fetch", &fetched);
    }
    let pem = run(format!("fetch {url} --ca {}", consumer.path("issuer.pem"))).await;
    let read = Program::openssl().args(["crl", "-noout", "-text"]).stdin(pem.stdout).run().await;
    assert!(read.contains("Key Compromise"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_here_signed_or_that_is_not_there_is_not_handed_out() {
    let stage = Stage::set("lists").await;
    let status = stage.covered().await;
    stage.issued("web", leaf("ca", "web")).await;
    let consumer = Consumer::of(&stage.content("web").await);
    consumer.fetch().await;
    let url = consumer.leaf().crl_distribution_points()[0].clone();
    let run = async |line: String| kubectl_chancery(&stage.ground, &format!("crl {line}")).finish().await;
    let folder = tempfile::tempdir().unwrap();
    let (strange, kept) = (folder.path().join("strange.pem"), folder.path().join("kept.crl"));
    std::fs::write(&strange, crate::stage::ForeignCa::of_years("Somebody", 2020, 2045).certificate).unwrap();
    let refused = run(format!("fetch {url} --ca {} -f {}", strange.display(), kept.display())).await;
    assert!(refused.status.code() == Some(3) && refused.stderr.contains("signed by none of the 1 certificates"), "{refused:?}");
    assert!(!kept.exists());
    for (line, said) in [
        (format!("fetch {} --shard 7", authority_of(&status)), "there is no list of shard 7"),
        (format!("fetch {}", "0".repeat(64)), "publishes no list"),
        ("explain 0123456789abcdef".to_owned(), "neither on record nor on the list"),
        (format!("explain certificate {}/ca", stage.namespace), "no authority made its certificate"),
        ("fetch http://127.0.0.1:1/0.crl".to_owned(), "no connection"),
    ] {
        let found = run(line.clone()).await;
        assert!(found.status.code() == Some(1) && found.stderr.contains(said), "{line}: {found:?}");
    }
}
