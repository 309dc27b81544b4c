use std::collections::BTreeMap;

use chancery_pki::{
    CaConstraints, Certificate, CrlNumber, CrlTemplate, KeyAlgorithm, Name, PrivateKey, Reason, Revoked, SubjectParts, Template, Usage,
    self_sign, sign_crl,
};
use jiff::SignedDuration;

use super::*;
use crate::{
    lists::{Settings, Shard},
    plugin::output::{Format, render},
    register::{Entry, Owner, Position},
};

const MADE: &str = "2026-06-01T12:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn serial(octet: u8) -> SerialNumber {
    SerialNumber::from_octets(&[octet]).unwrap()
}

fn authority() -> (Certificate, PrivateKey) {
    let parts = SubjectParts { common_name: Some("Root".to_owned()), ..SubjectParts::default() };
    let template = Template {
        ca: Some(CaConstraints::default()),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ..Template::new(serial(1), Name::from_parts(&parts).unwrap(), time("2026-01-01T00:00:00Z"), time("2036-01-01T00:00:00Z"))
    };
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    (self_sign(&template, &key).unwrap(), key)
}

/// A list made at noon with one entry, and its head.
fn published() -> (Head, Crl) {
    let (certificate, key) = authority();
    let (this_update, next_update) = (time("2026-06-01T11:55:00Z"), time("2026-06-08T11:55:00Z"));
    let template = CrlTemplate {
        number: CrlNumber::new(9),
        this_update,
        next_update,
        distribution_point: Vec::new(),
        delta_base: None,
        freshest: Vec::new(),
    };
    let entry = Revoked { serial: serial(7), time: time("2026-06-01T10:00:00Z"), reason: Reason::KeyCompromise, invalidity_date: None };
    let list = Crl::from_der(sign_crl(&template, [entry].iter(), &certificate, &key).unwrap()).unwrap();
    let shard = Shard {
        number: CrlNumber::new(9),
        this_update,
        next_update,
        entries: 1,
        bytes: list.as_der().len(),
        sha256: "00".to_owned(),
        sequence: 3,
        built_at: time(MADE),
        live: 1,
        until: None,
        delta: None,
    };
    let settings = Settings {
        validity: SignedDuration::from_hours(168),
        refresh: SignedDuration::from_hours(24),
        delta: None,
        shards: 1,
        base_url: Some("http://pki.example.com".to_owned()),
        ocsp: None,
        grace: SignedDuration::from_mins(10),
        debounce: SignedDuration::from_secs(1),
        max_automatic: 10,
    };
    let head = Head {
        authority: certificate.key_id(),
        chain: vec![certificate],
        list: None,
        settings,
        former_base_urls: Vec::new(),
        register: Position::start(),
        number: CrlNumber::new(9),
        shards: BTreeMap::from([(0, shard)]),
    };
    (head, list)
}

fn line(sequence: u64, act: Act, at: &str, from: Option<&str>) -> Line {
    let owner = Owner { namespace: "team".to_owned(), name: "web".to_owned(), uid: "u".to_owned() };
    let entry = Entry { from: from.map(time), owner: Some(owner), ..Entry::new(act) };
    Line { sequence, time: time(at), previous: String::new(), entry }
}

fn explained(octet: u8, lines: Result<Vec<Line>, String>, at: &str) -> Explanation {
    let (head, list) = published();
    explain(&head, &list, &serial(octet), lines, time(at)).unwrap()
}

#[test]
fn what_clients_see_follows_from_list_and_register() {
    let issued = || line(1, Act::Issued, "2026-05-01T00:00:00Z", None);
    let revoked = |at, from| line(2, Act::Revoked, at, from);
    let now = "2026-06-01T12:30:00Z";
    let clients = |octet, lines| explained(octet, Ok(lines), now).clients;
    assert!(
        clients(7, vec![issued(), revoked("2026-06-01T10:00:00Z", None)])
            .starts_with("refused by whoever reads the list at http://pki.example.com/crl/")
    );
    assert_eq!(clients(5, vec![issued()]), "accepted");
    assert!(clients(5, Vec::new()).contains("OCSP calls it unknown"));
    assert!(clients(5, vec![issued(), line(2, Act::Pending, now, None)]).contains("was asked for, and waits"));
    assert!(clients(5, vec![issued(), revoked(now, Some("2026-06-01T12:40:00Z"))]).starts_with("accepted until the list is made"));
    let late = explained(5, Ok(vec![issued(), revoked("2026-06-01T12:20:00Z", None)]), now);
    assert!(late.clients.contains("the next list will have it") && late.is_well());
    assert_eq!(
        clients(5, vec![issued(), revoked("2026-06-01T10:00:00Z", None), line(3, Act::Released, "2026-06-01T11:00:00Z", None)]),
        "accepted"
    );
}

#[test]
fn what_the_list_lacks_and_what_is_overdue_are_problems() {
    let lines = || Ok(vec![line(2, Act::Revoked, "2026-06-01T10:00:00Z", None)]);
    let lacking = explained(5, lines(), "2026-06-01T12:30:00Z");
    assert!(lacking.problems[0].contains("is not on it"), "{:?}", lacking.problems);
    // Planned revocations wait for the end of their grace.
    let waiting =
        explained(5, Ok(vec![line(2, Act::Revoked, "2026-06-01T11:55:00Z", Some("2026-06-01T12:05:00Z"))]), "2026-06-01T12:01:00Z");
    assert!(waiting.is_well(), "{:?}", waiting.problems);
    let overdue = explained(7, lines(), "2026-06-09T00:00:00Z");
    assert!(overdue.problems[0].contains("was due to be replaced 12h ago"), "{:?}", overdue.problems);
    let unread = explained(5, Err("forbidden".to_owned()), "2026-06-01T12:30:00Z");
    assert_eq!((unread.clients.as_str(), unread.register_unread.as_deref()), ("accepted", Some("forbidden")));
}

#[test]
fn what_several_authorities_say_is_one_document() {
    let one = || explained(7, Ok(Vec::new()), "2026-06-01T12:30:00Z");
    let both = Explanations { items: vec![one(), one()] };
    let shown = |format| {
        let mut out = Vec::new();
        render(&both, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let value: serde_json::Value = serde_json::from_str(&shown(Format::Json)).unwrap();
    assert_eq!(value["items"].as_array().unwrap().len(), 2);
    assert_eq!(shown(Format::Table).matches("Serial:").count(), 2);
}

#[test]
fn lists_are_told_with_their_state() {
    let (head, list) = published();
    let listing = |at, read| {
        let mut listing = Listing::new(time(at));
        listing.add(&head, 0, Kind::Full, read);
        // There is no delta, and no other part.
        listing.add(&head, 0, Kind::Delta, None);
        listing.add(&head, 1, Kind::Full, None);
        listing
    };
    let now = "2026-06-01T12:30:00Z";
    for (at, read, state, well) in [
        (now, None, "fresh", true),
        (now, Some(Ok(list.clone())), "verified", true),
        ("2026-06-09T00:00:00Z", Some(Ok(list)), "overdue", false),
        (now, Some(Err("torn".to_owned())), "torn", false),
    ] {
        let listing = listing(at, read);
        assert_eq!((listing.lists.len(), listing.lists[0].state.as_str(), listing.is_well()), (1, state, well));
    }
    let mut out = Vec::new();
    render(&Listing::new(time(now)), Format::Table, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "no list is published\n");
}
