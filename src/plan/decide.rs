//! The decision about one Certificate: from what was observed and the time, to what is done, said and waited for.
//!
//! Pure: no client, no clock, no random number. The checks run in a fixed order, and the first that is violated names the reason.

use jiff::{SignedDuration, Timestamp};

use chancery_pki::KeyId;

use super::status::Recorded as _;
use super::{
    budget::{self, Exhausted},
    checks::{self, Cause, Origin, Violation},
    deletion,
    dress::{self, Dress, Record},
    limits,
    observed::{Backing, Held, IssuerSeen, IssuerView, Observed, SecretRead, SecretSeen},
    ownership::{self, Ownership},
    renewal::{self, Validity},
    status::{self, Failure},
};
use crate::api::{
    self, Resolved, RotationPolicy, Wanted,
    reason::{INVALID_SPEC, READY, certificate as reason},
};

/// What is done, said and waited for.
#[derive(Debug)]
pub struct Plan {
    /// What is written besides the status.
    pub act: Act,
    /// What the status says; none leaves it as it is.
    pub standing: Option<Standing>,
    /// When to look again if nothing happens before.
    pub wake: Option<Timestamp>,
}

/// One thing that is written.
#[derive(Debug)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// The Secret must be read before anything can be decided.
    Read,
    /// A new certificate.
    Issue(Box<Issue>),
    /// A certificate that this software did not issue is good, and becomes this Certificate's.
    Import(Box<Dress>, Box<Held>),
    /// Labels, annotations or the chain are put right around the same certificate.
    Dress(Box<Dress>),
    /// The finalizer comes or goes.
    Finalizer(Finalizer),
    /// The Secret is deleted, with its key.
    Destroy(deletion::Destroy),
}

/// What happens to the finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalizer {
    /// Something must happen before the object goes.
    Add,
    /// Nothing must.
    Remove,
}

/// A certificate to be issued.
#[derive(Debug)]
pub struct Issue {
    /// Why.
    pub violation: Violation,
    /// The values that the certificate is made with.
    pub resolved: Resolved,
    /// When it holds.
    pub validity: Validity,
    /// Whether it ends before what was asked, with the issuer's chain.
    pub cut: bool,
    /// Where its key comes from.
    pub key: KeySource,
    /// The value of the renew annotation that is answered by it.
    pub renew_handled: Option<String>,
}

impl Issue {
    /// The reason on the register's line and in the status.
    pub fn reason(&self) -> &'static str {
        self.violation.reason
    }
}

/// Where a new certificate's key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// It is made.
    New,
    /// The one in the Secret is kept.
    Keep,
    /// An authority's key comes back from its copy.
    Copy(KeyId),
}

/// What the status says.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether the Secret holds what is wanted.
    pub ready: bool,
    /// The reason of the Ready condition.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
    /// The certificate that is held, if any.
    pub held: Option<Held>,
    /// When it falls due.
    pub renewal: Option<Timestamp>,
    /// What is not done yet, if anything.
    pub pending: Option<Pending>,
}

/// What is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What is in the way.
    pub reason: &'static str,
    /// The whole of it: why a certificate is wanted, and what is in the way.
    pub message: String,
    /// Whether waiting helps, and how.
    pub helps: Helps,
}

/// Whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helps {
    /// Only a change of the spec, the issuer or the cluster does.
    Change,
    /// Until that time.
    Until(Timestamp),
    /// Something else will report.
    Event,
}

/// The decision.
pub fn decide(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let certificate = observed.certificate;
    if certificate.metadata.deletion_timestamp.is_some() {
        return deletion::decide(observed);
    }
    let wanted = match observed.wanted {
        Ok(wanted) => wanted,
        Err(error) => return refuse(None, INVALID_SPEC, error.to_string()),
    };
    if let Some(change) = deletion::finalizer(certificate, wanted) {
        return Plan { act: Act::Finalizer(change), standing: None, wake: None };
    }
    if let Some(rival) = &observed.rival {
        return refuse(
            None,
            reason::SECRET_SHARED,
            format!(
                "Secret {} is that of Certificate {rival}, which names it too: give one of the two another spec.secretName",
                wanted.secret_name
            ),
        );
    }
    if let Some(why) = foreign(observed) {
        return refuse(None, reason::SECRET_NOT_OURS, format!("Secret {} is not touched: {why}", wanted.secret_name));
    }
    match assess(observed, wanted, now) {
        Ok(good) => settle(observed, wanted, &good),
        Err(lack) => obtain(observed, wanted, &lack, now),
    }
}

