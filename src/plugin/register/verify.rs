//! Whether registers are what they were: by their own hashes, by checkpoints, and by older copies.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use jiff::Timestamp;
use serde::Serialize;

use super::list::object;
use crate::{
    plugin::output::{Report, Tone, plain},
    register::{
        RegisterId,
        checkpoint::Checkpoint,
        examine::{Anchor, Examined, Fault},
        export::{Export, Exported},
    },
};

/// A checkpoint that is believed.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What it is called, as the subject of a sentence.
    pub who: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// What is looked at.
#[derive(Debug, Default)]
pub struct Subject<'a> {
    /// The registers; none is what an export calls nobody's.
    pub registers: BTreeMap<Option<RegisterId>, Examined>,
    /// Only these, where any are named.
    pub only: Vec<RegisterId>,
    /// Checkpoints.
    pub witnesses: Vec<Witness>,
    /// What is wrong with checkpoints that are not believed.
    pub unbelieved: Vec<String>,
    /// An older copy, and what it is called.
    pub copy: Option<(String, &'a Export)>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// One each.
    pub registers: Vec<Register>,
    /// The checkpoints that were compared.
    pub checkpoints: Vec<Seen>,
    /// Checkpoints that are not believed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unbelieved: Vec<String>,
    /// What is as it should be, and has a history.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One register.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    /// Its keyID, or `common`.
    pub register: String,
    /// How many lines were looked at.
    pub lines: usize,
    /// The first.
    pub kept_from: u64,
    /// The last.
    pub last: u64,
    /// Its hash.
    pub hash: String,
    /// Whether nothing is wrong.
    pub sound: bool,
    /// What is wrong.
    pub faults: Vec<Found>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// What was done: `altered`, `missing`, `moved`, `twice`, `cut off`, `segment missing`, `head gone`, `unsound`.
    pub kind: String,
    /// In a sentence.
    pub message: String,
}

/// A checkpoint that was compared.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Which.
    pub name: String,
    /// When it was made.
    pub time: Timestamp,
    /// The key that signed it.
    pub key: String,
}

/// Compares registers with all that remembers them.
pub fn verify(subject: Subject<'_>) -> Verified {
    let Subject { mut registers, only, witnesses, unbelieved, copy } = subject;
    let remembered = witnesses.iter().flat_map(|witness| witness.checkpoint.registers.keys().chain(witness.checkpoint.lost.keys()));
    let copied = copy.iter().flat_map(|(_, copy)| copy.registers.keys().flatten());
    for id in remembered.chain(copied) {
        // What is remembered and not there is looked at too.
        registers.entry(Some(*id)).or_insert_with(|| Examined::of(*id, &[]));
    }
    let wanted = |id: &Option<RegisterId>| only.is_empty() || id.is_some_and(|id| only.contains(&id));
    let mut notes = Vec::new();
    let registers = registers.into_iter().filter(|(id, _)| wanted(id)).map(|(id, mut examined)| {
        for Witness { who, checkpoint } in id.iter().flat_map(|_| &witnesses) {
            if let Some(end) = checkpoint.registers.get(&examined.id) {
                examined.compare(&Anchor { who: who.clone(), position: end.position.clone() });
            }
            let Some(lost) = checkpoint.lost.get(&examined.id) else { continue };
            // What was recorded once more before it went back says nothing of what it lost then.
            if examined.lines.iter().any(|line| line.line.entry.recorded.is_some() && line.line.time > lost.after) {
                notes.push(format!(
                    "{}: it went back once, and lacks line {} as {who} knows it; what it had lost was recorded once more",
                    examined.id, lost.position.sequence
                ));
            } else {
                examined.compare(&Anchor { who: who.clone(), position: lost.position.clone() });
            }
        }
        if let Some((who, copied)) = &copy {
            compare(&mut examined, who, copied.registers.get(&id));
        }
        register(id.map_or_else(|| "lines".to_owned(), |id| id.to_string()), &examined)
    });
    let registers = registers.collect();
    let checkpoints = witnesses.iter().map(|Witness { who, checkpoint }| Seen {
        name: who.clone(),
        time: checkpoint.time,
        key: checkpoint.key.to_string(),
    });
    Verified { registers, checkpoints: checkpoints.collect(), unbelieved, notes }
}

