//! The command line of `chancery`.

use std::{io::Write as _, net::SocketAddr, num::NonZero, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use chancery::{
    api::{GoDuration, crds, names},
    cluster::SystemClock,
    controllers::{self, Settings},
    lease::Terms,
    responder,
    telemetry::{LogFormat, TraceSettings, Traces, init_logs},
};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Manages X.509 certificates in a Kubernetes cluster, over their whole life.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issues, renews and registers certificates: all reconciling. Any number of replicas, one leads.
    Controller(Box<Controller>),
    /// Serves revocation lists, OCSP answers and CA certificates over HTTP. Any number of replicas; it holds no CA's key.
    Responder(Responder),
    /// Prints the CustomResourceDefinitions.
    Crds,
}

#[derive(Args, Debug)]
struct Controller {
    /// The operator's own namespace: ClusterIssuers' Secrets, the registers and the lease are in it.
    #[arg(long, env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE)]
    cluster_resource_namespace: String,
    /// Watch this namespace only (repeatable). ClusterIssuers are not served then.
    #[arg(long, value_name = "NAMESPACE")]
    watch_namespace: Vec<String>,
    /// Leave this namespace to another operator (repeatable).
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "watch_namespace")]
    exclude_namespace: Vec<String>,
    /// The name of the Lease that decides which replica leads.
    #[arg(long, default_value = "chancery-controller")]
    lease_name: String,
    /// How long the other replicas wait after the leader's last sign of life.
    #[arg(long, default_value = "15s", value_parser = lease_duration)]
    lease_duration: Duration,
    /// Where /livez, /readyz and /metrics are served. [::] is all addresses, of IPv6 and IPv4.
    #[arg(long, default_value = "[::]:9402")]
    http_address: SocketAddr,
    /// How long after a change at the latest there is a signed checkpoint of the registers, 1s or more; 0s for none.
    #[arg(long, default_value = "10m", value_parser = interval)]
    checkpoint_interval: Duration,
    /// How many Certificates get metrics of their own.
    #[arg(long, default_value_t = 10_000)]
    metrics_certificates: usize,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// A level (error, warn, info, debug, trace), or directives such as `info,chancery::lease=debug`.
    #[arg(long, default_value = "info")]
    log_level: String,
    #[command(flatten)]
    tracing: Tracing,
}

#[derive(Args, Debug)]
struct Tracing {
    /// Send traces to the OpenTelemetry collector at this URL, by OTLP over HTTP: its base, such as `http://collector:4318`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Which share of traces is sent, from 0 to 1.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0)]
    otlp_sampling: f64,
}

impl Tracing {
    /// The traces of a process, where they are wanted.
    fn begin(self, service: &'static str) -> anyhow::Result<Option<Traces>> {
        let Some(endpoint) = self.otlp_endpoint.filter(|endpoint| !endpoint.is_empty()) else { return Ok(None) };
        let settings = TraceSettings { endpoint, sampling: self.otlp_sampling, service, instance: host() };
        Ok(Some(Traces::new(&settings)?))
    }
}

