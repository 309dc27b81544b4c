//! The attributes that a name is made of: what users call them, and how a value of each is written.
//!
//! Which of them have a field of their own is said by `parts`; what stands in foreign names is read by `read`.

use std::{borrow::Cow, ops::RangeInclusive};

use const_oid::{
    ObjectIdentifier,
    db::{rfc3280, rfc4519},
};
use der::{
    AnyRef, Decode, Tag, Tagged,
    asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef},
};

use super::{COMMON_NAME_MAX, NameError};
use crate::tlv::{self, tag};

/// id-at-dnQualifier (RFC 5280 appendix A.1).
const DN_QUALIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.46");

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Country,
    Province,
    Locality,
    Street,
    PostalCode,
    Organization,
    OrganizationalUnit,
    CommonName,
    SerialNumber,
    DomainComponent,
    UserId,
    EmailAddress,
    /// One that has no short name here.
    Other(ObjectIdentifier),
}

impl Attribute {
    /// Those with a short name; first the ones that have a field, in the order in which they are put into a name.
    pub(super) const NAMED: [Self; 12] = [
        Self::Country,
        Self::Province,
        Self::Locality,
        Self::Street,
        Self::PostalCode,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::CommonName,
        Self::SerialNumber,
        Self::DomainComponent,
        Self::UserId,
        Self::EmailAddress,
    ];

    pub(super) fn oid(self) -> ObjectIdentifier {
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
            Self::DomainComponent => rfc4519::DC,
            Self::UserId => rfc4519::UID,
            Self::EmailAddress => rfc3280::EMAIL_ADDRESS,
            Self::Other(oid) => oid,
        }
    }

    pub(super) fn short_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Country => "C",
            Self::Province => "ST",
            Self::Locality => "L",
            Self::Street => "STREET",
            Self::PostalCode => "POSTALCODE",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::CommonName => "CN",
            Self::SerialNumber => "SERIALNUMBER",
            Self::DomainComponent => "DC",
            Self::UserId => "UID",
            Self::EmailAddress => "EMAILADDRESS",
            Self::Other(_) => return None,
        })
    }

    /// The attribute with these contents of its object identifier, if it has a short name.
    pub(super) fn named(oid: &[u8]) -> Option<Self> {
        Self::NAMED.into_iter().find(|attribute| attribute.oid().as_bytes() == oid)
    }

    /// The attribute that a text calls so: a short name in whatever case, or an object identifier in dotted form.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        if let Ok(oid) = ObjectIdentifier::new(key) {
            return Some(Self::named(oid.as_bytes()).unwrap_or(Self::Other(oid)));
        }
        if ["E", "EMAIL"].iter().any(|alias| alias.eq_ignore_ascii_case(key)) {
            return Some(Self::EmailAddress);
        }
        Self::NAMED.into_iter().find(|attribute| attribute.short_name().is_some_and(|name| name.eq_ignore_ascii_case(key)))
    }

    /// What errors call it.
    pub(super) fn label(self) -> Cow<'static, str> {
        self.short_name().map_or_else(|| self.oid().to_string().into(), Cow::Borrowed)
    }

    /// The DER of the `AttributeTypeAndValue` with this text (RFC 5280 section 4.1.2.4): IA5String for domain components and
    /// e-mail addresses, as their definitions say; else PrintableString where it fits, and UTF8String where not.
    pub(super) fn with_text(self, value: &str) -> Result<Vec<u8>, NameError> {
        let printable = PrintableStringRef::new(value).is_ok();
        self.check(value, printable)?;
        let string = match self {
            Self::DomainComponent | Self::EmailAddress => tag::IA5_STRING,
            _ if printable => tag::PRINTABLE_STRING,
            _ => tag::UTF8_STRING,
        };
        Ok(self.with(|out| tlv::write(out, string, value.as_bytes())))
    }

    /// The DER of the `AttributeTypeAndValue` with this DER as its value: a string, whose text keeps the same rules as any
    /// other. OpenSSL loads no certificate with a name in which there is a value of another type.
    pub(super) fn with_der(self, value: &[u8]) -> Result<Vec<u8>, NameError> {
        let malformed = || NameError::NotDer { attribute: self.label() };
        let parsed = AnyRef::from_der(value).map_err(|_| malformed())?;
        let text = text_of(&parsed).ok_or_else(malformed)?;
        self.check(&text, parsed.tag() == Tag::PrintableString)?;
        Ok(self.with(|out| out.extend_from_slice(value)))
    }

    fn with(self, value: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        tlv::wrap(&mut out, tag::SEQUENCE, |out| {
            tlv::write(out, tag::OBJECT_IDENTIFIER, self.oid().as_bytes());
            value(out);
        });
        out
    }

    /// How many characters a value may have (RFC 5280 appendix A.1).
    fn length(self) -> RangeInclusive<usize> {
        match self {
            Self::Country => 2..=2,
            Self::CommonName => 1..=COMMON_NAME_MAX,
            Self::Organization | Self::OrganizationalUnit | Self::SerialNumber => 1..=64,
            Self::Locality | Self::Province => 1..=128,
            _ => 1..=usize::MAX,
        }
    }

    /// Checks a value, which is to be a PrintableString or one of another type.
    fn check(self, value: &str, printable: bool) -> Result<(), NameError> {
        if value.is_empty() {
            return Err(NameError::Empty { attribute: self.label() });
        }
        if value.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter { attribute: self.label(), value: value.to_owned() });
        }
        let (characters, length) = (value.chars().count(), self.length());
        if characters > *length.end() {
            return Err(NameError::TooLong { attribute: self.label(), characters, most: *length.end() });
        }
        if characters < *length.start() {
            return Err(NameError::TooShort { attribute: self.label(), characters, least: *length.start() });
        }
        if matches!(self, Self::Country | Self::SerialNumber | Self::Other(DN_QUALIFIER)) && !printable {
            return Err(NameError::NotPrintable { attribute: self.label(), value: value.to_owned() });
        }
        if matches!(self, Self::DomainComponent | Self::EmailAddress) && !value.is_ascii() {
            return Err(NameError::NotAscii { attribute: self.label(), value: value.to_owned() });
        }
        Ok(())
    }
}

/// The text of a string of a type that OpenSSL reads in a name, if its octets are of that type. A UniversalString is none: `der`
/// does not read it.
fn text_of<'a>(value: &AnyRef<'a>) -> Option<Cow<'a, str>> {
    let octets = value.value();
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().into()),
        Tag::PrintableString => value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.as_str().into()),
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|text| text.as_str().into()),
        Tag::NumericString => {
            let numeric = octets.iter().all(|octet| octet.is_ascii_digit() || *octet == b' ');
            str::from_utf8(octets).ok().filter(|_| numeric).map(Cow::Borrowed)
        }
        // Nobody writes T.61; it is read as Latin-1.
        Tag::TeletexString => Some(octets.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (units, []) = octets.as_chunks() else { return None };
            units.iter().map(|unit| char::from_u32(u16::from_be_bytes(*unit).into())).collect()
        }
        _ => None,
    }
}

/// The DER of a `Name` with these relative distinguished names, each made of `AttributeTypeAndValue`s in DER.
pub(super) fn name_of(rdns: Vec<Vec<Vec<u8>>>) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::wrap(&mut out, tag::SEQUENCE, |out| {
        for mut rdn in rdns {
            // The order of a SET OF (X.690 section 11.6).
            rdn.sort();
            tlv::wrap(out, tag::SET, |out| rdn.iter().for_each(|attribute| out.extend_from_slice(attribute)));
        }
    });
    out
}
