//! Reading lists: anyone's, of any length.
//!
//! A list is gone through once, when it is read; afterwards it is its DER and a few fields, and entries are looked at where
//! they stand. What is not understood and critical makes the whole list an error: half a list would call a revoked
//! certificate good. Whether the list is to be trusted is not said here.

use std::{fmt, ops::Range, sync::Arc};

use der::Decode;
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;

use crate::{
    CrlError, Name, PublicKey, Revoked, SerialNumber, pem,
    tlv::{self, Reader, tag},
};

use super::{CrlNumber, entry, extensions};

/// The label of a list's PEM block (RFC 7468 section 6).
const X509_CRL: &str = "X509 CRL";

/// A certificate revocation list (RFC 5280 section 5). Equal when its DER is. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Parts>);

struct Parts {
    der: Vec<u8>,
    issuer: Name,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    /// Where in the DER the entries are, one after the other.
    entries: Range<usize>,
    count: usize,
    extensions: Extensions,
    /// Where in the DER the signed part is.
    to_be_signed: Range<usize>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Range<usize>,
}

#[derive(Default)]
pub(super) struct Extensions {
    pub(super) number: Option<CrlNumber>,
    pub(super) delta_base: Option<CrlNumber>,
    pub(super) authority_key_identifier: Option<Box<[u8]>>,
    pub(super) distribution_point: Vec<String>,
    pub(super) freshest: Vec<String>,
    pub(super) scope: CrlScope,
}

/// Which of its issuer's certificates a list covers, among those that its distribution point is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CrlScope {
    /// All.
    #[default]
    All,
    /// Only those of end entities (`onlyContainsUserCerts`).
    EndEntities,
    /// Only those of CAs (`onlyContainsCACerts`).
    Authorities,
}

impl Crl {
    /// Reads one DER list.
    ///
    /// # Errors
    /// When the octets are no list or more than one, an extension that we read is malformed or there twice, one that we do
    /// not know is critical, or the list is indirect or only for some reasons.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Result<Self, CrlError> {
        parse(der.into()).map(|parts| Self(Arc::new(parts)))
    }

    /// Reads one list: PEM, or DER where the octets begin as DER does.
    ///
    /// # Errors
    /// When there is none or more than one, and as [`Crl::from_der`] says.
    pub fn from_pem_or_der(octets: &[u8]) -> Result<Self, CrlError> {
        if octets.first() == Some(&tag::SEQUENCE) {
            return Self::from_der(octets);
        }
        let found = pem::decode(octets)?;
        let [block] = found.blocks.as_slice() else { return Err(CrlError::Blocks { blocks: found.blocks.len() }) };
        if block.label != X509_CRL {
            return Err(CrlError::UnexpectedBlock { label: block.label.clone() });
        }
        Self::from_der(block.contents.as_slice())
    }

    /// The DER.
    pub fn as_der(&self) -> &[u8] {
        &self.0.der
    }

    /// The list as one PEM block, ended by a line feed.
    pub fn to_pem(&self) -> String {
        // A list that does not fit into memory twice was not read either.
        pem::encode(X509_CRL, self.as_der()).unwrap_or_default()
    }

    /// The issuer.
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// Its number; none in a list that does not follow RFC 5280 section 5.2.3, or whose number is not below 2^128 as all of ours are.
    pub fn number(&self) -> Option<CrlNumber> {
        self.0.extensions.number
    }

    /// When it was made.
    pub fn this_update(&self) -> Timestamp {
        self.0.this_update
    }

    /// When the next one is due; none in a list that does not follow RFC 5280 section 5.1.2.5.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.0.next_update
    }

    /// The keyIdentifier of the authorityKeyIdentifier.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_identifier.as_deref()
    }

    /// The URIs of its issuingDistributionPoint; empty where it has none.
    pub fn distribution_point(&self) -> &[String] {
        &self.0.extensions.distribution_point
    }

    /// Which certificates it covers, as far as its issuingDistributionPoint says.
    pub fn scope(&self) -> CrlScope {
        self.0.extensions.scope
    }

    /// Set for a delta: the number of the list that it adds to.
    pub fn delta_base(&self) -> Option<CrlNumber> {
        self.0.extensions.delta_base
    }

    /// The URIs of its delta.
    pub fn freshest(&self) -> &[String] {
        &self.0.extensions.freshest
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The entries, in the order of the list.
    ///
    /// None of the items is an error: what could not be read made [`Crl::from_der`] fail.
    pub fn entries(&self) -> impl Iterator<Item = Result<Revoked, CrlError>> {
        let mut reader = self.reader();
        std::iter::from_fn(move || (!reader.is_empty()).then(|| entry::next(&mut reader)?.to_revoked()))
    }

    /// The entry of a certificate; the first where there are several. Goes through the list until it is found.
    ///
    /// # Errors
    /// None, as with [`Crl::entries`].
    pub fn find(&self, serial: &SerialNumber) -> Result<Option<Revoked>, CrlError> {
        let mut reader = self.reader();
        while !reader.is_empty() {
            let mut ahead = reader;
            let mut value = ahead.take(tag::SEQUENCE)?.reader();
            if tlv::unsigned(value.take(tag::INTEGER)?.contents)? == serial.as_octets() {
                return entry::next(&mut reader)?.to_revoked().map(Some);
            }
            reader = ahead;
        }
        Ok(None)
    }

    /// Whether the signature was made by this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let parts = &*self.0;
        key.verify(&parts.algorithm, &parts.der[parts.to_be_signed.clone()], &parts.der[parts.signature.clone()]).is_ok()
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.0.der[self.0.entries.clone()])
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Crl {}

