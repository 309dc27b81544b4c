//! What the caches keep of the kinds that are watched.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::PartialObjectMeta;

use super::cache::{Cached, Name};
use crate::api::{
    Certificate, ClusterIssuer, Issuer, IssuerKey, IssuerKind, IssuerSpec, IssuerStatus, RevocationList, Scope, SpecError, WantedIssuer,
    check_issuer,
};

impl Cached for Certificate {
    fn name(&self) -> Name {
        Name::of(&self.metadata)
    }

    fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

/// That a ConfigMap exists, and in which version.
#[derive(Clone, Debug)]
pub struct PartMark {
    name: Name,
    uid: String,
    resource_version: String,
}

impl PartMark {
    /// Of a ConfigMap's metadata.
    pub fn of(map: &PartialObjectMeta<ConfigMap>) -> Self {
        let metadata = &map.metadata;
        Self {
            name: Name::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }
}

impl Cached for PartMark {
    fn name(&self) -> Name {
        self.name.clone()
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn resource_version(&self) -> &str {
        &self.resource_version
    }
}

impl Cached for RevocationList {
    fn name(&self) -> Name {
        Name::of(&self.metadata)
    }

    fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

/// An Issuer or a ClusterIssuer.
#[derive(Clone, Debug)]
pub struct IssuerObject {
    /// Which.
    pub key: IssuerKey,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec.
    pub spec: IssuerSpec,
    /// Its status.
    pub status: Option<IssuerStatus>,
}

impl IssuerObject {
    /// An Issuer.
    pub fn namespaced(issuer: Issuer) -> Self {
        let key = IssuerKey {
            kind: IssuerKind::Issuer,
            namespace: issuer.metadata.namespace.clone(),
            name: issuer.metadata.name.clone().unwrap_or_default(),
        };
        Self { key, metadata: issuer.metadata, spec: issuer.spec, status: issuer.status }
    }

    /// A ClusterIssuer.
    pub fn cluster(issuer: ClusterIssuer) -> Self {
        let key = IssuerKey { kind: IssuerKind::ClusterIssuer, namespace: None, name: issuer.metadata.name.clone().unwrap_or_default() };
        Self { key, metadata: issuer.metadata, spec: issuer.spec.0, status: issuer.status }
    }

    /// Its spec, parsed once.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn wanted(&self) -> Result<WantedIssuer, SpecError> {
        let scope = match self.key.kind {
            IssuerKind::Issuer => Scope::Namespace,
            IssuerKind::ClusterIssuer => Scope::Cluster,
        };
        check_issuer(&self.spec, scope)
    }
}

impl Cached for IssuerObject {
    fn name(&self) -> Name {
        Name::of(&self.metadata)
    }

    fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

/// A namespace: its labels, and whether it is going.
#[derive(Clone, Debug)]
pub struct NamespaceMark {
    name: Name,
    uid: String,
    resource_version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted: nothing can be made in it any more.
    pub terminating: bool,
}

impl NamespaceMark {
    /// Of a namespace's metadata.
    pub fn of(namespace: &PartialObjectMeta<Namespace>) -> Self {
        let metadata = &namespace.metadata;
        Self {
            name: Name::of(metadata),
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Cached for NamespaceMark {
    fn name(&self) -> Name {
        self.name.clone()
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn resource_version(&self) -> &str {
        &self.resource_version
    }
}
