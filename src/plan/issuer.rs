//! The decision about one issuer: whether it can sign, as whom, and from when on it needs attention.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    observed::{AuthorityView, Obstacle},
    renewal::add,
};
use crate::api::{
    GoDuration, IssuerStatus, SecretIdentity, SpecError, WantedIssuer,
    condition::{self, Finding, merge},
    reason,
};

/// What the schema lets a subject have in characters.
const MAX_SUBJECT: usize = 16_384;

/// All that bears on one issuer at one moment.
#[derive(Debug)]
pub struct Observed<'a> {
    /// Its generation.
    pub generation: Option<i64>,
    /// The status that stands.
    pub status: Option<&'a IssuerStatus>,
    /// Its spec, parsed once.
    pub wanted: &'a Result<WantedIssuer, SpecError>,
    /// The authority behind it, or what is wrong with it; none for a kind without one.
    pub authority: Option<Result<&'a AuthorityView, &'a Obstacle>>,
    /// The Secret that it was read from.
    pub secret: Option<SecretIdentity>,
    /// The longest duration that Certificates ask of it.
    pub longest: Option<SignedDuration>,
}

/// What is said, and when to look again.
#[derive(Debug)]
pub struct Plan {
    /// The status.
    pub status: IssuerStatus,
    /// When time alone changes it.
    pub wake: Option<Timestamp>,
}

/// The decision.
pub fn decide(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let old = observed.status.cloned().unwrap_or_default();
    let mut status = IssuerStatus { observed_generation: observed.generation, ..IssuerStatus::default() };
    let mut wake = None;
    let findings = match (observed.wanted, observed.authority) {
        (Err(error), _) => failed(reason::INVALID_SPEC, error.to_string()),
        (Ok(_), Some(Err(obstacle))) => failed(obstacle.reason, obstacle.message.clone()),
        (Ok(_), None) => {
            vec![Finding::new(condition::READY, true, reason::READY, "each certificate is signed by its own key")]
        }
        (Ok(_), Some(Ok(authority))) => {
            let (findings, at) = ready(authority, observed.longest, now);
            wake = Some(at);
            describe(&mut status, authority);
            status.longest_duration = observed.longest.and_then(|longest| GoDuration::try_from(longest).ok());
            findings
        }
    };
    status.secret.clone_from(&observed.secret);
    status.conditions = merge(&old.conditions, &findings, observed.generation, now);
    Plan { status, wake }
}

fn failed(reason: &'static str, message: String) -> Vec<Finding> {
    // A Secret that is not there is what every CA begins with: its Certificate is on its way, or puts it back.
    let waits = reason == reason::issuer::AUTHORITY_SECRET_MISSING;
    let kind = if waits { condition::RECONCILING } else { condition::STALLED };
    vec![Finding::new(condition::READY, false, reason, message.clone()), Finding::new(kind, true, reason, message)]
}

fn ready(authority: &AuthorityView, longest: Option<SignedDuration>, now: Timestamp) -> (Vec<Finding>, Timestamp) {
    let end = authority.chain.not_after();
    let mut findings = vec![Finding::new(
        condition::READY,
        true,
        reason::READY,
        format!("signs as \"{}\" until {}", authority.chain.leaf().subject(), end.strftime("%Y-%m-%d %H:%M UTC")),
    )];
    let Some(longest) = longest else {
        return (findings, add(end, SignedDuration::from_secs(1)));
    };
    let warned_from = add(end, -longest);
    let asked = GoDuration::try_from(longest).map_or_else(|_| "the longest duration".to_owned(), |longest| longest.to_string());
    if warned_from > now {
        findings.push(Finding::new(
            condition::AUTHORITY_ENDING,
            false,
            reason::issuer::LIFE_SUFFICIENT,
            format!("its chain outlives the longest certificate that is asked of it ({asked})"),
        ));
        return (findings, warned_from);
    }
    findings.push(Finding::new(
        condition::AUTHORITY_ENDING,
        true,
        reason::issuer::LIFE_TOO_SHORT,
        format!(
            "its chain ends at {}, sooner than the longest certificate that is asked of it ({asked}): certificates end with it; renew the CA certificate",
            end.strftime("%Y-%m-%d %H:%M UTC")
        ),
    ));
    (findings, add(end, SignedDuration::from_secs(1)))
}

fn describe(status: &mut IssuerStatus, authority: &AuthorityView) {
    let own = authority.chain.leaf();
    status.authority = Some(authority.key_id.to_string());
    status.key_id = Some(authority.key_id.to_string());
    status.subject = Some(own.subject().to_string().chars().take(MAX_SUBJECT).collect());
    status.not_before = Some(Time(own.not_before()));
    status.not_after = Some(Time(own.not_after().min(authority.chain.not_after())));
    status.serial_number = Some(own.serial().to_string());
    status.chain_length = i32::try_from(authority.chain.certificates().len()).ok();
    status.path_length = authority.chain.path_len_left().map(i32::from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::{RECONCILING, STALLED};

    #[test]
    fn an_issuer_whose_secret_is_not_there_yet_is_on_its_way_and_any_other_obstacle_is_for_a_person() {
        for (reason, kind) in [
            (reason::issuer::AUTHORITY_SECRET_MISSING, RECONCILING),
            (reason::issuer::CHAIN_INVALID, STALLED),
            (reason::issuer::EXPIRED, STALLED),
            (reason::INVALID_SPEC, STALLED),
        ] {
            let expected = [Finding::new(condition::READY, false, reason, "why"), Finding::new(kind, true, reason, "why")];
            assert_eq!(failed(reason, "why".to_owned()), expected);
        }
    }
}
