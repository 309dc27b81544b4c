//! What an issuer's chain does not permit, and keys that anybody can find out: refused before a key of a CA touches anything, with
//! the rule and the field, and without a line in a register.

use chancery::api::condition;
use serde_json::{Value, json};

use crate::harness::Program;
use crate::stage::{ForeignCa, Stage, ca, condition_of, leaf, merged, serial};

/// The extensions of a CA, as openssl writes them.
const CA: [&str; 2] = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];

/// Holds that a Certificate is refused for good: the message has these words, it is on record as refused, and nothing else came of it.
async fn is_refused(stage: &Stage, name: &str, words: &[&str]) {
    let message = stage.unready(name, "NotAllowed").await;
    for word in words {
        assert!(message.contains(word), "{name}: {word} is not in: {message}");
        stage.event(name, "Refused", word).await;
    }
    let certificate = stage.certificates().get(name).await.unwrap();
    assert!(condition_of(&certificate, "Stalled").is_some_and(|stalled| stalled.status == "True"), "{name} is not said to be stalled");
    assert!(stage.secrets().get_opt(name).await.unwrap().is_none(), "{name} has a Secret");
    let lines = stage.lines(name).await;
    assert!(!lines.is_empty() && lines.iter().all(|line| line["act"] == "refused"), "{name}: only its refusal is on record: {lines:?}");
}

/// A CA below another issuer of the stage, and an Issuer of the same name.
async fn below(stage: &Stage, issuer: &str, name: &str, more: Value) {
    let spec = ca(issuer, name, &format!("{} {name}", stage.namespace));
    stage.issued(name, merged(merged(spec, &json!({"duration": "2000h"})), &more)).await;
    stage.issuer(name, json!({"ca": {"secretName": name}})).await;
    stage.issuer_ready(name).await;
}

