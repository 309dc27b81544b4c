//! A RevocationList as a line.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    Facts, Row,
    certificate::{expires, issuer_name, short},
    state::{self, Life, Standing},
};
use crate::{
    api::RevocationList,
    plugin::{
        output::{Cell, Tone},
        read::object_name,
        said::Publication,
        span::when,
    },
};

/// A RevocationList.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// The issuer, as KIND/NAME.
    pub issuer: String,
    /// What is published.
    #[serde(flatten)]
    pub published: Publication,
    /// How many revocations are on no published list yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
    /// Into how many parts it is split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<i32>,
    /// Where its first part is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip)]
    object: String,
}

impl ListRow {
    /// The line of a RevocationList at this time.
    pub fn new(list: &RevocationList, now: Timestamp) -> Self {
        let status = list.status.clone().unwrap_or_default();
        let seen = state::seen(list.metadata.generation, status.observed_generation);
        let life = Life {
            // A list is made anew long before a third of its life is left.
            begin: status.shards.iter().map(|shard| shard.this_update.0).min(),
            end: status.next_update.as_ref().map(|time| time.0),
            renewal: None,
        };
        Self {
            namespace: list.namespace().unwrap_or_default(),
            name: list.name_any(),
            standing: Standing::new(&status.conditions, seen, life, now),
            issuer: issuer_name(&list.spec.issuer_ref),
            published: Publication::from(&status),
            pending: status.pending_revocations,
            shards: status.resolved.map(|resolved| resolved.shards),
            url: status.shards.first().and_then(|shard| shard.url.clone()),
            object: object_name(list),
        }
    }
}

impl Row for ListRow {
    const COLUMNS: &'static [&'static str] = &["NAME", "READY", "ISSUER", "ENTRIES", "PENDING", "NEXT UPDATE", "STATUS"];
    const WIDE: &'static [&'static str] = &["AUTHORITY", "NUMBER", "PUBLISHED", "SHARDS", "HELD-BACK", "URL"];

    fn facts(&self) -> Facts<'_> {
        Facts {
            namespace: &self.namespace,
            name: &self.name,
            issuer: &self.issuer,
            states: &self.standing.states,
            end: self.published.next_update,
            object: &self.object,
        }
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let [ready, status] = self.standing.cells.clone();
        let number = |number: Option<i64>| Cell::from(number.unwrap_or(0).to_string());
        vec![
            self.name.clone().into(),
            ready,
            self.issuer.clone().into(),
            number(self.published.entries),
            Cell::new(self.pending.unwrap_or(0).to_string(), if self.pending.unwrap_or(0) > 0 { Tone::Warning } else { Tone::Plain }),
            expires(self.published.next_update, &self.standing.states, now),
            status,
            short(self.published.authority.as_deref()).into(),
            self.published.number.clone().unwrap_or_default().into(),
            self.published.last_published.map(|time| when(time, now)).unwrap_or_default().into(),
            self.shards.map(|shards| shards.to_string()).unwrap_or_default().into(),
            number(self.published.held_back),
            self.url.clone().unwrap_or_default().into(),
        ]
    }
}
