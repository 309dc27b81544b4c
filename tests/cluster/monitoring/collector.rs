//! An OpenTelemetry collector, as far as a test needs one: it takes OTLP over HTTP and keeps the spans.
//!
//! It reads the protobuf by field numbers, as opentelemetry-proto has them in `trace.proto`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A span that was sent, with the attributes of its process.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) trace: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) parent: Vec<u8>,
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) process: BTreeMap<String, String>,
}

impl Span {
    pub(super) fn is(&self, name: &str, attributes: &[(&str, &str)]) -> bool {
        self.name == name && attributes.iter().all(|(key, value)| self.attributes.get(*key).is_some_and(|found| found == value))
    }
}

/// What was sent so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) spans: Vec<Span>,
    pub(super) octets: Vec<u8>,
}

/// It listens until the test ends.
pub(super) struct Collector {
    address: SocketAddr,
    sent: watch::Receiver<Sent>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (keep, sent) = watch::channel(Sent::default());
        let take = move |body: Bytes| async move {
            keep.send_modify(|sent| {
                sent.spans.extend(spans(&body));
                sent.octets.extend_from_slice(&body);
            });
            // An ExportTraceServiceResponse without a word is empty.
            StatusCode::OK
        };
        let routes = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, sent }
    }

    /// What is given as `--otlp-endpoint`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether nothing at all was sent so far.
    pub(super) fn is_untouched(&self) -> bool {
        self.sent.borrow().octets.is_empty()
    }

    /// Waits until what was sent is so; panics with the names of the spans that came.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Sent) -> bool) -> Sent {
        let mut sent = self.sent.clone();
        let reached = tokio::time::timeout(Duration::from_mins(1), sent.wait_for(|sent| is(sent))).await;
        if let Ok(Ok(sent)) = reached {
            return sent.clone();
        }
        let names: Vec<String> = self.sent.borrow().spans.iter().map(|span| format!("{} {:?}", span.name, span.attributes)).collect();
        panic!("not within a minute: {what}; there came\n{}", names.join("\n"));
    }
}

/// The spans of an ExportTraceServiceRequest.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for resource_spans in fields(body, 1) {
        let process: BTreeMap<_, _> = fields(resource_spans, 1).into_iter().flat_map(|resource| attributes(resource, 1)).collect();
        for scope in fields(resource_spans, 2) {
            found.extend(fields(scope, 2).into_iter().map(|span| Span {
                trace: one(span, 1).to_vec(),
                id: one(span, 2).to_vec(),
                parent: one(span, 4).to_vec(),
                name: String::from_utf8_lossy(one(span, 5)).into_owned(),
                attributes: attributes(span, 9).into_iter().collect(),
                process: process.clone(),
            }));
        }
    }
    found
}

/// KeyValues whose values are texts; others are written as `..`.
fn attributes(message: &[u8], number: u64) -> Vec<(String, String)> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let value = |any: &[u8]| fields(any, 1).first().map_or_else(|| "..".to_owned(), |found| text(found));
    fields(message, number).into_iter().map(|pair| (text(one(pair, 1)), value(one(pair, 2)))).collect()
}

fn one(message: &[u8], number: u64) -> &[u8] {
    fields(message, number).first().copied().unwrap_or_default()
}

/// The length-delimited fields of this number.
fn fields(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        match key & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            2 => {
                let length = usize::try_from(varint(&mut message)).expect("it fits into memory");
                let (field, rest) = message.split_at(length);
                if key >> 3 == number {
                    found.push(field);
                }
                message = rest;
            }
            5 => message = &message[4..],
            other => panic!("no wire type of protobuf: {other}"),
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first().expect("it has an end");
        *message = rest;
        value |= u64::from(first & 127) << shift;
        if first & 128 == 0 {
            break;
        }
    }
    value
}
