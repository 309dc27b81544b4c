//! An operator: reads, decides, records, builds and publishes as the controller does, with the real parts.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use chancery_pki::{Certificate, Crl, KeyId, PrivateKey, Reason, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use crate::{
    lease::Unfenced,
    lists::{Building, ByteBudget, Knows, ListEntry, Publisher, Settings, Standing, Survey, build, shard_of},
    plan::publication::{Noted, ObservedPublication, Obstacle, PublicationPlan, decide, effective},
    register::{
        self, Act, Entry, Line, Position, Register, RegisterError, RegisterId, Registers, Stands, Store,
        memory::{Client, Memory},
    },
};

/// What all operators share: the API server, the time, the RevocationList with its status.
pub(super) struct Ground {
    pub(super) memory: Arc<Memory>,
    pub(super) chain: Vec<Certificate>,
    pub(super) key: &'static PrivateKey,
    nanoseconds: AtomicI64,
    pub(super) settings: Mutex<Settings>,
    pub(super) status: Mutex<Option<Status>>,
    /// What was said to stand on a published list: a serial, and the line.
    pub(super) acknowledged: Mutex<Vec<(SerialNumber, u64)>>,
}

/// The status of the RevocationList, as far as it is read again.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) noted: Noted,
    pub(super) anchor: Position,
}

impl Ground {
    pub(super) fn new(chain: Vec<Certificate>, key: &'static PrivateKey, settings: Settings) -> Self {
        Self {
            memory: Arc::default(),
            chain,
            key,
            nanoseconds: AtomicI64::new(1_795_000_000_123_456_789),
            settings: Mutex::new(settings),
            status: Mutex::default(),
            acknowledged: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.nanoseconds.load(Ordering::Relaxed))).unwrap()
    }

    pub(super) fn pass(&self, by: SignedDuration) {
        self.nanoseconds.fetch_add(i64::try_from(by.as_nanos()).unwrap(), Ordering::Relaxed);
        self.memory.set_clock(self.now());
    }

    pub(super) fn authority(&self) -> KeyId {
        self.chain[0].key_id()
    }

    pub(super) fn register(&self) -> RegisterId {
        RegisterId::Authority(self.authority())
    }
}

pub(super) struct Operator {
    ground: Arc<Ground>,
    pub(super) client: Arc<Client>,
    pub(super) registers: Arc<Registers>,
    pub(super) publisher: Publisher,
    standing: Option<Standing>,
    budget: ByteBudget,
    pub(super) is_skewed: bool,
}

/// How a reconcile ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is as it should be.
    Steady,
    /// Something waits until then.
    Until(Timestamp),
    /// Something was published.
    Published,
    /// Nothing can be.
    Blocked(Obstacle),
    /// A call failed; it is tried again.
    Failed,
}

impl Operator {
    pub(super) async fn start(ground: &Arc<Ground>, client: Arc<Client>) -> Self {
        let clock = Arc::clone(ground);
        let store: Arc<dyn Store> = Arc::<Client>::clone(&client);
        let registers = Registers::over(Arc::clone(&store), Arc::new(Unfenced), Arc::new(move || clock.now()), Arc::new(()));
        registers.open().await.unwrap();
        Self {
            ground: Arc::clone(ground),
            client,
            registers: Arc::new(registers),
            publisher: Publisher::new(store, Arc::new(Unfenced)),
            standing: None,
            budget: ByteBudget::default(),
            is_skewed: false,
        }
    }

    /// What it has read is forgotten, as when a watch tells that something has changed.
    pub(super) fn forget(&mut self) {
        self.standing = None;
    }

    async fn reopen(&mut self) {
        self.registers.reset();
        // What cannot be read now is closed, and tells everyone so.
        let _ = self.registers.open().await;
        self.forget();
    }

    pub(super) async fn append(&mut self, entry: Entry) -> Result<Line, RegisterError> {
        let appended = self.registers.append(self.ground.register(), entry).await;
        if appended.as_ref().is_err_and(|error| !error.waiting_helps()) {
            self.reopen().await;
        }
        appended
    }

    /// As the controller does; where the register seems to have gone back, it is read again first.
    pub(super) async fn reconcile(&mut self, confirmed: bool) -> Outcome {
        match self.reconcile_once(confirmed).await {
            Outcome::Blocked(Obstacle::RolledBack { .. }) => {
                if self.registers.look(self.ground.register()).await.is_err() {
                    self.reopen().await;
                }
                self.forget();
                self.reconcile_once(confirmed).await
            }
            Outcome::Blocked(Obstacle::Register { .. }) => {
                self.reopen().await;
                self.reconcile_once(confirmed).await
            }
            outcome => outcome,
        }
    }

