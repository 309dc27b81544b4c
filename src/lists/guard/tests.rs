//! What is not published: lists that lost an entry, go back or are not where they were.

use std::collections::BTreeSet;

use chancery_pki::{CrlNumber, RANDOM_OCTETS, Reason, Revoked};

use super::*;
use crate::{
    lists::{
        BuildError, Building, Built, Edition, Knows, ListEntry, Published, build,
        sequence::{AUTHORITY, settings},
    },
    register::Position,
};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + 60 * minutes).unwrap()
}

fn entry(number: u8, not_after: Option<Timestamp>) -> ListEntry {
    let serial = SerialNumber::issued(0, [number; RANDOM_OCTETS]);
    let revoked = Revoked { serial, time: at(0), reason: Reason::KeyCompromise, invalidity_date: None };
    ListEntry { revoked, from: at(0), sequence: 1, not_after }
}

/// The list made at this minute of these entries, where the register says that of all others.
fn made(minute: i64, entries: &[ListEntry], knows: Knows, previous: Option<&Published>) -> Result<Published, BuildError> {
    edit(&edition(minute), entries, knows, previous)
}

/// One shard, made at this minute, which is its number too.
fn edition(minute: i64) -> Edition {
    Edition {
        settings: settings(),
        former_base_urls: Vec::new(),
        list: None,
        number: CrlNumber::new(u128::try_from(minute).unwrap()),
        now: at(minute),
        this_update: at(minute - 1),
        shards: BTreeSet::from([0]),
        rebase: BTreeSet::new(),
        deltas: BTreeSet::new(),
        gap: false,
        confirmed: false,
    }
}

fn edit(edition: &Edition, entries: &[ListEntry], knows: Knows, previous: Option<&Published>) -> Result<Published, BuildError> {
    let (certificate, key) = &*AUTHORITY;
    let built = build(
        edition,
        &Building {
            authority: certificate.key_id(),
            chain: std::slice::from_ref(certificate),
            signer: key,
            previous,
            register: &|| Position { sequence: 1, hash: String::new() },
            entries: &|_| entries.to_vec(),
            knows: &|_| knows,
        },
    );
    built.map(|Built { head, lists, damaged, .. }| Published { head, lists, damaged })
}

fn rule(outcome: Result<Published, BuildError>) -> Rule {
    match outcome {
        Err(BuildError::Guard(GuardTripped { rule, .. })) => rule,
        other => panic!("the guard lets it pass: {:?}", other.map(|published| published.head)),
    }
}

#[test]
fn a_revoked_certificate_that_the_register_calls_good_keeps_the_next_list_from_being_published() {
    let first = made(10, &[entry(1, None), entry(2, None)], Knows::Nothing, None).unwrap();
    let lost = rule(made(20, &[entry(1, None)], Knows::Good, Some(&first)));
    assert!(matches!(&lost, Rule::Lost { serial, .. } if *serial == entry(2, None).revoked.serial), "{lost}");
    assert_eq!(made(20, &[entry(1, None)], Knows::Released, Some(&first)).unwrap().lists[&0].full.len(), 1);
}

#[test]
fn what_the_register_has_forgotten_stays_until_all_that_was_listed_with_it_has_expired() {
    let entries = [entry(1, Some(at(100))), entry(2, Some(at(200)))];
    let first = made(10, &entries, Knows::Nothing, None).unwrap();
    let second = made(150, &entries[1..], Knows::Nothing, Some(&first)).unwrap();
    assert_eq!(second.lists[&0].full.len(), 2);
    let third = made(250, &[], Knows::Nothing, Some(&second)).unwrap();
    assert_eq!(third.lists[&0].full.len(), 2, "one list shows them after their end");
    assert!(made(300, &[], Knows::Nothing, Some(&third)).unwrap().lists[&0].full.is_empty());
}

#[test]
fn an_expired_certificate_stands_on_one_more_list_and_then_on_none() {
    let entries = [entry(1, Some(at(100)))];
    let first = made(10, &entries, Knows::Nothing, None).unwrap();
    let second = made(150, &entries, Knows::Nothing, Some(&first)).unwrap();
    assert_eq!(second.lists[&0].full.len(), 1);
    assert!(made(200, &entries, Knows::Nothing, Some(&second)).unwrap().lists[&0].full.is_empty());
}

#[test]
fn neither_number_nor_this_update_goes_back() {
    let first = made(10, &[], Knows::Nothing, None).unwrap();
    assert!(matches!(rule(made(10, &[], Knows::Nothing, Some(&first))), Rule::Number { .. }));
    let edition = Edition { number: CrlNumber::new(11), ..edition(5) };
    assert!(matches!(rule(edit(&edition, &[], Knows::Nothing, Some(&first))), Rule::ThisUpdate { .. }));
    assert!(edit(&Edition { confirmed: true, ..edition }, &[], Knows::Nothing, Some(&first)).is_ok());
}

#[test]
fn a_list_stays_where_its_certificates_say_that_it_is() {
    let sharded = |base: &str, former: Vec<String>, minute: i64| Edition {
        settings: crate::lists::Settings { shards: 2, base_url: Some(base.to_owned()), ..settings() },
        former_base_urls: former,
        shards: BTreeSet::from([0, 1]),
        ..edition(minute)
    };
    let first = edit(&sharded("http://a.example.org", Vec::new(), 10), &[], Knows::Nothing, None).unwrap();
    let moved = sharded("http://b.example.org", Vec::new(), 20);
    assert!(matches!(rule(edit(&moved, &[], Knows::Nothing, Some(&first))), Rule::DistributionPoint { .. }));
    let both = sharded("http://b.example.org", vec!["http://a.example.org".to_owned()], 20);
    assert!(edit(&both, &[], Knows::Nothing, Some(&first)).is_ok());
}

#[test]
fn neither_another_keys_signature_nor_a_missing_entry_is_published() {
    let (certificate, _) = &*AUTHORITY;
    let other = chancery_pki::PrivateKey::generate(chancery_pki::KeyAlgorithm::EcdsaP256).unwrap();
    let first = made(10, &[], Knows::Nothing, None).unwrap();
    let looking = Looking { issuer: certificate, written: 1, last_number: None, last_this_update: None };
    let der = first.lists[&0].full.as_der().to_vec();
    assert_eq!(looking.at(der), Err(Rule::Entries { written: 1, read: 0 }));
    let from = Building {
        authority: certificate.key_id(),
        chain: std::slice::from_ref(certificate),
        signer: &other,
        previous: None,
        register: &Position::start,
        entries: &|_| Vec::new(),
        knows: &|_| Knows::Nothing,
    };
    assert!(matches!(build(&edition(10), &from), Err(BuildError::NotMade { .. })));
}
