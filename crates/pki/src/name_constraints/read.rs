//! Name constraints as they stand in a certificate.
//!
//! The octets may be anyone's. What cannot be compared with names is remembered by its form, so that a name of that form is
//! refused rather than let through.

use std::collections::BTreeSet;

use super::{
    IpRange, NameConstraints, NameSubtrees,
    encode::form::{DIRECTORY, DNS, EMAIL, IP, URI},
};
use crate::{
    Name,
    tlv::{self, Malformed, Reader, Value, tag},
};

/// All that a certificate's extension says.
#[derive(Debug, Default)]
pub(crate) struct Constraints {
    pub(super) known: NameConstraints,
    pub(super) permitted_directories: Vec<Name>,
    pub(super) excluded_directories: Vec<Name>,
    /// The forms, by their numbers, of subtrees that cannot be compared with names.
    pub(super) unread: BTreeSet<u8>,
}

impl Constraints {
    /// Reads the extension's value.
    pub(crate) fn from_der(value: &[u8], critical: bool) -> Result<Self, Malformed> {
        let mut reader = tlv::only(value, tag::SEQUENCE)?.reader();
        let mut read = Self { known: NameConstraints { critical, ..NameConstraints::default() }, ..Self::default() };
        if let Some(subtrees) = reader.take_if(tag::constructed(0))? {
            let into = Into { known: &mut read.known.permitted, directories: &mut read.permitted_directories, unread: &mut read.unread };
            into.read(subtrees.reader())?;
        }
        if let Some(subtrees) = reader.take_if(tag::constructed(1))? {
            let into = Into { known: &mut read.known.excluded, directories: &mut read.excluded_directories, unread: &mut read.unread };
            into.read(subtrees.reader())?;
        }
        reader.end().map(|()| read)
    }

    /// What a user could have asked for.
    pub(crate) fn known(&self) -> &NameConstraints {
        &self.known
    }

    /// Whether there is more than that.
    pub(crate) fn has_others(&self) -> bool {
        !self.permitted_directories.is_empty() || !self.excluded_directories.is_empty() || !self.unread.is_empty()
    }
}

/// Where subtrees are put.
struct Into<'a> {
    known: &'a mut NameSubtrees,
    directories: &'a mut Vec<Name>,
    unread: &'a mut BTreeSet<u8>,
}

impl Into<'_> {
    fn read(self, mut subtrees: Reader<'_>) -> Result<(), Malformed> {
        while !subtrees.is_empty() {
            let mut subtree = subtrees.take(tag::SEQUENCE)?.reader();
            let base = subtree.next()?;
            // A minimum or maximum means what nobody knows: both have no place in this profile.
            let put = if subtree.is_empty() { self.known.add(&base).or_else(|| self.directories.add(&base)) } else { None };
            if put.is_none() {
                self.unread.insert(base.tag & 0x1f);
            }
        }
        Ok(())
    }
}

trait Add {
    /// Adds the subtree; none when it is of another form, or cannot be compared with names.
    fn add(&mut self, base: &Value<'_>) -> Option<()>;
}

impl Add for NameSubtrees {
    fn add(&mut self, base: &Value<'_>) -> Option<()> {
        const TAGS: [u8; 4] = [tag::context(DNS), tag::context(EMAIL), tag::context(URI), tag::context(IP)];
        if !TAGS.contains(&base.tag) {
            return None;
        }
        if base.tag == tag::context(IP) {
            self.ip_ranges.insert(IpRange::from_octets(base.contents)?);
            return Some(());
        }
        let text = str::from_utf8(base.contents).ok()?;
        let (list, comparable) = match base.tag & 0x1f {
            DNS => (&mut self.dns_domains, text.is_empty() || is_domain(text)),
            EMAIL => {
                let comparable = match text.rsplit_once('@') {
                    Some((local, host)) => local.is_ascii() && !local.is_empty() && is_host(host),
                    None => is_domain(text),
                };
                (&mut self.email_addresses, comparable)
            }
            _ => (&mut self.uri_domains, is_domain(text)),
        };
        if !comparable {
            return None;
        }
        list.insert(text.to_owned());
        Some(())
    }
}

impl Add for Vec<Name> {
    fn add(&mut self, base: &Value<'_>) -> Option<()> {
        if base.tag != tag::constructed(DIRECTORY) {
            return None;
        }
        self.push(Name::from_der(base.contents).ok()?);
        Some(())
    }
}

fn is_domain(text: &str) -> bool {
    is_host(text.strip_prefix('.').unwrap_or(text))
}

/// Whether this is a host whose labels can be compared. Looser than what is put into certificates: others sign more.
pub(super) fn is_host(text: &str) -> bool {
    let in_label = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    text.split('.').all(|label| !label.is_empty() && label.bytes().all(in_label))
}
