//! What a Certificate's own word revokes, and what is said of it.
//!
//! `spec.revocation` means each certificate that the register gave to this Certificate before a time, and the register's time
//! alone counts: a planted Secret or an edited status revokes nothing. What is recorded is not acknowledged before it stands
//! on a published list. Nothing here decides whether a new certificate is made: the checks do, once the register says revoked.

use chancery_pki::{KeyId, Reason};
use jiff::{SignedDuration, Timestamp};

use super::{
    decide::minute,
    list::listed_from,
    observed::{Observed, OwnCertificate},
    renewal::add,
};
use crate::{
    api::{
        CertificateStatus, DeletionPolicy, Wanted, WantedRevocation,
        condition::{self, Finding},
        reason::certificate as reason,
    },
    register::{Revocation, Standing},
};

/// How long a planned revocation waits before it is published, where no list says.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// When it is looked at again whether the clocks are right.
const SKEWED: SignedDuration = SignedDuration::from_secs(30);

/// Certificates that are put on record as revoked.
#[derive(Clone, Debug, PartialEq)]
pub struct Revoke {
    /// Which, and from when on each is on a list; none for at once.
    pub certificates: Vec<(KeyId, OwnCertificate, Option<Timestamp>)>,
    /// Why.
    pub reason: Reason,
    /// Since when the key may have been in other hands.
    pub invalidity_date: Option<Timestamp>,
    /// The `issuedBefore` that asks for it.
    pub before: Timestamp,
}

/// What the status says of revocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The condition `Revoked`; none where nothing was asked and nothing is revoked.
    pub finding: Option<Finding>,
    /// What was asked for.
    pub asked: Option<Asked>,
}

/// An order of a Certificate's spec, as it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its `issuedBefore`: another value is another order.
    pub issued_before: Timestamp,
    /// What was issued before this is revoked; in whole seconds.
    pub effective: Timestamp,
    /// How many certificates that is.
    pub certificates: i64,
}

/// What the spec wants revoked and the register does not have as revoked yet. Nothing while the clocks differ: the register's
/// lines are in time's order.
pub fn due(observed: &Observed<'_>, wanted: &Wanted, now: Timestamp) -> Option<Revoke> {
    let order = wanted.revocation.as_ref().filter(|_| observed.skew.is_none())?;
    let mark = |own: &OwnCertificate| {
        let authority = own.authority.filter(|_| is_unrecorded(own, order) && !is_broken(observed, own))?;
        let grace = observed.history.lists.get(&authority).copied().unwrap_or(GRACE);
        Some((authority, own.clone(), listed_from(order.reason, grace, now)))
    };
    let certificates: Vec<_> = covered(observed, order, now).filter_map(mark).collect();
    (!certificates.is_empty()).then_some(Revoke {
        certificates,
        reason: order.reason,
        invalidity_date: order.invalidity_date,
        before: order.issued_before,
    })
}

/// When to look again because what is to be revoked waits for the clocks.
pub fn again(observed: &Observed<'_>, wanted: &Wanted, now: Timestamp) -> Option<Timestamp> {
    let order = wanted.revocation.as_ref().filter(|_| observed.skew.is_some())?;
    covered(observed, order, now).any(|own| own.authority.is_some() && is_unrecorded(own, order)).then(|| add(now, SKEWED))
}

/// What is to be revoked since its Certificate goes: recorded now, carried out by the authority's list.
pub fn on_deletion(observed: &Observed<'_>) -> Vec<OwnCertificate> {
    going(observed).filter(|own| !is_broken(observed, own)).cloned().collect()
}

/// What should be revoked since its Certificate goes, and cannot be recorded; none where there is nothing of the kind.
pub fn left_behind(observed: &Observed<'_>) -> Option<String> {
    let serials: Vec<String> = going(observed).filter(|own| is_broken(observed, own)).map(|own| own.serial.to_string()).collect();
    (!serials.is_empty()).then(|| {
        format!(
            "serial {} could not be put on record as to be revoked, since the register takes no lines: revoke it by an order on the \
             authority's RevocationList",
            serials.join(", ")
        )
    })
}

fn going<'a>(observed: &'a Observed<'_>) -> impl Iterator<Item = &'a OwnCertificate> {
    let revokes = matches!(observed.wanted, Ok(Wanted { deletion: DeletionPolicy::RevokeAndDelete, .. }));
    observed.history.own.iter().filter(move |own| revokes && own.authority.is_some() && own.standing.is_good())
}

