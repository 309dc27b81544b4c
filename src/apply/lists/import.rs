//! Lists that are handed in: a list that the authority signed once says who was revoked, whatever a register has lost since.
//!
//! A person puts one into a ConfigMap of the operator's namespace, or into several. It is believed for the authority's signature, not for who
//! put it there.

use std::collections::BTreeMap;

use chancery_pki::{Certificate as X509, Crl, KeyId, Reason, Revoked};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{Context, Fault, note};
use crate::{
    api::{names, reason::event},
    cluster::{CallError, Severity},
    observe::ListSight,
    plan::renewal::add,
    register::{Act, Entry, Ledger, Register as _, RegisterId, Standing},
};

const ACTOR: &str = "import";
/// How long the parts of a list may take to come.
const PARTS: SignedDuration = SignedDuration::from_mins(10);

/// Takes in what was handed in for this authority. Returns when to look again for parts that have not come.
pub(super) async fn take(context: &Context, sight: &ListSight, issuer: &X509, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let mut again = None;
    if context.world.imports.is_empty() {
        return Ok(again);
    }
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), &context.world.namespace);
    let found = api.list(&ListParams::default().labels(names::IMPORT)).await;
    let found = found.map_err(CallError::of("list", "ConfigMap", Some(&context.world.namespace), ""))?;
    let authority = issuer.key_id();
    for maps in requests(found.items) {
        let list = match handed_in(&maps, now) {
            Ok(HandedIn::Whole(octets)) => Crl::from_pem_or_der(&octets).map_err(|error| format!("the list in it cannot be read: {error}")),
            Ok(HandedIn::Waits(until)) => {
                super::soonest(&mut again, Some(until));
                continue;
            }
            Err(why) => Err(why),
        };
        let list = match list {
            // Another authority's is its own list's to take.
            Ok(list) if list.issuer() != issuer.subject() || !is_of(&list, issuer) => continue,
            Ok(list) => list,
            Err(why) => {
                refuse(context, maps, &why).await?;
                continue;
            }
        };
        if !list.is_signed_by(issuer.public_key()) {
            refuse(context, maps, "it is not signed by the authority that it names").await?;
            continue;
        }
        if list.delta_base().is_some() {
            refuse(context, maps, "it is a delta CRL: hand in the complete list").await?;
            continue;
        }
        match merge(context, &authority, &list, now).await? {
            Ok(taken) => {
                let name = maps.first().map(ConfigMap::name_any).unwrap_or_default();
                let text = format!("{taken} revocations were taken from the list in ConfigMap {name}");
                note::say(context, sight, Severity::Normal, event::REVOKED, "Import", text);
                context.press.confirm(authority, list.number());
                for map in &maps {
                    context.writer.delete_config_map(map).await?;
                }
            }
            Err(why) => refuse(context, maps, &why).await?,
        }
    }
    Ok(again)
}

/// What was handed in at once, each as one or several ConfigMaps. The first names none, and the others name it.
fn requests(maps: Vec<ConfigMap>) -> impl Iterator<Item = Vec<ConfigMap>> {
    let mut requests: BTreeMap<String, Vec<ConfigMap>> = BTreeMap::new();
    for map in maps {
        let of = map.annotations().get(names::IMPORT_REQUEST).cloned().unwrap_or_else(|| map.name_any());
        requests.entry(of).or_default().push(map);
    }
    requests.into_values()
}

/// What the ConfigMaps of one request hold.
#[derive(Debug)]
enum HandedIn {
    /// A list, as far as that is known.
    Whole(Vec<u8>),
    /// Not all parts have come, and have time until then.
    Waits(Timestamp),
}

fn handed_in(maps: &[ConfigMap], now: Timestamp) -> Result<HandedIn, String> {
    let number = |map: &ConfigMap, key: &str| map.annotations().get(key).and_then(|text| text.parse::<usize>().ok());
    let parts = maps.iter().find_map(|map| number(map, names::IMPORT_PARTS)).unwrap_or(1);
    let mut placed = BTreeMap::new();
    for map in maps {
        let place = number(map, names::IMPORT_PART).unwrap_or(1);
        if place == 0 || place > parts || placed.insert(place, octets(map)?).is_some() {
            return Err(format!("part {place} of {parts} cannot be, or is there twice: hand it in again"));
        }
    }
    if placed.len() < parts {
        let newest = maps.iter().filter_map(ConfigMap::creation_timestamp).map(|time| time.0).max();
        let until = add(newest.unwrap_or(Timestamp::MAX), PARTS);
        // Or all but these were taken away after it was done, and whoever did it died.
        let why = format!("only {} of {parts} parts are there, and it may not be on record: hand it in again", placed.len());
        return if until > now { Ok(HandedIn::Waits(until)) } else { Err(why) };
    }
    Ok(HandedIn::Whole(placed.into_values().collect::<Vec<_>>().concat()))
}

fn octets(map: &ConfigMap) -> Result<&[u8], String> {
    let binary = map.binary_data.as_ref().and_then(|data| data.get(names::LIST_DER)).map(|data| data.0.as_slice());
    let pem = map.data.as_ref().and_then(|data| data.get(names::LIST_PEM)).map(String::as_bytes);
    binary.or(pem).ok_or_else(|| format!("it has neither {} nor {}", names::LIST_DER, names::LIST_PEM))
}

/// Whether a list names this key: authorities of one name are told apart by it.
fn is_of(list: &Crl, issuer: &X509) -> bool {
    match (list.authority_key_identifier(), issuer.subject_key_identifier()) {
        (Some(named), Some(own)) => named == own,
        _ => true,
    }
}

