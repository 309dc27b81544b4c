//! The checks that a Secret must pass, in order: the first that is violated names the reason for a new certificate.
//!
//! What a certificate shows is compared with the spec, field by field. What it cannot show (what was asked for, and which
//! of it was a default) stands in annotations of the Secret. There is no hash of a spec: a new version of this software
//! must not re-issue a fleet.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{Certificate as X509, KeyAlgorithm, KeyEncoding, PrivateKey, SignatureAlgorithm};
use jiff::{SignedDuration, Timestamp};

use super::{
    observed::{AuthorityView, Backing, Content, Held, History, IssuerView, SecretRead},
    renewal::Validity,
    turn::Turn,
};
use crate::{
    api::{Defaulted, GoDuration, OnAuthorityChange, Resolved, Wanted, encoding_name, names, reason::certificate as reason, resolve},
    register::Standing,
};

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

/// Whether certificate and annotations are what the spec asks for. `taken_over` where the register has it as made elsewhere.
///
/// # Errors
/// The first check that is violated.
pub fn satisfies(
    wanted: &Wanted,
    certificates: &[X509],
    key: &PrivateKey,
    secret: &SecretRead,
    issuer_view: Option<&IssuerView>,
    origin: Origin,
    taken_over: bool,
) -> Result<(), Violation> {
    let annotations = &secret.annotations;
    let Some(certificate) = certificates.first() else {
        return Ok(());
    };
    // What is neither written nor was a default: it was written once, and the default holds again.
    let effective =
        |adopted| issuer_view.and_then(|issuer| issuer.spec.as_ref()).map(|spec| resolve(wanted, &spec.defaults, &spec.allow, adopted));
    let mut defaulted = match origin {
        Origin::Issued => Defaulted::from_list(annotations.get(names::DEFAULTED).map_or("", String::as_str)),
        // Nobody wrote down which of its values were defaults; what the spec leaves open is as it is found.
        Origin::Found => Defaulted::ALL.into(),
    };
    if taken_over {
        // Versions before this one took them over without a word about these.
        defaulted.extend(Defaulted::OF_OTHERS);
    }
    if origin == Origin::Issued {
        issuer(wanted, annotations)?;
    }
    names_of(wanted, certificate)?;
    subject(wanted, certificate)?;
    constraints(wanted, certificate, &defaulted)?;
    usages(wanted, certificate, effective(Some(key.algorithm())).as_ref(), &defaulted)?;
    private_key(wanted, key, secret.key_encoding, effective(None).as_ref(), &defaulted)?;
    if matches!(issuer_view.and_then(|issuer| issuer.backing.as_ref().ok()), Some(Backing::SelfSigned)) {
        signature(wanted, certificate, key.algorithm(), annotations, &defaulted, origin)?;
    }
    duration(wanted, certificate, annotations, effective(None).as_ref(), &defaulted)
}

fn issuer(wanted: &Wanted, annotations: &BTreeMap<String, String>) -> Result<(), Violation> {
    let kind = read(annotations, names::ISSUER_KIND).unwrap_or("Issuer");
    let name = read(annotations, names::ISSUER_NAME).unwrap_or_default();
    if name == wanted.issuer.name && kind == wanted.issuer.kind.as_str() {
        return Ok(());
    }
    let found = if name.is_empty() { "no issuer".to_owned() } else { format!("{kind} {name}") };
    Err(Violation::spec(
        reason::ISSUER_CHANGED,
        format!("the certificate is from {found}, the spec names {} {}", wanted.issuer.kind.as_str(), wanted.issuer.name),
    ))
}

fn names_of(wanted: &Wanted, certificate: &X509) -> Result<(), Violation> {
    if !certificate.has_unknown_sans() && *certificate.sans() == wanted.sans {
        return Ok(());
    }
    let text = |sans: &BTreeSet<chancery_pki::San>| sans.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(Violation::spec(
        reason::NAMES_CHANGED,
        format!("the certificate is for [{}], the spec asks for [{}]", text(certificate.sans()), text(&wanted.sans)),
    ))
}

fn subject(wanted: &Wanted, certificate: &X509) -> Result<(), Violation> {
    let same = if wanted.literal {
        certificate.subject().has_same_values(&wanted.subject)
    } else {
        // The same values in another form (several of one attribute in one SET, as Go writes them) are the same subject.
        *certificate.subject() == wanted.subject || certificate.subject().has_parts(&wanted.subject_parts)
    };
    if same {
        return Ok(());
    }
    Err(Violation::spec(
        reason::SUBJECT_CHANGED,
        format!("the certificate's subject is \"{}\", the spec asks for \"{}\"", certificate.subject(), wanted.subject),
    ))
}

/// What a CA may certify.
fn constraints(wanted: &Wanted, certificate: &X509, defaulted: &BTreeSet<Defaulted>) -> Result<(), Violation> {
    let changed = |message: String| Err(Violation::spec(reason::CONSTRAINTS_CHANGED, message));
    let as_found = wanted.name_constraints.is_none() && defaulted.contains(&Defaulted::NameConstraints);
    let same = !certificate.has_unknown_name_constraints() && certificate.name_constraints() == wanted.name_constraints.as_ref();
    if !same && !as_found {
        return changed("the certificate's name constraints are not those that the spec asks for".to_owned());
    }
    let Some(ca) = certificate.ca() else { return Ok(()) };
    if ca.path_len == wanted.path_len || (wanted.path_len.is_none() && defaulted.contains(&Defaulted::PathLen)) {
        return Ok(());
    }
    let text = |length: Option<u8>| length.map_or_else(|| "unbounded".to_owned(), |length| length.to_string());
    changed(format!("the certificate's path length is {}, the spec asks for {}", text(ca.path_len), text(wanted.path_len)))
}

