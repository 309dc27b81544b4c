//! What one authority has issued and revoked: every certificate that has not ended long ago, and how it stands.
//!
//! Filled line by line, in the order of the register. It decides nothing: which of it stands on a list is `lists`' business.

use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeBounds,
    sync::Arc,
};

use chancery_pki::{CrlNumber, KeyId, Reason, SerialNumber};
use jiff::Timestamp;

use crate::plan::renewal::BACKDATE;
use crate::register::{
    line::{Act, Entry, Line, Owner},
    trim::KEPT,
};

/// The reason on the line of a revocation that had waited for its list, and was carried out though no person ordered or confirmed it.
/// Those are counted by it.
pub const UNASKED: &str = "asked for automatically";

/// The certificates of one register.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    certificates: HashMap<SerialNumber, Known>,
    /// The serials that are revoked or on hold, so that a list need not look through all.
    listed: BTreeSet<SerialNumber>,
    /// The serials whose revocation waits.
    pending: BTreeSet<SerialNumber>,
    /// What is on record of published lists.
    published: Option<Numbered>,
}

/// The numbers that were given out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Numbered {
    /// The highest.
    number: CrlNumber,
    /// The line that gave it out first.
    sequence: u64,
    /// When the last was given out.
    time: Timestamp,
}

/// What is on record of a certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The end of its validity; none for one that was revoked and is not on record otherwise.
    pub not_after: Option<Timestamp>,
    /// Its key.
    pub key_id: Option<KeyId>,
    /// Whose it is.
    pub owner: Option<Arc<Owner>>,
    /// When it was recorded as issued or imported.
    pub issued: Option<Timestamp>,
    /// Whether it is revoked.
    pub standing: Standing,
}

/// Whether a certificate is revoked.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Standing {
    /// It is not.
    #[default]
    Good,
    /// It was on hold, and is not any more.
    Released(Box<Revocation>),
    /// Its revocation is asked for, and waits for its list.
    Pending(Box<Revocation>),
    /// It is on hold.
    Held(Box<Revocation>),
    /// It is revoked for good.
    Revoked(Box<Revocation>),
}

/// A revocation, a hold or a release, as its line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When that was recorded first; of one that was taken back from a published list, what stood there.
    pub time: Timestamp,
    /// The revocationDate that lists and answers show: as early before it was recorded as a list's thisUpdate is before its making, since
    /// a list may not tell of what is later than it. Not before 1970, which no list can say.
    pub date: Timestamp,
    /// Why.
    pub reason: Reason,
    /// When the key is known or believed to have become unsafe. Not before 1970.
    pub invalidity_date: Option<Timestamp>,
    /// It stands on no list before this time.
    pub from: Timestamp,
    /// The line that says so.
    pub sequence: u64,
    /// Everything issued before this was to be revoked; none where it was asked for otherwise.
    pub before: Option<Timestamp>,
    /// When it was carried out, where no person ordered or confirmed it: its line's reason is [`UNASKED`].
    pub automatic: Option<Timestamp>,
}

impl Known {
    /// The revocation that a list made at `now` shows; none for a certificate that it does not show.
    pub fn on_list(&self, now: Timestamp) -> Option<&Revocation> {
        self.standing.revocation().filter(|revocation| revocation.from <= now)
    }

    /// Whether it has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.not_after.is_some_and(|not_after| not_after < now)
    }
}

impl Standing {
    /// The revocation or the hold that is in force, be it on a list yet or not.
    pub fn revocation(&self) -> Option<&Revocation> {
        match self {
            Self::Held(revocation) | Self::Revoked(revocation) => Some(revocation),
            Self::Good | Self::Released(_) | Self::Pending(_) => None,
        }
    }

    /// Whether nothing speaks against the certificate, now or soon.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good | Self::Released(_))
    }
}

impl Ledger {
    /// What is on record of a certificate.
    pub fn get(&self, serial: &SerialNumber) -> Option<&Known> {
        self.certificates.get(serial)
    }

