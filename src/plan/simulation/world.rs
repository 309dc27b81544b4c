//! The world of the simulation, and its loop.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use chancery_pki::Reason;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{audit::Audit, chance::Chance};
use crate::{
    api::{OnAuthorityChange, RevocationSpec, TENANT_REASONS, names, reason},
    issuers::Book,
    observe::Name,
    plan::{
        budget,
        renewal::{TOLERANCE, add},
        stage::{Crash, Desk, Listed, Office, Seal, Surroundings},
    },
    register::{Revocation, Standing},
};

/// What happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A Certificate is looked at, unless that was wished before something else was.
    Look(usize, u64),
    /// A certificate of this serial ends.
    End(usize, chancery_pki::SerialNumber),
    /// An issuer says that it cannot sign.
    Close(usize),
    /// An issuer fails, and says nothing.
    Fail(usize),
    /// An issuer signs again.
    Recover(usize),
    /// An issuer's chain has ended.
    Ended(usize),
    /// An issuer has another certificate.
    Reseal(usize, Box<Seal>),
    /// The operator's clock is off by so much.
    Clock(SignedDuration),
    /// The operator ends.
    Stop,
    /// The operator starts.
    Start,
    /// Somebody changes the names.
    Names(usize),
    /// Somebody changes the duration.
    Duration(usize),
    /// Somebody asks for a new certificate.
    Renew(usize),
    /// Somebody deletes the Secret.
    Delete(usize),
    /// Somebody changes the labels.
    Template(usize),
    /// Somebody names another issuer.
    Move(usize),
    /// Somebody asks for what was issued so far to be revoked.
    Revoke(usize),
    /// The authority's owner revokes the certificate.
    Convict(usize),
    /// The authority's owner puts it on hold.
    Hold(usize),
    /// And releases it.
    Release(usize),
}

