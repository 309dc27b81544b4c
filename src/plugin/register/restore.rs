//! Handing a copy of registers over to the operator, which is the one who writes them.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use kube_runtime::wait::await_condition;

use super::{Registers, absent, meant};
use crate::{
    api::names,
    register::{
        Position, RegisterId, Stands, Written,
        examine::Examined,
        export::{self, Export, Former},
        recover::{Recovery, recover},
    },
};

/// The most octets of a part: with its labels it has to fit into a ConfigMap, which holds 1 MiB.
const PART_BYTES: usize = 900 * 1024;

/// What would be done with one register.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Which.
    pub id: RegisterId,
    /// What the copy has.
    pub copy: Former,
    /// What it brings.
    pub recovery: Recovery,
}

impl Planned {
    /// In a sentence.
    pub fn sentence(&self) -> String {
        let id = &self.id;
        match &self.recovery {
            Recovery::Nothing => format!("{id}: nothing is missing"),
            Recovery::Again(former) if former.after.sequence == 0 || former == &self.copy => {
                format!("{id}: {} come back as they were", lines(&former.lines))
            }
            Recovery::Again(former) => {
                format!("{id}: {} come back as they were, after line {}", lines(&former.lines), former.after.sequence)
            }
            Recovery::Anew(lost) => format!(
                "{id}: it has gone on otherwise; what {} say and it does not know is recorded once more, as new lines with the time of then",
                lines(lost)
            ),
        }
    }
}

fn lines(lines: &[Written]) -> String {
    match (lines.first(), lines.last()) {
        (Some(first), Some(last)) => format!("lines {} to {}", first.line.sequence, last.line.sequence),
        _ => "no lines".to_owned(),
    }
}

/// What a copy would bring to registers as they stand. `named` chooses among its registers; for lines that do not say whose they are
/// it says so.
///
/// # Errors
/// When the copy does not hold together or is another's, or a register is damaged.
pub fn plan(export: &Export, named: &[String], registers: &Registers, begun_anew: bool, now: Timestamp) -> anyhow::Result<Vec<Planned>> {
    let known = || registers.registers.keys().chain(export.registers.keys().flatten()).copied().collect::<std::collections::BTreeSet<_>>();
    let id = |name: &String| match meant(name, known().into_iter())? {
        Some(id) => Ok(id),
        // Of lines that do not say whose they are it may be the register that is gone.
        None => name.parse().map_err(|_| absent(name)),
    };
    let wanted: Vec<RegisterId> = named.iter().map(id).collect::<anyhow::Result<_>>()?;
    let mut planned = Vec::new();
    for (id, exported) in &export.registers {
        let id = match (id, wanted.as_slice()) {
            (Some(id), _) => *id,
            (None, [one]) => *one,
            (None, _) => bail!("the file does not say of which register its lines are: name it"),
        };
        if !wanted.is_empty() && !wanted.contains(&id) {
            continue;
        }
        let copy = exported.chain().map_err(|why| anyhow!("register {id} in the file: {why}"))?;
        let standing = registers.registers.get(&id);
        if let Some(fault) = standing.and_then(|standing| standing.faults.first()) {
            bail!("register {id}: {fault}. Put its ConfigMaps back from a backup first, all of them from one moment");
        }
        let recovery = come_to(standing, &copy, begun_anew, now).with_context(|| format!("register {id}"))?;
        planned.push(Planned { id, copy, recovery });
    }
    if let Some(missing) = wanted.iter().find(|id| planned.iter().all(|one| one.id != **id)) {
        bail!("the file has no lines of register {missing}");
    }
    if planned.iter().all(|one| one.copy.lines.is_empty()) {
        bail!("the file has no lines of a register that is meant");
    }
    Ok(planned)
}

fn come_to(standing: Option<&Examined>, copy: &Former, begun_anew: bool, now: Timestamp) -> anyhow::Result<Recovery> {
    let stands = |position: &Position| {
        let Some(standing) = standing else { return Stands::No };
        match standing.line(position.sequence) {
            Some(line) if line.end() == *position => Stands::Yes,
            None if position.sequence < standing.kept_from => Stands::Unknown,
            _ => Stands::No,
        }
    };
    let end = standing.map_or_else(Position::start, Examined::end);
    Ok(recover(copy, &end, &stands, begun_anew, now)?)
}

/// A copy that was handed over, and that the operator has yet to take in.
#[derive(Clone, Debug)]
pub struct HandedOver {
    maps: Api<ConfigMap>,
    /// The ConfigMaps with its parts.
    names: Vec<String>,
}

/// Hands a copy over. Whoever has several hands all of them over before waiting for one: the operator may not run yet, and
/// must find all of them when it starts.
///
/// # Errors
/// When the cluster cannot be written to.
pub async fn hand_over(client: &Client, namespace: &str, planned: &Planned, begun_anew: bool) -> anyhow::Result<HandedOver> {
    let mut number = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut number).map_err(|_| anyhow!("the system gives no random bits"))?;
    let number = chancery_pki::Hexadecimal(&number);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let parts = parts(&planned.id, &planned.copy)?;
    let request = format!("{:.16}-{}", planned.id.to_string(), number);
    let mut created = Vec::new();
    for part in &parts {
        let map = handed_over(part.clone(), &request, parts.len(), begun_anew);
        created.push(
            maps.create(&PostParams::default(), &map).await.with_context(|| format!("a ConfigMap in namespace {namespace}"))?.name_any(),
        );
    }
    Ok(HandedOver { maps, names: created })
}

