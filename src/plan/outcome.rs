//! What a decision comes to: what is done, said and waited for.

use chancery_pki::{CaConstraints, KeyId, SerialNumber, Template};
use jiff::Timestamp;

use super::{
    checks::Violation,
    deletion,
    dress::Dress,
    observed::{Held, OwnCertificate},
    renewal::Validity,
    revocation::Revoke,
    temporary::Temporary,
};
use crate::api::{Resolved, Wanted, reason::certificate as reason};

/// What is done, said and waited for.
#[derive(Debug)]
pub struct Plan {
    /// What is written besides the status.
    pub act: Act,
    /// What the status says; none leaves it as it is.
    pub standing: Option<Standing>,
    /// When to look again if nothing happens before.
    pub wake: Option<Timestamp>,
}

/// One thing that is written.
#[derive(Debug)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// The Secret must be read before anything can be decided.
    Read,
    /// A new certificate.
    Issue(Box<Issue>),
    /// No certificate can be had now, and a temporary one takes its place.
    Temporary(Box<Temporary>),
    /// A certificate that this software did not issue is good, and becomes this Certificate's.
    Import(Box<Dress>, Box<Held>),
    /// Labels, annotations or the chain are put right around the same certificate.
    Dress(Box<Dress>),
    /// The finalizer comes or goes.
    Finalizer(Finalizer),
    /// The Secret is deleted, with its key.
    Destroy(deletion::Destroy),
    /// Certificates are put on record as revoked.
    Revoke(Box<Revoke>),
    /// Certificates are put on record as to be revoked, since their Certificate goes.
    Pend(Vec<OwnCertificate>),
}

impl Act {
    /// What would be done, for people, and nothing of what it would be done with.
    pub fn name(&self) -> String {
        match self {
            Self::Nothing => "left alone".to_owned(),
            Self::Read => "read".to_owned(),
            Self::Issue(issue) => format!("issued again: {}", issue.violation.message),
            Self::Temporary(_) => "given a temporary certificate".to_owned(),
            Self::Import(..) => "taken over".to_owned(),
            Self::Dress(_) => "dressed again".to_owned(),
            Self::Finalizer(_) => "given or relieved of the finalizer".to_owned(),
            Self::Destroy(_) => "destroyed".to_owned(),
            Self::Revoke(_) | Self::Pend(_) => "revoked".to_owned(),
        }
    }
}

impl Act {
    /// What is done, in one word, for traces.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Read => "read",
            Self::Issue(_) => "issue",
            Self::Temporary(_) => "temporary",
            Self::Import(..) => "import",
            Self::Dress(_) => "dress",
            Self::Finalizer(_) => "finalizer",
            Self::Destroy(_) => "destroy",
            Self::Revoke(_) => "revoke",
            Self::Pend(_) => "pend",
        }
    }

    /// Why a certificate is issued, where that is done.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Issue(issue) => Some(issue.reason()),
            _ => None,
        }
    }
}

/// What happens to the finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizer {
    /// Something must happen before the object goes.
    Add,
    /// Nothing must.
    Remove,
}

/// A certificate to be issued.
#[derive(Debug)]
pub struct Issue {
    /// Why.
    pub violation: Violation,
    /// The values that the certificate is made with.
    pub resolved: Resolved,
    /// When it holds.
    pub validity: Validity,
    /// Whether it ends before what was asked, with the issuer's chain.
    pub cut: bool,
    /// Where its key comes from.
    pub key: KeySource,
    /// The value of the renew annotation that is answered by it.
    pub renew_handled: Option<String>,
}

impl Issue {
    /// What is signed, under this serial. The issuer adds what is its own: where its lists and its answers are.
    pub fn template(&self, wanted: &Wanted, serial: SerialNumber) -> Template {
        Template {
            sans: wanted.sans.iter().cloned().collect(),
            usages: self.resolved.usages.iter().copied().collect(),
            ca: wanted.is_ca.then_some(CaConstraints { path_len: wanted.path_len }),
            name_constraints: wanted.name_constraints.clone(),
            self_signature: wanted.signature,
            ..Template::new(serial, wanted.subject.clone(), self.validity.not_before, self.validity.not_after)
        }
    }

    /// The reason on the register's line and in the status.
    pub fn reason(&self) -> &'static str {
        self.violation.reason
    }
}

/// Where a new certificate's key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// It is made.
    New,
    /// The one in the Secret is kept.
    Keep,
    /// An authority's key comes back from its copy.
    Copy(KeyId),
}

/// What the status says.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether the Secret holds what is wanted.
    pub ready: bool,
    /// The reason of the Ready condition.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
    /// The certificate that is held, if any.
    pub held: Option<Held>,
    /// When it falls due.
    pub renewal: Option<Timestamp>,
    /// What is not done yet, if anything.
    pub pending: Option<Pending>,
}

/// What is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What is in the way.
    pub reason: &'static str,
    /// The whole of it: why a certificate is wanted, and what is in the way.
    pub message: String,
    /// Whether waiting helps, and how.
    pub helps: Helps,
}

impl Pending {
    /// Whether a rule denies what is asked for: not a thing that is not ready, and not a spec that means nothing.
    pub fn is_denied(&self) -> bool {
        self.helps == Helps::Change && [reason::NOT_ALLOWED, reason::KEY_BLOCKED, reason::KEY_WEAK].contains(&self.reason)
    }
}

/// Whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helps {
    /// Only a change of the spec, the issuer or the cluster does.
    Change,
    /// Until that time, which is shown.
    Until(Timestamp),
    /// It does, for a time that nobody knows: it is looked at again then.
    Again(Timestamp),
    /// Something else will report.
    Event,
}
