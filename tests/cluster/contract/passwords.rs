//! Where a password must not be: in anything that the operator says to anybody.

use chancery::api::Issuer;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde::Serialize;

use crate::harness::Operator;
use crate::stage::Stage;

/// Panics where one of these words stands in an Event, a status, a Secret's metadata, a register, a metric or the log.
pub(super) async fn nobody_is_told(stage: &Stage, operator: &Operator, words: &[&str]) {
    let all = ListParams::default();
    let mut said: Vec<(&str, String)> = vec![("the log", operator.log()), ("the metrics", operator.metrics().await)];
    for certificate in stage.certificates().list(&all).await.expect("Certificates can be listed") {
        said.push(("a status", text(&certificate.status)));
    }
    for issuer in stage.api::<Issuer>().list(&all).await.expect("Issuers can be listed") {
        said.push(("an issuer's status", text(&issuer.status)));
    }
    for event in stage.api::<Event>().list(&all).await.expect("Events can be listed") {
        said.push(("an Event", text(&event)));
    }
    for secret in stage.secrets().list(&all).await.expect("Secrets can be listed") {
        said.push(("a Secret's metadata", text(&secret.metadata)));
    }
    let system: Api<ConfigMap> = Api::namespaced(stage.ground.client.clone(), &stage.system);
    for map in system.list(&all).await.expect("ConfigMaps can be listed") {
        said.push(("a ConfigMap", text(&map.data)));
    }
    assert!(said.iter().any(|(_, text)| text.contains(&stage.namespace)), "nothing was said at all");
    for word in words {
        let encoded = text(&ByteString(word.as_bytes().to_vec()));
        for (place, text) in &said {
            assert!(!text.contains(word) && !text.contains(encoded.trim_matches('"')), "a password stands in {place}");
        }
    }
}

fn text(said: &impl Serialize) -> String {
    serde_json::to_string(said).expect("it is JSON")
}
