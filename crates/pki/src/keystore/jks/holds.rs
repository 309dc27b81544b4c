//! Whether a JKS holds what it should. The store is not trusted: whatever is in it, little is done and nothing panics.

use super::{
    super::{Contents, STORE_MAX, named_authorities, password::Password},
    CERTIFICATE_TYPE, KEY_ENTRY, MAGIC, TRUSTED_ENTRY, VERSION, modified_utf8, protect, seal_of,
};
use crate::Certificate;

/// More entries than a store of ours has.
const ENTRIES_MAX: usize = 256;
/// The octets of the hash at the end.
const SEAL: usize = 20;

/// Whether this is a JKS that [`jks`](super::jks) could have written: opened by this password, with this key, chain,
/// authorities and alias and nothing besides. Salt, dates and the entries' order may differ.
pub fn jks_holds(store: &[u8], contents: &Contents<'_>, password: &[u8]) -> bool {
    holds_key(store, contents, password).is_some()
}

/// Whether this is a JKS that [`jks_truststore`](super::jks_truststore) could have written, as with [`jks_holds`].
pub fn jks_truststore_holds(store: &[u8], ca: &[Certificate], password: &[u8]) -> bool {
    let holds = || {
        let entries = open(store, Password::new(password).ok()?)?;
        let authorities = named_authorities(ca, None);
        (entries.len() == authorities.len() && holds_authorities(&entries, &authorities)).then_some(())
    };
    holds().is_some()
}

fn holds_key(store: &[u8], contents: &Contents<'_>, password: &[u8]) -> Option<()> {
    let password = Password::new(password).ok()?;
    contents.check().ok()?;
    let entries = open(store, password)?;
    let alias = contents.alias.to_lowercase();
    let authorities = named_authorities(contents.ca, Some(&alias));
    if entries.len() != authorities.len() + 1 || !holds_authorities(&entries, &authorities) {
        return None;
    }
    let wanted = modified_utf8(&alias);
    let (protected, chain) = entries.iter().find_map(|entry| match entry {
        Entry::Key { alias, protected, chain } if *alias == wanted => Some((*protected, chain)),
        _ => None,
    })?;
    if !chain.iter().copied().eq(contents.chain.iter().map(Certificate::as_der)) {
        return None;
    }
    contents.is_key(&protect::open(protected, password)?).then_some(())
}

/// Each is there, under its name. With as many entries as there are names, nothing else is.
fn holds_authorities(entries: &[Entry<'_>], authorities: &[(String, &Certificate)]) -> bool {
    authorities.iter().all(|(name, authority)| {
        let wanted = modified_utf8(name);
        entries
            .iter()
            .any(|entry| matches!(entry, Entry::Trusted { alias, certificate } if *alias == wanted && *certificate == authority.as_der()))
    })
}

enum Entry<'a> {
    Key { alias: &'a [u8], protected: &'a [u8], chain: Vec<&'a [u8]> },
    Trusted { alias: &'a [u8], certificate: &'a [u8] },
}

fn open<'a>(store: &'a [u8], password: Password<'_>) -> Option<Vec<Entry<'a>>> {
    if store.len() > STORE_MAX {
        return None;
    }
    let (sealed, seal) = store.split_last_chunk::<SEAL>()?;
    let mut octets = Octets(sealed);
    if octets.number()? != MAGIC || octets.number()? != VERSION {
        return None;
    }
    let count = octets.count()?;
    let entries: Vec<_> = (0..count).map(|_| entry(&mut octets)).collect::<Option<_>>()?;
    (octets.0.is_empty() && seal_of(sealed, password).as_ref() == seal).then_some(entries)
}

fn entry<'a>(octets: &mut Octets<'a>) -> Option<Entry<'a>> {
    let kind = octets.number()?;
    let alias = octets.text()?;
    let _date = octets.take(8)?;
    match kind {
        KEY_ENTRY => {
            let protected = octets.long()?;
            let count = octets.count()?;
            let chain = (0..count).map(|_| octets.certificate()).collect::<Option<_>>()?;
            Some(Entry::Key { alias, protected, chain })
        }
        TRUSTED_ENTRY => Some(Entry::Trusted { alias, certificate: octets.certificate()? }),
        _ => None,
    }
}

/// What is left to be read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*taken))
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= ENTRIES_MAX)
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        self.take(usize::from(u16::from_be_bytes(*length)))
    }

    /// Go's writers leave the dot out; Java takes both.
    fn certificate(&mut self) -> Option<&'a [u8]> {
        let kind = self.text()?;
        let certificate = self.long()?;
        (kind == CERTIFICATE_TYPE.as_bytes() || kind == b"X509").then_some(certificate)
    }
}
