//! What is in a PKCS#12 store of one profile. The store is not trusted: whatever is in it, little is done and nothing
//! panics.

use zeroize::Zeroizing;

use super::{Pkcs12Profile, oid};
use crate::{
    keystore::{STORE_MAX, password::Password},
    tlv::{self, Malformed, Reader, tag},
};

/// More bags than a store of ours has.
const BAGS_MAX: usize = 256;
/// The certificates, and the key.
const CONTENTS_MAX: usize = 2;

/// What a store holds: at most one key.
#[derive(Default)]
pub(super) struct Opened {
    /// As PKCS#8.
    pub(super) key: Option<(Zeroizing<Vec<u8>>, Said)>,
    /// As DER, in their order.
    pub(super) certificates: Vec<(Vec<u8>, Said)>,
}

/// What is said of a bag.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The friendlyName's octets.
    pub(super) name: Option<Vec<u8>>,
    pub(super) local_key_id: Option<Vec<u8>>,
    /// Whether Java trusts it for anything.
    pub(super) trusted: bool,
}

/// Opens a store whose algorithms are those of the profile, and whose MAC fits.
pub(super) fn open(store: &[u8], profile: Pkcs12Profile, password: Password<'_>) -> Result<Opened, Malformed> {
    if store.len() > STORE_MAX {
        return Err(Malformed);
    }
    let mut pfx = tlv::only(store, tag::SEQUENCE)?.reader();
    if pfx.take(tag::INTEGER)?.contents != [3] {
        return Err(Malformed);
    }
    let (kind, content) = content(&mut pfx)?;
    if kind != oid::DATA.as_bytes() {
        return Err(Malformed);
    }
    let safes = tlv::only(content, tag::OCTET_STRING)?.contents;
    profile.mac().verify(password, &mut pfx, safes)?;
    pfx.end()?;
    let mut opened = Opened::default();
    let mut safes = tlv::only(safes, tag::SEQUENCE)?.reader();
    for _ in 0..CONTENTS_MAX {
        if !safes.is_empty() {
            opened.read_content(&mut safes, profile, password)?;
        }
    }
    safes.end().map(|()| opened)
}

/// The object identifier and, still to be read, the parameters of an AlgorithmIdentifier.
pub(super) fn algorithm<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], Reader<'a>), Malformed> {
    let mut algorithm = reader.take(tag::SEQUENCE)?.reader();
    Ok((algorithm.take(tag::OBJECT_IDENTIFIER)?.contents, algorithm))
}

/// The kind and the value of a ContentInfo.
fn content<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let mut info = reader.take(tag::SEQUENCE)?.reader();
    let kind = info.take(tag::OBJECT_IDENTIFIER)?.contents;
    let value = info.take(tag::constructed(0))?.contents;
    info.end().map(|()| (kind, value))
}

impl Opened {
    /// Certificates are only looked for where they are encrypted, and the key where it is encrypted by itself.
    fn read_content(&mut self, safes: &mut Reader<'_>, profile: Pkcs12Profile, password: Password<'_>) -> Result<(), Malformed> {
        let (kind, value) = content(safes)?;
        if kind == oid::ENCRYPTED_DATA.as_bytes() {
            let mut data = tlv::only(value, tag::SEQUENCE)?.reader();
            data.take(tag::INTEGER)?;
            let mut info = data.take(tag::SEQUENCE)?.reader();
            data.end()?;
            info.take(tag::OBJECT_IDENTIFIER)?;
            let mut algorithm = info;
            info.next()?;
            let encrypted = info.take(tag::context(0))?.contents;
            info.end()?;
            let bags = profile.encryption().decrypt(password, &mut algorithm, encrypted)?;
            each_bag(&bags, |kind, value, said| {
                if kind != oid::CERTIFICATE_BAG.as_bytes() {
                    return Err(Malformed);
                }
                self.certificates.push((certificate(value)?, said));
                Ok(())
            })
        } else if kind == oid::DATA.as_bytes() {
            each_bag(tlv::only(value, tag::OCTET_STRING)?.contents, |kind, value, said| {
                if kind != oid::SHROUDED_KEY_BAG.as_bytes() || self.key.is_some() {
                    return Err(Malformed);
                }
                let mut algorithm = tlv::only(value, tag::SEQUENCE)?.reader();
                let mut info = algorithm;
                info.next()?;
                let encrypted = info.take(tag::OCTET_STRING)?.contents;
                info.end()?;
                self.key = Some((profile.encryption().decrypt(password, &mut algorithm, encrypted)?, said));
                Ok(())
            })
        } else {
            Err(Malformed)
        }
    }
}

fn each_bag(bags: &[u8], mut body: impl FnMut(&[u8], &[u8], Said) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let mut bags = tlv::only(bags, tag::SEQUENCE)?.reader();
    for _ in 0..BAGS_MAX {
        if bags.is_empty() {
            return Ok(());
        }
        let mut bag = bags.take(tag::SEQUENCE)?.reader();
        let kind = bag.take(tag::OBJECT_IDENTIFIER)?.contents;
        let value = bag.take(tag::constructed(0))?.contents;
        let said = bag.take_if(tag::SET)?.map_or_else(|| Ok(Said::default()), |attributes| Said::read(attributes.reader()))?;
        bag.end()?;
        body(kind, value, said)?;
    }
    bags.end()
}

fn certificate(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bag = tlv::only(value, tag::SEQUENCE)?.reader();
    let kind = bag.take(tag::OBJECT_IDENTIFIER)?.contents;
    let value = bag.take(tag::constructed(0))?.contents;
    bag.end()?;
    let certificate = tlv::only(value, tag::OCTET_STRING)?.contents;
    if kind == oid::X509_CERTIFICATE.as_bytes() { Ok(certificate.to_vec()) } else { Err(Malformed) }
}

impl Said {
    /// Attributes that we do not write are passed over.
    fn read(mut attributes: Reader<'_>) -> Result<Self, Malformed> {
        let mut said = Self::default();
        while !attributes.is_empty() {
            let mut attribute = attributes.take(tag::SEQUENCE)?.reader();
            let kind = attribute.take(tag::OBJECT_IDENTIFIER)?.contents;
            let mut values = attribute.take(tag::SET)?.reader();
            attribute.end()?;
            if kind == oid::FRIENDLY_NAME.as_bytes() {
                said.name = Some(values.take(tag::BMP_STRING)?.contents.to_vec());
            } else if kind == oid::LOCAL_KEY_ID.as_bytes() {
                said.local_key_id = Some(values.take(tag::OCTET_STRING)?.contents.to_vec());
            } else if kind == oid::JAVA_TRUSTED_KEY_USAGE.as_bytes() {
                said.trusted |= values.take(tag::OBJECT_IDENTIFIER)?.contents == oid::ANY_EXTENDED_KEY_USAGE.as_bytes();
            }
        }
        Ok(said)
    }
}
