//! Distinguished names, kept as their DER, byte for byte.
//!
//! Two names are equal when their octets are. RFC 5280 section 7.1 would have more names equal; but an issuer's name is
//! copied, and verifiers such as webpki compare octets, so that anything looser would call a broken chain whole.

use std::{fmt, sync::Arc};

use const_oid::{
    ObjectIdentifier,
    db::{rfc3280, rfc4519},
};
use der::{
    Any, AnyRef, Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged,
    asn1::{PrintableStringRef, SetOfVec, Utf8StringRef},
};
use thiserror::Error;
use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{RdnSequence, RelativeDistinguishedName},
};

/// The longest common name, in characters (RFC 5280 appendix A.1, ub-common-name).
pub const COMMON_NAME_MAX: usize = 64;

/// The parts of a distinguished name that a user can give. Empty lists and absent values leave nothing in the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectParts {
    /// CN, at most [`COMMON_NAME_MAX`] characters.
    pub common_name: Option<String>,
    /// O.
    pub organizations: Vec<String>,
    /// C.
    pub countries: Vec<String>,
    /// OU.
    pub organizational_units: Vec<String>,
    /// L.
    pub localities: Vec<String>,
    /// ST.
    pub provinces: Vec<String>,
    /// STREET.
    pub street_addresses: Vec<String>,
    /// postalCode.
    pub postal_codes: Vec<String>,
    /// serialNumber of the subject; nothing to do with the certificate's.
    pub serial_number: Option<String>,
}

/// A distinguished name (RFC 5280 section 4.1.2.4). Displayed as RFC 4514 says. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// The name with these parts, one relative distinguished name for each value, in the order of Go's crypto/x509/pkix:
    /// C, ST, L, STREET, postalCode, O, OU, CN, serialNumber. Values are PrintableString where they fit, else UTF8String.
    ///
    /// # Errors
    /// When a value is empty, holds a control character, or the common name is too long.
    pub fn from_parts(parts: &SubjectParts) -> Result<Self, NameError> {
        let mut rdns = RdnSequence::default();
        for attribute in Attribute::ALL {
            for value in attribute.values(parts) {
                rdns.push(attribute.rdn(value)?);
            }
        }
        let der = rdns.to_der().map_err(|_| NameError::TooLong { attribute: "subject", characters: 0, most: 0 })?;
        Ok(Self(der.into()))
    }

    /// The name with this DER.
    ///
    /// # Errors
    /// When the octets are no Name, or more than one.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        read(der).map_err(|_| NameError::Malformed)?;
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
        for value in read(&self.0).ok()?.into_iter().flatten() {
            let attribute = Attribute::ALL.into_iter().find(|attribute| attribute.oid().as_bytes() == value.kind.value())?;
            attribute.add(&mut parts, value.text()?.to_owned())?;
        }
        Some(parts)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held was parsed when it came in.
        let rdns = read(&self.0).unwrap_or_default();
        for (index, rdn) in rdns.iter().rev().enumerate() {
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
        /// The attribute's short name.
        attribute: &'static str,
    },
    /// A value is longer than RFC 5280 allows.
    #[error("{attribute} in the subject has {characters} characters, at most {most} are allowed")]
    TooLong {
        /// The attribute's short name.
        attribute: &'static str,
        /// How many characters it has.
        characters: usize,
        /// How many it may have.
        most: usize,
    },
    /// A value holds a control character.
    #[error("{attribute} in the subject holds a control character: {value:?}")]
    ControlCharacter {
        /// The attribute's short name.
        attribute: &'static str,
        /// The value.
        value: String,
    },
}

#[derive(Clone, Copy)]
enum Attribute {
    Country,
    Province,
    Locality,
    Street,
    PostalCode,
    Organization,
    OrganizationalUnit,
    CommonName,
    SerialNumber,
}

