//! The writes that exist, one function each. Another kind of write needs a row in the crash matrix.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;

use crate::{
    api::{Certificate, ClusterIssuer, Issuer, IssuerKind, RevocationList, names},
    cluster::CallError,
    lease::Fence,
    observe::{IssuerObject, Wiped},
};

/// Writes, as long as we lead.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    fence: Arc<dyn Fence>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Writer").field("fence", &self.fence).finish_non_exhaustive()
    }
}

fn params() -> PostParams {
    PostParams { dry_run: false, field_manager: Some(names::FIELD_MANAGER.to_owned()) }
}

impl Writer {
    /// Writes through `client`, after asking `fence`.
    pub fn new(client: Client, fence: Arc<dyn Fence>) -> Self {
        Self { client, fence }
    }

    fn check(&self, verb: &str, kind: &str, namespace: &str, name: &str) -> Result<(), CallError> {
        self.fence.check().map_err(|error| CallError::not_leading(verb, kind, Some(namespace), name, &error))
    }

    /// Makes a Secret that must not exist.
    ///
    /// # Errors
    /// When it exists, or the call fails.
    pub async fn create_secret(&self, secret: &Wiped) -> Result<Wiped, CallError> {
        let (namespace, name) = key(secret.object());
        self.check("create", "Secret", &namespace, &name)?;
        let api = Api::<Secret>::namespaced(self.client.clone(), &namespace);
        let written = api.create(&params(), secret.object()).await;
        written.map(Wiped::new).map_err(CallError::of("create", "Secret", Some(&namespace), &name))
    }

    /// Replaces a Secret under the resourceVersion in it.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn replace_secret(&self, secret: &Wiped) -> Result<Wiped, CallError> {
        let (namespace, name) = key(secret.object());
        self.check("update", "Secret", &namespace, &name)?;
        let api = Api::<Secret>::namespaced(self.client.clone(), &namespace);
        let written = api.replace(&name, &params(), secret.object()).await;
        written.map(Wiped::new).map_err(CallError::of("update", "Secret", Some(&namespace), &name))
    }

    /// Deletes a Secret, if it is still that very one.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn delete_secret(&self, namespace: &str, name: &str, uid: &str, resource_version: &str) -> Result<(), CallError> {
        self.check("delete", "Secret", namespace, name)?;
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(resource_version.to_owned()) };
        let deleted = api.delete(name, &DeleteParams::default().preconditions(preconditions)).await;
        deleted.map(drop).map_err(CallError::of("delete", "Secret", Some(namespace), name))
    }

    /// Writes a Certificate's status under the resourceVersion in it.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn certificate_status(&self, certificate: &Certificate) -> Result<Certificate, CallError> {
        let (namespace, name) = key(certificate);
        self.check("update the status of", "Certificate", &namespace, &name)?;
        let api = Api::<Certificate>::namespaced(self.client.clone(), &namespace);
        let written = api.replace_status(&name, &params(), certificate).await;
        written.map_err(CallError::of("update the status of", "Certificate", Some(&namespace), &name))
    }

    /// Writes a Certificate's finalizers under the resourceVersion in it. A patch, so that no field of its spec that a newer
    /// version knows is lost.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn certificate_finalizers(&self, certificate: &Certificate, finalizers: &[String]) -> Result<Certificate, CallError> {
        let (namespace, name) = key(certificate);
        self.check("patch", "Certificate", &namespace, &name)?;
        let api = Api::<Certificate>::namespaced(self.client.clone(), &namespace);
        let patch = json!({"metadata": {"resourceVersion": certificate.resource_version(), "finalizers": finalizers}});
        let params = PatchParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = api.patch(&name, &params, &Patch::Merge(&patch)).await;
        written.map_err(CallError::of("patch", "Certificate", Some(&namespace), &name))
    }

    /// Writes a RevocationList's status under the resourceVersion in it.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn list_status(&self, list: &RevocationList) -> Result<RevocationList, CallError> {
        let (namespace, name) = key(list);
        self.check("update the status of", "RevocationList", &namespace, &name)?;
        let api = Api::<RevocationList>::namespaced(self.client.clone(), &namespace);
        let written = api.replace_status(&name, &params(), list).await;
        written.map_err(CallError::of("update the status of", "RevocationList", Some(&namespace), &name))
    }

    /// Creates a ConfigMap, or replaces the version in it where it has one: a copy of a list.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn config_map(&self, map: &ConfigMap) -> Result<ConfigMap, CallError> {
        let (namespace, name) = key(map);
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &namespace);
        let (verb, written) = if map.metadata.resource_version.is_some() {
            self.check("update", "ConfigMap", &namespace, &name)?;
            ("update", api.replace(&name, &params(), map).await)
        } else {
            self.check("create", "ConfigMap", &namespace, &name)?;
            ("create", api.create(&params(), map).await)
        };
        written.map_err(CallError::of(verb, "ConfigMap", Some(&namespace), &name))
    }

    /// Deletes exactly the version of a ConfigMap that was read: a list that was handed in.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn delete_config_map(&self, map: &ConfigMap) -> Result<(), CallError> {
        let (namespace, name) = key(map);
        self.check("delete", "ConfigMap", &namespace, &name)?;
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), &namespace);
        let preconditions = Preconditions { uid: map.metadata.uid.clone(), resource_version: map.metadata.resource_version.clone() };
        let deleted = api.delete(&name, &DeleteParams::default().preconditions(preconditions)).await;
        deleted.map(drop).map_err(CallError::of("delete", "ConfigMap", Some(&namespace), &name))
    }

    /// Writes an issuer's status under the resourceVersion in it.
    ///
    /// # Errors
    /// When it changed meanwhile, or the call fails.
    pub async fn issuer_status(&self, issuer: &IssuerObject) -> Result<IssuerObject, CallError> {
        let namespace = issuer.metadata.namespace.as_deref();
        let (kind, name) = (issuer.key.kind.as_str(), issuer.key.name.as_str());
        self.check("update the status of", kind, namespace.unwrap_or_default(), name)?;
        let error = CallError::of("update the status of", kind, namespace, name);
        match issuer.key.kind {
            IssuerKind::Issuer => {
                let mut object = Issuer::new(name, issuer.spec.clone());
                object.metadata = issuer.metadata.clone();
                object.status = issuer.status.clone();
                let api = Api::<Issuer>::namespaced(self.client.clone(), namespace.unwrap_or_default());
                api.replace_status(name, &params(), &object).await.map(IssuerObject::namespaced).map_err(error)
            }
            IssuerKind::ClusterIssuer => {
                let mut object = ClusterIssuer::new(name, crate::api::ClusterIssuerSpec(issuer.spec.clone()));
                object.metadata = issuer.metadata.clone();
                object.status = issuer.status.clone();
                let api = Api::<ClusterIssuer>::all(self.client.clone());
                api.replace_status(name, &params(), &object).await.map(IssuerObject::cluster).map_err(error)
            }
        }
    }
}

fn key<K: kube::Resource>(object: &K) -> (String, String) {
    (object.meta().namespace.clone().unwrap_or_default(), object.meta().name.clone().unwrap_or_default())
}