/// What the status says of revocation; none leaves what it says.
pub fn tell(observed: &Observed<'_>, now: Timestamp) -> Option<Told> {
    let wanted = observed.wanted.as_ref().ok()?;
    Some(match &wanted.revocation {
        Some(order) => answer(observed, order, now),
        None => Told { finding: owners_order(observed), asked: None },
    })
}

/// The answer to what the spec asks for.
fn answer(observed: &Observed<'_>, order: &WantedRevocation, now: Timestamp) -> Told {
    let status = observed.certificate.status.as_ref();
    let before = status.and_then(|status| said(status, order));
    let covered: Vec<&OwnCertificate> = covered(observed, order, now).collect();
    let number = i64::try_from(covered.len()).unwrap_or(i64::MAX);
    // Those that have ended since are off the books, and were revoked all the same.
    let certificates = before.map_or(number, |before| number.max(before.certificates));
    // A status has whole seconds. What the register has is exact, so only what it does not have yet must be sure to be meant later.
    let waits = covered.iter().any(|own| own.authority.is_none() || is_unrecorded(own, order));
    let cut = cut(observed, order, now);
    let effective = if waits && second(cut) < cut { add(second(cut), SignedDuration::from_secs(1)) } else { second(cut) };
    let asked = Asked { issued_before: order.issued_before, effective, certificates };
    let done = status.is_some_and(|status| before.is_some() && condition::is_true(&status.conditions, condition::REVOKED));
    Told { finding: Some(find(observed, order, &covered, asked, done)), asked: Some(asked) }
}

fn find(observed: &Observed<'_>, order: &WantedRevocation, covered: &[&OwnCertificate], asked: Asked, done: bool) -> Finding {
    let no = |reason, message: String| Finding::new(condition::REVOKED, false, reason, message);
    let effective = minute_and_second(asked.effective);
    let (mut unlisted, mut waiting, mut shown, mut from) = (None, 0_usize, 0_usize, None::<Timestamp>);
    for own in covered {
        let (Some(authority), Standing::Revoked(revocation)) = (own.authority, &own.standing) else {
            if own.authority.is_none() {
                continue;
            }
            return unrecorded(observed, own, order);
        };
        if own.published {
            shown += 1;
        } else if observed.history.lists.contains_key(&authority) {
            waiting += 1;
            from = from.max((revocation.from > revocation.time).then_some(revocation.from));
        } else {
            unlisted = Some(authority);
        }
    }
    let free = covered.iter().filter(|own| own.authority.is_none()).count();
    if let Some(authority) = unlisted {
        return no(
            reason::NO_REVOCATION_LIST,
            format!(
                "what was issued before {effective} is on record as revoked, and is published when there is a RevocationList for authority {authority}"
            ),
        );
    }
    if waiting > 0 {
        let from = from.map_or_else(String::new, |from| format!(", and will be from {} on", minute(from)));
        let message = format!("of what was issued before {effective}, {waiting} revoked and not on a published list yet{from}");
        return no(reason::AWAITING_PUBLICATION, message);
    }
    if shown > 0 || done {
        let count = asked.certificates.saturating_sub(i64::try_from(free).unwrap_or(i64::MAX)).max(1);
        let rest = if free > 0 { format!("; {free} without an authority cannot be") } else { String::new() };
        let message = format!("{count} issued before {effective} are on their authorities' lists{rest}");
        return Finding::new(condition::REVOKED, true, reason::REVOKED, message);
    }
    if free > 0 {
        let message = "no authority signed what was issued: whoever trusts it must be told to trust it no more".to_owned();
        return no(reason::NOT_REVOCABLE, message);
    }
    no(
        reason::NOTHING_TO_REVOKE,
        format!("the register has nothing of this Certificate that was issued before {effective} and has not ended"),
    )
}

/// Why a certificate that is to be revoked is not on record as such.
fn unrecorded(observed: &Observed<'_>, own: &OwnCertificate, order: &WantedRevocation) -> Finding {
    let no = |reason, message: String| Finding::new(condition::REVOKED, false, reason, message);
    if let Some(why) = observed.history.broken.get(&own.authority) {
        return no(reason::REGISTER_UNAVAILABLE, format!("serial {} cannot be put on record as revoked: {why}", own.serial));
    }
    if observed.skew.is_some() {
        let message = "nothing is recorded while this machine's clock and the API server's differ: set the clocks right".to_owned();
        return no(reason::CLOCK_SKEW, message);
    }
    no(reason::AWAITING_PUBLICATION, format!("serial {} is being put on record as revoked: {}", own.serial, order.reason))
}

