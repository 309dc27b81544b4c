//! The index: what is current, how often re-issued, which keys exist.

use std::time::Duration;

use super::*;
use crate::register::line::{Entry, Line, NO_LINE};

const START: i64 = 1_795_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn key(name: &str) -> KeyId {
    KeyId::of_spki(name.as_bytes())
}

fn owner(name: &str) -> Owner {
    Owner { namespace: "default".into(), name: name.into(), uid: format!("uid-{name}") }
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_octets(&[1, number]).unwrap()
}

fn written(line: &Line) -> Written {
    Written { text: line.to_text(), line: line.clone() }
}

fn line(sequence: u64, second: i64, act: Act, number: u8, reason: &str) -> Line {
    let entry = Entry {
        serial: Some(serial(number)),
        not_after: Some(at(second) + Duration::from_hours(24)),
        key_id: Some(key("leaf")),
        owner: Some(owner("web")),
        reason: reason.into(),
        ..Entry::new(act)
    };
    Line { sequence, time: at(second), previous: NO_LINE.into(), entry }
}

fn index_of(registers: &[(RegisterId, Vec<Line>)]) -> Index {
    let index = Index::default();
    for (id, lines) in registers {
        index.apply(0, *id, lines.iter().map(written).collect::<Vec<_>>().iter());
    }
    index
}

#[test]
fn the_last_issued_across_registers_is_current() {
    let (old, new) = (RegisterId::Authority(key("old")), RegisterId::Common);
    let registers = [(old, vec![line(7, 10, Act::Issued, 1, "Created")]), (new, vec![line(1, 20, Act::Issued, 2, "IssuerChanged")])];
    let mut reversed = registers.clone();
    reversed.reverse();
    for registers in [registers, reversed] {
        let index = index_of(&registers);
        let current = index.current("default", "web").unwrap();
        assert_eq!((current.serial, current.register, &*current.reason, &*current.uid), (serial(2), new, "IssuerChanged", "uid-web"));
        assert_eq!(index.previous("default", "web").unwrap().serial, serial(1));
        assert_eq!(index.current("default", "other"), None);
        assert!(index.issued_by(&key("old")).is_empty());
    }
}

#[test]
fn a_certificate_is_anothers_by_serial_and_key_unless_it_was_voided() {
    let index = index_of(&[(RegisterId::Common, vec![line(1, 0, Act::Issued, 1, "Created"), line(2, 5, Act::Issued, 2, "Asked")])]);
    assert!(index.is_anothers(&serial(1), &key("leaf"), "default", "thief"));
    assert!(index.is_anothers(&serial(2), &key("leaf"), "elsewhere", "web"));
    assert!(!index.is_anothers(&serial(1), &key("leaf"), "default", "web"), "its own");
    assert!(!index.is_anothers(&serial(1), &key("other"), "default", "thief"), "another CA may use the same serial");
    let voided = index_of(&[(RegisterId::Common, vec![line(1, 0, Act::Issued, 1, "Created"), line(2, 1, Act::Voided, 1, "Failed")])]);
    assert!(!voided.is_anothers(&serial(1), &key("leaf"), "default", "thief"));
}

#[test]
fn a_voided_serial_gives_way_to_the_one_before_and_costs_nothing() {
    let lines = vec![
        line(1, 0, Act::Issued, 1, "Created"),
        line(2, 5, Act::Issued, 2, "DueForRenewal"),
        line(3, 6, Act::Voided, 2, "SigningFailed"),
    ];
    let index = index_of(&[(RegisterId::Common, lines)]);
    assert_eq!(index.current("default", "web").unwrap().serial, serial(1));
    assert_eq!(index.entries("default", "web").len(), 1);
    assert!(index.reissues_since("default", "web", at(0)).is_empty());
    assert_eq!(index.reissues_in_namespace_since("default", at(0)), 0);
}

