//! Spans of time as kubectl shows them (`12d`, `3h25m`), and as people write them in flags (`30d`).

use jiff::{SignedDuration, Timestamp};

use crate::api::GoDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// A span, exact enough for its length and as short as kubectl writes it. What is negative counts as nothing.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let two = |one: i64, unit: &str, rest: i64, smaller: &str| match rest {
        0 => format!("{one}{unit}"),
        rest => format!("{one}{unit}{rest}{smaller}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// When something is or was: `in 12d`, `3h ago`.
pub fn when(time: Timestamp, now: Timestamp) -> String {
    if time > now { format!("in {}", span(time.duration_since(now))) } else { format!("{} ago", span(now.duration_since(time))) }
}

/// A moment and how far it is: `2026-03-02T12:00:00Z (in 12d)`.
pub fn moment(time: Timestamp, now: Timestamp) -> String {
    format!("{time} ({})", when(time, now))
}

/// A span as people write it in a flag: days first where there are any, then as Go writes durations: `30d`, `1d12h`, `90m`.
///
/// # Errors
/// Says what would be right.
pub fn read(text: &str) -> Result<SignedDuration, String> {
    let problem = || format!("{text:?} is no span of time; write it as 30d, 1d12h or 90m");
    let (days, rest) = text.split_once('d').unwrap_or(("0", text));
    let days = days.parse::<u32>().map_err(|_| problem())?;
    let rest = if rest.is_empty() && text.ends_with('d') {
        SignedDuration::ZERO
    } else {
        rest.parse::<GoDuration>().map_err(|_| problem())?.get()
    };
    SignedDuration::from_hours(i64::from(days) * 24).checked_add(rest).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_kubectl_writes_it() {
        let rows = [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (7 * HOUR + 25 * MINUTE, "7h25m"),
            (2 * DAY - 1, "47h"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY + HOUR, "8d"),
            (90 * DAY - 300, "89d"),
            (2 * YEAR + 34 * DAY, "2y34d"),
            (30 * YEAR, "30y"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(span(SignedDuration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_moment_ahead_is_told_from_one_behind() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(when(at(100), at(40)), "in 60s");
        assert_eq!(when(at(40), at(100)), "60s ago");
        assert_eq!(moment(at(0), at(60)), "1970-01-01T00:00:00Z (60s ago)");
    }

    #[test]
    fn days_may_be_written_and_anything_else_is_refused_with_what_would_be_right() {
        let rows = [("30d", 30 * DAY), ("1d12h", 36 * HOUR), ("90m", 90 * MINUTE), ("0d", 0), ("720h", 30 * DAY)];
        for (text, seconds) in rows {
            assert_eq!(read(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "d", "30", "-1d", "1.5d", "30days", "1h1d", "99999999999d", "1d-1h"] {
            assert!(read(bad).is_err_and(|problem| problem.contains("30d")), "{bad}");
        }
    }
}
