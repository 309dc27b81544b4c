//! A checked Certificate: what a decision works on.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{KeyAlgorithm, KeyEncoding, Name, NameConstraints, Reason, San, SignatureAlgorithm, SubjectParts, Usage};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    error::SpecError,
    keystores::{self, WantedKeystores},
    names as names_of,
    renewal::schedule,
    shared, text,
};
use crate::api::{
    certificate::{Certificate, CertificateSpec, DeletionPolicy, IssuerRef, RevocationSpec, SecretTemplate, TENANT_REASONS},
    keystores::OutputFormat,
    names,
    private_key::{PrivateKeySpec, RotationPolicy},
    schema,
    window::Schedule,
};

/// How many octets all alternative names of a certificate may have together. TLS peers bound what they read (OpenSSL: 100 KiB
/// for a whole chain), and the names stand in the Secret's annotations too, which have 256 KiB.
pub const MAX_NAME_OCTETS: usize = 64 * 1024;
/// How many octets the annotations of a `secretTemplate` may have together, so that ours fit beside them.
pub const MAX_TEMPLATE_OCTETS: usize = 64 * 1024;
/// How many octets the value of the annotation `chancery.dev/renew` may have.
pub const MAX_RENEW: usize = 253;

/// A Certificate's spec, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The Secret to write.
    pub secret_name: String,
    /// Who signs.
    pub issuer: IssuerKey,
    /// The subject's distinguished name; empty where nothing of it is given.
    pub subject: Name,
    /// The parts that [`Wanted::subject`] is made of; of a literal one, those that have a field.
    pub subject_parts: SubjectParts,
    /// Whether the subject was written whole: then its order counts.
    pub literal: bool,
    /// The alternative names.
    pub sans: BTreeSet<San>,
    /// Which names it may certify; only for a CA.
    pub name_constraints: Option<NameConstraints>,
    /// How many CAs may follow below it; only for a CA, and none for any number.
    pub path_len: Option<u8>,
    /// The lifetime, if written; at least an hour.
    pub duration: Option<SignedDuration>,
    /// When to renew.
    pub renewal: Renewal,
    /// When it may be renewed since its time comes.
    pub schedule: Schedule,
    /// The kind of key, if written.
    pub key: Option<KeyAlgorithm>,
    /// How it signs itself, if written; its key is of that family.
    pub signature: Option<SignatureAlgorithm>,
    /// How the key is to be written, if that is written.
    pub encoding: Option<KeyEncoding>,
    /// Whether a new certificate gets a new key; what is unwritten is filled in.
    pub rotation: RotationPolicy,
    /// The usages, if written: canonical, with `cert sign` for a CA.
    pub usages: Option<BTreeSet<Usage>>,
    /// Whether it is for a CA.
    pub is_ca: bool,
    /// Other forms of key and certificates.
    pub formats: BTreeSet<OutputFormat>,
    /// Stores for Java programs.
    pub keystores: WantedKeystores,
    /// What to put on the Secret.
    pub template: SecretTemplate,
    /// What happens to the Secret in the end.
    pub deletion: DeletionPolicy,
    /// The value of the annotation `chancery.dev/renew`.
    pub renew: Option<String>,
    /// Whether the annotation `chancery.dev/ca-crl` asks for revocation lists in the Secret.
    pub ca_crl: bool,
    /// Whether the Secret holds a temporary certificate while none can be had.
    pub temporary: bool,
    /// What its owner wants to be revoked.
    pub revocation: Option<WantedRevocation>,
}

/// What of a Certificate is to be revoked: all certificates that were issued for it before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedRevocation {
    /// Those issued before this, by the register's time.
    pub issued_before: Timestamp,
    /// Why: one of [`TENANT_REASONS`].
    pub reason: Reason,
    /// From when on they were not to be trusted.
    pub invalidity_date: Option<Timestamp>,
}

/// When a certificate is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing is written: the issuer's default, else at two thirds of the real lifetime.
    Default,
    /// So long before its expiry; at least five minutes. Where the real lifetime is not longer, as [`Renewal::Default`].
    Before(SignedDuration),
    /// When this percentage, 1 to 99, of the real lifetime is left.
    Percentage(u8),
}

/// Which issuer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerKey {
    /// Its kind.
    pub kind: IssuerKind,
    /// Its namespace; none for a ClusterIssuer.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// The kind of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerKind {
    /// An issuer of one namespace.
    Issuer,
    /// An issuer of the cluster.
    ClusterIssuer,
}

