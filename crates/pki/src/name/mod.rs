//! Distinguished names, kept as their DER, byte for byte.
//!
//! Two names are equal when their octets are. RFC 5280 section 7.1 would have more names equal; but an issuer's name is
//! copied, and verifiers such as webpki compare octets, so that anything looser would call a broken chain whole.

use std::{borrow::Cow, fmt, sync::Arc};

use thiserror::Error;

use crate::tlv::UNREAD_OID;
use attribute::Attribute;

mod attribute;
mod parse_text;
mod parts;
mod read;

pub use parts::SubjectParts;

/// The longest common name, in characters (RFC 5280 appendix A.1, ub-common-name).
pub const COMMON_NAME_MAX: usize = 64;

/// A distinguished name (RFC 5280 section 4.1.2.4). Displayed as RFC 4514 says. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// The name with these parts, one relative distinguished name for each value, in the order of Go's crypto/x509/pkix:
    /// C, ST, L, STREET, postalCode, O, OU, CN, serialNumber. Values are PrintableString where they fit, else UTF8String.
    ///
    /// # Errors
    /// When a value is empty, holds a control character, or is not what RFC 5280 appendix A.1 says of its attribute.
    pub fn from_parts(parts: &SubjectParts) -> Result<Self, NameError> {
        let mut rdns = Vec::new();
        for attribute in Attribute::NAMED {
            for value in parts.values(attribute) {
                rdns.push(vec![attribute.with_text(value)?]);
            }
        }
        Ok(Self(attribute::name_of(rdns).into()))
    }

    /// The name that a text of RFC 4514 says, as in `CN=foo+UID=1,OU=bar,DC=example,DC=com`: the last relative distinguished
    /// name of the text is the first of the name. The empty text is the empty name.
    ///
    /// Attributes are CN, C, ST, L, STREET, O, OU, SERIALNUMBER, POSTALCODE, DC, UID, EMAILADDRESS (also E, EMAIL) in whatever
    /// case, and object identifiers in dotted form. A value is text, with RFC 4514's escapes, or `#` and the DER
    /// of a string in hexadecimal digits. Space around separators is dropped, and `;` parts as `,` does. DC and EMAILADDRESS are IA5String,
    /// all others PrintableString where they fit, else UTF8String.
    ///
    /// # Errors
    /// When the text is malformed, names an unknown attribute, or a value is empty, holds a control character, or is not
    /// what RFC 5280 appendix A.1 says of its attribute.
    pub fn from_rfc4514(text: &str) -> Result<Self, NameError> {
        parse_text::parse(text).map(|der| Self(der.into()))
    }

    /// The name with this DER.
    ///
    /// # Errors
    /// When the octets are no Name, or more than one.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        read::read(der).map_err(|_| NameError::Malformed)?;
        Ok(Self(der.into()))
    }

    /// The DER.
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in the name.
    pub fn is_empty(&self) -> bool {
        *self.0 == [0x30, 0x00]
    }

    /// The parts of the name, in whatever order and grouping they stand; none when it has other attributes, more than
    /// one common name or serial number, or values that are no text.
    pub fn to_parts(&self) -> Option<SubjectParts> {
        let mut parts = SubjectParts::default();
        for value in self.rdns().into_iter().flatten() {
            parts.add(value.named()?, value.text()?.to_owned())?;
        }
        Some(parts)
    }

    /// The parts that have a field, in whatever grouping they stand. Other attributes are left out, values that are no text,
    /// and every common name and serial number but the first.
    pub fn known_parts(&self) -> SubjectParts {
        let mut parts = SubjectParts::default();
        for value in self.rdns().into_iter().flatten() {
            if let (Some(attribute), Some(text)) = (value.named(), value.text()) {
                // What has no place is what is to be left out.
                let _ = parts.add(attribute, text.to_owned());
            }
        }
        parts
    }

    /// Whether the name has these parts and no other. The values of one attribute come in their order; those that stand in one
    /// relative distinguished name have none, since that is a set: Go's crypto/x509 writes all organizations into one.
    pub fn has_parts(&self, parts: &SubjectParts) -> bool {
        let mut left = Attribute::NAMED.map(|attribute| (attribute, parts.values(attribute)));
        for rdn in self.rdns() {
            if rdn.iter().any(|value| value.named().is_none() || value.text().is_none()) {
                return false;
            }
            for (attribute, wanted) in &mut left {
                let mut found: Vec<&str> =
                    rdn.iter().filter(|value| value.named() == Some(*attribute)).filter_map(read::ParsedAttribute::text).collect();
                let Some((here, rest)) = wanted.split_at_checked(found.len()) else { return false };
                let mut here: Vec<&str> = here.iter().map(String::as_str).collect();
                found.sort_unstable();
                here.sort_unstable();
                if found != here {
                    return false;
                }
                *wanted = rest;
            }
        }
        left.iter().all(|(_, rest)| rest.is_empty())
    }

    /// Whether these are the same relative distinguished names in the same order with the same values, whatever string type
    /// each value has: programs differ in which one they choose.
    pub fn has_same_values(&self, other: &Self) -> bool {
        read::said(&self.rdns(), str::to_owned) == read::said(&other.rdns(), str::to_owned)
    }

    /// Whether two names are one to whoever compares them as RFC 5280 section 7.1 says: without regard to the strings' types, to
    /// case and to how much space there is.
    pub fn matches(&self, other: &Self) -> bool {
        self.lies_below(other) && other.lies_below(self)
    }

    /// Whether the name lies in the subtree below `base`: its first relative distinguished names are those of `base`
    /// (RFC 5280 section 4.2.1.10), compared as [`Name::matches`] does.
    pub(crate) fn lies_below(&self, base: &Self) -> bool {
        read::said(&self.rdns(), fold).starts_with(&read::said(&base.rdns(), fold))
    }

    /// The values of the e-mail addresses in the name; none for one that is no text.
    pub(crate) fn email_addresses(&self) -> Vec<Option<String>> {
        self.texts(Attribute::EmailAddress)
    }

    /// The common names; none for one that is no text.
    pub(crate) fn common_names(&self) -> Vec<Option<String>> {
        self.texts(Attribute::CommonName)
    }

    fn texts(&self, attribute: Attribute) -> Vec<Option<String>> {
        let rdns = self.rdns();
        let values = rdns.iter().flatten().filter(|value| value.named() == Some(attribute));
        values.map(|value| value.text().map(str::to_owned)).collect()
    }

    fn rdns(&self) -> Vec<Vec<read::ParsedAttribute<'_>>> {
        // What is held was parsed when it came in.
        read::read(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.rdns().iter().rev().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            for (index, attribute) in rdn.iter().enumerate() {
                if index > 0 {
                    formatter.write_str("+")?;
                }
                attribute.write(formatter)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Name({self})")
    }
}

