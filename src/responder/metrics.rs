//! What a responder tells of itself. All names begin with `chancery_`; labels are few, and authorities are as few as lists.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chancery_pki::OcspRefusal;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, text},
    metrics::{MetricType, counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::served::{Authority, Served};
use crate::plan::renewal::{BACKDATE, add};
use crate::telemetry::{BUILD_HELP, SECONDS, build_info};

/// Handles to all metrics; clones count into the same ones.
#[derive(Clone, Debug)]
pub struct ResponderMetrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    registry: Registry,
    sample: Sampled,
    answers: Family<StatusLabel, Counter>,
    signatures: Family<KindLabel, Counter>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
}

/// Why an OCSP answer was signed.
#[derive(Clone, Copy, Debug)]
pub enum Signature {
    /// To be kept and given to all who ask.
    Kept,
    /// For one request: it has a nonce, is about several certificates, or about one that is not on record.
    Once,
}

/// What is looked at when somebody scrapes.
#[derive(Debug)]
pub struct Sample {
    /// What is served.
    pub served: Arc<Served>,
    /// For how long nothing was heard of the API server.
    pub silence: Option<Duration>,
    /// How far our clock is ahead of the API server's, once that is known.
    pub skew: Option<SignedDuration>,
    /// The time.
    pub now: Timestamp,
}

/// Name, help, and the value for an authority.
type Gauge<'a> = (&'a str, &'a str, &'a dyn Fn(&Authority) -> Option<f64>);

type Look = Box<dyn Fn() -> Sample + Send + Sync>;

#[derive(Clone, Default)]
struct Sampled(Arc<OnceLock<Look>>);

impl fmt::Debug for Sampled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sampled")
    }
}

impl ResponderMetrics {
    /// New metrics, all zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let (answers, requests) = (Family::<StatusLabel, Counter>::default(), Family::<RequestLabels, Counter>::default());
        let signatures = Family::default();
        registry.register("ocsp_answers", "OCSP answers by what they say of a certificate, or why they say nothing", answers.clone());
        registry.register("ocsp_signatures", "OCSP answers signed, to be kept or for one request", signatures.clone());
        registry.register("http_requests", "Requests by what was asked for and HTTP status", requests.clone());
        let seconds = Family::<_, _, fn() -> Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register("http_request_duration_seconds", "From a request's head to its answer", seconds.clone());
        registry.register("build", BUILD_HELP, build_info("responder"));
        let sample = Sampled::default();
        registry.register_collector(Box::new(sample.clone()));
        // Alerts ask for their increase: of a series that begins with 1, that 1 is no increase.
        drop(answers.get_or_create(&StatusLabel { status: OcspRefusal::TryLater.as_str() }));
        for route in ["crl", "delta", "ca", "ocsp", "other"] {
            drop(requests.get_or_create(&RequestLabels { route, code: 503 }));
        }
        Self(Arc::new(Families { registry, sample, answers, signatures, requests, seconds }))
    }

    /// Has this looked at in each scrape; the first one given counts.
    pub fn look_at(&self, look: impl Fn() -> Sample + Send + Sync + 'static) {
        let _ = self.0.sample.0.set(Box::new(look));
    }

    /// Counts what is said of one certificate, or a refusal.
    pub fn answer(&self, status: &'static str) {
        self.0.answers.get_or_create(&StatusLabel { status }).inc();
    }

    /// Counts a signature.
    pub fn signature(&self, signature: Signature) {
        let kind = match signature {
            Signature::Kept => "kept",
            Signature::Once => "once",
        };
        self.0.signatures.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts a request, and how long its answer took.
    pub fn request(&self, route: &'static str, code: u16, took: Duration) {
        self.0.requests.get_or_create(&RequestLabels { route, code }).inc();
        self.0.seconds.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
    }

    /// The metrics in the OpenMetrics text format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for ResponderMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(Sample { served, silence, skew, now }) = self.0.get().map(|look| look()) else { return Ok(()) };
        let help = "What is not as it should be, as /troubles tells: 0 where all is well.";
        let troubles = served.troubles(silence, now).len() as u64;
        encoder.encode_descriptor("responder_troubles", help, None, MetricType::Gauge)?.encode_gauge(&troubles)?;
        if let Some(skew) = skew {
            let help = "Our clock minus the API server's.";
            encoder.encode_descriptor("clock_skew_seconds", help, None, MetricType::Gauge)?.encode_gauge(&skew.as_secs_f64())?;
        }
        if let Some(silence) = silence {
            let help = "For how long nothing was heard of the API server.";
            encoder.encode_descriptor("watch_silence_seconds", help, None, MetricType::Gauge)?.encode_gauge(&silence.as_secs_f64())?;
        }
        let mut authorities: Vec<_> = served.authorities.iter().map(|(key, authority)| (key.to_string(), authority)).collect();
        authorities.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let since = |time: Timestamp| now.duration_since(time).as_secs_f64();
        let gauges: [Gauge<'_>; 8] = [
            ("served_list_age_seconds", "The time since thisUpdate of the authority's oldest list.", &|authority| {
                listed(authority, |crl| crl.crl.this_update()).min().map(since)
            }),
            ("served_list_left_seconds", "The time to nextUpdate of the authority's list that ends first.", &|authority| {
                listed(authority, |crl| crl.next_update).min().map(|end| -since(end))
            }),
            ("served_list_refresh_left_seconds", "The time to when the authority's oldest list is to be replaced.", &|authority| {
                let refresh = authority.shelf.head.settings.refresh;
                listed(authority, |crl| crl.crl.this_update()).min().map(|made| -since(add(add(made, BACKDATE), refresh)))
            }),
            ("served_list_entries", "Entries of the authority's lists.", &|authority| {
                Some(count(listed(authority, |crl| crl.crl.len()).sum()))
            }),
            ("served_list_bytes", "Octets of the authority's lists.", &|authority| {
                Some(count(listed(authority, |crl| crl.crl.as_der().len()).sum()))
            }),
            ("served_list_refused", "1 while a newer list of the authority is not served.", &|authority| {
                Some(if authority.shelf.refused.is_some() { 1.0 } else { 0.0 })
            }),
            ("followed_register_broken", "1 while the authority's register does not hold together.", &|authority| {
                Some(if authority.register_fault.is_some() { 1.0 } else { 0.0 })
            }),
            ("ocsp_delegate_left_seconds", "The time to the end of the certificate that OCSP answers are signed with.", &|authority| {
                authority.delegate.as_ref().ok().map(|delegate| -since(delegate.certificate.not_after()))
            }),
        ];
        for (name, help, value) in gauges {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (key, authority) in &authorities {
                if let Some(value) = value(authority) {
                    metric.encode_family(&[("authority", key.as_str())])?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }
}

fn listed<T>(authority: &Authority, value: impl Fn(&super::shelf::Listed) -> T) -> impl Iterator<Item = T> {
    authority.shelf.shards.values().map(move |pair| value(&pair.full))
}

#[expect(clippy::cast_precision_loss, reason = "2^53 octets do not fit into memory")]
fn count(number: usize) -> f64 {
    number as f64
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    route: &'static str,
    code: u16,
}

#[test]
fn what_alerts_count_begins_at_nothing() {
    let text = ResponderMetrics::new().encode().unwrap();
    for line in [
        "chancery_ocsp_answers_total{status=\"tryLater\"} 0",
        "chancery_http_requests_total{route=\"crl\",code=\"503\"} 0",
        "chancery_http_requests_total{route=\"ocsp\",code=\"503\"} 0",
    ] {
        assert!(text.lines().any(|other| other == line), "no {line} in\n{text}");
    }
}
