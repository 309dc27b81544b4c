//! Whether a JKS holds what it should. The store is not trusted: whatever is in it, little is done and nothing panics.

use super::{
    super::{Contents, Listed, STORE_MAX, named_authorities, password::Password},
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
        (!authorities.is_empty() && entries.len() == authorities.len() && holds_authorities(&entries, &authorities)).then_some(())
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

/// The key (PKCS#8) and the certificates of a store.
pub(in crate::keystore) fn contents(store: &[u8], password: Password<'_>) -> Option<Listed> {
    let mut key = None;
    let mut certificates = Vec::new();
    for entry in open(store, password)? {
        match entry {
            Entry::Key { protected, chain, .. } => {
                key = Some(protect::open(protected, password)?);
                certificates.extend(chain.into_iter().map(<[u8]>::to_vec));
            }
            Entry::Trusted { certificate, .. } => certificates.push(certificate.to_vec()),
        }
    }
    Some((key, certificates))
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample};

    use super::{super::*, *};
    use crate::{KeyAlgorithm, KeyEncoding, PrivateKey, keystore::fixed::PASSWORD};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]
        #[test]
        fn a_store_that_is_sealed_anew_after_a_change_is_looked_at_without_panic(
            edits in vec((any::<sample::Index>(), any::<u8>()), 1..4),
            length in proptest::option::of(any::<sample::Index>()),
        ) {
            let (key, certificates) = Contents::fixed();
            let contents = Contents { key: &key, chain: &certificates, ca: &certificates, alias: "certificate" };
            let password = Password::new(PASSWORD).unwrap();
            let written = jks(&contents, PASSWORD, [7; 20]).unwrap();
            let sealed = &written[..written.len() - SEAL];
            let mut changed = sealed.to_vec();
            for (place, octet) in edits {
                *place.get_mut(&mut changed) = octet;
            }
            if let Some(length) = length {
                changed.truncate(length.index(sealed.len()));
            }
            // The dates are not compared.
            let holds = jks_holds(&seal(changed.clone(), password).unwrap(), &contents, PASSWORD);
            let apart = changed.iter().zip(sealed).filter(|(changed, written)| changed != written).count();
            prop_assert!(!holds || changed.len() == sealed.len() && apart <= 3);
            prop_assert!(holds || changed != sealed);
        }
    }

    #[test]
    fn a_store_that_claims_more_than_it_has_is_refused() {
        let password = Password::new(PASSWORD).unwrap();
        for claims in [
            [MAGIC, VERSION, u32::MAX].map(u32::to_be_bytes).concat(),
            [MAGIC, VERSION, 257].map(u32::to_be_bytes).concat(),
            [[MAGIC, VERSION, 1, KEY_ENTRY].map(u32::to_be_bytes).concat(), vec![0xff; 64]].concat(),
            [[MAGIC, VERSION, 1, 3].map(u32::to_be_bytes).concat(), vec![0; 64]].concat(),
            [[MAGIC, 1, 0].map(u32::to_be_bytes).concat()].concat(),
        ] {
            assert!(open(&seal(claims, password).unwrap(), password).is_none());
        }
        assert!(open(&seal([MAGIC, VERSION, 0].map(u32::to_be_bytes).concat(), password).unwrap(), password).is_some());
        assert!(open(&[], password).is_none());
    }

    #[test]
    fn a_store_with_the_key_of_another_or_with_more_is_refused() {
        let password = Password::new(PASSWORD).unwrap();
        let (key, certificates) = Contents::fixed();
        let other = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let contents = Contents { key: &key, chain: &certificates, ca: &[], alias: "certificate" };
        let with = |key: &PrivateKey, more: &[&str], rest: &[u8]| {
            let mut store = begin(1 + more.len()).unwrap();
            write_entry(&mut store, KEY_ENTRY, "certificate", &certificates[0]).unwrap();
            let key = protect::protect(&key.to_der(KeyEncoding::Pkcs8).unwrap(), password, [7; 20]);
            write_length(&mut store, key.len()).unwrap();
            store.extend(key);
            write_length(&mut store, 1).unwrap();
            write_certificate(&mut store, &certificates[0]).unwrap();
            for alias in more {
                write_authorities(&mut store, &[((*alias).to_owned(), &certificates[0])]).unwrap();
            }
            store.extend(rest);
            seal(store, password).unwrap()
        };
        assert!(jks_holds(&with(&key, &[], &[]), &contents, PASSWORD));
        assert!(!jks_holds(&with(&other, &[], &[]), &contents, PASSWORD));
        assert!(!jks_holds(&with(&key, &["more"], &[]), &contents, PASSWORD));
        assert!(!jks_holds(&with(&key, &[], &[0]), &contents, PASSWORD));
        assert!(!jks_truststore_holds(&with(&key, &["ca"], &[]), &certificates, PASSWORD));
        assert!(!jks_truststore_holds(&seal(begin(0).unwrap(), password).unwrap(), &[], PASSWORD));
    }

    #[test]
    fn a_key_that_another_password_protects_is_not_found() {
        let (password, another) = (Password::new(PASSWORD).unwrap(), Password::new(b"another").unwrap());
        let protected = protect::protect(b"a key", password, [7; 20]);
        assert_eq!(protect::open(&protected, password).unwrap().as_slice(), b"a key");
        assert!(protect::open(&protected, another).is_none());
    }

    #[test]
    fn a_store_that_no_secret_could_have_is_not_looked_at() {
        let password = Password::new(PASSWORD).unwrap();
        let (_, certificates) = Contents::fixed();
        let opens = |filling: usize| {
            let mut store = begin(1).unwrap();
            write_entry(&mut store, TRUSTED_ENTRY, "ca", &certificates[0]).unwrap();
            write_text(&mut store, CERTIFICATE_TYPE).unwrap();
            write_length(&mut store, filling).unwrap();
            store.resize(store.len() + filling, 7);
            store.extend_from_slice(seal_of(&store, password).as_ref());
            open(&store, password).is_some()
        };
        assert!(opens(STORE_MAX - 100));
        assert!(!opens(STORE_MAX));
    }
}
