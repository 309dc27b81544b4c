//! What orders come to, as tables.

use std::sync::Arc;

use super::*;
use crate::register::{Owner, test_ledger};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_octets(&[1, number]).unwrap()
}

fn key(number: u8) -> KeyId {
    KeyId::of_spki(&[number])
}

fn issued(number: u8, namespace: &str, name: &str) -> Entry {
    Entry {
        serial: Some(serial(number)),
        not_after: Some(at(86_400)),
        key_id: Some(key(number)),
        owner: Some(Owner { namespace: namespace.into(), name: name.into(), uid: "u".into() }),
        ..Entry::new(Act::Issued)
    }
}

fn about(act: Act, number: u8, code: Option<Reason>) -> Entry {
    Entry { serial: Some(serial(number)), not_after: Some(at(86_400)), code, ..Entry::new(act) }
}

fn order(what: Target, act: OrderAct) -> Order {
    Order { what, act, invalidity_date: None }
}

fn by_serial(number: u8, act: OrderAct) -> Order {
    order(Target::Serial(serial(number)), act)
}

fn of(namespace: Option<&str>, name: &str, before: i64) -> Order {
    let what = Target::Certificate { namespace: namespace.map(str::to_owned), name: name.into(), issued_before: at(before) };
    order(what, OrderAct::Revoke(Reason::KeyCompromise))
}

fn come_to(orders: &[Order], lines: &[Entry], everywhere: bool) -> Outcome {
    let ledger = test_ledger(lines.iter().cloned().enumerate().map(|(n, entry)| (at(i64::try_from(n).unwrap()), entry)));
    let authorities = [Authority { key_id: key(200), ledger: &ledger, exclusive: true }];
    let orderer = Orderer { namespace: "team", everywhere, actor: "RevocationList team/list", grace: SignedDuration::from_mins(10) };
    decide(orders, &orderer, &authorities, &|_, _| false, at(1000))
}

fn acts(outcome: &Outcome) -> Vec<(Act, SerialNumber)> {
    outcome.lines.iter().filter_map(|(_, entry)| Some((entry.act, entry.serial.clone()?))).collect()
}

#[test]
fn an_order_changes_what_it_may_and_says_why_it_may_not() {
    use OrderAct::{Hold, Release, Revoke};
    let revoke = Revoke(Reason::PrivilegeWithdrawn);
    let compromised = Revoke(Reason::KeyCompromise);
    let base = issued(1, "team", "web");
    let held = about(Act::Held, 1, None);
    let revoked = about(Act::Revoked, 1, Some(Reason::Superseded));
    let rows: [(&[Entry], OrderAct, Option<Act>, bool); 12] = [
        (&[], revoke, Some(Act::Revoked), false),
        (&[], Hold, Some(Act::Held), false),
        (&[], Release, None, false),
        (std::slice::from_ref(&held), revoke, Some(Act::Revoked), false),
        (std::slice::from_ref(&held), Hold, None, false),
        (std::slice::from_ref(&held), Release, Some(Act::Released), false),
        (std::slice::from_ref(&revoked), revoke, None, false),
        (std::slice::from_ref(&revoked), compromised, Some(Act::Revoked), false),
        (std::slice::from_ref(&revoked), Hold, None, true),
        (std::slice::from_ref(&revoked), Release, None, true),
        (&[about(Act::Revoked, 1, Some(Reason::KeyCompromise))], compromised, None, false),
        (&[about(Act::Pending, 1, None)], revoke, Some(Act::Revoked), false),
    ];
    for (before, act, expected, refused) in rows {
        let lines = [std::slice::from_ref(&base), before].concat();
        let outcome = come_to(&[by_serial(1, act)], &lines, false);
        assert_eq!(acts(&outcome).first().map(|(act, _)| *act), expected, "{before:?} {act:?}");
        assert_eq!(!outcome.refused.is_empty(), refused, "{before:?} {act:?}: {:?}", outcome.refused);
    }
}

#[test]
fn of_several_orders_for_one_certificate_the_last_counts() {
    let lines = [issued(1, "team", "web"), about(Act::Held, 1, None)];
    let hold_and_release = [by_serial(1, OrderAct::Hold), by_serial(1, OrderAct::Release)];
    assert_eq!(acts(&come_to(&hold_and_release, &lines, false)), [(Act::Released, serial(1))]);
    let released = [lines.to_vec(), vec![about(Act::Released, 1, None)]].concat();
    assert!(acts(&come_to(&hold_and_release, &released, false)).is_empty(), "it is not held again");
}

#[test]
fn a_key_is_blocked_and_all_its_certificates_are_revoked() {
    let mut second = issued(2, "team", "copy");
    second.key_id = Some(key(1));
    let lines = [issued(1, "team", "web"), second, issued(3, "team", "other")];
    let orders = [order(Target::Key(key(1)), OrderAct::Revoke(Reason::KeyCompromise))];
    let own = come_to(&orders, &lines, false);
    assert_eq!(acts(&own), [(Act::Revoked, serial(1)), (Act::Revoked, serial(2))]);
    let blocks = |outcome: &Outcome| -> Vec<RegisterId> {
        outcome.lines.iter().filter(|(_, entry)| entry.act == Act::Blocked).map(|(id, _)| *id).collect()
    };
    assert_eq!(blocks(&own), [RegisterId::Authority(key(200))], "others may use it: the list is a tenant's");
    assert_eq!(blocks(&come_to(&orders, &lines, true)), [RegisterId::Authority(key(200)), RegisterId::Common]);
}

