//! What a key may be used for: the names that users know, and the bits and purposes that stand for them.
//!
//! The names are those of cert-manager and of Kubernetes' certificate signing requests. Two pairs of them mean the same
//! thing in a certificate; [`Usage::canonical`] names the one that a certificate reads back as.

use std::{borrow::Cow, fmt, str::FromStr};

use const_oid::{ObjectIdentifier, db::rfc5280};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use x509_cert::ext::pkix::KeyUsages;

const ID_KP_IPSEC_END_SYSTEM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.5");
const ID_KP_IPSEC_TUNNEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.6");
const ID_KP_IPSEC_USER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.7");
const MICROSOFT_SGC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.10.3.3");
const NETSCAPE_SGC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.4.1");

/// A use of a key: a bit of keyUsage (RFC 5280 section 4.2.1.3) or a purpose of extKeyUsage (section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Usage {
    /// The same as `digital signature`.
    #[serde(rename = "signing")]
    Signing,
    /// Signatures, other than on certificates and CRLs.
    #[serde(rename = "digital signature")]
    DigitalSignature,
    /// Signatures that their maker shall not deny later.
    #[serde(rename = "content commitment")]
    ContentCommitment,
    /// Encrypting keys, as RSA key transport does.
    #[serde(rename = "key encipherment")]
    KeyEncipherment,
    /// Agreeing on keys.
    #[serde(rename = "key agreement")]
    KeyAgreement,
    /// Encrypting data itself.
    #[serde(rename = "data encipherment")]
    DataEncipherment,
    /// Signing certificates; only for a CA.
    #[serde(rename = "cert sign")]
    CertSign,
    /// Signing CRLs.
    #[serde(rename = "crl sign")]
    CrlSign,
    /// With `key agreement`: only for encrypting.
    #[serde(rename = "encipher only")]
    EncipherOnly,
    /// With `key agreement`: only for decrypting.
    #[serde(rename = "decipher only")]
    DecipherOnly,
    /// Any purpose.
    #[serde(rename = "any")]
    Any,
    /// TLS servers.
    #[serde(rename = "server auth")]
    ServerAuth,
    /// TLS clients.
    #[serde(rename = "client auth")]
    ClientAuth,
    /// Signing code.
    #[serde(rename = "code signing")]
    CodeSigning,
    /// Protecting e-mail.
    #[serde(rename = "email protection")]
    EmailProtection,
    /// The same as `email protection`.
    #[serde(rename = "s/mime")]
    SMime,
    /// IPsec hosts.
    #[serde(rename = "ipsec end system")]
    IpsecEndSystem,
    /// IPsec tunnels.
    #[serde(rename = "ipsec tunnel")]
    IpsecTunnel,
    /// IPsec users.
    #[serde(rename = "ipsec user")]
    IpsecUser,
    /// Time stamps.
    #[serde(rename = "timestamping")]
    Timestamping,
    /// OCSP answers on behalf of the CA that signed this certificate.
    #[serde(rename = "ocsp signing")]
    OcspSigning,
    /// Microsoft's server gated cryptography.
    #[serde(rename = "microsoft sgc")]
    MicrosoftSgc,
    /// Netscape's server gated cryptography.
    #[serde(rename = "netscape sgc")]
    NetscapeSgc,
}

/// What a usage is in a certificate.
pub(crate) enum Meaning {
    Bit(KeyUsages),
    Purpose(ObjectIdentifier),
}

impl Usage {
    /// Every usage.
    pub const ALL: [Self; 23] = [
        Self::Signing,
        Self::DigitalSignature,
        Self::ContentCommitment,
        Self::KeyEncipherment,
        Self::KeyAgreement,
        Self::DataEncipherment,
        Self::CertSign,
        Self::CrlSign,
        Self::EncipherOnly,
        Self::DecipherOnly,
        Self::Any,
        Self::ServerAuth,
        Self::ClientAuth,
        Self::CodeSigning,
        Self::EmailProtection,
        Self::SMime,
        Self::IpsecEndSystem,
        Self::IpsecTunnel,
        Self::IpsecUser,
        Self::Timestamping,
        Self::OcspSigning,
        Self::MicrosoftSgc,
        Self::NetscapeSgc,
    ];

