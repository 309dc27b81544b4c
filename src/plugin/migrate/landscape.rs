//! What the objects that were read say about each other: who signs what, and who writes where.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{fields, group_and_version};
use crate::api::names;

/// An issuer: kind, namespace (none of a ClusterIssuer) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IssuerId {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl IssuerId {
    fn new(kind: &str, namespace: &str, name: &str) -> Self {
        let namespace = if kind == "ClusterIssuer" { "" } else { namespace };
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for IssuerId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(formatter, "{} {}", self.kind, self.name),
            namespace => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// How an issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    SelfSigned,
    Ca,
    /// In a way that is not there, by the name of the field.
    NotThere(&'static str),
    /// None can be told.
    Unknown,
}

/// The ways of signing that cert-manager has and Chancery has not.
pub(super) const NOT_THERE: [&str; 3] = ["acme", "vault", "venafi"];

#[derive(Debug, Default)]
pub(super) struct Landscape {
    issuers: BTreeMap<IssuerId, Sort>,
    /// Certificates of CAs, by who signs them.
    authorities: BTreeMap<IssuerId, BTreeSet<String>>,
    /// Certificates by namespace and Secret.
    secrets: BTreeMap<(String, String), BTreeSet<String>>,
    /// Certificates of CAs by their Secret, in whatever namespace.
    authority_secrets: BTreeMap<String, BTreeSet<String>>,
    schemas: BTreeMap<&'static str, JSONSchemaProps>,
}

impl Landscape {
    pub(super) fn of<'a>(objects: impl Iterator<Item = &'a Value>) -> Self {
        let schemas = ["Certificate", "Issuer", "ClusterIssuer"].into_iter().filter_map(|kind| Some((kind, fields::schema_of(kind)?)));
        let mut landscape = Self { schemas: schemas.collect(), ..Self::default() };
        for object in objects {
            if [names::CERT_MANAGER_GROUP, names::GROUP].contains(&group_and_version(object).0) {
                landscape.add(object);
            }
        }
        landscape
    }

    fn add(&mut self, object: &Value) {
        let (kind, namespace, name) = (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        let spec = &object["spec"];
        if ["Issuer", "ClusterIssuer"].contains(&kind) {
            self.issuers.insert(IssuerId::new(kind, namespace, name), sort(spec));
        }
        if kind != "Certificate" {
            return;
        }
        let shown = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        let secret = text(&spec["secretName"]).to_owned();
        if spec["isCA"] == Value::Bool(true) {
            self.authority_secrets.entry(secret.clone()).or_default().insert(shown.clone());
            if let Some(issuer) = reference(object) {
                self.authorities.entry(issuer).or_default().insert(shown.clone());
            }
        }
        self.secrets.entry((namespace.to_owned(), secret)).or_default().insert(shown);
    }

    pub(super) fn schema(&self, kind: &str) -> Option<&JSONSchemaProps> {
        self.schemas.get(kind)
    }

    /// How an issuer signs; none if it is not among what was read.
    pub(super) fn sort(&self, issuer: &IssuerId) -> Option<Sort> {
        self.issuers.get(issuer).copied()
    }

    /// The Certificates of CAs that this issuer signs.
    pub(super) fn authorities_of(&self, object: &Value) -> Vec<&str> {
        let (kind, namespace, name) = (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        self.authorities.get(&IssuerId::new(kind, namespace, name)).into_iter().flatten().map(String::as_str).collect()
    }

    /// The Certificates of CAs that write a Secret of this name somewhere.
    pub(super) fn authorities_in(&self, secret: &str) -> Vec<&str> {
        self.authority_secrets.get(secret).into_iter().flatten().map(String::as_str).collect()
    }

    /// The other Certificates that write the same Secret.
    pub(super) fn sharing(&self, certificate: &Value) -> Vec<&str> {
        let (namespace, name) = (text(&certificate["metadata"]["namespace"]), text(&certificate["metadata"]["name"]));
        let shown = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        let key = (namespace.to_owned(), text(&certificate["spec"]["secretName"]).to_owned());
        self.secrets.get(&key).into_iter().flatten().filter(|other| **other != shown).map(String::as_str).collect()
    }
}

/// The issuer that a Certificate names; none if it is of a group that is neither cert-manager's nor ours.
pub(super) fn reference(certificate: &Value) -> Option<IssuerId> {
    let issuer = &certificate["spec"]["issuerRef"];
    if !["", names::CERT_MANAGER_GROUP, names::GROUP].contains(&text(&issuer["group"])) {
        return None;
    }
    let kind = match text(&issuer["kind"]) {
        "" => "Issuer",
        kind => kind,
    };
    Some(IssuerId::new(kind, text(&certificate["metadata"]["namespace"]), text(&issuer["name"])))
}

fn sort(spec: &Value) -> Sort {
    let has = |key: &str| spec.get(key).is_some_and(|value| !value.is_null());
    if let Some(way) = NOT_THERE.into_iter().find(|way| has(way)) {
        return Sort::NotThere(way);
    }
    match (has("selfSigned"), has("ca")) {
        (true, false) => Sort::SelfSigned,
        (false, true) => Sort::Ca,
        _ => Sort::Unknown,
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Names for people: at most three of them.
pub(super) fn some(names: &[&str]) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
