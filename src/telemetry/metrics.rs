//! The process's metrics, as typed handles. All names begin with `chancery_`.
//!
//! Labels are few and bounded: kinds, reasons, verbs. Only [`CertificateSeries`], [`ListSeries`] and what is looked at in each scrape
//! name objects, within limits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::SignedDuration;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{
    certificates::CertificateSeries,
    lists::{ListSeries, Publication},
    sampled::{Holdings, QueueGauge, Sampled},
};
use crate::cluster::Limiter;

/// Handles to all metrics; clones count into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Families>);

#[derive(Debug)]
struct Families {
    registry: Registry,
    certificates: CertificateSeries,
    lists: ListSeries,
    publications: Counter,
    published_lists: Counter,
    published_bytes: Counter,
    publication_seconds: Histogram,
    publication_delay: Histogram,
    guard_trips: Counter,
    rollbacks: Counter,
    sampled: Sampled,
    issuances: Family<IssuanceLabels, Counter>,
    issuance_seconds: Family<IssuerLabel, Histogram>,
    reconciles: Family<ControllerLabel, Counter>,
    reconcile_seconds: Family<ControllerLabel, Histogram>,
    reconcile_errors: Family<ErrorLabels, Counter>,
    api_calls: Family<CallLabels, Counter>,
    api_conflicts: Family<ResourceLabel, Counter>,
    api_warnings: Family<RequestLabels, Counter>,
    register_appends: Family<OutcomeLabel, Counter>,
    register_lines: Counter,
    register_bytes: Counter,
    register_batch: Histogram,
    register_seals: Counter,
    register_seconds: Histogram,
    events: Family<OutcomeLabel, Counter>,
    leader: Gauge,
    clock_skew: Gauge<f64, AtomicU64>,
}

/// One attempt at a certificate, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Issuance {
    /// `selfSigned`, `ca`, ...
    pub issuer_kind: &'static str,
    /// Why there was one: `Created`, `Renewal`, ...
    pub reason: &'static str,
    /// `issued`, `refused`, `failed`.
    pub outcome: &'static str,
    /// From the decision to the Secret's write.
    pub took: Duration,
}

/// One write to a register, shared by all that waited for it.
#[derive(Clone, Copy, Debug)]
pub struct Append {
    /// The number of lines.
    pub lines: usize,
    /// Their length.
    pub bytes: usize,
    /// From the first request to the server's answer.
    pub took: Duration,
}

