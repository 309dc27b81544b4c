//! Issuing: from a template, a key and an issuer to a signed certificate (RFC 5280).
//!
//! The part to be signed is put together here from DER, since names and keys are to come through octet for octet:
//! whatever parses and rewrites them (rcgen's distinguished names, for one) may change them, and break the chain.

use std::{collections::BTreeSet, time::Duration};

use const_oid::{
    AssociatedOid, ObjectIdentifier,
    db::{rfc5280, rfc6960},
};
use der::{
    AnyRef, DateTime, Decode, Encode, Sequence,
    asn1::{BitStringRef, Ia5String, Null, OctetString, UintRef},
    flagset::FlagSet,
};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use x509_cert::{
    ext::{
        Extension,
        pkix::{
            AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
            ExtendedKeyUsage, FreshestCrl, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
    time::{Time, Validity},
};

use crate::{
    Certificate, CertificateError, KeyAlgorithm, KeyId, Name, NameConstraintsError, PublicKey, San, SanError, SerialNumber, SignError,
    SignatureAlgorithm, Signer, Template, san, usage::Meaning,
};

/// 9999-12-31T23:59:59Z, the last time that a certificate can hold (RFC 5280 section 4.1.2.5).
const LAST_SECOND: i64 = 253_402_300_799;

/// A certificate for the signer's own key, under its own name. It has no authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
///
/// # Errors
/// When the template cannot stand in a certificate, or the signer does not sign.
pub fn self_sign(template: &Template, signer: &dyn Signer) -> Result<Certificate, IssueError> {
    if let Some((algorithm, key)) = template.self_signature.zip(signer.public_key().algorithm())
        && !algorithm.suits(key)
    {
        return Err(IssueError::SignatureAlgorithm { algorithm, key });
    }
    let under = Under { name: template.subject.clone(), key_identifier: None };
    sign(template, signer.public_key(), &under, &Signing { signer, algorithm: template.self_signature })
}

/// A certificate for `subject_key`, signed with the key of `issuer`.
///
/// The issuer's name is the subject of its certificate, octet for octet. Whether the validity lies within the issuer's is
/// the caller's to see to.
///
/// # Errors
/// When the template cannot stand in a certificate, the issuer may not sign it, the signer's key is not the issuer's, or
/// the signer does not sign.
pub fn issue(template: &Template, subject_key: &PublicKey, issuer: &Certificate, signer: &dyn Signer) -> Result<Certificate, IssueError> {
    if signer.public_key() != issuer.public_key() {
        return Err(IssueError::WrongSigner { issuer: issuer.key_id(), signer: signer.public_key().key_id() });
    }
    may_issue(template, issuer)?;
    let under = Under { name: issuer.subject().clone(), key_identifier: Some(issuer.identifier_for_issued()) };
    sign(template, subject_key, &under, &Signing { signer, algorithm: None })
}

/// Whether the certificate of `issuer` may sign that.
pub(crate) fn may_issue(template: &Template, issuer: &Certificate) -> Result<(), IssueError> {
    if !issuer.may_sign_certificates() {
        return Err(IssueError::IssuerMayNotSign { issuer: issuer.subject().to_string() });
    }
    if issuer.subject().is_empty() {
        return Err(IssueError::IssuerWithoutName);
    }
    if template.ca.is_some() && issuer.ca().is_some_and(|ca| ca.path_len == Some(0)) {
        return Err(IssueError::IssuerPathLength { issuer: issuer.subject().to_string() });
    }
    Ok(())
}

/// Under whom a certificate stands.
pub(crate) struct Under {
    /// The issuer's name.
    pub(crate) name: Name,
    /// The identifier of the issuer's key; none for a certificate that signs itself.
    pub(crate) key_identifier: Option<Vec<u8>>,
}

/// Why no certificate was issued.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IssueError {
    /// An alternative name or a URI cannot stand in a certificate.
    #[error(transparent)]
    Name(#[from] SanError),
    /// The validity has no length.
    #[error("the certificate would end at {not_after}, which is not after its begin at {not_before}")]
    NoValidity {
        /// When it would begin.
        not_before: Timestamp,
        /// When it would end.
        not_after: Timestamp,
    },
    /// A time that a certificate cannot hold.
    #[error("{time} cannot stand in a certificate: times from 1970 to 9999 can")]
    TimeOutOfRange {
        /// The time.
        time: Timestamp,
    },
    /// RFC 5280 section 4.1.2.2.
    #[error("serial number {serial} cannot stand in a certificate: it is positive and has at most 20 octets")]
    Serial {
        /// The serial number.
        serial: SerialNumber,
    },
    /// RFC 5280 section 4.2.1.9.
    #[error("usage \"cert sign\" is only for a CA")]
    CertSignWithoutCa,
    /// RFC 5280 section 4.2.1.10.
    #[error("name constraints are only for a CA")]
    NameConstraintsWithoutCa,
    /// The name constraints cannot stand in a certificate.
    #[error("name constraints: {0}")]
    NameConstraints(#[from] NameConstraintsError),
    /// The key does not sign so.
    #[error("a key of {key} does not sign with {algorithm}")]
    SignatureAlgorithm {
        /// What it should sign with.
        algorithm: SignatureAlgorithm,
        /// The kind of key.
        key: KeyAlgorithm,
    },
    /// RFC 5280 section 4.1.2.6.
    #[error("a CA needs a subject that is not empty")]
    CaWithoutName,
    /// Nothing says whose certificate it is.
    #[error("the certificate has neither a subject nor an alternative name")]
    WithoutName,
    /// RFC 5280 section 4.1.2.4.
    #[error("the issuer's certificate has an empty subject")]
    IssuerWithoutName,
    /// The signer holds another key than the issuer's certificate.
    #[error("the private key {signer} is not that of the issuer's certificate, {issuer}")]
    WrongSigner {
        /// The key of the issuer's certificate.
        issuer: KeyId,
        /// The signer's key.
        signer: KeyId,
    },
    /// The issuer's certificate is none of a CA, or its key usage has no `cert sign`.
    #[error("the certificate of {issuer:?} may not sign certificates")]
    IssuerMayNotSign {
        /// The issuer's subject.
        issuer: String,
    },
    /// The issuer may sign leaves only.
    #[error("{issuer:?} may not sign certificates of CAs: its path length is 0")]
    IssuerPathLength {
        /// The issuer's subject.
        issuer: String,
    },
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A part is not DER, or too long for it.
    #[error("the certificate cannot be encoded: {reason}")]
    Encode {
        /// What the encoder says.
        reason: String,
    },
    /// What was signed does not read back.
    #[error("what was issued does not read back: {0}")]
    Unreadable(#[from] CertificateError),
}

impl From<der::Error> for IssueError {
    fn from(error: der::Error) -> Self {
        Self::Encode { reason: error.to_string() }
    }
}

/// `TBSCertificate` (RFC 5280 section 4.1) of version 3.
#[derive(Sequence)]
struct ToBeSigned<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    signature: AlgorithmIdentifierOwned,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    subject_public_key_info: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// `Certificate` (RFC 5280 section 4.1).
#[derive(Sequence)]
struct SignedCertificate<'a> {
    to_be_signed: AnyRef<'a>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// Who signs, and with what: none for what the signer signs with usually.
struct Signing<'a> {
    signer: &'a dyn Signer,
    algorithm: Option<SignatureAlgorithm>,
}

impl Signing<'_> {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        self.algorithm.map_or_else(|| self.signer.signature_algorithm(), SignatureAlgorithm::identifier)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self.algorithm {
            Some(algorithm) => self.signer.sign_with(algorithm, message),
            None => self.signer.sign(message),
        }
    }
}

