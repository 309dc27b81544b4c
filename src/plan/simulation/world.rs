//! The world of the simulation, and its loop.
//!
//! What befalls it stands in `event`; nothing is asserted here but that time goes on and wakes lie ahead.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use jiff::{SignedDuration, Timestamp};

use super::{audit::Audit, chance::Chance, event::Event};
use crate::{
    api::{OnAuthorityChange, reason},
    issuers::Book,
    observe::Name,
    plan::{
        budget,
        renewal::{TOLERANCE, add},
        stage::{Crash, Desk, Listed, Office, Surroundings},
    },
};

/// A Certificate in the world.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) desk: Desk,
    pub(super) office: usize,
    /// When it is looked at again, by the operator's clock, and the number of that wish.
    wake: Option<Timestamp>,
    pub(super) wish: u64,
    /// When somebody last changed what is asked for.
    pub(super) since: Timestamp,
    pub(super) name: Name,
}

/// A wish or a fate: what comes first goes first, and of one moment what was said first.
type Entry = Reverse<(Timestamp, u64)>;

/// The world.
#[derive(Debug)]
pub(super) struct World {
    /// The API server's clock, which is right.
    pub(super) now: Timestamp,
    /// How far the operator's clock is ahead.
    pub(super) off: SignedDuration,
    pub(super) offices: Vec<Office>,
    pub(super) desks: Vec<Place>,
    pub(super) chance: Chance,
    pub(super) audit: Audit,
    pub(super) runs: bool,
    book: Book,
    reissues: BTreeMap<std::sync::Arc<str>, VecDeque<Timestamp>>,
    order: BinaryHeap<Entry>,
    events: BTreeMap<u64, Event>,
    said: u64,
}

impl World {
    pub(super) fn new(begin: Timestamp, offices: Vec<Office>, desks: Vec<(Desk, usize)>, chance: Chance) -> Self {
        let place = |(desk, office): (Desk, usize)| {
            let metadata = &desk.certificate.metadata;
            let name = Name::new(metadata.namespace.as_deref().unwrap(), metadata.name.as_deref().unwrap());
            Place { desk, office, wake: None, wish: 0, since: begin, name }
        };
        let mut world = Self {
            now: begin,
            off: SignedDuration::ZERO,
            audit: Audit::new(offices.len()),
            offices,
            desks: desks.into_iter().map(place).collect(),
            chance,
            runs: false,
            book: Book::default(),
            reissues: BTreeMap::new(),
            order: BinaryHeap::new(),
            events: BTreeMap::new(),
            said: 0,
        };
        world.at(begin, Event::Start);
        for office in 0..world.offices.len() {
            world.ends(office);
        }
        world
    }

    /// Something will happen.
    pub(super) fn at(&mut self, time: Timestamp, event: Event) {
        self.said += 1;
        self.order.push(Reverse((time, self.said)));
        self.events.insert(self.said, event);
    }

    /// The operator's time.
    pub(super) fn clock(&self) -> Timestamp {
        self.now + self.off
    }

    pub(super) fn run(&mut self, until: Timestamp) {
        while let Some(Reverse((time, number))) = self.order.pop() {
            if time > until {
                return;
            }
            assert!(time >= self.now);
            self.now = time;
            let event = self.events.remove(&number).unwrap();
            self.happen(event);
        }
    }

    /// A watch shows a change.
    pub(super) fn soon(&mut self, desk: usize) {
        self.desks[desk].wake = Some(self.clock());
        self.wish(desk);
    }

    pub(super) fn wish(&mut self, desk: usize) {
        let place = &mut self.desks[desk];
        place.wish += 1;
        if let Some(wake) = place.wake {
            let event = Event::Look(desk, place.wish);
            self.at((wake - self.off).max(self.now), event);
        }
    }

    pub(super) fn ends(&mut self, office: usize) {
        if let Some(seal) = &self.offices[office].seal {
            let end = seal.view.chain.not_after();
            self.at(add(end, SignedDuration::from_secs(1)), Event::Ended(office));
        }
    }

    /// An issuer's own reconcile: ready, or its chain has ended.
    pub(super) fn judge(&mut self, office: usize) {
        let ended = self.offices[office].seal.as_ref().is_some_and(|seal| seal.view.chain.not_after() < self.now);
        if ended {
            self.offices[office].close(reason::issuer::EXPIRED, "a certificate of its chain expired");
        } else {
            self.offices[office].open();
        }
        self.changed(office);
    }