#[test]
fn a_neighbours_certificate_is_out_of_reach() {
    let lines = [issued(1, "team", "web"), issued(2, "neighbour", "web")];
    let own = come_to(&[of(None, "web", 900)], &lines, false);
    assert_eq!(acts(&own), [(Act::Revoked, serial(1))]);
    let foreign = come_to(&[of(Some("neighbour"), "web", 900)], &lines, false);
    assert!(foreign.lines.is_empty());
    assert!(foreign.refused[&0].starts_with("certificateRef.namespace: this list acts on Certificates of namespace team only"));
    assert_eq!(acts(&come_to(&[of(Some("neighbour"), "web", 900)], &lines, true)), [(Act::Revoked, serial(2))]);
}

#[test]
fn only_what_was_issued_before_is_revoked_and_no_time_that_lies_ahead_is_taken() {
    let lines = [issued(1, "team", "web"), issued(2, "team", "web")];
    assert_eq!(acts(&come_to(&[of(None, "web", 1)], &lines, false)), [(Act::Revoked, serial(1))]);
    let before_all = come_to(&[of(None, "web", 0)], &lines, false);
    assert!(before_all.lines.is_empty() && before_all.refused.is_empty(), "what was there then has ended");
    assert!(come_to(&[of(None, "wbe", 1)], &lines, false).refused[&0].contains("has issued nothing to Certificate team/wbe"));
    assert!(come_to(&[of(None, "web", 10_000)], &lines, false).refused[&0].contains("lies ahead"));
}

#[test]
fn a_time_that_lies_ahead_by_a_little_does_not_revoke_what_took_the_place_of_what_it_revoked() {
    let orders = [of(None, "web", 1100)];
    let mut lines = vec![issued(1, "team", "web")];
    let first = come_to(&orders, &lines, false);
    assert_eq!(acts(&first), [(Act::Revoked, serial(1))]);
    lines.extend(first.lines.into_iter().map(|(_, entry)| entry));
    lines.push(issued(2, "team", "web"));
    let second = come_to(&orders, &lines, false);
    assert!(second.lines.is_empty() && second.refused.is_empty(), "{second:?}");
    assert_eq!(acts(&come_to(&[of(None, "web", 1101)], &lines, false)), [(Act::Revoked, serial(2))], "another time is another order");
}

#[test]
fn a_serial_that_was_never_issued_is_refused_unless_others_issue_under_the_key() {
    let orders = [by_serial(9, OrderAct::Revoke(Reason::Unspecified))];
    assert!(come_to(&orders, &[], false).refused[&0].contains("has issued no certificate with serial"));
    let ledger = Ledger::default();
    let shared = [Authority { key_id: key(200), ledger: &ledger, exclusive: false }];
    let orderer = Orderer { namespace: "team", everywhere: false, actor: "", grace: SignedDuration::ZERO };
    let outcome = decide(&orders, &orderer, &shared, &|_, _| false, at(0));
    assert_eq!(acts(&outcome), [(Act::Revoked, serial(9))]);
}

#[test]
fn a_planned_reason_waits_for_the_grace_and_a_dangerous_one_does_not() {
    let lines = [issued(1, "team", "web")];
    let from = |reason| come_to(&[by_serial(1, OrderAct::Revoke(reason))], &lines, false).lines[0].1.from;
    assert_eq!(from(Reason::Superseded), Some(at(1600)));
    assert_eq!(from(Reason::CessationOfOperation), Some(at(1600)));
    for reason in [Reason::Unspecified, Reason::KeyCompromise, Reason::CaCompromise, Reason::PrivilegeWithdrawn] {
        assert_eq!(from(reason), None, "{reason}");
    }
}

#[test]
fn what_has_ended_is_left_alone() {
    let mut ended = issued(1, "team", "web");
    ended.not_after = Some(at(10));
    assert!(come_to(&[by_serial(1, OrderAct::Hold)], &[ended], false).lines.is_empty());
}

