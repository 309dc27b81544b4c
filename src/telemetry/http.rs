//! Plain HTTP within limits; and `/livez`, `/readyz` and `/metrics` over it, for kubelets and Prometheus.
//!
//! Lets no client hold more than one of a limited number of connections for a limited time. What is served is the routes' business.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::health::Health;
use super::listen::listen;
use super::metrics::Metrics;
use super::patient::Patient;

const HEADERS: usize = 64;
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Whoever takes nothing for so long gets nothing more.
const READING_TIME: Duration = Duration::from_secs(20);
/// How long what has begun may take when the process ends.
const GRACE: Duration = Duration::from_secs(5);
/// How long a connection has for its first request while the process ends.
const ASKING_TIME: Duration = Duration::from_secs(1);

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections are served at once; more wait in the kernel's queue.
    pub connections: u32,
    /// The most octets of a request's head, its URL included.
    pub head_bytes: usize,
    /// How long a connection may be used. Then it is closed after the answer that is under way, which has a few seconds.
    pub connection_time: Duration,
}

impl Limits {
    /// For probes and scrapes.
    pub const OPERATIONS: Self = Self { connections: 64, head_bytes: 16 * 1024, connection_time: Duration::from_mins(5) };
}

/// A server that is bound and not yet running.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    routes: Router,
    limits: Limits,
}

