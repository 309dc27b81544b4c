//! The manifests in `deploy/gitops` are ones that the API server, Flux and Argo CD would take.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Flux, Ground, Program, apply_manifests, definitions, parse_manifests};

fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files, and the documents in each.
fn manifests() -> Vec<(PathBuf, Vec<Value>)> {
    let mut files = Vec::new();
    for folder in ["deploy/gitops/argocd", "deploy/gitops/flux"] {
        for entry in fs::read_dir(source().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let documents = parse_manifests(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
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
    let files = manifests();
    assert!(files.len() >= 6, "{files:?}");
    for (path, documents) in &files {
        let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename"];
        let said = Program::kubectl(&ground).args(arguments).args([path]).run().await;
        assert_eq!(said.lines().count(), documents.len(), "{}: {said}", path.display());
    }
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
