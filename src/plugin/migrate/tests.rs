use serde_json::{Value, json};

use super::{
    report::{Format, Only},
    *,
};

fn document(object: Value) -> Document {
    Document { place: "file".to_owned(), object }
}

fn of(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": { "name": "it", "namespace": "shop" }, "spec": spec })
}

/// A Certificate with this and the few fields that each must have. An explicit key, so that nothing is to be said of it.
fn certificate(more: &Value) -> Value {
    let mut spec = json!({
        "secretName": "it", "issuerRef": {"name": "ca"}, "dnsNames": ["it.example.org"], "privateKey": {"algorithm": "RSA"},
    });
    merge(&mut spec, more);
    of("Certificate", &spec)
}

fn merge(to: &mut Value, from: &Value) {
    let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) else { panic!("objects are wanted") };
    for (key, value) in from {
        to.insert(key.clone(), value.clone());
    }
}

fn fate(object: &Value) -> Fate {
    migrate(&[document(object.clone())], &[]).objects.remove(0).fate
}

/// The notes of an object and the object, if it goes over.
fn notes(object: &Value) -> (Option<Value>, Vec<(String, String)>) {
    let pairs = |notes: Vec<Note>| notes.into_iter().map(|note| (note.field, note.text)).collect();
    match fate(object) {
        Fate::Carried { object, differences } => (Some(object), pairs(differences)),
        Fate::Refused(reasons) => (None, pairs(reasons)),
        Fate::LeftOut => panic!("left out: {object}"),
    }
}

fn differs(object: &Value, field: &str, text: &str) -> Value {
    let (carried, notes) = notes(object);
    let carried = carried.unwrap_or_else(|| panic!("{object} is refused: {notes:?}"));
    assert!(notes.iter().any(|(at, said)| at == field && said.contains(text)), "{field}: {text} is not in {notes:?}");
    carried
}

fn as_it_is(object: &Value) -> Value {
    let (carried, notes) = notes(object);
    assert_eq!(notes, [], "{object}");
    carried.unwrap()
}

fn refused(object: &Value, field: &str, text: &str) {
    let (carried, notes) = notes(object);
    assert_eq!(carried, None, "{object}");
    assert!(notes.iter().any(|(at, said)| at == field && said.contains(text)), "{field}: {text} is not in {notes:?}");
}

#[test]
fn a_certificate_goes_over_with_its_fields_and_under_our_group() {
    let spec = json!({
        "secretName": "it", "issuerRef": {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}, "dnsNames": ["it.example.org"],
        "duration": "1000h", "privateKey": {"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Always"}, "usages": ["server auth"],
    });
    let carried = as_it_is(&of("Certificate", &spec));
    let mut expected = spec;
    expected["issuerRef"]["group"] = json!("chancery.dev");
    let metadata = json!({"name": "it", "namespace": "shop"});
    assert_eq!(carried, json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": metadata, "spec": expected}));
}

#[test]
fn what_the_server_set_is_dropped_and_labels_and_annotations_are_kept() {
    let mut object = certificate(&json!({}));
    object["status"] = json!({"revision": 3});
    object["metadata"] = json!({
        "name": "it", "uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}],
        "labels": {"team": "blue", "empty": ""},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}", "example.org/note": "NO", "cert-manager.io/issue-temporary-certificate": "true",
        },
    });
    let expected = json!({
        "name": "it", "labels": {"team": "blue", "empty": ""},
        "annotations": {"example.org/note": "NO", "chancery.dev/issue-temporary-certificate": "true"},
    });
    let carried = as_it_is(&object);
    assert_eq!(carried["metadata"], expected);
    assert_eq!(carried.get("status"), None);
}

#[test]
fn what_means_unset_in_go_is_unset() {
    let more = json!({
        "commonName": "", "literalSubject": null, "issuerRef": {"name": "ca", "kind": "", "group": ""}, "subject": {"serialNumber": ""},
        "privateKey": {"algorithm": "RSA", "size": 0, "encoding": "", "rotationPolicy": null},
        "secretTemplate": {"annotations": {"example.org/empty": ""}},
    });
    let carried = as_it_is(&certificate(&more));
    assert_eq!(carried["spec"]["issuerRef"], json!({"name": "ca"}));
    assert_eq!(carried["spec"]["privateKey"], json!({"algorithm": "RSA"}));
    assert_eq!(carried["spec"]["secretTemplate"]["annotations"], json!({"example.org/empty": ""}));
    assert_eq!(carried["spec"].get("commonName"), None);
}

