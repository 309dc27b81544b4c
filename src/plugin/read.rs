//! Reading objects for people: by name, or by pages, so that a large cluster is not asked for all at once.

use kube::{Api, Resource, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

use crate::{
    api::names,
    cluster::{CallError, CallErrorKind},
};

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// How the API server answers to a page of a moment that it has forgotten.
const EXPIRED: u16 = 410;

/// All objects that the parameters choose, in the order in which the API server has them.
///
/// # Errors
/// When the API server cannot be asked, or refuses.
pub async fn all<K>(api: &Api<K>, params: &ListParams) -> Result<Vec<K>, CallError>
where
    K: Resource + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let mut found = Vec::new();
    let whole = params;
    let mut params = params.clone().limit(PAGE);
    loop {
        let page = match api.list(&params).await {
            Err(kube::Error::Api(status)) if status.code == EXPIRED && params.continue_token.is_some() => {
                // Pages of one moment are kept for some minutes only. All at once is one moment too, and cannot expire.
                found.clear();
                params = whole.clone();
                continue;
            }
            page => page.map_err(|error| refused(api, error))?,
        };
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

fn refused<K: Resource>(api: &Api<K>, error: kube::Error) -> CallError
where
    K::DynamicType: Default,
{
    let kinds = K::plural(&K::DynamicType::default()).into_owned();
    let unserved = unserved::<K>(&error);
    let error = match api.namespace() {
        Some(namespace) => CallError::of("list", &kinds, None, &format!("in namespace {namespace}"))(error),
        None => CallError::of("list", &kinds, None, "of the cluster")(error),
    };
    said(error, unserved)
}

/// What is said where the API server does not have one of our kinds, which it answers in plain text and not as a Status; none for any
/// other answer: there the object is not there.
fn unserved<K: Resource>(error: &kube::Error) -> Option<String>
where
    K::DynamicType: Default,
{
    let dynamic = K::DynamicType::default();
    let kube::Error::Api(status) = error else { return None };
    let ours = K::group(&dynamic) == names::GROUP;
    (ours && status.code == 404 && status.reason != "NotFound").then(|| {
        format!(
            "the cluster does not have Chancery's CRDs: {}.{} is not served as {}. Install them (helm install, or kubectl apply --server-side -f crds/), or choose another cluster with --context; kubectl chancery check says what is missing",
            K::plural(&dynamic),
            names::GROUP,
            names::VERSION
        )
    })
}

fn said(error: CallError, instead: Option<String>) -> CallError {
    match instead {
        Some(message) => CallError { kind: CallErrorKind::NotFound, message, ..error },
        None => error,
    }
}

/// The object of this name.
///
/// # Errors
/// When it is not there, or the API server cannot be asked, or refuses.
pub async fn one<K>(api: &Api<K>, name: &str) -> Result<K, CallError>
where
    K: Resource + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    api.get(name).await.map_err(|error| {
        let unserved = unserved::<K>(&error);
        said(CallError::of("get", &kind, api.namespace(), name)(error), unserved)
    })
}

/// What an object is called in `-o name`: `certificate.chancery.dev/web`.
pub fn object_name<K: Resource>(object: &K) -> String
where
    K::DynamicType: Default,
{
    let dynamic = K::DynamicType::default();
    let (kind, group) = (K::kind(&dynamic).to_lowercase(), K::group(&dynamic));
    let name = object.meta().name.as_deref().unwrap_or_default();
    if group.is_empty() { format!("{kind}/{name}") } else { format!("{kind}.{group}/{name}") }
}

/// The objects of a kind in a namespace, or in all.
pub fn api<K>(client: &kube::Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
