//! The lines of registers, chosen and shown.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use chancery_pki::SerialNumber;
use jiff::Timestamp;

use super::list::{object, short};
use crate::{
    plugin::output::{Cell, Format, Table, Tone, escaped, plain},
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

/// Writes lines. `several`: whether they may be of more than one register.
///
/// # Errors
/// Where `out` cannot be written.
pub fn lines(lines: &[(RegisterId, &Written)], several: bool, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table | Format::Wide => table(lines, several, format == Format::Wide, out),
        Format::Json | Format::Yaml => lines.iter().try_for_each(|(id, line)| writeln!(out, "{}", as_it_comes(id, line, several, format)?)),
        Format::Name => {
            let registers: BTreeSet<RegisterId> = lines.iter().map(|(id, _)| *id).collect();
            registers.iter().try_for_each(|id| writeln!(out, "{}", object(&id.to_string())))
        }
    }
}

fn table(lines: &[(RegisterId, &Written)], several: bool, wide: bool, out: &mut dyn Write) -> io::Result<()> {
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

/// One line, as it comes, without the line feed at its end.
///
/// # Errors
/// None: a line that was read can be written.
pub fn as_it_comes(id: &RegisterId, line: &Written, several: bool, format: Format) -> io::Result<String> {
    Ok(match format {
        Format::Table | Format::Wide => {
            let register = if several { format!("{:<16}  ", short(&id.to_string())) } else { String::new() };
            let entry = &line.line.entry;
            let more = match &entry.serial {
                _ if format == Format::Table => String::new(),
                Some(serial) => format!("  by {}, serial {serial}", entry.actor),
                None => format!("  by {}", entry.actor),
            };
            plain(&format!("{register}{}{more}", line.line.show()))
        }
        Format::Json => escaped(&line.text),
        Format::Yaml => {
            let value: serde_yaml::Value = serde_json::from_str(&line.text)?;
            format!("---\n{}", serde_yaml::to_string(&value).map_err(io::Error::other)?.trim_end_matches('\n'))
        }
        Format::Name => object(&id.to_string()),
    })
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
