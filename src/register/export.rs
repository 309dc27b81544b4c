//! Registers outside of a cluster: an export, which is one JSON object a line, and what a log store has kept of the log's lines.
//!
//! An export begins with the checkpoint, if there is one. Each register begins with a header that says which it is, after which line it
//! begins and with which it ends; its lines follow word for word. The same registers give the same octets. Pure.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
};

use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{
    LOG_TARGET, RegisterId,
    checkpoint::Signed,
    examine::{Anchor, Examined, Fault},
    line::{self, Line, Position, Written},
};

/// What an export calls itself.
const FORMAT: &str = "chancery.dev/register-export/v1";

/// What stands before the target in a log that is text.
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// What was read from a file.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// The checkpoint of that time.
    pub checkpoint: Option<Signed>,
    /// The registers; lines without a header, as they stand in a ConfigMap, are nobody's.
    pub registers: BTreeMap<Option<RegisterId>, Exported>,
}

/// One register of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// After which line it begins, where that is said.
    pub after: Option<Position>,
    /// With which it ends, where that is said.
    pub end: Option<Position>,
    /// Its lines, word for word.
    pub texts: Vec<String>,
}

/// Lines that follow each other, after a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// The place.
    pub after: Position,
    /// The lines.
    pub lines: Vec<Written>,
}

impl Former {
    /// Where it ends.
    pub fn end(&self) -> Position {
        self.lines.last().map_or_else(|| self.after.clone(), Written::end)
    }
}

