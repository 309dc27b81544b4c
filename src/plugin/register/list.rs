//! Which registers there are, and how they stand.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::Registers;
use crate::plugin::output::{Cell, Report, Table, Tone};

/// The registers.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// One each.
    pub items: Vec<Row>,
}

/// One register.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its keyID, or `common`.
    pub register: String,
    /// The name of the CA, as far as an issuer says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How many lines are there.
    pub lines: usize,
    /// The first line that must be there.
    pub kept_from: u64,
    /// The sequence of the last line.
    pub last: u64,
    /// Its hash.
    pub hash: String,
    /// When the first was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<Timestamp>,
    /// When the last was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<Timestamp>,
    /// `sound`, or what is wrong with it first.
    pub state: String,
}

/// What there is.
pub fn list(registers: &Registers) -> Listed {
    let items = registers.registers.values().map(|examined| {
        let (first, last, end) = (examined.lines.first(), examined.lines.last(), examined.end());
        Row {
            register: examined.id.to_string(),
            subject: registers.subjects.get(&examined.id).cloned(),
            lines: examined.lines.len(),
            kept_from: examined.kept_from,
            last: end.sequence,
            hash: end.hash,
            first_time: first.map(|line| line.line.time),
            last_time: last.map(|line| line.line.time),
            state: examined.faults.first().map_or("sound", |fault| fault.word()).to_owned(),
        }
    });
    Listed { items: items.collect() }
}

impl Listed {
    /// Whether all hold together.
    pub fn is_sound(&self) -> bool {
        self.items.iter().all(|row| row.state == "sound")
    }
}

impl Report for Listed {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.items.is_empty() {
            return writeln!(out, "There is no register yet.");
        }
        let mut table = Table::new(&["REGISTER", "AUTHORITY", "LINES", "LAST LINE", "STATE"]).wide(&["KEPT FROM", "FIRST LINE", "HASH"]);
        for row in &self.items {
            let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| format!("{time:.0}"));
            let tone = if row.state == "sound" { Tone::Good } else { Tone::Bad };
            table.row([
                if wide { row.register.clone() } else { short(&row.register) }.into(),
                row.subject.clone().unwrap_or_default().into(),
                row.lines.to_string().into(),
                time(row.last_time).into(),
                Cell::new(row.state.clone(), tone),
                row.kept_from.to_string().into(),
                time(row.first_time).into(),
                row.hash.clone().into(),
            ]);
        }
        table.write(wide, out)
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(|row| object(&row.register)).collect()
    }
}

/// The ConfigMap in which a register ends, as `kind/name`.
pub(in crate::plugin) fn object(register: &str) -> String {
    format!("configmap/chancery-register-{register}")
}

/// Enough digits of a keyID to tell it from others, and to be taken for it.
pub(super) fn short(register: &str) -> String {
    register.chars().take(16).collect()
}
