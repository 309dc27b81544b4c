//! What may take the place of a kept export or checkpoint, and what may not.

use std::collections::BTreeMap;

use chancery_pki::{KeyId, PrivateKey};
use jiff::Timestamp;

use super::*;
use crate::{
    plugin::register::export as write,
    register::{
        Act, End, Entry, Line, Position,
        checkpoint::{KEY, Lost},
        export, hash,
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

/// A register with so many lines.
fn lines(number: u64) -> Vec<String> {
    let mut previous = NO_LINE.to_owned();
    let line = |sequence| {
        let time = at(i64::try_from(sequence).unwrap());
        let text = Line { sequence, time, previous: previous.clone(), entry: Entry::new(Act::Published) }.to_text();
        previous = hash(&text);
        text
    };
    (1..=number).map(line).collect()
}

fn register(lines: &[String]) -> Examined {
    Examined::of_lines(RegisterId::Common, lines)
}

fn exported(register: &Examined) -> Export {
    let mut octets = Vec::new();
    write([register].into_iter(), None, &mut octets).unwrap();
    export::read(&String::from_utf8(octets).unwrap()).unwrap()
}

/// What would be lost of the first by the second.
fn between(kept: &[String], now: &[String]) -> Vec<String> {
    lost(&exported(&register(kept)), &[&register(now)], None)
}

#[test]
fn an_export_that_goes_on_where_the_kept_one_ends_loses_nothing() {
    let all = lines(9);
    assert_eq!(between(&all[..4], &all[..4]), [""; 0]);
    assert_eq!(between(&all[..4], &all), [""; 0]);
    // What was let go at the beginning is not lost, as long as the rest goes on from there.
    assert_eq!(between(&all[..4], &all[2..]), [""; 0]);
    assert_eq!(between(&all[..4], &all[4..]), [""; 0]);
    assert_eq!(lost(&Export::default(), &[&register(&all)], None), [""; 0]);
}

#[test]
fn an_export_that_lacks_lines_of_the_kept_one_is_told_of() {
    let all = lines(9);
    let told = |kept: &[String], now: &[String], word: &str| {
        let lost = between(kept, now);
        assert!(lost.len() == 1 && lost[0].contains(word), "{lost:?}");
    };
    told(&all, &all[..4], "cut off");
    told(&all[..4], &[], "would not be any more");
    told(&all[..4], &all[6..], "begins with line 7");
    // It went back, and went on otherwise.
    let mut other = all[..3].to_vec();
    for sequence in 4..8 {
        let previous = hash(other.last().unwrap());
        other.push(Line { sequence, time: at(100), previous, entry: Entry::new(Act::Published) }.to_text());
    }
    told(&all[..5], &other, "another line 4");
    let mut broken = all.clone();
    broken.remove(5);
    told(&all[..4], &broken, "does not hold together");
    let none = lost(&exported(&register(&all)), &[], None);
    assert!(none.len() == 1 && none[0].contains("register common is in the file"), "{none:?}");
}

fn checkpoint(key: &PrivateKey, second: i64, last: u64) -> (Checkpoint, Signed) {
    let end = End { position: Position { sequence: last, hash: hash(last.to_string()) }, time: at(0), kept_from: 1 };
    let checkpoint = Checkpoint {
        namespace: "chancery-system".to_owned(),
        key: key.public_key().key_id(),
        time: at(second),
        previous: hash("the one before"),
        registers: [(RegisterId::Common, end)].into(),
        lost: BTreeMap::new(),
    };
    let signed = checkpoint.sign(key).unwrap();
    (checkpoint, signed)
}

#[test]
fn a_checkpoint_takes_the_place_of_an_older_one_of_the_same_key_and_of_no_other() {
    let (own, other) = (PrivateKey::generate(KEY).unwrap(), PrivateKey::generate(KEY).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let files = CheckpointFiles::beside(&folder.path().join("kept"));
    let (first, signed) = checkpoint(&own, 100, 7);
    assert_eq!(files.objections(&first).unwrap(), [""; 0], "nothing is there yet");
    files.replace(&signed).unwrap();
    let objections = |key: &PrivateKey, second, last| files.objections(&checkpoint(key, second, last).0).unwrap();
    assert_eq!(objections(&own, 100, 7), [""; 0]);
    assert_eq!(objections(&own, 200, 8), [""; 0]);
    for (found, word) in [
        (objections(&other, 200, 8), "is key"),
        (objections(&own, 99, 7), "went back in time"),
        (objections(&own, 200, 6), "ended with line 7, and ends with line 6"),
    ] {
        assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
    }
    // Who took the key away all the same has the text, which names it.
    fs::remove_file(folder.path().join("kept.pem")).unwrap();
    assert!(objections(&other, 200, 8)[0].contains(&KeyId::to_string(&own.public_key().key_id())));
    fs::write(folder.path().join("kept"), "something else").unwrap();
    assert!(objections(&own, 200, 8)[0].contains("cannot be read"));
}

/// What is said against the second of two checkpoints, whether the first was saved or is in an export.
fn said(kept: &Checkpoint, now: &Checkpoint, key: &PrivateKey) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let files = CheckpointFiles::beside(&folder.path().join("kept"));
    let signed = kept.sign(key).unwrap();
    files.replace(&signed).unwrap();
    let objections = files.objections(now).unwrap();
    let export = Export { checkpoint: Some(signed), ..Export::default() };
    assert_eq!(lost(&export, &[], Some(&now.sign(key).unwrap())).len(), objections.len(), "an export says as much");
    objections
}

#[test]
fn a_checkpoint_that_says_nothing_of_a_register_that_a_kept_one_has_is_objected_to() {
    let own = PrivateKey::generate(KEY).unwrap();
    let (first, _) = checkpoint(&own, 100, 7);
    let (mut now, _) = checkpoint(&own, 200, 8);
    now.registers.clear();
    let found = said(&first, &now, &own);
    assert!(found.len() == 1 && found[0].contains("says nothing of it"), "{found:?}");
    now.lost.insert(RegisterId::Common, Lost { position: first.registers[&RegisterId::Common].position.clone(), after: at(100) });
    assert_eq!(said(&first, &now, &own), [""; 0], "the operator says that it is lost");
}

#[test]
fn a_checkpoint_that_says_nothing_of_a_loss_that_a_kept_one_has_is_objected_to() {
    let own = PrivateKey::generate(KEY).unwrap();
    let (mut first, _) = checkpoint(&own, 100, 7);
    let (mut now, _) = checkpoint(&own, 200, 12);
    let position = Position { sequence: 9, hash: hash("9") };
    first.lost.insert(RegisterId::Common, Lost { position: position.clone(), after: at(50) });
    let found = said(&first, &now, &own);
    assert!(found.len() == 1 && found[0].contains("lost line 9"), "{found:?}");
    let end = |position, kept_from| End { position, time: at(0), kept_from };
    now.registers.insert(RegisterId::Common, end(position.clone(), 1));
    assert_eq!(said(&first, &now, &own), [""; 0], "it stands again");
    now.registers.insert(RegisterId::Common, end(Position { sequence: 12, hash: hash("12") }, 10));
    assert_eq!(said(&first, &now, &own), [""; 0], "it would have been let go");
    now.registers = checkpoint(&own, 200, 12).0.registers;
    now.lost = first.lost.clone();
    assert_eq!(said(&first, &now, &own), [""; 0]);
}

#[test]
fn a_checkpoint_that_begins_anew_does_not_take_the_place_of_a_kept_one() {
    let own = PrivateKey::generate(KEY).unwrap();
    let (mut first, _) = checkpoint(&own, 100, 7);
    first.previous = NO_LINE.to_owned();
    assert_eq!(said(&first, &first, &own), [""; 0], "it is the same one");
    let now = Checkpoint { previous: NO_LINE.to_owned(), ..checkpoint(&own, 200, 8).0 };
    let found = said(&first, &now, &own);
    assert!(found.len() == 1 && found[0].contains("begins anew"), "{found:?}");
}

#[test]
fn an_export_does_not_lose_its_checkpoint() {
    let (own, other) = (PrivateKey::generate(KEY).unwrap(), PrivateKey::generate(KEY).unwrap());
    let kept = Export { checkpoint: Some(checkpoint(&own, 100, 7).1), ..Export::default() };
    let found = |now: Option<&Signed>| lost(&kept, &[], now);
    let one = |found: Vec<String>, word: &str| assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
    assert_eq!(found(Some(&checkpoint(&own, 200, 8).1)), [""; 0]);
    one(found(None), "none any more");
    one(found(Some(&checkpoint(&own, 99, 7).1)), "went back in time");
    one(found(Some(&checkpoint(&other, 200, 8).1)), "was signed with key");
    one(found(Some(&Signed { signature: Vec::new(), ..checkpoint(&own, 200, 8).1 })), "not believed");
}

#[test]
fn a_public_key_that_is_there_is_not_written_again() {
    let own = PrivateKey::generate(KEY).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = CheckpointFiles::beside(&folder.path().join("kept"));
    assert!(!files.are_kept().unwrap());
    files.replace(&checkpoint(&own, 100, 7).1).unwrap();
    assert!(files.are_kept().unwrap());
    let number = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.path().join("kept.pem")).unwrap());
    let before = number();
    // Held, so that its number is not given again.
    let _held = File::open(folder.path().join("kept.pem")).unwrap();
    files.replace(&checkpoint(&own, 200, 8).1).unwrap();
    assert_eq!(number(), before);
}

#[test]
fn a_file_is_replaced_as_a_whole_or_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    replace(&file, b"one").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    replace(&link, b"two").unwrap();
    assert!(fs::read(&file).unwrap() == b"two" && link.is_symlink());
    let missing = replace(&folder.path().join("no/file"), b"three").unwrap_err();
    assert!(missing.to_string().contains("no/file"), "{missing}");
    // A folder cannot be replaced by a file, and nothing is left beside it.
    fs::create_dir(folder.path().join("folder")).unwrap();
    replace(&folder.path().join("folder"), b"four").unwrap_err();
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "folder", "link"]);
    replace(Path::new("/dev/null"), b"five").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