    /// The name that users write.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::DigitalSignature => "digital signature",
            Self::ContentCommitment => "content commitment",
            Self::KeyEncipherment => "key encipherment",
            Self::KeyAgreement => "key agreement",
            Self::DataEncipherment => "data encipherment",
            Self::CertSign => "cert sign",
            Self::CrlSign => "crl sign",
            Self::EncipherOnly => "encipher only",
            Self::DecipherOnly => "decipher only",
            Self::Any => "any",
            Self::ServerAuth => "server auth",
            Self::ClientAuth => "client auth",
            Self::CodeSigning => "code signing",
            Self::EmailProtection => "email protection",
            Self::SMime => "s/mime",
            Self::IpsecEndSystem => "ipsec end system",
            Self::IpsecTunnel => "ipsec tunnel",
            Self::IpsecUser => "ipsec user",
            Self::Timestamping => "timestamping",
            Self::OcspSigning => "ocsp signing",
            Self::MicrosoftSgc => "microsoft sgc",
            Self::NetscapeSgc => "netscape sgc",
        }
    }

    /// The usage that a certificate with this one reads back as: `signing` is `digital signature`, `s/mime` is
    /// `email protection`, every other is itself.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::Signing => Self::DigitalSignature,
            Self::SMime => Self::EmailProtection,
            other => other,
        }
    }

    pub(crate) fn meaning(self) -> Meaning {
        match self {
            Self::Signing | Self::DigitalSignature => Meaning::Bit(KeyUsages::DigitalSignature),
            Self::ContentCommitment => Meaning::Bit(KeyUsages::NonRepudiation),
            Self::KeyEncipherment => Meaning::Bit(KeyUsages::KeyEncipherment),
            Self::KeyAgreement => Meaning::Bit(KeyUsages::KeyAgreement),
            Self::DataEncipherment => Meaning::Bit(KeyUsages::DataEncipherment),
            Self::CertSign => Meaning::Bit(KeyUsages::KeyCertSign),
            Self::CrlSign => Meaning::Bit(KeyUsages::CRLSign),
            Self::EncipherOnly => Meaning::Bit(KeyUsages::EncipherOnly),
            Self::DecipherOnly => Meaning::Bit(KeyUsages::DecipherOnly),
            Self::Any => Meaning::Purpose(rfc5280::ANY_EXTENDED_KEY_USAGE),
            Self::ServerAuth => Meaning::Purpose(rfc5280::ID_KP_SERVER_AUTH),
            Self::ClientAuth => Meaning::Purpose(rfc5280::ID_KP_CLIENT_AUTH),
            Self::CodeSigning => Meaning::Purpose(rfc5280::ID_KP_CODE_SIGNING),
            Self::EmailProtection | Self::SMime => Meaning::Purpose(rfc5280::ID_KP_EMAIL_PROTECTION),
            Self::IpsecEndSystem => Meaning::Purpose(ID_KP_IPSEC_END_SYSTEM),
            Self::IpsecTunnel => Meaning::Purpose(ID_KP_IPSEC_TUNNEL),
            Self::IpsecUser => Meaning::Purpose(ID_KP_IPSEC_USER),
            Self::Timestamping => Meaning::Purpose(rfc5280::ID_KP_TIME_STAMPING),
            Self::OcspSigning => Meaning::Purpose(rfc5280::ID_KP_OCSP_SIGNING),
            Self::MicrosoftSgc => Meaning::Purpose(MICROSOFT_SGC),
            Self::NetscapeSgc => Meaning::Purpose(NETSCAPE_SGC),
        }
    }

    /// The usage that a purpose's object identifier stands for.
    pub(crate) fn of_purpose(contents: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().map(Self::canonical).find(|usage| match usage.meaning() {
            Meaning::Purpose(oid) => oid.as_bytes() == contents,
            Meaning::Bit(_) => false,
        })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Usage {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        Self::ALL.into_iter().find(|usage| usage.as_str() == text).ok_or_else(|| UsageError { text: text.to_owned() })
    }
}

/// The text names no usage.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not a usage")]
pub struct UsageError {
    /// What it says.
    pub text: String,
}

// Not derived: the derived schema has one branch for each documented variant, and a CRD's schema must be structural.
impl JsonSchema for Usage {
    fn schema_name() -> Cow<'static, str> {
        "Usage".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Self::ALL.map(|usage| usage.as_str());
        json_schema!({ "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usage_reads_back_from_its_name() {
        for usage in Usage::ALL {
            assert_eq!(usage.as_str().parse(), Ok(usage));
        }
        assert!("server  auth".parse::<Usage>().is_err());
    }

    #[test]
    fn a_purpose_reads_back_as_the_canonical_usage() {
        for usage in Usage::ALL {
            if let Meaning::Purpose(oid) = usage.meaning() {
                assert_eq!(Usage::of_purpose(oid.as_bytes()), Some(usage.canonical()));
            }
        }
        assert_eq!(Usage::of_purpose(&[0x2a]), None);
    }

    #[test]
    fn the_schema_is_one_list_of_names() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Usage>();
        assert_eq!(schema.get("enum").and_then(|names| names.as_array()).map(Vec::len), Some(23));
        assert!(schema.get("oneOf").is_none());
    }
}
