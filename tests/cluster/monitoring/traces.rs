//! Traces: what an issuance, a publication and a request look like to whoever collects them, and what becomes of them when nobody does.

use std::time::Duration;

use serde_json::json;

use super::collector::{Collector, Sent, Span};
use crate::harness::{Ground, OwnOperator, Program};
use crate::stage::{Consumer, Stage, leaf};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuance_a_publication_and_a_request_reach_the_collector() {
    let ground = Ground::prepared().await;
    let collector = Collector::start().await;
    let endpoint = collector.url();
    let operator = OwnOperator::start_with(&ground, |settings| settings.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)).await;
    let responder = operator.ground.responder_with(&ground, &["--otlp-endpoint", &endpoint]).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.covered_by(&responder, json!({})).await;
    stage.issued("web", leaf("ca", "web")).await;
    let content = stage.content("web").await;
    Consumer::of(&content).fetch().await;

    let whole = |sent: &Sent| {
        issuance(sent).is_some_and(|root| {
            children(sent, root).iter().any(|span| span.is("api call", &[("resource", "certificates.chancery.dev/status")]))
        })
    };
    let sent = collector.until("the issuance of web", whole).await;
    let root = issuance(&sent).expect("it was waited for");
    assert!(root.parent.is_empty() && root.is("reconcile", &[("namespace", &stage.namespace), ("outcome", "done")]), "{root:?}");
    let (service, version) = (root.process["service.name"].as_str(), root.process["service.version"].as_str());
    assert_eq!((service, version), ("chancery-controller", env!("CARGO_PKG_VERSION")));
    assert!(!root.process["service.instance.id"].is_empty());
    let children = children(&sent, root);
    for (name, attributes) in [
        ("observe", &[][..]),
        ("decide", &[]),
        ("apply", &[("act", "issue")]),
        ("key", &[]),
        ("rehearse", &[]),
        ("register append", &[]),
        ("sign", &[]),
        ("write Secret", &[]),
        ("api call", &[("resource", "secrets"), ("code", "201")]),
    ] {
        assert!(children.iter().any(|span| span.is(name, attributes)), "no {name} {attributes:?} in\n{children:#?}");
    }
    let id = |name: &str| &children.iter().find(|span| span.name == name).expect("it was found before").id;
    let sign = children.iter().find(|span| span.name == "sign").expect("it was found before");
    assert_eq!(&sign.parent, id("apply"));

    collector.until("a publication", |sent| sent.spans.iter().any(|span| span.is("publish", &[]))).await;
    collector.until("the write of a register", |sent| sent.spans.iter().any(|span| span.is("register write", &[]))).await;
    let sent = collector.until("a request for a list", |sent| sent.spans.iter().any(|span| span.is("request", &[("route", "crl")]))).await;
    let request = sent.spans.iter().find(|span| span.is("request", &[("route", "crl")])).expect("it was waited for");
    assert_eq!(request.process["service.name"], "chancery-responder");
    for name in content.leaf().sans() {
        let name = format!("{name:?}");
        let said = name.split('"').nth(1).unwrap_or(&name);
        assert!(!String::from_utf8_lossy(&sent.octets).contains(said), "a trace tells of {said}");
    }
}

fn issuance(sent: &Sent) -> Option<&Span> {
    let apply = |root: &Span| children(sent, root).iter().any(|span| span.is("apply", &[("act", "issue")]));
    sent.spans.iter().find(|span| span.is("reconcile", &[("kind", "Certificate"), ("name", "web")]) && apply(span))
}

/// All spans of the same trace but this one.
fn children<'a>(sent: &'a Sent, root: &Span) -> Vec<&'a Span> {
    sent.spans.iter().filter(|span| span.trace == root.trace && span.id != root.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_in_nobodys_way() {
    let ground = Ground::prepared().await;
    // Nobody has that port, and it is given to nobody who asks for any.
    let nobody = "http://127.0.0.1:1";
    let mut operator = OwnOperator::start_with(&ground, |settings| settings.flag("--otlp-endpoint", nobody)).await;
    let stage = Stage::of_own(&ground, &operator.ground);
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    let termination = operator.terminate().await;
    assert!(termination.status.success(), "{:?}\n{}", termination.status, operator.log());
    assert!(termination.took < Duration::from_secs(20), "{:?}", termination.took);
    let complaints = operator.log().lines().filter(|line| line.contains("collector of traces")).count();
    assert!((1..=3).contains(&complaints), "{complaints} complaints\n{}", operator.log());
    assert!(!operator.log().contains("opentelemetry"), "{}", operator.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_none_is_refused_at_the_start() {
    for (arguments, said) in [
        (["controller", "--otlp-endpoint", "collector:4317"], "--otlp-endpoint: \"collector:4317\" is no http:// or https:// URL"),
        (["responder", "--otlp-endpoint", "grpc://collector:4317"], "--otlp-endpoint: \"grpc://collector:4317\" is no http://"),
    ] {
        let refused = Program::chancery().args(arguments).finish().await;
        assert!(!refused.status.success() && refused.stderr.contains(said), "{arguments:?}: {}", refused.stderr);
    }
    let refused =
        Program::chancery().args(["controller", "--otlp-endpoint", "http://collector:4318", "--otlp-sampling", "2"]).finish().await;
    assert!(refused.stderr.contains("--otlp-sampling: 2 is no share"), "{}", refused.stderr);
}
