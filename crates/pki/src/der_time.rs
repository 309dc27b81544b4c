//! Times in DER: UTCTime and GeneralizedTime, as RFC 5280 section 4.1.2.5 writes them, to the second and in UTC.
//!
//! A list holds a time for each of its entries, up to a million: nothing here allocates for one.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

use crate::tlv::{self, Malformed, tag};

/// The time cannot be written: it lies before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange(pub(crate) Timestamp);

/// Writes a `Time`: UTCTime through 2049, GeneralizedTime from 2050. Parts of a second are cut off.
pub(crate) fn write(out: &mut Vec<u8>, time: Timestamp) -> Result<(), OutOfRange> {
    let civil = civil(time)?;
    if civil.year() < 2050 {
        let text = text(civil);
        tlv::write(out, tag::UTC_TIME, &text[2..]);
    } else {
        tlv::write(out, tag::GENERALIZED_TIME, &text(civil));
    }
    Ok(())
}

/// Writes a GeneralizedTime. Parts of a second are cut off.
pub(crate) fn write_generalized(out: &mut Vec<u8>, time: Timestamp) -> Result<(), OutOfRange> {
    tlv::write(out, tag::GENERALIZED_TIME, &generalized(time)?);
    Ok(())
}

/// The contents of a GeneralizedTime.
pub(crate) fn generalized(time: Timestamp) -> Result<[u8; 15], OutOfRange> {
    civil(time).map(text)
}

/// Reads a UTCTime or a GeneralizedTime, whichever the tag says. A time of the last hours of 9999, by which RFC 5280 means
/// that there is no end, is beyond what is counted here and reads as the last that is not.
pub(crate) fn read(value: &tlv::Value<'_>) -> Result<Timestamp, Malformed> {
    let (year, rest) = match (value.tag, value.contents) {
        (tag::UTC_TIME, [year @ .., _, _, _, _, _, _, _, _, _, _, _]) if year.len() == 2 => {
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &value.contents[2..])
        }
        (tag::GENERALIZED_TIME, [year @ .., _, _, _, _, _, _, _, _, _, _, _]) if year.len() == 4 => (number(year)?, &value.contents[4..]),
        _ => return Err(Malformed),
    };
    let [month @ .., b'Z'] = rest else { return Err(Malformed) };
    let mut parts = [0; 5];
    for (part, digits) in parts.iter_mut().zip(month.chunks(2)) {
        *part = i8::try_from(number(digits)?).map_err(|_| Malformed)?;
    }
    let [month, day, hour, minute, second] = parts;
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| Malformed)?;
    match Offset::UTC.to_timestamp(civil) {
        Ok(time) => Ok(time),
        Err(_) if year == 9999 => Timestamp::from_second(Timestamp::MAX.as_second()).map_err(|_| Malformed),
        Err(_) => Err(Malformed),
    }
}

fn civil(time: Timestamp) -> Result<DateTime, OutOfRange> {
    if time < Timestamp::UNIX_EPOCH {
        return Err(OutOfRange(time));
    }
    Ok(Offset::UTC.to_datetime(time))
}

/// `YYYYMMDDHHMMSSZ`, for a year that is not negative.
fn text(civil: DateTime) -> [u8; 15] {
    let mut text = *b"00000000000000Z";
    let year = civil.year().unsigned_abs();
    let parts = [civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second()];
    let parts = [year / 100, year % 100].into_iter().chain(parts.map(|part| u16::from(part.unsigned_abs())));
    for (digits, part) in text.as_chunks_mut::<2>().0.iter_mut().zip(parts) {
        let [high, low] = [part / 10 % 10, part % 10].map(|digit| b'0' + digit.to_le_bytes()[0]);
        *digits = [high, low];
    }
    text
}

fn number(digits: &[u8]) -> Result<i16, Malformed> {
    digits.iter().try_fold(
        0,
        |number, digit| {
            if digit.is_ascii_digit() { Ok(number * 10 + i16::from(digit - b'0')) } else { Err(Malformed) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, time.parse().unwrap()).unwrap();
        out
    }

    #[test]
    fn times_are_written_as_utc_time_through_2049_and_generalized_time_from_2050() {
        assert_eq!(written("2049-12-31T23:59:59.9Z"), b"\x17\x0d491231235959Z");
        assert_eq!(written("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
        assert_eq!(written("1970-01-01T00:00:00Z"), b"\x17\x0d700101000000Z");
        let mut out = Vec::new();
        write_generalized(&mut out, "2026-02-03T04:05:06Z".parse().unwrap()).unwrap();
        assert_eq!(out, b"\x18\x0f20260203040506Z");
    }

    #[test]
    fn every_written_time_reads_back_to_the_second() {
        for seconds in [0, 1, 951_782_400, 2_524_607_999, 2_524_608_000, 4_107_542_400, Timestamp::MAX.as_second()] {
            let time = Timestamp::from_second(seconds).unwrap();
            let mut out = Vec::new();
            write(&mut out, time).unwrap();
            assert_eq!(read(&tlv::Reader::new(&out).next().unwrap()), Ok(time));
        }
        let never = b"\x18\x0f99991231235959Z";
        assert_eq!(read(&tlv::Reader::new(never).next().unwrap()).unwrap().to_string(), "9999-12-30T22:00:00Z");
        for time in ["1969-12-31T23:59:59.5Z", "-000001-01-01T00:00:00Z"] {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(write(&mut Vec::new(), time), Err(OutOfRange(time)));
        }
    }

    #[test]
    fn times_that_are_not_der_are_refused() {
        let read = |octets: &[u8]| read(&tlv::Reader::new(octets).next().unwrap());
        assert_eq!(read(b"\x17\x0d500101000000Z").unwrap().to_string(), "1950-01-01T00:00:00Z");
        for octets in [
            &b"\x17\x0b4912312359Z"[..],
            b"\x17\x0d4912312359590",
            b"\x17\x0d491331235959Z",
            b"\x17\x0d490230235959Z",
            b"\x17\x0d491231235960Z",
            b"\x17\x0d49123123595-Z",
            b"\x18\x1120500101000000.5Z",
            b"\x18\x1320500101000000+0100",
            b"\x18\x00",
            b"\x16\x0d491231235959Z",
        ] {
            assert_eq!(read(octets), Err(Malformed), "{octets:?}");
        }
    }
}
