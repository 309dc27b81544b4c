//! One reconcile of one Certificate: look, decide, do, and say what came of it.

use std::{
    collections::BTreeMap,
    ops::ControlFlow::{self, Break},
    sync::Arc,
};

use chancery_pki::KeyId;
use jiff::Timestamp;
use tracing::{Instrument as _, debug_span};

use super::{Context, Fault, authority, event, issue, refuse, revoke, temporary};
use crate::{
    api::{Certificate, CertificateStatus, Resolved, condition, names},
    cluster::CallErrorKind,
    observe::{Name, SecretSight, Sight},
    plan::{
        self, Act, Finalizer, Helps, Plan,
        deletion::Destroy,
        dress::{self, Dress},
        observed::{Content, Held, SecretRead},
        revocation,
        status::{self, Failure, Said},
    },
    register::{Act as Recorded, Entry, Register as _, RegisterId},
    telemetry::{CertificateState, Issuance, Readiness},
};

/// How often one reconcile looks again because what it saw was not enough.
const LOOKS: usize = 4;

/// One reconcile of one Certificate. Returns when to look again if nothing happens before.
///
/// # Errors
/// When the API server does not answer, another leads, or another wrote.
pub async fn reconcile(context: &Context, name: &Name) -> Result<Option<Timestamp>, Fault> {
    let world = &context.world;
    if world.namespaces.get(&Name::new("", &name.namespace)).is_some_and(|namespace| namespace.terminating)
        && world.certificates.get(name).is_some_and(|certificate| certificate.metadata.deletion_timestamp.is_none())
    {
        // Nothing can be made in it any more; what is being deleted is still released.
        return Ok(None);
    }
    let mut course = Course::default();
    for _ in 0..LOOKS {
        let now = world.now();
        let looking = Sight::gather(world, &context.client, name, course.read);
        let Some(mut sight) = looking.instrument(debug_span!("observe")).await? else {
            context.metrics.certificates().remove(&name.namespace, &name.name);
            world.forget_all(name);
            return Ok(None);
        };
        sight.give_up(&course.given_up);
        let plan = debug_span!("decide").in_scope(|| plan::decide(&sight.observed(), now));
        let span = debug_span!("apply", act = plan.act.word(), reason = plan.act.reason());
        let done = carry_out(context, sight, plan, now, &mut course).instrument(span).await?;
        if let Break(wake) = done {
            return Ok(wake);
        }
    }
    Err(Fault::Stale)
}

/// What one look leaves to the next.
#[derive(Default)]
struct Course {
    /// The Secret is to be read.
    read: bool,
    /// The registers that took no line, with the reason.
    given_up: BTreeMap<Option<KeyId>, String>,
}

/// Does what was decided. Goes on where that was only a step on the way, which has to be looked at again.
async fn carry_out(
    context: &Context,
    mut sight: Sight,
    plan: Plan,
    now: Timestamp,
    course: &mut Course,
) -> Result<ControlFlow<Option<Timestamp>>, Fault> {
    match plan.act {
        Act::Read => course.read = true,
        Act::Nothing => return conclude(context, &sight, plan, None, now).await.map(Break),
        Act::Finalizer(change) => return finalizer(context, &sight, change).await.map(Break),
        Act::Destroy(destroy) => {
            self::destroy(context, &sight, &destroy).await?;
            return finalizer(context, &sight, Finalizer::Remove).await.map(Break);
        }
        Act::Revoke(wanted) => revoke::revoke(context, &sight, &wanted).await?,
        Act::Pend(certificates) => course.given_up = revoke::pend(context, &sight, &certificates).await?,
        Act::Dress(dress) => {
            let settled = match dressed(context, &mut sight, &dress).await {
                Ok(()) => settle(context, &mut sight, now).await,
                Err(fault) => not_done(context, &mut sight, fault, now).await,
            };
            return settled.map(Break);
        }
        Act::Import(dress, held) => {
            import(context, &sight, &held).await?;
            let settled = match dressed(context, &mut sight, &dress).await {
                Ok(()) => {
                    event::imported(&context.recorder, &sight.certificate, &held.serial);
                    settle(context, &mut sight, now).await
                }
                Err(fault) => not_done(context, &mut sight, fault, now).await,
            };
            return settled.map(Break);
        }
        Act::Temporary(wanted) => {
            match temporary::put_temporary(context, &sight, &wanted).await {
                Ok(_) => {
                    tracing::info!(certificate = %sight.name, "a temporary certificate takes the place of one that cannot be had now");
                    context.world.remember(&sight.name, |memory| memory.gave_temporary = Some(now));
                    // The issuer may be ready by now: all is decided anew.
                    course.read = true;
                }
                // Why there is no other says more than why there is not even this one.
                Err(Fault::Failed(failure)) => {
                    tracing::warn!(certificate = %sight.name, message = failure.message, "no temporary certificate");
                    let plan = Plan { act: Act::Nothing, ..plan };
                    return conclude(context, &sight, plan, None, now).await.map(Break);
                }
                Err(fault) => return Err(fault),
            }
        }
        // The largest by far, and most reconciles are no issuance.
        Act::Issue(wanted) => return Box::pin(issue(context, sight, &wanted, now)).await.map(Break),
    }
    Ok(ControlFlow::Continue(()))
}

