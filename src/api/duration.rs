//! Durations as Go writes them (`2160h`, `1h30m`, `1.5s`), compared by value.
//!
//! Reading checks every step: a duration comes from an object that anybody may have written. Days and weeks are no
//! units, as in Go: a day is not always 24 hours.

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::SignedDuration;
use kube::core::Rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The longest text that is read as a duration, in octets.
pub const MAX_LENGTH: usize = 64;

/// What the API server accepts: each unit at most once, the largest first, with so few digits that their sum is below
/// Go's largest duration (2,562,047 hours). A bare number, a sign and `d` are refused.
pub const PATTERN: &str = r"^([0-9]{1,6}(\.[0-9]{1,9})?h)?([0-9]{1,7}(\.[0-9]{1,9})?m)?([0-9]{1,9}(\.[0-9]{1,9})?s)?([0-9]{1,12}(\.[0-9]{1,9})?ms)?([0-9]{1,15}(\.[0-9]{1,9})?us)?([0-9]{1,18}ns)?$";

const NANOSECOND: i128 = 1;
const MICROSECOND: i128 = 1_000;
const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;

/// A duration that is not negative and fits Go's `time.Duration`. Two are equal when they last equally long, however they were written.
///
/// Its text form is Go's: `2160h0m0s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(SignedDuration);

impl GoDuration {
    /// So many whole hours; those beyond Go's largest duration are cut off.
    pub const fn from_hours(hours: u32) -> Self {
        let hours = if hours > 2_562_047 { 2_562_047 } else { hours };
        Self(SignedDuration::from_secs(hours as i64 * 3600))
    }

    /// The duration for arithmetic.
    pub const fn get(self) -> SignedDuration {
        self.0
    }
}

impl From<GoDuration> for SignedDuration {
    fn from(duration: GoDuration) -> Self {
        duration.0
    }
}

impl TryFrom<SignedDuration> for GoDuration {
    type Error = DurationError;

    fn try_from(duration: SignedDuration) -> Result<Self, DurationError> {
        if duration.is_negative() {
            return Err(DurationError::Negative);
        }
        i64::try_from(duration.as_nanos()).map_err(|_| DurationError::TooLong)?;
        Ok(Self(duration))
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text.len() > MAX_LENGTH {
            return Err(DurationError::TooLong);
        }
        if text.starts_with('-') {
            return Err(DurationError::Negative);
        }
        if text == "0" {
            return Ok(Self::default());
        }
        if text.is_empty() {
            return Err(DurationError::Syntax);
        }
        let mut rest = text;
        let mut nanoseconds: i128 = 0;
        while !rest.is_empty() {
            let (part, after) = part(rest)?;
            nanoseconds = nanoseconds.checked_add(part).ok_or(DurationError::TooLong)?;
            rest = after;
        }
        let nanoseconds = i64::try_from(nanoseconds).map_err(|_| DurationError::TooLong)?;
        Ok(Self(SignedDuration::from_nanos(nanoseconds)))
    }
}

/// The nanoseconds of the first number with its unit, and what follows them.
fn part(text: &str) -> Result<(i128, &str), DurationError> {
    let (integer, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if integer.is_empty() && fraction.is_empty() {
        return Err(DurationError::Syntax);
    }
    let end = rest.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let unit = match unit {
        "h" => HOUR,
        "m" => MINUTE,
        "s" => SECOND,
        "ms" => MILLISECOND,
        // Go writes the first, the micro sign, and reads the Greek letter too.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ns" => NANOSECOND,
        "" => return Err(DurationError::NoUnit),
        _ => return Err(DurationError::Syntax),
    };
    let whole = number(integer).and_then(|integer| integer.checked_mul(unit)).ok_or(DurationError::TooLong)?;
    // 15 digits resolve a nanosecond in an hour; more would only overflow.
    let fraction = fraction.get(..15).unwrap_or(fraction);
    let scale = fraction.bytes().fold(1_i128, |scale, _| scale.saturating_mul(10));
    let below = number(fraction).and_then(|fraction| fraction.checked_mul(unit)).ok_or(DurationError::TooLong)? / scale;
    Ok((whole.checked_add(below).ok_or(DurationError::TooLong)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

/// The value of decimal digits, of none: zero. Nothing where it is too large.
fn number(digits: &str) -> Option<i128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        match nanoseconds {
            0 => formatter.write_str("0s"),
            1..MICROSECOND => write!(formatter, "{nanoseconds}ns"),
            MICROSECOND..MILLISECOND => write_decimal(formatter, nanoseconds, MICROSECOND, "\u{b5}s"),
            MILLISECOND..SECOND => write_decimal(formatter, nanoseconds, MILLISECOND, "ms"),
            _ => {
                let (hours, minutes) = (nanoseconds / HOUR, nanoseconds % HOUR / MINUTE);
                if hours > 0 {
                    write!(formatter, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(formatter, "{minutes}m")?;
                }
                write_decimal(formatter, nanoseconds % MINUTE, SECOND, "s")
            }
        }
    }
}

fn write_decimal(formatter: &mut fmt::Formatter<'_>, value: i128, unit: i128, name: &str) -> fmt::Result {
    write!(formatter, "{}", value / unit)?;
    let below = value % unit;
    if below > 0 {
        let width = usize::try_from(unit.ilog10()).unwrap_or_default();
        write!(formatter, ".{}", format!("{below:0width$}").trim_end_matches('0'))?;
    }
    formatter.write_str(name)
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("{:?}: {error}", shortened(&text))))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 2, "maxLength": MAX_LENGTH, "pattern": PATTERN })
    }
}

