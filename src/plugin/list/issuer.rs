//! An issuer as a line.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::{
    Facts, Row,
    certificate::{expires, short},
    state::{self, Life, State},
};
use crate::{
    api::{
        ClusterIssuer, Issuer, IssuerSpec, IssuerStatus,
        condition::{self, find},
    },
    plugin::{output::Cell, read::object_name},
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
    /// How it signs: ca or selfSigned.
    #[serde(rename = "type")]
    pub type_: String,
    /// The condition Ready: True, False or Unknown.
    pub ready: String,
    /// All that holds of it.
    pub states: BTreeSet<State>,
    /// The reason of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The authority that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The CA's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When the first certificate of its chain ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// The serial number of the CA's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The Secret with the CA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How many certificates its chain has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_length: Option<i32>,
    /// The longest lifetime that is asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_duration: Option<String>,
    #[serde(skip)]
    as_issuer: String,
    #[serde(skip)]
    object: String,
    #[serde(skip)]
    cells: [Cell; 2],
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
        let life = Life { end: status.not_after.as_ref().map(|time| time.0), ..Life::default() };
        let states = state::states(&status.conditions, seen, life, now);
        let cells = [state::ready(&status.conditions, &states), state::status(&status.conditions, &states)];
        let ready = find(&status.conditions, condition::READY);
        let type_ = if spec.ca.is_some() { "ca" } else { "selfSigned" };
        Self {
            kind: kind.to_owned(),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            type_: type_.to_owned(),
            ready: cells[0].text.clone(),
            states,
            reason: ready.map(|ready| ready.reason.clone()),
            message: ready.map(|ready| ready.message.clone()),
            authority: status.authority,
            subject: status.subject,
            not_after: life.end,
            serial_number: status.serial_number,
            secret: spec.ca.as_ref().map(|ca| ca.secret_name.clone()),
            chain_length: status.chain_length,
            longest_duration: status.longest_duration.map(|duration| duration.to_string()),
            as_issuer: format!("{kind}/{name}"),
            name,
            object,
            cells,
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
            states: &self.states,
            end: self.not_after,
            object: &self.object,
        }
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let [ready, status] = self.cells.clone();
        vec![
            self.kind.clone().into(),
            self.name.clone().into(),
            ready,
            self.type_.clone().into(),
            short(self.authority.as_deref()).into(),
            expires(self.not_after, &self.states, now),
            status,
            self.subject.clone().unwrap_or_default().into(),
            self.serial_number.clone().unwrap_or_default().into(),
            self.secret.clone().unwrap_or_default().into(),
            self.chain_length.map(|length| length.to_string()).unwrap_or_default().into(),
            self.longest_duration.clone().unwrap_or_default().into(),
        ]
    }
}
