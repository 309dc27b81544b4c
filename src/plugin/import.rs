//! Taking a signed list into the register: one that another program has published, or one that ours has and lost.
//!
//! The list is looked at here, so that a mistake is told at once; what counts is that the controller looks at it again. It is handed
//! over in ConfigMaps of the operator's namespace, one where it fits, which the controller takes away when all of it is on record.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use chancery_pki::{Certificate, Crl, Hexadecimal, KeyId};
use k8s_openapi::{ByteString, api::core::v1::ConfigMap};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions},
};
use kube_runtime::wait::{self, await_condition};
use serde::Serialize;
use thiserror::Error;

use super::{
    output::{Report, plain},
    register,
    show::has_signed,
};
use crate::{
    api::{RevocationList, names},
    lists::{self, Part},
};

/// The most octets of a part: with its labels it has to fit into a ConfigMap, which holds 1 MiB.
const PART_OCTETS: usize = 900 * 1024;

/// What is to be taken in, and where.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// The list.
    pub list: &'a Crl,
    /// The operator's namespace.
    pub namespace: &'a str,
    /// Namespace and name of the RevocationList whose authority it must be of; none: that of the published authorities that signed it.
    pub into: Option<(&'a str, &'a str)>,
    /// How long the controller may take.
    pub limit: Duration,
}

/// A list that is on record.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// The key id of the authority in whose register it is.
    pub authority: String,
    /// The authority's name.
    pub issuer: String,
    /// The list's number, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How many entries it has: all of them are on record.
    pub entries: usize,
}

impl Report for Imported {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} entries are on record for {} (authority {})", self.entries, plain(&self.issuer), self.authority)
    }

    fn names(&self) -> Vec<String> {
        vec![register::list::object(&self.authority)]
    }
}

/// Hands a list over and waits until it is on record.
///
/// # Errors
/// When the list is none of a published authority, the cluster cannot be asked or written to, the controller refuses it, or takes too long.
pub async fn import(client: &Client, import: Import<'_>) -> Result<Imported, ImportError> {
    if import.list.delta_base().is_some() {
        return Err(ImportError::Delta);
    }
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), import.namespace);
    let authority = match import.into {
        Some((namespace, name)) => of_list(client, &maps, namespace, name, &import).await?,
        None => of_any(&maps, &import).await?,
    };
    let handed = hand_over(&maps, &import, &authority.key_id()).await?;
    wait_for(&maps, &handed, import.limit).await?;
    Ok(Imported {
        authority: authority.key_id().to_string(),
        issuer: authority.subject().to_string(),
        number: import.list.number().map(|number| number.to_string()),
        entries: import.list.len(),
    })
}

/// What was handed over at once.
struct HandedOver {
    /// What all ConfigMaps of it have as a label.
    request: String,
    /// The names of the ConfigMaps.
    names: Vec<String>,
}

/// Makes the ConfigMaps, all or none.
async fn hand_over(maps: &Api<ConfigMap>, import: &Import<'_>, authority: &KeyId) -> Result<HandedOver, ImportError> {
    let mut number = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut number).map_err(|_| ImportError::Random)?;
    let mut handed = HandedOver { request: Hexadecimal(&number).to_string(), names: Vec::new() };
    let parts = import.list.as_der().chunks(PART_OCTETS);
    let count = parts.len();
    for (number, part) in (1..).zip(parts) {
        let place = (count > 1).then_some((number, count));
        match maps.create(&PostParams::default(), &handed_over(part, authority, &handed.request, place)).await {
            Ok(map) => handed.names.push(map.name_any()),
            Err(source) => {
                take_back(maps, &handed.request).await;
                return Err(ImportError::Cluster { doing: format!("ConfigMap in {}", import.namespace), source });
            }
        }
    }
    Ok(handed)
}

/// Takes away what was handed over, also what was stored without an answer. Somebody else may tidy up too, and the controller does in a day.
async fn take_back(maps: &Api<ConfigMap>, request: &str) {
    let label = format!("{}={request}", names::IMPORT_REQUEST);
    let found = maps.list_metadata(&ListParams::default().labels(&label)).await;
    for map in found.map(|found| found.items).unwrap_or_default() {
        let it = Preconditions { uid: map.uid(), ..Preconditions::default() };
        let _ = maps.delete(&map.name_any(), &DeleteParams::default().preconditions(it)).await;
    }
}

/// The authority of a RevocationList, if it has signed the list.
async fn of_list(
    client: &Client,
    maps: &Api<ConfigMap>,
    namespace: &str,
    name: &str,
    import: &Import<'_>,
) -> Result<Certificate, ImportError> {
    let shown = || format!("RevocationList {namespace}/{name}");
    let found = Api::<RevocationList>::namespaced(client.clone(), namespace).get_opt(name).await;
    let found = found.map_err(|source| ImportError::Cluster { doing: shown(), source })?;
    let found = found.ok_or_else(|| ImportError::NotThere { what: shown() })?;
    let authority = found.status.and_then(|status| status.authority).and_then(|authority| authority.parse().ok());
    let authority: KeyId = authority.ok_or_else(|| ImportError::NotPublished { what: shown() })?;
    let certificate = head(maps, &authority).await?.ok_or_else(|| ImportError::NotPublished { what: shown() })?;
    if has_signed(import.list, &certificate) { Ok(certificate) } else { Err(ImportError::OfAnother { what: shown() }) }
}