/// What is said after an attempt that failed: the next one is delayed, unless only a change helps.
pub fn failed(observed: &Observed<'_>, failure: &Failure, now: Timestamp) -> Plan {
    let Ok(wanted) = observed.wanted else {
        return decide(observed, now);
    };
    let helps = if failure.retry { Helps::Until(status::retry_after(observed.certificate, now)) } else { Helps::Change };
    let obstruction = Obstruction { reason: failure.reason, message: failure.message.clone(), helps };
    match assess(observed, wanted, now) {
        Ok(good) => settle(observed, wanted, &good),
        Err(lack) => wait(&lack, &obstruction, now),
    }
}

fn foreign(observed: &Observed<'_>) -> Option<String> {
    match &observed.secret {
        SecretSeen::Foreign(why) => Some((*why).to_owned()),
        SecretSeen::Read(secret) => match ownership::of(&secret.annotations, observed.certificate) {
            Ownership::Foreign(why) => Some(why),
            Ownership::Ours | Ownership::Offered => None,
        },
        SecretSeen::Absent | SecretSeen::AsRecorded => None,
    }
}

/// A Secret that holds what is wanted.
struct Good {
    held: Held,
    renewal: Timestamp,
    imported: bool,
}

/// What is wanted and not there.
struct Lack {
    violation: Violation,
    held: Option<Held>,
    renewal: Option<Timestamp>,
    /// The Secret's own key may be certified again.
    key_is_sound: bool,
}

impl Lack {
    fn bare(violation: Violation) -> Box<Self> {
        Box::new(Self { violation, held: None, renewal: None, key_is_sound: false })
    }
}

fn assess(observed: &Observed<'_>, wanted: &Wanted, now: Timestamp) -> Result<Good, Box<Lack>> {
    let issuer = found(observed);
    match &observed.secret {
        SecretSeen::Absent | SecretSeen::Foreign(_) => Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name))),
        SecretSeen::AsRecorded => {
            let Some(held) = observed.certificate.held() else {
                // Observing reads a Secret whose record is incomplete; a decision without one is the safe one.
                return Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name)));
            };
            let handled = observed.certificate.status.as_ref().and_then(|status| status.renew_handled.as_deref());
            timely(observed, wanted, issuer, held, handled, now, false)
        }
        SecretSeen::Read(secret) => {
            let (certificates, key) = checks::usable(secret, &observed.history).map_err(Lack::bare)?;
            let Some(leaf) = certificates.first() else {
                return Err(Lack::bare(checks::secret_missing(&observed.history, &wanted.secret_name)));
            };
            let imported = match checks::current(leaf, &observed.history) {
                Ok(()) => false,
                Err(violation) if !importable(observed, leaf) => return Err(Lack::bare(violation)),
                Err(_) => true,
            };
            let origin = if imported { Origin::Found } else { Origin::Issued };
            let authority = signer_of(observed, secret, leaf, imported);
            let held = checks::held(leaf, authority);
            checks::satisfies(wanted, certificates, key, secret, issuer, origin)
                .map_err(|violation| Box::new(Lack { violation, held: Some(held.clone()), renewal: None, key_is_sound: true }))?;
            let record = Record::read(&secret.annotations);
            timely(observed, wanted, issuer, held, record.renew_handled.as_deref(), now, imported)
        }
    }
}

fn timely(
    observed: &Observed<'_>,
    wanted: &Wanted,
    issuer: Option<&IssuerView>,
    held: Held,
    handled: Option<&str>,
    now: Timestamp,
    imported: bool,
) -> Result<Good, Box<Lack>> {
    let renewal = due(observed, wanted, issuer, &held);
    match checks::still_wanted(wanted, issuer, &held, renewal, handled, now) {
        Ok(()) => Ok(Good { held, renewal, imported }),
        Err(violation) => Err(Box::new(Lack { violation, held: Some(held), renewal: Some(renewal), key_is_sound: true })),
    }
}

/// When what is held falls due: by the spec, else by the value that its issuance was resolved with.
fn due(observed: &Observed<'_>, wanted: &Wanted, issuer: Option<&IssuerView>, held: &Held) -> Timestamp {
    let status = observed.certificate.status.as_ref();
    let same = status.and_then(|status| status.serial_number.as_deref()) == Some(held.serial.to_string().as_str());
    let rule = match wanted.renewal {
        api::Renewal::Default if same => observed.certificate.resolved_renewal().unwrap_or(api::Renewal::Default),
        api::Renewal::Default => issuer
            .and_then(|issuer| issuer.spec.as_ref())
            .and_then(|spec| spec.defaults.renew_before)
            .map_or(api::Renewal::Default, api::Renewal::Before),
        asked => asked,
    };
    let uid = observed.certificate.metadata.uid.as_deref().unwrap_or_default();
    renewal::due(held.validity, rule, uid, &held.serial)
}