async fn issue(context: &Context, mut sight: Sight, wanted: &plan::Issue, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let kind = sight.issuer.as_ref().map_or("none", |issuer| issuer.view.key.kind.as_str());
    let begun = tokio::time::Instant::now();
    let made = issue::issue(context, &sight, wanted, now).await;
    let outcome = match &made {
        Ok(_) => "succeeded",
        Err(Fault::Failed(_)) => "failed",
        Err(_) => "interrupted",
    };
    context.metrics.issuance(Issuance { issuer_kind: kind, reason: wanted.reason(), outcome, took: begun.elapsed() });
    match made {
        Ok((secret, serial)) => {
            tracing::info!(certificate = %sight.name, %serial, reason = wanted.reason(), "issued");
            event::issued(&context.recorder, &sight.certificate, &serial, &wanted.violation);
            sight.take_secret(secret).await;
            settle(context, &mut sight, now).await
        }
        Err(Fault::Failed(failure)) => {
            tracing::warn!(certificate = %sight.name, reason = failure.reason, message = failure.message, "not issued");
            event::failed(&context.recorder, &sight.certificate, failure.reason, &failure.message);
            sight.look_up(&context.world, now);
            let plan = plan::failed(&sight.observed(), &failure, now);
            conclude(context, &sight, plan, Some(&failure), now).await
        }
        Err(fault) => Err(fault),
    }
}

/// After a write of the Secret: the same decision as on any other day says what the status is.
async fn settle(context: &Context, sight: &mut Sight, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    sight.look_up(&context.world, now);
    let plan = plan::decide(&sight.observed(), now);
    if matches!(plan.act, Act::Nothing) {
        return conclude(context, sight, plan, None, now).await;
    }
    // What was just written is not what is wanted: without a delay that would go round and round.
    let failure = Failure {
        reason: crate::api::reason::certificate::VERIFICATION_FAILED,
        message: format!("what was written does not satisfy the spec: it would have to be {}", plan.act.name()),
        retry: true,
    };
    tracing::error!(certificate = %sight.name, message = failure.message, "not settled");
    let plan = plan::failed(&sight.observed(), &failure, now);
    conclude(context, sight, plan, Some(&failure), now).await
}

/// What was to be written around a certificate could not be made: its status says so, and when it is tried again.
async fn not_done(context: &Context, sight: &mut Sight, fault: Fault, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let Fault::Failed(failure) = fault else {
        return Err(fault);
    };
    tracing::warn!(certificate = %sight.name, reason = failure.reason, message = failure.message, "the Secret is not put right");
    event::failed(&context.recorder, &sight.certificate, failure.reason, &failure.message);
    sight.look_up(&context.world, now);
    let plan = plan::failed(&sight.observed(), &failure, now);
    conclude(context, sight, plan, Some(&failure), now).await
}

async fn dressed(context: &Context, sight: &mut Sight, dress: &Dress) -> Result<(), Fault> {
    let Ok(wanted) = &sight.wanted else {
        return Err(Fault::Stale);
    };
    let secret = issue::put(context, sight, wanted, dress, None).await?;
    sight.take_secret(secret).await;
    Ok(())
}

