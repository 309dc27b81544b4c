//! A Certificate under our group.

use chancery_pki::SignatureAlgorithm;
use serde_json::Value;

use super::{
    Fate, Migrated, fields,
    landscape::{Landscape, Sort, reference, some, text},
    metadata::{Notes, carry},
    ours,
};
use crate::api::{Certificate, Wanted, check, names};

pub(super) fn migrate(object: &Value, landscape: &Landscape) -> Fate {
    let mut notes = Notes::default();
    let (metadata, mut spec) = carry(object, &mut notes);
    unset(&mut spec, &mut notes);
    issuer(object, &mut spec, landscape, &mut notes);
    if let Some(schema) = landscape.schema("Certificate") {
        let already: Vec<String> = notes.refusals.iter().map(|note| note.field.clone()).collect();
        let more = fields::problems(schema, &spec, "spec").into_iter().filter(|note| !already.contains(&note.field));
        notes.refusals.extend(more);
    }
    differences(object, &spec, landscape, &mut notes);
    let carried = ours("Certificate", metadata, spec);
    if let Some(certificate) = notes.read::<Certificate>(&carried) {
        match check(&certificate) {
            Err(error) if certificate.spec.unreadable.is_some() => notes.unreadable(error.field()),
            Err(error) => notes.refuse_too(error.field(), error.problem()),
            Ok(wanted) => signature(&wanted, reference(object).and_then(|issuer| landscape.sort(&issuer)), &mut notes),
        }
    }
    notes.fate(carried)
}

/// The issuer of a Certificate that goes over, if that was not among what was read.
pub(super) fn absent_issuer(migrated: &Migrated, landscape: &Landscape) -> Option<String> {
    let Fate::Carried { object, .. } = &migrated.fate else { return None };
    let issuer = (migrated.subject.kind == "Certificate").then(|| reference(object))??;
    landscape.sort(&issuer).is_none().then(|| issuer.to_string())
}

/// Values by which Go means unset, or which cert-manager passes over.
fn unset(spec: &mut Value, notes: &mut Notes) {
    let Some(key) = spec.get_mut("privateKey").and_then(Value::as_object_mut) else { return };
    if key.get("size") == Some(&Value::from(0)) {
        key.remove("size");
    }
    if key.get("algorithm").is_some_and(|algorithm| algorithm == "Ed25519") && key.remove("size").is_some() {
        notes.differs("spec.privateKey.size", "left out: an Ed25519 key has one size");
    }
}

fn issuer(object: &Value, spec: &mut Value, landscape: &Landscape, notes: &mut Notes) {
    let Some(issuer) = reference(object) else {
        let group = text(&spec["issuerRef"]["group"]).to_owned();
        notes.refuse("spec.issuerRef.group", format!("there are no external issuers here: {group}"));
        return;
    };
    if let Some(Sort::NotThere(way)) = landscape.sort(&issuer) {
        notes.refuse("spec.issuerRef", format!("{issuer} is of kind {way}, which is not there"));
    }
    if spec["issuerRef"].get("group").is_some() {
        spec["issuerRef"]["group"] = names::GROUP.into();
    }
    let is_ca = spec["isCA"] == Value::Bool(true);
    // One that was read gets what it needs where it is migrated.
    if is_ca && issuer.kind == "ClusterIssuer" && landscape.sort(&issuer).is_none() {
        notes.differs("spec.isCA", format!("if {issuer} is one with ca, it must have allow: {{isCA: true}}"));
    }
}

