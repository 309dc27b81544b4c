//! Name constraints as they stand in a certificate.
//!
//! The octets may be anyone's. What cannot be compared with names is remembered by its form, so that a name of that form is
//! refused rather than let through.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    IpRange, NameConstraints, NameSubtrees,
    encode::form::{DIRECTORY, DNS, EMAIL, IP, URI},
};
use crate::{
    Name,
    tlv::{self, Malformed, Reader, Value, tag},
};

/// How many subtrees of one form are read in one certificate; a form with more counts as one that cannot be compared. Each is
/// compared with every name of its form, of which there may be a thousand.
const SUBTREES_MAX: usize = 1000;

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
        let Self { known, permitted_directories, excluded_directories, unread } = &mut read;
        let mut forms = Forms { seen: BTreeMap::new(), unread };
        if let Some(subtrees) = reader.take_if(tag::constructed(0))? {
            Into { known: &mut known.permitted, directories: permitted_directories, forms: &mut forms }.read(subtrees.reader())?;
        }
        if let Some(subtrees) = reader.take_if(tag::constructed(1))? {
            Into { known: &mut known.excluded, directories: excluded_directories, forms: &mut forms }.read(subtrees.reader())?;
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

/// The forms of the subtrees of a certificate, by their numbers.
struct Forms<'a> {
    /// How many subtrees of each there are.
    seen: BTreeMap<u8, usize>,
    unread: &'a mut BTreeSet<u8>,
}

impl Forms<'_> {
    /// Whether one more of this form is read.
    fn takes(&mut self, form: u8) -> bool {
        let seen = self.seen.entry(form).or_default();
        *seen += 1;
        *seen <= SUBTREES_MAX
    }
}

/// Where subtrees are put.
struct Into<'a, 'b> {
    known: &'a mut NameSubtrees,
    directories: &'a mut Vec<Name>,
    forms: &'a mut Forms<'b>,
}

impl Into<'_, '_> {
    fn read(self, mut subtrees: Reader<'_>) -> Result<(), Malformed> {
        while !subtrees.is_empty() {
            let mut subtree = subtrees.take(tag::SEQUENCE)?.reader();
            let base = subtree.next()?;
            // A minimum or maximum means what nobody knows: both have no place in this profile.
            let form = base.tag & 0x1f;
            let read = self.forms.takes(form) && subtree.is_empty();
            let put = if read { self.known.add(&base).or_else(|| self.directories.add(&base)) } else { None };
            if put.is_none() {
                self.forms.unread.insert(form);
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn full() -> NameConstraints {
        let texts = |values: [&str; 2]| values.map(str::to_owned).into();
        NameConstraints {
            critical: true,
            permitted: NameSubtrees {
                dns_domains: texts(["", ".example.com"]),
                ip_ranges: [IpRange::from_octets(&[10, 0, 0, 0, 255, 0, 0, 0]), IpRange::from_octets(&[0; 32])]
                    .into_iter()
                    .flatten()
                    .collect(),
                email_addresses: texts(["a@example.com", ".example.com"]),
                uri_domains: texts(["example.com", ".example.com"]),
            },
            excluded: NameSubtrees { dns_domains: texts(["a.example.com", "b_c.example.com"]), ..NameSubtrees::default() },
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let read = Constraints::from_der(&full().to_der(), true).unwrap();
        assert_eq!(read.known(), &full());
        assert!(!read.has_others());
    }

    /// One permitted subtree with this base, and what follows the base.
    fn permitted(base: u8, contents: &[u8], rest: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        tlv::wrap(&mut out, tag::SEQUENCE, |out| {
            tlv::wrap(out, tag::constructed(0), |out| {
                tlv::wrap(out, tag::SEQUENCE, |out| {
                    tlv::write(out, base, contents);
                    out.extend_from_slice(rest);
                });
            });
        });
        out
    }

    #[test]
    fn a_subtree_that_cannot_be_compared_is_remembered_by_its_form() {
        let context = tag::context;
        for (base, contents, rest, form) in [
            (context(DNS), &b"example.com"[..], &[0x80, 1, 0][..], DNS),
            (context(DNS), b"example.com", &[0x81, 1, 3], DNS),
            (context(DNS), b"*.example.com", &[], DNS),
            (context(DNS), b"example.com.", &[], DNS),
            (context(DNS), b"ex\xe4mple.com", &[], DNS),
            (context(EMAIL), b"", &[], EMAIL),
            (context(EMAIL), b"@example.com", &[], EMAIL),
            (context(URI), b"", &[], URI),
            (context(URI), b"https://example.com", &[], URI),
            (context(IP), &[10, 0, 0, 0], &[], IP),
            (context(IP), &[10, 0, 0, 0, 255, 0, 255, 0], &[], IP),
            (tag::constructed(DIRECTORY), b"", &[], DIRECTORY),
            (context(DIRECTORY), &[0x30, 0], &[], DIRECTORY),
            (tag::constructed(0), &[6, 1, 42], &[], 0),
            (context(8), &[42], &[], 8),
        ] {
            let read = Constraints::from_der(&permitted(base, contents, rest), false).unwrap();
            assert_eq!((read.unread.clone(), read.has_others()), ([form].into(), true), "{base:02x} {contents:02x?}");
            assert!(read.known().permitted.is_empty());
        }
        let read = Constraints::from_der(&permitted(tag::constructed(DIRECTORY), &[0x30, 0], &[]), false).unwrap();
        assert_eq!((read.permitted_directories.len(), read.unread.len(), read.has_others()), (1, 0, true));
    }

    #[test]
    fn a_form_with_more_subtrees_than_are_read_cannot_be_compared() {
        let read = |count: usize| {
            let names = |range: std::ops::Range<usize>| range.map(|number| format!("d{number}.example")).collect();
            let list = |range| NameSubtrees { dns_domains: names(range), uri_domains: names(0..1), ..NameSubtrees::default() };
            let constraints = NameConstraints { critical: true, permitted: list(0..1), excluded: list(1..count) };
            Constraints::from_der(&constraints.to_der(), true).unwrap()
        };
        assert!(!read(SUBTREES_MAX).has_others());
        let beyond = read(SUBTREES_MAX + 80_000);
        assert_eq!((beyond.unread, beyond.known.excluded.dns_domains.len()), ([DNS].into(), SUBTREES_MAX - 1));
    }

    proptest! {
        #[test]
        fn damaged_octets_are_read_or_refused(place in any::<prop::sample::Index>(), octet in any::<u8>(), other in vec(any::<u8>(), 0..40)) {
            let mut octets = full().to_der();
            let place = place.index(octets.len());
            octets[place] = octet;
            let _ = Constraints::from_der(&octets, false);
            let _ = Constraints::from_der(&octets[..place], false);
            let _ = Constraints::from_der(&other, false);
        }
    }
}
