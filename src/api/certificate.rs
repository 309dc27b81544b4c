//! The kind `Certificate`: what a person asks for.
//!
//! Field names and meaning are those of cert-manager.io/v1. No field has a default in the schema: effective values are
//! in the status.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use std::collections::BTreeMap;

use chancery_pki::{Reason, SignatureAlgorithm, Usage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    certificate_status::CertificateStatus,
    check::error::SpecError,
    duration::{self, GoDuration},
    keystores::{AdditionalOutputFormat, KeystoresSpec},
    name_constraints::{NameConstraintsSpec, OtherName},
    private_key::PrivateKeySpec,
    readable,
    renewal::RenewalSpec,
    schema,
};

/// A certificate that is wanted: it becomes a Secret, and stays right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "chancery.dev",
    version = "v1alpha1",
    kind = "Certificate",
    plural = "certificates",
    shortname = "ccert",
    category = "chancery",
    namespaced,
    status = "CertificateStatus",
    derive = "PartialEq",
    doc = "A certificate that is wanted. It becomes a Secret of type kubernetes.io/tls in the same namespace and stays right: it is renewed before it expires, and made again when what was asked for changes or the Secret is lost or damaged.",
    selectable = ".spec.issuerRef.group",
    selectable = ".spec.issuerRef.kind",
    selectable = ".spec.issuerRef.name"
)]
#[serde(rename_all = "camelCase", remote = "Self")]
#[x_kube(
    validation = Rule::new("(has(self.commonName) && self.commonName != '') || has(self.literalSubject) || (has(self.dnsNames) && size(self.dnsNames) > 0) || (has(self.ipAddresses) && size(self.ipAddresses) > 0) || (has(self.uris) && size(self.uris) > 0) || (has(self.emailAddresses) && size(self.emailAddresses) > 0) || (has(self.otherNames) && size(self.otherNames) > 0)")
        .message("at least one of commonName, literalSubject, dnsNames, ipAddresses, uris, emailAddresses and otherNames is required"),
    validation = Rule::new("!has(self.literalSubject) || (!has(self.subject) && (!has(self.commonName) || self.commonName == ''))")
        .message("literalSubject is the whole subject: commonName and subject exclude it").field_path(".literalSubject"),
    validation = Rule::new("!has(self.nameConstraints) || (has(self.isCA) && self.isCA)")
        .message("only a CA has name constraints: needs isCA: true").field_path(".nameConstraints"),
    validation = Rule::new("!has(self.pathLen) || (has(self.isCA) && self.isCA)")
        .message("only a CA has a path length: needs isCA: true").field_path(".pathLen"),
    validation = Rule::new("!has(self.keystores) || ((!has(self.keystores.jks) || !has(self.keystores.jks.passwordSecretRef) || self.keystores.jks.passwordSecretRef.name != self.secretName) && (!has(self.keystores.pkcs12) || !has(self.keystores.pkcs12.passwordSecretRef) || self.keystores.pkcs12.passwordSecretRef.name != self.secretName))")
        .message("the password must be in another Secret than spec.secretName").field_path(".keystores"),
    validation = Rule::new("!has(self.renewBefore) || !has(self.renewBeforePercentage)")
        .message("renewBefore and renewBeforePercentage exclude each other"),
    validation = Rule::new(duration::relation("has(self.renewBefore) && has(self.duration)", "self.renewBefore", "<", "self.duration"))
        .message("must be shorter than duration").field_path(".renewBefore"),
    validation = Rule::new("!has(self.usages) || (has(self.isCA) && self.isCA) || !self.usages.exists(u, u == 'cert sign' || u == 'crl sign')")
        .message("cert sign and crl sign need isCA: true").field_path(".usages")
)]
pub struct CertificateSpec {
    /// The Secret in the same namespace that will hold the certificate (tls.crt), its key (tls.key) and, where known,
    /// the root (ca.crt). A Secret that exists and belongs to something else is not touched.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub secret_name: String,
    /// Who signs the certificate.
    pub issuer_ref: IssuerRef,
    /// The parts of the subject's distinguished name other than the common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The whole subject, as RFC 4514 writes it, in exactly this order: CN=web+UID=7,OU=Shop,DC=example,DC=com. The last part stands
    /// first in the certificate. Parts are named CN, O, OU, C, ST, L, STREET, POSTALCODE, SERIALNUMBER, DC, UID, EMAILADDRESS, or by
    /// their object identifier. It excludes subject and commonName.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = schema::MAX_LITERAL_SUBJECT), regex(pattern = schema::TEXT))]
    pub literal_subject: Option<String>,
    /// The subject's common name, at most 64 characters. Clients verify the names below, not this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = schema::TEXT))]
    pub common_name: Option<String>,
    /// DNS names that the certificate is for. The whole first label may be the wildcard *. All names of a certificate
    /// together have at most 64 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_DNS_NAMES), inner(length(min = 1, max = 253), regex(pattern = schema::DNS_NAME)))]
    #[x_kube(validation = Rule::new("self.map(name, size(name)).sum() <= 65536").message("all names together have at most 64 KiB"))]
    pub dns_names: Vec<String>,
    /// IP addresses that the certificate is for, IPv4 or IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_OTHER_NAMES), inner(length(min = 2, max = 45)))]
    #[x_kube(validation = Rule::new("self.all(address, isIP(address))").message("each must be an IPv4 or IPv6 address"))]
    pub ip_addresses: Vec<String>,
    /// URIs that the certificate is for, for example a SPIFFE identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_OTHER_NAMES), inner(length(min = 1, max = schema::MAX_URI), regex(pattern = schema::URI)))]
    #[x_kube(validation = Rule::new("self.map(name, size(name)).sum() <= 65536").message("all names together have at most 64 KiB"))]
    pub uris: Vec<String>,
    /// E-mail addresses that the certificate is for, without a display name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_OTHER_NAMES), inner(length(min = 3, max = 254), regex(pattern = schema::EMAIL)))]
    pub email_addresses: Vec<String>,
    /// Names of other forms that the certificate is for, for example a user principal name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_OTHER_NAMES))]
    pub other_names: Vec<OtherName>,
    /// The lifetime that is asked for, as Go writes durations (2160h); at least 1h. The certificate ends sooner where its
    /// issuer's own certificate does. Unset: the issuer's default, else 2160h (90 days).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_least("1h"))]
    pub duration: Option<GoDuration>,
    /// How long before its expiry the certificate is renewed, as Go writes durations; at least 5m and less than the
    /// lifetime. Unset, as renewBeforePercentage: the issuer's default, else when a third of its real lifetime is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = duration::at_least("5m"))]
    pub renew_before: Option<GoDuration>,
    /// The same as a percentage, 1 to 99, of the certificate's real lifetime: 25 renews when a quarter of it is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 99))]
    pub renew_before_percentage: Option<i32>,
    /// Whether and when time renews the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalSpec>,
    /// The certificate's private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PrivateKeySpec>,
    /// What the key may be used for. Unset or empty: the issuer's default, else digital signature, and key encipherment
    /// if the key is RSA. With isCA, cert sign is added, and crl sign where this is unset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_USAGES))]
    pub usages: Vec<Usage>,
    /// Whether the certificate is for a certificate authority, which can sign others. Unset: false.
    #[serde(default, rename = "isCA", skip_serializing_if = "std::ops::Not::not")]
    pub is_ca: bool,
    /// How many CAs may follow below this one on the way to a leaf (RFC 5280 section 4.2.1.9): 0 for one that signs leaves only. Needs
    /// isCA. Unset: as many as the issuer's chain allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = MAX_PATH_LEN))]
    pub path_len: Option<i32>,
    /// Which names this CA may certify. Needs isCA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_constraints: Option<NameConstraintsSpec>,
    /// How a certificate signs itself. It must go with the kind of key; where privateKey says no algorithm, this does. With an issuer
    /// that has a key of its own it says no more than that: the signature is made with the issuer's key. Unset: SHA-256, or for the
    /// larger curves the hash of their size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "signature_algorithms")]
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// Accepted for those who come from cert-manager, and without effect: the usages go to the issuer in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode_usages_in_request: Option<bool>,
    /// Other forms of key and certificates in the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.type == one.type))").message("each format once"))]
    pub additional_output_formats: Vec<AdditionalOutputFormat>,
    /// Stores for Java programs in the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keystores: Option<KeystoresSpec>,
    /// Accepted for those who come from cert-manager, and without effect: there are no request objects to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub revision_history_limit: Option<i32>,
    /// Annotations and labels to put on the Secret. A change of these makes no new certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_template: Option<SecretTemplate>,
    /// What happens when this object is deleted: Retain leaves the Secret, Delete deletes it, RevokeAndDelete deletes it and
    /// revokes all certificates that were issued for this object and have not expired. Unset: Retain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Which certificates of this object are to be revoked. Where the current one is among them it is replaced, with a new key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSpec>,
    /// Why the stored spec could not be read; nothing else of the spec counts then.
    #[serde(skip)]
    pub unreadable: Option<SpecError>,
}

