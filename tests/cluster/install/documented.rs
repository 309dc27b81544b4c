//! values.yaml, its schema and the table of README.md tell of the same values; its CRDs are those of `crds/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::leaves;
use crate::harness::{chart, parse_manifests, run};

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn values() -> Value {
    parse_manifests(&read(chart::chart().join("values.yaml"))).expect("values.yaml is YAML").remove(0)
}

/// Maps that are as good as one value: their keys are Kubernetes' or the user's.
const WHOLE: [&str; 5] = ["/resources/", "/securityContext/", "/containerSecurityContext/", "/nodeSelector/", "/dashboard/labels/"];

/// The pointers of what is described as one, in values.yaml.
fn described(values: &Value) -> BTreeSet<String> {
    let cut = |pointer: String| match WHOLE.iter().find_map(|map| Some(pointer.find(map)? + map.len() - 1)) {
        Some(end) => pointer[..end].to_owned(),
        None => pointer,
    };
    leaves(values).into_iter().map(cut).collect()
}

/// As a person writes it, `image.tag`.
fn dotted(pointer: &str) -> String {
    pointer[1..].replace('/', ".")
}

#[test]
fn the_table_of_the_readme_has_every_value_and_its_default_and_no_other() {
    let values = values();
    let row = |pointer: &String| {
        let default = values.pointer(pointer).expect("it has been walked to").clone();
        (dotted(pointer), default)
    };
    let wanted: BTreeMap<String, Value> = described(&values).iter().map(row).collect();
    let readme = read(chart::chart().join("README.md"));
    let cells = |line: &str| -> Option<(String, Value)> {
        let mut cells = line.strip_prefix("| `")?.splitn(3, "` |");
        let (path, default) = (cells.next()?, cells.next()?.trim().strip_prefix('`')?);
        Some((path.to_owned(), serde_json::from_str(default).unwrap_or_else(|error| panic!("{path}: {default} is no JSON: {error}"))))
    };
    let written: BTreeMap<String, Value> = readme.lines().skip_while(|line| !line.starts_with("### ")).filter_map(cells).collect();
    let differs = |path: &&String| wanted.get(*path) != written.get(*path);
    let paths: BTreeSet<&String> = wanted.keys().chain(written.keys()).collect();
    let differences: Vec<&String> = paths.into_iter().filter(differs).collect();
    assert!(differences.is_empty(), "values.yaml and the table of README.md do not say the same of {differences:?}");
}

#[test]
fn the_schema_names_every_value_and_lets_no_other_pass() {
    let schema: Value = serde_json::from_str(&read(chart::chart().join("values.schema.json"))).expect("it is JSON");
    for pointer in described(&values()) {
        let named = pointer[1..].split('/').try_fold(&schema, |schema, key| schema["properties"].get(key));
        assert!(named.is_some(), "values.schema.json does not know {}", dotted(&pointer));
    }
    let mut open = Vec::new();
    open_maps("", &schema, &mut open);
    // A parent chart hands down its own globals; _checks.tpl refuses unknown ones where there is no parent.
    assert_eq!(open, [".global"]);
}

/// Where a schema lists properties and lets others pass.
fn open_maps(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    if schema["additionalProperties"] != false {
        found.push(path.to_owned());
    }
    properties.iter().for_each(|(key, schema)| open_maps(&format!("{path}.{key}"), schema, found));
}

#[test]
fn the_charts_definitions_are_those_of_the_kinds() {
    let files = |folder: &Path| -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = entries.map(|entry| entry.expect("the folder can be read").path());
        paths.map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), read(&path))).collect()
    };
    let mut definitions = files(&run::source().join("crds"));
    definitions.remove("Kustomization");
    assert!(files(&chart::chart().join("files/crds")) == definitions, "charts/chancery/files/crds is not crds/: run 'make crds'");
}

#[test]
fn chart_image_and_program_have_one_version() {
    let chart = parse_manifests(&read(chart::chart().join("Chart.yaml"))).expect("Chart.yaml is YAML").remove(0);
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    let definitions = read(run::source().join("crds/Kustomization"));
    assert!(definitions.contains(&format!("app.kubernetes.io/version: \"{}\"", env!("CARGO_PKG_VERSION"))), "crds/Kustomization");
}
