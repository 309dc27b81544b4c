//! Traces: the spans of what a process does, sent to an OpenTelemetry collector by OTLP over HTTP. Only where that is asked for.
//!
//! Nothing waits for the collector: what it does not take in time is let go, and the log says so once a minute at most. Spans carry
//! kinds, namespaces and names of objects, reasons and durations; never a key, a body or what a certificate is for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Uri;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor},
};
use thiserror::Error;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// How many spans wait at most: some 4 MiB. Beyond that they are let go.
const WAITING: usize = 8192;
/// How many spans are sent at once.
const BATCH: usize = 512;
/// How long spans wait for others to go with them.
const DELAY: Duration = Duration::from_millis(500);
/// How long the collector may take for a batch, further attempts included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what is left may take at the end.
const LAST: Duration = Duration::from_secs(3);
/// How often the log says at most that spans were lost.
const COMPLAINT: Duration = Duration::from_mins(1);

/// What the command line says of traces.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The collector's base URL.
    pub endpoint: String,
    /// Which share of traces is sent, from 0 to 1.
    pub sampling: f64,
    /// `service.name`.
    pub service: &'static str,
    /// `service.instance.id`: the pod or host.
    pub instance: String,
}

/// Traces cannot be sent as they are asked for.
#[derive(Debug, Error)]
pub enum TraceError {
    /// It is no URL of a collector.
    #[error("--otlp-endpoint: {endpoint:?} is no http:// or https:// URL; give the collector's base, such as http://collector:4318")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// It is no share.
    #[error("--otlp-sampling: {0} is no share; give a number from 0 to 1")]
    Sampling(f64),
    /// There is no client for it.
    #[error(
        "--otlp-endpoint: spans cannot be sent: {why}. Where the system has no CA certificates, SSL_CERT_FILE must name a file with those \
         to be trusted, also for http://"
    )]
    Client {
        /// What is missing.
        why: String,
    },
}

/// The traces of a process: what collects them, and what sends them.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    exporter: SpanExporter,
    outbox: mpsc::Receiver<SpanData>,
    lost: Arc<AtomicU64>,
}

impl Traces {
    /// Spans of this process are collected from when its logs are set up, and wait for [`Traces::send`]. TLS is that of the provider
    /// which the process has installed. `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES` are heeded.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: &TraceSettings) -> Result<Self, TraceError> {
        let ratio = settings.sampling;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(TraceError::Sampling(ratio));
        }
        let resource = Resource::builder()
            .with_attributes([
                KeyValue::new("service.name", settings.service),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", settings.instance.clone()),
            ])
            .build();
        let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_timeout(PATIENCE);
        let mut exporter = builder.with_endpoint(traces_url(&settings.endpoint)?).build().map_err(client_error)?;
        exporter.set_resource(&resource);
        let (sender, outbox) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_span_processor(Collector { sender, lost: Arc::clone(&lost) })
            .build();
        Ok(Self { provider, exporter, outbox, lost })
    }

    /// Turns our spans, and nobody else's, into those that are sent. Log lines are no part of them: they say more than a trace may.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let ours = |metadata: &tracing::Metadata<'_>| metadata.is_span() && metadata.target().starts_with("chancery");
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("chancery"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what was collected, until `end`; then what is left, within a few seconds.
    pub async fn send(mut self, end: CancellationToken) {
        let mut complained = None;
        while !end.is_cancelled() {
            tokio::select! {
                () = end.cancelled() => {}
                () = sleep(DELAY) => {}
            }
            // After a failure a pause, in which the next ones wait.
            while !end.is_cancelled()
                && let Some(batch) = self.batch()
                && self.export(batch).await
            {}
            self.complain(&mut complained);
        }
        let last = async {
            while let Some(batch) = self.batch() {
                self.export(batch).await;
            }
        };
        let _ = timeout(LAST, last).await;
        self.complain(&mut None);
    }

    /// The next spans that wait.
    fn batch(&mut self) -> Option<Vec<SpanData>> {
        let waiting: Vec<_> = std::iter::from_fn(|| self.outbox.try_recv().ok()).take(BATCH).collect();
        (!waiting.is_empty()).then_some(waiting)
    }

    /// Whether the collector took them. They are not kept for another attempt: they would keep the rest from one that comes back.
    async fn export(&self, batch: Vec<SpanData>) -> bool {
        let spans = batch.len() as u64;
        let sent = timeout(PATIENCE, self.exporter.export(batch)).await;
        let taken = matches!(sent, Ok(Ok(())));
        if !taken {
            tracing::debug!(outcome = ?sent, spans, "spans were not sent");
            self.lost.fetch_add(spans, Ordering::Relaxed);
        }
        taken
    }

    fn complain(&self, last: &mut Option<Instant>) {
        if last.is_some_and(|last| last.elapsed() < COMPLAINT) {
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(spans = lost, "the collector of traces does not take them: they are lost (see --otlp-endpoint)");
            *last = Some(Instant::now());
        }
    }
}

/// Where spans go, below the base that was given.
fn traces_url(endpoint: &str) -> Result<String, TraceError> {
    let base = endpoint.trim_end_matches('/');
    let uri = base.parse::<Uri>().ok();
    if !uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())) {
        return Err(TraceError::Endpoint { endpoint: endpoint.to_owned() });
    }
    Ok(if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in a map_err")]
fn client_error(error: opentelemetry_otlp::ExporterBuildError) -> TraceError {
    TraceError::Client { why: error.to_string() }
}

/// Puts spans that have ended where they are sent from, and waits for nothing.
#[derive(Debug)]
struct Collector {
    sender: mpsc::Sender<SpanData>,
    lost: Arc<AtomicU64>,
}

impl SpanProcessor for Collector {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_the_base_that_is_given() {
        for (given, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
            ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ] {
            assert_eq!(traces_url(given).unwrap(), url);
        }
    }

    #[test]
    fn what_is_no_url_or_no_share_is_refused_and_said_how_it_is_right() {
        for endpoint in ["collector:4318", "grpc://collector:4317", "/v1/traces", "http://"] {
            let error = traces_url(endpoint).unwrap_err().to_string();
            assert!(error.starts_with("--otlp-endpoint: ") && error.contains("http://collector:4318"), "{error}");
        }
        let settings =
            TraceSettings { endpoint: "http://collector:4318".to_owned(), sampling: 1.5, service: "test", instance: "test".to_owned() };
        let error = Traces::new(&settings).unwrap_err().to_string();
        assert_eq!(error, "--otlp-sampling: 1.5 is no share; give a number from 0 to 1");
    }

    #[test]
    fn what_is_collected_are_spans_of_ours_as_far_as_they_are_sampled() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let collected = |sampling: f64| {
            let endpoint = "http://collector:4318".to_owned();
            let mut traces = Traces::new(&TraceSettings { endpoint, sampling, service: "test", instance: "test".to_owned() }).unwrap();
            tracing::subscriber::with_default(tracing_subscriber::registry().with(traces.layer()), || {
                tracing::debug_span!("outer", name = "web").in_scope(|| {
                    tracing::info!(subject = "CN=hunter2", "issued");
                    tracing::debug_span!("inner").in_scope(|| {});
                    tracing::debug_span!(target: "kube_client::client", "another's").in_scope(|| {});
                });
            });
            traces.batch().unwrap_or_default()
        };
        let spans = collected(1.0);
        let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["inner", "outer"]);
        assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
        assert!(!format!("{spans:?}").contains("hunter2"));
        assert!(collected(0.0).is_empty());
    }
}
