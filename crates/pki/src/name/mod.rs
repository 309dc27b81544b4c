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
mod tests {
    use super::*;

    fn full() -> SubjectParts {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        SubjectParts {
            common_name: Some("a, b".into()),
            organizations: list(&["One", "Two"]),
            countries: list(&["DE"]),
            organizational_units: list(&["Ops", "Ops", "Zürich"]),
            localities: list(&["Bonn"]),
            provinces: list(&["NRW"]),
            street_addresses: list(&["Am Hof 1"]),
            postal_codes: list(&["53113"]),
            serial_number: Some("7".into()),
        }
    }

    #[test]
    fn a_name_keeps_every_value_in_the_order_of_go() {
        let name = Name::from_parts(&full()).unwrap();
        assert_eq!(
            name.to_string(),
            "SERIALNUMBER=7,CN=a\\, b,OU=Zürich,OU=Ops,OU=Ops,O=Two,O=One,POSTALCODE=53113,STREET=Am Hof 1,L=Bonn,ST=NRW,C=DE"
        );
        assert_eq!(name.to_parts(), Some(full()));
        assert_eq!(Name::from_der(name.as_der()), Ok(name));
    }

    #[test]
    fn values_are_printable_strings_where_they_fit() {
        const PRINTABLE: u8 = 0x13;
        const UTF8: u8 = 0x0c;
        for (value, tag) in [("DE", PRINTABLE), ("a*b", UTF8), ("é", UTF8), ("x@y", UTF8)] {
            let name = Name::from_parts(&SubjectParts { organizations: vec![value.into()], ..SubjectParts::default() }).unwrap();
            // SEQUENCE, SET, SEQUENCE, OBJECT IDENTIFIER of five octets, then the value.
            assert_eq!(name.as_der()[11], tag, "{value}");
        }
    }

    #[test]
    fn a_value_that_cannot_stand_is_named() {
        let parts = |value: &str| SubjectParts { common_name: Some(value.into()), ..SubjectParts::default() };
        assert_eq!(Name::from_parts(&parts("")), Err(NameError::Empty { attribute: "CN".into() }));
        assert_eq!(Name::from_parts(&parts("a\0b")), Err(NameError::ControlCharacter { attribute: "CN".into(), value: "a\0b".into() }));
        assert_eq!(Name::from_parts(&parts(&"é".repeat(65))), Err(NameError::TooLong { attribute: "CN".into(), characters: 65, most: 64 }));
        assert!(Name::from_parts(&parts(&"é".repeat(64))).is_ok());
    }

    #[test]
    fn values_in_one_set_have_no_order_and_all_others_have() {
        let parts = |organizations: &[&str]| SubjectParts {
            organizations: organizations.iter().map(|&value| value.into()).collect(),
            common_name: Some("c".into()),
            ..SubjectParts::default()
        };
        let name = |text: &str| Name::from_rfc4514(text).unwrap();
        let (set, list) = (name("CN=c,O=One+O=Other+O=Third"), Name::from_parts(&parts(&["Third", "One", "Other"])).unwrap());
        assert!(set.has_parts(&parts(&["Third", "One", "Other"])) && set.has_parts(&parts(&["One", "Other", "Third"])));
        assert!(list.has_parts(&parts(&["Third", "One", "Other"])) && !list.has_parts(&parts(&["One", "Third", "Other"])));
        let both = name("CN=c,O=Third+O=Other,O=One");
        assert!(both.has_parts(&parts(&["One", "Other", "Third"])) && !both.has_parts(&parts(&["Other", "One", "Third"])));
        for wrong in [&["One", "Other"][..], &["One", "Other", "Other"], &["One", "Other", "Third", "Third"], &[]] {
            assert!(!set.has_parts(&parts(wrong)) && !list.has_parts(&parts(wrong)), "{wrong:?}");
        }
        assert!(!name("CN=c,O=One,DC=com").has_parts(&parts(&["One"])) && !name("CN=c,O=One,1.2.3=a").has_parts(&parts(&["One"])));
        assert!(name("").has_parts(&SubjectParts::default()));
    }

    #[test]
    fn a_value_is_within_the_bounds_of_its_attribute_however_it_is_written() {
        let error = |text: &str| Name::from_rfc4514(text).unwrap_err().to_string();
        for (key, most) in [("C", 2), ("SERIALNUMBER", 64), ("O", 64), ("OU", 64), ("CN", 64), ("L", 128), ("ST", 128)] {
            let (fits, long) = ("a".repeat(most), "a".repeat(most + 1));
            assert!(Name::from_rfc4514(&format!("{key}={fits}")).is_ok(), "{key}");
            let said = format!("{key} in the subject has {} characters, at most {most} are allowed", most + 1);
            assert_eq!(error(&format!("{key}={long}")), said);
            assert_eq!(error(&format!("{key}=#13{:02x}{}", most + 1, "61".repeat(most + 1)).replace("#1381", "#138181")), said);
            // A BMPString, of two octets for each character.
            if most == 64 && key != "SERIALNUMBER" {
                assert_eq!(error(&format!("{key}=#1e8182{}", "0061".repeat(most + 1))), said);
            }
        }
        assert_eq!(error("C=D"), "C in the subject has 1 characters, at least 2 are needed");
        for text in ["C=é!", "C=#0c024445", "SERIALNUMBER=a*", "SERIALNUMBER=#0c0161", "2.5.4.46=a*", "2.5.4.46=#0c0161"] {
            assert!(error(text).contains("is no PrintableString, as it must be"), "{text}");
        }
        assert!(Name::from_rfc4514("C=#13024445,SERIALNUMBER=#130161,2.5.4.46=#130161").is_ok());
        // What others wrote is taken as it is: here C is the UTF8String "D".
        let foreign = [0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x06, 0x0c, 0x01, 0x44];
        assert_eq!(Name::from_der(&foreign).map(|name| name.to_string()).as_deref(), Ok("C=D"));
    }

