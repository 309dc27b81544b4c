//! Chains of certificates: put in order, and checked as authorities.
//!
//! Names are compared octet for octet. A chain that stands has its signatures verified, once, when it is put in order.

use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use crate::{Certificate, ConstraintBroken, Name, San, Usage, name_constraints::Names, usage::Meaning};

/// The most certificates that a bundle may hold.
pub const CHAIN_MAX: usize = 16;

/// A certificate, then each one's issuer. Its end is a root, or a certificate whose issuer was not there.
///
/// Every certificate is named as issuer by the one before it and has signed it: there is no other way to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain(Vec<Certificate>);

impl Chain {
    /// Puts a bundle in order. Its first certificate is the one whose chain this is; the others may stand in any order.
    /// A certificate that is there twice is taken once, and so is another certificate of the same name and key.
    ///
    /// # Errors
    /// When there is no certificate, or too many, or one that has no place in the chain.
    pub fn order(bundle: Vec<Certificate>) -> Result<Self, ChainError> {
        if bundle.len() > CHAIN_MAX {
            return Err(ChainError::TooLong { certificates: bundle.len(), most: CHAIN_MAX });
        }
        let mut rest = bundle.into_iter();
        let mut last = rest.next().ok_or(ChainError::Empty)?;
        let mut rest: Vec<_> = rest.collect();
        let mut chain = vec![last.clone()];
        rest.retain(|other| !is_same_authority(other, &last));
        while !last.is_self_signed() {
            let Some(issuer) = issuer_of(&last, &rest) else { break };
            rest.retain(|other| !is_same_authority(other, &issuer));
            chain.push(issuer.clone());
            last = issuer;
        }
        match rest.first() {
            Some(stranger) => Err(ChainError::Unrelated { subject: stranger.subject().to_string(), serial: stranger.serial().to_string() }),
            None => Ok(Self(chain)),
        }
    }

    /// The certificates, the first one's issuer second.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// The first certificate.
    pub fn leaf(&self) -> &Certificate {
        // `order` makes no empty chain.
        &self.0[0]
    }

    /// The self-signed end, if the chain reaches it.
    pub fn root(&self) -> Option<&Certificate> {
        self.0.last().filter(|last| last.is_self_signed())
    }

    /// The certificates without the root; empty for a root alone.
    pub fn without_root(&self) -> Vec<Certificate> {
        let length = self.0.len() - usize::from(self.root().is_some());
        self.0[..length].to_vec()
    }

    /// The earliest end of all validities.
    pub fn not_after(&self) -> Timestamp {
        self.0.iter().map(Certificate::not_after).min().unwrap_or(Timestamp::MIN)
    }

    /// The latest begin of all validities.
    pub fn not_before(&self) -> Timestamp {
        self.0.iter().map(Certificate::not_before).max().unwrap_or(Timestamp::MAX)
    }

    /// Checks that the first certificate may sign a leaf at this time: every certificate is a valid CA that may sign
    /// certificates, no path length is exceeded and no name stands below a CA that does not permit it (RFC 5280 section 6.1).
    ///
    /// # Errors
    /// Names the certificate at fault.
    pub fn verify_authority(&self, at: Timestamp) -> Result<(), ChainError> {
        for (index, certificate) in self.0.iter().enumerate() {
            let subject = || certificate.subject().to_string();
            if certificate.ca().is_none() {
                return Err(ChainError::NotCa { subject: subject() });
            }
            if !certificate.may_sign_certificates() {
                return Err(ChainError::MayNotSign { subject: subject() });
            }
            check_validity(certificate, at)?;
            if self.spare_path_length(index).is_some_and(|spare| spare < 0) {
                return Err(ChainError::PathLength { subject: subject() });
            }
            // What a self-issued certificate is called is checked only where it ends a path (RFC 5280 section 6.1.3).
            if !certificate.is_self_issued() {
                self.permit(|| Names::of_authority(certificate.subject(), certificate.sans()), index + 1)?;
            }
        }
        Ok(())
    }

    /// Whether the name constraints of all certificates of the chain permit these names of a certificate below it (RFC 5280
    /// sections 4.2.1.10 and 6.1.4 g): the alternative names, the subject, the e-mail addresses in it, and, unless it is a `ca`,
    /// a common name that looks like a DNS name where there is none among the alternative names.
    ///
    /// # Errors
    /// Names the CA, the name and the subtree. Constraints that we cannot process refuse every name of their form.
    pub fn permits_names(&self, subject: &Name, sans: &[San], ca: bool) -> Result<(), ConstraintBroken> {
        self.permit(|| if ca { Names::of_authority(subject, sans) } else { Names::of_leaf(subject, sans) }, 0)
    }

    /// Whether every CA of the chain that has an extended key usage has this purpose, or any purpose (RFC 5280 section
    /// 4.2.1.12 as every verifier reads it). What is no purpose but a bit of the key usage is permitted.
    ///
    /// # Errors
    /// Names the CA.
    pub fn permits_purpose(&self, usage: Usage) -> Result<(), PurposeRefused> {
        match usage.meaning() {
            Meaning::Bit(_) => Ok(()),
            Meaning::Purpose(oid) => match self.refusing_purpose(oid.as_bytes()) {
                Some(authority) => Err(PurposeRefused { authority: authority.subject().to_string(), usage }),
                None => Ok(()),
            },
        }
    }

