//! An HTTP proxy between one operator and the API server: it counts the operator's writes, kills the operator at one of them,
//! and can be slow, deaf or cut off.
//!
//! The operator reaches it without TLS (see `OwnGround::settings_through`); its bearer token is passed on, watches are
//! streamed. Requests for Leases are passed on like all others, and are no writes for the count: their number depends on
//! nothing but time. It lives in the runtime of the test that made it, and ends with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use chancery::cluster::RequestInfo;
use http::{HeaderName, Method, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::{Client, Config};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::process::signal;
use super::{Access, Ground};

/// When, around a write, the operator is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The API server never gets the write.
    BeforeForward,
    /// The API server has done it; the operator never hears of it.
    AfterAnswer,
    /// The operator has heard, and nothing that it asked for afterwards arrived.
    AfterDelivery,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::BeforeForward, Self::AfterAnswer, Self::AfterDelivery];
}

/// A request that asked to change something. Has no Debug: the body may hold a key.
#[derive(Clone)]
pub(crate) struct Write {
    /// `create`, `update`, `patch`, `delete`.
    pub(crate) verb: &'static str,
    /// `secrets`, `certificates.chancery.dev/status`.
    pub(crate) resource: String,
    /// The name of the object.
    pub(crate) name: String,
    /// The body; null where it is no JSON.
    pub(crate) body: Value,
    /// The HTTP status of the API server's answer; none if it was not asked or has not answered.
    pub(crate) code: Option<u16>,
}

/// The proxy; clones are the same one.
#[derive(Clone)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Proxy {
    /// Starts one before the API server, as nobody: whoever asks brings a token.
    pub(crate) async fn start(ground: &Ground) -> Self {
        match Self::before(ground.access()).await {
            Ok(proxy) => proxy,
            Err(error) => panic!("no proxy: {error:#}"),
        }
    }

    async fn before(server: &Access) -> Result<Self> {
        let mut config = Config::new(server.server.parse()?);
        config.root_cert_file.clone_from(&server.ca);
        config.default_retry = false;
        config.read_timeout = None;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            client: Client::try_from(config)?,
            state: Mutex::default(),
            line: watch::Sender::new(Line::Open),
            connections: watch::Sender::new(0),
            sprung: watch::Sender::new(false),
            asked: Notify::new(),
            counted: watch::Sender::new(0),
        });
        tokio::spawn(accept(listener, Arc::downgrade(&shared)));
        Ok(Self { shared, address })
    }

    /// Where the operator finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All writes since the proxy was started, in the order in which they came in.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.shared.lock().writes.clone()
    }

    /// Waits until there were so many writes, a minute at most.
    pub(crate) async fn written(&self, count: usize) {
        let mut counted = self.shared.counted.subscribe();
        let waited = tokio::time::timeout(Duration::from_mins(1), counted.wait_for(|counted| *counted >= count)).await;
        assert!(waited.is_ok(), "{} of {count} writes within a minute", self.writes().len());
    }

    /// Will kill this process at the first write from now on that fits.
    pub(crate) fn arm(&self, process: u32, moment: Moment, fits: impl FnMut(&Write) -> bool + Send + 'static) {
        self.shared.lock().trap = Some(Trap { process, moment, fits: Box::new(fits) });
    }

    /// Waits until the kill has happened.
    pub(crate) async fn sprung(&self) {
        // The sender lives as long as the proxy.
        let _ = self.shared.sprung.subscribe().wait_for(|sprung| *sprung).await;
    }

    /// Forgets the trap and whoever was killed; all connections are dropped. Writes that were counted stay counted.
    pub(crate) fn reset(&self) {
        self.shared.drop_connections();
        let mut state = self.shared.lock();
        state.trap = None;
        state.closed = false;
        self.shared.sprung.send_replace(false);
    }

    /// Drops all connections and refuses new ones.
    pub(crate) fn cut(&self) {
        self.shared.line.send_replace(Line::Cut);
        self.shared.drop_connections();
    }

    /// Takes requests and does nothing with them until it is healed: then those whose sender still waits go on their way.
    /// What already streams, streams on.
    pub(crate) fn hang(&self) {
        self.shared.line.send_replace(Line::Silent);
    }

    /// Works again.
    pub(crate) fn heal(&self) {
        self.shared.line.send_replace(Line::Open);
    }

    /// Lets each request wait so long before it is passed on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.lock().delay = delay;
    }
}

