//! Reading certificates: from DER to the parts that the rest asks for.
//!
//! The octets may be anyone's. What cannot be represented is an error, never a panic and never a guess; extensions that
//! nothing here asks for are passed over.

use std::{collections::BTreeSet, net::IpAddr};

use const_oid::{
    ObjectIdentifier,
    db::{rfc5280, rfc6960},
};
use der::{Decode, Header, Reader, SliceReader};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use thiserror::Error;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{DistributionPointName, ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension},
    oid_registry as oid,
    prelude::FromDer,
    time::ASN1Time,
    x509::AlgorithmIdentifier,
};

use crate::{
    CaConstraints, Name, NameError, PemError, PublicKey, PublicKeyError, San, SerialError, SerialNumber, Usage,
    certificate::{Extensions, Parts},
    crl,
    name_constraints::Constraints,
    tlv::{self, tag},
    usage::Meaning,
};

/// The label of a certificate's PEM block.
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";

/// Why octets are no certificate that can be worked with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The text is not PEM.
    #[error("the certificates cannot be read: {0}")]
    Pem(#[from] PemError),
    /// There is no PEM block.
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    /// A PEM block has another label.
    #[error("a PEM block is a {label:?}, not a certificate")]
    UnexpectedBlock {
        /// Its label.
        label: String,
    },
    /// One certificate of several is wrong.
    #[error("certificate {position} of the bundle: {error}")]
    InBundle {
        /// Which, from 1.
        position: usize,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// The octets are not the DER of a certificate.
    #[error("the certificate is not DER")]
    Malformed,
    /// Something follows the certificate.
    #[error("there are {octets} octets after the certificate")]
    Trailing {
        /// How many.
        octets: usize,
    },
    /// The two places that name the signature's algorithm differ (RFC 5280 section 4.1.1.2).
    #[error("the certificate names two different signature algorithms")]
    SignatureAlgorithms,
    /// The signature is not a whole number of octets, or its algorithm is not DER.
    #[error("the certificate's signature is malformed")]
    Signature,
    /// A time that has no meaning.
    #[error("the certificate's validity is malformed")]
    Validity,
    /// An extension cannot be read.
    #[error("the certificate's extension {oid} is malformed")]
    Extension {
        /// Its object identifier.
        oid: String,
    },
    /// RFC 5280 section 4.2.
    #[error("the certificate has the extension {oid} twice")]
    ExtensionTwice {
        /// Its object identifier.
        oid: String,
    },
    /// The serial number.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// The subject or issuer.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The public key.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
}

pub(crate) fn parse(der: Vec<u8>) -> Result<Parts, CertificateError> {
    let (rest, parsed) = X509Certificate::from_der(&der).map_err(|_| CertificateError::Malformed)?;
    if !rest.is_empty() {
        return Err(CertificateError::Trailing { octets: rest.len() });
    }
    let tbs = &parsed.tbs_certificate;
    if tbs.signature != parsed.signature_algorithm {
        return Err(CertificateError::SignatureAlgorithms);
    }
    if parsed.signature_value.unused_bits != 0 {
        return Err(CertificateError::Signature);
    }
    let start = length_of_header(&der).ok_or(CertificateError::Malformed)?;
    let to_be_signed = start..start + tbs.as_ref().len();
    Ok(Parts {
        serial: SerialNumber::from_octets(tbs.raw_serial())?,
        subject: Name::from_der(tbs.subject.as_raw())?,
        issuer: Name::from_der(tbs.issuer.as_raw())?,
        not_before: timestamp(tbs.validity.not_before)?,
        not_after: timestamp(tbs.validity.not_after)?,
        public_key: PublicKey::from_spki_der(tbs.subject_pki.raw)?,
        extensions: extensions(&parsed)?,
        signature_algorithm: algorithm(&parsed.signature_algorithm)?,
        signature: parsed.signature_value.data.as_ref().into(),
        self_signed: std::sync::OnceLock::new(),
        to_be_signed,
        der,
    })
}

/// How many octets stand before the first field of a certificate or list, which is the part that is signed.
pub(crate) fn length_of_header(der: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(der).ok()?;
    Header::decode(&mut reader).ok()?;
    usize::try_from(reader.position()).ok()
}

/// 99991231235959Z, by which RFC 5280 section 4.1.2.5 means that there is no end, is beyond what is counted here.
fn timestamp(time: ASN1Time) -> Result<Timestamp, CertificateError> {
    Timestamp::from_second(time.timestamp().min(Timestamp::MAX.as_second())).map_err(|_| CertificateError::Validity)
}

fn algorithm(parsed: &AlgorithmIdentifier<'_>) -> Result<AlgorithmIdentifierOwned, CertificateError> {
    use x509_parser::asn1_rs::ToDer as _;
    let malformed = |()| CertificateError::Signature;
    let oid = ObjectIdentifier::from_bytes(parsed.algorithm.as_bytes()).map_err(|_| malformed(()))?;
    let parameters = match &parsed.parameters {
        Some(parameters) => {
            let der = parameters.to_der_vec_raw().map_err(|_| malformed(()))?;
            Some(der::Any::from_der(&der).map_err(|_| malformed(()))?)
        }
        None => None,
    };
    Ok(AlgorithmIdentifierOwned { oid, parameters })
}

fn extensions(parsed: &X509Certificate<'_>) -> Result<Extensions, CertificateError> {
    let mut found = Extensions::default();
    let mut seen = BTreeSet::new();
    for extension in parsed.extensions() {
        let oid = || extension.oid.to_id_string();
        if !seen.insert(extension.oid.as_bytes().to_vec()) {
            return Err(CertificateError::ExtensionTwice { oid: oid() });
        }
        let parsed = extension.parsed_extension();
        // The parser passes over what follows the value that it knows.
        if !parsed.unsupported() && der::AnyRef::from_der(extension.value).is_err() {
            return Err(CertificateError::Extension { oid: oid() });
        }
        match parsed {
            ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                // More than 255 CAs below one another is no limit at all.
                let path_len = constraints.path_len_constraint.map(|length| u8::try_from(length).unwrap_or(u8::MAX));
                found.ca = Some(CaConstraints { path_len });
            }
            ParsedExtension::KeyUsage(usage) => {
                found.has_key_usage = true;
                found.usages.extend(key_usages(usage));
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                found.purposes = purposes(usage);
                found.usages.extend(found.purposes.iter().filter_map(|oid| Usage::of_purpose(oid)));
            }
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    match san(name) {
                        Some(name) => drop(found.sans.insert(name)),
                        None => found.has_unknown_sans = true,
                    }
                }
            }
            ParsedExtension::NameConstraints(_) => {
                let read = Constraints::from_der(extension.value, extension.critical);
                found.name_constraints = Some(read.map_err(|_| CertificateError::Extension { oid: oid() })?);
            }
            ParsedExtension::SubjectKeyIdentifier(identifier) => found.subject_key_identifier = Some(identifier.0.into()),
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                found.authority_key_identifier = identifier.key_identifier.as_ref().map(|identifier| identifier.0.into());
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in points.iter() {
                    if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                        found.crl_distribution_points.extend(names.iter().filter_map(uri));
                    }
                }
            }
            ParsedExtension::AuthorityInfoAccess(access) => {
                for description in access.iter() {
                    let Some(uri) = uri(&description.access_location) else { continue };
                    if description.access_method == oid::OID_PKIX_ACCESS_DESCRIPTOR_OCSP {
                        found.ocsp_servers.push(uri);
                    } else if description.access_method == oid::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS {
                        found.issuing_certificate_urls.push(uri);
                    }
                }
            }
            ParsedExtension::UnsupportedExtension { .. } if extension.oid.as_bytes() == rfc5280::ID_CE_FRESHEST_CRL.as_bytes() => {
                let uris = crl::distribution_points(extension.value);
                found.freshest_crls = uris.map_err(|_| CertificateError::Extension { oid: oid() })?;
            }
            ParsedExtension::UnsupportedExtension { .. } if extension.oid.as_bytes() == rfc6960::ID_PKIX_OCSP_NOCHECK.as_bytes() => {
                found.ocsp_no_check = true;
            }
            ParsedExtension::ParseError { .. } => return Err(CertificateError::Extension { oid: oid() }),
            _ => {}
        }
    }
    Ok(found)
}

