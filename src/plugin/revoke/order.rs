//! Orders to a RevocationList: to revoke, hold or release certificates by serial number or key, as the owner of the CA.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use chancery_pki::{KeyId, Reason, SerialNumber};
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};

use super::Terms;
use crate::{
    api::{OrderAct, RevocationList, Target, check_list, condition, condition::find},
    plugin::{
        change::{DryRun, change},
        gitops,
        list::seen,
        output::{Report, Tone, plain},
        read::object_name,
        wait::answer,
    },
};

/// What is ordered.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Of these certificates.
    pub serials: Vec<SerialNumber>,
    /// Of all certificates with these keys, which are blocked too.
    pub keys: Vec<KeyId>,
    /// To do this.
    pub act: Act,
    /// Since when they were not to be trusted.
    pub invalidity_date: Option<Timestamp>,
}

/// What is done to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is revoked, perhaps for a reason.
    Revoke(Option<Reason>),
    /// It is put on hold.
    Hold,
    /// It is released from hold.
    Release,
}

impl Act {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Revoke(_) => "revoke",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }

    fn as_order(self) -> OrderAct {
        match self {
            Self::Revoke(reason) => OrderAct::Revoke(reason.unwrap_or_default()),
            Self::Hold => OrderAct::Hold,
            Self::Release => OrderAct::Release,
        }
    }
}

/// What became of orders.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordered {
    /// The RevocationList's namespace.
    pub namespace: String,
    /// The RevocationList's name.
    pub name: String,
    /// The orders, as they stand in its spec.
    pub orders: Vec<Value>,
    /// Whether they stand there, or were only tried out.
    pub requested: bool,
    /// Whether they are carried out and published; none where it was not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// What is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(skip)]
    object: String,
    #[serde(skip)]
    dry_run: DryRun,
}

impl Orders {
    /// The orders as the spec has them.
    fn specs(&self) -> Vec<Value> {
        let serials = self.serials.iter().map(|serial| ("serialNumber", serial.to_string()));
        let keys = self.keys.iter().map(|key| ("keyID", key.to_string()));
        let spec = |(field, value): (&str, String)| {
            let mut order = json!({field: value});
            match self.act {
                Act::Revoke(Some(reason)) => order["reason"] = json!(reason),
                Act::Revoke(None) => {}
                Act::Hold => order["hold"] = json!(true),
                Act::Release => order["release"] = json!(true),
            }
            if let Some(date) = self.invalidity_date {
                order["invalidityDate"] = json!(date.to_string());
            }
            order
        };
        serials.chain(keys).map(spec).collect()
    }

    /// The patch that adds them to a list; what is ordered there already is refused.
    fn patch(&self, list: &RevocationList) -> anyhow::Result<Value> {
        let name = list.name_any();
        let before = check_list(list).with_context(|| format!("RevocationList {name} is not as it should be"))?;
        let mut wanted: Vec<Target> = self.serials.iter().cloned().map(Target::Serial).collect();
        wanted.extend(self.keys.iter().copied().map(Target::Key));
        for (place, target) in wanted.iter().enumerate() {
            let shown = match target {
                Target::Serial(serial) => format!("serial {serial}"),
                Target::Key(key) => format!("key {key}"),
                Target::Certificate { name, .. } => format!("Certificate {name}"),
            };
            ensure!(!wanted[..place].contains(target), "{shown} is given twice");
            // Of several orders for one certificate the last counts.
            let last = before.orders.iter().rev().find(|order| order.what == *target);
            ensure!(last.is_none_or(|last| last.act != self.act.as_order()), "RevocationList {name} orders this of {shown} already");
        }
        let mut changed = serde_json::to_value(list)?;
        let mut orders = changed["spec"]["revocations"].as_array().cloned().unwrap_or_default();
        orders.extend(self.specs());
        changed["spec"]["revocations"] = Value::Array(orders.clone());
        let changed: RevocationList = serde_json::from_value(changed)?;
        check_list(&changed).context("these orders are refused")?;
        Ok(json!({"spec": {"revocations": orders}}))
    }
}

/// Writes what will be ordered.
///
/// # Errors
/// Where `out` cannot be written.
pub fn show(list: &RevocationList, orders: &Orders, out: &mut dyn Write) -> io::Result<()> {
    let place = format!("{}/{}", list.namespace().unwrap_or_default(), list.name_any());
    writeln!(out, "RevocationList {}: orders to {}", plain(&place), orders.act.word())?;
    for serial in &orders.serials {
        writeln!(out, "  serial {serial}")?;
    }
    for key in &orders.keys {
        writeln!(out, "  all certificates with the key {key}; it is blocked too, and not certified again")?;
    }
    if let Act::Revoke(_) = orders.act {
        writeln!(out, "  what is revoked stays revoked, also where the order is taken away")?;
    }
    match gitops::hint(&list.metadata, "this RevocationList") {
        Some(hint) => writeln!(out, "  {}", Tone::Warning.paint(&hint)),
        None => Ok(()),
    }
}

