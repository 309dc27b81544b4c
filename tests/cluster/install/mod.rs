//! Installing: what Helm and kustomize make of the chart and of `deploy/`, on a real API server.
//!
//! There is no node here: what pods do is the subject of `tests/node`. The programs run beside, with the arguments of the chart's
//! Deployments and the tokens of its ServiceAccounts.

mod bounds;
mod documented;
mod kustomize;
mod life;
mod matrix;
mod namespaced;
mod notes;
mod people;
mod refusals;
mod schemas;
mod services;
mod values;

use anyhow::{Context, Result};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

/// The JSON pointer to every value that a map leads to, as in `/image/tag`; a map without keys is a value.
fn leaves(value: &Value) -> Vec<String> {
    fn walk(pointer: &str, value: &Value, found: &mut Vec<String>) {
        match value.as_object().filter(|map| !map.is_empty()) {
            Some(map) => map.iter().for_each(|(key, value)| walk(&format!("{pointer}/{}", key.replace('/', "~1")), value, found)),
            None => found.push(pointer.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// What the API server would do with a document; a field that it does not know is an error.
async fn rehearse(client: &Client, document: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(document.clone()).context("it is no Kubernetes object")?;
    let types = object.types.clone().context("it has no kind")?;
    let kind = GroupVersionKind::try_from(&types)?;
    let (resource, capabilities) = pinned_kind(client, &kind).await.with_context(|| format!("the API server does not know {types:?}"))?;
    let api: Api<DynamicObject> = match (&capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    };
    let mut params = PatchParams::apply("rehearsal").force().dry_run();
    params.field_validation = Some(ValidationDirective::Strict);
    let name = object.name_any();
    api.patch(&name, &params, &Patch::Apply(&object)).await.with_context(|| format!("{} {name}", kind.kind))?;
    Ok(())
}
