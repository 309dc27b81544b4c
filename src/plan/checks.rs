//! The checks that a Secret must pass, in order: the first that is violated names the reason for a new certificate.
//!
//! What a certificate shows is compared with the spec, field by field. What it cannot show (what was asked for, and which
//! of it was a default) stands in annotations of the Secret. There is no hash of a spec: a new version of this software
//! must not re-issue a fleet.

mod content;

use std::collections::BTreeMap;

use chancery_pki::{Certificate as X509, PrivateKey};
use jiff::{SignedDuration, Timestamp};

use super::{
    observed::{AuthorityView, Backing, Content, Held, History, IssuerView, SecretRead},
    renewal::Validity,
    turn::Turn,
};
use crate::{
    api::{GoDuration, OnAuthorityChange, Wanted, names, reason::certificate as reason},
    register::Standing,
};

pub use content::satisfies;

/// Why what is held is not what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What kind of thing happened.
    pub cause: Cause,
    /// The reason, as conditions and Events show it.
    pub reason: &'static str,
    /// The fact, for people.
    pub message: String,
}

/// Where a certificate that is looked at comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This operator issued it, or took it over before.
    Issued,
    /// It was found, the issuer's own key signed it, and the register has none for this Certificate.
    Found,
}

/// What kind of thing violated a check: it decides what may be waited for, and what counts against a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There never was a certificate.
    First,
    /// The Secret is gone, or holds what it should not.
    Damage,
    /// A certificate was issued and did not arrive; the one before it is still there.
    NotDelivered,
    /// The spec asks for something else.
    Spec,
    /// The issuer has another authority, and asked for its leaves to follow.
    Authority,
    /// It is revoked, or its key is blocked: nothing of it may be used again.
    Revoked,
    /// It is on hold.
    Held,
    /// A person asked.
    Asked,
    /// Time.
    Due,
    /// Too much time.
    Expired,
    /// Nothing that is known: the register that would say so does not hold together.
    Unproven,
}

impl Violation {
    fn new(cause: Cause, reason: &'static str, message: impl Into<String>) -> Self {
        Self { cause, reason, message: message.into() }
    }

    fn spec(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Cause::Spec, reason, message)
    }

    /// Whether what is held does its work all the same.
    pub fn leaves_ready(&self) -> bool {
        matches!(self.cause, Cause::Authority | Cause::Asked | Cause::Due | Cause::Unproven)
    }
}

/// Whether the current certificate may still be used, by the register. It comes before all that the Secret can tell.
///
/// # Errors
/// When it is revoked or about to be, its key is blocked, or it is on hold. A hold ends with the certificate.
pub fn stands(history: &History, now: Timestamp) -> Result<(), Violation> {
    let Some(current) = &history.current else {
        return Ok(());
    };
    let serial = &current.serial;
    match &history.standing {
        Standing::Revoked(revocation) => {
            let message = format!("serial {serial} is revoked: {}", revocation.reason);
            Err(Violation::new(Cause::Revoked, reason::REVOKED, message))
        }
        Standing::Pending(revocation) => {
            let message = format!("serial {serial} is going to be revoked: {}", revocation.reason);
            Err(Violation::new(Cause::Revoked, reason::REVOKED, message))
        }
        Standing::Held(_) if current.not_after.is_none_or(|end| end >= now) => {
            Err(Violation::new(Cause::Held, reason::ON_HOLD, format!("serial {serial} is on hold")))
        }
        Standing::Good | Standing::Released(_) | Standing::Held(_) if history.blocked => {
            let message = format!("the key of serial {serial} is blocked");
            Err(Violation::new(Cause::Revoked, reason::KEY_BLOCKED, message))
        }
        Standing::Good | Standing::Released(_) | Standing::Held(_) => Ok(()),
    }
}

/// There is no Secret.
pub fn secret_missing(history: &History, name: &str) -> Violation {
    if history.current.is_none() {
        return Violation::new(Cause::First, reason::CREATED, format!("Secret {name} does not exist yet"));
    }
    Violation::new(Cause::Damage, reason::SECRET_MISSING, format!("Secret {name} does not exist any more"))
}

/// Whether the content can be used at all: it is there, can be read, and belongs together.
///
/// # Errors
/// The first check that is violated.
pub fn usable<'a>(secret: &'a SecretRead, history: &History) -> Result<(&'a [X509], &'a PrivateKey), Violation> {
    let (reason, message) = match &secret.content {
        Content::Missing(key) => (reason::SECRET_UNREADABLE, format!("the Secret has no {key}")),
        Content::Unreadable(why) => (reason::SECRET_UNREADABLE, why.clone()),
        Content::Mismatch => (reason::KEY_MISMATCH, "the Secret's private key is not that of its certificate".to_owned()),
        Content::Pair { certificates, key } => {
            return match &secret.weakness {
                None => Ok((certificates, key)),
                Some(weakness) => {
                    Err(Violation::new(Cause::Revoked, reason::KEY_WEAK, format!("the Secret's private key is weak: {weakness}")))
                }
            };
        }
    };
    Err(damage(history, reason, message))
}

