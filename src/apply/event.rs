//! Events: one for each act, best effort.

use chancery_pki::{Reason, SerialNumber};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use crate::{
    api::{Certificate, names, reason::event},
    cluster::{Note, Recorder, Severity},
    plan::checks::{Cause, Violation},
};

/// How many serials an Event names.
const SERIALS_NAMED: usize = 10;

/// Says that a certificate was issued.
pub(super) fn issued(recorder: &Recorder, certificate: &Certificate, serial: &SerialNumber, violation: &Violation) {
    let reason = match violation.cause {
        Cause::First => event::ISSUED,
        Cause::Due => event::RENEWED,
        Cause::Damage
        | Cause::NotDelivered
        | Cause::Spec
        | Cause::Authority
        | Cause::Revoked
        | Cause::Held
        | Cause::Asked
        | Cause::Expired
        | Cause::Unproven => event::REISSUED,
    };
    let text = format!("serial {serial}, {}: {}", violation.reason, violation.message);
    record(recorder, certificate, Severity::Normal, reason, "Issue", text);
}

/// Says that a certificate made elsewhere became this Certificate's.
pub(super) fn imported(recorder: &Recorder, certificate: &Certificate, serial: &SerialNumber) {
    record(
        recorder,
        certificate,
        Severity::Normal,
        event::ISSUED,
        "Import",
        format!("serial {serial}, found in the Secret and taken over as it is"),
    );
}

/// Says that what is asked for is refused.
pub(super) fn refused(recorder: &Recorder, certificate: &Certificate, reason: &str, message: &str) {
    record(recorder, certificate, Severity::Warning, event::REFUSED, "Refuse", format!("{reason}: {message}"));
}

/// Says that an attempt failed.
pub(super) fn failed(recorder: &Recorder, certificate: &Certificate, reason: &str, message: &str) {
    record(recorder, certificate, Severity::Warning, event::FAILED, "Issue", format!("{reason}: {message}"));
}

/// Says which certificates were revoked, and why.
pub(super) fn revoked(recorder: &Recorder, certificate: &Certificate, serials: &[String], reason: Reason) {
    let named = serials.iter().take(SERIALS_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = serials.len().saturating_sub(SERIALS_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    record(recorder, certificate, Severity::Normal, event::REVOKED, "Revoke", format!("{reason}: serial {named}{more}"));
}

/// Says what should have been revoked before the Certificate went, and could not be put on record.
pub(super) fn left_behind(recorder: &Recorder, certificate: &Certificate, message: String) {
    record(recorder, certificate, Severity::Warning, event::FAILED, "Revoke", message);
}

/// Says that a Secret was deleted with the key in it.
pub(super) fn key_destroyed(recorder: &Recorder, certificate: &Certificate, serial: &str, key_id: &str) {
    let text = format!("Secret {} was deleted with the private key of serial {serial}, key {key_id}", certificate.spec.secret_name);
    record(recorder, certificate, Severity::Normal, event::KEY_DESTROYED, "Destroy", text);
}

fn record(recorder: &Recorder, certificate: &Certificate, severity: Severity, reason: &str, action: &str, text: String) {
    say(recorder, "Certificate", &certificate.metadata, severity, reason, action, text);
}

/// An Event about one of our objects.
pub(super) fn say(recorder: &Recorder, kind: &str, about: &ObjectMeta, severity: Severity, reason: &str, action: &str, text: String) {
    recorder.record(Note {
        regarding: ObjectReference {
            api_version: Some(format!("{}/{}", names::GROUP, names::VERSION)),
            kind: Some(kind.to_owned()),
            namespace: about.namespace.clone(),
            name: about.name.clone(),
            uid: about.uid.clone(),
            resource_version: about.resource_version.clone(),
            field_path: None,
        },
        related: None,
        severity,
        reason: reason.to_owned(),
        action: action.to_owned(),
        text,
    });
}
