//! The samples: applied, and waited for until each is as it is asked for.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chancery::api::Certificate;
use futures::{StreamExt as _, stream::FuturesUnordered};
use kube::{
    Api, Client, ResourceExt as _,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};
use kube_runtime::wait::await_condition;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::{manifests::apply_manifests, place::Place, say};

/// How long all of them together may take; RSA keys take longest.
const LIMIT: Duration = Duration::from_mins(2);

/// Applies the samples, and says of each when it is ready; returns how many there are and how long the last one took.
pub(crate) async fn apply(place: &Place, responder: &str) -> Result<(usize, Duration)> {
    let documents = place.samples(responder)?;
    let started = Instant::now();
    apply_manifests(&place.client, &documents).await?;
    let mut waiting: FuturesUnordered<_> = documents.iter().map(|document| ready(&place.client, document)).collect();
    let all = async {
        while let Some(found) = waiting.next().await {
            let (kind, object) = found?;
            let time = say::took(started.elapsed());
            say::line(shown(&kind, &object), format!("{time}  {}", gained(&object)));
        }
        anyhow::Ok(())
    };
    match timeout(LIMIT, all).await {
        Ok(done) => done?,
        Err(_) => bail!("not ready after {} s:\n{}", LIMIT.as_secs(), unready(place, &documents).await?),
    }
    Ok((documents.len(), started.elapsed()))
}

async fn ready(client: &Client, document: &Value) -> Result<(String, DynamicObject)> {
    let (kind, api, name) = handle(client, document)?;
    let found = await_condition(api, &name, |object: Option<&DynamicObject>| object.is_some_and(is_ready)).await?;
    Ok((kind, found.with_context(|| format!("{name} is gone"))?))
}

/// Ready, and by a status that is about the spec as it is.
pub(crate) fn is_ready(object: &DynamicObject) -> bool {
    condition(object).is_some_and(|ready| ready["status"] == "True")
        && object.data.pointer("/status/observedGeneration").and_then(Value::as_i64) == object.metadata.generation
}

fn condition(object: &DynamicObject) -> Option<&Value> {
    object.data.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == "Ready")
}

fn handle(client: &Client, document: &Value) -> Result<(String, Api<DynamicObject>, String)> {
    let object: DynamicObject = serde_json::from_value(document.clone())?;
    let kind = object.types.clone().context("a sample has no kind")?.kind;
    let gvk = GroupVersionKind::gvk("chancery.dev", "v1alpha1", &kind);
    let resource = ApiResource::from_gvk(&gvk);
    let api = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    Ok((kind, api, object.name_any()))
}

fn shown(kind: &str, object: &DynamicObject) -> String {
    let place = object.namespace().map_or_else(String::new, |namespace| format!("{namespace}/"));
    format!("{kind:<14} {place}{}", object.name_any())
}

fn gained(object: &DynamicObject) -> String {
    match object.clone().try_parse::<Certificate>() {
        Ok(certificate) if !certificate.spec.secret_name.is_empty() => say::certificate(&certificate),
        _ => condition(object).and_then(|ready| ready["message"].as_str()).unwrap_or_default().to_owned(),
    }
}

/// What those that are not ready say of it.
async fn unready(place: &Place, documents: &[Value]) -> Result<String> {
    let mut lines = Vec::new();
    for document in documents {
        let (kind, api, name) = handle(&place.client, document)?;
        let Some(object) = api.get_opt(&name).await? else { continue };
        if !is_ready(&object) {
            let said = condition(&object).map(|ready| format!("{}: {}", ready["reason"], ready["message"]));
            lines.push(format!("  {}: {}", shown(&kind, &object), said.unwrap_or_else(|| "nothing was said of it yet".to_owned())));
        }
    }
    Ok(lines.join("\n"))
}
