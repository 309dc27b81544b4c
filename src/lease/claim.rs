//! The election as a pure state machine, after client-go's algorithm: what to do next, given what was seen and when.
//!
//! The Lease's own times are written for people and never compared with a clock. A rival's lease is over when it has
//! not changed for its whole duration by *our* monotonic clock; our own ends, for us, two thirds of a duration after
//! the last successful request was *sent*. So clocks may differ, jump and even run at different speeds (up to half).
//!
//! A Lease that names us and is older than the last that we know was stored has come back with a store that went back in time. It is waited
//! for like a rival's, so that whoever restores the store has that long to take it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use thiserror::Error;

/// How long a lease lasts, and what follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// How long others wait, having seen no renewal, before they take the lease. Whole seconds.
    pub lease: Duration,
    /// How long after sending a successful request the holder still counts as leading: 2/3 of `lease`.
    pub hold: Duration,
    /// The time between two attempts: 2/15 of `lease`, so five renewals are tried before the hold ends.
    pub retry: Duration,
}

impl Terms {
    /// Derives all times from the lease's duration: whole seconds, from 1 s to 1 h.
    pub fn new(lease: Duration) -> Result<Self, TermsError> {
        let whole = lease.subsec_nanos() == 0;
        if !whole || lease < Duration::from_secs(1) || lease > Duration::from_hours(1) {
            return Err(TermsError(lease));
        }
        Ok(Self { lease, hold: lease * 2 / 3, retry: lease * 2 / 15 })
    }

    fn seconds(self) -> i32 {
        i32::try_from(self.lease.as_secs()).unwrap_or(i32::MAX)
    }
}

/// A duration that no lease can have.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a lease must last a whole number of seconds from 1 to 3600, not {} s", .0.as_secs_f64())]
pub struct TermsError(pub Duration);

/// One reading of this process's two clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// Since some fixed point in this process; never goes back.
    pub elapsed: Duration,
    /// The time of day: written into the Lease, and used to notice that the machine was asleep.
    pub wall: Timestamp,
}

/// Until when a process leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hold {
    elapsed: Duration,
    wall: Timestamp,
}

impl Hold {
    fn from(sent: Moment, terms: Terms) -> Self {
        let wall = SignedDuration::try_from(terms.hold).ok().and_then(|hold| sent.wall.checked_add(hold).ok());
        Self { elapsed: sent.elapsed + terms.hold, wall: wall.unwrap_or(Timestamp::MAX) }
    }

    /// Whether the hold still lasts at `now`.
    ///
    /// The monotonic clock stands still while a machine is suspended; the time of day does not. Either ends the hold.
    pub fn lasts(&self, now: Moment) -> bool {
        now.elapsed < self.elapsed && now.wall < self.wall
    }

    /// How much of it is left by the monotonic clock.
    pub fn left(&self, now: Moment) -> Duration {
        self.elapsed.saturating_sub(now.elapsed)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// POST a Lease with this content; report [`Claim::written`], [`Claim::refused`] or [`Claim::failed`].
    Create(LeaseSpec),
    /// GET the Lease; report [`Claim::read`] or [`Claim::failed`].
    Read,
    /// PUT this Lease (it carries uid and resourceVersion); report as for `Create`.
    Replace(Box<Lease>),
    /// Nothing for so long.
    Wait(Duration),
}

/// One process's claim to a lease.
#[derive(Debug)]
pub struct Claim {
    identity: String,
    terms: Terms,
    seen: Seen,
    hold: Option<Hold>,
    /// The last sign of life that we know was stored.
    renewed: Option<MicroTime>,
    /// The last one that we sent.
    sent: Option<MicroTime>,
    todo: Todo,
    /// The Lease may have moved on since it was seen: look before writing.
    unsure: bool,
}

#[derive(Debug)]
enum Seen {
    /// We have not looked yet.
    Nothing,
    /// There is no Lease; if one that another held has vanished, its holder may lead until the time given.
    Absent { taken_until: Option<Duration> },
    /// This Lease, unchanged since.
    Present { lease: Box<Lease>, since: Duration },
}

#[derive(Clone, Copy, Debug)]
enum Todo {
    Decide,
    Read,
    Rest,
    RestUntil(Duration),
}

impl Claim {
    /// A claim that has seen nothing yet. `identity` must be unique to the process, not only to the host.
    pub fn new(identity: String, terms: Terms) -> Self {
        Self { identity, terms, seen: Seen::Nothing, hold: None, renewed: None, sent: None, todo: Todo::Read, unsure: true }
    }