/// A file is not what it should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {number}: {why}")]
pub struct ExportError {
    /// The line of the file, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Deserialize, Serialize)]
struct Beginning {
    export: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<SignedForm>,
}

#[derive(Deserialize, Serialize)]
struct SignedForm {
    text: String,
    signature: ByteString,
    key: String,
}

#[derive(Deserialize, Serialize)]
struct Header {
    register: String,
    after: PositionForm,
    end: PositionForm,
}

#[derive(Deserialize, Serialize)]
struct PositionForm {
    sequence: u64,
    hash: String,
}

impl From<&Position> for PositionForm {
    fn from(position: &Position) -> Self {
        Self { sequence: position.sequence, hash: position.hash.clone() }
    }
}

impl From<PositionForm> for Position {
    fn from(form: PositionForm) -> Self {
        Self { sequence: form.sequence, hash: form.hash }
    }
}

/// Writes the first line of an export.
///
/// # Errors
/// Where `out` cannot be written.
pub fn begin(checkpoint: Option<&Signed>, out: &mut dyn Write) -> io::Result<()> {
    let checkpoint = checkpoint.map(|signed| SignedForm {
        text: signed.text.clone(),
        signature: ByteString(signed.signature.clone()),
        key: signed.key.clone(),
    });
    line_of(&Beginning { export: FORMAT.to_owned(), checkpoint }, out)
}

/// Writes a register, or a part of one.
///
/// # Errors
/// Where `out` cannot be written.
pub fn register(id: &RegisterId, former: &Former, out: &mut dyn Write) -> io::Result<()> {
    line_of(&Header { register: id.to_string(), after: (&former.after).into(), end: (&former.end()).into() }, out)?;
    former.lines.iter().try_for_each(|line| writeln!(out, "{}", line.text))
}

fn line_of(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// What a line of a file is.
enum Kind {
    Beginning(Beginning),
    Header(Box<Header>),
    Line,
    Logged { register: String, line: String },
    Other,
}

fn kind(text: &str) -> Kind {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return logged_as_text(text).unwrap_or(Kind::Other);
    };
    let word = |key: &str| value.get(key).and_then(Value::as_str);
    if value.get("sequence").is_some() {
        Kind::Line
    } else if let (Some(register), Some(line), Some(LOG_TARGET)) = (word("register"), word("line"), word("target")) {
        Kind::Logged { register: register.to_owned(), line: line.to_owned() }
    } else if let Some(FORMAT) = word("export") {
        serde_json::from_value(value).map_or(Kind::Other, Kind::Beginning)
    } else {
        serde_json::from_value(value).map_or(Kind::Other, |header| Kind::Header(Box::new(header)))
    }
}

/// `2026-11-18T11:06:40.000000Z  INFO chancery::register::line: register=common line={"sequence":1,...}`
fn logged_as_text(text: &str) -> Option<Kind> {
    let (before, rest) = text.split_once(LOG_TARGET)?;
    // What another row quotes comes after that row's own level and target.
    let mut words = before.split_whitespace();
    let level = words.find(|word| LEVELS.contains(word));
    if level.is_none() || words.next().is_some() {
        return None;
    }
    let (register, line) = rest.strip_prefix(": register=")?.split_once(" line=")?;
    Some(Kind::Logged { register: register.to_owned(), line: line.to_owned() })
}

/// Reads an export, lines as they stand in a ConfigMap, or a log with the lines in it, whatever else it has.
///
/// # Errors
/// At what is none of these.
pub fn read(text: &str) -> Result<Export, ExportError> {
    let mut export = Export::default();
    let mut current: Option<RegisterId> = None;
    let mut logged: BTreeMap<Option<RegisterId>, Vec<String>> = BTreeMap::new();
    let mut other = None;
    let mut began = false;
    for (number, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| ExportError { number, why };
        let named = |name: &str| name.parse::<RegisterId>().map_err(|_| wrong(format!("\"{name}\" is no register: a keyID or common")));
        match kind(text) {
            Kind::Beginning(beginning) => {
                export.checkpoint = beginning.checkpoint.map(|form| Signed { text: form.text, signature: form.signature.0, key: form.key });
                began = true;
            }
            Kind::Header(header) => {
                let id = named(&header.register)?;
                let of = export.registers.entry(Some(id)).or_default();
                let after = Position::from(header.after);
                match &of.end {
                    // Parts of one register follow each other.
                    Some(end) if *end != after => {
                        return Err(wrong(format!(
                            "register {id} goes on after line {}, and ended with line {}",
                            after.sequence, end.sequence
                        )));
                    }
                    Some(_) => {}
                    None => of.after = Some(after),
                }
                of.end = Some(header.end.into());
                current = Some(id);
                began = true;
            }
            Kind::Line => {
                export.registers.entry(current).or_default().texts.push(text.to_owned());
                began = true;
            }
            Kind::Logged { register, line } => logged.entry(Some(named(&register)?)).or_default().push(line),
            // Of an export that is a line which was altered.
            Kind::Other if began && logged.is_empty() => {
                other = other.or(Some(number));
                export.registers.entry(current).or_default().texts.push(text.to_owned());
            }
            Kind::Other => other = other.or(Some(number)),
        }
    }
    if logged.is_empty() {
        return match other.filter(|_| !began) {
            Some(number) => Err(ExportError {
                number,
                why: "it is neither an export of registers, nor a log with their lines, nor the lines of one".to_owned(),
            }),
            None => Ok(export),
        };
    }
    for (id, mut texts) in logged {
        // Logs of several replicas come in any order, and a line may have been collected twice.
        texts.sort_by_cached_key(|text| (serde_json::from_str::<Line>(text).map_or(u64::MAX, |line| line.sequence), text.clone()));
        texts.dedup();
        export.registers.entry(id).or_default().texts.extend(texts);
    }
    Ok(export)
}

impl Exported {
    /// Its lines, each of which carries the hash of the one before it.
    ///
    /// # Errors
    /// Where they do not hold together, or are not all that the header says.
    pub fn chain(&self) -> Result<Former, String> {
        let first = self.texts.first().and_then(|text| serde_json::from_str::<Line>(text).ok());
        let named = first.filter(|first| first.sequence > 0).map(|first| Position { sequence: first.sequence - 1, hash: first.previous });
        let after = self.after.clone().or(named).unwrap_or_else(Position::start);
        let lines = line::read(&after, &self.texts.join("\n")).map_err(|broken| broken.to_string())?;
        let former = Former { after, lines };
        let end = former.end();
        match &self.end {
            Some(said) if *said != end && said.sequence > end.sequence => {
                Err(format!("it ends with line {}, and says that it has line {}: its end was cut off", end.sequence, said.sequence))
            }
            Some(said) if *said != end => Err(format!("line {}: the last line was altered, or lines were added", said.sequence)),
            _ => Ok(former),
        }
    }

    /// Looks through it for a person: what is wrong with its lines, and what its header says of them.
    pub fn examine(&self, id: RegisterId) -> Examined {
        let mut examined = Examined::of_lines(id, &self.texts);
        let first = examined.lines.first().map(|first| (first.line.sequence, first.line.previous.clone()));
        if let (Some(after), Some((first, previous))) = (&self.after, first) {
            if first - 1 > after.sequence {
                examined.faults.insert(0, Fault::Missing { from: after.sequence + 1, to: first - 1 });
            } else if previous != after.hash {
                examined
                    .faults
                    .insert(0, Fault::Altered { sequence: first, why: "it does not follow the line that the header names".to_owned() });
            }
        }
        if let Some(end) = &self.end {
            examined.compare(&Anchor { who: "its header".to_owned(), position: end.clone() });
        }
        examined
    }
}

impl fmt::Display for Export {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: usize = self.registers.values().map(|register| register.texts.len()).sum();
        write!(formatter, "{} registers, {lines} lines", self.registers.len())
    }
}

#[cfg(test)]
mod tests;
