//! What an issuer allows, and what its authority's chain can vouch for. Checked before a key touches anything.

use std::fmt;

use chancery_pki::{Chain, ConstraintBroken, KeyAlgorithm, San, SignatureAlgorithm};

use super::observed::Backing;
use crate::api::{self, Resolved, Wanted, WantedIssuer};

/// A rule that a wanted certificate breaks: the field, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    field: &'static str,
    rule: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.rule)
    }
}

fn refusal(field: &'static str, rule: impl Into<String>) -> Refusal {
    Refusal { field, rule: rule.into() }
}

/// Whether the issuer may sign that.
///
/// # Errors
/// The first rule that it breaks.
pub fn admits(wanted: &Wanted, resolved: &Resolved, spec: &WantedIssuer, backing: &Backing) -> Result<(), Refusal> {
    spec.allow.permits(wanted.is_ca, &resolved.usages, resolved.duration).map_err(|refused| {
        let field = match refused {
            api::Refusal::Ca => "spec.isCA",
            api::Refusal::Usage(_) => "spec.usages",
            api::Refusal::Duration { .. } => "spec.duration",
        };
        refusal(field, refused.to_string())
    })?;
    match backing {
        Backing::SelfSigned => match wanted.signature {
            Some(signature) if !signature.suits(resolved.key) => Err(refusal(
                "spec.signatureAlgorithm",
                format!("a key of kind {} does not sign with {signature}: with {}, it does", resolved.key, suiting(resolved.key)),
            )),
            _ => Ok(()),
        },
        Backing::Authority(authority) => {
            path_length(wanted, &authority.chain)?;
            authority
                .chain
                .permits_names(&wanted.subject, &sans(wanted), wanted.is_ca)
                .map_err(|broken| refusal(field(wanted, &broken), broken.to_string()))?;
            for usage in &resolved.usages {
                authority.chain.permits_purpose(*usage).map_err(|refused| refusal("spec.usages", refused.to_string()))?;
            }
            if !wanted.subject.is_empty() && authority.chain.certificates().iter().any(|above| above.subject().matches(&wanted.subject)) {
                return Err(refusal("spec.subject", "it equals the subject of a certificate in the issuer's chain"));
            }
            Ok(())
        }
    }
}

fn suiting(key: KeyAlgorithm) -> String {
    let suiting: Vec<&str> = SignatureAlgorithm::ALL.into_iter().filter(|one| one.suits(key)).map(SignatureAlgorithm::as_str).collect();
    suiting.join(" or ")
}

fn sans(wanted: &Wanted) -> Vec<San> {
    wanted.sans.iter().cloned().collect()
}

/// Where the name stands that a constraint does not permit.
fn field(wanted: &Wanted, broken: &ConstraintBroken) -> &'static str {
    match wanted.sans.iter().find(|san| san.to_string() == broken.name) {
        Some(San::Dns(_)) => "spec.dnsNames",
        Some(San::Ip(_)) => "spec.ipAddresses",
        Some(San::Uri(_)) => "spec.uris",
        Some(San::Email(_)) => "spec.emailAddresses",
        Some(San::Other { .. }) => "spec.otherNames",
        None if wanted.literal => "spec.literalSubject",
        None if broken.is_of_common_name() => "spec.commonName",
        None => "spec.subject",
    }
}

/// How many CAs may follow, in the issuer's chain and below the CA that is wanted (RFC 5280 section 4.2.1.9).
fn path_length(wanted: &Wanted, chain: &Chain) -> Result<(), Refusal> {
    let Some(left) = chain.path_len_left().filter(|_| wanted.is_ca) else {
        return Ok(());
    };
    if left == 0 {
        return Err(refusal("spec.isCA", "the issuer's chain has a path length of 0: no CA may follow it (RFC 5280 section 4.2.1.9)"));
    }
    match wanted.path_len {
        Some(length) if length >= left => Err(refusal(
            "spec.pathLen",
            format!("{length} promises more CAs than the issuer's chain allows: at most {} (RFC 5280 section 4.2.1.9)", left - 1),
        )),
        _ => Ok(()),
    }
}
