//! What is read for a report, as the person who runs it. What may not be read, or is not there, is noted.

use std::collections::{BTreeMap, btree_map::Entry};

use chancery_pki::{KeyId, Revoked, SerialNumber};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::{EventLine, chain::SecretFacts};
use crate::{
    api::{Certificate, ClusterIssuer, Issuer, IssuerRef, IssuerSpec, IssuerStatus, RevocationList, condition, reason},
    cluster::CallError,
    lists::{self, Kind},
    plugin::{published::Published, read},
};

/// How many Events are shown.
const EVENTS: usize = 10;

/// An Issuer or ClusterIssuer.
#[derive(Clone, Debug)]
pub struct AnyIssuer {
    /// Issuer or ClusterIssuer.
    pub kind: &'static str,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// What is asked of it.
    pub spec: IssuerSpec,
    /// What is known of it.
    pub status: IssuerStatus,
}

impl From<Issuer> for AnyIssuer {
    fn from(issuer: Issuer) -> Self {
        Self { kind: "Issuer", metadata: issuer.metadata, spec: issuer.spec, status: issuer.status.unwrap_or_default() }
    }
}

impl From<ClusterIssuer> for AnyIssuer {
    fn from(issuer: ClusterIssuer) -> Self {
        Self { kind: "ClusterIssuer", metadata: issuer.metadata, spec: issuer.spec.0, status: issuer.status.unwrap_or_default() }
    }
}

/// What a published list says of a serial number.
#[derive(Clone, Debug)]
pub struct OnList {
    /// The serial's entry; none: it is not revoked.
    pub entry: Option<Revoked>,
}

/// What is known of a Certificate. No key is in it.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// The object.
    pub certificate: Certificate,
    /// Its Secret.
    pub secret: Option<SecretFacts>,
    /// Its issuer.
    pub issuer: Option<AnyIssuer>,
    /// The RevocationList that covers its authority.
    pub list: Option<RevocationList>,
    /// What is published of its serial number.
    pub published: Option<OnList>,
    /// What happened lately, the latest first.
    pub events: Vec<EventLine>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// Reads all that there is to say of a Certificate. `operator`: the operator's namespace.
///
/// # Errors
/// When the Certificate itself cannot be read.
pub async fn certificate(
    client: &Client,
    operator: &str,
    namespace: &str,
    name: &str,
    now: Timestamp,
) -> Result<CertificateFacts, CallError> {
    let certificate: Certificate = read::one(&Api::namespaced(client.clone(), namespace), name).await?;
    let mut unread = Vec::new();
    let secret_name = certificate.spec.secret_name.as_str();
    let secret = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(secret_name).await;
    let secret = noted(secret.map_err(CallError::of("get", "Secret", Some(namespace), secret_name)), &mut unread);
    // Only what may be shown is kept.
    let secret = secret.map(|secret| SecretFacts::of(&secret, &certificate, now));
    let issuer = issuer(client, namespace, &certificate.spec.issuer_ref, &mut unread).await;
    let status = certificate.status.clone().unwrap_or_default();
    let authority = status.authority.filter(|authority| status.key_id.as_ref() != Some(authority));
    let (mut list, mut published) = (None, None);
    if let Some(authority) = authority {
        list = covering(client, operator, namespace, &authority, &mut unread).await;
        if list.is_some() {
            let serial = status.serial_number.as_deref().and_then(|serial| serial.parse().ok());
            if let (Ok(authority), Some(serial)) = (authority.parse(), serial) {
                let found = on_list(client, operator, &authority, &serial).await;
                published = found.map_err(|error| unread.push(error)).ok().flatten();
            }
        }
    }
    let events = events(client, &certificate.metadata, &mut unread).await;
    Ok(CertificateFacts { certificate, secret, issuer, list, published, events, unread })
}

/// What was read; a failure is noted.
pub(super) fn noted<T>(read: Result<Option<T>, CallError>, unread: &mut Vec<String>) -> Option<T> {
    read.unwrap_or_else(|error| {
        unread.push(error.to_string());
        None
    })
}

/// The issuer that is referred to from a namespace.
async fn issuer(client: &Client, namespace: &str, reference: &IssuerRef, unread: &mut Vec<String>) -> Option<AnyIssuer> {
    let name = reference.name.as_str();
    if reference.kind.as_deref() == Some("ClusterIssuer") {
        let found = Api::<ClusterIssuer>::all(client.clone()).get_opt(name).await;
        return noted(found.map_err(CallError::of("get", "ClusterIssuer", None, name)), unread).map(AnyIssuer::from);
    }
    let found = Api::<Issuer>::namespaced(client.clone(), namespace).get_opt(name).await;
    noted(found.map_err(CallError::of("get", "Issuer", Some(namespace), name)), unread).map(AnyIssuer::from)
}

