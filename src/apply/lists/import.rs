//! Lists that are handed in: a list that the authority signed once says who was revoked, whatever a register has lost since.
//!
//! A person puts one into a ConfigMap of the operator's namespace. It is believed for the authority's signature, not for who put it there.

use chancery_pki::{Certificate as X509, Crl, KeyId, Reason, Revoked};
use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::ListParams};

use super::{Context, Fault, note};
use crate::{
    api::{names, reason::event},
    cluster::{CallError, Severity},
    observe::ListSight,
    register::{Act, Entry, Ledger, Register as _, RegisterId, Standing},
};

const ACTOR: &str = "import";

/// Takes in what was handed in for this authority.
pub(super) async fn take(context: &Context, sight: &ListSight, issuer: &X509, now: Timestamp) -> Result<(), Fault> {
    if context.world.imports.is_empty() {
        return Ok(());
    }
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), &context.world.namespace);
    let found = api.list(&ListParams::default().labels(names::IMPORT)).await;
    let found = found.map_err(CallError::of("list", "ConfigMap", Some(&context.world.namespace), ""))?;
    let authority = issuer.key_id();
    for map in found.items {
        let list = match read(&map) {
            // Another authority's is its own list's to take.
            Ok(list) if list.issuer() != issuer.subject() || !is_of(&list, issuer) => continue,
            Ok(list) => list,
            Err(why) => {
                refuse(context, map, &why).await?;
                continue;
            }
        };
        if !list.is_signed_by(issuer.public_key()) {
            refuse(context, map, "it is not signed by the authority that it names").await?;
            continue;
        }
        if list.delta_base().is_some() {
            refuse(context, map, "it is a delta CRL: hand in the complete list").await?;
            continue;
        }
        match merge(context, &authority, &list, now).await? {
            Ok(taken) => {
                let name = map.metadata.name.clone().unwrap_or_default();
                let text = format!("{taken} revocations were taken from the list in ConfigMap {name}");
                note::say(context, sight, Severity::Normal, event::REVOKED, "Import", text);
                context.press.confirm(authority, list.number());
                context.writer.delete_config_map(&map).await?;
            }
            Err(why) => refuse(context, map, &why).await?,
        }
    }
    Ok(())
}

fn read(map: &ConfigMap) -> Result<Crl, String> {
    let binary = map.binary_data.as_ref().and_then(|data| data.get(names::LIST_DER)).map(|data| data.0.as_slice());
    let pem = map.data.as_ref().and_then(|data| data.get(names::LIST_PEM)).map(String::as_bytes);
    let octets = binary.or(pem).ok_or_else(|| format!("it has neither {} nor {}", names::LIST_DER, names::LIST_PEM))?;
    Crl::from_pem_or_der(octets).map_err(|error| format!("the list in it cannot be read: {error}"))
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

async fn refuse(context: &Context, mut map: ConfigMap, why: &str) -> Result<(), Fault> {
    let annotations = map.metadata.annotations.get_or_insert_default();
    if annotations.get(names::IMPORT_REFUSED).is_some_and(|said| said == why) {
        return Ok(());
    }
    annotations.insert(names::IMPORT_REFUSED.to_owned(), why.to_owned());
    map.metadata.managed_fields = None;
    tracing::warn!(config_map = map.metadata.name, why, "a list that was handed in is not taken");
    context.writer.config_map(&map).await?;
    Ok(())
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
}
