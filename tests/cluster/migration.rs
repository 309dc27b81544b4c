//! Moving from cert-manager as its page says: its objects read from the cluster, carried over, its Secrets taken over, its Certificates
//! taken away. Its kinds are there as definitions that let anything in; its controller is not.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject};
use kube::core::ApiResource;
use serde_json::{Value, json};

use crate::harness::{Finished, Program, apply_manifests, wait_for};
use crate::scene::{Authority, dns_name};
use crate::stage::{SOON, Stage, condition_of, serial};

const KINDS: [(&str, &str); 3] = [("Certificate", "Namespaced"), ("Issuer", "Namespaced"), ("ClusterIssuer", "Cluster")];

fn definition(kind: &str, scope: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.cert-manager.io")},
        "spec": {
            "group": "cert-manager.io", "scope": scope, "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

fn theirs(stage: &Stage, kind: &str, name: &str, spec: &Value) -> Value {
    let mut object = json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    if kind != "ClusterIssuer" {
        object["metadata"]["namespace"] = json!(stage.namespace);
    }
    object
}

async fn migrate(stage: &Stage, arguments: &[&str]) -> Finished {
    Program::kubectl_chancery(&stage.ground).args(["migrate"]).args(arguments).finish().await
}

/// A Secret as cert-manager makes it with `--enable-certificate-owner-ref`, and the serial of the certificate in it.
async fn made_by_cert_manager(stage: &Stage, authority: &Authority, name: &str) -> (Secret, String) {
    let resource = ApiResource {
        group: "cert-manager.io".into(),
        version: "v1".into(),
        api_version: "cert-manager.io/v1".into(),
        kind: "Certificate".into(),
        plural: "certificates".into(),
    };
    let certificates: Api<DynamicObject> = Api::namespaced_with(stage.ground.client.clone(), &stage.namespace, &resource);
    let owner = certificates.get(name).await.unwrap();
    let (secret, serial) = authority.foreign_leaf(name);
    let mut object = serde_json::to_value(&secret).unwrap();
    object["apiVersion"] = json!("v1");
    object["kind"] = json!("Secret");
    object["metadata"]["namespace"] = json!(stage.namespace);
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": name, "uid": owner.uid().unwrap(), "controller": true,
        "blockOwnerDeletion": true,
    }]);
    apply_manifests(&stage.ground.client, &[object]).await.unwrap();
    (stage.secret(name).await, serial)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_moves_by_the_commands_of_the_guide_and_no_key_changes() {
    let stage = Stage::set("moving").await;
    let namespace = stage.namespace.clone();
    let finished = migrate(&stage, &["-n", &namespace]).await;
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("cert-manager's CRDs are not installed there"), "{finished:?}");

    let definitions = KINDS.map(|(kind, scope)| definition(kind, scope));
    apply_manifests(&stage.ground.client, &definitions).await.unwrap();
    let public = format!("{namespace}-public");
    let authority = Authority::make("house");
    let mut root = serde_json::to_value(authority.secret("house")).unwrap();
    root["apiVersion"] = json!("v1");
    root["kind"] = json!("Secret");
    root["metadata"]["namespace"] = json!(namespace);
    let objects = [
        root,
        theirs(&stage, "ClusterIssuer", &public, &json!({"acme": {"server": "https://acme.example.org"}})),
        theirs(&stage, "Issuer", "house", &json!({"ca": {"secretName": "house"}})),
        theirs(&stage, "Certificate", "web", &json!({"secretName": "web", "issuerRef": {"name": "house"}, "dnsNames": [dns_name("web")]})),
        theirs(
            &stage,
            "Certificate",
            "shop",
            &json!({"secretName": "shop", "issuerRef": {"name": public, "kind": "ClusterIssuer"}, "dnsNames": ["shop.example.org"]}),
        ),
    ];
    apply_manifests(&stage.ground.client, &objects).await.unwrap();
    let (before, serial_before) = made_by_cert_manager(&stage, &authority, "web").await;

    // What can be carried is printed, what cannot is told, and the exit code says so.
    let finished = migrate(&stage, &["-n", &namespace]).await;
    assert_eq!(finished.status.code(), Some(3), "{finished:?}");
    assert!(finished.stderr.contains(&format!("ClusterIssuer {public} is of kind acme")), "{finished:?}");
    assert!(finished.stderr.ends_with("1 carried as they are, 1 with a difference, 1 refused, 0 left out\n"), "{finished:?}");
    let kubectl = |arguments: &[&str]| Program::kubectl(&stage.ground).args(arguments);
    kubectl(&["apply", "-f", "-"]).stdin(finished.stdout).run().await;
    let taken_over = stage.ready("web").await;
    assert_eq!(serial(&taken_over), serial_before, "the certificate is the one that was there");
    assert_eq!(stage.issuances("web").await, ["Found"]);
    let during = stage.reconciled("web").await;
    let now = stage.secret("web").await;
    assert_eq!(now.data.as_ref().map(|data| &data["tls.key"]), before.data.as_ref().map(|data| &data["tls.key"]));
    assert_eq!(now.annotations()["cert-manager.io/certificate-name"], "web", "the way back stays open");
    assert_eq!(now.annotations()["chancery.dev/certificate-name"], "web");
    assert_eq!(now.owner_references().len(), 1);

    // Its Certificates go, and their Secrets stay, though they are owned.
    kubectl(&["-n", &namespace, "delete", "certificates.cert-manager.io", "web", "shop", "--cascade=orphan"]).run().await;
    let left = wait_for(&stage.secrets(), "web", "owned by nobody", SOON, |secret| secret.owner_references().is_empty()).await;
    assert_eq!(left.metadata.uid, before.metadata.uid);
    let after = stage.reconciled("web").await;
    assert_eq!((serial(&after), serial(&during)), (serial_before.as_str(), serial_before.as_str()));
    assert_eq!(condition_of(&after, "Issuing"), None);

    // All namespaces, as JSON, issuers alone: what was refused before is none of it.
    let finished = migrate(&stage, &["-A", "--only", "issuers", "-o", "json"]).await;
    let list: Value = serde_json::from_str(&finished.stdout).unwrap();
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|item| item["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["house"], "{finished:?}");
    assert!(finished.stderr.contains("spec.acme"), "{finished:?}");

    let all: Api<CustomResourceDefinition> = Api::all(stage.ground.client.clone());
    for name in definitions.iter().filter_map(|definition| definition["metadata"]["name"].as_str()) {
        all.delete(name, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_read_from_files_folders_and_standard_input() {
    let stage = Stage::set("files").await;
    let folder = tempfile::tempdir().unwrap();
    let issuer =
        |name: &str| format!("apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {{name: {name}}}\nspec: {{selfSigned: {{}}}}\n");
    std::fs::create_dir(folder.path().join("deeper")).unwrap();
    for (file, text) in [("b.yaml", issuer("b")), ("a.yml", issuer("a")), ("deeper/c.yaml", issuer("c")), ("notes.txt", "no: [".to_owned())]
    {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let path = folder.path().to_string_lossy().into_owned();
    let file = format!("{path}/b.yaml");
    let rows: [(&[&str], &str, &[&str]); 4] = [
        (&["-f", &path], "", &["a", "b"]),
        (&["-R", "-f", &path], "", &["a", "b", "c"]),
        (&["-f", &file, "-f", "-"], &issuer("d"), &["b", "d"]),
        (&["-f", "-"], "", &[]),
    ];
    for (arguments, input, expected) in rows {
        let finished = Program::kubectl_chancery(&stage.ground)
            .args(["migrate", "-o", "json"])
            .args(arguments)
            .env("KUBECONFIG", "/nowhere")
            .stdin(input)
            .finish()
            .await;
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        let list: Value = serde_json::from_str(&finished.stdout).unwrap();
        let names: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|item| item["metadata"]["name"].as_str()).collect();
        assert_eq!(names, expected, "{arguments:?}");
    }
    for (arguments, code, expected) in [
        (vec!["-f", "/nowhere"], 1, "/nowhere: No such file"),
        (vec!["-f", &file, "-n", "shop"], 2, "cannot be used with"),
        (vec!["-A", "-n", "shop"], 2, "cannot be used with"),
    ] {
        let finished = migrate(&stage, &arguments).await;
        assert_eq!(finished.status.code(), Some(code), "{finished:?}");
        assert!(finished.stderr.contains(expected) && finished.stdout.is_empty(), "{finished:?}");
    }
}
