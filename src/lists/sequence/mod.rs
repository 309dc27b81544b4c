//! The sequence test: operators that die between any two writes, lose answers and publish against each other, chunks that are
//! lost and edited, a store that goes back, clocks that jump. Whatever happens, the auditor finds nothing.

mod audit;
mod operator;
mod steps;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use chancery_pki::{
    CaConstraints, Certificate, CrlNumber, KeyAlgorithm, KeyId, Name, PrivateKey, RANDOM_OCTETS, SerialNumber, SubjectParts, Template,
    Usage, self_sign,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Settings;
use crate::{
    lists::{Part, part_of},
    plan::publication::Obstacle,
    register::{
        Act, Document, Entry, LABEL, Owner,
        memory::{Client, Fault},
    },
};
use audit::Audit;
use operator::{Ground, Operator, Outcome};
use steps::{Step, What, faults, steps};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(super) static AUTHORITY: LazyLock<(Certificate, PrivateKey)> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let subject = SubjectParts { common_name: Some("Sequence CA".to_owned()), ..SubjectParts::default() };
    let template = Template {
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ca: Some(CaConstraints::default()),
        ..Template::new(
            SerialNumber::issued(0, [1; RANDOM_OCTETS]),
            Name::from_parts(&subject).unwrap(),
            Timestamp::UNIX_EPOCH,
            Timestamp::from_second(4_000_000_000).unwrap(),
        )
    };
    (self_sign(&template, &key).unwrap(), key)
});

pub(super) fn settings() -> Settings {
    Settings {
        validity: HOUR * 168,
        refresh: HOUR * 24,
        delta: None,
        shards: 1,
        base_url: Some("http://pki.example.org".to_owned()),
        ocsp: None,
        grace: MINUTE * 10,
        debounce: SignedDuration::from_secs(1),
        max_automatic: 500,
    }
}

struct World {
    ground: Arc<Ground>,
    operators: Vec<Operator>,
    audit: Audit,
    faults: Vec<Fault>,
    issued: Vec<SerialNumber>,
    /// What stood after each step.
    past: Vec<Vec<Document>>,
    /// Were all that is stored forgotten, and the clock to go back as well, no one could know what was published.
    no_earlier: Timestamp,
}

impl World {
    async fn new(faults: Vec<Fault>) -> Self {
        let (certificate, key) = &*AUTHORITY;
        let ground = Arc::new(Ground::new(vec![certificate.clone()], key, settings()));
        ground.pass(SignedDuration::ZERO);
        let mut world = Self {
            ground,
            operators: Vec::new(),
            audit: Audit::default(),
            faults,
            issued: Vec::new(),
            past: Vec::new(),
            no_earlier: Timestamp::UNIX_EPOCH,
        };
        for _ in 0..2 {
            let operator = world.operator().await;
            world.operators.push(operator);
        }
        world
    }

    async fn operator(&mut self) -> Operator {
        // Each meets its own share.
        let share = self.faults.len().min(20);
        let client: Arc<Client> = self.ground.memory.client(self.faults.drain(..share));
        Operator::start(&self.ground, client).await
    }

    async fn replace(&mut self, which: usize) {
        let operator = self.operator().await;
        self.operators[which].client.kill();
        self.operators[which] = operator;
    }

    async fn append(&mut self, which: usize, entry: Entry) {
        let operator = &mut self.operators[which];
        let client = Arc::clone(&operator.client);
        let done = tokio::select! {
            done = operator.append(entry) => Some(done),
            () = death(&client) => None,
        };
        if done.is_none() {
            self.replace(which).await;
        }
    }

    async fn reconcile(&mut self, which: usize) -> Option<Outcome> {
        let operator = &mut self.operators[which];
        let client = Arc::clone(&operator.client);
        let done = tokio::select! {
            done = operator.reconcile(false) => Some(done),
            () = death(&client) => None,
        };
        if done.is_none() {
            self.replace(which).await;
        }
        done
    }

    /// Both at once, each as far as it gets.
    async fn together(&mut self) {
        let [one, other] = self.operators.as_mut_slice() else { panic!("two operators") };
        let run = async |operator: &mut Operator| {
            let client = Arc::clone(&operator.client);
            tokio::select! {
                _ = operator.reconcile(false) => true,
                () = death(&client) => false,
            }
        };
        let (one, other) = tokio::join!(run(one), run(other));
        for (which, lives) in [one, other].into_iter().enumerate() {
            if !lives {
                self.replace(which).await;
            }
        }
    }

