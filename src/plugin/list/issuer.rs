//! An issuer as a line.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::{
    Facts, Row,
    certificate::{expires, short},
    state::{self, Life, Standing},
};
use crate::{
    api::{ClusterIssuer, Issuer, IssuerSpec, IssuerStatus},
    plugin::{output::Cell, read::object_name, said::Signing},
};

/// An Issuer or ClusterIssuer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRow {
    /// Issuer or ClusterIssuer.
    pub kind: String,
    /// Its namespace; empty for a ClusterIssuer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// How it signs.
    #[serde(flatten)]
    pub signing: Signing,
    /// The Secret with the CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    #[serde(skip)]
    as_issuer: String,
    #[serde(skip)]
    object: String,
}

impl IssuerRow {
    /// The line of an Issuer at this time.
    pub fn new(issuer: &Issuer, now: Timestamp) -> Self {
        Self::of("Issuer", object_name(issuer), &issuer.metadata, &issuer.spec, issuer.status.clone(), now)
    }

    /// The line of a ClusterIssuer at this time.
    pub fn cluster(issuer: &ClusterIssuer, now: Timestamp) -> Self {
        Self::of("ClusterIssuer", object_name(issuer), &issuer.metadata, &issuer.spec.0, issuer.status.clone(), now)
    }

    fn of(kind: &str, object: String, metadata: &ObjectMeta, spec: &IssuerSpec, status: Option<IssuerStatus>, now: Timestamp) -> Self {
        let status = status.unwrap_or_default();
        let name = metadata.name.clone().unwrap_or_default();
        let seen = state::seen(metadata.generation, status.observed_generation);
        // That a CA ends soon is a condition of its own: it depends on what is asked of it.
        let signing = Signing::of(spec, &status);
        let life = Life { end: signing.not_after, ..Life::default() };
        Self {
            kind: kind.to_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            standing: Standing::new(&status.conditions, seen, life, now),
            signing,
            secret: spec.ca.as_ref().map(|ca| ca.secret_name.clone()),
            as_issuer: format!("{kind}/{name}"),
            name,
            object,
        }
    }
}

impl Row for IssuerRow {
    const COLUMNS: &'static [&'static str] = &["KIND", "NAME", "READY", "TYPE", "AUTHORITY", "EXPIRES", "STATUS"];
    const WIDE: &'static [&'static str] = &["SUBJECT", "SERIAL", "SECRET", "CHAIN", "LONGEST"];

    fn facts(&self) -> Facts<'_> {
        Facts {
            namespace: &self.namespace,
            name: &self.name,
            issuer: &self.as_issuer,
            states: &self.standing.states,
            end: self.signing.not_after,
            object: &self.object,
        }
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let [ready, status] = self.standing.cells.clone();
        vec![
            self.kind.clone().into(),
            self.name.clone().into(),
            ready,
            self.signing.type_.into(),
            short(self.signing.authority.as_deref()).into(),
            expires(self.signing.not_after, &self.standing.states, now),
            status,
            self.signing.subject.clone().unwrap_or_default().into(),
            self.signing.serial_number.clone().unwrap_or_default().into(),
            self.secret.clone().unwrap_or_default().into(),
            self.signing.chain_length.map(|length| length.to_string()).unwrap_or_default().into(),
            self.signing.longest_duration.clone().unwrap_or_default().into(),
        ]
    }
}
