//! How a certificate that is wanted is had: who signs, with which key, and what is in the way.

use jiff::{SignedDuration, Timestamp};

use super::{
    assess::{Lack, Usable},
    budget::{self, Exhausted},
    checks::{self, Cause},
    decide::{ended, minute, ready},
    dress::Record,
    limits,
    observed::{Backing, IssuerSeen, IssuerView, Observed, SecretSeen},
    outcome::{Act, Helps, Issue, KeySource, Pending, Plan, Standing},
    renewal::{self, Validity, Worth},
    status::{Attempt, Recorded as _},
};
use crate::api::{self, Resolved, RotationPolicy, Wanted, WantedIssuer, reason::certificate as reason};

/// How many of those that depend on a revoked CA are named.
const DEPENDENTS_NAMED: usize = 10;

/// What is in the way of an issuance.
pub(super) struct Obstruction {
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) helps: Helps,
}

impl Obstruction {
    pub(super) fn change(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), helps: Helps::Change }
    }

    fn again(reason: &'static str, message: impl Into<String>, time: Timestamp) -> Self {
        Self { reason, message: message.into(), helps: Helps::Again(time) }
    }

    pub(super) fn until(reason: &'static str, message: impl Into<String>, time: Timestamp) -> Self {
        Self { reason, message: message.into(), helps: Helps::Until(time) }
    }
}

pub(super) fn obtain(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack, now: Timestamp) -> Plan {
    if matches!(observed.issuer, IssuerSeen::Pending) {
        return Plan { act: Act::Nothing, standing: None, wake: None };
    }
    if matches!(observed.secret, SecretSeen::AsRecorded) && still_ready(lack, now).is_none() {
        // Once it is not Ready, each look reads the Secret, and what that holds is said before what time did: at the first look, too.
        return Plan { act: Act::Read, standing: None, wake: None };
    }
    if let Err(obstruction) = stays(observed, wanted, lack) {
        return wait(lack, &obstruction, now);
    }
    let signer = match signer(observed, wanted, lack).and_then(|signer| patience(observed, lack, now).map(|()| signer)) {
        Ok(signer) => signer,
        Err(obstruction) => return wait(lack, &obstruction, now),
    };
    if matches!(observed.secret, SecretSeen::AsRecorded) {
        // What follows depends on what the Secret holds: its content is carried over, and its key may be kept.
        return Plan { act: Act::Read, standing: None, wake: None };
    }
    match prepare(observed, wanted, lack, &signer, now) {
        Ok(issue) => Plan { act: Act::Issue(Box::new(issue)), standing: None, wake: None },
        Err(obstruction) => wait(lack, &obstruction, now),
    }
}

/// What is not replaced by itself: a certificate on hold, a CA's, on which others stand, and one that was to expire.
fn stays(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack) -> Result<(), Obstruction> {
    match lack.violation.cause {
        Cause::Held => Err(Obstruction::change(
            reason::ON_HOLD,
            "it is not replaced: an order with release: true on its RevocationList ends that, and so does the certificate's expiry",
        )),
        Cause::Revoked if wanted.is_ca && !asked_for(observed, wanted) => Err(Obstruction::change(
            lack.violation.reason,
            format!(
                "a CA is not replaced by itself: {}; annotation {} with a new value makes a CA with a new key",
                depend(&observed.dependents),
                api::names::RENEW
            ),
        )),
        Cause::Expired if wanted.schedule.disabled && !asked_for(observed, wanted) => Err(Obstruction::change(
            lack.violation.reason,
            format!("spec.renewal.policy is Disabled: annotation {} with a new value makes a new one", api::names::RENEW),
        )),
        _ => Ok(()),
    }
}

/// Whether a person asks for a new certificate, and has none for it yet.
fn asked_for(observed: &Observed<'_>, wanted: &Wanted) -> bool {
    let handled = match &observed.secret {
        SecretSeen::Read(secret) => Record::read(&secret.annotations).renew_handled,
        _ => observed.certificate.status.as_ref().and_then(|status| status.renew_handled.clone()),
    };
    wanted.renew.is_some() && wanted.renew != handled
}