/// The one of the published authorities that has signed the list.
async fn of_any(maps: &Api<ConfigMap>, import: &Import<'_>) -> Result<Certificate, ImportError> {
    // Chunks have the same label, and up to 1 MiB each: only names are asked for.
    let named = maps.list_metadata(&ListParams::default().labels(names::LIST)).await;
    let named = named.map_err(|source| ImportError::Cluster { doing: format!("ConfigMaps in {}", import.namespace), source })?;
    let authorities: Vec<KeyId> = named.items.iter().filter_map(|map| head_of(&map.name_any())).collect();
    for authority in &authorities {
        if let Some(certificate) = head(maps, authority).await?.filter(|certificate| has_signed(import.list, certificate)) {
            return Ok(certificate);
        }
    }
    Err(ImportError::OfNone { namespace: import.namespace.to_owned(), authorities: authorities.len() })
}

fn head_of(name: &str) -> Option<KeyId> {
    lists::part_of(name).filter(|(_, part)| *part == Part::Head).map(|(authority, _)| authority)
}

/// The certificate of an authority, from the head of its published lists.
async fn head(maps: &Api<ConfigMap>, authority: &KeyId) -> Result<Option<Certificate>, ImportError> {
    let name = lists::head_name(authority);
    let found = maps.get_opt(&name).await.map_err(|source| ImportError::Cluster { doing: format!("ConfigMap {name}"), source })?;
    let chain = found.and_then(|map| map.data?.remove(names::CA_CERTIFICATE)).unwrap_or_default();
    let certificates = Certificate::bundle_from_pem(chain.as_bytes()).unwrap_or_default();
    Ok(certificates.into_iter().next().filter(|certificate| certificate.key_id() == *authority))
}

fn handed_over(part: &[u8], authority: &KeyId, request: &str, place: Option<(usize, usize)>) -> ConfigMap {
    let request = (names::IMPORT_REQUEST.to_owned(), request.to_owned());
    let mut annotations = BTreeMap::from([(names::AUTHORITY.to_owned(), authority.to_string()), request.clone()]);
    if let Some((number, count)) = place {
        annotations.insert(names::IMPORT_PART.to_owned(), number.to_string());
        annotations.insert(names::IMPORT_PARTS.to_owned(), count.to_string());
    }
    ConfigMap {
        metadata: ObjectMeta {
            generate_name: Some("chancery-crl-import-".to_owned()),
            labels: Some(BTreeMap::from([(names::IMPORT.to_owned(), names::MANAGED_VALUE.to_owned()), request])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        binary_data: Some(BTreeMap::from([(names::LIST_DER.to_owned(), ByteString(part.to_vec()))])),
        ..ConfigMap::default()
    }
}

/// Waits until the controller has taken the ConfigMaps away, or says why it does not.
async fn wait_for(maps: &Api<ConfigMap>, handed: &HandedOver, limit: Duration) -> Result<(), ImportError> {
    let refusal = |map: &ConfigMap| map.annotations().get(names::IMPORT_REFUSED).cloned();
    let all_gone = async {
        for name in &handed.names {
            let done = await_condition(maps.clone(), name, |map: Option<&ConfigMap>| map.is_none_or(|map| refusal(map).is_some()));
            match done.await {
                Err(source) => return Err(ImportError::Watch { name: name.clone(), source: Box::new(source) }),
                Ok(found) => {
                    if let Some(why) = found.as_ref().and_then(refusal) {
                        return Ok(Some(why));
                    }
                }
            }
        }
        Ok(None)
    };
    match tokio::time::timeout(limit, all_gone).await {
        Err(_) => Err(ImportError::StillThere { name: handed.names.join(", "), seconds: limit.as_secs() }),
        Ok(Err(error)) => Err(error),
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(why))) => {
            take_back(maps, &handed.request).await;
            Err(ImportError::Refused { why })
        }
    }
}

/// Why a list was not taken in.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It says only what changed.
    #[error("the list is a delta: take in the full list that it belongs to")]
    Delta,
    /// What is handed over at once has a random name.
    #[error("the system gives no random bits")]
    Random,
    /// There is no such RevocationList.
    #[error("{what} is not there")]
    NotThere {
        /// Which.
        what: String,
    },
    /// Its authority, or the certificate of that, is not known.
    #[error("{what} has published nothing yet: see its condition Ready, and import the list when it is True")]
    NotPublished {
        /// Which RevocationList.
        what: String,
    },
    /// The signature, or the issuer's name, is not that of the authority.
    #[error("the list is not signed by the authority of {what}")]
    OfAnother {
        /// Which RevocationList.
        what: String,
    },
    /// The same of all authorities.
    #[error("the list is signed by none of the {authorities} authorities that have a published list in namespace {namespace}")]
    OfNone {
        /// Where they were looked for.
        namespace: String,
        /// How many there are.
        authorities: usize,
    },
    /// The API server was asked and did not do it.
    #[error("{doing}: {source}")]
    Cluster {
        /// What was asked for.
        doing: String,
        /// What it said.
        source: kube::Error,
    },
    /// It could not be waited for.
    #[error("ConfigMap {name} is handed over and cannot be watched: {source}")]
    Watch {
        /// The ConfigMap.
        name: String,
        /// What went wrong.
        source: Box<wait::Error>,
    },
    /// The controller does not take it in.
    #[error("the operator refuses the list: {why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// The controller has said nothing.
    #[error(
        "what was handed over ({name}) still waits after {seconds} s, and is taken in when the operator runs; delete it if that is not wanted \
         any more"
    )]
    StillThere {
        /// The ConfigMap, or all of them.
        name: String,
        /// How long it was waited for.
        seconds: u64,
    },
}
