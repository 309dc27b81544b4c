//! YAML documents, applied as `kubectl apply --server-side` does it, and waited for where they are CRDs.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use kube_runtime::wait::{await_condition, conditions};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// How long a kind may take to be there after its definition was applied.
const SERVED: Duration = Duration::from_secs(30);

/// The documents of a YAML stream, empty ones left out.
pub(crate) fn parse_manifests(text: &str) -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        // By way of YAML's own type, which refuses a key that is there twice, as kustomize does.
        let value = serde_json::to_value(serde_yaml::Value::deserialize(document)?)?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// The documents of a kustomization's resources, in their order, and those of the kustomizations among them. Patches are passed over.
pub(crate) fn kustomization(folder: &Path) -> Result<Vec<Value>> {
    let read = |file: &Path| {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        parse_manifests(&text).with_context(|| file.display().to_string())
    };
    let list = read(&folder.join("kustomization.yaml"))?;
    let resources = list.first().and_then(|list| list["resources"].as_array()).context("a kustomization without resources")?;
    let mut documents = Vec::new();
    for resource in resources.iter().filter_map(Value::as_str).map(|name| folder.join(name)) {
        documents.extend(if resource.is_dir() { kustomization(&resource)? } else { read(&resource)? });
    }
    Ok(documents)
}

/// Leaves the namespaces, the ServiceAccounts and what these may do: all that a process outside the cluster needs of an installation.
pub(crate) fn retain_identities(documents: &mut Vec<Value>) {
    const KINDS: [&str; 6] = ["Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    documents.retain(|document| document["kind"].as_str().is_some_and(|kind| KINDS.contains(&kind)));
}

/// Applies the documents in their order; returns when every CRD among them is established.
pub(crate) async fn apply_manifests(client: &Client, documents: &[Value]) -> Result<()> {
    let mut kinds: HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)> = HashMap::new();
    for document in documents {
        let object: DynamicObject = serde_json::from_value(document.clone()).context("a document is no Kubernetes object")?;
        let types = object.types.clone().context("a document has no kind")?;
        let kind = GroupVersionKind::try_from(&types)?;
        if !kinds.contains_key(&kind) {
            let found = known_kind(client, &kind).await.with_context(|| format!("the API server does not know {types:?}"))?;
            kinds.insert(kind.clone(), found);
        }
        let (resource, capabilities) = &kinds[&kind];
        let api: Api<DynamicObject> = match (&capabilities.scope, object.namespace()) {
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, resource),
            (Scope::Namespaced, None) => Api::namespaced_with(client.clone(), "default", resource),
            (Scope::Cluster, _) => Api::all_with(client.clone(), resource),
        };
        let name = object.name_any();
        api.patch(&name, &PatchParams::apply("tests").force(), &Patch::Apply(&object))
            .await
            .with_context(|| format!("{} {name} was not accepted", kind.kind))?;
        established(client, std::slice::from_ref(document)).await?;
    }
    Ok(())
}

/// A kind, which may have been defined a moment ago: the API server tells of it a little later than it is established.
async fn known_kind(client: &Client, kind: &GroupVersionKind) -> Result<(ApiResource, ApiCapabilities)> {
    let end = Instant::now() + SERVED;
    let mut turn = tokio::time::interval(Duration::from_millis(100));
    loop {
        turn.tick().await;
        match pinned_kind(client, kind).await {
            Err(_) if Instant::now() < end => {}
            found => return Ok(found?),
        }
    }
}

/// Returns when every CRD among the documents is established.
pub(crate) async fn established(client: &Client, documents: &[Value]) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for document in documents.iter().filter(|document| document["kind"] == "CustomResourceDefinition") {
        let name = document["metadata"]["name"].as_str().context("a CRD without a name")?;
        let condition = await_condition(definitions.clone(), name, conditions::is_crd_established());
        let waited = tokio::time::timeout(SERVED, condition).await;
        waited.map_err(|_| anyhow!("CRD {name} is not established after {SERVED:?}"))??;
    }
    Ok(())
}
