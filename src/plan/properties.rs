//! What holds of every decision, whatever was observed.

mod asking;
mod moving;
mod openssl;
mod specs;

use chancery_pki::{KeyAlgorithm, KeyId, Reason, Usage};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

use specs::specs;

use super::{
    Act, Helps, KeySource,
    observed::Content,
    renewal::{self, TOLERANCE, Validity, add},
    stage::{Desk, Office, Seal, Surroundings, blank, certificate, pool, time},
};
use crate::{
    api::{Renewal, names},
    register::{Revocation, Standing},
};

const NOON: &str = "2026-06-01T12:00:00Z";

fn seal(key: u64, end: Timestamp) -> Seal {
    Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, key), time("2025-01-01T00:00:00Z"), end)
}

/// What may have become of a Certificate that was once issued.
#[derive(Clone, Debug)]
struct Case {
    spec: Value,
    other_spec: Option<Value>,
    issuer: u8,
    reissue: bool,
    secret: u8,
    lines: u8,
    status: u8,
    failures: (i32, i64),
    again: Vec<i64>,
    skew: Option<i64>,
    turn: Option<i64>,
    torn: u8,
    flags: [bool; 6],
    /// What is to be revoked: minutes after it was issued; how what is on record stands; and which key is blocked.
    order: Option<i64>,
    standings: (u8, u8),
    blocked: bool,
    /// Whether a temporary certificate is asked for, and a password is missing.
    bridged: [bool; 2],
    /// Minutes since it was issued, and whether it is then just about due or just about ended instead.
    after: i64,
    edge: u8,
}

fn cases() -> impl Strategy<Value = Case> {
    let minutes = -600_000..6_000_000_i64;
    (
        (specs(), option::of(specs()), 0..7_u8, any::<bool>(), 0..9_u8, 0..4_u8, 0..4_u8),
        (0..40_i32, -60_000..60_000_i64, collection::vec(-100..100_i64, 0..13), option::of(-500..500_i64), option::of(-100..1000_i64)),
        (0..4_u8, any::<[bool; 6]>(), minutes.clone(), 0..5_u8),
        (option::weighted(0.3, minutes), (0..10_u8, 0..10_u8), prop::bool::weighted(0.1), any::<[bool; 2]>()),
    )
        .prop_map(|((spec, other_spec, issuer, reissue, secret, lines, status), more, (torn, flags, after, edge), last)| {
            let (order, standings, blocked, bridged) = last;
            let (number, at, again, skew, turn) = more;
            Case {
                spec,
                other_spec,
                issuer,
                reissue,
                secret,
                lines,
                status,
                failures: (number, at),
                again,
                skew,
                turn,
                torn,
                flags,
                order,
                standings,
                blocked,
                bridged,
                after,
                edge,
            }
        })
}

