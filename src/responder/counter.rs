//! Where OCSP requests are answered: from what was signed before where it still holds, else by a signature.
//!
//! What is said is decided in `decide`, each time: an answer that was kept is used only while it says the same.

use std::{fmt, sync::Arc};

use axum::body::Bytes;
use chancery_pki::{CertId, CertIdHash, Certificate, IssuerHash, OcspAnswer, OcspError, OcspRefusal, OcspRequest, OcspStatus, sign_ocsp};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{
    bucket::Bucket,
    cache::Cache,
    caching::http_date,
    decide::{changes_at, holds_too_long, is_due, period, status},
    delegate::Delegate,
    metrics::{ResponderMetrics, Signature},
    served::{Authority, Served, Shared},
    watch::Heard,
};
use crate::{
    cluster::{Clock, ClockSkew, MAX_SKEW},
    register::{Index, RegisterId, hash},
};

/// The octets of an OCSP request's body that are read.
pub const REQUEST_BYTES: usize = 16 * 1024;

/// An answer that is kept.
#[derive(Debug)]
pub struct Kept {
    status: OcspStatus,
    /// When it was signed.
    pub signed: Timestamp,
    /// Until when it holds.
    pub next_update: Timestamp,
    /// The whole answer.
    pub der: Bytes,
    /// Its SHA-256, in hexadecimal: the tag by which caches know it.
    pub sha256: String,
    /// When it was signed, as HTTP writes it.
    pub last_modified: String,
    /// Its end, as HTTP writes it.
    pub expires: String,
}

/// What a request gets.
#[derive(Debug)]
pub enum Reply {
    /// An answer that others get too.
    Kept(Arc<Kept>),
    /// An answer for this request alone.
    Once(Bytes),
    /// None.
    Refused(OcspRefusal),
}

/// What is needed to answer.
pub struct Counter {
    /// What is served.
    pub served: Shared,
    /// What the registers say.
    pub index: Arc<Index>,
    /// Answers that were signed before.
    pub kept: Cache<Kept>,
    /// How many signatures there are for what is not kept.
    pub bucket: Bucket,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The difference to the API server's time.
    pub skew: ClockSkew,
    /// The watches without which nothing is known to be true.
    pub heard: Vec<Heard>,
    /// When this began; the bucket counts from here.
    pub start: Instant,
    /// What was answered.
    pub metrics: ResponderMetrics,
}

impl fmt::Debug for Counter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Counter").field("heard", &self.heard).finish_non_exhaustive()
    }
}

impl Counter {
    /// Answers a request, and counts what was answered.
    pub fn answer(&self, request: &OcspRequest) -> Reply {
        self.decide(request).unwrap_or_else(|refusal| self.refuse(refusal))
    }

    /// Refuses to answer, and counts that.
    pub fn refuse(&self, refusal: OcspRefusal) -> Reply {
        self.metrics.answer(refusal.as_str());
        Reply::Refused(refusal)
    }

    /// For how long one of the watches has been silent; none when one was never heard.
    pub fn silence(&self) -> Option<std::time::Duration> {
        self.heard.iter().map(Heard::silence).try_fold(std::time::Duration::ZERO, |longest, silence| Some(longest.max(silence?)))
    }

    fn decide(&self, request: &OcspRequest) -> Result<Reply, OcspRefusal> {
        let served = self.served.get();
        if !(served.lists_read && served.registers_read) {
            return Err(OcspRefusal::TryLater);
        }
        let (register, authority) = authority_of(&served, &request.ids).ok_or_else(|| stranger(&served))?;
        let validity = authority.shelf.head.settings.ocsp.ok_or(OcspRefusal::Unauthorized)?;
        let now = self.clock.now();
        let shards = request.ids.iter().map(|id| authority.shard_of(id.serial()));
        let clock_fault = self.skew.check(MAX_SKEW).err().map(|skewed| skewed.to_string());
        if let Some(obstacle) = authority.circumstances(shards, self.silence(), clock_fault.as_deref()).obstacle(now) {
            tracing::debug!(%register, %obstacle, "no OCSP answer");
            return Err(OcspRefusal::TryLater);
        }
        let Ok(delegate) = &authority.delegate else { return Err(OcspRefusal::TryLater) };
        let (statuses, changes): (Vec<OcspStatus>, Vec<Option<Timestamp>>) = self.index.ledger(&register, |ledger| {
            let known = request.ids.iter().map(|id| ledger.get(id.serial()));
            known.map(|known| (status(known, now), changes_at(known, now))).unzip()
        });
        let changes = changes.into_iter().flatten().min();
        let signing = Signing { issuer: authority.shelf.head.chain.first(), delegate, validity, now, changes };
        let nonce = request.nonce.as_deref();
        let reply = match (request.ids.as_slice(), statuses.as_slice()) {
            ([id], [status]) if nonce.is_none() || !self.take() => self.one(id, *status, &signing),
            ([_], _) => self.once(signing.sign(&request.ids, &statuses, nonce)),
            _ if self.take() => self.once(signing.sign(&request.ids, &statuses, nonce)),
            _ => Err(OcspRefusal::TryLater),
        }?;
        for status in statuses {
            self.metrics.answer(word(status));
        }
        Ok(reply)
    }

