//! The table: each field of `Certificate.spec`, and what a change of it does. `docs/certificate.md`, "What a change does", says the
//! same to people.

use std::collections::BTreeSet;

use futures::future::join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use serde_json::{Value, json};

use super::change::Outcome::{NewCertificate, Nothing, SameKey};
use super::change::{Row, put_right, row};
use crate::stage::{Stage, merged};

/// Beside what is written in the Secret: that a value is a default no more, though it is the same.
const DEFAULTED: &str = "~annotation chancery.dev/defaulted";

fn whose_it_is() -> Vec<Row> {
    let twin = json!({"name": "contract-twin"});
    let twin_of = |kind: &str| json!({"name": "contract-twin", "kind": kind});
    vec![
        row("secretName", json!({}), json!({"secretName": "elsewhere"}), NewCertificate("SecretMissing"))
            .but_back(NewCertificate("NotCurrent")),
        row("issuerRef.name", json!({}), json!({"issuerRef": {"name": "other"}}), NewCertificate("IssuerChanged")),
        row("issuerRef.kind", json!({"issuerRef": twin}), json!({"issuerRef": twin_of("ClusterIssuer")}), NewCertificate("IssuerChanged")),
        row("issuerRef.kind", json!({"issuerRef": twin}), json!({"issuerRef": twin_of("Issuer")}), Nothing(&[])),
        row("issuerRef.group", json!({}), json!({"issuerRef": {"group": "chancery.dev"}}), Nothing(&[])),
        row("issuerRef.group", json!({"issuerRef": {"group": "cert-manager.io"}}), json!({"issuerRef": {"group": ""}}), Nothing(&[])),
        row("deletionPolicy", json!({}), json!({"deletionPolicy": "Retain"}), Nothing(&[])),
        row("deletionPolicy", json!({}), json!({"deletionPolicy": "Delete"}), Nothing(&[])),
        row("deletionPolicy", json!({"deletionPolicy": "Delete"}), json!({"deletionPolicy": "RevokeAndDelete"}), Nothing(&[])),
        row("revisionHistoryLimit", json!({}), json!({"revisionHistoryLimit": 1}), Nothing(&[])),
        row("encodeUsagesInRequest", json!({}), json!({"encodeUsagesInRequest": true}), Nothing(&[])),
        row("encodeUsagesInRequest", json!({"encodeUsagesInRequest": true}), json!({"encodeUsagesInRequest": false}), Nothing(&[])),
    ]
}

fn names() -> Vec<Row> {
    let dns = |names: &[&str]| json!({"dnsNames": names});
    let other = |oid: &str, value: &str| json!({"otherNames": [{"oid": oid, "utf8Value": value}]});
    let upn = "1.3.6.1.4.1.311.20.2.3";
    let new = NewCertificate("NamesChanged");
    vec![
        row("dnsNames", dns(&["a.example.com"]), dns(&["a.example.com", "b.example.com"]), new.clone()),
        row("dnsNames", dns(&["a.example.com"]), dns(&["*.example.com"]), new.clone()),
        row("dnsNames", dns(&["a.example.com", "b.example.com"]), dns(&["b.example.com", "a.example.com"]), Nothing(&[])),
        row("ipAddresses", json!({}), json!({"ipAddresses": ["10.0.0.1"]}), new.clone()),
        row("ipAddresses", json!({"ipAddresses": ["10.0.0.1"]}), json!({"ipAddresses": ["2001:db8::1"]}), new.clone()),
        row("ipAddresses", json!({"ipAddresses": ["2001:db8::1"]}), json!({"ipAddresses": ["2001:DB8:0:0::1"]}), Nothing(&[])),
        row("uris", json!({}), json!({"uris": ["spiffe://a.example/b"]}), new.clone()),
        row("emailAddresses", json!({}), json!({"emailAddresses": ["a@example.com"]}), new.clone()),
        row("otherNames.oid", json!({}), other(upn, "a@example.com"), new.clone()),
        row("otherNames.oid", other(upn, "a@example.com"), other("1.2.3.4", "a@example.com"), new.clone()),
        row("otherNames.utf8Value", other(upn, "a@example.com"), other(upn, "ä@example.com"), new),
    ]
}

