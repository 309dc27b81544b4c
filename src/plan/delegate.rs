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
        usages: vec![Usage::DigitalSignature, Usage::OcspSigning],
        ocsp_no_check: true,
        ..Template::new(serial, subject, not_before, chain.iter().map(X509::not_after).fold(add(not_before, LIFETIME), Timestamp::min))
    })
}

#[cfg(test)]
mod tests {
    use chancery_pki::{CaConstraints, KeyAlgorithm, PrivateKey, RANDOM_OCTETS, issue, self_sign};

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + hour * 3600).unwrap()
    }

    fn serial(number: u8) -> SerialNumber {
        SerialNumber::issued(0, [number; RANDOM_OCTETS])
    }

    /// A CA that ends after so many hours.
    fn ca(end: i64) -> (X509, PrivateKey) {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let subject = Name::from_parts(&SubjectParts { common_name: Some("CA".to_owned()), ..SubjectParts::default() }).unwrap();
        let delegate = template(&key.public_key().key_id(), &[], serial(1), at(0)).unwrap();
        let template = Template {
            subject,
            not_after: at(end),
            usages: vec![Usage::CertSign],
            ca: Some(CaConstraints::default()),
            ocsp_no_check: false,
            ..delegate
        };
        (self_sign(&template, &key).unwrap(), key)
    }

    fn delegate(issuer: &X509, key: &PrivateKey) -> X509 {
        let own = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let template = template(&issuer.key_id(), std::slice::from_ref(issuer), serial(2), at(0)).unwrap();
        issue(&template, own.public_key(), issuer, key).unwrap()
    }

    #[test]
    fn a_delegate_is_replaced_after_a_day_and_holds_for_another() {
        let (issuer, key) = ca(1000);
        let delegate = delegate(&issuer, &key);
        assert_eq!(due(&delegate, &issuer), add(at(24), -BACKDATE));
        assert_eq!(delegate.not_after(), add(at(48), -BACKDATE));
        assert!(delegate.usages().contains(&Usage::OcspSigning));
    }

    #[test]
    fn a_delegate_ends_with_its_issuer() {
        let (issuer, key) = ca(10);
        let delegate = delegate(&issuer, &key);
        assert_eq!((delegate.not_after(), due(&delegate, &issuer)), (at(10), at(10)));
    }

    #[test]
    fn anothers_delegate_is_of_no_use() {
        let (issuer, _) = ca(1000);
        let (other, key) = ca(1000);
        assert_eq!(due(&delegate(&other, &key), &issuer), Timestamp::MIN);
    }
}
