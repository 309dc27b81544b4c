//! When an authority's OCSP delegate is made anew, and what its certificate says (RFC 6960 section 4.2.2.2).
//!
//! A delegate cannot be revoked (its certificate says that nobody need ask), so it lives two days and is replaced after one.

use chancery_pki::{Certificate as X509, KeyId, Name, NameError, SerialNumber, SubjectParts, Template, Usage};
use jiff::{SignedDuration, Timestamp};

use super::renewal::{BACKDATE, add};

/// How long a delegate's certificate holds.
const LIFETIME: SignedDuration = SignedDuration::from_hours(48);
/// After how long it is replaced.
const REPLACED: SignedDuration = SignedDuration::from_hours(24);

/// How the owner of a delegate's certificate is named on the register's lines. No Certificate can have this name.
pub const OWNER: &str = "(ocsp)";

/// When the delegate must be replaced; a time that has passed for one that is of no use.
pub fn due(delegate: &X509, issuer: &X509) -> Timestamp {
    if delegate.issuer() != issuer.subject() || !delegate.is_signed_by(issuer.public_key()) {
        return Timestamp::MIN;
    }
    add(delegate.not_before(), REPLACED).min(delegate.not_after())
}

/// What a new delegate's certificate says. It ends with its issuer's chain.
///
/// # Errors
/// Never with a name as short as this one.
pub fn template(authority: &KeyId, chain: &[X509], serial: SerialNumber, now: Timestamp) -> Result<Template, NameError> {
    let name: String = authority.to_string().chars().take(16).collect();
    let subject = Name::from_parts(&SubjectParts { common_name: Some(format!("OCSP responder {name}")), ..SubjectParts::default() })?;
    let not_before = add(now, -BACKDATE);
    Ok(Template {
        serial,
        subject,
        sans: Vec::new(),
        not_before,
        not_after: chain.iter().map(X509::not_after).fold(add(not_before, LIFETIME), Timestamp::min),
        usages: vec![Usage::DigitalSignature, Usage::OcspSigning],
        ca: None,
        crl_distribution_points: Vec::new(),
        ocsp_servers: Vec::new(),
        issuing_certificate_urls: Vec::new(),
        freshest_crls: Vec::new(),
        ocsp_no_check: true,
    })
}
