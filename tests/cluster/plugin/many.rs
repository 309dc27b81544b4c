//! Many objects: what `kubectl chancery` asks of the API server for sixty of them, by its audit log.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use chancery::api::Certificate;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::shown::kubectl_chancery;
use crate::harness::{Finished, Ground, OwnGround, Record, apply_manifests, wait_for_rights};
use crate::stage::{SOON, leaf};

/// So many objects. No more are named in this file.
const MANY: usize = 60;

/// Certificates that no operator looks at, and somebody whose requests the audit log has: those of the tests themselves it leaves out.
struct Crowd {
    ground: Ground,
    own: OwnGround,
    kubeconfig: PathBuf,
    _folder: TempDir,
}

impl Crowd {
    async fn gather() -> Self {
        let ground = Ground::prepared().await;
        let own = OwnGround::claim(&ground).await;
        let metadata = json!({"name": "crowd", "namespace": own.namespace});
        let role = |namespace: &str| {
            let rule = |resource: &str, verbs: &[&str]| json!({"apiGroups": ["chancery.dev"], "resources": [resource], "verbs": verbs});
            let rules = [rule("certificates", &["get", "list", "watch", "patch"]), rule("revocationlists", &["list"])];
            let metadata = json!({"name": "crowd", "namespace": namespace});
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules})
        };
        let binding = |namespace: &str| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "crowd", "namespace": namespace},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "crowd"},
                "subjects": [{"kind": "ServiceAccount", "name": "crowd", "namespace": own.namespace}],
            })
        };
        let mut documents = vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})];
        documents.extend([role(&own.namespace), role(&own.system), binding(&own.namespace), binding(&own.system)]);
        apply_manifests(&ground.client, &documents).await.unwrap();
        wait_for_rights(&ground.client, &documents).await.unwrap();
        let access = ground.access().as_service_account(&ground.client, &own.namespace, "crowd", Duration::from_hours(1)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        access.write_kubeconfig(&kubeconfig).unwrap();

        let certificates: Api<Certificate> = own.api();
        for number in 0..MANY {
            let name = format!("web-{number:02}");
            let object = json!({"metadata": {"name": name}, "spec": leaf("ca", &name)});
            certificates.create(&PostParams::default(), &serde_json::from_value(with_kind(object)).unwrap()).await.unwrap();
            let status =
                json!({"status": {"authority": "ab".repeat(32), "keyID": "cd".repeat(32), "serialNumber": format!("01{number:030}")}});
            certificates.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
        }
        Self { ground, own, kubeconfig, _folder: folder }
    }

    async fn run(&self, line: &str) -> Finished {
        let line = format!("{line} -n {}", self.own.namespace);
        let program = kubectl_chancery(&self.ground, &line).env("CHANCERY_NAMESPACE", &self.own.system);
        program.env("KUBECONFIG", &self.kubeconfig).limit(Duration::from_mins(2)).finish().await
    }

    /// What was asked for, once so many patches are on record.
    async fn asked(&self, patches: usize) -> Vec<Record> {
        let user = format!("system:serviceaccount:{}:crowd", self.own.namespace);
        let patched = |records: &[Record]| records.iter().filter(|record| record.user == user && record.verb == "patch").count() >= patches;
        let mut records = self.ground.audit().wait_for("the patches", SOON, patched).await;
        records.retain(|record| record.user == user);
        records
    }
}

fn with_kind(mut object: Value) -> Value {
    object["apiVersion"] = json!("chancery.dev/v1alpha1");
    object["kind"] = json!("Certificate");
    object
}

fn count(records: &[Record], what: &str) -> usize {
    records.iter().filter(|record| record.what() == what).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_objects_are_changed_each_once_and_watched_and_looked_up_together() {
    let crowd = Crowd::gather().await;
    let renewed = crowd.run("renew --all --wait --timeout 15s").await;
    assert_eq!(renewed.stdout.lines().filter(|line| line.contains("not renewed: not within 15s")).count(), MANY, "{renewed:?}");
    let records = crowd.asked(MANY).await;
    assert_eq!(count(&records, "patch certificates"), MANY);
    // One that is started anew is one more.
    assert!((1..4).contains(&count(&records, "watch certificates")), "{} watches", count(&records, "watch certificates"));

    let revoked = crowd.run("revoke --all --yes -o name").await;
    assert!(revoked.status.success() && revoked.stdout.lines().count() == MANY, "{revoked:?}");
    let records = crowd.asked(2 * MANY).await;
    assert_eq!(count(&records, "patch certificates"), 2 * MANY);
    assert_eq!(count(&records, "list revocationlists"), 2, "one for each namespace");
    // In the order in which they were named, though many were asked for at once.
    let names: Vec<&str> = revoked.stdout.lines().collect();
    assert!(names.is_sorted(), "{names:?}");
    for record in records.iter().filter(|record| record.verb == "patch") {
        assert!(record.is_conditional(), "{}", record.summary());
    }

    // On a terminal it says how far it is.
    let line = format!("renew --all -n {}", crowd.own.namespace);
    let told = kubectl_chancery(&crowd.ground, &line).env("KUBECONFIG", &crowd.kubeconfig).on_terminal().limit(Duration::from_mins(2));
    let told = told.finish().await;
    assert!(told.stdout.contains("asking for new certificates: 59 of 60"), "{told:?}");
    fs::remove_file(&crowd.kubeconfig).unwrap();
}
