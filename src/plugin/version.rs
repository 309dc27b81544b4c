//! Which versions are at work: of this program, of the operator, of the kinds.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use k8s_openapi::{api::apps::v1::Deployment, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition};
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;

use super::{
    check::workloads::installed,
    output::{Report, plain},
};
use crate::{api::names, cluster::CallError};

const VERSION_LABEL: &str = "app.kubernetes.io/version";
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// What versions there are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// Of this program.
    pub client: &'static str,
    /// Of the API server; none where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// The operator's Deployments in its namespace, and the version on their label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub deployments: BTreeMap<String, String>,
    /// The kinds of the group, and the versions in which the API server serves them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, Vec<String>>,
    /// What could not be read, and why; or what is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Versions {
    /// Of this program alone.
    pub fn client() -> Self {
        Self {
            client: env!("CARGO_PKG_VERSION"),
            kubernetes: None,
            deployments: BTreeMap::new(),
            kinds: BTreeMap::new(),
            missing: Vec::new(),
        }
    }

    /// Those of a cluster too. `operator`: the operator's namespace.
    ///
    /// # Errors
    /// When the cluster cannot be reached at all.
    pub async fn of(client: &Client, operator: &str) -> Result<Self, CallError> {
        let server = client.apiserver_version().await.map_err(CallError::of("get", "version", None, "of the API server"))?;
        let mut versions = Self { kubernetes: Some(server.git_version), ..Self::client() };
        match installed(client, operator).await {
            Ok(found) => versions.deployments(operator, &found.deployments),
            Err(error) => versions.missing.push(error.to_string()),
        }
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for plural in ["certificates", "issuers", "clusterissuers", "revocationlists"] {
            let name = format!("{plural}.{}", names::GROUP);
            match definitions.get_opt(&name).await.map_err(CallError::of("get", "CustomResourceDefinition", None, &name)) {
                Ok(Some(definition)) => {
                    let served = definition.spec.versions.into_iter().filter(|version| version.served).map(|version| version.name);
                    versions.kinds.insert(name, served.collect());
                }
                Ok(None) => versions.missing.push(format!("the CustomResourceDefinition {name} is not installed")),
                Err(error) => versions.missing.push(error.to_string()),
            }
        }
        Ok(versions)
    }

    fn deployments(&mut self, operator: &str, found: &[Deployment]) {
        for deployment in found {
            let label = |key: &str| deployment.labels().get(key).cloned();
            let version = label(VERSION_LABEL).unwrap_or_else(|| "unknown".to_owned());
            self.deployments.insert(label(COMPONENT_LABEL).unwrap_or_else(|| deployment.name_any()), version);
        }
        if found.is_empty() {
            self.missing.push(format!("no Deployment of the operator is in namespace {operator}"));
        }
    }
}

impl Report for Versions {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |name: &str, value: &str| writeln!(out, "{:<31} {}", format!("{}:", plain(name)), plain(value));
        line("plugin", self.client)?;
        for (component, version) in &self.deployments {
            line(component, version)?;
        }
        if let Some(version) = &self.kubernetes {
            line("Kubernetes", version)?;
        }
        for (kind, versions) in &self.kinds {
            line(kind, &versions.join(", "))?;
        }
        self.missing.iter().try_for_each(|what| line("missing", what))
    }

    fn names(&self) -> Vec<String> {
        vec![self.client.to_owned()]
    }
}
