//! What Flux says of an object of its own, a Kustomization or a HelmRelease.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

/// The condition of this type.
pub(super) fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<&'a Value> {
    object.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition of this type has this status.
pub(super) fn says(object: &DynamicObject, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == status)
}

/// Whether Flux is done with the object as it is now.
pub(super) fn is_settled(object: &DynamicObject) -> bool {
    object.data["status"]["observedGeneration"].as_i64() == object.metadata.generation && !says(object, "Reconciling", "True")
}

/// The reason of the condition Ready.
pub(super) fn reason(object: &DynamicObject) -> String {
    text(object, "reason")
}

/// Reason and message of the condition Ready, and whose they are.
pub(super) fn message(object: &DynamicObject) -> String {
    format!("{}: {} ({})", reason(object), text(object, "message"), object.name_any())
}

fn text(object: &DynamicObject, field: &str) -> String {
    condition(object, "Ready").and_then(|ready| ready[field].as_str()).unwrap_or_default().to_owned()
}
