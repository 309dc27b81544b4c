//! Whether registers are what they were: by their own hashes, by checkpoints, and by older copies.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{list::object, meant, none};
use crate::{
    plugin::output::{Report, Tone, plain},
    register::{
        Position, RegisterId,
        checkpoint::Checkpoint,
        examine::{Anchor, Examined, Fault},
        export::{Export, Exported},
    },
};

/// What is wrong with a register that was named and is not there.
const ABSENT: &str = "absent";

/// A checkpoint that is believed.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What it is called, as the subject of a sentence.
    pub who: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// Where registers are read.
#[derive(Clone, Debug)]
pub enum Place {
    /// In an operator's namespace.
    Namespace(String),
    /// In a file.
    File(String),
}

impl Place {
    /// What is said where nothing of a register is there.
    fn has_none(&self) -> String {
        match self {
            Self::Namespace(namespace) => format!("nothing was verified: {}", none(namespace)),
            Self::File(file) => {
                format!(
                    "nothing was verified: {file} has no line of a register; it is empty, was cut off, or is another file than was meant"
                )
            }
        }
    }

    /// What is said where a register is not there that was named.
    fn has_not(&self) -> String {
        match self {
            Self::Namespace(namespace) => format!(
                "there is no such register in namespace {namespace}, and nothing that remembers one: `kubectl chancery register list` shows those that there are"
            ),
            Self::File(file) => {
                format!("{file} has no such register, and nothing in it remembers one; without a name all that it has are verified")
            }
        }
    }
}

/// What is looked at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Where the registers were read.
    pub place: Place,
    /// The registers; none is what an export calls nobody's.
    pub registers: BTreeMap<Option<RegisterId>, Examined>,
    /// Only these, where any are named: as `common`, by a keyID, or by the beginning of one.
    pub named: Vec<String>,
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
    /// What is wrong besides: nothing was there to be verified, or to be compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
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
    /// What was done: `altered`, `missing`, `moved`, `twice`, `cut off`, `segment missing`, `head gone`, `unsound`; or `absent`
    /// where there is no such register, and `not compared` where an older copy has nothing of it.
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
///
/// Whoever verifies wants to know that something is sound. So what was named and is not there is wrong, and so is it that there was nothing
/// to look at, or to compare with.
///
/// # Errors
/// When several registers begin with what was named.
pub fn verify(subject: Subject<'_>) -> anyhow::Result<Verified> {
    let Subject { place, mut registers, named, witnesses, unbelieved, copy } = subject;
    let remembered = witnesses.iter().flat_map(|witness| witness.checkpoint.registers.keys().chain(witness.checkpoint.lost.keys()));
    let copied = copy.iter().flat_map(|(_, copy)| copy.registers.keys().flatten());
    for id in remembered.chain(copied) {
        // What is remembered and not there is looked at too.
        registers.entry(Some(*id)).or_insert_with(|| Examined::of(*id, &[]));
    }
    let (mut only, mut absent) = (BTreeSet::new(), Vec::new());
    for name in &named {
        match meant(name, registers.keys().flatten().copied())? {
            Some(id) => drop(only.insert(id)),
            None => absent.push(Register::absent(name, &place)),
        }
    }
    let wanted = |id: &Option<RegisterId>| named.is_empty() || id.is_some_and(|id| only.contains(&id));
    let (mut notes, mut compared) = (Vec::new(), false);
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
        let copied = copy.as_ref().map(|(who, copied)| (who, copied.registers.get(&id).filter(|copied| !copied.texts.is_empty())));
        if let Some((who, Some(copied))) = copied {
            compared = true;
            compare(&mut examined, who, copied);
        }
        let mut register = register(id.map_or_else(|| "lines".to_owned(), |id| id.to_string()), &examined);
        if let Some((who, None)) = copied
            && !named.is_empty()
        {
            register.is_wrong("not compared", format!("nothing was compared with {who}: it has no line of this register"));
        }
        register
    });
    let registers: Vec<Register> = registers.collect::<Vec<_>>().into_iter().chain(absent).collect();
    let mut problems = Vec::new();
    if registers.iter().all(|register| register.sound && register.lines == 0) {
        problems.push(place.has_none());
    }
    if let Some((who, _)) = &copy
        && !compared
        && named.is_empty()
    {
        problems.push(format!("nothing was compared with {who}: it has no line of a register that was looked at"));
    }
    let checkpoints = witnesses.iter().map(|Witness { who, checkpoint }| Seen {
        name: who.clone(),
        time: checkpoint.time,
        key: checkpoint.key.to_string(),
    });
    Ok(Verified { registers, checkpoints: checkpoints.collect(), unbelieved, problems, notes })
}

