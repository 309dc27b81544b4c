//! `kubectl chancery completion` and `version`: what shells and kubectl itself make of them.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;

use super::shown::{Shown, json, kubectl_chancery};
use crate::harness::{Ground, Program, until};
use crate::stage::{SOON, Stage, leaf};

#[tokio::test(flavor = "multi_thread")]
async fn shells_get_scripts_and_bash_takes_its_own() {
    let ground = Ground::bare().await;
    for (shell, expected) in [
        ("bash", "complete -F _kubectl__chancery"),
        ("zsh", "#compdef kubectl-chancery"),
        ("fish", "complete -c kubectl-chancery"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = kubectl_chancery(&ground, &format!("completion {shell}")).env("KUBECONFIG", "/nowhere").run().await;
        assert!(script.contains(expected) && script.contains("revoke"), "{shell}: {script}");
    }
    let script = kubectl_chancery(&ground, "completion bash").run().await;
    let asked =
        "COMP_WORDS=(kubectl-chancery li); COMP_CWORD=1; _kubectl__chancery kubectl-chancery li kubectl-chancery; echo \"${COMPREPLY[@]}\"";
    let answered = Program::new("bash").stdin(format!("{script}\n{asked}\n")).run().await;
    assert_eq!(answered.trim(), "list");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_itself_completes_commands_flags_and_names_of_objects() {
    let stage = Stage::set("completion").await;
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.issued("web", leaf("self", "web")).await;
    stage.issued("api", leaf("self", "api")).await;
    let folder = tempfile::tempdir().unwrap();
    symlink(plugin(), folder.path().join("kubectl-chancery")).unwrap();
    let script = kubectl_chancery(&stage.ground, "completion kubectl").finish().await;
    Shown::new().assert("completion-kubectl", &script);
    let script = script.stdout;
    let program = folder.path().join("kubectl_complete-chancery");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let complete = async |words: &[&str]| {
        let program = Program::kubectl(&stage.ground).args(["__complete", "chancery"]).args(words).env("PATH", &path);
        program.run().await.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // The shell is not kept waiting: where the API server takes its time, nothing is offered.
    let offers = async |words: &[&str], wanted: &[&str]| {
        let found = until(SOON, async || (complete(words).await == wanted).then_some(())).await;
        assert!(found.is_some(), "{words:?}: {:?}", complete(words).await);
    };
    let namespace = stage.namespace.as_str();
    offers(&["renew", "-n", namespace, ""], &["api", "web", ":4"]).await;
    offers(&["status", "-n", namespace, "issuer", "s"], &["self", ":4"]).await;
    assert_eq!(complete(&["rev"]).await, ["revoke", ":4"]);
    assert_eq!(complete(&["list", "iss"]).await, ["issuers", ":4"]);
    assert_eq!(complete(&["renew", "--dry-run=s"]).await, ["--dry-run=server", ":4"]);
    offers(&["list", "-n", namespace], &[namespace, ":4"]).await;
    let nowhere =
        Program::kubectl(&stage.ground).args(["__complete", "chancery", "renew", "--context", "absent", ""]).env("PATH", &path).run().await;
    assert_eq!(nowhere, ":4\n");
}

fn plugin() -> std::path::PathBuf {
    Path::new(env!("CARGO_BIN_EXE_chancery")).with_file_name("kubectl-chancery")
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_told_as_far_as_they_are_known() {
    let stage = Stage::named("plugin-version").await;
    let deployment = json!({
        "metadata": {"name": "chancery-controller", "labels": {
            "app.kubernetes.io/part-of": "chancery", "app.kubernetes.io/component": "controller", "app.kubernetes.io/version": "0.1.0",
        }},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]},
        }},
    });
    let deployments = stage.api::<k8s_openapi::api::apps::v1::Deployment>();
    let without = kubectl_chancery(&stage.ground, "version --operator-namespace plugin-version").finish().await;
    assert!(without.status.code() == Some(3) && without.stdout.contains("no Deployment of the operator"), "{without:?}");
    deployments.create(&kube::api::PostParams::default(), &serde_json::from_value(deployment).unwrap()).await.unwrap();
    let found = kubectl_chancery(&stage.ground, "version --operator-namespace plugin-version").finish().await;
    Shown::new().replace(r"v1\.\d+\.\d+\S*", "v1.<n>").assert("version", &found);
    let alone = kubectl_chancery(&stage.ground, "version --client -o json").env("KUBECONFIG", "/nowhere").finish().await;
    assert_eq!(json(&alone), json!({"client": env!("CARGO_PKG_VERSION")}));
}
