//! What a leader has in hand, as metrics tell of it: its issuers, its registers and their checkpoint.
//!
//! Looked at in each scrape; only reads what is in memory.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    api::condition,
    apply::Context,
    observe::{IssuerObject, World},
    plan::observed::Backing,
    register::{RegisterId, RegisterState as Stands},
    telemetry::{Holdings, IssuerState, RegisterState},
};

/// What is in hand now; nothing where another leads. A checkpoint is due when something has waited for one for `interval`.
pub(super) fn look(context: &Context, interval: Duration) -> Holdings {
    let world = &context.world;
    let states = world.registers.states();
    if !world.registers.is_open() {
        return Holdings::default();
    }
    let waits = context.checkpoints.waiting_since().and_then(|since| Duration::try_from(world.now().duration_since(since)).ok());
    Holdings {
        issuers: world.issuers.all().iter().filter_map(|issuer| issuer_state(world, issuer)).collect(),
        registers: registers(world, states),
        checkpoint_overdue: (!interval.is_zero()).then(|| waits.unwrap_or_default().saturating_sub(interval)),
    }
}

fn issuer_state(world: &World, issuer: &IssuerObject) -> Option<IssuerState> {
    // One that was not looked at yet has nothing to tell.
    let entry = world.book.get(&issuer.key)?;
    let authority = match &entry.view.backing {
        Ok(Backing::Authority(authority)) => Some((authority.key_id.to_string(), authority.chain.not_after())),
        Ok(Backing::SelfSigned) | Err(_) => None,
    };
    Some(IssuerState {
        kind: issuer.key.kind.as_str(),
        namespace: issuer.key.namespace.clone().unwrap_or_default(),
        name: issuer.key.name.clone(),
        obstacle: entry.view.backing.as_ref().err().map(|obstacle| obstacle.reason),
        ending: issuer.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, condition::AUTHORITY_ENDING)),
        certificates: world.links().number_of_issuer(&issuer.key),
        authority,
    })
}

fn registers(world: &World, states: BTreeMap<RegisterId, Stands>) -> Vec<RegisterState> {
    let index = world.registers.index();
    let state = |(id, state): (RegisterId, Stands)| RegisterState {
        authority: id.to_string(),
        sound: state == Stands::Sound,
        certificates: index.ledger(&id, crate::register::Ledger::len),
        sequence: index.position(&id).sequence,
    };
    states.into_iter().map(state).collect()
}
