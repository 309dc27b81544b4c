//! What stands around a spec: metadata that goes along, that the API server sets, and that means something to cert-manager alone.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Fate, Note, THEIR_SUBDOMAINS, group_and_version,
    landscape::{some, text},
};
use crate::api::names;

/// What the API server sets, or made of the last apply: it is not asked for by anybody.
const BY_THE_SERVER: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// cert-manager's annotation of the same meaning as [`names::TEMPORARY`].
const THEIR_TEMPORARY: &str = "cert-manager.io/issue-temporary-certificate";
/// Annotations that cert-manager's CA injector goes on to understand without a Certificate of cert-manager's.
const INJECTED_ALL_THE_SAME: [&str; 3] = ["inject-ca-from-secret", "inject-apiserver-ca", "allow-direct-injection"];

/// What is to be said of an object, as it is gathered.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) differences: Vec<Note>,
    pub(super) refusals: Vec<Note>,
}

impl Notes {
    pub(super) fn differs(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.differences.push(Note::new(field, text));
    }

    pub(super) fn refuse(&mut self, field: impl Into<String>, text: impl Into<String>) {
        self.refusals.push(Note::new(field, text));
    }

    /// Refuses a field unless it, or something in it, is refused already.
    pub(super) fn refuse_too(&mut self, field: &str, text: &str) {
        if !self.refusals.iter().any(|note| note.field == field || note.field.starts_with(&format!("{field}."))) {
            self.refuse(field, text);
        }
    }

    /// Refuses a field that cannot be read, unless something is refused already, which is why then. What serde says of it is
    /// left out: it quotes the value, which may be a password.
    pub(super) fn unreadable(&mut self, field: &str) {
        if self.refusals.is_empty() {
            self.refuse(field, "has a value that cannot be read");
        }
    }

    /// The object as one of our kinds; refuses the field that cannot be read.
    pub(super) fn read<T: DeserializeOwned>(&mut self, object: &Value) -> Option<T> {
        serde_path_to_error::deserialize(object.clone()).map_err(|error| self.unreadable(&error.path().to_string())).ok()
    }

    pub(super) fn fate(self, object: Value) -> Fate {
        if self.refusals.is_empty() { Fate::Carried { object, differences: self.differences } } else { Fate::Refused(self.refusals) }
    }
}

/// The metadata under our group, and the spec without what means nothing.
pub(super) fn carry(object: &Value, notes: &mut Notes) -> (Value, Value) {
    for key in object.as_object().into_iter().flat_map(Map::keys) {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&key.as_str()) {
            notes.refuse(key, "there is no such field here");
        }
    }
    let mut carried = Map::new();
    for (key, value) in object["metadata"].as_object().into_iter().flatten() {
        match key.as_str() {
            _ if value.is_null() => {}
            "annotations" => drop(carried.insert(key.clone(), annotations(value, text(&object["kind"]), notes))),
            // A ClusterIssuer is in none; kubectl passes over it too.
            "namespace" if object["kind"] == "ClusterIssuer" => {}
            "name" | "generateName" | "namespace" | "labels" => drop(carried.insert(key.clone(), value.clone())),
            "deletionTimestamp" => notes.refuse("metadata.deletionTimestamp", "it is being deleted"),
            "ownerReferences" => notes.differs("metadata.ownerReferences", owners(value)),
            "finalizers" => notes.differs("metadata.finalizers", "left out: whoever put them there waits for the object of cert-manager"),
            server if BY_THE_SERVER.contains(&server) => {}
            other => notes.refuse(format!("metadata.{other}"), "there is no such field here"),
        }
    }
    if !carried.contains_key("name") && !carried.contains_key("generateName") {
        notes.refuse("metadata.name", "is required");
    }
    carried.retain(|_, value| value.as_object().is_none_or(|members| !members.is_empty()));
    let mut spec = object["spec"].clone();
    if !spec.is_object() {
        notes.refuse("spec", "is required");
    }
    tidy(&mut spec, true);
    (Value::Object(carried), spec)
}

fn annotations(annotations: &Value, kind: &str, notes: &mut Notes) -> Value {
    let Some(annotations) = annotations.as_object() else { return annotations.clone() };
    let mut carried = Map::new();
    for (key, value) in annotations {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        let field = || format!("metadata.annotations[{key}]");
        if key == LAST_APPLIED {
            continue;
        }
        if prefix.ends_with(THEIR_SUBDOMAINS) {
            notes.refuse(field(), "it asks cert-manager for something that is not there");
        } else if key == THEIR_TEMPORARY && kind == "Certificate" {
            carried.insert(names::TEMPORARY.to_owned(), value.clone());
        } else {
            if prefix == names::CERT_MANAGER_GROUP {
                notes.differs(field(), "kept, and means nothing here");
            }
            carried.insert(key.clone(), value.clone());
        }
    }
    Value::Object(carried)
}

fn owners(owners: &Value) -> String {
    let owners = owners.as_array().map(Vec::as_slice).unwrap_or_default();
    let shown: Vec<String> = owners.iter().map(|owner| format!("{} {}", text(&owner["kind"]), text(&owner["name"]))).collect();
    let shown = some(&shown.iter().map(String::as_str).collect::<Vec<_>>());
    format!("left out: it was made for {shown}, which makes cert-manager's again as long as its annotations ask for it")
}

/// Takes away what means the same as being absent: null, and in Go also the empty text. What `secretTemplate` and `keystores` hold is
/// their own business.
fn tidy(value: &mut Value, texts: bool) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !(member.is_null() || texts && member.as_str().is_some_and(str::is_empty)));
            for (key, member) in members {
                tidy(member, texts && !["secretTemplate", "keystores"].contains(&key.as_str()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, texts)),
        _ => {}
    }
}

/// An object of somebody else's: it stays where it is, but for annotations with which cert-manager does something for it.
pub(super) fn stranger(object: &Value, kind: &str) -> Fate {
    // Those on Secrets are what cert-manager wrote.
    if kind == "Secret" || group_and_version(object).0 == names::GROUP {
        return Fate::LeftOut;
    }
    let keys = object["metadata"]["annotations"].as_object().into_iter().flat_map(Map::keys);
    let notes: Vec<Note> = keys
        .filter_map(|key| {
            let (prefix, suffix) = key.split_once('/')?;
            let theirs = prefix == names::CERT_MANAGER_GROUP || prefix.ends_with(THEIR_SUBDOMAINS) || key == "kubernetes.io/tls-acme";
            let text = match suffix {
                _ if !theirs || INJECTED_ALL_THE_SAME.contains(&suffix) => return None,
                "inject-ca-from" => {
                    "nothing injects CA certificates here, and cert-manager's injector reads its own Certificates only: \
                     cert-manager.io/inject-ca-from-secret does without one"
                }
                _ => "annotations make no certificates here: write a Certificate",
            };
            Some(Note::new(format!("metadata.annotations[{key}]"), text))
        })
        .collect();
    if notes.is_empty() { Fate::LeftOut } else { Fate::Refused(notes) }
}