async fn import(context: &Context, sight: &Sight, held: &Held) -> Result<(), Fault> {
    let (namespace, name) = (&sight.name.namespace, &sight.name.name);
    if context.world.registers.index().is_anothers(&held.serial, &held.key_id, namespace, name) {
        // Another took it over a moment ago.
        return Err(Fault::Stale);
    }
    let entry = Entry {
        serial: Some(held.serial.clone()),
        not_after: Some(held.validity.not_after),
        key_id: Some(held.key_id),
        owner: Some(authority::owner(sight)),
        reason: crate::api::reason::certificate::FOUND.to_owned(),
        actor: super::ACTOR.to_owned(),
        ..Entry::new(Recorded::Imported)
    };
    let register = held.authority.map_or(RegisterId::Common, RegisterId::Authority);
    context.world.registers.append(register, entry).await?;
    Ok(())
}

async fn finalizer(context: &Context, sight: &Sight, change: Finalizer) -> Result<Option<Timestamp>, Fault> {
    let mut finalizers = sight.certificate.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != names::FINALIZER);
    if change == Finalizer::Add {
        finalizers.push(names::FINALIZER.to_owned());
    } else if sight.certificate.metadata.deletion_timestamp.is_some()
        && let Some(message) = revocation::left_behind(&sight.observed())
    {
        tracing::error!(certificate = %sight.name, message, "released");
        event::left_behind(&context.recorder, &sight.certificate, message);
    }
    let written = context.writer.certificate_finalizers(&sight.certificate, &finalizers).await?;
    let lives = written.metadata.deletion_timestamp.is_none();
    // Also of one that is going: another look before its deletion is shown must not release it again.
    context.world.certificates.wrote(slim(written));
    if lives {
        // The watch does not show what is in the cache already.
        return Box::pin(reconcile(context, &sight.name)).await;
    }
    Ok(None)
}

async fn destroy(context: &Context, sight: &Sight, destroy: &Destroy) -> Result<(), Fault> {
    let observed = sight.observed();
    let current = observed.history.current.as_ref();
    let key_id = match sight.read() {
        // The key of a temporary certificate is on record nowhere, and goes without a record too.
        Some(read) if read.annotations.contains_key(names::TEMPORARY_SERIAL) => None,
        Some(SecretRead { content: Content::Pair { key, .. }, .. }) => Some(key.public_key().key_id()),
        _ => None,
    }
    .or_else(|| current.and_then(|current| current.key_id));
    // A CA's key lives on in its copy, until the last certificate that it signed has ended.
    let kept = key_id.filter(|key_id| context.world.registers.index().copy_exists(key_id));
    let said = kept.is_some_and(|key_id| context.world.registers.index().key(&key_id).is_some_and(|key| key.is_retired()));
    if let (Some(key_id), false) = (key_id, destroy.recorded || said) {
        let entry = Entry {
            serial: current.map(|current| current.serial.clone()),
            key_id: Some(key_id),
            owner: Some(authority::owner(sight)),
            reason: "the Certificate was deleted, and its deletionPolicy is not Retain".to_owned(),
            actor: super::ACTOR.to_owned(),
            ..Entry::new(if kept.is_some() { Recorded::Retired } else { Recorded::Destroyed })
        };
        let register = kept.or(observed.history.authority).map_or(RegisterId::Common, RegisterId::Authority);
        // A register that does not take the line must not hold a namespace back.
        if let Err(error) = context.world.registers.append(register, entry).await {
            if error.waiting_helps() {
                return Err(Fault::from(error));
            }
            tracing::error!(certificate = %sight.name, %error, "a key is destroyed without a record");
        }
    }
    let Ok(wanted) = &sight.wanted else {
        return Err(Fault::Stale);
    };
    let name = Name::new(&sight.name.namespace, &wanted.secret_name);
    match context.writer.delete_secret(&name.namespace, &name.name, &destroy.uid, &destroy.resource_version).await {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {}
        // What can never be done must not hold a namespace back for ever.
        Err(error) if matches!(error.kind, CallErrorKind::Forbidden | CallErrorKind::Invalid) => {
            event::failed(&context.recorder, &sight.certificate, crate::api::reason::FAILED, &error.to_string());
            return Ok(());
        }
        Err(error) => {
            context.world.remember(&sight.name, |memory| memory.ask = true);
            return Err(Fault::from(error));
        }
    }
    context.world.secrets.removed(&name, &destroy.uid);
    (context.wrote_secret)(&name);
    let serial = current.map(|current| current.serial.to_string()).unwrap_or_default();
    if kept.is_none() {
        event::key_destroyed(&context.recorder, &sight.certificate, &serial, &key_id.map(|key_id| key_id.to_string()).unwrap_or_default());
    }
    Ok(())
}

