//! What a Secret is worth: it holds what is wanted, or what is lacking.

use chancery_pki::{Certificate as X509, KeyId, SerialNumber};
use jiff::Timestamp;

use super::{
    checks::{self, Origin, Violation},
    dress::Record,
    limits,
    observed::{Backing, Held, IssuerSeen, IssuerView, Observed, SecretRead, SecretSeen},
    renewal,
    status::Recorded as _,
    temporary::is_temporary,
    turn::{Turn, turn},
};
use crate::api::{self, Resolved, Wanted, names};

/// A Secret that holds what is wanted.
pub(super) struct Good {
    pub(super) usable: Usable,
    /// Where it comes from.
    pub(super) origin: Origin,
    /// It is not on record, and becomes this Certificate's.
    pub(super) imported: bool,
}

/// A certificate that can be used, and what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Usable {
    pub(super) held: Held,
    /// When it is renewed.
    pub(super) turn: Turn,
}

impl Usable {
    /// From when on it is said to hold: clocks may be off by a little.
    pub(super) fn from(&self) -> Timestamp {
        renewal::add(self.held.validity.not_before, -renewal::TOLERANCE)
    }

    /// Whether it does not hold yet.
    pub(super) fn is_early(&self, now: Timestamp) -> bool {
        self.from() > now
    }
}

/// What is wanted and not there.
pub(super) struct Lack {
    pub(super) violation: Violation,
    pub(super) held: Option<Held>,
    /// What is held can be used, and may have to last for a while.
    pub(super) usable: Option<Usable>,
    /// The Secret's own key may be certified again.
    pub(super) key_is_sound: bool,
    /// It waits for no turn: it is due, or a person asked.
    pub(super) urgent: bool,
}

impl Lack {
    fn bare(violation: Violation) -> Box<Self> {
        Box::new(Self { violation, held: None, usable: None, key_is_sound: false, urgent: false })
    }
}

pub(super) fn assess(observed: &Observed<'_>, wanted: &Wanted, now: Timestamp) -> Result<Good, Box<Lack>> {
    if let Err(violation) = checks::stands(&observed.history, now) {
        return Err(Box::new(Lack { held: current_held(observed), ..*Lack::bare(violation) }));
    }
    match &observed.secret {
        SecretSeen::Absent | SecretSeen::Foreign(_) => Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name))),
        SecretSeen::AsRecorded => {
            let Some(held) = observed.certificate.held() else {
                // Observing reads a Secret whose record is incomplete; a decision without one is the safe one.
                return Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name)));
            };
            let status = observed.certificate.status.as_ref();
            let handled = status.and_then(|status| status.renew_handled.as_deref());
            let good = usable(observed, wanted, held, now);
            still_wanted(observed, wanted, &good, handled, now)?;
            Ok(Good { usable: good, origin: Origin::Issued, imported: false })
        }
        SecretSeen::Read(secret) => read(observed, wanted, secret, now),
    }
}

fn read(observed: &Observed<'_>, wanted: &Wanted, secret: &SecretRead, now: Timestamp) -> Result<Good, Box<Lack>> {
    let (certificates, key) = checks::usable(secret, &observed.history).map_err(Lack::bare)?;
    let Some(leaf) = certificates.first() else {
        return Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name)));
    };
    if is_temporary(secret, leaf) {
        return Err(Lack::bare(checks::temporary(&observed.history)));
    }
    let record = Record::read(&secret.annotations);
    let basis = basis(observed, leaf, &record)?;
    let authority = match basis {
        Basis::Registered => observed.history.authority,
        Basis::Previous => observed.certificate.held().and_then(|held| held.authority),
        Basis::Unproven { .. } => record.authority.as_deref().and_then(|text| text.parse().ok()),
        Basis::Found => signer_of(observed, leaf),
    };
    let held = checks::held(leaf, authority);
    let sound = !matches!(basis, Basis::Unproven { known: false });
    let origin = if matches!(basis, Basis::Found) || was_taken_over_halfway(observed, secret) { Origin::Found } else { Origin::Issued };
    checks::satisfies(wanted, certificates, key, secret, found(observed), origin, observed.history.imported)
        .map_err(|violation| Box::new(Lack { violation, held: Some(held.clone()), usable: None, key_is_sound: sound, urgent: false }))?;
    let good = usable(observed, wanted, held, now);
    still_wanted(observed, wanted, &good, record.renew_handled.as_deref(), now)?;
    match basis {
        Basis::Registered => Ok(Good { usable: good, origin, imported: false }),
        Basis::Found => Ok(Good { usable: good, origin, imported: true }),
        Basis::Previous => Err(Box::new(Lack {
            violation: checks::not_delivered(leaf),
            held: Some(good.held.clone()),
            usable: Some(good),
            key_is_sound: true,
            urgent: false,
        })),
        Basis::Unproven { known } => Err(Box::new(Lack {
            violation: checks::unproven(leaf),
            held: known.then(|| good.held.clone()),
            usable: known.then_some(good),
            key_is_sound: known,
            urgent: false,
        })),
    }
}

