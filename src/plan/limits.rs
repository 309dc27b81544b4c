//! What an issuer allows, and what its authority's chain can vouch for. Checked before a key touches anything.

use std::fmt;

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
        Backing::SelfSigned => Ok(()),
        Backing::Authority(authority) => {
            if wanted.is_ca && authority.chain.path_len_left() == Some(0) {
                return Err(refusal(
                    "spec.isCA",
                    "the issuer's chain has a path length of 0: no CA may follow it (RFC 5280 section 4.2.1.9)",
                ));
            }
            if !wanted.subject.is_empty() && authority.chain.certificates().iter().any(|above| *above.subject() == wanted.subject) {
                return Err(refusal("spec.subject", "it equals the subject of a certificate in the issuer's chain"));
            }
            Ok(())
        }
    }
}
