//! `kubectl chancery register`: the registers as they stand, or as an export or a log has them.
//!
//! They are read as anyone may read them who may read ConfigMaps in the operator's namespace; nothing is taken on the operator's word.

pub mod follow;
pub mod kept;
pub mod list;
pub mod restore;
pub mod show;
pub mod verify;

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, bail};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::ListParams};

use super::read;
use crate::{
    api::{ClusterIssuer, Issuer, IssuerStatus, names},
    apply::signed_checkpoint,
    register::{
        Document, LABEL, RegisterId,
        checkpoint::Signed,
        examine::Examined,
        export::{self, Former},
    },
};

/// The fewest digits of a keyID that stand for all of it.
const DIGITS: usize = 4;

/// The registers of an operator.
#[derive(Clone, Debug, Default)]
pub struct Registers {
    /// Each, looked through.
    pub registers: BTreeMap<RegisterId, Examined>,
    /// The names of the CAs, as far as issuers say.
    pub subjects: BTreeMap<RegisterId, String>,
}

impl Registers {
    /// Those in this namespace.
    ///
    /// # Errors
    /// When the cluster cannot be asked, or refuses.
    pub async fn read(client: &Client, namespace: &str) -> anyhow::Result<Self> {
        let documents = documents(client, namespace).await?;
        let mut registers = BTreeMap::new();
        for document in &documents {
            if let Some(id) = document.register() {
                registers.entry(id).or_insert_with(|| Examined::of(id, &documents));
            }
        }
        Ok(Self { registers, subjects: subjects(client).await })
    }

    /// The registers that are meant: by `common`, a keyID, or the beginning of one; all where none is named.
    ///
    /// # Errors
    /// When one is not there, or several begin so.
    pub fn chosen(&self, named: &[String]) -> anyhow::Result<Vec<RegisterId>> {
        if named.is_empty() {
            return Ok(self.registers.keys().copied().collect());
        }
        named.iter().map(|name| chosen(name, self.registers.keys().copied())).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// When it is not there.
    pub fn one(&self, id: &RegisterId) -> anyhow::Result<&Examined> {
        self.registers.get(id).ok_or_else(|| anyhow!("there is no register {id}"))
    }
}

/// The register that is meant by a name.
pub(super) fn chosen(name: &str, known: impl Iterator<Item = RegisterId>) -> anyhow::Result<RegisterId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let mut like: Vec<RegisterId> = known.filter(|id| name.len() >= DIGITS && id.to_string().starts_with(name)).collect();
    match (like.pop(), like.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(_), false) => bail!("several registers begin with {name}: give more digits"),
        (None, _) => bail!("there is no register {name}: `kubectl chancery register list` shows them"),
    }
}

/// The ConfigMaps of all registers, of one moment.
pub(super) async fn documents(client: &Client, namespace: &str) -> anyhow::Result<Vec<Document>> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let listed = read::all(&maps, &ListParams::default().labels(LABEL)).await?;
    Ok(listed.into_iter().map(Document::from).collect())
}

/// The checkpoint that the operator has written last.
///
/// # Errors
/// When the cluster cannot be asked, or refuses.
pub async fn checkpoint(client: &Client, namespace: &str) -> anyhow::Result<Option<Signed>> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = maps.get_opt(names::CHECKPOINT).await.with_context(|| format!("ConfigMap {namespace}/{}", names::CHECKPOINT))?;
    Ok(found.as_ref().and_then(signed_checkpoint))
}

/// Whose registers they are, as far as one may see it.
async fn subjects(client: &Client) -> BTreeMap<RegisterId, String> {
    let params = ListParams::default();
    let cluster = read::all(&Api::<ClusterIssuer>::all(client.clone()), &params).await.unwrap_or_default();
    let issuers = read::all(&Api::<Issuer>::all(client.clone()), &params).await.unwrap_or_default();
    let statuses = cluster.into_iter().filter_map(|issuer| issuer.status).chain(issuers.into_iter().filter_map(|issuer| issuer.status));
    let subject = |status: IssuerStatus| Some((RegisterId::Authority(status.authority?.parse().ok()?), status.subject?));
    statuses.filter_map(subject).collect()
}

/// Writes registers as an export.
///
/// # Errors
/// Where `out` cannot be written.
pub fn export<'a>(
    registers: impl Iterator<Item = &'a Examined>,
    checkpoint: Option<&Signed>,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    export::begin(checkpoint, out)?;
    for examined in registers {
        let after = crate::register::Position {
            sequence: examined.lines.first().map_or(0, |first| first.line.sequence - 1),
            hash: examined.lines.first().map_or_else(|| crate::register::NO_LINE.to_owned(), |first| first.line.previous.clone()),
        };
        export::register(&examined.id, &Former { after, lines: examined.lines.clone() }, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chancery_pki::KeyId;

    use super::*;

    #[test]
    fn a_register_is_meant_by_its_name_or_enough_digits() {
        let (one, other) = (RegisterId::Authority(KeyId::of_spki(b"a")), RegisterId::Authority(KeyId::of_spki(b"b")));
        let all = || [RegisterId::Common, one, other].into_iter();
        assert_eq!(chosen("common", all()).unwrap(), RegisterId::Common);
        assert_eq!(chosen(&one.to_string()[..6], all()).unwrap(), one);
        assert!(chosen(&one.to_string()[..2], all()).is_err() && chosen("zzzz", all()).is_err());
    }
}
