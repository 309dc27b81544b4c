//! What becomes of a list that was handed in, as far as the metadata of the ConfigMaps that hold it tells.
//!
//! Pure. Whether it is what it says, and the authority's, is for who reads it.

use chancery_pki::KeyId;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{api::names, plan::renewal::add};

/// How long the parts of a list may take to come.
const PARTS: SignedDuration = SignedDuration::from_mins(10);
/// How long what was refused can be looked at.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What there is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Choice {
    /// Nothing, or nothing before then: it is another authority's, was refused, or not all parts have come.
    Leave(Option<Timestamp>),
    /// All of it is there: read these ConfigMaps, by their place among the given, in this order.
    Read(Vec<usize>),
    /// It can never be taken in.
    Refuse(String),
    /// It is on record, or was refused long ago: take it away.
    Remove,
}

/// What is to be done with the ConfigMaps that were handed in at once, by the list of this authority.
pub fn choose(maps: &[&ObjectMeta], authority: &KeyId, now: Timestamp) -> Choice {
    let any = |key| maps.iter().find_map(|map| annotation(map, key));
    if any(names::IMPORT_REFUSED).is_some() {
        // By the list of any authority: that of its own may be gone.
        let until = add(maps.iter().filter_map(|map| last_write(map)).max().unwrap_or(Timestamp::MAX), KEPT);
        return if until > now { Choice::Leave(Some(until)) } else { Choice::Remove };
    }
    if any(names::IMPORT_TAKEN).is_some() {
        return Choice::Remove;
    }
    let complete = complete(maps, now);
    let named = any(names::AUTHORITY).and_then(|named| named.parse::<KeyId>().ok());
    match complete {
        // What can never be whole may be of an authority that has no list any more: every list says so.
        Choice::Read(_) if named.is_some_and(|named| named != *authority) => Choice::Leave(None),
        choice => choice,
    }
}

fn complete(maps: &[&ObjectMeta], now: Timestamp) -> Choice {
    let number = |map: &ObjectMeta, key| annotation(map, key).and_then(|text| text.parse::<usize>().ok());
    let parts = maps.iter().find_map(|map| number(map, names::IMPORT_PARTS)).unwrap_or(1);
    let mut placed = std::collections::BTreeMap::new();
    for (index, map) in maps.iter().enumerate() {
        let place = number(map, names::IMPORT_PART).unwrap_or(1);
        if place == 0 || place > parts || placed.insert(place, index).is_some() {
            return Choice::Refuse(format!("part {place} of {parts} cannot be, or is there twice: hand it in again"));
        }
    }
    if placed.len() < parts {
        let newest = maps.iter().filter_map(|map| created(map)).max();
        let until = add(newest.unwrap_or(Timestamp::MAX), PARTS);
        let why = format!("only {} of {parts} parts are there, and it may not be on record: hand it in again", placed.len());
        return if until > now { Choice::Leave(Some(until)) } else { Choice::Refuse(why) };
    }
    Choice::Read(placed.into_values().collect())
}

fn annotation<'a>(map: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    map.annotations.as_ref()?.get(key).map(String::as_str)
}

fn created(map: &ObjectMeta) -> Option<Timestamp> {
    map.creation_timestamp.as_ref().map(|time| time.0)
}

/// When it was refused, at the earliest: it may have been created long before there was anybody to refuse it.
fn last_write(map: &ObjectMeta) -> Option<Timestamp> {
    let written = map.managed_fields.iter().flatten().filter_map(|fields| fields.time.as_ref().map(|time| time.0));
    written.chain(created(map)).max()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, Time};

    use super::*;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn map(annotations: &[(&str, &str)]) -> ObjectMeta {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ObjectMeta { creation_timestamp: Some(Time(at(0))), annotations: Some(annotations.collect()), ..ObjectMeta::default() }
    }

    fn part(place: &str, more: &[(&str, &str)]) -> ObjectMeta {
        map(&[&[(names::IMPORT_PART, place), (names::IMPORT_PARTS, "3")], more].concat())
    }

    fn chosen(maps: &[ObjectMeta], now: Timestamp) -> Choice {
        choose(&maps.iter().collect::<Vec<_>>(), &own(), now)
    }

    fn own() -> KeyId {
        KeyId::of_spki(b"own")
    }

    #[test]
    fn parts_are_read_in_their_order_and_none_without_the_others() {
        let all = [part("3", &[]), part("1", &[]), part("2", &[])];
        assert_eq!(chosen(&all, at(0)), Choice::Read(vec![1, 2, 0]));
        assert_eq!(chosen(&[map(&[])], at(0)), Choice::Read(vec![0]), "one by itself needs no others");
        let late = at(0) + PARTS;
        assert_eq!(chosen(&all[..2], late - MINUTE), Choice::Leave(Some(late)));
        assert!(matches!(chosen(&all[..2], late), Choice::Refuse(why) if why.contains("only 2 of 3 parts")));
        for wrong in ["1", "0", "4"] {
            let maps = [part("1", &[]), part(wrong, &[])];
            assert!(matches!(chosen(&maps, at(1)), Choice::Refuse(why) if why.contains("cannot be, or is there twice")), "{wrong}");
        }
    }

    #[test]
    fn what_names_another_authority_is_not_read_and_what_names_none_is() {
        let of = |authority: &str| chosen(&[map(&[(names::AUTHORITY, authority)])], at(0));
        assert_eq!(of(&KeyId::of_spki(b"another").to_string()), Choice::Leave(None));
        for named in [own().to_string().as_str(), "nonsense"] {
            assert_eq!(of(named), Choice::Read(vec![0]), "{named}");
        }
        // Its own list may be gone, and somebody has to say that the rest will not come.
        let rest = [part("1", &[(names::AUTHORITY, &KeyId::of_spki(b"another").to_string())])];
        assert!(matches!(chosen(&rest, at(0) + PARTS), Choice::Refuse(_)));
    }

    #[test]
    fn what_was_refused_is_not_read_again_and_goes_a_day_after_that_was_said() {
        let refused = map(&[(names::IMPORT_REFUSED, "it is a delta CRL")]);
        let day = at(0) + KEPT;
        assert_eq!(chosen(std::slice::from_ref(&refused), day - MINUTE), Choice::Leave(Some(day)));
        assert_eq!(chosen(std::slice::from_ref(&refused), day), Choice::Remove);
        // It was handed in while no controller ran.
        let mut late = refused;
        late.managed_fields = Some(vec![ManagedFieldsEntry { time: Some(Time(day)), ..ManagedFieldsEntry::default() }]);
        assert_eq!(chosen(&[late], day), Choice::Leave(Some(day + KEPT)));
        let parts = [part("1", &[(names::IMPORT_REFUSED, "only 2 of 3")]), part("2", &[])];
        assert_eq!(chosen(&parts, day), Choice::Remove, "with all that belongs to it");
    }

    #[test]
    fn what_is_left_of_a_list_that_is_on_record_is_taken_away_and_not_refused() {
        let left = [part("1", &[(names::IMPORT_TAKEN, "true")]), part("3", &[])];
        assert_eq!(chosen(&left, at(0)), Choice::Remove);
        assert_eq!(chosen(&left[..1], at(0) + PARTS), Choice::Remove);
    }
}
