//! Lists that are handed in: a list that the authority signed once says who was revoked, whatever a register has lost since.
//!
//! A person puts one into a ConfigMap of the operator's namespace, or into several. It is believed for the authority's signature, not for who
//! put it there.

use std::collections::BTreeMap;

use chancery_pki::{Certificate as X509, Crl, CrlNumber, KeyId, Reason, Revoked};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::ListParams};

use super::{Context, Fault, note};
use crate::{
    api::{names, reason::event},
    cluster::{CallError, CallErrorKind, Severity},
    observe::ListSight,
    plan::list::handed_in::{Choice, choose},
    register::{Act, Entry, Ledger, Register as _, RegisterId, Standing},
};

const ACTOR: &str = "import";
/// How many lines are on their way into a register at once.
const LINES: usize = 4096;

/// Takes in what was handed in for this authority. Returns when to look again for parts that have not come.
pub(super) async fn take(context: &Context, sight: &ListSight, issuer: &X509, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let mut again = None;
    if context.world.imports.is_empty() {
        return Ok(again);
    }
    let namespace = &context.world.namespace;
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
    // All lists look, and each part may have 1 MiB: only what is this authority's is read.
    let found = api.list_metadata(&ListParams::default().labels(names::IMPORT)).await;
    let found = found.map_err(CallError::of("list", "ConfigMap", Some(namespace), ""))?;
    let authority = issuer.key_id();
    for parts in requests(found.items.into_iter().map(|map| map.metadata)) {
        match choose(&parts.iter().collect::<Vec<_>>(), &authority, now) {
            Choice::Leave(until) => super::soonest(&mut again, until),
            Choice::Refuse(why) => refuse(context, &api, &parts, &why).await?,
            Choice::Remove => take_away(context, &parts).await?,
            Choice::Read(order) => {
                let parts: Vec<ObjectMeta> = order.into_iter().filter_map(|place| parts.get(place).cloned()).collect();
                match one(context, &api, &parts, issuer, now).await? {
                    Outcome::OfAnother => {}
                    Outcome::Refused(why) => refuse(context, &api, &parts, &why).await?,
                    Outcome::Taken(taken, number) => {
                        let name = parts.first().and_then(|part| part.name.as_deref()).unwrap_or_default();
                        let text = format!("{taken} revocations were taken from the list in ConfigMap {name}");
                        note::say(context, sight, Severity::Normal, event::REVOKED, "Import", text);
                        context.press.confirm(authority, number);
                        taken_in(context, &api, parts).await?;
                    }
                }
            }
        }
    }
    Ok(again)
}

/// What came of a list of which all parts are there.
enum Outcome {
    /// It is another authority's, whose own list takes it.
    OfAnother,
    /// Why it never can be.
    Refused(String),
    /// So many lines are on record that were not, and this is its number.
    Taken(usize, Option<CrlNumber>),
}

async fn one(context: &Context, api: &Api<ConfigMap>, parts: &[ObjectMeta], issuer: &X509, now: Timestamp) -> Result<Outcome, Fault> {
    let mut whole = Vec::new();
    for part in parts {
        let map = as_read(context, api, part).await?;
        match octets(&map) {
            Ok(octets) => whole.extend_from_slice(octets),
            Err(why) => return Ok(Outcome::Refused(why)),
        }
    }
    let list = match Crl::from_pem_or_der(&whole) {
        Ok(list) => list,
        Err(error) => return Ok(Outcome::Refused(format!("the list in it cannot be read: {error}"))),
    };
    drop(whole);
    if list.issuer() != issuer.subject() || !is_of(&list, issuer) {
        return Ok(Outcome::OfAnother);
    }
    if !list.is_signed_by(issuer.public_key()) {
        return Ok(Outcome::Refused("it is not signed by the authority that it names".to_owned()));
    }
    if list.delta_base().is_some() {
        return Ok(Outcome::Refused("it is a delta CRL: hand in the complete list".to_owned()));
    }
    Ok(match merge(context, &issuer.key_id(), &list, now).await? {
        Ok(taken) => Outcome::Taken(taken, list.number()),
        Err(why) => Outcome::Refused(why),
    })
}

/// What was handed in at once, each as one or several ConfigMaps. The first may name none, and the others name it.
fn requests(maps: impl Iterator<Item = ObjectMeta>) -> impl Iterator<Item = Vec<ObjectMeta>> {
    let mut requests: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
    for map in maps {
        let named = map.annotations.as_ref().and_then(|annotations| annotations.get(names::IMPORT_REQUEST));
        let of = named.or(map.name.as_ref()).cloned().unwrap_or_default();
        requests.entry(of).or_default().push(map);
    }
    requests.into_values()
}