fn depend(dependents: &[String]) -> String {
    let named = dependents.iter().take(DEPENDENTS_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match dependents.len() {
        0 => "no Certificate depends on it".to_owned(),
        1 => format!("Certificate {named} depends on it"),
        count if count <= DEPENDENTS_NAMED => format!("{count} Certificates depend on it: {named}"),
        count => format!("{count} Certificates depend on it: {named} and {} more", count - DEPENDENTS_NAMED),
    }
}

/// What does its work all the same.
fn still_ready(lack: &Lack, now: Timestamp) -> Option<&Usable> {
    lack.usable.as_ref().filter(|usable| lack.violation.leaves_ready() && !usable.is_early(now))
}

pub(super) fn wait(lack: &Lack, obstruction: &Obstruction, now: Timestamp) -> Plan {
    let message = format!("{}; {}", lack.violation.message, obstruction.message);
    let pending = Pending { reason: obstruction.reason, message: message.clone(), helps: obstruction.helps };
    let wake = match obstruction.helps {
        Helps::Until(time) | Helps::Again(time) => Some(time),
        Helps::Change | Helps::Event => None,
    };
    let expiry = lack.held.as_ref().map(ended);
    let due = lack.usable.as_ref().and_then(|usable| usable.turn.at);
    let over = lack.usable.as_ref().and_then(|usable| usable.turn.over);
    let valid = lack.usable.as_ref().map(Usable::from);
    let wake = [wake, expiry, due, over, valid].into_iter().flatten().filter(|time| *time > now).min();
    let standing = if let Some(usable) = still_ready(lack, now) {
        ready(usable, Some(pending))
    } else {
        // What is in the way says more than what is missing, except of a certificate that was good before.
        let reason = if matches!(lack.violation.cause, Cause::First) { obstruction.reason } else { lack.violation.reason };
        let reason = if matches!(obstruction.helps, Helps::Change) { obstruction.reason } else { reason };
        Standing { ready: false, reason, message, held: lack.held.clone(), renewal: None, pending: Some(pending) }
    };
    Plan { act: Act::Nothing, standing: Some(standing), wake }
}

/// An issuer that can sign.
struct Signer<'a> {
    view: &'a IssuerView,
    spec: &'a WantedIssuer,
    backing: &'a Backing,
}

fn signer<'a>(observed: &Observed<'a>, wanted: &Wanted, lack: &Lack) -> Result<Signer<'a>, Obstruction> {
    let view = issuer(observed, wanted)?;
    let (spec, backing) = match (&view.spec, &view.backing) {
        (Some(spec), Ok(backing)) => (spec, backing),
        (_, Err(obstacle)) => {
            return Err(Obstruction {
                reason: reason::ISSUER_NOT_READY,
                message: format!("{} is not ready: {}", view.key, obstacle.message),
                helps: Helps::Event,
            });
        }
        (None, Ok(_)) => return Err(Obstruction::change(reason::ISSUER_NOT_READY, format!("{} cannot be read", view.key))),
    };
    on_record(observed, wanted, lack, backing)?;
    Ok(Signer { view, spec, backing })
}

fn prepare(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack, signer: &Signer<'_>, now: Timestamp) -> Result<Issue, Obstruction> {
    let Signer { view: issuer, spec, backing } = *signer;
    immutable(observed)?;
    if let Some(missing) = observed.passwords.missing() {
        return Err(Obstruction { reason: reason::KEYSTORE_PASSWORD_MISSING, message: missing.to_owned(), helps: Helps::Event });
    }
    let chain_end = match backing {
        Backing::Authority(authority) => Some(authority.chain.not_after()),
        Backing::SelfSigned => None,
    };
    if chain_end.is_some_and(|end| end <= now) {
        return Err(Obstruction::change(reason::ISSUER_NOT_READY, format!("the chain of {} has ended", issuer.key)));
    }
    let key = key_source(observed, wanted, lack)?;
    let kept = match (key, &observed.secret) {
        (KeySource::Keep, SecretSeen::Read(secret)) => secret.key_algorithm(),
        (KeySource::Copy(_), _) => observed.certificate.resolved_key(),
        _ => None,
    };
    let resolved = api::resolve(wanted, &spec.defaults, &spec.allow, kept);
    limits::admits(wanted, &resolved, spec, backing)
        .map_err(|refusal| Obstruction::change(reason::NOT_ALLOWED, format!("{} does not allow it: {refusal}", issuer.key)))?;
    let (validity, cut) = renewal::validity(now, resolved.duration, chain_end);
    if key != KeySource::New && kept.is_some_and(|kept| kept != resolved.key) {
        return Err(Obstruction::change(
            reason::KEY_ROTATION_FORBIDDEN,
            format!(
                "a {} key would have to be made, and spec.privateKey.rotationPolicy is Never: set it to Always, or delete the Secret",
                resolved.key
            ),
        ));
    }
    if lack.violation.cause == Cause::Due
        && let Some(held) = &lack.held
    {
        let helps = match renewal::worth(held.validity, validity, cut, resolved.duration, now) {
            Worth::Now => None,
            Worth::From(time) => Some(Helps::Until(time)),
            Worth::Never => Some(Helps::Change),
        };
        if let Some(helps) = helps {
            return Err(gains_little(issuer, &resolved, validity, cut, helps));
        }
    }
    Ok(Issue { violation: lack.violation.clone(), resolved, validity, cut, key, renew_handled: wanted.renew.clone() })
}

