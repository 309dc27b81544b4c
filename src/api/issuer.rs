//! The kinds `Issuer` and `ClusterIssuer`: who signs, for whom, and with which defaults.
//!
//! Both have the same spec; only where they are found, and `allow.namespaceSelector`, differ.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use chancery_pki::Usage;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    check::error::SpecError,
    duration::{self, GoDuration},
    issuer_status::IssuerStatus,
    private_key::{Algorithm, Encoding, SIZE_FITS, SIZE_MESSAGE},
    readable, schema,
    selector::NamespaceSelector,
};

/// Who signs the certificates of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "chancery.dev",
    version = "v1alpha1",
    kind = "Issuer",
    plural = "issuers",
    shortname = "cissuer",
    category = "chancery",
    namespaced,
    status = "IssuerStatus",
    derive = "PartialEq",
    doc = "Who signs certificates of the same namespace."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
#[x_kube(
    validation = Rule::new("has(self.selfSigned) != has(self.ca)").message("exactly one of selfSigned and ca is required"),
    validation = Rule::new(duration::relation("has(self.allow) && has(self.allow.maxDuration) && has(self.certificateDefaults) && has(self.certificateDefaults.duration)", "self.certificateDefaults.duration", "<=", "self.allow.maxDuration"))
        .message("must not be longer than allow.maxDuration").field_path(".certificateDefaults.duration")
)]
pub struct IssuerSpec {
    /// Each certificate is signed with its own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSigned>,
    /// Certificates are signed by a certificate authority whose key is in a Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<Ca>,
    /// What may be asked of this issuer. Unset: everything but ocsp signing, and of a ClusterIssuer with ca no isCA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<AllowSpec>,
    /// What a certificate gets that does not say it itself. A change acts at each certificate's next renewal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_defaults: Option<CertificateDefaults>,
    /// Why the stored spec could not be read; nothing else of the spec counts then.
    #[serde(skip)]
    pub unreadable: Option<SpecError>,
}

impl Serialize for IssuerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for IssuerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read(deserializer, |tracked| Self::deserialize(tracked), |error| Self { unreadable: Some(error), ..Self::default() })
    }
}

/// Who signs the certificates of all namespaces, or of those it selects. The spec is an Issuer's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "chancery.dev",
    version = "v1alpha1",
    kind = "ClusterIssuer",
    plural = "clusterissuers",
    shortname = "cclusterissuer",
    category = "chancery",
    status = "IssuerStatus",
    derive = "PartialEq",
    doc = "Who signs certificates of all namespaces, or of those it selects. Its Secrets are in the operator's namespace."
)]
#[serde(transparent)]
pub struct ClusterIssuerSpec(pub IssuerSpec);

/// Each certificate is signed with its own key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelfSigned {
    /// Where lists of revoked certificates can be fetched: URLs that each certificate will carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_URLS), inner(length(min = 1, max = schema::MAX_URI), regex(pattern = schema::URI)))]
    pub crl_distribution_points: Vec<String>,
}

/// A certificate authority whose key is in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ca {
    /// The Secret with the CA's certificate and the chain above it (tls.crt) and its key (tls.key): in the namespace of an
    /// Issuer, in the operator's namespace for a ClusterIssuer.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub secret_name: String,
    /// Where lists of revoked certificates can be fetched: URLs that each certificate will carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_URLS), inner(length(min = 1, max = schema::MAX_URI), regex(pattern = schema::URI)))]
    pub crl_distribution_points: Vec<String>,
    /// Where the state of a certificate can be asked by OCSP: URLs that each certificate will carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_URLS), inner(length(min = 1, max = schema::MAX_URI), regex(pattern = schema::URI)))]
    pub ocsp_servers: Vec<String>,
    /// Where the CA's own certificate can be fetched: URLs that each certificate will carry.
    #[serde(default, rename = "issuingCertificateURLs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_URLS), inner(length(min = 1, max = schema::MAX_URI), regex(pattern = schema::URI)))]
    pub issuing_certificate_urls: Vec<String>,
}

/// What may be asked of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowSpec {
    /// Whether certificates with isCA may be asked for. Unset: false on a ClusterIssuer with ca, else true.
    #[serde(rename = "isCA", skip_serializing_if = "Option::is_none")]
    pub is_ca: Option<bool>,
    /// The usages that may be asked for. Unset or empty: all but ocsp signing, which must be listed here to be allowed.
    /// cert sign and crl sign follow isCA and need not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_USAGES))]
    pub usages: Vec<Usage>,
    /// The longest lifetime that may be asked for, as Go writes durations; at least 1h. Unset: no limit but the issuer's own end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_least("1h"))]
    pub max_duration: Option<GoDuration>,
    /// On a ClusterIssuer: which namespaces it serves, by their labels. Unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,
}

/// What a certificate gets that does not say it itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(duration::relation("has(self.renewBefore) && has(self.duration)", "self.renewBefore", "<", "self.duration")).message("must be shorter than duration").field_path(".renewBefore"))]
pub struct CertificateDefaults {
    /// The private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<KeyDefaults>,
    /// The lifetime, as Go writes durations; at least 1h. Unset: 2160h (90 days), or allow.maxDuration where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_least("1h"))]
    pub duration: Option<GoDuration>,
    /// How long before its expiry a certificate is renewed, as Go writes durations; at least 5m. Unset: when a third of its
    /// real lifetime is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_least("5m"))]
    pub renew_before: Option<GoDuration>,
    /// What keys may be used for. Unset or empty: digital signature, and key encipherment if the key is RSA.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_USAGES))]
    #[x_kube(validation = Rule::new("!self.exists(u, u == 'cert sign' || u == 'crl sign')").message("cert sign and crl sign follow a certificate's isCA"))]
    pub usages: Vec<Usage>,
    /// What happens to certificates when the authority gets another key. WhenDue: each is made again when it falls due for
    /// renewal. Reissue: all are made again soon, at most 60 a minute. Unset: WhenDue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_authority_change: Option<OnAuthorityChange>,
}

/// The key of certificates that do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(SIZE_FITS).message(SIZE_MESSAGE).field_path(".size"))]
pub struct KeyDefaults {
    /// The kind of key. Unset: RSA if a size of 2048 or more is given, else ECDSA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The size of the key in bits: 2048, 3072, 4096 or 8192 for RSA, 256, 384 or 521 (the curve) for ECDSA, none for
    /// Ed25519. Unset: 2048 for RSA, 256 for ECDSA.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256, max = 8192))]
    pub size: Option<i32>,
    /// How the key is written in the Secret: PKCS1 (for ECDSA: SEC 1) or PKCS8. Unset: PKCS1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// What happens to certificates when their authority gets another key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum OnAuthorityChange {
    /// Each is made again when it falls due for renewal.
    #[default]
    WhenDue,
    /// All are made again soon.
    Reissue,
}
