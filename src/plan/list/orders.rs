//! What the orders of a RevocationList come to: lines for the register, and what cannot be done.
//!
//! Orders are not the record: one that was carried out changes nothing when it is read again, and one that is taken away undoes
//! nothing. Of several for one certificate the last counts.

use std::collections::{BTreeMap, HashMap};

use chancery_pki::{KeyId, Reason, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use super::{super::renewal::add, listed_from};
use crate::{
    api::{Order, OrderAct, Target},
    register::{Act, Entry, KEPT, Known, Ledger, RegisterId, Standing},
};

/// By how much a time may lie ahead before it is taken for a mistake.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// An authority on whose certificates a list acts.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// Its keyID.
    pub key_id: KeyId,
    /// What it has issued.
    pub ledger: &'a Ledger,
    /// Whether its key was made here: what the register does not know was then not issued.
    pub exclusive: bool,
}

/// The list that orders.
#[derive(Clone, Copy, Debug)]
pub struct Orderer<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Whether that is the operator's: its orders reach Certificates of every namespace, and its blocked keys are blocked for all.
    pub everywhere: bool,
    /// How it is named on the register's lines.
    pub actor: &'a str,
    /// How long planned revocations wait.
    pub grace: SignedDuration,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Lines to be written, each to its register.
    pub lines: Vec<(RegisterId, Entry)>,
    /// Orders that cannot be carried out, by their place, with what is wrong.
    pub refused: BTreeMap<usize, String>,
    /// How many orders stand on record.
    pub done: usize,
}

