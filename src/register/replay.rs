//! From the documents of one register to its state: order, chain, overlap and what is missing.
//!
//! Pure. A register that does not hold together is reported with the reason; what stands before the break has been handed out.

use jiff::Timestamp;

use super::{
    layout::{self, Link, Part, RegisterId},
    line::{self, Line, Position, Written},
    store::Document,
    trim::Kept,
};

/// The head as it stands, and the lines in it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// None where there is no head yet.
    pub(super) resource_version: Option<String>,
    pub(super) link: Link,
    pub(super) lines: Vec<Written>,
}

impl Head {
    pub(super) fn none() -> Self {
        Self { resource_version: None, link: Link::none(), lines: Vec::new() }
    }

    /// Reads a head by itself: its lines follow its link.
    pub(super) fn read(document: &Document) -> Result<Self, String> {
        let link = document.link()?;
        let lines = line::read(&link.position(), document.lines()).map_err(|broken| format!("in ConfigMap {}, {broken}", document.name))?;
        Ok(Self { resource_version: document.resource_version.clone(), link, lines })
    }

    /// The last line, or what the link says of it.
    pub(super) fn end(&self) -> Position {
        self.lines.last().map_or_else(|| self.link.position(), Written::end)
    }
}

/// A sealed segment: enough of it to seal after it and to let it go.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
    pub(super) end: Position,
    pub(super) kept: Kept,
}

impl Segment {
    pub(super) fn of(document: &Document, lines: &[Written], end: Position) -> Self {
        Self {
            name: document.name.clone(),
            uid: document.uid.clone(),
            resource_version: document.resource_version.clone(),
            end,
            kept: Kept::of(lines.iter().map(|written| &written.line)),
        }
    }
}

/// A register as it was read.
#[derive(Clone, Debug)]
pub(super) struct Replayed {
    pub(super) head: Head,
    /// Sealed segments, oldest first, those that are given up and only wait to be deleted included.
    pub(super) segments: Vec<Segment>,
    /// Set when a segment holds lines that the head holds too: a seal that was not finished.
    pub(super) sealed: Option<Link>,
    pub(super) end: Position,
    pub(super) last_time: Timestamp,
}

impl Replayed {
    /// A register without a line.
    pub(super) fn none() -> Self {
        Self { head: Head::none(), segments: Vec::new(), sealed: None, end: Position::start(), last_time: Timestamp::MIN }
    }
}

/// Replays one register, handing each line that stands to `each`, in order and once.
pub(super) fn replay(id: &RegisterId, documents: &[Document], each: &mut dyn FnMut(&Written)) -> Result<Replayed, String> {
    let head = documents.iter().find(|document| document.name == id.name());
    let mut sealed: Vec<(u64, &Document)> =
        documents.iter().filter_map(|document| segment_start(document).map(|first| (first, document))).collect();
    sealed.sort_unstable_by_key(|(first, _)| *first);

    let Some(head) = head else {
        return match sealed.first() {
            None => Ok(Replayed::none()),
            Some((_, segment)) => Err(format!("its head {} is missing while its segment {} exists", id.name(), segment.name)),
        };
    };
    let head = Head::read(head)?;
    let mut chain = Chain { end: None, last_time: Timestamp::MIN, each };
    let mut segments = Vec::with_capacity(sealed.len());
    // The lines of segments that the head may hold too.
    let mut doubled: Vec<Written> = Vec::new();
    for (first, document) in sealed {
        let link = document.link()?;
        let before = Position { sequence: first - 1, hash: link.hash };
        let lines = line::read(&before, document.lines()).map_err(|broken| format!("in ConfigMap {}, {broken}", document.name))?;
        let Some(end) = lines.last().map(Written::end) else {
            return Err(format!("its segment {} has no line", document.name));
        };
        segments.push(Segment::of(document, &lines, end.clone()));
        if end.sequence < head.link.kept_from {
            continue;
        }
        chain.follow(&before, &lines, head.link.kept_from).map_err(|why| format!("before ConfigMap {}: {why}", document.name))?;
        if end.sequence > head.link.sequence {
            doubled.extend(lines);
        }
    }
    chain.follow_head(&head, &doubled)?;
    let sealed = segments.last().filter(|_| !doubled.is_empty()).map(|segment| Link {
        segment: segment.name.clone(),
        sequence: segment.end.sequence,
        hash: segment.end.hash.clone(),
        kept_from: head.link.kept_from,
    });
    let (end, last_time) = (head.end(), chain.last_time);
    Ok(Replayed { head, segments, sealed, end, last_time })
}

fn segment_start(document: &Document) -> Option<u64> {
    match layout::part_of(&document.name) {
        Some((_, Part::Segment { first })) if first > 0 => Some(first),
        _ => None,
    }
}

struct Chain<'a> {
    /// Where the lines so far end; none before the first document.
    end: Option<Position>,
    last_time: Timestamp,
    each: &'a mut dyn FnMut(&Written),
}

impl Chain<'_> {
    /// Lines that were read to follow `before` must follow what is here.
    fn follow(&mut self, before: &Position, lines: &[Written], kept_from: u64) -> Result<(), String> {
        match &self.end {
            None if before.sequence >= kept_from => return Err(missing(kept_from, before.sequence)),
            Some(end) if end.sequence < before.sequence => return Err(missing(end.sequence + 1, before.sequence)),
            Some(end) if end.sequence > before.sequence => return Err(format!("its lines from {} on stand twice", before.sequence + 1)),
            Some(end) if end.hash != before.hash => return Err(format!("line {} was changed, or belongs to another past", end.sequence)),
            _ => {}
        }
        for written in lines {
            self.push(&written.line)?;
            (self.each)(written);
        }
        self.end = lines.last().map(Written::end).or_else(|| Some(before.clone()));
        Ok(())
    }

    /// The head may begin with lines that stand in sealed segments already, word for word.
    fn follow_head(&mut self, head: &Head, doubled: &[Written]) -> Result<(), String> {
        if head.lines.len() < doubled.len() || head.lines.iter().zip(doubled).any(|(own, sealed)| own.text != sealed.text) {
            return Err("the head and a sealed segment hold different lines of the same sequence".to_owned());
        }
        let rest = &head.lines[doubled.len()..];
        let before = doubled.last().map_or_else(|| head.link.position(), Written::end);
        self.follow(&before, rest, head.link.kept_from).map_err(|why| format!("before the head: {why}"))
    }

    fn push(&mut self, line: &Line) -> Result<(), String> {
        if line.time < self.last_time {
            return Err(format!("line {} is earlier than the line before it", line.sequence));
        }
        self.last_time = line.time;
        Ok(())
    }
}

fn missing(from: u64, to: u64) -> String {
    format!("lines {from} to {to} are missing")
}

#[cfg(test)]
mod tests;
