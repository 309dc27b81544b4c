//! The values in effect: what the spec says, else the defaults.
//!
//! A default that changes later triggers nothing: which values were defaults is kept beside each certificate, and only
//! what was written is compared.

use std::{collections::BTreeSet, fmt, str::FromStr};

use chancery_pki::{KeyAlgorithm, KeyEncoding, SignatureAlgorithm, Usage};
use jiff::SignedDuration;

use super::{
    certificate_status::{ResolvedKey, ResolvedSpec},
    check::{
        certificate::{Renewal, Wanted},
        issuer::{Allow, Defaults},
    },
    duration::GoDuration,
    private_key::RotationPolicy,
};

/// The lifetime where neither spec nor issuer says one: 90 days.
pub const DEFAULT_DURATION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The values in effect for one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The kind of key.
    pub key: KeyAlgorithm,
    /// How the key is written. For Ed25519 always PKCS #8.
    pub encoding: KeyEncoding,
    /// Whether a new certificate gets a new key.
    pub rotation: RotationPolicy,
    /// The lifetime to ask for.
    pub duration: SignedDuration,
    /// When to renew; never [`Renewal::Default`] where the issuer has a default.
    pub renewal: Renewal,
    /// What the key may be used for; canonical.
    pub usages: BTreeSet<Usage>,
    /// Which of these values were not written in the spec.
    pub defaulted: BTreeSet<Defaulted>,
}

/// A value that may be a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defaulted {
    /// The kind of key.
    Key,
    /// The lifetime.
    Duration,
    /// The usages.
    Usages,
    /// The encoding of the key.
    Encoding,
    /// How many CAs may follow a CA.
    PathLen,
    /// Which names a CA may certify.
    NameConstraints,
    /// How it signs itself.
    Signature,
}

impl Defaulted {
    /// Every such value.
    pub const ALL: [Self; 7] =
        [Self::Key, Self::Duration, Self::Usages, Self::Encoding, Self::PathLen, Self::NameConstraints, Self::Signature];
    /// Those that can be other than the default only in what was made elsewhere.
    pub const OF_OTHERS: [Self; 3] = [Self::PathLen, Self::NameConstraints, Self::Signature];

    /// Its name in the annotation `chancery.dev/defaulted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Duration => "duration",
            Self::Usages => "usages",
            Self::Encoding => "encoding",
            Self::PathLen => "pathLen",
            Self::NameConstraints => "nameConstraints",
            Self::Signature => "signatureAlgorithm",
        }
    }

    /// The annotation's value for these.
    pub fn list(values: &BTreeSet<Self>) -> String {
        values.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(",")
    }

    /// The values that an annotation lists; unknown names are passed over, since a newer version may have written them.
    pub fn from_list(text: &str) -> BTreeSet<Self> {
        text.split(',').filter_map(|name| name.trim().parse().ok()).collect()
    }
}

impl fmt::Display for Defaulted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Defaulted {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|value| value.as_str() == name).ok_or(())
    }
}

/// The values in effect for `wanted` from an issuer with these defaults.
///
/// `adopted` is the kind of key in a Secret that is being taken over; it comes before the issuer's default, so that an
/// adoption needs no new certificate. Where a signature algorithm is written, only keys of its family count.
pub fn resolve(wanted: &Wanted, defaults: &Defaults, allow: &Allow, adopted: Option<KeyAlgorithm>) -> Resolved {
    let goes = |key: &KeyAlgorithm| wanted.signature.is_none_or(|signature| signature.family() == key.family());
    let by_signature = || wanted.signature.map_or(KeyAlgorithm::EcdsaP256, SignatureAlgorithm::usual_key);
    let key = wanted.key.or_else(|| adopted.filter(goes)).or_else(|| defaults.key.filter(goes)).unwrap_or_else(by_signature);
    let encoding = match key {
        KeyAlgorithm::Ed25519 => KeyEncoding::Pkcs8,
        _ => wanted.encoding.or(defaults.encoding).unwrap_or(KeyEncoding::Pkcs1),
    };
    let by_default = || defaults.duration.unwrap_or_else(|| allow.max_duration.map_or(DEFAULT_DURATION, |max| max.min(DEFAULT_DURATION)));
    let renewal = match (wanted.renewal, defaults.renew_before) {
        (Renewal::Default, Some(before)) => Renewal::Before(before),
        (written, _) => written,
    };
    Resolved {
        key,
        encoding,
        rotation: wanted.rotation,
        duration: wanted.duration.unwrap_or_else(by_default),
        renewal,
        usages: wanted.usages.clone().unwrap_or_else(|| default_usages(key, wanted.is_ca, defaults)),
        defaulted: unwritten(wanted),
    }
}

/// The values that the spec leaves open.
pub fn unwritten(wanted: &Wanted) -> BTreeSet<Defaulted> {
    let open = |value: &Defaulted| match value {
        Defaulted::Key => wanted.key.is_none(),
        Defaulted::Duration => wanted.duration.is_none(),
        Defaulted::Usages => wanted.usages.is_none(),
        Defaulted::Encoding => wanted.encoding.is_none(),
        // Nothing is open there for a certificate that is no CA's.
        Defaulted::PathLen => wanted.is_ca && wanted.path_len.is_none(),
        Defaulted::NameConstraints => wanted.is_ca && wanted.name_constraints.is_none(),
        Defaulted::Signature => wanted.signature.is_none(),
    };
    Defaulted::ALL.into_iter().filter(open).collect()
}

fn default_usages(key: KeyAlgorithm, is_ca: bool, defaults: &Defaults) -> BTreeSet<Usage> {
    let mut usages = defaults.usages.clone().unwrap_or_else(|| {
        // Only RSA can transport a key, which is what key encipherment allows.
        if key.is_rsa() {
            BTreeSet::from([Usage::DigitalSignature, Usage::KeyEncipherment])
        } else {
            BTreeSet::from([Usage::DigitalSignature])
        }
    });
    if is_ca {
        usages.extend([Usage::CertSign, Usage::CrlSign]);
    }
    usages
}

impl Resolved {
    /// What the status shows of it. `renew_before` is that of the current certificate, with its real lifetime.
    pub fn display(&self, renew_before: Option<SignedDuration>) -> ResolvedSpec {
        ResolvedSpec {
            private_key: ResolvedKey {
                algorithm: self.key.family().to_owned(),
                size: self.key.size().and_then(|size| i32::try_from(size).ok()),
                encoding: encoding_name(self.encoding).to_owned(),
                rotation_policy: match self.rotation {
                    RotationPolicy::Never => "Never",
                    RotationPolicy::Always => "Always",
                }
                .to_owned(),
            },
            duration: GoDuration::try_from(self.duration).unwrap_or_default(),
            renew_before: renew_before.and_then(|before| GoDuration::try_from(before).ok()),
            usages: self.usages.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The API's name of an encoding, also the value of the annotation `chancery.dev/requested-key-encoding`.
pub const fn encoding_name(encoding: KeyEncoding) -> &'static str {
    match encoding {
        KeyEncoding::Pkcs1 => "PKCS1",
        KeyEncoding::Pkcs8 => "PKCS8",
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
