//! The issuer of kind `ca`: an authority whose key stands in a Secret.
//!
//! The key is read when the Secret's resourceVersion is a new one, is held in this one place while we lead, and is wiped
//! with it.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use aws_lc_rs::digest;
use chancery_pki::{CHAIN_MAX, Certificate as X509, Chain, IssueError, PrivateKey, Template, Weakness, issue};
use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::Issuer;
use crate::{
    api::{Kind, WantedIssuer, names, reason::issuer as reason},
    plan::observed::{AuthorityView, Obstacle},
};

/// An authority with its key.
#[derive(Debug)]
pub struct CertificateAuthority {
    view: AuthorityView,
    key: PrivateKey,
    crl_distribution_points: Vec<String>,
    ocsp_servers: Vec<String>,
    issuing_certificate_urls: Vec<String>,
}

impl CertificateAuthority {
    /// The authority in a Secret: a CA certificate that may sign, with its own key, and a whole chain that holds at `now`.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn read(data: &BTreeMap<String, ByteString>, spec: &WantedIssuer, now: Timestamp) -> Result<Self, Obstacle> {
        let get = |key: &str| data.get(key).map(|value| value.0.as_slice()).filter(|value| !value.is_empty());
        let bundle = get(names::TLS_CERTIFICATE)
            .ok_or_else(|| obstacle(reason::CHAIN_INVALID, format!("the Secret has no {}", names::TLS_CERTIFICATE)))?;
        let key = get(names::TLS_KEY).ok_or_else(|| obstacle(reason::CHAIN_INVALID, format!("the Secret has no {}", names::TLS_KEY)))?;
        let mut certificates = X509::bundle_from_pem(bundle)
            .map_err(|error| obstacle(reason::CHAIN_INVALID, format!("the Secret's {} cannot be read: {error}", names::TLS_CERTIFICATE)))?;
        let key = PrivateKey::from_pem(key)
            .map_err(|error| obstacle(reason::CHAIN_INVALID, format!("the Secret's {} cannot be read: {error}", names::TLS_KEY)))?;
        let Some(own) = certificates.first() else {
            return Err(obstacle(reason::CHAIN_INVALID, format!("the Secret's {} holds no certificate", names::TLS_CERTIFICATE)));
        };
        if own.public_key() != key.public_key() {
            return Err(obstacle(
                reason::KEY_MISMATCH,
                format!("the Secret's {} is not the key of the certificate in {}", names::TLS_KEY, names::TLS_CERTIFICATE),
            ));
        }
        if own.ca().is_none() {
            return Err(obstacle(reason::NOT_A_CA, "the Secret's certificate is not a CA's: its Certificate needs isCA: true"));
        }
        if !own.may_sign_certificates() {
            return Err(obstacle(reason::NOT_A_CA, "the CA certificate's key usage does not include certificate signing"));
        }
        let key_id = own.key_id();
        complete(&mut certificates, get(names::CA_CERTIFICATE));
        let chain = Chain::order(certificates).map_err(|error| obstacle(reason::CHAIN_INVALID, format!("the Secret's chain: {error}")))?;
        if chain.not_after() < now {
            return Err(obstacle(reason::EXPIRED, format!("a certificate of its chain expired at {}: renew it", chain.not_after())));
        }
        chain.verify_authority(now).map_err(|error| obstacle(reason::CHAIN_INVALID, format!("the Secret's chain: {error}")))?;
        for (index, certificate) in chain.certificates().iter().enumerate() {
            // Whoever runs a root of old with a small exponent can do nothing about it here, and its key is not known to anybody.
            let tells = |weakness: &Weakness| index == 0 || !matches!(weakness, Weakness::Size { .. } | Weakness::Exponent);
            if let Some(weakness) = certificate.public_key().weakness().filter(tells) {
                let message = format!("the key of \"{}\" in its chain is weak: {weakness}; replace that CA", certificate.subject());
                return Err(obstacle(reason::KEY_WEAK, message));
            }
        }
        let fingerprint = fingerprint(&chain);
        let (crl_distribution_points, ocsp_servers, issuing_certificate_urls) = match &spec.kind {
            Kind::Ca { crl_distribution_points, ocsp_servers, issuing_certificate_urls, .. } => {
                (crl_distribution_points.clone(), ocsp_servers.clone(), issuing_certificate_urls.clone())
            }
            Kind::SelfSigned { .. } => (Vec::new(), Vec::new(), Vec::new()),
        };
        Ok(Self {
            view: AuthorityView { key_id, chain: Arc::new(chain), fingerprint },
            key,
            crl_distribution_points,
            ocsp_servers,
            issuing_certificate_urls,
        })
    }

    /// The authority without its key.
    pub fn view(&self) -> &AuthorityView {
        &self.view
    }
}

impl Issuer for CertificateAuthority {
    fn complete(&self, template: Template) -> Template {
        Template {
            crl_distribution_points: with(&self.crl_distribution_points, &template.crl_distribution_points),
            ocsp_servers: with(&self.ocsp_servers, &template.ocsp_servers),
            issuing_certificate_urls: with(&self.issuing_certificate_urls, &template.issuing_certificate_urls),
            ..template
        }
    }

    fn sign(&self, template: &Template, subject: &PrivateKey) -> Result<X509, IssueError> {
        issue(template, subject.public_key(), self.view.chain.leaf(), &self.key)
    }

    fn certificate(&self) -> Option<&X509> {
        Some(self.view.chain.leaf())
    }

    fn key(&self) -> Option<&PrivateKey> {
        Some(&self.key)
    }
}

/// The URLs of the issuer's spec, and after them those of the template that are not among them.
fn with(own: &[String], template: &[String]) -> Vec<String> {
    let mut all = own.to_vec();
    all.extend(template.iter().filter(|url| !own.contains(url)).cloned());
    all
}

/// Adds the certificates of `ca.crt` that belong to the chain: the root often stands only there.
fn complete(certificates: &mut Vec<X509>, roots: Option<&[u8]>) {
    let Some(Ok(roots)) = roots.map(X509::bundle_from_pem) else {
        return;
    };
    // Each pair below costs a signature's verification, and whoever writes the Secret chooses how many.
    if certificates.len() + roots.len() > 2 * CHAIN_MAX {
        return;
    }
    for root in roots {
        let belongs =
            certificates.iter().any(|certificate| certificate.issuer() == root.subject() && certificate.is_signed_by(root.public_key()));
        if belongs && !certificates.iter().any(|certificate| certificate.as_der() == root.as_der()) {
            certificates.push(root);
        }
    }
}

/// A digest over the chain's certificates: 16 octets, in hexadecimal.
fn fingerprint(chain: &Chain) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for certificate in chain.certificates() {
        context.update(certificate.as_der());
    }
    context.finish().as_ref().iter().take(16).fold(String::new(), |mut text, octet| {
        // Writing to a String does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn obstacle(reason: &'static str, message: impl Into<String>) -> Obstacle {
    Obstacle { reason, message: message.into() }
}
