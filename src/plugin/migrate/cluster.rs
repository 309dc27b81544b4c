//! cert-manager's objects from a cluster. Nothing is written.

use std::collections::BTreeSet;

use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    core::ApiResource,
};
use serde_json::{Value, json};
use thiserror::Error;

use super::{Document, THEIR_VERSION, landscape};
use crate::api::names;

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The Certificates and Issuers of a namespace.
    Namespace(String),
    /// Those of all namespaces, and the ClusterIssuers.
    All,
}

/// cert-manager's issuers and Certificates, and the ClusterIssuers that these name where they are not among them.
///
/// # Errors
/// When the cluster does not have these kinds, or does not let them be read.
pub async fn read(client: &Client, extent: &Extent) -> Result<(Vec<Document>, Vec<Value>), ReadError> {
    let mut documents = Vec::new();
    for resource in [resource("ClusterIssuer"), resource("Issuer"), resource("Certificate")] {
        let api: Api<DynamicObject> = match extent {
            Extent::All => Api::all_with(client.clone(), &resource),
            Extent::Namespace(_) if resource.kind == "ClusterIssuer" => continue,
            Extent::Namespace(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        };
        documents.extend(list(&api, &resource).await?);
    }
    let known = match extent {
        Extent::All => Vec::new(),
        Extent::Namespace(_) => named(client, &documents).await,
    };
    Ok((documents, known))
}

async fn list(api: &Api<DynamicObject>, resource: &ApiResource) -> Result<Vec<Document>, ReadError> {
    let mut documents = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(|error| ReadError::of(resource, error))?;
        documents
            .extend(page.items.into_iter().map(|object| Document { place: "the cluster".to_owned(), object: whole(resource, &object) }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(documents),
        }
    }
}

/// The ClusterIssuers that Certificates name. Whoever may not read them is told that they were not among what was read.
async fn named(client: &Client, certificates: &[Document]) -> Vec<Value> {
    let references = certificates.iter().filter_map(|document| landscape::reference(&document.object));
    let wanted: BTreeSet<String> = references.filter(|issuer| issuer.kind == "ClusterIssuer").map(|issuer| issuer.name).collect();
    let resource = resource("ClusterIssuer");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut found = Vec::new();
    for name in wanted {
        if let Ok(Some(issuer)) = api.get_opt(&name).await {
            found.push(whole(&resource, &issuer));
        }
    }
    found
}

fn resource(kind: &str) -> ApiResource {
    ApiResource {
        group: names::CERT_MANAGER_GROUP.to_owned(),
        version: THEIR_VERSION.to_owned(),
        api_version: format!("{}/{THEIR_VERSION}", names::CERT_MANAGER_GROUP),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
    }
}

/// Items of a list may lack what the list says of all of them.
fn whole(resource: &ApiResource, object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("apiVersion".to_owned(), json!(resource.api_version));
        members.insert("kind".to_owned(), json!(resource.kind));
    }
    value
}

/// Why the cluster's objects were not read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There are no such kinds.
    #[error("the cluster does not have {group}/{THEIR_VERSION}: cert-manager's CRDs are not installed there", group = names::CERT_MANAGER_GROUP)]
    NotInstalled,
    /// The API server was asked and did not give them.
    #[error("{what}: {source}")]
    Cluster {
        /// What was asked for.
        what: String,
        /// What it said.
        source: kube::Error,
    },
}

impl ReadError {
    fn of(resource: &ApiResource, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 404 => Self::NotInstalled,
            source => Self::Cluster { what: format!("{}.{}", resource.plural, resource.group), source },
        }
    }
}
