//! Registers over ConfigMaps in memory: group commit, seals, two leaders, lost answers, crashes.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
};

use chancery_pki::{KeyId, SerialNumber};
use futures::future::join_all;
use proptest::prelude::*;

use super::{
    memory::{Client, Fault, Memory},
    *,
};
use crate::lease::NotLeading;

mod interleaved;
mod restored;

const ID: RegisterId = RegisterId::Common;

/// Leads until it is told otherwise.
#[derive(Debug, Default)]
struct Lead(AtomicBool);

impl Fence for Lead {
    fn check(&self) -> Result<(), NotLeading> {
        if self.0.load(Ordering::Relaxed) { Err(NotLeading) } else { Ok(()) }
    }
}

/// A clock that stands where it is put.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_000_000)))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_secs()).unwrap(), Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

fn registers(client: &Arc<Client>, hand: &Arc<Hand>) -> Arc<Registers> {
    leading(client, hand, Arc::default())
}

fn leading(client: &Arc<Client>, hand: &Arc<Hand>, lead: Arc<Lead>) -> Arc<Registers> {
    let hand = Arc::clone(hand);
    Arc::new(Registers::over(Arc::<Client>::clone(client), lead, Arc::new(move || hand.now()), Arc::new(())))
}

fn issued(number: u32, now: Timestamp, days: u32) -> Entry {
    let mut octets = [0; 13];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    Entry {
        serial: Some(SerialNumber::issued(0, octets)),
        not_after: Some(now + Duration::from_hours(24) * days),
        key_id: Some(KeyId::of_spki(&number.to_be_bytes())),
        owner: Some(Owner { namespace: format!("ns-{}", number % 2), name: format!("web-{}", number % 7), uid: "u".into() }),
        reason: if number < 7 { "Created".into() } else { format!("Asked {}", "because ".repeat(17)) },
        actor: "test".into(),
        ..Entry::new(Act::Issued)
    }
}

async fn append_all(registers: &Registers, entries: impl IntoIterator<Item = Entry>) -> Vec<Result<Line, RegisterError>> {
    join_all(entries.into_iter().map(|entry| registers.append(ID, entry))).await
}

/// What stands, as a fresh opening reads it.
fn standing(memory: &Memory) -> Vec<Line> {
    let documents = memory.documents();
    for document in &documents {
        assert!(document.lines().len() <= HEAD_BYTES, "{} has {} octets", document.name, document.lines().len());
    }
    let mut lines = Vec::new();
    replay(&ID, &documents, &mut |written| lines.push(written.line.clone())).unwrap();
    lines
}

fn now() -> Timestamp {
    Hand::new().now()
}