fn subjects() -> Vec<Row> {
    let new = || NewCertificate("SubjectChanged");
    let subject = |part: &str, value: Value| json!({"subject": {part: value}});
    let mut rows: Vec<Row> = [
        ("subject.organizations", subject("organizations", json!(["A", "B"]))),
        ("subject.countries", subject("countries", json!(["CH"]))),
        ("subject.organizationalUnits", subject("organizationalUnits", json!(["A"]))),
        ("subject.localities", subject("localities", json!(["A"]))),
        ("subject.provinces", subject("provinces", json!(["A"]))),
        ("subject.streetAddresses", subject("streetAddresses", json!(["A 1"]))),
        ("subject.postalCodes", subject("postalCodes", json!(["0000"]))),
        ("subject.serialNumber", subject("serialNumber", json!("7"))),
        ("commonName", json!({"commonName": "a"})),
        ("literalSubject", json!({"literalSubject": "CN=a+UID=7,OU=b,DC=example,DC=com"})),
    ]
    .into_iter()
    .map(|(field, after)| row(field, json!({}), after, new()))
    .collect();
    rows.extend([
        row("commonName", json!({"commonName": "a"}), json!({"commonName": "b"}), new()),
        row("subject.organizations", subject("organizations", json!(["A", "B"])), subject("organizations", json!(["A"])), new()),
        row("literalSubject", json!({"literalSubject": "CN=a,OU=b"}), json!({"literalSubject": "OU=b,CN=a"}), new()),
        row("literalSubject", json!({"literalSubject": "CN=a, OU=b"}), json!({"literalSubject": "2.5.4.3=a,ou=b"}), Nothing(&[])),
        row("literalSubject", json!({"commonName": "a"}), json!({"literalSubject": "CN=a"}), Nothing(&[])),
    ]);
    rows
}

fn times() -> Vec<Row> {
    let (renewal, moved) = (Nothing(&["conditions", "renewalTime", "resolved"]), Nothing(&["conditions", "renewalTime"]));
    // Half a year, of which two months are left when it falls due: on any day there is a window among them, and it has not begun.
    let long = json!({"duration": "4320h"});
    let window = |fields: Value| {
        let window = merged(json!({"cron": "0 2 1 * *", "windowDuration": "1m"}), &fields);
        json!({"duration": "4320h", "renewal": {"windows": [window]}})
    };
    let new = NewCertificate("DurationChanged");
    vec![
        row("duration", json!({"duration": "240h"}), json!({"duration": "241h"}), new.clone()),
        row("duration", json!({}), json!({"duration": "240h"}), new),
        row("duration", json!({"duration": "240h"}), json!({"duration": "240h0m0s"}), Nothing(&[])),
        row("duration", json!({}), json!({"duration": "2160h"}), put_right([DEFAULTED])),
        row("renewBefore", json!({}), json!({"renewBefore": "100h"}), renewal.clone()),
        row("renewBefore", json!({"renewBefore": "100h"}), json!({"renewBefore": "100h30m"}), renewal.clone()),
        row("renewBeforePercentage", json!({"renewBefore": "100h"}), json!({"renewBeforePercentage": 50}), renewal),
        row("renewBeforePercentage", json!({}), json!({"renewBeforePercentage": 50}), moved.clone()),
        row("renewal.policy", json!({}), json!({"renewal": {"policy": "Disabled"}}), moved.clone()),
        row("renewal.policy", json!({}), json!({"renewal": {"policy": "RenewBefore"}}), Nothing(&[])),
        row("renewal.windows.cron", long, window(json!({})), moved.clone()),
        row("renewal.windows.cron", window(json!({})), window(json!({"cron": "30 4 15 * *"})), moved.clone()),
        row("renewal.windows.windowDuration", window(json!({})), window(json!({"windowDuration": "5h"})), moved.clone()),
        row("renewal.windows.windowDuration", window(json!({})), window(json!({"windowDuration": "60s"})), Nothing(&[])),
        row("renewal.windows.timezone", window(json!({})), window(json!({"timezone": "Asia/Tokyo"})), moved),
        row("renewal.windows.timezone", window(json!({})), window(json!({"timezone": "UTC"})), Nothing(&[])),
        // Before 2020 nothing was issued.
        row(
            "revocation.issuedBefore",
            json!({}),
            json!({"revocation": {"issuedBefore": "2020-01-01T00:00:00Z"}}),
            Nothing(&["conditions", "revocation"]),
        ),
        row(
            "revocation.issuedBefore",
            json!({}),
            json!({"revocation": {"issuedBefore": "2999-01-01T00:00:00Z"}}),
            NewCertificate("Revoked"),
        )
        .but_back(Nothing(&["conditions", "revocation"])),
        row("revocation.reason", revoked(&json!({})), revoked(&json!({"reason": "superseded"})), Nothing(&[])),
        row("revocation.invalidityDate", revoked(&json!({})), revoked(&json!({"invalidityDate": "2019-01-01T00:00:00Z"})), Nothing(&[])),
    ]
}