fn differences(object: &Value, spec: &Value, landscape: &Landscape, notes: &mut Notes) {
    key_and_usages(spec, notes);
    let has = |pointer: &str| spec.pointer(pointer).is_some();
    if has("/revisionHistoryLimit") {
        notes.differs("spec.revisionHistoryLimit", "without effect: there are no request objects");
    }
    if has("/encodeUsagesInRequest") {
        notes.differs("spec.encodeUsagesInRequest", "without effect: there are no requests");
    }
    let profile = spec.pointer("/keystores/pkcs12/profile").map_or("", text);
    if spec.pointer("/keystores/pkcs12/create") == Some(&Value::Bool(true)) && ["", "LegacyRC2"].contains(&profile) {
        let unset = if profile.is_empty() { "unset, so LegacyRC2: " } else { "" };
        notes.differs("spec.keystores.pkcs12.profile", format!("{unset}encrypted with 3DES, as by LegacyDES"));
    }
    if spec.pointer("/renewal/windows").and_then(Value::as_array).is_some_and(|windows| !windows.is_empty()) {
        notes.differs("spec.renewal.windows", "renewals are spread over the first half of a window");
    }
    let sharing = landscape.sharing(object);
    if !sharing.is_empty() {
        notes.differs("spec.secretName", format!("also of Certificate {}: only one of them can have it", some(&sharing)));
    }
}

/// How a certificate is signed: it is its own business only where it signs itself, and not every key can sign in every way.
fn signature(wanted: &Wanted, issuer: Option<Sort>, notes: &mut Notes) {
    const FIELD: &str = "spec.signatureAlgorithm";
    let Some(signature) = wanted.signature else { return };
    let unsuited = wanted.key.filter(|key| !signature.suits(*key));
    match (issuer, unsuited) {
        (Some(Sort::SelfSigned), None) => {
            let usual = SignatureAlgorithm::usual(wanted.key.unwrap_or_else(|| signature.usual_key()));
            if usual != signature {
                notes.differs(
                    FIELD,
                    format!("a new certificate signs itself so; cert-manager's is signed with {usual} all the same, and stays"),
                );
            }
        }
        (Some(Sort::SelfSigned), Some(key)) => {
            notes.refuse(FIELD, format!("a certificate with a key of kind {key} does not sign itself so here"));
        }
        (_, None) => notes.differs(FIELD, "with a ca issuer it decides only the kind of key: what signs is the CA's key"),
        (_, Some(key)) => {
            notes.differs(FIELD, format!("without effect with a ca issuer, whose key signs; with selfSigned, {key} does not sign so here"));
        }
    }
}

/// What is asked for by leaving it out.
fn key_and_usages(spec: &Value, notes: &mut Notes) {
    let key = &spec["privateKey"];
    let (algorithm, size, signature) = (text(&key["algorithm"]), key["size"].as_i64(), text(&spec["signatureAlgorithm"]));
    let is_ca = spec["isCA"] == Value::Bool(true);
    let written = !algorithm.is_empty() || size.is_some() || !signature.is_empty();
    let rsa = algorithm == "RSA" || algorithm.is_empty() && (size.is_some_and(|size| size >= 2048) || signature.ends_with("WithRSA"));
    if !written {
        let until = if is_ca { "" } else { " until the next renewal" };
        let kept = format!("a key that is in the Secret stays{until}");
        notes.differs("spec.privateKey", format!("unset: a new key is ECDSA P-256, not RSA 2048; {kept}"));
    }
    if is_ca && text(&key["rotationPolicy"]).is_empty() {
        notes.differs("spec.privateKey.rotationPolicy", "unset: a CA keeps its key (Never), it does not get a new one (Always)");
    }
    let usages = spec["usages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if usages.is_empty() && (!rsa || is_ca) {
        let mut usual = vec!["digital signature"];
        usual.extend(rsa.then_some("key encipherment"));
        usual.extend(is_ca.then_some("cert sign, crl sign"));
        notes.differs("spec.usages", format!("unset: {} in a new certificate", usual.join(", ")));
    }
    if usages.iter().any(|usage| usage == "ocsp signing") {
        notes.differs(
            "spec.usages",
            "ocsp signing is refused unless the issuer lists it in allow.usages, with all others that it is asked for",
        );
    }
}
