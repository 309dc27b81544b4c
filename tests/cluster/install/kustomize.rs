//! deploy/base and each overlay give the objects that the chart gives with the values beside them, and so do components together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::rehearse;
use crate::harness::{Ground, Program, SHARED_SYSTEM, apply_manifests, chart, parse_manifests, run};
use crate::page::Page;
use crate::stage::merged;

/// What only the chart adds: Helm's labels, and the annotation that says what `helm uninstall` leaves.
const OF_HELM: [&str; 3] =
    ["/metadata/labels/app.kubernetes.io~1managed-by", "/metadata/labels/helm.sh~1chart", "/metadata/annotations/helm.sh~1resource-policy"];

/// What says that Argo CD and Flux leave an object, whether it goes from git or what applied it goes.
const KEPT: [(&str, &str); 2] =
    [("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"), ("kustomize.toolkit.fluxcd.io/prune", "disabled")];

/// The overlay whose objects are all in namespaces.
const NAMESPACED: &str = "deploy/overlays/namespaced";

type Objects = BTreeMap<String, Value>;

/// The folders with the values that make the same: base, and all overlays.
fn folders() -> Vec<PathBuf> {
    let deploy = run::source().join("deploy");
    let overlays = fs::read_dir(deploy.join("overlays")).expect("there are overlays").map(|entry| entry.expect("it can be read").path());
    let mut folders: Vec<PathBuf> = overlays.chain([deploy.join("base")]).collect();
    folders.sort();
    folders
}