/// How a certificate signs itself.
fn signature(
    wanted: &Wanted,
    certificate: &X509,
    key: KeyAlgorithm,
    annotations: &BTreeMap<String, String>,
    defaulted: &BTreeSet<Defaulted>,
    origin: Origin,
) -> Result<(), Violation> {
    let asked = match wanted.signature {
        Some(asked) => asked,
        None if defaulted.contains(&Defaulted::Signature) => return Ok(()),
        None => SignatureAlgorithm::usual(key),
    };
    // cert-manager signs with the key's usual algorithm whatever is asked. What was asked of it is not asked anew by taking it over.
    let was_asked = || annotations.get(names::REQUESTED_SIGNATURE).map(String::as_str) == Some(asked.as_str());
    if certificate.signature_algorithm() == Some(asked) || origin == Origin::Found || was_asked() {
        return Ok(());
    }
    Err(Violation::spec(reason::SIGNATURE_CHANGED, format!("the certificate does not sign itself with {asked}, which the spec asks for")))
}

fn usages(wanted: &Wanted, certificate: &X509, effective: Option<&Resolved>, defaulted: &BTreeSet<Defaulted>) -> Result<(), Violation> {
    if certificate.ca().is_some() != wanted.is_ca {
        let message = if wanted.is_ca { "the spec asks for a CA certificate" } else { "the spec asks for no CA certificate" };
        return Err(Violation::spec(reason::USAGES_CHANGED, message));
    }
    if wanted.usages.is_none() && defaulted.contains(&Defaulted::Usages) {
        return Ok(());
    }
    let Some(asked) = wanted.usages.clone().or_else(|| effective.map(|effective| effective.usages.clone())) else {
        return Ok(());
    };
    let asked: BTreeSet<_> = asked.into_iter().map(chancery_pki::Usage::canonical).collect();
    if *certificate.usages() == asked {
        return Ok(());
    }
    let text = |usages: &BTreeSet<chancery_pki::Usage>| usages.iter().map(chancery_pki::Usage::as_str).collect::<Vec<_>>().join(", ");
    Err(Violation::spec(
        reason::USAGES_CHANGED,
        format!("the certificate's usages are [{}], the spec asks for [{}]", text(certificate.usages()), text(&asked)),
    ))
}

fn private_key(
    wanted: &Wanted,
    key: &PrivateKey,
    encoded: Option<KeyEncoding>,
    effective: Option<&Resolved>,
    defaulted: &BTreeSet<Defaulted>,
) -> Result<(), Violation> {
    let goes = wanted.signature.is_none_or(|signature| signature.family() == key.algorithm().family());
    let asked = match (wanted.key, goes && defaulted.contains(&Defaulted::Key)) {
        (Some(asked), _) => asked,
        (None, false) if effective.is_some() => effective.map_or_else(|| key.algorithm(), |effective| effective.key),
        (None, _) => key.algorithm(),
    };
    if key.algorithm() != asked {
        return Err(Violation::spec(reason::KEY_CHANGED, format!("the private key is {}, the spec asks for {asked}", key.algorithm())));
    }
    if key.algorithm() == KeyAlgorithm::Ed25519 {
        // It has one encoding only (RFC 8410).
        return Ok(());
    }
    let Some(encoded) = encoded else {
        return Ok(());
    };
    let asked = match (wanted.encoding, defaulted.contains(&Defaulted::Encoding)) {
        (Some(asked), _) => asked,
        (None, false) => effective.map_or(KeyEncoding::Pkcs1, |effective| effective.encoding),
        (None, true) => return Ok(()),
    };
    if encoded != asked {
        return Err(Violation::spec(
            reason::KEY_CHANGED,
            format!("the private key is encoded as {}, the spec asks for {}", encoding_name(encoded), encoding_name(asked)),
        ));
    }
    Ok(())
}

fn duration(
    wanted: &Wanted,
    certificate: &X509,
    annotations: &BTreeMap<String, String>,
    effective: Option<&Resolved>,
    defaulted: &BTreeSet<Defaulted>,
) -> Result<(), Violation> {
    if wanted.duration.is_none() && defaulted.contains(&Defaulted::Duration) {
        return Ok(());
    }
    let Some(asked) = wanted.duration.or_else(|| effective.map(|effective| effective.duration)) else {
        return Ok(());
    };
    let given = read(annotations, names::REQUESTED_DURATION)
        .and_then(|text| text.parse::<GoDuration>().ok())
        .map_or_else(|| certificate.not_after().duration_since(certificate.not_before()), GoDuration::get);
    if given == asked {
        return Ok(());
    }
    Err(Violation::spec(
        reason::DURATION_CHANGED,
        format!("the certificate was asked to last {}, the spec asks for {}", text_of(given), text_of(asked)),
    ))
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
