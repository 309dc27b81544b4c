//! Lines: their form, their limits, their chain.

use chancery_pki::{CrlNumber, KeyId, Reason, SerialNumber};

use super::*;

fn entry(act: Act) -> Entry {
    Entry {
        serial: Some(SerialNumber::issued(0, [7; 13])),
        not_after: Some("2027-02-20T10:00:00Z".parse().unwrap()),
        key_id: Some(KeyId::of_spki(b"leaf")),
        owner: Some(Owner { namespace: "default".into(), name: "web".into(), uid: "u".into() }),
        reason: "Created".into(),
        actor: "chancery".into(),
        ..Entry::new(act)
    }
}

fn chain(acts: &[Act]) -> String {
    let mut end = Position::start();
    let mut text = String::new();
    for act in acts {
        let time = Timestamp::from_second(1_795_000_000 + i64::try_from(end.sequence).unwrap()).unwrap();
        let line = Line { sequence: end.sequence + 1, time, previous: end.hash.clone(), entry: entry(*act) };
        let written = Written { text: line.to_text(), line };
        end = written.end();
        text += &written.text;
        text.push('\n');
    }
    text
}

#[test]
fn a_line_has_its_fields_in_one_order() {
    assert_eq!(
        chain(&[Act::Issued]).trim_end(),
        "{\"sequence\":1,\"time\":\"2026-11-18T11:06:40Z\",\"previous\":\"0000000000000000000000000000000000000000000000000000000000000000\",\
         \"act\":\"issued\",\"serial\":\"01000007070707070707070707070707\",\"notAfter\":\"2027-02-20T10:00:00Z\",\
         \"keyID\":\"9f91161f43433e49a6de6db680d79f60159f2e4ac9172621a12846428158440b\",\
         \"owner\":{\"namespace\":\"default\",\"name\":\"web\",\"uid\":\"u\"},\"reason\":\"Created\",\"actor\":\"chancery\"}"
    );
}

#[test]
fn every_act_reads_back_under_its_name() {
    for act in [
        Act::Issued,
        Act::Imported,
        Act::Voided,
        Act::Revoked,
        Act::Held,
        Act::Released,
        Act::Blocked,
        Act::Published,
        Act::Made,
        Act::Copied,
        Act::Retired,
        Act::Destroyed,
        Act::Refused,
    ] {
        let text = chain(&[act]);
        assert!(text.contains(&format!("\"act\":\"{}\"", act.as_str())));
        assert_eq!(read(&Position::start(), &text).unwrap()[0].line.entry, entry(act));
    }
}

#[test]
fn a_chain_holds_as_a_whole_and_from_any_line_on() {
    let text = chain(&[Act::Issued, Act::Voided, Act::Issued]);
    assert_eq!(verify(&text), Ok(()));
    assert_eq!(verify(text.split_once('\n').unwrap().1), Ok(()));
    assert_eq!(verify(""), Ok(()));
}

#[test]
fn a_chain_breaks_where_it_was_touched() {
    let good = chain(&[Act::Issued, Act::Issued, Act::Issued]);
    let lines: Vec<&str> = good.lines().collect();
    let swapped = [lines[0], lines[2], lines[1]].join("\n");
    let without = [lines[0], lines[2]].join("\n");
    let edited = good.replacen("default", "another", 1);
    let cut = &good[..good.len() - 10];
    for (text, sequence) in [(swapped.as_str(), 2), (&without, 2), (&edited, 2), (cut, 3), ("rubbish", 1), ("{}", 1)] {
        assert_eq!(verify(text).unwrap_err().sequence, sequence, "{text}");
    }
}

#[test]
fn a_first_line_that_claims_another_before_it_is_refused() {
    let text = chain(&[Act::Issued]).replace(NO_LINE, &hash("other"));
    assert_eq!(verify(&text).unwrap_err().sequence, 1);
}

#[test]
fn what_a_newer_version_wrote_is_read_and_chained() {
    let newer = chain(&[Act::Issued]).replace("\"issued\"", "\"notarised\",\"witness\":{\"a\":1}");
    let read_ = read(&Position::start(), &newer).unwrap();
    assert_eq!(read_[0].line.entry.act, Act::Unknown);
    assert_eq!(format!("{}\n", read_[0].text), newer);
    assert_eq!(read_[0].end().hash, hash(newer.trim_end()));
}

#[test]
fn the_longest_names_and_texts_fit_into_a_line() {
    let owner = Owner { namespace: "n".repeat(63), name: "m".repeat(253), uid: "d5e6b1a4-7a83-4b7e-9a51-3c3c2b6f1a11".into() };
    let last: Timestamp = "9999-12-30T22:00:00.999999999Z".parse().unwrap();
    for filler in ["x", "\"", "\\", "\n", "ü", "\u{10348}"] {
        let long = Entry {
            serial: Some(SerialNumber::from_octets(&[0x7f; 20]).unwrap()),
            not_after: Some(last),
            owner: Some(owner.clone()),
            reason: filler.repeat(5000),
            actor: filler.repeat(5000),
            code: Some(Reason::CessationOfOperation),
            invalidity_date: Some(last),
            from: Some(last),
            before: Some(last),
            number: Some(CrlNumber::new(u128::MAX)),
            recorded: Some(last),
            ..entry(Act::Destroyed)
        };
        let checked = long.checked().unwrap();
        assert!(checked.longest_line() <= LINE_BYTES);
        assert!(checked.longest_line() > LINE_BYTES - 100, "limits are not smaller than they need to be");
    }
}

#[test]
fn an_entry_without_what_its_act_needs_is_refused() {
    let missing = |entry: Entry| entry.checked().unwrap_err();
    assert_eq!(missing(Entry { serial: None, ..entry(Act::Issued) }), EntryError::Missing { act: "issued", field: "serial" });
    assert_eq!(missing(Entry { not_after: None, ..entry(Act::Imported) }), EntryError::Missing { act: "imported", field: "notAfter" });
    assert_eq!(missing(Entry { owner: None, ..entry(Act::Voided) }), EntryError::Missing { act: "voided", field: "owner" });
    assert_eq!(missing(Entry { key_id: None, ..entry(Act::Copied) }), EntryError::Missing { act: "copied", field: "keyID" });
    assert_eq!(missing(entry(Act::Unknown)), EntryError::UnknownAct);
    let long = Owner { namespace: "n".into(), name: "m".repeat(5000), uid: "u".into() };
    assert!(matches!(missing(Entry { owner: Some(long), ..entry(Act::Issued) }), EntryError::TooLong { .. }));
}

#[test]
fn a_line_is_shown_on_one_line() {
    let line = read(&Position::start(), &chain(&[Act::Issued])).unwrap()[0].line.clone();
    assert_eq!(line.show(), "     1  2026-11-18T11:06:40Z  issued     0100000707070707…  default/web                       Created");
}

#[test]
fn a_line_without_a_place_before_it_or_after_it_is_no_line() {
    let line = chain(&[Act::Issued]);
    for (sequence, taken) in [(0, false), (1, true), (u64::MAX - 1, true), (u64::MAX, false)] {
        let text = line.replacen("\"sequence\":1,", &format!("\"sequence\":{sequence},"), 1);
        assert_eq!(serde_json::from_str::<Line>(&text).is_ok(), taken, "{sequence}");
    }
    let after = Position { sequence: u64::MAX, hash: NO_LINE.to_owned() };
    assert!(read(&after, &line).is_err());
}
