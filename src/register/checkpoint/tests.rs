//! Checkpoints: their form, who signed them, and what the next one says.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn end(sequence: u64) -> End {
    End { position: Position { sequence, hash: hash(sequence.to_string()) }, time: at(0), kept_from: 1 }
}

fn lost(sequence: u64, after: i64) -> Lost {
    Lost { position: end(sequence).position, after: at(after) }
}

fn ends(sequence: u64) -> BTreeMap<RegisterId, End> {
    [(RegisterId::Common, end(sequence)), (RegisterId::Authority(KeyId::of_spki(b"ca")), End { kept_from: 3, ..end(4) })].into()
}

fn key() -> PrivateKey {
    PrivateKey::generate(KEY).unwrap()
}

fn checkpoint(key: &PrivateKey) -> Checkpoint {
    let next = Next { before: None, ends: &ends(7), broken: &BTreeSet::new(), stands: &|_, _| Stands::Yes };
    next.checkpoint("chancery-system", key.public_key().key_id(), at(1)).unwrap()
}

#[test]
fn a_checkpoint_reads_back_and_any_other_text_is_refused() {
    let checkpoint = checkpoint(&key());
    let checkpoint = Checkpoint { lost: [(RegisterId::Common, lost(9, 1))].into(), ..checkpoint };
    let text = checkpoint.to_text();
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
    for (from, to) in [
        ("/v1", "/v2"),
        ("namespace ", "Namespace "),
        ("\nkey ", "\nkey x"),
        (" 7 ", " 07 "),
        ("lost common", "lost x"),
        ("\nlost", "\n\nlost"),
    ] {
        assert!(Checkpoint::parse(&text.replacen(from, to, 1)).is_err(), "{from:?} to {to:?}");
    }
}

#[test]
fn only_what_this_key_signed_is_believed() {
    let (own, other) = (key(), key());
    let signed = checkpoint(&own).sign(&own).unwrap();
    assert!(signed.verified(&own.public_key().to_pem()).is_ok());
    let by_other = signed.verified(&other.public_key().to_pem()).unwrap_err();
    assert!(matches!(by_other, CheckpointError::OtherKey { .. }), "{by_other}");
    let altered = Signed { text: signed.text.replace(" 7 ", " 6 "), ..signed.clone() };
    assert_eq!(altered.verified(&own.public_key().to_pem()), Err(CheckpointError::Signature));
    assert_eq!(signed.verified("nonsense"), Err(CheckpointError::Key));
    // Another signs in its name.
    let forged = Signed { signature: other.sign(signed.text.as_bytes()).unwrap(), ..signed };
    assert_eq!(forged.verified(&own.public_key().to_pem()), Err(CheckpointError::Signature));
}

#[test]
fn the_next_one_says_what_is_new_and_nothing_where_nothing_is() {
    let key = key();
    let first = checkpoint(&key);
    let text = first.to_text();
    let of = |ends: &BTreeMap<RegisterId, End>, broken: &BTreeSet<RegisterId>, stands: &dyn Fn(&RegisterId, &Position) -> Stands| {
        Next { before: Some((&first, &text)), ends, broken, stands }.checkpoint("chancery-system", key.public_key().key_id(), at(2))
    };
    let (none, yes) = (BTreeSet::new(), |_: &RegisterId, _: &Position| Stands::Yes);
    assert_eq!(of(&ends(7), &none, &yes), None);
    let more = of(&ends(8), &none, &yes).unwrap();
    assert_eq!((more.registers[&RegisterId::Common].position.sequence, more.previous, more.lost.len()), (8, hash(&text), 0));
    // One that does not hold together is spoken of as it was.
    let broken = of(&ends(3), &[RegisterId::Common].into(), &yes);
    assert_eq!(broken, None);
}

#[test]
fn a_register_that_went_back_is_told_of_until_it_stands_again() {
    let key = key();
    let first = checkpoint(&key);
    let next = |before: &Checkpoint, sequence: u64, stands: Stands| {
        let text = before.to_text();
        let stands = |_: &RegisterId, position: &Position| if position.sequence == 7 { stands } else { Stands::Yes };
        Next { before: Some((before, &text)), ends: &ends(sequence), broken: &BTreeSet::new(), stands: &stands }.checkpoint(
            "chancery-system",
            key.public_key().key_id(),
            at(2),
        )
    };
    let back = next(&first, 5, Stands::No).unwrap();
    assert_eq!(back.lost, [(RegisterId::Common, lost(7, 1))].into());
    let on = next(&back, 6, Stands::No).unwrap();
    assert_eq!(on.lost, back.lost, "it goes on being said");
    assert_eq!(next(&on, 9, Stands::Yes).unwrap().lost.len(), 0, "what was lost stands again");
    // All of a register is gone.
    let text = first.to_text();
    let nothing = Next { before: Some((&first, &text)), ends: &BTreeMap::new(), broken: &BTreeSet::new(), stands: &|_, _| Stands::No };
    assert_eq!(nothing.checkpoint("chancery-system", key.public_key().key_id(), at(2)).unwrap().lost.len(), 2);
}

#[test]
fn a_register_that_goes_back_again_is_told_of_as_of_then() {
    let key = key();
    let known = Checkpoint { lost: [(RegisterId::Common, lost(9, 0))].into(), time: at(50), ..checkpoint(&key) };
    let text = known.to_text();
    let next = Next { before: Some((&known, &text)), ends: &ends(5), broken: &BTreeSet::new(), stands: &|_, _| Stands::No };
    let said = next.checkpoint("chancery-system", key.public_key().key_id(), at(60)).unwrap();
    assert_eq!(said.lost[&RegisterId::Common], lost(9, 50));
}

#[test]
fn a_checkpoint_of_more_registers_than_there_is_room_for_leaves_out_those_that_changed_first() {
    let key = key().public_key().key_id();
    let id = |number: u32| RegisterId::Authority(KeyId::of_spki(&number.to_be_bytes()));
    let of =
        |number: u32| End { time: at(number.into()), position: Position { sequence: u64::MAX, ..end(7).position }, kept_from: u64::MAX };
    let ends: BTreeMap<RegisterId, End> = (0..6000).map(|number| (id(number), of(number))).collect();
    let next = |before| Next { before, ends: &ends, broken: &BTreeSet::new(), stands: &|_, _| Stands::Yes }.checkpoint("ns", key, at(9000));
    let fitted = next(None).unwrap();
    let text = fitted.to_text();
    assert!((800 * 1024..TEXT_BYTES + 1024).contains(&text.len()), "{}", text.len());
    assert!(fitted.registers.contains_key(&id(5999)) && !fitted.registers.contains_key(&id(0)));
    assert_eq!(next(Some((&fitted, &text))), None, "what is left out is nothing new");
    assert!(fitted.leaves_out(&of(0)) && !fitted.leaves_out(&of(5999)), "there is room for what changed last");
    assert!(!Checkpoint { registers: BTreeMap::new(), ..fitted.clone() }.leaves_out(&of(0)), "there is room for all");
    let longest = text.lines().map(|line| line.len() + 1).max();
    assert!(longest.is_some_and(|longest| longest <= LINE_BYTES), "{longest:?}");
}
