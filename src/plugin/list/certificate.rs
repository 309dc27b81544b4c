//! A Certificate as a line.

use std::collections::BTreeSet;

use chancery_pki::Usage;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    Facts, Row,
    state::{self, Life, Standing, State},
};
use crate::{
    api::{Certificate, CertificateSpec, IssuerRef},
    plugin::{
        output::{Cell, Tone},
        read::object_name,
        said::CurrentCertificate,
        span::when,
    },
};

/// How many names a line shows.
const NAMES_SHOWN: usize = 5;

/// A Certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// The Secret that it asks for.
    pub secret: String,
    /// The issuer, as KIND/NAME.
    pub issuer: String,
    /// The certificate that it has now.
    #[serde(flatten)]
    pub current: CurrentCertificate,
    /// The name of its key.
    #[serde(rename = "keyID", skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The authority that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What the key may be used for.
    pub usages: Vec<String>,
    /// The names that it is for: common name, DNS names, addresses, URIs, e-mail addresses, others.
    pub names: Vec<String>,
    #[serde(skip)]
    object: String,
}

impl CertificateRow {
    /// The line of a Certificate at this time.
    pub fn new(certificate: &Certificate, now: Timestamp) -> Self {
        let status = certificate.status.clone().unwrap_or_default();
        let seen = state::seen(certificate.metadata.generation, status.observed_generation);
        let current = CurrentCertificate::from(&status);
        let life = Life { begin: current.not_before, end: current.not_after, renewal: current.renewal_time };
        let asked = || certificate.spec.usages.iter().map(Usage::as_str).map(str::to_owned).collect();
        Self {
            namespace: certificate.namespace().unwrap_or_default(),
            name: certificate.name_any(),
            standing: Standing::new(&status.conditions, seen, life, now),
            secret: certificate.spec.secret_name.clone(),
            issuer: issuer_name(&certificate.spec.issuer_ref),
            current,
            key_id: status.key_id,
            authority: status.authority,
            usages: status.resolved.map_or_else(asked, |resolved| resolved.usages),
            names: names(&certificate.spec),
            object: object_name(certificate),
        }
    }
}

/// An issuer as KIND/NAME.
pub(in crate::plugin) fn issuer_name(reference: &IssuerRef) -> String {
    let kind = reference.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Issuer");
    format!("{kind}/{}", reference.name)
}

/// All names that a Certificate asks for.
pub(in crate::plugin) fn names(spec: &CertificateSpec) -> Vec<String> {
    let subject = spec.literal_subject.iter().chain(spec.common_name.iter().filter(|name| !name.is_empty()));
    let mut names: Vec<String> = Vec::new();
    let all = subject.chain(&spec.dns_names).chain(&spec.ip_addresses).chain(&spec.uris).chain(&spec.email_addresses);
    for name in all.chain(spec.other_names.iter().map(|other| &other.utf8_value)) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// A name of 64 hexadecimal digits, as much of it as tells it from others.
pub(in crate::plugin) fn short(id: Option<&str>) -> String {
    id.unwrap_or_default().chars().take(16).collect()
}

impl Row for CertificateRow {
    const COLUMNS: &'static [&'static str] = &["NAME", "READY", "SECRET", "ISSUER", "EXPIRES", "RENEWS", "STATUS"];
    const WIDE: &'static [&'static str] = &["SERIAL", "KEY-ID", "AUTHORITY", "REVISION", "USAGES", "NAMES"];

    fn facts(&self) -> Facts<'_> {
        Facts {
            namespace: &self.namespace,
            name: &self.name,
            issuer: &self.issuer,
            states: &self.standing.states,
            end: self.current.not_after,
            object: &self.object,
        }
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let [ready, status] = self.standing.cells.clone();
        let more = self.names.len().saturating_sub(NAMES_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        vec![
            self.name.clone().into(),
            ready,
            self.secret.clone().into(),
            self.issuer.clone().into(),
            expires(self.current.not_after, &self.standing.states, now),
            match self.current.renewal_time {
                Some(time) if time <= now => Cell::new(format!("due {}", when(time, now)), Tone::Warning),
                Some(time) => when(time, now).into(),
                None => Cell::new("", Tone::Faint),
            },
            status,
            self.current.serial_number.clone().unwrap_or_default().into(),
            short(self.key_id.as_deref()).into(),
            short(self.authority.as_deref()).into(),
            self.current.revision.map(|revision| revision.to_string()).unwrap_or_default().into(),
            self.usages.join(",").into(),
            format!("{}{more}", self.names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(",")).into(),
        ]
    }
}

/// When something ends, as a cell.
pub(super) fn expires(end: Option<Timestamp>, states: &BTreeSet<State>, now: Timestamp) -> Cell {
    let tone = match () {
        () if states.contains(&State::Expired) => Tone::Bad,
        () if states.contains(&State::Expiring) => Tone::Warning,
        () => Tone::Plain,
    };
    Cell::new(end.map(|end| when(end, now)).unwrap_or_default(), tone)
}
