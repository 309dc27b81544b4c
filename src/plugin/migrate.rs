//! cert-manager's manifests as Chancery's: what is carried, what differs, and what is refused.
//!
//! [`migrate`] is pure: documents in, documents and notes out. Nothing is ever lost in silence: a field that is not known here, or a
//! value that would not be accepted, refuses the whole object. Reading files and clusters, and printing, stand beside it.

use std::fmt;

use serde_json::Value;

mod certificate;
pub mod cluster;
pub mod documents;
mod fields;
mod issuer;
mod landscape;
mod metadata;
pub mod report;
pub mod yaml;

use landscape::Landscape;

use crate::api::names;

/// The version of cert-manager's kinds that is read.
const THEIR_VERSION: &str = "v1";
/// What follows the group in cert-manager's other groups, annotations and labels.
const THEIR_SUBDOMAINS: &str = ".cert-manager.io";

/// A document, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it was read, for people.
    pub place: String,
    /// The object.
    pub object: Value,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Migrated {
    /// Which object it is.
    pub subject: Subject,
    /// What became of it.
    pub fate: Fate,
}

/// Which object is spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its kind.
    pub kind: String,
    /// Its namespace, where it names one.
    pub namespace: Option<String>,
    /// Its name; where it has none, the place where it was read.
    pub name: String,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It goes over as it is, or with differences.
    Carried {
        /// The object under the new group.
        object: Value,
        /// What differs.
        differences: Vec<Note>,
    },
    /// It cannot go over: nothing is printed of it.
    Refused(Vec<Note>),
    /// It is not cert-manager's, or was made by it for another object.
    LeftOut,
}

/// What is to be said of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The field's path.
    pub field: String,
    /// What differs, or why it is refused.
    pub text: String,
}

impl Note {
    fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into() }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// What an outcome is, as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What became of each document, in their order.
    pub objects: Vec<Migrated>,
    /// Issuers that Certificates name and that were not among what was read.
    pub absent_issuers: Vec<String>,
}

/// Changes cert-manager's objects to ours. `known` are objects that are looked at and not migrated: issuers that the others name.
pub fn migrate(documents: &[Document], known: &[Value]) -> Outcome {
    let landscape = Landscape::of(documents.iter().map(|document| &document.object).chain(known));
    let objects: Vec<_> = documents.iter().map(|document| one(document, &landscape)).collect();
    let mut absent_issuers: Vec<String> = objects.iter().filter_map(|migrated| certificate::absent_issuer(migrated, &landscape)).collect();
    absent_issuers.sort();
    absent_issuers.dedup();
    Outcome { objects, absent_issuers }
}

fn one(document: &Document, landscape: &Landscape) -> Migrated {
    let object = &document.object;
    let (group, version) = group_and_version(object);
    let subject = subject_of(document);
    let fate = if group == names::CERT_MANAGER_GROUP && version != THEIR_VERSION {
        Fate::Refused(vec![Note::new(
            "apiVersion",
            format!("only {group}/{THEIR_VERSION} is read: `cmctl convert` makes it of older ones"),
        )])
    } else if group == names::CERT_MANAGER_GROUP {
        match subject.kind.as_str() {
            "Certificate" => certificate::migrate(object, landscape),
            "Issuer" | "ClusterIssuer" => issuer::migrate(object, landscape),
            "CertificateRequest" => by_product(object, "there are no requests: a Certificate makes a certificate"),
            other => Fate::Refused(vec![Note::new("kind", format!("there is no {other} here"))]),
        }
    } else if group.ends_with(THEIR_SUBDOMAINS) {
        by_product(object, "nothing of this group is there")
    } else {
        metadata::stranger(object, &subject.kind)
    };
    Migrated { subject, fate }
}

/// An object that may have been made for another: then nothing is lost with it.
fn by_product(object: &Value, otherwise: &str) -> Fate {
    let theirs = |owner: &Value| {
        let group = owner["apiVersion"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
        group == names::CERT_MANAGER_GROUP || group.ends_with(THEIR_SUBDOMAINS)
    };
    if object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| owners.iter().any(theirs)) {
        return Fate::LeftOut;
    }
    Fate::Refused(vec![Note::new("kind", otherwise)])
}

fn group_and_version(object: &Value) -> (&str, &str) {
    let text = object["apiVersion"].as_str().unwrap_or_default();
    text.split_once('/').unwrap_or(("", text))
}

fn subject_of(document: &Document) -> Subject {
    let metadata = &document.object["metadata"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let kind = text(&document.object["kind"]).unwrap_or_else(|| "object without a kind".to_owned());
    Subject {
        namespace: text(&metadata["namespace"]).filter(|_| kind != "ClusterIssuer"),
        name: text(&metadata["name"]).unwrap_or_else(|| format!("({})", document.place)),
        kind,
    }
}

/// An object of ours with this metadata and spec.
fn ours(kind: &str, metadata: Value, spec: Value) -> Value {
    let mut object = serde_json::json!({ "apiVersion": format!("{}/{}", names::GROUP, names::VERSION), "kind": kind });
    object["metadata"] = metadata;
    object["spec"] = spec;
    object
}

#[cfg(test)]
#[path = "migrate/tests.rs"]
mod tests;
