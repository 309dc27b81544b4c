//! Where registers and lists are kept: the calls that they need on ConfigMaps, and their answer by the API server.
//!
//! Every write has a precondition: a name not yet taken, or a version. Deadlines and retries are the caller's.

use std::collections::BTreeMap;

use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions};
use thiserror::Error;

/// How many ConfigMaps one page of a list brings: a register's have 64 KiB each, so 2 MiB at most.
const PAGE: u32 = 32;

/// How many names one page brings.
const NAMES_PAGE: u32 = 500;

const FIELD_MANAGER: &str = "chancery";

/// What is seen of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// Its data that is no text.
    pub binary: BTreeMap<String, Vec<u8>>,
    /// Whether the API server refuses changes to its data.
    pub immutable: bool,
    /// When it was made, by the API server's clock; none before it exists.
    pub created: Option<Timestamp>,
    /// Its uid; none before it exists.
    pub uid: Option<String>,
    /// The version that was read, under which it is replaced or deleted.
    pub resource_version: Option<String>,
}

/// Documents that carry a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The label.
    pub label: &'static str,
    /// Its value; none for any.
    pub value: Option<String>,
}

impl Selector {
    /// Whether the document carries it.
    pub fn matches(&self, document: &Document) -> bool {
        document.labels.get(self.label).is_some_and(|value| self.value.as_ref().is_none_or(|wanted| wanted == value))
    }

    fn params(&self, page: u32) -> ListParams {
        let selector = self.value.as_ref().map_or_else(|| self.label.to_owned(), |value| format!("{}={value}", self.label));
        ListParams::default().labels(&selector).limit(page)
    }
}

/// The ConfigMaps of the operator's namespace, as far as registers and lists need them.
pub trait Store: Send + Sync {
    /// All documents that are selected, as they stood at one moment.
    fn list(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>>;
    /// The same without their data.
    fn names(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>>;
    /// One document, as it stands now.
    fn get(&self, name: String) -> BoxFuture<'_, Result<Option<Document>, StoreError>>;
    /// Makes a document that does not exist, and answers with it as it was made.
    fn create(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>>;
    /// Replaces the version of a document that its `resource_version` names.
    fn replace(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>>;
    /// Deletes exactly the version that the document names.
    fn delete(&self, document: Document) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Why a call failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// The version is not the present one.
    #[error("changed meanwhile")]
    Conflict,
    /// The name is taken.
    #[error("exists already")]
    AlreadyExists,
    /// There is no such document, or no such namespace.
    #[error("not found")]
    NotFound,
    /// The API server will not do it, now or later, until something is changed there.
    #[error("refused: {why}")]
    Refused {
        /// Its answer.
        why: String,
    },
    /// Done or not: it is not known.
    #[error("outcome unknown: {why}")]
    Unknown {
        /// What happened instead of an answer.
        why: String,
    },
}

/// ConfigMaps in the API server.
#[derive(Clone)]
pub struct KubeStore {
    api: Api<ConfigMap>,
}

impl KubeStore {
    /// The ConfigMaps behind this handle, which must be that of the operator's namespace.
    pub fn new(api: Api<ConfigMap>) -> Self {
        Self { api }
    }
}

impl std::fmt::Debug for KubeStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KubeStore")
    }
}

impl Store for KubeStore {
    fn list(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>> {
        async move {
            let mut params = selector.params(PAGE);
            let mut documents = Vec::new();
            loop {
                let page = self.api.list(&params).await.map_err(failure)?;
                documents.extend(page.items.into_iter().map(Document::from));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params = params.continue_token(&token),
                    None => return Ok(documents),
                }
            }
        }
        .boxed()
    }

    fn names(&self, selector: Selector) -> BoxFuture<'_, Result<Vec<Document>, StoreError>> {
        async move {
            let mut params = selector.params(NAMES_PAGE);
            let mut documents = Vec::new();
            loop {
                let page = self.api.list_metadata(&params).await.map_err(failure)?;
                documents.extend(page.items.into_iter().map(|partial| labelled(partial.metadata)));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params = params.continue_token(&token),
                    None => return Ok(documents),
                }
            }
        }
        .boxed()
    }

    fn get(&self, name: String) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        async move { Ok(self.api.get_opt(&name).await.map_err(failure)?.map(Document::from)) }.boxed()
    }

    fn create(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        async move { self.api.create(&post(), &config_map(document)).await.map(Document::from).map_err(failure) }.boxed()
    }

    fn replace(&self, document: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        async move {
            let name = document.name.clone();
            self.api.replace(&name, &post(), &config_map(document)).await.map(Document::from).map_err(failure)
        }
        .boxed()
    }

    fn delete(&self, document: Document) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            let preconditions = Preconditions { uid: document.uid, resource_version: document.resource_version };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            self.api.delete(&document.name, &params).await.map(|_| ()).map_err(failure)
        }
        .boxed()
    }
}

fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn config_map(document: Document) -> ConfigMap {
    let binary: BTreeMap<_, _> = document.binary.into_iter().map(|(key, octets)| (key, ByteString(octets))).collect();
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(document.name),
            labels: Some(document.labels),
            uid: document.uid,
            resource_version: document.resource_version,
            ..ObjectMeta::default()
        },
        data: Some(document.data),
        immutable: document.immutable.then_some(true),
        binary_data: (!binary.is_empty()).then_some(binary),
    }
}

impl From<ConfigMap> for Document {
    fn from(map: ConfigMap) -> Self {
        Self {
            data: map.data.unwrap_or_default(),
            binary: map.binary_data.unwrap_or_default().into_iter().map(|(key, octets)| (key, octets.0)).collect(),
            immutable: map.immutable.unwrap_or_default(),
            ..labelled(map.metadata)
        }
    }
}

fn labelled(metadata: ObjectMeta) -> Document {
    Document {
        name: metadata.name.unwrap_or_default(),
        labels: metadata.labels.unwrap_or_default(),
        created: metadata.creation_timestamp.map(|time| time.0),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        ..Document::default()
    }
}

/// A refusal is final only where the API server says so of the request itself; all else may have been done.
fn failure(error: kube::Error) -> StoreError {
    match error {
        kube::Error::Api(status) if status.is_already_exists() => StoreError::AlreadyExists,
        kube::Error::Api(status) if status.is_conflict() => StoreError::Conflict,
        kube::Error::Api(status) if status.is_not_found() => StoreError::NotFound,
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 405 | 413 | 422) => StoreError::Refused { why: status.message },
        other => StoreError::Unknown { why: other.to_string() },
    }
}
