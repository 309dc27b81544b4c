//! The decision about one Certificate: from what was observed and the time, to what is done, said and waited for.
//!
//! Pure: no client, no clock, no random number. The checks run in a fixed order, and the first that is violated names the reason.

use jiff::{SignedDuration, Timestamp};

use super::{
    assess::{Good, Usable, assess, found},
    deletion, dress,
    observed::{Held, Observed, SecretSeen},
    obtain::{Obstruction, obtain, wait},
    outcome::{Act, Helps, Pending, Plan, Standing},
    ownership::{self, Ownership},
    renewal, revocation,
    status::{Attempt, Failure},
    temporary,
    turn::Turn,
};
use crate::api::{
    Wanted,
    reason::{INVALID_SPEC, READY, certificate as reason},
};

/// The decision.
pub fn decide(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let certificate = observed.certificate;
    if certificate.metadata.deletion_timestamp.is_some() {
        return deletion::decide(observed);
    }
    let wanted = match observed.wanted {
        Ok(wanted) => wanted,
        Err(error) => return refuse(None, INVALID_SPEC, error.to_string()),
    };
    // What is revoked is the register's matter, whoever has the Secret and whatever the issuer does.
    if let Some(revoke) = revocation::due(observed, wanted, now) {
        return Plan { act: Act::Revoke(Box::new(revoke)), standing: None, wake: None };
    }
    let mut plan = holding(observed, wanted, now);
    plan.wake = [plan.wake, revocation::again(observed, wanted, now)].into_iter().flatten().min();
    plan
}

/// What becomes of the Secret.
fn holding(observed: &Observed<'_>, wanted: &Wanted, now: Timestamp) -> Plan {
    let certificate = observed.certificate;
    if let Some(change) = deletion::finalizer(certificate, wanted) {
        return Plan { act: Act::Finalizer(change), standing: None, wake: None };
    }
    if let Some(rival) = &observed.rival {
        return refuse(
            None,
            reason::SECRET_SHARED,
            format!(
                "Secret {} is that of Certificate {rival}, which names it too: give one of the two another spec.secretName",
                wanted.secret_name
            ),
        );
    }
    if let Some(why) = foreign(observed) {
        return refuse(None, reason::SECRET_NOT_OURS, format!("Secret {} is not touched: {why}", wanted.secret_name));
    }
    match assess(observed, wanted, now) {
        Ok(good) => settle(observed, wanted, &good, now),
        Err(lack) => temporary::instead(observed, wanted, obtain(observed, wanted, &lack, now), now),
    }
}

/// What is said after an attempt that failed: the next one is delayed, unless only a change helps.
///
/// A later look during the delay says the same, so that it has nothing to write.
pub fn failed(observed: &Observed<'_>, failure: &Failure, now: Timestamp) -> Plan {
    let Ok(wanted) = observed.wanted else {
        return decide(observed, now);
    };
    let lack = match assess(observed, wanted, now) {
        Ok(good) => return not_put_right(observed, &good.usable, settle(observed, wanted, &good, now), failure, now),
        Err(lack) => lack,
    };
    if !failure.retry {
        return wait(&lack, &Obstruction::change(failure.reason, failure.message.clone()), now);
    }
    let attempt = Attempt::now(observed.certificate, observed.issuer_changed, lack.held.as_ref(), now);
    wait(&lack, &Obstruction::until(failure.reason, format!("{}{}", attempt.text(), failure.message), attempt.again), now)
}

/// The certificate is good, and what should stand around it could not be put there.
fn not_put_right(observed: &Observed<'_>, usable: &Usable, plan: Plan, failure: &Failure, now: Timestamp) -> Plan {
    if matches!(plan.act, Act::Nothing) {
        return plan;
    }
    let attempt = Attempt::now(observed.certificate, observed.issuer_changed, Some(&usable.held), now);
    let pending =
        Pending { reason: failure.reason, message: format!("{}{}", attempt.text(), failure.message), helps: Helps::Until(attempt.again) };
    let wake = plan.wake.map_or(attempt.again, |wake| wake.min(attempt.again));
    Plan { act: Act::Nothing, standing: Some(ready(usable, Some(pending))), wake: Some(wake) }
}

