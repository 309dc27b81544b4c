//! `kubectl chancery list`.

use chancery::api::Certificate;
use serde_json::{Value, json};

use super::shown::{json, kubectl_chancery, shown};
use super::viewer::Viewer;
use crate::harness::Finished;
use crate::stage::{Stage, leaf, merged, serial};

async fn run(stage: &Stage, line: &str) -> Finished {
    kubectl_chancery(&stage.ground, &format!("list {line} -n {}", stage.namespace)).finish().await
}

fn names(found: &Finished) -> Vec<String> {
    let items = json(found)["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_listed_by_what_is_urgent_and_found_by_what_is_known_of_them() {
    let stage = Stage::named("plugin-list").await;
    stage.authority().await;
    let web = stage.issued("web", merged(leaf("ca", "web"), &json!({"ipAddresses": ["192.0.2.7"]}))).await;
    stage.issued("short", merged(leaf("ca", "short"), &json!({"duration": "480h"}))).await;
    stage.certificate("stuck", leaf("absent", "stuck")).await;
    stage.unready("stuck", "IssuerNotFound").await;
    stage.patch::<Certificate>("web", json!({"metadata": {"labels": {"tier": "front"}}})).await;

    shown().replace(r"\bin 1[23]d\b", "in 1xd").assert("list", &run(&stage, "").await);
    shown().assert("list-wide", &run(&stage, "-o wide -l tier=front").await);
    assert_eq!(run(&stage, "ccert -o name --sort-by name").await.stdout.lines().last(), Some("certificate.chancery.dev/web"));
    let rows: [(&str, &[&str]); 11] = [
        ("", &["stuck", "short", "web", "ca"]),
        ("--sort-by name", &["ca", "short", "stuck", "web"]),
        ("--sort-by state", &["stuck", "ca", "short", "web"]),
        ("--state issuing,expired", &["stuck"]),
        ("--state ready --sort-by name", &["ca", "short", "web"]),
        ("--issuer Issuer/ca --sort-by name", &["short", "web"]),
        ("--issuer absent", &["stuck"]),
        ("--expiring-within 20d", &["short"]),
        ("--expiring-within 480h", &["short"]),
        ("--field-selector spec.issuerRef.name=absent", &["stuck"]),
        ("-l tier=back", &[]),
    ];
    for (line, expected) in rows {
        let found = run(&stage, &format!("{line} -o json")).await;
        assert!(found.status.success() && found.stderr.is_empty(), "{line}: {found:?}");
        assert_eq!(names(&found), expected, "{line}");
    }
    let found = run(&stage, "-l tier=front -o json").await;
    let value = json(&found);
    let item = &value["items"][0];
    assert_eq!((item["serialNumber"].as_str(), &item["states"]), (Some(serial(&web)), &json!(["ready"])));
    assert_eq!((&item["issuer"], &item["names"]), (&json!("Issuer/ca"), &json!(["web.example.com", "192.0.2.7"])));
    let yaml = run(&stage, "-l tier=front -o yaml").await;
    assert_eq!(serde_yaml::from_str::<Value>(&yaml.stdout).unwrap(), value);

    let none = run(&stage, "-l tier=back").await;
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "No certificates found in namespace plugin-list.\n"));
    assert!(none.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_and_lists_are_listed_too() {
    let stage = Stage::named("plugin-list-more").await;
    stage.covered().await;
    shown().assert("list-issuers", &run(&stage, "issuers --field-selector metadata.name=ca -o wide").await);
    shown().assert("list-lists", &run(&stage, "lists").await);
    let lists = json(&run(&stage, "crl -o json").await);
    assert_eq!((&lists["items"][0]["entries"], &lists["items"][0]["shards"]), (&json!(0), &json!(1)));
    let none = run(&stage, "lists --state stalled").await;
    assert_eq!(none.stderr, "No revocation lists found in namespace plugin-list-more.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_namespaces_are_listed_to_whoever_may_see_them_and_others_are_told() {
    let stage = Stage::set("list-all").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.issued("web", leaf("self", "web")).await;
    let everywhere = kubectl_chancery(&stage.ground, "list -A").run().await;
    let line = everywhere.lines().find(|line| line.starts_with(&stage.namespace)).unwrap_or_default();
    assert!(everywhere.starts_with("NAMESPACE ") && line.contains(" web ") && line.contains("Issuer/self"), "{everywhere}");

    let viewer = Viewer::of(&stage).await;
    let own = viewer.kubectl_chancery(&stage, &format!("list -n {}", stage.namespace)).finish().await;
    assert!(own.status.success() && own.stdout.contains("web"), "{own:?}");
    let all = viewer.kubectl_chancery(&stage, "list -A").finish().await;
    assert!(all.status.code() == Some(1) && all.stderr.contains("forbidden"), "{all:?}");
    let issuers = viewer.kubectl_chancery(&stage, &format!("list issuers -n {} -o name", stage.namespace)).finish().await;
    assert_eq!((issuers.status.code(), issuers.stdout.as_str()), (Some(0), "issuer.chancery.dev/self\n"));
    assert!(issuers.stderr.starts_with("ClusterIssuers are left out: could not list clusterissuers"), "{issuers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_that_is_wrong_ends_with_2_and_says_what_would_be_right() {
    let stage = Stage::set("list-wrong").await;
    for (line, expected) in [
        ("list -A -n x", "cannot be used with"),
        ("list --state lost", "not-ready"),
        ("list --expiring-within 30", "30d"),
        ("list -l=", "chooses everything"),
        ("renew -l=", "chooses everything"),
        ("revoke --selector= --yes", "chooses everything"),
        ("list --field-selector=", "chooses everything"),
        ("list -n=", "'--namespace <NAMESPACE>': it is empty: write a namespace"),
        ("renew --all -n=", "'--namespace <NAMESPACE>': it is empty: write a namespace"),
        ("crl list --namespace=", "CHANCERY_NAMESPACE"),
        ("list pods", "certificates, issuers, lists"),
        ("renew", "name the objects"),
        ("renew web --all", "cannot be used with"),
        ("revoke", "name the Certificates"),
        ("revoke web --serial 01", "--list"),
        ("revoke --list a/b", "--serial or --key-id"),
        ("revoke --list a/b --serial 01 --hold --reason superseded", "cannot be used with"),
    ] {
        let found = kubectl_chancery(&stage.ground, line).finish().await;
        assert!(found.status.code() == Some(2) && found.stderr.contains(expected), "{line}: {found:?}");
    }
}
