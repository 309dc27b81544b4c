//! What a Secret holds, read by our own parser, and verified by openssl.

use std::collections::BTreeMap;
use std::fs;

use chancery_pki::{Certificate as X509, PrivateKey};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::harness::Program;

/// A Secret with a certificate, its chain and its key. Has no Debug: the key is one.
pub(crate) struct Content {
    /// `tls.crt`: the certificate first.
    pub(crate) chain: Vec<X509>,
    /// `tls.key`.
    pub(crate) key: PrivateKey,
    /// `tls.key` as it stands there.
    pub(crate) key_text: String,
    /// `ca.crt`.
    pub(crate) roots: Vec<X509>,
    /// Its annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
}

impl Content {
    /// Reads it; panics if it holds anything else.
    pub(crate) fn of(secret: &Secret) -> Self {
        let texts: BTreeMap<String, String> = secret
            .data
            .iter()
            .flatten()
            // Stores are no text.
            .filter_map(|(key, value)| Some((key.clone(), String::from_utf8(value.0.clone()).ok()?)))
            .collect();
        let certificates = |key: &str| match texts.get(key) {
            Some(text) => X509::bundle_from_pem(text.as_bytes()).unwrap_or_else(|error| panic!("{key}: {error}")),
            None => Vec::new(),
        };
        let key_text = texts.get("tls.key").cloned().unwrap_or_default();
        Self {
            chain: certificates("tls.crt"),
            key: PrivateKey::from_pem(key_text.as_bytes()).unwrap_or_else(|error| panic!("tls.key: {error}")),
            key_text,
            roots: certificates("ca.crt"),
            annotations: secret.annotations().clone(),
            texts,
        }
    }

    /// The certificate.
    pub(crate) fn leaf(&self) -> &X509 {
        self.chain.first().expect("tls.crt holds a certificate")
    }

    /// Its serial number as statuses and annotations write it.
    pub(crate) fn serial(&self) -> String {
        self.leaf().serial().to_string()
    }

    /// An annotation of ours, without the prefix.
    pub(crate) fn note(&self, suffix: &str) -> Option<&str> {
        self.annotations.get(&format!("chancery.dev/{suffix}")).map(String::as_str)
    }

    /// The values of the Secret's keys that are text, base64-free, as they can be put back.
    pub(crate) fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// Has openssl verify the certificate against `ca.crt` and nothing else, and the key against the certificate.
    pub(crate) async fn verify(&self) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("it is writable");
            path.to_string_lossy().into_owned()
        };
        let (chain, root) = (file("tls.crt", &self.texts["tls.crt"]), file("ca.crt", &self.texts["ca.crt"]));
        let (leaf, key) = (file("leaf.crt", &self.leaf().to_pem()), file("tls.key", &self.key_text));
        Program::openssl()
            .args(["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", &root, "-untrusted", &chain, &leaf])
            .run()
            .await;
        let of_certificate = Program::openssl().args(["x509", "-in", &leaf, "-noout", "-pubkey"]).run().await;
        let of_key = Program::openssl().args(["pkey", "-in", &key, "-pubout"]).run().await;
        assert_eq!(of_certificate, of_key, "the key is not the certificate's");
    }

    /// The certificate as openssl prints it.
    pub(crate) async fn printed(&self) -> String {
        Program::openssl().args(["x509", "-noout", "-text"]).stdin(self.leaf().to_pem()).run().await
    }

    /// The certificate's `subject` or `issuer` as RFC 4514 writes it, by openssl: how `-text` shows it differs between versions.
    pub(crate) async fn name(&self, which: &str) -> String {
        let shown = Program::openssl()
            .args(["x509", "-noout", &format!("-{which}"), "-nameopt", "RFC2253,-esc_msb,utf8"])
            .stdin(self.leaf().to_pem())
            .run()
            .await;
        shown.trim_end().split_once('=').map(|(_, name)| name.to_owned()).unwrap_or_default()
    }
}