fn foreign(observed: &Observed<'_>) -> Option<String> {
    match &observed.secret {
        SecretSeen::Foreign(why) => Some((*why).to_owned()),
        SecretSeen::Read(secret) => match ownership::of(&secret.annotations, observed.certificate) {
            Ownership::Foreign(why) => Some(why),
            Ownership::Ours | Ownership::Offered => None,
        },
        SecretSeen::Absent | SecretSeen::AsRecorded => None,
    }
}

fn settle(observed: &Observed<'_>, wanted: &Wanted, good: &Good, now: Timestamp) -> Plan {
    let usable = &good.usable;
    if usable.is_early(now) {
        return early(usable);
    }
    let ended = ended(&usable.held);
    let wake = usable.turn.at.map_or(ended, |at| at.min(ended));
    let wake = observed.ca_crl_after.map_or(wake, |after| wake.min(after));
    // Better said while there is time than when the next renewal waits for it.
    let missing = observed.passwords.missing().map(|missing| Pending {
        reason: reason::KEYSTORE_PASSWORD_MISSING,
        message: missing.to_owned(),
        helps: Helps::Event,
    });
    let plan =
        |act, pending: Option<Pending>| Plan { act, standing: Some(ready(usable, pending.or_else(|| missing.clone()))), wake: Some(wake) };
    let SecretSeen::Read(secret) = &observed.secret else {
        return plan(Act::Nothing, None);
    };
    let dress = dress::of(observed, wanted, secret, found(observed), usable.held.authority, good.origin);
    if secret.immutable && (dress.chain != secret.chain || !dress.forms.is_empty()) {
        let old = if dress.chain == secret.chain { "what else it should hold is not in it" } else { "its chain is an old one" };
        let message = format!("{old}, and the Secret is immutable: delete it, and it is made anew");
        return plan(Act::Nothing, Some(Pending { reason: reason::SECRET_IMMUTABLE, message, helps: Helps::Change }));
    }
    if good.imported {
        plan(Act::Import(Box::new(dress), Box::new(usable.held.clone())), None)
    } else if dress.fits(secret) {
        plan(Act::Nothing, None)
    } else {
        plan(Act::Dress(Box::new(dress)), None)
    }
}

/// A clock was wrong when the certificate was made, or is now. Another one would not be better, and there would be no end of them.
fn early(usable: &Usable) -> Plan {
    let valid_from = usable.from();
    let message = format!("the certificate is valid only from {}: set the clocks right", minute(usable.held.validity.not_before));
    let pending = Pending { reason: reason::NOT_YET_VALID, message: message.clone(), helps: Helps::Until(valid_from) };
    let standing = Standing {
        ready: false,
        reason: reason::NOT_YET_VALID,
        message,
        held: Some(usable.held.clone()),
        renewal: usable.turn.at,
        pending: Some(pending),
    };
    Plan { act: Act::Nothing, standing: Some(standing), wake: Some(valid_from) }
}

/// The standing of a certificate that does its work.
pub(super) fn ready(usable: &Usable, pending: Option<Pending>) -> Standing {
    let until = format!("valid until {}", minute(usable.held.validity.not_after));
    let message = match &pending {
        Some(pending) => format!("{until}; {}", pending.message),
        None => format!("{until}, {}", renewed(&usable.turn)),
    };
    Standing { ready: true, reason: READY, message, held: Some(usable.held.clone()), renewal: usable.turn.at, pending }
}

fn renewed(turn: &Turn) -> String {
    match turn {
        Turn { at: None, .. } => "not renewed by time, since spec.renewal.policy is Disabled".to_owned(),
        Turn { at: Some(at), outside: true, .. } => {
            format!("to be renewed from {}, outside spec.renewal.windows: none opens before it ends", minute(*at))
        }
        Turn { at: Some(at), .. } => format!("to be renewed from {}", minute(*at)),
    }
}

/// The first second at which a certificate holds no more.
pub(super) fn ended(held: &Held) -> Timestamp {
    renewal::add(held.validity.not_after, SignedDuration::from_secs(1))
}

pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn refuse(held: Option<Held>, reason: &'static str, message: String) -> Plan {
    Plan {
        act: Act::Nothing,
        standing: Some(Standing {
            ready: false,
            reason,
            message: message.clone(),
            held,
            renewal: None,
            pending: Some(Pending { reason, message, helps: Helps::Change }),
        }),
        wake: None,
    }
}

#[cfg(test)]
mod tests;