    fn chunks(&self) -> Vec<String> {
        let documents = self.ground.memory.documents();
        let names = documents.into_iter().map(|document| document.name);
        names.filter(|name| part_of(name).is_some_and(|(_, part)| part == Part::Chunk)).collect()
    }

    fn head(&self) -> Option<String> {
        let documents = self.ground.memory.documents();
        documents.into_iter().map(|document| document.name).find(|name| part_of(name).is_some_and(|(_, part)| part == Part::Head))
    }

    async fn about(&mut self, operator: usize, which: usize, entry: Entry) {
        if !self.issued.is_empty() {
            let serial = Some(self.issued[which % self.issued.len()].clone());
            let not_after = self.audit.ends.get(serial.as_ref().unwrap()).copied();
            self.append(operator, Entry { serial, not_after, actor: "test".to_owned(), ..entry }).await;
        }
    }

    async fn step(&mut self, step: Step) {
        let now = self.ground.now();
        match step {
            Step::Issue { operator, count, hours } => {
                for _ in 0..count {
                    let number = u32::try_from(self.issued.len()).unwrap();
                    let mut octets = [0; RANDOM_OCTETS];
                    octets[..4].copy_from_slice(&number.to_be_bytes());
                    let shards = self.ground.settings.lock().unwrap().shards;
                    let serial = SerialNumber::issued(u16::try_from(number).unwrap() % shards, octets);
                    let not_after = now.saturating_add(HOUR * i32::try_from(hours).unwrap()).unwrap();
                    self.issued.push(serial.clone());
                    self.audit.ends.insert(serial.clone(), not_after);
                    let owner = Owner { namespace: "default".into(), name: format!("web-{}", number % 3), uid: "1".into() };
                    let entry = Entry {
                        serial: Some(serial),
                        not_after: Some(not_after),
                        key_id: Some(KeyId::of_spki(&number.to_be_bytes())),
                        owner: Some(owner),
                        ..Entry::new(Act::Issued)
                    };
                    self.append(operator, entry).await;
                }
            }
            Step::Revoke { operator, which, reason, grace } => {
                let from = (grace > 0).then(|| now.saturating_add(MINUTE * i32::try_from(grace).unwrap()).unwrap());
                self.about(operator, which, Entry { code: Some(reason), from, ..Entry::new(Act::Revoked) }).await;
            }
            Step::Hold { operator, which } => self.about(operator, which, Entry::new(Act::Held)).await,
            Step::Release { operator, which } => self.about(operator, which, Entry::new(Act::Released)).await,
            Step::Reconcile { operator } => drop(self.reconcile(operator).await),
            Step::Together => self.together().await,
            Step::Crash { operator } => self.replace(operator).await,
            Step::Forget { operator } => self.operators[operator].forget(),
            Step::Sweep { operator } => {
                let authority = self.ground.authority();
                let operator = &self.operators[operator];
                tokio::select! {
                    _ = operator.publisher.sweep(&authority, now) => {}
                    () = death(&operator.client) => {}
                }
            }
            Step::SweepMeanwhile { after } => {
                let (authority, client) = (self.ground.authority(), Arc::clone(&self.operators[1].client));
                let publisher = self.operators[1].publisher.clone();
                let sweep = async {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    tokio::select! {
                        _ = publisher.sweep(&authority, now) => {}
                        () = death(&client) => {}
                    }
                };
                tokio::join!(self.reconcile(0), sweep);
            }
            Step::Minutes { minutes } => self.ground.pass(MINUTE * i32::try_from(minutes).unwrap()),
            Step::Days { days } => self.ground.pass(HOUR * 24 * i32::try_from(days).unwrap()),
            Step::Back { minutes } => {
                let back = MINUTE * i32::try_from(minutes).unwrap();
                self.ground.pass(-back.min(now.duration_since(self.no_earlier).max(SignedDuration::ZERO)));
            }
            Step::Skew { operator, is_skewed } => self.operators[operator].is_skewed = is_skewed,
            Step::LoseChunk { which } => {
                let chunks = self.chunks();
                if !chunks.is_empty() {
                    self.ground.memory.remove(&chunks[which % chunks.len()]);
                }
            }
            Step::EditChunk { which } => {
                let chunks = self.chunks();
                if !chunks.is_empty() {
                    self.ground.memory.edit(&chunks[which % chunks.len()], |chunk| {
                        let octets = chunk.binary.get_mut(crate::api::names::LIST_DER).unwrap();
                        let place = which % octets.len();
                        octets[place] ^= 1;
                    });
                }
            }
            Step::SpoilHead => {
                if let Some(head) = self.head() {
                    self.ground.memory.edit(&head, |head| drop(head.data.insert("head".to_owned(), "{}".to_owned())));
                    self.audit.lose(&head, self.noted());
                    self.forget();
                }
            }
            Step::LoseHead => {
                if let Some(head) = self.head() {
                    self.ground.memory.remove(&head);
                    self.audit.lose(&head, self.noted());
                    self.forget();
                }
            }
            Step::Restore { steps, what } => self.restore(steps, what).await,
            Step::Shards { shards } => {
                let mut settings = self.ground.settings.lock().unwrap();
                settings.shards = settings.shards.max(shards);
            }
            Step::Delta { is_on } => self.ground.settings.lock().unwrap().delta = is_on.then_some(HOUR),
        }
        self.look();
        self.past.push(self.ground.memory.documents());
    }