/// Decides what the orders come to. The first authority is the present one; the others are those that the list covered before.
/// `is_blocked` says whether a key is blocked for an authority already (none: for all).
pub fn decide(
    orders: &[Order],
    orderer: &Orderer<'_>,
    authorities: &[Authority<'_>],
    is_blocked: &dyn Fn(Option<&KeyId>, &KeyId) -> bool,
    now: Timestamp,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut certificates: HashMap<(KeyId, SerialNumber), usize> = HashMap::new();
    let by_key = keys(orders, authorities);
    let by_owner = owners(orders, orderer, authorities);
    for (index, order) in orders.iter().enumerate() {
        let targets = match &order.what {
            Target::Serial(serial) => serial_of(serial, order, authorities),
            Target::Key(key) => Ok(by_key.get(key).cloned().unwrap_or_default()),
            Target::Certificate { namespace, name, issued_before } => {
                let namespace = namespace.as_deref().unwrap_or(orderer.namespace);
                of_certificate(namespace, name, *issued_before, orderer, &by_owner, now)
            }
        };
        match targets {
            Ok(targets) => certificates.extend(targets.into_iter().map(|target| (target, index))),
            Err(why) => {
                outcome.refused.insert(index, why);
            }
        }
    }
    let mut ordered: Vec<_> = certificates.into_iter().collect();
    ordered.sort_by(|(one, at), (other, and)| (at, one).cmp(&(and, other)));
    for ((authority, serial), index) in ordered {
        let Some(ledger) = authorities.iter().find(|known| known.key_id == authority).map(|known| known.ledger) else { continue };
        match certificate(&orders[index], orderer, ledger.get(&serial), now) {
            Ok(None) => {}
            Ok(Some(entry)) => outcome.lines.push((RegisterId::Authority(authority), Entry { serial: Some(serial), ..entry })),
            Err(why) => {
                outcome.refused.entry(index).or_insert_with(|| format!("serial {serial}: {why}"));
            }
        }
    }
    block(orders, orderer, authorities, is_blocked, &mut outcome);
    outcome.done = orders.len() - outcome.refused.len();
    outcome
}

type Targets = Vec<(KeyId, SerialNumber)>;

fn keys(orders: &[Order], authorities: &[Authority<'_>]) -> HashMap<KeyId, Targets> {
    let mut keys: HashMap<KeyId, Targets> = HashMap::new();
    for order in orders {
        if let Target::Key(key) = order.what {
            keys.entry(key).or_default();
        }
    }
    if keys.is_empty() {
        return keys;
    }
    for authority in authorities {
        for (serial, known) in authority.ledger.certificates() {
            if let Some(targets) = known.key_id.and_then(|key| keys.get_mut(&key)) {
                targets.push((authority.key_id, serial.clone()));
            }
        }
    }
    keys
}

/// The certificates of Certificates.
type Owned = HashMap<(String, String), Vec<Own>>;

struct Own {
    authority: KeyId,
    serial: SerialNumber,
    issued: Timestamp,
    /// The time that an order gave by which it was revoked, and when that was.
    revoked: Option<(Timestamp, Timestamp)>,
}

fn owners(orders: &[Order], orderer: &Orderer<'_>, authorities: &[Authority<'_>]) -> Owned {
    let mut owners = Owned::new();
    for order in orders {
        if let Target::Certificate { namespace, name, .. } = &order.what {
            let namespace = namespace.clone().unwrap_or_else(|| orderer.namespace.to_owned());
            owners.entry((namespace, name.clone())).or_default();
        }
    }
    if owners.is_empty() {
        return owners;
    }
    for authority in authorities {
        for (serial, known) in authority.ledger.certificates() {
            let (Some(owner), Some(issued)) = (&known.owner, known.issued) else { continue };
            if let Some(certificates) = owners.get_mut(&(owner.namespace.clone(), owner.name.clone())) {
                let revoked = known.standing.revocation().and_then(|revocation| Some((revocation.before?, revocation.time)));
                certificates.push(Own { authority: authority.key_id, serial: serial.clone(), issued, revoked });
            }
        }
    }
    owners
}

fn serial_of(serial: &SerialNumber, order: &Order, authorities: &[Authority<'_>]) -> Result<Targets, String> {
    if let Some(authority) = authorities.iter().find(|authority| authority.ledger.get(serial).is_some()) {
        return Ok(vec![(authority.key_id, serial.clone())]);
    }
    match authorities.first() {
        None => Ok(Vec::new()),
        // What nobody knows is not on hold, or not any more.
        Some(_) if matches!(order.act, OrderAct::Release) => Ok(Vec::new()),
        // Others may have issued under an imported key, though not with serials of our form: such a one is off the books, and would be
        // revoked once more for each time that it is ordered.
        Some(authority) if authority.exclusive || serial.shard().is_some() => Err(format!(
            "this authority has issued no certificate with serial {serial}, or it ended more than 8 days ago: see its register"
        )),
        Some(authority) => Ok(vec![(authority.key_id, serial.clone())]),
    }
}

fn of_certificate(
    namespace: &str,
    name: &str,
    before: Timestamp,
    orderer: &Orderer<'_>,
    owned: &Owned,
    now: Timestamp,
) -> Result<Targets, String> {
    if !orderer.everywhere && namespace != orderer.namespace {
        return Err(format!(
            "certificateRef.namespace: this list acts on Certificates of namespace {} only; leave it out",
            orderer.namespace
        ));
    }
    if before > add(now, AHEAD) {
        return Err(format!("certificateRef.issuedBefore {before} lies ahead: give a time that has passed"));
    }
    let all = owned.get(&(namespace.to_owned(), name.to_owned())).map_or(&[][..], Vec::as_slice);
    // What an order revoked is on record for that long. After that nothing tells whether it did, and it counts as done.
    let is_kept = before.checked_add(KEPT).is_ok_and(|end| now < add(end, -AHEAD));
    if all.is_empty() && is_kept {
        return Err(format!("this authority has issued nothing to Certificate {namespace}/{name}: see its name and namespace"));
    }
    // A time that lies ahead by a little means what there was when it was first acted on, and not what has taken its place since.
    let by_this = |own: &Own| own.revoked.filter(|(asked, _)| *asked == before).map(|(_, time)| time);
    let cut = all.iter().filter_map(by_this).min().map_or(before, |acted| acted.min(before));
    let meant = all.iter().filter(|own| own.issued < cut || by_this(own).is_some());
    Ok(meant.map(|own| (own.authority, own.serial.clone())).collect())
}

/// The line that brings one certificate to where the order wants it; none where it is there.
fn certificate(order: &Order, orderer: &Orderer<'_>, known: Option<&Known>, now: Timestamp) -> Result<Option<Entry>, String> {
    let standing = known.map_or(&Standing::Good, |known| &known.standing);
    if known.is_some_and(|known| known.has_ended(now)) {
        return Ok(None);
    }
    let act = match (order.act, standing) {
        (OrderAct::Revoke(Reason::KeyCompromise), Standing::Revoked(before)) if before.reason != Reason::KeyCompromise => Act::Revoked,
        (OrderAct::Revoke(_), Standing::Revoked(_)) | (OrderAct::Hold, Standing::Held(_)) => return Ok(None),
        (OrderAct::Revoke(_), _) => Act::Revoked,
        (OrderAct::Hold | OrderAct::Release, Standing::Revoked(_)) => {
            return Err("it is revoked for good; only what is on hold can be released".to_owned());
        }
        (OrderAct::Hold, _) => Act::Held,
        (OrderAct::Release, Standing::Held(_)) => Act::Released,
        (OrderAct::Release, _) => return Ok(None),
    };
    let code = match order.act {
        OrderAct::Revoke(reason) => reason,
        OrderAct::Hold => Reason::CertificateHold,
        OrderAct::Release => Reason::Unspecified,
    };
    // What is on hold is on the list already, and does not leave it for a while.
    let from = if matches!(standing, Standing::Held(_) | Standing::Revoked(_)) { None } else { listed_from(code, orderer.grace, now) };
    Ok(Some(Entry {
        not_after: known.and_then(|known| known.not_after),
        key_id: known.and_then(|known| known.key_id),
        owner: known.and_then(|known| known.owner.as_deref().cloned()),
        reason: "ordered".to_owned(),
        actor: orderer.actor.to_owned(),
        code: (code != Reason::Unspecified).then_some(code),
        invalidity_date: order.invalidity_date,
        from,
        before: match (&order.what, order.act) {
            (Target::Certificate { issued_before, .. }, OrderAct::Revoke(_) | OrderAct::Hold) => Some(*issued_before),
            _ => None,
        },
        ..Entry::new(act)
    }))
}

/// A key that is named is not certified again: by these authorities, and by none where the list is the operator's.
fn block(
    orders: &[Order],
    orderer: &Orderer<'_>,
    authorities: &[Authority<'_>],
    is_blocked: &dyn Fn(Option<&KeyId>, &KeyId) -> bool,
    outcome: &mut Outcome,
) {
    let line =
        |key: KeyId| Entry { key_id: Some(key), reason: "ordered".to_owned(), actor: orderer.actor.to_owned(), ..Entry::new(Act::Blocked) };
    let mut said = std::collections::BTreeSet::new();
    for order in orders {
        let (Target::Key(key), OrderAct::Revoke(_)) = (&order.what, order.act) else { continue };
        if !said.insert(*key) {
            continue;
        }
        for authority in authorities {
            if !is_blocked(Some(&authority.key_id), key) {
                outcome.lines.push((RegisterId::Authority(authority.key_id), line(*key)));
            }
        }
        if orderer.everywhere && !is_blocked(None, key) {
            outcome.lines.push((RegisterId::Common, line(*key)));
        }
    }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