fn sign(template: &Template, subject_key: &PublicKey, under: &Under, signing: &Signing<'_>) -> Result<Certificate, IssueError> {
    Ok(Certificate::from_der(encode(template, subject_key, under, signing)?)?)
}

/// The DER of a certificate that `signer` signs, whoever it is, and that is not read back.
pub(crate) fn draft(template: &Template, subject_key: &PublicKey, under: &Under, signer: &dyn Signer) -> Result<Vec<u8>, IssueError> {
    encode(template, subject_key, under, &Signing { signer, algorithm: None })
}

fn encode(template: &Template, subject_key: &PublicKey, under: &Under, signing: &Signing<'_>) -> Result<Vec<u8>, IssueError> {
    check(template)?;
    let signature_algorithm = signing.algorithm();
    let to_be_signed = ToBeSigned {
        version: 2,
        serial: UintRef::new(template.serial.as_octets())?,
        signature: signature_algorithm.clone(),
        issuer: AnyRef::from_der(under.name.as_der())?,
        validity: validity(template)?,
        subject: AnyRef::from_der(template.subject.as_der())?,
        subject_public_key_info: AnyRef::from_der(subject_key.spki_der())?,
        extensions: extensions(template, subject_key, under.key_identifier.clone())?,
    }
    .to_der()?;
    let signature = signing.sign(&to_be_signed)?;
    let signed = SignedCertificate {
        to_be_signed: AnyRef::from_der(&to_be_signed)?,
        signature_algorithm,
        signature: BitStringRef::from_bytes(&signature)?,
    };
    Ok(signed.to_der()?)
}

fn check(template: &Template) -> Result<(), IssueError> {
    let serial = template.serial.as_octets();
    let encoded = serial.len() + usize::from(serial.first().is_some_and(|first| first & 0x80 != 0));
    if serial.iter().all(|octet| *octet == 0) || encoded > 20 {
        return Err(IssueError::Serial { serial: template.serial.clone() });
    }
    if template.ca.is_none() && template.usages.iter().any(|usage| matches!(usage.meaning(), Meaning::Bit(KeyUsages::KeyCertSign))) {
        return Err(IssueError::CertSignWithoutCa);
    }
    if let Some(constraints) = &template.name_constraints {
        if template.ca.is_none() {
            return Err(IssueError::NameConstraintsWithoutCa);
        }
        constraints.validate()?;
    }
    if template.subject.is_empty() {
        if template.ca.is_some() {
            return Err(IssueError::CaWithoutName);
        }
        if template.sans.is_empty() {
            return Err(IssueError::WithoutName);
        }
    }
    Ok(())
}