impl Serialize for CertificateSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for CertificateSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read(deserializer, |tracked| Self::deserialize(tracked), |error| Self { unreadable: Some(error), ..Self::default() })
    }
}

/// A reference to an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// The issuer's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
    /// The issuer's kind: Issuer, in the same namespace, or ClusterIssuer. Unset: Issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("enum" = ["Issuer", "ClusterIssuer"]))]
    pub kind: Option<String>,
    /// The issuer's API group. Unset or empty: chancery.dev; cert-manager.io is understood as the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), extend("enum" = ["", "chancery.dev", "cert-manager.io"]))]
    pub group: Option<String>,
}

/// The parts of a distinguished name other than the common name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Organizations (O), at most 64 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 64), regex(pattern = schema::TEXT)))]
    pub organizations: Vec<String>,
    /// Countries (C), as two letters of ISO 3166.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 2, max = 2), regex(pattern = schema::COUNTRY)))]
    pub countries: Vec<String>,
    /// Organizational units (OU), at most 64 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 64), regex(pattern = schema::TEXT)))]
    pub organizational_units: Vec<String>,
    /// Localities (L), at most 128 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 128), regex(pattern = schema::TEXT)))]
    pub localities: Vec<String>,
    /// States or provinces (ST), at most 128 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 128), regex(pattern = schema::TEXT)))]
    pub provinces: Vec<String>,
    /// Street addresses, at most 128 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 128), regex(pattern = schema::TEXT)))]
    pub street_addresses: Vec<String>,
    /// Postal codes, at most 40 characters each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SUBJECT_VALUES), inner(length(min = 1, max = 40), regex(pattern = schema::TEXT)))]
    pub postal_codes: Vec<String>,
    /// The subject's serialNumber attribute, at most 64 characters; not the certificate's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = schema::PRINTABLE))]
    pub serial_number: Option<String>,
}

