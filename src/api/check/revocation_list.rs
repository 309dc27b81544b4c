//! A checked RevocationList: what is to be published how, and what its owner orders.

use std::str::FromStr;

use chancery_pki::{KeyId, Reason, San, SerialNumber};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{
    certificate::{IssuerKey, issuer},
    error::SpecError,
    shared, text,
};
use crate::api::{
    duration::GoDuration,
    revocation_list::{CertificateTarget, CopyTarget, Distribution, OWNER_REASONS, OrderSpec, RevocationList, RevocationListSpec},
    revocation_list_status::ResolvedList,
    schema,
};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const WEEK: SignedDuration = SignedDuration::from_hours(168);
/// How long a list may be used, if its owner says nothing.
const DEFAULT_VALIDITY: SignedDuration = WEEK;
/// How often a list is made anew, if its owner says nothing and the validity is long enough.
const DEFAULT_REFRESH: SignedDuration = SignedDuration::from_hours(24);
/// How often a delta is made anew, likewise.
const DEFAULT_DELTA_REFRESH: SignedDuration = HOUR;
/// How long an OCSP answer may be used.
const DEFAULT_OCSP_VALIDITY: SignedDuration = SignedDuration::from_hours(12);
/// How much time lies between two lists.
const DEFAULT_DEBOUNCE: SignedDuration = SignedDuration::from_secs(1);
/// How long planned revocations wait.
const DEFAULT_GRACE: SignedDuration = SignedDuration::from_mins(10);
/// How many automatic revocations are carried out within an hour.
const DEFAULT_MAX_AUTOMATIC: u32 = 500;

/// A RevocationList's spec, checked; what is unwritten is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedList {
    /// Whose authority signs.
    pub issuer: IssuerKey,
    /// How long a list may be used; at least an hour.
    pub validity: SignedDuration,
    /// How often it is made anew; shorter than [`WantedList::validity`].
    pub refresh: SignedDuration,
    /// How much time lies at least between two lists.
    pub debounce: SignedDuration,
    /// How long planned revocations wait before they are listed.
    pub grace: SignedDuration,
    /// Into how many parts the list is split; 1 to 1024.
    pub shards: u16,
    /// How often a delta is made anew, shorter than [`WantedList::refresh`]; none: there are no deltas.
    pub delta: Option<SignedDuration>,
    /// The URL below which lists and answers are found.
    pub base_url: Option<String>,
    /// The ConfigMaps that hold copies, each once.
    pub config_maps: Vec<CopyName>,
    /// Whether Certificates may ask for `ca.crl`.
    pub ca_crl: bool,
    /// How long an OCSP answer may be used; none: there are none.
    pub ocsp: Option<SignedDuration>,
    /// How many automatic revocations are carried out within an hour.
    pub max_automatic: u32,
    /// Automatic revocations that were asked for before this are carried out, however many.
    pub confirm_before: Option<Timestamp>,
    /// What is ordered, by its place in `spec.revocations`. Of several for one certificate the last counts.
    pub orders: Vec<Order>,
}

/// A ConfigMap that is to hold a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyName {
    /// Its namespace; none: the list's.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// To what.
    pub what: Target,
    /// To do what.
    pub act: OrderAct,
    /// From when on the certificates were not to be trusted.
    pub invalidity_date: Option<Timestamp>,
}

/// Which certificates of the authority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// That with this serial number.
    Serial(SerialNumber),
    /// Those with this key.
    Key(KeyId),
    /// Those of a Certificate.
    Certificate {
        /// Its namespace; none: the list's.
        namespace: Option<String>,
        /// Its name.
        name: String,
        /// Those issued before this, by the register's time.
        issued_before: Timestamp,
    },
}

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderAct {
    /// To revoke, for this reason: one of [`OWNER_REASONS`].
    Revoke(Reason),
    /// To put on hold.
    Hold,
    /// To release what is on hold.
    Release,
}

