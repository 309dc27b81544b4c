//! A checked issuer: who signs, what may be asked, and with which defaults.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chancery_pki::{KeyAlgorithm, KeyEncoding, San, Usage};
use jiff::SignedDuration;

use super::{error::SpecError, shared, text};
use crate::api::{
    duration::GoDuration,
    issuer::{AllowSpec, CertificateDefaults, IssuerSpec, OnAuthorityChange},
    schema,
    selector::NamespaceSelector,
};

/// Whom an issuer may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An `Issuer`: its own namespace.
    Namespace,
    /// A `ClusterIssuer`: all namespaces, or those it selects.
    Cluster,
}

/// An issuer's spec, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedIssuer {
    /// How it signs.
    pub kind: Kind,
    /// What may be asked of it.
    pub allow: Allow,
    /// What certificates get that do not say it themselves.
    pub defaults: Defaults,
}

/// How an issuer signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each certificate with its own key.
    SelfSigned {
        /// Where CRLs can be fetched.
        crl_distribution_points: Vec<String>,
    },
    /// With the key of a CA.
    Ca {
        /// The Secret with the CA's chain and key.
        secret_name: String,
        /// Where CRLs can be fetched.
        crl_distribution_points: Vec<String>,
        /// Where OCSP answers.
        ocsp_servers: Vec<String>,
        /// Where the CA's certificate can be fetched.
        issuing_certificate_urls: Vec<String>,
    },
}

/// What may be asked of an issuer; what is unwritten is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Whether CAs may be asked for.
    pub is_ca: bool,
    /// The usages that may be asked for, if they are limited; canonical.
    pub usages: Option<BTreeSet<Usage>>,
    /// The longest lifetime that may be asked for, if it is limited.
    pub max_duration: Option<SignedDuration>,
    /// Which namespaces are served, if not all.
    pub namespaces: Option<NamespaceSelector>,
}

/// What certificates get that do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The kind of key.
    pub key: Option<KeyAlgorithm>,
    /// How a key is written.
    pub encoding: Option<KeyEncoding>,
    /// The lifetime.
    pub duration: Option<SignedDuration>,
    /// How long before expiry a certificate is renewed.
    pub renew_before: Option<SignedDuration>,
    /// What keys may be used for; canonical.
    pub usages: Option<BTreeSet<Usage>>,
    /// What happens when the authority gets another key.
    pub on_authority_change: OnAuthorityChange,
}

/// Checks an issuer's spec.
///
/// # Errors
/// The first field that is wrong, and what would be right.
pub fn check_issuer(spec: &IssuerSpec, scope: Scope) -> Result<WantedIssuer, SpecError> {
    if let Some(error) = &spec.unreadable {
        return Err(error.clone());
    }
    let kind = kind(spec)?;
    let allow = allow(spec.allow.clone().unwrap_or_default(), &kind, scope)?;
    let defaults = defaults(spec.certificate_defaults.clone().unwrap_or_default(), allow.max_duration)?;
    Ok(WantedIssuer { kind, allow, defaults })
}

fn kind(spec: &IssuerSpec) -> Result<Kind, SpecError> {
    match (&spec.self_signed, &spec.ca) {
        (Some(own), None) => {
            urls("spec.selfSigned.crlDistributionPoints", &own.crl_distribution_points)?;
            Ok(Kind::SelfSigned { crl_distribution_points: own.crl_distribution_points.clone() })
        }
        (None, Some(ca)) => {
            text::subdomain(&ca.secret_name).map_err(|problem| SpecError::new("spec.ca.secretName", problem))?;
            urls("spec.ca.crlDistributionPoints", &ca.crl_distribution_points)?;
            urls("spec.ca.ocspServers", &ca.ocsp_servers)?;
            urls("spec.ca.issuingCertificateURLs", &ca.issuing_certificate_urls)?;
            Ok(Kind::Ca {
                secret_name: ca.secret_name.clone(),
                crl_distribution_points: ca.crl_distribution_points.clone(),
                ocsp_servers: ca.ocsp_servers.clone(),
                issuing_certificate_urls: ca.issuing_certificate_urls.clone(),
            })
        }
        _ => Err(SpecError::new("spec", "exactly one of selfSigned and ca is required")),
    }
}