#[derive(Args, Debug)]
struct Responder {
    /// The operator's own namespace: the registers, the lists and the keys that sign OCSP answers are in it.
    #[arg(long, env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE)]
    cluster_resource_namespace: String,
    /// Where lists, OCSP and certificates are served. [::] is all addresses, of IPv6 and IPv4.
    #[arg(long, default_value = "[::]:8080")]
    http_address: SocketAddr,
    /// Where /livez, /readyz, /troubles and /metrics are served. [::] is all addresses, of IPv6 and IPv4.
    #[arg(long, default_value = "[::]:9403")]
    health_address: SocketAddr,
    /// How many OCSP answers a second are signed for one request alone: those with a nonce, about several certificates, or
    /// about one that is not on record. Beyond it a nonce is left out, and the others are to come later.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    signatures_per_second: u32,
    /// How many MiB of signed OCSP answers are kept.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    kept_answers: u16,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// A level (error, warn, info, debug, trace), or directives such as `info,chancery::responder=debug`.
    #[arg(long, default_value = "info")]
    log_level: String,
    #[command(flatten)]
    tracing: Tracing,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for all of TLS, before anything asks for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match cli.command {
        Command::Controller(controller) => control(*controller),
        Command::Responder(responder) => respond(responder),
        Command::Crds => print_crds(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "chancery: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_crds() -> anyhow::Result<()> {
    let text = crds::render().context("the definitions cannot be written")?;
    std::io::stdout().write_all(text.as_bytes()).context("standard output cannot be written")
}

fn control(controller: Controller) -> anyhow::Result<()> {
    let traces = controller.tracing.begin("chancery-controller")?;
    init_logs(controller.log_format, &controller.log_level, traces.as_ref()).context("--log-level")?;
    until_signalled(traces, async |stop| {
        let settings = Settings {
            namespace: controller.cluster_resource_namespace,
            watch: controller.watch_namespace,
            exclude: controller.exclude_namespace,
            lease: controller.lease_name,
            lease_duration: controller.lease_duration,
            http: controller.http_address,
            host: host(),
            checkpoint_interval: controller.checkpoint_interval,
            certificate_series: controller.metrics_certificates,
        };
        Box::pin(controllers::run(settings, Arc::new(SystemClock), stop)).await.map_err(anyhow::Error::from)
    })
}

fn respond(responder: Responder) -> anyhow::Result<()> {
    let traces = responder.tracing.begin("chancery-responder")?;
    init_logs(responder.log_format, &responder.log_level, traces.as_ref()).context("--log-level")?;
    until_signalled(traces, async |stop| {
        let settings = responder::Settings {
            namespace: responder.cluster_resource_namespace,
            http: responder.http_address,
            health: responder.health_address,
            signatures: responder.signatures_per_second,
            kept_bytes: usize::from(responder.kept_answers) * 1024 * 1024,
        };
        responder::run(settings, Arc::new(SystemClock), stop).await.map_err(anyhow::Error::from)
    })
}

/// Runs a program until a signal asks it to end, and sends its traces.
fn until_signalled(traces: Option<Traces>, program: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(blocking_threads())
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        // Watched for from the first moment: a SIGTERM that comes early ends in order too.
        let signals = Signals::watch().context("signals cannot be watched for")?;
        tokio::spawn(signals.obey(stop.clone()));
        let end = CancellationToken::new();
        let sending = traces.map(|traces| tokio::spawn(traces.send(end.clone())));
        let done = program(stop).await;
        end.cancel();
        if let Some(sending) = sending {
            let _ = sending.await;
        }
        done
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The first signal ends in order, the second at once.
    async fn obey(mut self, stop: CancellationToken) {
        self.next().await;
        stop.cancel();
        self.next().await;
        tracing::warn!("asked a second time: ending at once");
        std::process::exit(1);
    }
}

/// One for each processor, since what runs there only computes; one more for the lane of RSA keys, and one for looking up names.
/// The default of 512 lets each of the issuances that are under way start a thread, whose memory stays.
fn blocking_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get) + 2
}

fn host() -> String {
    std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "chancery".to_owned())
}

/// One that a lease can have: what cannot be is told before anything is connected to.
fn lease_duration(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    Terms::new(lease).map(|_| lease).map_err(|error| error.to_string())
}

/// None, or so long that what is done each time does not fill it.
fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        interval if interval.is_zero() || interval >= Duration::from_secs(1) => Ok(interval),
        _ => Err("write 1s or more, or 0s for none".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(duration.get()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_told_otherwise_both_listen_on_all_addresses_of_both_families() {
        let parsed = |command: &str| Cli::try_parse_from(["chancery", command]).unwrap().command;
        let Command::Controller(controller) = parsed("controller") else { panic!("another command") };
        let Command::Responder(responder) = parsed("responder") else { panic!("another command") };
        for address in [controller.http_address, responder.http_address, responder.health_address] {
            assert_eq!(address.ip(), std::net::Ipv6Addr::UNSPECIFIED);
        }
    }
}
