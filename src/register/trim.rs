//! Which sealed segments may go: those whose every line has ended, oldest first.
//!
//! A line about a certificate ends 8 days after its notAfter: the certificate has expired, and one more revocation list
//! has been published. A line about a key that still lives, or is blocked, never ends; it is written again at the head before its segment
//! goes, so that one such line does not hold a whole register for ever. Pure: the time is an argument.

use std::{collections::HashSet, time::Duration};

use chancery_pki::KeyId;
use jiff::Timestamp;

use super::{
    line::{Act, Entry, Line},
    replay::Segment,
};

/// How long after its end a line is kept: a list's validity of 7 days, and a day.
pub const KEPT: Duration = Duration::from_hours(8 * 24);

/// How many lines are carried forward in one write: 10 KiB at most.
pub(super) const CARRIED: usize = 8;

/// What keeps a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// From when on none of its lines matters but those on keys; none when never.
    until: Option<Timestamp>,
    /// Lines on keys, which matter while the key lives.
    keys: Vec<Entry>,
}

impl Kept {
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Self {
        let mut until = Some(Timestamp::MIN);
        let mut keys = Vec::new();
        for line in lines {
            if is_about_key(&line.entry) {
                keys.push(line.entry.clone());
            }
            until = until.zip(end(line)).map(|(until, end)| until.max(end));
        }
        Self { until, keys }
    }
}

/// What a seal lets go.
#[derive(Debug, Default)]
pub(super) struct Trim {
    /// How many segments, the oldest first.
    pub(super) segments: usize,
    /// The first line that must still be there afterwards.
    pub(super) kept_from: Option<u64>,
    /// Entries to be written again at the head in the same write.
    pub(super) carried: Vec<Entry>,
}

/// Decides what may go. `standing` are the lines of the head; `lives` says whether a key was made or copied and not destroyed.
pub(super) fn trim<'a>(
    segments: &[Segment],
    standing: impl Iterator<Item = &'a Line>,
    lives: &dyn Fn(&KeyId) -> bool,
    now: Timestamp,
) -> Trim {
    let head = Kept::of(standing);
    let mut trim = Trim::default();
    for (index, segment) in segments.iter().enumerate() {
        if segment.kept.until.is_none_or(|until| until >= now) {
            break;
        }
        let later = segments[index + 1..].iter().flat_map(|segment| &segment.kept.keys).chain(&head.keys);
        let mut said: HashSet<(Act, KeyId)> = later.chain(&trim.carried).filter_map(|entry| Some((entry.act, entry.key_id?))).collect();
        // Of several lines that say the same, the last one is carried.
        let mut needed: Vec<&Entry> = segment
            .kept
            .keys
            .iter()
            .rev()
            // A key that is blocked stays so, whoever has it.
            .filter(|entry| entry.key_id.is_some_and(|key| (entry.act == Act::Blocked || lives(&key)) && said.insert((entry.act, key))))
            .collect();
        needed.reverse();
        let room = CARRIED - trim.carried.len();
        let all = needed.len() <= room;
        trim.carried.extend(needed.into_iter().take(room).cloned());
        if !all {
            // The rest follows at the next seal; the segment stays until then.
            break;
        }
        trim.segments = index + 1;
        trim.kept_from = Some(segment.end.sequence + 1);
    }
    trim
}

fn is_about_key(entry: &Entry) -> bool {
    matches!(entry.act, Act::Made | Act::Copied | Act::Retired | Act::Blocked) && entry.key_id.is_some()
}

/// When the line ceases to matter; none when it never does by time alone.
fn end(line: &Line) -> Option<Timestamp> {
    let last = match (line.entry.act, line.entry.not_after) {
        (Act::Unknown, _) | (Act::Revoked | Act::Held | Act::Released | Act::Pending, None) => return None,
        (_, not_after) => not_after.map_or(line.time, |not_after| not_after.max(line.time)),
    };
    last.checked_add(KEPT).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::line::{NO_LINE, Owner, Position};

    const DAY: Duration = Duration::from_hours(24);

    fn at(day: u32) -> Timestamp {
        Timestamp::UNIX_EPOCH + DAY * day
    }

    fn line(day: u32, act: Act, not_after: Option<u32>) -> Line {
        let owner = Owner { namespace: "default".into(), name: "web".into(), uid: "1".into() };
        let entry =
            Entry { not_after: not_after.map(at), key_id: Some(KeyId::of_spki(b"authority")), owner: Some(owner), ..Entry::new(act) };
        Line { sequence: 1, time: at(day), previous: NO_LINE.into(), entry }
    }

    fn segment(last: u64, lines: &[Line]) -> Segment {
        Segment {
            name: format!("to-{last}"),
            uid: None,
            resource_version: None,
            end: Position { sequence: last, hash: String::new() },
            kept: Kept::of(lines.iter()),
        }
    }

    #[test]
    fn a_segment_goes_eight_days_after_its_last_certificate_ended() {
        let segments = [segment(2, &[line(0, Act::Issued, Some(90)), line(1, Act::Refused, None)])];
        assert_eq!(trim(&segments, [].iter(), &|_| false, at(98)).segments, 0);
        let gone = trim(&segments, [].iter(), &|_| false, at(99));
        assert_eq!((gone.segments, gone.kept_from), (1, Some(3)));
    }

    #[test]
    fn a_segment_behind_one_that_stays_stays_too() {
        let segments = [segment(1, &[line(0, Act::Issued, Some(365))]), segment(2, &[line(1, Act::Issued, Some(2))])];
        assert_eq!(trim(&segments, [].iter(), &|_| false, at(100)).segments, 0);
    }

    #[test]
    fn acts_without_an_end_keep_their_segment() {
        for act in [Act::Unknown, Act::Revoked, Act::Held] {
            assert_eq!(trim(&[segment(1, &[line(0, act, None)])], [].iter(), &|_| false, at(4000)).segments, 0, "{act:?}");
        }
    }

    #[test]
    fn a_blocked_key_is_carried_forward_whoever_has_it() {
        let segments = [segment(2, &[line(0, Act::Blocked, None), line(0, Act::Blocked, None)])];
        let carried = trim(&segments, [].iter(), &|_| false, at(20));
        assert_eq!((carried.segments, carried.carried.len(), carried.carried[0].act), (1, 1, Act::Blocked));
    }

    #[test]
    fn the_lines_of_a_living_key_are_carried_forward_once() {
        let copied = [line(0, Act::Made, None), line(0, Act::Copied, None), line(0, Act::Copied, None)];
        let segments = [segment(3, &copied)];
        let carried = trim(&segments, [].iter(), &|_| true, at(20));
        assert_eq!(carried.segments, 1);
        assert_eq!(carried.carried.iter().map(|entry| entry.act).collect::<Vec<_>>(), [Act::Made, Act::Copied]);
        assert!(trim(&segments, copied.iter(), &|_| true, at(20)).carried.is_empty(), "they stand in the head already");
        assert!(trim(&segments, [].iter(), &|_| false, at(20)).carried.is_empty(), "the key was destroyed");
    }
}
