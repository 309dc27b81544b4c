//! What README and docs tell a person to type is typed here, page by page, from top to bottom.
//!
//! - `sh` blocks are run by one bash for each page, in a folder with `charts`, `crds` and `deploy` of the source tree; a command that fails
//!   ends the page. A `text` block right below one is what it prints, `...` standing for anything.
//! - `yaml` blocks are applied by the API server, which then forgets them. A part of an object says of what (`yaml,of=Certificate`).
//! - A block that cannot be run here says what it needs (`sh,needs=pods`); [`NEEDS`] has the reasons. Its syntax is checked all the same.
//! - Every command line of ours, wherever it stands, is checked against the program: subcommands, flags, values of the chart.
//!
//! The pages have a control plane of their own. README installs Chancery on it with Helm, and the others go on from there, one at a time.
//! There are no nodes: [`pods`] runs our two programs in their place.

mod cluster;
mod command_lines;
mod lost;
mod play;
mod pods;

use std::collections::BTreeSet;
use std::path::Path;

use crate::page::{Block, Page, pages, source};
use cluster::Cluster;
use play::play;

use crate::harness::{Program, parse_manifests};

/// What blocks may need that is not here, and why they are not run.
const NEEDS: [(&str, &str); 9] = [
    ("pods", "there is no node here that could run them; `make e2e` has one"),
    ("make", "it is what CI runs: it would run in itself"),
    ("order", "it takes away what the other pages need; the tests of installation do it"),
    ("loss", "there has to be something to be put back: lost.rs loses all, and plays them"),
    ("gitops", "Argo CD or Flux do it; tests/cluster/gitops has Flux's own controller"),
    ("registry", "an image is pushed to a registry of the person's own"),
    ("monitoring", "Prometheus, Grafana or a log store are not here"),
    ("foreground", "it runs until somebody stops it; the tests run the same programs with the same rights"),
    ("outside", "it takes place elsewhere: at a client, on a node, in somebody's repository"),
];

/// What stands in fences besides `sh` and `yaml`, and is read by other programs.
const LANGUAGES: [(&str, &str); 5] = [
    ("text", "what a command prints, or a drawing"),
    ("json", "parsed"),
    ("promql", "promtool checks the same rules in deploy/monitoring"),
    ("nginx", "tests/cluster/consumers.rs has nginx read the same lines"),
    ("logql", "a log store's"),
];

/// A test for each page: what is on it is done.
macro_rules! played {
    ($($name:ident: $path:literal, $cluster:expr, $before:expr;)*) => {
        const PLAYED: &[&str] = &["README.md", $($path),*];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let cluster = $cluster.await;
                let _turn = cluster.turn().await;
                play(cluster, &Page::read(Path::new($path)), $before).await;
            }
        )*
    };
}

/// The samples as they are at first; what another page asked of the one that all use is taken away. It is not made anew: its budget is
/// ten certificates an hour, whoever has the name.
const SAMPLES: &str = "kubectl apply --server-side --force-conflicts -k deploy/samples >/dev/null
kubectl -n chancery-samples annotate ccert web chancery.dev/ca-crl- >/dev/null
while kubectl -n chancery-samples get secret web-tls -o jsonpath='{.data.ca\\.crl}' | grep -q .; do sleep 1; done
kubectl -n chancery-samples wait --for=condition=Ready ccert --all --timeout=60s";

/// The samples, and in the folder what somebody has who checks the certificate of one.
const FILES: &str = "kubectl apply --server-side --force-conflicts -k deploy/samples >/dev/null
kubectl -n chancery-samples wait --for=condition=Ready ccert --all --timeout=60s
kubectl -n chancery-samples annotate ccert labelled --overwrite chancery.dev/renew=$(date +%s%N)
until kubectl -n chancery-samples get secret labelled-tls -o jsonpath='{.data.tls\\.crt}' | base64 -d > tls.crt
  openssl x509 -in tls.crt -noout -text | grep -q 'CRL Distribution'; do sleep 1; done
kubectl -n chancery-samples get secret labelled-tls -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt
kubectl -n chancery-system get secret sample-intermediate -o jsonpath='{.data.tls\\.crt}' | base64 -d > issuer.crt";

