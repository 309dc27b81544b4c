//! What a Secret holds: its certificates one by one, and what is wrong with them. The key is compared and not kept.

use chancery_pki::{Certificate as X509, Chain, PrivateKey, key_matches, verify_leaf};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt as _;
use serde::Serialize;

use crate::{
    api::{Certificate, names},
    plugin::inspect::Described,
};

/// A Secret, but for the values in it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretFacts {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// The keys in it.
    pub keys: Vec<String>,
    /// The Certificate whose it is, by its annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether its certificate is the one that the Certificate's status names.
    pub is_current: bool,
    /// Whether its certificate is one for the time being.
    pub is_temporary: bool,
    /// The certificates of tls.crt, then those of ca.crt.
    pub chain: Vec<Described>,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

impl SecretFacts {
    /// What there is to say of a Certificate's Secret at this time.
    pub fn of(secret: &Secret, certificate: &Certificate, now: Timestamp) -> Self {
        let mut problems = Vec::new();
        let data = secret.data.clone().unwrap_or_default();
        let read = |key: &str, problems: &mut Vec<String>| {
            let ByteString(text) = data.get(key)?;
            X509::bundle_from_pem(text).map_err(|error| problems.push(format!("{key} cannot be read: {error}"))).ok()
        };
        let own = read(names::TLS_CERTIFICATE, &mut problems);
        let roots = read(names::CA_CERTIFICATE, &mut problems).unwrap_or_default();
        if !data.contains_key(names::TLS_CERTIFICATE) {
            problems.push(format!("it has no {}", names::TLS_CERTIFICATE));
        }
        let own = own.unwrap_or_default();
        let leaf = own.first();
        match data.get(names::TLS_KEY).map(|text| PrivateKey::from_pem(&text.0)) {
            None => problems.push(format!("it has no {}", names::TLS_KEY)),
            // The error says what is wrong with the form, and nothing of the key.
            Some(Err(error)) => problems.push(format!("{} cannot be read: {error}", names::TLS_KEY)),
            Some(Ok(key)) if leaf.is_some_and(|leaf| !key_matches(leaf, &key)) => {
                problems.push(format!("{} is not the key of the certificate", names::TLS_KEY));
            }
            Some(Ok(_)) => {}
        }
        if let Some(problem) = leaf.and_then(|leaf| chain_problem(leaf, &own[1..], &roots, now)) {
            problems.push(problem);
        }
        let annotation = |name: &str| secret.annotations().get(name).cloned();
        let owner = annotation(names::CERTIFICATE_NAME).or_else(|| annotation(names::CERT_MANAGER_CERTIFICATE_NAME));
        if owner.as_deref() != Some(certificate.name_any().as_str()) {
            problems.push(owner.as_ref().map_or_else(
                || "it belongs to no Certificate, by its annotations".to_owned(),
                |owner| format!("it belongs to the Certificate {owner}"),
            ));
        }
        let serial = leaf.map(|leaf| leaf.serial().to_string());
        let is_temporary = serial.is_some() && annotation(names::TEMPORARY_SERIAL) == serial;
        let known = certificate.status.as_ref().and_then(|status| status.serial_number.clone());
        let is_current = serial.is_some() && serial == known;
        if serial.is_some() && !is_current && !is_temporary {
            problems.push("its certificate is not the one that the status names".to_owned());
        }
        Self {
            name: secret.name_any(),
            type_: secret.type_.clone().unwrap_or_default(),
            keys: data.keys().cloned().collect(),
            owner,
            is_current,
            is_temporary,
            chain: own.iter().chain(&roots).map(Described::of).collect(),
            problems,
        }
    }
}

/// Why a certificate does not stand under the others, if it does not.
fn chain_problem(leaf: &X509, between: &[X509], roots: &[X509], now: Timestamp) -> Option<String> {
    let above: Vec<X509> = if leaf.is_self_signed() { vec![leaf.clone()] } else { between.iter().chain(roots).cloned().collect() };
    if above.is_empty() {
        return Some("no certificate of its issuer stands with it".to_owned());
    }
    let checked = Chain::order(above).and_then(|chain| verify_leaf(leaf, &chain, now));
    checked.err().map(|error| format!("the chain does not hold: {error}"))
}
