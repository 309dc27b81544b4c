//! What a copy brings back: word for word where it fits, the facts where the register has gone on otherwise, and nothing that is not its.

use std::time::Duration;

use super::*;
use crate::register::{index::test_ledger, line::Owner};

const DAY: Duration = Duration::from_hours(24);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_octets(&[1, number]).unwrap()
}

fn entry(act: Act, number: u8) -> Entry {
    Entry {
        serial: Some(serial(number)),
        not_after: Some(at(0) + DAY * 30),
        key_id: Some(KeyId::of_spki(&[number])),
        owner: Some(Owner { namespace: "default".into(), name: format!("web-{number}"), uid: "u".into() }),
        actor: "controller".into(),
        ..Entry::new(act)
    }
}

/// Lines of these acts and serials, a second apart.
fn chain(after: Position, acts: &[(Act, u8)]) -> Former {
    let mut end = after.clone();
    let lines = acts.iter().map(|(act, number)| {
        let sequence = end.sequence + 1;
        let time = at(i64::try_from(sequence).unwrap());
        let line = Line { sequence, time, previous: end.hash.clone(), entry: entry(*act, *number) };
        let written = Written { text: line.to_text(), line };
        end = written.end();
        written
    });
    Former { lines: lines.collect(), after }
}

fn issued(numbers: std::ops::Range<u8>) -> Vec<(Act, u8)> {
    numbers.map(|number| (Act::Issued, number)).collect()
}

/// What a register with these lines makes of a copy.
fn come_to(standing: &Former, copy: &Former, begun_anew: bool) -> Result<Recovery, RecoverError> {
    let positions: Vec<Position> = std::iter::once(standing.after.clone()).chain(standing.lines.iter().map(Written::end)).collect();
    let stands = |position: &Position| if positions.contains(position) { Stands::Yes } else { Stands::No };
    recover(copy, &standing.end(), &stands, begun_anew, at(1000))
}

fn cut(copy: &Former, from: usize, to: usize) -> Former {
    let after = from.checked_sub(1).map_or_else(|| copy.after.clone(), |last| copy.lines[last].end());
    Former { after, lines: copy.lines[from..to].to_vec() }
}

#[test]
fn what_follows_the_end_stands_again_word_for_word() {
    let copy = chain(Position::start(), &issued(0..10));
    for end in 1..10 {
        let standing = cut(&copy, 0, end);
        assert_eq!(come_to(&standing, &copy, false), Ok(Recovery::Again(cut(&copy, end, 10))), "{end}");
        // A part of it is enough, and overlapping parts too.
        assert_eq!(come_to(&standing, &cut(&copy, end, 10), false), Ok(Recovery::Again(cut(&copy, end, 10))), "{end}");
        assert_eq!(come_to(&copy, &standing, false), Ok(Recovery::Nothing), "{end}");
    }
    assert_eq!(come_to(&cut(&copy, 0, 0), &cut(&copy, 4, 10), false), Ok(Recovery::Again(cut(&copy, 4, 10))), "where nothing stands");
}

#[test]
fn where_both_went_on_differently_the_lost_lines_are_named() {
    let copy = chain(Position::start(), &issued(0..10));
    let mut standing = cut(&copy, 0, 6);
    standing.lines.extend(chain(standing.end(), &issued(100..103)).lines);
    assert_eq!(come_to(&standing, &copy, false), Ok(Recovery::Anew(copy.lines[6..].to_vec())));
}

#[test]
fn another_register_a_gap_and_a_time_to_come_are_refused() {
    let copy = chain(Position::start(), &issued(0..10));
    let other = chain(Position::start(), &issued(50..55));
    assert_eq!(come_to(&other, &copy, false), Err(RecoverError::Foreign));
    assert_eq!(come_to(&other, &copy, true), Ok(Recovery::Anew(copy.lines.clone())));
    assert_eq!(come_to(&cut(&copy, 0, 3), &cut(&copy, 6, 10), false), Err(RecoverError::Gap { from: 4, to: 6 }));
    let early = recover(&copy, &Position::start(), &|_| Stands::No, false, at(-1000));
    assert_eq!(early, Err(RecoverError::Ahead { sequence: 1, time: at(1) }));
}