/// The current certificate, where the Secret holds it.
fn current_held(observed: &Observed<'_>) -> Option<Held> {
    match &observed.secret {
        SecretSeen::Absent | SecretSeen::Foreign(_) => None,
        SecretSeen::AsRecorded => observed.certificate.held(),
        SecretSeen::Read(secret) => {
            let leaf = checks::usable(secret, &observed.history).ok()?.0.first()?;
            checks::current(leaf, &observed.history).ok()?;
            Some(checks::held(leaf, observed.history.authority))
        }
    }
}

/// By what a certificate that was read is this Certificate's.
#[derive(Clone, Copy, Debug)]
enum Basis {
    /// The register gave it last.
    Registered,
    /// The register gave it last but one, and the status has not heard of the last one: that one never arrived.
    Previous,
    /// The issuer signed it, and the register knows of none.
    Found,
    /// A register that could say so does not hold together. `known` where the status says the same: enough to leave it alone.
    Unproven { known: bool },
}

fn basis(observed: &Observed<'_>, leaf: &X509, record: &Record) -> Result<Basis, Box<Lack>> {
    let Err(violation) = checks::current(leaf, &observed.history) else {
        return Ok(Basis::Registered);
    };
    let said = observed.certificate.held();
    if may_be_missing(observed, said.as_ref(), record.authority.as_deref()) {
        let known = said.is_some_and(|said| said.serial == *leaf.serial() && said.key_id == leaf.key_id());
        return Ok(Basis::Unproven { known });
    }
    if importable(observed, leaf) {
        return Ok(Basis::Found);
    }
    let is_leaf = |serial: &SerialNumber, key_id: KeyId| serial == leaf.serial() && key_id == leaf.key_id();
    let before = observed.history.previous.as_ref();
    if before.is_some_and(|(serial, key_id)| is_leaf(serial, *key_id)) && said.is_some_and(|said| is_leaf(&said.serial, said.key_id)) {
        return Ok(Basis::Previous);
    }
    // A line without its certificate: the process died in between. The key is on record as this Certificate's all the same.
    let key_is_sound = observed.history.current.as_ref().is_some_and(|current| current.key_id == Some(leaf.key_id()));
    Err(Box::new(Lack { key_is_sound, ..*Lack::bare(violation) }))
}

/// It is on record as taken over, and the Secret was not dressed yet: the process died, or another wrote, in between.
fn was_taken_over_halfway(observed: &Observed<'_>, secret: &SecretRead) -> bool {
    observed.history.imported && !secret.annotations.contains_key(names::SERIAL_NUMBER)
}

/// Whether a line about this Certificate may stand in a register that does not hold together.
fn may_be_missing(observed: &Observed<'_>, said: Option<&Held>, annotated: Option<&str>) -> bool {
    let broken = &observed.history.broken;
    if broken.is_empty() {
        return false;
    }
    let of_issuer = found(observed).and_then(|issuer| issuer.backing.as_ref().ok()).map(Backing::authority);
    let of_current = observed.history.current.as_ref().map(|_| observed.history.authority);
    let of_status = said.map(|said| said.authority);
    let of_secret = annotated.and_then(|text| text.parse().ok()).map(Some);
    [of_issuer, of_current, of_status, of_secret].into_iter().flatten().any(|authority| broken.contains_key(&authority))
}

