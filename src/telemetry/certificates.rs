//! Series per Certificate: whether it is ready and why not, its times, and when it will be renewed; within a limit.
//!
//! Kept as numbers in a map and turned into text only when somebody scrapes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

/// The Certificates that are known, by namespace and name; clones share the map.
#[derive(Clone, Debug)]
pub struct CertificateSeries(Arc<Series>);

#[derive(Debug)]
struct Series {
    /// The number of Certificates that get series of their own.
    limit: usize,
    namespaces: Mutex<Namespaces>,
}

type Namespaces = BTreeMap<Box<str>, BTreeMap<Box<str>, CertificateState>>;

/// What is told of one Certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CertificateState {
    /// Its Ready condition.
    pub ready: Readiness,
    /// The reason that this condition gives.
    pub reason: Box<str>,
    /// The kind of its issuer, `Issuer` or `ClusterIssuer`; empty where the spec names none that is ours.
    pub issuer_kind: &'static str,
    /// The name of its issuer.
    pub issuer: Box<str>,
    /// From when its certificate is valid, if it has one.
    pub starts: Option<Timestamp>,
    /// When its certificate expires, if it has one.
    pub expires: Option<Timestamp>,
    /// When it will be renewed, if it will.
    pub renews: Option<Timestamp>,
}

/// A Ready condition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Readiness {
    /// `False`
    False,
    /// `True`
    True,
    /// `Unknown`, or none yet.
    #[default]
    Unknown,
}

impl CertificateSeries {
    /// At most `limit` Certificates get series of their own; all are counted.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Series { limit, namespaces: Mutex::default() }))
    }

    /// Replaces what is told of a Certificate.
    pub fn set(&self, namespace: &str, name: &str, state: CertificateState) {
        let mut namespaces = self.lock();
        if let Some(last) = namespaces.get_mut(namespace).and_then(|names| names.get_mut(name)) {
            *last = state;
        } else {
            namespaces.entry(namespace.into()).or_default().insert(name.into(), state);
        }
    }

    /// Tells no more of a Certificate.
    pub fn remove(&self, namespace: &str, name: &str) {
        let mut namespaces = self.lock();
        if let Some(names) = namespaces.get_mut(namespace) {
            names.remove(name);
            if names.is_empty() {
                namespaces.remove(namespace);
            }
        }
    }

    /// Tells of none: for a process that no longer leads.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The number of Certificates known.
    pub fn len(&self) -> usize {
        self.lock().values().map(BTreeMap::len).sum()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Namespaces> {
        self.0.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Time = fn(&CertificateState) -> Option<Timestamp>;

const TIMES: [(&str, &str, Time); 3] = [
    ("certificate_not_before_timestamp_seconds", "From when the certificate is valid, in seconds since 1970.", |state| state.starts),
    ("certificate_expiration_timestamp_seconds", "When the certificate expires, in seconds since 1970.", |state| state.expires),
    ("certificate_renewal_timestamp_seconds", "When the certificate will be renewed, in seconds since 1970.", |state| state.renews),
];

impl Collector for CertificateSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let namespaces = self.lock();
        let all = || namespaces.iter().flat_map(|(namespace, names)| names.iter().map(move |(name, state)| (&**namespace, &**name, state)));

        let mut counts = [("False", 0u64), ("True", 0), ("Unknown", 0)];
        for (_, _, state) in all() {
            counts[state.ready as usize].1 += 1;
        }
        let mut family = encoder.encode_descriptor("certificates", "Certificates by their Ready condition.", None, MetricType::Gauge)?;
        for (ready, count) in counts {
            family.encode_family(&[("ready", ready)])?.encode_gauge(&count)?;
        }

        let omitted = all().count().saturating_sub(self.0.limit) as u64;
        let help = "Certificates beyond the limit, without series of their own.";
        encoder.encode_descriptor("certificate_series_omitted", help, None, MetricType::Gauge)?.encode_gauge(&omitted)?;

        let mut family = encoder.encode_descriptor("certificate_ready", "1 where the Certificate is ready.", None, MetricType::Gauge)?;
        for (namespace, name, state) in all().take(self.0.limit) {
            let labels = [
                ("namespace", namespace),
                ("name", name),
                ("issuer_kind", state.issuer_kind),
                ("issuer", &*state.issuer),
                ("reason", &*state.reason),
            ];
            family.encode_family(&labels)?.encode_gauge(&i64::from(state.ready == Readiness::True))?;
        }
        for (name, help, time) in TIMES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (namespace, name, state) in all().take(self.0.limit) {
                if let Some(time) = time(state) {
                    family.encode_family(&[("namespace", namespace), ("name", name)])?.encode_gauge(&time.as_second())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    fn text(series: &CertificateSeries) -> String {
        let mut registry = Registry::with_prefix("chancery");
        registry.register_collector(Box::new(series.clone()));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    fn state(second: i64) -> CertificateState {
        let time = Timestamp::from_second(second).unwrap();
        CertificateState {
            ready: Readiness::True,
            reason: "Ready".into(),
            issuer: "ca".into(),
            expires: Some(time),
            ..CertificateState::default()
        }
    }

    #[test]
    fn each_certificate_has_its_times_and_all_are_counted() {
        let series = CertificateSeries::new(10);
        series.set("team", "web", state(4_000_000_000));
        series.set("team", "new", CertificateState::default());
        let text = text(&series);
        assert!(text.contains("chancery_certificates{ready=\"True\"} 1\n"), "{text}");
        assert!(text.contains("chancery_certificates{ready=\"Unknown\"} 1\n"));
        let line = "chancery_certificate_expiration_timestamp_seconds{namespace=\"team\",name=\"web\"} 4000000000\n";
        assert!(text.contains(line), "{text}");
        let line = "chancery_certificate_ready{namespace=\"team\",name=\"web\",issuer_kind=\"\",issuer=\"ca\",reason=\"Ready\"} 1\n";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("timestamp_seconds{namespace=\"team\",name=\"new\""));
    }

    #[test]
    fn beyond_the_limit_certificates_are_counted_and_said_to_be_missing() {
        let series = CertificateSeries::new(3);
        for number in 0..10 {
            series.set("team", &format!("web-{number}"), state(1));
        }
        let text = text(&series);
        assert_eq!(text.matches("expiration_timestamp_seconds{namespace=\"team\",name=\"web-").count(), 3);
        assert_eq!(text.matches("certificate_ready{").count(), 3);
        assert!(text.contains("chancery_certificate_series_omitted 7\n"));
        assert!(text.contains("chancery_certificates{ready=\"True\"} 10\n"));
    }

    #[test]
    fn removed_certificates_leave_nothing_behind() {
        let series = CertificateSeries::new(3);
        series.set("team", "web", state(1));
        series.remove("team", "web");
        series.remove("team", "web");
        assert!(series.is_empty());
        series.set("team", "web", state(1));
        series.clear();
        assert_eq!(series.len(), 0);
    }
}