played! {
    getting_started: "docs/getting-started.md", Cluster::installed(), SAMPLES;
    concepts: "docs/concepts.md", Cluster::installed(), SAMPLES;
    a_first_certificate: "docs/tutorials/first-certificate.md", Cluster::installed(), "";
    a_hierarchy_of_cas: "docs/tutorials/ca-hierarchy.md", Cluster::installed(), "";
    mutual_tls: "docs/tutorials/mutual-tls.md", Cluster::installed(), "";
    a_list_is_published_and_checked: "docs/tutorials/revocation-list.md", Cluster::installed(), "";
    a_key_has_leaked: "docs/tutorials/leaked-key.md", Cluster::installed(), SAMPLES;
    certificate_by_example: "docs/certificate.md", Cluster::installed(), SAMPLES;
    issuers_by_example: "docs/issuer.md", Cluster::installed(), SAMPLES;
    revocation: "docs/revocation.md", Cluster::installed(), FILES;
    the_responder: "docs/responder.md", Cluster::installed(), SAMPLES;
    the_registers: "docs/register.md", Cluster::installed(), SAMPLES;
    the_plugin: "docs/kubectl-plugin.md", Cluster::installed(), SAMPLES;
    moving_from_cert_manager: "docs/migrating-from-cert-manager.md", Cluster::installed(), include_str!("cert-manager.sh");
    differences_from_cert_manager: "docs/differences-from-cert-manager.md", Cluster::installed(), "";
    monitoring: "docs/monitoring.md", Cluster::installed(), SAMPLES;
    runbooks: "docs/runbooks.md", Cluster::installed(), SAMPLES;
    troubleshooting: "docs/troubleshooting.md", Cluster::installed(), SAMPLES;
    security_model: "docs/security-model.md", Cluster::installed(), "";
    gitops: "docs/gitops.md", Cluster::installed(), "";
    install: "docs/install.md", Cluster::installed(), "";
    operations: "docs/operations.md", Cluster::to_be_ruined(), SAMPLES;
    disasters: "docs/disasters.md", Cluster::to_be_ruined(), SAMPLES;
}

/// Pages whose blocks nobody is meant to paste on a cluster.
fn is_played(page: &Page) -> bool {
    let apart = ["docs/adr/", "CONTRIBUTING.md", "CHANGELOG.md"];
    !apart.iter().any(|start| page.path.starts_with(start))
}

fn blocks() -> Vec<(String, Block)> {
    let all = pages().into_iter().filter(is_played);
    all.flat_map(|page| page.blocks.into_iter().map(move |block| (format!("{}:{}", page.path, block.line), block))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readme_installs_and_issues_a_first_certificate() {
    Cluster::installed().await;
}

#[test]
fn every_page_with_something_to_do_is_done() {
    let with_blocks = pages().into_iter().filter(|page| is_played(page) && !page.blocks.is_empty());
    let with_blocks = with_blocks.filter(|page| page.blocks.iter().any(|block| block.word("needs").is_none()));
    let missing: Vec<String> = with_blocks.map(|page| page.path).filter(|path| !PLAYED.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "name them in played!: {missing:?}");
}

#[test]
fn what_cannot_be_done_here_says_what_it_needs() {
    let mut wrong = Vec::new();
    for (place, block) in blocks() {
        let known = matches!(block.language.as_str(), "sh" | "yaml") || LANGUAGES.iter().any(|(language, _)| *language == block.language);
        if !known {
            wrong.push(format!("{place}: nobody checks `{}` blocks", block.language));
        }
        for (word, value) in &block.words {
            let known = match word.as_str() {
                "needs" => NEEDS.iter().any(|(need, _)| need == value),
                "of" => play::whole(value, &serde_json::json!({})).is_some(),
                "drawing" => true,
                _ => false,
            };
            if !known {
                wrong.push(format!("{place}: `{word}={value}` means nothing"));
            }
        }
    }
    let needed: BTreeSet<String> = blocks().into_iter().filter_map(|(_, block)| block.word("needs").map(str::to_owned)).collect();
    wrong.extend(
        NEEDS
            .iter()
            .filter(|(need, _)| !needed.contains(*need) && !OF_OTHERS.contains(need))
            .map(|(need, _)| format!("no block needs `{need}`")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reasons that pages give which come with parts of their own.
const OF_OTHERS: [&str; 4] = ["gitops", "registry", "monitoring", "order"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_run_can_be_read_by_who_would_run_it() {
    let mut wrong = Vec::new();
    for (place, block) in blocks() {
        match block.language.as_str() {
            "sh" => {
                let read = Program::new("bash").args(["-n"]).stdin(block.code.clone()).finish().await;
                if !read.status.success() {
                    wrong.push(format!("{place}: {}", read.stderr.trim()));
                }
            }
            "yaml" => wrong.extend(parse_manifests(&block.code).err().map(|error| format!("{place}: {error}"))),
            "json" => {
                let values = serde_json::Deserializer::from_str(&block.code).into_iter::<serde_json::Value>();
                wrong.extend(values.filter_map(Result::err).map(|error| format!("{place}: {error}")));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_and_flag_that_is_written_down_exists() {
    let mut lines = Vec::new();
    for page in pages() {
        let spans = page.spans.iter().map(|(line, span)| (*line, span.clone()));
        let blocks = page.blocks.iter().filter(|block| block.language == "sh").map(|block| (block.line, block.code.clone()));
        for (line, text) in spans.chain(blocks) {
            lines.extend(command_lines::of_ours(&text).into_iter().map(|command| (format!("{}:{line}", page.path), command)));
        }
    }
    assert!(lines.len() > 20, "only {} command lines were found", lines.len());
    let mut known = command_lines::Known::new(&source().join("charts/chancery/values.yaml"));
    let mut wrong = Vec::new();
    for (place, command) in lines {
        if let Err(why) = known.takes(&command).await {
            wrong.push(format!("{place}: `{}`: {why}", command.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
