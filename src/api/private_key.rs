//! What a spec may say about a private key.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be said of a certificate's key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(SIZE_FITS).message(SIZE_MESSAGE).field_path(".size"))]
pub struct PrivateKeySpec {
    /// The kind of key. Unset: RSA if a size of 2048 or more is given, ECDSA if a smaller size is; with neither, the
    /// kind and size of the key in a Secret that is taken over, else the issuer's default, else ECDSA with curve P-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The size of the key in bits: 2048, 3072, 4096 or 8192 for RSA, 256, 384 or 521 (the curve) for ECDSA, none for
    /// Ed25519. Unset: 2048 for RSA, 256 for ECDSA.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256, max = 8192))]
    pub size: Option<i32>,
    /// How the key is written in the Secret: PKCS1 (for ECDSA: SEC 1) or PKCS8. An Ed25519 key is always PKCS8. Unset:
    /// the issuer's default, else PKCS1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Whether each new certificate gets a new key (Always) or keeps the one in the Secret (Never). Unset: Always, and
    /// Never for a certificate with isCA, whose key others rely on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_policy: Option<RotationPolicy>,
}

/// The relation of algorithm and size.
pub(super) const SIZE_FITS: &str = "!has(self.size) || (!has(self.algorithm) ? self.size in [256, 384, 521, 2048, 3072, 4096, 8192] : \
    self.algorithm == 'RSA' ? self.size in [2048, 3072, 4096, 8192] : \
    self.algorithm == 'ECDSA' ? self.size in [256, 384, 521] : false)";
/// What to say when [`SIZE_FITS`] does not hold.
pub(super) const SIZE_MESSAGE: &str = "must be 2048, 3072, 4096 or 8192 for RSA, 256, 384 or 521 for ECDSA, and unset for Ed25519";

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum Algorithm {
    /// RSA.
    #[serde(rename = "RSA")]
    Rsa,
    /// ECDSA on a NIST curve.
    #[serde(rename = "ECDSA")]
    Ecdsa,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

/// How a private key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum Encoding {
    /// PKCS #1, for ECDSA SEC 1.
    #[serde(rename = "PKCS1")]
    Pkcs1,
    /// PKCS #8.
    #[serde(rename = "PKCS8")]
    Pkcs8,
}

/// Whether a new certificate gets a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum RotationPolicy {
    /// The key stays.
    Never,
    /// Each certificate has a key of its own.
    Always,
}