impl IssuerKind {
    /// The kind's name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "Issuer",
            Self::ClusterIssuer => "ClusterIssuer",
        }
    }
}

impl std::fmt::Display for IssuerKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::fmt::Display for IssuerKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// Checks a Certificate: its spec, and what its annotations ask for.
///
/// # Errors
/// The first field that is wrong, and what would be right.
pub fn check(certificate: &Certificate) -> Result<Wanted, SpecError> {
    let spec = &certificate.spec;
    if let Some(error) = &spec.unreadable {
        return Err(error.clone());
    }
    text::subdomain(&spec.secret_name).map_err(|problem| SpecError::new("spec.secretName", problem))?;
    let issuer = issuer(&spec.issuer_ref, certificate.namespace().unwrap_or_default())?;
    let (subject, subject_parts) = names_of::subject(spec)?;
    let sans = names_of::sans(spec)?;
    let literal = spec.literal_subject.is_some();
    if !literal && subject_parts.common_name.is_none() && sans.is_empty() {
        return Err(SpecError::new(
            "spec",
            "at least one of commonName, literalSubject, dnsNames, ipAddresses, uris, emailAddresses and otherNames is required",
        ));
    }
    if spec.is_ca && subject.is_empty() {
        return Err(SpecError::new(
            "spec.commonName",
            "is required with isCA where spec.subject says nothing: a CA has a name (RFC 5280 section 4.1.2.6)",
        ));
    }
    let duration = shared::duration("spec.duration", spec.duration, shared::MIN_DURATION)?;
    let renewal = renewal(spec, duration)?;
    let private_key = spec.private_key.clone().unwrap_or_default();
    if spec.revision_history_limit.is_some_and(|limit| limit < 1) {
        return Err(SpecError::new("spec.revisionHistoryLimit", "must be at least 1"));
    }
    Ok(Wanted {
        secret_name: spec.secret_name.clone(),
        issuer,
        subject,
        subject_parts,
        literal,
        sans,
        name_constraints: names_of::constraints(spec)?,
        path_len: names_of::path_len(spec)?,
        duration,
        renewal,
        schedule: schedule(spec.renewal.as_ref())?,
        key: key(spec, &private_key)?,
        signature: spec.signature_algorithm,
        encoding: private_key.encoding.map(shared::encoding),
        rotation: private_key.rotation_policy.unwrap_or(if spec.is_ca { RotationPolicy::Never } else { RotationPolicy::Always }),
        usages: usages(spec)?,
        is_ca: spec.is_ca,
        formats: keystores::formats(spec)?,
        keystores: keystores::stores(spec)?,
        template: template(spec.secret_template.clone().unwrap_or_default())?,
        deletion: spec.deletion_policy.unwrap_or_default(),
        renew: renew(certificate)?,
        ca_crl: switch(certificate, names::CA_CRL)?,
        temporary: switch(certificate, names::TEMPORARY)? || switch(certificate, names::CERT_MANAGER_TEMPORARY)?,
        revocation: spec.revocation.as_ref().map(revocation).transpose()?,
    })
}

pub(super) fn issuer(reference: &IssuerRef, namespace: String) -> Result<IssuerKey, SpecError> {
    text::subdomain(&reference.name).map_err(|problem| SpecError::new("spec.issuerRef.name", problem))?;
    let group = reference.group.as_deref().unwrap_or_default();
    if !["", names::GROUP, names::CERT_MANAGER_GROUP].contains(&group) {
        return Err(SpecError::new(
            "spec.issuerRef.group",
            format!("{} is no group of ours: leave it out, or use {}", text::quoted(group), names::GROUP),
        ));
    }
    let (kind, namespace) = match reference.kind.as_deref().unwrap_or_default() {
        "" | "Issuer" => (IssuerKind::Issuer, Some(namespace)),
        "ClusterIssuer" => (IssuerKind::ClusterIssuer, None),
        other => {
            return Err(SpecError::new("spec.issuerRef.kind", format!("{} is neither Issuer nor ClusterIssuer", text::quoted(other))));
        }
    };
    Ok(IssuerKey { kind, namespace, name: reference.name.clone() })
}

fn renewal(spec: &CertificateSpec, duration: Option<SignedDuration>) -> Result<Renewal, SpecError> {
    if spec.renew_before.is_some() && spec.renew_before_percentage.is_some() {
        return Err(SpecError::new("spec.renewBefore", "renewBefore and renewBeforePercentage exclude each other"));
    }
    if let Some(percentage) = spec.renew_before_percentage {
        return match u8::try_from(percentage) {
            Ok(percentage @ 1..=99) => Ok(Renewal::Percentage(percentage)),
            _ => Err(SpecError::new("spec.renewBeforePercentage", format!("{percentage} is not between 1 and 99"))),
        };
    }
    Ok(shared::renew_before("spec.renewBefore", spec.renew_before, duration)?.map_or(Renewal::Default, Renewal::Before))
}