/// Why there is no such name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// The octets are no DER Name.
    #[error("the distinguished name is not DER")]
    Malformed,
    /// A value has no character.
    #[error("a value of {attribute} in the subject is empty")]
    Empty {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
    },
    /// A value is longer than RFC 5280 allows.
    #[error("{attribute} in the subject has {characters} characters, at most {most} are allowed")]
    TooLong {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
        /// How many characters it has.
        characters: usize,
        /// How many it may have.
        most: usize,
    },
    /// A value is shorter than RFC 5280 allows.
    #[error("{attribute} in the subject has {characters} characters, at least {least} are needed")]
    TooShort {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
        /// How many characters it has.
        characters: usize,
        /// How many it must have.
        least: usize,
    },
    /// A value of an attribute that is a PrintableString by its definition is not.
    #[error("{attribute} in the subject is no PrintableString, as it must be: {value:?}")]
    NotPrintable {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
        /// The value.
        value: String,
    },
    /// A value holds a control character.
    #[error("{attribute} in the subject holds a control character: {value:?}")]
    ControlCharacter {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
        /// The value.
        value: String,
    },
    /// A value of an attribute that is ASCII by its definition is not.
    #[error("{attribute} in the subject holds other characters than ASCII: {value:?}")]
    NotAscii {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
        /// The value.
        value: String,
    },
    /// What follows a `#` is no string in DER, or one of a type that not every program reads.
    #[error(
        "{attribute} in the subject has a # that is not followed by hexadecimal digits of a UTF8String, PrintableString, IA5String, \
         NumericString, T61String or BMPString in DER"
    )]
    NotDer {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
    },
    /// A relative distinguished name is a set (RFC 5280 section 4.1.2.4).
    #[error("{attribute} stands in one relative distinguished name of the subject twice, with the same value")]
    Twice {
        /// The attribute's short name, or its object identifier.
        attribute: Cow<'static, str>,
    },
    /// A text names an attribute that we do not know.
    #[error(
        "{key:?} is not an attribute of a subject: known are CN, C, ST, L, STREET, O, OU, SERIALNUMBER, POSTALCODE, DC, UID, \
         EMAILADDRESS and object identifiers as 1.2.3"
    )]
    UnknownAttribute {
        /// What it says.
        key: String,
    },
    /// A text names an attribute by an object identifier that we cannot read.
    #[error("{key:?} as an attribute of a subject: {UNREAD_OID}")]
    UnreadAttribute {
        /// The object identifier.
        key: String,
    },
    /// A text is not that of a name.
    #[error("the subject is not a distinguished name of RFC 4514: {reason} at character {position}")]
    Text {
        /// Where, counted from 1.
        position: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests;
