//! What a revocation will mean, for a person who is about to confirm it.

use std::io::{self, Write};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{Wish, up_to_now};
use crate::{
    api::{Certificate, IssuedCertificate, certificate_status::MAX_ISSUED},
    plugin::{
        gitops,
        output::{Tone, plain},
        read::object_name,
        span::when,
    },
};

/// A Certificate, and what of it will be revoked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Victim {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// All that was issued for it before this is revoked.
    pub issued_before: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The certificates that its status shows and that are meant; those that have expired are left out.
    pub certificates: Vec<IssuedCertificate>,
    /// Whether the current one is among them: then it is replaced, with a new key.
    pub replaces_current: bool,
    /// The RevocationList, as NAMESPACE/NAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_list: Option<String>,
    /// What is to be thought of before.
    pub warnings: Vec<String>,
    #[serde(skip)]
    pub(super) object: String,
}

impl Victim {
    pub(super) fn new(
        certificate: &Certificate,
        list: Option<String>,
        has_authority: bool,
        unread: &[String],
        wish: Wish,
        now: Timestamp,
    ) -> Self {
        let status = certificate.status.clone().unwrap_or_default();
        let issued_before = wish.issued_before.unwrap_or_else(|| up_to_now(certificate, now));
        let meant = |one: &IssuedCertificate| one.issued_at.0 < issued_before && one.not_after.0 > now;
        let shown = status.issued.len();
        let certificates: Vec<IssuedCertificate> = status.issued.into_iter().filter(meant).collect();
        let current = status.serial_number.as_deref();
        let replaces_current = certificates.iter().any(|one| Some(one.serial_number.as_str()) == current);
        let mut warnings = Vec::new();
        if certificates.is_empty() {
            warnings.push("its status shows no certificate that was issued before and has not expired".to_owned());
        }
        if shown >= MAX_ISSUED {
            warnings.push(format!("its status shows the last {shown} only: earlier ones are revoked too"));
        }
        if current.is_some() && !has_authority {
            warnings.push("it is signed with its own key: nobody can list it; take it out of every trust store that has it".to_owned());
        } else if current.is_some() && list.is_none() && unread.is_empty() {
            warnings.push("no RevocationList covers its authority: it is recorded, and nobody hears of it until there is one".to_owned());
        }
        warnings.extend(unread.iter().map(|problem| format!("whether a RevocationList covers it is not known: {problem}")));
        if certificate.spec.is_ca && replaces_current {
            warnings.push("it is a CA: all that it signed falls with it, and it is not replaced by itself".to_owned());
        }
        warnings.extend(gitops::hint(&certificate.metadata, "this Certificate"));
        Self {
            namespace: certificate.namespace().unwrap_or_default(),
            name: certificate.name_any(),
            issued_before,
            reason: wish.reason.map(chancery_pki::Reason::as_str),
            certificates,
            replaces_current,
            revocation_list: list,
            warnings,
            object: object_name(certificate),
        }
    }
}

/// Writes what will be revoked.
///
/// # Errors
/// Where `out` cannot be written.
pub fn show(victims: &[Victim], now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    for victim in victims {
        writeln!(out, "Certificate {}/{}: what was issued before {}", plain(&victim.namespace), plain(&victim.name), victim.issued_before)?;
        for one in &victim.certificates {
            let (serial, reason) = (plain(&one.serial_number), plain(&one.reason));
            writeln!(out, "  serial {serial}, issued {} ({reason}), ends {}", when(one.issued_at.0, now), when(one.not_after.0, now))?;
        }
        if victim.replaces_current {
            writeln!(out, "  the current one is among them: it is replaced, with a new key")?;
        }
        if let Some(list) = &victim.revocation_list {
            writeln!(out, "  on the list of RevocationList {}", plain(list))?;
        }
        for warning in &victim.warnings {
            writeln!(out, "  {}", Tone::Warning.paint(warning))?;
        }
    }
    Ok(())
}
