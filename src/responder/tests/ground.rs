//! An authority with a register and lists in a store in memory, and a responder that is told of them.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use chancery_pki::{
    CaConstraints, CertId, CertIdHash, Certificate, CrlNumber, KeyAlgorithm, Name, OcspRequest, OcspResponse, OcspStatus, PrivateKey,
    RANDOM_OCTETS, Reason, SerialNumber, SubjectParts, Template, Usage, issue, self_sign,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{
    api::names,
    cluster::{Clock as _, ClockSkew, SettableClock, SystemClock},
    lease::{Fence, NotLeading},
    lists::{Building, Edition, Knows, ListEntry, Publisher, Settings, Standing, build},
    register::{
        Act, Document, Entry, Follower, LABEL, Owner, Register as _, RegisterId, Registers, Selector, Store as _,
        memory::{Client, Memory},
    },
    responder::{
        bucket::Bucket,
        cache::Cache,
        counter::{Counter, Reply},
        delegate::{Delegate, SECRETS},
        keeper::{Keeper, Message},
        metrics::ResponderMetrics,
        serve,
        served::Shared,
        watch::{Heard, News},
    },
    telemetry::Server,
};

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug)]
struct Leading;

impl Fence for Leading {
    fn check(&self) -> Result<(), NotLeading> {
        Ok(())
    }
}

pub(super) struct Ground {
    pub(super) clock: Arc<SettableClock>,
    pub(super) memory: Arc<Memory>,
    client: Arc<Client>,
    /// The responder's way to the store.
    pub(super) reader: Arc<Client>,
    registers: Registers,
    publisher: Publisher,
    standing: Standing,
    pub(super) settings: Settings,
    key: PrivateKey,
    pub(super) certificate: Certificate,
    /// Those above it.
    pub(super) above: Vec<Certificate>,
    serials: u8,
    pub(super) heard: Heard,
    pub(super) counter: Arc<Counter>,
    keeper: Keeper,
}

fn name(common_name: &str) -> Name {
    Name::from_parts(&SubjectParts { common_name: Some(common_name.to_owned()), ..SubjectParts::default() }).unwrap()
}

fn template(serial: SerialNumber, common_name: &str, now: Timestamp, days: i32) -> Template {
    Template {
        usages: vec![Usage::DigitalSignature],
        ..Template::new(serial, name(common_name), now - SignedDuration::from_mins(5), now + DAY * days)
    }
}

pub(super) fn serial(number: u8) -> SerialNumber {
    SerialNumber::issued(0, [number; RANDOM_OCTETS])
}

struct Responder {
    heard: Heard,
    counter: Arc<Counter>,
    keeper: Keeper,
}

impl Responder {
    fn new(clock: &Arc<SettableClock>, client: &Arc<Client>, signatures: u32) -> Self {
        let (follower, shared, heard) = (Follower::default(), Shared::default(), Heard::nothing());
        let counter = Arc::new(Counter {
            served: shared.clone(),
            index: Arc::clone(follower.index()),
            kept: Cache::of_bytes(1_000_000),
            bucket: Bucket::a_second(signatures),
            clock: Arc::<SettableClock>::clone(clock),
            skew: ClockSkew::default(),
            heard: vec![heard.clone()],
            // Its time does not begin here: the limit is a number of signatures, however long a test takes.
            start: tokio::time::Instant::now() + std::time::Duration::from_hours(1),
            metrics: ResponderMetrics::new(),
        });
        let keeper = Keeper::new(follower, Arc::<Client>::clone(client), Arc::<SettableClock>::clone(clock), shared);
        Self { heard, counter, keeper }
    }
}

