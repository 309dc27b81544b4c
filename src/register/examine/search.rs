//! The search for what is wrong with a register, in steps: what is there, in which order, what is not there, what does not fit.
//!
//! Each step goes on after a fault. It decides nothing: what to do about a fault is a person's to say.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use crate::register::{
    layout::{self, Link, Part, RegisterId},
    line::{Line, Position, Written, hash},
    store::Document,
};

/// A line in the order in which it stands.
struct Stands {
    sequence: u64,
    /// None for one that cannot be read.
    written: Option<Written>,
}

/// Takes in the lines of a register one by one, and notes what is wrong.
#[derive(Default)]
pub(super) struct Search {
    pub(super) faults: Vec<Fault>,
    standing: Vec<Stands>,
}

impl Search {
    /// Takes in all lines as they stand: segments by their names, then the head. Returns from which line on the register is kept.
    pub(super) fn gather(&mut self, id: RegisterId, documents: &[Document]) -> u64 {
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
    pub(super) fn take(&mut self, text: &str, after: Option<u64>) -> u64 {
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
    pub(super) fn order(&mut self) {
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

    pub(super) fn sorted(&self) -> Vec<Written> {
        let mut lines: Vec<Written> = self.standing.iter().filter_map(|stands| stands.written.clone()).collect();
        lines.sort_by_key(|line| line.line.sequence);
        lines
    }

    /// What is not there at all.
    pub(super) fn gaps(&mut self, id: RegisterId, documents: &[Document], lines: &[Written], kept_from: u64) {
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
    pub(super) fn chain(&mut self, lines: &[Written]) {
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
mod tests {
    use super::*;

    #[test]
    fn the_fewest_lines_that_explain_the_order_were_moved() {
        assert_eq!(longest_ascent(&[4, 1, 2, 3, 5]), [1, 2, 3, 4].into());
        assert_eq!(longest_ascent(&[]), BTreeSet::new());
    }
}