/// A certificate that the register does not have may become this Certificate's when the register has none of it at all,
/// the issuer's own key signed it, and it is not on record as another Certificate's.
fn importable(observed: &Observed<'_>, leaf: &chancery_pki::Certificate) -> bool {
    if observed.history.current.is_some() || observed.history.anothers {
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

/// The authority behind a certificate that was read.
fn signer_of(observed: &Observed<'_>, secret: &SecretRead, leaf: &chancery_pki::Certificate, imported: bool) -> Option<KeyId> {
    if !imported && let Some(recorded) = Record::read(&secret.annotations).authority {
        return recorded.parse().ok();
    }
    match found(observed).and_then(|issuer| issuer.backing.as_ref().ok()) {
        Some(Backing::Authority(authority)) if leaf.is_signed_by(authority.chain.leaf().public_key()) => Some(authority.key_id),
        _ => None,
    }
}

fn found<'a>(observed: &Observed<'a>) -> Option<&'a IssuerView> {
    match observed.issuer {
        IssuerSeen::Found { issuer, .. } => Some(issuer),
        IssuerSeen::Absent | IssuerSeen::NotServed | IssuerSeen::Pending => None,
    }
}

fn settle(observed: &Observed<'_>, wanted: &Wanted, good: &Good) -> Plan {
    let standing = ready(&good.held, good.renewal, None);
    let wake = Some(good.renewal.min(good.held.validity.not_after));
    let act = match &observed.secret {
        SecretSeen::Read(secret) => {
            let origin = if good.imported { Origin::Found } else { Origin::Issued };
            let dress = dress::of(observed, wanted, secret, found(observed), good.held.authority, origin);
            if good.imported {
                Act::Import(Box::new(dress), Box::new(good.held.clone()))
            } else if dress.fits(secret) {
                Act::Nothing
            } else {
                Act::Dress(Box::new(dress))
            }
        }
        SecretSeen::AsRecorded | SecretSeen::Absent | SecretSeen::Foreign(_) => Act::Nothing,
    };
    Plan { act, standing: Some(standing), wake }
}

/// The standing of a certificate that does its work.
pub fn ready(held: &Held, renewal: Timestamp, pending: Option<Pending>) -> Standing {
    let mut message = format!("valid until {}, to be renewed from {}", minute(held.validity.not_after), minute(renewal));
    if let Some(pending) = &pending {
        message = format!("valid until {}; {}", minute(held.validity.not_after), pending.message);
    }
    Standing { ready: true, reason: READY, message, held: Some(held.clone()), renewal: Some(renewal), pending }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn refuse(held: Option<Held>, reason: &'static str, message: String) -> Plan {
    Plan {
        act: Act::Nothing,
        standing: Some(Standing {
            ready: false,
            reason,
            message: message.clone(),
            held,
            renewal: None,
            pending: Some(Pending { reason, message, helps: Helps::Change }),
        }),
        wake: None,
    }
}

/// What is in the way of an issuance.
struct Obstruction {
    reason: &'static str,
    message: String,
    helps: Helps,
}

impl Obstruction {
    fn change(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), helps: Helps::Change }
    }

    fn until(reason: &'static str, message: impl Into<String>, time: Timestamp) -> Self {
        Self { reason, message: message.into(), helps: Helps::Until(time) }
    }
}

fn obtain(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack, now: Timestamp) -> Plan {
    if matches!(observed.issuer, IssuerSeen::Pending) {
        return Plan { act: Act::Nothing, standing: None, wake: None };
    }
    match prepare(observed, wanted, lack, now) {
        // The Secret's own content is carried over and its key may be kept: it is read before it is written.
        Ok(_) if matches!(observed.secret, SecretSeen::AsRecorded) => Plan { act: Act::Read, standing: None, wake: None },
        Ok(issue) => Plan { act: Act::Issue(Box::new(issue)), standing: None, wake: None },
        Err(obstruction) => wait(lack, &obstruction, now),
    }
}

