//! Names from text (RFC 4514): `CN=foo+UID=1,OU=bar,DC=example,DC=com`.
//!
//! Written here, since x509-cert's reader keeps the spaces around separators in the values, makes a UTF8String of every one
//! and knows fewer attributes. Beyond RFC 4514, what users of cert-manager write is read too: a `;` between the relative
//! distinguished names, white space around separators, and `<`, `>` without a backslash. A `"` without one is refused: it
//! quoted a value in older texts (RFC 1779), is a part of it to cert-manager, and nobody could tell which was meant.
//!
//! The text is a user's: whatever it says, reading it ends in a name or an error that says where.

use std::{iter::Peekable, str::Chars};

use super::{
    NameError,
    attribute::{Attribute, name_of},
};
use crate::{hex, tlv};

/// The DER of the name: the text's last relative distinguished name is the first of the DER (RFC 4514 section 2.1).
pub(super) fn parse(text: &str) -> Result<Vec<u8>, NameError> {
    let mut rest = Rest { characters: text.chars().peekable(), position: 0 };
    let mut rdns = Vec::new();
    rest.skip_space();
    if rest.peek().is_some() {
        let mut rdn: Vec<Vec<u8>> = Vec::new();
        loop {
            let key = rest.key()?;
            let unknown = |key: String| {
                if tlv::is_unread_oid(&key) { NameError::UnreadAttribute { key } } else { NameError::UnknownAttribute { key } }
            };
            let attribute = Attribute::of_key(&key).ok_or_else(|| unknown(key))?;
            let value = match rest.value(attribute)? {
                Value::Text(text) => attribute.with_text(&text)?,
                Value::Der(der) => attribute.with_der(&der)?,
            };
            if rdn.contains(&value) {
                return Err(NameError::Twice { attribute: attribute.label() });
            }
            rdn.push(value);
            // A value ends at a separator, and at nothing else.
            match rest.next() {
                Some('+') => {}
                Some(_) => rdns.push(std::mem::take(&mut rdn)),
                None => break rdns.push(rdn),
            }
        }
    }
    rdns.reverse();
    Ok(name_of(rdns))
}

enum Value {
    Text(String),
    Der(Vec<u8>),
}

/// What is still to be read.
struct Rest<'a> {
    characters: Peekable<Chars<'a>>,
    /// How many characters were read.
    position: usize,
}

