//! The kind `RevocationList`: what an authority's owner orders to be revoked, and how its list is published.
//!
//! What is written here are orders. What was done is in the authority's register, and stays done when an order is taken away.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use chancery_pki::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    certificate::IssuerRef,
    check::error::SpecError,
    duration::{self, GoDuration},
    readable,
    revocation_list_status::RevocationListStatus,
    schema,
};

/// The reasons that an authority's owner may give. Not certificateHold, which is `hold`, and not removeFromCRL, which is no reason but
/// an entry of delta CRLs.
pub const OWNER_REASONS: [Reason; 8] = [
    Reason::Unspecified,
    Reason::KeyCompromise,
    Reason::CaCompromise,
    Reason::AffiliationChanged,
    Reason::Superseded,
    Reason::CessationOfOperation,
    Reason::PrivilegeWithdrawn,
    Reason::AaCompromise,
];

/// The revocation of an authority's certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "chancery.dev",
    version = "v1alpha1",
    kind = "RevocationList",
    plural = "revocationlists",
    shortname = "crl",
    category = "chancery",
    namespaced,
    status = "RevocationListStatus",
    derive = "PartialEq",
    doc = "The revocation of an authority's certificates: which are revoked, and how the list of them (CRL) and answers about single ones (OCSP) are published. It is in the namespace of its Issuer; of a ClusterIssuer, in the operator's namespace. An authority has one list, the oldest."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
#[x_kube(
    validation = Rule::new(duration::relation("has(self.refresh)", "self.refresh", "<", VALIDITY)).message("must be shorter than validity, which is 168h if unset").field_path(".refresh"),
    validation = Rule::new(duration::relation("has(self.delta) && has(self.delta.refresh)", "self.delta.refresh", "<", REFRESH)).message("must be shorter than refresh, which is at most 24h if unset").field_path(".delta.refresh"),
    validation = Rule::new("(has(self.shards) ? self.shards : 1) >= (has(oldSelf.shards) && oldSelf.shards <= 1024 ? oldSelf.shards : 1)")
        .message("only grows: certificates carry the URL of their part of the list for ever").field_path(".shards"),
    validation = Rule::new("!has(self.shards) || self.shards == 1 || (has(self.distribution) && has(self.distribution.baseURL))")
        .message("more than one shard needs distribution.baseURL: each part of the list says by its URL which certificates it is about").field_path(".shards"),
)]
pub struct RevocationListSpec {
    /// The issuer whose authority signs the list: an Issuer of the same namespace, or from the operator's namespace a
    /// ClusterIssuer. It cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf").message("cannot be changed: make another RevocationList"))]
    pub issuer_ref: IssuerRef,
    /// How long a published list may be used, as Go writes durations; 1h to 8760h. Unset: 168h (7 days).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("1h", "8760h"))]
    pub validity: Option<GoDuration>,
    /// How often a new list is published though nothing was revoked, as Go writes durations; 1m to 168h and shorter than
    /// validity. Unset: 24h, or a third of validity where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("1m", "168h"))]
    pub refresh: Option<GoDuration>,
    /// How much time lies at least between two lists, so that what is revoked in it shares one; 0s to 10m. Unset: 1s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("0s", "10m"))]
    pub debounce: Option<GoDuration>,
    /// Into how many parts the list is split, by the serial number; each certificate carries the URL of its own. It only
    /// grows, and more than 1 needs distribution.baseURL. Unset: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = schema::MAX_SHARDS))]
    pub shards: Option<i32>,
    /// Whether delta CRLs are published between the full ones. Unset: none. Few consumers read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<DeltaSpec>,
    /// Where the list can be found, beside the operator's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Whether single certificates can be asked about by OCSP. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<OcspSpec>,
    /// How long a revocation waits that only tidies up (affiliationChanged, superseded, cessationOfOperation), so that the
    /// new certificate is in use before the old one is listed; 0s to 168h. Unset: 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("0s", "168h"))]
    pub grace: Option<GoDuration>,
    /// How many certificates may be revoked within an hour because their Certificate was deleted (deletionPolicy
    /// RevokeAndDelete), without a person having said so here; what is beyond waits. Unset: 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = schema::MAX_AUTOMATIC))]
    pub max_automatic_revocations: Option<i32>,
    /// The revocations beyond maxAutomaticRevocations that were asked for before this time are carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::written_time")]
    pub confirm_pending_before: Option<Time>,
    /// Orders to revoke, to hold and to release. Of several for one certificate the last counts. Taking one away undoes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_ORDERS))]
    pub revocations: Vec<OrderSpec>,
    /// Why the stored spec could not be read; nothing else of the spec counts then.
    #[serde(skip)]
    pub unreadable: Option<SpecError>,
}