fn revoked(more: &Value) -> Value {
    json!({"revocation": merged(json!({"issuedBefore": "2020-01-01T00:00:00Z"}), more)})
}

fn keys() -> Vec<Row> {
    let key = |key: Value| json!({"privateKey": key});
    let p256 = json!({"algorithm": "ECDSA", "size": 256});
    let p521 = json!({"algorithm": "ECDSA", "size": 521});
    let signed = |key: &Value, algorithm: &str| json!({"privateKey": key, "signatureAlgorithm": algorithm});
    let of_itself = json!({"issuerRef": {"name": "self"}});
    let (new, another_usage) = (NewCertificate("KeyChanged"), NewCertificate("UsagesChanged"));
    let kept = json!({"rotationPolicy": "Never"});
    vec![
        row("privateKey.algorithm", json!({}), key(json!({"algorithm": "Ed25519"})), new.clone()),
        row("privateKey.algorithm", json!({}), key(json!({"algorithm": "RSA"})), new.clone()),
        row("privateKey.algorithm", json!({}), key(json!({"algorithm": "ECDSA"})), put_right([DEFAULTED])),
        row("privateKey.size", key(json!({"size": 256})), key(json!({"size": 384})), new.clone()),
        row("privateKey.size", json!({}), key(json!({"size": 521})), new.clone()),
        row("privateKey.encoding", json!({}), key(json!({"encoding": "PKCS8"})), new.clone()),
        row("privateKey.encoding", json!({}), key(json!({"encoding": "PKCS1"})), put_right([DEFAULTED])),
        row("privateKey.encoding", key(kept.clone()), key(json!({"rotationPolicy": "Never", "encoding": "PKCS8"})), SameKey("KeyChanged")),
        row("privateKey.rotationPolicy", json!({}), key(kept), Nothing(&["resolved"])),
        row("usages", json!({}), json!({"usages": ["digital signature", "client auth"]}), another_usage.clone()),
        row("usages", json!({"usages": ["server auth"]}), json!({"usages": ["server auth", "client auth"]}), another_usage),
        row("usages", json!({}), json!({"usages": ["digital signature"]}), put_right([DEFAULTED])),
        row("usages", json!({"usages": ["digital signature"]}), json!({"usages": ["signing"]}), Nothing(&[])),
        // It speaks of who signs, and that is the issuer, but for what signs itself.
        row("signatureAlgorithm", key(p521.clone()), signed(&p521, "ECDSAWithSHA256"), Nothing(&[])),
        row("signatureAlgorithm", json!({}), json!({"signatureAlgorithm": "ECDSAWithSHA384"}), Nothing(&[])),
        row("signatureAlgorithm", json!({}), json!({"signatureAlgorithm": "PureEd25519"}), new.clone()).but_back(Nothing(&[])),
        row("signatureAlgorithm", json!({}), json!({"signatureAlgorithm": "SHA512WithRSA"}), new).but_back(Nothing(&[])),
        row("signatureAlgorithm", key(p256.clone()), signed(&p256, "ECDSAWithSHA256"), Nothing(&[])).with(&of_itself),
        row("signatureAlgorithm", json!({}), json!({"signatureAlgorithm": "ECDSAWithSHA384"}), NewCertificate("SignatureChanged"))
            .but_back(Nothing(&[]))
            .with(&of_itself),
        row("signatureAlgorithm", key(p521.clone()), signed(&p521, "ECDSAWithSHA256"), NewCertificate("SignatureChanged")).with(&of_itself),
    ]
}

