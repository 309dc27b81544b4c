//! Copies of registers that are handed in: what a register has lost since its store went back in time is on record again.
//!
//! A person puts them into ConfigMaps of the operator's namespace. Whoever may write these is believed, as with the registers themselves;
//! that a copy holds together, and belongs to the register, is checked all the same, and all of it before anything is written.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{Context, Fault, lists};
use crate::{
    api::names,
    cluster::CallError,
    plan::renewal::add,
    register::{
        Ledger, Register as _, RegisterError, RegisterId, RegisterState,
        export::{self, Former},
        recover::{Known, Recovery, facts, recover},
    },
};

/// How long the parts of one copy may take to come.
const PARTS: SignedDuration = SignedDuration::from_mins(10);
/// How often it is tried again where something else was recorded meanwhile.
const TRIES: usize = 5;

/// What came of a look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Something is on record that was not before.
    pub changed: bool,
    /// When to look again.
    pub again: Option<Timestamp>,
}

/// A look that could not take in all of it.
#[derive(Debug)]
pub struct Interrupted {
    /// The first thing that was in the way.
    pub fault: Fault,
    /// Something else is on record all the same that was not before.
    pub changed: bool,
}

impl From<CallError> for Interrupted {
    fn from(error: CallError) -> Self {
        Self { fault: error.into(), changed: false }
    }
}

/// Takes in all copies that were handed in.
///
/// # Errors
/// When the API server does not answer, another leads, or another wrote. All others were looked at then.
pub async fn take(context: &Context) -> Result<Taken, Interrupted> {
    let mut taken = Taken::default();
    if context.world.register_imports.is_empty() {
        return Ok(taken);
    }
    let namespace = &context.world.namespace;
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), namespace);
    let found = api.list(&ListParams::default().labels(names::REGISTER_IMPORT)).await;
    let found = found.map_err(CallError::of("list", "ConfigMap", Some(namespace), ""))?;
    let mut requests: BTreeMap<String, Vec<ConfigMap>> = BTreeMap::new();
    for map in found.items {
        let of = map.annotations().get(names::IMPORT_REQUEST).cloned().unwrap_or_else(|| map.name_any());
        requests.entry(of).or_default().push(map);
    }
    // What keeps one request from being taken in keeps none of the others.
    let mut fault = None;
    for maps in requests.into_values() {
        let concluded = match request(context, &maps).await {
            Ok(Outcome::Done { changed }) => {
                taken.changed |= changed;
                take_away(context, &maps).await
            }
            Ok(Outcome::Waits(until)) => {
                taken.again = taken.again.into_iter().chain([until]).min();
                Ok(())
            }
            Ok(Outcome::Refused(why)) => refuse(context, maps, &why).await,
            Err(fault) => Err(fault),
        };
        fault = fault.or_else(|| concluded.err());
    }
    match fault {
        Some(fault) => Err(Interrupted { fault, changed: taken.changed }),
        None => Ok(taken),
    }
}

/// Takes away what is on record.
async fn take_away(context: &Context, maps: &[ConfigMap]) -> Result<(), Fault> {
    let mut fault = None;
    for map in maps {
        fault = fault.or(context.writer.delete_config_map(map).await.err());
    }
    fault.map_or(Ok(()), |error| Err(Fault::from(error)))
}

enum Outcome {
    Done { changed: bool },
    Waits(Timestamp),
    Refused(String),
}

