//! What happens around every call: the limit, the fence, the timeout, the count, and the look at the server's clock and at
//! what it warns of.
//!
//! One tower layer, put outside kube's own stack. It never reads or logs a body, save that of a 429.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full};
use kube::client::Body;
use kube::core::Status;
use kube::core::response::StatusDetails;
use tower::{BoxError, Layer, Service};
use tracing::{Instrument as _, Span, debug_span, field::Empty};

use super::clock::Clock;
use super::error::TimedOut;
use super::limit::{Answer, Limiter};
use super::request::RequestInfo;
use super::skew::ClockSkew;
use crate::lease::Fence;
use crate::telemetry::Metrics;

/// The fence that writes are held to, once there is one: the lease's own client has none.
pub type LateFence = Arc<OnceLock<Arc<dyn Fence>>>;

/// Puts a [`CallService`] around a client's stack.
#[derive(Clone, Debug)]
pub struct CallLayer(Arc<Surroundings>);

#[derive(Debug)]
struct Surroundings {
    timeout: Duration,
    limiter: Option<Limiter>,
    fence: LateFence,
    clock: Arc<dyn Clock>,
    skew: ClockSkew,
    metrics: Metrics,
}

impl CallLayer {
    /// `timeout` holds for each call from the moment it has its slot until its answer is read, and for a watch until
    /// it has begun. Without a `limiter` nothing waits for a slot. The `fence` is asked when a write has its slot: whoever
    /// waits for one may have ceased to lead meanwhile.
    pub fn new(
        timeout: Duration,
        limiter: Option<Limiter>,
        fence: LateFence,
        clock: Arc<dyn Clock>,
        skew: ClockSkew,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Surroundings { timeout, limiter, fence, clock, skew, metrics }))
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService { inner, around: Arc::clone(&self.0) }
    }
}

/// A client's stack with everything of [`CallLayer`] around it.
#[derive(Clone)]
pub struct CallService<S> {
    inner: S,
    around: Arc<Surroundings>,
}

impl<S> fmt::Debug for CallService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallService").field("around", &self.around).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let around = Arc::clone(&self.around);
        let info = RequestInfo::of(request.method(), request.uri());
        // Futures do nothing until they are polled: the request leaves when it has its slot.
        let answer = self.inner.call(request);
        if info.is_watch() {
            return Box::pin(around.watch(info, answer));
        }
        // What belongs to no act, such as the lease, is a trace to nobody.
        let span = if Span::current().is_none() {
            Span::none()
        } else {
            debug_span!("api call", verb = info.verb, resource = info.resource, code = Empty)
        };
        Box::pin(around.call(info, answer).instrument(span))
    }
}

impl Surroundings {
    async fn call<F, B>(self: Arc<Self>, info: RequestInfo, answer: F) -> Result<Response<Either<Full<Bytes>, B>>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>> + Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let permit = match &self.limiter {
            Some(limiter) => Some(limiter.acquire().await),
            None => None,
        };
        if info.is_write()
            && let Some(fence) = self.fence.get()
        {
            fence.check()?;
        }
        // The answer is read here and not by the caller, so that the timeout and the slot cover all of it.
        let whole = async {
            let (mut parts, body) = self.head(&info, answer).await?.into_parts();
            let mut body = body.collect().await.map_err(Into::into)?.to_bytes();
            if parts.status == StatusCode::TOO_MANY_REQUESTS {
                body = throttled(&parts.headers, body);
                parts.headers.remove(header::CONTENT_LENGTH);
            }
            Ok(Response::from_parts(parts, Either::Left(Full::new(body))))
        };
        let answer = tokio::time::timeout(self.timeout, whole).await.unwrap_or_else(|_| Err(TimedOut(self.timeout).into()));
        if let Some(permit) = permit {
            permit.finish(match &answer {
                Ok(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => Answer::Throttled,
                Ok(_) => Answer::Served,
                Err(_) => Answer::Lost,
            });
        }
        self.count(info, &answer);
        answer
    }

    async fn watch<F, B>(self: Arc<Self>, info: RequestInfo, answer: F) -> Result<Response<Either<Full<Bytes>, B>>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>> + Send,
    {
        let head = tokio::time::timeout(self.timeout, self.head(&info, answer)).await;
        let answer = head.unwrap_or_else(|_| Err(TimedOut(self.timeout).into())).map(|response| response.map(Either::Right));
        self.count(info, &answer);
        answer
    }

    /// Waits for the head of the answer, compares the clocks by it, and passes on what the server warns of.
    async fn head<F, B>(&self, info: &RequestInfo, answer: F) -> Result<Response<B>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>>,
    {
        let sent = self.clock.now();
        let response = answer.await?;
        if let Some(date) = response.headers().get(header::DATE).and_then(|date| date.to_str().ok())
            && let Some(skew) = self.skew.observe(date, sent, self.clock.now())
        {
            self.metrics.clock_skew(skew);
        }
        for warning in response.headers().get_all(header::WARNING) {
            // It may quote what it warns of.
            let secret = info.resource.starts_with("secrets");
            let text = if secret { "of a Secret, not shown".into() } else { String::from_utf8_lossy(warning.as_bytes()) };
            tracing::warn!(verb = info.verb, resource = info.resource, %text, "the API server warns");
            self.metrics.api_warning(info.verb, info.resource.clone());
        }
        Ok(response)
    }

    fn count<B>(&self, info: RequestInfo, answer: &Result<Response<B>, BoxError>) {
        let code = match answer {
            Ok(response) => response.status().as_str().to_owned(),
            Err(error) if error.is::<TimedOut>() => "timeout".to_owned(),
            Err(_) => "error".to_owned(),
        };
        Span::current().record("code", &*code);
        self.metrics.api_call(info.verb, info.resource, code);
    }
}

/// The API server's flow control answers 429 in plain text and says how long to wait in a header, which kube drops:
/// so it is put where kube looks for it.
fn throttled(headers: &HeaderMap, body: Bytes) -> Bytes {
    if let Ok(status) = serde_json::from_slice::<Status>(&body)
        && status.details.as_ref().is_some_and(|details| details.retry_after_seconds > 0)
    {
        return body;
    }
    let wait = headers.get(header::RETRY_AFTER).map(HeaderValue::as_bytes).and_then(|value| str::from_utf8(value).ok());
    let details = StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: wait.and_then(|value| value.trim().parse().ok()).unwrap_or(0),
    };
    let status = Status::failure("the API server asks for fewer requests", "TooManyRequests").with_code(429).with_details(details);
    serde_json::to_vec(&status).map_or(body, Bytes::from)
}
