//! A store that is found in a Secret: whatever it is, it is looked at in bounded time; and no store is of two passwords.
#![no_main]

use std::sync::LazyLock;

use chancery_pki::{
    Certificate, PrivateKey,
    keystore::{Contents, Pkcs12Profile, jks_holds, jks_truststore_holds, pkcs12_holds, pkcs12_truststore_holds},
};

#[path = "../../crates/pki/tests/keystore/fixed.rs"]
mod fixed;

static FIXED: LazyLock<(PrivateKey, Vec<Certificate>)> = LazyLock::new(|| {
    let key = PrivateKey::from_pem(fixed::KEY.as_bytes()).expect("it is a key");
    (key, Certificate::bundle_from_pem(fixed::CERTIFICATE.as_bytes()).expect("it is a certificate"))
});

fn is_one(store: &[u8], password: &[u8]) -> bool {
    let (key, certificates) = &*FIXED;
    let contents = Contents { key, chain: certificates, ca: certificates, alias: "certificate" };
    let pkcs12 =
        |profile| pkcs12_holds(store, &contents, profile, password) || pkcs12_truststore_holds(store, certificates, profile, password);
    jks_holds(store, &contents, password)
        || jks_truststore_holds(store, certificates, password)
        || Pkcs12Profile::ALL.into_iter().any(pkcs12)
}

libfuzzer_sys::fuzz_target!(|store: &[u8]| {
    if is_one(store, fixed::PASSWORD) {
        assert!(!is_one(store, b"another"));
    }
});