/// What to put on the Secret beside the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretTemplate {
    /// Annotations. Keys that begin with chancery.dev/ or cert-manager.io/ are refused, but for
    /// cert-manager.io/allow-direct-injection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    #[x_kube(validation = Rule::new("self.all(key, key == 'cert-manager.io/allow-direct-injection' || !(key.startsWith('chancery.dev/') || key.startsWith('cert-manager.io/')))").message("keys that begin with chancery.dev/ or cert-manager.io/ are reserved"))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 317)").message("a key has at most 317 characters"))]
    pub annotations: BTreeMap<String, String>,
    /// Labels. Keys that begin with chancery.dev/ or cert-manager.io/ are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    #[x_kube(validation = Rule::new("self.all(key, !(key.startsWith('chancery.dev/') || key.startsWith('cert-manager.io/')))").message("keys that begin with chancery.dev/ or cert-manager.io/ are reserved"))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 317)").message("a key has at most 317 characters"))]
    pub labels: BTreeMap<String, String>,
}

/// Which certificates of a Certificate are to be revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationSpec {
    /// All certificates that were issued for this object before this time, by the register's time; at most those issued before
    /// the time was seen here. Each new time acts once.
    #[schemars(schema_with = "schema::written_time")]
    pub issued_before: Time,
    /// Why, as RFC 5280 section 5.3.1 names it. Those who check certificates are told. Unset: unspecified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tenant_reasons")]
    pub reason: Option<Reason>,
    /// From when on the certificates were not to be trusted, where that is known: for example when the key was stolen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::written_time")]
    pub invalidity_date: Option<Time>,
}

/// The largest path length: more CAs than any chain that is read has.
pub const MAX_PATH_LEN: i32 = 15;

fn signature_algorithms(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str) })
}

/// The reasons that a Certificate's owner may give. The others say something about the authority, or are a hold.
pub const TENANT_REASONS: [Reason; 5] =
    [Reason::Unspecified, Reason::KeyCompromise, Reason::AffiliationChanged, Reason::Superseded, Reason::CessationOfOperation];

fn tenant_reasons(_: &mut SchemaGenerator) -> Schema {
    schema::reasons(&TENANT_REASONS)
}

/// What happens to the Secret when its Certificate is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is deleted, and its key with it.
    Delete,
    /// The same, and all certificates that have not expired are revoked.
    RevokeAndDelete,
}