/// The validity in effect, in CEL.
const VALIDITY: &str = "(has(self.validity) ? self.validity : '168h')";
/// The refresh in effect, in CEL; where it is unset and validity is below 72h, it is shorter.
const REFRESH: &str = "(has(self.refresh) ? self.refresh : '24h')";

impl Serialize for RevocationListSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for RevocationListSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read(deserializer, |tracked| Self::deserialize(tracked), |error| Self { unreadable: Some(error), ..Self::default() })
    }
}

/// Delta CRLs (RFC 5280 section 5.2.4): what changed since the last full one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeltaSpec {
    /// How often a new one is published, as Go writes durations; at least 1m and shorter than the full list's refresh.
    /// Unset: 1h, or a third of the full list's refresh where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("1m", "168h"))]
    pub refresh: Option<GoDuration>,
}

/// Where a list can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Distribution {
    /// The URL below which the responder is reached by those who check certificates: each new certificate carries URLs
    /// below it. It begins with http://, not https:// (RFC 5280 section 8: a client would have to check a certificate in
    /// order to check one), and has no query and no slash at its end.
    #[serde(rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = schema::MAX_BASE_URL), regex(pattern = schema::BASE_URL))]
    pub base_url: Option<String>,
    /// ConfigMaps that hold a copy of the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_COPIES))]
    pub config_maps: Vec<CopyTarget>,
    /// Whether a Certificate of this authority may ask, by the annotation chancery.dev/ca-crl: "true", for the lists of its
    /// chain in its Secret, as ca.crl. Unset: false.
    #[serde(default, rename = "caCRL", skip_serializing_if = "std::ops::Not::not")]
    pub ca_crl: bool,
}

/// A ConfigMap that holds a copy of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CopyTarget {
    /// The ConfigMap's namespace: another than the list's only for a list in the operator's namespace. Unset: the list's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::NAMESPACE))]
    pub namespace: Option<String>,
    /// The ConfigMap's name. One that exists and is no copy of this list is not touched.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
}

/// Answers about single certificates (RFC 6960).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OcspSpec {
    /// How long an answer may be used, as Go writes durations; 10m to 168h. Unset: 12h.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::between("10m", "168h"))]
    pub validity: Option<GoDuration>,
}

/// An order: what is revoked, held or released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.serialNumber), has(self.keyID), has(self.certificateRef)].filter(given, given).size() == 1")
        .message("exactly one of serialNumber, keyID and certificateRef is required"),
    validation = Rule::new("!has(self.hold) || !self.hold || !has(self.reason)")
        .message("hold and reason exclude each other: the reason of a hold is certificateHold").field_path(".reason"),
    validation = Rule::new("!has(self.release) || !self.release || !(has(self.reason) || has(self.invalidityDate) || has(self.keyID) || (has(self.hold) && self.hold))")
        .message("release goes with neither reason, hold, invalidityDate nor keyID").field_path(".release"),
)]
pub struct OrderSpec {
    /// The serial number of one certificate of this authority, in hexadecimal digits, with or without colons.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64), regex(pattern = schema::SERIAL))]
    pub serial_number: Option<String>,
    /// All certificates of this authority with this key: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal digits. The
    /// key is blocked too: it is not certified again.
    #[serde(rename = "keyID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 64, max = 64), regex(pattern = schema::KEY_ID))]
    pub key_id: Option<String>,
    /// All certificates of this authority that were issued for a Certificate before a time. The Certificate need not exist any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_ref: Option<CertificateTarget>,
    /// Why, as RFC 5280 section 5.3.1 names it. Those who check certificates are told. Unset: unspecified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "owner_reasons")]
    pub reason: Option<Reason>,
    /// From when on the certificate was not to be trusted, where that is known: for example when the key was stolen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::written_time")]
    pub invalidity_date: Option<Time>,
    /// Whether the certificates are put on hold instead: listed until they are released. Unset: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// Whether certificates that are on hold are released instead: taken off the list. What is revoked stays so. Unset: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release: bool,
}

/// What was issued for a Certificate before a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateTarget {
    /// The Certificate's namespace. Unset: the list's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::NAMESPACE))]
    pub namespace: Option<String>,
    /// The Certificate's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
    /// The certificates that were issued before this time, by the register's time; at most those issued before the order was seen.
    #[schemars(schema_with = "schema::written_time")]
    pub issued_before: Time,
}

fn owner_reasons(_: &mut SchemaGenerator) -> Schema {
    schema::reasons(&OWNER_REASONS)
}
