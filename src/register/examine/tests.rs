//! Each kind of tampering is found, and named with its line.

use chancery_pki::SerialNumber;
use jiff::Timestamp;

use super::*;
use crate::register::{
    layout::{self, Link},
    line::{Act, Entry, Line, Owner},
};

const ID: RegisterId = RegisterId::Common;

fn lines(count: u64) -> Vec<Written> {
    let mut end = Position::start();
    (1..=count)
        .map(|sequence| {
            let owner = Owner { namespace: "default".into(), name: format!("web-{sequence}"), uid: "u".into() };
            let entry = Entry { serial: Some(SerialNumber::from_octets(&[1]).unwrap()), owner: Some(owner), ..Entry::new(Act::Voided) };
            let time = Timestamp::from_second(1_795_000_000 + i64::try_from(sequence).unwrap()).unwrap();
            let line = Line { sequence, time, previous: end.hash.clone(), entry };
            let written = Written { text: line.to_text(), line };
            end = written.end();
            written
        })
        .collect()
}

/// Two segments of four lines, and a head with the rest.
fn documents(lines: &[Written]) -> Vec<Document> {
    let link = |count: usize, segment: String| match count {
        0 => Link::none(),
        _ => Link { segment, sequence: lines[count - 1].line.sequence, hash: lines[count - 1].end().hash, kept_from: 1 },
    };
    vec![
        layout::segment(&ID, &Link::none(), &lines[..4]),
        layout::segment(&ID, &link(4, ID.segment_name(1)), &lines[4..8]),
        layout::head(&ID, &link(8, ID.segment_name(5)), &[&lines[8..]], Some("1".into())),
    ]
}

fn faults(documents: &[Document]) -> Vec<String> {
    Examined::of(ID, documents).faults.iter().map(ToString::to_string).collect()
}

/// The faults after the text of each document was changed.
fn after(change: impl Fn(&str) -> String) -> Vec<String> {
    let mut documents = documents(&lines(12));
    for document in &mut documents {
        let text = document.data.get_mut("lines").unwrap();
        *text = change(text);
    }
    faults(&documents)
}

fn without(text: &str, mark: &str) -> String {
    text.lines().filter(|line| !line.contains(mark)).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_sound_register_has_no_faults() {
    let examined = Examined::of(ID, &documents(&lines(12)));
    assert_eq!((examined.faults.len(), examined.lines.len(), examined.end().sequence), (0, 12, 12));
    assert!(Examined::of(ID, &[]).faults.is_empty());
}

#[test]
fn an_altered_line_is_named() {
    assert_eq!(after(|text| text.replace("web-6", "web-x")), ["line 6 was altered: line 7 carries another hash"]);
    // Across a segment's end.
    assert_eq!(after(|text| text.replace("web-4\"", "web-x\"")), ["line 4 was altered: line 5 carries another hash"]);
    assert_eq!(after(|text| text.replace("web-11", "web-x"))[0].split(':').next(), Some("line 11 was altered"));
    let good = lines(12);
    let named = &good[5].line.previous;
    assert_eq!(
        after(|text| text.replace(named.as_str(), &hash("other"))),
        ["line 6 was altered: neither does it carry the hash of line 5, nor line 7 its own"]
    );
    let garbled = after(|text| text.replace("{\"sequence\":3,", "{\"sequence\":3;"));
    assert!(garbled.len() == 1 && garbled[0].starts_with("line 3 was altered: it is no line of a register any more"), "{garbled:?}");
}

#[test]
fn missing_and_moved_and_doubled_lines_are_named() {
    assert_eq!(after(|text| without(text, "web-6\"")), ["line 6 is missing"]);
    assert_eq!(after(|text| without(&without(text, "web-10\""), "web-11\"")), ["lines 10 to 11 are missing"]);
    let swap = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        if text.contains("web-6\"") { format!("{}\n{}\n{}\n{}\n", lines[0], lines[2], lines[3], lines[1]) } else { text.to_owned() }
    };
    assert_eq!(after(swap), ["line 6 was moved: it stands before line 9"]);
    assert_eq!(
        after(|text| text
            .lines()
            .map(|line| if line.contains("web-6\"") { format!("{line}\n{line}\n") } else { format!("{line}\n") })
            .collect()),
        ["line 6 stands twice"]
    );
}

#[test]
fn a_segment_or_the_head_that_is_gone_is_named() {
    let all = documents(&lines(12));
    assert_eq!(
        faults(&[all[0].clone(), all[2].clone()]),
        ["a segment is missing: there is no ConfigMap chancery-register-common-000000000005, and lines 5 to 8 are gone with it"]
    );
    assert_eq!(
        faults(&all[2..])[0],
        "a segment is missing: there is no ConfigMap chancery-register-common-000000000005, and lines 1 to 8 are gone with it"
    );
    assert_eq!(faults(&all[..2]), ["the head is gone: there is no ConfigMap chancery-register-common, and there are segments of it"]);
}

#[test]
fn a_seal_that_was_not_finished_and_lines_given_up_are_no_fault() {
    let lines = lines(12);
    let mut all = documents(&lines);
    let unfinished = [all[0].clone(), layout::head(&ID, &Link::none(), &[&lines[..6]], None)];
    assert_eq!(faults(&unfinished), [""; 0]);
    let link = Link { segment: ID.segment_name(5), sequence: 8, hash: lines[7].end().hash, kept_from: 5 };
    all[2] = layout::head(&ID, &link, &[&lines[8..]], None);
    assert_eq!((faults(&all).len(), Examined::of(ID, &all).lines.len()), (0, 8));
    assert_eq!((faults(&all[1..]).len(), Examined::of(ID, &all[1..]).end().sequence), (0, 12));
}

#[test]
fn an_end_that_was_cut_off_is_seen_by_who_remembers_it() {
    let lines = lines(12);
    let anchor = |sequence: usize| Anchor { who: "the checkpoint".to_owned(), position: lines[sequence - 1].end() };
    let mut cut = Examined::of(ID, &documents(&lines[..10]));
    assert!(cut.faults.is_empty(), "by itself it is sound");
    cut.compare(&anchor(9));
    assert!(cut.faults.is_empty());
    cut.compare(&anchor(12));
    assert_eq!(cut.faults[0].to_string(), "the end was cut off after line 10: the checkpoint remembers line 12");
    let mut gone = Examined::of(ID, &[]);
    gone.compare(&anchor(12));
    assert_eq!(gone.faults[0].to_string(), "the register is gone: the checkpoint remembers 12 lines");
    // The last line, which no other vouches for.
    let mut altered = documents(&lines);
    let text = altered[2].data.get_mut("lines").unwrap();
    *text = text.replace("web-12", "web-x");
    let mut altered = Examined::of(ID, &altered);
    assert!(altered.faults.is_empty());
    altered.compare(&anchor(12));
    assert_eq!(altered.faults[0].word(), "altered");
    let mut copy = Examined::of(ID, &documents(&lines));
    copy.compare_copy("the export", &lines);
    assert!(copy.faults.is_empty());
}