fn gains_little(issuer: &IssuerView, resolved: &Resolved, next: Validity, cut: bool, helps: Helps) -> Obstruction {
    let asked = checks::text_of(resolved.duration);
    if cut {
        let message = format!(
            "a renewal would gain less than a tenth of {asked}, since the chain of {} ends at {}: renew the issuer's certificate",
            issuer.key,
            minute(next.not_after)
        );
        return Obstruction { reason: reason::AUTHORITY_ENDING, message, helps };
    }
    Obstruction { reason: reason::RENEWAL_DUE, message: format!("it outlasts a new one, which would be for {asked}"), helps }
}

/// Nothing is signed by an authority whose register takes no lines; and no CA's key is made in the place of one that may be on record.
fn on_record(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack, backing: &Backing) -> Result<(), Obstruction> {
    let broken = match lack.violation.cause {
        // Where a CA's key is not at hand, each register may be the one that knows of it.
        Cause::First | Cause::Damage if wanted.is_ca => observed.history.broken.values().next(),
        Cause::Unproven => observed.history.broken.values().next(),
        _ => observed.history.broken.get(&backing.authority()),
    };
    broken.map_or(Ok(()), |why| Err(Obstruction::change(reason::REGISTER_UNAVAILABLE, why.as_str())))
}

fn issuer<'a>(observed: &Observed<'a>, wanted: &Wanted) -> Result<&'a IssuerView, Obstruction> {
    match observed.issuer {
        IssuerSeen::Found { issuer, namespace_admitted: true } => Ok(issuer),
        IssuerSeen::Found { issuer, namespace_admitted: false } => Err(Obstruction::change(
            reason::NOT_ALLOWED,
            format!(
                "{} does not serve namespace {}: its spec.allow.namespaceSelector does not match the namespace's labels",
                issuer.key,
                observed.certificate.metadata.namespace.as_deref().unwrap_or_default()
            ),
        )),
        IssuerSeen::NotServed => Err(Obstruction::change(
            reason::ISSUER_NOT_SERVED,
            format!("{} is not served: this operator watches some namespaces only, name an Issuer", wanted.issuer),
        )),
        IssuerSeen::Absent | IssuerSeen::Pending => {
            Err(Obstruction { reason: reason::ISSUER_NOT_FOUND, message: format!("{} does not exist", wanted.issuer), helps: Helps::Event })
        }
    }
}

fn immutable(observed: &Observed<'_>) -> Result<(), Obstruction> {
    match &observed.secret {
        SecretSeen::Read(secret) if secret.immutable => {
            Err(Obstruction::change(reason::SECRET_IMMUTABLE, "the Secret is immutable: delete it, and it is made anew"))
        }
        _ => Ok(()),
    }
}

fn key_source(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack) -> Result<KeySource, Obstruction> {
    if lack.violation.cause == Cause::Revoked || (lack.key_is_sound && observed.history.barred) {
        return Ok(KeySource::New);
    }
    if lack.key_is_sound && wanted.rotation == RotationPolicy::Never {
        return Ok(KeySource::Keep);
    }
    let Some(recorded) = observed.history.current.as_ref().filter(|_| wanted.is_ca && !lack.key_is_sound && !observed.history.destroyed)
    else {
        return Ok(KeySource::New);
    };
    if let (true, Some(key_id)) = (observed.history.copy, recorded.key_id) {
        return Ok(KeySource::Copy(key_id));
    }
    let copy = recorded.key_id.map_or_else(|| "a copy".to_owned(), |key_id| format!("its copy {}{key_id}", api::names::AUTHORITY_COPY));
    let handled = observed.certificate.status.as_ref().and_then(|status| status.renew_handled.as_deref());
    if wanted.renew.is_some() && wanted.renew.as_deref() != handled {
        return Ok(KeySource::New);
    }
    Err(Obstruction::change(
        reason::AUTHORITY_SECRET_MISSING,
        format!(
            "it held a CA's key, and there is no Secret with {copy} in the operator's namespace: restore one of the two from a backup, consent on the copy where this Certificate was made anew, or give annotation {} a new value for a CA with a new key",
            api::names::RENEW
        ),
    ))
}

