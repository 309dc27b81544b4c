//! The operator as a process: it starts, ends and starts again as a test asks, under an identity of its own. Other subjects
//! (crashes, two leaders) rest on this.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;

use crate::harness::{Ground, OwnOperator};

#[tokio::test(flavor = "multi_thread")]
async fn an_own_operator_is_killed_restarted_and_stopped_in_order() {
    let ground = Ground::prepared().await;
    let mut operator = OwnOperator::start(&ground).await;
    let first = operator.process_id();
    operator.restart().await;
    assert_ne!(operator.process_id(), first);
    assert!(operator.runs());
    let termination = operator.terminate().await;
    assert!(termination.status.success(), "{:?}\n{}", termination.status, operator.log());
    assert!(termination.took < Duration::from_secs(20), "{:?}", termination.took);
    assert!(!operator.runs());
    operator.restart().await;
    operator.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_operator_has_no_right_outside_its_two_namespaces() {
    let ground = Ground::prepared().await;
    let operator = OwnOperator::start(&ground).await;
    let identity = operator.ground.identity.client().unwrap();
    for namespace in [&operator.ground.namespace, &operator.ground.system] {
        let secrets: Api<Secret> = Api::namespaced(identity.clone(), namespace);
        secrets.list_metadata(&ListParams::default()).await.unwrap();
    }
    let elsewhere: Api<Secret> = Api::namespaced(identity, "chancery-system");
    let refused = elsewhere.list_metadata(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.is_forbidden()), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_operator_is_ready_for_whoever_comes() {
    let ground = Ground::with_operator().await;
    let operator = ground.operator().await;
    assert_eq!(operator.get("/readyz").await.0, 200);
    assert!(operator.runs());
}
