//! Reports as text: headings, fields, tables.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{ConditionLine, EventLine, Next};
use crate::plugin::{
    output::{Cell, Table, Tone, plain},
    span::{moment, span, when},
};

/// How wide the names of fields are.
const WIDTH: usize = 15;

/// Writes a report part by part.
pub(super) struct Page<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) now: Timestamp,
}

impl Page<'_> {
    /// The first line.
    pub(super) fn title(&mut self, what: &str, word: &str, tone: Tone) -> io::Result<()> {
        writeln!(self.out, "{}: {}", plain(what), tone.paint(word))
    }

    /// A new part.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n{}", plain(text))
    }

    /// A field; nothing where it is empty.
    pub(super) fn field(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.toned(name, value, Tone::Plain)
    }

    pub(super) fn toned(&mut self, name: &str, value: &str, tone: Tone) -> io::Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        let value = if tone == Tone::Plain { plain(value) } else { tone.paint(value) };
        writeln!(self.out, "  {name:<WIDTH$} {value}")
    }

    pub(super) fn some(&mut self, name: &str, value: Option<&str>) -> io::Result<()> {
        self.field(name, value.unwrap_or_default())
    }

    /// A time as a field.
    pub(super) fn time(&mut self, name: &str, time: Option<Timestamp>) -> io::Result<()> {
        self.field(name, &time.map(|time| moment(time, self.now)).unwrap_or_default())
    }

    pub(super) fn conditions(&mut self, conditions: &[ConditionLine]) -> io::Result<()> {
        let mut said = "";
        for line in conditions {
            let tone = if line.well {
                Tone::Good
            } else if line.type_ == "Ready" || line.type_ == "Stalled" {
                Tone::Bad
            } else {
                Tone::Warning
            };
            let since = span(self.now.duration_since(line.since));
            let head = tone.paint(&format!("{:<7}", line.status));
            writeln!(self.out, "  {:<WIDTH$} {head} {} (for {since})", plain(&line.type_), plain(&line.reason))?;
            // Ready, Issuing and Stalled often say the same.
            if !line.message.is_empty() && line.message != said {
                said = &line.message;
                writeln!(self.out, "  {:<WIDTH$} {}", "", plain(&line.message))?;
            }
            if let Some(advice) = line.advice {
                writeln!(self.out, "  {:<WIDTH$} What to do: {}", "", plain(advice))?;
            }
        }
        Ok(())
    }

    pub(super) fn events(&mut self, events: &[EventLine]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.heading("Events")?;
        let mut table = Table::new(&["LAST SEEN", "TYPE", "REASON", "MESSAGE"]);
        for event in events {
            let tone = if event.type_ == "Normal" { Tone::Plain } else { Tone::Warning };
            let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
            table.row([
                event.time.map(|time| when(time, self.now)).unwrap_or_default().into(),
                Cell::new(event.type_.clone(), tone),
                event.reason.clone().into(),
                format!("{}{times}", event.message).into(),
            ]);
        }
        self.table(&table)
    }

    /// A table below its heading.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        let mut text = Vec::new();
        table.write(true, &mut text)?;
        String::from_utf8_lossy(&text).lines().try_for_each(|line| writeln!(self.out, "  {line}"))
    }

    pub(super) fn next(&mut self, next: &[Next]) -> io::Result<()> {
        if next.is_empty() {
            return Ok(());
        }
        self.heading("What comes next")?;
        for one in next {
            let when = one.at.map(|at| format!("{}: ", moment(at, self.now))).unwrap_or_default();
            writeln!(self.out, "  {when}{}", plain(&one.what))?;
        }
        Ok(())
    }

    pub(super) fn unread(&mut self, unread: &[String]) -> io::Result<()> {
        if unread.is_empty() {
            return Ok(());
        }
        self.heading("Not looked at")?;
        unread.iter().try_for_each(|what| writeln!(self.out, "  {}", Tone::Warning.paint(what)))
    }
}