    /// The first certificate whose extended key usage does not include this purpose.
    pub(crate) fn refusing_purpose(&self, purpose: &[u8]) -> Option<&Certificate> {
        let any = const_oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
        let allows = |held: &[u8]| held == purpose || held == any.as_bytes();
        self.0.iter().find(|certificate| {
            let purposes = certificate.purposes();
            !purposes.is_empty() && !purposes.iter().any(|held| allows(held))
        })
    }

    /// Whether each certificate from `first` on permits the names, which are asked for only where there are constraints.
    fn permit<'a>(&self, names: impl FnOnce() -> Names<'a>, first: usize) -> Result<(), ConstraintBroken> {
        let mut constraints = self.0.iter().skip(first).filter_map(|above| Some((above, above.constraints()?))).peekable();
        if constraints.peek().is_none() {
            return Ok(());
        }
        let names = names();
        constraints.try_for_each(|(above, constraints)| constraints.permit(&names, above.subject()))
    }

    /// How many CAs may still follow below the first certificate, the least over the chain: none for any number,
    /// zero if it may sign leaves only.
    pub fn path_len_left(&self) -> Option<u8> {
        let least = (0..self.0.len()).filter_map(|index| self.spare_path_length(index)).min()?;
        Some(u8::try_from(least.max(0)).unwrap_or(u8::MAX))
    }

    /// The certificate's path length less the CAs that follow below it already. Self-issued ones do not count
    /// (RFC 5280 section 4.2.1.9).
    fn spare_path_length(&self, index: usize) -> Option<i32> {
        let allowed = self.0[index].ca()?.path_len?;
        let below = self.0[..index].iter().filter(|certificate| !certificate.is_self_issued()).count();
        Some(i32::from(allowed) - i32::try_from(below).unwrap_or(i32::MAX))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.0).finish()
    }
}

/// Why certificates are no chain, or one that does not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChainError {
    /// There is no certificate.
    #[error("there is no certificate")]
    Empty,
    /// More certificates than anyone needs.
    #[error("there are {certificates} certificates, at most {most} are read")]
    TooLong {
        /// How many there are.
        certificates: usize,
        /// How many are read.
        most: usize,
    },
    /// A certificate of the bundle has no place in the chain.
    #[error("the certificate of {subject:?} with serial number {serial} does not belong to the chain of the first certificate")]
    Unrelated {
        /// Its subject.
        subject: String,
        /// Its serial number.
        serial: String,
    },
    /// It is no CA's.
    #[error("the certificate of {subject:?} is not that of a CA")]
    NotCa {
        /// Its subject.
        subject: String,
    },
    /// Its key usage has no `cert sign`.
    #[error("the certificate of {subject:?} may not sign certificates: its key usage does not include \"cert sign\"")]
    MayNotSign {
        /// Its subject.
        subject: String,
    },
    /// It is not valid yet.
    #[error("the certificate of {subject:?} is not valid before {not_before}")]
    NotYetValid {
        /// Its subject.
        subject: String,
        /// When it will be.
        not_before: Timestamp,
    },
    /// It is not valid any more.
    #[error("the certificate of {subject:?} ended at {not_after}")]
    Ended {
        /// Its subject.
        subject: String,
        /// When it ended.
        not_after: Timestamp,
    },
    /// More CAs stand below it than it allows.
    #[error("more CAs stand below {subject:?} than its path length allows")]
    PathLength {
        /// Its subject.
        subject: String,
    },
    /// It has a name that a CA above it does not permit.
    #[error(transparent)]
    Name(#[from] ConstraintBroken),
    /// The certificate names another issuer.
    #[error("the certificate names {named:?} as its issuer, not {issuer:?}")]
    OtherIssuer {
        /// Whom it names.
        named: String,
        /// The issuer's subject.
        issuer: String,
    },
    /// The signature is not the issuer's.
    #[error("the certificate is not signed by the key of {issuer:?}")]
    Signature {
        /// The issuer's subject.
        issuer: String,
    },
    /// Path validation refused it for another reason.
    #[error("the certificate does not stand under {issuer:?}: {reason}")]
    Refused {
        /// The issuer's subject.
        issuer: String,
        /// What webpki says.
        reason: String,
    },
}

/// A purpose that a CA's extended key usage does not include.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the extended key usage of {authority:?} does not include {:?}", usage.as_str())]
pub struct PurposeRefused {
    /// The subject of the CA.
    pub authority: String,
    /// The purpose.
    pub usage: Usage,
}

pub(crate) fn check_validity(certificate: &Certificate, at: Timestamp) -> Result<(), ChainError> {
    let subject = || certificate.subject().to_string();
    if at.as_second() < certificate.not_before().as_second() {
        return Err(ChainError::NotYetValid { subject: subject(), not_before: certificate.not_before() });
    }
    if !certificate.is_valid_at(at) {
        return Err(ChainError::Ended { subject: subject(), not_after: certificate.not_after() });
    }
    Ok(())
}

/// The issuer among `candidates`. Where several certificates share its name and key, one whose own issuer is there too is
/// preferred, since it makes the longer chain; then a root; then what lasts longest.
fn issuer_of(certificate: &Certificate, candidates: &[Certificate]) -> Option<Certificate> {
    let goes_on = |candidate: &Certificate| {
        !candidate.is_self_issued()
            && candidates.iter().any(|other| other.subject() == candidate.issuer() && !is_same_authority(other, candidate))
    };
    candidates
        .iter()
        .filter(|candidate| candidate.subject() == certificate.issuer() && certificate.is_signed_by(candidate.public_key()))
        .max_by_key(|candidate| (goes_on(candidate), candidate.is_self_issued(), candidate.not_after()))
        .cloned()
}

fn is_same_authority(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.public_key() == other.public_key()
}
