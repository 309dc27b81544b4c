//! DER, value by value: what reads and writes lists and answers that may be very long.
//!
//! A list has up to a million entries, and a type for each of its parts would allocate for each of them. Here a value is
//! looked at where it stands, and written where it will stand. What a value means is decided elsewhere.

use std::convert::Infallible;

/// The tags that names, extensions, lists and answers are made of (X.690 section 8.1.2), as their octets.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// The tag `[number]` of a primitive value; `number` is below 31.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// The tag `[number]` of a constructed value, or of one that is tagged explicitly; `number` is below 31.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The octets are not DER, or not what is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One value, where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// The value with its tag and length.
    pub(crate) whole: &'a [u8],
    /// Where `contents` begins, counted from the begin of what the first reader was given.
    pub(crate) position: usize,
}

impl<'a> Value<'a> {
    /// A reader of the values within this one.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader { rest: self.contents, position: self.position }
    }
}

/// Reads values one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, position: 0 }
    }

    /// Where the next value begins, counted from the begin of what the first reader was given.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many octets are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next value, whatever it is. Lengths are definite and as short as can be (X.690 section 10.1).
    pub(crate) fn next(&mut self) -> Result<Value<'a>, Malformed> {
        let (&[tag, first], rest) = self.rest.split_first_chunk::<2>().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, octets) = match first {
            0..=0x7f => (usize::from(first), 0),
            0x81..=0x84 => {
                let octets = usize::from(first & 0x7f);
                let length = rest.get(..octets).ok_or(Malformed)?;
                let length = length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
                if length < 0x80 || length >> (8 * (octets - 1)) == 0 {
                    return Err(Malformed);
                }
                (length, octets)
            }
            _ => return Err(Malformed),
        };
        let header = 2 + octets;
        let end = header.checked_add(length).ok_or(Malformed)?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(Malformed)?;
        let value = Value { tag, contents: &whole[header..], whole, position: self.position + header };
        self.rest = rest;
        self.position += end;
        Ok(value)
    }

    /// The next value, which has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<Value<'a>, Malformed> {
        self.take_if(tag)?.ok_or(Malformed)
    }

    /// The next value if it has this tag; else nothing is taken.
    pub(crate) fn take_if(&mut self, tag: u8) -> Result<Option<Value<'a>>, Malformed> {
        if self.rest.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// That nothing follows.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// The one value that `octets` are.
pub(crate) fn only(octets: &[u8], tag: u8) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader::new(octets);
    let value = reader.take(tag)?;
    reader.end().map(|()| value)
}

/// The octets of an INTEGER that is not negative, without leading zeros (but for zero itself).
pub(crate) fn unsigned(contents: &[u8]) -> Result<&[u8], Malformed> {
    match contents {
        [] => Err(Malformed),
        [first, ..] if first & 0x80 != 0 => Err(Malformed),
        [0, second, ..] if second & 0x80 == 0 => Err(Malformed),
        [0, rest @ ..] if !rest.is_empty() => Ok(rest),
        _ => Ok(contents),
    }
}

/// The value of a BOOLEAN (X.690 section 11.1).
pub(crate) fn boolean(contents: &[u8]) -> Result<bool, Malformed> {
    match contents {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(Malformed),
    }
}

/// The value of a BIT STRING that is whole octets.
pub(crate) fn whole_octets(contents: &[u8]) -> Result<&[u8], Malformed> {
    match contents {
        [0, octets @ ..] => Ok(octets),
        _ => Err(Malformed),
    }
}

/// One extension (RFC 5280 section 4.1).
pub(crate) struct ExtensionRef<'a> {
    /// The contents of the object identifier.
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    /// What the OCTET STRING holds.
    pub(crate) value: &'a [u8],
}

/// The next of the extensions in an `Extensions`. A `critical` that says FALSE is let through, since others write it.
pub(crate) fn next_extension<'a>(extensions: &mut Reader<'a>) -> Result<ExtensionRef<'a>, Malformed> {
    let mut reader = extensions.take(tag::SEQUENCE)?.reader();
    let oid = reader.take(tag::OBJECT_IDENTIFIER)?.contents;
    let critical = reader.take_if(tag::BOOLEAN)?.map_or(Ok(false), |value| boolean(value.contents))?;
    let value = reader.take(tag::OCTET_STRING)?.contents;
    reader.end()?;
    Ok(ExtensionRef { oid, critical, value })
}

/// The object identifier with these contents, for people.
pub(crate) fn oid_text(contents: &[u8]) -> String {
    const_oid::ObjectIdentifier::from_bytes(contents).map_or_else(|_| "malformed".to_owned(), |oid| oid.to_string())
}

