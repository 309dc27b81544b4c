//! Flux's own helm-controller installs the chart from the manifest that the page gives, keeps it as it is, upgrades and uninstalls it.
//! None of that touches a Certificate or its Secret.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::release::{RELEASE, Release};
use crate::harness::{Record, chart};
use crate::stage::leaf;

/// How often Flux looks without finding anything to do.
const RECONCILES: usize = 4;
/// The root, and what it has signed.
const CERTIFICATES: [&str; 3] = ["ca", "web", "api"];

#[tokio::test(flavor = "multi_thread")]
async fn flux_installs_keeps_upgrades_and_uninstalls_the_chart_and_certificates_stay_as_they_are() {
    let _alone = super::DEFINITIONS.lock().await;
    let release = Release::install().await;
    let (controller, responder) = (format!("{RELEASE}-controller"), format!("{RELEASE}-responder"));
    release.run_pods(&[&controller, &responder]).await;
    release.is_ready().await;
    let deployments: Api<Deployment> = Api::namespaced(release.client().clone(), &release.stage.system);
    for definition in release.definitions().await {
        let says = |annotation: &str| definition.annotations().get(annotation).cloned().unwrap_or_default();
        assert_eq!(says("meta.helm.sh/release-name"), RELEASE, "{} is not part of the release", definition.name_any());
        assert_eq!(says("helm.sh/resource-policy"), "keep", "{}", definition.name_any());
    }

    // The controller works, Flux looks again and again, and neither changes what the other has made.
    let mut operator = release.operator().await;
    let stage = &release.stage;
    let written = release.writes();
    stage.authority().await;
    for name in &CERTIFICATES[1..] {
        stage.issued(name, leaf("ca", name)).await;
    }
    let web = stage.ready("web").await;
    release.reconcile().await;
    stage.ask("web", "a renewal under the eyes of Flux").await;
    stage.replaced(&web).await;
    for _ in 1..RECONCILES {
        release.reconcile().await;
    }
    assert_eq!(release.writes(), written, "Flux found something to change");
    // What a person changes it does put back: the look was one that finds something.
    let scaled = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments.patch(&responder, &PatchParams::default(), &scaled).await.expect("it is there");
    release.reconcile().await;
    assert_eq!(deployments.get(&responder).await.expect("it is there").spec.replicas, Some(2));
    let written = written.len();
    let put_back = release.writes().split_off(written);
    assert!(put_back.len() == 1 && put_back[0].contains(&format!("deployments {}/{responder}", stage.system)), "{put_back:#?}");

    let standing = release.standing().await;
    let writes_to_secrets = || {
        let mut records = stage.ground.audit().of_namespace(&stage.namespace);
        records.retain(|record| record.is_write() && record.resource == "secrets");
        records.iter().map(Record::summary).collect::<Vec<_>>()
    };
    let secrets_written = writes_to_secrets();
    assert!(secrets_written.len() >= CERTIFICATES.len() && standing.len() > 2 * CERTIFICATES.len(), "{standing:#?}");

    // An upgrade of values.
    let upgraded = json!({"global": {"logLevel": "debug"}});
    release.apply(&upgraded).await;
    release.is_ready().await;
    let flags = chart::arguments(&release.documents().await, &controller);
    assert!(flags.windows(2).any(|flag| flag == ["--log-level", "debug"]), "{flags:?}");
    operator.terminate().await;
    operator = release.operator().await;
    operator.looked("certificate", CERTIFICATES.len(), Duration::from_mins(1)).await;
    assert_eq!(release.standing().await, standing, "an upgrade");

    // A wrong value is named, and what runs goes on.
    release.apply(&json!({"global": {"logLevel": 2}})).await;
    let said = release.is_failed().await;
    assert!(said.contains("/global/logLevel") && said.contains("want string"), "{said}");
    assert_eq!(chart::arguments(&release.documents().await, &controller), flags, "what runs was touched");
    release.apply(&upgraded).await;
    release.is_ready().await;

    // The HelmRelease goes. Its pods go with it, and nothing that they have made.
    operator.terminate().await;
    release.withdraw().await;
    assert!(deployments.get_opt(&controller).await.expect("it can be asked for").is_none(), "it was not uninstalled");
    let accounts: Api<ServiceAccount> = Api::namespaced(release.client().clone(), &stage.system);
    assert!(accounts.get_opt(&controller).await.expect("it can be asked for").is_none(), "it was not uninstalled");
    assert_eq!(release.standing().await, standing, "the HelmRelease has gone");
    assert_eq!(writes_to_secrets(), secrets_written);
    for name in CERTIFICATES {
        stage.content(name).await.verify().await;
    }
}
