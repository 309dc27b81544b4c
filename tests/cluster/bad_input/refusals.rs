//! What never gets in: the API server says no, by our schema and rules, and names the field.

use serde_json::{Value, json};

use super::{accepts, refuses};
use crate::harness::Ground;
use crate::stage::{Stage, merged};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_a_certificate_that_cannot_be_meant_and_names_the_field() {
    let stage = Stage::set("refused").await;
    let many: Vec<String> = (0..2000).map(|number| format!("a{number}.example.com")).collect();
    let nightly = json!({"cron": "0 2 * * *", "windowDuration": "1h"});
    let window = |change: Value| json!({"renewal": {"windows": [merged(nightly.clone(), &change)]}});
    let rows: Vec<(&str, Value, &str)> = vec![
        // At least one name.
        ("no name at all", json!({"dnsNames": null}), "at least one of commonName, literalSubject, dnsNames"),
        ("an empty common name only", json!({"dnsNames": null, "commonName": ""}), "at least one of commonName, literalSubject, dnsNames"),
        ("an empty list of names only", json!({"dnsNames": []}), "at least one of commonName, literalSubject, dnsNames"),
        // References.
        ("bad characters in secretName", json!({"secretName": "My_Secret"}), "spec.secretName"),
        ("no secretName", json!({"secretName": null}), "spec.secretName"),
        ("a kind that is none of ours", json!({"issuerRef": {"kind": "Nope"}}), "spec.issuerRef.kind"),
        ("a group that is none of ours", json!({"issuerRef": {"group": "acme.com"}}), "spec.issuerRef.group"),
        ("no issuer", json!({"issuerRef": null}), "spec.issuerRef"),
        ("an issuer without a name", json!({"issuerRef": {"name": null}}), "spec.issuerRef.name"),
        // Durations.
        ("a negative duration", json!({"duration": "-1h"}), "spec.duration"),
        ("a duration with a sign within", json!({"duration": "1h-5m"}), "spec.duration"),
        ("a duration beyond all numbers", json!({"duration": "99999999999999999999h"}), "spec.duration"),
        ("less than an hour", json!({"duration": "59m"}), "spec.duration"),
        ("days", json!({"duration": "1d"}), "spec.duration"),
        ("a duration that is a number", json!({"duration": 3600}), "spec.duration"),
        ("an empty duration", json!({"duration": ""}), "spec.duration"),
        ("a duration of nothing", json!({"duration": "0"}), "spec.duration"),
        ("renewBefore longer than duration", json!({"duration": "2h", "renewBefore": "3h"}), "spec.renewBefore"),
        ("renewBefore equal to duration in other words", json!({"duration": "2h", "renewBefore": "120m"}), "spec.renewBefore"),
        ("renewBefore below five minutes", json!({"renewBefore": "4m"}), "spec.renewBefore"),
        ("both ways to renew", json!({"renewBefore": "10m", "renewBeforePercentage": 5}), "exclude each other"),
        ("zero per cent", json!({"renewBeforePercentage": 0}), "spec.renewBeforePercentage"),
        ("a hundred per cent", json!({"renewBeforePercentage": 100}), "spec.renewBeforePercentage"),
        // Renewals.
        (
            "windows for what is not renewed",
            json!({"renewal": {"policy": "Disabled", "windows": [nightly.clone()]}}),
            "spec.renewal.windows",
        ),
        ("a policy of renewal that is none", json!({"renewal": {"policy": "Never"}}), "spec.renewal.policy"),
        ("17 windows", json!({"renewal": {"windows": vec![nightly.clone(); 17]}}), "spec.renewal.windows"),
        ("a window that is never said to open", window(json!({"cron": null})), "spec.renewal.windows[0].cron"),
        ("seconds in cron", window(json!({"cron": "0 0 2 * * *"})), "spec.renewal.windows[0].cron"),
        ("cron without a time", window(json!({"cron": "@every 1h"})), "spec.renewal.windows[0].cron"),
        ("cron in words", window(json!({"cron": "every night at two o'clock"})), "spec.renewal.windows[0].cron"),
        ("a window without a length", window(json!({"windowDuration": null})), "spec.renewal.windows[0].windowDuration"),
        ("a window of seconds", window(json!({"windowDuration": "59s"})), "spec.renewal.windows[0].windowDuration"),
        ("a window of days", window(json!({"windowDuration": "1d"})), "spec.renewal.windows[0].windowDuration"),
        ("a time zone in words", window(json!({"timezone": "New York"})), "spec.renewal.windows[0].timezone"),
        // Keys.
        ("RSA 1024", json!({"privateKey": {"algorithm": "RSA", "size": 1024}}), "spec.privateKey.size"),
        ("1024 without an algorithm", json!({"privateKey": {"size": 1024}}), "spec.privateKey.size"),
        ("Ed25519 with a size", json!({"privateKey": {"algorithm": "Ed25519", "size": 256}}), "spec.privateKey.size"),
        ("ECDSA with an RSA size", json!({"privateKey": {"algorithm": "ECDSA", "size": 2048}}), "spec.privateKey.size"),
        ("RSA with a curve's size", json!({"privateKey": {"algorithm": "RSA", "size": 256}}), "spec.privateKey.size"),
        ("DSA", json!({"privateKey": {"algorithm": "DSA"}}), "spec.privateKey.algorithm"),
        // Names.
        ("two wildcards", json!({"dnsNames": ["*.*.example.com"]}), "spec.dnsNames[0]"),
        ("a wildcard within", json!({"dnsNames": ["a.*.example.com"]}), "spec.dnsNames[0]"),
        ("half a wildcard", json!({"dnsNames": ["f*.example.com"]}), "spec.dnsNames[0]"),
        ("a wildcard alone", json!({"dnsNames": ["*"]}), "spec.dnsNames[0]"),
        ("a dot at the end", json!({"dnsNames": ["a.example.com."]}), "spec.dnsNames[0]"),
        ("a label of 64", json!({"dnsNames": [format!("{}.com", "a".repeat(64))]}), "spec.dnsNames[0]"),
        ("2,000 dnsNames", json!({"dnsNames": many}), "spec.dnsNames"),
        ("an IP that is none", json!({"ipAddresses": ["10.0.0.256"]}), "spec.ipAddresses"),
        ("an IP with a zone", json!({"ipAddresses": ["fe80::1%eth0"]}), "spec.ipAddresses"),
        ("an IPv4 in IPv6", json!({"ipAddresses": ["::ffff:10.0.0.1"]}), "spec.ipAddresses"),
        ("an IP with a leading zero", json!({"ipAddresses": ["010.0.0.1"]}), "spec.ipAddresses"),
        ("a common name of 65", json!({"commonName": "a".repeat(65)}), "spec.commonName"),
        ("a control character", json!({"commonName": "a\nb"}), "spec.commonName"),
        ("a URI without a scheme", json!({"uris": ["no scheme"]}), "spec.uris[0]"),
        ("a URI with a broken escape", json!({"uris": ["a:%zz"]}), "spec.uris[0]"),
        ("an e-mail with a display name", json!({"emailAddresses": ["A <a@b.c>"]}), "spec.emailAddresses[0]"),
        ("a country in full", json!({"subject": {"countries": ["Germany"]}}), "spec.subject.countries[0]"),
        // Subjects written whole, and names of other forms.
        ("a literal subject beside a common name", json!({"literalSubject": "CN=a", "commonName": "a"}), "spec.literalSubject"),
        ("a literal subject beside a subject", json!({"literalSubject": "CN=a", "subject": {"countries": ["DE"]}}), "spec.literalSubject"),
        ("an empty literal subject", json!({"literalSubject": ""}), "spec.literalSubject"),
        ("an other name without a form", json!({"otherNames": [{"utf8Value": "a"}]}), "spec.otherNames[0].oid"),
        ("an other name of a form that is none", json!({"otherNames": [{"oid": "a.b", "utf8Value": "a"}]}), "spec.otherNames[0].oid"),
        ("an empty other name", json!({"otherNames": [{"oid": "1.2.3", "utf8Value": ""}]}), "spec.otherNames[0].utf8Value"),
        // What a CA may certify.
        ("constraints without isCA", json!({"nameConstraints": {"permitted": {"dnsDomains": ["a.example"]}}}), "spec.nameConstraints"),
        ("constraints of nothing", json!({"isCA": true, "commonName": "a", "nameConstraints": {}}), "spec.nameConstraints"),
        ("a range that is none", constrained(&json!({"ipRanges": ["10.0.0.0"]})), "spec.nameConstraints.permitted.ipRanges"),
        ("a domain with a wildcard", constrained(&json!({"dnsDomains": ["*.example"]})), "spec.nameConstraints.permitted.dnsDomains[0]"),
        ("a path length without isCA", json!({"pathLen": 0}), "spec.pathLen"),
        ("a negative path length", json!({"isCA": true, "commonName": "a", "pathLen": -1}), "spec.pathLen"),
        ("a path length beyond all chains", json!({"isCA": true, "commonName": "a", "pathLen": 16}), "spec.pathLen"),
        ("a signature algorithm that is none", json!({"signatureAlgorithm": "SHA1WithRSA"}), "spec.signatureAlgorithm"),
        ("a limit of no revisions", json!({"revisionHistoryLimit": 0}), "spec.revisionHistoryLimit"),
        // Other forms.
        ("a format that is none", json!({"additionalOutputFormats": [{"type": "PFX"}]}), "spec.additionalOutputFormats[0].type"),
        ("a format twice", json!({"additionalOutputFormats": [{"type": "DER"}, {"type": "DER"}]}), "spec.additionalOutputFormats"),
        ("a store without a password", json!({"keystores": {"jks": {"create": true}}}), "spec.keystores.jks"),
        (
            "a store with two passwords",
            json!({"keystores": {"pkcs12": {"create": true, "password": "a", "passwordSecretRef": {"name": "a", "key": "b"}}}}),
            "spec.keystores.pkcs12",
        ),
        (
            "a password in the Secret that it locks",
            json!({"secretName": "own", "keystores": {"jks": {"create": true, "passwordSecretRef": {"name": "own", "key": "a"}}}}),
            "spec.keystores",
        ),
        ("an empty password", json!({"keystores": {"jks": {"create": true, "password": ""}}}), "spec.keystores.jks.password"),
        (
            "a profile that is none",
            json!({"keystores": {"pkcs12": {"create": true, "password": "a", "profile": "Modern2024"}}}),
            "spec.keystores.pkcs12.profile",
        ),
        // Usages and the Secret.
        ("a usage that is none", json!({"usages": ["nope"]}), "spec.usages[0]"),
        ("cert sign without isCA", json!({"usages": ["cert sign"]}), "spec.usages"),
        ("an annotation of ours", json!({"secretTemplate": {"annotations": {"chancery.dev/x": "y"}}}), "spec.secretTemplate.annotations"),
        (
            "an annotation of cert-manager's",
            json!({"secretTemplate": {"annotations": {"cert-manager.io/x": "y"}}}),
            "spec.secretTemplate.annotations",
        ),
        ("a label that is none", json!({"secretTemplate": {"labels": {"a": "b c"}}}), "spec.secretTemplate.labels"),
        ("a label of ours", json!({"secretTemplate": {"labels": {"chancery.dev/managed": "x"}}}), "spec.secretTemplate.labels"),
        ("a label with a very long key", json!({"secretTemplate": {"labels": {"a".repeat(400): "b"}}}), "spec.secretTemplate.labels"),
        ("a policy that is none", json!({"deletionPolicy": "Nuke"}), "spec.deletionPolicy"),
        // Revocation.
        ("a revocation of nothing", json!({"revocation": {}}), "spec.revocation.issuedBefore"),
        ("a day for a time", json!({"revocation": {"issuedBefore": "2026-01-01"}}), "spec.revocation.issuedBefore"),
        ("an offset of 99 hours", json!({"revocation": {"issuedBefore": "2026-01-01T00:00:00+99:00"}}), "spec.revocation.issuedBefore"),
        ("a time before 1970", json!({"revocation": {"issuedBefore": "1969-12-31T23:59:59Z"}}), "spec.revocation.issuedBefore"),
        (
            "a key that was unsafe before 1970",
            json!({"revocation": {"issuedBefore": "2026-01-01T00:00:00Z", "invalidityDate": "1969-12-31T23:59:59Z"}}),
            "spec.revocation.invalidityDate",
        ),
        ("a reason of an owner's", revocation("privilegeWithdrawn"), "spec.revocation.reason"),
        ("a CA's reason", revocation("cACompromise"), "spec.revocation.reason"),
        ("a hold", revocation("certificateHold"), "spec.revocation.reason"),
        ("removeFromCRL", revocation("removeFromCRL"), "spec.revocation.reason"),
    ];
    for (what, change, field) in rows {
        refuses(&stage, "Certificate", what, merged(base(), &change), field).await;
    }
    refuses(&stage, "Certificate", "no spec", Value::Null, "spec").await;
}