#[tokio::test(start_paused = true)]
async fn all_that_wait_share_a_write() {
    let memory = Arc::new(Memory::default());
    let client = memory.client([]);
    let registers = registers(&client, &Hand::new());
    registers.open().await.unwrap();
    let lines = append_all(&registers, (0..40).map(|n| issued(n, now(), 90))).await;
    assert_eq!(lines.into_iter().map(|line| line.unwrap().sequence).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert_eq!(client.writes(), ["POST chancery-register-common"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_register_writes_at_once_and_a_busy_one_at_most_every_fifty_milliseconds() {
    let memory = Arc::new(Memory::default());
    let client = memory.client([]);
    let registers = registers(&client, &Hand::new());
    registers.open().await.unwrap();
    let start = tokio::time::Instant::now();
    registers.append(ID, issued(0, now(), 90)).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(10));
    for number in 1..=4 {
        registers.append(ID, issued(number, now(), 90)).await.unwrap();
    }
    let busy = start.elapsed();
    assert!((200..220).contains(&busy.as_millis()), "{busy:?}");
}

#[tokio::test(start_paused = true)]
async fn a_huge_batch_is_several_heads_and_sealed_segments() {
    let memory = Arc::new(Memory::default());
    let registers = registers(&memory.client([]), &Hand::new());
    registers.open().await.unwrap();
    let lines = append_all(&registers, (0..1000).map(|n| issued(n, now(), 90))).await;
    assert!(lines.iter().all(Result::is_ok));
    assert_eq!(standing(&memory).len(), 1000);
    let documents = memory.documents();
    assert!((8..14).contains(&documents.len()), "{}", documents.len());
    assert!(documents.iter().all(|document| document.immutable == (document.name != ID.name())
        && Selector { label: LABEL, value: Some("common".into()) }.matches(document)));
    assert!(documents.iter().filter(|document| document.immutable).all(|document| document.lines().len() > 48 * 1024), "segments are full");
}

#[tokio::test(start_paused = true)]
async fn each_fault_at_each_write_of_a_seal_leaves_every_line_once() {
    for fault in [Fault::LostBefore, Fault::LostAfter, Fault::SilentBefore, Fault::SilentAfter, Fault::Delayed] {
        for place in 0..6 {
            let memory = Arc::new(Memory::default());
            let client = memory.client((0..place).map(|_| Fault::None).chain([fault]));
            let registers = registers(&client, &Hand::new());
            registers.open().await.unwrap();
            for batch in 0..3 {
                let lines = append_all(&registers, (0..60).map(|n| issued(batch * 60 + n, now(), 90))).await;
                assert!(lines.iter().all(Result::is_ok), "{fault:?} at {place}");
            }
            let serials: BTreeSet<_> = standing(&memory).into_iter().map(|line| line.entry.serial).collect();
            assert_eq!((standing(&memory).len(), serials.len()), (180, 180), "{fault:?} at {place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_segment_and_head_is_taken_up() {
    let memory = Arc::new(Memory::default());
    let (hand, client) = (Hand::new(), memory.client([]));
    let first = registers(&client, &hand);
    first.open().await.unwrap();
    append_all(&first, (0..60).map(|n| issued(n, now(), 90))).await;
    // What fits is written to the head; then the segment is.
    client.next_faults([Fault::None, Fault::DiesAfter]);
    let dead = Arc::clone(&first);
    tokio::spawn(async move { append_all(&dead, (100..200).map(|n| issued(n, now(), 90))).await });
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(client.is_dead() && memory.document(&ID.segment_name(1)).is_some());

    let client = memory.client([]);
    let second = registers(&client, &hand);
    second.open().await.unwrap();
    second.append(ID, issued(300, now(), 90)).await.unwrap();
    assert_eq!(client.writes(), ["PUT chancery-register-common"], "it is not sealed twice");
    assert_eq!(memory.document(&ID.name()).unwrap().lines().lines().count(), 1);
    let lines = standing(&memory);
    assert_eq!(lines.len(), memory.document(&ID.segment_name(1)).unwrap().lines().lines().count() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_lead_refuses_and_writes_nothing() {
    let memory = Arc::new(Memory::default());
    let (client, lead) = (memory.client([]), Arc::new(Lead::default()));
    let registers = leading(&client, &Hand::new(), Arc::clone(&lead));
    assert_eq!(registers.append(ID, issued(0, now(), 90)).await, Err(RegisterError::Closed));
    registers.open().await.unwrap();
    lead.0.store(true, Ordering::Relaxed);
    assert_eq!(registers.append(ID, issued(0, now(), 90)).await, Err(RegisterError::NotLeading));
    assert!(client.writes().is_empty());
    lead.0.store(false, Ordering::Relaxed);
    registers.append(ID, issued(0, now(), 90)).await.unwrap();
    registers.reset();
    assert!(registers.index().current("ns-0", "web-0").is_none());
    assert_eq!(registers.append(ID, issued(1, now(), 90)).await, Err(RegisterError::Closed));
    registers.open().await.unwrap();
    assert!(registers.index().current("ns-0", "web-0").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_never_answers_is_reported_as_worth_waiting_for() {
    let memory = Arc::new(Memory::default());
    let client = memory.client([Fault::LostBefore; 100]);
    let registers = registers(&client, &Hand::new());
    registers.open().await.unwrap();
    let error = registers.append(ID, issued(0, now(), 90)).await.unwrap_err();
    assert!(matches!(error, RegisterError::Unavailable { .. }) && error.waiting_helps(), "{error}");
    client.heal();
    assert_eq!(registers.append(ID, issued(1, now(), 90)).await.unwrap().sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_register_takes_no_lines_and_stops_no_other() {
    let memory = Arc::new(Memory::default());
    let other = RegisterId::Authority(KeyId::of_spki(b"ca"));
    let first = registers(&memory.client([]), &Hand::new());
    first.open().await.unwrap();
    append_all(&first, (0..3).map(|n| issued(n, now(), 90))).await;
    first.append(other, issued(3, now(), 90)).await.unwrap();
    memory.edit(&ID.name(), |document| {
        let text = document.data.get_mut("lines").unwrap();
        *text = text.replacen("web-1", "web-5", 1);
    });

    // The one who wrote it notices at its next write, the next one when it opens.
    let error = first.append(ID, issued(4, now(), 90)).await.unwrap_err();
    assert!(matches!(error, RegisterError::Broken { .. }) && !error.waiting_helps(), "{error}");
    assert_ne!(first.state(&ID), RegisterState::Sound);
    let second = registers(&memory.client([]), &Hand::new());
    second.open().await.unwrap();
    assert!(matches!(second.append(ID, issued(5, now(), 90)).await, Err(RegisterError::Broken { .. })));
    assert_eq!((second.state(&other), second.states().len()), (RegisterState::Sound, 2));
    assert_eq!(second.append(other, issued(5, now(), 90)).await.unwrap().sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn a_register_that_went_back_in_time_is_noticed() {
    let memory = Arc::new(Memory::default());
    let registers = registers(&memory.client([]), &Hand::new());
    registers.open().await.unwrap();
    registers.append(ID, issued(0, now(), 90)).await.unwrap();
    let old = memory.document(&ID.name()).unwrap();
    registers.append(ID, issued(1, now(), 90)).await.unwrap();
    memory.edit(&ID.name(), |document| document.data = old.data);
    let error = registers.append(ID, issued(2, now(), 90)).await.unwrap_err().to_string();
    assert!(error.contains("line 2 was there and is gone"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_was_deleted_is_written_again_by_the_leader_who_knows_it() {
    let memory = Arc::new(Memory::default());
    let registers = registers(&memory.client([]), &Hand::new());
    registers.open().await.unwrap();
    registers.append(ID, issued(0, now(), 90)).await.unwrap();
    memory.remove(&ID.name());
    assert_eq!(registers.append(ID, issued(1, now(), 90)).await.unwrap().sequence, 2);
    assert_eq!(standing(&memory).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn ended_segments_go_and_living_keys_are_carried_forward() {
    let memory = Arc::new(Memory::default());
    let (hand, client) = (Hand::new(), memory.client([]));
    let writing = registers(&client, &hand);
    writing.open().await.unwrap();
    let copied = Entry { act: Act::Copied, serial: None, not_after: None, reason: String::new(), ..issued(0, now(), 90) };
    let key = copied.key_id.unwrap();
    writing.append(ID, copied).await.unwrap();
    for batch in 0..6 {
        append_all(&writing, (0..60).map(|n| issued(100 * batch + n, hand.now(), 1))).await;
        hand.advance(Duration::from_hours(10 * 24));
    }
    let lines = standing(&memory);
    assert!(lines[0].sequence > 1, "the first lines have gone");
    assert_eq!(lines.iter().filter(|line| line.entry.act == Act::Copied).count(), 1);
    assert!(memory.document(&ID.segment_name(1)).is_none() && client.writes().iter().any(|write| write.starts_with("DELETE")));
    let fresh = registers(&memory.client([]), &hand);
    fresh.open().await.unwrap();
    assert!(fresh.index().copy_exists(&key));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_does_not_reorder_lines() {
    let memory = Arc::new(Memory::default());
    let (hand, other) = (Hand::new(), RegisterId::Authority(KeyId::of_spki(b"ca")));
    let registers = registers(&memory.client([]), &hand);
    registers.open().await.unwrap();
    let first = registers.append(ID, issued(0, now(), 90)).await.unwrap();
    hand.0.fetch_sub(600, Ordering::Relaxed);
    let second = registers.append(ID, issued(1, now(), 90)).await.unwrap();
    assert_eq!(second.time, first.time);
    let moved = Entry { owner: issued(0, now(), 90).owner, ..issued(2, now(), 90) };
    let third = registers.append(other, moved).await.unwrap();
    assert!(third.time > first.time);
    assert_eq!(registers.index().current("ns-0", "web-0").unwrap().register, other, "what came later is current");
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_could_not_be_restored_does_not_move_the_register() {
    let (memory, hand) = (Arc::new(Memory::default()), Hand::new());
    let line = Line { sequence: 8, time: hand.now(), previous: hash("7"), entry: issued(1, hand.now(), 90) };
    let lines = vec![Written { text: line.to_text(), line }];
    let client = memory.client([Fault::LostBefore; 100]);
    let registers = registers(&client, &hand);
    registers.open().await.unwrap();
    let after = Position { sequence: 7, hash: hash("7") };
    assert!(registers.restore(ID, after.clone(), lines.clone()).await.is_err());
    client.heal();
    // It has no line, and the next is its first.
    let first = registers.append(ID, issued(2, hand.now(), 90)).await.unwrap();
    assert_eq!(first.sequence, 1);
    assert!(matches!(registers.restore(ID, after, lines).await, Err(RegisterError::NotNext { .. })));
}
