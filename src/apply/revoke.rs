//! Revocations on a Certificate's own word: lines in the registers of those who signed, and nothing else.
//!
//! A line is not taken back, and what it says is published by the authority's list.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{KeyId, Reason};
use futures::future::join_all;

use super::{ACTOR, Context, Fault, authority, event};
use crate::{
    observe::Sight,
    plan::{observed::OwnCertificate, revocation::Revoke},
    register::{Act, Entry, Register as _, RegisterId},
};

/// Puts certificates on record as revoked. Lines of one register share its writes.
pub(super) async fn revoke(context: &Context, sight: &Sight, revoke: &Revoke) -> Result<(), Fault> {
    let lines = revoke.certificates.iter().map(|(authority, own, from)| {
        let entry = Entry {
            code: code(revoke.reason),
            invalidity_date: revoke.invalidity_date,
            from: *from,
            before: Some(revoke.before),
            reason: format!("spec.revocation of the Certificate: {}", revoke.reason),
            ..line(Act::Revoked, sight, own)
        };
        context.world.registers.append(RegisterId::Authority(*authority), entry)
    });
    for appended in join_all(lines).await {
        appended?;
    }
    revoke.certificates.iter().map(|(authority, ..)| *authority).collect::<BTreeSet<_>>().iter().for_each(&context.revoked);
    let count = revoke.certificates.len();
    tracing::info!(certificate = %sight.name, count, reason = %revoke.reason, "revoked");
    let serials = revoke.certificates.iter().map(|(_, own, _)| own.serial.to_string()).collect::<Vec<_>>();
    event::revoked(&context.recorder, &sight.certificate, &serials, revoke.reason);
    Ok(())
}

/// Puts certificates on record as to be revoked, since their Certificate goes. Returns the registers that will not take it, with
/// the reason: they must not hold a namespace back.
pub(super) async fn pend(
    context: &Context,
    sight: &Sight,
    certificates: &[OwnCertificate],
) -> Result<BTreeMap<Option<KeyId>, String>, Fault> {
    let lines = certificates.iter().filter_map(|own| {
        let authority = own.authority?;
        let entry = Entry {
            code: code(Reason::CessationOfOperation),
            reason: "the Certificate was deleted with deletionPolicy RevokeAndDelete".to_owned(),
            ..line(Act::Pending, sight, own)
        };
        Some(async move { (authority, context.world.registers.append(RegisterId::Authority(authority), entry).await) })
    });
    let mut refused = BTreeMap::new();
    for (authority, appended) in join_all(lines).await {
        match appended {
            Ok(_) => (context.revoked)(&authority),
            Err(error) if error.waiting_helps() => return Err(Fault::from(error)),
            Err(error) => drop(refused.insert(Some(authority), error.to_string())),
        }
    }
    Ok(refused)
}

fn line(act: Act, sight: &Sight, own: &OwnCertificate) -> Entry {
    Entry {
        serial: Some(own.serial.clone()),
        not_after: Some(own.not_after),
        key_id: own.key_id,
        owner: Some(authority::owner(sight)),
        actor: ACTOR.to_owned(),
        ..Entry::new(act)
    }
}

/// In a line, as on a list, no reason is one that is not given.
fn code(reason: Reason) -> Option<Reason> {
    (reason != Reason::Unspecified).then_some(reason)
}
