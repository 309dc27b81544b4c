//! What became of each object, as a table for people, and what may be printed of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Fate, Migrated, Note, Outcome, yaml};

/// How the manifests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A stream of YAML documents.
    #[default]
    Yaml,
    /// One List, JSON.
    Json,
}

/// Which objects are printed and reported; all are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// Issuers and ClusterIssuers.
    Issuers,
    /// Certificates.
    Certificates,
}

impl Outcome {
    /// The same with some of its objects.
    #[must_use]
    pub fn only(mut self, only: Only) -> Self {
        let wanted = |kind: &str| match only {
            Only::All => true,
            Only::Issuers => ["Issuer", "ClusterIssuer"].contains(&kind),
            Only::Certificates => kind == "Certificate",
        };
        self.objects.retain(|migrated| wanted(&migrated.subject.kind));
        if only == Only::Issuers {
            self.absent_issuers.clear();
        }
        self
    }

    /// Whether an object was refused.
    pub fn refuses(&self) -> bool {
        self.objects.iter().any(|migrated| matches!(migrated.fate, Fate::Refused(_)))
    }

    /// The manifests.
    pub fn manifests(&self, format: Format) -> String {
        let carried = self.objects.iter().filter_map(|migrated| match &migrated.fate {
            Fate::Carried { object, .. } => Some(object),
            Fate::Refused(_) | Fate::LeftOut => None,
        });
        match format {
            Format::Yaml => yaml::stream(carried),
            Format::Json => {
                let list = json!({ "apiVersion": "v1", "kind": "List", "items": carried.collect::<Vec<&Value>>() });
                format!("{list:#}\n")
            }
        }
    }

    /// What became of each object: a line for each note, and how many there are.
    pub fn report(&self) -> String {
        let rows: Vec<[String; 4]> = self.objects.iter().flat_map(rows).collect();
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2)];
        let mut out = String::new();
        for [object, fate, field, note] in &rows {
            let [first, second, third] = widths;
            let line = format!("{object:<first$}  {fate:<second$}  {field:<third$}  {note}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
        let count = |wanted: fn(&Fate) -> bool| self.objects.iter().filter(|migrated| wanted(&migrated.fate)).count();
        let as_is = count(|fate| matches!(fate, Fate::Carried { differences, .. } if differences.is_empty()));
        let differing = count(|fate| matches!(fate, Fate::Carried { differences, .. } if !differences.is_empty()));
        let (refused, left_out) = (count(|fate| matches!(fate, Fate::Refused(_))), count(|fate| *fate == Fate::LeftOut));
        let _ = writeln!(out, "{as_is} carried as they are, {differing} with a difference, {refused} refused, {left_out} left out");
        if !self.absent_issuers.is_empty() {
            let _ = writeln!(out, "not among what was read, and needed: {}", plain(&self.absent_issuers.join(", ")));
        }
        out
    }
}

fn rows(migrated: &Migrated) -> Vec<[String; 4]> {
    let object = plain(&migrated.subject.to_string());
    let of_notes = |fate: &str, notes: &[Note]| {
        let rows = notes.iter().enumerate().map(|(index, note)| {
            let (object, fate) = if index == 0 { (object.clone(), fate.to_owned()) } else { (String::new(), String::new()) };
            [object, fate, plain(&note.field), plain(&note.text)]
        });
        rows.collect()
    };
    match &migrated.fate {
        Fate::Carried { differences, .. } if differences.is_empty() => vec![[object, "carried".to_owned(), String::new(), String::new()]],
        Fate::Carried { differences, .. } => of_notes("differs", differences),
        Fate::Refused(reasons) => of_notes("REFUSED", reasons),
        Fate::LeftOut => Vec::new(),
    }
}

/// A terminal does what control characters say, and anyone may have written them.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}