    fn noted(&self) -> Option<CrlNumber> {
        self.ground.status.lock().unwrap().as_ref().map(|status| status.noted.number)
    }

    /// The operators' watches tell them that the head is another.
    fn forget(&mut self) {
        self.operators.iter_mut().for_each(Operator::forget);
    }

    /// Some of the store is as it was some steps ago; the operators start anew, as after any restore.
    async fn restore(&mut self, steps: usize, what: What) {
        let Some(place) = self.past.len().checked_sub(steps) else { return };
        let documents = self.past[place].clone();
        self.ground.memory.restore(documents, |document| match what {
            What::Lists => !document.labels.contains_key(LABEL),
            What::Register => document.labels.contains_key(LABEL),
            What::Both => true,
        });
        if !matches!(what, What::Lists) {
            self.ground.pass(HOUR);
            self.no_earlier = self.no_earlier.max(self.ground.now());
        }
        if !matches!(what, What::Register) {
            self.audit.forget(self.noted());
        }
        for which in 0..self.operators.len() {
            self.replace(which).await;
        }
    }

    fn look(&mut self) {
        self.audit.take(self.ground.memory.take_events());
        let acknowledged = std::mem::take(&mut *self.ground.acknowledged.lock().unwrap());
        self.audit.check_acknowledged(acknowledged, self.ground.now());
    }

    /// Everything works again; where the store went back, a person says so and hands in what was served last.
    async fn end_well(&mut self) {
        self.faults.clear();
        for which in 0..self.operators.len() {
            self.operators[which].client.kill();
        }
        let client = self.ground.memory.client([]);
        let mut operator = Operator::start(&self.ground, client).await;
        let mut rounds = 0;
        loop {
            rounds += 1;
            let outcome = operator.reconcile(false).await;
            assert!(rounds < 50, "it does not come to rest: {outcome:?}");
            self.look();
            match outcome {
                Outcome::Steady => break,
                Outcome::Until(wake) => self.ground.pass(wake.duration_since(self.ground.now())),
                Outcome::Published | Outcome::Failed => {}
                Outcome::Blocked(Obstacle::AheadOfClock { this_update }) => {
                    self.ground.pass(this_update.duration_since(self.ground.now()) + SignedDuration::from_secs(1));
                }
                Outcome::Blocked(_) => {
                    self.audit.confirmed = true;
                    operator.confirm(&self.audit.served()).await;
                    self.look();
                }
            }
        }
        self.audit.check_complete(self.ground.now());
        // The clock may have gone back many times since the chunks were made.
        self.ground.pass(HOUR * 24);
        operator.publisher.sweep(&self.ground.authority(), self.ground.now()).await.unwrap();
        self.look();
        let named: Vec<_> = self.audit.standing_head().unwrap().all_chunk_names().into_iter().collect();
        let left: Vec<_> = self.chunks().into_iter().filter(|name| !named.contains(name)).collect();
        assert!(left.is_empty(), "chunks that nobody names are left: {left:?} {named:?}");
    }
}

/// Waits until the client is dead.
async fn death(client: &Client) {
    while !client.is_dead() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn run(steps: Vec<Step>, faults: Vec<Fault>) {
    let mut world = World::new(faults).await;
    for step in steps {
        world.step(step).await;
    }
    world.end_well().await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_revocation_is_lost_no_number_repeats_and_nothing_published_is_a_lie(steps in steps(), faults in faults()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps, faults));
    }
}
