//! The pages on a real node, where Chancery runs in pods: what the control plane without nodes has to leave out.
//!
//! `make e2e` starts the node and this test in it. Pages that need pods are played whole, after README. Then those whose blocks install
//! Chancery or take it away, in an order in which that can be done.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::cluster::Cluster;
use super::names;
use super::play::play;
use super::{NEEDS, is_played, takes_for_granted};
use crate::page::{Block, Page, pages};

/// What blocks may need and have on a node, but for `bare`.
const HAS: [&str; 3] = ["pods", "foreground", "order"];

/// Pages that install Chancery or take it away, in the order in which they are played, and what is done before.
const LAST: [(&str, &str); 4] =
    [("docs/getting-started.md", ""), ("docs/operations.md", PACKAGE), ("charts/chancery/README.md", REMOVE), ("docs/install.md", REMOVE)];

/// Both programs as the pages for operators want them, more than one of each. What is in their logs is what those pages look for: the
/// common register gets a line from them. Those that end may lead till then, and their logs go with them.
const PREPARE: &str = "helm upgrade chancery charts/chancery --namespace chancery-system --reset-then-reuse-values \
--set replicaCount=2,logging.format=json,checkpointInterval=1s --wait --timeout 2m
until [ \"$(kubectl -n chancery-system get pods -l app.kubernetes.io/component=controller -o name | wc -l)\" = 2 ]; do sleep 1; done
kubectl -n chancery-system wait --for=condition=Ready ccert/sample-root --timeout=60s
kubectl chancery renew sample-root -n chancery-system --wait";

/// The archive of an older chart, as somebody keeps it to go back: of this one, since there is no older.
const PACKAGE: &str = "helm package charts/chancery >/dev/null";

/// Nothing of Chancery is left, whatever there was.
const REMOVE: &str = "helm uninstall chancery --namespace chancery-system --ignore-not-found --wait --timeout 2m
kubectl delete -k crds --ignore-not-found --timeout 60s
kubectl delete namespace chancery-system --ignore-not-found --timeout 120s";

/// What was installed runs.
const RUNS: &str = "kubectl -n chancery-system rollout status deployment/chancery-controller --timeout 120s
kubectl -n chancery-system rollout status deployment/chancery-responder --timeout 120s
kubectl chancery check --wait --timeout 60s";

fn needs(page: &Page, any_of: &[&str]) -> bool {
    page.blocks.iter().any(|block| block.word("needs").is_some_and(|need| any_of.contains(&need)))
}

/// The node's pods ask at its own address for names, where nobody answers otherwise.
async fn serve_names(cluster: &Cluster) {
    let address = "jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}";
    let address = cluster.kubectl().args(["get", "nodes", "-o", address]).run().await;
    let address: IpAddr = address.parse().expect("the node has an address");
    let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig).expect("it is a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("it names a cluster");
    let client = Client::try_from(config).expect("a client can be made");
    names::serve(SocketAddr::new(address, 53), client).await.expect("nobody else tells names on this node");
}

/// A script as a page of its own.
fn script(name: &str, code: &str) -> Page {
    Page::parse(name.to_owned(), &format!("```sh\n{code}\n```\n"))
}

/// A block as a page of its own, without what it needs.
fn alone(page: &Page, block: &Block) -> Page {
    let mut block = block.clone();
    block.words.retain(|(word, _)| word != "needs");
    let mut alone = Page::parse(page.path.clone(), "");
    alone.blocks.push(block);
    alone
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it needs a cluster that runs pods: make e2e has one"]
async fn what_needs_pods_is_done_where_pods_run() {
    let kubeconfig = std::env::var_os("KUBECONFIG").map(PathBuf::from).expect("KUBECONFIG names a cluster that is ours alone");
    let cluster = Cluster::with_a_node(kubeconfig, &HAS);
    let all: Vec<Page> = pages().into_iter().filter(is_played).collect();
    let page = |path: &str| all.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("there is no {path}"));
    serve_names(&cluster).await;
    let mut done = BTreeSet::new();
    let mut keep = |page: &Page, lines: Vec<usize>| {
        println!("{}: {} blocks", page.path, lines.len());
        done.extend(lines.into_iter().map(|line| (page.path.clone(), line)));
    };

    keep(page("README.md"), play(&cluster, page("README.md"), "").await);
    play(&cluster, &script("prepare", PREPARE), "").await;
    play(&cluster, &script("runs", RUNS), "").await;
    let last = |page: &Page| LAST.iter().any(|(path, _)| *path == page.path);
    for page in all.iter().filter(|page| needs(page, &HAS) && !last(page)) {
        keep(page, play(&cluster, page, &takes_for_granted(&page.path)).await);
    }
    for (path, before) in LAST {
        let page = page(path);
        let before = format!("{before}\n{}", takes_for_granted(path));
        let (bare, rest): (Vec<_>, Vec<_>) = page.blocks.iter().partition(|block| block.word("needs") == Some("bare"));
        if !rest.is_empty() {
            keep(page, play(&cluster, page, &before).await);
        }
        for block in bare {
            let alone = alone(page, block);
            keep(&alone, play(&cluster, &alone, REMOVE).await);
            play(&cluster, &script(&format!("{path}-{}-runs", block.line), RUNS), "").await;
        }
    }

    let needed = all.iter().flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    let needed = needed.filter(|(_, block)| block.word("needs").is_some_and(|need| need == "bare" || HAS.contains(&need)));
    let needed: Vec<(String, usize)> = needed.map(|(page, block)| (page.path.clone(), block.line)).collect();
    let left: Vec<_> = needed.iter().filter(|place| !done.contains(place)).collect();
    assert!(left.is_empty(), "nobody has run {left:?}");
    let played: BTreeSet<&String> = done.iter().map(|(path, _)| path).collect();
    println!("played: {} blocks of {} pages; {} of them need a node", done.len(), played.len(), needed.len());
}

#[test]
fn pages_that_install_chancery_or_take_it_away_have_their_place_in_the_order() {
    assert!(HAS.iter().all(|has| NEEDS.iter().any(|(need, _)| need == has)), "{HAS:?}");
    let all: Vec<Page> = pages().into_iter().filter(is_played).collect();
    let found: Vec<&str> = all.iter().filter(|page| needs(page, &["order", "bare"])).map(|page| page.path.as_str()).collect();
    let mut placed = LAST.map(|(path, _)| path);
    placed.sort_unstable();
    assert_eq!(found, placed, "name them in LAST");
}

#[test]
fn what_runs_until_it_is_stopped_is_seen_to_run_by_the_block_below() {
    for page in pages().iter().filter(|page| is_played(page)) {
        for (block, next) in page.blocks.iter().zip(page.blocks.iter().skip(1).map(Some).chain([None])) {
            let seen = next.is_some_and(|next| next.word("needs") == Some("pods"));
            assert!(seen || block.word("needs") != Some("foreground"), "{}:{}: nobody sees that it runs", page.path, block.line);
        }
    }
}