/// A Certificate in the world.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) desk: Desk,
    pub(super) office: usize,
    /// When it is looked at again, by the operator's clock, and the number of that wish.
    wake: Option<Timestamp>,
    wish: u64,
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

    fn happen(&mut self, event: Event) {
        match event {
            Event::Look(desk, wish) => {
                if self.runs && self.desks[desk].wish == wish {
                    self.look(desk);
                }
            }
            Event::End(desk, serial) => Audit::ended(self, desk, &serial),
            Event::Close(office) => {
                self.offices[office].close(reason::issuer::CHAIN_INVALID, "the Secret is being repaired");
                self.changed(office);
            }
            Event::Fail(office) => self.offices[office].fails = true,
            Event::Recover(office) => {
                let failed = std::mem::take(&mut self.offices[office].fails);
                if !failed || self.offices[office].view.backing.is_err() {
                    self.judge(office);
                }
            }
            Event::Ended(office) => self.judge(office),
            Event::Reseal(office, seal) => {
                let open = self.offices[office].view.backing.is_ok();
                let ended = self.offices[office].seal.as_ref().is_some_and(|seal| seal.view.chain.not_after() < self.now);
                self.offices[office].reseal(*seal);
                if !open && !ended {
                    self.offices[office].close(reason::issuer::CHAIN_INVALID, "the Secret is being repaired");
                }
                self.ends(office);
                self.changed(office);
            }
            Event::Clock(off) => {
                self.audit.jumped(self.now, off - self.off);
                self.off = off;
                for desk in 0..self.desks.len() {
                    self.wish(desk);
                }
            }
            Event::Stop => self.stop(),
            Event::Start => self.start(),
            Event::Names(desk) => {
                let name = format!("web-{}.example", self.now.as_second());
                self.edit(desk, |certificate| certificate.spec.dns_names = vec![name]);
            }
            Event::Duration(desk) => {
                let days = self.chance.between(30, 700);
                let duration = format!("{}h", days * 24).parse().unwrap();
                self.edit(desk, |certificate| {
                    certificate.spec.duration = Some(duration);
                    certificate.spec.renew_before = None;
                });
            }
            Event::Renew(desk) => {
                let value = self.now.to_string();
                self.edit(desk, |certificate| {
                    certificate.metadata.annotations.get_or_insert_default().insert(names::RENEW.to_owned(), value);
                });
            }
            Event::Delete(desk) => {
                self.desks[desk].desk.secret = None;
                self.audit.count(desk, reason::certificate::SECRET_MISSING);
                self.soon(desk);
            }
            Event::Template(desk) => {
                let value = self.now.as_second().to_string();
                self.edit(desk, |certificate| {
                    let template = certificate.spec.secret_template.get_or_insert_default();
                    template.labels = [("changed".to_owned(), value)].into();
                });
            }
            Event::Move(desk) => {
                let office = (self.desks[desk].office + 1) % self.offices.len();
                let name = self.offices[office].view.key.name.clone();
                self.desks[desk].office = office;
                self.edit(desk, |certificate| {
                    certificate.spec.issuer_ref.name = name;
                    certificate.spec.is_ca = false;
                });
            }
            Event::Revoke(desk) => {
                // Half of them with a time that is yet to come, which must not act again.
                let ahead = if self.chance.one_in(2) { SignedDuration::ZERO } else { SignedDuration::from_hours(24 * 400) };
                let before = Time(add(self.clock(), ahead));
                let reason = TENANT_REASONS[usize::try_from(self.chance.between(0, 5)).unwrap()];
                self.edit(desk, |certificate| {
                    certificate.spec.revocation =
                        Some(RevocationSpec { issued_before: before, reason: Some(reason), invalidity_date: None });
                });
                self.audit.ordered(desk);
            }
            Event::Convict(desk) => self.stand(desk, Standing::Revoked, Reason::PrivilegeWithdrawn),
            Event::Hold(desk) => self.stand(desk, Standing::Held, Reason::CertificateHold),
            Event::Release(desk) => self.stand(desk, Standing::Released, Reason::RemoveFromCrl),
        }
        Audit::note(self);
    }

    fn edit(&mut self, desk: usize, change: impl FnOnce(&mut crate::api::Certificate)) {
        self.desks[desk].desk.edit(change);
        self.desks[desk].since = self.now;
        self.audit.edited(desk);
        self.soon(desk);
    }

    /// The owner of an authority says how a certificate of it stands.
    fn stand(&mut self, desk: usize, standing: fn(Box<Revocation>) -> Standing, reason: Reason) {
        let now = self.clock();
        let place = &mut self.desks[desk];
        let Some(line) = place.desk.current().filter(|line| line.authority.is_some()) else {
            return;
        };
        let held = matches!(line.standing, Standing::Held(_));
        let may = if reason == Reason::RemoveFromCrl { held } else { line.standing.is_good() || held };
        if may {
            place.desk.stand(standing, reason, now);
            place.since = self.now;
            self.audit.count(desk, reason::certificate::REVOKED);
            self.soon(desk);
        }
    }

    /// A watch shows a change.
    fn soon(&mut self, desk: usize) {
        self.desks[desk].wake = Some(self.clock());
        self.wish(desk);
    }

    fn wish(&mut self, desk: usize) {
        let place = &mut self.desks[desk];
        place.wish += 1;
        if let Some(wake) = place.wake {
            let event = Event::Look(desk, place.wish);
            self.at((wake - self.off).max(self.now), event);
        }
    }

    fn ends(&mut self, office: usize) {
        if let Some(seal) = &self.offices[office].seal {
            let end = seal.view.chain.not_after();
            self.at(add(end, SignedDuration::from_secs(1)), Event::Ended(office));
        }
    }

    /// An issuer's own reconcile: ready, or its chain has ended.
    fn judge(&mut self, office: usize) {
        let ended = self.offices[office].seal.as_ref().is_some_and(|seal| seal.view.chain.not_after() < self.now);
        if ended {
            self.offices[office].close(reason::issuer::EXPIRED, "a certificate of its chain expired");
        } else {
            self.offices[office].open();
        }
        self.changed(office);
    }

    /// An issuer wakes its Certificates, as the controllers do.
    fn changed(&mut self, office: usize) {
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

    fn stop(&mut self) {
        self.runs = false;
        self.book.clear();
        for place in &mut self.desks {
            place.desk.issuer_changed = false;
            place.wake = None;
            place.wish += 1;
        }
    }

    fn start(&mut self) {
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

    fn look(&mut self, number: usize) {
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
