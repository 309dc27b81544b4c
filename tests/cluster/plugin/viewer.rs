//! Somebody who may look at Certificates, issuers, lists and Events of one namespace, and at nothing else.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::shown::kubectl_chancery;
use crate::harness::{Program, apply_manifests, wait_for_rights};
use crate::stage::Stage;

pub(super) struct Viewer {
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
}

impl Viewer {
    pub(super) async fn of(stage: &Stage) -> Self {
        let metadata = json!({"name": "viewer", "namespace": stage.namespace});
        let documents = [
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
                "rules": [
                    {"apiGroups": ["chancery.dev"], "resources": ["certificates", "issuers", "revocationlists"], "verbs": ["get", "list", "watch"]},
                    {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list", "watch"]},
                ],
            }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"},
                "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": stage.namespace}],
            }),
        ];
        let client = &stage.ground.client;
        apply_manifests(client, &documents).await.unwrap();
        wait_for_rights(client, &documents).await.unwrap();
        let access = stage.ground.access().as_service_account(client, &stage.namespace, "viewer", Duration::from_hours(1)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        access.write_kubeconfig(&kubeconfig).unwrap();
        Self { kubeconfig, _folder: folder }
    }

    /// The plugin, run by them.
    pub(super) fn kubectl_chancery(&self, stage: &Stage, line: &str) -> Program {
        kubectl_chancery(&stage.ground, line).env("KUBECONFIG", &self.kubeconfig)
    }
}