impl HandedOver {
    /// Waits until it is on record.
    ///
    /// # Errors
    /// When the operator refuses it, or takes too long, or that cannot be seen.
    pub async fn taken(&self, limit: Duration) -> anyhow::Result<()> {
        let Self { maps, names } = self;
        let refusal = |map: &ConfigMap| map.annotations().get(names::IMPORT_REFUSED).cloned();
        let all_gone = async {
            let mut why = None;
            for name in names {
                let done = await_condition(maps.clone(), name, |map: Option<&ConfigMap>| map.is_none_or(|map| refusal(map).is_some()));
                why = done
                    .await
                    .with_context(|| format!("ConfigMap {name} is handed over and cannot be watched"))?
                    .as_ref()
                    .and_then(refusal)
                    .or(why);
            }
            anyhow::Ok(why)
        };
        match tokio::time::timeout(limit, all_gone).await {
            Err(_) => bail!(
                "ConfigMaps {} still wait after {} s, and are taken in when the operator runs; delete them if that is not wanted any more",
                names.join(", "),
                limit.as_secs()
            ),
            Ok(Err(error)) => Err(error),
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(why))) => {
                for name in names {
                    // Somebody else may tidy up too.
                    let _ = maps.delete(name, &DeleteParams::default()).await;
                }
                bail!("the operator refuses it: {why}")
            }
        }
    }
}

/// Exports of parts that fit into a ConfigMap each.
fn parts(id: &RegisterId, copy: &Former) -> anyhow::Result<Vec<String>> {
    let mut parts = Vec::new();
    let mut after = copy.after.clone();
    let mut left = copy.lines.as_slice();
    loop {
        let mut bytes = 0;
        let fits = left.iter().take_while(|line| {
            bytes += line.text.len() + 1;
            bytes <= PART_BYTES
        });
        let (now, later) = left.split_at(fits.count().max(1).min(left.len()));
        let part = Former { after, lines: now.to_vec() };
        after = part.end();
        let mut text = Vec::new();
        export::register(id, &part, &mut text)?;
        parts.push(String::from_utf8(text)?);
        left = later;
        if left.is_empty() {
            return Ok(parts);
        }
    }
}

fn handed_over(part: String, request: &str, parts: usize, begun_anew: bool) -> ConfigMap {
    let mut annotations =
        BTreeMap::from([(names::IMPORT_REQUEST.to_owned(), request.to_owned()), (names::IMPORT_PARTS.to_owned(), parts.to_string())]);
    if begun_anew {
        annotations.insert(names::IMPORT_BEGUN_ANEW.to_owned(), names::MANAGED_VALUE.to_owned());
    }
    ConfigMap {
        metadata: ObjectMeta {
            generate_name: Some("chancery-restore-".to_owned()),
            labels: Some(BTreeMap::from([(names::REGISTER_IMPORT.to_owned(), names::MANAGED_VALUE.to_owned())])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(names::REGISTER_EXPORT.to_owned(), part)])),
        ..ConfigMap::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{Act, Entry, Line, Owner};

    fn copy(count: u64) -> Former {
        let mut end = Position::start();
        let lines = (1..=count).map(|sequence| {
            let owner = Owner { namespace: "n".repeat(60), name: "m".repeat(250), uid: "u".into() };
            let entry = Entry { owner: Some(owner), reason: "x".repeat(150), ..Entry::new(Act::Refused) };
            let line = Line { sequence, time: Timestamp::UNIX_EPOCH, previous: end.hash.clone(), entry };
            let written = Written { text: line.to_text(), line };
            end = written.end();
            written
        });
        Former { after: Position::start(), lines: lines.collect() }
    }

    #[test]
    fn a_large_copy_is_handed_over_in_parts_that_fit_and_follow_each_other() {
        let copy = copy(2500);
        let parts = parts(&RegisterId::Common, &copy).unwrap();
        assert!(parts.len() > 1 && parts.iter().all(|part| part.len() < 1_000_000), "{}", parts.len());
        let read = export::read(&parts.concat()).unwrap();
        assert_eq!(read.registers[&Some(RegisterId::Common)].chain().unwrap(), copy);
    }

    #[test]
    fn a_copy_of_an_unnamed_register_must_be_named_and_a_damaged_one_is_not_touched() {
        let copy = copy(3);
        let text: String = copy.lines.iter().flat_map(|line| [&line.text, "\n"]).collect();
        let export = export::read(&text).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        assert!(plan(&export, &[], &Registers::default(), false, now).is_err());
        let planned = plan(&export, &["common".to_owned()], &Registers::default(), false, now).unwrap();
        assert_eq!(planned[0].sentence(), "common: lines 1 to 3 come back as they were");
    }

    #[test]
    fn a_register_that_is_named_and_of_which_the_file_has_nothing_is_said_by_name() {
        let exported = export::Exported { texts: copy(1).lines.into_iter().map(|line| line.text).collect(), ..Default::default() };
        let export = Export { registers: [(Some(RegisterId::Common), exported)].into(), ..Export::default() };
        let absent = "0123456789abcdef".repeat(4);
        let planned = plan(&export, &["common".to_owned(), absent.clone()], &Registers::default(), false, Timestamp::UNIX_EPOCH);
        assert!(planned.unwrap_err().to_string().contains(&absent));
        assert!(plan(&Export::default(), &[], &Registers::default(), false, Timestamp::UNIX_EPOCH).is_err());
    }
}
