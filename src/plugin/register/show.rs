//! The lines of registers, chosen and shown.

use std::io::{self, Write};

use chancery_pki::SerialNumber;
use jiff::Timestamp;

use super::list::short;
use crate::{
    plugin::output::{Cell, Table, Tone, plain},
    register::{Act, RegisterId, Written, examine::Examined},
};

/// Which lines are shown. What is not said chooses nothing out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Lines of these acts; of all where there are none.
    pub acts: Vec<Act>,
    /// Lines about this certificate.
    pub serial: Option<SerialNumber>,
    /// Lines about this Certificate: its namespace and name.
    pub certificate: Option<(String, String)>,
    /// Lines that were written at this time or later.
    pub since: Option<Timestamp>,
}

impl Filter {
    /// Whether a line is shown.
    pub fn admits(&self, line: &Written) -> bool {
        let (entry, time) = (&line.line.entry, line.line.time);
        let owner = entry.owner.as_ref().map(|owner| (&owner.namespace, &owner.name));
        (self.acts.is_empty() || self.acts.contains(&entry.act))
            && self.serial.as_ref().is_none_or(|serial| entry.serial.as_ref() == Some(serial))
            && self.certificate.as_ref().is_none_or(|(namespace, name)| owner == Some((namespace, name)))
            && self.since.is_none_or(|since| time >= since)
    }
}

/// The lines of registers that are shown, in the order of their time.
pub fn chosen<'a>(registers: &[&'a Examined], filter: &Filter) -> Vec<(RegisterId, &'a Written)> {
    let lines = registers.iter().flat_map(|examined| examined.lines.iter().map(|line| (examined.id, line)));
    let mut lines: Vec<_> = lines.filter(|(_, line)| filter.admits(line)).collect();
    lines.sort_by_key(|(id, line)| (line.line.time, *id, line.line.sequence));
    lines
}

/// Writes lines for people.
///
/// # Errors
/// Where `out` cannot be written.
pub fn table(lines: &[(RegisterId, &Written)], several: bool, wide: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut columns = vec!["LINE", "TIME", "ACT", "SERIAL", "ABOUT", "REASON"];
    if several {
        columns.insert(0, "REGISTER");
    }
    let mut table = Table::new(&columns).wide(&["ACTOR", "KEY"]);
    for (id, line) in lines {
        let entry = &line.line.entry;
        let about = match (&entry.owner, &entry.key_id, entry.number) {
            (Some(owner), _, _) => format!("{}/{}", owner.namespace, owner.name),
            (None, Some(key), _) => format!("key {}", short(&key.to_string())),
            (None, None, Some(number)) => format!("list {number}"),
            (None, None, None) => String::new(),
        };
        let tone = match entry.act {
            Act::Revoked | Act::Refused | Act::Blocked | Act::Destroyed => Tone::Bad,
            Act::Held | Act::Pending | Act::Voided => Tone::Warning,
            _ => Tone::Plain,
        };
        let reason = match (entry.code, entry.recorded) {
            (Some(code), _) => format!("{code}; {}", entry.reason),
            (None, Some(time)) => format!("{} (of {time:.0})", entry.reason),
            (None, None) => entry.reason.clone(),
        };
        let register = several.then(|| Cell::from(short(&id.to_string())));
        table.row(register.into_iter().chain([
            line.line.sequence.to_string().into(),
            format!("{:.0}", line.line.time).into(),
            Cell::new(entry.act.as_str(), tone),
            entry.serial.as_ref().map(ToString::to_string).unwrap_or_default().into(),
            about.into(),
            reason.into(),
            entry.actor.clone().into(),
            entry.key_id.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        ]));
    }
    table.write(wide, out)
}

/// A line for people, as it comes.
pub fn line(id: &RegisterId, line: &Written, several: bool) -> String {
    let register = if several { format!("{:<16}  ", short(&id.to_string())) } else { String::new() };
    plain(&format!("{register}{}", line.line.show()))
}

/// Takes an act by its word.
///
/// # Errors
/// When there is none of that name.
pub fn act(word: &str) -> Result<Act, String> {
    let act = serde_json::from_value(serde_json::Value::String(word.to_owned())).unwrap_or(Act::Unknown);
    if act == Act::Unknown {
        return Err("an act is one of issued, imported, voided, pending, revoked, held, released, blocked, published, made, copied, retired, destroyed, refused".to_owned());
    }
    Ok(act)
}