    async fn reconcile_once(&mut self, confirmed: bool) -> Outcome {
        let ground = Arc::clone(&self.ground);
        let (now, authority, id) = (ground.now(), ground.authority(), ground.register());
        if self.standing.is_none() {
            match self.publisher.read(&authority).await {
                // No list says what the next one must not lose.
                Ok(standing) if standing.published.is_none() && self.registers.look(id).await.is_err() => return Outcome::Failed,
                Ok(standing) => self.standing = Some(standing),
                Err(_) => return Outcome::Failed,
            }
        }
        let standing = self.standing.clone().unwrap();
        let published = standing.published.as_ref();
        let head = published.map(|published| &published.head);
        let index = self.registers.index();
        index.prune(now);

        let wanted = ground.settings.lock().unwrap().clone();
        let settings = effective(Some(&wanted), head).unwrap();
        let status = ground.status.lock().unwrap().clone();
        let surveys = index.ledger(&id, |ledger| Survey::of(ledger, head, settings.shards, now));
        let stands = |position: Option<&Position>| position.map_or(Stands::Yes, |position| index.stands(&id, position));
        let obstacle = match (self.registers.is_open(), self.registers.broken().get(&Some(authority))) {
            (false, _) => Some(Obstacle::Register { why: "closed".to_owned() }),
            (true, Some(why)) => Some(Obstacle::Register { why: why.clone() }),
            (true, None) if self.is_skewed => Some(Obstacle::ClockSkew { why: "three minutes".to_owned() }),
            (true, None) => None,
        };
        let observed = ObservedPublication {
            settings: Some(&settings),
            list: None,
            winding_down: false,
            chain: &ground.chain,
            published,
            surveys: &surveys,
            last_number: index.ledger(&id, register::Ledger::last_number),
            last_not_after: index.authority_last_not_after(&authority),
            status: status.as_ref().map(|status| status.noted),
            stands: [stands(head.map(|head| &head.register)), stands(status.as_ref().map(|status| &status.anchor))],
            confirmed,
            obstacle,
            budget: &self.budget,
        };
        let edition = match decide(&observed, now) {
            PublicationPlan::Publish(edition) => edition,
            PublicationPlan::Nothing { .. } => {
                self.acknowledge(&standing);
                return Outcome::Steady;
            }
            PublicationPlan::Later { wake, .. } => return Outcome::Until(wake),
            PublicationPlan::Blocked { obstacle, .. } => return Outcome::Blocked(obstacle),
            PublicationPlan::End => panic!("nothing winds down here"),
        };
        let index = self.registers.index();
        let built = build(
            &edition,
            &Building {
                authority,
                chain: &ground.chain,
                signer: ground.key,
                previous: published,
                register: &|| index.position(&id),
                entries: &|shard| index.ledger(&id, |ledger| ListEntry::of(ledger, edition.settings.shards, shard)),
                knows: &|serial| index.ledger(&id, |ledger| Knows::of(ledger, serial)),
            },
        )
        .unwrap_or_else(|error| panic!("{error}"));
        if !edition.is_head_only() {
            let line = Entry { number: Some(edition.number), reason: built.fingerprint(), ..Entry::new(Act::Published) };
            let line = self.append(line).await;
            if !line.is_ok_and(|line| self.registers.index().ledger(&id, |ledger| ledger.gave_out(&line))) {
                self.forget();
                return Outcome::Failed;
            }
        }
        self.budget.spend(built.bytes(), now);
        if let Ok(next) = self.publisher.publish(&standing, &built).await {
            let head = &next.published.as_ref().unwrap().head;
            let this_update = head.lists().map(|list| list.this_update).max().unwrap();
            let noted = Noted { number: head.number, this_update };
            *ground.status.lock().unwrap() = Some(Status { noted, anchor: head.register.clone() });
            self.acknowledge(&next);
            self.standing = Some(next);
            Outcome::Published
        } else {
            self.forget();
            Outcome::Failed
        }
    }

    /// Says of each revocation that stands on a published list that it does.
    fn acknowledge(&self, standing: &Standing) {
        let Some(head) = standing.published.as_ref().map(|published| &published.head) else { return };
        let shards = head.settings.shards;
        let done: Vec<_> = self.registers.index().ledger(&self.ground.register(), |ledger| {
            let held = |(serial, _, revocation): &(&SerialNumber, _, &register::Revocation)| {
                head.holds(shard_of(serial, shards), revocation.sequence, revocation.from)
            };
            ledger.revoked().filter(held).map(|(serial, _, revocation)| (serial.clone(), revocation.sequence)).collect()
        });
        self.ground.acknowledged.lock().unwrap().extend(done);
    }

    /// A person confirms that the register went back, and hands in the lists that were served last: what they and the standing
    /// lists have and the register has not is recorded again.
    pub(super) async fn confirm(&mut self, served: &[Crl]) {
        self.reopen().await;
        let standing = self.publisher.read(&self.ground.authority()).await.unwrap();
        let lists = standing.published.map(|published| published.lists).unwrap_or_default();
        let id = self.ground.register();
        let standing: Vec<Crl> = lists.into_values().map(|lists| lists.full).collect();
        for revoked in standing.iter().chain(served).flat_map(Crl::entries).map(Result::unwrap) {
            let known = self.registers.index().ledger(&id, |ledger| ledger.get(&revoked.serial).cloned());
            let is_released = known.as_ref().is_some_and(|known| matches!(known.standing, register::Standing::Released(_)));
            if is_released || known.as_ref().is_some_and(|known| known.standing.revocation().is_some()) {
                continue;
            }
            let act = if revoked.reason == Reason::CertificateHold { Act::Held } else { Act::Revoked };
            let code = Some(revoked.reason).filter(|_| act == Act::Revoked);
            let not_after = known.and_then(|known| known.not_after);
            let from = Some(revoked.time);
            let entry = Entry { serial: Some(revoked.serial), code, not_after, from, actor: "import".to_owned(), ..Entry::new(act) };
            self.append(entry).await.unwrap();
        }
        while let Outcome::Until(wake) = self.reconcile(true).await {
            self.ground.pass(wake.duration_since(self.ground.now()));
        }
    }
}
