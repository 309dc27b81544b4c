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
use crate::hex;

/// The DER of the name: the text's last relative distinguished name is the first of the DER (RFC 4514 section 2.1).
pub(super) fn parse(text: &str) -> Result<Vec<u8>, NameError> {
    let mut rest = Rest { characters: text.chars().peekable(), position: 0 };
    let mut rdns = Vec::new();
    rest.skip_space();
    if rest.peek().is_some() {
        let mut rdn: Vec<Vec<u8>> = Vec::new();
        loop {
            let key = rest.key()?;
            let attribute = Attribute::of_key(&key).ok_or(NameError::UnknownAttribute { key })?;
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