#[test]
fn each_difference_is_said_with_its_field() {
    let ec = json!({"algorithm": "ECDSA"});
    let store = |profile: Value| json!({"keystores": {"pkcs12": {"create": true, "password": "secret", "profile": profile}}});
    let table = [
        (json!({"revisionHistoryLimit": 3}), "spec.revisionHistoryLimit", "without effect"),
        (json!({"encodeUsagesInRequest": false}), "spec.encodeUsagesInRequest", "without effect"),
        (json!({"signatureAlgorithm": "SHA384WithRSA"}), "spec.signatureAlgorithm", "only the kind of key"),
        (
            json!({"signatureAlgorithm": "ECDSAWithSHA512", "privateKey": {"algorithm": "ECDSA"}}),
            "spec.signatureAlgorithm",
            "with selfSigned, ECDSA P-256 does not",
        ),
        (json!({"privateKey": null}), "spec.privateKey", "ECDSA P-256, not RSA 2048"),
        (json!({"privateKey": {"encoding": "PKCS8"}}), "spec.privateKey", "until the next renewal"),
        (json!({"privateKey": null}), "spec.usages", "unset: digital signature in a new certificate"),
        (json!({"privateKey": ec}), "spec.usages", "unset: digital signature in a new certificate"),
        (json!({"privateKey": {"algorithm": "Ed25519", "size": 2048}}), "spec.privateKey.size", "left out"),
        (json!({"isCA": true, "commonName": "x"}), "spec.privateKey.rotationPolicy", "keeps its key"),
        (json!({"isCA": true, "commonName": "x"}), "spec.usages", "digital signature, key encipherment, cert sign, crl sign"),
        (json!({"isCA": true, "commonName": "x", "issuerRef": {"name": "a", "kind": "ClusterIssuer"}}), "spec.isCA", "allow: {isCA: true}"),
        (json!({"usages": ["ocsp signing"]}), "spec.usages", "allow.usages"),
        (store(json!("LegacyRC2")), "spec.keystores.pkcs12.profile", "encrypted with 3DES"),
        (store(Value::Null), "spec.keystores.pkcs12.profile", "unset, so LegacyRC2"),
    ];
    for (more, field, text) in table {
        let carried = differs(&certificate(&more), field, text);
        assert_eq!(carried["spec"].get("revisionHistoryLimit"), more.get("revisionHistoryLimit"), "kept, though without effect");
    }
}

#[test]
fn where_nothing_differs_nothing_is_said() {
    for more in [
        json!({"usages": ["server auth"], "privateKey": {"algorithm": "ECDSA"}}),
        json!({"privateKey": {"size": 4096}}),
        json!({"privateKey": null, "signatureAlgorithm": "SHA256WithRSA", "issuerRef": {"name": "own"}}),
        json!({"isCA": true, "commonName": "x", "usages": ["cert sign"], "privateKey": {"size": 256, "rotationPolicy": "Never"}}),
        json!({"keystores": {"pkcs12": {"create": true, "password": "secret", "profile": "Modern2023"}}}),
        json!({"keystores": {"pkcs12": {"create": false, "password": "secret"}}}),
    ] {
        let own = of("Issuer", &json!({"selfSigned": {}}));
        let mut named = own.clone();
        named["metadata"]["name"] = json!("own");
        let outcome = migrate(&[document(certificate(&more))], &[named]);
        assert!(matches!(&outcome.objects[0].fate, Fate::Carried { differences, .. } if differences.is_empty()), "{more}: {outcome:?}");
    }
}

