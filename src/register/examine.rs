//! A register looked through for a person: every fault by its name, and what is sound besides.
//!
//! Replay ends at the first thing that does not hold together. Here it is told what was done: a line altered, missing, moved, standing
//! twice; a segment or the head gone; the end cut off, by what a checkpoint, a list or an older copy remembers of it. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    layout::{self, Link, Part, RegisterId},
    line::{Line, Position, Written, hash},
    replay::replay,
    store::Document,
};

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

/// One thing that is wrong with a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The head is not there, and segments are.
    HeadGone {
        /// Its ConfigMap.
        name: String,
    },
    /// A sealed segment is not there.
    SegmentMissing {
        /// Its ConfigMap.
        name: String,
        /// Its first line that is not there.
        from: u64,
        /// Its last.
        to: u64,
    },
    /// Lines are not there.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A line is not what it was.
    Altered {
        /// Its place.
        sequence: u64,
        /// How that shows.
        why: String,
    },
    /// A line does not stand in its place.
    Moved {
        /// The place that it names.
        sequence: u64,
        /// The line before which it stands; none at the end.
        before: Option<u64>,
    },
    /// Two lines name the same place.
    Twice {
        /// The place.
        sequence: u64,
    },
    /// The end is not there.
    CutOff {
        /// The last line that is there.
        end: u64,
        /// The last line that there was.
        was: u64,
        /// Who remembers it.
        who: String,
    },
    /// Another thing, as the operator finds it.
    Other {
        /// What.
        why: String,
    },
}

impl Fault {
    /// What was done, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::HeadGone { .. } => "head gone",
            Self::SegmentMissing { .. } => "segment missing",
            Self::Missing { .. } => "missing",
            Self::Altered { .. } => "altered",
            Self::Moved { .. } => "moved",
            Self::Twice { .. } => "twice",
            Self::CutOff { .. } => "cut off",
            Self::Other { .. } => "unsound",
        }
    }

    fn place(&self) -> u64 {
        match self {
            Self::HeadGone { .. } | Self::Other { .. } => u64::MAX,
            Self::SegmentMissing { from, .. } | Self::Missing { from, .. } => *from,
            Self::Altered { sequence, .. } | Self::Moved { sequence, .. } | Self::Twice { sequence } => *sequence,
            Self::CutOff { end, .. } => *end,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadGone { name } => write!(formatter, "the head is gone: there is no ConfigMap {name}, and there are segments of it"),
            Self::SegmentMissing { name, from, to } => {
                write!(formatter, "a segment is missing: there is no ConfigMap {name}, and {} with it", are_gone(*from, *to))
            }
            Self::Missing { from, to } if from == to => write!(formatter, "line {from} is missing"),
            Self::Missing { from, to } => write!(formatter, "lines {from} to {to} are missing"),
            Self::Altered { sequence, why } => write!(formatter, "line {sequence} was altered: {why}"),
            Self::Moved { sequence, before: Some(before) } => {
                write!(formatter, "line {sequence} was moved: it stands before line {before}")
            }
            Self::Moved { sequence, before: None } => write!(formatter, "line {sequence} was moved: it stands at the end"),
            Self::Twice { sequence } => write!(formatter, "line {sequence} stands twice"),
            Self::CutOff { end: 0, was, who } => write!(formatter, "the register is gone: {who} remembers {was} lines"),
            Self::CutOff { end, was, who } => write!(formatter, "the end was cut off after line {end}: {who} remembers line {was}"),
            Self::Other { why } => formatter.write_str(why),
        }
    }
}

