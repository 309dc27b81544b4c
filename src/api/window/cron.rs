//! Cron expressions of five fields, and the times of day and dates that they mean.
//!
//! They mean what they mean to cert-manager and to a CronJob: a day field that is not limited (`*`) leaves the choice to the
//! other one, and of two that are limited either suffices; `*/2` is a limit. Civil time only: zones are not known here.

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Time},
};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Expressions that have a name.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// A field: what it counts, and from where to where.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    /// Its values by name, the first for `least`.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { what: "minute", least: 0, most: 59, names: &[] },
    Field { what: "hour", least: 0, most: 23, names: &[] },
    Field { what: "day of the month", least: 1, most: 31, names: &[] },
    Field { what: "month", least: 1, most: 12, names: &MONTHS },
    Field { what: "day of the week", least: 0, most: 6, names: &WEEKDAYS },
];

/// The values of a field: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Values {
    bits: u64,
    /// All of them were written as all.
    any: bool,
}

impl Values {
    fn has(self, value: u32) -> bool {
        self.next(value) == Some(value)
    }

    /// The least of them that is not below `from`.
    fn next(self, from: u32) -> Option<u32> {
        let rest = self.bits & u64::MAX.checked_shl(from)?;
        (rest != 0).then(|| rest.trailing_zeros())
    }
}

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Cron {
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    /// 0 is Sunday.
    weekdays: Values,
}

impl Cron {
    /// Reads an expression. What is wrong with it, and what would be right, is for people.
    pub(in crate::api) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let text = NAMED.iter().find(|(name, _)| *name == text).map_or(text, |(_, meaning)| meaning);
        if text.starts_with('@') {
            let names = NAMED.map(|(name, _)| name).join(", ");
            return Err(format!("has a name that is not known: use one of {names}, or five fields"));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let Ok(fields) = <[&str; 5]>::try_from(fields) else {
            let count = text.split_whitespace().count();
            let what = FIELDS.map(|field| field.what).join(", ");
            return Err(format!("has {count} fields: must have five ({what}), for example \"0 2 * * 6\""));
        };
        let [minute, hour, day, month, weekday] = FIELDS;
        let cron = Self {
            minutes: minute.values(fields[0])?,
            hours: hour.values(fields[1])?,
            days: day.values(fields[2])?,
            months: month.values(fields[3])?,
            weekdays: weekday.values(fields[4])?,
        };
        if cron.has_days() { Ok(cron) } else { Err("names days that no year has: its months are not that long".to_owned()) }
    }

    /// The first time at or after `from`, and not after `last`.
    pub(super) fn at_or_after(&self, from: DateTime, last: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut least = minutes_of(from);
        while date <= last.date() {
            if !self.months.has(number(date.month())) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                least = 0;
                continue;
            }
            if let Some(minute) = self.minute_of(date, least) {
                let time = Time::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
                return Some(date.to_datetime(time)).filter(|found| *found <= last);
            }
            date = date.tomorrow().ok()?;
            least = 0;
        }
        None
    }

    /// The first minute of this day that is meant and not below `least`.
    fn minute_of(&self, date: Date, least: u32) -> Option<u32> {
        if least >= MINUTES_OF_A_DAY || !self.is_day(date) {
            return None;
        }
        let (hour, minute) = (least / 60, least % 60);
        let within = || self.hours.has(hour).then(|| self.minutes.next(minute)).flatten().map(|minute| (hour, minute));
        let (hour, minute) = within().or_else(|| Some((self.hours.next(hour + 1)?, self.minutes.next(0)?)))?;
        Some(hour * 60 + minute)
    }

    fn is_day(&self, date: Date) -> bool {
        let day = self.days.has(number(date.day()));
        let weekday = self.weekdays.has(number(date.weekday().to_sunday_zero_offset()));
        if self.days.any || self.weekdays.any { day && weekday } else { day || weekday }
    }

    /// Whether there are such days at all: no 30 February.
    fn has_days(&self) -> bool {
        let longest = |month| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        !self.weekdays.any || (1..=12).any(|month| self.months.has(month) && self.days.next(1).is_some_and(|day| day <= longest(month)))
    }
}

impl Field {
    fn values(&self, text: &str) -> Result<Values, String> {
        let mut values = Values::default();
        for item in text.split(',') {
            let (bits, any) = self.item(item).ok_or_else(|| self.wrong(item))?;
            values.bits |= bits;
            values.any |= any;
        }
        Ok(values)
    }

    fn wrong(&self, item: &str) -> String {
        let Self { what, least, most, .. } = self;
        let names = match self.names {
            [first, .., last] => format!(" (or {first} to {last})"),
            _ => String::new(),
        };
        format!("has {item:?} for the {what}: use {least} to {most}{names}, *, a range (a-b), steps (*/n, a-b/n), or several with commas")
    }

    /// The values of one item of a list, and whether it is all of them.
    fn item(&self, item: &str) -> Option<(u64, bool)> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(digits(step).filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if matches!(range, "*" | "?") => (self.least, self.most),
            // What is stepped has no end but the field's own.
            None if step.is_some() => (self.value(range)?, self.most),
            None => (self.value(range)?, self.value(range)?),
        };
        if first > last {
            return None;
        }
        let step = step.unwrap_or(1);
        let any = matches!(range, "*" | "?") && step == 1;
        let stepped = (first..=last).step_by(usize::try_from(step).ok()?);
        // A week has one Sunday, which has two numbers.
        let bits = stepped.fold(0, |bits, value| bits | 1_u64 << if self.is_sunday(value) { 0 } else { value });
        Some((bits, any))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = named.map_or_else(|| digits(text), |place| Some(self.least + u32::try_from(place).ok()?))?;
        ((self.least..=self.most).contains(&value) || self.is_sunday(value)).then_some(value)
    }

    fn is_sunday(&self, value: u32) -> bool {
        self.most == 6 && value == 7
    }
}

/// At most three digits.
fn digits(text: &str) -> Option<u32> {
    (text.len() <= 3 && text.bytes().all(|octet| octet.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// How many minutes of its day have begun at that time, without that which begins with it.
fn minutes_of(time: DateTime) -> u32 {
    let begun = u32::from(time.second() > 0 || time.subsec_nanosecond() > 0);
    number(time.hour()) * 60 + number(time.minute()) + begun
}

fn number(value: i8) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
