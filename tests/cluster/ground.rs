//! The ground itself: what every other subject relies on is true of this control plane.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kube::api::{DeleteParams, DynamicObject, ObjectMeta, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use crate::harness::{
    Ground, Namespace, Program, Record, apply_manifests, parse_manifests, printable, stays, until, wait_for, wait_for_rights, wait_gone,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_resource_can_be_defined_and_used_at_once() {
    let ground = Ground::bare().await;
    let namespace = Namespace::create(&ground, "custom").await;
    let definition = parse_manifests(WIDGETS).unwrap();
    apply_manifests(&ground.client, &definition).await.unwrap();

    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("test.chancery.dev", "v1", "Widget"));
    let widgets: Api<DynamicObject> = Api::namespaced_with(ground.client.clone(), &namespace.name, &kind);
    let widget = DynamicObject::new("one", &kind).data(json!({ "spec": { "colour": "red" } }));
    // What is established here is served a moment later.
    let created = until(SOON, async || match widgets.create(&PostParams::default(), &widget).await {
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        created => Some(created.unwrap()),
    });
    created.await.unwrap();
    let found = wait_for(&widgets, "one", "red", SOON, |widget| widget.data["spec"]["colour"] == "red").await;
    assert_eq!(found.name_any(), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_manager_removes_what_its_owner_left() {
    let ground = Ground::bare().await;
    let namespace = Namespace::create(&ground, "garbage").await;
    let maps = namespace.api::<ConfigMap>();
    let owner = maps.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let mut owned = config_map("owned");
    owned.metadata.owner_references = owner.owner_ref(&()).map(|reference| vec![reference]);
    maps.create(&PostParams::default(), &owned).await.unwrap();
    stays(&maps, "owned", "kept while its owner is there", Duration::from_millis(300), |_| true).await;

    maps.delete("owner", &DeleteParams::default()).await.unwrap();
    wait_gone(&maps, "owner", SOON).await;
    wait_gone(&maps, "owned", Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_speaks_for_itself_and_the_audit_log_has_its_words() {
    let ground = Ground::bare().await;
    let namespace = Namespace::create(&ground, "audit").await;
    let metadata = ObjectMeta { name: Some("clerk".to_owned()), ..ObjectMeta::default() };
    let account = ServiceAccount { metadata, ..ServiceAccount::default() };
    namespace.api::<ServiceAccount>().create(&PostParams::default(), &account).await.unwrap();

    let identity = ground.access().as_service_account(&ground.client, &namespace.name, "clerk", Duration::from_mins(10)).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(identity.client().unwrap(), &namespace.name);
    let refused = maps.create(&PostParams::default(), &config_map("note")).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.is_forbidden()), "{refused}");
    let user = format!("system:serviceaccount:{}:clerk", namespace.name);
    let role = parse_manifests(&WRITER.replace("NAMESPACE", &namespace.name)).unwrap();
    apply_manifests(&ground.client, &role).await.unwrap();
    wait_for_rights(&ground.client, &role).await.unwrap();
    maps.create(&PostParams::default(), &config_map("note")).await.unwrap();

    let both = |records: &[Record]| records.iter().filter(|record| record.user == user).count() == 2;
    ground.audit().wait_for("two requests of the clerk", SOON, both).await;
    let records = ground.audit().of_user(&user);
    assert_eq!(records.iter().map(|record| record.code).collect::<Vec<_>>(), [403, 201]);
    let note = &records[1];
    assert!(note.is_write() && note.is_conditional(), "{}", note.summary());
    assert_eq!((note.verb.as_str(), note.resource.as_str(), note.namespace.as_str()), ("create", "configmaps", namespace.name.as_str()));
    assert_eq!(note.request.as_ref().and_then(|body| body["data"]["words"].as_str()), Some("few"));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads_the_version_that_was_built() {
    let ground = Ground::bare().await;
    let answer = Program::kubectl(&ground).args(["version", "--output", "json"]).run().await;
    let versions: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(versions["serverVersion"]["major"], "1", "{answer}");
    let outcome = Program::kubectl(&ground).args(["get", "nonsense"]).finish().await;
    assert!(!outcome.status.success() && outcome.stderr.contains("nonsense"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_in_vain_shows_the_object_but_no_secret() {
    let ground = Ground::bare().await;
    let namespace = Namespace::create(&ground, "vain").await;
    let data = BTreeMap::from([("password".to_owned(), ByteString(b"hunter2".to_vec()))]);
    let metadata = ObjectMeta { name: Some("kept".to_owned()), ..ObjectMeta::default() };
    let secret = Secret { metadata, data: Some(data), ..Secret::default() };
    let secrets = namespace.api::<Secret>();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let wait = async move { wait_for(&secrets, "kept", "another type", Duration::from_secs(5), |found| found.type_.is_none()).await };
    let panic = tokio::spawn(wait).await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    for part in ["/secrets/kept: not within 5s: another type", "type: Opaque", "password: <12 characters>"] {
        assert!(message.contains(part), "{part} is not in:\n{message}");
    }
}

#[test]
fn a_secret_is_never_shown_with_its_values() {
    let data = BTreeMap::from([("tls.key".to_owned(), ByteString(b"hunter2 hunter2".to_vec()))]);
    let secret = Secret { data: Some(data), ..Secret::default() };
    let shown = printable(&secret);
    assert!(shown.contains("tls.key: <20 characters>"), "{shown}");
}

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, data: Some(BTreeMap::from([("words".to_owned(), "few".to_owned())])), ..ConfigMap::default() }
}

const WRITER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: writer, namespace: NAMESPACE}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: writer, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: writer}
subjects: [{kind: ServiceAccount, name: clerk, namespace: NAMESPACE}]
";

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.chancery.dev}
spec:
  group: test.chancery.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {colour: {type: string}}}
";