#[test]
fn what_has_nothing_beside_it_here_is_refused_with_its_field() {
    let table = [
        (of("Issuer", &json!({"acme": {"server": "https://acme.example.org"}})), "spec.acme", "no acme issuers"),
        (of("ClusterIssuer", &json!({"vault": {"server": "https://vault.example.org"}})), "spec.vault", "no vault issuers"),
        (of("Issuer", &json!({"venafi": {"zone": "z"}})), "spec.venafi", "no venafi issuers"),
        (of("Issuer", &json!({"selfSigned": {}, "surprise": 1})), "spec.surprise", "no such field"),
        (of("Issuer", &json!({})), "spec", "exactly one of"),
        (of("CertificateRequest", &json!({})), "kind", "no requests"),
        (of("Surprise", &json!({})), "kind", "no Surprise here"),
        (json!({"apiVersion": "acme.cert-manager.io/v1", "kind": "Order", "metadata": {"name": "a"}}), "kind", "nothing of this group"),
        (
            json!({"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "metadata": {"name": "a"}}),
            "kind",
            "nothing of this group",
        ),
        (json!({"apiVersion": "cert-manager.io/v1alpha2", "kind": "Issuer", "metadata": {"name": "a"}}), "apiVersion", "cmctl convert"),
        (
            certificate(&json!({"issuerRef": {"name": "pca", "group": "awspca.cert-manager.io"}})),
            "spec.issuerRef.group",
            "awspca.cert-manager.io",
        ),
        (certificate(&json!({"surprise": true})), "spec.surprise", "no such field"),
        (certificate(&json!({"privateKey": {"surprise": true}})), "spec.privateKey.surprise", "no such field"),
        (certificate(&json!({"otherNames": [{"oid": "1.2.3", "surprise": "x"}]})), "spec.otherNames[0].surprise", "no such field"),
        (certificate(&json!({"privateKey": {"algorithm": "RSA", "size": 2049}})), "spec.privateKey.size", "must be 2048"),
        (certificate(&json!({"dnsNames": ["under_score.example.org"]})), "spec.dnsNames[0]", "under_score"),
        (certificate(&json!({"usages": ["making tea"]})), "spec.usages[0]", "must be one of"),
        (certificate(&json!({"isCA": "yes"})), "spec.isCA", "must be of type boolean"),
        (certificate(&json!({"secretName": null})), "spec.secretName", "is required"),
        (certificate(&json!({"subject": {"countries": ["Norway"]}})), "spec.subject.countries[0]", "2 characters"),
        (json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "it"}}), "spec", "is required"),
        (json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "spec": {"selfSigned": {}}}), "metadata.name", "is required"),
    ];
    for (object, field, text) in table {
        refused(&object, field, text);
    }
}

#[test]
fn annotations_that_ask_for_what_is_not_there_refuse_the_object_and_others_are_listed() {
    for key in ["acme.cert-manager.io/http01-override-ingress-name", "venafi.cert-manager.io/custom-fields"] {
        let mut object = certificate(&json!({}));
        object["metadata"]["annotations"] = json!({ key: "x" });
        refused(&object, &format!("metadata.annotations[{key}]"), "not there");
    }
    let mut object = certificate(&json!({}));
    object["metadata"]["annotations"] = json!({"cert-manager.io/alt-names": "a"});
    let carried = differs(&object, "metadata.annotations[cert-manager.io/alt-names]", "means nothing here");
    assert_eq!(carried["metadata"]["annotations"], json!({"cert-manager.io/alt-names": "a"}));
}

#[test]
fn metadata_that_ties_an_object_to_others_is_left_out_and_said() {
    let mut object = certificate(&json!({}));
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "front"}]);
    let carried = differs(&object, "metadata.ownerReferences", "made for Ingress front");
    assert_eq!(carried["metadata"].get("ownerReferences"), None);
    object["metadata"]["surprise"] = json!(1);
    refused(&object, "metadata.surprise", "no such field");
    let mut object = certificate(&json!({}));
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    refused(&object, "metadata.deletionTimestamp", "being deleted");
    let mut object = certificate(&json!({}));
    object["metadata"]["labels"] = json!({"team": 1});
    refused(&object, "metadata.labels.team", "cannot be read");
}

