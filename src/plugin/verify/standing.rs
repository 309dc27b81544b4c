//! What a list or an OCSP answer says of a certificate. None of them is believed before it is verified.

use chancery_pki::{Certificate, Crl, CrlScope, OcspResponse, OcspStatus, Revoked, SerialNumber};
use jiff::Timestamp;

use super::{Outcome, Step};
use crate::plugin::{
    inspect::shown,
    span::{span, when},
};

const CHECK: &str = "revocation";

/// What a list says of a certificate of this issuer. `from` is where the list is from.
pub fn by_list(certificate: &Certificate, issuer: &Certificate, list: &Crl, from: &str, at: Timestamp) -> Step {
    let who = shown(certificate);
    let unusable = |why: String| Step::new(CHECK, Outcome::NotChecked, format!("{who}: the list of {from} {why}"));
    if list.issuer() != issuer.subject() || !list.is_signed_by(issuer.public_key()) {
        return unusable(format!("is not signed by {}", shown(issuer)));
    }
    if list.delta_base().is_some() {
        return unusable("is a delta, which says only what changed".to_owned());
    }
    if !list.distribution_point().is_empty()
        && !list.distribution_point().iter().any(|url| certificate.crl_distribution_points().contains(url))
    {
        return unusable(format!("is only for certificates that name {}", list.distribution_point().join(" or ")));
    }
    let covered = match list.scope() {
        CrlScope::All => true,
        CrlScope::EndEntities => certificate.ca().is_none(),
        CrlScope::Authorities => certificate.ca().is_some(),
    };
    if !covered {
        return unusable("is for other certificates than this".to_owned());
    }
    let number = list.number().map_or_else(String::new, |number| format!(" number {number}"));
    let age = span(at.duration_since(list.this_update()));
    let entry = match list.find(certificate.serial()) {
        Ok(entry) => entry,
        Err(error) => return unusable(error.to_string()),
    };
    if let Some(entry) = entry {
        // What is revoked stays so, however old the list is.
        return Step::new(CHECK, Outcome::Failed, format!("{who}: {} (list{number}, {age} old, {from})", revoked(&entry)));
    }
    if list.this_update() > at {
        return unusable(format!("was made at {}, later than that", list.this_update()));
    }
    match list.next_update() {
        None => unusable("does not say until when it may be relied on".to_owned()),
        Some(next) if next < at => unusable(format!("ended at {next}, {}", when(next, at))),
        Some(next) => Step::new(CHECK, Outcome::Ok, format!("{who}: not on list{number}, {age} old, the next {} ({from})", when(next, at))),
    }
}

/// What a list says of a revoked certificate.
pub fn revoked(entry: &Revoked) -> String {
    let since = entry.invalidity_date.map_or_else(String::new, |date| format!(", not to be trusted since {date}"));
    format!("revoked at {}, {}{since}", entry.time, entry.reason)
}

/// What an OCSP answer says of a certificate of this issuer. `from` is who gave it; `nonce` what it must repeat, if it repeats any.
pub fn by_ocsp(
    certificate: &Certificate,
    issuer: &Certificate,
    answer: &OcspResponse,
    nonce: Option<&[u8]>,
    from: &str,
    at: Timestamp,
) -> Step {
    let who = shown(certificate);
    let unusable = |why: String| Step::new(CHECK, Outcome::NotChecked, format!("{who}: {from}: {why}"));
    if let Err(error) = answer.verify(issuer, at) {
        return unusable(error.to_string());
    }
    if let (Some(sent), Some(repeated)) = (nonce, answer.nonce())
        && sent != repeated
    {
        return unusable("the answer repeats another nonce: it is not to this request".to_owned());
    }
    let Some(said) = about(answer, certificate.serial()) else { return unusable("the answer is about other certificates".to_owned()) };
    let age = span(at.duration_since(said.this_update));
    match said.status {
        OcspStatus::Good => {
            let next = when(said.next_update, at);
            Step::new(CHECK, Outcome::Ok, format!("{who}: good by OCSP, {age} old, the next {next} ({from})"))
        }
        OcspStatus::Revoked { time, reason } => {
            Step::new(CHECK, Outcome::Failed, format!("{who}: revoked at {time}, {reason} (OCSP, {age} old, {from})"))
        }
        OcspStatus::Unknown => Step::new(CHECK, Outcome::Failed, format!("{who}: its issuer's responder does not know it (OCSP, {from})")),
    }
}

/// What an answer says about a serial number. That it is about this issuer was verified.
pub fn about<'a>(answer: &'a OcspResponse, serial: &SerialNumber) -> Option<&'a chancery_pki::OcspAnswer> {
    answer.answers().iter().find(|answer| answer.id.serial() == serial)
}
