//! Which value is in effect, for each field and each source.

use serde_json::{Value, json};

use super::*;
use crate::api::{Certificate, Scope, check, check_issuer};

#[expect(clippy::needless_pass_by_value, reason = "the literals of the tables read better without a sign before each")]
fn resolved(certificate: Value, issuer: Value, adopted: Option<KeyAlgorithm>) -> Resolved {
    let mut object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"secretName": "s", "issuerRef": {"name": "i"}, "commonName": "a"},
    });
    object["spec"].as_object_mut().unwrap().extend(certificate.as_object().unwrap().clone());
    let certificate: Certificate = serde_json::from_value(object).unwrap();
    let mut spec = json!({"selfSigned": {}});
    spec.as_object_mut().unwrap().extend(issuer.as_object().unwrap().clone());
    let issuer = check_issuer(&serde_json::from_value(spec).unwrap(), Scope::Namespace).unwrap();
    resolve(&check(&certificate).unwrap(), &issuer.defaults, &issuer.allow, adopted)
}

#[test]
fn the_key_is_the_written_one_else_the_adopted_else_the_issuers_else_p256() {
    let issuer = json!({"certificateDefaults": {"privateKey": {"algorithm": "Ed25519"}}});
    let written = json!({"privateKey": {"size": 4096}});
    let adopted = Some(KeyAlgorithm::Rsa { bits: 2048 });
    assert_eq!(resolved(written, issuer.clone(), adopted).key, KeyAlgorithm::Rsa { bits: 4096 });
    assert_eq!(resolved(json!({}), issuer.clone(), adopted).key, KeyAlgorithm::Rsa { bits: 2048 });
    assert_eq!(resolved(json!({}), issuer, None).key, KeyAlgorithm::Ed25519);
    assert_eq!(resolved(json!({}), json!({}), None).key, KeyAlgorithm::EcdsaP256);
}

#[test]
fn unwritten_usages_fit_the_key_and_a_ca_may_sign() {
    let names = |resolved: Resolved| resolved.usages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let rsa = json!({"algorithm": "RSA"});
    assert_eq!(names(resolved(json!({"privateKey": rsa}), json!({}), None)), "digital signature, key encipherment");
    assert_eq!(names(resolved(json!({}), json!({}), None)), "digital signature");
    assert_eq!(names(resolved(json!({"isCA": true}), json!({}), None)), "digital signature, cert sign, crl sign");
    let issuer = json!({"certificateDefaults": {"usages": ["server auth"]}});
    assert_eq!(names(resolved(json!({}), issuer.clone(), None)), "server auth");
    assert_eq!(names(resolved(json!({"usages": ["client auth"]}), issuer.clone(), None)), "client auth");
    assert_eq!(names(resolved(json!({"usages": ["client auth"], "isCA": true}), issuer, None)), "cert sign, client auth");
}

#[test]
fn the_duration_is_the_written_one_else_the_issuers_else_90_days_within_what_is_allowed() {
    let hours = SignedDuration::from_hours;
    let issuer = json!({"certificateDefaults": {"duration": "48h"}});
    assert_eq!(resolved(json!({"duration": "2h"}), issuer.clone(), None).duration, hours(2));
    assert_eq!(resolved(json!({}), issuer, None).duration, hours(48));
    assert_eq!(resolved(json!({}), json!({}), None).duration, hours(2160));
    assert_eq!(resolved(json!({}), json!({"allow": {"maxDuration": "24h"}}), None).duration, hours(24));
    assert_eq!(resolved(json!({"duration": "2h"}), json!({"allow": {"maxDuration": "1h"}}), None).duration, hours(2));
}

#[test]
fn the_renewal_is_the_written_one_else_the_issuers() {
    let issuer = json!({"certificateDefaults": {"renewBefore": "8h"}});
    let hours = SignedDuration::from_hours;
    assert_eq!(resolved(json!({"renewBeforePercentage": 10}), issuer.clone(), None).renewal, Renewal::Percentage(10));
    assert_eq!(resolved(json!({"renewBefore": "2h"}), issuer.clone(), None).renewal, Renewal::Before(hours(2)));
    assert_eq!(resolved(json!({}), issuer, None).renewal, Renewal::Before(hours(8)));
    assert_eq!(resolved(json!({}), json!({}), None).renewal, Renewal::Default);
}

#[test]
fn an_ed25519_key_is_always_pkcs8() {
    let key = |algorithm: &str| json!({"privateKey": {"algorithm": algorithm, "encoding": "PKCS1"}});
    assert_eq!(resolved(key("Ed25519"), json!({}), None).encoding, KeyEncoding::Pkcs8);
    assert_eq!(resolved(key("RSA"), json!({}), None).encoding, KeyEncoding::Pkcs1);
    let issuer = json!({"certificateDefaults": {"privateKey": {"encoding": "PKCS8"}}});
    assert_eq!(resolved(json!({}), issuer, None).encoding, KeyEncoding::Pkcs8);
}

#[test]
fn what_was_not_written_is_listed_and_reads_back() {
    let all = resolved(json!({}), json!({}), None).defaulted;
    assert_eq!(Defaulted::list(&all), "key,duration,usages,encoding,signatureAlgorithm");
    assert_eq!(Defaulted::from_list("key,duration,usages,encoding,signatureAlgorithm,colour"), all);
    assert_eq!(Defaulted::from_list(""), BTreeSet::new());
    let written = json!({"privateKey": {"algorithm": "RSA", "encoding": "PKCS1"}, "duration": "1h", "usages": ["any"],
        "signatureAlgorithm": "SHA256WithRSA"});
    assert_eq!(Defaulted::list(&resolved(written, json!({}), None).defaulted), "");
}

#[test]
fn the_status_shows_the_values_in_effect() {
    let shown = resolved(json!({}), json!({}), None).display(Some(SignedDuration::from_hours(720)));
    assert_eq!(
        serde_json::to_value(shown).unwrap(),
        json!({
            "privateKey": {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS1", "rotationPolicy": "Always"},
            "duration": "2160h0m0s", "renewBefore": "720h0m0s", "usages": ["digital signature"],
        })
    );
}

#[test]
fn a_signature_algorithm_chooses_the_key_where_nothing_else_of_its_family_does() {
    let signed = |signature: &str| json!({"signatureAlgorithm": signature});
    let rsa = |bits| KeyAlgorithm::Rsa { bits };
    for (signature, key) in [
        ("SHA512WithRSA", rsa(2048)),
        ("ECDSAWithSHA256", KeyAlgorithm::EcdsaP256),
        ("ECDSAWithSHA384", KeyAlgorithm::EcdsaP384),
        ("PureEd25519", KeyAlgorithm::Ed25519),
    ] {
        assert_eq!(resolved(signed(signature), json!({}), None).key, key, "{signature}");
    }
    let issuer = json!({"certificateDefaults": {"privateKey": {"algorithm": "RSA", "size": 4096}}});
    assert_eq!(resolved(signed("SHA512WithRSA"), issuer.clone(), None).key, rsa(4096));
    assert_eq!(resolved(signed("SHA512WithRSA"), issuer.clone(), Some(rsa(3072))).key, rsa(3072));
    assert_eq!(resolved(signed("ECDSAWithSHA256"), issuer, Some(rsa(3072))).key, KeyAlgorithm::EcdsaP256);
}