fn wait(lack: &Lack, obstruction: &Obstruction, now: Timestamp) -> Plan {
    let message = format!("{}; {}", lack.violation.message, obstruction.message);
    let pending = Pending { reason: obstruction.reason, message: message.clone(), helps: obstruction.helps };
    let wake = match obstruction.helps {
        Helps::Until(time) => Some(time),
        Helps::Change | Helps::Event => None,
    };
    let expiry = lack.held.as_ref().map(|held| held.validity.not_after).filter(|end| *end >= now);
    let wake = [wake, expiry].into_iter().flatten().min();
    let standing = match (&lack.held, lack.renewal) {
        (Some(held), Some(renewal)) if lack.violation.leaves_ready() => ready(held, renewal, Some(pending)),
        (held, _) => {
            // What is in the way says more than what is missing, except of a certificate that was good before.
            let reason = if matches!(lack.violation.cause, Cause::First) { obstruction.reason } else { lack.violation.reason };
            let reason = if matches!(obstruction.helps, Helps::Change) { obstruction.reason } else { reason };
            Standing { ready: false, reason, message, held: held.clone(), renewal: None, pending: Some(pending) }
        }
    };
    Plan { act: Act::Nothing, standing: Some(standing), wake }
}

fn prepare(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack, now: Timestamp) -> Result<Issue, Obstruction> {
    let issuer = issuer(observed, wanted)?;
    let (spec, backing) = match (&issuer.spec, &issuer.backing) {
        (Some(spec), Ok(backing)) => (spec, backing),
        (_, Err(obstacle)) => {
            return Err(Obstruction {
                reason: reason::ISSUER_NOT_READY,
                message: format!("{} is not ready: {}", issuer.key, obstacle.message),
                helps: Helps::Event,
            });
        }
        (None, Ok(_)) => return Err(Obstruction::change(reason::ISSUER_NOT_READY, format!("{} cannot be read", issuer.key))),
    };
    immutable(observed)?;
    let key = key_source(observed, wanted, lack)?;
    let kept = match (key, &observed.secret) {
        (KeySource::Keep, SecretSeen::Read(secret)) => secret.key_algorithm(),
        (KeySource::Copy(_), _) => observed.certificate.resolved_key(),
        _ => None,
    };
    let resolved = api::resolve(wanted, &spec.defaults, &spec.allow, kept);
    limits::admits(wanted, &resolved, spec, backing)
        .map_err(|refusal| Obstruction::change(reason::NOT_ALLOWED, format!("{} does not allow it: {refusal}", issuer.key)))?;
    if key != KeySource::New && kept.is_some_and(|kept| kept != resolved.key) {
        return Err(Obstruction::change(
            reason::KEY_ROTATION_FORBIDDEN,
            format!(
                "a {} key would have to be made, and spec.privateKey.rotationPolicy is Never: set it to Always, or delete the Secret",
                resolved.key
            ),
        ));
    }
    if let Some(skew) = observed.skew {
        return Err(Obstruction::until(
            reason::CLOCK_SKEW,
            format!(
                "nothing is signed while this machine's clock and the API server's differ by {} s: set the clocks right",
                skew.as_secs()
            ),
            renewal::add(now, SignedDuration::from_secs(30)),
        ));
    }
    patience(observed, lack, now)?;
    let chain_end = match backing {
        Backing::Authority(authority) => Some(authority.chain.not_after()),
        Backing::SelfSigned => None,
    };
    let (validity, cut) = renewal::validity(now, resolved.duration, chain_end);
    if validity.not_after <= now {
        return Err(Obstruction::change(reason::ISSUER_NOT_READY, format!("the chain of {} has ended", issuer.key)));
    }
    if lack.violation.cause == Cause::Due
        && let Some(held) = &lack.held
        && !renewal::gains_enough(held.validity, validity, resolved.duration)
    {
        return Err(Obstruction::change(
            reason::AUTHORITY_ENDING,
            format!(
                "a renewal would gain less than a tenth of {}, since the chain of {} ends at {}: renew the issuer's certificate",
                checks::text_of(resolved.duration),
                issuer.key,
                minute(validity.not_after)
            ),
        ));
    }
    Ok(Issue { violation: lack.violation.clone(), resolved, validity, cut, key, renew_handled: wanted.renew.clone() })
}

fn issuer<'a>(observed: &Observed<'a>, wanted: &Wanted) -> Result<&'a IssuerView, Obstruction> {
    match observed.issuer {
        IssuerSeen::Found { issuer, namespace_admitted: true } => Ok(issuer),
        IssuerSeen::Found { issuer, namespace_admitted: false } => Err(Obstruction::change(
            reason::NOT_ALLOWED,
            format!(
                "{} does not serve namespace {}: its spec.allow.namespaceSelector does not match the namespace's labels",
                issuer.key,
                observed.certificate.metadata.namespace.as_deref().unwrap_or_default()
            ),
        )),
        IssuerSeen::NotServed => Err(Obstruction::change(
            reason::ISSUER_NOT_SERVED,
            format!("{} is not served: this operator watches some namespaces only, name an Issuer", wanted.issuer),
        )),
        IssuerSeen::Absent | IssuerSeen::Pending => {
            Err(Obstruction { reason: reason::ISSUER_NOT_FOUND, message: format!("{} does not exist", wanted.issuer), helps: Helps::Event })
        }
    }
}

