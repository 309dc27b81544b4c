//! A namespace per test.

use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource};

use super::{Ground, run};

/// A namespace that only one test uses. It is not deleted: the control plane ends with the run, and what a failed test left
/// behind can be looked at until then.
pub(crate) struct Namespace {
    /// Its name: the prefix and a number.
    pub(crate) name: String,
    client: Client,
}

impl Namespace {
    /// Makes one. The prefix says whose it is; labels are for issuers that select namespaces.
    pub(crate) async fn create(ground: &Ground, prefix: &str) -> Self {
        Self::create_with_labels(ground, prefix, &[]).await
    }

    /// Makes one with labels.
    pub(crate) async fn create_with_labels(ground: &Ground, prefix: &str, labels: &[(&str, &str)]) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        Self::make(ground, format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed)), labels).await
    }

    /// Makes one of exactly this name, for a test whose output is compared letter by letter. No other test may use it.
    pub(crate) async fn named(ground: &Ground, name: &str) -> Self {
        Self::make(ground, name.to_owned(), &[]).await
    }

    async fn make(ground: &Ground, name: String, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let metadata = ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = v1::Namespace { metadata, ..v1::Namespace::default() };
        let namespaces: Api<v1::Namespace> = Api::all(ground.client.clone());
        if let Err(error) = namespaces.create(&PostParams::default(), &namespace).await {
            panic!("namespace {name} cannot be made: {error}");
        }
        Self { name, client: ground.client.clone() }
    }

    /// The objects of a kind in it, as administrator.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("namespace {}; logs of this run: {}", self.name, run::folder().display());
        }
    }
}