#[test]
fn a_value_of_another_type_is_refused_with_its_field_and_never_shown() {
    let of_password = |password: Value| certificate(&json!({"keystores": {"jks": {"create": true, "password": password}}}));
    // No schema says how large it may be.
    let (carried, told) = notes(&certificate(&json!({"revisionHistoryLimit": 4_123_456_789_u32})));
    assert_eq!((carried, told), (None, vec![("spec.revisionHistoryLimit".to_owned(), "has a value that cannot be read".to_owned())]));
    for (object, field) in [
        (of_password(json!(4_123_456_789_u32)), "spec.keystores.jks.password"),
        (of_password(json!({"is": "4123456789"})), "spec.keystores.jks.password"),
        (certificate(&json!({"keystores": "4123456789"})), "spec.keystores"),
        (certificate(&json!({"keystores": ["4123456789"]})), "spec.keystores"),
        (of("Issuer", &json!({"ca": {"secretName": 4_123_456_789_u32}})), "spec.ca.secretName"),
        (of("ClusterIssuer", &json!({"ca": "4123456789"})), "spec.ca"),
    ] {
        for labels in [json!({}), json!({"team": 4_123_456_789_u32})] {
            let mut object = object.clone();
            object["metadata"]["labels"] = labels;
            let (carried, notes) = notes(&object);
            assert!(carried.is_none() && notes.len() == 1 && notes[0].0 == field, "{notes:?}");
            assert!(!notes[0].1.contains("4123456789"), "{notes:?}");
        }
    }
}

#[test]
fn objects_of_others_are_left_out_unless_cert_manager_does_something_for_them() {
    let object = |kind: &str, annotations: Value| json!({"apiVersion": "example.org/v1", "kind": kind, "metadata": {"name": "x", "annotations": annotations}});
    for left in [
        object("Deployment", json!({})),
        object("Secret", json!({"cert-manager.io/certificate-name": "web"})),
        object("APIService", json!({"cert-manager.io/inject-ca-from-secret": "shop/web"})),
        json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": "x"}}),
        json!({"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest", "metadata": {"name": "x", "ownerReferences": [{"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": "x"}]}}),
        json!({"no": "object of Kubernetes"}),
    ] {
        assert_eq!(fate(&left), Fate::LeftOut, "{left}");
    }
    refused(
        &object("Ingress", json!({"cert-manager.io/cluster-issuer": "ca"})),
        "metadata.annotations[cert-manager.io/cluster-issuer]",
        "write a Certificate",
    );
    refused(
        &object("Ingress", json!({"kubernetes.io/tls-acme": "true"})),
        "metadata.annotations[kubernetes.io/tls-acme]",
        "write a Certificate",
    );
    let webhook = object("ValidatingWebhookConfiguration", json!({"cert-manager.io/inject-ca-from": "shop/web"}));
    refused(&webhook, "metadata.annotations[cert-manager.io/inject-ca-from]", "inject-ca-from-secret");
}

#[test]
fn a_certificate_of_an_issuer_that_cannot_go_over_does_not_either() {
    let mut acme = of("ClusterIssuer", &json!({"acme": {}}));
    acme["metadata"] = json!({"name": "public"});
    let web = certificate(&json!({"issuerRef": {"name": "public", "kind": "ClusterIssuer"}}));
    for (documents, known) in [(vec![acme.clone(), web.clone()], vec![]), (vec![web], vec![acme])] {
        let documents: Vec<_> = documents.into_iter().map(document).collect();
        let outcome = migrate(&documents, &known);
        let last = outcome.objects.last().unwrap();
        assert!(
            matches!(&last.fate, Fate::Refused(notes) if notes[0].field == "spec.issuerRef" && notes[0].text.contains("acme")),
            "{last:?}"
        );
        assert_eq!(outcome.absent_issuers, [""; 0]);
    }
}

#[test]
fn a_certificate_that_signs_itself_in_a_way_that_its_key_cannot_here_is_refused() {
    let mut own = of("Issuer", &json!({"selfSigned": {}}));
    own["metadata"]["name"] = json!("ca");
    let root = certificate(&json!({"signatureAlgorithm": "ECDSAWithSHA512", "privateKey": {"algorithm": "ECDSA", "size": 384}}));
    let outcome = migrate(&[document(root)], &[own]);
    let Fate::Refused(notes) = &outcome.objects[0].fate else { panic!("{outcome:?}") };
    assert_eq!(notes[0].field, "spec.signatureAlgorithm");
    assert!(notes[0].text.contains("P-384"), "{notes:?}");

    let mut own = of("Issuer", &json!({"selfSigned": {}}));
    own["metadata"]["name"] = json!("ca");
    let outcome = migrate(&[document(own), document(certificate(&json!({"signatureAlgorithm": "SHA512WithRSA"})))], &[]);
    let Fate::Carried { differences, .. } = &outcome.objects[1].fate else { panic!("{outcome:?}") };
    assert!(differences[0].text.contains("cert-manager's is signed with SHA256WithRSA"), "{differences:?}");
}

