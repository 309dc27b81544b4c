//! The layer under kube's own client, over a service that answers from a script.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{PostParams, WatchParams};
use kube::client::{Body, ClientBuilder};
use kube::{Api, Client};
use tower::{BoxError, service_fn};

use futures::StreamExt as _;

use super::*;
use crate::lease::NotLeading;

fn over<F, Fut>(limiter: Option<Limiter>, metrics: &Metrics, skew: &ClockSkew, answer: F) -> Api<ConfigMap>
where
    F: Fn(Request<Body>) -> Fut + Send + 'static,
    Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let clock = Arc::new(SettableClock::new(at("1994-11-06T08:49:37Z")));
    let layer = CallLayer::new(Duration::from_secs(30), limiter, LateFence::default(), clock, skew.clone(), metrics.clone());
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, BoxError>(answer.await) }
    });
    let client: Client = ClientBuilder::new(service, "default").with_layer(&layer).build();
    Api::namespaced(client, "team")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn answer(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    let date = "Sun, 06 Nov 1994 08:46:37 GMT";
    Response::builder().status(status).header("date", date).body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
}

const MAP: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}"#;

#[tokio::test]
async fn calls_are_counted_by_verb_resource_and_status_and_compare_the_clocks() {
    let (metrics, skew) = (Metrics::new(1), ClockSkew::default());
    let api = over(None, &metrics, &skew, |request| async move { answer(if request.method() == "GET" { 200 } else { 409 }, MAP) });
    assert_eq!(api.get("web").await.unwrap().metadata.name.as_deref(), Some("web"));
    assert!(api.create(&PostParams::default(), &ConfigMap::default()).await.is_err());
    let text = metrics.encode().unwrap();
    assert!(text.contains(r#"chancery_api_calls_total{verb="get",resource="configmaps",code="200"} 1"#), "{text}");
    assert!(text.contains(r#"chancery_api_calls_total{verb="create",resource="configmaps",code="409"} 1"#), "{text}");
    assert!(text.contains(r#"chancery_api_conflicts_total{resource="configmaps"} 1"#), "{text}");
    assert_eq!(skew.check(MAX_SKEW).unwrap_err().skew.as_secs(), 179);
    assert!(text.contains("chancery_clock_skew_seconds 179.0"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends_after_its_timeout_and_gives_its_slot_back() {
    let (metrics, limiter) = (Metrics::new(1), Limiter::new(1));
    let api = over(Some(limiter.clone()), &metrics, &ClockSkew::default(), |_| futures::future::pending());
    let began = tokio::time::Instant::now();
    let error = api.get("web").await.map_err(CallError::of("get", "ConfigMap", Some("team"), "web")).unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Timeout);
    assert_eq!(error.to_string(), "could not get ConfigMap team/web: no answer within 30 s");
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert_eq!(limiter.in_flight(), 0);
    assert!(metrics.encode().unwrap().contains(r#"code="timeout"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_within_the_timeout_too() {
    let layer = CallLayer::new(
        Duration::from_secs(30),
        None,
        LateFence::default(),
        Arc::new(SettableClock::new(Timestamp::UNIX_EPOCH)),
        ClockSkew::default(),
        Metrics::new(1),
    );
    let service = service_fn(|_: Request<Body>| async {
        let endless = futures::stream::pending::<Result<_, Infallible>>();
        Ok::<_, BoxError>(Response::new(http_body_util::StreamBody::new(
            endless.map(|bytes: Result<Bytes, _>| bytes.map(hyper::body::Frame::data)),
        )))
    });
    let client: Client = ClientBuilder::new(service, "default").with_layer(&layer).build();
    let error = Api::<ConfigMap>::default_namespaced(client).get("web").await.unwrap_err();
    assert_eq!(CallError::of("get", "ConfigMap", None, "web")(error).kind, CallErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_leave_than_the_limit_allows() {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let api = {
        let most = Arc::clone(&most);
        over(Some(Limiter::new(3)), &Metrics::new(1), &ClockSkew::default(), move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                answer(200, MAP)
            }
        })
    };
    let calls = (0..20).map(|_| api.get("web"));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_refusal_for_load_halves_the_limit_and_says_for_how_long_to_wait() {
    let limiter = Limiter::new(16);
    let api = over(Some(limiter.clone()), &Metrics::new(1), &ClockSkew::default(), |_| async {
        let mut answer = answer(429, "Too many requests, please try again later.\n");
        answer.headers_mut().insert("retry-after", "3".parse().unwrap());
        answer
    });
    let error = api.get("web").await.map_err(CallError::of("get", "ConfigMap", Some("team"), "web")).unwrap_err();
    assert_eq!(error.kind, CallErrorKind::TooMany { retry_after: Some(Duration::from_secs(3)) });
    assert_eq!(limiter.limit(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_waited_for_its_slot_while_the_lease_was_lost_is_not_sent() {
    #[derive(Debug)]
    struct Lost;
    impl Fence for Lost {
        fn check(&self) -> Result<(), NotLeading> {
            Err(NotLeading)
        }
    }
    let (limiter, fence, sent) = (Limiter::new(1), LateFence::default(), Arc::new(AtomicU32::new(0)));
    let clock = Arc::new(SettableClock::new(Timestamp::UNIX_EPOCH));
    let layer =
        CallLayer::new(Duration::from_secs(30), Some(limiter.clone()), Arc::clone(&fence), clock, ClockSkew::default(), Metrics::new(1));
    let counted = Arc::clone(&sent);
    let service = service_fn(move |_: Request<Body>| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok::<_, BoxError>(answer(200, MAP))
        }
    });
    let client: Client = ClientBuilder::new(service, "default").with_layer(&layer).build();
    let api = Api::<ConfigMap>::namespaced(client, "team");
    let taken = limiter.acquire().await;
    let (map, params) = (ConfigMap::default(), PostParams::default());
    let mut write = Box::pin(api.create(&params, &map));
    assert!(futures::poll!(&mut write).is_pending());
    assert!(fence.set(Arc::new(Lost)).is_ok());
    drop(taken);
    let error = write.await.map_err(CallError::of("create", "ConfigMap", Some("team"), "web")).unwrap_err();
    assert_eq!((error.kind, sent.load(Ordering::SeqCst)), (CallErrorKind::NotLeading, 0));
    api.get("web").await.unwrap();
    assert_eq!((limiter.in_flight(), sent.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test]
async fn what_the_server_warns_of_is_counted() {
    let metrics = Metrics::new(1);
    let api = over(None, &metrics, &ClockSkew::default(), |_| async {
        let mut answer = answer(200, MAP);
        answer.headers_mut().append("warning", "299 - \"unknown field \\\"spec.x\\\"\"".parse().unwrap());
        answer
    });
    api.get("web").await.unwrap();
    assert!(metrics.encode().unwrap().contains(r#"chancery_api_warnings_total{verb="get",resource="configmaps"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_watch_takes_no_slot_and_stays_open() {
    let limiter = Limiter::new(1);
    let _taken = limiter.acquire().await;
    let metrics = Metrics::new(1);
    let api = over(Some(limiter.clone()), &metrics, &ClockSkew::default(), |_| async {
        answer(200, "{\"type\":\"ADDED\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"web\"}}}\n")
    });
    let events: Vec<_> = api.watch(&WatchParams::default(), "0").await.unwrap().collect().await;
    assert_eq!(events.len(), 1);
    assert!(metrics.encode().unwrap().contains(r#"verb="watch",resource="configmaps",code="200"} 1"#));
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut config = Config::new("http://127.0.0.1:1".parse().unwrap());
    config.default_namespace = "team".to_owned();
    let cluster = Cluster::from_config(config, &Options::new(clock, Metrics::new(1))).unwrap();
    let api = Api::<ConfigMap>::default_namespaced(cluster.client);
    let error = api.get("web").await.map_err(CallError::of("get", "ConfigMap", Some("team"), "web")).unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unavailable);
    assert!(error.is_ambiguous());
}