/// A ConfigMap in the version of which the metadata was seen.
async fn as_read(context: &Context, api: &Api<ConfigMap>, part: &ObjectMeta) -> Result<ConfigMap, Fault> {
    let name = part.name.as_deref().unwrap_or_default();
    let map = api.get_opt(name).await.map_err(CallError::of("get", "ConfigMap", Some(&context.world.namespace), name))?;
    let same = |map: &ConfigMap| map.metadata.uid == part.uid && map.metadata.resource_version == part.resource_version;
    map.filter(same).ok_or(Fault::Stale)
}

/// Takes away what is on record.
async fn taken_in(context: &Context, api: &Api<ConfigMap>, mut parts: Vec<ObjectMeta>) -> Result<(), Fault> {
    if parts.len() > 1
        && let Some(first) = parts.first_mut()
    {
        let mut map = as_read(context, api, first).await?;
        map.metadata.annotations.get_or_insert_default().insert(names::IMPORT_TAKEN.to_owned(), names::MANAGED_VALUE.to_owned());
        map.metadata.managed_fields = None;
        *first = context.writer.config_map(&map).await?.metadata;
    }
    take_away(context, &parts).await
}

/// Deletes ConfigMaps, as many as can be. The one that says why goes last: what is left is never without it.
async fn take_away(context: &Context, parts: &[ObjectMeta]) -> Result<(), Fault> {
    let says = |part: &&ObjectMeta| {
        let annotations = part.annotations.as_ref();
        annotations.is_some_and(|said| said.contains_key(names::IMPORT_TAKEN) || said.contains_key(names::IMPORT_REFUSED))
    };
    let (last, others): (Vec<_>, Vec<_>) = parts.iter().partition(says);
    for step in [others, last] {
        let mut fault = None;
        for part in step {
            let map = ConfigMap { metadata: part.clone(), ..ConfigMap::default() };
            // Another list may have been faster.
            let failed = context.writer.delete_config_map(&map).await.err().filter(|error| error.kind != CallErrorKind::NotFound);
            fault = fault.or(failed);
        }
        if let Some(error) = fault {
            return Err(Fault::from(error));
        }
    }
    Ok(())
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
    // Nothing of a list that cannot be read to its end goes on record.
    if let Some(error) = list.entries().find_map(Result::err) {
        return Ok(Err(format!("an entry of the list cannot be read: {error}")));
    }
    let mut listed = list.entries().flatten().peekable();
    let mut taken = 0;
    while listed.peek().is_some() {
        let entries: Vec<Entry> = context.world.registers.index().ledger(&id, |ledger| {
            let missing = listed.by_ref().filter_map(|revoked| missing(ledger, &revoked, now));
            missing.take(LINES).collect()
        });
        for line in join_all(entries.into_iter().map(|entry| context.world.registers.append(id, entry))).await {
            line?;
            taken += 1;
        }
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

async fn refuse(context: &Context, api: &Api<ConfigMap>, parts: &[ObjectMeta], why: &str) -> Result<(), Fault> {
    let mut fault = None;
    for part in parts {
        let written = async {
            let mut map = as_read(context, api, part).await?;
            map.metadata.annotations.get_or_insert_default().insert(names::IMPORT_REFUSED.to_owned(), why.to_owned());
            map.metadata.managed_fields = None;
            tracing::warn!(config_map = part.name, why, "a list that was handed in is not taken");
            context.writer.config_map(&map).await.map_err(Fault::from)
        };
        fault = fault.or(written.await.err());
    }
    fault.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use chancery_pki::SerialNumber;

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

    #[test]
    fn parts_belong_together_that_name_the_same_or_the_first() {
        let part = |name: &str, request: Option<&str>| ObjectMeta {
            name: Some(name.to_owned()),
            annotations: request.map(|request| BTreeMap::from([(names::IMPORT_REQUEST.to_owned(), request.to_owned())])),
            ..ObjectMeta::default()
        };
        let maps = [part("a", None), part("b", Some("a")), part("c", None), part("d", Some("random")), part("e", Some("random"))];
        let found: Vec<usize> = requests(maps.into_iter()).map(|request| request.len()).collect();
        assert_eq!(found, [2, 1, 2]);
    }
}
