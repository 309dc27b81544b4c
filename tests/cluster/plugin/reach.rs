//! The way to the API server: one that does not answer, one without our kinds, one that forgets; and as whom it is asked.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use http::{Response, Uri};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::shown::{json as printed, kubectl_chancery};
use super::viewer::Viewer;
use crate::harness::{Access, Finished, Ground, Program, apply_manifests, program_path, wait_for_rights};
use crate::stage::{Stage, leaf};

/// The plugin, without a control plane.
fn alone(line: &str, kubeconfig: &PathBuf) -> Program {
    Program::new(program_path("kubectl-chancery")).args(line.split_whitespace()).env("KUBECONFIG", kubeconfig)
}

/// A kubeconfig for a server without TLS.
fn kubeconfig_of(server: &str) -> (PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    Access { server: server.to_owned(), ca: None, token: "none".to_owned() }.write_kubeconfig(&path).unwrap();
    (path, folder)
}

fn failed(finished: &Finished, expected: &str) {
    assert!(finished.status.code() == Some(1) && finished.stderr.contains(expected), "{expected:?}: {finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_that_is_wrong_by_itself_is_told_so_and_asks_neither_a_cluster_nor_a_file() {
    for (line, expected) in [
        ("status pod web", "is no kind that has a status here"),
        ("status issuer/", "the object's name is missing"),
        ("crl explain zz", "is no serial number"),
        ("crl explain one two", "write a serial number"),
        ("crl explain certificate web", "namespace/name"),
        ("crl explain 0123 --authority foo", "write its key id"),
        ("crl fetch foo", "write its key id"),
        ("crl fetch Issuer/ca", "write its key id"),
        ("crl fetch ftp://example.com/0.crl", "only http"),
        ("ocsp file absent --url https://example.com", "only http"),
        ("verify file absent --issuer Pod/web", "ClusterIssuer/name"),
        ("register show deadbeefx", "first digits"),
        ("register verify --file absent 123", "first digits"),
        ("register restore --file absent Common", "first digits"),
        ("renew", "name the objects"),
        ("revoke", "name the Certificates"),
        ("revoke web --reason cACompromise", "use one of"),
        ("revoke --list a/b", "needs --serial"),
        ("revoke --list a/b --serial 0a,00:0b --serial 0A", "serial 0a is given twice"),
    ] {
        let finished = alone(line, &PathBuf::from("/nowhere")).finish().await;
        assert!(finished.status.code() == Some(2) && finished.stderr.contains(expected), "{line}: {finished:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_holds_no_command_for_longer_than_was_said() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept().await {
            open.push(connection);
        }
    });
    for scheme in ["http", "https"] {
        let (kubeconfig, _folder) = kubeconfig_of(&format!("{scheme}://{address}"));
        for line in ["list", "status web", "renew --all --wait", "revoke web --yes", "crl list", "register list", "version"] {
            let found = alone(&format!("{line} --request-timeout 1s"), &kubeconfig).finish().await;
            failed(&found, "no answer within 1 s");
            assert!(found.stderr.contains("kubectl get --raw /readyz") && found.stderr.contains("--request-timeout"), "{line}: {found:?}");
        }
        // It looks at many things: the first one that is not answered tells enough.
        let checked = alone("check --request-timeout=1 -o json", &kubeconfig).finish().await;
        let lines = printed(&checked)["lines"].clone();
        assert_eq!((checked.status.code(), lines.as_array().map(Vec::len)), (Some(3), Some(1)), "{checked:?}");
        assert!(lines[0]["topic"] == "API server" && lines[0]["found"].as_str().unwrap().contains("no answer within 1 s"), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_may_take_longer_than_a_request() {
    let stage = Stage::set("reach-watch").await;
    stage.certificate("stuck", leaf("absent", "stuck")).await;
    stage.unready("stuck", "IssuerNotFound").await;
    let line = format!("renew stuck --wait --timeout 15s --request-timeout 10s -n {}", stage.namespace);
    let waited = kubectl_chancery(&stage.ground, &line).finish().await;
    assert!(waited.stdout.contains("not within 15s: IssuerNotFound: ") && waited.status.code() == Some(1), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_impersonated_is_who_asks() {
    let stage = Stage::set("reach-as").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.issued("web", leaf("self", "web")).await;
    let run = async |more: &str| kubectl_chancery(&stage.ground, &format!("list -n {} -o name {more}", stage.namespace)).finish().await;
    failed(&run("--as mallory").await, "User \"mallory\" cannot list resource");
    failed(&run("--as mallory --as-group nobodies --as-group idlers").await, "User \"mallory\" cannot list resource");
    let masters = run("--as mallory --as-group nobodies --as-group system:masters --as-uid 1234").await;
    assert_eq!(masters.stdout, "certificate.chancery.dev/web\n", "{masters:?}");
    let viewer = Viewer::of(&stage).await;
    let account = format!("--as system:serviceaccount:{}:viewer", stage.namespace);
    assert_eq!(run(&account).await.stdout, "certificate.chancery.dev/web\n");
    for groups in ["--as-group system:masters", "--as-uid 1234"] {
        let wrong = run(groups).await;
        assert!(wrong.status.code() == Some(2) && wrong.stderr.contains("need --as USER"), "{wrong:?}");
    }

    // Whoever may impersonate users may not give them a UID by that.
    let who = json!({"name": format!("{}-impersonator", stage.namespace)});
    let documents = [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": who,
            "rules": [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": who,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": who["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": stage.namespace}],
        }),
    ];
    apply_manifests(&stage.ground.client, &documents).await.unwrap();
    wait_for_rights(&stage.ground.client, &documents).await.unwrap();
    let line = |more: &str| format!("list -n {} {more}", stage.namespace);
    failed(&viewer.kubectl_chancery(&stage, &line("--as mallory")).finish().await, "User \"mallory\" cannot list resource");
    failed(&viewer.kubectl_chancery(&stage, &line("--as mallory --as-uid 1234")).finish().await, "cannot impersonate resource \"uids\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_user_and_token_are_taken_from_the_command_line() {
    let stage = Stage::set("reach-server").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.issued("web", leaf("self", "web")).await;
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "nobody"}})).unwrap();
    stage.api::<ServiceAccount>().create(&PostParams::default(), &account).await.unwrap();
    let admin = stage.ground.access();
    let nobody = admin.as_service_account(&stage.ground.client, &stage.namespace, "nobody", Duration::from_mins(10)).await.unwrap();
    let run = async |more: &str| kubectl_chancery(&stage.ground, &format!("list -n {} -o name {more}", stage.namespace)).finish().await;
    let denied = run(&format!("--token {}", nobody.token)).await;
    failed(&denied, &format!("User \"system:serviceaccount:{}:nobody\" cannot list resource", stage.namespace));
    assert!(!denied.stderr.contains(&nobody.token), "the token is shown");
    failed(&run("--user absent").await, "the kubeconfig has no user absent");
    failed(&run("--cluster absent").await, "no cluster");
    let named = run("--cluster control-plane --user user").await;
    assert!(named.status.success(), "{named:?}");
    // Nobody listens there.
    failed(&run("--server http://127.0.0.1:9").await, "could not list certificates");

    // Without any kubeconfig.
    let ca = admin.ca.as_ref().unwrap().display().to_string();
    let nowhere = PathBuf::from("/nowhere");
    let line = |more: &str| format!("list -n {} -o name --server {} --token {} {more}", stage.namespace, admin.server, admin.token);
    let reached = alone(&line(&format!("--certificate-authority {ca}")), &nowhere).finish().await;
    assert_eq!(reached.stdout, "certificate.chancery.dev/web\n", "{reached:?}");
    failed(&alone(&line(""), &nowhere).finish().await, "could not list certificates");
    let unchecked = alone(&line("--insecure-skip-tls-verify"), &nowhere).finish().await;
    assert_eq!(unchecked.stdout, "certificate.chancery.dev/web\n", "{unchecked:?}");
    let other = alone(&line(&format!("--certificate-authority {ca} --tls-server-name other.example.com")), &nowhere).finish().await;
    failed(&other, "could not list certificates");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_the_kinds_is_told_from_one_without_objects() {
    let ground = Ground::apart("no-kinds").await;
    for (line, kind) in [
        ("list -n default", "certificates"),
        ("list -A", "certificates"),
        ("list issuers -n default", "issuers"),
        ("status web -n default", "certificates"),
        ("renew --all -n default", "certificates"),
        ("revoke web --yes -n default", "certificates"),
    ] {
        let found = kubectl_chancery(&ground, line).finish().await;
        failed(&found, &format!("the cluster does not have Chancery's CRDs: {kind}.chancery.dev is not served as v1alpha1"));
        assert!(found.stderr.contains("kubectl chancery check") && !found.stderr.contains("404"), "{line}: {found:?}");
    }
    let checked = kubectl_chancery(&ground, "check -o json").finish().await;
    assert_eq!(checked.status.code(), Some(3), "{checked:?}");
    let lines = printed(&checked)["lines"].as_array().unwrap().clone();
    let about = |topic: &str| lines.iter().filter(|line| line["topic"] == topic).cloned().collect::<Vec<Value>>();
    for topic in ["CRDs", "Certificates", "RevocationLists", "Issuers", "ClusterIssuers"] {
        let found = about(topic);
        assert!(!found.is_empty(), "{topic}: {lines:?}");
        assert!(found.iter().all(|line| line["todo"].as_str().unwrap().contains("apply the CRDs of this version")), "{topic}: {found:?}");
    }
    assert!(!checked.stdout.contains("readyz") && about("API server")[0]["level"] == "ok", "{checked:?}");
}

/// A server that forgets after its first page: the real one does so minutes later.
async fn forgetful(asked: Arc<Mutex<Vec<String>>>) -> String {
    let certificate = |name: &str| {
        let spec = json!({"secretName": name, "issuerRef": {"name": "ca"}});
        json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": name, "namespace": "default"}, "spec": spec})
    };
    let answer = move |uri: Uri| {
        let query = uri.query().unwrap_or_default().to_owned();
        asked.lock().unwrap().push(query.clone());
        let list = |token: &str, names: &[&str]| {
            let items: Vec<Value> = names.iter().map(|name| certificate(name)).collect();
            let metadata = json!({"resourceVersion": "1", "continue": token});
            (200, json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "CertificateList", "metadata": metadata, "items": items}))
        };
        let (code, body) = match () {
            () if query.contains("continue=") => {
                let message = "The provided continue parameter is too old";
                (
                    410,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410, "message": message}),
                )
            }
            () if query.contains("limit=") => list("next", &["a", "b"]),
            () => list("", &["b", "c"]),
        };
        let answer = Response::builder().status(code).header("content-type", "application/json").body(body.to_string()).unwrap();
        std::future::ready(answer)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_page_has_expired_all_is_listed_anew_and_nothing_twice() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (kubeconfig, _folder) = kubeconfig_of(&forgetful(Arc::clone(&asked)).await);
    let found = alone("list -n default -o name --sort-by name -l app=web", &kubeconfig).finish().await;
    assert_eq!(found.stdout, "certificate.chancery.dev/b\ncertificate.chancery.dev/c\n", "{found:?}");
    let asked = asked.lock().unwrap();
    assert!(asked.len() == 3 && asked.iter().all(|query| query.contains("labelSelector=app%3Dweb")), "{asked:?}");
}