fn constrained(permitted: &Value) -> Value {
    json!({"isCA": true, "commonName": "a", "nameConstraints": {"permitted": permitted}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_refuses_an_issuer_that_cannot_be_meant_and_names_the_field() {
    let stage = Stage::set("refused").await;
    let ca = |more: Value| merged(json!({"ca": {"secretName": "a"}}), &more);
    let selector = json!({"allow": {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}});
    let rows = [
        ("Issuer", "no kind of issuer", json!({}), "exactly one of selfSigned and ca"),
        ("Issuer", "two kinds of issuer", ca(json!({"selfSigned": {}})), "exactly one of selfSigned and ca"),
        ("Issuer", "a selector in a namespace", ca(json!({"allow": {"namespaceSelector": {}}})), "spec.allow.namespaceSelector"),
        ("ClusterIssuer", "In without values", ca(selector), "spec.allow.namespaceSelector"),
        (
            "Issuer",
            "a default beyond the maximum",
            ca(json!({"allow": {"maxDuration": "1h"}, "certificateDefaults": {"duration": "2h"}})),
            "spec.certificateDefaults.duration",
        ),
        (
            "Issuer",
            "RSA 1024",
            ca(json!({"certificateDefaults": {"privateKey": {"algorithm": "RSA", "size": 1024}}})),
            "spec.certificateDefaults.privateKey",
        ),
        (
            "Issuer",
            "renewBefore too long",
            ca(json!({"certificateDefaults": {"duration": "2h", "renewBefore": "3h"}})),
            "spec.certificateDefaults.renewBefore",
        ),
        ("Issuer", "a URL that is none", ca(json!({"ca": {"ocspServers": ["nope"]}})), "spec.ca.ocspServers[0]"),
        ("ClusterIssuer", "a Secret of another namespace", ca(json!({"ca": {"secretName": "other/secret"}})), "spec.ca.secretName"),
        ("Issuer", "a Secret of another namespace", ca(json!({"ca": {"secretName": "../kube-system/secret"}})), "spec.ca.secretName"),
    ];
    for (kind, what, spec, field) in rows {
        refuses(&stage, kind, what, spec, field).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_meant_is_accepted_also_where_it_is_unusual() {
    let stage = Stage::set("accepted").await;
    let long = format!(".{}.{}.{}.{}.com", "b".repeat(60), "c".repeat(60), "d".repeat(55), "e".repeat(50));
    let most: Vec<String> = (0..270).map(|number| format!("a{number}{long}")).collect();
    let addresses: Vec<String> = (0..250).map(|number| format!("2001:db8::{number}")).collect();
    let full = json!({
        "commonName": "x", "subject": {"organizations": ["A, B"], "countries": ["DE"], "serialNumber": "1"},
        "uris": ["spiffe://a/b"], "emailAddresses": ["o'a+b@c.de"], "duration": "2160h0m0s", "renewBefore": "360h",
        "privateKey": {"algorithm": "RSA", "size": 4096, "encoding": "PKCS8", "rotationPolicy": "Always"},
        "usages": ["server auth", "digital signature"], "isCA": false, "deletionPolicy": "Delete",
        "secretTemplate": {"annotations": {"a/b": "c", "cert-manager.io/allow-direct-injection": "true"}, "labels": {"a": ""}},
        "issuerRef": {"name": "a", "kind": "ClusterIssuer", "group": "cert-manager.io"},
    });
    let selecting = json!({
        "ca": {"secretName": "a", "crlDistributionPoints": ["http://a/b"]},
        "allow": {"isCA": true, "usages": ["server auth"], "maxDuration": "2160h",
            "namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}},
        "certificateDefaults": {"privateKey": {"algorithm": "ECDSA", "size": 384, "encoding": "PKCS8"}, "duration": "24h",
            "renewBefore": "8h", "usages": ["server auth"], "onAuthorityChange": "Reissue"},
    });
    let certificate = |change: Value| ("Certificate", merged(base(), &change));
    let rows = [
        certificate(json!({})),
        certificate(json!({"dnsNames": null, "commonName": "x"})),
        certificate(json!({"dnsNames": null, "ipAddresses": ["::1", "10.0.0.1"]})),
        certificate(json!({"dnsNames": ["*.example.com", "localhost"]})),
        certificate(full),
        certificate(json!({"isCA": true, "usages": ["cert sign", "crl sign"]})),
        certificate(json!({"privateKey": {"size": 384}})),
        certificate(json!({"privateKey": {"algorithm": "Ed25519"}})),
        certificate(json!({"renewBeforePercentage": 25})),
        certificate(json!({"renewal": {"policy": "Disabled", "windows": []}})),
        certificate(json!({"renewal": {"windows": vec![json!({
            "cron": " */15\t1-5  ? JAN-mar,12  MON,0,7 ", "windowDuration": "1h30m", "timezone": "America/Argentina/Buenos_Aires",
        }); 16]}})),
        certificate(
            json!({"renewal": {"policy": "RenewBefore", "windows": [{"cron": "@weekly", "windowDuration": "1m", "timezone": ""}]}}),
        ),
        certificate(json!({"revocation": {"issuedBefore": "2026-01-01T00:00:00.5+01:00"}, "deletionPolicy": "RevokeAndDelete"})),
        certificate(revocation("keyCompromise")),
        certificate(json!({"duration": "1.5h"})),
        certificate(json!({"dnsNames": most})),
        certificate(json!({"ipAddresses": addresses})),
        certificate(json!({"issuerRef": {"group": ""}})),
        ("Issuer", json!({"selfSigned": {}})),
        ("Issuer", json!({"ca": {"secretName": "a", "crlDistributionPoints": ["http://a/b"]}})),
        ("ClusterIssuer", selecting),
    ];
    for (kind, spec) in rows {
        accepts(&stage, kind, spec).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_filled_in_that_a_gitops_tool_would_take_for_drift() {
    let stage = Stage::set("drift").await;
    let created = stage.propose("Certificate", "proposed", base()).await.unwrap();
    assert_eq!(created.data["spec"], base());
    assert_eq!(created.data["status"], json!({"observedGeneration": -1}));
}

fn revocation(reason: &str) -> Value {
    json!({"revocation": {"issuedBefore": "2026-01-01T00:00:00Z", "reason": reason}})
}

fn base() -> Value {
    json!({"secretName": "s", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example.com"]})
}

/// A field that is none of ours: strictly checked where the client asks for it, as kubectl does.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_refuses_a_field_that_does_not_exist() {
    let ground: Ground = Ground::prepared().await;
    let object = json!({"apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": "x"}, "spec": merged(base(), &json!({"dnsName": "x"}))});
    let program = crate::harness::Program::kubectl(&ground).args(["create", "--dry-run=server", "-f", "-"]).stdin(object.to_string());
    let finished = program.finish().await;
    assert!(!finished.status.success() && finished.stderr.contains("spec.dnsName\""), "{finished:?}");
}
