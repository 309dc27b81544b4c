//! The status of an `Issuer` or `ClusterIssuer`: whether it can sign, and as whom.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{certificate_status::SecretIdentity, duration::GoDuration, readable, schema};

/// What is known of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IssuerStatus {
    /// What holds: Ready, where it applies AuthorityEnding (its remaining life is below the longest duration asked of it),
    /// and Stalled and Reconciling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The metadata.generation that this status is about; -1 before the first look at the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The authority that signs: the keyID of its key, under which its register is found. None for selfSigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub authority: Option<String>,
    /// The name of the CA, as RFC 4514 writes it; a very long one is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub subject: Option<String>,
    /// From when the whole chain is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_before: Option<Time>,
    /// When the first certificate of the chain expires: nothing that is signed is valid longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub not_after: Option<Time>,
    /// The SHA-256 of the SubjectPublicKeyInfo of the CA's key, lower-case hexadecimal.
    #[serde(rename = "keyID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub key_id: Option<String>,
    /// The serial number of the CA's certificate, lower-case hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub serial_number: Option<String>,
    /// How many certificates the chain has, the CA's own among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub chain_length: Option<i32>,
    /// How many further CAs may follow below this one; 0: it signs leaves only. None: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub path_length: Option<i32>,
    /// The Secret with the CA's certificate and key, as it was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretIdentity>,
    /// The longest lifetime that a Certificate asks of this issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_duration: Option<GoDuration>,
}

impl Serialize for IssuerStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for IssuerStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read_or_default(deserializer, Self::deserialize)
    }
}