/// Why an object identifier is refused of which [`is_unread_oid`] is true.
pub(crate) const UNREAD_OID: &str =
    "object identifiers as 2.999, with more than 39 after the 2, and ones with very long numbers are not supported";

/// Whether a text is an object identifier (X.660 section 7.6: below 0 and 1 are the numbers up to 39), but one that const-oid
/// cannot read.
pub(crate) fn is_unread_oid(text: &str) -> bool {
    let is_number = |arc: &str| !arc.is_empty() && arc.bytes().all(|digit| digit.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'));
    let below = |second: &str| second.parse::<u8>().is_ok_and(|number| number < 40);
    text.split('.').all(is_number)
        && match text.split_once('.') {
            Some(("0" | "1", rest)) => below(rest.split('.').next().unwrap_or_default()),
            Some(("2", _)) => true,
            _ => false,
        }
        && const_oid::ObjectIdentifier::new(text).is_err()
}

/// Writes a value whose contents `body` writes. The length is put in afterwards: contents beyond 127 octets are moved once.
pub(crate) fn nest<E>(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend([tag, 0]);
    body(out)?;
    let length = out.len() - start - 2;
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        out[start + 1] = short;
    } else {
        let octets = length.to_be_bytes();
        let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
        // The octets of a usize are at most 8.
        out[start + 1] = 0x80 | octets.len().to_le_bytes()[0];
        out.splice(start + 2..start + 2, octets.iter().copied());
    }
    Ok(())
}

/// As [`nest`], where nothing can fail.
pub(crate) fn wrap(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let Ok(()) = nest(out, tag, |out| {
        body(out);
        Ok::<_, Infallible>(())
    });
}

/// Writes a value with these contents.
pub(crate) fn write(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    wrap(out, tag, |out| out.extend_from_slice(contents));
}

/// Writes an INTEGER that is not negative, from its octets without leading zeros.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, octets: &[u8]) {
    match octets {
        [first, ..] if first & 0x80 == 0 => write(out, tag::INTEGER, octets),
        _ => wrap(out, tag::INTEGER, |out| {
            out.push(0);
            out.extend_from_slice(octets);
        }),
    }
}

/// Writes a BIT STRING of whole octets.
pub(crate) fn write_bits(out: &mut Vec<u8>, octets: &[u8]) {
    wrap(out, tag::BIT_STRING, |out| {
        out.push(0);
        out.extend_from_slice(octets);
    });
}

/// Writes an extension whose value `body` writes (RFC 5280 section 4.1).
pub(crate) fn write_extension(out: &mut Vec<u8>, oid: const_oid::ObjectIdentifier, critical: bool, body: impl FnOnce(&mut Vec<u8>)) {
    wrap(out, tag::SEQUENCE, |out| {
        write(out, tag::OBJECT_IDENTIFIER, oid.as_bytes());
        if critical {
            write(out, tag::BOOLEAN, &[0xff]);
        }
        wrap(out, tag::OCTET_STRING, body);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_at_every_length_of_the_length() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 24] {
            let mut out = vec![1, 2, 3];
            write(&mut out, tag::OCTET_STRING, &vec![7; length]);
            let value = only(&out[3..], tag::OCTET_STRING).unwrap();
            assert_eq!((value.contents.len(), value.whole.len(), value.position), (length, out.len() - 3, out.len() - 3 - length));
        }
    }

    #[test]
    fn lengths_that_are_not_der_are_refused() {
        for octets in [
            &[0x30][..],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 0x7f],
            &[0x30, 0x82, 0x00, 0x80],
            &[0x30, 0x85, 1, 0, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x01],
            &[0x1f, 0x01, 0x00],
        ] {
            assert!(Reader::new(octets).next().is_err(), "{octets:02x?}");
        }
    }

    #[test]
    fn integers_are_not_negative_and_as_short_as_can_be() {
        for (contents, octets) in [
            (&[0][..], Ok(&[0][..])),
            (&[0, 0x80], Ok(&[0x80])),
            (&[1, 0], Ok(&[1, 0])),
            (&[], Err(Malformed)),
            (&[0x80], Err(Malformed)),
            (&[0, 1], Err(Malformed)),
            (&[0, 0], Err(Malformed)),
        ] {
            assert_eq!(unsigned(contents), octets);
            if let Ok(octets) = octets {
                let mut out = Vec::new();
                write_unsigned(&mut out, octets);
                assert_eq!(&out[2..], contents);
            }
        }
    }
}
