//! The status of a Certificate: what a standing looks like to people and programs.
//!
//! One function makes it, whether the certificate was just issued, was found, or cannot be had. Nothing in it is an
//! authority for anything: it is compared with the register before it is believed.

use chancery_pki::KeyAlgorithm;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{
    budget,
    observed::Held,
    outcome::{Helps, Standing},
    renewal::{self, Validity},
    revocation::Told,
};
use crate::api::{
    Certificate, CertificateStatus, GoDuration, IssuedCertificate, Renewal, Resolved, ResolvedSpec, RevocationStatus, SecretIdentity,
    certificate_status::MAX_ISSUED,
    condition::{self, Finding, merge},
    reason::certificate as reason,
};

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The condition's reason.
    pub reason: &'static str,
    /// What failed, for people. Never with a byte of a key.
    pub message: String,
    /// Whether trying again without a change can help.
    pub retry: bool,
}

/// What a status is made from, besides the one that stands.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// What there is to say.
    pub standing: &'a Standing,
    /// The Secret that was read or written; none leaves what is recorded.
    pub secret: Option<SecretIdentity>,
    /// The values that the certificate in it was issued with, and the value of the renew annotation that it answers.
    pub issued_with: Option<(Resolved, Option<String>)>,
    /// The register's line of it.
    pub recorded: Option<&'a super::observed::Recorded>,
    /// An attempt that failed just now.
    pub failure: Option<&'a Failure>,
    /// Whether the issuer changed since the last failed attempt: those before it count no more.
    pub issuer_changed: bool,
    /// What there is to say of revocation; none leaves what is said.
    pub told: Option<Told>,
}

/// The status of a Certificate. Equal to the one that stands where nothing changed, so that it need not be written.
pub fn of(certificate: &Certificate, said: &Said<'_>, now: Timestamp) -> CertificateStatus {
    let old = certificate.status.clone().unwrap_or_default();
    let mut status = CertificateStatus { observed_generation: certificate.metadata.generation, ..old.clone() };
    let standing = said.standing;
    if let Some(held) = &standing.held {
        hold(&mut status, &old, held, said, now);
    } else {
        status.not_before = None;
        status.not_after = None;
        status.serial_number = None;
        status.key_id = None;
        status.authority = None;
        status.secret = None;
    }
    status.renewal_time = standing.renewal.map(Time);
    if let Some(secret) = &said.secret {
        status.secret = Some(secret.clone());
    }
    if let Some(told) = &said.told {
        status.revocation = told.asked.map(|asked| RevocationStatus {
            issued_before: Time(asked.issued_before),
            effective_time: Time(asked.effective),
            certificates: asked.certificates,
        });
    }
    status.conditions = conditions(certificate, &old, said, cut(&status, standing), now);
    match said.failure {
        Some(failure) => {
            let attempt = Attempt::now(certificate, said.issuer_changed, standing.held.as_ref(), now);
            status.failed_issuance_attempts = Some(attempt.number);
            status.last_failure_time = Some(Time(second(now)));
            status.next_retry_time = failure.retry.then_some(Time(attempt.again));
        }
        None if standing.ready && standing.pending.is_none() => {
            status.failed_issuance_attempts = None;
            status.last_failure_time = None;
            status.next_retry_time = None;
        }
        None => {
            if said.issuer_changed || old.observed_generation != certificate.metadata.generation {
                status.failed_issuance_attempts = None;
                status.last_failure_time = None;
            }
            // A time that is shown is one at which something happens.
            let shown = standing.pending.as_ref().and_then(|pending| match pending.helps {
                Helps::Until(time) => Some(Time(second(time))),
                Helps::Change | Helps::Event | Helps::Again(_) => None,
            });
            status.next_retry_time = shown;
        }
    }
    status
}

/// A failed attempt among those that count: in a row, under one spec and one issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number, from one.
    pub number: i32,
    /// When the next one is made.
    pub again: Timestamp,
}

impl Attempt {
    /// The one that failed just now; `afresh` where those before it count no more. `held` is what is held meanwhile.
    pub fn now(certificate: &Certificate, afresh: bool, held: Option<&Held>, now: Timestamp) -> Self {
        let before = if afresh { 0 } else { counted(certificate).unwrap_or(0) };
        Self::of(before.saturating_add(1), second(now), held)
    }

    /// The last one, by the status. None where there was none, where the spec changed since, and where it is yet to come:
    /// a clock that ran ahead is no reason to wait for years.
    pub fn last(certificate: &Certificate, held: Option<&Held>, now: Timestamp) -> Option<Self> {
        let number = counted(certificate)?;
        let failed = certificate.status.as_ref()?.last_failure_time.as_ref()?.0;
        (failed <= renewal::add(now, renewal::TOLERANCE)).then(|| Self::of(number, failed, held))
    }

    fn of(number: i32, failed: Timestamp, held: Option<&Held>) -> Self {
        let left = held.map(|held| held.validity.not_after.duration_since(failed));
        Self { number, again: second(renewal::add(failed, budget::delay(i64::from(number), left))) }
    }