    /// How many certificates are on record.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// All certificates, in no order.
    pub fn certificates(&self) -> impl Iterator<Item = (&SerialNumber, &Known)> {
        self.certificates.iter()
    }

    /// Those that are revoked or on hold, by ascending serial, with what says so.
    pub fn revoked(&self) -> impl Iterator<Item = (&SerialNumber, &Known, &Revocation)> {
        self.revoked_in(..)
    }

    /// Those of them whose serials lie within.
    pub fn revoked_in(&self, serials: impl RangeBounds<SerialNumber>) -> impl Iterator<Item = (&SerialNumber, &Known, &Revocation)> {
        self.listed.range(serials).filter_map(|serial| {
            let known = self.certificates.get(serial)?;
            Some((serial, known, known.standing.revocation()?))
        })
    }

    /// Those whose revocation waits, by ascending serial.
    pub fn pending(&self) -> impl Iterator<Item = (&SerialNumber, &Known, &Revocation)> {
        self.pending.iter().filter_map(|serial| match self.certificates.get(serial) {
            Some(known @ Known { standing: Standing::Pending(revocation), .. }) => Some((serial, known, &**revocation)),
            _ => None,
        })
    }

    /// The certificates of a key. Looks through all there are.
    pub fn by_key(&self, key: &KeyId) -> Vec<SerialNumber> {
        self.certificates.iter().filter(|(_, known)| known.key_id.as_ref() == Some(key)).map(|(serial, _)| serial.clone()).collect()
    }

    /// The number of the last list that was, or was about to be, published.
    pub fn last_number(&self) -> Option<CrlNumber> {
        self.published.map(|published| published.number)
    }

    /// Whether this line gave out its list's number first, and no higher one was given out. If not, another was about to publish
    /// who was not known here, and the list must not be published under that number.
    pub fn gave_out(&self, line: &Line) -> bool {
        self.published.is_some_and(|published| published.sequence == line.sequence)
    }

    pub(in crate::register) fn apply(&mut self, line: &Line, owner: Option<Arc<Owner>>) {
        let (entry, happened) = (&line.entry, line.happened());
        if entry.act == Act::Published {
            let Some(number) = entry.number else { return };
            let new = Numbered { number, sequence: line.sequence, time: line.time };
            self.published = match self.published {
                Some(last) if last.number >= number => Some(Numbered { time: line.time, ..last }),
                _ => Some(new),
            };
            return;
        }
        let Some(serial) = &entry.serial else { return };
        match entry.act {
            Act::Issued | Act::Imported => {
                let known = self.certificates.entry(serial.clone()).or_insert_with(Known::unknown);
                known.not_after = entry.not_after;
                known.key_id = entry.key_id;
                known.owner = owner;
                known.issued = Some(happened);
            }
            Act::Voided => {
                if self.certificates.get(serial).is_some_and(|known| known.standing.revocation().is_none()) {
                    self.certificates.remove(serial);
                    self.pending.remove(serial);
                }
            }
            Act::Pending | Act::Held | Act::Revoked | Act::Released => {
                let known = self.certificates.entry(serial.clone()).or_insert_with(|| Known::of(entry, owner));
                known.stand(line);
                set(&mut self.listed, serial, known.standing.revocation().is_some());
                set(&mut self.pending, serial, matches!(known.standing, Standing::Pending(_)));
            }
            Act::Blocked | Act::Published | Act::Made | Act::Copied | Act::Retired | Act::Destroyed | Act::Refused | Act::Unknown => {}
        }
    }

    /// Forgets what ended long ago. What is revoked stays until a list was published after its end (RFC 5280 section 3.3).
    pub(super) fn prune(&mut self, now: Timestamp) {
        let published = self.published.map_or(Timestamp::MIN, |published| published.time);
        let listed = &mut self.listed;
        let pending = &mut self.pending;
        self.certificates.retain(|serial, known| {
            let Some(not_after) = known.not_after else { return true };
            let ended = not_after.checked_add(KEPT).is_ok_and(|end| end < now);
            let stays = !ended || (known.standing.revocation().is_some() && published <= not_after);
            if !stays {
                listed.remove(serial);
                pending.remove(serial);
            }
            stays
        });
    }

