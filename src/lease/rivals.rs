//! Several claims against one store with compare-and-swap, under random delays, losses, crashes and clocks: never do
//! two lead at the same moment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;

use super::claim::{Claim, Moment, Step, Terms};

const RIVALS: usize = 3;

/// One process, with clocks of its own.
struct Process {
    claim: Claim,
    born: u64,
    /// Its monotonic clock against true time, in thousandths.
    rate: u64,
    wall: i64,
    /// Counts its requests, so that an answer that comes after the timeout is not taken for a later one's.
    turn: u32,
}

impl Process {
    fn moment(&self, now: u64) -> Moment {
        let wall = self.wall + i64::try_from(now).unwrap();
        Moment {
            elapsed: Duration::from_millis((now - self.born) * self.rate / 1000),
            wall: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(wall),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Request {
    Read,
    Create(LeaseSpec),
    Replace(Box<Lease>),
}

#[derive(Clone, Debug)]
enum Answer {
    Read(Option<Lease>),
    Written(Lease),
    Refused,
    Lost,
}

/// What happens, to whom.
enum Event {
    Act,
    Arrive(Request, Moment),
    Answer(Box<Answer>, Moment),
}

/// A finite tape of choices; beyond its end everything is quick and nothing is lost.
struct Tape(std::vec::IntoIter<u16>);

impl Tape {
    fn draw(&mut self) -> u16 {
        self.0.next().unwrap_or(40)
    }

    /// Mostly a few milliseconds, at times many seconds.
    fn delay(&mut self) -> u64 {
        let bits = u64::from(self.draw());
        if bits.is_multiple_of(8) { bits / 4 } else { bits % 200 }
    }
}

struct World {
    now: u64,
    tape: Tape,
    stored: Option<Lease>,
    version: u32,
    processes: Vec<Process>,
    agenda: BinaryHeap<Reverse<(u64, u64)>>,
    events: std::collections::HashMap<u64, (usize, u32, Event)>,
    terms: Terms,
    born: u32,
    scheduled: u64,
}

impl World {
    fn new(choices: Vec<u16>) -> Self {
        let mut world = Self {
            now: 0,
            tape: Tape(choices.into_iter()),
            stored: None,
            version: 0,
            processes: Vec::new(),
            agenda: BinaryHeap::new(),
            events: std::collections::HashMap::new(),
            terms: Terms::new(Duration::from_secs(15)).unwrap(),
            born: 0,
            scheduled: 0,
        };
        for id in 0..RIVALS {
            let process = world.birth();
            world.processes.push(process);
            world.schedule(0, id, Event::Act);
        }
        world
    }

    fn birth(&mut self) -> Process {
        self.born += 1;
        let rate = 900 + u64::from(self.tape.draw()) % 200;
        let wall = (i64::from(self.tape.draw()) - 32_768) * 10_000;
        Process { claim: Claim::new(format!("process-{}", self.born), self.terms), born: self.now, rate, wall, turn: 0 }
    }

    fn schedule(&mut self, delay: u64, id: usize, event: Event) {
        self.scheduled += 1;
        let key = self.scheduled;
        self.agenda.push(Reverse((self.now + delay, key)));
        let turn = self.processes[id].turn;
        self.events.insert(key, (id, turn, event));
    }

    fn step(&mut self) {
        let Reverse((time, key)) = self.agenda.pop().unwrap();
        let (id, turn, event) = self.events.remove(&key).unwrap();
        self.now = time;
        match event {
            // Requests reach the server whoever still waits for them.
            Event::Arrive(request, sent) => {
                let answer = self.serve(request);
                if !self.tape.draw().is_multiple_of(9) && turn == self.processes[id].turn {
                    let delay = self.tape.delay();
                    self.schedule(delay, id, Event::Answer(Box::new(answer), sent));
                }
            }
            _ if turn != self.processes[id].turn => {}
            Event::Act => self.act(id),
            Event::Answer(answer, sent) => {
                let process = &mut self.processes[id];
                process.turn += 1;
                let now = process.moment(time);
                match *answer {
                    Answer::Read(lease) => process.claim.read(lease, now),
                    Answer::Written(lease) => process.claim.written(lease, sent, now),
                    Answer::Refused => process.claim.refused(),
                    Answer::Lost => process.claim.failed(),
                }
                self.schedule(0, id, Event::Act);
            }
        }
    }

    fn act(&mut self, id: usize) {
        let fate = self.tape.draw();
        if fate.is_multiple_of(97) {
            // It crashes, and another begins in its place; what it had sent may still arrive.
            let turn = self.processes[id].turn + 1;
            self.processes[id] = Process { turn, ..self.birth() };
        } else if fate.is_multiple_of(89) {
            // Its clock is set.
            self.processes[id].wall += (i64::from(fate) - 32_768) * 1000;
        }
        let jitter = self.tape.draw();
        let process = &mut self.processes[id];
        let sent = process.moment(self.now);
        let request = match process.claim.next(sent, jitter) {
            Step::Wait(time) => {
                let time = u64::try_from(time.as_millis()).unwrap() * 1000 / process.rate + 1;
                return self.schedule(time, id, Event::Act);
            }
            Step::Read => Request::Read,
            Step::Create(spec) => Request::Create(spec),
            Step::Replace(lease) => Request::Replace(lease),
        };
        self.schedule(5000, id, Event::Answer(Box::new(Answer::Lost), sent));
        if !self.tape.draw().is_multiple_of(11) {
            let delay = self.tape.delay();
            self.schedule(delay, id, Event::Arrive(request, sent));
        }
    }

    fn serve(&mut self, request: Request) -> Answer {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let spec = match request {
            Request::Read => return Answer::Read(self.stored.clone()),
            Request::Create(spec) if self.stored.is_none() => spec,
            Request::Replace(lease) if self.stored.as_ref().is_some_and(|stored| version(stored) == version(&lease)) => lease.spec.unwrap(),
            Request::Create(_) | Request::Replace(_) => return Answer::Refused,
        };
        self.version += 1;
        let metadata = ObjectMeta { uid: Some("u".to_owned()), resource_version: Some(self.version.to_string()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(spec) };
        self.stored = Some(lease.clone());
        Answer::Written(lease)
    }

    fn leaders(&self) -> usize {
        let leads = |process: &&Process| process.claim.hold().is_some_and(|hold| hold.lasts(process.moment(self.now)));
        self.processes.iter().filter(leads).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn never_do_two_lead_at_once(choices in proptest::collection::vec(any::<u16>(), 0..3000)) {
        let mut world = World::new(choices);
        let mut led = false;
        for _ in 0..2000 {
            world.step();
            let leaders = world.leaders();
            prop_assert!(leaders <= 1, "{leaders} leaders at {} ms", world.now);
            led |= leaders == 1;
        }
        // When the world is calm again, somebody leads.
        prop_assert!(led);
    }
}