impl Ground {
    /// An authority with an empty list, of which the responder knows. `signatures` are those for one request alone, a second.
    pub(super) async fn new(algorithm: KeyAlgorithm, signatures: u32) -> Self {
        let now = SystemClock.now();
        let clock = Arc::new(SettableClock::new(now));
        let key = PrivateKey::generate(algorithm).unwrap();
        let ca = Template {
            ca: Some(CaConstraints::default()),
            usages: vec![Usage::CertSign, Usage::CrlSign],
            ..template(serial(0xfe), "Root", now, 3650)
        };
        let certificate = self_sign(&ca, &key).unwrap();
        let memory = Arc::new(Memory::default());
        let client = memory.client([]);
        let ticking = Arc::clone(&clock);
        let registers = Registers::over(Arc::<Client>::clone(&client), Arc::new(Leading), Arc::new(move || ticking.now()), Arc::new(()));
        registers.open().await.unwrap();
        let settings = Settings {
            validity: DAY * 7,
            refresh: DAY,
            delta: None,
            shards: 1,
            base_url: Some("http://pki.example.org/sub".to_owned()),
            ocsp: Some(SignedDuration::from_hours(12)),
            grace: SignedDuration::ZERO,
            debounce: SignedDuration::ZERO,
            max_automatic: 500,
        };
        let reader = memory.client([]);
        let Responder { heard, counter, keeper } = Responder::new(&clock, &reader, signatures);
        let publisher = Publisher::new(Arc::<Client>::clone(&client), Arc::new(Leading));
        let mut ground = Self {
            clock,
            memory,
            client,
            reader,
            registers,
            publisher,
            standing: Standing::default(),
            settings,
            key,
            certificate,
            above: Vec::new(),
            serials: 0,
            heard,
            counter,
            keeper,
        };
        ground.publish().await;
        ground.tell_all().await;
        ground.tell_delegate(Some(DAY * 2)).await;
        ground
    }

    /// A responder that has seen nothing yet takes the place of the one that there was.
    pub(super) fn restart(&mut self) {
        let Responder { heard, counter, keeper } = Responder::new(&self.clock, &self.reader, 1000);
        (self.heard, self.counter, self.keeper) = (heard, counter, keeper);
    }

    pub(super) fn id(&self) -> RegisterId {
        RegisterId::Authority(self.certificate.key_id())
    }

    pub(super) async fn append(&self, entry: Entry) {
        self.registers.append(self.id(), entry).await.unwrap();
    }

    /// A certificate that is on record.
    pub(super) async fn issue(&mut self) -> Certificate {
        self.serials += 1;
        let template = template(serial(self.serials), "leaf", self.clock.now(), 90);
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let owner = Owner { namespace: "team".into(), name: format!("web-{}", self.serials), uid: "u".into() };
        self.append(Entry {
            serial: Some(template.serial.clone()),
            not_after: Some(template.not_after),
            key_id: Some(key.key_id()),
            owner: Some(owner),
            reason: "Created".into(),
            ..Entry::new(Act::Issued)
        })
        .await;
        issue(&template, key.public_key(), &self.certificate, &self.key).unwrap()
    }

    pub(super) async fn act(&self, act: Act, certificate: &Certificate, code: Reason) {
        let (serial, not_after) = (Some(certificate.serial().clone()), Some(certificate.not_after()));
        self.append(Entry { serial, not_after, code: Some(code), ..Entry::new(act) }).await;
    }

    /// Publishes what the register says, as the operator does.
    pub(super) async fn publish(&mut self) {
        self.clock.advance(SignedDuration::from_secs(1));
        let now = self.clock.now();
        let index = self.registers.index();
        let id = self.id();
        let edition = Edition {
            settings: self.settings.clone(),
            former_base_urls: Vec::new(),
            list: None,
            number: CrlNumber::new(now.as_nanosecond().try_into().unwrap()),
            now,
            this_update: now - SignedDuration::from_mins(5),
            shards: (0..self.settings.shards).collect(),
            rebase: (0..self.settings.shards).collect(),
            deltas: std::collections::BTreeSet::new(),
            gap: false,
            confirmed: false,
        };
        let chain: Vec<_> = [&self.certificate].into_iter().chain(&self.above).cloned().collect();
        let shards = self.settings.shards;
        let from = Building {
            authority: self.certificate.key_id(),
            chain: &chain,
            signer: &self.key,
            previous: self.standing.published.as_ref(),
            register: &|| index.position(&id),
            entries: &|shard| index.ledger(&id, |ledger| ListEntry::of(ledger, shards, shard)),
            knows: &|serial| index.ledger(&id, |ledger| Knows::of(ledger, serial)),
        };
        let built = build(&edition, &from).unwrap();
        self.append(Entry { number: Some(edition.number), ..Entry::new(Act::Published) }).await;
        self.standing = self.publisher.publish(&self.standing, &built).await.unwrap();
    }