    #[test]
    fn the_empty_name_is_empty() {
        let name = Name::from_parts(&SubjectParts::default()).unwrap();
        assert!(name.is_empty());
        assert_eq!((name.to_string(), name.to_parts()), (String::new(), Some(SubjectParts::default())));
    }

    #[test]
    fn attributes_without_a_short_name_are_shown_as_their_der() {
        // 1.2.3=UTF8String "a", and CN=BMPString "a".
        let unknown = Name::from_der(&[0x30, 0x0b, 0x31, 0x09, 0x30, 0x07, 0x06, 0x02, 0x2a, 0x03, 0x0c, 0x01, 0x61]).unwrap();
        assert_eq!(unknown.to_string(), "1.2.3=#0c0161");
        assert_eq!(unknown.to_parts(), None);
        let bmp = Name::from_der(&[0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x1e, 0x02, 0x00, 0x61]).unwrap();
        assert_eq!(bmp.to_string(), "CN=#1e020061");
    }

    #[test]
    fn octets_that_are_no_name_are_refused() {
        for octets in [&[][..], &[0x30], &[0x31, 0x00], &[0x30, 0x00, 0x00], &[0x30, 0x02, 0x05, 0x00], &[0x30, 0x02, 0x31, 0x00]] {
            assert_eq!(Name::from_der(octets), Err(NameError::Malformed), "{octets:?}");
        }
    }

    #[test]
    fn names_of_other_string_types_have_the_same_values() {
        let name = |text: &str| Name::from_rfc4514(text).unwrap();
        // CN is a PrintableString in one and a UTF8String in the other; so is UID, where the order of the set depends on it.
        let (one, other) = (name("CN=a+UID=1,O=b"), name("CN=#0c0161+UID=#0c0131,O=b"));
        assert_ne!(one, other);
        assert!(one.has_same_values(&other) && other.has_same_values(&one));
        for different in ["CN=A+UID=1,O=b", "O=b,CN=a+UID=1", "CN=a,UID=1,O=b", "CN=a+UID=1", "CN=#1e020061+UID=1,O=b", ""] {
            assert!(!one.has_same_values(&name(different)), "{different}");
        }
    }

    #[test]
    fn the_parts_that_have_a_field_are_found_among_others() {
        let name = Name::from_rfc4514("CN=second,DC=x,OU=b+UID=1,CN=first,OU=a,SERIALNUMBER=9,SERIALNUMBER=7,O=#1e020061").unwrap();
        assert_eq!(name.to_parts(), None);
        let parts = SubjectParts {
            common_name: Some("first".into()),
            organizational_units: vec!["a".into(), "b".into()],
            serial_number: Some("7".into()),
            ..SubjectParts::default()
        };
        assert_eq!(name.known_parts(), parts);
        assert_eq!(Name::from_parts(&full()).unwrap().known_parts(), full());
    }

    #[test]
    fn a_name_lies_below_its_first_relative_names() {
        let lies_below = |text: &str, base: &str| Name::from_rfc4514(text).unwrap().lies_below(&Name::from_rfc4514(base).unwrap());
        for base in ["", "DC=com", "O=Acme  inc,DC=COM", "CN=#0c0161,O=acme Inc,DC=com"] {
            assert!(lies_below("CN=a,O=Acme Inc,DC=com", base), "{base}");
        }
        for base in ["CN=a", "O=Acme,DC=com", "O=Acme Inc", "CN=b,CN=a,O=Acme Inc,DC=com", "OU=x+O=Acme Inc,DC=com"] {
            assert!(!lies_below("CN=a,O=Acme Inc,DC=com", base), "{base}");
        }
    }

    #[test]
    fn a_name_that_differs_in_case_and_space_only_is_the_same_name() {
        let name = |text: &str| Name::from_rfc4514(text).unwrap();
        assert!(name("CN=Corp Root,DC=corp").matches(&name("CN=corp  ROOT,DC=CORP")));
        assert!(name("CN=Corp Root+UID=a").matches(&name("UID=A+CN=#0c09636f727020726f6f74")));
        for other in ["CN=Corp Root 2,DC=corp", "DC=corp,CN=Corp Root", "CN=Corp Root", "CN=Corp Root,DC=corp,DC=corp"] {
            assert!(!name("CN=Corp Root,DC=corp").matches(&name(other)), "{other}");
        }
    }
}
