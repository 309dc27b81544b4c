//! Rules that Certificates and issuers share.

use std::collections::BTreeSet;

use chancery_pki::{KeyAlgorithm, KeyEncoding, Reason, Usage};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::error::SpecError;
use crate::api::{
    duration::GoDuration,
    private_key::{Algorithm, Encoding, SIZE_MESSAGE},
};

/// The shortest lifetime that may be asked for.
pub(super) const MIN_DURATION: SignedDuration = SignedDuration::from_hours(1);
/// The shortest time before expiry at which a renewal may be asked for.
pub(super) const MIN_RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// The kind of key that algorithm and size together name; none where neither is given.
pub(super) fn key(field: &str, algorithm: Option<Algorithm>, size: Option<i32>) -> Result<Option<KeyAlgorithm>, SpecError> {
    let algorithm = match (algorithm, size) {
        (None, None) => return Ok(None),
        (None | Some(Algorithm::Ecdsa), Some(256)) | (Some(Algorithm::Ecdsa), None) => KeyAlgorithm::EcdsaP256,
        (None | Some(Algorithm::Ecdsa), Some(384)) => KeyAlgorithm::EcdsaP384,
        (None | Some(Algorithm::Ecdsa), Some(521)) => KeyAlgorithm::EcdsaP521,
        (None | Some(Algorithm::Rsa), Some(2048)) | (Some(Algorithm::Rsa), None) => KeyAlgorithm::Rsa { bits: 2048 },
        (None | Some(Algorithm::Rsa), Some(3072)) => KeyAlgorithm::Rsa { bits: 3072 },
        (None | Some(Algorithm::Rsa), Some(4096)) => KeyAlgorithm::Rsa { bits: 4096 },
        (None | Some(Algorithm::Rsa), Some(8192)) => KeyAlgorithm::Rsa { bits: 8192 },
        (Some(Algorithm::Ed25519), None) => KeyAlgorithm::Ed25519,
        (_, Some(size)) => return Err(SpecError::new(format!("{field}.size"), format!("{size}: {SIZE_MESSAGE}"))),
    };
    Ok(Some(algorithm))
}

/// The encoding of a key.
pub(super) fn encoding(encoding: Encoding) -> KeyEncoding {
    match encoding {
        Encoding::Pkcs1 => KeyEncoding::Pkcs1,
        Encoding::Pkcs8 => KeyEncoding::Pkcs8,
    }
}

/// A time that lists and register lines can hold.
pub(super) fn since_1970(field: impl Into<String>, time: &Time) -> Result<Timestamp, SpecError> {
    if time.0 < Timestamp::UNIX_EPOCH {
        let least = Timestamp::UNIX_EPOCH;
        return Err(SpecError::new(field, format!("{} is before 1970: must be {least} or later", time.0)));
    }
    Ok(time.0)
}

/// A duration of at least `least`.
pub(super) fn duration(field: &str, duration: Option<GoDuration>, least: SignedDuration) -> Result<Option<SignedDuration>, SpecError> {
    let Some(duration) = duration else { return Ok(None) };
    if duration.get() < least {
        let least = GoDuration::try_from(least).unwrap_or_default();
        return Err(SpecError::new(field, format!("{duration} is too short: must be at least {least}")));
    }
    Ok(Some(duration.get()))
}

/// A duration of at least `least` and at most `most`.
pub(super) fn within(
    field: &str,
    written: Option<GoDuration>,
    least: SignedDuration,
    most: SignedDuration,
) -> Result<Option<SignedDuration>, SpecError> {
    let duration = duration(field, written, least)?;
    if let Some(long) = duration.filter(|duration| *duration > most) {
        let [long, most] = [long, most].map(|duration| GoDuration::try_from(duration).unwrap_or_default());
        return Err(SpecError::new(field, format!("{long} is too long: must be at most {most}")));
    }
    Ok(duration)
}

/// Reasons of revocation as a message lists them.
pub(super) fn names(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
}

/// A time before expiry, which must be shorter than the lifetime where that is known.
pub(super) fn renew_before(
    field: &str,
    renew_before: Option<GoDuration>,
    lifetime: Option<SignedDuration>,
) -> Result<Option<SignedDuration>, SpecError> {
    let renew_before = duration(field, renew_before, MIN_RENEW_BEFORE)?;
    if let (Some(renew_before), Some(lifetime)) = (renew_before, lifetime)
        && renew_before >= lifetime
    {
        let lifetime = GoDuration::try_from(lifetime).unwrap_or_default();
        return Err(SpecError::new(field, format!("must be shorter than duration, which is {lifetime}")));
    }
    Ok(renew_before)
}

/// Usages, each once and under its one name; none where the list is empty, which means the same as unset.
pub(super) fn usages(usages: &[Usage]) -> Option<BTreeSet<Usage>> {
    (!usages.is_empty()).then(|| usages.iter().map(|usage| usage.canonical()).collect())
}

/// Whether only a CA may have this usage.
pub(super) fn only_for_a_ca(usage: Usage) -> bool {
    matches!(usage, Usage::CertSign | Usage::CrlSign)
}

/// A list of at most `most` items.
pub(super) fn at_most<T>(field: &str, items: &[T], most: usize) -> Result<(), SpecError> {
    if items.len() > most {
        return Err(SpecError::new(field, format!("has {} items, at most {most} are allowed", items.len())));
    }
    Ok(())
}