#[test]
fn a_cluster_issuer_may_make_cas_where_a_certificate_needs_it_and_only_there() {
    let mut issuer = of("ClusterIssuer", &json!({"ca": {"secretName": "root"}}));
    issuer["metadata"] = json!({"name": "root"});
    let of_root = |more: Value| {
        let mut more = more;
        more["issuerRef"] = json!({"name": "root", "kind": "ClusterIssuer"});
        document(certificate(&more))
    };
    let leaf = of_root(json!({}));
    let ca = of_root(json!({"isCA": true, "commonName": "x", "secretName": "root"}));
    let spec = |outcome: &Outcome| match &outcome.objects[0].fate {
        Fate::Carried { object, differences } => (object["spec"].clone(), differences.clone()),
        other => panic!("{other:?}"),
    };
    let (without, notes) = spec(&migrate(&[document(issuer.clone()), leaf], &[]));
    assert_eq!(without, json!({"ca": {"secretName": "root"}}));
    assert_eq!(notes, [Note::new("spec.ca.secretName", "looked for in the operator's namespace (chancery-system unless set otherwise)")]);
    let (with, notes) = spec(&migrate(&[document(issuer), ca], &[]));
    assert_eq!(with, json!({"ca": {"secretName": "root"}, "allow": {"isCA": true}}));
    assert!(notes[0].text.ends_with("it is made by Certificate shop/it"), "{notes:?}");
    assert!(notes[1].text.contains("for Certificate shop/it"), "{notes:?}");
}

#[test]
fn two_certificates_that_write_one_secret_are_told() {
    let mut other = certificate(&json!({}));
    other["metadata"]["name"] = json!("other");
    let outcome = migrate(&[document(certificate(&json!({}))), document(other)], &[]);
    let Fate::Carried { differences, .. } = &outcome.objects[0].fate else { panic!("{outcome:?}") };
    assert_eq!(differences[0].field, "spec.secretName");
    assert!(differences[0].text.contains("shop/other"), "{differences:?}");
}

#[test]
fn the_report_has_a_line_for_each_note_and_the_manifests_have_what_goes_over() {
    let mut issuer = of("Issuer", &json!({"selfSigned": {}}));
    issuer["metadata"]["name"] = json!("own");
    let documents: Vec<_> = [
        issuer,
        certificate(&json!({"encodeUsagesInRequest": true, "revisionHistoryLimit": 1})),
        certificate(&json!({"surprise\u{1b}": 1})),
        json!({"kind": "Service"}),
    ]
    .map(document)
    .into();
    let outcome = migrate(&documents, &[]);
    let expected = "\
Issuer shop/own      carried
Certificate shop/it  differs  spec.revisionHistoryLimit   without effect: there are no request objects
                              spec.encodeUsagesInRequest  without effect: there are no requests
Certificate shop/it  REFUSED  spec.surprise?              there is no such field here
1 carried as they are, 1 with a difference, 1 refused, 1 left out
not among what was read, and needed: Issuer shop/ca
";
    assert_eq!(outcome.report(), expected);
    assert!(outcome.refuses());
    let read = documents::parse("printed", &outcome.manifests(Format::Yaml)).unwrap();
    assert_eq!(read.iter().map(|document| document.object["kind"].clone()).collect::<Vec<_>>(), ["Issuer", "Certificate"]);
    let list: Value = serde_json::from_str(&outcome.manifests(Format::Json)).unwrap();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));

    let issuers = outcome.clone().only(Only::Issuers);
    assert!(!issuers.refuses() && issuers.absent_issuers.is_empty());
    assert!(issuers.report().starts_with("Issuer shop/own  carried\n1 carried as they are, 0 with"), "{}", issuers.report());
    assert_eq!(outcome.only(Only::Certificates).manifests(Format::Yaml).matches("kind:").count(), 1);
}