fn compare(examined: &mut Examined, who: &str, copy: &Exported) {
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

impl Register {
    /// One that was named and is not there.
    fn absent(name: &str, place: &Place) -> Self {
        let nowhere = Position::start();
        let mut absent = Self {
            register: name.to_owned(),
            lines: 0,
            kept_from: 1,
            last: nowhere.sequence,
            hash: nowhere.hash,
            sound: true,
            faults: Vec::new(),
        };
        absent.is_wrong(ABSENT, place.has_not());
        absent
    }

    fn is_wrong(&mut self, kind: &str, message: String) {
        self.sound = false;
        self.faults.push(Found { kind: kind.to_owned(), message });
    }
}

impl Verified {
    /// Whether something was looked at, and nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.unbelieved.is_empty() && self.registers.iter().all(|register| register.sound)
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
        for why in self.unbelieved.iter().chain(&self.problems) {
            writeln!(out, "{} {}", Tone::Bad.paint("FAULT"), plain(why))?;
        }
        for note in &self.notes {
            writeln!(out, "{} {}", Tone::Warning.paint("note "), plain(note))?;
        }
        let looked_at = self.registers.iter().any(|register| register.lines > 0);
        if looked_at && self.checkpoints.is_empty() && self.unbelieved.is_empty() {
            writeln!(out, "No checkpoint was compared: an end that was cut off would not be seen.")?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        let there = self.registers.iter().filter(|register| register.faults.iter().all(|fault| fault.kind != ABSENT));
        there.map(|register| object(&register.register)).collect()
    }
}

#[cfg(test)]
mod tests {
    use chancery_pki::KeyId;

    use super::*;
    use crate::register::{Act, Entry, Line, NO_LINE, checkpoint::Lost, hash};

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
            ..of_nothing(&[])
        })
        .unwrap()
    }

    /// Nothing, of which these registers are wanted.
    fn of_nothing(named: &[&str]) -> Subject<'static> {
        Subject {
            place: Place::Namespace("pki".to_owned()),
            registers: BTreeMap::new(),
            named: named.iter().map(|name| (*name).to_owned()).collect(),
            witnesses: Vec::new(),
            unbelieved: Vec::new(),
            copy: None,
        }
    }

    #[test]
    fn nothing_is_not_sound_and_neither_is_what_was_named_and_is_not_there() {
        let nothing = verify(of_nothing(&[])).unwrap();
        assert!(!nothing.is_sound() && nothing.problems[0].contains("no register in namespace pki"), "{nothing:?}");
        let absent = verify(of_nothing(&["common", "0123abcd"])).unwrap();
        let said: Vec<_> = absent.registers.iter().map(|register| (register.register.as_str(), register.faults[0].kind.as_str())).collect();
        assert_eq!(said, [("common", "absent"), ("0123abcd", "absent")]);
        assert!(!absent.is_sound() && absent.names().is_empty(), "{absent:?}");
    }

    #[test]
    fn a_register_that_only_a_copy_remembers_is_gone_and_is_meant_by_its_first_digits() {
        let id = RegisterId::Authority(KeyId::of_spki(b"gone"));
        let line = Line { sequence: 1, time: at(10), previous: NO_LINE.to_owned(), entry: Entry::new(Act::Published) }.to_text();
        let exported = Exported { texts: vec![line], ..Exported::default() };
        let copy = Export { registers: [(Some(id), exported)].into(), ..Export::default() };
        let name = &id.to_string()[..8];
        let found = verify(Subject { copy: Some(("the copy".to_owned(), &copy)), ..of_nothing(&[name]) }).unwrap();
        assert_eq!((found.registers[0].register.clone(), found.registers[0].faults[0].kind.as_str()), (id.to_string(), "cut off"));
    }

    #[test]
    fn a_copy_with_nothing_in_it_vouches_for_nothing() {
        let copy = Export::default();
        let line = Line { sequence: 1, time: at(10), previous: NO_LINE.to_owned(), entry: Entry::new(Act::Published) }.to_text();
        let found = verify(Subject {
            registers: [(Some(RegisterId::Common), Examined::of_lines(RegisterId::Common, [line]))].into(),
            copy: Some(("the copy".to_owned(), &copy)),
            ..of_nothing(&[])
        })
        .unwrap();
        assert!(!found.is_sound() && found.problems[0].contains("the copy"), "{found:?}");
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
