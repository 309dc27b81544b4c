//! The process's metrics, as typed handles. All names begin with `chancery_`.
//!
//! Labels are few and bounded: kinds, reasons, verbs. Only [`CertificateSeries`], [`ListSeries`] and what is looked at in each scrape
//! name objects, within limits.

mod families;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use prometheus_client::encoding::text;

use super::{
    certificates::CertificateSeries,
    lists::{ListSeries, Publication},
    sampled::{Holdings, QueueGauge},
};
use crate::cluster::Limiter;
use families::{
    CallLabels, ControllerLabel, ErrorLabels, Families, IssuanceLabels, IssuerLabel, OutcomeLabel, RequestLabels, ResourceLabel,
};

pub(crate) use families::{BUILD_HELP, SECONDS, build_info};

/// Handles to all metrics; clones count into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Families>);

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
        Self(Arc::new(Families::new(certificate_series)))
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
    fn what_alerts_count_begins_at_nothing() {
        let text = Metrics::new(1).encode().unwrap();
        for line in [
            "chancery_register_appends_total{outcome=\"succeeded\"} 0",
            "chancery_register_appends_total{outcome=\"conflict\"} 0",
            "chancery_register_appends_total{outcome=\"failed\"} 0",
            "chancery_reconcile_errors_total{controller=\"certificate\",class=\"failed\"} 0",
            "chancery_reconcile_errors_total{controller=\"issuer\",class=\"failed\"} 0",
            "chancery_reconcile_errors_total{controller=\"list\",class=\"unavailable\"} 0",
            "chancery_publication_guard_trips_total 0",
            "chancery_publication_rollbacks_total 0",
        ] {
            assert!(text.lines().any(|other| other == line), "no {line} in\n{text}");
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
