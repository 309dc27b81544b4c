//! Which metrics there are: their names, their help, their labels and their buckets.
//!
//! Names and labels are what dashboards and alerts are written against; when something is counted is not said here.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::telemetry::{certificates::CertificateSeries, lists::ListSeries, sampled::Sampled};

/// All metrics of the operator's process.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) registry: Registry,
    pub(super) certificates: CertificateSeries,
    pub(super) lists: ListSeries,
    pub(super) publications: Counter,
    pub(super) published_lists: Counter,
    pub(super) published_bytes: Counter,
    pub(super) publication_seconds: Histogram,
    pub(super) publication_delay: Histogram,
    pub(super) guard_trips: Counter,
    pub(super) rollbacks: Counter,
    pub(super) sampled: Sampled,
    pub(super) issuances: Family<IssuanceLabels, Counter>,
    pub(super) issuance_seconds: Family<IssuerLabel, Histogram>,
    pub(super) reconciles: Family<ControllerLabel, Counter>,
    pub(super) reconcile_seconds: Family<ControllerLabel, Histogram>,
    pub(super) reconcile_errors: Family<ErrorLabels, Counter>,
    pub(super) api_calls: Family<CallLabels, Counter>,
    pub(super) api_conflicts: Family<ResourceLabel, Counter>,
    pub(super) api_warnings: Family<RequestLabels, Counter>,
    pub(super) register_appends: Family<OutcomeLabel, Counter>,
    pub(super) register_lines: Counter,
    pub(super) register_bytes: Counter,
    pub(super) register_batch: Histogram,
    pub(super) register_seals: Counter,
    pub(super) register_seconds: Histogram,
    pub(super) events: Family<OutcomeLabel, Counter>,
    pub(super) leader: Gauge,
    pub(super) clock_skew: Gauge<f64, AtomicU64>,
}

impl Families {
    /// All zero. At most `certificate_series` Certificates get series of their own.
    pub(super) fn new(certificate_series: usize) -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let r = &mut registry;
        let certificates = CertificateSeries::new(certificate_series);
        let sampled = Sampled::default();
        let lists = ListSeries::default();
        r.register("build", BUILD_HELP, build_info("controller"));
        let families = Self {
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
        let families = Self { registry, ..families };
        families.begin();
        families
    }

    /// Begins what alerts ask for the increase of at 0: of a series that begins with 1, that 1 is no increase.
    fn begin(&self) {
        for outcome in ["succeeded", "conflict", "failed"] {
            drop(self.register_appends.get_or_create(&OutcomeLabel { outcome }));
        }
        for controller in ["certificate", "issuer", "list"] {
            for class in ["failed", "unavailable"] {
                drop(self.reconcile_errors.get_or_create(&ErrorLabels { controller, class }));
            }
        }
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
pub(super) struct IssuanceLabels {
    pub(super) issuer_kind: &'static str,
    pub(super) reason: &'static str,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct IssuerLabel {
    pub(super) issuer_kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ControllerLabel {
    pub(super) controller: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ErrorLabels {
    pub(super) controller: &'static str,
    pub(super) class: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct CallLabels {
    pub(super) verb: &'static str,
    pub(super) resource: String,
    pub(super) code: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct RequestLabels {
    pub(super) verb: &'static str,
    pub(super) resource: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ResourceLabel {
    pub(super) resource: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
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