fn immutable(observed: &Observed<'_>) -> Result<(), Obstruction> {
    match &observed.secret {
        SecretSeen::Read(secret) if secret.immutable => {
            Err(Obstruction::change(reason::SECRET_IMMUTABLE, "the Secret is immutable: delete it, and it is made anew"))
        }
        _ => Ok(()),
    }
}

fn key_source(observed: &Observed<'_>, wanted: &Wanted, lack: &Lack) -> Result<KeySource, Obstruction> {
    if lack.key_is_sound && wanted.rotation == RotationPolicy::Never {
        return Ok(KeySource::Keep);
    }
    let Some(recorded) = observed.history.current.as_ref().filter(|_| wanted.is_ca && !lack.key_is_sound) else {
        return Ok(KeySource::New);
    };
    if let (true, Some(key_id)) = (observed.history.copy, recorded.key_id) {
        return Ok(KeySource::Copy(key_id));
    }
    let copy = recorded.key_id.map_or_else(|| "a copy".to_owned(), |key_id| format!("its copy {}{key_id}", api::names::AUTHORITY_COPY));
    let handled = observed.certificate.status.as_ref().and_then(|status| status.renew_handled.as_deref());
    if wanted.renew.is_some() && wanted.renew.as_deref() != handled {
        return Ok(KeySource::New);
    }
    Err(Obstruction::change(
        reason::AUTHORITY_SECRET_MISSING,
        format!(
            "it held a CA's key, and there is no Secret with {copy} in the operator's namespace: restore one of the two from a backup, or give annotation {} a new value for a CA with a new key",
            api::names::RENEW
        ),
    ))
}

fn patience(observed: &Observed<'_>, lack: &Lack, now: Timestamp) -> Result<(), Obstruction> {
    let status = observed.certificate.status.as_ref();
    let changed = observed.certificate.metadata.generation != status.and_then(|status| status.observed_generation);
    if !changed
        && !observed.issuer_changed
        && lack.violation.cause != Cause::Asked
        && let Some(until) = observed.certificate.next_retry()
        && until > now
    {
        let failures = status.and_then(|status| status.failed_issuance_attempts).unwrap_or_default();
        return Err(Obstruction::until(
            reason::BACKING_OFF,
            format!(
                "{failures} attempts failed, the next is at {}: {}",
                minute(until),
                observed.certificate.last_failure().unwrap_or_default()
            ),
            until,
        ));
    }
    if lack.violation.cause == Cause::First {
        return Ok(());
    }
    if lack.violation.cause == Cause::Authority
        && let Some(turn) = observed.turn
        && turn > now
    {
        return Err(Obstruction::until(reason::AUTHORITY_CHANGED, format!("its turn is at {turn}"), turn));
    }
    if lack.violation.cause == Cause::Damage
        && let Some(next) = budget::next_mending(&observed.history.spent, now)
    {
        return Err(Obstruction::until(
            reason::SECRET_CONTESTED,
            format!("{} it was mended a moment ago and is mended again at {next}", writer(observed)),
            next,
        ));
    }
    budget::within(&observed.history.spent, now).map_err(|exhausted| match exhausted {
        Exhausted::Certificate { until } => Obstruction::until(
            reason::BUDGET_SPENT,
            format!(
                "{} it was re-issued {} times within an hour, the next time is at {}",
                writer(observed),
                budget::PER_CERTIFICATE,
                minute(until)
            ),
            until,
        ),
        Exhausted::Namespace { until } => Obstruction::until(
            reason::BUDGET_SPENT,
            format!("its namespace had {} re-issuances within an hour, the next is at {}", budget::PER_NAMESPACE, minute(until)),
            until,
        ),
    })
}

fn writer(observed: &Observed<'_>) -> String {
    match &observed.secret {
        SecretSeen::Read(secret) => {
            secret.other_writer.as_ref().map_or_else(String::new, |writer| format!("field manager \"{writer}\" rewrites the Secret;"))
        }
        SecretSeen::Absent => "the Secret is deleted again and again;".to_owned(),
        SecretSeen::AsRecorded | SecretSeen::Foreign(_) => String::new(),
    }
}
