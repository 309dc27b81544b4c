//! Asking that certificates be revoked: by their Certificate, as its owner; or by an order to a RevocationList ([`order`]), as the
//! owner of the CA.
//!
//! What will be revoked is shown before it is asked for. Nothing here revokes: it writes what anyone may write into a manifest.

pub mod order;
mod preview;

use std::{
    io::{self, Write},
    pin::pin,
    time::Duration,
};

use anyhow::ensure;
use chancery_pki::Reason;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde_json::json;

use super::{
    change::{AT_ONCE, DryRun, change},
    list::seen,
    output::{Report, Tone, plain},
    status::facts::Lists,
    wait::answers,
};
use crate::api::{
    Certificate,
    condition::{self, find},
    reason::certificate as reason,
};

pub use preview::{Victim, show};

/// What is wanted of Certificates.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// What was issued before this is revoked; none: all that was issued up to now.
    pub issued_before: Option<Timestamp>,
    /// Why.
    pub reason: Option<Reason>,
    /// Since when the key was not to be trusted.
    pub invalidity_date: Option<Timestamp>,
}

/// What became of one Certificate's revocation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// What was shown before.
    #[serde(flatten)]
    pub victim: Victim,
    /// Whether it is asked for, or was only tried out.
    pub requested: bool,
    /// Whether all stands on published lists; none where it was not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// What is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it could be asked for, and what came of it is not what was wanted.
    #[serde(skip)]
    pub ill: bool,
}

/// What became of all.
#[derive(Debug, Serialize)]
pub struct Revocations {
    /// One for each Certificate.
    pub items: Vec<Revocation>,
    #[serde(skip)]
    dry_run: DryRun,
}

impl Revocations {
    /// Whether one could not be asked for, or was not published in time.
    pub fn failed(&self) -> bool {
        self.items.iter().any(|item| item.problem.is_some() && !item.ill)
    }

    /// Whether one was asked for and cannot be published.
    pub fn ill(&self) -> bool {
        self.items.iter().any(|item| item.ill)
    }
}

/// What the wish means for these Certificates. `operator`: the operator's namespace, where lists may be.
pub async fn victims(client: &Client, operator: &str, certificates: &[Certificate], wish: Wish, now: Timestamp) -> Vec<Victim> {
    let mut victims = Vec::new();
    let mut lists = Lists::default();
    for certificate in certificates {
        let status = certificate.status.clone().unwrap_or_default();
        let authority = status.authority.filter(|authority| status.key_id.as_ref() != Some(authority));
        let namespace = certificate.namespace().unwrap_or_default();
        let mut unread = Vec::new();
        let list = match &authority {
            Some(authority) => lists.covering(client, operator, &namespace, authority, &mut unread).await,
            None => None,
        };
        let list = list.map(|list| format!("{}/{}", list.namespace().unwrap_or_default(), list.name_any()));
        victims.push(Victim::new(certificate, list, authority.is_some(), &unread, wish, now));
    }
    victims
}

/// The time before which everything was issued that this Certificate has had so far. Clocks differ: what its status shows counts too.
fn up_to_now(certificate: &Certificate, now: Timestamp) -> Timestamp {
    let latest = certificate.status.iter().flat_map(|status| &status.issued).map(|issued| issued.issued_at.0).max();
    let least = latest.map_or(now, |latest| latest.max(now));
    // The API keeps whole seconds: the next one is after all of them.
    let second = SignedDuration::from_secs(1);
    let next = Timestamp::from_second(least.as_second()).unwrap_or(least).checked_add(second).unwrap_or(least);
    // One time acts once.
    let asked = certificate.spec.revocation.as_ref().is_some_and(|asked| asked.issued_before.0 == next);
    if asked { next.checked_add(second).unwrap_or(next) } else { next }
}

/// How long is waited, and whether the change is only tried out.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Whether it is only tried out.
    pub dry_run: DryRun,
    /// How long the published lists are waited for; none: not at all.
    pub wait: Option<Duration>,
}