async fn conclude(
    context: &Context,
    sight: &Sight,
    plan: Plan,
    failure: Option<&Failure>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let Some(standing) = &plan.standing else {
        return Ok(plan.wake);
    };
    if let (None, Some(pending)) = (failure, standing.pending.as_ref().filter(|pending| pending.is_denied())) {
        // Boxed: few are refused, and all that is reconciled has room for this future.
        Box::pin(refuse::record(context, sight, pending)).await?;
    }
    let observed = sight.observed();
    let said = Said {
        standing,
        secret: standing.held.as_ref().and_then(|_| sight.secret_identity()),
        issued_with: issued_with(sight),
        recorded: observed.history.current.as_ref(),
        failure,
        issuer_changed: observed.issuer_changed,
        told: revocation::tell(&observed, now),
    };
    let status = status::of(&sight.certificate, &said, now);
    note(context, sight, &status);
    if sight.edited || sight.certificate.status.as_ref() != Some(&status) {
        if failure.is_none() && standing.pending.as_ref().is_some_and(|pending| pending.helps == Helps::Change) {
            refused(context, &sight.certificate, standing);
        }
        let mut certificate = Certificate::clone(&sight.certificate);
        certificate.status = Some(status);
        match context.writer.certificate_status(&certificate).await {
            Ok(written) => {
                let written = Arc::new(slim(written));
                context.world.vouch(&written);
                context.world.certificates.wrote(written);
            }
            // It was stored under other rules, and is so far from today's that the API server takes no write of its status: the
            // Event has said why, and only a change of the object helps.
            Err(error) if error.kind == CallErrorKind::Invalid && sight.wanted.is_err() => {
                tracing::warn!(certificate = %sight.name, message = standing.message, %error, "refused, and its status cannot be written");
            }
            Err(error) => return Err(Fault::from(error)),
        }
    } else {
        context.world.vouch(&sight.certificate);
    }
    context.world.forget(&sight.name);
    Ok(plan.wake)
}

/// The values that a certificate which was read was issued with.
fn issued_with(sight: &Sight) -> Option<(Resolved, Option<String>)> {
    let (Ok(wanted), SecretSight::Read(read, _)) = (&sight.wanted, &sight.secret) else {
        return None;
    };
    dress::issued_with(wanted, sight.issuer.as_ref().and_then(|issuer| issuer.view.spec.as_ref()), read)
}

/// An Event for a refusal, once for each that is new.
fn refused(context: &Context, certificate: &Certificate, standing: &plan::Standing) {
    let Some(pending) = &standing.pending else {
        return;
    };
    let before = certificate.status.iter().flat_map(|status| &status.conditions).find(|found| found.type_ == condition::ISSUING);
    if before.is_none_or(|before| before.reason != pending.reason || before.message != pending.message) {
        event::refused(&context.recorder, certificate, pending.reason, &pending.message);
    }
}

fn note(context: &Context, sight: &Sight, status: &CertificateStatus) {
    let ready = status.conditions.iter().find(|found| found.type_ == condition::READY);
    let issuer = sight.wanted.as_ref().ok().map(|wanted| &wanted.issuer);
    let state = CertificateState {
        ready: if ready.is_some_and(|ready| ready.status == "True") { Readiness::True } else { Readiness::False },
        reason: ready.map_or("", |ready| &ready.reason).into(),
        issuer_kind: issuer.map_or("", |issuer| issuer.kind.as_str()),
        issuer: issuer.map_or("", |issuer| &issuer.name).into(),
        starts: status.not_before.as_ref().map(|time| time.0),
        expires: status.not_after.as_ref().map(|time| time.0),
        renews: status.renewal_time.as_ref().map(|time| time.0),
    };
    context.metrics.certificates().set(&sight.name.namespace, &sight.name.name, state);
}

/// What a cache need not keep. A write of the status takes nothing else of the object, and the finalizers are written by a patch:
/// what is left out here is not lost.
pub(crate) fn slim(mut certificate: Certificate) -> Certificate {
    certificate.metadata.managed_fields = None;
    if let Some(annotations) = &mut certificate.metadata.annotations {
        // As large as the object itself.
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    certificate
}
