//! A spec against a kind's schema: members that are not there, values of another type or beyond their bounds.
//!
//! What patterns and relations say is left to `api::check`, which knows better words for it.

use std::borrow::Cow;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool};
use serde_json::Value;

use super::Note;
use crate::api::crds;

/// How many of the values that a field knows are listed.
const VALUES_SHOWN: usize = 8;

/// The schema of the spec of one of our kinds.
pub(super) fn schema_of(kind: &str) -> Option<JSONSchemaProps> {
    let definition = crds::definitions().into_iter().find(|definition| definition.spec.names.kind == kind)?;
    let version = definition.spec.versions.into_iter().next()?;
    version.schema?.open_api_v3_schema?.properties?.remove("spec")
}

/// What of a value its schema does not let in.
pub(super) fn problems(schema: &JSONSchemaProps, value: &Value, path: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    walk(schema, value, path, &mut notes);
    notes
}

fn walk(schema: &JSONSchemaProps, value: &Value, path: &str, notes: &mut Vec<Note>) {
    if let Some(problem) = bounds(schema, value) {
        notes.push(Note::new(path, problem));
        return;
    }
    match value {
        Value::Object(members) => {
            let properties = schema.properties.as_ref();
            for (key, member) in members {
                let path = format!("{path}.{key}");
                match (properties.and_then(|properties| properties.get(key)), &schema.additional_properties) {
                    (Some(schema), _) => walk(schema, member, &path, notes),
                    (None, Some(JSONSchemaPropsOrBool::Schema(schema))) => walk(schema, member, &path, notes),
                    (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
                    (None, _) if schema.x_kubernetes_preserve_unknown_fields == Some(true) => {}
                    (None, _) => notes.push(Note::new(path, "there is no such field here")),
                }
            }
            for key in schema.required.iter().flatten().filter(|key| !members.contains_key(*key)) {
                notes.push(Note::new(format!("{path}.{key}"), "is required"));
            }
        }
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    walk(schema, item, &format!("{path}[{index}]"), notes);
                }
            }
        }
        _ => {}
    }
}

fn bounds(schema: &JSONSchemaProps, value: &Value) -> Option<Cow<'static, str>> {
    let wanted = schema.type_.as_deref().unwrap_or_default();
    let fits = match wanted {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    if !fits && schema.x_kubernetes_int_or_string != Some(true) {
        return Some(format!("must be of type {wanted}").into());
    }
    if let Some(allowed) = &schema.enum_
        && !allowed.iter().any(|allowed| allowed.0 == *value)
    {
        let shown = allowed.iter().take(VALUES_SHOWN).map(|allowed| allowed.0.to_string()).collect::<Vec<_>>().join(", ");
        let more = if allowed.len() > VALUES_SHOWN { ", .." } else { "" };
        return Some(format!("must be one of {shown}{more}").into());
    }
    let most = |size: usize, most: Option<i64>| most.is_some_and(|most| i64::try_from(size).is_ok_and(|size| size > most));
    let least = |size: usize, least: Option<i64>| least.is_some_and(|least| i64::try_from(size).is_ok_and(|size| size < least));
    match value {
        Value::String(text) if most(text.chars().count(), schema.max_length) => {
            Some(format!("has more than {} characters", schema.max_length.unwrap_or_default()).into())
        }
        Value::String(text) if least(text.chars().count(), schema.min_length) => Some("is too short".into()),
        Value::Array(items) if most(items.len(), schema.max_items) => {
            Some(format!("has more than {} items", schema.max_items.unwrap_or_default()).into())
        }
        Value::Array(items) if least(items.len(), schema.min_items) => Some("has too few items".into()),
        Value::Object(members) if most(members.len(), schema.max_properties) => {
            Some(format!("has more than {} entries", schema.max_properties.unwrap_or_default()).into())
        }
        _ => None,
    }
}
