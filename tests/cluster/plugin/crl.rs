//! `kubectl chancery crl`, run as a program. The operator's part is played: what it does with a list that is handed over is a
//! subject of `revocation`.

use std::collections::BTreeMap;
use std::pin::pin;

use chancery::api::{RevocationList, names};
use chancery_pki::{
    CaConstraints, Certificate, CrlNumber, CrlTemplate, KeyAlgorithm, Name, PrivateKey, Reason, Revoked, SerialNumber, SubjectParts,
    Template, Usage, pem_bundle, self_sign, sign_crl,
};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use kube_runtime::{WatchStreamExt as _, watcher};
use serde_json::json;

use super::shown::Shown;
use crate::harness::{Finished, Ground, Namespace, Program};

/// A namespace that is an operator's, but for the operator: an authority has a published list in it.
struct Scene {
    ground: Ground,
    namespace: Namespace,
    certificate: Certificate,
    key: PrivateKey,
}

impl Scene {
    async fn set() -> Self {
        let ground = Ground::prepared().await;
        let namespace = Namespace::create(&ground, "plugin").await;
        let (certificate, key) = authority(&namespace.name);
        let scene = Self { ground, namespace, certificate, key };
        let head = ConfigMap {
            metadata: ObjectMeta {
                name: Some(chancery::lists::head_name(&scene.certificate.key_id())),
                labels: Some(BTreeMap::from([(names::LIST.to_owned(), "x".to_owned())])),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(names::CA_CERTIFICATE.to_owned(), pem_bundle(std::slice::from_ref(&scene.certificate)))])),
            ..ConfigMap::default()
        };
        scene.maps().create(&PostParams::default(), &head).await.unwrap();
        scene
    }

    fn maps(&self) -> Api<ConfigMap> {
        self.namespace.api()
    }

    /// A list with two entries, DER.
    fn list(&self, delta_base: Option<CrlNumber>) -> Vec<u8> {
        signed(&self.certificate, &self.key, delta_base)
    }

    async fn import(&self, list: Vec<u8>, more: &[&str]) -> Finished {
        let arguments = ["crl", "import", "-", "--namespace", &self.namespace.name];
        Program::kubectl_chancery(&self.ground).args(arguments).args(more).stdin(list).finish().await
    }

    /// The operator's part: waits for what is handed over.
    async fn handed_over(&self) -> ConfigMap {
        let watched = watcher(self.maps(), watcher::Config::default().labels(names::IMPORT)).applied_objects();
        pin!(watched).try_next().await.unwrap().expect("a watch does not end")
    }

    async fn assert_nothing_is_handed_over(&self) {
        let found = self.maps().list(&ListParams::default().labels(names::IMPORT)).await.unwrap();
        assert!(found.items.is_empty(), "{found:?}");
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn authority(common_name: &str) -> (Certificate, PrivateKey) {
    let subject = SubjectParts { common_name: Some(common_name.to_owned()), ..SubjectParts::default() };
    let template = Template {
        serial: SerialNumber::from_octets(&[1]).unwrap(),
        subject: Name::from_parts(&subject).unwrap(),
        sans: Vec::new(),
        not_before: time("2026-01-01T00:00:00Z"),
        not_after: time("2056-01-01T00:00:00Z"),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ca: Some(CaConstraints::default()),
        crl_distribution_points: Vec::new(),
        ocsp_servers: Vec::new(),
        issuing_certificate_urls: Vec::new(),
        freshest_crls: Vec::new(),
        ocsp_no_check: false,
        name_constraints: None,
        self_signature: None,
    };
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    (self_sign(&template, &key).unwrap(), key)
}

fn signed(certificate: &Certificate, key: &PrivateKey, delta_base: Option<CrlNumber>) -> Vec<u8> {
    let template = CrlTemplate {
        number: CrlNumber::new(77),
        this_update: time("2026-06-01T12:00:00Z"),
        next_update: time("2026-06-08T12:00:00Z"),
        distribution_point: Vec::new(),
        delta_base,
        freshest: Vec::new(),
    };
    let entry = |octet| Revoked {
        serial: SerialNumber::from_octets(&[octet]).unwrap(),
        time: time("2026-05-01T00:00:00Z"),
        reason: Reason::KeyCompromise,
        invalidity_date: None,
    };
    sign_crl(&template, [entry(5), entry(6)].iter(), certificate, key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_handed_over_and_waited_for_until_it_is_on_record() {
    let scene = Scene::set().await;
    let list = scene.list(None);
    let operator = async || {
        let map = scene.handed_over().await;
        assert_eq!(map.binary_data.as_ref().unwrap()[names::LIST_DER].0, list);
        assert_eq!(map.annotations()[names::AUTHORITY], scene.certificate.key_id().to_string());
        scene.maps().delete(&map.name_any(), &DeleteParams::default()).await.unwrap();
    };
    let (finished, ()) = tokio::join!(scene.import(list.clone(), &[]), operator());
    assert!(finished.status.success(), "{finished:?}");
    let authority = scene.certificate.key_id();
    let said = format!("2 entries are on record for CN={} (authority {authority})\n", scene.namespace.name);
    assert_eq!(finished.stdout, said);
    Shown::new().replace(scene.namespace.name.clone(), "<namespace>").assert("crl-import", &finished);
    let (finished, ()) = tokio::join!(scene.import(list.clone(), &["-o", "json"]), operator());
    let issuer = format!("CN={}", scene.namespace.name);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&finished.stdout).unwrap(),
        json!({"authority": authority.to_string(), "issuer": issuer, "number": "77", "entries": 2})
    );
    let (finished, ()) = tokio::join!(scene.import(list.clone(), &["-o", "name"]), operator());
    assert_eq!(finished.stdout, format!("configmap/chancery-register-{authority}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_operator_is_told_and_nothing_is_left_behind() {
    let scene = Scene::set().await;
    let operator = async {
        let name = scene.handed_over().await.name_any();
        let refused = json!({"metadata": {"annotations": {names::IMPORT_REFUSED: "the register is full"}}});
        scene.maps().patch(&name, &PatchParams::default(), &Patch::Merge(refused)).await.unwrap();
    };
    let (finished, ()) = tokio::join!(scene.import(scene.list(None), &[]), operator);
    assert!(!finished.status.success() && finished.stderr.contains("the register is full"), "{finished:?}");
    scene.assert_nothing_is_handed_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_meant_is_refused_before_anything_is_written() {
    let scene = Scene::set().await;
    let (namesake, key) = authority(&scene.namespace.name);
    let rows: [(Vec<u8>, &[&str], &str); 6] = [
        (signed(&namesake, &key, None), &[], "signed by none of the 1 authorities"),
        (scene.list(Some(CrlNumber::new(76))), &[], "the list is a delta"),
        (scene.list(None), &["--list", "default/absent"], "RevocationList default/absent is not there"),
        (scene.list(None), &["--list", "absent"], "write it as namespace/name"),
        (scene.list(None), &["--context", "absent"], "no cluster"),
        (b"nonsense".to_vec(), &[], "-: "),
    ];
    for (list, more, expected) in rows {
        let finished = scene.import(list, more).await;
        assert!(!finished.status.success() && finished.stderr.contains(expected), "{expected:?} is not in {finished:?}");
    }
    scene.assert_nothing_is_handed_over().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_to_the_revocation_list_that_is_named_or_nowhere() {
    let scene = Scene::set().await;
    let lists: Api<RevocationList> = scene.namespace.api();
    let object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": "old"}, "spec": {"issuerRef": {"name": "ca"}},
    });
    lists.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    let named = format!("{}/old", scene.namespace.name);
    let finished = scene.import(scene.list(None), &["--list", &named]).await;
    assert!(!finished.status.success() && finished.stderr.contains("has published nothing yet"), "{finished:?}");

    let status = json!({"status": {"observedGeneration": 1, "authority": scene.certificate.key_id().to_string()}});
    lists.patch_status("old", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    let (stranger, key) = authority("stranger");
    let finished = scene.import(signed(&stranger, &key, None), &["--list", &named]).await;
    assert!(!finished.status.success() && finished.stderr.contains("is not signed by the authority of"), "{finished:?}");
    // Nobody takes it in here: it says so, and leaves it for later.
    let finished = scene.import(scene.list(None), &["--list", &named, "--timeout", "1s"]).await;
    assert!(!finished.status.success() && finished.stderr.contains("still waits after 1 s"), "{finished:?}");
    assert_eq!(scene.maps().list(&ListParams::default().labels(names::IMPORT)).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_shown_in_either_form_and_needs_no_cluster() {
    let ground = Ground::bare().await;
    let (certificate, key) = authority("shown");
    let der = signed(&certificate, &key, None);
    let pem = Program::openssl().args(["crl", "-inform", "DER"]).stdin(der.clone()).run().await;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, certificate.to_pem()).unwrap();
    for list in [der, pem.into_bytes()] {
        let shown = Program::kubectl_chancery(&ground)
            .args(["crl", "show", "-", "--ca"])
            .args([&ca])
            .env("KUBECONFIG", "/nowhere")
            .stdin(list)
            .finish()
            .await;
        Shown::new().replace(r"\b[0-9a-f]{40}\b", "<key identifier>").replace(r"(Octets: +)\d+", "${1}<n>").assert("crl-show", &shown);
        let shown = shown.stdout;
        assert!(shown.contains("good, by CN=shown") && shown.contains("Revoked:        2"), "{shown}");
        assert_eq!(shown.lines().filter(|line| line.ends_with("keyCompromise")).count(), 2, "{shown}");
    }
    let as_ = async |format: &str| {
        let list = signed(&certificate, &key, None);
        Program::kubectl_chancery(&ground).args(["crl", "show", "-", "-o", format]).stdin(list).run().await
    };
    let value: serde_json::Value = serde_json::from_str(&as_("json").await).unwrap();
    assert_eq!(
        (&value["issuer"], &value["signature"], &value["revoked"][1]["serialNumber"]),
        (&json!("CN=shown"), &json!("notChecked"), &json!("06"))
    );
    assert_eq!(as_("name").await, "serial/05\nserial/06\n");
    std::fs::write(&ca, authority("shown").0.to_pem()).unwrap();
    let list = signed(&certificate, &key, None);
    let stranger = Program::kubectl_chancery(&ground).args(["crl", "show", "-", "--ca"]).args([&ca]).stdin(list).finish().await;
    assert!(stranger.status.code() == Some(3) && stranger.stdout.contains("NOT by any of the given"), "{stranger:?}");
}
