//! An Issuer or ClusterIssuer in depth.

use std::io::{self, Write};

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde::Serialize;

use super::{
    ConditionLine, EventLine, Next,
    advice::Scope,
    condition_lines,
    facts::{self, AnyIssuer},
    is_well,
    text::Page,
    unseen,
};
use crate::{
    api::{Certificate, ClusterIssuer, Issuer, condition, names},
    cluster::CallError,
    plugin::{
        output::{Report, Tone},
        read,
        said::Signing,
    },
};

/// How many of the Certificates that are not ready are named.
const NAMED: usize = 10;

/// An issuer in depth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerReport {
    /// Issuer or ClusterIssuer.
    pub kind: String,
    /// Its namespace; empty for a ClusterIssuer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it can sign.
    pub ready: bool,
    /// What holds.
    pub conditions: Vec<ConditionLine>,
    /// How it signs.
    #[serde(flatten)]
    pub signing: Signing,
    /// From when its whole chain is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How many CAs may follow below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_length: Option<i32>,
    /// The Secret with the CA, as NAMESPACE/NAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The RevocationList of its authority, as NAMESPACE/NAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_list: Option<String>,
    /// How many Certificates name it; none where that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<usize>,
    /// Those of them that are not ready, as NAMESPACE/NAME.
    pub not_ready: Vec<String>,
    /// What happened lately, the latest first.
    pub events: Vec<EventLine>,
    /// What will happen.
    pub next: Vec<Next>,
    /// What could not be read, and why.
    pub not_looked_at: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

/// Reads an Issuer, or without a namespace a ClusterIssuer, and all that there is to say of it. `operator`: the operator's namespace.
///
/// # Errors
/// When the issuer itself cannot be read.
pub async fn issuer(
    client: &Client,
    operator: &str,
    namespace: Option<&str>,
    name: &str,
    now: Timestamp,
) -> Result<IssuerReport, CallError> {
    let issuer = match namespace {
        Some(namespace) => AnyIssuer::from(read::one::<Issuer>(&Api::namespaced(client.clone(), namespace), name).await?),
        None => AnyIssuer::from(read::one::<ClusterIssuer>(&Api::all(client.clone()), name).await?),
    };
    let mut unread = Vec::new();
    let list = match &issuer.status.authority {
        Some(authority) => facts::covering(client, operator, namespace.unwrap_or(operator), authority, &mut unread).await,
        None => None,
    };
    let fields = format!("spec.issuerRef.name={name}");
    let users = read::all::<Certificate>(&read::api(client, namespace), &ListParams::default().fields(&fields)).await;
    let users = users.map_err(|error| unread.push(error.to_string())).ok();
    let events = facts::events(client, &issuer.metadata, &mut unread).await;
    let list = list.map(|list| format!("{}/{}", list.namespace().unwrap_or_default(), list.name_any()));
    Ok(IssuerReport::new(issuer, operator, list, users, events, unread, now))
}

impl IssuerReport {
    fn new(
        issuer: AnyIssuer,
        operator: &str,
        revocation_list: Option<String>,
        users: Option<Vec<Certificate>>,
        events: Vec<EventLine>,
        not_looked_at: Vec<String>,
        now: Timestamp,
    ) -> Self {
        let AnyIssuer { kind, metadata, spec, status } = issuer;
        let users = users.map(|users| users.into_iter().filter(|user| refers(user, kind)).collect::<Vec<_>>());
        let not_ready = users.iter().flatten().filter(|user| {
            let status = user.status.clone().unwrap_or_default();
            !condition::is_true(&status.conditions, condition::READY)
        });
        let mut not_ready: Vec<String> =
            not_ready.map(|user| format!("{}/{}", user.namespace().unwrap_or_default(), user.name_any())).collect();
        not_ready.sort();
        let place = metadata.namespace.clone().unwrap_or_else(|| operator.to_owned());
        let mut next: Vec<Next> = unseen(metadata.generation, status.observed_generation).into_iter().collect();
        if let Some(end) = &status.not_after {
            let what = if end.0 <= now { "its chain ended: it signs no more" } else { "its chain ends, and all that it signed with it" };
            next.push(Next::at(end.0, what));
        }
        let ready = is_well(&status.conditions, metadata.generation, status.observed_generation)
            && status.not_after.as_ref().is_none_or(|end| end.0 > now);
        Self {
            kind: kind.to_owned(),
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            ready,
            conditions: condition_lines(Scope::Issuer, &status.conditions),
            signing: Signing::of(&spec, &status),
            not_before: status.not_before.map(|time| time.0),
            path_length: status.path_length,
            secret: spec.ca.map(|ca| format!("{place}/{}", ca.secret_name)),
            revocation_list,
            certificates: users.as_ref().map(Vec::len),
            not_ready,
            events,
            next,
            not_looked_at,
            now,
        }
    }
}

/// Whether a Certificate means an issuer of this kind.
fn refers(certificate: &Certificate, kind: &str) -> bool {
    certificate.spec.issuer_ref.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Issuer") == kind
}

impl Report for IssuerReport {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page { out, now: self.now };
        let place = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
        let (word, tone) = if self.ready { ("ready", Tone::Good) } else { ("not ready", Tone::Bad) };
        page.title(&format!("{} {place}{}", self.kind, self.name), word, tone)?;
        page.conditions(&self.conditions)?;
        page.heading("Authority")?;
        page.field("Type", self.signing.type_)?;
        page.some("Name", self.signing.subject.as_deref())?;
        page.some("Key", self.signing.authority.as_deref())?;
        page.some("Serial", self.signing.serial_number.as_deref())?;
        page.some("Secret", self.secret.as_deref())?;
        if let (Some(begin), Some(end)) = (self.not_before, self.signing.not_after) {
            page.field("Valid", &format!("{begin} to {}", crate::plugin::span::moment(end, self.now)))?;
        }
        page.some("Chain", self.signing.chain_length.map(|length| length.to_string()).as_deref())?;
        page.some("CAs below", self.path_length.map(|length| format!("at most {length}")).as_deref())?;
        page.some("Revocation", self.revocation_list.as_ref().map(|list| format!("RevocationList {list}")).as_deref())?;
        page.heading("Certificates")?;
        page.some("Number", self.certificates.map(|number| number.to_string()).as_deref())?;
        page.some("Longest", self.signing.longest_duration.as_deref())?;
        let more = self.not_ready.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        page.toned(
            "Not ready",
            &format!("{}{more}", self.not_ready.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")),
            Tone::Warning,
        )?;
        page.events(&self.events)?;
        page.next(&self.next)?;
        page.unread(&self.not_looked_at)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("{}.{}/{}", self.kind.to_lowercase(), names::GROUP, self.name)]
    }
}