fn usable(observed: &Observed<'_>, wanted: &Wanted, held: Held, now: Timestamp) -> Usable {
    let uid = observed.certificate.metadata.uid.as_deref().unwrap_or_default();
    let desired = renewal::due(held.validity, rule(observed, wanted, &held), uid, &held.serial);
    let turn = turn(desired, held.validity.not_after, &wanted.schedule, uid, &held.serial, now);
    Usable { held, turn }
}

fn still_wanted(observed: &Observed<'_>, wanted: &Wanted, good: &Usable, handled: Option<&str>, now: Timestamp) -> Result<(), Box<Lack>> {
    checks::still_wanted(wanted, found(observed), &good.held, &good.turn, handled, now).map_err(|violation| {
        Box::new(Lack {
            violation,
            held: Some(good.held.clone()),
            usable: Some(good.clone()),
            key_is_sound: true,
            urgent: good.turn.due || (wanted.renew.is_some() && wanted.renew.as_deref() != handled),
        })
    })
}

/// By what rule what is held falls due: by the spec's, else by the value that its issuance was resolved with.
fn rule(observed: &Observed<'_>, wanted: &Wanted, held: &Held) -> api::Renewal {
    let status = observed.certificate.status.as_ref();
    let same = status.is_some_and(|status| {
        // Under another spec the value may have been a written one.
        status.observed_generation == observed.certificate.metadata.generation
            && status.serial_number.as_deref() == Some(held.serial.to_string().as_str())
    });
    match wanted.renewal {
        api::Renewal::Default if same => observed.certificate.resolved_renewal().unwrap_or(api::Renewal::Default),
        api::Renewal::Default => found(observed)
            .and_then(|issuer| issuer.spec.as_ref())
            .and_then(|spec| spec.defaults.renew_before)
            .map_or(api::Renewal::Default, api::Renewal::Before),
        asked => asked,
    }
}

/// A certificate that the register does not have may become this Certificate's when the register has none of it at all,
/// the issuer's own key signed it, and it is not on record as another Certificate's.
fn importable(observed: &Observed<'_>, leaf: &X509) -> bool {
    if observed.history.current.is_some()
        || observed.history.anothers
        || observed.history.barred
        || observed.skew.is_some()
        || !allowed(observed, leaf)
    {
        return false;
    }
    match found(observed).and_then(|issuer| issuer.backing.as_ref().ok()) {
        Some(Backing::Authority(authority)) => {
            let signer = authority.chain.leaf();
            leaf.issuer() == signer.subject() && leaf.is_signed_by(signer.public_key())
        }
        Some(Backing::SelfSigned) => leaf.is_self_issued() && leaf.is_signed_by(leaf.public_key()),
        None => false,
    }
}

/// Whether the issuer would issue such a certificate here and now: what it would refuse it does not vouch for either.
fn allowed(observed: &Observed<'_>, leaf: &X509) -> bool {
    let (IssuerSeen::Found { issuer, namespace_admitted: true }, Ok(wanted)) = (observed.issuer, observed.wanted) else {
        return false;
    };
    let (Some(spec), Ok(backing)) = (&issuer.spec, &issuer.backing) else {
        return false;
    };
    let shown = Resolved {
        usages: leaf.usages().clone(),
        duration: leaf.not_after().duration_since(leaf.not_before()),
        ..api::resolve(wanted, &spec.defaults, &spec.allow, leaf.public_key().algorithm())
    };
    limits::admits(wanted, &shown, spec, backing).is_ok()
}

/// The authority behind a certificate that is not on record.
fn signer_of(observed: &Observed<'_>, leaf: &X509) -> Option<KeyId> {
    match found(observed).and_then(|issuer| issuer.backing.as_ref().ok()) {
        Some(Backing::Authority(authority)) if leaf.is_signed_by(authority.chain.leaf().public_key()) => Some(authority.key_id),
        _ => None,
    }
}

pub(super) fn found<'a>(observed: &Observed<'a>) -> Option<&'a IssuerView> {
    match observed.issuer {
        IssuerSeen::Found { issuer, .. } => Some(issuer),
        IssuerSeen::Absent | IssuerSeen::NotServed | IssuerSeen::Pending => None,
    }
}