/// Adds orders to a list, and waits where that is wanted.
///
/// # Errors
/// When they are refused, stand there already, or the API server cannot be asked.
pub async fn order(client: &Client, list: &RevocationList, orders: &Orders, terms: Terms) -> anyhow::Result<Ordered> {
    let namespace = list.namespace().unwrap_or_default();
    let api: Api<RevocationList> = Api::namespaced(client.clone(), &namespace);
    let changed = change(&api, list, terms.dry_run, |now| orders.patch(now)).await?;
    let mut done = Ordered {
        namespace,
        name: list.name_any(),
        orders: orders.specs(),
        requested: terms.dry_run == DryRun::None,
        published: None,
        problem: None,
        object: object_name(list),
        dry_run: terms.dry_run,
    };
    if let Some(limit) = terms.wait.filter(|_| done.requested) {
        let outcome = carried_out(&api, &changed, done.orders.len(), limit).await;
        done.published = Some(outcome.is_ok());
        done.problem = outcome.err();
    }
    Ok(done)
}

/// Waits until the last orders of a list are carried out and published, or refused.
async fn carried_out(api: &Api<RevocationList>, changed: &RevocationList, orders: usize, limit: Duration) -> Result<(), String> {
    let (end, generation) = (changed.spec.revocations.len(), changed.metadata.generation);
    let pick = |state: &RevocationList| {
        let status = state.status.as_ref().filter(|status| seen(generation.max(state.metadata.generation), status.observed_generation))?;
        let ours = |index: i32| usize::try_from(index).is_ok_and(|index| (end - orders..end).contains(&index));
        if let Some(refused) = status.refused_orders.iter().find(|refused| ours(refused.index)) {
            return Some(Err(format!("refused: {}", refused.message)));
        }
        condition::is_true(&status.conditions, condition::READY).then_some(Ok(()))
    };
    let why = |state: &RevocationList| {
        let found = state.status.as_ref().and_then(|status| find(&status.conditions, condition::READY));
        found.map_or_else(|| "the operator has not looked at it".to_owned(), |found| format!("{}: {}", found.reason, found.message))
    };
    answer(api, &changed.name_any(), limit, pick, why).await?
}

impl Report for Ordered {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let name = plain(&self.object);
        let number = format!("{} order{}", self.orders.len(), if self.orders.len() == 1 { "" } else { "s" });
        match (&self.problem, self.published) {
            (Some(problem), _) => writeln!(out, "{name} {number} added, {}", Tone::Bad.paint(problem)),
            (None, Some(_)) => writeln!(out, "{name} {number} carried out and published"),
            (None, None) => writeln!(out, "{name} {number} added{}", self.dry_run.note()),
        }
    }

    fn names(&self) -> Vec<String> {
        vec![self.object.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "it reads best where it is called")]
    fn list(orders: Value) -> RevocationList {
        serde_json::from_value(json!({
            "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": "ca", "namespace": "team"},
            "spec": {"issuerRef": {"name": "ca"}, "revocations": orders},
        }))
        .unwrap()
    }

    fn orders(serials: &[&str], act: Act) -> Orders {
        let serials = serials.iter().map(|serial| serial.parse().unwrap()).collect();
        Orders { serials, keys: Vec::new(), act, invalidity_date: None }
    }

    #[test]
    fn an_order_is_added_after_those_that_stand_there() {
        let before = list(json!([{"serialNumber": "01:02", "reason": "keyCompromise"}]));
        let patch = orders(&["0304"], Act::Revoke(Some(Reason::Superseded))).patch(&before).unwrap();
        let expected = json!([{"serialNumber": "01:02", "reason": "keyCompromise"}, {"serialNumber": "0304", "reason": "superseded"}]);
        assert_eq!(patch, json!({"spec": {"revocations": expected}}));
    }

    #[test]
    fn what_is_ordered_already_is_refused_however_it_is_written() {
        let held = list(json!([{"serialNumber": "01:0A", "hold": true}, {"serialNumber": "05"}]));
        let refused = |orders: Orders| orders.patch(&held).unwrap_err().to_string();
        assert_eq!(refused(orders(&["010a"], Act::Hold)), "RevocationList ca orders this of serial 010a already");
        assert!(refused(orders(&["05"], Act::Revoke(None))).contains("already"));
        assert_eq!(refused(orders(&["06", "06"], Act::Hold)), "serial 06 is given twice");
        assert!(orders(&["010a"], Act::Release).patch(&held).is_ok());
        assert!(orders(&["05"], Act::Revoke(Some(Reason::KeyCompromise))).patch(&held).is_ok());
        let twice = list(json!([{"serialNumber": "05", "hold": true}, {"serialNumber": "05", "release": true}]));
        assert!(orders(&["05"], Act::Hold).patch(&twice).is_ok(), "the last one counts");
    }

    #[test]
    fn a_reason_that_an_owner_cannot_give_is_refused_before_anything_is_sent() {
        let error = orders(&["05"], Act::Revoke(Some(Reason::RemoveFromCrl))).patch(&list(json!([]))).unwrap_err();
        assert!(format!("{error:#}").contains("spec.revocations[0].reason"), "{error:#}");
    }
}