    /// How a message begins that tells of it; by this the rest of the message is found again.
    pub(super) fn text(self) -> String {
        format!("attempt {} failed, the next is at {}: ", self.number, self.again.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// How often in a row it failed under this spec.
fn counted(certificate: &Certificate) -> Option<i32> {
    let status = certificate.status.as_ref().filter(|status| status.observed_generation == certificate.metadata.generation)?;
    status.failed_issuance_attempts.filter(|attempts| *attempts > 0)
}

fn hold(status: &mut CertificateStatus, old: &CertificateStatus, held: &Held, said: &Said<'_>, now: Timestamp) {
    let serial = held.serial.to_string();
    status.not_before = Some(Time(held.validity.not_before));
    status.not_after = Some(Time(held.validity.not_after));
    status.key_id = Some(held.key_id.to_string());
    status.authority = held.authority.map(|authority| authority.to_string());
    if let Some((resolved, handled)) = &said.issued_with {
        status.renew_handled.clone_from(handled);
        // Values of a default that changed since are shown when they are used.
        if old.serial_number.as_deref() != Some(serial.as_str()) || old.observed_generation != status.observed_generation {
            status.resolved = Some(shown(resolved));
        }
    }
    let last = old.issued.first().map(|issued| issued.serial_number.as_str());
    status.serial_number = Some(serial.clone());
    if last == Some(serial.as_str()) {
        return;
    }
    status.revision = Some(old.revision.unwrap_or(0).saturating_add(1));
    let issued = IssuedCertificate {
        serial_number: serial,
        not_before: Time(held.validity.not_before),
        not_after: Time(held.validity.not_after),
        key_id: held.key_id.to_string(),
        issued_at: Time(second(said.recorded.map_or(now, |recorded| recorded.time))),
        reason: said.recorded.map_or_else(|| reason::FOUND.to_owned(), |recorded| recorded.reason.clone()),
    };
    status.issued.insert(0, issued);
    status.issued.truncate(MAX_ISSUED);
}

fn shown(resolved: &Resolved) -> ResolvedSpec {
    let before = match resolved.renewal {
        Renewal::Before(before) => Some(before),
        Renewal::Default | Renewal::Percentage(_) => None,
    };
    resolved.display(before)
}

/// What was asked for, where the certificate is shorter since its issuer's chain ends sooner.
fn cut(status: &CertificateStatus, standing: &Standing) -> Option<GoDuration> {
    let lifetime = standing.held.as_ref().filter(|_| standing.ready)?.validity.lifetime();
    status.resolved.as_ref().map(|resolved| resolved.duration).filter(|asked| asked.get().as_secs() > lifetime.as_secs())
}

fn conditions(
    certificate: &Certificate,
    old: &CertificateStatus,
    said: &Said<'_>,
    cut: Option<GoDuration>,
    now: Timestamp,
) -> Vec<Condition> {
    let standing = said.standing;
    let mut message = standing.message.clone();
    if let Some(asked) = cut {
        message = format!("{message}; it ends with its issuer's chain, sooner than the {asked} that were asked for");
    }
    let mut findings = vec![Finding::new(condition::READY, standing.ready, standing.reason, message)];
    if let Some(pending) = &standing.pending {
        findings.push(Finding::new(condition::ISSUING, true, pending.reason, pending.message.clone()));
        // kstatus: a certificate that does its work is current, whatever its renewal waits for.
        if !standing.ready {
            let kind = if pending.helps == Helps::Change { condition::STALLED } else { condition::RECONCILING };
            findings.push(Finding::new(kind, true, pending.reason, pending.message.clone()));
        }
    }
    findings.extend(said.told.as_ref().and_then(|told| told.finding.clone()));
    let mut conditions = merge(&old.conditions, &findings, certificate.metadata.generation, now);
    if said.told.is_none() {
        let kept = condition::find(&old.conditions, condition::REVOKED).cloned();
        conditions.extend(kept);
        conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    }
    conditions
}

fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A Certificate's own status, in checked terms.
pub trait Recorded {
    /// The certificate that its status describes; none where that is incomplete.
    fn held(&self) -> Option<Held>;
    /// The renewal rule that the certificate was issued with.
    fn resolved_renewal(&self) -> Option<Renewal>;
    /// The type of the key that the certificate was issued with.
    fn resolved_key(&self) -> Option<KeyAlgorithm>;
    /// Why what is wanted is not there, reason and message, as the status says it: after a failed attempt, what failed.
    fn last_failure(&self) -> Option<(String, String)>;
}

impl Recorded for Certificate {
    fn held(&self) -> Option<Held> {
        let status = self.status.as_ref()?;
        let authority = match status.authority.as_deref() {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        };
        Some(Held {
            serial: status.serial_number.as_deref()?.parse().ok()?,
            validity: Validity { not_before: status.not_before.as_ref()?.0, not_after: status.not_after.as_ref()?.0 },
            key_id: status.key_id.as_deref()?.parse().ok()?,
            authority,
        })
    }

    fn resolved_renewal(&self) -> Option<Renewal> {
        let resolved = self.status.as_ref()?.resolved.as_ref()?;
        resolved.renew_before.map(|before: GoDuration| Renewal::Before(SignedDuration::from(before)))
    }

    fn resolved_key(&self) -> Option<KeyAlgorithm> {
        let key = &self.status.as_ref()?.resolved.as_ref()?.private_key;
        match (key.algorithm.as_str(), key.size) {
            ("ECDSA", Some(256)) => Some(KeyAlgorithm::EcdsaP256),
            ("ECDSA", Some(384)) => Some(KeyAlgorithm::EcdsaP384),
            ("ECDSA", Some(521)) => Some(KeyAlgorithm::EcdsaP521),
            ("Ed25519", None) => Some(KeyAlgorithm::Ed25519),
            ("RSA", Some(bits)) => u32::try_from(bits).ok().map(|bits| KeyAlgorithm::Rsa { bits }),
            _ => None,
        }
    }

    fn last_failure(&self) -> Option<(String, String)> {
        let issuing = condition::find(&self.status.as_ref()?.conditions, condition::ISSUING)?;
        Some((issuing.reason.clone(), issuing.message.clone()))
    }
}