fn urls(field: &str, urls: &[String]) -> Result<(), SpecError> {
    shared::at_most(field, urls, schema::MAX_URLS)?;
    for (index, url) in urls.iter().enumerate() {
        let item = || format!("{field}[{index}]");
        if url.len() > schema::MAX_URI {
            return Err(SpecError::new(item(), format!("has more than {} characters", schema::MAX_URI)));
        }
        San::Uri(url.clone()).validate().map_err(|error| SpecError::new(item(), error.to_string()))?;
    }
    Ok(())
}

fn allow(spec: AllowSpec, kind: &Kind, scope: Scope) -> Result<Allow, SpecError> {
    let by_default = !(scope == Scope::Cluster && matches!(kind, Kind::Ca { .. }));
    if let Some(selector) = &spec.namespace_selector {
        if scope == Scope::Namespace {
            return Err(SpecError::new("spec.allow.namespaceSelector", "only a ClusterIssuer has a namespaceSelector"));
        }
        selector.check("spec.allow.namespaceSelector")?;
    }
    Ok(Allow {
        is_ca: spec.is_ca.unwrap_or(by_default),
        usages: shared::usages(&spec.usages),
        max_duration: shared::duration("spec.allow.maxDuration", spec.max_duration, shared::MIN_DURATION)?,
        namespaces: spec.namespace_selector,
    })
}

fn defaults(spec: CertificateDefaults, max_duration: Option<SignedDuration>) -> Result<Defaults, SpecError> {
    const FIELD: &str = "spec.certificateDefaults";
    let key = spec.private_key.unwrap_or_default();
    let duration = shared::duration(&format!("{FIELD}.duration"), spec.duration, shared::MIN_DURATION)?;
    if let (Some(duration), Some(max)) = (duration, max_duration)
        && duration > max
    {
        return Err(SpecError::new(format!("{FIELD}.duration"), "must not be longer than allow.maxDuration"));
    }
    let usages = shared::usages(&spec.usages);
    if let Some(usage) = usages.iter().flatten().find(|usage| shared::only_for_a_ca(**usage)) {
        return Err(SpecError::new(format!("{FIELD}.usages"), format!("{usage} follows a certificate's isCA")));
    }
    Ok(Defaults {
        key: shared::key(&format!("{FIELD}.privateKey"), key.algorithm, key.size)?,
        encoding: key.encoding.map(shared::encoding),
        duration,
        renew_before: shared::renew_before(&format!("{FIELD}.renewBefore"), spec.renew_before, duration)?,
        usages,
        on_authority_change: spec.on_authority_change.unwrap_or_default(),
    })
}

impl Allow {
    /// Whether a namespace with these labels is served.
    pub fn serves(&self, namespace_labels: &BTreeMap<String, String>) -> bool {
        self.namespaces.as_ref().is_none_or(|selector| selector.matches(namespace_labels))
    }

    /// Whether what is asked for, with all defaults filled in, is allowed. The namespace is not looked at.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn permits(&self, is_ca: bool, usages: &BTreeSet<Usage>, duration: SignedDuration) -> Result<(), Refusal> {
        if is_ca && !self.is_ca {
            return Err(Refusal::Ca);
        }
        for usage in usages {
            let allowed = match (usage, &self.usages) {
                (Usage::CertSign | Usage::CrlSign, _) => is_ca,
                (_, Some(allowed)) => allowed.contains(usage),
                (usage, None) => *usage != Usage::OcspSigning,
            };
            if !allowed {
                return Err(Refusal::Usage(*usage));
            }
        }
        match self.max_duration {
            Some(max) if duration > max => Err(Refusal::Duration { asked: duration, max }),
            _ => Ok(()),
        }
    }
}

/// What an issuer does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A CA.
    Ca,
    /// A usage.
    Usage(Usage),
    /// So long a lifetime.
    Duration {
        /// What was asked for.
        asked: SignedDuration,
        /// What is allowed.
        max: SignedDuration,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let go = |duration: SignedDuration| GoDuration::try_from(duration).unwrap_or_default();
        match self {
            Self::Ca => formatter.write_str("the issuer does not allow isCA (spec.allow.isCA)"),
            Self::Usage(usage) => write!(formatter, "the issuer does not allow the usage {usage} (spec.allow.usages)"),
            Self::Duration { asked, max } => {
                write!(formatter, "the issuer allows a duration of at most {} (spec.allow.maxDuration), not {}", go(*max), go(*asked))
            }
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