fn authorities() -> Vec<Row> {
    let changed = || SameKey("ConstraintsChanged");
    let constraints = |which: &str, form: &str, names: &[&str]| json!({"nameConstraints": {which: {form: names}}});
    let mut rows = vec![
        row("pathLen", json!({}), json!({"pathLen": 0}), changed()),
        row("pathLen", json!({"pathLen": 0}), json!({"pathLen": 2}), changed()),
        row(
            "nameConstraints.critical",
            constraints("permitted", "dnsDomains", &["example.com"]),
            json!({"nameConstraints": {"critical": true, "permitted": {"dnsDomains": ["example.com"]}}}),
            changed(),
        ),
        row(
            "nameConstraints.permitted.ipRanges",
            constraints("permitted", "ipRanges", &["10.0.0.0/8"]),
            constraints("permitted", "ipRanges", &["10.1.2.3/8"]),
            Nothing(&[]),
        ),
    ];
    let forms =
        [("dnsDomains", "a.example.com"), ("ipRanges", "10.0.0.0/8"), ("emailAddresses", "example.com"), ("uriDomains", ".example.com")];
    let fields = [
        ["nameConstraints.permitted.dnsDomains", "nameConstraints.excluded.dnsDomains"],
        ["nameConstraints.permitted.ipRanges", "nameConstraints.excluded.ipRanges"],
        ["nameConstraints.permitted.emailAddresses", "nameConstraints.excluded.emailAddresses"],
        ["nameConstraints.permitted.uriDomains", "nameConstraints.excluded.uriDomains"],
    ];
    for ((form, name), [permitted, excluded]) in forms.into_iter().zip(fields) {
        rows.push(row(permitted, json!({}), constraints("permitted", form, &[name]), changed()));
        rows.push(row(excluded, json!({}), constraints("excluded", form, &[name]), changed()));
    }
    let of_a_ca = json!({"isCA": true, "commonName": "a CA", "dnsNames": null, "duration": "300h"});
    let mut rows: Vec<Row> = rows.into_iter().map(|row| row.with(&of_a_ca)).collect();
    // A CA keeps its key where nothing else is said; it may have been a leaf's before.
    rows.push(
        row("isCA", json!({"commonName": "no CA yet"}), json!({"commonName": "no CA yet", "isCA": true}), SameKey("UsagesChanged"))
            .but_back(NewCertificate("UsagesChanged")),
    );
    rows.push(row("isCA", json!({}), json!({"isCA": false}), Nothing(&[])));
    rows
}