    /// Whether there is nothing in it that could be asked for.
    pub(super) fn is_spent(&self) -> bool {
        self.certificates.is_empty() && self.published.is_none()
    }
}

impl Known {
    fn unknown() -> Self {
        Self { not_after: None, key_id: None, owner: None, issued: None, standing: Standing::Good }
    }

    /// What the line of a revocation says of a certificate that was issued elsewhere.
    fn of(entry: &Entry, owner: Option<Arc<Owner>>) -> Self {
        Self { not_after: entry.not_after, key_id: entry.key_id, owner, ..Self::unknown() }
    }

    fn stand(&mut self, line: &Line) {
        let (entry, happened) = (&line.entry, line.happened());
        // It stays what it was when its reason becomes another.
        let counted = self.standing.revocation().and_then(|revocation| revocation.automatic);
        let automatic = if entry.act == Act::Revoked && entry.reason == UNASKED { Some(happened) } else { counted };
        // What is on a list does not leave it to come back later for another reason.
        let shown = self.standing.revocation().map_or(Timestamp::MAX, |revocation| revocation.from);
        let revocation = |reason: Reason, (time, date): (Timestamp, Timestamp)| {
            Box::new(Revocation {
                time,
                date: listable(date),
                reason,
                invalidity_date: entry.invalidity_date.map(listable),
                from: entry.from.unwrap_or(happened).min(shown),
                sequence: line.sequence,
                before: entry.before,
                automatic,
            })
        };
        // A release is no reason to revoke: lists and answers would call it one.
        let code = entry.code.filter(|code| *code != Reason::RemoveFromCrl).unwrap_or_default();
        // One that is taken back from a list that was published once keeps the date that stood there.
        let now = (happened, happened.checked_sub(BACKDATE).unwrap_or(happened));
        let dated = entry.from.filter(|from| *from < happened).map_or(now, |from| (from, from));
        // A list that was published says since when; that never changes.
        let since = self.standing.revocation().map(|revocation| (revocation.time, revocation.date));
        let standing = match (entry.act, &self.standing) {
            (Act::Pending, Standing::Good | Standing::Released(_)) => Standing::Pending(revocation(code, now)),
            (Act::Held, Standing::Good | Standing::Released(_) | Standing::Pending(_)) => {
                Standing::Held(revocation(Reason::CertificateHold, dated))
            }
            (Act::Revoked, Standing::Revoked(_)) if code != Reason::KeyCompromise => return,
            (Act::Revoked, _) => Standing::Revoked(revocation(code, since.unwrap_or(dated))),
            (Act::Released, Standing::Held(_)) => Standing::Released(revocation(Reason::RemoveFromCrl, now)),
            _ => return,
        };
        self.standing = standing;
    }
}

/// A ledger of these entries, each written at its time, for the tests of those who read ledgers.
#[cfg(test)]
pub(crate) fn test_ledger(entries: impl Iterator<Item = (Timestamp, Entry)>) -> Ledger {
    let mut ledger = Ledger::default();
    for (sequence, (time, entry)) in (1..).zip(entries) {
        let owner = entry.owner.clone().map(Arc::new);
        ledger.apply(&Line { sequence, time, previous: crate::register::NO_LINE.to_owned(), entry }, owner);
    }
    ledger
}

/// The time as a list can say it. One that no list can hold would leave the authority without lists for as long as its line stands.
fn listable(time: Timestamp) -> Timestamp {
    time.max(Timestamp::UNIX_EPOCH)
}

fn set(serials: &mut BTreeSet<SerialNumber>, serial: &SerialNumber, stands: bool) {
    if stands {
        serials.insert(serial.clone());
    } else {
        serials.remove(serial);
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
