//! The manifests in `deploy/gitops` and on the page about GitOps are ones that the API server, Flux and Argo CD would take.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Flux, Ground, Program, apply_manifests, definitions, kustomization, parse_manifests};
use crate::page::{Page, source};

/// The files, and the documents in each.
fn manifests() -> Vec<(PathBuf, Vec<Value>)> {
    let mut files = Vec::new();
    for folder in ["deploy/gitops/argocd", "deploy/gitops/flux"] {
        for entry in fs::read_dir(source().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let documents = parse_manifests(&fs::read_to_string(&path).unwrap());
            let documents = documents.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            files.push((path, documents));
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_accepted_with_the_crds_of_flux_and_argo_cd() {
    let ground = Ground::prepared().await;
    Flux::running(&ground).await;
    apply_manifests(&ground.client, &definitions(&source().join("tests/tools/argo/bin/crds")).unwrap()).await.unwrap();
    let namespace = |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply_manifests(&ground.client, &["argocd", "team-a"].map(namespace)).await.unwrap();
    let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename"];
    let files = manifests();
    assert!(files.len() >= 6, "{files:?}");
    for (path, documents) in &files {
        let said = Program::kubectl(&ground).args(arguments).args([path]).run().await;
        assert_eq!(said.lines().count(), documents.len(), "{}: {said}", path.display());
    }
    let page = Page::read(Path::new("docs/gitops.md"));
    let blocks = page.blocks.iter().filter(|block| block.language == "yaml" && block.word("needs") == Some("gitops"));
    let mut count = 0;
    for block in blocks {
        let finished = Program::kubectl(&ground).args(arguments).args(["-"]).stdin(block.code.clone()).finish().await;
        assert!(finished.status.success(), "{}:{}: {}", page.path, block.line, finished.stderr);
        count += 1;
    }
    assert!(count > 0, "{} has no manifest of Flux or Argo CD", page.path);
}

#[test]
fn what_the_examples_set_is_in_the_chart() {
    let values = fs::read_to_string(source().join("charts/chancery/values.yaml")).unwrap();
    let values = parse_manifests(&values).unwrap().remove(0);
    let mut seen = 0;
    for (path, documents) in manifests() {
        for document in documents {
            for pointer in ["/spec/values", "/spec/source/helm/valuesObject"] {
                if let Some(set) = document.pointer(pointer) {
                    seen += 1;
                    let unknown = unknown(set, &values);
                    assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
                }
            }
        }
    }
    assert_eq!(seen, 2, "one for Flux, one for Argo CD");
}

/// The paths of what is set and has no default.
fn unknown(set: &Value, defaults: &Value) -> Vec<String> {
    let Some(fields) = set.as_object() else { return Vec::new() };
    let inner = |(name, value): (&String, &Value)| match defaults.get(name) {
        None => vec![name.clone()],
        Some(default) => unknown(value, default).into_iter().map(|path| format!("{name}.{path}")).collect(),
    };
    fields.iter().flat_map(inner).collect()
}

#[test]
fn the_project_in_argo_cd_lets_in_all_that_is_installed() {
    let mut installed = kustomization(&source().join("deploy/base")).unwrap();
    installed.push(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}));
    let of_cluster = |document: &&Value| document.pointer("/metadata/namespace").is_none();
    let kind = |document: &Value| {
        let version = document["apiVersion"].as_str().unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        (group.to_owned(), document["kind"].as_str().unwrap_or_default().to_owned())
    };
    let kinds: BTreeSet<(String, String)> = installed.iter().filter(of_cluster).map(kind).collect();
    let project = manifests().into_iter().flat_map(|(_, documents)| documents);
    let mut projects = project.filter(|document| document["kind"] == "AppProject" && document["metadata"]["name"] == "chancery");
    let project = projects.next().expect("there is a project for Chancery");
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let listed = project["spec"]["clusterResourceWhitelist"].as_array().expect("it lists kinds");
    let allowed: BTreeSet<(String, String)> = listed.iter().map(|entry| (text(entry, "group"), text(entry, "kind"))).collect();
    assert_eq!(kinds, allowed);
}