    /// What to do at `now`. `jitter` are random bits: candidates do not knock in step.
    pub fn next(&mut self, now: Moment, jitter: u16) -> Step {
        let leading = self.hold.is_some_and(|hold| hold.lasts(now));
        if let Todo::Rest = self.todo {
            let spread = if leading { Duration::ZERO } else { self.terms.retry * u32::from(jitter) / (2 * u32::from(u16::MAX)) };
            self.todo = Todo::RestUntil(now.elapsed + self.terms.retry + spread);
        }
        if let Todo::RestUntil(end) = self.todo {
            if now.elapsed < end {
                return Step::Wait(end.saturating_sub(now.elapsed));
            }
            // The holder knows the Lease's last version, since it wrote it: no need to look.
            self.todo = if leading && !self.unsure { Todo::Decide } else { Todo::Read };
        }
        match self.todo {
            Todo::Read | Todo::Rest | Todo::RestUntil(_) => Step::Read,
            Todo::Decide => self.decide(now),
        }
    }

    fn decide(&mut self, now: Moment) -> Step {
        match &self.seen {
            Seen::Nothing => Step::Read,
            Seen::Absent { taken_until: Some(end) } if now.elapsed < *end => self.rest(now),
            Seen::Absent { .. } => {
                let spec = self.spec(None, now.wall);
                self.sent.clone_from(&spec.renew_time);
                Step::Create(spec)
            }
            Seen::Present { lease, since } => {
                let spec = lease.spec.as_ref();
                if self.is_rivals(spec) && now.elapsed < *since + self.patience(spec) {
                    return self.rest(now);
                }
                let lease = Lease { metadata: lease.metadata.clone(), spec: Some(self.spec(spec, now.wall)) };
                self.sent = lease.spec.as_ref().and_then(|spec| spec.renew_time.clone());
                Step::Replace(Box::new(lease))
            }
        }
    }

    fn rest(&mut self, now: Moment) -> Step {
        self.todo = Todo::RestUntil(now.elapsed + self.terms.retry);
        Step::Wait(self.terms.retry)
    }

    /// The Lease was read: `None` says that there is none.
    pub fn read(&mut self, lease: Option<Lease>, now: Moment) {
        self.unsure = false;
        self.todo = Todo::Decide;
        let Some(lease) = lease else {
            // Somebody deleted it; the one who held it does not know yet.
            let taken_until = match &self.seen {
                Seen::Nothing => None,
                Seen::Absent { taken_until } => *taken_until,
                Seen::Present { lease, .. } => {
                    let spec = lease.spec.as_ref();
                    self.is_rivals(spec).then(|| now.elapsed + self.patience(spec))
                }
            };
            self.seen = Seen::Absent { taken_until };
            return;
        };
        // What we sent last was stored, though its answer was lost: it is no older one, also where the time of day was set back meanwhile.
        let found =
            lease.spec.as_ref().filter(|spec| holder(Some(*spec)) == Some(&self.identity)).and_then(|spec| spec.renew_time.as_ref());
        if found.is_some() && found == self.sent.as_ref() {
            self.renewed = found.cloned();
        }
        if holder(lease.spec.as_ref()) != Some(&self.identity) || self.is_rivals(lease.spec.as_ref()) {
            self.hold = None;
        }
        // Only what the holder writes counts as a sign of life; a label that somebody adds does not.
        let since = match &self.seen {
            Seen::Present { lease: last, since } if last.spec == lease.spec && last.metadata.uid == lease.metadata.uid => *since,
            _ => now.elapsed,
        };
        self.seen = Seen::Present { lease: Box::new(lease), since };
    }

