//! Which certificate is asked about (CertID, RFC 6960 section 4.1.1): its issuer by the hashes of name and key, and its serial.
//!
//! SHA-1 stands here as RFC 5019 has it: to find the issuer, never to trust anything.

use aws_lc_rs::digest;
use const_oid::{
    ObjectIdentifier,
    db::{rfc5912, rfc5912::ID_SHA_1},
};

use crate::{
    Certificate, SerialError, SerialNumber,
    tlv::{self, Malformed, Reader, tag},
};

/// The hashes by which an issuer may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertIdHash {
    /// What most clients use (RFC 5019 section 2.1.1).
    Sha1,
    /// What some do by now.
    Sha256,
}

impl CertIdHash {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ID_SHA_1,
            Self::Sha256 => rfc5912::ID_SHA_256,
        }
    }
}

/// An issuer as a CertID names it: the hash of its name's DER and that of its key (the BIT STRING's value), by one algorithm.
/// A key for a map of issuers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerHash {
    /// By SHA-1.
    Sha1 {
        /// Of the name.
        name: [u8; 20],
        /// Of the key.
        key: [u8; 20],
    },
    /// By SHA-256.
    Sha256 {
        /// Of the name.
        name: [u8; 32],
        /// Of the key.
        key: [u8; 32],
    },
    /// By another algorithm, by which none of ours is found.
    Other(ObjectIdentifier),
}

impl IssuerHash {
    /// How certificates that this one issued name their issuer.
    pub fn of(hash: CertIdHash, issuer: &Certificate) -> Self {
        let (name, key) = (issuer.subject().as_der(), issuer.public_key().bits());
        match hash {
            CertIdHash::Sha1 => Self::Sha1 { name: sha1(name), key: sha1(key) },
            CertIdHash::Sha256 => Self::Sha256 { name: sha256(name), key: sha256(key) },
        }
    }
}

/// All the ways in which one issuer is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerHashes([IssuerHash; 2]);

impl IssuerHashes {
    /// Those of the issuer with this certificate.
    pub fn of(issuer: &Certificate) -> Self {
        Self([CertIdHash::Sha1, CertIdHash::Sha256].map(|hash| IssuerHash::of(hash, issuer)))
    }

    /// Each of them, to be looked up with [`CertId::issuer`].
    pub fn all(&self) -> &[IssuerHash] {
        &self.0
    }

    /// Whether this is about one of the issuer's certificates.
    pub fn matches(&self, id: &CertId) -> bool {
        self.0.contains(id.issuer())
    }
}

/// Which certificate is asked about. Equal when its DER is.
#[derive(Clone, Debug)]
pub struct CertId {
    issuer: IssuerHash,
    serial: SerialNumber,
    /// As it was sent: an answer repeats it.
    der: Box<[u8]>,
}

impl CertId {
    /// The certificate with this serial number that this issuer made.
    pub fn of(hash: CertIdHash, issuer: &Certificate, serial: SerialNumber) -> Self {
        let issuer = IssuerHash::of(hash, issuer);
        let mut der = Vec::with_capacity(96);
        tlv::wrap(&mut der, tag::SEQUENCE, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| {
                tlv::write(out, tag::OBJECT_IDENTIFIER, hash.oid().as_bytes());
                tlv::write(out, tag::NULL, &[]);
            });
            let (name, key): (&[u8], &[u8]) = match &issuer {
                IssuerHash::Sha1 { name, key } => (name, key),
                IssuerHash::Sha256 { name, key } => (name, key),
                IssuerHash::Other(_) => (&[], &[]),
            };
            tlv::write(out, tag::OCTET_STRING, name);
            tlv::write(out, tag::OCTET_STRING, key);
            tlv::write_unsigned(out, serial.as_octets());
        });
        Self { issuer, serial, der: der.into() }
    }

    /// Its issuer.
    pub fn issuer(&self) -> &IssuerHash {
        &self.issuer
    }

    /// Its serial number.
    pub fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The DER of the CertID, as it was sent.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The next value, which is a CertID.
    pub(super) fn read<E: From<Malformed> + From<SerialError>>(reader: &mut Reader<'_>) -> Result<Self, E> {
        let id = reader.take(tag::SEQUENCE)?;
        let mut parts = id.reader();
        let mut algorithm = parts.take(tag::SEQUENCE)?.reader();
        let oid = ObjectIdentifier::from_bytes(algorithm.take(tag::OBJECT_IDENTIFIER)?.contents).map_err(|_| Malformed)?;
        // NULL or nothing for the hashes that we know; whatever it is for the others.
        if !algorithm.is_empty() {
            algorithm.next()?;
            algorithm.end()?;
        }
        let (name, key) = (parts.take(tag::OCTET_STRING)?.contents, parts.take(tag::OCTET_STRING)?.contents);
        let octets = parts.take(tag::INTEGER)?.contents;
        parts.end()?;
        let serial = SerialNumber::from_octets(octets)?;
        // What an answer repeats must be DER, and one serial has one form.
        tlv::unsigned(octets)?;
        let issuer = if oid == CertIdHash::Sha1.oid() {
            IssuerHash::Sha1 { name: sized(name)?, key: sized(key)? }
        } else if oid == CertIdHash::Sha256.oid() {
            IssuerHash::Sha256 { name: sized(name)?, key: sized(key)? }
        } else {
            IssuerHash::Other(oid)
        };
        Ok(Self { issuer, serial, der: id.whole.into() })
    }
}

impl PartialEq for CertId {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for CertId {}

/// The SHA-1 of a key, as a ResponderID has it (RFC 6960 section 4.2.1).
pub(super) fn sha1(octets: &[u8]) -> [u8; 20] {
    let mut hash = [0; 20];
    hash.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref());
    hash
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}

fn sized<const LENGTH: usize>(octets: &[u8]) -> Result<[u8; LENGTH], Malformed> {
    octets.try_into().map_err(|_| Malformed)
}