impl Attribute {
    /// In the order in which they are put into a name.
    const ALL: [Self; 9] = [
        Self::Country,
        Self::Province,
        Self::Locality,
        Self::Street,
        Self::PostalCode,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::CommonName,
        Self::SerialNumber,
    ];

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Country => rfc4519::C,
            Self::Province => rfc4519::ST,
            Self::Locality => rfc4519::L,
            Self::Street => rfc4519::STREET,
            Self::PostalCode => rfc4519::POSTAL_CODE,
            Self::Organization => rfc4519::O,
            Self::OrganizationalUnit => rfc4519::OU,
            Self::CommonName => rfc4519::CN,
            Self::SerialNumber => rfc4519::SERIAL_NUMBER,
        }
    }

    fn short_name(self) -> &'static str {
        match self {
            Self::Country => "C",
            Self::Province => "ST",
            Self::Locality => "L",
            Self::Street => "STREET",
            Self::PostalCode => "POSTALCODE",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::CommonName => "CN",
            Self::SerialNumber => "SERIALNUMBER",
        }
    }

    fn values(self, parts: &SubjectParts) -> &[String] {
        match self {
            Self::Country => &parts.countries,
            Self::Province => &parts.provinces,
            Self::Locality => &parts.localities,
            Self::Street => &parts.street_addresses,
            Self::PostalCode => &parts.postal_codes,
            Self::Organization => &parts.organizations,
            Self::OrganizationalUnit => &parts.organizational_units,
            Self::CommonName => parts.common_name.as_slice(),
            Self::SerialNumber => parts.serial_number.as_slice(),
        }
    }

    fn add(self, parts: &mut SubjectParts, value: String) -> Option<()> {
        let single = |place: &mut Option<String>, value| place.replace(value).is_none().then_some(());
        match self {
            Self::CommonName => return single(&mut parts.common_name, value),
            Self::SerialNumber => return single(&mut parts.serial_number, value),
            Self::Country => &mut parts.countries,
            Self::Province => &mut parts.provinces,
            Self::Locality => &mut parts.localities,
            Self::Street => &mut parts.street_addresses,
            Self::PostalCode => &mut parts.postal_codes,
            Self::Organization => &mut parts.organizations,
            Self::OrganizationalUnit => &mut parts.organizational_units,
        }
        .push(value);
        Some(())
    }

    fn rdn(self, value: &str) -> Result<RelativeDistinguishedName, NameError> {
        let attribute = self.short_name();
        let characters = value.chars().count();
        let too_long = |most| NameError::TooLong { attribute, characters, most };
        if value.is_empty() {
            return Err(NameError::Empty { attribute });
        }
        if value.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter { attribute, value: value.to_owned() });
        }
        if matches!(self, Self::CommonName) && characters > COMMON_NAME_MAX {
            return Err(too_long(COMMON_NAME_MAX));
        }
        let value = match PrintableStringRef::new(value) {
            Ok(text) => Any::encode_from(&text),
            Err(_) => Utf8StringRef::new(value).and_then(|text| Any::encode_from(&text)),
        };
        // Only what does not fit into a DER length fails from here on.
        let value = value.map_err(|_| too_long(usize::MAX))?;
        let mut attributes = SetOfVec::new();
        attributes.insert(AttributeTypeAndValue { oid: self.oid(), value }).map_err(|_| too_long(usize::MAX))?;
        Ok(RelativeDistinguishedName::from(attributes))
    }
}

/// `AttributeTypeAndValue` (RFC 5280 section 4.1.2.4), the type as it stands: a foreign one may be longer than any library reads.
#[derive(Sequence)]
struct ParsedAttribute<'a> {
    kind: AnyRef<'a>,
    value: AnyRef<'a>,
}

impl<'a> ParsedAttribute<'a> {
    fn text(&self) -> Option<&'a str> {
        match self.value.tag() {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => str::from_utf8(self.value.value()).ok(),
            _ => None,
        }
    }

    /// Writes `type=value` (RFC 4514 sections 2.3 and 2.4).
    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.value();
        match (short_name(kind), self.text()) {
            (Some(name), Some(value)) => {
                write!(formatter, "{name}=")?;
                return write_escaped(value, formatter);
            }
            (Some(name), None) => formatter.write_str(name)?,
            (None, _) => match ObjectIdentifier::from_bytes(kind) {
                Ok(oid) => write!(formatter, "{oid}")?,
                Err(_) => kind.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))?,
            },
        }
        formatter.write_str("=#")?;
        self.value.to_der().unwrap_or_default().iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

/// The relative distinguished names. Everything in the octets must be part of one: a reader that stops at what it cannot
/// read, as x509-parser's does, would show less of a name than it says.
fn read(der: &[u8]) -> Result<Vec<Vec<ParsedAttribute<'_>>>, der::Error> {
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

fn short_name(oid: &[u8]) -> Option<&'static str> {
    let others = [(rfc4519::DC, "DC"), (rfc4519::UID, "UID"), (rfc3280::EMAIL_ADDRESS, "EMAILADDRESS")];
    Attribute::ALL
        .map(|attribute| (attribute.oid(), attribute.short_name()))
        .into_iter()
        .chain(others)
        .find_map(|(known, name)| (known.as_bytes() == oid).then_some(name))
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
            let name = Name::from_parts(&SubjectParts { countries: vec![value.into()], ..SubjectParts::default() }).unwrap();
            // SEQUENCE, SET, SEQUENCE, OBJECT IDENTIFIER of five octets, then the value.
            assert_eq!(name.as_der()[11], tag, "{value}");
        }
    }

    #[test]
    fn a_value_that_cannot_stand_is_named() {
        let parts = |value: &str| SubjectParts { common_name: Some(value.into()), ..SubjectParts::default() };
        assert_eq!(Name::from_parts(&parts("")), Err(NameError::Empty { attribute: "CN" }));
        assert_eq!(Name::from_parts(&parts("a\0b")), Err(NameError::ControlCharacter { attribute: "CN", value: "a\0b".into() }));
        assert_eq!(Name::from_parts(&parts(&"é".repeat(65))), Err(NameError::TooLong { attribute: "CN", characters: 65, most: 64 }));
        assert!(Name::from_parts(&parts(&"é".repeat(64))).is_ok());
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
}
