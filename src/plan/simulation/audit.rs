//! What must hold of each step, whatever befell the world.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt,
};

use chancery_pki::{Certificate as X509, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use super::world::World;
use crate::{
    api::{condition, reason::certificate as reason},
    plan::{
        budget,
        renewal::{TOLERANCE, add},
        stage::Done,
    },
    register::Standing,
};

/// What is certain to be enough for one more attempt: a wake, a crash and its restart.
const SLACK: SignedDuration = SignedDuration::from_mins(10);

/// A span in which an issuer could sign for all who asked.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Timestamp,
    to: Option<Timestamp>,
    /// The end of what it signs.
    chain_end: Timestamp,
}

/// The books of the simulation.
#[derive(Debug)]
pub(super) struct Audit {
    windows: Vec<Vec<Window>>,
    /// Which certificates were replaced, and why.
    replaced: HashSet<(SerialNumber, &'static str)>,
    /// How often something happened that is a reason for one new certificate.
    causes: HashMap<(usize, &'static str), usize>,
    edits: HashMap<usize, usize>,
    crashes: HashMap<usize, usize>,
    issued: HashMap<(usize, &'static str), usize>,
    /// How often somebody asked for a revocation, and how often certificates were put on record as revoked.
    orders: HashMap<usize, (usize, usize)>,
    following: VecDeque<(Timestamp, usize)>,
    jump: (Timestamp, SignedDuration),
    looks: usize,
    failures: usize,
    secret_writes: usize,
    status_writes: usize,
    expired: usize,
}

impl Audit {
    pub(super) fn new(offices: usize) -> Self {
        Self {
            windows: vec![Vec::new(); offices],
            replaced: HashSet::new(),
            causes: HashMap::new(),
            edits: HashMap::new(),
            crashes: HashMap::new(),
            issued: HashMap::new(),
            orders: HashMap::new(),
            following: VecDeque::new(),
            jump: (Timestamp::UNIX_EPOCH, SignedDuration::ZERO),
            looks: 0,
            failures: 0,
            secret_writes: 0,
            status_writes: 0,
            expired: 0,
        }
    }

    /// There is a reason for one new certificate.
    pub(super) fn count(&mut self, desk: usize, reason: &'static str) {
        *self.causes.entry((desk, reason)).or_default() += 1;
    }

    /// Somebody asked for what was issued so far to be revoked.
    pub(super) fn ordered(&mut self, desk: usize) {
        self.orders.entry(desk).or_default().0 += 1;
        self.count(desk, reason::REVOKED);
    }

    /// Somebody changed a Certificate.
    pub(super) fn edited(&mut self, desk: usize) {
        *self.edits.entry(desk).or_default() += 1;
    }

    /// The process died while it issued for this Certificate.
    pub(super) fn crashed(&mut self, desk: usize) {
        *self.crashes.entry(desk).or_default() += 1;
    }

    /// The operator's clock jumped.
    pub(super) fn jumped(&mut self, now: Timestamp, by: SignedDuration) {
        self.jump = (now, by.abs());
    }

    /// Who can sign from now on.
    pub(super) fn note(world: &mut World) {
        for (number, office) in world.offices.iter().enumerate() {
            let able = world.runs && world.off.abs() <= TOLERANCE && !office.fails && office.view.backing.is_ok();
            let chain_end = office.authority().map_or(Timestamp::MAX, |authority| authority.chain.not_after());
            let windows = &mut world.audit.windows[number];
            let open = windows.last().copied().filter(|window| window.to.is_none());
            if open.is_some_and(|open| able && open.chain_end == chain_end) {
                continue;
            }
            if let Some(last) = windows.last_mut().filter(|_| open.is_some()) {
                last.to = Some(world.now);
            }
            if able {
                windows.push(Window { from: world.now, to: None, chain_end });
            }
        }
    }

    /// A certificate has ended. If it is still what the Secret holds, it could not have been renewed.
    pub(super) fn ended(world: &mut World, desk: usize, serial: &SerialNumber) {
        let place = &world.desks[desk];
        let Some(leaf) = place.desk.leaf().filter(|leaf| leaf.serial() == serial) else {
            return;
        };
        // What is on hold is not renewed.
        if place.desk.current().is_some_and(|line| matches!(line.standing, Standing::Held(_))) {
            return;
        }
        let end = leaf.not_after();
        let status = place.desk.certificate.status.clone().unwrap_or_default();
        let lifetime = end.duration_since(leaf.not_before());
        // Whatever was asked for, in the last tenth of its life it was due.
        let due = add(end, -SignedDuration::from_secs(lifetime.as_secs() / 10)).max(place.since);
        for window in &world.audit.windows[place.office] {
            let from = window.from.max(due);
            let to = window.to.unwrap_or(world.now).min(end);
            let left = end.duration_since(from);
            let needed = SignedDuration::from_secs(left.as_secs() / 2).min(SignedDuration::from_hours(32)) + SLACK;
            // Who waits for windows may miss what was open in between; but not all of it.
            let passed_over = place.desk.has_windows() && (window.from > due || to < end);
            assert!(
                passed_over || window.chain_end <= end || to.duration_since(from) < needed || left < needed,
                "{} expired at {end}, and its issuer could have signed from {from} to {to}; {status:#?}",
                place.name
            );
        }
        world.audit.expired += 1;
    }

    /// What a reconcile did.
    pub(super) fn looked(world: &mut World, desk: usize, before: Option<&X509>, held: bool, done: &Done) {
        let (now, clock) = (world.now, world.clock());
        let place = &world.desks[desk];
        let office = &world.offices[place.office];
        let able = world.off.abs() <= TOLERANCE && !office.fails && office.view.backing.is_ok();
        let revoked = place.desk.current().is_some_and(|line| matches!(line.standing, Standing::Revoked(_)));
        assert!(!revoked || !able || done.crashed, "{} is revoked and was not replaced", place.name);
        let asked = place.desk.wanted.as_ref().is_ok_and(|wanted| wanted.revocation.is_some());
        assert!(!held || done.issued.is_empty() || (asked && done.revoked > 0), "{} was replaced while it was on hold", place.name);
        if done.issued.contains(&reason::REVOKED)
            && let (Some(before), Some(leaf)) = (before, place.desk.leaf())
        {
            assert_ne!(before.key_id(), leaf.key_id(), "{} has the key of what was revoked", place.name);
        }
        if done.issued.contains(&reason::RENEWAL_DUE)
            && place.desk.has_windows()
            && let Some(before) = before
        {
            let schedule = &place.desk.wanted.as_ref().unwrap().schedule;
            let in_time = schedule.is_open(clock) || schedule.next(clock, before.not_after()).is_none();
            assert!(in_time && !schedule.disabled, "{} was renewed at {clock}, when no window was open", place.name);
        }
        let audit = &mut world.audit;
        audit.looks += 1;
        audit.failures += usize::from(done.failed);
        audit.orders.entry(desk).or_default().1 += usize::from(done.revoked > 0);
        audit.secret_writes += done.secret_writes;
        audit.status_writes += done.status_writes;
        for reason in &done.issued {
            *audit.issued.entry((desk, reason)).or_default() += 1;
            if let Some(before) = before {
                assert!(audit.replaced.insert((before.serial().clone(), reason)), "{} was replaced twice: {reason}", place.name);
            }
            if *reason == reason::AUTHORITY_CHANGED {
                audit.following.push_back((now, place.office));
            }
        }
        while audit.following.front().is_some_and(|(at, _)| *at <= now - SignedDuration::from_mins(1)) {
            audit.following.pop_front();
        }
        let following = audit.following.iter().filter(|(_, office)| *office == place.office).count();
        let jumped = if now.duration_since(audit.jump.0) < SignedDuration::from_hours(1) { audit.jump.1.as_secs() } else { 0 };
        assert!(following <= 60 + usize::try_from(jumped).unwrap(), "{following} followed their authority within a minute");
        let recent = place.desk.lines.iter().rev().filter(|line| !line.voided && line.recorded.reason != reason::CREATED);
        let recent = recent.take_while(|line| line.recorded.time > add(clock, -budget::WINDOW)).count();
        assert!(recent <= budget::PER_CERTIFICATE, "{} was issued {recent} times within an hour", place.name);
    }

    /// What must hold in the end.
    pub(super) fn close(&self, world: &World) {
        for (desk, place) in world.desks.iter().enumerate() {
            let issued = |reason| self.issued.get(&(desk, reason)).copied().unwrap_or(0);
            let crashes = self.crashes.get(&desk).copied().unwrap_or(0);
            let edits = self.edits.get(&desk).copied().unwrap_or(0);
            let name = &place.name;
            assert!(issued(reason::CREATED) <= 1 + crashes, "{name}");
            let undelivered = issued(reason::NOT_CURRENT) + issued(reason::NOT_DELIVERED);
            assert!(undelivered <= crashes, "{name}: {undelivered} were not delivered");
            let deleted = self.causes.get(&(desk, reason::SECRET_MISSING)).copied().unwrap_or(0);
            assert!(issued(reason::SECRET_MISSING) <= deleted + crashes, "{name}");
            let revocations = self.causes.get(&(desk, reason::REVOKED)).copied().unwrap_or(0);
            assert!(issued(reason::REVOKED) <= revocations + crashes, "{name}: {} for {revocations}", issued(reason::REVOKED));
            let (orders, acts) = self.orders.get(&desk).copied().unwrap_or_default();
            assert!(acts <= orders + crashes, "{name}: {orders} orders acted {acts} times");
            assert_eq!(issued(reason::ON_HOLD) + issued(reason::KEY_BLOCKED), 0, "{name}");
            let by_people: usize = [
                reason::NAMES_CHANGED,
                reason::SUBJECT_CHANGED,
                reason::USAGES_CHANGED,
                reason::KEY_CHANGED,
                reason::DURATION_CHANGED,
                reason::ISSUER_CHANGED,
                reason::RENEW_REQUESTED,
            ]
            .into_iter()
            .map(issued)
            .sum();
            assert!(by_people <= edits + crashes, "{name}: {by_people} for {edits} edits");
            for never in [reason::SECRET_UNREADABLE, reason::KEY_MISMATCH, reason::FOUND] {
                assert_eq!(issued(never), 0, "{name}: {never}");
            }
            let office = &world.offices[place.office];
            let lasts = office.authority().is_none_or(|authority| authority.chain.not_after() > add(world.now, SLACK));
            let able = world.runs && !office.fails && office.view.backing.is_ok() && lasts;
            let status = place.desk.certificate.status.clone().unwrap_or_default();
            let ready = condition::is_true(&status.conditions, condition::READY);
            assert!(ready || !able || crashes > 0 || place.desk.is_held(world.now), "{name} is not ready in the end: {status:#?}");
        }
        let issued: usize = self.issued.values().sum();
        assert!(self.looks < 20 * issued + 300 * world.desks.len(), "{} looks for {issued} certificates", self.looks);
        assert!(self.status_writes < 4 * issued + 100 * world.desks.len(), "{} status writes", self.status_writes);
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons = BTreeMap::<&str, usize>::new();
        for ((_, reason), count) in &self.issued {
            *reasons.entry(reason).or_default() += count;
        }
        write!(
            formatter,
            "{} looks, {} failed attempts, {} crashes, {} expired, {} Secret writes, {} status writes, issued: {reasons:?}",
            self.looks,
            self.failures,
            self.crashes.values().sum::<usize>(),
            self.expired,
            self.secret_writes,
            self.status_writes
        )
    }
}
