//! What README and docs tell a person to type is typed here, page by page, from top to bottom.
//!
//! - `sh` blocks are run by one bash for each page, in a folder with `charts`, `crds` and `deploy` of the source tree; a command that fails
//!   ends the page. A `text` block right below one is what it prints, `...` standing for anything. `sh,typed=web` is run on a terminal,
//!   where somebody types `web`.
//! - `yaml` blocks are applied by the API server, which then forgets them. A part of an object says of what (`yaml,of=Certificate`).
//! - A block that cannot be run here says what it needs (`sh,needs=pods`); [`NEEDS`] has the reasons. Its syntax is checked all the same.
//! - Every command line of ours, wherever it stands, is checked against the program: subcommands, flags, values of the chart.
//!
//! The pages have a control plane of their own. README installs Chancery on it with Helm, and the others go on from there, one at a time.
//! There are no nodes: [`pods`] runs our two programs in their place. What needs a real one is played by [`node`], in `make e2e`.

mod cluster;
mod command_lines;
mod lost;
mod names;
mod node;
mod play;
mod pods;
mod script;

use std::collections::BTreeSet;
use std::path::Path;

use crate::page::{Block, Page, pages, source};
use cluster::Cluster;
use play::play;

use crate::harness::{Program, parse_manifests};

/// What blocks may need that is not here, and who runs them, or why nobody does.
const NEEDS: [(&str, &str); 10] = [
    ("pods", "there is no node here that could run them: `make e2e` plays the page on its own"),
    ("foreground", "it runs until somebody stops it, at ports that others may have here: `make e2e` runs it while it plays the next block"),
    ("order", "it takes away what the other pages need: `make e2e` plays the page at its end"),
    ("bare", "it begins with nothing, in another way than the blocks above: `make e2e` does that when the page is over"),
    ("make", "it is what CI runs: it would run in itself"),
    ("kustomization", "tests/cluster/install/kustomize.rs has kustomize build it"),
    ("loss", "there has to be something to be put back: lost.rs loses all, and plays them"),
    ("gitops", "Argo CD or Flux do it; tests/cluster/gitops has Flux's own controller"),
    ("registry", "an image is pushed to a registry of the person's own"),
    ("monitoring", "Prometheus, Grafana, a metrics server or a log store are not here"),
];

/// What stands in fences besides `sh` and `yaml`, and is read by other programs.
const LANGUAGES: [(&str, &str); 5] = [
    ("text", "what a command prints, or a drawing"),
    ("json", "parsed"),
    ("promql", "promtool checks the same rules in deploy/monitoring"),
    ("nginx", "tests/cluster/consumers.rs has nginx read the same lines"),
    ("logql", "a log store's"),
];

