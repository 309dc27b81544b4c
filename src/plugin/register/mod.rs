//! `kubectl chancery register`: the registers as they stand, or as an export or a log has them.
//!
//! They are read as anyone may read them who may read ConfigMaps in the operator's namespace; nothing is taken on the operator's word.

pub mod follow;
pub mod kept;
pub mod list;
pub mod restore;
pub mod show;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};

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

/// The digits of a whole one.
const KEY_DIGITS: usize = 64;

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
        named.iter().map(|name| self.meant(name)?.ok_or_else(|| absent(name))).collect()
    }

    /// The register that is meant by a name; none where it is not there.
    ///
    /// # Errors
    /// When several begin so.
    pub fn meant(&self, name: &str) -> anyhow::Result<Option<RegisterId>> {
        meant(name, self.registers.keys().copied())
    }

    /// One of them.
    ///
    /// # Errors
    /// When it is not there.
    pub fn one(&self, id: &RegisterId) -> anyhow::Result<&Examined> {
        self.registers.get(id).ok_or_else(|| anyhow!("there is no register {id}"))
    }
}

/// Takes what may be the name of a register: `common`, a keyID, or the beginning of one.
///
/// # Errors
/// When it is none of these.
pub fn name(text: &str) -> Result<String, String> {
    let (length, is_key) = (text.len(), text.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if text == RegisterId::Common.to_string() {
        Ok(text.to_owned())
    } else if is_key && (DIGITS..=KEY_DIGITS).contains(&length) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "a register is named as common, by a keyID ({KEY_DIGITS} hexadecimal digits), or by its first digits, {DIGITS} at least"
        ))
    }
}

/// Which of the registers that are known is meant by a name; none where it is none of them.
fn meant(name: &str, known: impl Iterator<Item = RegisterId>) -> anyhow::Result<Option<RegisterId>> {
    let begins = |id: &RegisterId| match id {
        RegisterId::Common => id.to_string() == name,
        RegisterId::Authority(key) => name.len() >= DIGITS && key.to_string().starts_with(name),
    };
    let like: BTreeSet<RegisterId> = known.filter(begins).collect();
    if like.len() > 1 {
        let like: Vec<String> = like.iter().map(ToString::to_string).collect();
        bail!("several registers begin with {name}, give more digits: {}", like.join(", "));
    }
    Ok(like.first().copied())
}

fn absent(name: &str) -> anyhow::Error {
    anyhow!("there is no register {name}: `kubectl chancery register list` shows those that there are")
}

/// What is said where an operator has no register at all.
pub fn none(namespace: &str) -> String {
    format!(
        "there is no register in namespace {namespace}: the operator begins one when it issues the first certificate; if it has, name its namespace with -n"
    )
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
        assert_eq!(meant("common", all()).unwrap(), Some(RegisterId::Common));
        assert_eq!(meant(&one.to_string()[..6], all()).unwrap(), Some(one));
        assert_eq!(meant(&one.to_string()[..2], all()).unwrap(), None);
    }

    #[test]
    fn a_register_that_is_not_there_is_not_meant_however_well_it_is_named() {
        let one = RegisterId::Authority(KeyId::of_spki(b"a"));
        for absent in ["common", &KeyId::of_spki(b"b").to_string()] {
            assert_eq!(meant(absent, [one].into_iter()).unwrap(), None, "{absent}");
            assert!(Registers::default().chosen(&[absent.to_owned()]).unwrap_err().to_string().contains(absent));
        }
    }

    #[test]
    fn digits_with_which_several_begin_are_refused_with_all_of_these() {
        let [one, other] = ["0123456789abcdef".repeat(4), format!("0123{}", "f".repeat(60))];
        let all = || [&one, &other].into_iter().map(|id| id.parse().unwrap());
        let why = meant("0123", all()).unwrap_err().to_string();
        assert!(why.contains(&one) && why.contains(&other), "{why}");
        assert_eq!(meant("01234", all()).unwrap(), Some(one.parse().unwrap()));
    }

    #[test]
    fn what_cannot_be_the_name_of_a_register_is_refused_before_anything_is_read() {
        assert_eq!(name("common"), Ok("common".to_owned()));
        assert_eq!(name("0123ABCD"), Ok("0123abcd".to_owned()));
        for wrong in ["", "abc", "commo", "deadbeefx", &"0".repeat(65)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