async fn kustomized(ground: &Ground, folder: &Path) -> Vec<Value> {
    let printed = Program::kubectl(ground).args(["kustomize"]).args([folder]).run().await;
    parse_manifests(&printed).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn objects(documents: Vec<Value>) -> Objects {
    documents.into_iter().map(|document| (name_of(&document), plain(document))).collect()
}

fn name_of(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!("{} {}/{}", text(&document["kind"]), text(&document["metadata"]["namespace"]), text(&document["metadata"]["name"]))
}

/// Without what only Helm adds.
fn plain(mut document: Value) -> Value {
    for pointer in OF_HELM {
        let (map, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
        let Some(Value::Object(map)) = document.pointer_mut(map) else { continue };
        map.remove(&key.replace("~1", "/"));
        if map.is_empty() {
            document["metadata"].as_object_mut().expect("it is a map").remove("annotations");
        }
    }
    document
}

/// Where two documents differ, as pointers with both sides.
fn differences(path: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                differences(&format!("{path}/{key}"), &left[key], &right[key], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (number, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{number}"), a, b, found);
            }
        }
        _ if left == right => {}
        // kustomize leaves a map of which all was taken.
        (Value::Object(map), Value::Null) if map.is_empty() => {}
        // kustomize writes 15.0 as 15.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ => found.push(format!("{path}: kustomize has {left}, the chart {right}")),
    }
}

/// The values that stand beside an overlay.
fn values_of(folder: &Path) -> Value {
    let values = fs::read_to_string(folder.join("values.yaml")).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    parse_manifests(&values).expect("values are YAML").remove(0)
}

/// Where what kustomize makes of a folder is not what the chart makes of these values.
async fn compared(ground: &Ground, shown: &str, folder: &Path, values: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let of_chart = chart::template(&chart::chart(), chart::RELEASE, SHARED_SYSTEM, values).await;
    let of_chart = objects(of_chart.unwrap_or_else(|error| panic!("{shown}: {error:#}")));
    let mut of_folder = objects(kustomized(ground, folder).await);
    // Helm's user makes the namespace; see docs/install.md.
    match of_folder.remove(&format!("Namespace -/{SHARED_SYSTEM}")) {
        Some(namespace) => {
            assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted", "{shown}");
            wrong.extend(
                KEPT.iter()
                    .filter(|(key, value)| namespace["metadata"]["annotations"][key] != *value)
                    .map(|(key, _)| format!("{shown}: the namespace has no {key}")),
            );
        }
        None if shown.starts_with(NAMESPACED) => {
            let outside = of_folder.values().filter(|object| object["metadata"]["namespace"].is_null()).map(name_of);
            wrong.extend(outside.map(|name| format!("{shown}: {name} is in no namespace")));
        }
        None => wrong.push(format!("{shown} has no namespace")),
    }
    for (name, object) in &of_folder {
        match of_chart.get(name) {
            None => wrong.push(format!("{shown}: only kustomize has {name}")),
            Some(other) => differences(&format!("{shown}: {name}: "), object, other, &mut wrong),
        }
    }
    wrong.extend(of_chart.keys().filter(|name| !of_folder.contains_key(*name)).map(|name| format!("{shown}: only the chart has {name}")));
    wrong
}

/// A folder of the run with the source tree in it: kustomize takes no absolute path.
fn with_source(name: &str) -> PathBuf {
    let folder = run::folder().join("kustomize").join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    let source = folder.join("source");
    if !source.exists() {
        std::os::unix::fs::symlink(run::source(), &source).expect("a link can be made");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn each_overlay_gives_what_the_chart_gives_with_its_values() {
    let ground = Ground::bare().await;
    let mut wrong = Vec::new();
    for folder in folders() {
        let shown = folder.strip_prefix(run::source()).expect("it is ours").display().to_string();
        wrong.extend(compared(&ground, &shown, &folder, &values_of(&folder)).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn components_together_give_what_the_chart_gives_with_the_values_of_all() {
    let ground = Ground::bare().await;
    let deploy = run::source().join("deploy");
    let components = fs::read_dir(deploy.join("components")).expect("there are components").map(|entry| entry.expect("it can be read"));
    let mut components: Vec<String> = components.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    components.sort();
    let mut wrong = Vec::new();
    for base in ["default", "namespaced"] {
        // Two of them, in either order, and all.
        for names in [&components[..2], &[components[1].clone(), components[0].clone()], &components] {
            let shown = format!("deploy/overlays/{base} with {names:?}");
            let folder = with_source(&format!("{base}-with-{}", names.join("-")));
            let paths: Vec<String> = names.iter().map(|name| format!("source/deploy/components/{name}")).collect();
            let kustomization = json!({
                "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                "resources": [format!("source/deploy/overlays/{base}")], "components": paths,
            });
            fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).expect("a file can be written");
            let all = [base].into_iter().chain(names.iter().map(String::as_str));
            let values = all.fold(json!({}), |values, name| merged(values, &values_of(&deploy.join("overlays").join(name))));
            wrong.extend(compared(&ground, &shown, &folder, &values).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn components_leave_what_else_is_in_an_overlay_as_it_is() {
    let ground = Ground::bare().await;
    let folder = with_source("beside-others");
    let others: Vec<Value> = [json!({"vault.hashicorp.com/agent-inject": "true", "prometheus.io/scrape": "true"}), json!(null)]
        .iter()
        .zip(["annotated", "plain"])
        .map(|(annotations, name)| {
            let template = json!({"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": {"containers": [{"name": "app", "image": "app"}]}});
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "apps"},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
            })
        })
        .collect();
    let files = ["annotated.yaml", "plain.yaml"];
    for (file, object) in files.iter().zip(&others) {
        fs::write(folder.join(file), object.to_string()).expect("a file can be written");
    }
    let components = ["high-availability", "monitoring", "network-policies"].map(|name| format!("source/deploy/components/{name}"));
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["source/deploy/overlays/default", files[0], files[1]], "components": components,
    });
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).expect("a file can be written");
    let made = kustomized(&ground, &folder).await;
    for other in &others {
        let found = made.iter().find(|object| name_of(object) == name_of(other)).expect("it is there");
        let mut wrong = Vec::new();
        differences("", found, other, &mut wrong);
        assert!(wrong.is_empty(), "{}: {}", name_of(other), wrong.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_of_the_registers_says_that_it_is_to_be_kept() {
    let ground = Ground::bare().await;
    let documents = kustomized(&ground, &run::source().join("deploy/audit")).await;
    for kind in ["Namespace", "PersistentVolumeClaim"] {
        let found = documents.iter().find(|document| document["kind"] == kind).expect("it is there");
        for (key, value) in KEPT {
            assert_eq!(found["metadata"]["annotations"][key], value, "{kind}: {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_of_kustomize_and_of_the_chart_say_that_they_are_to_be_kept() {
    let ground = Ground::bare().await;
    let of_chart = chart::template(&chart::chart(), chart::RELEASE, SHARED_SYSTEM, &json!({})).await.expect("it has defaults");
    let of_crds = kustomized(&ground, &run::source().join("crds")).await;
    for (shown, documents) in [("the chart", of_chart), ("crds", of_crds)] {
        let definitions: Vec<&Value> = documents.iter().filter(|document| document["kind"] == "CustomResourceDefinition").collect();
        assert_eq!(definitions.len(), 4, "{shown}");
        for definition in definitions {
            for (key, value) in KEPT {
                assert_eq!(definition["metadata"]["annotations"][key], value, "{shown}: {}: {key}", name_of(definition));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_uninstall_leaves_the_definitions_and_the_namespace_and_takes_the_rest() {
    const OVERLAY: &str = "deploy/overlays/default";
    let ground = Ground::prepared().await;
    super::schemas::define_monitoring(&ground.client).await;
    let page = Page::read(Path::new("docs/install.md"));
    let mut commands = page.blocks.iter().flat_map(|block| block.code.lines()).filter_map(|line| line.strip_prefix("kubectl delete -k "));
    let command = commands.find(|command| command.starts_with(OVERLAY)).expect("docs/install.md deletes an overlay");
    let selector = command.split_once("--selector ").expect("not all of it").1.trim_matches('\'');
    for folder in folders() {
        let is_kept =
            |document: &&Value| ["CustomResourceDefinition", "Namespace"].contains(&document["kind"].as_str().unwrap_or_default());
        let documents = kustomized(&ground, &folder).await;
        let wanted = documents.len() - documents.iter().filter(is_kept).count();
        let deleted = Program::kubectl(&ground).args(["delete", "-k"]).args([&folder]).args(["--selector", selector]);
        let deleted = deleted.args(["--dry-run=client", "-o", "name"]).run().await;
        assert!(!deleted.contains("customresourcedefinition") && !deleted.contains("namespace/"), "{}: {deleted}", folder.display());
        assert_eq!(deleted.lines().count(), wanted, "{}: {deleted}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_what_each_overlay_gives() {
    let ground = Ground::prepared().await;
    super::schemas::define_monitoring(&ground.client).await;
    // The overlay for some namespaces expects them to be there. Others may have made this one already.
    let served = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team-a" } });
    apply_manifests(&ground.client, &[served]).await.expect("a namespace can be made");
    for folder in folders() {
        for document in kustomized(&ground, &folder).await {
            if let Err(error) = rehearse(&ground.client, &document).await {
                panic!("{}: {error:#}", folder.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_as_the_page_writes_it_moves_all_to_another_namespace() {
    const PROJECT: &str = "https://github.com/chancery-dev/chancery//deploy/";
    const VERSION: &str = "?ref=v0.1.0";
    let ground = Ground::bare().await;
    let page = Page::read(Path::new("docs/install.md"));
    let block = |word: &str| {
        let found = page.blocks.iter().find(|block| block.language == "yaml" && block.code.contains(word));
        found.unwrap_or_else(|| panic!("docs/install.md has no block with {word}")).code.as_str()
    };
    let overlay = [block(PROJECT), block("replacements:")].join("\n");
    for name in ["default", "monitoring", "namespaced"] {
        let folder = with_source(&format!("another-namespace-{name}"));
        let overlay =
            overlay.replace(PROJECT, "source/deploy/").replace(VERSION, "").replace("overlays/default", &format!("overlays/{name}"));
        fs::write(folder.join("kustomization.yaml"), overlay).expect("a file can be written");
        let documents = kustomized(&ground, &folder).await;
        let left: Vec<String> = documents.iter().filter(|document| document.to_string().contains(SHARED_SYSTEM)).map(name_of).collect();
        assert!(left.is_empty(), "{name}: {SHARED_SYSTEM} is still in {left:?}");
        let moved = documents.iter().filter(|document| document["metadata"]["namespace"] == "pki").count();
        assert!(moved > 5, "{name}: {moved}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_definitions_are_applied_as_files_and_as_a_kustomization() {
    let ground = Ground::prepared().await;
    for way in ["-f", "-k"] {
        let applied = Program::kubectl(&ground).args(["apply", "--server-side", "--dry-run=server", "--force-conflicts", way]);
        let applied = applied.args([run::source().join("crds")]).finish().await;
        assert!(applied.status.success(), "{way}: {}", applied.stderr);
        assert_eq!(applied.stdout.lines().count(), 4, "{way}: {}", applied.stdout);
    }
}

#[test]
fn a_difference_is_told_by_its_place() {
    let mut found = Vec::new();
    let left = json!({ "a": [{ "b": 1 }], "c": 2, "same": "x" });
    let right = json!({ "a": [{ "b": 3 }], "d": 4, "same": "x" });
    differences("", &left, &right, &mut found);
    let wanted = ["/a/0/b: kustomize has 1, the chart 3", "/c: kustomize has 2, the chart null", "/d: kustomize has null, the chart 4"];
    assert_eq!(found, wanted);
}
