//! The temporary certificate: what a Secret holds while none can be had, so that what mounts it can start.
//!
//! Nobody trusts it: the key that signs it is thrown away. It stands in no register, makes nothing Ready, and is never a CA's.

use chancery_pki::{Certificate as X509, KeyAlgorithm, KeyEncoding, SerialNumber, Template, Usage};
use jiff::Timestamp;

use super::{
    assess::found,
    forms::{Forms, Present},
    observed::{Content, Observed, SecretRead, SecretSeen},
    outcome::{Act, Plan},
    renewal::{self, Validity},
};
use crate::api::{Allow, Defaults, Wanted, names, resolve};

/// What a temporary certificate is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// Its kind of key.
    pub key: KeyAlgorithm,
    /// How the key is written.
    pub encoding: KeyEncoding,
    /// What it may be used for.
    pub usages: Vec<Usage>,
    /// When it holds.
    pub validity: Validity,
}

impl Temporary {
    /// What is signed, under this serial.
    pub fn template(&self, wanted: &Wanted, serial: SerialNumber) -> Template {
        Template {
            sans: wanted.sans.iter().cloned().collect(),
            usages: self.usages.clone(),
            ..Template::new(serial, wanted.subject.clone(), self.validity.not_before, self.validity.not_after)
        }
    }
}

/// The plan, or where it comes to waiting and a Secret has nothing to offer, one that puts a temporary certificate there.
pub(super) fn instead(observed: &Observed<'_>, wanted: &Wanted, plan: Plan, now: Timestamp) -> Plan {
    let waits = matches!(plan.act, Act::Nothing) && plan.standing.as_ref().is_some_and(|standing| !standing.ready);
    if !wanted.temporary || wanted.is_ca || !waits || observed.skew.is_some() {
        return plan;
    }
    let spec = found(observed).and_then(|issuer| issuer.spec.as_ref());
    let resolved = match spec {
        Some(spec) => resolve(wanted, &spec.defaults, &spec.allow, None),
        None => resolve(wanted, &Defaults::default(), &Allow::default(), None),
    };
    if !is_lacking(observed, wanted, resolved.key, now) {
        return plan;
    }
    // Another writer that fights over the Secret gets no new key at each of its writes.
    if let Some(after) = observed.temporary_after.filter(|after| *after > now) {
        return Plan { wake: Some(plan.wake.map_or(after, |wake| wake.min(after))), ..plan };
    }
    let (validity, _) = renewal::validity(now, resolved.duration, None);
    let usages = resolved.usages.iter().copied().filter(|usage| !matches!(usage, Usage::CertSign | Usage::CrlSign | Usage::OcspSigning));
    let temporary = Temporary { key: resolved.key, encoding: resolved.encoding, usages: usages.collect(), validity };
    Plan { act: Act::Temporary(Box::new(temporary)), ..plan }
}

/// Whether the Secret holds nothing that could be mounted and read, or a temporary certificate that is not what is wanted any more.
fn is_lacking(observed: &Observed<'_>, wanted: &Wanted, key: KeyAlgorithm, now: Timestamp) -> bool {
    let secret = match &observed.secret {
        SecretSeen::Absent => return true,
        SecretSeen::Read(secret) if !secret.immutable => secret,
        SecretSeen::Read(_) | SecretSeen::AsRecorded | SecretSeen::Foreign(_) => return false,
    };
    let Content::Pair { certificates, .. } = &secret.content else {
        return true;
    };
    let Some(leaf) = certificates.first().filter(|leaf| is_temporary(secret, leaf)) else {
        return false;
    };
    let present = Present {
        forms: &secret.forms,
        annotation: secret.annotations.get(names::FORMS).map(String::as_str),
        same_chain: true,
        elsewhere: &secret.put_elsewhere,
    };
    *leaf.sans() != wanted.sans
        || *leaf.subject() != wanted.subject
        || leaf.public_key().algorithm() != Some(key)
        || leaf.not_after() < now
        || !Forms::of(wanted, &observed.passwords, false, present).is_empty()
}

/// Whether the certificate in a Secret is a temporary one.
pub(super) fn is_temporary(secret: &SecretRead, leaf: &X509) -> bool {
    secret.annotations.get(names::TEMPORARY_SERIAL).is_some_and(|serial| *serial == leaf.serial().to_string())
}