/// Checks a RevocationList's spec.
///
/// # Errors
/// The first field that is wrong, and what would be right.
pub fn check_list(list: &RevocationList) -> Result<WantedList, SpecError> {
    let spec = &list.spec;
    if let Some(error) = &spec.unreadable {
        return Err(error.clone());
    }
    let issuer = issuer(&spec.issuer_ref, list.namespace().unwrap_or_default())?;
    let validity = shared::within("spec.validity", spec.validity, HOUR, SignedDuration::from_hours(8760))?.unwrap_or(DEFAULT_VALIDITY);
    let refresh = refresh(spec, validity)?;
    let distribution = spec.distribution.clone().unwrap_or_default();
    let base_url = distribution.base_url.as_deref().map(base_url).transpose()?;
    let ocsp = match &spec.ocsp {
        None => None,
        Some(ocsp) => Some(shared::within("spec.ocsp.validity", ocsp.validity, MINUTE * 10, WEEK)?.unwrap_or(DEFAULT_OCSP_VALIDITY)),
    };
    Ok(WantedList {
        issuer,
        validity,
        refresh,
        debounce: shared::within("spec.debounce", spec.debounce, SignedDuration::ZERO, MINUTE * 10)?.unwrap_or(DEFAULT_DEBOUNCE),
        grace: shared::within("spec.grace", spec.grace, SignedDuration::ZERO, WEEK)?.unwrap_or(DEFAULT_GRACE),
        shards: shards(spec, base_url.is_some())?,
        delta: delta(spec, refresh)?,
        base_url,
        config_maps: copies(&distribution)?,
        ca_crl: distribution.ca_crl,
        ocsp,
        max_automatic: max_automatic(spec.max_automatic_revocations)?,
        confirm_before: confirm_before(spec)?,
        orders: orders(&spec.revocations)?,
    })
}

impl WantedList {
    /// The values in effect, as the status shows them.
    pub fn resolved(&self) -> ResolvedList {
        let go = |duration: SignedDuration| GoDuration::try_from(duration).unwrap_or_default();
        ResolvedList {
            validity: go(self.validity),
            refresh: go(self.refresh),
            debounce: go(self.debounce),
            shards: i32::from(self.shards),
            delta: self.delta.map(go),
            grace: go(self.grace),
            max_automatic_revocations: i32::try_from(self.max_automatic).unwrap_or(i32::MAX),
            ocsp_validity: self.ocsp.map(go),
        }
    }
}

fn refresh(spec: &RevocationListSpec, validity: SignedDuration) -> Result<SignedDuration, SpecError> {
    let Some(refresh) = shared::within("spec.refresh", spec.refresh, MINUTE, WEEK)? else {
        return Ok(DEFAULT_REFRESH.min(validity / 3));
    };
    if refresh >= validity {
        let validity = GoDuration::try_from(validity).unwrap_or_default();
        return Err(SpecError::new("spec.refresh", format!("must be shorter than validity, which is {validity}")));
    }
    Ok(refresh)
}

fn delta(spec: &RevocationListSpec, full: SignedDuration) -> Result<Option<SignedDuration>, SpecError> {
    let Some(delta) = &spec.delta else { return Ok(None) };
    let Some(refresh) = shared::within("spec.delta.refresh", delta.refresh, MINUTE, WEEK)? else {
        return Ok(Some(DEFAULT_DELTA_REFRESH.min(full / 3)));
    };
    if refresh >= full {
        let full = GoDuration::try_from(full).unwrap_or_default();
        return Err(SpecError::new("spec.delta.refresh", format!("must be shorter than the full list's refresh, which is {full}")));
    }
    Ok(Some(refresh))
}

fn shards(spec: &RevocationListSpec, has_url: bool) -> Result<u16, SpecError> {
    let refuse = |problem| Err(SpecError::new("spec.shards", problem));
    let written = spec.shards.unwrap_or(1);
    match u16::try_from(written) {
        Ok(shards) if (1..=schema::MAX_SHARDS).contains(&written) && (shards == 1 || has_url) => Ok(shards),
        Ok(shards) if (1..=schema::MAX_SHARDS).contains(&written) => refuse(format!(
            "{shards} shards need distribution.baseURL: each part of the list says by its URL which certificates it is about"
        )),
        _ => refuse(format!("{written} is not between 1 and {}", schema::MAX_SHARDS)),
    }
}

fn max_automatic(written: Option<i32>) -> Result<u32, SpecError> {
    match written {
        None => Ok(DEFAULT_MAX_AUTOMATIC),
        Some(number @ 0..=schema::MAX_AUTOMATIC) => Ok(number.unsigned_abs()),
        Some(other) => {
            Err(SpecError::new("spec.maxAutomaticRevocations", format!("{other} is not between 0 and {}", schema::MAX_AUTOMATIC)))
        }
    }
}

/// A URL that others are made below: `http`, a host, perhaps a port and a path.
fn base_url(url: &str) -> Result<String, SpecError> {
    let refuse = |problem: String| SpecError::new("spec.distribution.baseURL", problem);
    if url.len() > schema::MAX_BASE_URL {
        return Err(refuse(format!("has more than {} characters", schema::MAX_BASE_URL)));
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(refuse(format!(
            "{} does not begin with http://: with https a client would have to check a certificate in order to check one",
            text::quoted(url)
        )));
    };
    if url.ends_with('/') {
        return Err(refuse("ends with a slash: leave it out".to_owned()));
    }
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let well_formed = host_and_port(authority) && path.is_none_or(|path| path.split('/').all(|segment| !segment.is_empty()));
    if !well_formed || url.contains(['?', '#', '@']) || San::Uri(url.to_owned()).validate().is_err() {
        return Err(refuse(format!("{} is no http:// URL with a host and perhaps a port and a path, and nothing else", text::quoted(url))));
    }
    Ok(url.to_owned())
}

