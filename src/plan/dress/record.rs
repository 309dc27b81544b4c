//! What annotations record of an issuance, and what is read from them again.
//!
//! Only what a certificate cannot show by itself stands there: what it shows is never asked of an annotation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    api::{Allow, Defaulted, Defaults, GoDuration, Resolved, Wanted, WantedIssuer, encoding_name, names, resolve},
    plan::{
        checks::text_of,
        observed::{AuthorityView, Content, SecretRead},
    },
};

/// What annotations record of an issuance because a certificate cannot show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was issued.
    pub issued_at: Option<String>,
    /// The duration that was asked for.
    pub duration: Option<String>,
    /// How the private key is encoded.
    pub encoding: Option<String>,
    /// The signature that was asked for where the certificate has another.
    pub signature: Option<String>,
    /// The value of the renew annotation that was acted on.
    pub renew_handled: Option<String>,
    /// Which values were defaults.
    pub defaulted: BTreeSet<Defaulted>,
    /// The authority that signed it.
    pub authority: Option<String>,
    /// The digest of the chain that goes with it.
    pub chain: Option<String>,
}

impl Record {
    /// As the annotations of a Secret have it, ours first, cert-manager's where they say the same.
    pub fn read(annotations: &BTreeMap<String, String>) -> Self {
        let get = |key: &str| annotations.get(key).cloned();
        Self {
            issued_at: get(names::ISSUED_AT),
            duration: get(names::REQUESTED_DURATION),
            encoding: get(names::REQUESTED_KEY_ENCODING),
            signature: get(names::REQUESTED_SIGNATURE),
            renew_handled: get(names::RENEW_HANDLED),
            defaulted: Defaulted::from_list(annotations.get(names::DEFAULTED).map_or("", String::as_str)),
            authority: get(names::AUTHORITY),
            chain: get(names::CHAIN),
        }
    }

    /// Of an issuance that is being made.
    pub fn of_issue(resolved: &Resolved, renew_handled: Option<&str>, issuer: Option<&AuthorityView>, now: Timestamp) -> Self {
        Self {
            issued_at: Some(second(now)),
            duration: Some(text_of(resolved.duration)),
            encoding: Some(encoding_name(resolved.encoding).to_owned()),
            signature: None,
            renew_handled: renew_handled.map(ToOwned::to_owned),
            defaulted: resolved.defaulted.clone(),
            authority: issuer.map(|authority| authority.key_id.to_string()),
            chain: issuer.map(|authority| authority.fingerprint.clone()),
        }
    }
}

fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The values that the certificate of a Secret was issued with, and the value of the renew annotation that it answers.
pub fn issued_with(wanted: &Wanted, issuer: Option<&WantedIssuer>, secret: &SecretRead) -> Option<(Resolved, Option<String>)> {
    let Content::Pair { certificates, key } = &secret.content else {
        return None;
    };
    let certificate = certificates.first()?;
    let record = Record::read(&secret.annotations);
    // An issuer that is gone has no defaults; what was issued shows its values itself.
    let mut resolved = match issuer {
        Some(issuer) => resolve(wanted, &issuer.defaults, &issuer.allow, Some(key.algorithm())),
        None => resolve(wanted, &Defaults::default(), &Allow::default(), Some(key.algorithm())),
    };
    resolved.key = key.algorithm();
    resolved.encoding = secret.key_encoding.unwrap_or(resolved.encoding);
    resolved.usages.clone_from(certificate.usages());
    resolved.duration = record
        .duration
        .and_then(|text| text.parse::<GoDuration>().ok())
        .map_or_else(|| certificate.not_after().duration_since(certificate.not_before()), GoDuration::get);
    Some((resolved, record.renew_handled))
}