impl Server {
    /// Binds `address`, for [`operations`]; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, health: Health, metrics: Metrics) -> Result<Self, ServerError> {
        let ready = health.clone();
        let routes = operations(move || health.live(), move || ready.ready(), move || metrics.encode());
        Self::over(address, routes, Limits::OPERATIONS).await
    }

    /// Binds `address`, for these routes; port 0 takes a free one.
    #[expect(clippy::unused_async, reason = "it needs the runtime that it is awaited in")]
    pub async fn over(address: SocketAddr, routes: Router, limits: Limits) -> Result<Self, ServerError> {
        let failed = |source| ServerError { address, source };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, routes, limits })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then until all that has begun is finished, within a few seconds; who comes meanwhile is answered too.
    pub async fn run(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        let mut end = None;
        loop {
            let (is_idle, has_room) = (connections.is_empty(), connections.len() < self.limits.connections as usize);
            let over = async move { tokio::time::sleep_until(end.unwrap_or_else(Instant::now)).await };
            // In this order: whoever is in the queue is taken from it before the end is found to have come.
            tokio::select! {
                biased;
                () = stop.cancelled(), if end.is_none() => end = Some(Instant::now() + GRACE),
                () = over, if end.is_some() => break,
                Some(_) = connections.join_next(), if !is_idle => {}
                // Beyond the limit clients wait in the kernel's queue.
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, _)) => _ = connections.spawn(serve(stream, self.routes.clone(), self.limits, stop.clone())),
                    Err(error) => {
                        warn!(%error, "could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                () = std::future::ready(()), if end.is_some() && is_idle => break,
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The address cannot be listened on.
#[derive(Debug, Error)]
#[error("could not listen on {address}")]
pub struct ServerError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

async fn serve(stream: TcpStream, routes: Router, limits: Limits, stop: CancellationToken) {
    let begun = Instant::now();
    // Answers are written whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(Patient::new(stream, READING_TIME)), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    let whole = async {
        let ended = async {
            stop.cancelled().await;
            // What came a moment ago was not asked anything yet.
            tokio::time::sleep_until(begun + ASKING_TIME).await;
        };
        tokio::select! {
            end = &mut connection => return end,
            () = ended => {}
            () = tokio::time::sleep(limits.connection_time) => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    match tokio::time::timeout(limits.connection_time + GRACE, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection lasted too long"),
    }
}

/// `/livez` and `/readyz`, each 200 or 503 with a text, and `/metrics` in the format [`Metrics::CONTENT_TYPE`].
pub fn operations(
    live: impl Fn() -> Result<String, String> + Clone + Send + Sync + 'static,
    ready: impl Fn() -> Result<String, String> + Clone + Send + Sync + 'static,
    encode: impl Fn() -> Result<String, fmt::Error> + Clone + Send + Sync + 'static,
) -> Router {
    Router::new()
        .route("/livez", get(async move || probe(live())))
        .route("/readyz", get(async move || probe(ready())))
        .route("/metrics", get(async move || scrape(encode())))
}

fn probe(answer: Result<String, String>) -> Response {
    match answer {
        Ok(text) => (StatusCode::OK, text).into_response(),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text).into_response(),
    }
}

fn scrape(encoded: Result<String, fmt::Error>) -> Response {
    match encoded {
        Ok(text) => ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn fetch(address: SocketAddr, path: &str) -> String {
        exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }

    #[tokio::test(start_paused = true)]
    async fn probes_and_metrics_are_served_until_the_stop() {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let gate = health.gate("certificates");
        let server = Server::bind(([127, 0, 0, 1], 0).into(), health, Metrics::new(10)).await.unwrap();
        let address = server.address();
        let running = tokio::spawn(server.run(stop.clone()));
        assert!(fetch(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let waiting = fetch(address, "/readyz").await;
        assert!(waiting.starts_with("HTTP/1.1 503") && waiting.ends_with("waiting for certificates\n"), "{waiting}");
        gate.open();
        assert!(fetch(address, "/readyz").await.ends_with("ready, standby\n"));
        let metrics = fetch(address, "/metrics").await;
        assert!(metrics.contains("application/openmetrics-text") && metrics.contains("chancery_leader 0"), "{metrics}");
        assert!(fetch(address, "/other").await.starts_with("HTTP/1.1 404"));
        // An idle connection does not hold up the end.
        let _idle = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        stop.cancel();
        running.await.unwrap();
        assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_others_are_still_being_answered_at_the_end_is_answered_too() {
        let (asked, stop, go_on) = (Arc::new(Notify::new()), CancellationToken::new(), CancellationToken::new());
        let (asking, going) = (Arc::clone(&asked), go_on.clone());
        let slow = async move || {
            asking.notify_one();
            going.cancelled().await;
            "slow"
        };
        let routes = Router::new().route("/slow", get(slow)).route("/", get(async || "quick"));
        let server = Server::over(([127, 0, 0, 1], 0).into(), routes, Limits::OPERATIONS).await.unwrap();
        let address = server.address();
        let running = tokio::spawn(server.run(stop.clone()));
        let first = tokio::spawn(fetch(address, "/slow"));
        asked.notified().await;
        // It has connected before the end, and asks after it.
        let mut early = TcpStream::connect(address).await.unwrap();
        assert!(fetch(address, "/").await.ends_with("quick"));
        stop.cancel();
        assert!(fetch(address, "/").await.ends_with("quick"));
        early.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let _ = early.read_to_string(&mut answer).await;
        assert!(answer.ends_with("quick"), "{answer:?}");
        go_on.cancel();
        assert!(first.await.unwrap().ends_with("slow"));
        running.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody is there any more");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_never_done_does_not_hold_up_the_end_for_long() {
        let (asked, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let asking = Arc::clone(&asked);
        let endless = async move || {
            asking.notify_one();
            std::future::pending::<()>().await;
        };
        let server = Server::over(([127, 0, 0, 1], 0).into(), Router::new().route("/", get(endless)), Limits::OPERATIONS).await.unwrap();
        let address = server.address();
        let running = tokio::spawn(server.run(stop.clone()));
        let _first = tokio::spawn(fetch(address, "/"));
        asked.notified().await;
        let begun = Instant::now();
        stop.cancel();
        running.await.unwrap();
        assert!((GRACE..GRACE * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn all_interfaces_are_those_of_both_families() {
        let metrics = Metrics::new(10);
        let server = Server::bind("[::]:0".parse().unwrap(), Health::default(), metrics).await.unwrap();
        let port = server.address().port();
        tokio::spawn(server.run(CancellationToken::new()));
        for address in ["127.0.0.1", "::1"] {
            let answer = fetch(SocketAddr::new(address.parse().unwrap(), port), "/livez").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{address}: {answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_used_for_long_enough_is_closed() {
        let limits = Limits { connection_time: Duration::from_secs(8), ..Limits::OPERATIONS };
        let fine = || Ok(String::new());
        let routes = operations(fine, fine, || Ok(String::new()));
        let server = Server::over(([127, 0, 0, 1], 0).into(), routes, limits).await.unwrap();
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        tokio::spawn(server.run(CancellationToken::new()));
        let mut answers = 0;
        // Time passes as soon as all wait: the connection is used every three seconds.
        while stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            let mut answer = [0; 1024];
            match stream.read(&mut answer).await {
                Ok(length) if length > 0 => answers += 1,
                _ => break,
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        assert_eq!(answers, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_cut_off_and_who_reads_slowly_is_not() {
        const WHOLE: usize = 32 * 1024 * 1024;
        let limits = Limits { connections: 1, ..Limits::OPERATIONS };
        let routes = Router::new().route("/", get(async || vec![0_u8; WHOLE]));
        let server = Server::over(([127, 0, 0, 1], 0).into(), routes, limits).await.unwrap();
        let address = server.address();
        tokio::spawn(server.run(CancellationToken::new()));
        let ask = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            stream
        };
        let mut idle = ask().await;
        let begun = Instant::now();
        // It waits for the one connection that there is.
        let mut slow = ask().await;
        let (mut octets, mut read) = (vec![0; 1024 * 1024], 0);
        while let Ok(length @ 1..) = slow.read(&mut octets).await {
            if read == 0 {
                assert!((20..25).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
            }
            read += length;
            if read % 8 == 0 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        assert!(read > WHOLE, "{read}");
        let mut rest = Vec::new();
        let _ = idle.read_to_end(&mut rest).await;
        assert!(rest.len() < WHOLE, "{}", rest.len());
    }

    #[tokio::test]
    async fn too_large_a_head_is_refused() {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), Health::default(), Metrics::new(10)).await.unwrap();
        let address = server.address();
        tokio::spawn(server.run(CancellationToken::new()));
        let answer = exchange(address, &format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(20_000))).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
