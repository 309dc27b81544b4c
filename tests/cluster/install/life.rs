//! A release over its life, on a control plane of its own: installed by the chart before, upgraded, rolled back, uninstalled, installed
//! again. Certificates, Secrets and definitions are the same all the way, but for what a rollback with Helm does to definitions.
//!
//! No release came before this one: what stands for it is `previous/`, the chart as it was first written, called 0.0.1. The operator
//! that runs is today's each time, with the arguments, the account and the rights of the chart in force: the pods of that chart would
//! have an image that never was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery::api::Certificate;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, ObjectList};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::harness::{
    Ground, Operator, Program, SHARED_SYSTEM, apply_manifests, chart, established, parse_manifests, run, wait_for, wait_for_rights,
};
use crate::stage::{SOON, Stage, ca, leaf, serial};

const CERTIFICATES: usize = 8;
/// A field of a Certificate that the definitions of before do not know, and the Certificate that has it.
const NEWER: &str = "renewal";
const NEVER_RENEWED: &str = "web-0";

/// What must not change, by kind and name: uid and resourceVersion of Secrets, serials of Certificates, uids of definitions.
type Standing = BTreeMap<String, String>;

struct Life {
    ground: Ground,
    stage: Stage,
    starts: usize,
}

impl Life {
    async fn begin() -> Self {
        let ground = Ground::apart("life").await;
        let namespaces =
            [SHARED_SYSTEM, "team"].map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }));
        apply_manifests(&ground.client, &namespaces).await.expect("namespaces can be made");
        let stage = Stage::of_namespace(&ground, "team", SHARED_SYSTEM);
        Self { ground, stage, starts: 0 }
    }

    async fn helm(&self, arguments: &[&str]) {
        Program::helm_in(&self.ground).args(arguments).args(["--namespace", SHARED_SYSTEM]).run().await;
    }

    /// The operator as the release that is installed now would run it.
    async fn operator(&mut self) -> Operator {
        let documents = chart::manifest(&self.ground, chart::RELEASE, SHARED_SYSTEM).await.expect("a release is installed");
        established(&self.ground.client, &documents).await.expect("its definitions can be used");
        wait_for_rights(&self.ground.client, &documents).await.expect("its rights are in force");
        self.starts += 1;
        let settings = self.ground.as_deployed(&format!("life-{}", self.starts), &documents, SHARED_SYSTEM, "chancery-controller").await;
        let operator = settings.expect("it has a token").serves(["team".to_owned(), SHARED_SYSTEM.to_owned()]).start().await;
        // The issuers' Certificate too.
        operator.looked("certificate", CERTIFICATES + 1, Duration::from_mins(1)).await;
        operator
    }

    async fn standing(&self) -> Standing {
        let mut found = Standing::new();
        for namespace in ["team", SHARED_SYSTEM] {
            let secrets: ObjectList<Secret> =
                Api::namespaced(self.ground.client.clone(), namespace).list(&ListParams::default()).await.expect("Secrets can be listed");
            // Helm's own come and go with its releases.
            for secret in secrets.items.into_iter().filter(|secret| secret.type_.as_deref() != Some("helm.sh/release.v1")) {
                let version = format!("{:?} {:?}", secret.uid(), secret.resource_version());
                found.insert(format!("Secret {namespace}/{}", secret.name_any()), version);
            }
        }
        for certificate in self.stage.certificates().list(&ListParams::default()).await.expect("Certificates can be listed") {
            found.insert(format!("Certificate {}", certificate.name_any()), serial(&certificate).to_owned());
        }
        let definitions = Api::<CustomResourceDefinition>::all(self.ground.client.clone());
        for definition in definitions.list(&ListParams::default()).await.expect("definitions can be listed") {
            found.insert(format!("CustomResourceDefinition {}", definition.name_any()), format!("{:?}", definition.uid()));
        }
        let registers = Api::<ConfigMap>::namespaced(self.ground.client.clone(), SHARED_SYSTEM);
        for register in registers.list(&ListParams::default().labels("chancery.dev/register")).await.expect("registers can be listed") {
            found.insert(format!("ConfigMap {}", register.name_any()), format!("{:?} {:?}", register.uid(), register.resource_version()));
        }
        found
    }

    /// Nothing that stands has changed, and nobody has written to a Secret but Helm to its own.
    async fn is_untouched(&self, what: &str, before: &Standing, since: Timestamp) {
        let now = self.standing().await;
        assert_eq!(&now, before, "{what}");
        let records = self.ground.audit().records();
        let writes: Vec<String> = records
            .iter()
            .filter(|record| record.time > since && record.is_write() && record.resource == "secrets")
            .filter(|record| !record.name.starts_with("sh.helm.release.v1."))
            // A create is logged without a name for those whose bodies are not: Helm writes as administrator, and so did the test before.
            .filter(|record| record.user != "admin" || !record.name.is_empty())
            .map(crate::harness::Record::summary)
            .collect();
        assert!(writes.is_empty(), "{what}: writes to Secrets: {writes:#?}");
        let forbidden: Vec<String> = records.iter().filter(|record| record.code == 403).map(crate::harness::Record::summary).collect();
        assert!(forbidden.is_empty(), "{what}: {forbidden:#?}");
    }

    /// Has a Certificate say that it is never to be renewed, and the operator take note.
    async fn never_renew(&mut self) {
        self.stage.respec(NEVER_RENEWED, json!({NEWER: {"policy": "Disabled"}})).await;
        let mut operator = self.operator().await;
        self.is_renewed(false).await;
        operator.terminate().await;
    }

    /// Waits until its status says that it will, or will not, be renewed.
    async fn is_renewed(&self, is: bool) -> Certificate {
        let what = if is { "it will be renewed" } else { "it will not be renewed" };
        wait_for(&self.stage.certificates(), NEVER_RENEWED, what, SOON, |now| {
            now.status
                .as_ref()
                .is_some_and(|status| status.observed_generation == now.metadata.generation && status.renewal_time.is_some() == is)
        })
        .await
    }

    fn latest(&self) -> Timestamp {
        self.ground.audit().records().last().expect("something was logged").time
    }
}