/// Something is wrong with what a Secret holds. What nobody was ever given cannot be damaged: that is the first certificate.
fn damage(history: &History, reason: &'static str, message: String) -> Violation {
    if history.current.is_none() {
        return Violation::new(Cause::First, reason::CREATED, message);
    }
    Violation::new(Cause::Damage, reason, message)
}

/// The Secret holds a certificate that stands in for the one that is wanted.
pub fn temporary(history: &History) -> Violation {
    damage(history, reason::SECRET_MISSING, "the Secret holds a temporary certificate".to_owned())
}

/// Whether a certificate is the current one is not known.
pub fn unproven(certificate: &X509) -> Violation {
    Violation::new(
        Cause::Unproven,
        reason::REGISTER_UNAVAILABLE,
        format!("that serial {} is this Certificate's current one cannot be told", certificate.serial()),
    )
}

/// What the certificate of a readable Secret is, in the status's terms.
pub fn held(certificate: &X509, authority: Option<chancery_pki::KeyId>) -> Held {
    Held {
        serial: certificate.serial().clone(),
        validity: Validity { not_before: certificate.not_before(), not_after: certificate.not_after() },
        key_id: certificate.key_id(),
        authority,
    }
}

/// Whether the register gave this certificate to this Certificate last.
///
/// # Errors
/// When it did not: somebody else wrote the Secret, or a write of ours never arrived.
pub fn current(certificate: &X509, history: &History) -> Result<(), Violation> {
    let recorded = history.current.as_ref();
    if recorded.is_some_and(|recorded| {
        recorded.serial == *certificate.serial() && recorded.key_id.is_none_or(|key_id| key_id == certificate.key_id())
    }) {
        return Ok(());
    }
    Err(damage(
        history,
        reason::NOT_CURRENT,
        match recorded {
            Some(recorded) => format!(
                "the Secret holds serial {}, the register's last one for this Certificate is {}",
                certificate.serial(),
                recorded.serial
            ),
            None => format!("the register does not know serial {} as this Certificate's", certificate.serial()),
        },
    ))
}

/// The certificate before the register's last one is still there: the last one was not delivered.
pub fn not_delivered(certificate: &X509) -> Violation {
    Violation::new(
        Cause::NotDelivered,
        reason::NOT_DELIVERED,
        format!("a certificate to follow serial {} was recorded and never arrived in the Secret", certificate.serial()),
    )
}

/// Whether time, a person or the issuer asks for a new certificate in place of a good one.
///
/// `turn` is when it is time, `handled` the value of the renew annotation that was acted on.
pub fn still_wanted(
    wanted: &Wanted,
    issuer: Option<&IssuerView>,
    held: &Held,
    turn: &Turn,
    handled: Option<&str>,
    now: Timestamp,
) -> Result<(), Violation> {
    if held.validity.not_after < now {
        return Err(Violation::new(Cause::Expired, reason::EXPIRED, format!("the certificate expired at {}", held.validity.not_after)));
    }
    if let Some(IssuerView { backing: Ok(Backing::Authority(AuthorityView { key_id, .. })), spec: Some(spec), .. }) = issuer
        && spec.defaults.on_authority_change == OnAuthorityChange::Reissue
        && held.authority != Some(*key_id)
    {
        return Err(Violation::new(
            Cause::Authority,
            reason::AUTHORITY_CHANGED,
            format!("the issuer's authority is {key_id} now, and it asks for its certificates to follow"),
        ));
    }
    if let Turn { at: Some(at), due: true, outside, .. } = turn {
        let windows = if *outside { ", and no window opens before it ends" } else { "" };
        return Err(Violation::new(Cause::Due, reason::RENEWAL_DUE, format!("due for renewal since {at}{windows}")));
    }
    if let Some(asked) = wanted.renew.as_deref()
        && handled != Some(asked)
    {
        return Err(Violation::new(
            Cause::Asked,
            reason::RENEW_REQUESTED,
            format!("annotation {} asks for it with the value \"{asked}\"", names::RENEW),
        ));
    }
    Ok(())
}

/// An annotation of ours, or cert-manager's of the same meaning where ours is not there.
fn read<'a>(annotations: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    let theirs = || key.strip_prefix("chancery.dev/").and_then(|suffix| annotations.get(&format!("cert-manager.io/{suffix}")));
    annotations.get(key).or_else(theirs).map(String::as_str)
}

/// A duration as a spec would write it.
pub fn text_of(duration: SignedDuration) -> String {
    GoDuration::try_from(duration).map_or_else(|_| format!("{duration:#}"), |duration| duration.to_string())
}
