//! `kubectl chancery migrate`, as a person sees it: manifests and the report. What becomes of each field is a subject of `migration`.

use super::shown::Shown;
use crate::harness::{Ground, Program};

/// An issuer that is carried over, one that is not, and a Certificate of which something differs.
const THEIRS: &str = "\
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ca, namespace: shop}
spec: {ca: {secretName: ca-key-pair}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: web-pki, namespace: shop}
spec: {acme: {server: https://acme.example.com/directory, privateKeySecretRef: {name: account}}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: shop}
spec:
  secretName: web-tls
  dnsNames: [web.example.com]
  duration: 2160h
  revisionHistoryLimit: 3
  issuerRef: {name: ca, kind: Issuer, group: cert-manager.io}
";

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_printed_and_what_differs_is_reported_beside_them() {
    let ground = Ground::bare().await;
    let plugin = Program::kubectl_chancery(&ground).args(["migrate", "-f", "-"]).env("KUBECONFIG", "/nowhere").stdin(THEIRS);
    Shown::new().assert("migrate", &plugin.finish().await);
}