/// The chart as it was first written, with definitions that do not know yet when a Certificate may be renewed, and are else those of today.
fn previous() -> PathBuf {
    let folder = run::folder().join("previous");
    copy(&run::source().join("tests/cluster/install/previous"), &folder);
    let definitions = folder.join("files/crds");
    copy(&chart::chart().join("files/crds"), &definitions);
    let file = definitions.join("chancery.dev_certificates.yaml");
    let text = fs::read_to_string(&file).expect("it was copied");
    let mut definition = parse_manifests(&text).expect("it is YAML").pop().expect("it has one document");
    let spec = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
    spec.and_then(Value::as_object_mut).and_then(|fields| fields.remove(NEWER)).expect("today's has it");
    fs::write(&file, serde_yaml::to_string(&definition).expect("it is JSON")).expect("the run's folder is writable");
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the run's folder is writable");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.expect("the folder can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("the run's folder is writable");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrade_rollback_uninstall_and_a_new_install_leave_certificates_as_they_are() {
    let mut life = Life::begin().await;
    let (today, before) = (chart::chart().display().to_string(), previous().display().to_string());
    life.helm(&["install", chart::RELEASE, &before]).await;
    let mut operator = {
        // Nothing to look at yet.
        let documents = chart::manifest(&life.ground, chart::RELEASE, SHARED_SYSTEM).await.expect("a release is installed");
        established(&life.ground.client, &documents).await.expect("its definitions can be used");
        life.stage.create("Issuer", "self", json!({ "selfSigned": {} })).await.expect("the definitions are those of the kinds");
        life.stage.certificate("ca", ca("self", "ca", "root")).await;
        life.stage.issuer("ca", json!({ "ca": { "secretName": "ca" } })).await;
        for number in 0..CERTIFICATES {
            let name = format!("web-{number}");
            life.stage.certificate(&name, leaf("ca", &name)).await;
        }
        life.operator().await
    };
    for number in 0..CERTIFICATES {
        life.stage.ready(&format!("web-{number}")).await;
    }
    operator.terminate().await;
    let standing = life.standing().await;
    assert!(standing.len() > 2 * CERTIFICATES, "{standing:#?}");

    let upgrade = ["upgrade", chart::RELEASE, &today];
    let since = life.latest();
    life.helm(&upgrade).await;
    life.operator().await.terminate().await;
    life.is_untouched("upgrade", &standing, since).await;

    // Helm's own way back takes the definitions back too, and what they do not know goes from the objects, for good.
    life.never_renew().await;
    let since = life.latest();
    life.helm(&["rollback", chart::RELEASE, "1"]).await;
    let mut operator = life.operator().await;
    assert!(life.is_renewed(true).await.spec.renewal.is_none());
    operator.terminate().await;
    life.is_untouched("rollback", &standing, since).await;
    let since = life.latest();
    life.helm(&upgrade).await;
    life.operator().await.terminate().await;
    life.is_untouched("upgrade once more", &standing, since).await;
    assert!(life.is_renewed(true).await.spec.renewal.is_none(), "the field is back, though it was written without");

    // The way that docs/operations.md has leaves the definitions as they are.
    life.never_renew().await;
    let since = life.latest();
    life.helm(&["upgrade", chart::RELEASE, &before, "--reset-then-reuse-values", "--set", "crds.enabled=false"]).await;
    life.operator().await.terminate().await;
    life.is_untouched("back without the definitions", &standing, since).await;
    assert!(life.is_renewed(false).await.spec.renewal.is_some());
    let since = life.latest();
    life.helm(&["upgrade", chart::RELEASE, &today, "--reset-then-reuse-values", "--set", "crds.enabled=true"]).await;
    life.operator().await.terminate().await;
    life.is_untouched("upgrade with them", &standing, since).await;
    assert!(life.is_renewed(false).await.spec.renewal.is_some());

    let since = life.latest();
    life.helm(&["uninstall", chart::RELEASE]).await;
    let accounts = Api::<ServiceAccount>::namespaced(life.ground.client.clone(), SHARED_SYSTEM);
    assert!(accounts.get_opt("chancery-controller").await.expect("it can be asked for").is_none(), "the account has gone with the release");
    life.is_untouched("uninstall", &standing, since).await;

    let since = life.latest();
    life.helm(&["install", chart::RELEASE, &today]).await;
    life.operator().await.terminate().await;
    life.is_untouched("a new install", &standing, since).await;
}
