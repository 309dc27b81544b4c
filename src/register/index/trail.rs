//! Where a register ends, and the hashes of its lines: by these it is told whether a line that was seen once is still in its place.

use jiff::Timestamp;

use crate::register::line::{Position, Written};

/// How many lines are remembered; what was seen earlier than that cannot be told any more.
const LINES: usize = 65_536;
/// Octets of a hash that are kept.
const OCTETS: usize = 16;

/// Whether a line that was seen once still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It does.
    Yes,
    /// Another stands in its place, or none does: the register went back in time.
    No,
    /// It was given up when its time had passed, or is too long ago.
    Unknown,
}

/// Where a register ends, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its last line.
    pub position: Position,
    /// When that was written.
    pub time: Timestamp,
    /// Its first line; those before it were given up when their time had passed.
    pub kept_from: u64,
}

/// The hashes of the last lines of a register.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trail {
    end: Option<Position>,
    /// When the last line was written.
    time: Option<Timestamp>,
    hashes: std::collections::VecDeque<[u8; OCTETS]>,
}

impl Trail {
    pub(super) fn push(&mut self, written: &Written) {
        let end = written.end();
        if self.end.as_ref().is_some_and(|last| last.sequence.checked_add(1) != Some(end.sequence)) {
            self.hashes.clear();
        }
        self.hashes.push_back(shortened(&end.hash));
        if self.hashes.len() > LINES {
            self.hashes.pop_front();
        }
        self.end = Some(end);
        self.time = Some(written.line.time);
    }

    pub(super) fn end(&self) -> Position {
        self.end.clone().unwrap_or_else(Position::start)
    }

    pub(super) fn time(&self) -> Option<Timestamp> {
        self.time
    }

    pub(super) fn stands(&self, position: &Position) -> Stands {
        let end = self.end();
        if position.sequence == 0 {
            return Stands::Yes;
        }
        let Some(back) = end.sequence.checked_sub(position.sequence).and_then(|back| usize::try_from(back).ok()) else {
            return Stands::No;
        };
        match self.hashes.iter().rev().nth(back) {
            Some(hash) if *hash == shortened(&position.hash) => Stands::Yes,
            Some(_) => Stands::No,
            None => Stands::Unknown,
        }
    }

    #[cfg(test)]
    pub(super) fn forget_the_past(&mut self) {
        self.hashes.clear();
    }
}

/// The first octets of a hash in hexadecimal; what is no hash is like none.
fn shortened(hash: &str) -> [u8; OCTETS] {
    let mut octets = [0; OCTETS];
    for (index, octet) in octets.iter_mut().enumerate() {
        *octet = hash.get(2 * index..2 * index + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::line::{Act, Entry, Line, hash};

    fn trail(lines: u64) -> (Trail, Vec<Position>) {
        let (mut trail, mut positions, mut previous) = (Trail::default(), vec![Position::start()], Position::start().hash);
        for sequence in 1..=lines {
            let line = Line { sequence, time: Timestamp::UNIX_EPOCH, previous, entry: Entry::new(Act::Refused) };
            let written = Written { text: line.to_text(), line };
            previous = hash(&written.text);
            positions.push(written.end());
            trail.push(&written);
        }
        (trail, positions)
    }

    #[test]
    fn a_line_that_was_seen_stands_until_another_takes_its_place() {
        let (trail, positions) = trail(5);
        assert!(positions.iter().all(|position| trail.stands(position) == Stands::Yes));
        let other = Position { hash: positions[3].hash.clone(), sequence: 4 };
        assert_eq!(trail.stands(&other), Stands::No);
        assert_eq!(trail.stands(&Position { sequence: 6, hash: positions[5].hash.clone() }), Stands::No, "cut off");
        assert_eq!(Trail::default().stands(&positions[1]), Stands::No);
    }

    #[test]
    fn a_line_of_long_ago_is_not_known() {
        let (mut trail, positions) = trail(3);
        trail.hashes.pop_front();
        assert_eq!(trail.stands(&positions[1]), Stands::Unknown);
        assert_eq!(trail.stands(&positions[2]), Stands::Yes);
    }
}
