//! Patterns, bounds and fragments that several schemas share.
//!
//! Patterns are RE2, as the API server reads them. Each bound is also a bound on the cost of the CEL rules around it.

use chancery_pki::Reason;
use schemars::{Schema, SchemaGenerator, json_schema};

/// An object's name: a DNS-1123 subdomain.
pub(super) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A DNS name in a certificate (RFC 1034 section 3.5): labels of letters, digits and hyphens; the first may be `*`.
pub(super) const DNS_NAME: &str = r"^(\*\.)?[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$";
/// A bare e-mail address (RFC 5280 section 4.2.1.6: `Local-part@Domain`, ASCII).
pub(super) const EMAIL: &str = r"^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$";
/// A URI with a scheme, of the characters that RFC 3986 allows.
pub(super) const URI: &str = r"^[a-zA-Z][a-zA-Z0-9+.-]*:([a-zA-Z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9a-fA-F]{2})+$";
/// Text without control characters.
pub(super) const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// An ISO 3166 country code, the only form of a countryName (RFC 5280 appendix A: two letters).
pub(super) const COUNTRY: &str = "^[A-Za-z]{2}$";
/// What an ASN.1 PrintableString may hold, which a serialNumber attribute must be (RFC 5280 appendix A).
pub(super) const PRINTABLE: &str = "^[A-Za-z0-9 '()+,./:=?-]*$";
/// A domain of name constraints: a DNS name, and with a dot before it all names below it.
pub(super) const CONSTRAINT_DOMAIN: &str =
    r"^\.?[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$";
/// An object identifier in dotted form.
pub(super) const OID: &str = r"^[0-2](\.(0|[1-9][0-9]{0,38}))+$";
/// The value of a label.
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
/// Octets as pairs of hexadecimal digits, with or without colons: a serial number of at most 20 octets and a leading zero.
pub(super) const SERIAL: &str = "^[0-9a-fA-F]{2}(:?[0-9a-fA-F]{2}){0,20}$";
/// A key id: 32 octets in hexadecimal digits.
pub(super) const KEY_ID: &str = "^[0-9a-fA-F]{64}$";
/// The name of a namespace: a DNS-1123 label.
pub(super) const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A URL that begins with `http://` and others can be made below: without user, query, fragment, and slash at the end.
pub(super) const BASE_URL: &str = r"^http://([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})+)*$";
/// A point in time from 1970 on, RFC 3339, that every reader reads: `format` alone lets offsets of 99 hours through, and lists cannot
/// tell of earlier ones.
const TIME: &str =
    r"^(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// How many DNS names one certificate may ask for.
pub(super) const MAX_DNS_NAMES: usize = 1000;
/// How many IP addresses, URIs or e-mail addresses one certificate may ask for, each.
pub(super) const MAX_OTHER_NAMES: usize = 250;
/// The longest literal subject, in characters.
pub(super) const MAX_LITERAL_SUBJECT: usize = 4096;
/// How many values each list of a subject may have.
pub(super) const MAX_SUBJECT_VALUES: usize = 16;
/// How many annotations, and how many labels, a template or a selector may have.
pub(super) const MAX_MAP_ENTRIES: usize = 64;
/// How many orders a RevocationList may hold.
pub(super) const MAX_ORDERS: usize = 1000;
/// Into how many parts a list may be split.
pub(super) const MAX_SHARDS: i32 = 1024;
/// How many ConfigMaps may hold copies of a list.
pub(super) const MAX_COPIES: usize = 16;
/// The longest URL that others are made below, in octets.
pub(super) const MAX_BASE_URL: usize = 512;
/// How many automatic revocations an hour may be allowed.
pub(super) const MAX_AUTOMATIC: i32 = 100_000;
/// How many usages exist, each once.
pub(super) const MAX_USAGES: usize = 23;
/// How many URLs of one kind an issuer may put into certificates.
pub(super) const MAX_URLS: usize = 16;
/// The longest URI, in octets.
pub(super) const MAX_URI: usize = 2048;
/// The longest value of an annotation in a template, in octets.
pub(super) const MAX_ANNOTATION_VALUE: usize = 8192;

/// Labels: values of at most 63 characters.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MAX_MAP_ENTRIES,
        "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
    })
}

/// Annotations: values of any text.
pub(super) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MAX_MAP_ENTRIES,
        "additionalProperties": { "type": "string", "maxLength": MAX_ANNOTATION_VALUE },
    })
}

/// `metav1.Condition`, with its bounds, as a list keyed by type.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "What is known about one aspect of the object.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": { "type": "string", "description": "The aspect.", "maxLength": 316 },
                "status": { "type": "string", "description": "Whether it holds.", "enum": ["True", "False", "Unknown"] },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "The metadata.generation that was looked at.",
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "maxLength": 64,
                    "description": "When the status last became another.",
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, in one word for programs.",
                },
                "message": { "type": "string", "maxLength": 32768, "description": "Why, for people." },
            },
        },
    })
}

/// A point in time that a person writes, RFC 3339.
pub(super) fn written_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "maxLength": 64, "pattern": TIME })
}

/// One of these reasons of revocation, by its name.
pub(super) fn reasons(reasons: &[Reason]) -> Schema {
    let names: Vec<&str> = reasons.iter().map(|reason| reason.as_str()).collect();
    json_schema!({ "type": "string", "enum": names })
}

/// A point in time, RFC 3339.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "maxLength": 64 })
}
