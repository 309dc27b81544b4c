//! An Issuer or ClusterIssuer under our group.

use serde_json::{Value, json};

use super::{
    Fate, fields,
    landscape::{Landscape, NOT_THERE, some, text},
    metadata::{Notes, carry},
    ours,
};
use crate::api::{self, ClusterIssuer, Issuer, Scope, check_issuer};

pub(super) fn migrate(object: &Value, landscape: &Landscape) -> Fate {
    let kind = text(&object["kind"]);
    let mut notes = Notes::default();
    let (metadata, mut spec) = carry(object, &mut notes);
    for way in NOT_THERE {
        if spec.as_object_mut().is_some_and(|members| members.remove(way).is_some()) {
            notes.refuse(format!("spec.{way}"), format!("there are no {way} issuers here"));
        }
    }
    if let Some(schema) = landscape.schema(kind) {
        notes.refusals.extend(fields::problems(schema, &spec, "spec"));
    }
    if kind == "ClusterIssuer" && spec.get("ca").is_some() {
        of_the_cluster(object, &mut spec, landscape, &mut notes);
    }
    let carried = ours(kind, metadata, spec);
    let scope = if kind == "Issuer" { Scope::Namespace } else { Scope::Cluster };
    let spec = match scope {
        Scope::Namespace => notes.read(&carried).map(|issuer: Issuer| issuer.spec),
        Scope::Cluster => notes.read(&carried).map(|issuer: ClusterIssuer| issuer.spec.0),
    };
    // Without acme there may be nothing left.
    if let Some(spec) = spec.filter(|_| notes.refusals.is_empty())
        && let Err(error) = check_issuer(&spec, scope)
    {
        if spec.unreadable.is_some() { notes.unreadable(error.field()) } else { notes.refuse_too(error.field(), error.problem()) }
    }
    notes.fate(carried)
}

/// A CA that serves all namespaces: where its Secret is, and whether it may make other CAs.
fn of_the_cluster(object: &Value, spec: &mut Value, landscape: &Landscape, notes: &mut Notes) {
    let secret = text(&spec["ca"]["secretName"]).to_owned();
    let made_by = match landscape.authorities_in(&secret).as_slice() {
        [] => String::new(),
        makers => format!("; it is made by Certificate {}", some(makers)),
    };
    let place = api::names::DEFAULT_NAMESPACE;
    notes.differs("spec.ca.secretName", format!("looked for in the operator's namespace ({place} unless set otherwise){made_by}"));
    let authorities = landscape.authorities_of(object);
    if !authorities.is_empty() && spec.get("allow").is_none() {
        spec["allow"] = json!({ "isCA": true });
        let reason = format!("isCA: true is added for Certificate {}", some(&authorities));
        notes.differs("spec.allow", format!("{reason}: a ClusterIssuer with ca makes no CAs unless it is allowed"));
    }
}
