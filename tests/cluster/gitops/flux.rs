//! Flux applies what is in git, and tells rightly what is ready, what is on its way and what has failed.

use serde_json::{Value, json};

use super::repository::{Repository, requests_of};
use crate::harness::Record;
use crate::stage::{SOON, Stage, ca, is_ready, leaf, merged, serial, served_list};

/// An object of ours as it stands in git: without a namespace.
#[expect(clippy::needless_pass_by_value, reason = "it reads best where it is called")]
pub(super) fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "chancery.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A self-signed root in the Secret `ca` and an Issuer `ca` that signs with it.
pub(super) fn authority(stage: &Stage) -> Vec<Value> {
    vec![
        document("Issuer", "self", json!({"selfSigned": {}})),
        document("Certificate", "ca", ca("self", "ca", &format!("{} root", stage.namespace))),
        document("Issuer", "ca", json!({"ca": {"secretName": "ca"}})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_its_list_and_certificates_in_one_commit_become_ready() {
    let stage = Stage::set("fluxall").await;
    let repository = Repository::of(&stage).await;
    let base_url = stage.ground.responder().await.base_url();
    let mut documents = authority(&stage);
    documents.push(document("RevocationList", "ca", served_list("ca", &base_url)));
    documents.push(document("Certificate", "web", leaf("ca", "web")));
    documents.push(document("Certificate", "api", merged(leaf("ca", "api"), &json!({"deletionPolicy": "Delete"}))));
    // The order in git is not the order in which they can become ready.
    documents.reverse();
    let revision = repository.push(&documents).await;
    repository.apply(&json!({})).await;
    repository.is_ready(&revision).await;
    for name in ["ca", "web", "api"] {
        let certificate = stage.certificates().get(name).await.unwrap();
        assert!(is_ready(&certificate), "Flux was ready before {name}: {:?}", certificate.status);
        stage.content(name).await.verify().await;
        // Nothing that would have a GitOps tool believe that a Secret is its own, and so prune it.
        let secret = stage.secret(name).await;
        let marks = secret.metadata.labels.iter().flatten().chain(secret.metadata.annotations.iter().flatten());
        let foreign: Vec<&String> = marks.map(|(key, _)| key).filter(|key| !key.contains("chancery.dev")).collect();
        assert!(foreign.is_empty(), "{name}: {foreign:?}");
        assert!(secret.metadata.owner_references.is_none(), "{name}");
    }
    stage.published("ca").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_authority_is_on_its_way_until_the_authority_is_there() {
    let stage = Stage::set("fluxwaits").await;
    let repository = Repository::of(&stage).await;
    let base_url = stage.ground.responder().await.base_url();
    let documents = [
        document("Issuer", "ca", json!({"ca": {"secretName": "ca"}})),
        document("RevocationList", "ca", served_list("ca", &base_url)),
        document("Certificate", "web", leaf("ca", "web")),
        document("Certificate", "later", leaf("later", "later")),
    ];
    let revision = repository.push(&documents).await;
    repository.apply(&json!({})).await;
    stage.issuer_says("ca", "False", "AuthoritySecretMissing").await;
    stage.unpublished("ca", "IssuerNotReady").await;
    stage.unready("web", "IssuerNotReady").await;
    stage.unready("later", "IssuerNotFound").await;
    // Flux looks at each of them again while they say so, and goes on waiting.
    let looks =
        |records: &[Record], resource: &str| records.iter().filter(|record| record.verb == "get" && record.resource == resource).count();
    let kinds = ["issuers", "revocationlists", "certificates"];
    let before = kinds.map(|kind| looks(&requests_of(&stage), kind));
    let again = |_: &[Record]| {
        let now = requests_of(&stage);
        kinds.iter().zip(before).all(|(kind, before)| looks(&now, kind) >= before + 4)
    };
    stage.ground.audit().wait_for("Flux looked again", SOON, again).await;
    assert_eq!(repository.reason().await, "Progressing");

    // Somebody else brings the authority, and the other issuer.
    stage.issuer("self", json!({"selfSigned": {}})).await;
    stage.certificate("ca", ca("self", "ca", "the root")).await;
    stage.issuer("later", json!({"ca": {"secretName": "ca"}})).await;
    repository.is_ready(&revision).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_allowed_has_failed_at_once_and_is_ready_when_git_is_put_right() {
    let stage = Stage::set("fluxfails").await;
    let repository = Repository::of(&stage).await;
    let mut documents = authority(&stage);
    documents[2] = document("Issuer", "ca", json!({"ca": {"secretName": "ca"}, "allow": {"maxDuration": "100h"}}));
    let with = |more: &[(&str, Value)]| {
        let mut all = documents.clone();
        all.extend(more.iter().map(|(name, spec)| document("Certificate", name, merged(leaf("ca", name), spec))));
        all
    };
    let short = json!({"duration": "48h"});
    let good = repository.push(&with(&[("web", short.clone())])).await;
    repository.apply(&json!({})).await;
    repository.is_ready(&good).await;
    let web = stage.ready("web").await;
    let secret = stage.secret("web").await;

    let new = repository.push(&with(&[("web", short.clone()), ("long", json!({"duration": "200h"}))])).await;
    let said = repository.is_failed(&new).await;
    let expected = format!("Certificate/{}/long status: 'Failed'", stage.namespace);
    assert!(said.starts_with("HealthCheckFailed") && said.contains(&expected), "{said}");
    assert!(said.contains("stalled"), "not by a timeout: {said}");
    assert!(!said.contains("/web"), "{said}");

    // One that was good and asks for too much: its Secret stays as it is.
    let changed = repository.push(&with(&[("web", json!({"duration": "200h"}))])).await;
    let said = repository.is_failed(&changed).await;
    assert!(said.contains(&format!("Certificate/{}/web status: 'Failed'", stage.namespace)), "{said}");
    assert_eq!(stage.secret("web").await.metadata.resource_version, secret.metadata.resource_version);

    let mended = repository.push(&with(&[("web", short)])).await;
    repository.is_ready(&mended).await;
    assert_eq!(serial(&stage.ready("web").await), serial(&web), "the certificate in its Secret was good all the time");
}
