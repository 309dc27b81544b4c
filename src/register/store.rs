//! Where registers are kept: the five calls that they need, and their answer by the API server.
//!
//! Every write has a precondition: a name not yet taken, or a version. Deadlines and retries are the caller's.

use futures::{FutureExt, future::BoxFuture};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::api::{Api, DeleteParams, ListParams, PostParams, Preconditions};
use thiserror::Error;

use super::layout::{Document, LABEL, RegisterId};

/// How many ConfigMaps one page of a list brings: of 64 KiB each, so 2 MiB at most.
const PAGE: u32 = 32;

const FIELD_MANAGER: &str = "chancery";

/// The ConfigMaps of the operator's namespace, as far as registers need them.
pub trait Store: Send + Sync {
    /// All documents of one register, or of all registers; at one moment.
    fn list(&self, only: Option<RegisterId>) -> BoxFuture<'_, Result<Vec<Document>, StoreError>>;
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
    fn list(&self, only: Option<RegisterId>) -> BoxFuture<'_, Result<Vec<Document>, StoreError>> {
        let selector = only.map_or_else(|| LABEL.to_owned(), |id| format!("{LABEL}={}", id.label()));
        async move {
            let mut params = ListParams::default().labels(&selector).limit(PAGE);
            let mut documents = Vec::new();
            loop {
                let page = self.api.list(&params).await.map_err(failure)?;
                documents.extend(page.items.into_iter().map(document));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params = params.continue_token(&token),
                    None => return Ok(documents),
                }
            }
        }
        .boxed()
    }

    fn get(&self, name: String) -> BoxFuture<'_, Result<Option<Document>, StoreError>> {
        async move { Ok(self.api.get_opt(&name).await.map_err(failure)?.map(document)) }.boxed()
    }

    fn create(&self, document_: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        async move { self.api.create(&post(), &config_map(document_)).await.map(document).map_err(failure) }.boxed()
    }

    fn replace(&self, document_: Document) -> BoxFuture<'_, Result<Document, StoreError>> {
        async move {
            let name = document_.name.clone();
            self.api.replace(&name, &post(), &config_map(document_)).await.map(document).map_err(failure)
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
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(document.name),
            labels: Some([(LABEL.to_owned(), document.label)].into()),
            uid: document.uid,
            resource_version: document.resource_version,
            ..ObjectMeta::default()
        },
        data: Some(document.data),
        immutable: document.immutable.then_some(true),
        binary_data: None,
    }
}

fn document(map: ConfigMap) -> Document {
    Document {
        name: map.metadata.name.unwrap_or_default(),
        label: map.metadata.labels.and_then(|mut labels| labels.remove(LABEL)).unwrap_or_default(),
        data: map.data.unwrap_or_default(),
        immutable: map.immutable.unwrap_or_default(),
        uid: map.metadata.uid,
        resource_version: map.metadata.resource_version,
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
