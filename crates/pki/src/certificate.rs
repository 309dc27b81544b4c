//! Certificates, parsed once.
//!
//! A certificate here may come from anywhere: it is held as it is, and nothing is said about whether it is to be trusted.
//! That is for `chain` and `verify`.

use std::{
    collections::BTreeSet,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;

use crate::{
    CaConstraints, CertificateError, KeyId, Name, NameConstraints, PrivateKey, PublicKey, San, SerialNumber, SignatureAlgorithm, Usage,
    certificate_parse::{self, CERTIFICATE},
    name_constraints::Constraints,
    pem,
};

/// An X.509 certificate (RFC 5280). Equal when its DER is. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) der: Vec<u8>,
    pub(crate) serial: SerialNumber,
    pub(crate) subject: Name,
    pub(crate) issuer: Name,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) public_key: PublicKey,
    pub(crate) extensions: Extensions,
    /// Where in the DER the signed part is.
    pub(crate) to_be_signed: Range<usize>,
    pub(crate) signature_algorithm: AlgorithmIdentifierOwned,
    pub(crate) signature: Box<[u8]>,
    /// Found out when it is first asked for, since that takes a verification.
    pub(crate) self_signed: OnceLock<bool>,
}

#[derive(Default)]
pub(crate) struct Extensions {
    pub(crate) sans: BTreeSet<San>,
    pub(crate) has_unknown_sans: bool,
    pub(crate) usages: BTreeSet<Usage>,
    /// The contents of the extended key usages' object identifiers, known to us or not.
    pub(crate) purposes: Vec<Box<[u8]>>,
    pub(crate) has_key_usage: bool,
    pub(crate) ca: Option<CaConstraints>,
    pub(crate) name_constraints: Option<Constraints>,
    pub(crate) subject_key_identifier: Option<Box<[u8]>>,
    pub(crate) authority_key_identifier: Option<Box<[u8]>>,
    pub(crate) crl_distribution_points: Vec<String>,
    pub(crate) ocsp_servers: Vec<String>,
    pub(crate) issuing_certificate_urls: Vec<String>,
    pub(crate) freshest_crls: Vec<String>,
    pub(crate) ocsp_no_check: bool,
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// When the octets are no certificate or more than one, an extension that we read is malformed or there twice, or
    /// the serial number is negative or has more than 20 octets.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        certificate_parse::parse(der).map(|parts| Self(Arc::new(parts)))
    }

    /// Reads all certificates of a PEM text, in order. Text between the blocks is passed over.
    ///
    /// # Errors
    /// When there is none, a block is not a certificate, or it is malformed.
    pub fn bundle_from_pem(text: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let found = pem::decode(text)?;
        if found.blocks.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        found
            .blocks
            .into_iter()
            .enumerate()
            .map(|(index, block)| {
                if block.label != CERTIFICATE {
                    return Err(CertificateError::UnexpectedBlock { label: block.label });
                }
                Self::from_der(block.contents.to_vec())
                    .map_err(|error| CertificateError::InBundle { position: index + 1, error: Box::new(error) })
            })
            .collect()
    }

    /// The DER.
    pub fn as_der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as one PEM block, ended by a line feed.
    pub fn to_pem(&self) -> String {
        // A certificate that does not fit into memory twice was not read either.
        pem::encode(CERTIFICATE, self.as_der()).unwrap_or_default()
    }

    /// The subject.
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// The issuer.
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// The serial number.
    pub fn serial(&self) -> &SerialNumber {
        &self.0.serial
    }

    /// The first second of validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last second of validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Whether `at` lies within the validity, both ends included (RFC 5280 section 4.1.2.5).
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        (self.not_before().as_second()..=self.not_after().as_second()).contains(&at.as_second())
    }

    /// The subject's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The SHA-256 of the SubjectPublicKeyInfo.
    pub fn key_id(&self) -> KeyId {
        self.0.public_key.key_id()
    }

    /// The alternative names that we know how to read.
    pub fn sans(&self) -> &BTreeSet<San> {
        &self.0.extensions.sans
    }

    /// Whether there are alternative names besides [`Certificate::sans`]: other kinds, or malformed ones.
    pub fn has_unknown_sans(&self) -> bool {
        self.0.extensions.has_unknown_sans
    }

    /// The key usages and the purposes that we know, each in its canonical form (see [`Usage::canonical`]).
    pub fn usages(&self) -> &BTreeSet<Usage> {
        &self.0.extensions.usages
    }

    /// Set exactly when basicConstraints say that this is a CA.
    pub fn ca(&self) -> Option<CaConstraints> {
        self.0.extensions.ca
    }

    /// Which names may stand in certificates below this one, as far as [`NameConstraints`] can say it (RFC 5280 section
    /// 4.2.1.10); none where it has no such extension.
    pub fn name_constraints(&self) -> Option<&NameConstraints> {
        self.constraints().map(Constraints::known)
    }

    /// Whether there are name constraints besides [`Certificate::name_constraints`]: on distinguished names or other forms, or
    /// ones that nobody can process.
    pub fn has_unknown_name_constraints(&self) -> bool {
        self.constraints().is_some_and(Constraints::has_others)
    }

    pub(crate) fn constraints(&self) -> Option<&Constraints> {
        self.0.extensions.name_constraints.as_ref()
    }

    /// What the certificate is signed with; none for an algorithm that we do not sign with.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::of_oid(self.signature_algorithm_oid())
    }

    /// The object identifier of what the certificate is signed with.
    pub fn signature_algorithm_oid(&self) -> ObjectIdentifier {
        self.0.signature_algorithm.oid
    }

    /// Whether this is a CA that may sign certificates: it has no keyUsage, or one with `cert sign`.
    pub fn may_sign_certificates(&self) -> bool {
        self.ca().is_some() && (!self.0.extensions.has_key_usage || self.usages().contains(&Usage::CertSign))
    }

    /// Whether its key may sign lists: it has no keyUsage, or one with `crl sign` (RFC 5280 section 4.2.1.3).
    pub fn may_sign_lists(&self) -> bool {
        !self.0.extensions.has_key_usage || self.usages().contains(&Usage::CrlSign)
    }

    /// The subjectKeyIdentifier.
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.extensions.subject_key_identifier.as_deref()
    }

    /// The authorityKeyIdentifier of what this one issues: its subjectKeyIdentifier, else that of its key.
    pub(crate) fn identifier_for_issued(&self) -> Vec<u8> {
        self.subject_key_identifier().map_or_else(|| self.public_key().subject_key_identifier().to_vec(), <[u8]>::to_vec)
    }

    /// The keyIdentifier of the authorityKeyIdentifier.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_identifier.as_deref()
    }

    /// Whether subject and issuer are the same name. Says nothing about who signed.
    pub fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    /// Whether subject and issuer are the same name and the certificate is signed by its own key.
    pub fn is_self_signed(&self) -> bool {
        *self.0.self_signed.get_or_init(|| self.is_self_issued() && self.is_signed_by(self.public_key()))
    }

    /// Whether the signature was made by this key.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let parts = &*self.0;
        key.verify(&parts.signature_algorithm, &parts.der[parts.to_be_signed.clone()], &parts.signature).is_ok()
    }

    /// The SHA-256 of the DER, in lower-case hexadecimal digits.
    pub fn sha256(&self) -> String {
        use fmt::Write as _;
        let hash = digest::digest(&digest::SHA256, self.as_der());
        hash.as_ref().iter().fold(String::with_capacity(64), |mut text, octet| {
            // Writing to a String does not fail.
            let _ = write!(text, "{octet:02x}");
            text
        })
    }

    /// The URIs of the CRL distribution points.
    pub fn crl_distribution_points(&self) -> &[String] {
        &self.0.extensions.crl_distribution_points
    }

    /// The URIs of the OCSP responders.
    pub fn ocsp_servers(&self) -> &[String] {
        &self.0.extensions.ocsp_servers
    }

    /// The URIs of the issuer's certificate.
    pub fn issuing_certificate_urls(&self) -> &[String] {
        &self.0.extensions.issuing_certificate_urls
    }

    /// The URIs of the freshestCRL: deltas to the lists of the CRL distribution points.
    pub fn freshest_crls(&self) -> &[String] {
        &self.0.extensions.freshest_crls
    }

    /// Whether its own revocation is not to be asked for, as is said of an OCSP responder (RFC 6960 section 4.2.2.2.1).
    pub fn has_ocsp_no_check(&self) -> bool {
        self.0.extensions.ocsp_no_check
    }

    pub(crate) fn has_key_usage(&self) -> bool {
        self.0.extensions.has_key_usage
    }

    pub(crate) fn purposes(&self) -> &[Box<[u8]>] {
        &self.0.extensions.purposes
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Certificate").field("subject", self.subject()).field("serial", self.serial()).finish_non_exhaustive()
    }
}

/// The certificates as PEM blocks, one after the other.
pub fn pem_bundle(certificates: &[Certificate]) -> String {
    certificates.iter().map(Certificate::to_pem).collect()
}

/// Whether the certificate's key is the public half of this private key.
pub fn key_matches(certificate: &Certificate, key: &PrivateKey) -> bool {
    certificate.public_key() == key.public_key()
}