fn validity(template: &Template) -> Result<Validity, IssueError> {
    let (not_before, not_after) = (template.not_before.as_second(), template.not_after.as_second());
    if not_after <= not_before {
        return Err(IssueError::NoValidity { not_before: template.not_before, not_after: template.not_after });
    }
    Ok(Validity::new(time(template.not_before)?, time(template.not_after)?))
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
fn time(time: Timestamp) -> Result<Time, IssueError> {
    let out_of_range = || IssueError::TimeOutOfRange { time };
    if time.as_second() > LAST_SECOND || time < Timestamp::UNIX_EPOCH {
        return Err(out_of_range());
    }
    let seconds = u64::try_from(time.as_second()).map_err(|_| out_of_range())?;
    Ok(Time::from(DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(|_| out_of_range())?))
}

fn extensions(
    template: &Template,
    subject_key: &PublicKey,
    authority_key_identifier: Option<Vec<u8>>,
) -> Result<Vec<Extension>, IssueError> {
    let mut extensions = Vec::with_capacity(8);
    let (bits, purposes) = meanings(template);
    if !bits.is_empty() {
        extensions.push(extension(true, &KeyUsage(bits))?);
    }
    if !purposes.is_empty() {
        extensions.push(extension(false, &ExtendedKeyUsage(purposes))?);
    }
    let path_len_constraint = template.ca.and_then(|ca| ca.path_len);
    extensions.push(extension(true, &BasicConstraints { ca: template.ca.is_some(), path_len_constraint })?);
    extensions.push(extension(false, &SubjectKeyIdentifier(OctetString::new(subject_key.subject_key_identifier())?))?);
    if let Some(identifier) = authority_key_identifier {
        let key_identifier = Some(OctetString::new(identifier)?);
        extensions.push(extension(false, &AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() })?);
    }
    let access = authority_information_access(template)?;
    if !access.is_empty() {
        extensions.push(extension(false, &AuthorityInfoAccessSyntax(access))?);
    }
    if !template.sans.is_empty() {
        let mut seen = BTreeSet::new();
        let names: Result<Vec<_>, _> = template.sans.iter().filter(|san| seen.insert(*san)).map(San::to_general_name).collect();
        extensions.push(extension(template.subject.is_empty(), &SubjectAltName(names?))?);
    }
    if let Some(constraints) = &template.name_constraints {
        let extn_value = OctetString::new(constraints.to_der())?;
        extensions.push(Extension { extn_id: rfc5280::ID_CE_NAME_CONSTRAINTS, critical: constraints.critical, extn_value });
    }
    if !template.crl_distribution_points.is_empty() {
        let points = CrlDistributionPoints(vec![distribution_point(&template.crl_distribution_points)?]);
        extensions.push(extension(false, &points)?);
    }
    if !template.freshest_crls.is_empty() {
        extensions.push(extension(false, &FreshestCrl(vec![distribution_point(&template.freshest_crls)?]))?);
    }
    if template.ocsp_no_check {
        let extn_value = OctetString::new(Null.to_der()?)?;
        extensions.push(Extension { extn_id: rfc6960::ID_PKIX_OCSP_NOCHECK, critical: false, extn_value });
    }
    Ok(extensions)
}

/// Where a list is: all URIs lead to the same one.
fn distribution_point(uris: &[String]) -> Result<DistributionPoint, IssueError> {
    let names: Result<Vec<_>, _> = uris.iter().map(|text| uri(text)).collect();
    Ok(DistributionPoint { distribution_point: Some(DistributionPointName::FullName(names?)), reasons: None, crl_issuer: None })
}

fn meanings(template: &Template) -> (FlagSet<KeyUsages>, Vec<ObjectIdentifier>) {
    let mut bits = FlagSet::default();
    if template.ca.is_some() {
        bits |= KeyUsages::KeyCertSign;
    }
    let mut purposes = Vec::new();
    for usage in &template.usages {
        match usage.meaning() {
            Meaning::Bit(bit) => bits |= bit,
            Meaning::Purpose(oid) if purposes.contains(&oid) => {}
            Meaning::Purpose(oid) => purposes.push(oid),
        }
    }
    (bits, purposes)
}

fn authority_information_access(template: &Template) -> Result<Vec<AccessDescription>, IssueError> {
    let ocsp = template.ocsp_servers.iter().map(|text| (rfc5280::ID_AD_OCSP, text));
    let issuers = template.issuing_certificate_urls.iter().map(|text| (rfc5280::ID_AD_CA_ISSUERS, text));
    ocsp.chain(issuers).map(|(access_method, text)| Ok(AccessDescription { access_method, access_location: uri(text)? })).collect()
}

fn uri(text: &str) -> Result<GeneralName, IssueError> {
    san::check_uri(text)?;
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(text)?))
}

fn extension<T: AssociatedOid + Encode>(critical: bool, value: &T) -> Result<Extension, der::Error> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}