    /// An issuer wakes its Certificates, as the controllers do.
    pub(super) fn changed(&mut self, office: usize) {
        if !self.runs {
            return;
        }
        self.line_up(office);
        for desk in 0..self.desks.len() {
            if self.desks[desk].office != office {
                continue;
            }
            let status = self.desks[desk].desk.certificate.status.as_ref();
            if status.is_some_and(|status| status.failed_issuance_attempts.is_some()) {
                self.desks[desk].desk.issuer_changed = true;
            }
            self.soon(desk);
        }
    }

    fn line_up(&self, office: usize) {
        let (own, office) = (office, &self.offices[office]);
        let follows = office.view.spec.as_ref().is_some_and(|spec| spec.defaults.on_authority_change == OnAuthorityChange::Reissue);
        if !follows {
            return;
        }
        let authority = office.authority().map(|authority| authority.key_id.to_string());
        let status = |place: &&Place| place.desk.certificate.status.clone().unwrap_or_default();
        let mut behind: Vec<&Place> = self
            .desks
            .iter()
            .filter(|place| place.office == own)
            .filter(|place| status(place).authority.is_some_and(|held| Some(held) != authority))
            .collect();
        behind.sort_by_key(|place| status(place).not_after.map(|end| end.0));
        self.book.line_up(&office.view.key, behind.into_iter().map(|place| place.name.clone()), self.clock());
    }

    pub(super) fn stop(&mut self) {
        self.runs = false;
        self.book.clear();
        for place in &mut self.desks {
            place.desk.issuer_changed = false;
            place.wake = None;
            place.wish += 1;
        }
    }

    pub(super) fn start(&mut self) {
        if std::mem::replace(&mut self.runs, true) {
            return;
        }
        for office in 0..self.offices.len() {
            self.line_up(office);
        }
        for desk in 0..self.desks.len() {
            self.soon(desk);
        }
    }

    pub(super) fn look(&mut self, number: usize) {
        let now = self.clock();
        let crash = match self.chance.between(0, 3000) {
            0 => Some(Crash::AfterLine),
            1 => Some(Crash::AfterSecret),
            2..300 => Some(Crash::BetweenRevocations),
            _ => None,
        };
        let place = &mut self.desks[number];
        let office = &self.offices[place.office];
        let spent = self.reissues.entry(place.name.namespace.clone()).or_default();
        while spent.front().is_some_and(|first| *first < add(now, -budget::WINDOW)) {
            spent.pop_front();
        }
        let around = Surroundings {
            skew: (self.off.abs() > TOLERANCE).then_some(self.off),
            turn: self.book.turn(&office.view.key, &place.name),
            in_namespace: (spent.len(), spent.front().copied()),
            lists: office.authority().map(|authority| (authority.key_id, hourly(now))).into_iter().collect(),
            ..Surroundings::of(office)
        };
        let before = place.desk.leaf().cloned();
        let held = place.desk.is_held(now);
        let done = place.desk.reconcile(&around, crash, now);
        assert!(done.wake.is_none_or(|wake| wake > now), "{}: a wake that is past: {:?}, it is {now}", place.name, done.wake);
        // Nothing was written: that was the second look.
        if !done.crashed && (done.secret_writes > 0 || done.status_writes > 0) {
            place.desk.assert_quiet(&around, now);
        }
        place.wake = done.wake;
        let new = done.issued.iter().any(|reason| *reason != reason::certificate::CREATED);
        if new {
            spent.push_back(now);
            assert!(spent.len() <= budget::PER_NAMESPACE, "the namespace's budget");
        }
        self.wish(number);
        if !done.issued.is_empty() {
            let held = self.desks[number].desk.leaf().unwrap();
            let (end, serial) = (held.not_after(), held.serial().clone());
            self.at(add(end, TOLERANCE + SignedDuration::from_secs(2)), Event::End(number, serial));
        }
        Audit::looked(self, number, before.as_ref(), held, &done);
        if done.crashed {
            self.audit.crashed(number);
            self.stop();
            self.at(self.now + SignedDuration::from_secs(20), Event::Start);
        }
    }
}

/// A list that is made anew each hour.
fn hourly(now: Timestamp) -> Listed {
    let hour = Timestamp::from_second(now.as_second() - now.as_second() % 3600).unwrap();
    Listed { grace: SignedDuration::from_mins(10), sequence: u64::MAX, built_at: hour }
}
