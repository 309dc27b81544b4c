//! Registers as one sees them who reads and never writes: a responder.
//!
//! The first look replays everything. Later looks take in what is new, having checked that it follows what was known. A
//! register that turns out to be damaged, or to have gone back, is named; what was known of it stays known, since what was
//! once on record cannot be taken off it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    index::{Index, Stands, State},
    layout::{self, Part, RegisterId, part_of},
    line::{self, Position, Written, hash},
    replay::replay,
    store::{Document, Selector},
};

/// All registers, followed.
#[derive(Debug, Default)]
pub struct Follower {
    index: Arc<Index>,
    registers: BTreeMap<RegisterId, Followed>,
}

#[derive(Clone, Debug)]
struct Followed {
    last_time: Timestamp,
    fault: Option<String>,
}

impl Followed {
    fn unknown() -> Self {
        Self { last_time: Timestamp::MIN, fault: None }
    }
}

/// What came of a look at a register's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What is new in this register is known now.
    Taken(RegisterId),
    /// Lines between what is known and this head stand in segments: the whole register must be read.
    Gap(RegisterId),
    /// It is a head of before: late, or the register went back. Which of the two, the whole register tells.
    Late(RegisterId),
    /// The document is no register's head.
    NoHead,
}

impl Follower {
    /// What the registers say, for those who ask. It is the same index at all times.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Takes in the documents of all registers, of one moment: the first time as they are, later what is new in them. A register
    /// that was known and is not among them is at fault.
    pub fn all(&mut self, documents: Vec<Document>) {
        let mut registers: BTreeMap<RegisterId, Vec<Document>> = super::by_register(documents);
        if self.registers.is_empty() {
            let mut state = State::default();
            for (id, documents) in &registers {
                let start = Position::start();
                let followed = catch_up(id, documents, &start, Timestamp::MIN, &mut |line| state.apply(*id, line));
                self.registers.insert(*id, followed);
            }
            self.index.restart(0, state);
            return;
        }
        let known: BTreeSet<RegisterId> = self.registers.keys().chain(registers.keys()).copied().collect();
        for id in known {
            self.whole(id, registers.remove(&id).unwrap_or_default());
        }
    }

    /// What selects the documents of one register, for [`Follower::whole`].
    pub fn selector(id: RegisterId) -> Selector {
        layout::selector(Some(id))
    }

    /// Takes in all documents of one register, of one moment; those of others that are among them are passed over.
    pub fn whole(&mut self, id: RegisterId, mut documents: Vec<Document>) {
        documents.retain(|document| part_of(&document.name).is_some_and(|(of, _)| of == id));
        let mut news: Vec<Written> = Vec::new();
        let last_time = self.registers.get(&id).map_or(Timestamp::MIN, |followed| followed.last_time);
        let followed = catch_up(&id, &documents, &self.index.position(&id), last_time, &mut |line| news.push(line.clone()));
        self.index.apply(0, id, news.iter());
        self.registers.insert(id, followed);
    }

    /// Takes in what is new in a register's head.
    pub fn head(&mut self, document: &Document) -> Look {
        let Some((id, Part::Head)) = part_of(&document.name) else { return Look::NoHead };
        let followed = self.registers.entry(id).or_insert_with(Followed::unknown);
        match news(document, &self.index.position(&id), followed.last_time) {
            Ok(Seen::Lines(news)) => {
                if let Some(last) = news.last() {
                    followed.last_time = last.line.time;
                }
                followed.fault = None;
                self.index.apply(0, id, news.iter());
                Look::Taken(id)
            }
            Ok(Seen::Gap) => Look::Gap(id),
            Ok(Seen::Older(end)) if self.index.stands(&id, &end) != Stands::No => Look::Late(id),
            Ok(Seen::Older(end)) => {
                followed.fault = Some(another_past(&end));
                Look::Taken(id)
            }
            Err(why) => {
                followed.fault = Some(why);
                Look::Taken(id)
            }
        }
    }

    /// A document is gone. Returns the register whose head it was.
    pub fn removed(&mut self, name: &str) -> Option<RegisterId> {
        let (id, Part::Head) = part_of(name)? else { return None };
        self.registers.get_mut(&id)?.fault = Some(format!("its head {name} is gone"));
        Some(id)
    }

    /// All registers that were ever seen.
    pub fn ids(&self) -> impl Iterator<Item = &RegisterId> {
        self.registers.keys()
    }

    /// What is wrong with a register; none when it holds together, and for one that is not known.
    pub fn fault(&self, id: &RegisterId) -> Option<&str> {
        self.registers.get(id)?.fault.as_deref()
    }

    /// All registers that do not hold together, with what is wrong.
    pub fn faults(&self) -> impl Iterator<Item = (&RegisterId, &str)> {
        self.registers.iter().filter_map(|(id, followed)| Some((id, followed.fault.as_deref()?)))
    }
}

/// What a head adds to what is known.
enum Seen {
    /// These lines, or none.
    Lines(Vec<Written>),
    /// Lines that are not in it, and then its own.
    Gap,
    /// Nothing: it ends here, before what is known.
    Older(Position),
}

fn news(document: &Document, known: &Position, last_time: Timestamp) -> Result<Seen, String> {
    let link = document.link()?;
    let known_here = match known.sequence.checked_sub(link.sequence) {
        None => return Ok(Seen::Gap),
        Some(known_here) => usize::try_from(known_here).map_err(|_| gone_back(known))?,
    };
    let text = document.lines();
    let rest = if known_here == 0 {
        if link.hash != known.hash {
            return Err(another_past(known));
        }
        text
    } else {
        let Some((last, rest)) = split_after(text, known_here) else {
            let end = text.lines().last().map_or(link.hash, hash);
            return Ok(Seen::Older(Position { sequence: link.sequence + text.lines().count() as u64, hash: end }));
        };
        if hash(last) != known.hash {
            return Err(another_past(known));
        }
        rest
    };
    let lines = line::read(known, rest).map_err(|broken| format!("in ConfigMap {}, {broken}", document.name))?;
    match lines.first() {
        Some(first) if first.line.time < last_time => Err(format!("line {} is earlier than the line before it", first.line.sequence)),
        _ => Ok(Seen::Lines(lines)),
    }
}

/// The line in the place `number` (from 1), and the text after it.
fn split_after(text: &str, number: usize) -> Option<(&str, &str)> {
    let mut rest = text;
    let mut last = None;
    for _ in 0..number {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        (last, rest) = (Some(line), after);
    }
    last.map(|last| (last, rest))
}

/// Replays a register, handing to `each` the lines after those that were known; all of them where the known ones were let go.
fn catch_up(
    id: &RegisterId,
    documents: &[Document],
    known: &Position,
    mut last_time: Timestamp,
    each: &mut dyn FnMut(&Written),
) -> Followed {
    let mut forked = false;
    let replayed = replay(id, documents, &mut |written| {
        let sequence = written.line.sequence;
        if sequence == known.sequence {
            forked = hash(&written.text) != known.hash;
        }
        if sequence > known.sequence && !forked {
            each(written);
            last_time = written.line.time;
        }
    });
    let fault = match replayed {
        Err(why) => Some(why),
        Ok(_) if forked => Some(another_past(known)),
        Ok(replayed) if replayed.end.sequence < known.sequence => Some(gone_back(known)),
        Ok(_) => None,
    };
    Followed { last_time, fault }
}

fn gone_back(known: &Position) -> String {
    format!("it has gone back: line {} was there and is there no more", known.sequence)
}

fn another_past(known: &Position) -> String {
    format!("line {} is not the one that was there before", known.sequence)
}

#[cfg(test)]
mod tests;
