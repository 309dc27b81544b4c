//! What a relying party checks besides the path: whether a certificate is for a name, and for a purpose.
//!
//! Names are compared by rustls-webpki, as RFC 9525 has it: alternative names only, `*` as a whole leftmost label.

use rustls_pki_types::{CertificateDer, ServerName};
use thiserror::Error;
use webpki::EndEntityCert;

use crate::{Certificate, Usage, usage::Meaning};

/// Why a certificate does not prove a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameRefused {
    /// It is neither a DNS name nor an IP address.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    NoName {
        /// What was asked for.
        name: String,
    },
    /// The alternative names do not include it.
    #[error("the certificate is not for {name}")]
    NotNamed {
        /// What was asked for.
        name: String,
    },
    /// The certificate cannot be looked at by webpki.
    #[error("{reason}")]
    Unreadable {
        /// What it says.
        reason: String,
    },
}

impl Certificate {
    /// Checks that the certificate is for this DNS name or IP address.
    ///
    /// # Errors
    /// When it is for others, or the text is no such name.
    pub fn proves_name(&self, name: &str) -> Result<(), NameRefused> {
        let wanted = ServerName::try_from(name).map_err(|_| NameRefused::NoName { name: name.to_owned() })?;
        let der = CertificateDer::from(self.as_der());
        let certificate = EndEntityCert::try_from(&der).map_err(|error| NameRefused::Unreadable { reason: error.to_string() })?;
        certificate.verify_is_valid_for_subject_name(&wanted).map_err(|_| NameRefused::NotNamed { name: name.to_owned() })
    }

    /// Whether the extended key usage includes this purpose, or any, or there is none (RFC 5280 section 4.2.1.12). A bit of the key
    /// usage is included where there is no key usage either.
    pub fn allows_purpose(&self, usage: Usage) -> bool {
        match usage.meaning() {
            Meaning::Bit(_) => !self.has_key_usage() || self.usages().contains(&usage.canonical()),
            Meaning::Purpose(oid) => {
                let any = const_oid::db::rfc5280::ANY_EXTENDED_KEY_USAGE;
                let held = self.purposes();
                held.is_empty() || held.iter().any(|held| **held == *oid.as_bytes() || **held == *any.as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyAlgorithm, Name, PrivateKey, San, SerialNumber, SubjectParts, Template, self_sign};

    fn leaf(usages: &[Usage]) -> Certificate {
        let parts = SubjectParts { common_name: Some("common.example.com".to_owned()), ..SubjectParts::default() };
        let mut template = Template::new(
            SerialNumber::from_octets(&[1]).unwrap(),
            Name::from_parts(&parts).unwrap(),
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-02-01T00:00:00Z".parse().unwrap(),
        );
        template.sans = vec![San::Dns("*.example.com".to_owned()), San::Ip("10.0.0.1".parse().unwrap())];
        template.usages = usages.to_vec();
        self_sign(&template, &PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()).unwrap()
    }

    #[test]
    fn a_name_is_proved_by_an_alternative_name_and_never_by_the_common_name() {
        let parts = leaf(&[]);
        for name in ["a.example.com", "A.EXAMPLE.COM", "10.0.0.1"] {
            assert_eq!(parts.proves_name(name), Ok(()), "{name}");
        }
        for name in ["example.com", "a.b.example.com", "10.0.0.2", "::1"] {
            assert_eq!(parts.proves_name(name), Err(NameRefused::NotNamed { name: name.to_owned() }));
        }
        assert_eq!(parts.proves_name("a b"), Err(NameRefused::NoName { name: "a b".to_owned() }));
    }

    #[test]
    fn a_purpose_is_allowed_where_it_stands_or_nothing_is_said() {
        assert!(leaf(&[]).allows_purpose(Usage::ServerAuth));
        let server = leaf(&[Usage::DigitalSignature, Usage::ServerAuth]);
        assert!(server.allows_purpose(Usage::ServerAuth) && !server.allows_purpose(Usage::ClientAuth));
        assert!(server.allows_purpose(Usage::Signing) && !server.allows_purpose(Usage::KeyEncipherment));
        assert!(leaf(&[Usage::Any]).allows_purpose(Usage::ClientAuth));
    }
}
