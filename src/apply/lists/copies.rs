//! Copies of lists for those who do not fetch them: PEM in a ConfigMap that the list's owner names, or, on request, in a Certificate's
//! Secret. A copy is never read back.

use std::{collections::BTreeMap, fmt::Write as _};

use chancery_pki::CrlNumber;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::{Context, Fault};
use crate::{
    api::{WantedList, names},
    cluster::{CallError, CallErrorKind},
    lists::Published,
    observe::{Coverage, ListSight, Name, Pem},
    plan::renewal::add,
};

/// The most octets of PEM in a copy: those of a ConfigMap, less what its names and labels take.
const CONFIG_MAP: usize = 1_000_000;
/// The most octets of PEM in a Secret, beside a chain and its key.
const SECRET: usize = 256 * 1024;

/// How often copies are looked at.
const LOOK: SignedDuration = SignedDuration::from_secs(30);

/// An authority's lists as PEM, where they are small enough for a Secret.
pub(super) fn pem(published: &Published) -> Option<Pem> {
    let octets: usize = published.head.shards.values().map(|shard| shard.bytes).sum();
    if octets > SECRET / 4 * 3 || !published.damaged.is_empty() {
        return None;
    }
    let text = text(published);
    (text.len() <= SECRET).then(|| Pem { number: newest(published).to_string(), text })
}

fn text(published: &Published) -> String {
    published.lists.values().fold(String::new(), |mut text, lists| {
        // Writing to a String does not fail.
        let _ = write!(text, "{}", lists.full.to_pem());
        text
    })
}

fn newest(published: &Published) -> CrlNumber {
    published.head.shards.values().map(|shard| shard.number).max().unwrap_or(published.head.number)
}

/// What came of keeping copies.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What is in the way of one.
    pub(super) refused: Option<String>,
    /// When to look again whether they are still what they were.
    pub(super) again: Option<Timestamp>,
}

/// Keeps the copies that the list names. They are looked at now and then: to watch ConfigMaps everywhere the operator would need the
/// right to read all of them.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn keep(
    context: &Context,
    sight: &ListSight,
    wanted: &WantedList,
    coverage: &Coverage,
    now: Timestamp,
) -> Result<Kept, Fault> {
    let Some(standing) = context.press.standing(&coverage.head.authority) else { return Ok(Kept::default()) };
    let Some(published) = standing.published.as_ref().filter(|published| published.damaged.is_empty()) else {
        return Ok(Kept::default());
    };
    let number = newest(published).to_string();
    let mut kept = Kept { again: (!wanted.config_maps.is_empty()).then(|| add(now, LOOK)), ..Kept::default() };
    let mut whole = None;
    for copy in &wanted.config_maps {
        let name = Name::new(copy.namespace.as_deref().unwrap_or(&sight.name.namespace), &copy.name);
        if context.press.copied(&name).is_some_and(|(held, seen)| held == number && add(seen, LOOK) > now) {
            continue;
        }
        let text = whole.get_or_insert_with(|| text(published));
        if text.len() > CONFIG_MAP {
            kept.refused = Some(format!(
                "spec.distribution.configMaps: the list has {} octets as PEM, and a ConfigMap holds {CONFIG_MAP}: have it fetched by its URL",
                text.len()
            ));
            break;
        }
        match write(context, sight, &name, text, &number).await {
            Ok(()) => context.press.has_copy(name, number.clone(), now),
            Err(Fault::Failed(failure)) => kept.refused = Some(failure.message),
            // The namespace is not there yet, or another wrote: it is tried again with the next look.
            Err(Fault::Stale) => {
                kept.refused = Some(format!("spec.distribution.configMaps: ConfigMap {name} cannot be written: does its namespace exist?"));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(kept)
}

async fn write(context: &Context, sight: &ListSight, name: &Name, text: &str, number: &str) -> Result<(), Fault> {
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), &name.namespace);
    let present = match api.get_opt(&name.name).await {
        Ok(present) => present,
        Err(error) => return Err(Fault::from(CallError::of("get", "ConfigMap", Some(&name.namespace), &name.name)(error))),
    };
    let label = label(&sight.name);
    let mut map = present.unwrap_or_default();
    if map.metadata.resource_version.is_some()
        && map.metadata.labels.as_ref().and_then(|labels| labels.get(names::LIST_COPY)) != Some(&label)
    {
        return Err(super::super::failed(format!(
            "spec.distribution.configMaps: ConfigMap {name} exists and is no copy of this list: delete it, or name another"
        )));
    }
    map.metadata.name = Some(name.name.to_string());
    map.metadata.namespace = Some(name.namespace.to_string());
    map.metadata.managed_fields = None;
    map.metadata.labels.get_or_insert_default().insert(names::LIST_COPY.to_owned(), label);
    map.metadata.annotations.get_or_insert_default().insert(names::CRL_NUMBER.to_owned(), number.to_owned());
    let data = BTreeMap::from([(names::CA_CRL_KEY.to_owned(), text.to_owned())]);
    if map.data.as_ref() == Some(&data) {
        return Ok(());
    }
    map.data = Some(data);
    match context.writer.config_map(&map).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == CallErrorKind::Forbidden => Err(super::super::failed(error.to_string())),
        Err(error) => Err(Fault::from(error)),
    }
}

/// How a copy tells whose it is, whatever authority the list has and whichever object of its name it is.
fn label(list: &Name) -> String {
    crate::register::hash(list.to_string()).chars().take(32).collect()
}
