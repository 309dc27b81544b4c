//! The temporary certificate: what a Secret holds while none can be had, so that what mounts it can start.
//!
//! Nobody trusts it: the key that signs it is thrown away. It stands in no register, makes nothing Ready, and is never a CA's.

use chancery_pki::{KeyAlgorithm, KeyEncoding, SerialNumber, Template, Usage};
use jiff::Timestamp;

use super::{
    assess::found,
    observed::{Content, Observed, SecretSeen},
    outcome::{Act, Plan},
    renewal::{self, Validity},
};
use crate::api::{Allow, Defaults, Wanted, resolve};

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
    if !wanted.temporary || wanted.is_ca || !waits || observed.skew.is_some() || !is_empty(observed) {
        return plan;
    }
    let spec = found(observed).and_then(|issuer| issuer.spec.as_ref());
    let resolved = match spec {
        Some(spec) => resolve(wanted, &spec.defaults, &spec.allow, None),
        None => resolve(wanted, &Defaults::default(), &Allow::default(), None),
    };
    let (validity, _) = renewal::validity(now, resolved.duration, None);
    let usages = resolved.usages.iter().copied().filter(|usage| !matches!(usage, Usage::CertSign | Usage::CrlSign | Usage::OcspSigning));
    let temporary = Temporary { key: resolved.key, encoding: resolved.encoding, usages: usages.collect(), validity };
    Plan { act: Act::Temporary(Box::new(temporary)), ..plan }
}

/// Whether the Secret holds nothing that could be mounted and read.
fn is_empty(observed: &Observed<'_>) -> bool {
    match &observed.secret {
        SecretSeen::Absent => true,
        SecretSeen::Read(secret) => !secret.immutable && !matches!(secret.content, Content::Pair { .. }),
        SecretSeen::AsRecorded | SecretSeen::Foreign(_) => false,
    }
}
