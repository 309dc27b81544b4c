//! What befalls the world: outages, wrong clocks, restarts, people and other programs.

use chancery_pki::KeyAlgorithm;
use jiff::{SignedDuration, Timestamp};

use super::{DAY, YEAR, event::Event, world::World};
use crate::plan::stage::{Seal, pool};

/// A span of time to be filled.
#[derive(Debug)]
pub(super) struct Fate {
    begin: Timestamp,
    end: Timestamp,
}

impl Fate {
    pub(super) fn new(begin: Timestamp, end: Timestamp) -> Self {
        Self { begin, end }
    }

    /// Puts all that will happen into the world's list of events.
    pub(super) fn befall(&self, world: &mut World) {
        let years = (self.end.as_second() - self.begin.as_second()) / YEAR;
        self.outages(world, years);
        self.clocks(world, years);
        self.restarts(world, years);
        self.people(world, years);
        self.authorities(world, years);
    }

    fn some_time(&self, world: &mut World) -> Timestamp {
        let seconds = world.chance.between(DAY, self.end.as_second() - self.begin.as_second());
        self.begin + SignedDuration::from_secs(seconds)
    }

    fn outages(&self, world: &mut World, years: i64) {
        for office in 0..world.offices.len() {
            for _ in 0..3 * years {
                let at = self.some_time(world);
                let hours = [1, 3, 10, 24, 72][usize::try_from(world.chance.between(0, 5)).unwrap()];
                let closed = world.chance.one_in(2);
                world.at(at, if closed { Event::Close(office) } else { Event::Fail(office) });
                world.at(at + SignedDuration::from_hours(hours), Event::Recover(office));
            }
        }
        // One that nothing of 90 days survives.
        let at = self.some_time(world);
        world.at(at, Event::Close(1));
        world.at(at + SignedDuration::from_hours(24 * 80), Event::Recover(1));
    }

    fn clocks(&self, world: &mut World, years: i64) {
        for _ in 0..4 * years {
            let at = self.some_time(world);
            let seconds = world.chance.between(-100, 100);
            world.at(at, Event::Clock(SignedDuration::from_secs(seconds)));
        }
        for _ in 0..years {
            let at = self.some_time(world);
            let minutes = world.chance.between(-30, 30);
            world.at(at, Event::Clock(SignedDuration::from_mins(minutes)));
            world.at(at + SignedDuration::from_hours(6), Event::Clock(SignedDuration::ZERO));
        }
    }

    fn restarts(&self, world: &mut World, years: i64) {
        for _ in 0..2 * years {
            let at = self.some_time(world);
            let minutes = [1, 5, 60, 48 * 60][usize::try_from(world.chance.between(0, 4)).unwrap()];
            world.at(at, Event::Stop);
            world.at(at + SignedDuration::from_mins(minutes), Event::Start);
        }
    }

    fn people(&self, world: &mut World, years: i64) {
        let count = i64::try_from(world.desks.len()).unwrap();
        for _ in 0..count * years / 3 {
            let at = self.some_time(world);
            let desk = usize::try_from(world.chance.between(0, count)).unwrap();
            let event = match world.chance.between(0, 10) {
                0 => Event::Names(desk),
                1 => Event::Duration(desk),
                2 => Event::Renew(desk),
                3 => Event::Delete(desk),
                4 => Event::Template(desk),
                5 => Event::Move(desk),
                6 | 7 => Event::Revoke(desk),
                8 => Event::Convict(desk),
                _ => {
                    let days = world.chance.between(1, 60);
                    world.at(at + SignedDuration::from_hours(24 * days), Event::Release(desk));
                    Event::Hold(desk)
                }
            };
            world.at(at, event);
        }
    }

    /// CAs come to their ends, and are renewed: in time, with other keys, or late.
    fn authorities(&self, world: &mut World, years: i64) {
        let root = world.offices[0].seal.clone().unwrap().view.chain.certificates()[1].clone();
        let root_key = pool(KeyAlgorithm::EcdsaP256, 0);
        let root = Seal::root("Root", root_key, root.not_before(), root.not_after());
        let renew = |world: &mut World, office: usize, name: &str, key: u64, at: Timestamp, life: i64| {
            let seal = root.below(name, pool(KeyAlgorithm::EcdsaP256, key), at, at + SignedDuration::from_hours(24 * life));
            world.at(at, Event::Reseal(office, Box::new(seal)));
        };
        let day = |day: i64| self.begin + SignedDuration::from_hours(24 * day);
        for number in 1..=years {
            renew(world, 0, "Same", 1, day(number * 700), 730);
            renew(world, 1, "New", 4 + u64::try_from(number).unwrap(), day(number * 900), 365 * 5);
            renew(world, 2, "Follow", 5 + u64::try_from(number).unwrap(), day(number * 1000), 365 * 5);
            renew(world, 4, "Late", 4, day(number * (365 * 3 + 20)), 365 * 3);
            // The operator is restarted while the leaves of a new authority follow it.
            world.at(day(number * 1000) + SignedDuration::from_secs(30), Event::Stop);
            world.at(day(number * 1000) + SignedDuration::from_secs(50), Event::Start);
        }
    }
}