/// Puts what a list says on record, where the register does not have it. Returns how many lines that were.
pub(super) async fn merge(context: &Context, authority: &KeyId, list: &Crl, now: Timestamp) -> Result<Result<usize, String>, Fault> {
    let id = RegisterId::Authority(*authority);
    let mut entries = Vec::new();
    for revoked in list.entries() {
        let revoked = match revoked {
            Ok(revoked) => revoked,
            Err(error) => return Ok(Err(format!("an entry of the list cannot be read: {error}"))),
        };
        entries.extend(context.world.registers.index().ledger(&id, |ledger| missing(ledger, &revoked, now)));
    }
    let appended = join_all(entries.into_iter().map(|entry| context.world.registers.append(id, entry))).await;
    let mut taken = 0;
    for line in appended {
        line?;
        taken += 1;
    }
    Ok(Ok(taken))
}

/// The line of an entry that the register does not have.
fn missing(ledger: &Ledger, revoked: &Revoked, now: Timestamp) -> Option<Entry> {
    let known = ledger.get(&revoked.serial);
    if known.is_some_and(|known| known.has_ended(now)) {
        return None;
    }
    let held = revoked.reason == Reason::CertificateHold;
    match known.map(|known| &known.standing) {
        Some(Standing::Revoked(_)) => return None,
        // A hold that ended after the list was made does not begin again.
        Some(Standing::Held(_) | Standing::Released(_)) if held => return None,
        _ => {}
    }
    Some(Entry {
        serial: Some(revoked.serial.clone()),
        not_after: known.and_then(|known| known.not_after),
        key_id: known.and_then(|known| known.key_id),
        owner: known.and_then(|known| known.owner.as_deref().cloned()),
        reason: "on a list that was handed in".to_owned(),
        actor: ACTOR.to_owned(),
        // A complete list takes nothing back: what stands on it is revoked, whatever its reason says.
        code: (!matches!(revoked.reason, Reason::Unspecified | Reason::RemoveFromCrl)).then_some(revoked.reason),
        invalidity_date: revoked.invalidity_date,
        from: Some(revoked.time),
        ..Entry::new(if held { Act::Held } else { Act::Revoked })
    })
}

async fn refuse(context: &Context, maps: Vec<ConfigMap>, why: &str) -> Result<(), Fault> {
    for mut map in maps {
        let annotations = map.metadata.annotations.get_or_insert_default();
        if annotations.get(names::IMPORT_REFUSED).is_some_and(|said| said == why) {
            continue;
        }
        annotations.insert(names::IMPORT_REFUSED.to_owned(), why.to_owned());
        map.metadata.managed_fields = None;
        tracing::warn!(config_map = map.metadata.name, why, "a list that was handed in is not taken");
        context.writer.config_map(&map).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chancery_pki::SerialNumber;
    use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::Time};
    use kube::api::ObjectMeta;

    use super::*;
    use crate::register::test_ledger;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn listed(reason: Reason) -> Revoked {
        Revoked { serial: SerialNumber::from_octets(&[1]).unwrap(), time: at(-100), reason, invalidity_date: None }
    }

    #[test]
    fn what_stands_on_a_complete_list_goes_on_record_as_revoked_since_then() {
        let nothing = Ledger::default();
        for (reason, code) in [
            (Reason::KeyCompromise, Some(Reason::KeyCompromise)),
            (Reason::Unspecified, None),
            // Whoever wrote that into a complete list did not take the certificate off it.
            (Reason::RemoveFromCrl, None),
        ] {
            let entry = missing(&nothing, &listed(reason), at(0)).unwrap();
            assert_eq!((entry.act, entry.code, entry.from), (Act::Revoked, code, Some(at(-100))), "{reason}");
            let ledger = test_ledger(std::iter::once((at(0), entry)));
            assert_eq!(missing(&ledger, &listed(reason), at(1)), None, "{reason}: it is recorded once");
        }
        assert_eq!(missing(&nothing, &listed(Reason::CertificateHold), at(0)).unwrap().act, Act::Held);
    }

    fn part(place: usize, annotations: &[(&str, &str)]) -> ConfigMap {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(format!("import-{place}")),
                creation_timestamp: Some(Time(at(0))),
                annotations: Some(annotations.collect()),
                ..ObjectMeta::default()
            },
            binary_data: Some(BTreeMap::from([(names::LIST_DER.to_owned(), ByteString(vec![u8::try_from(place).unwrap()]))])),
            ..ConfigMap::default()
        }
    }

    #[test]
    fn parts_are_put_together_whatever_their_order_and_none_is_taken_without_the_others() {
        let first = part(1, &[(names::IMPORT_PART, "1"), (names::IMPORT_PARTS, "3")]);
        let later = |place: usize, said: &str| {
            part(place, &[(names::IMPORT_PART, said), (names::IMPORT_PARTS, "3"), (names::IMPORT_REQUEST, "import-1")])
        };
        let found: Vec<Vec<ConfigMap>> = requests(vec![later(3, "3"), part(9, &[]), first.clone(), later(2, "2")]).collect();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
        assert!(matches!(handed_in(&found[0], at(0)), Ok(HandedIn::Whole(octets)) if octets == [1, 2, 3]));
        assert!(matches!(handed_in(&found[1], at(0)), Ok(HandedIn::Whole(octets)) if octets == [9]), "one by itself needs no others");

        let late = at(0) + PARTS;
        assert!(matches!(handed_in(&found[0][..2], at(1)), Ok(HandedIn::Waits(until)) if until == late));
        assert!(handed_in(&found[0][..2], late).unwrap_err().contains("only 2 of 3 parts"));
        for wrong in ["1", "0", "4"] {
            let maps = [first.clone(), later(2, wrong)];
            assert!(handed_in(&maps, at(1)).unwrap_err().contains("cannot be, or is there twice"), "{wrong}");
        }
    }
}