fn around() -> Vec<Row> {
    let format = |formats: &[&str]| json!({"additionalOutputFormats": formats.iter().map(|one| json!({"type": one})).collect::<Vec<_>>()});
    let template = |map: &str, key: &str, value: &str| json!({"secretTemplate": {map: {key: value}}});
    let (forms, by_template) = ("annotation chancery.dev/forms", "+annotation chancery.dev/secret-template");
    let (came, other) = (format!("+{forms}"), format!("~{forms}"));
    let direct = "cert-manager.io/allow-direct-injection";
    let mut rows = vec![
        row("additionalOutputFormats.type", json!({}), format(&["DER"]), put_right(["+data key.der", &came])),
        row("additionalOutputFormats.type", json!({}), format(&["CombinedPEM"]), put_right(["+data tls-combined.pem", &came])),
        row(
            "additionalOutputFormats.type",
            format(&["DER"]),
            format(&["CombinedPEM"]),
            put_right(["-data key.der", "+data tls-combined.pem", &other]),
        ),
        row("additionalOutputFormats.type", format(&["DER", "CombinedPEM"]), format(&["CombinedPEM", "DER"]), Nothing(&[])),
        row("secretTemplate.labels", json!({}), template("labels", "example.com/a", "1"), put_right(["+label example.com/a", by_template])),
        row(
            "secretTemplate.labels",
            template("labels", "example.com/a", "1"),
            template("labels", "example.com/a", "2"),
            put_right(["~label example.com/a"]),
        ),
        row(
            "secretTemplate.annotations",
            json!({}),
            template("annotations", direct, "true"),
            put_right([&format!("+annotation {direct}"), by_template]),
        ),
        row(
            "secretTemplate.annotations",
            template("annotations", "example.com/a", "1"),
            template("annotations", "example.com/b", "1"),
            put_right(["-annotation example.com/a", "+annotation example.com/b", "~annotation chancery.dev/secret-template"]),
        ),
    ];
    for (kind, suffix) in [("jks", "jks"), ("pkcs12", "p12")] {
        let fields = match kind {
            "jks" => JKS_FIELDS,
            _ => PKCS12_FIELDS,
        };
        let [create, password, name, key] = fields;
        let store = |fields: Value| json!({"keystores": {kind: merged(json!({"create": true}), &fields)}});
        let literal = store(json!({"password": "literal"}));
        let in_secret = |reference: Value| store(json!({"passwordSecretRef": reference}));
        let [stored, trusted] = [format!("data keystore.{suffix}"), format!("data truststore.{suffix}")];
        let all = |sign: &str| put_right([&format!("{sign}{stored}"), &format!("{sign}{trusted}"), &format!("{sign}{forms}")]);
        let both = put_right([&format!("~{stored}"), &format!("~{trusted}")]);
        rows.extend([
            row(create, json!({}), literal.clone(), all("+")),
            row(create, store(json!({"create": false})), literal.clone(), all("+")),
            row(password, literal.clone(), store(json!({"password": "another"})), both.clone()),
            // The very password: the stores stay, and where it is now is noted.
            row(password, literal, in_secret(json!({"name": "passwords", "key": "literal"})), put_right([&other])),
            row(name, in_secret(json!({"name": "passwords"})), in_secret(json!({"name": "more"})), all("~")),
            row(name, in_secret(json!({"name": "passwords"})), in_secret(json!({"name": "same"})), put_right([&other])),
            row(key, in_secret(json!({"name": "passwords"})), in_secret(json!({"name": "passwords", "key": "literal"})), both),
            row(key, in_secret(json!({"name": "passwords"})), in_secret(json!({"name": "passwords", "key": "password"})), Nothing(&[])),
        ]);
    }
    let jks = |alias: &str| json!({"keystores": {"jks": {"create": true, "password": "literal", "alias": alias}}});
    let pkcs12 = |profile: &str| json!({"keystores": {"pkcs12": {"create": true, "password": "literal", "profile": profile}}});
    let unset = |store: &str| json!({"keystores": {store: {"create": true, "password": "literal"}}});
    let another = || put_right(["~data keystore.p12", "~data truststore.p12"]);
    rows.extend([
        row("keystores.jks.alias", unset("jks"), jks("web"), put_right(["~data keystore.jks"])),
        row("keystores.jks.alias", unset("jks"), jks("certificate"), Nothing(&[])),
        row("keystores.jks.alias", jks("web"), jks("Web"), Nothing(&[])),
        row("keystores.pkcs12.profile", unset("pkcs12"), pkcs12("Modern2023"), another()),
        row("keystores.pkcs12.profile", pkcs12("Modern2023"), pkcs12("Modern2026"), another()),
        row("keystores.pkcs12.profile", unset("pkcs12"), pkcs12("LegacyRC2"), Nothing(&[])),
        // The one is written as the other.
        row("keystores.pkcs12.profile", pkcs12("LegacyRC2"), pkcs12("LegacyDES"), Nothing(&[])),
    ]);
    rows
}