#[test]
fn what_nobody_ordered_is_carried_out_within_the_limit_the_oldest_first() {
    use super::super::automatic::{Limits, carry_out};
    let mut lines: Vec<Entry> = (1..=5).map(|number| issued(number, "team", "web")).collect();
    lines.extend((1..=5).map(|number| about(Act::Pending, number, Some(Reason::CessationOfOperation))));
    let times = |lines: &[Entry]| test_ledger(lines.iter().cloned().enumerate().map(|(n, entry)| (at(i64::try_from(n).unwrap()), entry)));
    let limits = |most, confirmed_before| Limits { most, confirmed_before };
    let serials = |entries: &[Entry]| entries.iter().filter_map(|entry| entry.serial.clone()).collect::<Vec<_>>();
    let first = carry_out(&times(&lines), limits(2, None), "list", at(100));
    assert_eq!((serials(&first.entries), first.waiting, first.oldest), (vec![serial(1), serial(2)], 3, Some(at(7))));
    assert_eq!(first.again, Some(at(100) + SignedDuration::from_hours(1)), "those are the first of this hour");
    lines.extend(first.entries);
    let full = carry_out(&times(&lines), limits(2, None), "list", at(200));
    assert_eq!((full.entries.len(), full.waiting, full.again), (0, 3, Some(at(10) + SignedDuration::from_hours(1))));
    let later = carry_out(&times(&lines), limits(2, None), "list", at(4000));
    assert_eq!(serials(&later.entries), [serial(3), serial(4)]);
    let confirmed = carry_out(&times(&lines), limits(0, Some(at(9))), "list", at(200));
    assert_eq!((serials(&confirmed.entries), confirmed.waiting), (vec![serial(3), serial(4)], 1));
}

#[test]
fn only_what_was_carried_out_unasked_leaves_less_room() {
    use super::super::automatic::{Limits, carry_out};
    let mut lines: Vec<Entry> = (1..=6).map(|number| issued(number, "team", "web")).collect();
    lines.extend((1..=5).map(|number| about(Act::Pending, number, Some(Reason::CessationOfOperation))));
    let ledger = |lines: &[Entry]| test_ledger(lines.iter().cloned().enumerate().map(|(n, entry)| (at(i64::try_from(n).unwrap()), entry)));
    // One by hand, and two that a person has confirmed.
    lines.extend(come_to(&[by_serial(1, OrderAct::Revoke(Reason::Superseded))], &lines, false).lines.into_iter().map(|(_, entry)| entry));
    let confirmed = carry_out(&ledger(&lines), Limits { most: 0, confirmed_before: Some(at(9)) }, "list", at(100));
    assert_eq!((confirmed.entries.len(), confirmed.waiting, confirmed.again), (2, 2, None), "only a person makes room");
    lines.extend(confirmed.entries);
    let limits = Limits { most: 1, confirmed_before: None };
    let alone = carry_out(&ledger(&lines), limits, "list", at(100));
    assert_eq!((alone.entries.len(), alone.waiting), (1, 1));
    lines.extend(alone.entries);
    // That one counts, also once it is known that its key was stolen.
    let worse = come_to(&[by_serial(4, OrderAct::Revoke(Reason::KeyCompromise))], &lines, false);
    lines.extend(worse.lines.into_iter().map(|(_, entry)| entry));
    let full = carry_out(&ledger(&lines), limits, "list", at(100));
    assert_eq!((full.entries.len(), full.waiting), (0, 1));
    assert!(full.again.is_some());
}

#[test]
fn an_order_whose_certificate_is_off_the_books_is_neither_refused_nor_carried_out_again() {
    let own = SerialNumber::issued(3, [7; chancery_pki::RANDOM_OCTETS]);
    let orders = |act| [order(Target::Serial(own.clone()), act), of(None, "web", 900)];
    let ledger = Ledger::default();
    let decide_at = |orders: &[Order], exclusive: bool, now: Timestamp| {
        let authorities = [Authority { key_id: key(200), ledger: &ledger, exclusive }];
        let orderer = Orderer { namespace: "team", everywhere: false, actor: "", grace: SignedDuration::ZERO };
        decide(orders, &orderer, &authorities, &|_, _| false, now)
    };
    let day = 86_400;
    for exclusive in [true, false] {
        let of_old = |day: i64| decide_at(&orders(OrderAct::Revoke(Reason::Superseded)), exclusive, at(day * 86_400));
        assert!(of_old(20).lines.is_empty(), "of a serial of our own form others issue nothing");
        assert_eq!(of_old(20).refused.keys().collect::<Vec<_>>(), [&0], "it may as well be mistyped");
        assert_eq!(of_old(20).refused, of_old(21).refused, "a status does not change from day to day");
        assert!(decide_at(&orders(OrderAct::Release), exclusive, at(20 * day)).refused.is_empty(), "nothing is on hold");
        // What was there at a time that is this recent would still be on record.
        let of_new = decide_at(&[of(None, "web", 900)], exclusive, at(day));
        assert_eq!(of_new.refused[&0], "this authority has issued nothing to Certificate team/web: see its name and namespace");
    }
}

#[test]
fn the_owner_of_what_is_revoked_stands_on_the_line() {
    let lines = [issued(1, "team", "web")];
    let outcome = come_to(&[by_serial(1, OrderAct::Revoke(Reason::KeyCompromise))], &lines, false);
    let (register, entry) = &outcome.lines[0];
    assert_eq!(*register, RegisterId::Authority(key(200)));
    assert_eq!(
        (entry.owner.clone().map(Arc::new).unwrap().name.as_str(), entry.key_id, entry.not_after),
        ("web", Some(key(1)), Some(at(86_400)))
    );
    assert_eq!((entry.code, entry.actor.as_str()), (Some(Reason::KeyCompromise), "RevocationList team/list"));
}
