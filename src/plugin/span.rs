//! How long, in the words of kubectl: the largest unit that says enough.

use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A duration, without its sign: `90s`, `12m`, `47h`, `89d`, `10y`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().saturating_abs();
    let (count, unit) = match seconds {
        _ if seconds >= 2 * YEAR => (seconds / YEAR, 'y'),
        _ if seconds >= 2 * DAY => (seconds / DAY, 'd'),
        _ if seconds >= 2 * HOUR => (seconds / HOUR, 'h'),
        _ if seconds >= 2 * MINUTE => (seconds / MINUTE, 'm'),
        _ => (seconds, 's'),
    };
    format!("{count}{unit}")
}

/// When a time is, seen from another: `in 89d`, `3h ago`.
pub fn relative(time: Timestamp, now: Timestamp) -> String {
    let until = time.duration_since(now);
    if until.is_negative() { format!("{} ago", span(until)) } else { format!("in {}", span(until)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_says_enough_is_shown() {
        for (seconds, text) in
            [(0, "0s"), (119, "119s"), (-120, "2m"), (7_199, "119m"), (7_200, "2h"), (172_800, "2d"), (63_072_000, "2y"), (i64::MIN, "292471208677y")]
        {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(relative("2026-06-11T00:00:00Z".parse().unwrap(), now), "in 10d");
        assert_eq!(relative("2026-05-31T21:00:00Z".parse().unwrap(), now), "3h ago");
    }
}
