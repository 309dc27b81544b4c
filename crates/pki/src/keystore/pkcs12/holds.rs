//! Whether a PKCS#12 store holds what it should.

use std::collections::BTreeSet;

use super::{Pkcs12Profile, certificates, read};
use crate::{
    Certificate,
    keystore::{Contents, distinct, password::Password},
};

/// Whether this is a store that [`pkcs12`](super::pkcs12) could have written: of this profile, opened by this password,
/// with this key, these certificates in this order and this alias, and nothing besides. Salts and the numbers of
/// derivations may differ, and a certificate may be there twice.
///
/// A store whose certificates are in RC2 is not one.
pub fn pkcs12_holds(store: &[u8], contents: &Contents<'_>, profile: Pkcs12Profile, password: &[u8]) -> bool {
    holds_key(store, contents, profile, password).is_some()
}

/// Whether this is a trust store that [`pkcs12_truststore`](super::pkcs12_truststore) could have written, as with
/// [`pkcs12_holds`]. The friendlyNames may be others, as long as Java tells them apart.
pub fn pkcs12_truststore_holds(store: &[u8], ca: &[Certificate], profile: Pkcs12Profile, password: &[u8]) -> bool {
    holds_authorities(store, ca, profile, password).is_some()
}

fn holds_key(store: &[u8], contents: &Contents<'_>, profile: Pkcs12Profile, password: &[u8]) -> Option<()> {
    let password = Password::new(password).ok()?;
    contents.check().ok()?;
    let opened = read::open(store, profile, password).ok()?;
    let (key, said) = opened.key?;
    let (_, said_of_leaf) = opened.certificates.first()?;
    let alias: Vec<u8> = contents.alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let named = said.name.as_deref().unwrap_or_default() == alias;
    let belongs = said.local_key_id.is_some() && said.local_key_id == said_of_leaf.local_key_id;
    let mut seen = BTreeSet::new();
    let found = opened.certificates.iter().map(|(der, _)| der.as_slice()).filter(|der| seen.insert(*der));
    let same = found.eq(certificates(contents).iter().map(|certificate| certificate.as_der()));
    (named && belongs && same && contents.is_key(&key)).then_some(())
}

fn holds_authorities(store: &[u8], ca: &[Certificate], profile: Pkcs12Profile, password: &[u8]) -> Option<()> {
    let opened = read::open(store, profile, Password::new(password).ok()?).ok()?;
    let names: BTreeSet<_> = opened
        .certificates
        .iter()
        .filter(|(_, said)| said.trusted)
        // Java knows no capital letters in an alias.
        .filter_map(|(_, said)| lower_case(said.name.as_deref()?))
        .collect();
    let authorities = distinct(ca.iter());
    let same = opened.certificates.iter().map(|(der, _)| der.as_slice()).eq(authorities.iter().map(|authority| authority.as_der()));
    (opened.key.is_none() && !authorities.is_empty() && same && names.len() == authorities.len()).then_some(())
}

fn lower_case(name: &[u8]) -> Option<String> {
    let units: Vec<u16> = name.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, octet| unit << 8 | u16::from(*octet))).collect();
    String::from_utf16(&units).ok().map(|name| name.to_lowercase())
}
