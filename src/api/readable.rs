//! Reading a spec so that one bad object never ends the watch of all others.
//!
//! A stored object may not fit these types: its CRD was looser once, or was replaced. Its reading then still succeeds;
//! the spec carries what is wrong, [`crate::api::check`] returns it, and the condition of that one object shows it.

use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

use super::check::error::SpecError;

/// How much of a text is shown that quotes what somebody stored, in characters.
const MAX_SHOWN: usize = 600;

/// What is tracked while a spec is read.
pub(super) type Tracked<'a, 'b> = serde_path_to_error::Deserializer<'a, 'b, Value>;

/// Reads a spec: what `parse` makes of it, or what `unreadable` makes of the error, which names the field.
///
/// # Errors
/// Only when the input is no JSON at all.
pub(super) fn read<'de, D, T>(
    deserializer: D,
    parse: impl FnOnce(Tracked<'_, '_>) -> Result<T, serde_json::Error>,
    unreadable: impl FnOnce(SpecError) -> T,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    // An option, since serde asks an absent field for one: so a missing spec is readable too.
    let Some(mut value) = Option::<Value>::deserialize(deserializer)? else {
        return Ok(unreadable(SpecError::new("spec", "is missing")));
    };
    // Without this a list would be read as the fields in their order.
    if !value.is_object() {
        return Ok(unreadable(SpecError::new("spec", "is not an object")));
    }
    drop_nulls(&mut value);
    let mut track = serde_path_to_error::Track::new();
    let parsed = parse(serde_path_to_error::Deserializer::new(value, &mut track));
    Ok(parsed.unwrap_or_else(|error| {
        let path = track.path().to_string();
        let field = if path == "." { "spec".to_owned() } else { format!("spec.{path}") };
        unreadable(SpecError::new(shown(&field), shown(&error.to_string())))
    }))
}

/// A text that quotes what somebody stored: cut, and without control characters.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Reads a status: one that does not fit counts as none, since it is a display and is written anew.
///
/// # Errors
/// Only when the input is no JSON at all.
pub(super) fn read_or_default<'de, D, T>(deserializer: D, parse: impl FnOnce(Value) -> Result<T, serde_json::Error>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default,
{
    let mut value = Value::deserialize(deserializer)?;
    drop_nulls(&mut value);
    Ok(parse(value).unwrap_or_default())
}

/// Takes members away whose value is null: they mean the same as absent ones.
fn drop_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(drop_nulls);
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(drop_nulls);
    }
}
