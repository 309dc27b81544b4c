//! Subject alternative names (RFC 5280 section 4.2.1.6), and the rules that one must keep to be put into a certificate.
//!
//! What a foreign certificate holds is taken as it is; only what is to be signed is checked.

use std::{fmt, net::IpAddr};

use const_oid::ObjectIdentifier;
use der::{
    Any,
    asn1::{Ia5String, Utf8StringRef},
};
use thiserror::Error;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};

use crate::tlv;

const DNS_NAME_MAX: usize = 253;
const DNS_LABEL_MAX: usize = 63;
const OTHER_NAME_MAX: usize = 1024;

/// A name of the subject, outside its distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A DNS name, possibly with `*` as its whole leftmost label.
    Dns(String),
    /// An e-mail address.
    Email(String),
    /// An IP address.
    Ip(IpAddr),
    /// A URI.
    Uri(String),
    /// A name of another form, whose value is a UTF8String.
    Other {
        /// The form's object identifier, in dotted form.
        type_id: String,
        /// The name.
        value: String,
    },
}

impl San {
    /// Checks that the name may stand in a certificate.
    ///
    /// # Errors
    /// Names the value and what is wrong with it.
    pub fn validate(&self) -> Result<(), SanError> {
        match self {
            Self::Dns(name) => check_dns(name),
            Self::Email(address) => check_email(address),
            Self::Ip(_) => Ok(()),
            Self::Uri(uri) => check_uri(uri),
            Self::Other { type_id, value } => check_other(type_id, value).map(|_| ()),
        }
    }

    pub(crate) fn to_general_name(&self) -> Result<GeneralName, SanError> {
        self.validate()?;
        let text = |value: &str| Ia5String::new(value).map_err(|_| SanError::Uri { value: value.to_owned(), reason: "it is not ASCII" });
        Ok(match self {
            Self::Dns(name) => GeneralName::DnsName(text(name)?),
            Self::Email(address) => GeneralName::Rfc822Name(text(address)?),
            Self::Ip(address) => GeneralName::from(*address),
            Self::Uri(uri) => GeneralName::UniformResourceIdentifier(text(uri)?),
            Self::Other { type_id, value } => {
                let refuse = |reason| SanError::Other { type_id: type_id.clone(), value: value.clone(), reason };
                let oid = check_other(type_id, value)?;
                let encoded = Utf8StringRef::new(value).and_then(|text| Any::encode_from(&text));
                GeneralName::OtherName(OtherName { type_id: oid, value: encoded.map_err(|_| refuse("it cannot be encoded"))? })
            }
        })
    }
}

impl fmt::Display for San {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{name}"),
            Self::Email(address) => write!(formatter, "email:{address}"),
            Self::Ip(address) => write!(formatter, "IP:{address}"),
            Self::Uri(uri) => write!(formatter, "URI:{uri}"),
            Self::Other { type_id, value } => write!(formatter, "otherName:{type_id}:{value}"),
        }
    }
}

