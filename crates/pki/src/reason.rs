//! Why a certificate is revoked (RFC 5280 section 5.3.1).
//!
//! Only what the reasons are. Who may give which, and what follows from one, is decided elsewhere.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A CRLReason (RFC 5280 section 5.3.1). Its text form is the name that the RFC gives it. There is no 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// None is given (0). A list says so by leaving the reason out.
    #[default]
    #[serde(rename = "unspecified")]
    Unspecified,
    /// The certificate's key is known to others, or that is suspected (1).
    #[serde(rename = "keyCompromise")]
    KeyCompromise,
    /// A CA's key is known to others, or that is suspected (2).
    #[serde(rename = "cACompromise")]
    CaCompromise,
    /// What the certificate says of its subject is no longer so (3).
    #[serde(rename = "affiliationChanged")]
    AffiliationChanged,
    /// Another certificate has taken its place (4).
    #[serde(rename = "superseded")]
    Superseded,
    /// It is no longer needed (5).
    #[serde(rename = "cessationOfOperation")]
    CessationOfOperation,
    /// It is not to be trusted for the time being (6).
    #[serde(rename = "certificateHold")]
    CertificateHold,
    /// It was held and no longer is (8); only in a delta.
    #[serde(rename = "removeFromCRL")]
    RemoveFromCrl,
    /// A right that it grants was withdrawn (9).
    #[serde(rename = "privilegeWithdrawn")]
    PrivilegeWithdrawn,
    /// An attribute authority's key is known to others, or that is suspected (10).
    #[serde(rename = "aACompromise")]
    AaCompromise,
}

impl Reason {
    /// All of them, by their code.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The value that stands for it in a list and in an OCSP answer.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason with this value; none for 7 and above 10.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The name that RFC 5280 gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| ReasonError { text: text.to_owned() })
    }
}

/// The text names no reason.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is no reason for a revocation: RFC 5280 section 5.3.1 names them, as in keyCompromise")]
pub struct ReasonError {
    /// What it says.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_code_its_name_and_its_json() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert_eq!(reason.to_string().parse(), Ok(reason));
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Reason>(&format!("\"{reason}\"")).unwrap(), reason);
        }
    }

    #[test]
    fn there_is_no_reason_7_and_none_above_10() {
        let codes: Vec<_> = (0..=255).filter(|code| Reason::from_code(*code).is_some()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
        assert!("caCompromise".parse::<Reason>().is_err());
    }
}