    pub(super) async fn documents(&self, label: &'static str) -> Vec<Document> {
        self.client.list(Selector { label, value: None }).await.unwrap()
    }

    /// The responder lists everything again.
    pub(super) async fn tell_all(&mut self) {
        self.tell(Message::Registers(News::All(self.documents(LABEL).await))).await;
        self.tell(Message::Lists(News::All(self.documents(names::LIST).await))).await;
    }

    /// The responder is told of each document, as a watch does.
    pub(super) async fn tell_changes(&mut self) {
        for document in self.documents(LABEL).await {
            self.tell(Message::Registers(News::Changed(document))).await;
        }
        let (heads, chunks): (Vec<_>, Vec<_>) = self.documents(names::LIST).await.into_iter().partition(|list| list.binary.is_empty());
        for document in chunks.into_iter().chain(heads) {
            self.tell(Message::Lists(News::Changed(document))).await;
        }
    }

    pub(super) async fn tell(&mut self, message: Message) {
        self.heard.now();
        self.keeper.take(message).await;
    }

    /// The keeper's round; returns how often its heart beat.
    pub(super) async fn round(&mut self) -> u32 {
        let mut beats = 0;
        self.keeper.round(&mut || beats += 1).await;
        beats
    }

    /// A delegate whose certificate lasts so long, in the first of the Secrets; none for none. The others are empty.
    pub(super) async fn tell_delegate(&mut self, lasts: Option<SignedDuration>) {
        let now = self.clock.now();
        let delegates = lasts.map(|lasts| {
            let template = Template {
                not_after: now + lasts,
                usages: vec![Usage::DigitalSignature, Usage::OcspSigning],
                ocsp_no_check: true,
                ..template(serial(0xfd), "OCSP", now, 2)
            };
            let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
            let certificate = issue(&template, key.public_key(), &self.certificate, &self.key).unwrap();
            (self.certificate.key_id(), Ok(Arc::new(Delegate { certificate, key })))
        });
        self.tell(Message::Delegates(0, delegates.into_iter().collect::<BTreeMap<_, _>>())).await;
        for secret in 1..SECRETS.len() {
            self.tell(Message::Delegates(secret, BTreeMap::new())).await;
        }
    }

    pub(super) fn ask(&self, serial: &SerialNumber) -> OcspRequest {
        OcspRequest::new(vec![CertId::of(CertIdHash::Sha1, &self.certificate, serial.clone())], None).unwrap()
    }

    /// What the answer says of a certificate, or the refusal's name.
    #[expect(clippy::unwrap_in_result, reason = "an answer that cannot be read is the test's failure, not a refusal")]
    pub(super) fn status(&self, serial: &SerialNumber) -> Result<OcspStatus, &'static str> {
        let der = match self.counter.answer(&self.ask(serial)) {
            Reply::Kept(kept) => kept.der.clone(),
            Reply::Once(der) => der,
            Reply::Refused(refusal) => return Err(refusal.as_str()),
        };
        let response = OcspResponse::from_der(&der).unwrap();
        response.verify(&self.certificate, self.clock.now()).unwrap();
        Ok(response.answers()[0].status)
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        self.counter.served.get().troubles(self.counter.silence(), self.clock.now())
    }

    /// The serials on the list that is served.
    pub(super) fn listed(&self) -> Vec<SerialNumber> {
        let served = self.counter.served.get();
        let Some(authority) = served.authorities.get(&self.certificate.key_id()) else { return Vec::new() };
        authority.shelf.shards[&0].full.crl.entries().map(|entry| entry.unwrap().serial).collect()
    }

    /// Serves it all until the token that comes with it is cancelled.
    pub(super) async fn serve(&self) -> (SocketAddr, CancellationToken) {
        let server = Server::over(([127, 0, 0, 1], 0).into(), serve::routes(Arc::clone(&self.counter)), serve::LIMITS).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        tokio::spawn(server.run(stop.clone()));
        (address, stop)
    }
}