/// What somebody else revoked: the owner of the authority, by an order on its list.
fn owners_order(observed: &Observed<'_>) -> Option<Finding> {
    let history = &observed.history;
    let (what, reason, revocation) = match &history.standing {
        Standing::Revoked(revocation) => ("is revoked", reason::REVOKED, revocation),
        Standing::Held(revocation) => ("is on hold", reason::ON_HOLD, revocation),
        Standing::Good | Standing::Released(_) | Standing::Pending(_) => return None,
    };
    let serial = &history.current.as_ref()?.serial;
    if history.published {
        return Some(Finding::new(condition::REVOKED, true, reason, format!("serial {serial} {what}: {}", revocation.reason)));
    }
    let (reason, waits) = match history.authority {
        Some(authority) if history.lists.contains_key(&authority) => (reason::AWAITING_PUBLICATION, "not on a published list yet"),
        _ => (reason::NO_REVOCATION_LIST, "its authority has no RevocationList"),
    };
    Some(Finding::new(condition::REVOKED, false, reason, format!("serial {serial} {what}, and {waits}")))
}

/// The certificates that an order means.
fn covered<'a>(observed: &'a Observed<'_>, order: &'a WantedRevocation, now: Timestamp) -> impl Iterator<Item = &'a OwnCertificate> {
    let cut = cut(observed, order, now);
    observed.history.own.iter().filter(move |own| own.time < cut || acted(own, order).is_some())
}

/// What was issued before this is meant: the time that is asked for, or, where that is yet to come, when it was first seen. Else
/// one that lies ahead would revoke each new certificate up to then.
///
/// When it was first seen, the register tells by what it revoked for this order, and the status. On the first look both are
/// silent: then all that is on record is meant, also where its time is ahead of this clock.
fn cut(observed: &Observed<'_>, order: &WantedRevocation, now: Timestamp) -> Timestamp {
    // Of one that was on hold before, a revocation's time is that of the hold.
    let line = |revocation: &Revocation| if is_planned(revocation.reason) { revocation.time } else { revocation.from };
    let recorded = observed.history.own.iter().filter_map(|own| acted(own, order)).map(line).min();
    let said = observed.certificate.status.as_ref().and_then(|status| said(status, order)).map(|asked| asked.effective);
    let seen = [recorded, said].into_iter().flatten().min().unwrap_or_else(|| {
        let last = observed.history.own.iter().map(|own| add(own.time, SignedDuration::from_millis(1))).max();
        last.map_or(now, |last| last.max(now))
    });
    seen.min(order.issued_before)
}

/// The revocation of a certificate by this order.
fn acted<'a>(own: &'a OwnCertificate, order: &WantedRevocation) -> Option<&'a Revocation> {
    match &own.standing {
        Standing::Revoked(revocation) if revocation.before == Some(order.issued_before) => Some(revocation),
        _ => None,
    }
}

/// What the status says of this very order.
fn said(status: &CertificateStatus, order: &WantedRevocation) -> Option<Asked> {
    // A status keeps whole seconds.
    let said = status.revocation.as_ref().filter(|said| second(said.issued_before.0) == second(order.issued_before))?;
    Some(Asked { issued_before: said.issued_before.0, effective: said.effective_time.0, certificates: said.certificates })
}

/// Whether the register lacks what the order says of a certificate. A revoked one stays as it is, but for a key that turns out to
/// be compromised.
fn is_unrecorded(own: &OwnCertificate, order: &WantedRevocation) -> bool {
    match &own.standing {
        Standing::Good | Standing::Released(_) | Standing::Pending(_) | Standing::Held(_) => true,
        Standing::Revoked(revocation) => order.reason == Reason::KeyCompromise && revocation.reason != Reason::KeyCompromise,
    }
}

fn is_broken(observed: &Observed<'_>, own: &OwnCertificate) -> bool {
    observed.history.broken.contains_key(&own.authority)
}

/// Whether what is revoked for this reason may be used until it is replaced: nobody else has the key.
pub fn is_planned(reason: Reason) -> bool {
    matches!(reason, Reason::AffiliationChanged | Reason::Superseded | Reason::CessationOfOperation)
}

fn second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn minute_and_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
