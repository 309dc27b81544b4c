//! A RevocationList as a line.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    Facts, Row,
    certificate::{expires, issuer_name, short},
    state::{self, Life, State},
};
use crate::{
    api::{
        RevocationList,
        condition::{self, find},
    },
    plugin::{
        output::{Cell, Tone},
        read::object_name,
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
    /// The condition Ready: True, False or Unknown.
    pub ready: String,
    /// All that holds of it.
    pub states: BTreeSet<State>,
    /// The reason of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The message of the condition Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The issuer, as KIND/NAME.
    pub issuer: String,
    /// The authority whose list it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The number of the newest published list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When the first of the published lists must be replaced at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// When a list was last published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_published: Option<Timestamp>,
    /// How many certificates are on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<i64>,
    /// How many revocations are on no published list yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
    /// How many of them wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<i64>,
    /// Into how many parts it is split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<i32>,
    /// Where its first part is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip)]
    object: String,
    #[serde(skip)]
    cells: [Cell; 2],
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
        let states = state::states(&status.conditions, seen, life, now);
        let cells = [state::ready(&status.conditions, &states), state::status(&status.conditions, &states)];
        let ready = find(&status.conditions, condition::READY);
        Self {
            namespace: list.namespace().unwrap_or_default(),
            name: list.name_any(),
            ready: cells[0].text.clone(),
            states,
            reason: ready.map(|ready| ready.reason.clone()),
            message: ready.map(|ready| ready.message.clone()),
            issuer: issuer_name(&list.spec.issuer_ref),
            authority: status.authority,
            number: status.number,
            next_update: life.end,
            last_published: status.last_published.map(|time| time.0),
            entries: status.entries,
            pending: status.pending_revocations,
            held_back: status.held_back,
            shards: status.resolved.map(|resolved| resolved.shards),
            url: status.shards.first().and_then(|shard| shard.url.clone()),
            object: object_name(list),
            cells,
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
            states: &self.states,
            end: self.next_update,
            object: &self.object,
        }
    }

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let [ready, status] = self.cells.clone();
        let number = |number: Option<i64>| Cell::from(number.unwrap_or(0).to_string());
        vec![
            self.name.clone().into(),
            ready,
            self.issuer.clone().into(),
            number(self.entries),
            Cell::new(self.pending.unwrap_or(0).to_string(), if self.pending.unwrap_or(0) > 0 { Tone::Warning } else { Tone::Plain }),
            expires(self.next_update, &self.states, now),
            status,
            short(self.authority.as_deref()).into(),
            self.number.clone().unwrap_or_default().into(),
            self.last_published.map(|time| when(time, now)).unwrap_or_default().into(),
            self.shards.map(|shards| shards.to_string()).unwrap_or_default().into(),
            number(self.held_back),
            self.url.clone().unwrap_or_default().into(),
        ]
    }
}