/// Why a name may not stand in a certificate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SanError {
    /// Not a DNS name.
    #[error("{value:?} is not a DNS name: {reason}")]
    Dns {
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an e-mail address.
    #[error("{value:?} is not an e-mail address: {reason}")]
    Email {
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not a name of another form.
    #[error("{value:?} is not an otherName of type {type_id:?}: {reason}")]
    Other {
        /// The form's object identifier.
        type_id: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not a URI.
    #[error("{value:?} is not a URI: {reason}")]
    Uri {
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Preferred name syntax (RFC 1034 section 3.5, RFC 1123 section 2.1), or that behind a `*.` (RFC 6125 section 6.4.3).
fn check_dns(name: &str) -> Result<(), SanError> {
    check_host(name.strip_prefix("*.").unwrap_or(name), name.len()).map_err(|reason| SanError::Dns { value: name.to_owned(), reason })
}

pub(crate) fn check_host(host: &str, octets: usize) -> Result<(), &'static str> {
    if octets > DNS_NAME_MAX {
        return Err("it has more than 253 characters");
    }
    for label in host.split('.') {
        if label.is_empty() {
            return Err("a label is empty");
        }
        if label.len() > DNS_LABEL_MAX {
            return Err("a label has more than 63 characters");
        }
        if label.contains('*') {
            return Err("* may stand only as the whole leftmost label");
        }
        if !label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-') {
            return Err("labels are made of ASCII letters, digits and hyphens");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a label begins or ends with a hyphen");
        }
    }
    Ok(())
}

/// A mailbox with an ASCII local part (RFC 5280 section 4.2.1.6, RFC 5321 section 4.1.2).
pub(crate) fn check_email(address: &str) -> Result<(), SanError> {
    let refuse = |reason| SanError::Email { value: address.to_owned(), reason };
    let (local, domain) = address.rsplit_once('@').ok_or_else(|| refuse("it has no @"))?;
    if local.is_empty() || local.len() > 64 {
        return Err(refuse("the part before the @ has 1 to 64 characters"));
    }
    let atom = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet);
    if !local.split('.').all(|part| !part.is_empty() && part.bytes().all(atom)) {
        return Err(refuse("the part before the @ is not a dotted sequence of ASCII atoms"));
    }
    check_host(domain, domain.len()).map_err(refuse)
}

/// The object identifier of an otherName (RFC 5280 section 4.2.1.6), written as it would be read back.
fn check_other(type_id: &str, value: &str) -> Result<ObjectIdentifier, SanError> {
    let refuse = |reason| SanError::Other { type_id: type_id.to_owned(), value: value.to_owned(), reason };
    if tlv::is_unread_oid(type_id) {
        return Err(refuse(tlv::UNREAD_OID));
    }
    let oid = ObjectIdentifier::new(type_id).map_err(|_| refuse("the type is not an object identifier as 1.2.3"))?;
    if oid.to_string() != type_id {
        return Err(refuse("the type is not an object identifier as 1.2.3"));
    }
    if value.is_empty() || value.len() > OTHER_NAME_MAX {
        return Err(refuse("the value has 1 to 1024 octets"));
    }
    if value.chars().any(char::is_control) {
        return Err(refuse("the value holds a control character"));
    }
    Ok(oid)
}

/// An absolute URI (RFC 3986 section 4.3 with a fragment allowed): a scheme and something after it, in the URI's own characters.
pub(crate) fn check_uri(uri: &str) -> Result<(), SanError> {
    let refuse = |reason| SanError::Uri { value: uri.to_owned(), reason };
    let (scheme, rest) = uri.split_once(':').ok_or_else(|| refuse("it has no scheme"))?;
    let scheme_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(scheme_octet) {
        return Err(refuse("its scheme is malformed"));
    }
    if rest.is_empty() || rest == "//" {
        return Err(refuse("there is nothing after its scheme"));
    }
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&octet);
    if !rest.bytes().all(allowed) {
        return Err(refuse("it holds characters that must be percent-encoded"));
    }
    let escaped = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|octet| octet.is_ascii_hexdigit());
    if !rest.split('%').skip(1).all(escaped) {
        return Err(refuse("a % is not followed by two hexadecimal digits"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(type_id: &str, value: &str) -> San {
        San::Other { type_id: type_id.into(), value: value.into() }
    }

    #[test]
    fn names_that_may_stand_in_a_certificate() {
        let long = format!("{}.example", "a".repeat(63));
        for name in ["a", "localhost", "example.com", "EXAMPLE.com", "*.example.com", "xn--bcher-kva.example", "1.2.3.4", "a-b.c", &long] {
            assert_eq!(San::Dns(name.into()).validate(), Ok(()), "{name}");
        }
        for address in ["a@b", "first.last+tag@example.com", "a/b=c@x.y"] {
            assert_eq!(San::Email(address.into()).validate(), Ok(()), "{address}");
        }
        for (type_id, value) in [("1.3.6.1.4.1.311.20.2.3", "user@example.com"), ("2.5.4.3", "é")] {
            assert_eq!(other(type_id, value).validate(), Ok(()), "{type_id} {value}");
        }
        assert_eq!(other("1.2.3", "a b").to_string(), "otherName:1.2.3:a b");
        for uri in ["spiffe://cluster.local/ns/a/sa/b", "urn:uuid:f81d4fae", "https://[::1]:8443/a%20b?c#d", "a:b"] {
            assert_eq!(San::Uri(uri.into()).validate(), Ok(()), "{uri}");
        }
    }

    #[test]
    fn names_that_may_not_are_refused_with_their_value() {
        let label = "a".repeat(64);
        let name = vec!["a".repeat(49); 6].join(".");
        for wrong in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "*",
            "*.",
            "*a.b",
            "a.*.b",
            "**.a",
            "*.*.a",
            "a b",
            "a_b",
            "é.example",
            "-a",
            "a-",
            "a\0b",
            &label,
            &name,
        ] {
            let error = San::Dns(wrong.into()).validate().unwrap_err();
            assert!(matches!(&error, SanError::Dns { value, .. } if value == wrong), "{wrong:?}");
        }
        for wrong in ["", "a", "@b", "a@", "a@b@c", "a b@c", "é@b", ".a@b", "a..b@c", "a@-b", "\"a b\"@c"] {
            assert!(San::Email(wrong.into()).validate().is_err(), "{wrong:?}");
        }
        for (type_id, value) in [
            ("", "a"),
            ("1", "a"),
            ("1.2.", "a"),
            ("1.2.03", "a"),
            ("3.1", "a"),
            ("2.999", "a"),
            ("a.b", "a"),
            ("1.2.3", ""),
            ("1.2.3", "a\0"),
        ] {
            let error = other(type_id, value).validate().unwrap_err();
            assert!(matches!(&error, SanError::Other { type_id: found, .. } if found == type_id), "{type_id:?} {value:?}");
        }
        assert_eq!(other("1.2.3", &"a".repeat(1024)).validate(), Ok(()));
        assert!(other("1.2.3", &"a".repeat(1025)).validate().is_err());
        for (type_id, unread) in [
            ("2.999", true),
            ("2.40.1", true),
            ("2.25.329800735698586629295641978511506172918", true),
            ("1.40", false),
            ("3.1", false),
            ("2", false),
            ("2.", false),
            ("2.999.01", false),
            ("", false),
        ] {
            let error = other(type_id, "a").validate().unwrap_err().to_string();
            assert_eq!(
                (error.contains("are not supported"), error.contains("is not an object identifier as 1.2.3")),
                (unread, !unread),
                "{error}"
            );
        }
        for wrong in ["", "a", ":a", "1a:b", "a:", "a://", "a:b c", "a:é", "a:%", "a:%4", "a:%zz", "a:\n", "a:<b>"] {
            assert!(San::Uri(wrong.into()).validate().is_err(), "{wrong:?}");
        }
    }
}
