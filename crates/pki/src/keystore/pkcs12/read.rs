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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample};

    use super::{super::*, *};
    use crate::{KeyAlgorithm, PrivateKey, keystore::fixed::PASSWORD};

    /// The bags of a store, without what protects them: certificates, and the key.
    fn bags_of(store: &[u8], password: Password<'_>) -> (Vec<u8>, Vec<u8>) {
        let mut pfx = tlv::only(store, tag::SEQUENCE).unwrap().reader();
        pfx.next().unwrap();
        let (_, value) = content(&mut pfx).unwrap();
        let safes = tlv::only(value, tag::OCTET_STRING).unwrap().contents;
        let mut safes = tlv::only(safes, tag::SEQUENCE).unwrap().reader();
        let (_, value) = content(&mut safes).unwrap();
        let mut data = tlv::only(value, tag::SEQUENCE).unwrap().reader();
        data.next().unwrap();
        let mut info = data.next().unwrap().reader();
        info.next().unwrap();
        let mut algorithm = info;
        info.next().unwrap();
        let certificates = Encryption::Aes256.decrypt(password, &mut algorithm, info.next().unwrap().contents).unwrap();
        let (_, value) = content(&mut safes).unwrap();
        (certificates.to_vec(), tlv::only(value, tag::OCTET_STRING).unwrap().contents.to_vec())
    }

    fn changed(octets: &[u8], edits: &[(sample::Index, u8)], length: Option<sample::Index>) -> Vec<u8> {
        let mut changed = octets.to_vec();
        for (place, octet) in edits {
            *place.get_mut(&mut changed) = *octet;
        }
        changed.truncate(length.map_or(octets.len(), |length| length.index(octets.len())));
        changed
    }

    #[test]
    fn a_store_whose_key_is_anothers_or_nobodys_is_written_again() {
        let (key, certificates) = Contents::fixed();
        let contents = Contents { key: &key, chain: &certificates, ca: &[], alias: "" };
        let (profile, password) = (Pkcs12Profile::Modern2023, Password::new(PASSWORD).unwrap());
        let with = |key: &PrivateKey, key_id: &[u8], certificate_id: &[u8], trusted: bool| {
            let (algorithm, key) = profile.encryption().encrypt(password, &key.to_der(KeyEncoding::Pkcs8).unwrap()).unwrap();
            let attributes = |id| Attributes { friendly_name: None, local_key_id: Some(id), trusted: false };
            let key = bags(|out| {
                write_bag(out, oid::SHROUDED_KEY_BAG, attributes(key_id), |out| {
                    tlv::wrap(out, tag::SEQUENCE, |out| {
                        out.extend_from_slice(&algorithm);
                        tlv::write(out, tag::OCTET_STRING, &key);
                    });
                });
            });
            let friendly_name = trusted.then_some("ca");
            let certificates = bags(|out| {
                write_certificate_bag(out, &certificates[0], Attributes { friendly_name, trusted, ..attributes(certificate_id) });
            });
            write(profile, password, &certificates, Some(&key)).unwrap()
        };
        let holds = |store: &[u8]| pkcs12_holds(store, &contents, profile, PASSWORD);
        assert!(holds(&with(&key, b"1", b"1", false)));
        assert!(!holds(&with(&PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap(), b"1", b"1", false)));
        // Java and others would find no certificate of the key.
        assert!(!holds(&with(&key, b"1", b"2", false)));
        // Nobody's key is looked for in a trust store.
        assert!(!pkcs12_truststore_holds(&with(&key, b"1", b"2", true), &certificates, profile, PASSWORD));
        let store = pkcs12_truststore(&certificates, profile, PASSWORD).unwrap();
        assert!(pkcs12_truststore_holds(&store, &certificates, profile, PASSWORD));
    }

    #[test]
    fn authorities_that_java_would_not_trust_or_not_tell_apart_are_written_again() {
        let (_, certificates) = Contents::fixed();
        let (profile, password) = (Pkcs12Profile::Modern2023, Password::new(PASSWORD).unwrap());
        let holds = |friendly_name: Option<&str>, trusted: bool| {
            let attributes = Attributes { friendly_name, local_key_id: None, trusted };
            let bags = bags(|out| write_certificate_bag(out, &certificates[0], attributes));
            let store = write(profile, password, &bags, None).unwrap();
            pkcs12_truststore_holds(&store, &certificates, profile, PASSWORD)
        };
        assert!(holds(Some("any name"), true));
        assert!(!holds(Some("ca"), false));
        assert!(!holds(None, true));
    }

    #[test]
    fn attributes_stand_in_the_order_of_their_octets() {
        let mut out = Vec::new();
        Attributes { friendly_name: Some(&"a".repeat(40)), local_key_id: Some(&[7; 20]), trusted: true }.write(&mut out);
        let mut members = tlv::only(&out, tag::SET).unwrap().reader();
        let members: Vec<_> = (0..3).map(|_| members.next().unwrap().whole).collect();
        assert!(members.is_sorted(), "{members:02x?}");
    }

    #[test]
    fn an_algorithm_of_another_name_is_not_taken_for_ours() {
        let password = Password::new(PASSWORD).unwrap();
        // The last octet of each name that is written is changed in turn.
        let renamed = |octets: &[u8], name: ObjectIdentifier| {
            let name = name.as_bytes();
            let place = octets.windows(name.len()).position(|window| window == name).unwrap() + name.len() - 1;
            let mut octets = octets.to_vec();
            octets[place] ^= 1;
            octets
        };
        for (encryption, names) in [
            (Encryption::TripleDes, &[oid::PBE_SHA1_TRIPLE_DES][..]),
            (Encryption::Aes256, &[oid::PBES2, oid::PBKDF2, oid::HMAC_SHA256, oid::AES_256_CBC]),
        ] {
            let (algorithm, encrypted) = encryption.encrypt(password, b"plain").unwrap();
            let decrypts = |algorithm: &[u8]| encryption.decrypt(password, &mut Reader::new(algorithm), &encrypted).is_ok();
            assert!(decrypts(&algorithm));
            for name in names {
                assert!(!decrypts(&renamed(&algorithm, *name)), "{name}");
            }
        }
        for (mac, names) in
            [(Mac::Sha1, &[oid::SHA1][..]), (Mac::Sha256, &[oid::SHA256]), (Mac::Pbmac1, &[oid::PBMAC1, oid::PBKDF2, oid::HMAC_SHA256])]
        {
            let data = mac.write(password, b"message").unwrap();
            let verifies = |data: &[u8]| mac.verify(password, &mut Reader::new(data), b"message").is_ok();
            assert!(verifies(&data));
            for name in names {
                assert!(!verifies(&renamed(&data, *name)), "{name}");
            }
        }
    }

    type Edits = Vec<(sample::Index, u8)>;

    fn edits() -> impl Strategy<Value = (Edits, Option<sample::Index>)> {
        (vec((any::<sample::Index>(), any::<u8>()), 0..4), option::weighted(0.2, any::<sample::Index>()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn a_store_whose_bags_were_changed_by_one_who_knows_the_password_is_looked_at_without_panic(
            of_certificates in edits(),
            of_key in edits(),
        ) {
            let (key, certificates) = Contents::fixed();
            let contents = Contents { key: &key, chain: &certificates, ca: &[], alias: "certificate" };
            let (profile, password) = (Pkcs12Profile::Modern2026, Password::new(PASSWORD).unwrap());
            let (certificates, key) = bags_of(&pkcs12(&contents, profile, PASSWORD).unwrap(), password);
            let others = changed(&certificates, &of_certificates.0, of_certificates.1);
            let other = changed(&key, &of_key.0, of_key.1);
            let store = write(profile, password, &others, Some(&other)).unwrap();
            let holds = pkcs12_holds(&store, &contents, profile, PASSWORD);
            prop_assert!(holds || others != certificates || other != key, "what was not changed is not known again");
            prop_assert!(!holds || others.len() == certificates.len() && other.len() == key.len());
        }
    }

    #[test]
    fn no_more_than_one_key_and_so_many_bags_are_looked_at() {
        let (key, certificates) = Contents::fixed();
        let contents = Contents { key: &key, chain: &certificates, ca: &[], alias: "certificate" };
        let (profile, password) = (Pkcs12Profile::Modern2023, Password::new(PASSWORD).unwrap());
        let (one, key) = bags_of(&pkcs12(&contents, profile, PASSWORD).unwrap(), password);
        let times = |octets: &[u8], times: usize| {
            let bag = tlv::only(octets, tag::SEQUENCE).unwrap().contents;
            bags(|out| out.extend(bag.repeat(times)))
        };
        let opens =
            |certificates: &[u8], key: &[u8]| open(&write(profile, password, certificates, Some(key)).unwrap(), profile, password).is_ok();
        assert!(opens(&times(&one, BAGS_MAX), &key));
        assert!(!opens(&times(&one, BAGS_MAX + 1), &key));
        assert!(!opens(&one, &times(&key, 2)));
    }
}