#[test]
fn an_import_is_current_and_no_reissue() {
    let index = index_of(&[(RegisterId::Common, vec![line(1, 0, Act::Imported, 1, "Adopted")])]);
    assert!(index.current("default", "web").unwrap().imported);
    assert_eq!(index.reissues_in_namespace_since("default", at(0)), 0);
}

#[test]
fn reissues_of_the_last_hour_are_counted_and_the_first_issuance_is_not() {
    let mut lines = vec![line(1, 0, Act::Issued, 1, "Created")];
    lines.extend((2..=6).map(|n| line(u64::from(n), i64::from(n) * 1000, Act::Issued, n, "SecretMissing")));
    let index = index_of(&[(RegisterId::Common, lines)]);
    assert_eq!(index.reissues_since("default", "web", at(0)), [at(3000), at(4000), at(5000), at(6000)]);
    assert_eq!(index.reissues_in_namespace_since("default", at(5000)), 2);
    index.prune(at(9600));
    assert_eq!(index.reissues_since("default", "web", at(0)), [at(6000)]);
}

#[test]
fn what_ended_eight_days_ago_is_forgotten() {
    let day = 24 * 60 * 60;
    let index = index_of(&[(RegisterId::Authority(key("ca")), vec![line(1, 0, Act::Issued, 1, "Created")])]);
    index.prune(at(9 * day));
    assert_eq!(index.issued_by(&key("ca")).len(), 1);
    assert_eq!(index.authority_last_not_after(&key("ca")), Some(at(day)));
    index.prune(at(9 * day + 1));
    assert_eq!(index.current("default", "web"), None);
    assert_eq!((index.owners(), index.authority_last_not_after(&key("ca"))), (0, None));
}

#[test]
fn at_most_twenty_one_certificates_of_an_owner_are_kept() {
    let lines = (1..=40).map(|n| line(u64::from(n), i64::from(n), Act::Issued, n, "Asked")).collect();
    let index = index_of(&[(RegisterId::Common, lines)]);
    let entries = index.entries("default", "web");
    assert_eq!((entries.len(), &entries[0].serial, &entries[20].serial), (ISSUANCES, &serial(40), &serial(20)));
}

#[test]
fn a_key_is_known_from_its_making_to_its_destruction() {
    let about = |sequence, act| {
        let mut line = line(sequence, i64::try_from(sequence).unwrap(), act, 1, "");
        line.entry.key_id = Some(key("ca"));
        line
    };
    let id = RegisterId::Authority(key("ca"));
    let index = index_of(&[(id, vec![about(1, Act::Made), about(2, Act::Copied)])]);
    assert_eq!(index.authority_made_by("default", "web"), Some(key("ca")));
    assert_eq!(index.authority_made_by("default", "other"), None);
    assert_eq!(index.living_keys(), [(key("ca"), Some(owner("web")))]);
    index.apply(0, id, [written(&about(3, Act::Retired))].iter());
    assert!(index.copy_exists(&key("ca")) && index.key(&key("ca")).unwrap().is_retired());
    index.apply(0, id, [written(&about(4, Act::Destroyed))].iter());
    assert!(!index.copy_exists(&key("ca")) && index.living_keys().is_empty());
    assert_eq!(index.authority_made_by("default", "web"), None);
    assert_eq!(index.key(&key("ca")).unwrap().destroyed(), Some(at(4)));
    assert_eq!(index.key(&key("leaf")), None);
}

#[test]
fn lines_of_an_earlier_opening_are_not_taken() {
    let index = Index::default();
    index.restart(2, State::default());
    index.apply(1, RegisterId::Common, [written(&line(1, 0, Act::Issued, 1, "Created"))].iter());
    assert_eq!(index.owners(), 0);
}

#[test]
fn acts_of_a_newer_version_are_ignored() {
    let index = index_of(&[(RegisterId::Common, vec![line(1, 0, Act::Unknown, 1, "")])]);
    assert_eq!(index.owners(), 0);
}