fn usages(spec: &CertificateSpec) -> Result<Option<BTreeSet<Usage>>, SpecError> {
    let Some(mut usages) = shared::usages(&spec.usages) else {
        return Ok(None);
    };
    if spec.is_ca {
        usages.insert(Usage::CertSign);
    } else if let Some(usage) = usages.iter().find(|usage| shared::only_for_a_ca(**usage)) {
        return Err(SpecError::new("spec.usages", format!("{usage} needs isCA: true")));
    }
    Ok(Some(usages))
}

fn template(template: SecretTemplate) -> Result<SecretTemplate, SpecError> {
    let reserved = |key: &str| names::RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let keys = |field: &str, map: &BTreeMap<String, String>, excepted: &str| {
        for key in map.keys() {
            let item = || format!("spec.secretTemplate.{field}[{}]", key.chars().take(80).collect::<String>());
            text::qualified_name(key).map_err(|problem| SpecError::new(item(), problem))?;
            if reserved(key) && key != excepted {
                return Err(SpecError::new(item(), "keys that begin with chancery.dev/ or cert-manager.io/ are reserved"));
            }
        }
        if map.len() > schema::MAX_MAP_ENTRIES {
            return Err(SpecError::new(
                format!("spec.secretTemplate.{field}"),
                format!("has more than {} entries", schema::MAX_MAP_ENTRIES),
            ));
        }
        Ok(())
    };
    keys("annotations", &template.annotations, names::ALLOW_DIRECT_INJECTION)?;
    keys("labels", &template.labels, "")?;
    for (key, value) in &template.labels {
        text::label_value(value).map_err(|problem| SpecError::new(format!("spec.secretTemplate.labels[{key}]"), problem))?;
    }
    let octets: usize = template.annotations.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
    if octets > MAX_TEMPLATE_OCTETS {
        return Err(SpecError::new("spec.secretTemplate.annotations", "together they have more than 64 KiB"));
    }
    Ok(template)
}

fn renew(certificate: &Certificate) -> Result<Option<String>, SpecError> {
    let value = certificate.annotations().get(names::RENEW).filter(|value| !value.is_empty());
    match value {
        Some(value) if value.len() > MAX_RENEW => {
            Err(SpecError::new(format!("metadata.annotations[{}]", names::RENEW), format!("has more than {MAX_RENEW} characters")))
        }
        value => Ok(value.cloned()),
    }
}

/// An annotation that is either on or off.
fn switch(certificate: &Certificate, annotation: &str) -> Result<bool, SpecError> {
    match certificate.annotations().get(annotation).map(String::as_str) {
        Some("true") => Ok(true),
        None | Some("" | "false") => Ok(false),
        Some(other) => Err(SpecError::new(
            format!("metadata.annotations[{annotation}]"),
            format!("{} is neither \"true\" nor \"false\"", text::quoted(other)),
        )),
    }
}

/// The kind of key that is written; it must go with the signature algorithm.
fn key(spec: &CertificateSpec, private_key: &PrivateKeySpec) -> Result<Option<KeyAlgorithm>, SpecError> {
    let written = shared::key("spec.privateKey", private_key.algorithm, private_key.size)?;
    match (written, spec.signature_algorithm) {
        (Some(key), Some(signature)) if key.family() != signature.family() => Err(SpecError::new(
            "spec.signatureAlgorithm",
            format!("{signature} is made with a key of kind {}, and spec.privateKey asks for {key}", signature.family()),
        )),
        _ => Ok(written),
    }
}

fn revocation(spec: &RevocationSpec) -> Result<WantedRevocation, SpecError> {
    let reason = spec.reason.unwrap_or_default();
    if !TENANT_REASONS.contains(&reason) {
        return Err(SpecError::new(
            "spec.revocation.reason",
            format!("{reason} cannot be given here: use one of {}", shared::names(&TENANT_REASONS)),
        ));
    }
    let invalidity_date =
        spec.invalidity_date.as_ref().map(|time| shared::since_1970("spec.revocation.invalidityDate", time)).transpose()?;
    Ok(WantedRevocation {
        issued_before: shared::since_1970("spec.revocation.issuedBefore", &spec.issued_before)?,
        reason,
        invalidity_date,
    })
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
