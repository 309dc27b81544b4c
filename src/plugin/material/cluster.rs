//! What lies in Secrets, and whom the cluster's issuers trust.

use chancery_pki::{Certificate as X509, KeyId};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

use super::{
    Material, MaterialError, Piece,
    octets::{self, LOCKED},
};
use crate::{
    api::{Certificate, ClusterIssuer, Issuer, IssuerStatus, names},
    cluster::CallError,
    lists,
    plugin::read,
};

/// What is in a Secret. Passwords of key stores are tried on all of them.
///
/// # Errors
/// When it is not there, cannot be read, or has nothing that is known.
pub async fn secret(client: &Client, namespace: &str, name: &str, password: Option<&[u8]>) -> Result<Material, MaterialError> {
    let what = format!("Secret {namespace}/{name}");
    let found = read::one(&Api::<Secret>::namespaced(client.clone(), namespace), name).await?;
    let mut data: Vec<_> = found.data.unwrap_or_default().into_iter().collect();
    data.sort_by_key(|(key, _)| (place_of(key), key.clone()));
    let mut material = Material {
        name: format!("secret/{name}"),
        namespace: Some(namespace.to_owned()),
        pieces: Vec::new(),
        notes: Vec::new(),
        session: None,
    };
    for (key, value) in data {
        match octets::read(&key, &value.0, password) {
            Some(Piece { trouble: Some(trouble), .. }) if trouble == LOCKED && place_of(&key) >= OTHERS => {
                material.notes.push(format!("{key} is a key store: --password-from opens it"));
            }
            Some(piece) => material.pieces.push(piece),
            // These are certificates and keys, or else damaged; other keys of a Secret may be anything.
            None if place_of(&key) < OTHERS => {
                let trouble = if value.0.is_empty() { "it is empty" } else { "it is neither PEM nor DER of what belongs there" };
                let is_torn = key == names::TLS_CERTIFICATE;
                material.pieces.push(Piece { place: key, trouble: Some(trouble.to_owned()), is_torn, ..Piece::default() });
            }
            None => {}
        }
    }
    if material.pieces.is_empty() && material.notes.is_empty() {
        return Err(MaterialError::Nothing { what });
    }
    Ok(material)
}

const OTHERS: usize = 3;

/// In which order the keys of a Secret are looked at.
fn place_of(key: &str) -> usize {
    [names::TLS_CERTIFICATE, names::TLS_KEY, names::CA_CERTIFICATE].iter().position(|known| *known == key).unwrap_or(OTHERS)
}

/// What is in the Secret of a Certificate.
///
/// # Errors
/// As [`secret`], and when there is no such Certificate.
pub async fn certificate(client: &Client, namespace: &str, name: &str, password: Option<&[u8]>) -> Result<Material, MaterialError> {
    let found = read::one(&Api::<Certificate>::namespaced(client.clone(), namespace), name).await?;
    let secret_name = &found.spec.secret_name;
    let kept = secret(client, namespace, secret_name, password).await;
    let mut material = kept.map_err(|error| match error {
        MaterialError::Call(error) if error.is_not_found() => {
            let why = format!("its Secret {secret_name} is not there: see what `kubectl chancery status {name}` says");
            MaterialError::Lacks { what: format!("Certificate {namespace}/{name}"), why }
        }
        other => other,
    })?;
    let said = found.status.and_then(|status| status.serial_number);
    let held = material.proof().first().map(|leaf| leaf.serial().to_string());
    if let (Some(said), Some(held)) = (said, held)
        && said != held
    {
        material.notes.push(format!("the status of the Certificate tells of serial number {said}, the Secret holds {held}"));
    }
    Ok(material)
}

/// Certificates that are trusted, and who says so.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// In words.
    pub by: String,
    /// The certificates.
    pub certificates: Vec<X509>,
}

/// The chain of an issuer: `name` is `Issuer/x` in this namespace, or `ClusterIssuer/x`.
///
/// It is taken from the head of the authority's published lists, else from the issuer's Secret.
///
/// # Errors
/// When the issuer is not there, has no authority, or neither place can be read.
pub async fn issuer(client: &Client, namespace: &str, operator: &str, name: &str) -> Result<Trusted, MaterialError> {
    let (kind, name) = name.split_once('/').unwrap_or(("Issuer", name));
    let what = if kind == "Issuer" { format!("Issuer {namespace}/{name}") } else { format!("{kind} {name}") };
    let (spec, status, secrets) = match kind {
        "Issuer" => {
            let found = read::one(&Api::<Issuer>::namespaced(client.clone(), namespace), name).await?;
            (found.spec, found.status, namespace)
        }
        "ClusterIssuer" => {
            let found = Api::<ClusterIssuer>::all(client.clone()).get(name).await.map_err(CallError::of("get", kind, None, name))?;
            (found.spec.0, found.status, operator)
        }
        _ => {
            let why = "write the issuer as Issuer/name or ClusterIssuer/name".to_owned();
            return Err(MaterialError::Lacks { what: name.to_owned(), why });
        }
    };
    let authority = |status: &IssuerStatus| status.authority.as_deref().and_then(|authority| authority.parse().ok());
    if let Some(authority) = status.as_ref().and_then(authority)
        && let Ok(Some(certificates)) = published(client, operator, &authority).await
    {
        return Ok(Trusted { by: what, certificates });
    }
    let Some(ca) = spec.ca else {
        return Err(MaterialError::Lacks { what, why: "it is no CA: each of its certificates is trusted by itself, with --ca".to_owned() });
    };
    let kept = secret(client, secrets, &ca.secret_name, None).await?;
    let certificates: Vec<_> = kept.trust().into_iter().chain(kept.proof().iter().cloned()).collect();
    Ok(Trusted { by: what, certificates })
}

/// The certificates of an authority that stand beside its lists.
async fn published(client: &Client, operator: &str, authority: &KeyId) -> kube::Result<Option<Vec<X509>>> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), operator);
    let chain = maps.get_opt(&lists::head_name(authority)).await?.and_then(|map| map.data?.remove(names::CA_CERTIFICATE));
    Ok(chain.and_then(|chain| X509::bundle_from_pem(chain.as_bytes()).ok()))
}