impl Metrics {
    /// New metrics, all zero. At most `certificate_series` Certificates get series of their own.
    pub fn new(certificate_series: usize) -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let r = &mut registry;
        let certificates = CertificateSeries::new(certificate_series);
        let sampled = Sampled::default();
        let lists = ListSeries::default();
        r.register("build", BUILD_HELP, build_info("controller"));
        let families = Families {
            issuances: family(r, "issuances", "Attempts at a certificate by kind of issuer, reason and outcome"),
            issuance_seconds: seconds(r, "issuance_duration_seconds", "From the decision to issue to the Secret's write"),
            reconciles: family(r, "reconciles", "Reconciles by controller"),
            reconcile_seconds: seconds(r, "reconcile_duration_seconds", "The time a reconcile took"),
            reconcile_errors: family(r, "reconcile_errors", "Reconciles that failed, by class of error"),
            api_calls: family(r, "api_calls", "Calls to the API server by verb, resource and HTTP status"),
            api_conflicts: family(r, "api_conflicts", "Writes that met another version of the object (HTTP 409)"),
            api_warnings: family(r, "api_warnings", "Warnings in answers of the API server; the log has their texts"),
            register_appends: family(r, "register_appends", "Writes to registers: that stand, that met another's, that were given up"),
            register_lines: one(r, "register_lines", "Lines written to registers", Counter::default()),
            register_seals: one(r, "register_seals", "Segments of registers sealed", Counter::default()),
            register_bytes: one(r, "register_bytes", "Bytes written to registers", Counter::default()),
            register_batch: {
                let sizes = Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
                one(r, "register_batch_lines", "Lines that shared one write", sizes)
            },
            register_seconds: one(r, "register_append_duration_seconds", "From the request to the standing line", Histogram::new(SECONDS)),
            events: family(r, "events", "Events posted, failed and dropped"),
            leader: one(r, "leader", "1 while this process holds the lease", Gauge::default()),
            clock_skew: one(r, "clock_skew_seconds", "Our clock minus the API server's", Gauge::default()),
            publications: one(r, "publications", "Publications of revocation lists", Counter::default()),
            published_lists: one(r, "published_lists", "Revocation lists published, deltas included", Counter::default()),
            published_bytes: one(r, "published_bytes", "Octets written for revocation lists", Counter::default()),
            publication_seconds: one(r, "publication_build_seconds", "Building, signing and checking lists", Histogram::new(SECONDS)),
            publication_delay: {
                let delays = Histogram::new([0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0]);
                one(r, "revocation_publication_seconds", "From a revocation to the published list", delays)
            },
            guard_trips: one(r, "publication_guard_trips", "Lists that were made and not fit to be published", Counter::default()),
            rollbacks: one(r, "publication_rollbacks", "Looks that found a register older than what was published", Counter::default()),
            certificates: certificates.clone(),
            lists: lists.clone(),
            sampled: sampled.clone(),
            registry: Registry::default(),
        };
        registry.register_collector(Box::new(certificates));
        registry.register_collector(Box::new(lists));
        registry.register_collector(Box::new(sampled));
        Self(Arc::new(Families { registry, ..families }))
    }

    /// The series of single Certificates.
    pub fn certificates(&self) -> &CertificateSeries {
        &self.0.certificates
    }

    /// The series of single RevocationLists.
    pub fn lists(&self) -> &ListSeries {
        &self.0.lists
    }

    /// Counts one publication of lists.
    pub fn published(&self, publication: &Publication) {
        self.0.publications.inc();
        self.0.published_lists.inc_by(publication.lists as u64);
        self.0.published_bytes.inc_by(publication.bytes);
        self.0.publication_seconds.observe(publication.took.as_secs_f64());
        publication.delays.iter().for_each(|delay| self.0.publication_delay.observe(*delay));
    }

    /// Counts a list that was made and was not fit to be published.
    pub fn guard_tripped(&self) {
        self.0.guard_trips.inc();
    }

    /// Counts a look that found a register older than what was published.
    pub fn rolled_back(&self) {
        self.0.rollbacks.inc();
    }

    /// Counts one attempt at a certificate.
    pub fn issuance(&self, issuance: Issuance) {
        let Issuance { issuer_kind, reason, outcome, took } = issuance;
        self.0.issuances.get_or_create(&IssuanceLabels { issuer_kind, reason, outcome }).inc();
        self.0.issuance_seconds.get_or_create(&IssuerLabel { issuer_kind }).observe(took.as_secs_f64());
    }

    /// Counts one reconcile, and its class of error where it failed.
    pub fn reconcile(&self, controller: &'static str, took: Duration, error_class: Option<&'static str>) {
        self.0.reconciles.get_or_create(&ControllerLabel { controller }).inc();
        self.0.reconcile_seconds.get_or_create(&ControllerLabel { controller }).observe(took.as_secs_f64());
        if let Some(class) = error_class {
            self.0.reconcile_errors.get_or_create(&ErrorLabels { controller, class }).inc();
        }
    }

    /// Counts one call to the API server; `code` is the HTTP status, `timeout` or `error`.
    pub fn api_call(&self, verb: &'static str, resource: String, code: String) {
        if code == "409" {
            self.0.api_conflicts.get_or_create(&ResourceLabel { resource: resource.clone() }).inc();
        }
        self.0.api_calls.get_or_create(&CallLabels { verb, resource, code }).inc();
    }

    /// Counts one warning of the API server.
    pub fn api_warning(&self, verb: &'static str, resource: String) {
        self.0.api_warnings.get_or_create(&RequestLabels { verb, resource }).inc();
    }

    /// Counts one write to a register.
    pub fn register_append(&self, append: Append) {
        self.0.register_appends.get_or_create(&OutcomeLabel { outcome: "succeeded" }).inc();
        self.0.register_lines.inc_by(append.lines as u64);
        self.0.register_bytes.inc_by(append.bytes as u64);
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most some hundred lines")]
        self.0.register_batch.observe(append.lines as f64);
        self.0.register_seconds.observe(append.took.as_secs_f64());
    }

    /// Counts a write to a register that another writer was ahead of: it is tried again.
    pub fn register_conflict(&self) {
        self.0.register_appends.get_or_create(&OutcomeLabel { outcome: "conflict" }).inc();
    }

    /// Counts lines that could not be written: those who waited for them go on without.
    pub fn register_failure(&self) {
        self.0.register_appends.get_or_create(&OutcomeLabel { outcome: "failed" }).inc();
    }

    /// Counts one sealed segment of a register.
    pub fn register_sealed(&self) {
        self.0.register_seals.inc();
    }

    /// Counts Events by what became of them: `posted`, `failed`, `dropped`.
    pub fn events(&self, outcome: &'static str, number: u64) {
        self.0.events.get_or_create(&OutcomeLabel { outcome }).inc_by(number);
    }

    /// Says whether this process leads.
    pub fn leader(&self, leading: bool) {
        self.0.leader.set(leading.into());
    }

    /// Says how far our clock is ahead of the API server's.
    pub fn clock_skew(&self, skew: SignedDuration) {
        self.0.clock_skew.set(skew.as_secs_f64());
    }

    /// Has a queue looked at in each scrape, under this name.
    pub fn watch_queue(&self, name: &'static str, queue: Arc<dyn QueueGauge>) {
        self.0.sampled.watch_queue(name, queue);
    }

    /// Has the limit on requests looked at in each scrape; the last one given counts.
    pub fn watch_limiter(&self, limiter: Limiter) {
        self.0.sampled.watch_limiter(limiter);
    }

    /// Has issuers and registers looked at in each scrape; the last one given counts.
    pub fn watch_holdings(&self, look: impl Fn() -> Holdings + Send + Sync + 'static) {
        self.0.sampled.watch_holdings(Box::new(look));
    }

    /// The metrics in the OpenMetrics text format, [`Metrics::CONTENT_TYPE`].
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// The media type of [`Metrics::encode`].
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Default for Metrics {
    /// Series for 10,000 Certificates.
    fn default() -> Self {
        Self::new(10_000)
    }
}