fn host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => text::subdomain(&host.to_ascii_lowercase()).is_ok(),
    };
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn copies(distribution: &Distribution) -> Result<Vec<CopyName>, SpecError> {
    const FIELD: &str = "spec.distribution.configMaps";
    shared::at_most(FIELD, &distribution.config_maps, schema::MAX_COPIES)?;
    let mut copies: Vec<CopyName> = Vec::new();
    for (index, CopyTarget { namespace, name }) in distribution.config_maps.iter().enumerate() {
        object(&format!("{FIELD}[{index}]"), namespace.as_deref(), name)?;
        let copy = CopyName { namespace: namespace.clone(), name: name.clone() };
        if copies.contains(&copy) {
            return Err(SpecError::new(format!("{FIELD}[{index}]"), "is named twice"));
        }
        copies.push(copy);
    }
    Ok(copies)
}

fn object(field: &str, namespace: Option<&str>, name: &str) -> Result<(), SpecError> {
    if let Some(namespace) = namespace {
        text::label(namespace).map_err(|problem| SpecError::new(format!("{field}.namespace"), problem))?;
    }
    text::subdomain(name).map_err(|problem| SpecError::new(format!("{field}.name"), problem))
}

fn confirm_before(spec: &RevocationListSpec) -> Result<Option<Timestamp>, SpecError> {
    spec.confirm_pending_before.as_ref().map(|time| shared::since_1970("spec.confirmPendingBefore", time)).transpose()
}

fn orders(specs: &[OrderSpec]) -> Result<Vec<Order>, SpecError> {
    const FIELD: &str = "spec.revocations";
    shared::at_most(FIELD, specs, schema::MAX_ORDERS)?;
    specs.iter().enumerate().map(|(index, spec)| order(&format!("{FIELD}[{index}]"), spec)).collect()
}

fn order(field: &str, spec: &OrderSpec) -> Result<Order, SpecError> {
    let what = match (&spec.serial_number, &spec.key_id, &spec.certificate_ref) {
        (Some(serial), None, None) => Target::Serial(hexadecimal(&format!("{field}.serialNumber"), &serial.replace(':', ""))?),
        (None, Some(key), None) => Target::Key(hexadecimal(&format!("{field}.keyID"), key)?),
        (None, None, Some(CertificateTarget { namespace, name, issued_before })) => {
            object(&format!("{field}.certificateRef"), namespace.as_deref(), name)?;
            let issued_before = shared::since_1970(format!("{field}.certificateRef.issuedBefore"), issued_before)?;
            Target::Certificate { namespace: namespace.clone(), name: name.clone(), issued_before }
        }
        _ => return Err(SpecError::new(field, "exactly one of serialNumber, keyID and certificateRef is required")),
    };
    let act = match (spec.hold, spec.release) {
        (false, false) => OrderAct::Revoke(spec.reason.unwrap_or_default()),
        (true, false) => OrderAct::Hold,
        (_, true) => OrderAct::Release,
    };
    let refuse = |name: &str, problem: String| Err(SpecError::new(format!("{field}.{name}"), problem));
    if spec.release && (spec.hold || spec.reason.is_some() || spec.invalidity_date.is_some() || spec.key_id.is_some()) {
        return refuse("release", "goes with neither reason, hold, invalidityDate nor keyID".to_owned());
    }
    if spec.hold && spec.reason.is_some() {
        return refuse("reason", "hold and reason exclude each other: the reason of a hold is certificateHold".to_owned());
    }
    if let Some(reason) = spec.reason.filter(|reason| !OWNER_REASONS.contains(reason)) {
        return refuse("reason", format!("{reason} cannot be given here: use one of {}", shared::names(&OWNER_REASONS)));
    }
    let invalidity_date =
        spec.invalidity_date.as_ref().map(|time| shared::since_1970(format!("{field}.invalidityDate"), time)).transpose()?;
    Ok(Order { what, act, invalidity_date })
}

fn hexadecimal<T>(field: &str, digits: &str) -> Result<T, SpecError>
where
    T: FromStr<Err: std::fmt::Display>,
{
    digits.parse().map_err(|error: T::Err| SpecError::new(field, format!("{}: {error}", text::quoted(digits))))
}

#[cfg(test)]
#[path = "revocation_list_tests.rs"]
mod tests;
