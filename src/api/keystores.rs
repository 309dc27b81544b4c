//! What a spec may say about other forms of certificate and key in the Secret: formats, and stores that Java reads.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]

use std::fmt;

use chancery_pki::keystore::Pkcs12Profile;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::schema;

/// The longest password of a store, in octets.
pub const MAX_PASSWORD: usize = 1024;

/// Another form in which certificate and key stand in the Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalOutputFormat {
    /// DER: the private key without PEM around it, as key.der. CombinedPEM: the private key, an empty line and the certificates, as
    /// tls-combined.pem.
    #[serde(rename = "type")]
    pub format: OutputFormat,
}

/// Another form in which certificate and key stand in the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum OutputFormat {
    /// The private key in DER.
    #[serde(rename = "DER")]
    Der,
    /// The private key and the certificates in one PEM text.
    #[serde(rename = "CombinedPEM")]
    CombinedPem,
}

/// Stores that Java programs read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeystoresSpec {
    /// Java's own format: keystore.jks, and truststore.jks with the root where that is known. Its protection is weak by today's
    /// measure; PKCS#12 serves every Java since 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jks: Option<JksSpec>,
    /// PKCS#12: keystore.p12, and truststore.p12 with the root where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkcs12: Option<Pkcs12Spec>,
}

/// A store in Java's own format.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PASSWORD).message(ONE_PASSWORD_MESSAGE))]
pub struct JksSpec {
    /// Whether the store is made.
    pub create: bool,
    /// The name of the key's entry; in small letters, as Java compares it. Unset: certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::TEXT))]
    pub alias: Option<String>,
    /// Where the password stands: a key of a Secret in the same namespace. When it changes there, the store is made anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyRef>,
    /// The password itself. Whoever may read this object reads it: a password in a Secret is better kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A store in PKCS#12.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_PASSWORD).message(ONE_PASSWORD_MESSAGE))]
pub struct Pkcs12Spec {
    /// Whether the store is made.
    pub create: bool,
    /// Which algorithms protect it. Modern2023 (AES-256 and SHA-256; Java 8u301, OpenSSL 1.1 and newer) and Modern2026 (the same with
    /// an integrity code as RFC 9579 has it; OpenSSL 3.4, Java 26 and newer) are safe. LegacyDES (triple DES and SHA-1) is for
    /// readers older than these, and so is LegacyRC2, which is written as LegacyDES: who reads the one reads the other, and RC2 with
    /// 40 bits protects nothing. Unset: LegacyRC2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "profiles")]
    pub profile: Option<Pkcs12Profile>,
    /// Where the password stands: a key of a Secret in the same namespace. When it changes there, the store is made anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyRef>,
    /// The password itself. Whoever may read this object reads it: a password in a Secret is better kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

const ONE_PASSWORD: &str = "!self.create || has(self.password) != has(self.passwordSecretRef)";
const ONE_PASSWORD_MESSAGE: &str = "exactly one of password and passwordSecretRef is required";

fn profiles(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Pkcs12Profile::ALL.map(Pkcs12Profile::as_str) })
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
    /// The key in it. Unset: password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// A password that stands in a spec. It is not shown by `Debug`, and wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Takes charge of a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its octets, UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_PASSWORD })
    }
}