const JKS_FIELDS: [&str; 4] =
    ["keystores.jks.create", "keystores.jks.password", "keystores.jks.passwordSecretRef.name", "keystores.jks.passwordSecretRef.key"];
const PKCS12_FIELDS: [&str; 4] = [
    "keystores.pkcs12.create",
    "keystores.pkcs12.password",
    "keystores.pkcs12.passwordSecretRef.name",
    "keystores.pkcs12.passwordSecretRef.key",
];

#[test]
fn every_field_of_a_certificate_has_a_row_in_which_it_changes() {
    let crds = chancery::api::crds::definitions();
    let certificate = crds.iter().find(|crd| crd.spec.names.kind == "Certificate").expect("it is one of ours");
    let schema = certificate.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    let spec = schema.and_then(|schema| schema.properties.as_ref()).and_then(|properties| properties.get("spec"));
    let mut fields = BTreeSet::new();
    leaves("", spec.expect("a Certificate has a spec"), &mut fields);
    assert!(fields.len() > 40, "{fields:?}");

    let rows: Vec<Row> = [whose_it_is(), names(), subjects(), times(), keys(), authorities(), around()].into_iter().flatten().collect();
    let told: BTreeSet<String> = rows.iter().map(|row| row.field.to_owned()).collect();
    let missing: Vec<&String> = fields.difference(&told).collect();
    assert!(missing.is_empty(), "fields without a row: {missing:?}");
    let unknown: Vec<&String> = told.difference(&fields).collect();
    assert!(unknown.is_empty(), "rows without a field: {unknown:?}");
    for row in rows {
        assert!(row.changes_its_field(), "a row of {} does not change it", row.field);
    }
}

/// The paths of all fields that have no fields of their own.
fn leaves(path: &str, schema: &JSONSchemaProps, found: &mut BTreeSet<String>) {
    let items = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => items.properties.as_ref(),
        _ => None,
    };
    match schema.properties.as_ref().or(items) {
        Some(properties) => {
            for (name, schema) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(&path, schema, found);
            }
        }
        None => drop(found.insert(path.to_owned())),
    }
}

/// All rows of a part of the table at once, in a namespace of their own.
async fn hold(rows: Vec<Row>) {
    let stage = Stage::set("field").await;
    stage.authority().await;
    stage.issuer("other", json!({"ca": {"secretName": "ca"}})).await;
    stage.issuer("contract-twin", json!({"selfSigned": {}})).await;
    let data = json!({"password": "first", "literal": "literal"});
    for (name, data) in [("passwords", data), ("more", json!({"password": "second"})), ("same", json!({"password": "first"}))] {
        stage.put_secret(name, "Opaque", json!({}), data).await;
    }
    join_all(rows.iter().enumerate().map(|(number, row)| row.run(&stage, number))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_issues_and_where_it_goes_are_followed_and_what_is_about_the_object_changes_nothing() {
    let stage = Stage::set("twin").await;
    stage.cluster_issuer("contract-twin", json!({"selfSigned": {}})).await;
    hold(whose_it_is()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_make_a_new_certificate_and_the_same_ones_written_otherwise_do_not() {
    hold(names()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_subject_makes_a_new_certificate_and_the_same_one_written_otherwise_does_not() {
    hold(subjects()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_lifetime_makes_a_new_certificate_and_another_renewal_moves_it() {
    hold(times()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_key_or_usage_makes_a_new_certificate_and_a_default_that_is_written_out_does_not() {
    hold(keys()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_limits_of_a_ca_make_a_new_certificate_for_the_same_key() {
    hold(authorities()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_around_a_certificate_is_put_right_with_one_write() {
    hold(around()).await;
}
