//! How many of the revocations that nobody ordered by hand are carried out now: a mistake that deletes a thousand Certificates must
//! not revoke a thousand certificates before a person has seen it.

use chancery_pki::SerialNumber;
use jiff::{SignedDuration, Timestamp};

use super::super::renewal::add;
use crate::register::{Act, Entry, Ledger, Owner, Revocation, UNASKED};

/// The reason on the lines of those that a person has confirmed: they leave no less room for others.
const CONFIRMED: &str = "asked for automatically, and confirmed";

/// Within which time they are counted.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What the list's owner allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many within [`WINDOW`].
    pub most: u32,
    /// Those that were asked for before this are carried out, however many.
    pub confirmed_before: Option<Timestamp>,
}

/// What is carried out, and what waits.
#[derive(Debug, Default)]
pub struct Carried {
    /// The lines to be written.
    pub entries: Vec<Entry>,
    /// How many wait for a person, or for the next window.
    pub waiting: usize,
    /// When the first of them was asked for.
    pub oldest: Option<Timestamp>,
    /// When there is room again.
    pub again: Option<Timestamp>,
}

/// Decides which of the pending revocations are carried out: the oldest first, as many as there is room for.
pub fn carry_out(ledger: &Ledger, limits: Limits, actor: &str, now: Timestamp) -> Carried {
    let since = add(now, -WINDOW);
    let mut recent: Vec<Timestamp> =
        ledger.revoked().filter_map(|(_, _, revocation)| revocation.automatic).filter(|time| *time > since).collect();
    recent.sort_unstable();
    let mut room = usize::try_from(limits.most).unwrap_or(usize::MAX).saturating_sub(recent.len());
    let mut pending: Vec<_> = ledger.pending().filter(|(_, known, _)| !known.has_ended(now)).collect();
    pending.sort_by_key(|(serial, _, revocation)| (revocation.time, *serial));
    let mut carried = Carried::default();
    for (serial, known, revocation) in pending {
        let confirmed = limits.confirmed_before.is_some_and(|before| revocation.time < before);
        if !confirmed && room == 0 {
            carried.waiting += 1;
            carried.oldest.get_or_insert(revocation.time);
            continue;
        }
        if !confirmed {
            room -= 1;
        }
        let asked = entry(serial, known.not_after, known.key_id, known.owner.as_deref(), revocation, actor);
        carried.entries.push(Entry {
            reason: if confirmed { CONFIRMED } else { UNASKED }.to_owned(),
            from: (revocation.from > now).then_some(revocation.from),
            ..asked
        });
    }
    if carried.waiting > 0 {
        // The room may be taken by those of now. Where nothing at all is allowed, only a person helps.
        recent.extend((limits.most > 0).then_some(now));
        carried.again = recent.first().map(|first| add(*first, WINDOW));
    }
    carried
}

fn entry(
    serial: &SerialNumber,
    not_after: Option<Timestamp>,
    key_id: Option<chancery_pki::KeyId>,
    owner: Option<&Owner>,
    asked: &Revocation,
    actor: &str,
) -> Entry {
    Entry {
        serial: Some(serial.clone()),
        not_after,
        key_id,
        owner: owner.cloned(),
        actor: actor.to_owned(),
        code: Some(asked.reason),
        invalidity_date: asked.invalidity_date,
        ..Entry::new(Act::Revoked)
    }
}