/// What `chancery_build_info` says.
pub(crate) const BUILD_HELP: &str = "The version of this process";

/// A metric whose labels are the version, and which of the two processes this is.
pub(crate) fn build_info(component: &'static str) -> Info<[(&'static str, &'static str); 2]> {
    Info::new([("version", env!("CARGO_PKG_VERSION")), ("component", component)])
}

/// From a millisecond to a minute.
pub(crate) const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuanceLabels {
    issuer_kind: &'static str,
    reason: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuerLabel {
    issuer_kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ControllerLabel {
    controller: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ErrorLabels {
    controller: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CallLabels {
    verb: &'static str,
    resource: String,
    code: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    verb: &'static str,
    resource: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ResourceLabel {
    resource: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OutcomeLabel {
    outcome: &'static str,
}

fn family<S>(registry: &mut Registry, name: &str, help: &str) -> Family<S, Counter>
where
    S: EncodeLabelSet + Clone + fmt::Debug + Eq + std::hash::Hash + Send + Sync + 'static,
{
    one(registry, name, help, Family::default())
}

fn seconds<S>(registry: &mut Registry, name: &str, help: &str) -> Family<S, Histogram>
where
    S: EncodeLabelSet + Clone + fmt::Debug + Eq + std::hash::Hash + Send + Sync + 'static,
{
    one(registry, name, help, Family::new_with_constructor(|| Histogram::new(SECONDS)))
}

fn one<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still;

    impl QueueGauge for Still {
        fn depth(&self) -> (usize, usize, usize) {
            (1, 2, 3)
        }

        fn oldest_waiting(&self) -> Duration {
            Duration::from_millis(1500)
        }
    }

    #[test]
    fn everything_has_our_prefix_and_counts_what_it_says() {
        let metrics = Metrics::new(10);
        let took = Duration::from_millis(20);
        metrics.issuance(Issuance { issuer_kind: "ca", reason: "Created", outcome: "issued", took });
        metrics.reconcile("certificate", took, Some("Conflict"));
        metrics.api_call("update", "secrets".to_owned(), "409".to_owned());
        metrics.register_append(Append { lines: 3, bytes: 900, took });
        metrics.register_conflict();
        metrics.register_failure();
        metrics.events("dropped", 2);
        metrics.leader(true);
        metrics.clock_skew(SignedDuration::from_secs(-3));
        metrics.watch_queue("certificates", Arc::new(Still));
        metrics.watch_limiter(Limiter::new(16));
        let text = metrics.encode().unwrap();
        for line in [
            "chancery_issuances_total{issuer_kind=\"ca\",reason=\"Created\",outcome=\"issued\"} 1",
            "chancery_issuance_duration_seconds_count{issuer_kind=\"ca\"} 1",
            "chancery_reconciles_total{controller=\"certificate\"} 1",
            "chancery_reconcile_errors_total{controller=\"certificate\",class=\"Conflict\"} 1",
            "chancery_api_calls_total{verb=\"update\",resource=\"secrets\",code=\"409\"} 1",
            "chancery_api_conflicts_total{resource=\"secrets\"} 1",
            "chancery_register_appends_total{outcome=\"succeeded\"} 1",
            "chancery_register_appends_total{outcome=\"conflict\"} 1",
            "chancery_register_appends_total{outcome=\"failed\"} 1",
            "chancery_register_lines_total 3",
            "chancery_register_bytes_total 900",
            "chancery_register_batch_lines_sum 3.0",
            "chancery_events_total{outcome=\"dropped\"} 2",
            "chancery_leader 1",
            "chancery_clock_skew_seconds -3.0",
            "chancery_queue_depth{queue=\"certificates\",state=\"delayed\"} 2",
            "chancery_queue_oldest_waiting_seconds{queue=\"certificates\"} 1.5",
            "chancery_api_calls_in_flight 0",
            "chancery_api_calls_limit 16",
            concat!("chancery_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\",component=\"controller\"} 1"),
        ] {
            assert!(text.lines().any(|other| other == line), "no {line} in\n{text}");
        }
        let names = text.lines().filter(|line| !line.starts_with('#'));
        assert!(names.clone().all(|line| line.starts_with("chancery_")), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
