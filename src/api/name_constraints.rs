//! What a spec may say about names beyond the usual ones: those of other forms, and those that a CA may certify.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// How many names each list of constraints may have.
pub const MAX_CONSTRAINTS: usize = 100;

/// A name of a form of its own (RFC 5280 section 4.2.1.6, otherName), with a text as its value: a user principal name, for example.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtherName {
    /// The form's object identifier, for example 1.3.6.1.4.1.311.20.2.3 for a user principal name.
    #[schemars(length(min = 3, max = 128), regex(pattern = schema::OID))]
    pub oid: String,
    /// The name itself; it is written as an ASN.1 UTF8String.
    #[schemars(length(min = 1, max = 1024), regex(pattern = schema::TEXT))]
    pub utf8_value: String,
}

/// Which names a CA may certify (RFC 5280 section 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.permitted) || has(self.excluded)").message("at least one of permitted and excluded is required"))]
pub struct NameConstraintsSpec {
    /// Whether a program that cannot check these must refuse the CA. RFC 5280 asks for true. Unset: false, as in cert-manager.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// Names of a kind that is listed here must lie within one of those listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permitted: Option<NameSubtreesSpec>,
    /// Names may lie within none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<NameSubtreesSpec>,
}

/// Names, and all below them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameSubtreesSpec {
    /// DNS domains: example.com covers itself and all below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CONSTRAINTS), inner(length(min = 1, max = 254), regex(pattern = schema::CONSTRAINT_DOMAIN)))]
    pub dns_domains: Vec<String>,
    /// Ranges of IP addresses in CIDR notation: 10.0.0.0/8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CONSTRAINTS), inner(length(min = 4, max = 49)))]
    #[x_kube(validation = Rule::new("self.all(range, isCIDR(range))").message("each must be a range in CIDR notation, as in 10.0.0.0/8"))]
    pub ip_ranges: Vec<String>,
    /// E-mail addresses: one mailbox (a@example.com), all of a host (example.com), or of all hosts of a domain (.example.com).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CONSTRAINTS), inner(length(min = 1, max = 254)))]
    pub email_addresses: Vec<String>,
    /// Hosts of URIs: one host (example.com), or all of a domain (.example.com).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CONSTRAINTS), inner(length(min = 1, max = 254), regex(pattern = schema::CONSTRAINT_DOMAIN)))]
    pub uri_domains: Vec<String>,
}
