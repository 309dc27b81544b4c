//! Registers that grow, lose lines and go back under the eyes of a reader.

use super::*;
use crate::register::{
    layout::{Link, head, segment},
    line::{Act, Entry, Line},
};

const ID: RegisterId = RegisterId::Common;

fn lines(count: u64, reason: &str) -> Vec<Written> {
    let mut end = Position::start();
    let mut lines = Vec::new();
    while end.sequence < count {
        let key_id = Some(chancery_pki::KeyId::of_spki(&end.sequence.to_be_bytes()));
        let entry = Entry { key_id, reason: reason.to_owned(), ..Entry::new(Act::Made) };
        let line = Line { sequence: end.sequence + 1, time: Timestamp::UNIX_EPOCH, previous: end.hash.clone(), entry };
        let written = Written { text: line.to_text(), line };
        end = written.end();
        lines.push(written);
    }
    lines
}

fn link(lines: &[Written], last: usize, kept_from: u64) -> Link {
    let Some(last) = last.checked_sub(1) else { return Link::none() };
    let Position { sequence, hash } = lines[last].end();
    Link { segment: "any".into(), sequence, hash, kept_from }
}

/// The head with the lines after `sealed` up to `end`.
fn head_of(lines: &[Written], sealed: usize, end: usize) -> Document {
    head(&ID, &link(lines, sealed, 1), &[&lines[sealed..end]], Some("1".into()))
}

/// The lines 1 to `end`, all but the last three in one segment.
fn register(lines: &[Written], end: usize) -> Vec<Document> {
    vec![segment(&ID, &Link::none(), &lines[..end - 3]), head_of(lines, end - 3, end)]
}

/// How many of the lines' keys the index knows: each line is about another one.
fn known(follower: &Follower) -> usize {
    follower.index().living_keys().len()
}

#[test]
fn what_a_head_adds_is_taken_in_once() {
    let lines = lines(9, "");
    let mut follower = Follower::default();
    follower.all(register(&lines, 6));
    assert_eq!((known(&follower), follower.index().position(&ID)), (6, lines[5].end()));
    assert_eq!(follower.head(&head_of(&lines, 3, 8)), Look::Taken(ID));
    assert_eq!(follower.head(&head_of(&lines, 3, 8)), Look::Taken(ID));
    assert_eq!((known(&follower), follower.index().position(&ID)), (8, lines[7].end()));
    // Sealed up to the last known line.
    assert_eq!(follower.head(&head_of(&lines, 8, 9)), Look::Taken(ID));
    assert_eq!((known(&follower), follower.fault(&ID)), (9, None));
}

#[test]
fn a_register_that_begins_after_the_first_look_is_followed_from_its_first_line() {
    let lines = lines(2, "");
    let mut follower = Follower::default();
    follower.all(Vec::new());
    assert_eq!(follower.head(&head_of(&lines, 0, 2)), Look::Taken(ID));
    assert_eq!(known(&follower), 2);
}

#[test]
fn lines_that_were_sealed_unseen_are_read_from_the_whole_register() {
    let lines = lines(9, "");
    let mut follower = Follower::default();
    follower.all(vec![head_of(&lines, 0, 2)]);
    assert_eq!(follower.head(&head_of(&lines, 6, 9)), Look::Gap(ID));
    follower.whole(ID, register(&lines, 9));
    assert_eq!((known(&follower), follower.index().position(&ID), follower.fault(&ID)), (9, lines[8].end(), None));
}

#[test]
fn a_register_that_went_back_is_named_and_nothing_of_it_is_forgotten() {
    let lines = lines(9, "");
    let mut follower = Follower::default();
    follower.all(register(&lines, 8));
    follower.all(register(&lines, 7));
    for _ in 0..2 {
        assert_eq!(follower.fault(&ID), Some("it has gone back: line 8 was there and is there no more"));
        assert_eq!((known(&follower), follower.index().position(&ID)), (8, lines[7].end()));
        // A late head says nothing of it.
        assert_eq!(follower.head(&head_of(&lines, 5, 7)), Look::Late(ID));
    }
    // Put right again, it goes on.
    assert_eq!(follower.head(&head_of(&lines, 5, 9)), Look::Taken(ID));
    assert_eq!(follower.faults().count(), 0);
}

#[test]
fn heads_that_come_after_a_newer_one_are_late_and_no_fault() {
    let (ours, others) = (lines(9, ""), lines(9, "another"));
    let mut follower = Follower::default();
    follower.all(register(&ours, 9));
    for (sealed, end) in [(0, 2), (3, 8), (5, 5)] {
        assert_eq!(follower.head(&head_of(&ours, sealed, end)), Look::Late(ID), "{sealed} {end}");
        assert_eq!((follower.fault(&ID), known(&follower)), (None, 9));
    }
    assert_eq!(follower.head(&head_of(&others, 3, 7)), Look::Taken(ID));
    assert_eq!(follower.fault(&ID), Some("line 7 is not the one that was there before"));
}

#[test]
fn another_past_is_named_and_not_taken_in() {
    let (ours, others) = (lines(6, ""), lines(9, "another"));
    let why = Some("line 6 is not the one that was there before");
    for sealed in [5, 6] {
        let mut follower = Follower::default();
        follower.all(register(&ours, 6));
        assert_eq!(follower.head(&head_of(&others, sealed, 9)), Look::Taken(ID));
        assert_eq!((follower.fault(&ID), known(&follower)), (why, 6));
    }
    let mut follower = Follower::default();
    follower.all(register(&ours, 6));
    follower.whole(ID, register(&others, 9));
    assert_eq!((follower.fault(&ID), known(&follower)), (why, 6));
}

#[test]
fn a_register_that_is_damaged_at_the_first_look_is_named_until_it_is_put_right() {
    let lines = lines(9, "");
    let mut follower = Follower::default();
    let mut documents = register(&lines, 9);
    let text = documents[1].data.get_mut("lines").unwrap();
    *text = text.replacen("\"made\"", "\"voided\"", 1);
    follower.all(documents);
    assert!(follower.fault(&ID).unwrap().contains("line 8"), "{:?}", follower.fault(&ID));
    follower.all(register(&lines, 9));
    assert_eq!((known(&follower), follower.fault(&ID)), (9, None));
}

#[test]
fn a_register_that_is_gone_is_named() {
    let lines = lines(4, "");
    let mut follower = Follower::default();
    follower.all(register(&lines, 4));
    assert_eq!(follower.removed(&ID.segment_name(1)), None);
    assert_eq!(follower.fault(&ID), None);
    assert_eq!(follower.removed(&ID.name()), Some(ID));
    assert!(follower.fault(&ID).unwrap().contains("is gone"));
    follower.all(register(&lines, 4));
    assert_eq!(follower.fault(&ID), None);
    follower.all(Vec::new());
    assert_eq!((follower.fault(&ID).is_some(), known(&follower)), (true, 4));
}

#[test]
fn what_was_let_go_unseen_is_no_fault() {
    let lines = lines(9, "");
    let mut follower = Follower::default();
    follower.all(register(&lines, 4));
    let head = head(&ID, &link(&lines, 7, 7), &[&lines[7..9]], None);
    assert_eq!(follower.head(&head), Look::Gap(ID));
    follower.whole(ID, vec![segment(&ID, &link(&lines, 6, 7), &lines[6..7]), head]);
    assert_eq!((known(&follower), follower.fault(&ID), follower.index().position(&ID)), (7, None, lines[8].end()));
}