    /// Our POST or PUT, sent at `sent`, was accepted and `lease` came back.
    pub fn written(&mut self, lease: Lease, sent: Moment, now: Moment) {
        let ours = holder(lease.spec.as_ref()) == Some(&self.identity);
        if ours {
            self.renewed = lease.spec.as_ref().and_then(|spec| spec.renew_time.clone());
        }
        self.read(Some(lease), now);
        if ours {
            self.hold = Some(Hold::from(sent, self.terms));
            self.todo = Todo::Rest;
        }
    }

    /// Our POST or PUT met another version: somebody else wrote.
    pub fn refused(&mut self) {
        self.unsure = true;
        // One who leads looks at once, to step down at once; the others come back at their time.
        self.todo = if self.hold.is_some() { Todo::Read } else { Todo::Rest };
    }

    /// A request failed otherwise; whether it was carried out is unknown.
    pub fn failed(&mut self) {
        self.unsure = true;
        self.todo = Todo::Rest;
    }

    /// Until when we lead, if we do.
    pub fn hold(&self) -> Option<Hold> {
        self.hold
    }

    /// Gives the claim up. Returns the Lease to PUT, so that others need not wait, where we know ourselves its holder. One that has come back
    /// with its store is left to run out: whoever restores the store needs that time.
    pub fn release(&mut self, wall: Timestamp) -> Option<Lease> {
        self.hold = None;
        let Seen::Present { lease, .. } = &self.seen else { return None };
        let spec = lease.spec.as_ref().filter(|spec| holder(Some(*spec)) == Some(&self.identity) && !self.is_rivals(Some(*spec)))?;
        let spec = LeaseSpec {
            holder_identity: None,
            lease_duration_seconds: Some(1),
            acquire_time: Some(MicroTime(wall)),
            renew_time: Some(MicroTime(wall)),
            ..spec.clone()
        };
        Some(Lease { metadata: lease.metadata.clone(), spec: Some(spec) })
    }

    /// Whether another holds it, or we did before the store went back in time.
    fn is_rivals(&self, spec: Option<&LeaseSpec>) -> bool {
        let Some(holder) = holder(spec) else { return false };
        let stored = spec.and_then(|spec| spec.renew_time.as_ref());
        holder != self.identity || (self.renewed.is_some() && stored < self.renewed.as_ref())
    }

    /// The longer of the holder's duration and ours: replicas may be configured differently for a while.
    fn patience(&self, spec: Option<&LeaseSpec>) -> Duration {
        let theirs = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        self.terms.lease.max(Duration::from_secs(u64::try_from(theirs).unwrap_or(0).min(3600)))
    }

    fn spec(&self, last: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let now = Some(MicroTime(sign_of_life(last, wall)));
        let (acquire_time, lease_transitions) = match last {
            Some(last) if holder(Some(last)) == Some(&self.identity) => {
                (last.acquire_time.clone().or_else(|| now.clone()), last.lease_transitions)
            }
            Some(last) => (now.clone(), Some(last.lease_transitions.unwrap_or(0).saturating_add(1))),
            None => (now.clone(), Some(0)),
        };
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.terms.seconds()),
            acquire_time,
            renew_time: now,
            lease_transitions,
            ..last.cloned().unwrap_or_default()
        }
    }
}

/// The time of day, to the microsecond as it is stored; never the time of the last renewal again, since rivals look for
/// a change, and a clock that stands still must not cost us the lease.
fn sign_of_life(last: Option<&LeaseSpec>, wall: Timestamp) -> Timestamp {
    let micros = |time: Timestamp| Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    let renewed = last.and_then(|last| last.renew_time.as_ref()).map(|time| micros(time.0));
    let now = micros(wall);
    if renewed == Some(now) { now.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN) } else { now }
}

fn holder(spec: Option<&LeaseSpec>) -> Option<&str> {
    spec?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

#[cfg(test)]
mod tests;