/// Asks for all of them, and waits where that is wanted. `told` hears how many were asked for.
pub async fn revoke(
    client: &Client,
    certificates: &[Certificate],
    victims: Vec<Victim>,
    wish: Wish,
    terms: Terms,
    told: impl Fn(usize),
) -> Revocations {
    let changes = certificates.iter().zip(victims).map(|(certificate, victim)| {
        let api: Api<Certificate> = Api::namespaced(client.clone(), &victim.namespace);
        async move {
            let changed = change(&api, certificate, terms.dry_run, |now| ask(certificate, now, &victim, wish)).await;
            (victim, changed)
        }
    });
    let mut changes = pin!(stream::iter(changes).buffered(AT_ONCE));
    let mut items = Vec::new();
    let (mut places, mut asked) = (Vec::new(), Vec::new());
    while let Some((victim, changed)) = changes.next().await {
        let requested = changed.is_ok() && terms.dry_run == DryRun::None;
        let mut item = Revocation { victim, requested, published: None, problem: None, ill: false };
        match changed {
            Ok(changed) => {
                places.push(items.len());
                asked.push(changed);
            }
            Err(error) => item.problem = Some(format!("{error:#}")),
        }
        items.push(item);
        told(items.len());
    }
    if let Some(limit) = terms.wait.filter(|_| terms.dry_run == DryRun::None) {
        let pick = |place: usize, state: &Certificate| published(&asked[place], state);
        answers(client, &asked, limit, pick, in_the_way, |place, outcome| {
            let item = &mut items[places[place]];
            item.published = Some(matches!(outcome, Ok(Ok(()))));
            item.ill = matches!(outcome, Ok(Err(_)));
            item.problem = outcome.and_then(|outcome| outcome).err();
        })
        .await;
    }
    Revocations { items, dry_run: terms.dry_run }
}

/// The patch that asks, if the Certificate is still what was shown.
fn ask(shown: &Certificate, now: &Certificate, victim: &Victim, wish: Wish) -> anyhow::Result<serde_json::Value> {
    let name = now.name_any();
    ensure!(now.metadata.generation == shown.metadata.generation, "Certificate {name} was changed meanwhile: look at it, and do it again");
    let serials = |certificate: &Certificate| certificate.status.as_ref().and_then(|status| status.serial_number.clone());
    ensure!(serials(now) == serials(shown), "Certificate {name} got another certificate meanwhile: look at it, and do it again");
    let already = now.spec.revocation.as_ref().is_some_and(|asked| asked.issued_before.0 == victim.issued_before);
    ensure!(!already, "Certificate {name} asks for this already, and one time acts once: give another --issued-before");
    let reason = wish.reason.map(Reason::as_str);
    let invalidity = wish.invalidity_date.map(|date| date.to_string());
    // What is null is taken away: it was about another revocation.
    let revocation = json!({"issuedBefore": victim.issued_before.to_string(), "reason": reason, "invalidityDate": invalidity});
    Ok(json!({"spec": {"revocation": revocation}}))
}

/// Whether by this state all is published, or cannot be; none: it is not known yet.
fn published(asked: &Certificate, state: &Certificate) -> Option<Result<(), String>> {
    let generation = asked.metadata.generation;
    let status = state.status.as_ref().filter(|status| seen(generation.max(state.metadata.generation), status.observed_generation))?;
    let found = find(&status.conditions, condition::REVOKED)?;
    let why = format!("{}: {}", found.reason, found.message);
    match (found.status.as_str(), found.reason.as_str()) {
        ("True", _) => Some(Ok(())),
        (_, reason::NO_REVOCATION_LIST | reason::NOT_REVOCABLE | reason::NOTHING_TO_REVOKE) => Some(Err(why)),
        _ => None,
    }
}

fn in_the_way(state: &Certificate) -> String {
    let found = state.status.as_ref().and_then(|status| find(&status.conditions, condition::REVOKED));
    found.map_or_else(|| "the operator has not looked at it".to_owned(), |found| format!("{}: {}", found.reason, found.message))
}

impl Report for Revocations {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        for item in &self.items {
            let name = plain(&item.victim.object);
            let serials = item.victim.certificates.len();
            let number = format!("{serials} certificate{}", if serials == 1 { "" } else { "s" });
            match (&item.problem, item.published) {
                (Some(problem), _) if item.ill => writeln!(out, "{name} revocation requested, {}", Tone::Warning.paint(problem))?,
                (Some(problem), None) => writeln!(out, "{name} {}", Tone::Bad.paint(&format!("not revoked: {problem}")))?,
                (Some(problem), Some(_)) => writeln!(out, "{name} revocation requested, {}", Tone::Bad.paint(problem))?,
                (None, Some(_)) => writeln!(out, "{name} revoked: {number}, on the published list")?,
                (None, None) => writeln!(out, "{name} revocation requested: {number}{}", self.dry_run.note())?,
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(|item| item.victim.object.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