struct Scene {
    desk: Desk,
    office: Option<Office>,
    now: Timestamp,
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Plays a case up to the moment of the decision; none where its spec was never valid.
fn scene(case: &Case) -> Option<Scene> {
    let noon = time(NOON);
    let first = Office::new("ca", Some(seal(0, time("2027-06-01T00:00:00Z"))), json!({"allow": {"usages": Usage::ALL}}));
    let mut desk = Desk::new(certificate(case.spec.clone()));
    desk.wanted.as_ref().ok()?;
    let around = Surroundings::of(&first);
    desk.reconcile(&around, None, noon);
    let older = desk.lines.last()?.clone();
    desk.edit(|certificate| {
        certificate.metadata.annotations.get_or_insert_default().insert("chancery.dev/renew".to_owned(), "a".to_owned());
    });
    let stale = desk.certificate.status.clone();
    let old_content = desk.secret.as_ref().map(|secret| secret.annotations.clone());
    if case.flags[0] {
        desk.reconcile(&around, None, noon + minutes(1));
    }
    let mut now = add(noon, minutes(case.after));
    if let Some(status) = &desk.certificate.status {
        let second = SignedDuration::from_secs(1);
        match (case.edge, &status.renewal_time, &status.not_after) {
            (1, Some(due), _) => now = due.0,
            (2, Some(due), _) => now = due.0 - second,
            (3, _, Some(end)) => now = end.0,
            (4, _, Some(end)) => now = add(end.0, second),
            _ => {}
        }
    }
    if let Some(other) = &case.other_spec {
        let other = certificate(other.clone()).spec;
        desk.edit(|certificate| certificate.spec = other);
    }
    match case.secret {
        0 => desk.secret = None,
        1 => desk.tamper(|secret| secret.content = Content::Missing("tls.key")),
        2 => desk.tamper(|secret| secret.content = Content::Mismatch),
        3 => desk.tamper(|secret| secret.annotations.clear()),
        4 => {
            let mut offered = blank();
            offered.annotations.insert("chancery.dev/allow-adoption".to_owned(), "web".to_owned());
            desk.secret = Some(offered);
        }
        5 => desk.tamper(|secret| secret.immutable = true),
        6 => desk.tamper(|secret| secret.annotations = old_content.unwrap_or_default()),
        7 => desk.tamper(|_| {}),
        _ => {}
    }
    match case.lines {
        0 => desk.lines.clear(),
        1 => desk.lines = vec![older],
        _ => {}
    }
    for minute in &case.again {
        if let Some(mut line) = desk.lines.last().cloned() {
            line.recorded.time = add(now, minutes(*minute));
            "Expired".clone_into(&mut line.recorded.reason);
            desk.lines.push(line);
        }
    }
    match case.status {
        0 => desk.certificate.status = None,
        1 => desk.certificate.status = stale,
        _ => {}
    }
    if let Some(status) = desk.certificate.status.as_mut().filter(|_| case.failures.0 > 0) {
        status.failed_issuance_attempts = Some(case.failures.0);
        status.last_failure_time = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(add(now, minutes(case.failures.1))));
    }
    befall(case, &mut desk, noon);
    if case.bridged[0] {
        desk.edit(|certificate| {
            certificate.metadata.annotations.get_or_insert_default().insert(names::TEMPORARY.to_owned(), "true".to_owned());
        });
    }
    desk.issuer_changed = case.flags[1];
    if case.flags[2] {
        desk.copies.clear();
    }
    if case.flags[3] && case.flags[4] {
        desk.certificate.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
        desk.certificate.metadata.finalizers = case.flags[0].then(|| vec!["chancery.dev/cleanup".to_owned()]);
    }
    Some(Scene { desk, office: office(case, first), now })
}

/// What is asked for, and done, about the certificates of old.
fn befall(case: &Case, desk: &mut Desk, noon: Timestamp) {
    for (line, standing) in desk.lines.iter_mut().rev().zip([case.standings.0, case.standings.1]) {
        let revocation = |reason| {
            let time = add(noon, minutes(2));
            let before = (standing == 3).then(|| add(noon, minutes(case.order.unwrap_or(0))));
            Box::new(Revocation { time, date: time, reason, invalidity_date: None, from: time, sequence: 1, before, automatic: None })
        };
        line.standing = match standing {
            0 => Standing::Held(revocation(Reason::CertificateHold)),
            1 => Standing::Pending(revocation(Reason::CessationOfOperation)),
            2 | 3 => Standing::Revoked(revocation(Reason::Superseded)),
            4 => Standing::Released(revocation(Reason::RemoveFromCrl)),
            _ => Standing::Good,
        };
    }
    if case.blocked {
        desk.blocked.extend(desk.lines.last().and_then(|line| line.recorded.key_id));
    }
    let policy = if case.flags[5] { json!("RevokeAndDelete") } else { json!("Retain") };
    let revocation = case.order.map(|minute| json!({"issuedBefore": add(noon, minutes(minute)).to_string(), "reason": "superseded"}));
    let seen = |desk: &Desk| desk.certificate.status.as_ref().and_then(|status| status.observed_generation);
    let looked_at = seen(desk) == desk.certificate.metadata.generation;
    desk.edit(|certificate| {
        let mut spec = serde_json::to_value(&certificate.spec).unwrap();
        spec["deletionPolicy"] = policy;
        spec["revocation"] = json!(revocation);
        certificate.spec = serde_json::from_value(spec).unwrap();
    });
    if case.flags[0]
        && looked_at
        && let Some(status) = &mut desk.certificate.status
    {
        // It was looked at since.
        status.observed_generation = desk.certificate.metadata.generation;
    }
}

