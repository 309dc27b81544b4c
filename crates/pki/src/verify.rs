//! Path validation of what was issued (RFC 5280 section 6.1), by rustls-webpki where it can.
//!
//! Revocation is not looked at here.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext};

use crate::{Certificate, Chain, ChainError, chain::check_validity, name_constraints::Constraints};

/// Checks that `leaf` stands under the authority at this time, the chain's last certificate being trusted.
///
/// A leaf that has purposes must have one that all of the chain allows. The certificate of a CA is checked here without
/// webpki, which refuses one at the end of a path: issuer's name, signature, validity, path length and name constraints.
/// Name constraints are checked by [`Chain::permits_names`] first; what webpki says to them counts where it processes them,
/// which is for DNS names and IP addresses alone. A self-signed certificate is checked against itself: as its authority, give
/// the chain of it alone.
///
/// # Errors
/// Says what does not hold, of the leaf or of the authority.
pub fn verify_leaf(leaf: &Certificate, authority: &Chain, at: Timestamp) -> Result<(), ChainError> {
    let issuer = authority.leaf();
    let issuer_name = || issuer.subject().to_string();
    if leaf.issuer() != issuer.subject() {
        return Err(ChainError::OtherIssuer { named: leaf.issuer().to_string(), issuer: issuer_name() });
    }
    check_validity(leaf, at)?;
    if !leaf.is_signed_by(issuer.public_key()) {
        return Err(ChainError::Signature { issuer: issuer_name() });
    }
    if leaf == issuer {
        return Ok(());
    }
    authority.verify_authority(at)?;
    let sans: Vec<_> = leaf.sans().iter().cloned().collect();
    authority.permits_names(leaf.subject(), &sans, leaf.ca().is_some())?;
    match leaf.ca() {
        Some(_) if authority.path_len_left() == Some(0) && !leaf.is_self_issued() => Err(ChainError::PathLength { subject: issuer_name() }),
        Some(_) => Ok(()),
        None => match verify_with_webpki(leaf, authority, at) {
            // It refuses every name of a form that it does not process, before it looks at the purposes.
            Err(webpki::Error::NameConstraintViolation) if is_beyond_webpki(authority) => {
                let refusing = |purpose: &[u8]| authority.refusing_purpose(purpose).map(|above| above.subject().to_string());
                let refusals: Vec<_> = leaf.purposes().iter().map(|purpose| refusing(purpose)).collect();
                match refusals.iter().all(Option::is_some).then_some(refusals).and_then(|refusals| refusals.into_iter().flatten().next()) {
                    Some(issuer) => {
                        Err(ChainError::Refused { issuer, reason: "its extended key usage includes no purpose of it".to_owned() })
                    }
                    None => Ok(()),
                }
            }
            outcome => outcome.map_err(|error| ChainError::Refused { issuer: issuer_name(), reason: error.to_string() }),
        },
    }
}

fn is_beyond_webpki(authority: &Chain) -> bool {
    authority.certificates().iter().filter_map(Certificate::constraints).any(Constraints::is_beyond_webpki)
}

fn verify_with_webpki(leaf: &Certificate, authority: &Chain, at: Timestamp) -> Result<(), webpki::Error> {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.as_der().to_vec());
    let leaf_der = der(leaf);
    let chain: Vec<_> = authority.certificates().iter().map(der).collect();
    let (anchor, intermediates) = chain.split_last().ok_or(webpki::Error::UnknownIssuer)?;
    let anchors = [webpki::anchor_from_trusted_cert(anchor)?];
    let end_entity = EndEntityCert::try_from(&leaf_der)?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)));
    let verify = |purpose: Purpose<'_>| {
        end_entity.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, intermediates, at, purpose, None, None).map(|_| ())
    };
    let mut purposes = leaf.purposes().iter();
    let Some(first) = purposes.next() else { return verify(Purpose(None)) };
    let mut outcome = verify(Purpose(Some(first)));
    for purpose in purposes {
        if !matches!(outcome, Err(webpki::Error::RequiredEkuNotFoundContext(_))) {
            break;
        }
        outcome = verify(Purpose(Some(purpose)));
    }
    outcome
}

/// Holds for a certificate that names no purpose, any purpose, or this one; without one, for every certificate.
struct Purpose<'a>(Option<&'a [u8]>);

impl ExtendedKeyUsageValidator for Purpose<'_> {
    fn validate(&self, present: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let Some(wanted) = self.0 else { return Ok(()) };
        let any = const_oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
        let mut empty = true;
        for purpose in present {
            empty = false;
            let purpose = purpose?;
            if purpose == KeyPurposeId::new(wanted) || purpose == KeyPurposeId::new(any.as_bytes()) {
                return Ok(());
            }
        }
        if empty {
            return Ok(());
        }
        let context = RequiredEkuNotFoundContext { required: KeyUsage::required(&[]), present: Vec::new() };
        Err(webpki::Error::RequiredEkuNotFoundContext(context))
    }
}
