//! Decisions about one RevocationList: whether it may act, what its orders come to, and how many of the revocations that nobody
//! ordered by hand are carried out.
//!
//! Pure. What is published when is decided in `plan::publication`; here it is only decided what goes on record.

use chancery_pki::Reason;
use jiff::{SignedDuration, Timestamp};

use super::{renewal::add, revocation::is_planned};

pub mod automatic;
pub mod handed_in;
pub mod orders;
pub mod standing;
pub mod status;

/// From when on a revocation may stand on a list; none: at once. A reason that tells of no danger leaves those who use the certificate
/// the time to take its successor.
pub fn listed_from(reason: Reason, grace: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    (is_planned(reason) && grace > SignedDuration::ZERO).then(|| add(now, grace))
}