/// The RevocationList of an authority: in this namespace, or in the operator's.
pub(in crate::plugin) async fn covering(
    client: &Client,
    operator: &str,
    namespace: &str,
    authority: &str,
    unread: &mut Vec<String>,
) -> Option<RevocationList> {
    Lists::default().covering(client, operator, namespace, authority, unread).await
}

/// The RevocationLists of namespaces, each read once: many objects ask for the same.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Lists(BTreeMap<String, Result<Vec<RevocationList>, String>>);

impl Lists {
    /// The one of an authority, as [`covering`] has it.
    pub(in crate::plugin) async fn covering(
        &mut self,
        client: &Client,
        operator: &str,
        namespace: &str,
        authority: &str,
        unread: &mut Vec<String>,
    ) -> Option<RevocationList> {
        let mut found = None;
        for place in [namespace].into_iter().chain((operator != namespace).then_some(operator)) {
            let read = match self.0.entry(place.to_owned()) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(unread) => {
                    let read = read::all::<RevocationList>(&Api::namespaced(client.clone(), place), &ListParams::default()).await;
                    unread.insert(read.map_err(|error| error.to_string()))
                }
            };
            match read {
                Ok(lists) => found = found.or_else(|| lists.iter().find(|list| covers(list, authority)).cloned()),
                Err(error) => unread.push(error.clone()),
            }
        }
        found
    }
}

fn covers(list: &RevocationList, authority: &str) -> bool {
    let Some(status) = &list.status else { return false };
    let idle = condition::find(&status.conditions, condition::READY).is_some_and(|ready| ready.reason == reason::list::AUTHORITY_COVERED);
    let is_it =
        status.authority.as_deref() == Some(authority) || status.former_authorities.iter().any(|former| former.authority == authority);
    is_it && !idle
}

/// What the published list of an authority says of a serial number.
async fn on_list(client: &Client, operator: &str, authority: &KeyId, serial: &SerialNumber) -> Result<Option<OnList>, String> {
    let published = Published::new(client.clone(), operator);
    let Some(head) = published.head(authority).await.map_err(|error| error.to_string())? else { return Ok(None) };
    let shard = lists::shard_of(serial, head.settings.shards);
    let mut found = OnList { entry: None };
    // What changed last is on the delta.
    for kind in [Kind::Full, Kind::Delta] {
        if head.of(shard, kind).is_some() {
            let list = published.list(&head, shard, kind).await.map_err(|error| error.to_string())?;
            let entry = list.find(serial).map_err(|error| format!("the published list: {error}"))?;
            found.entry = entry.or(found.entry);
        }
    }
    Ok(Some(found))
}

/// The latest Events about an object.
pub(super) async fn events(client: &Client, about: &ObjectMeta, unread: &mut Vec<String>) -> Vec<EventLine> {
    // Events of what belongs to no namespace are in this one.
    let namespace = about.namespace.as_deref().unwrap_or("default");
    let params = ListParams::default().fields(&format!("involvedObject.uid={}", about.uid.clone().unwrap_or_default()));
    match read::all::<Event>(&Api::namespaced(client.clone(), namespace), &params).await {
        Ok(found) => event_lines(found),
        Err(error) => {
            unread.push(error.to_string());
            Vec::new()
        }
    }
}

/// Events as lines, the latest first.
fn event_lines(found: Vec<Event>) -> Vec<EventLine> {
    let mut lines: Vec<EventLine> = found
        .into_iter()
        .map(|event| {
            let created = event.creation_timestamp().map(|time| time.0);
            let series = event.series.as_ref();
            let seen = series.and_then(|series| series.last_observed_time.as_ref()).or(event.event_time.as_ref()).map(|time| time.0);
            EventLine {
                time: seen.or_else(|| event.last_timestamp.map(|time| time.0)).or(created),
                type_: event.type_.unwrap_or_default(),
                reason: event.reason.unwrap_or_default(),
                message: event.message.unwrap_or_default(),
                count: series.and_then(|series| series.count).or(event.count).unwrap_or(1),
            }
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.time));
    lines.truncate(EVENTS);
    lines
}