impl fmt::Debug for Crl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Crl")
            .field("issuer", self.issuer())
            .field("number", &self.number())
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

fn parse(der: Vec<u8>) -> Result<Parts, CrlError> {
    let mut reader = Reader::new(&der);
    let mut list = reader.take(tag::SEQUENCE)?.reader();
    if !reader.is_empty() {
        return Err(CrlError::Trailing { octets: reader.remaining() });
    }
    let start = list.position();
    let mut signed = list.take(tag::SEQUENCE)?.reader();
    let to_be_signed = start..list.position();
    let algorithm = list.take(tag::SEQUENCE)?.whole;
    let signature = list.take(tag::BIT_STRING)?;
    list.end()?;
    let octets = tlv::whole_octets(signature.contents)?.len();
    let signature = list.position() - octets..list.position();

    let version_2 = match signed.take_if(tag::INTEGER)? {
        None => false,
        Some(version) if version.contents == [1] => true,
        Some(_) => return Err(CrlError::Version),
    };
    if signed.take(tag::SEQUENCE)?.whole != algorithm {
        return Err(CrlError::SignatureAlgorithms);
    }
    let algorithm = AlgorithmIdentifierOwned::from_der(algorithm).map_err(|_| CrlError::Malformed)?;
    let issuer = Name::from_der(signed.take(tag::SEQUENCE)?.whole)?;
    let this_update = crate::der_time::read(&signed.next()?)?;
    let next_update = match [signed.take_if(tag::UTC_TIME)?, signed.take_if(tag::GENERALIZED_TIME)?] {
        [Some(time), None] | [None, Some(time)] => Some(crate::der_time::read(&time)?),
        [None, None] => None,
        [Some(_), Some(_)] => return Err(CrlError::Malformed),
    };
    let (mut entries, mut count) = (signed.position()..signed.position(), 0);
    if let Some(list) = signed.take_if(tag::SEQUENCE)? {
        entries = list.position..signed.position();
        let mut reader = list.reader();
        while !reader.is_empty() {
            let entry = entry::next(&mut reader)?;
            if entry.has_extensions && !version_2 {
                return Err(CrlError::Version);
            }
            count += 1;
        }
    }
    let extensions = match signed.take_if(tag::constructed(0))? {
        Some(_) if !version_2 => return Err(CrlError::Version),
        Some(tagged) => extensions::read(tagged.contents)?,
        None => Extensions::default(),
    };
    signed.end()?;
    Ok(Parts { der, issuer, this_update, next_update, entries, count, extensions, to_be_signed, algorithm, signature })
}
