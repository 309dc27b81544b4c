//! JSON schemas for kubeconform, made from what the API server of this run says of its kinds (`/openapi/v3`). No others are at hand
//! without a network, and these are of the very version that the rest is tested with.
//!
//! An object with listed properties may have no others, as `kubectl --validate=strict` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::{Map, Value, json};

use crate::harness::{Program, apply_manifests, run};
use crate::stage::SOON;

/// Where the schemas are: a file for each kind, as `<group>_<version>_<kind>.json`.
pub(super) struct Schemas(PathBuf);

impl Schemas {
    /// Those of the documents' kinds.
    pub(super) async fn of(client: &Client, folder: &Path, documents: impl Iterator<Item = &Value>) -> Self {
        fs::create_dir_all(folder).expect("the run's folder is writable");
        let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for document in documents {
            let version = document["apiVersion"].as_str().expect("a document has a version");
            kinds.entry(version).or_default().insert(document["kind"].as_str().expect("a document has a kind"));
        }
        for (version, kinds) in kinds {
            let mut definitions = told(client, version, &kinds).await;
            translate(&mut definitions);
            for kind in kinds {
                let name = name_of(&definitions, version, kind).expect("it was waited for");
                let whole = json!({ "$ref": format!("#/definitions/{name}"), "definitions": definitions });
                // kubeconform takes `v1` for the group of what has none.
                let (group, version) = version.split_once('/').unwrap_or((version, version));
                let file = format!("{group}_{version}_{}.json", kind.to_lowercase());
                fs::write(folder.join(file), whole.to_string()).expect("the run's folder is writable");
            }
        }
        Self(folder.to_owned())
    }
}

/// The schemas of a version. Those of a CRD are told of some time after it is established, and cannot be watched: hence the polling.
async fn told(client: &Client, version: &str, kinds: &BTreeSet<&str>) -> Value {
    let path = if version.contains('/') { format!("/openapi/v3/apis/{version}") } else { format!("/openapi/v3/api/{version}") };
    let mut turn = tokio::time::interval(Duration::from_millis(200));
    let all = async {
        loop {
            turn.tick().await;
            let request = Request::get(&path).header("accept", "application/json").body(Vec::new()).expect("it is a request");
            let answer: kube::Result<Value> = client.request(request).await;
            let definitions = answer.map(|mut told| told["components"]["schemas"].take()).unwrap_or_default();
            if kinds.iter().all(|kind| name_of(&definitions, version, kind).is_some()) {
                return definitions;
            }
        }
    };
    let told = tokio::time::timeout(SOON, all).await;
    told.unwrap_or_else(|_| panic!("the API server does not tell of {version} {kinds:?}"))
}

/// Under which name a kind's schema stands among those of its version.
fn name_of(definitions: &Value, version: &str, kind: &str) -> Option<String> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let is_it = |schema: &Value| {
        let names = schema["x-kubernetes-group-version-kind"].as_array().map_or(&[][..], Vec::as_slice);
        names.iter().any(|name| name["kind"] == kind && name["version"] == version && name["group"] == group)
    };
    definitions.as_object()?.iter().find(|(_, schema)| is_it(schema)).map(|(name, _)| name.clone())
}

/// From OpenAPI 3.0 to JSON schema, as far as the API server uses it.
fn translate(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/definitions/");
            }
            let is_object = map.get("type").is_some_and(|kind| kind == "object") && map.get("properties").is_some_and(Value::is_object);
            let is_open = map.contains_key("additionalProperties") || map.contains_key("x-kubernetes-preserve-unknown-fields");
            if is_object && !is_open {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            // A word on a property is no part of its schema, and formats such as `int-or-string` are no JSON schema's.
            map.retain(|key, value| !(key == "description" && value.is_string() || key == "format" && value.is_string()));
            map.values_mut().for_each(translate);
        }
        Value::Array(items) => items.iter_mut().for_each(translate),
        _ => {}
    }
}

/// kubeconform as `make tools` builds it, with schemas of ours.
pub(super) struct Kubeconform(String);

impl Kubeconform {
    pub(super) fn new(schemas: &Schemas) -> Self {
        Self(format!("{}/{{{{ .Group }}}}_{{{{ .ResourceAPIVersion }}}}_{{{{ .ResourceKind }}}}.json", schemas.0.display()))
    }

    /// Panics with all that it finds.
    pub(super) async fn accepts(&self, what: &str, documents: &[Value]) {
        let found = self.findings(documents).await;
        assert!(found.is_empty(), "{what}: {found}");
    }

    /// What it finds wrong with the documents; empty if nothing.
    pub(super) async fn findings(&self, documents: &[Value]) -> String {
        let stream: Vec<String> = documents.iter().map(Value::to_string).collect();
        let program = Program::new(run::source().join("tests/tools/kubeconform/bin/kubeconform"));
        let arguments = ["-strict", "-output", "json", "-schema-location", &self.0];
        let finished = program.args(arguments).stdin(stream.join("\n---\n")).finish().await;
        if finished.status.success() { String::new() } else { format!("{}{}", finished.stdout, finished.stderr) }
    }
}

/// The kinds of the Prometheus operator that the chart makes, as small as they can be without letting a wrong field pass.
pub(super) async fn define_monitoring(client: &Client) {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    let list = |items: Value| json!({ "type": "array", "items": items });
    let object = |properties: Value| json!({ "type": "object", "properties": properties });
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let monitor = object(json!({
        "jobLabel": text,
        "namespaceSelector": object(json!({ "matchNames": list(text.clone()) })),
        "selector": object(json!({ "matchLabels": texts })),
        "endpoints": list(object(json!({
            "port": text, "path": text, "interval": text, "scrapeTimeout": text, "honorLabels": { "type": "boolean" },
            "relabelings": list(open.clone()), "metricRelabelings": list(open),
        }))),
    }));
    let rules = object(json!({ "groups": list(object(json!({
        "name": text, "interval": text,
        "rules": list(object(json!({ "alert": text, "record": text, "expr": text, "for": text, "keep_firing_for": text, "labels": texts, "annotations": texts }))),
    }))) }));
    let definition = |kind: &str, spec: &Value| {
        let plural = format!("{}s", kind.to_lowercase());
        let names = Map::from_iter([("kind".to_owned(), kind.into()), ("plural".to_owned(), plural.clone().into())]);
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.monitoring.coreos.com") },
            "spec": {
                "group": "monitoring.coreos.com", "names": names, "scope": "Namespaced",
                "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": object(json!({ "spec": spec })) } }],
            },
        })
    };
    let documents = [definition("ServiceMonitor", &monitor), definition("PrometheusRule", &rules)];
    if let Err(error) = apply_manifests(client, &documents).await {
        panic!("the kinds of the Prometheus operator: {error:#}");
    }
}