fn compare(examined: &mut Examined, who: &str, copy: Option<&Exported>) {
    let Some(copy) = copy else { return };
    match copy.chain() {
        Ok(former) => examined.compare_copy(who, &former.lines),
        Err(why) => {
            examined.faults.push(Fault::Other { why: format!("{who} cannot be compared, since it does not hold together itself: {why}") });
        }
    }
}

fn register(name: String, examined: &Examined) -> Register {
    let end = examined.end();
    let faults = examined.faults.iter().map(|fault| Found { kind: fault.word().to_owned(), message: fault.to_string() });
    Register {
        register: name,
        lines: examined.lines.len(),
        kept_from: examined.kept_from,
        last: end.sequence,
        hash: end.hash,
        sound: examined.faults.is_empty(),
        faults: faults.collect(),
    }
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.unbelieved.is_empty() && self.registers.iter().all(|register| register.sound)
    }
}

impl Report for Verified {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        for register in &self.registers {
            let name = &register.register;
            for found in &register.faults {
                writeln!(out, "{} {name}: {}", Tone::Bad.paint("FAULT"), plain(&found.message))?;
            }
            if register.sound && register.lines == 0 {
                writeln!(out, "{} {name}: no lines", Tone::Good.paint("ok   "))?;
            } else if register.sound {
                let lines = if register.lines == 1 { "line" } else { "lines" };
                write!(
                    out,
                    "{} {name}: {} {lines}, {} to {}",
                    Tone::Good.paint("ok   "),
                    register.lines,
                    register.kept_from,
                    register.last
                )?;
                if wide {
                    write!(out, ", the last with hash {}", register.hash)?;
                }
                writeln!(out)?;
            }
        }
        for seen in &self.checkpoints {
            writeln!(out, "{} {} of {}, signed with key {}", Tone::Good.paint("ok   "), seen.name, seen.time, seen.key)?;
        }
        for why in &self.unbelieved {
            writeln!(out, "{} {}", Tone::Bad.paint("FAULT"), plain(why))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {}", Tone::Warning.paint("note "), plain(note))?;
        }
        if self.checkpoints.is_empty() && self.unbelieved.is_empty() {
            writeln!(out, "No checkpoint was compared: an end that was cut off would not be seen.")?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.registers.iter().map(|register| object(&register.register)).collect()
    }
}

#[cfg(test)]
mod tests {
    use chancery_pki::KeyId;

    use super::*;
    use crate::register::{Act, Entry, Line, NO_LINE, Position, checkpoint::Lost, hash};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    /// A register of two lines, the second of which was recorded once more at second 20; a checkpoint misses line 1 as it was before.
    fn verified(after: Timestamp) -> Verified {
        let first = Line { sequence: 1, time: at(10), previous: NO_LINE.to_owned(), entry: Entry::new(Act::Published) }.to_text();
        let entry = Entry { recorded: Some(at(0)), ..Entry::new(Act::Published) };
        let second = Line { sequence: 2, time: at(20), previous: hash(&first), entry }.to_text();
        let lost = Lost { position: Position { sequence: 1, hash: hash("another") }, after };
        let checkpoint = Checkpoint {
            namespace: "chancery-system".to_owned(),
            key: KeyId::of_spki(b"key"),
            time: at(100),
            previous: NO_LINE.to_owned(),
            registers: BTreeMap::new(),
            lost: [(RegisterId::Common, lost)].into(),
        };
        verify(Subject {
            registers: [(Some(RegisterId::Common), Examined::of_lines(RegisterId::Common, [first, second]))].into(),
            witnesses: vec![Witness { who: "the checkpoint".to_owned(), checkpoint }],
            ..Subject::default()
        })
    }

    #[test]
    fn a_loss_is_a_note_only_where_something_was_recorded_once_more_after_it() {
        let mended = verified(at(15));
        assert!(mended.is_sound() && mended.notes.len() == 1, "{mended:?}");
        // What was recorded once more was so after an earlier loss.
        let later = verified(at(30));
        assert!(!later.is_sound() && later.notes.is_empty(), "{later:?}");
    }
}