/// What of the lost acts is recorded, after these were recorded at a later time.
fn told(since: &[(Act, u8)], lost: &[(Act, u8)]) -> Vec<(Act, u8)> {
    let ledger = test_ledger(since.iter().zip(500..).map(|((act, number), time)| (at(time), entry(*act, *number))));
    let known = Known { ledger, key: &|_| None, blocked: &|_| false, copy: &|_| false };
    let lost = chain(Position::start(), lost);
    let entries = facts(&lost.lines, known, at(1000));
    assert!(entries.iter().all(|entry| entry.actor == "restore, controller" && entry.recorded.is_some_and(|then| then < at(100))));
    let number = |entry: &Entry| entry.serial.as_ref().unwrap().as_octets().last().copied().unwrap();
    entries.iter().map(|entry| (entry.act, number(entry))).collect()
}

#[test]
fn what_is_not_known_is_recorded_once_more_and_nothing_twice() {
    use Act::{Held, Imported, Issued, Pending, Published, Refused, Released, Revoked, Voided};
    type Acts = &'static [(Act, u8)];
    let rows: [(Acts, Acts, Acts); 13] = [
        (&[], &[(Issued, 1), (Revoked, 1)], &[(Issued, 1), (Revoked, 1)]),
        (&[], &[(Imported, 1), (Issued, 1)], &[(Imported, 1)]),
        (&[(Issued, 1)], &[(Issued, 1), (Revoked, 1)], &[(Revoked, 1)]),
        (&[(Issued, 1), (Revoked, 1)], &[(Revoked, 1), (Held, 1)], &[]),
        (&[], &[(Issued, 1), (Voided, 1)], &[]),
        (&[(Issued, 1)], &[(Voided, 1)], &[(Voided, 1)]),
        (&[], &[(Issued, 1), (Held, 1), (Released, 1)], &[(Issued, 1), (Held, 1), (Released, 1)]),
        // What was done since was done by one who knew.
        (&[(Held, 1)], &[(Held, 1), (Released, 1)], &[]),
        (&[(Held, 1), (Released, 1)], &[(Held, 1)], &[]),
        (&[(Held, 1)], &[(Revoked, 1)], &[(Revoked, 1)]),
        (&[], &[(Pending, 1)], &[(Pending, 1)]),
        (&[(Revoked, 1)], &[(Pending, 1)], &[]),
        (&[], &[(Published, 1), (Refused, 1)], &[]),
    ];
    for (since, lost, wanted) in rows {
        assert_eq!(told(since, lost), wanted, "after {since:?}, of {lost:?}");
    }
}

#[test]
fn what_has_ended_long_ago_stays_forgotten_and_a_compromise_is_said() {
    let lost = chain(Position::start(), &[(Act::Issued, 1), (Act::Revoked, 1)]);
    let known = |ledger| Known { ledger, key: &|_| None, blocked: &|_| false, copy: &|_| false };
    assert!(facts(&lost.lines, known(Ledger::default()), at(0) + DAY * 60).is_empty());
    let mut compromise = lost.lines[1].clone();
    compromise.line.entry.code = Some(Reason::KeyCompromise);
    let revoked = test_ledger(std::iter::once((at(500), entry(Act::Revoked, 1))));
    assert_eq!(facts(&[compromise], known(revoked), at(1000)).len(), 1);
}

#[test]
fn lines_on_keys_come_back_as_the_copies_are() {
    let lost = chain(Position::start(), &[(Act::Made, 1), (Act::Copied, 1), (Act::Blocked, 2), (Act::Blocked, 2), (Act::Destroyed, 3)]);
    let acts = |copy: bool| {
        let known = Known { ledger: Ledger::default(), key: &|_| None, blocked: &|_| false, copy: &move |_| copy };
        facts(&lost.lines, known, at(1000)).iter().map(|entry| entry.act).collect::<Vec<_>>()
    };
    assert_eq!(acts(true), [Act::Made, Act::Copied, Act::Blocked]);
    assert_eq!(acts(false), [Act::Made, Act::Blocked, Act::Destroyed]);
}

#[test]
fn a_time_to_come_is_refused_also_of_what_was_recorded_first() {
    let mut copy = chain(Position::start(), &issued(0..1));
    copy.lines[0].line.entry.recorded = Some(at(5000));
    let refused = recover(&copy, &Position::start(), &|_| Stands::No, false, at(1000));
    assert_eq!(refused, Err(RecoverError::Ahead { sequence: 1, time: at(5000) }));
}
