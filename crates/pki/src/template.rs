//! What a certificate is to say, before anyone signs it.

use jiff::Timestamp;

use crate::{Name, NameConstraints, San, SerialNumber, SignatureAlgorithm, Usage};

/// The content of a certificate to be issued, all but its key, its issuer and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The serial number, which is not zero.
    pub serial: SerialNumber,
    /// The subject; empty only where there are alternative names, and never for a CA.
    pub subject: Name,
    /// The subject's alternative names. One given twice is written once.
    pub sans: Vec<San>,
    /// The first instant of validity; parts of a second are cut off.
    pub not_before: Timestamp,
    /// The last second of validity; parts of a second are cut off.
    pub not_after: Timestamp,
    /// What the key may be used for. A CA's key may sign certificates, whether this says so or not.
    pub usages: Vec<Usage>,
    /// Set for the certificate of a CA.
    pub ca: Option<CaConstraints>,
    /// URIs of the CRL that would revoke the certificate (RFC 5280 section 4.2.1.13): one distribution point.
    pub crl_distribution_points: Vec<String>,
    /// URIs of OCSP responders (RFC 5280 section 4.2.2.1).
    pub ocsp_servers: Vec<String>,
    /// URIs of the issuer's certificate (RFC 5280 section 4.2.2.1).
    pub issuing_certificate_urls: Vec<String>,
    /// URIs of the delta to the CRL that would revoke the certificate (RFC 5280 section 4.2.1.15): one distribution point.
    pub freshest_crls: Vec<String>,
    /// Says that nobody need ask whether this certificate is revoked (RFC 6960 section 4.2.2.2.1): only for one that signs
    /// OCSP answers, and only for a short time.
    pub ocsp_no_check: bool,
    /// Which names may stand in certificates below this one; only for a CA.
    pub name_constraints: Option<NameConstraints>,
    /// What a self-signed certificate is signed with; none for what its key signs with usually. Where a CA signs, it signs
    /// with what its own key signs with, and this is passed over.
    pub self_signature: Option<SignatureAlgorithm>,
}

impl Template {
    /// A template of a certificate that is no CA's, with no alternative names, no usages, and nothing else that need not be in it.
    pub fn new(serial: SerialNumber, subject: Name, not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            serial,
            subject,
            sans: Vec::new(),
            not_before,
            not_after,
            usages: Vec::new(),
            ca: None,
            name_constraints: None,
            self_signature: None,
            crl_distribution_points: Vec::new(),
            ocsp_servers: Vec::new(),
            issuing_certificate_urls: Vec::new(),
            freshest_crls: Vec::new(),
            ocsp_no_check: false,
        }
    }
}

/// What a CA may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaConstraints {
    /// How many CAs may follow below it on a path to a leaf (RFC 5280 section 4.2.1.9); none for any number.
    pub path_len: Option<u8>,
}