fn key_usages(usage: &KeyUsage) -> impl Iterator<Item = Usage> {
    [
        (usage.digital_signature(), Usage::DigitalSignature),
        (usage.non_repudiation(), Usage::ContentCommitment),
        (usage.key_encipherment(), Usage::KeyEncipherment),
        (usage.data_encipherment(), Usage::DataEncipherment),
        (usage.key_agreement(), Usage::KeyAgreement),
        (usage.key_cert_sign(), Usage::CertSign),
        (usage.crl_sign(), Usage::CrlSign),
        (usage.encipher_only(), Usage::EncipherOnly),
        (usage.decipher_only(), Usage::DecipherOnly),
    ]
    .into_iter()
    .filter_map(|(set, usage)| set.then_some(usage))
}

fn purposes(usage: &ExtendedKeyUsage<'_>) -> Vec<Box<[u8]>> {
    let known = [
        (usage.any, Usage::Any),
        (usage.server_auth, Usage::ServerAuth),
        (usage.client_auth, Usage::ClientAuth),
        (usage.code_signing, Usage::CodeSigning),
        (usage.email_protection, Usage::EmailProtection),
        (usage.time_stamping, Usage::Timestamping),
        (usage.ocsp_signing, Usage::OcspSigning),
    ];
    let known = known.into_iter().filter(|(set, _)| *set).filter_map(|(_, usage)| match usage.meaning() {
        Meaning::Purpose(oid) => Some(oid.as_bytes().into()),
        Meaning::Bit(_) => None,
    });
    known.chain(usage.other.iter().map(|oid| oid.as_bytes().into())).collect()
}

fn san(name: &GeneralName<'_>) -> Option<San> {
    match name {
        GeneralName::DNSName(name) => Some(San::Dns((*name).to_owned())),
        GeneralName::RFC822Name(address) => Some(San::Email((*address).to_owned())),
        GeneralName::URI(uri) => Some(San::Uri((*uri).to_owned())),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| San::Ip(IpAddr::from(octets))),
            16 => <[u8; 16]>::try_from(*octets).ok().map(|octets| San::Ip(IpAddr::from(octets))),
            _ => None,
        },
        GeneralName::OtherName(oid, value) => {
            let mut tagged = tlv::only(value, tag::constructed(0)).ok()?.reader();
            let text = tagged.take(tag::UTF8_STRING).ok()?.contents;
            tagged.end().ok()?;
            let type_id = ObjectIdentifier::from_bytes(oid.as_bytes()).ok()?.to_string();
            // Not every object identifier has a text here that is its own.
            let written = ObjectIdentifier::new(&type_id).ok()?;
            (written.as_bytes() == oid.as_bytes()).then_some(())?;
            Some(San::Other { type_id, value: str::from_utf8(text).ok()?.to_owned() })
        }
        _ => None,
    }
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    }
}