fn office(case: &Case, first: Office) -> Option<Office> {
    let mut office = match case.issuer {
        0 => return None,
        1 => Office::new("ca", None, json!({})),
        2 => Office::new("ca", Some(seal(1, time("2036-01-01T00:00:00Z"))), json!({})),
        3 => Office::new("ca", Some(seal(0, time("2036-01-01T00:00:00Z"))), json!({"allow": {"maxDuration": "1000h"}})),
        4 => {
            let mut closed = first;
            closed.close("Expired", "it has ended");
            closed
        }
        _ => first,
    };
    if case.reissue
        && office.seal.is_some()
        && let Some(spec) = &mut office.view.spec
    {
        spec.defaults.on_authority_change = crate::api::OnAuthorityChange::Reissue;
    }
    Some(office)
}

fn around<'a>(case: &Case, office: Option<&'a Office>, other: &'a Office, now: Timestamp) -> Surroundings<'a> {
    let mut around = Surroundings::of(office.unwrap_or(other));
    if office.is_none() {
        around.issuer = None;
    }
    around.skew = case.skew.map(SignedDuration::from_secs).filter(|skew| skew.abs() > TOLERANCE);
    around.turn = case.turn.map(|turn| add(now, minutes(turn)));
    around.admitted = !(case.flags[4] && case.flags[5]);
    around.rival = (case.flags[5] && case.flags[3]).then(|| "elder".to_owned());
    around.in_namespace = if case.flags[1] && case.flags[2] { (600, Some(add(now, minutes(-30)))) } else { (0, None) };
    let torn = match case.torn {
        1 => vec![None],
        2 => vec![Some(seal(0, time("2036-01-01T00:00:00Z")).view.key_id)],
        _ => Vec::new(),
    };
    if case.bridged[1] {
        around.passwords.missing.insert(super::forms::JKS, "Secret stores does not exist".to_owned());
    }
    around.broken = torn.into_iter().map(|authority| (authority, "it is torn".to_owned())).collect();
    around
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_decision_either_acts_or_says_what_is_waited_for(case in cases()) {
        let Some(Scene { mut desk, office, now }) = scene(&case) else { return Ok(()) };
        let other = Office::ca();
        let around = around(&case, office.as_ref(), &other, now);
        let foreign = desk.secret.as_ref().is_some_and(|secret| !secret.annotations.iter().any(|(key, value)| {
            key.ends_with("/certificate-name") || (key == "chancery.dev/allow-adoption" && value == "web")
        }));
        let (plan, read) = desk.decide(&around, now);
        prop_assert!(plan.wake.is_none_or(|wake| wake > now), "a wake that is past: {plan:?}");
        let bridges = matches!(plan.act, Act::Temporary(_));
        let writes = matches!(plan.act, Act::Issue(_) | Act::Import(..) | Act::Dress(_) | Act::Destroy(_));
        prop_assert!(!(foreign && (writes || bridges)), "a Secret that is not ours is written: {plan:?}");
        prop_assert!(!(around.rival.is_some() && (writes || bridges) && !matches!(plan.act, Act::Destroy(_))), "{plan:?}");
        if let Some(standing) = &plan.standing {
            prop_assert!(!writes || standing.ready, "it acts and refuses: {plan:?}");
            if let (true, Some(held)) = (standing.ready, &standing.held) {
                prop_assert!(held.validity.not_after >= now && held.validity.not_before <= add(now, TOLERANCE), "{plan:?}");
            }
            prop_assert!(standing.ready || standing.pending.is_some(), "it does not say what is in the way: {plan:?}");
        }
        match &plan.act {
            Act::Nothing => {
                let deleted = desk.certificate.metadata.deletion_timestamp.is_some();
                let pending = plan.standing.as_ref().and_then(|standing| standing.pending.as_ref());
                let waits = pending.is_some_and(|pending| matches!(pending.helps, Helps::Change | Helps::Event));
                prop_assert!(deleted || plan.wake.is_some() || waits, "there is no way forward: {plan:?}");
            }
            Act::Issue(issue) => {
                prop_assert!(issue.validity.holds(now));
                prop_assert!(around.skew.is_none() && around.passwords.missing.is_empty() && plan.standing.is_none());
                prop_assert!(!desk.is_held(now), "what is on hold is replaced: {plan:?}");
                let blocked = |key: KeyId| desk.blocked.contains(&key);
                let spent = desk.current().is_some_and(|line| {
                    matches!(line.standing, Standing::Revoked(_) | Standing::Pending(_)) || line.recorded.key_id.is_some_and(blocked)
                });
                prop_assert!(!spent || !matches!(issue.key, KeySource::Copy(_)), "a key that was revoked comes back: {plan:?}");
                let barred = desk.history(&around, now).barred;
                prop_assert!(!barred || issue.key != KeySource::Keep, "a key that was revoked is kept: {plan:?}");
                if let Some(authority) = office.as_ref().and_then(Office::authority) {
                    prop_assert!(issue.validity.not_after <= authority.chain.not_after());
                    prop_assert!(!around.broken.contains_key(&Some(authority.key_id)));
                }
            }
            Act::Revoke(revoke) => {
                prop_assert!(around.skew.is_none());
                for (authority, own, from) in &revoke.certificates {
                    prop_assert!(own.time < revoke.before && !around.broken.contains_key(&Some(*authority)), "{plan:?}");
                    prop_assert!(!matches!(own.standing, Standing::Revoked(_)) && from.is_some_and(|from| from > now), "{plan:?}");
                }
            }
            Act::Pend(certificates) => {
                prop_assert!(desk.certificate.metadata.deletion_timestamp.is_some());
                prop_assert!(certificates.iter().all(|own| own.standing.is_good() && !around.broken.contains_key(&own.authority)));
            }
            Act::Temporary(temporary) => {
                let wanted = desk.wanted.as_ref().unwrap();
                let usable = desk.secret.as_ref().is_some_and(|secret| secret.immutable || secret.key_algorithm().is_some());
                prop_assert!(case.bridged[0] && !wanted.is_ca && around.skew.is_none() && !usable, "{plan:?}");
                prop_assert!(temporary.validity.holds(now) && plan.standing.as_ref().is_some_and(|standing| !standing.ready));
            }
            Act::Import(..) => prop_assert!(!desk.history(&around, now).barred, "a key that was revoked is taken over: {plan:?}"),
            _ => {}
        }
        if let Some(standing) = &plan.standing {
            let current = desk.current().is_some_and(|line| line.standing.is_good());
            prop_assert!(!standing.ready || current || desk.lines.is_empty() || !around.broken.is_empty(), "{plan:?}");
        }
        // What is said once is said again in the same words.
        if let Some(status) = desk.status(&around, &plan, read, None, now).filter(|_| matches!(plan.act, Act::Nothing)) {
            desk.certificate.status = Some(status);
            desk.issuer_changed = false;
            let (plan, read) = desk.decide(&around, now);
            if matches!(plan.act, Act::Nothing) {
                let again = desk.status(&around, &plan, read, None, now);
                prop_assert_eq!(again.as_ref(), desk.certificate.status.as_ref());
            }
        }
    }

    #[test]
    fn renewal_falls_due_within_the_certificates_life(
        seconds in 2..1_000_000_000_i64, lead in 0..1_000_000_000_i64, percentage in 1..100_u8, rule in 0..3_u8, uid in "[a-f0-9]{8}",
    ) {
        let not_before = time(NOON);
        let validity = Validity { not_before, not_after: add(not_before, SignedDuration::from_secs(seconds)) };
        let rule = [Renewal::Default, Renewal::Before(SignedDuration::from_secs(lead)), Renewal::Percentage(percentage)][usize::from(rule)];
        let due = renewal::due(validity, rule, &uid, &"0102".parse().unwrap());
        prop_assert!(due > not_before && due <= validity.not_after, "{due}");
        prop_assert!(seconds < 3600 || due >= add(not_before, SignedDuration::from_secs(300 + seconds / 10)), "{due}");
    }
}