fn are_gone(from: u64, to: u64) -> String {
    if from == to { format!("line {from} is gone") } else { format!("lines {from} to {to} are gone") }
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
        let own: Vec<Document> =
            documents.iter().filter(|document| layout::part_of(&document.name).is_some_and(|(of, _)| of == id)).cloned().collect();
        let mut search = Search { faults: Vec::new(), standing: Vec::new() };
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
        let mut search = Search { faults: Vec::new(), standing: Vec::new() };
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

/// A line in the order in which it stands.
struct Stands {
    sequence: u64,
    /// None for one that cannot be read.
    written: Option<Written>,
}

struct Search {
    faults: Vec<Fault>,
    standing: Vec<Stands>,
}

impl Search {
    /// Takes in all lines as they stand: segments by their names, then the head. Returns from which line on the register is kept.
    fn gather(&mut self, id: RegisterId, documents: &[Document]) -> u64 {
        let head = documents.iter().find(|document| document.name == id.name());
        let mut segments: Vec<(u64, &Document)> = documents
            .iter()
            .filter_map(|document| match layout::part_of(&document.name) {
                Some((_, Part::Segment { first })) => Some((first, document)),
                _ => None,
            })
            .collect();
        segments.sort_unstable_by_key(|(first, _)| *first);
        if head.is_none() && !segments.is_empty() {
            self.faults.push(Fault::HeadGone { name: id.name() });
        }
        let link = head.map_or_else(Link::none, |head| self.link(head));
        let mut last = None;
        let mut sealed: Vec<&str> = Vec::new();
        for (first, document) in segments {
            // What was given up only waits to be deleted.
            let ends_before = document.lines().lines().last().and_then(|line| serde_json::from_str::<Line>(line).ok());
            if ends_before.is_some_and(|line| line.sequence < link.kept_from) {
                continue;
            }
            let mut before = Some(first.saturating_sub(1));
            for text in document.lines().lines() {
                before = Some(self.take(text, before));
                sealed.push(text);
            }
            last = before;
        }
        // A seal that was not finished: the head still begins with lines of the last segment.
        let own: Vec<&str> = head.map_or_else(Vec::new, |head| head.lines().lines().collect());
        let doubled = (1..=own.len().min(sealed.len())).rev().find(|count| sealed.ends_with(&own[..*count])).unwrap_or(0);
        let mut last = last.or(Some(link.sequence));
        for text in &own[doubled..] {
            last = Some(self.take(text, last));
        }
        link.kept_from
    }

    fn link(&mut self, document: &Document) -> Link {
        document.link().unwrap_or_else(|why| {
            self.faults.push(Fault::Other { why });
            Link::none()
        })
    }

    /// Takes in a line that stands after one with this sequence; returns its own.
    fn take(&mut self, text: &str, after: Option<u64>) -> u64 {
        match serde_json::from_str::<Line>(text) {
            Ok(line) => {
                let sequence = line.sequence;
                self.standing.push(Stands { sequence, written: Some(Written { text: text.to_owned(), line }) });
                sequence
            }
            Err(error) => {
                let sequence = after.map_or(1, |after| after.saturating_add(1));
                self.faults.push(Fault::Altered { sequence, why: format!("it is no line of a register any more ({error})") });
                self.standing.push(Stands { sequence, written: None });
                sequence
            }
        }
    }

    /// What does not stand in its place: as few lines as explain the order.
    fn order(&mut self) {
        let mut seen = BTreeSet::new();
        let mut twice = Vec::new();
        self.standing.retain(|stands| {
            let first = seen.insert(stands.sequence);
            if !first {
                twice.push(stands.sequence);
            }
            first
        });
        self.faults.extend(twice.into_iter().map(|sequence| Fault::Twice { sequence }));
        let sequences: Vec<u64> = self.standing.iter().map(|stands| stands.sequence).collect();
        let in_order = longest_ascent(&sequences);
        for (place, sequence) in sequences.iter().enumerate() {
            if !in_order.contains(&place) {
                let before = (place + 1..sequences.len()).find(|place| in_order.contains(place)).map(|place| sequences[place]);
                self.faults.push(Fault::Moved { sequence: *sequence, before });
            }
        }
    }

    fn sorted(&self) -> Vec<Written> {
        let mut lines: Vec<Written> = self.standing.iter().filter_map(|stands| stands.written.clone()).collect();
        lines.sort_by_key(|line| line.line.sequence);
        lines
    }

    /// What is not there at all.
    fn gaps(&mut self, id: RegisterId, documents: &[Document], lines: &[Written], kept_from: u64) {
        let mut there: BTreeSet<u64> = self.standing.iter().map(|stands| stands.sequence).collect();
        let links: Vec<Link> = documents.iter().filter_map(|document| document.link().ok()).collect();
        // The head says what was sealed before it.
        let sealed = links.iter().map(|link| link.sequence).max().unwrap_or(0);
        let last = lines.last().map_or(0, |last| last.line.sequence).max(sealed);
        there.retain(|sequence| *sequence >= kept_from);
        let mut next = kept_from;
        let mut gaps = Vec::new();
        for sequence in there.into_iter().chain([last.saturating_add(1)]) {
            if sequence > next {
                gaps.push((next, sequence - 1));
            }
            next = next.max(sequence.saturating_add(1));
        }
        let named: BTreeMap<u64, &str> = links.iter().map(|link| (link.sequence, link.segment.as_str())).collect();
        for (from, to) in gaps {
            let missing = named.range(from..=to).next_back().filter(|(_, name)| !documents.iter().any(|document| document.name == **name));
            self.faults.push(match missing {
                Some((_, name)) if !name.is_empty() => Fault::SegmentMissing { name: (*name).to_owned(), from, to },
                _ if documents.iter().any(|document| document.name == id.name()) || documents.is_empty() => Fault::Missing { from, to },
                _ => continue,
            });
        }
    }

    /// Which lines are not what they were: each carries the hash of the one before it.
    fn chain(&mut self, lines: &[Written]) {
        let known: BTreeSet<u64> = self.faults.iter().filter(|fault| matches!(fault, Fault::Altered { .. })).map(Fault::place).collect();
        let mut broken = BTreeSet::new();
        for pair in lines.windows(2) {
            let [before, line] = pair else { continue };
            let sequence = line.line.sequence;
            if before.line.sequence + 1 != sequence {
                continue;
            }
            if hash(&before.text) != line.line.previous {
                broken.insert(sequence);
            } else if line.line.time < before.line.time {
                self.faults.push(Fault::Altered { sequence, why: "it is earlier than the line before it".to_owned() });
            }
        }
        let last = lines.last().map_or(0, |last| last.line.sequence);
        let mut explained = 0;
        for sequence in broken.iter().copied() {
            if sequence <= explained || known.contains(&sequence) || known.contains(&(sequence - 1)) {
                continue;
            }
            // Two that do not fit in a row have one line between them, which is at fault.
            let (altered, why) = if broken.contains(&(sequence + 1)) {
                explained = sequence + 1;
                (sequence, format!("neither does it carry the hash of line {}, nor line {} its own", sequence - 1, sequence + 1))
            } else if sequence == last {
                (sequence - 1, format!("line {sequence}, the last one, carries another hash; or that one was altered"))
            } else {
                (sequence - 1, format!("line {sequence} carries another hash"))
            };
            self.faults.push(Fault::Altered { sequence: altered, why });
        }
        if lines.first().is_some_and(|first| first.line.sequence == 1 && first.line.previous != Position::start().hash) {
            self.faults.push(Fault::Altered { sequence: 1, why: "it claims a line before it".to_owned() });
        }
    }
}

/// The places of a longest strictly ascending choice of these numbers.
fn longest_ascent(numbers: &[u64]) -> BTreeSet<usize> {
    // For each length the place of the smallest number that ends such a choice.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![usize::MAX; numbers.len()];
    for (place, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|end| numbers[*end] < *number);
        if length > 0 {
            before[place] = ends[length - 1];
        }
        if length == ends.len() {
            ends.push(place);
        } else {
            ends[length] = place;
        }
    }
    let mut chosen = BTreeSet::new();
    let mut place = ends.last().copied().unwrap_or(usize::MAX);
    while place != usize::MAX {
        chosen.insert(place);
        place = before[place];
    }
    chosen
}

#[cfg(test)]
mod tests;
