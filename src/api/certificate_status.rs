//! The status of a `Certificate`: a display for people and programs, written whole by one controller.
//!
//! Nothing in it is trusted as an input to what a person may get; whoever can edit a status gains nothing by it.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{duration::GoDuration, readable, schema};

/// How many certificates `issued` shows: the current one and 20 others.
pub const MAX_ISSUED: usize = 21;

/// What is known of a Certificate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct CertificateStatus {
    /// What holds: Ready, and where they apply Issuing, Revoked, Stalled and Reconciling. A valid certificate whose renewal fails
    /// stays Ready, and the message says what fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The metadata.generation that this status is about; -1 before the first look at the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// From when the certificate is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_before: Option<Time>,
    /// Until when the certificate is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_after: Option<Time>,
    /// When the certificate will be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub renewal_time: Option<Time>,
    /// How many certificates this object has had; the current one's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub revision: Option<i64>,
    /// The current certificate's serial number, lower-case hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub serial_number: Option<String>,
    /// The current key's name: the SHA-256 of its SubjectPublicKeyInfo, lower-case hexadecimal.
    #[serde(rename = "keyID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_id: Option<String>,
    /// The keyID of the authority that signed the current certificate; its own keyID where it is self-signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub authority: Option<String>,
    /// The values in effect, be they written in the spec or defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedSpec>,
    /// The Secret as it was last read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretIdentity>,
    /// How many attempts failed in a row since the last success or change of the spec or issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failed_issuance_attempts: Option<i32>,
    /// When the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_failure_time: Option<Time>,
    /// When the next attempt is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_retry_time: Option<Time>,
    /// The value of the annotation chancery.dev/renew that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub renew_handled: Option<String>,
    /// The revocation that spec.revocation last asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationStatus>,
    /// The current certificate, first, and at most 20 earlier ones. For people: the record is the register.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_ISSUED))]
    pub issued: Vec<IssuedCertificate>,
}

impl Serialize for CertificateStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for CertificateStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read_or_default(deserializer, Self::deserialize)
    }
}

/// Values in effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedSpec {
    /// The private key.
    pub private_key: ResolvedKey,
    /// The lifetime that was asked for.
    pub duration: GoDuration,
    /// How long before its expiry the current certificate is renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<GoDuration>,
    /// What the key may be used for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_USAGES), inner(length(max = 64)))]
    pub usages: Vec<String>,
}

/// A private key in effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedKey {
    /// The kind of key: RSA, ECDSA or Ed25519.
    #[schemars(length(max = 64))]
    pub algorithm: String,
    /// Its size in bits; none for Ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub size: Option<i32>,
    /// How it is written in the Secret: PKCS1 or PKCS8.
    #[schemars(length(max = 64))]
    pub encoding: String,
    /// Whether each new certificate gets a new key: Always or Never.
    #[schemars(length(max = 64))]
    pub rotation_policy: String,
}

/// Which Secret, in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretIdentity {
    /// The Secret's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The Secret's metadata.uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The Secret's metadata.resourceVersion.
    #[schemars(length(max = 64))]
    pub resource_version: String,
}

/// What was revoked because the spec asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationStatus {
    /// The time that the spec gave.
    #[schemars(schema_with = "schema::time")]
    pub issued_before: Time,
    /// The time that counts: that one, or when it was first seen here where that was sooner.
    #[schemars(schema_with = "schema::time")]
    pub effective_time: Time,
    /// How many certificates it revoked.
    #[schemars(range(min = 0))]
    pub certificates: i64,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificate {
    /// Its serial number, lower-case hexadecimal.
    #[schemars(length(max = 64))]
    pub serial_number: String,
    /// From when it is valid.
    #[schemars(schema_with = "schema::time")]
    pub not_before: Time,
    /// Until when it is valid.
    #[schemars(schema_with = "schema::time")]
    pub not_after: Time,
    /// The name of its key.
    #[serde(rename = "keyID")]
    #[schemars(length(max = 64))]
    pub key_id: String,
    /// When it was issued, by the register's time.
    #[schemars(schema_with = "schema::time")]
    pub issued_at: Time,
    /// Why it was issued.
    #[schemars(length(max = 1024))]
    pub reason: String,
}
