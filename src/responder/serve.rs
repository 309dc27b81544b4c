//! From an HTTP request to its answer. What is said is decided elsewhere; here it is dressed.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use chancery_pki::{KeyId, OcspRefusal, OcspRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument as _, debug_span, field::Empty};

use super::{
    caching::{cache_control, http_date, is_held, wants_pem},
    counter::{Counter, Kept, REQUEST_BYTES, Reply},
    route::Route,
    served::Served,
};
use crate::{lists::Kind, telemetry::Limits};

/// The longest path and query that are read, in octets.
const URL_BYTES: usize = 16 * 1024;

/// How long a request's body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What clients may take of a responder.
pub const LIMITS: Limits = Limits { connections: 1024, head_bytes: URL_BYTES + 8 * 1024, connection_time: Duration::from_mins(5) };

const DER_LIST: &str = "application/pkix-crl";
const DER_CERTIFICATE: &str = "application/pkix-cert";
const PEM: &str = "application/x-pem-file";
const OCSP: &str = "application/ocsp-response";

/// The routes of a responder.
pub fn routes(counter: Arc<Counter>) -> Router {
    Router::new().fallback(answer).with_state(counter)
}

async fn answer(State(counter): State<Arc<Counter>>, request: Request) -> Response {
    let begun = Instant::now();
    let span = debug_span!("request", route = Empty, code = Empty);
    let (route, response) = dressed(&counter, request).instrument(span.clone()).await;
    let code = response.status().as_u16();
    span.record("route", route).record("code", code);
    counter.metrics.request(route, code, begun.elapsed());
    response
}

/// The answer to a request, and a word for what was asked for.
async fn dressed(counter: &Counter, request: Request) -> (&'static str, Response) {
    let served = counter.served.get();
    let path = request.uri().path().to_owned();
    let route = Route::below(&served.prefixes, &path);
    let name = route.as_ref().map_or("other", Route::as_str);
    let too_long = request.uri().path_and_query().is_some_and(|all| all.as_str().len() > URL_BYTES);
    let response = match route {
        _ if too_long => StatusCode::URI_TOO_LONG.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Route::Ocsp { request: asked }) => ocsp(counter, asked, request).await,
        Some(_) if !is_reading(request.method()) => not_allowed("GET, HEAD"),
        Some(_) if !served.lists_read => unread(),
        Some(Route::List { authority, shard, delta }) => {
            let kind = if delta { Kind::Delta } else { Kind::Full };
            list(&served, authority, shard, kind, request.headers(), counter.clock.now())
        }
        Some(Route::Certificate { authority }) => certificate(&served, authority, request.headers()),
    };
    (name, response)
}

/// A HEAD gets what a GET gets; the body is left out on the way.
fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn not_allowed(allowed: &'static str) -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allowed)]).into_response()
}

fn unread() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "lists were not read yet\n").into_response()
}

fn list(served: &Served, authority: KeyId, shard: u16, kind: Kind, asked: &HeaderMap, now: Timestamp) -> Response {
    let Some(authority) = served.authorities.get(&authority) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(listed) = authority.shelf.list(shard, kind) else { return StatusCode::NOT_FOUND.into_response() };
    let settings = &authority.shelf.head.settings;
    let refresh = match kind {
        Kind::Full => settings.refresh,
        Kind::Delta => settings.delta.unwrap_or(settings.refresh),
    };
    let caching = cache_control(now, listed.next_update, refresh.as_secs());
    let form = if wants_pem(asked) {
        Form { kind: PEM, etag: format!("\"{}-pem\"", listed.sha256), body: listed.pem() }
    } else {
        Form { kind: DER_LIST, etag: format!("\"{}\"", listed.sha256), body: listed.der() }
    };
    form.answer(asked, Some(&listed.last_modified), &caching, Some(&http_date(listed.next_update)))
}

fn certificate(served: &Served, authority: KeyId, asked: &HeaderMap) -> Response {
    let Some(authority) = served.authorities.get(&authority) else { return StatusCode::NOT_FOUND.into_response() };
    let certificate = &authority.certificate;
    let (form, last_modified) = if wants_pem(asked) {
        // The begin of its validity says nothing of when those above it changed.
        (Form { kind: PEM, etag: format!("\"{}-pem\"", certificate.pem_sha256), body: certificate.pem.clone() }, None)
    } else {
        let etag = format!("\"{}\"", certificate.sha256);
        (Form { kind: DER_CERTIFICATE, etag, body: certificate.der.clone() }, Some(certificate.last_modified.as_str()))
    };
    form.answer(asked, last_modified, "max-age=3600, public, no-transform", None)
}

/// A thing in one of its forms.
struct Form {
    kind: &'static str,
    etag: String,
    body: Bytes,
}

impl Form {
    fn answer(self, asked: &HeaderMap, last_modified: Option<&str>, caching: &str, expires: Option<&str>) -> Response {
        let held = is_held(asked, &self.etag, last_modified);
        let mut response = if held { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(self.body).into_response() };
        let headers = response.headers_mut();
        if !held {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        put(headers, header::ETAG, &self.etag);
        if let Some(last_modified) = last_modified {
            put(headers, header::LAST_MODIFIED, last_modified);
        }
        put(headers, header::CACHE_CONTROL, caching);
        if let Some(expires) = expires {
            put(headers, header::EXPIRES, expires);
        }
        response
    }
}

/// What is put is made here, of letters, digits and punctuation: it can always stand in a header.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

async fn ocsp(counter: &Counter, asked: Option<&str>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let read = match (&parts.method, asked) {
        (&Method::POST, None) => match body_of(&parts.headers, body).await {
            Ok(body) => OcspRequest::from_der(&body),
            Err(code) => return code.into_response(),
        },
        (method, Some(path)) if is_reading(method) => OcspRequest::from_path(path),
        (_, None) => return not_allowed("POST"),
        (_, Some(_)) => return not_allowed("GET, HEAD"),
    };
    let reply = match read {
        Ok(request) => counter.answer(&request),
        Err(error) => {
            tracing::debug!(%error, "an OCSP request is malformed");
            counter.refuse(OcspRefusal::MalformedRequest)
        }
    };
    let is_get = asked.is_some();
    match reply {
        Reply::Kept(kept) if is_get => cacheable(&kept, &parts.headers, counter.clock.now()),
        Reply::Kept(kept) => plain(kept.der.clone()),
        Reply::Once(der) => for_this_one(der),
        Reply::Refused(refusal) => for_this_one(Bytes::from_static(refusal.der())),
    }
}

async fn body_of(headers: &HeaderMap, body: Body) -> Result<Bytes, StatusCode> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > REQUEST_BYTES as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, REQUEST_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn plain(der: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(OCSP))], Body::from(der)).into_response()
}

fn for_this_one(der: Bytes) -> Response {
    let mut response = plain(der);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// With what RFC 5019 section 6.2 asks of an answer that caches keep.
fn cacheable(kept: &Kept, asked: &HeaderMap, now: Timestamp) -> Response {
    let left = kept.next_update.as_second().saturating_sub(kept.signed.as_second());
    let caching = cache_control(now, kept.next_update, left / 2);
    let form = Form { kind: OCSP, etag: format!("\"{}\"", kept.sha256), body: kept.der.clone() };
    // Two answers may be signed within a second: only the tag tells them apart.
    let mut response = form.answer(asked, None, &caching, Some(&kept.expires));
    response.headers_mut().remove(header::VARY);
    put(response.headers_mut(), header::LAST_MODIFIED, &kept.last_modified);
    response
}