struct Shared {
    client: Client,
    state: Mutex<State>,
    line: watch::Sender<Line>,
    /// Counted up to drop all connections.
    connections: watch::Sender<u64>,
    /// Whether the operator was killed.
    sprung: watch::Sender<bool>,
    /// Told of each request that comes in.
    asked: Notify,
    /// How many writes there were.
    counted: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    delay: Duration,
    trap: Option<Trap>,
    /// Nothing passes any more until the reset: the operator is dead or about to be.
    closed: bool,
    writes: Vec<Write>,
}

#[derive(Clone, Copy, PartialEq)]
enum Line {
    Open,
    Cut,
    Silent,
}

struct Trap {
    process: u32,
    moment: Moment,
    fits: Box<dyn FnMut(&Write) -> bool + Send>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with this lock")
    }

    fn drop_connections(&self) {
        self.connections.send_modify(|count| *count += 1);
    }

    /// Waits while the line is silent, and for ever once the operator was killed: the connection's end ends that.
    async fn admit(&self) {
        self.asked.notify_waiters();
        let delay = self.lock().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut line = self.line.subscribe();
        let _ = line.wait_for(|line| *line == Line::Open).await;
        if self.lock().closed {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the write into the count, and the trap out if it is for this one.
    fn count(&self, write: Write) -> (usize, Option<Trap>) {
        let mut state = self.lock();
        let trap = state.trap.take_if(|trap| (trap.fits)(&write));
        state.closed |= trap.as_ref().is_some_and(|trap| trap.moment == Moment::BeforeForward);
        state.writes.push(write);
        self.counted.send_replace(state.writes.len());
        (state.writes.len() - 1, trap)
    }

    /// Nothing else passes from here on, except what is on its way already.
    fn close(&self) {
        self.lock().closed = true;
    }

    /// In a thread of its own: when the process is dead its connection ends, and with it whoever serves that.
    fn kill(self: Arc<Self>, process: u32) {
        tokio::task::spawn_blocking(move || {
            signal(process, "KILL");
            self.sprung.send_replace(true);
        });
    }
}

async fn accept(listener: TcpListener, shared: std::sync::Weak<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Some(shared) = shared.upgrade() else { return };
        if *shared.line.borrow() != Line::Cut {
            tokio::spawn(serve(stream, shared));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut connections = shared.connections.subscribe();
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { pass(request, shared).await }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        _ = connections.changed() => {}
    }
}

async fn pass(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>> {
    shared.admit().await;
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let counted = write(&parts.method, &parts.uri, &body).map(|write| shared.count(write));
    let trap = counted.as_ref().and_then(|(_, trap)| trap.as_ref()).map(|trap| (trap.process, trap.moment));
    if let Some((process, Moment::BeforeForward)) = trap {
        shared.kill(process);
        return std::future::pending().await;
    }
    for name in HOP_BY_HOP {
        parts.headers.remove(name);
    }
    let mut answer = shared.client.send(Request::from_parts(parts, Body::from(body))).await?;
    for name in HOP_BY_HOP {
        answer.headers_mut().remove(name);
    }
    let Some((number, _)) = counted else {
        return Ok(answer);
    };
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    shared.lock().writes[number].code = Some(parts.status.as_u16());
    match trap {
        Some((process, Moment::AfterAnswer)) => {
            shared.close();
            shared.kill(process);
            return std::future::pending().await;
        }
        Some((process, _)) => {
            shared.close();
            tokio::spawn(kill_after_delivery(process, Arc::clone(&shared)));
        }
        None => {}
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The operator has the answer when it asks for the next thing, or a moment later where it asks for nothing.
async fn kill_after_delivery(process: u32, shared: Arc<Shared>) {
    let asked = shared.asked.notified();
    let _ = tokio::time::timeout(Duration::from_millis(50), asked).await;
    shared.kill(process);
}

const HOP_BY_HOP: [HeaderName; 4] = [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE];

/// The write that a request is; none for one that only reads, and for Leases.
fn write(method: &Method, uri: &Uri, body: &[u8]) -> Option<Write> {
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => return None,
    };
    let resource = RequestInfo::of(method, uri).resource;
    if resource.starts_with("leases.") {
        return None;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let plural = resource.split(['.', '/']).next().unwrap_or_default();
    let in_path = uri.path().split('/').skip_while(|segment| *segment != plural).nth(1);
    let name = in_path.or_else(|| body.pointer("/metadata/name").and_then(Value::as_str)).unwrap_or_default().to_owned();
    Some(Write { verb, resource, name, body, code: None })
}