/// The CEL rule of a duration field: at least `least`.
///
/// CEL's `duration()` fails on a text that is none. The API server lets a stored object keep a value that a rule finds wrong,
/// but not one on which a rule fails: then not even its status could be written. So each text is matched first.
pub(super) fn at_least(least: &str) -> Rule {
    Rule::new(format!("{} && duration(self) >= duration('{least}')", readable("self")))
        .message(format!("must be at least {least}, as Go writes durations: 2160h or 90m").as_str())
}

/// The CEL rule of a duration field: at least `least` and at most `most`.
pub(super) fn between(least: &str, most: &str) -> Rule {
    Rule::new(format!("{} && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')", readable("self")))
        .message(format!("must be between {least} and {most}, as Go writes durations: 168h or 90m").as_str())
}

/// The CEL rule between two duration fields, each optional: `one` is less than `other` (by `comparison`, `<` or `<=`).
/// `present` says when both are there. It holds where either is no duration, which is for that field's rule to say.
pub(super) fn relation(present: &str, one: &str, comparison: &str, other: &str) -> String {
    format!("!({present}) || !({} && {}) || duration({one}) {comparison} duration({other})", readable(one), readable(other))
}

fn readable(path: &str) -> String {
    format!("size({path}) > 1 && {path}.matches(r'{PATTERN}')")
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DurationError {
    /// It is not numbers with units.
    #[error("not a duration; write numbers with the units h, m and s, as in 2160h or 1h30m (there is no unit for days)")]
    Syntax,
    /// A number has no unit.
    #[error("not a duration: a number has no unit; write for example 2160h or 90m")]
    NoUnit,
    /// It is below zero.
    #[error("a duration is not negative")]
    Negative,
    /// It is longer than Go's largest duration, about 292 years, or its text is too long.
    #[error("longer than the longest duration, 2562047h")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_by_value_and_written_as_go_writes_them() {
        let table = [
            ("0", "0s"),
            ("0s", "0s"),
            ("2160h", "2160h0m0s"),
            ("2160h0m0s", "2160h0m0s"),
            ("129600m", "2160h0m0s"),
            ("1h30m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            (".5h", "30m0s"),
            ("1.h", "1h0m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("100ms", "100ms"),
            ("1.25us", "1.25\u{b5}s"),
            ("1.25\u{b5}s", "1.25\u{b5}s"),
            ("1.25\u{3bc}s", "1.25\u{b5}s"),
            ("7ns", "7ns"),
            ("30m1h", "1h30m0s"),
            ("0.000000000000000000001h", "0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ];
        for (text, canonical) in table {
            let duration: GoDuration = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(duration.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse::<GoDuration>().unwrap(), duration, "{text}");
        }
        assert_eq!("2160h".parse::<GoDuration>(), "2160h0m0s".parse());
        assert!("59m".parse::<GoDuration>().unwrap() < "1h".parse().unwrap());
    }

    #[test]
    fn texts_that_are_no_duration_are_refused_with_what_is_wrong() {
        let table = [
            ("", DurationError::Syntax),
            ("h", DurationError::Syntax),
            (".h", DurationError::Syntax),
            ("1", DurationError::NoUnit),
            ("1h5", DurationError::NoUnit),
            ("1d", DurationError::Syntax),
            ("1w", DurationError::Syntax),
            ("+1h", DurationError::Syntax),
            ("1 h", DurationError::Syntax),
            ("1H", DurationError::Syntax),
            ("-1h", DurationError::Negative),
            ("1h-5m", DurationError::Syntax),
            ("1e3h", DurationError::Syntax),
            ("99999999999999999999h", DurationError::TooLong),
            ("9999999h", DurationError::TooLong),
            ("170141183460469231731687303715884105728h", DurationError::TooLong),
            ("2562047h47m16.854775808s", DurationError::TooLong),
            ("1h\u{0661}m", DurationError::Syntax),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<GoDuration>(), Err(expected), "{text:?}");
        }
        assert_eq!("1".repeat(65).parse::<GoDuration>(), Err(DurationError::TooLong));
    }

    #[test]
    fn a_number_in_json_is_no_duration_and_the_error_quotes_the_text() {
        assert!(serde_json::from_str::<GoDuration>("3600").is_err());
        let error = serde_json::from_str::<GoDuration>("\"1h-5m\"").unwrap_err().to_string();
        assert!(error.starts_with("\"1h-5m\": not a duration"), "{error}");
        assert_eq!(serde_json::to_string(&GoDuration::from_hours(1)).unwrap(), "\"1h0m0s\"");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<GoDuration>();
        }

        #[test]
        fn nothing_that_resembles_a_duration_makes_the_reader_panic(text in "([-+]?[0-9]{0,40}(\\.[0-9]{0,40})?(h|m|s|ms|us|ns|d|)){0,4}") {
            let _ = text.parse::<GoDuration>();
        }

        #[test]
        fn what_was_written_is_read_back_the_same(nanoseconds in 0..=i64::MAX) {
            let duration = GoDuration::try_from(SignedDuration::from_nanos(nanoseconds)).unwrap();
            prop_assert_eq!(duration.to_string().parse::<GoDuration>(), Ok(duration));
        }
    }
}