    /// The answer about one certificate, which is kept where many may ask for it.
    fn one(&self, id: &CertId, status: OcspStatus, signing: &Signing<'_>) -> Result<Reply, OcspRefusal> {
        if let Some(kept) = self.kept.get(id.as_der())
            && kept.status == status
            && !is_due(kept.signed, kept.next_update, signing.now)
            && !holds_too_long(kept.signed, kept.next_update, signing.changes)
        {
            return Ok(Reply::Kept(kept));
        }
        // What is on record is asked for in few forms: signed once, it is there. Of all else there is no end.
        let is_bounded = status != OcspStatus::Unknown && signing.issuer.is_some_and(|issuer| is_usual(id, issuer));
        if !is_bounded && !self.take() {
            return Err(OcspRefusal::TryLater);
        }
        let signed = signing.sign(std::slice::from_ref(id), &[status], None);
        if !is_bounded {
            return self.once(signed);
        }
        let der = self.signed(signed, Signature::Kept)?;
        let (_, next_update) = signing.period();
        let kept = Arc::new(Kept {
            status,
            signed: signing.now,
            next_update,
            sha256: hash(&der),
            last_modified: http_date(signing.now),
            expires: http_date(next_update),
            der,
        });
        self.kept.put(id.as_der().into(), Arc::clone(&kept), kept.der.len() + size_of::<Kept>() + 128);
        Ok(Reply::Kept(kept))
    }

    fn once(&self, signed: Result<Vec<u8>, OcspError>) -> Result<Reply, OcspRefusal> {
        self.signed(signed, Signature::Once).map(Reply::Once)
    }

    fn signed(&self, signed: Result<Vec<u8>, OcspError>, signature: Signature) -> Result<Bytes, OcspRefusal> {
        match signed {
            Ok(der) => {
                self.metrics.signature(signature);
                Ok(der.into())
            }
            Err(error) => {
                tracing::warn!(%error, "an OCSP answer could not be signed");
                Err(OcspRefusal::InternalError)
            }
        }
    }

    fn take(&self) -> bool {
        self.bucket.take(self.start.elapsed())
    }
}

fn word(status: OcspStatus) -> &'static str {
    match status {
        OcspStatus::Good => "good",
        OcspStatus::Revoked { .. } => "revoked",
        OcspStatus::Unknown => "unknown",
    }
}

/// Whether this is one of the two forms that clients send: the hash's parameters are NULL, or left out. Others are answered, but
/// there is no end of them.
fn is_usual(id: &CertId, issuer: &Certificate) -> bool {
    let hash = match id.issuer() {
        IssuerHash::Sha1 { .. } => CertIdHash::Sha1,
        IssuerHash::Sha256 { .. } => CertIdHash::Sha256,
        IssuerHash::Other(_) => return false,
    };
    let with_null = CertId::of(hash, issuer, id.serial().clone());
    // NULL has two octets, and so has the least that could stand there instead.
    *id == with_null || id.as_der().len() + 2 == with_null.as_der().len()
}

/// The one authority that all these certificates are of; none where there is none, or several.
fn authority_of<'a>(served: &'a Served, ids: &[CertId]) -> Option<(RegisterId, &'a Authority)> {
    let mut keys = ids.iter().map(|id| served.issuers.get(id.issuer()));
    let key = keys.next().flatten()?;
    if keys.any(|other| other != Some(key)) {
        return None;
    }
    Some((RegisterId::Authority(*key), served.authorities.get(key)?))
}

/// What is said to who asks for certificates of none of ours. While the certificate of one of ours is not known here, it may be
/// that one.
fn stranger(served: &Served) -> OcspRefusal {
    if served.missing.is_empty() && served.unserved.is_empty() { OcspRefusal::Unauthorized } else { OcspRefusal::TryLater }
}

/// Who signs, for how long, and when.
struct Signing<'a> {
    issuer: Option<&'a Certificate>,
    delegate: &'a Delegate,
    validity: SignedDuration,
    now: Timestamp,
    /// When the first of the certificates will be revoked, as far as that is on record.
    changes: Option<Timestamp>,
}

impl Signing<'_> {
    fn period(&self) -> (Timestamp, Timestamp) {
        period(self.now, self.validity, self.delegate.certificate.not_after(), self.changes)
    }

    fn sign(&self, ids: &[CertId], statuses: &[OcspStatus], nonce: Option<&[u8]>) -> Result<Vec<u8>, OcspError> {
        let (this_update, next_update) = self.period();
        let answer = |(id, status): (&CertId, &OcspStatus)| OcspAnswer { id: id.clone(), status: *status, this_update, next_update };
        let answers: Vec<OcspAnswer> = ids.iter().zip(statuses).map(answer).collect();
        sign_ocsp(&answers, self.now, nonce, &self.delegate.certificate, &self.delegate.key)
    }
}
