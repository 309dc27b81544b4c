//! A register looked through for a person: every fault by its name, and what is sound besides.
//!
//! Replay ends at the first thing that does not hold together. Here it is told what was done: a line altered, missing, moved, standing
//! twice; a segment or the head gone; the end cut off, by what a checkpoint, a list or an older copy remembers of it. Pure.

mod fault;
mod search;

use super::{
    layout::RegisterId,
    line::{Position, Written, hash},
    replay::replay,
    store::Document,
};
use search::Search;

pub use fault::Fault;

/// A register as it stands.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Which.
    pub id: RegisterId,
    /// Its lines in the order of their sequences, those included that are at fault and can be read.
    pub lines: Vec<Written>,
    /// The first line that must be there.
    pub kept_from: u64,
    /// What is wrong, the lowest line first.
    pub faults: Vec<Fault>,
}

/// A line that somebody remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Who, as the subject of a sentence.
    pub who: String,
    /// The last line that they saw.
    pub position: Position,
}

impl Examined {
    /// Looks through the documents of one register, all of one moment; those of others are passed over.
    pub fn of(id: RegisterId, documents: &[Document]) -> Self {
        let own: Vec<Document> = documents.iter().filter(|document| document.register() == Some(id)).cloned().collect();
        let mut search = Search::default();
        let kept_from = search.gather(id, &own);
        search.order();
        let mut lines = search.sorted();
        search.gaps(id, &own, &lines, kept_from);
        search.chain(&lines);
        let mut faults = search.faults;
        if faults.is_empty()
            && let Err(why) = replay(&id, &own, &mut |_| {})
        {
            faults.push(Fault::Other { why });
        }
        faults.sort_by_key(Fault::place);
        lines.retain(|line| line.line.sequence >= kept_from);
        Self { id, lines, kept_from, faults }
    }

    /// The same of lines that stand by themselves, as in an export or a log. What came before them is not missed.
    pub fn of_lines(id: RegisterId, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut search = Search::default();
        let mut last = None;
        for text in texts {
            last = Some(search.take(text.as_ref(), last));
        }
        search.order();
        let lines = search.sorted();
        let kept_from = lines.first().map_or(1, |first| first.line.sequence);
        search.gaps(id, &[], &lines, kept_from);
        search.chain(&lines);
        search.faults.sort_by_key(Fault::place);
        Self { id, lines, kept_from, faults: search.faults }
    }

    /// Where it ends.
    pub fn end(&self) -> Position {
        self.lines.last().map_or_else(|| Position { sequence: self.kept_from.saturating_sub(1), ..Position::start() }, Written::end)
    }

    /// The line in this place.
    pub fn line(&self, sequence: u64) -> Option<&Written> {
        let place = self.lines.binary_search_by_key(&sequence, |line| line.line.sequence).ok()?;
        self.lines.get(place)
    }

    /// Compares it with what somebody remembers of it. What was given up since is not looked for.
    pub fn compare(&mut self, anchor: &Anchor) {
        let Anchor { who, position } = anchor;
        let (end, was) = (self.lines.last().map_or(0, |last| last.line.sequence), position.sequence);
        let fault = if was > end.max(self.kept_from.saturating_sub(1)) {
            Fault::CutOff { end, was, who: who.clone() }
        } else {
            match self.line(was) {
                Some(line) if hash(&line.text) != position.hash => Fault::Altered {
                    sequence: was,
                    why: format!("{who} remembers another line {was}; or the register went back and went on otherwise"),
                },
                _ => return,
            }
        };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Compares it with an older copy, and tells the first line that is not the same.
    pub fn compare_copy(&mut self, who: &str, copy: &[Written]) {
        let different = copy.iter().find(|old| self.line(old.line.sequence).is_some_and(|line| line.text != old.text));
        if let Some(old) = different {
            let sequence = old.line.sequence;
            self.faults.push(Fault::Altered {
                sequence,
                why: format!("{who} has another line {sequence}; or the register went back and went on otherwise"),
            });
        }
        if let Some(last) = copy.last()
            && different.is_none()
        {
            self.compare(&Anchor { who: who.to_owned(), position: last.end() });
        }
    }
}

#[cfg(test)]
mod tests;
