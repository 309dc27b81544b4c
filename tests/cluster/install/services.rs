//! To which pods requests are sent: what Services, probes and hooks of the chart say of it. That nobody is turned away is the subject
//! of `tests/e2e`.

use serde_json::{Value, json};

use crate::harness::{SHARED_SYSTEM, chart};

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_sent_to_pods_that_are_ready_and_a_responder_that_ends_answers_until_that_is_known() {
    let objects = chart::template(&chart::chart(), chart::RELEASE, SHARED_SYSTEM, &json!({})).await.expect("the defaults are right");
    let of_kind = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<&Value>>();
    let services = of_kind("Service");
    assert_eq!(services.len(), 3, "{services:?}");
    // With it pods count as ready that have ended, are lost or cannot start.
    for service in services {
        assert_eq!(service["spec"]["publishNotReadyAddresses"], Value::Null, "{}", service["metadata"]["name"]);
    }
    let responder = of_kind("Deployment").into_iter().find(|one| one["metadata"]["name"] == "chancery-responder");
    let responder = responder.expect("there is a Deployment of the responder");
    let container = &responder["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert!(container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().is_some_and(|seconds| seconds > 0), "{container}");
}
