//! What the status of an object says, in the fields that `list` and `status` have in common. As serialized they are an interface: added
//! to, never renamed.

use jiff::Timestamp;
use serde::Serialize;

use crate::api::{CertificateStatus, IssuerSpec, IssuerStatus, RevocationListStatus};

/// What a Certificate's status says of the certificate that it has now.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentCertificate {
    /// From when it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Until when it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// When it will be renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_time: Option<Timestamp>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Its number among those that this Certificate had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

impl From<&CertificateStatus> for CurrentCertificate {
    fn from(status: &CertificateStatus) -> Self {
        Self {
            not_before: status.not_before.as_ref().map(|time| time.0),
            not_after: status.not_after.as_ref().map(|time| time.0),
            renewal_time: status.renewal_time.as_ref().map(|time| time.0),
            serial_number: status.serial_number.clone(),
            revision: status.revision,
        }
    }
}

/// How an issuer signs, and with which CA.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// How it signs: ca or selfSigned.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The CA's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The authority that signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The serial number of the CA's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// When the first certificate of its chain ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// How many certificates its chain has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_length: Option<i32>,
    /// The longest lifetime that is asked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_duration: Option<String>,
}

impl Signing {
    /// What an issuer of this spec says in its status.
    pub fn of(spec: &IssuerSpec, status: &IssuerStatus) -> Self {
        Self {
            type_: if spec.ca.is_some() { "ca" } else { "selfSigned" },
            subject: status.subject.clone(),
            authority: status.authority.clone(),
            serial_number: status.serial_number.clone(),
            not_after: status.not_after.as_ref().map(|time| time.0),
            chain_length: status.chain_length,
            longest_duration: status.longest_duration.as_ref().map(ToString::to_string),
        }
    }
}

/// What is published of a RevocationList.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// The authority whose list it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The number of the newest published list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When the first of the published lists must be replaced at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// When a list was last published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_published: Option<Timestamp>,
    /// How many certificates are on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<i64>,
    /// How many of the revocations that are on no published list yet wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<i64>,
}

impl From<&RevocationListStatus> for Publication {
    fn from(status: &RevocationListStatus) -> Self {
        Self {
            authority: status.authority.clone(),
            number: status.number.clone(),
            next_update: status.next_update.as_ref().map(|time| time.0),
            last_published: status.last_published.as_ref().map(|time| time.0),
            entries: status.entries,
            held_back: status.held_back,
        }
    }
}
