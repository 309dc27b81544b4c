//! A stage for decisions: Certificates, their Secrets, registers and issuers in memory, and someone who does what a plan asks for.
//!
//! For tests. What is decided, said and read is the real thing; what stands in is the API server, and who writes to it.

mod clerk;
mod desk;
mod foreign;
mod office;
mod surroundings;

pub(crate) use clerk::{Crash, Done};
pub(crate) use desk::{Desk, blank};
pub(crate) use foreign::{cert_manager_key, cert_manager_template};
pub(crate) use office::{Office, Seal, pool};
pub(crate) use surroundings::{Listed, Surroundings};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::Certificate;

/// A time, as RFC 3339 has it.
pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Certificate `shop/web` with these fields of its spec; the rest is the least that it needs.
#[expect(clippy::needless_pass_by_value, reason = "the literals of the tables read better without a sign before each")]
pub(crate) fn certificate(spec: Value) -> Certificate {
    let mut object = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "shop", "uid": "6f1d", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"secretName": "web-tls", "issuerRef": {"name": "ca"}, "dnsNames": ["web.example"]},
    });
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}
