//! `kubectl chancery check`: whether the installation is right, and what removing it would leave.
//!
//! Facts are gathered first (`facts`), with the rights of the person who asks; what they mean is decided without a cluster (`judge`).
//! What may not be looked at is said, and counts as a warning.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::output::{Cell, Report, Table, Tone, plain};

mod facts;
mod judge;
mod removal;
mod responders;
pub mod rights;
#[cfg(test)]
mod tests;
pub(super) mod workloads;

pub use facts::{Facts, Question, gather};
pub use judge::judge;
pub use removal::{Removal, removal};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is right.
    Ok,
    /// It should be looked at, or could not be.
    Warning,
    /// It is wrong.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What, in a word.
    pub topic: &'static str,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Line {
    fn ok(topic: &'static str, found: impl Into<String>) -> Self {
        Self { topic, level: Level::Ok, found: found.into(), todo: None }
    }

    fn warning(topic: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { topic, level: Level::Warning, found: found.into(), todo: Some(todo.into()) }
    }

    fn failed(topic: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { topic, level: Level::Failed, found: found.into(), todo: Some(todo.into()) }
    }
}

/// How an installation stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The operator's namespace.
    pub operator_namespace: String,
    /// When it was looked at.
    pub at: Timestamp,
    /// What was looked at.
    pub lines: Vec<Line>,
}

impl Checked {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.lines.iter().all(|line| line.level != Level::Failed)
    }

    /// What is wrong, in a sentence, while it is waited for.
    pub fn waiting_for(&self) -> Option<String> {
        let wrong = self.lines.iter().find(|line| line.level == Level::Failed)?;
        Some(format!("{}: {}", wrong.topic, plain(&wrong.found)))
    }
}

impl Report for Checked {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(&["CHECK", "OUTCOME", "FOUND"]);
        for line in &self.lines {
            let outcome = match line.level {
                Level::Ok => Cell::new("ok", Tone::Good),
                Level::Warning => Cell::new("warning", Tone::Warning),
                Level::Failed => Cell::new("FAILED", Tone::Bad),
            };
            table.row([line.topic.into(), outcome, line.found.clone().into()]);
        }
        table.write(false, out)?;
        let todos: Vec<&Line> = self.lines.iter().filter(|line| line.todo.is_some()).collect();
        if !todos.is_empty() {
            writeln!(out, "\nWhat to do:")?;
        }
        for line in todos {
            let tone = if line.level == Level::Failed { Tone::Bad } else { Tone::Warning };
            writeln!(out, "- {} {}", tone.paint(&format!("{}:", line.topic)), plain(line.todo.as_deref().unwrap_or_default()))?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        vec![format!("namespace/{}", self.operator_namespace)]
    }
}