fn patience(observed: &Observed<'_>, lack: &Lack, now: Timestamp) -> Result<(), Obstruction> {
    if let Some(skew) = observed.skew {
        // No time is named and the figure is a round one: a status that changed at each look would be written at each look.
        return Err(Obstruction::again(
            reason::CLOCK_SKEW,
            format!(
                "nothing is signed while this machine's clock and the API server's differ by {} minutes: set the clocks right",
                skew.abs().as_mins()
            ),
            renewal::add(now, SignedDuration::from_secs(30)),
        ));
    }
    back_off(observed, lack, now)?;
    if lack.violation.cause == Cause::First {
        return Ok(());
    }
    if lack.violation.cause == Cause::Authority
        && !lack.urgent
        && let Some(turn) = observed.turn
        && turn > now
    {
        return Err(Obstruction::until(reason::AUTHORITY_CHANGED, format!("its turn is at {turn}"), turn));
    }
    if lack.violation.cause == Cause::Damage
        && let Some(next) = budget::next_mending(&observed.history.spent, now)
    {
        return Err(Obstruction::until(
            reason::SECRET_CONTESTED,
            format!("{} it was mended a moment ago and is mended again at {next}", writer(observed)),
            next,
        ));
    }
    if lack.violation.cause == Cause::NotDelivered
        && let Some(next) = budget::next_mending(&observed.history.spent, now)
    {
        return Err(Obstruction::until(reason::NOT_DELIVERED, format!("it is tried again at {next}"), next));
    }
    match budget::within(&observed.history.spent, now) {
        Ok(()) => Ok(()),
        // Whoever revokes a thousand certificates at once has a reason, and does it once: their users must not wait for an hour.
        Err(Exhausted::Namespace { .. }) if lack.violation.cause == Cause::Revoked => Ok(()),
        Err(exhausted) => Err(spent(observed, exhausted)),
    }
}

fn spent(observed: &Observed<'_>, exhausted: Exhausted) -> Obstruction {
    match exhausted {
        Exhausted::Certificate { until } => Obstruction::until(
            reason::BUDGET_SPENT,
            format!(
                "{} it was re-issued {} times within an hour, the next time is at {}",
                writer(observed),
                budget::PER_CERTIFICATE,
                minute(until)
            ),
            until,
        ),
        // All that wait for the one budget would otherwise write a new time into their statuses with each that gets its share.
        Exhausted::Namespace { until } => Obstruction::again(
            reason::BUDGET_SPENT,
            format!("its namespace had {} re-issuances within the last hour, it follows when there is room", budget::PER_NAMESPACE),
            renewal::add(until, SignedDuration::from_secs(budget::share(observed.certificate.metadata.uid.as_deref()))),
        ),
    }
}

/// The delay after failures. A new spec, another issuer, a person who asks and a revocation are tried at once.
fn back_off(observed: &Observed<'_>, lack: &Lack, now: Timestamp) -> Result<(), Obstruction> {
    let certificate = observed.certificate;
    let Some(attempt) = Attempt::last(certificate, lack.held.as_ref(), now) else {
        return Ok(());
    };
    let (why, said) = certificate.last_failure().unwrap_or_default();
    let text = attempt.text();
    let tried = said.contains(&lack.violation.message) && said.contains(&text);
    let asked_anew = matches!(lack.violation.cause, Cause::Asked | Cause::Revoked) && !tried;
    if attempt.again <= now || observed.issuer_changed || asked_anew {
        return Ok(());
    }
    let failure = said.split_once(&text).map_or("", |(_, failure)| failure);
    Err(Obstruction::until(reason::of_failure(&why), format!("{text}{failure}"), attempt.again))
}

fn writer(observed: &Observed<'_>) -> String {
    match &observed.secret {
        SecretSeen::Read(secret) => {
            secret.other_writer.as_ref().map_or_else(String::new, |writer| format!("field manager \"{writer}\" rewrites the Secret;"))
        }
        SecretSeen::Absent => "the Secret is deleted again and again;".to_owned(),
        SecretSeen::AsRecorded | SecretSeen::Foreign(_) => String::new(),
    }
}