impl Rest<'_> {
    fn peek(&mut self) -> Option<char> {
        self.characters.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.characters.next()?;
        self.position += 1;
        Some(next)
    }

    fn refuse<T>(&self, reason: &'static str) -> Result<T, NameError> {
        Err(NameError::Text { position: self.position, reason })
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.next();
        }
    }

    /// An attribute's type, with the `=` after it.
    fn key(&mut self) -> Result<String, NameError> {
        self.skip_space();
        let mut key = String::new();
        loop {
            match self.next() {
                Some('=') => break,
                Some(character) if !is_separator(character) => key.push(character),
                Some(_) => return self.refuse("an attribute without = and a value ends"),
                None => return self.refuse("an attribute with = and a value is missing"),
            }
        }
        key.truncate(key.trim_end_matches(is_space).len());
        Ok(key)
    }

    /// An attribute's value, up to the separator after it.
    fn value(&mut self, attribute: Attribute) -> Result<Value, NameError> {
        self.skip_space();
        if self.peek() == Some('#') {
            self.next();
            return self.hexadecimal(attribute).map(Value::Der);
        }
        let mut octets = Vec::new();
        // How many of the octets are no space that may be dropped.
        let mut kept = 0;
        while let Some(character) = self.peek().filter(|next| !is_separator(*next)) {
            self.next();
            match character {
                '\\' => octets.push(self.escaped()?),
                '"' => return self.refuse("a \" has no backslash before it"),
                other => octets.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            if !is_space(character) {
                kept = octets.len();
            }
        }
        octets.truncate(kept);
        match String::from_utf8(octets) {
            Ok(text) => Ok(Value::Text(text)),
            Err(_) => self.refuse("the octets written in hexadecimal digits are not UTF-8 in the value that ends"),
        }
    }

    /// The octet that stands after a backslash: a character that means something else without one, or two hexadecimal digits.
    fn escaped(&mut self) -> Result<u8, NameError> {
        const WRONG: &str = "a backslash is followed neither by one of the characters it is for nor by two hexadecimal digits";
        let Some(first) = self.next() else { return self.refuse(WRONG) };
        if matches!(first, ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') {
            // All of them are ASCII.
            return u8::try_from(first).or_else(|_| self.refuse(WRONG));
        }
        let digits = self.next().map(|second| String::from_iter([first, second]));
        match digits.and_then(|digits| hex::decode(&digits)).as_deref() {
            Some([octet]) => Ok(*octet),
            _ => self.refuse(WRONG),
        }
    }

    fn hexadecimal(&mut self, attribute: Attribute) -> Result<Vec<u8>, NameError> {
        let mut digits = String::new();
        while let Some(digit) = self.peek().filter(|next| !is_separator(*next)) {
            self.next();
            digits.push(digit);
        }
        hex::decode(digits.trim_end_matches(is_space)).ok_or_else(|| NameError::NotDer { attribute: attribute.label() })
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, ',' | ';' | '+')
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    #[test]
    fn a_text_of_rfc_4514_is_read_and_shown_again() {
        for (text, shown) in [
            // The examples of RFC 4514 section 4; the OCTET STRING in one is a string here.
            ("UID=jsmith,DC=example,DC=net", "UID=jsmith,DC=example,DC=net"),
            ("OU=Sales+CN=J.  Smith,DC=example,DC=net", "OU=Sales+CN=J.  Smith,DC=example,DC=net"),
            (r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#, r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#),
            ("1.3.6.1.4.1.1466.0=#0c024869", "1.3.6.1.4.1.1466.0=#0c024869"),
            (r"CN=Lu\C4\8Di\C4\87", "CN=Lučić"),
            // Space, and what parts.
            ("", ""),
            (" \n", ""),
            ("CN = a , OU= b c ;O=d\n", "CN=a,OU=b c,O=d"),
            ("CN=a,\n  OU=b,\n  O=c\n", "CN=a,OU=b,O=c"),
            (r"CN=\ a\ , O=\20b\20 ", r"CN=\ a\ ,O=\ b\ "),
            // Keys.
            ("cn=a,ou=b,SerialNumber=7", "CN=a,OU=b,SERIALNUMBER=7"),
            ("E=a@b.c,email=d@e.f,emailAddress=g@h.i", "EMAILADDRESS=a@b.c,EMAILADDRESS=d@e.f,EMAILADDRESS=g@h.i"),
            ("2.5.4.3=a,2.5.4.17=b", "CN=a,POSTALCODE=b"),
            ("1.2.3=a", "1.2.3=#130161"),
            ("L=a,ST=b,STREET=c,POSTALCODE=d,C=ef", "L=a,ST=b,STREET=c,POSTALCODE=d,C=ef"),
            // Values.
            ("CN=a=b", "CN=a=b"),
            ("CN=<a>", r"CN=\<a\>"),
            (r"CN=\#a\=\+\;\\", r"CN=\#a=\+\;\\"),
            ("CN=a#b", "CN=a#b"),
            ("CN=#1e020061", "CN=#1e020061"),
            ("CN=#1401e4,O=#120137", "CN=#1401e4,O=7"),
            ("CN=#0C0161 ,O=b", "CN=a,O=b"),
            ("CN=❤️", "CN=❤️"),
        ] {
            assert_eq!(Name::from_rfc4514(text).map(|name| name.to_string()).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn the_last_of_the_text_is_the_first_of_the_der() {
        let name = Name::from_rfc4514("UID=1+CN=foo*,DC=com").unwrap();
        let der = concat!(
            "3035",
            // DC is an IA5String.
            "3113301106",
            "0a0992268993f22c640119",
            "1603636f6d",
            // The set's elements stand in the order of their octets; * is in no PrintableString.
            "311e",
            "300b0603550403",
            "0c04666f6f2a",
            "300f060a0992268993f22c640101",
            "130131",
        );
        assert_eq!(hex::decode(der).as_deref(), Some(name.as_der()));
    }

    #[test]
    fn a_text_that_is_no_name_is_refused_and_says_where() {
        let text = |position, reason| NameError::Text { position, reason };
        let cn = || "CN".into();
        let escape = "a backslash is followed neither by one of the characters it is for nor by two hexadecimal digits";
        let missing = "an attribute with = and a value is missing";
        for (wrong, error) in [
            ("a", text(1, missing)),
            ("CN=a,", text(5, missing)),
            ("CN=a+", text(5, missing)),
            ("CN=a,,O=b", text(6, "an attribute without = and a value ends")),
            ("CN=a+,O=b", text(6, "an attribute without = and a value ends")),
            (",", text(1, "an attribute without = and a value ends")),
            ("=a", NameError::UnknownAttribute { key: String::new() }),
            ("CN", text(2, missing)),
            ("FOO=a", NameError::UnknownAttribute { key: "FOO".into() }),
            ("1.2.=a", NameError::UnknownAttribute { key: "1.2.".into() }),
            ("CN=", NameError::Empty { attribute: cn() }),
            ("CN= ,O=b", NameError::Empty { attribute: cn() }),
            ("1.2.3=", NameError::Empty { attribute: "1.2.3".into() }),
            ("CN=#0c00", NameError::Empty { attribute: cn() }),
            (r"CN=Before\0DAfter,DC=example,DC=net", NameError::ControlCharacter { attribute: cn(), value: "Before\rAfter".into() }),
            ("CN=#0c0100", NameError::ControlCharacter { attribute: cn(), value: "\0".into() }),
            ("CN=#1e020000", NameError::ControlCharacter { attribute: cn(), value: "\0".into() }),
            ("DC=é", NameError::NotAscii { attribute: "DC".into(), value: "é".into() }),
            ("E=é@b", NameError::NotAscii { attribute: "EMAILADDRESS".into(), value: "é@b".into() }),
            (r#"CN="a""#, text(4, "a \" has no backslash before it")),
            (r"CN=\", text(4, escape)),
            (r"CN=\a", text(5, escape)),
            (r"CN=\zz", text(6, escape)),
            (r"CN=\é1", text(6, escape)),
            (r"CN=\c3", text(6, "the octets written in hexadecimal digits are not UTF-8 in the value that ends")),
            ("CN=#", NameError::NotDer { attribute: cn() }),
            ("CN=#0", NameError::NotDer { attribute: cn() }),
            ("CN=#zz", NameError::NotDer { attribute: cn() }),
            ("CN=#0c02", NameError::NotDer { attribute: cn() }),
            ("CN=#0c0161ff", NameError::NotDer { attribute: cn() }),
            ("CN=#0c01ff", NameError::NotDer { attribute: cn() }),
            ("CN=#130140", NameError::NotDer { attribute: cn() }),
            // Contents that do not fit their type, and types that OpenSSL does not take; the last one, we do not.
            ("CN=#120161", NameError::NotDer { attribute: cn() }),
            ("CN=#160180", NameError::NotDer { attribute: cn() }),
            ("CN=#1e03006100", NameError::NotDer { attribute: cn() }),
            ("CN=#1e02d800", NameError::NotDer { attribute: cn() }),
            ("1.2.3=#0401ff", NameError::NotDer { attribute: "1.2.3".into() }),
            ("1.2.3=#0101ff", NameError::NotDer { attribute: "1.2.3".into() }),
            ("1.2.3=#0500", NameError::NotDer { attribute: "1.2.3".into() }),
            ("1.2.3=#3003020101", NameError::NotDer { attribute: "1.2.3".into() }),
            ("1.2.3=#300101", NameError::NotDer { attribute: "1.2.3".into() }),
            ("1.2.3=#1c0400000061", NameError::NotDer { attribute: "1.2.3".into() }),
            ("2.999=a", NameError::UnreadAttribute { key: "2.999".into() }),
            ("1.99=a", NameError::UnknownAttribute { key: "1.99".into() }),
            ("CN=a+CN=a", NameError::Twice { attribute: cn() }),
        ] {
            assert_eq!(Name::from_rfc4514(wrong).unwrap_err(), error, "{wrong}");
        }
        let long = format!("CN={}", "é".repeat(65));
        assert_eq!(Name::from_rfc4514(&long), Err(NameError::TooLong { attribute: cn(), characters: 65, most: 64 }));
    }
}
