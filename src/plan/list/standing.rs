//! Whether a RevocationList may act, and for which authority: one list for each authority, and each where its issuer's keys are.

use super::super::observed::{AuthorityView, Backing, IssuerView, Obstacle};
use crate::api::{IssuerKind, SpecError, WantedList, reason};

/// What bears on it.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// The operator's namespace.
    pub operator: &'a str,
    /// Its spec, parsed once.
    pub wanted: &'a Result<WantedList, SpecError>,
    /// Whether the issuer that it names exists.
    pub issuer_exists: bool,
    /// Whether this operator serves ClusterIssuers.
    pub cluster_wide: bool,
    /// The issuer as it was looked at; none before that.
    pub issuer: Option<&'a IssuerView>,
    /// An older list for the same authority.
    pub rival: Option<String>,
}

/// What there is to say.
#[derive(Debug)]
pub enum Standing<'a> {
    /// It acts for this authority.
    Covers(&'a WantedList, &'a AuthorityView),
    /// Its issuer was not looked at yet, and will wake it.
    Wait,
    /// Something is in the way.
    Obstructed(Obstacle),
}

/// Whether the list may act.
pub fn of<'a>(seen: &Seen<'a>) -> Standing<'a> {
    let obstructed = |reason, message: String| Standing::Obstructed(Obstacle { reason, message });
    let wanted = match seen.wanted {
        Ok(wanted) => wanted,
        Err(error) => return obstructed(reason::INVALID_SPEC, error.to_string()),
    };
    if wanted.issuer.kind == IssuerKind::ClusterIssuer {
        if !seen.cluster_wide {
            return obstructed(
                reason::list::ISSUER_NOT_FOUND,
                format!("{} is not served: this operator watches some namespaces only", wanted.issuer),
            );
        }
        if seen.namespace != seen.operator {
            return obstructed(
                reason::list::WRONG_NAMESPACE,
                format!("the list of {} belongs into the operator's namespace: apply it in namespace {}", wanted.issuer, seen.operator),
            );
        }
    }
    if seen.namespace != seen.operator
        && let Some(copy) = wanted.config_maps.iter().find(|copy| copy.namespace.as_deref().is_some_and(|name| name != seen.namespace))
    {
        return obstructed(
            reason::INVALID_SPEC,
            format!(
                "spec.distribution.configMaps: {} is in another namespace; a list outside the operator's namespace makes copies in its own",
                copy.name
            ),
        );
    }
    if !seen.issuer_exists {
        return obstructed(reason::list::ISSUER_NOT_FOUND, format!("{} does not exist", wanted.issuer));
    }
    let Some(issuer) = seen.issuer else {
        return Standing::Wait;
    };
    match &issuer.backing {
        Err(obstacle) => obstructed(reason::list::ISSUER_NOT_READY, format!("{} is not ready: {}", wanted.issuer, obstacle.message)),
        Ok(Backing::SelfSigned) => obstructed(
            reason::list::NOT_AN_AUTHORITY,
            format!("{} signs each certificate with its own key: nothing can be revoked there", wanted.issuer),
        ),
        Ok(Backing::Authority(authority)) => {
            if let Some(rival) = &seen.rival {
                return obstructed(
                    reason::list::AUTHORITY_COVERED,
                    format!("RevocationList {rival} is older and covers the same authority: delete one of the two"),
                );
            }
            if !authority.chain.leaf().may_sign_lists() {
                return obstructed(
                    reason::list::MAY_NOT_SIGN_LISTS,
                    format!("the CA certificate of {} lacks the key usage crl sign: have it issued again with it", wanted.issuer),
                );
            }
            Standing::Covers(wanted, authority)
        }
    }
}