async fn request(context: &Context, maps: &[ConfigMap]) -> Result<Outcome, Fault> {
    let annotation = |key: &str| maps.iter().find_map(|map| map.annotations().get(key));
    let begun_anew = annotation(names::IMPORT_BEGUN_ANEW).is_some_and(|value| value == names::MANAGED_VALUE);
    let parts = annotation(names::IMPORT_PARTS).and_then(|parts| parts.parse::<usize>().ok()).unwrap_or(1);
    let copies = match copies(maps) {
        Ok(copies) => copies,
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    if maps.len() < parts {
        let done =
            || copies.values().flatten().all(|part| matches!(come_to(context, part.0, &part.1, begun_anew), Ok(come) if come.is_nothing()));
        return Ok(of_incomplete(maps, parts, &done, context.world.now()));
    }
    let mut whole = Vec::new();
    for (id, parts) in copies {
        match joined(parts.into_iter().map(|(_, part)| part)) {
            Ok(copy) => whole.push((id, copy)),
            Err(why) => return Ok(Outcome::Refused(format!("register {id}: {why}"))),
        }
    }
    // All of it is looked at before anything is written.
    for (id, copy) in &whole {
        if let Err(why) = come_to(context, *id, copy, begun_anew) {
            return Ok(Outcome::Refused(format!("register {id}: {why}")));
        }
    }
    let mut changed = false;
    for (id, copy) in &whole {
        match bring(context, *id, copy, begun_anew).await? {
            Ok(brought) => changed |= brought,
            Err(why) => return Ok(Outcome::Refused(format!("register {id}: {why}"))),
        }
    }
    Ok(Outcome::Done { changed })
}

/// What becomes of a request of which parts are missing. However little those that are there would bring: the others may be on
/// their way, and need them.
fn of_incomplete(maps: &[ConfigMap], parts: usize, done: &dyn Fn() -> bool, now: Timestamp) -> Outcome {
    let newest = maps.iter().filter_map(ConfigMap::creation_timestamp).map(|time| time.0).max();
    let until = add(newest.unwrap_or(Timestamp::MAX), PARTS);
    if until > now {
        Outcome::Waits(until)
    } else if done() {
        // All but some are gone after it was done, and whoever did it died.
        Outcome::Done { changed: false }
    } else {
        Outcome::Refused(format!("only {} of {parts} parts came: hand it in again", maps.len()))
    }
}

type Parts = BTreeMap<RegisterId, Vec<(RegisterId, Former)>>;

/// The registers in the ConfigMaps, each of which holds together by itself.
fn copies(maps: &[ConfigMap]) -> Result<Parts, String> {
    let mut copies = Parts::new();
    for map in maps {
        let name = map.name_any();
        let text = map.data.as_ref().and_then(|data| data.get(names::REGISTER_EXPORT));
        let text = text.ok_or_else(|| format!("ConfigMap {name} has no key {} with an export in it", names::REGISTER_EXPORT))?;
        let export = export::read(text).map_err(|error| format!("in ConfigMap {name}, {error}"))?;
        for (id, exported) in &export.registers {
            let id = id.ok_or_else(|| format!("the lines in ConfigMap {name} do not say of which register they are: hand in an export"))?;
            let part = exported.chain().map_err(|why| format!("register {id} in ConfigMap {name}, {why}"))?;
            copies.entry(id).or_default().push((id, part));
        }
    }
    Ok(copies)
}

/// Parts that follow each other, as one.
fn joined(parts: impl Iterator<Item = Former>) -> Result<Former, String> {
    let mut parts: Vec<Former> = parts.collect();
    parts.sort_by_key(|part| part.after.sequence);
    let mut parts = parts.into_iter();
    let mut whole = parts.next().ok_or_else(|| "it has no part".to_owned())?;
    for part in parts {
        if part.after != whole.end() {
            return Err(format!(
                "a part goes on after line {}, and the one before it ends with line {}",
                part.after.sequence,
                whole.end().sequence
            ));
        }
        whole.lines.extend(part.lines);
    }
    Ok(whole)
}

impl Recovery {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

fn come_to(context: &Context, id: RegisterId, copy: &Former, begun_anew: bool) -> Result<Recovery, String> {
    if let RegisterState::Broken { why } = context.world.registers.state(&id) {
        return Err(RegisterError::Broken { register: id, why }.to_string());
    }
    let index = context.world.registers.index();
    let recovery = recover(copy, &index.position(&id), &|position| index.stands(&id, position), begun_anew, context.world.now());
    let recovery = recovery.map_err(|error| error.to_string())?;
    Ok(match recovery {
        // Those that are known by now are no news.
        Recovery::Anew(lost) if entries(context, id, &lost).is_empty() => Recovery::Nothing,
        recovery => recovery,
    })
}

fn entries(context: &Context, id: RegisterId, lost: &[crate::register::Written]) -> Vec<crate::register::Entry> {
    let world = &context.world;
    let index = world.registers.index();
    let authority = match id {
        RegisterId::Common => None,
        RegisterId::Authority(authority) => Some(authority),
    };
    let known = Known {
        ledger: index.ledger(&id, Ledger::clone),
        key: &|key| index.key(key),
        blocked: &|key| index.is_blocked(authority.as_ref(), key),
        copy: &|key| world.copy(key).is_some(),
    };
    facts(lost, known, world.now())
}

/// Brings a register what the copy has and it has lost. Whether that was anything.
async fn bring(context: &Context, id: RegisterId, copy: &Former, begun_anew: bool) -> Result<Result<bool, String>, Fault> {
    let registers = &context.world.registers;
    for _ in 0..TRIES {
        let brought = match come_to(context, id, copy, begun_anew) {
            Err(why) => return Ok(Err(why)),
            Ok(Recovery::Nothing) => {
                // Also where the one who did it died before this.
                lists::healed(context, &id, copy);
                return Ok(Ok(false));
            }
            Ok(Recovery::Again(former)) => {
                let (first, last) = (former.after.sequence + 1, former.end().sequence);
                let done = registers.restore(id, former.after, former.lines).await;
                done.map(|()| tracing::warn!(register = %id, first, last, "lines that a register had lost stand again"))
            }
            Ok(Recovery::Anew(lost)) => {
                let entries = entries(context, id, &lost);
                let (lines, lost) = (entries.len(), lost.len());
                let appended = join_all(entries.into_iter().map(|entry| registers.append(id, entry))).await;
                let done = appended.into_iter().try_for_each(|line| line.map(drop));
                done.map(|()| tracing::warn!(register = %id, lost, lines, "what a register had lost is recorded once more"))
            }
        };
        match brought {
            Ok(()) => {
                lists::healed(context, &id, copy);
                return Ok(Ok(true));
            }
            // Something was recorded meanwhile: then it has gone on otherwise.
            Err(RegisterError::NotNext { .. }) => {}
            Err(error) if error.waiting_helps() => return Err(Fault::from(error)),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Err(Fault::Stale)
}

async fn refuse(context: &Context, maps: Vec<ConfigMap>, why: &str) -> Result<(), Fault> {
    let mut fault = None;
    for mut map in maps {
        let annotations = map.metadata.annotations.get_or_insert_default();
        // What was refused once stays as it is, whatever there is to say by now: each write would be looked at again.
        if annotations.contains_key(names::IMPORT_REFUSED) {
            continue;
        }
        annotations.insert(names::IMPORT_REFUSED.to_owned(), why.to_owned());
        map.metadata.managed_fields = None;
        tracing::warn!(config_map = map.metadata.name, why, "a copy of a register that was handed in is not taken");
        fault = fault.or(context.writer.config_map(&map).await.err());
    }
    fault.map_or(Ok(()), |error| Err(Fault::from(error)))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn the_first_of_two_parts_waits_for_the_second_also_where_all_its_lines_stand() {
        let created = Timestamp::from_second(1_795_000_000).unwrap();
        let mut first = ConfigMap::default();
        first.metadata.creation_timestamp = Some(Time(created));
        let (maps, late) = ([first], created + PARTS);
        let soon = of_incomplete(&maps, 2, &|| true, created + SignedDuration::from_secs(1));
        assert!(matches!(soon, Outcome::Waits(until) if until == late));
        assert!(matches!(of_incomplete(&maps, 2, &|| false, created), Outcome::Waits(_)));
        // Its time is up: what stands is done, what does not is refused.
        assert!(matches!(of_incomplete(&maps, 2, &|| true, late), Outcome::Done { changed: false }));
        assert!(matches!(of_incomplete(&maps, 2, &|| false, late), Outcome::Refused(why) if why.contains("1 of 2")));
    }
}
