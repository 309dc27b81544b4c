//! Replays of whole and of damaged registers.

use super::*;
use crate::register::line::{Act, Entry};

const ID: RegisterId = RegisterId::Common;

fn lines(count: u64) -> Vec<Written> {
    let mut end = Position::start();
    let mut lines = Vec::new();
    while end.sequence < count {
        let entry = Entry { reason: format!("line {}", end.sequence), ..Entry::new(Act::Refused) };
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

/// A register of lines 1 to 9: sealed 1 to 3 and 4 to 6, and the head from `head_from` on.
fn register(lines: &[Written], head_from: usize, kept_from: u64) -> Vec<Document> {
    vec![
        layout::head(&ID, &link(lines, head_from - 1, kept_from), &[&lines[head_from - 1..9]], Some("1".into())),
        layout::segment(&ID, &link(lines, 3, 1), &lines[3..6]),
        layout::segment(&ID, &link(lines, 0, 1), &lines[0..3]),
    ]
}

fn sequences(documents: &[Document]) -> Result<Vec<u64>, String> {
    let mut sequences = Vec::new();
    replay(&ID, documents, &mut |written| sequences.push(written.line.sequence)).map(|_| sequences)
}

#[test]
fn a_whole_register_is_read_in_order() {
    assert_eq!(sequences(&register(&lines(9), 7, 1)), Ok((1..=9).collect()));
    assert_eq!(sequences(&[]), Ok(vec![]));
}

#[test]
fn lines_in_both_head_and_segment_are_read_once() {
    let lines = lines(9);
    for head_from in [1, 4, 7] {
        let documents = register(&lines, head_from, 1);
        assert_eq!(sequences(&documents), Ok((1..=9).collect()), "head from {head_from}");
        let replayed = replay(&ID, &documents, &mut |_| {}).unwrap();
        assert_eq!(replayed.sealed.map(|link| link.sequence), (head_from < 7).then_some(6));
        assert_eq!(replayed.end, lines[8].end());
    }
}

#[test]
fn a_trimmed_register_begins_later() {
    let lines = lines(9);
    let documents = register(&lines, 7, 4);
    assert_eq!(sequences(&documents), Ok((4..=9).collect()), "a segment that waits to be deleted is not read");
    assert_eq!(sequences(&documents[..2]), Ok((4..=9).collect()));
    assert_eq!(sequences(&register(&lines, 7, 7)[..1]), Ok((7..=9).collect()));
}

#[test]
fn what_is_lost_or_changed_is_noticed() {
    let lines = lines(9);
    let whole = register(&lines, 7, 1);
    let edited = |which: usize, from: &str, to: &str| {
        let mut documents = whole.clone();
        let text = documents[which].data.get_mut("lines").unwrap();
        assert!(text.contains(from));
        *text = text.replacen(from, to, 1);
        documents
    };
    let without = |which: usize| {
        let mut documents = whole.clone();
        documents.remove(which);
        documents
    };
    let other_head = {
        let mut documents = register(&lines, 4, 1);
        documents[1] = edited(1, "line 5", "line X")[1].clone();
        documents
    };
    for (documents, why) in [
        (without(0), "its head chancery-register-common is missing while its segment chancery-register-common-000000000001 exists"),
        (without(1), "before the head: lines 4 to 6 are missing"),
        (without(2), "before ConfigMap chancery-register-common-000000000004: lines 1 to 3 are missing"),
        (whole[..1].to_vec(), "before the head: lines 1 to 6 are missing"),
        (
            edited(0, "line 6", "line X"),
            "in ConfigMap chancery-register-common, line 8: it does not carry the hash of the line before it: one of the two was changed",
        ),
        (edited(1, "line 5", "line X"), "before the head: line 6 was changed, or belongs to another past"),
        (edited(2, "{", "["), "in ConfigMap chancery-register-common-000000000001, line 1: not a register's line: invalid type"),
        (other_head, "the head and a sealed segment hold different lines of the same sequence"),
    ] {
        let error = sequences(&documents).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
}