/// What a Certificate asks for; its own DNS name only where it is asked for.
fn names(more: &Value) -> Value {
    merged(json!({"dnsNames": null}), more)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_a_chain_does_not_permit_are_refused_over_two_levels_and_others_issued() {
    let stage = Stage::set("constraint").await;
    stage.authority().await;
    let permitted = json!({
        "dnsDomains": ["corp.example.com"], "ipRanges": ["10.0.0.0/8", "2001:db8::/32"],
        "emailAddresses": ["corp.example.com"], "uriDomains": [".corp.example.com"],
    });
    below(&stage, "ca", "upper", json!({"nameConstraints": {"critical": true, "permitted": permitted}})).await;
    let excluded = json!({
        "dnsDomains": ["secret.corp.example.com"], "ipRanges": ["10.9.0.0/16"],
        "emailAddresses": ["root@corp.example.com"], "uriDomains": ["secret.corp.example.com"],
    });
    below(&stage, "upper", "lower", json!({"nameConstraints": {"excluded": excluded}})).await;
    let (of_upper, of_lower) = (format!("{} upper", stage.namespace), format!("{} lower", stage.namespace));
    let (upper, lower) = (of_upper.as_str(), of_lower.as_str());

    let rows: Vec<(&str, &str, Value, Vec<&str>)> = vec![
        ("dns-1", "upper", json!({"dnsNames": ["web.example.com"]}), vec!["spec.dnsNames", "web.example.com", upper, "corp.example.com"]),
        ("dns-2", "lower", json!({"dnsNames": ["ok.corp.example.com", "example.org"]}), vec!["spec.dnsNames", "example.org", upper]),
        ("dns-3", "lower", json!({"dnsNames": ["a.secret.corp.example.com"]}), vec!["spec.dnsNames", lower, "excluded"]),
        ("dns-4", "lower", json!({"dnsNames": ["*.corp.example.com"]}), vec!["spec.dnsNames", lower, "excluded"]),
        ("ip-1", "upper", json!({"ipAddresses": ["192.0.2.1"]}), vec!["spec.ipAddresses", "192.0.2.1", "10.0.0.0/8"]),
        ("ip-2", "lower", json!({"ipAddresses": ["2001:db9::1"]}), vec!["spec.ipAddresses", "2001:db9::1", upper]),
        ("ip-3", "lower", json!({"ipAddresses": ["10.9.9.9"]}), vec!["spec.ipAddresses", lower, "10.9.0.0/16"]),
        ("email-1", "upper", json!({"emailAddresses": ["a@example.com"]}), vec!["spec.emailAddresses", "a@example.com", upper]),
        ("email-2", "lower", json!({"emailAddresses": ["root@corp.example.com"]}), vec!["spec.emailAddresses", lower, "excluded"]),
        ("uri-1", "upper", json!({"uris": ["https://corp.example.com/a"]}), vec!["spec.uris", "https://corp.example.com/a", upper]),
        ("uri-2", "lower", json!({"uris": ["spiffe://secret.corp.example.com/a"]}), vec!["spec.uris", lower, "excluded"]),
        // What cannot be compared is not held to be permitted.
        ("uri-3", "upper", json!({"uris": ["urn:a:b"]}), vec!["spec.uris", "urn:a:b", upper]),
        ("common-name", "upper", json!({"commonName": "web.example.org"}), vec!["spec.commonName", "web.example.org", upper]),
        (
            "literal",
            "lower",
            json!({"literalSubject": "CN=a,EMAILADDRESS=a@example.org", "dnsNames": ["a.corp.example.com"]}),
            vec!["spec.literalSubject", "a@example.org", upper],
        ),
        ("a-ca", "lower", json!({"isCA": true, "commonName": "a CA", "dnsNames": ["example.org"]}), vec!["spec.dnsNames", upper]),
    ];
    for (name, issuer, spec, _) in &rows {
        stage.certificate(name, merged(leaf(issuer, name), &names(spec))).await;
    }
    let good = json!({
        "dnsNames": ["corp.example.com", "*.web.corp.example.com"], "ipAddresses": ["10.8.0.1", "2001:db8::1"],
        "emailAddresses": ["a@corp.example.com"], "uris": ["spiffe://web.corp.example.com/a"], "commonName": "web",
    });
    for issuer in ["upper", "lower"] {
        let name = format!("good-{issuer}");
        stage.issued(&name, merged(leaf(issuer, &name), &good)).await;
        stage.content(&name).await.verify().await;
    }
    for (name, _, _, words) in &rows {
        is_refused(&stage, name, words).await;
    }
    // It is the spec that is refused, not the object: with other names it is as good as any.
    stage.respec("dns-1", json!({"dnsNames": ["web.corp.example.com"]})).await;
    stage.ready("dns-1").await;
    stage.content("dns-1").await.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_promises_no_longer_path_than_its_chain_allows() {
    let stage = Stage::set("pathlen").await;
    stage.authority().await;
    below(&stage, "ca", "two", json!({"pathLen": 2})).await;
    let a_ca = |more: Value| merged(json!({"isCA": true, "commonName": "a CA", "duration": "1000h"}), &more);
    for (name, more) in [("same", json!({"pathLen": 2})), ("longer", json!({"pathLen": 15}))] {
        stage.certificate(name, merged(leaf("two", name), &a_ca(more))).await;
        is_refused(&stage, name, &["spec.pathLen", "at most 1", "RFC 5280"]).await;
    }
    below(&stage, "two", "one", json!({"pathLen": 1, "duration": "1900h"})).await;
    // Nothing is promised, and the chain ends all the same.
    below(&stage, "one", "none", json!({"duration": "1800h"})).await;
    stage.certificate("beyond", merged(leaf("none", "beyond"), &a_ca(json!({})))).await;
    is_refused(&stage, "beyond", &["spec.isCA", "path length", "RFC 5280"]).await;
    stage.certificate("beyond-0", merged(leaf("none", "beyond-0"), &a_ca(json!({"pathLen": 0})))).await;
    is_refused(&stage, "beyond-0", &["spec.isCA"]).await;
    for issuer in ["two", "one", "none"] {
        let name = format!("leaf-{issuer}");
        stage.issued(&name, leaf(issuer, &name)).await;
        stage.content(&name).await.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_with_an_extended_key_usage_certifies_no_other_purpose() {
    let stage = Stage::set("purpose").await;
    let extensions = [CA[0], CA[1], "extendedKeyUsage=serverAuth"];
    ForeignCa::with_extensions("servers only", &extensions).await.import(&stage, "servers", json!({})).await;
    stage.issuer_ready("servers").await;
    below(&stage, "servers", "below", json!({})).await;
    for (issuer, usage) in [("servers", "client auth"), ("below", "code signing"), ("below", "email protection")] {
        let name = usage.replace(' ', "-");
        stage.certificate(&name, merged(leaf(issuer, &name), &json!({"usages": ["server auth", usage]}))).await;
        is_refused(&stage, &name, &["spec.usages", usage, "servers only"]).await;
    }
    for (name, usages) in [("server", json!(["digital signature", "server auth"])), ("any", json!(["digital signature"]))] {
        stage.issued(name, merged(leaf("below", name), &json!({"usages": usages}))).await;
        stage.content(name).await.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn name_constraints_that_an_imported_ca_has_hold_whatever_their_form() {
    let stage = Stage::set("imported").await;
    let rows = [
        ("upn", "nameConstraints=critical,permitted;otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@example.com", "spec.otherNames"),
        ("range", "nameConstraints=permitted;IP:10.0.0.0/255.0.0.0", "spec.ipAddresses"),
        ("domain", "nameConstraints=excluded;DNS:example.com", "spec.dnsNames"),
    ];
    let other = json!({"otherNames": [{"oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "b@example.com"}], "ipAddresses": ["192.0.2.1"]});
    for (name, constraints, field) in rows {
        ForeignCa::with_extensions(name, &[CA[0], CA[1], constraints]).await.import(&stage, name, json!({})).await;
        stage.issuer_ready(name).await;
        let leaf_name = format!("of-{name}");
        let spec = match field {
            "spec.dnsNames" => json!({}),
            _ => merged(other.clone(), &json!({"dnsNames": ["example.org"]})),
        };
        stage.certificate(&leaf_name, merged(leaf(name, &leaf_name), &spec)).await;
        is_refused(&stage, &leaf_name, &[field, name]).await;
        let free = format!("free-of-{name}");
        stage.issued(&free, merged(leaf(name, &free), &json!({"dnsNames": ["example.org"]}))).await;
    }
}

/// An RSA key whose primes are neighbours.
const CLOSE_PRIMES: &str = include_str!("close-primes.pem");

/// Keys that anybody can find out, with a word of what is said of each.
async fn weak_keys() -> [(&'static str, String, &'static str); 2] {
    let small = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"];
    let small = Program::openssl().args(small).run().await;
    [("exponent", small, "exponent"), ("close", CLOSE_PRIMES.to_owned(), "primes are too close")]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_with_a_weak_key_in_its_chain_signs_nothing() {
    let stage = Stage::set("weakca").await;
    for (name, key, word) in weak_keys().await {
        let ca = ForeignCa::of_key(name, &CA, key).await;
        ca.import(&stage, name, json!({})).await;
        let status = stage.issuer_says(name, "False", "KeyWeak").await;
        let ready = condition::find(&status.conditions, condition::READY).expect("it was waited for");
        assert!(ready.message.contains(word), "{name}: {}", ready.message);
        let leaf_name = format!("of-{name}");
        stage.certificate(&leaf_name, leaf(name, &leaf_name)).await;
        let message = stage.unready(&leaf_name, "IssuerNotReady").await;
        assert!(message.contains(word), "{name}: {message}");
        assert!(stage.lines(&leaf_name).await.is_empty(), "{name}");

        // A sound key below it is no better where the upper one can be found out. A small exponent alone does not give a key away.
        let below = format!("below-{name}");
        let sound = ForeignCa::with_extensions("sound", &CA).await.key;
        let chain = format!("{}{}", ca.certify(&sound, &format!("/CN={below}"), &CA).await, ca.certificate);
        stage.put_secret(&below, "kubernetes.io/tls", json!({}), json!({"tls.crt": chain, "tls.key": sound})).await;
        stage.issuer(&below, json!({"ca": {"secretName": below}})).await;
        let verdict = if name == "exponent" { ("True", "Ready") } else { ("False", "KeyWeak") };
        stage.issuer_says(&below, verdict.0, verdict.1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_key_in_a_secret_that_is_taken_over_is_replaced_whatever_the_spec_says_of_keys() {
    let stage = Stage::set("weakleaf").await;
    let theirs = ForeignCa::with_extensions("their CA", &CA).await;
    theirs.import(&stage, "ca", json!({})).await;
    stage.issuer_ready("ca").await;
    for (name, key, word) in weak_keys().await {
        let certificate = theirs.certify(&key, "/", &[&format!("subjectAltName=DNS:{name}.example.com")]).await;
        let notes =
            json!({"cert-manager.io/certificate-name": name, "cert-manager.io/issuer-name": "ca", "cert-manager.io/issuer-kind": "Issuer"});
        stage.put_secret(name, "kubernetes.io/tls", notes, json!({"tls.crt": certificate, "tls.key": key})).await;
        let keeping = json!({"privateKey": {"algorithm": "RSA", "rotationPolicy": "Never"}});
        let now = stage.issued(name, merged(leaf("ca", name), &keeping)).await;
        let content = stage.content(name).await;
        assert_ne!(content.key_text, key, "{name}");
        assert_eq!((content.serial().as_str(), content.key.public_key().weakness()), (serial(&now), None), "{name}");
        content.verify().await;
        stage.event(name, "Reissued", word).await;
    }
}