/// A test for each page: what is on it is done. And what each takes for granted.
macro_rules! played {
    ($($name:ident: $path:literal, $cluster:expr, $before:expr;)*) => {
        const PLAYED: &[(&str, &[&str])] = &[("README.md", &[]), $(($path, &$before)),*];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let cluster = $cluster.await;
                let _turn = cluster.turn().await;
                play(cluster, &Page::read(Path::new($path)), &takes_for_granted($path)).await;
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

/// In the folder, what somebody has who checks a certificate of the samples, and the list of another day.
const FILES: &str = "kubectl -n chancery-samples annotate ccert labelled --overwrite chancery.dev/renew=$(date +%s%N)
until kubectl -n chancery-samples get secret labelled-tls -o jsonpath='{.data.tls\\.crt}' | base64 -d > tls.crt
  openssl x509 -in tls.crt -noout -text | grep -q 'CRL Distribution'; do sleep 1; done
kubectl -n chancery-samples get secret labelled-tls -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt
kubectl -n chancery-system get secret sample-intermediate -o jsonpath='{.data.tls\\.crt}' | base64 -d > issuer.crt
kubectl chancery crl fetch RevocationList/chancery-system/sample -f old.crl";

/// A checkpoint, sooner than it would be there.
const CHECKPOINT: &str =
    "helm upgrade chancery charts/chancery --namespace chancery-system --reset-then-reuse-values --set checkpointInterval=1s
until kubectl -n chancery-system get configmap chancery-register-checkpoint; do sleep 1; done";

/// What cert-manager brings into a cluster.
const KINDS: &str = include_str!("cert-manager-kinds.sh");

/// One of its Certificates.
const ANOTHER_CERTIFICATE: &str = "kubectl apply -f - <<EOF
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: chancery-samples}
spec: {secretName: web-tls, dnsNames: [web.example.com], issuerRef: {name: sample, kind: ClusterIssuer}}
EOF";

/// The script that makes what a page takes for granted.
fn takes_for_granted(path: &str) -> String {
    PLAYED.iter().find(|(played, _)| *played == path).map_or_else(String::new, |(_, before)| before.join("\n"))
}

played! {
    getting_started: "docs/getting-started.md", Cluster::installed(), [SAMPLES];
    concepts: "docs/concepts.md", Cluster::installed(), [SAMPLES];
    a_first_certificate: "docs/tutorials/first-certificate.md", Cluster::installed(), [];
    a_hierarchy_of_cas: "docs/tutorials/ca-hierarchy.md", Cluster::installed(), [];
    mutual_tls: "docs/tutorials/mutual-tls.md", Cluster::installed(), [];
    a_list_is_published_and_checked: "docs/tutorials/revocation-list.md", Cluster::installed(), [];
    a_key_has_leaked: "docs/tutorials/leaked-key.md", Cluster::installed(), [SAMPLES, include_str!("leaked-key.sh")];
    certificate_by_example: "docs/certificate.md", Cluster::installed(), [SAMPLES];
    issuers_by_example: "docs/issuer.md", Cluster::installed(), [SAMPLES];
    revocation: "docs/revocation.md", Cluster::installed(), [SAMPLES, FILES];
    the_responder: "docs/responder.md", Cluster::installed(), [SAMPLES];
    the_registers: "docs/register.md", Cluster::installed(), [SAMPLES, CHECKPOINT];
    the_plugin: "docs/kubectl-plugin.md", Cluster::installed(), [SAMPLES, KINDS, ANOTHER_CERTIFICATE];
    moving_from_cert_manager: "docs/migrating-from-cert-manager.md", Cluster::installed(), [KINDS, include_str!("cert-manager.sh")];
    differences_from_cert_manager: "docs/differences-from-cert-manager.md", Cluster::installed(), [];
    monitoring: "docs/monitoring.md", Cluster::installed(), [SAMPLES];
    runbooks: "docs/runbooks.md", Cluster::installed(), [SAMPLES];
    troubleshooting: "docs/troubleshooting.md", Cluster::installed(), [SAMPLES];
    security_model: "docs/security-model.md", Cluster::installed(), [];
    gitops: "docs/gitops.md", Cluster::installed(), [];
    install: "docs/install.md", Cluster::installed(), [];
    operations: "docs/operations.md", Cluster::to_be_ruined(), [SAMPLES];
    disasters: "docs/disasters.md", Cluster::to_be_ruined(), [SAMPLES];
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
    let missing: Vec<String> = with_blocks.map(|page| page.path).filter(|path| !PLAYED.iter().any(|(played, _)| played == path)).collect();
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
                "typed" => block.language == "sh",
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

#[test]
fn what_a_page_looks_for_in_the_log_is_what_our_programs_write() {
    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).expect("it is a folder of the source tree") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push_str(&std::fs::read_to_string(&path).expect("a source is text").to_lowercase());
            }
        }
    }
    let mut written = String::new();
    sources(&source().join("src"), &mut written);
    let blocks = blocks().into_iter().filter(|(_, block)| block.language == "sh");
    let looked_for = blocks
        .flat_map(|(place, block)| command_lines::looked_for_in_logs(&block.code).into_iter().map(move |pattern| (place.clone(), pattern)));
    let looked_for: Vec<(String, String)> = looked_for.collect();
    assert!(looked_for.len() > 5, "only {looked_for:?} were found");
    let wrong: Vec<_> = looked_for.iter().filter(|(_, pattern)| !written.contains(pattern)).collect();
    assert!(wrong.is_empty(), "nobody writes {wrong:?}");
}
