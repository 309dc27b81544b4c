//! Names as they stand: read from DER, compared by their values, and shown.
//!
//! A foreign name is taken as it is. Everything in the octets must be part of it: a reader that stops at what it cannot
//! read, as x509-parser's does, would show less of a name than it says.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::{AnyRef, Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged};

use super::attribute::Attribute;
use crate::hex;

/// `AttributeTypeAndValue` (RFC 5280 section 4.1.2.4), the type as it stands: a foreign one may be longer than any library reads.
#[derive(Sequence)]
pub(super) struct ParsedAttribute<'a> {
    kind: AnyRef<'a>,
    value: AnyRef<'a>,
}

impl<'a> ParsedAttribute<'a> {
    /// The attribute's type, if it has a short name.
    pub(super) fn named(&self) -> Option<Attribute> {
        Attribute::named(self.kind.value())
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value.tag() {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => str::from_utf8(self.value.value()).ok(),
            _ => None,
        }
    }

    /// Writes `type=value` (RFC 4514 sections 2.3 and 2.4).
    pub(super) fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.value();
        match (self.named().and_then(Attribute::short_name), self.text()) {
            (Some(name), Some(value)) => {
                write!(formatter, "{name}=")?;
                return write_escaped(value, formatter);
            }
            (Some(name), None) => formatter.write_str(name)?,
            (None, _) => match ObjectIdentifier::from_bytes(kind) {
                Ok(oid) => write!(formatter, "{oid}")?,
                Err(_) => hex::write(kind, formatter)?,
            },
        }
        formatter.write_str("=#")?;
        hex::write(&self.value.to_der().unwrap_or_default(), formatter)
    }
}

/// The relative distinguished names.
pub(super) fn read(der: &[u8]) -> Result<Vec<Vec<ParsedAttribute<'_>>>, der::Error> {
    let sequence = AnyRef::from_der(der)?;
    sequence.tag().assert_eq(Tag::Sequence)?;
    let mut reader = SliceReader::new(sequence.value())?;
    let mut rdns = Vec::new();
    while !reader.is_finished() {
        let set: AnyRef<'_> = reader.decode()?;
        set.tag().assert_eq(Tag::Set)?;
        let mut reader = SliceReader::new(set.value())?;
        let mut rdn: Vec<ParsedAttribute<'_>> = vec![reader.decode()?];
        while !reader.is_finished() {
            rdn.push(reader.decode()?);
        }
        if rdn.iter().any(|attribute| attribute.kind.tag() != Tag::ObjectIdentifier) {
            return Err(Tag::ObjectIdentifier.value_error().into());
        }
        rdns.push(rdn);
    }
    Ok(rdns)
}

/// What a value says: its text whatever the string's type, else its DER.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said<'a> {
    Text(String),
    Der(Tag, &'a [u8]),
}

/// What each relative distinguished name says, in an order that does not depend on how it is written. `fold` makes one of
/// texts that are to count as the same.
pub(super) fn said<'a>(rdns: &[Vec<ParsedAttribute<'a>>], fold: impl Fn(&str) -> String) -> Vec<Vec<(&'a [u8], Said<'a>)>> {
    rdns.iter()
        .map(|rdn| {
            let mut said: Vec<_> = rdn
                .iter()
                .map(|attribute| {
                    let value = match attribute.text() {
                        Some(text) => Said::Text(fold(text)),
                        None => Said::Der(attribute.value.tag(), attribute.value.value()),
                    };
                    (attribute.kind.value(), value)
                })
                .collect();
            said.sort();
            said
        })
        .collect()
}

fn write_escaped(value: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(formatter, "\\{character}")?,
            '#' if index == 0 => formatter.write_str("\\#")?,
            ' ' if index == 0 || index == last => formatter.write_str("\\ ")?,
            control if control.is_control() => {
                let mut octets = [0; 4];
                control.encode_utf8(&mut octets).bytes().try_for_each(|octet| write!(formatter, "\\{octet:02x}"))?;
            }
            other => write!(formatter, "{other}")?,
        }
    }
    Ok(())
}
