//! What was lost comes back: cut off anywhere, by seals or between them, and by whatever faults.

use super::*;
use crate::register::{
    export::Former,
    recover::{Recovery, recover},
};

/// Acts of every kind on few certificates, so that what is said depends on what was said before.
fn acts() -> impl Strategy<Value = Vec<Entry>> {
    let act = prop_oneof![
        6 => Just(Act::Issued), 1 => Just(Act::Voided), 2 => Just(Act::Revoked), 1 => Just(Act::Held), 1 => Just(Act::Released),
        1 => Just(Act::Blocked), 1 => Just(Act::Made), 1 => Just(Act::Copied), 1 => Just(Act::Refused), 1 => Just(Act::Published),
    ];
    let entry = (act, 0..90_u32).prop_map(|(act, number)| Entry {
        act,
        number: Some(chancery_pki::CrlNumber::new(number.into())),
        generation: Some(i64::from(number % 3)),
        ..issued(number, now(), 90)
    });
    prop::collection::vec(entry, 1..260).prop_map(|entries: Vec<Entry>| {
        // No serial is given out twice, and none is heard of again that was taken back.
        let (mut given, mut taken_back) = (BTreeSet::new(), BTreeSet::new());
        let mut possible = |entry: &Entry| {
            let first = entry.act != Act::Issued || given.insert(entry.serial.clone());
            let known = !taken_back.contains(&entry.serial);
            if entry.act == Act::Voided {
                taken_back.insert(entry.serial.clone());
            }
            first && known
        };
        entries.into_iter().filter(|entry| possible(entry)).collect::<Vec<_>>()
    })
}

fn lines_of(memory: &Memory) -> Former {
    let mut lines = Vec::new();
    replay(&ID, &memory.documents(), &mut |written| lines.push(written.clone())).unwrap();
    Former { after: Position::start(), lines }
}

async fn restored(registers: &Registers, copy: &Former, now: Timestamp) -> Recovery {
    let index = registers.index();
    let recovery = recover(copy, &index.position(&ID), &|position| index.stands(&ID, position), false, now).unwrap();
    if let Recovery::Again(former) = recovery.clone() {
        registers.restore(ID, former.after, former.lines).await.unwrap();
    }
    recovery
}

async fn run(entries: Vec<Entry>, cut: usize, faults: Vec<Fault>) {
    let (memory, hand) = (Arc::new(Memory::default()), Hand::new());
    let first = registers(&memory.client([]), &hand);
    first.open().await.unwrap();
    let cut = cut % entries.len();
    append_all(&first, entries[..cut].iter().cloned()).await;
    let older = memory.documents();
    for batch in entries[cut..].chunks(30) {
        hand.advance(Duration::from_secs(7));
        append_all(&first, batch.iter().cloned()).await;
    }
    let copy = lines_of(&memory);
    let whole = first.index().snapshot(hand.now());

    // The store goes back: what was not there then is not there now.
    for document in memory.documents() {
        memory.remove(&document.name);
    }
    for document in older {
        memory.put_back(document);
    }
    let client = memory.client(faults);
    let second = registers(&client, &hand);
    second.open().await.unwrap();
    restored(&second, &copy, hand.now()).await;
    assert!(second.index().snapshot(hand.now()) == whole, "the index is another");
    assert_eq!(lines_of(&memory), copy);
    assert_eq!(restored(&second, &copy, hand.now()).await, Recovery::Nothing, "once more changes nothing");
    // And it goes on.
    client.heal();
    let next = second.append(ID, issued(999, now(), 90)).await.unwrap();
    assert_eq!(next.sequence, copy.end().sequence + 1);
    let third = registers(&memory.client([]), &hand);
    third.open().await.unwrap();
    assert_eq!(third.state(&ID), RegisterState::Sound);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn cut_off_anywhere_the_copy_brings_it_all_back(
        entries in acts(),
        cut in any::<usize>(),
        faults in prop::collection::vec(prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::LostAfter), 1 => Just(Fault::LostBefore)], 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(entries, cut, faults));
    }
}

#[tokio::test(start_paused = true)]
async fn a_register_that_is_gone_begins_again_where_its_copy_does() {
    let (memory, hand) = (Arc::new(Memory::default()), Hand::new());
    let first = registers(&memory.client([]), &hand);
    first.open().await.unwrap();
    append_all(&first, (0..200).map(|n| issued(n, now(), 90))).await;
    let whole = lines_of(&memory);
    let later = Former { after: whole.lines[49].end(), lines: whole.lines[50..].to_vec() };
    for document in memory.documents() {
        memory.remove(&document.name);
    }
    let second = registers(&memory.client([]), &hand);
    second.open().await.unwrap();
    second.restore(ID, later.after.clone(), later.lines.clone()).await.unwrap();
    assert_eq!(second.append(ID, issued(999, now(), 90)).await.unwrap().sequence, 201);
    let third = registers(&memory.client([]), &hand);
    third.open().await.unwrap();
    assert_eq!((third.state(&ID), third.index().ends()[&ID].kept_from), (RegisterState::Sound, 51));
    assert!(examine::Examined::of(ID, &memory.documents()).faults.is_empty());
}

#[tokio::test(start_paused = true)]
async fn lines_that_do_not_follow_are_refused_and_what_was_written_meanwhile_stays() {
    let (memory, hand) = (Arc::new(Memory::default()), Hand::new());
    let registers = registers(&memory.client([]), &hand);
    registers.open().await.unwrap();
    append_all(&registers, (0..3).map(|n| issued(n, now(), 90))).await;
    let lines = lines_of(&memory).lines;
    let refused = registers.restore(ID, lines[1].end(), lines[2..].to_vec()).await.unwrap_err();
    assert_eq!(refused, RegisterError::NotNext { register: ID, last: 3 });
    assert_eq!((registers.append(ID, issued(3, now(), 90)).await.unwrap().sequence, registers.state(&ID)), (4, RegisterState::Sound));
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_once_more_counts_as_it_did() {
    let (memory, hand) = (Arc::new(Memory::default()), Hand::new());
    let registers = registers(&memory.client([]), &hand);
    registers.open().await.unwrap();
    let then = hand.now();
    hand.advance(Duration::from_hours(2));
    registers.append(ID, issued(1, now(), 90)).await.unwrap();
    // Issued before that to the same Certificate, and lost.
    let former = Entry { owner: issued(1, now(), 90).owner, recorded: Some(then), ..issued(2, now(), 90) };
    registers.append(ID, former.clone()).await.unwrap();
    let revoked = Entry { act: Act::Revoked, ..former.clone() };
    registers.append(ID, revoked).await.unwrap();
    let index = registers.index();
    assert_eq!(index.current("ns-1", "web-1").unwrap().serial, issued(1, now(), 90).serial.unwrap(), "what is older is not current");
    let (issued, revocation) = index.ledger(&ID, |ledger| {
        let known = ledger.get(former.serial.as_ref().unwrap()).unwrap();
        (known.issued, known.standing.revocation().cloned().unwrap())
    });
    assert_eq!((issued, revocation.time, revocation.from), (Some(then), then, then));
}
