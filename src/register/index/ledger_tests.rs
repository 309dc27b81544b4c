//! The ledger: how a certificate stands after each line.

use std::time::Duration;

use super::*;
use crate::register::line::{Entry, Line, NO_LINE};

const DAY: Duration = Duration::from_hours(24);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_octets(&[1, number]).unwrap()
}

fn line(second: i64, act: Act, number: u8) -> Line {
    let owner = Owner { namespace: "default".into(), name: "web".into(), uid: "u".into() };
    let entry = Entry {
        serial: Some(serial(number)),
        not_after: Some(at(0) + DAY * 10),
        key_id: Some(KeyId::of_spki(&[number])),
        owner: Some(owner),
        number: (act == Act::Published).then(|| CrlNumber::new(u128::from(number))),
        ..Entry::new(act)
    };
    Line { sequence: u64::try_from(second).unwrap() + 1, time: at(second), previous: NO_LINE.into(), entry }
}

fn ledger(lines: &[Line]) -> Ledger {
    let mut ledger = Ledger::default();
    for line in lines {
        ledger.apply(line, line.entry.owner.clone().map(Arc::new));
    }
    ledger
}

fn with(line: Line, code: Reason) -> Line {
    Line { entry: Entry { code: Some(code), ..line.entry }, ..line }
}

fn standing(acts: &[Act]) -> Standing {
    let lines: Vec<Line> = std::iter::once(Act::Issued).chain(acts.iter().copied()).zip(0..).map(|(act, at)| line(at, act, 1)).collect();
    ledger(&lines).get(&serial(1)).unwrap().standing.clone()
}

#[test]
fn a_certificate_stands_as_its_lines_say() {
    use Act::{Held, Pending, Released, Revoked};
    assert!(matches!(standing(&[]), Standing::Good));
    assert!(matches!(standing(&[Pending]), Standing::Pending(_)));
    assert!(matches!(standing(&[Pending, Revoked]), Standing::Revoked(_)));
    assert!(matches!(standing(&[Held]), Standing::Held(_)));
    assert!(matches!(standing(&[Held, Released]), Standing::Released(_)));
    assert!(matches!(standing(&[Held, Released, Held]), Standing::Held(_)));
    assert!(matches!(standing(&[Held, Revoked]), Standing::Revoked(_)));
    assert!(matches!(standing(&[Released]), Standing::Good), "nothing was held");
    for after in [Pending, Held, Released] {
        assert!(matches!(standing(&[Revoked, after]), Standing::Revoked(_)), "what is revoked stays so: {after:?}");
    }
}

#[test]
fn a_revocation_changes_only_to_a_compromised_key_and_keeps_its_date() {
    let code = |code| with(line(5, Act::Revoked, 1), code);
    let revoked = |lines: &[Line]| ledger(lines).get(&serial(1)).unwrap().standing.revocation().cloned().unwrap();
    let first = with(line(2, Act::Revoked, 1), Reason::Superseded);
    assert_eq!(revoked(&[first.clone(), code(Reason::CessationOfOperation)]).reason, Reason::Superseded);
    let worse = revoked(&[first, code(Reason::KeyCompromise)]);
    assert_eq!((worse.reason, worse.time, worse.sequence), (Reason::KeyCompromise, at(2), 6));
    let held = revoked(&[line(1, Act::Held, 1), code(Reason::PrivilegeWithdrawn)]);
    assert_eq!((held.reason, held.time), (Reason::PrivilegeWithdrawn, at(1)), "it was not to be trusted since the hold");
}

#[test]
fn what_lists_cannot_say_is_read_as_what_they_can() {
    let early: Timestamp = "1950-06-01T00:00:00Z".parse().unwrap();
    let revoked = line(2, Act::Revoked, 1);
    let dated = Entry { from: Some(early), invalidity_date: Some(early), code: Some(Reason::RemoveFromCrl), ..revoked.entry.clone() };
    let ledger = ledger(&[Line { entry: dated, ..revoked }]);
    let revocation = ledger.get(&serial(1)).unwrap().on_list(at(3)).unwrap();
    assert_eq!((revocation.date, revocation.invalidity_date), (Timestamp::UNIX_EPOCH, Some(Timestamp::UNIX_EPOCH)));
    assert_eq!(revocation.reason, Reason::Unspecified, "a release would call what is revoked good");
}

#[test]
fn a_revocation_with_a_delay_is_on_no_list_before() {
    let revoked = line(2, Act::Revoked, 1);
    let delayed = Line { entry: Entry { from: Some(at(600)), ..revoked.entry }, ..revoked };
    let ledger = ledger(&[line(0, Act::Issued, 1), delayed]);
    let known = ledger.get(&serial(1)).unwrap();
    assert!(known.on_list(at(599)).is_none() && known.on_list(at(600)).is_some());
    assert_eq!(ledger.revoked().count(), 1);
}

#[test]
fn a_serial_that_was_issued_elsewhere_can_be_revoked_and_a_voided_one_is_forgotten() {
    let foreign = ledger(&[line(1, Act::Revoked, 7)]);
    assert_eq!(foreign.revoked().map(|(serial, ..)| serial.clone()).collect::<Vec<_>>(), [serial(7)]);
    assert!(foreign.get(&serial(7)).unwrap().issued.is_none());
    assert!(ledger(&[line(0, Act::Issued, 1), line(1, Act::Voided, 1)]).is_empty());
    assert_eq!(ledger(&[line(0, Act::Issued, 1), line(1, Act::Revoked, 1), line(2, Act::Voided, 1)]).len(), 1, "it stays on the list");
}

#[test]
fn what_is_revoked_stays_until_a_list_was_published_after_its_end() {
    let lines = [line(0, Act::Issued, 1), line(0, Act::Issued, 2), line(1, Act::Revoked, 1), line(2, Act::Published, 9)];
    let mut ledger = ledger(&lines);
    ledger.prune(at(0) + DAY * 30);
    assert_eq!((ledger.len(), ledger.revoked().count()), (1, 1));
    let day = 24 * 60 * 60;
    ledger.apply(&line(31 * day, Act::Published, 10), None);
    ledger.prune(at(0) + DAY * 31);
    assert_eq!((ledger.len(), ledger.revoked().count(), ledger.last_number()), (0, 0, Some(CrlNumber::new(10))));
}

#[test]
fn a_published_number_never_falls() {
    let ledger = ledger(&[line(1, Act::Published, 9), line(2, Act::Published, 4)]);
    assert_eq!(ledger.last_number(), Some(CrlNumber::new(9)));
}
