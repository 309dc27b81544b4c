//! Tenants: nobody gets what is another's, whatever they write into the objects that are theirs.

use chancery::api::Certificate;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::harness::{stays, wait_for, wait_gone};
use crate::stage::{ForeignCa, SOON, Stage, WHILE, ca, condition_of, is_ready, key_id, leaf, merged, self_made, serial};

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_certificate_is_replaced_and_never_becomes_its_planters() {
    let stage = Stage::set("planted").await;
    stage.authority().await;
    let same = |secret: &str| merged(leaf("ca", secret), &json!({"dnsNames": ["shop.example.com"]}));
    let victim = stage.issued("victim", same("victim")).await;
    let own = stage.issued("own", same("own")).await;
    let copied = stage.issued("copied", same("copied")).await;

    let (certificate, key) = self_made("shop.example.com");
    stage.patch::<Secret>("own", json!({"stringData": {"tls.crt": certificate, "tls.key": key}})).await;
    let of_victim = stage.content("victim").await.texts().clone();
    stage.patch::<Secret>("copied", json!({"stringData": of_victim})).await;
    for before in [&own, &copied] {
        let name = before.name_any();
        let after = stage.replaced(before).await;
        assert_ne!(serial(&after), serial(&victim), "{name}");
        assert_eq!(stage.issuances(&name).await, ["Created", "NotCurrent"], "{name}");
        stage.content(&name).await.verify().await;
    }

    // Planted before there is a Certificate: the annotations name it, as its own would.
    let notes = stage.content("victim").await.annotations.clone();
    let planted = |name: &str| merged(json!(notes), &json!({"chancery.dev/certificate-name": name}));
    stage.put_secret("early", "kubernetes.io/tls", planted("early"), json!(of_victim)).await;
    stage.put_secret("early-own", "kubernetes.io/tls", planted("early-own"), json!({"tls.crt": certificate, "tls.key": key})).await;
    for name in ["early", "early-own"] {
        let early = stage.issued(name, same(name)).await;
        assert_ne!(serial(&early), serial(&victim), "{name}: the victim's certificate became another's");
        let lines = stage.lines(name).await;
        assert!(!lines.iter().any(|line| line["serial"] == serial(&victim)), "{name}: {lines:#?}");
        let content = stage.content(name).await;
        assert_eq!(content.serial(), serial(&early));
        content.verify().await;
    }
    assert_eq!(serial(&stage.looked_at("victim").await), serial(&victim));
    assert_eq!(stage.issuances("victim").await, ["Created"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_status_is_put_right_and_has_no_effect() {
    let stage = Stage::set("status").await;
    stage.authority().await;
    let rows: [(&str, Value); 8] = [
        ("serial", json!({"serialNumber": "00"})),
        ("end", json!({"notAfter": "2999-01-01T00:00:00Z", "renewalTime": "2998-01-01T00:00:00Z"})),
        ("beginning", json!({"notBefore": "1999-01-01T00:00:00Z", "renewalTime": "2000-01-01T00:00:00Z"})),
        ("key", json!({"keyID": "00".repeat(32), "authority": "11".repeat(32)})),
        ("secret", json!({"secret": {"name": "other", "uid": "x", "resourceVersion": "1"}})),
        (
            "condition",
            json!({"conditions": [{"type": "Ready", "status": "False", "reason": "No", "message": "no", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}),
        ),
        (
            "failures",
            json!({"failedIssuanceAttempts": 9, "lastFailureTime": "2999-01-01T00:00:00Z", "nextRetryTime": "2999-01-01T00:00:00Z"}),
        ),
        (
            "everything",
            json!({"serialNumber": null, "notAfter": null, "keyID": null, "secret": null, "conditions": null, "observedGeneration": 99}),
        ),
    ];
    for (name, _) in &rows {
        stage.certificate(name, leaf("ca", name)).await;
    }
    for (name, edit) in &rows {
        let before = stage.ready(name).await;
        edit_status(&stage, name, edit).await;
        let same = |now: &Certificate| {
            let of = |certificate: &Certificate| {
                let status = certificate.status.clone().unwrap_or_default();
                (
                    status.serial_number,
                    status.not_before,
                    status.not_after,
                    status.renewal_time,
                    status.key_id,
                    status.authority,
                    status.secret,
                    status.next_retry_time,
                )
            };
            is_ready(now) && of(now) == of(&before)
        };
        wait_for(&stage.certificates(), name, "its status as it was", SOON, same).await;
        assert_eq!(stage.issuances(name).await, ["Created"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_status_cannot_answer_a_request_for_renewal() {
    let stage = Stage::set("handled").await;
    stage.authority().await;
    let before = stage.issued("web", leaf("ca", "web")).await;
    edit_status(&stage, "web", &json!({"renewHandled": "now"})).await;
    stage.ask("web", "now").await;
    stage.replaced(&before).await;
    assert_eq!(stage.issuances("web").await, ["Created", "RenewRequested"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_name_in_use_stays_with_whom_it_belongs_to() {
    let stage = Stage::set("shared").await;
    stage.authority().await;
    let first = stage.issued("first", leaf("ca", "common")).await;
    let version = stage.secret("common").await.resource_version();
    stage.certificate("second", leaf("ca", "common")).await;
    let message = stage.unready("second", "SecretShared").await;
    assert!(message.contains("Certificate first"), "{message}");
    stage.event("second", "Refused", "SecretShared").await;
    // The name is in use although the Secret is gone for a moment.
    stage.secrets().delete("common", &DeleteParams::default()).await.unwrap();
    let again = stage.replaced(&first).await;
    assert_eq!(stage.content("common").await.note("certificate-name"), Some("first"));
    assert_ne!(stage.secret("common").await.resource_version(), version);
    let version = stage.secret("common").await.resource_version();
    // An older Certificate that comes to the name later does not win it by its age.
    stage.issued("older", leaf("ca", "elsewhere")).await;
    stage.respec("older", json!({"secretName": "common"})).await;
    stage.unready("older", "SecretShared").await;
    stays(&stage.secrets(), "common", "unwritten", WHILE, |now| now.resource_version() == version).await;
    assert_eq!(serial(&stage.looked_at("first").await), serial(&again));
    assert_eq!(stage.issuances("second").await.len(), 0);
    // A name of its own, and all is well.
    stage.respec("second", json!({"secretName": "second"})).await;
    stage.ready("second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_has_no_way_to_a_secret_of_another_namespace() {
    let one = Stage::set("tenant").await;
    let other = Stage::set("tenant").await;
    let root = one.authority().await;
    let mine = one.issued("web", leaf("ca", "web")).await;

    // The same names next door: there is no such Secret.
    other.issuer("ca", json!({"ca": {"secretName": "ca"}})).await;
    other.certificate("web", leaf("ca", "web")).await;
    let status = other.issuer_says("ca", "False", "AuthoritySecretMissing").await;
    assert!(status.key_id.is_none() && status.secret.is_none());
    let message = other.unready("web", "IssuerNotReady").await;
    assert!(message.contains(&format!("{}/ca", other.namespace)) && !message.contains(&one.namespace), "{message}");
    // A copy of the authority's key in the operator's namespace is not theirs either.
    let copy = format!("chancery-authority-{}", key_id(&root));
    other.issuer("copy", json!({"ca": {"secretName": copy}})).await;
    other.issuer_says("copy", "False", "AuthoritySecretMissing").await;

    // With a Secret of the same name, each signs with its own.
    let foreign = ForeignCa::by_openssl("next door", "CA:TRUE", "keyCertSign").await;
    other.put_secret("ca", "kubernetes.io/tls", json!({}), foreign.data()).await;
    let theirs = other.ready("web").await;
    assert_ne!(
        theirs.status.as_ref().and_then(|status| status.authority.clone()),
        mine.status.as_ref().and_then(|status| status.authority.clone())
    );
    assert!(other.content("web").await.leaf().issuer().to_string().contains("next door"));
    assert_eq!(serial(&one.looked_at("web").await), serial(&mine));
    for (stage, certificate) in [(&one, &mine), (&other, &theirs)] {
        let lines = stage.lines("web").await;
        let owner = json!({"namespace": stage.namespace, "name": "web", "uid": certificate.uid()});
        assert_eq!(lines.iter().map(|line| line["owner"].clone()).collect::<Vec<_>>(), [owner]);
        assert_eq!(lines[0]["serial"], serial(certificate));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_issuer_serves_the_namespaces_that_it_selects() {
    let served = Stage::set_with_labels("selected", &[("team", "a")]).await;
    let other = Stage::set_with_labels("unselected", &[("team", "b")]).await;
    let issuer = format!("{}-issuer", served.namespace);
    let selecting = json!({"selfSigned": {}, "allow": {"namespaceSelector": {"matchLabels": {"team": "a"}}}});
    served.cluster_issuer(&issuer, selecting).await;
    let of_cluster = |secret: &str| merged(leaf("x", secret), &json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}}));
    let web = served.issued("web", of_cluster("web")).await;
    other.certificate("web", of_cluster("web")).await;
    let message = other.unready("web", "NotAllowed").await;
    assert!(message.contains(&other.namespace) && message.contains("namespaceSelector"), "{message}");

    let namespaces: Api<Namespace> = Api::all(served.ground.client.clone());
    let label = |team: &str| Patch::Merge(json!({"metadata": {"labels": {"team": team}}}));
    namespaces.patch(&other.namespace, &PatchParams::default(), &label("a")).await.unwrap();
    other.ready("web").await;
    namespaces.patch(&served.namespace, &PatchParams::default(), &label("b")).await.unwrap();
    served.ask("web", "1").await;
    let refused = wait_for(&served.certificates(), "web", "a refusal to renew it", SOON, |now| {
        condition_of(now, "Issuing").is_some_and(|issuing| issuing.reason == "NotAllowed")
    })
    .await;
    assert!(is_ready(&refused) && serial(&refused) == serial(&web), "what it has still does its work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_a_tenant_makes_is_no_way_to_another_tenants_name() {
    let stage = Stage::set("subject").await;
    stage.authority().await;
    let impostor = merged(ca("ca", "impostor", "x"), &json!({"commonName": format!("{} root", stage.namespace)}));
    stage.certificate("impostor", impostor).await;
    let message = stage.unready("impostor", "NotAllowed").await;
    assert!(message.contains("spec.subject"), "{message}");
}

async fn edit_status(stage: &Stage, name: &str, edit: &Value) {
    let patch = Patch::Merge(json!({"status": edit}));
    let patched = stage.certificates().patch_status(name, &PatchParams::default(), &patch).await;
    patched.unwrap_or_else(|error| panic!("{name}: the status {edit} was not taken: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_names_place_after_another_does_not_get_the_others_ca_key() {
    let stage = Stage::set("heir").await;
    let root = stage.authority().await;
    let spec = json!(root.spec);
    let copy = format!("chancery-authority-{}", key_id(&root));

    // The predecessor goes, with its Secret; its key stays in its copy as long as its certificates live.
    stage.delete("ca").await;
    wait_gone(&stage.certificates(), "ca", SOON).await;
    stage.secrets().delete("ca", &DeleteParams::default()).await.unwrap();
    wait_gone(&stage.secrets(), "ca", SOON).await;

    stage.certificate("ca", spec).await;
    let message = stage.unready("ca", "AuthoritySecretMissing").await;
    assert!(message.contains(&copy), "{message}");
    assert!(stage.secrets().get_opt("ca").await.unwrap().is_none(), "the predecessor's key was handed out");

    // Who restores a cluster from a backup has new uids too, and says so on the copy.
    let system = stage.elsewhere(&stage.system);
    let consent = json!({"metadata": {"annotations": {"chancery.dev/allow-adoption": format!("{}/ca", stage.namespace)}}});
    system.patch::<Secret>(&copy, consent).await;
    stage.patch::<Certificate>("ca", json!({"metadata": {"labels": {"look": "again"}}})).await;
    assert_eq!(key_id(&stage.ready("ca").await), key_id(&root));
}
