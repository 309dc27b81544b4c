//! A RevocationList in depth.

use std::io::{self, Write};

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;

use super::{ConditionLine, EventLine, Next, advice::Scope, condition_lines, facts, is_well, text::Page, unseen};
use crate::{
    api::{FormerAuthority, RefusedOrder, RevocationList, RevocationListStatus, ShardStatus},
    cluster::CallError,
    plugin::{
        list::issuer_name,
        output::{Report, Table, Tone},
        read::{self, object_name},
        said::Publication,
        span::{span, when},
    },
};

/// How many parts are shown without `-o wide`.
const SHARDS_SHOWN: usize = 4;

/// A RevocationList in depth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether all that was recorded is on the published list.
    pub ready: bool,
    /// What holds.
    pub conditions: Vec<ConditionLine>,
    /// The issuer, as KIND/NAME.
    pub issuer: String,
    /// How many orders its spec has.
    pub orders: usize,
    /// The orders that cannot be carried out.
    pub refused_orders: Vec<RefusedOrder>,
    /// What is published, and what waits.
    pub status: ListStatus,
    /// What happened lately, the latest first.
    pub events: Vec<EventLine>,
    /// What will happen.
    pub next: Vec<Next>,
    /// What could not be read, and why.
    pub not_looked_at: Vec<String>,
    #[serde(skip)]
    object: String,
    #[serde(skip)]
    now: Timestamp,
}

/// What is published, and what waits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListStatus {
    /// What is published.
    #[serde(flatten)]
    pub published: Publication,
    /// How many revocations are on no published list yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_revocations: Option<i64>,
    /// Since when the oldest of them waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pending: Option<Timestamp>,
    /// The published list, by its parts.
    pub shards: Vec<ShardStatus>,
    /// Authorities that this issuer had before.
    pub former_authorities: Vec<FormerAuthority>,
}

/// Reads a RevocationList and all that there is to say of it.
///
/// # Errors
/// When the RevocationList itself cannot be read.
pub async fn list(client: &Client, namespace: &str, name: &str, now: Timestamp) -> Result<ListReport, CallError> {
    let list: RevocationList = read::one(&Api::namespaced(client.clone(), namespace), name).await?;
    let mut unread = Vec::new();
    let events = facts::events(client, &list.metadata, &mut unread).await;
    Ok(ListReport::new(&list, events, unread, now))
}

impl ListReport {
    fn new(list: &RevocationList, events: Vec<EventLine>, not_looked_at: Vec<String>, now: Timestamp) -> Self {
        let status = list.status.clone().unwrap_or_default();
        let fresh = status.next_update.as_ref().is_none_or(|end| end.0 > now);
        Self {
            namespace: list.namespace().unwrap_or_default(),
            name: list.name_any(),
            ready: is_well(&status.conditions, list.metadata.generation, status.observed_generation) && fresh,
            conditions: condition_lines(Scope::List, &status.conditions),
            issuer: issuer_name(&list.spec.issuer_ref),
            orders: list.spec.revocations.len(),
            refused_orders: status.refused_orders.clone(),
            next: next(list, &status, now),
            status: ListStatus {
                published: Publication::from(&status),
                pending_revocations: status.pending_revocations,
                oldest_pending: status.oldest_pending.map(|time| time.0),
                shards: status.shards,
                former_authorities: status.former_authorities,
            },
            events,
            not_looked_at,
            object: object_name(list),
            now,
        }
    }
}

fn next(list: &RevocationList, status: &RevocationListStatus, now: Timestamp) -> Vec<Next> {
    let mut next: Vec<Next> = unseen(list.metadata.generation, status.observed_generation).into_iter().collect();
    if let (Some(published), Some(resolved)) = (&status.last_published, &status.resolved) {
        let every = span(resolved.refresh.get());
        if let Ok(at) = published.0.checked_add(resolved.refresh.get()) {
            next.push(Next::at(at, format!("it is published anew, as every {every}, or before when something is revoked")));
        }
    }
    if let Some(end) = &status.next_update {
        next.push(Next::at(
            end.0,
            if end.0 <= now { "what is published was to be used no longer" } else { "until then what is published may be used" },
        ));
    }
    next
}

impl Report for ListReport {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page { out, now: self.now };
        let (word, tone) = if self.ready { ("ready", Tone::Good) } else { ("not ready", Tone::Bad) };
        page.title(&format!("RevocationList {}/{}", self.namespace, self.name), word, tone)?;
        page.conditions(&self.conditions)?;
        page.heading("Published")?;
        let status = &self.status;
        page.field("Issuer", &self.issuer)?;
        page.some("Authority", status.published.authority.as_deref())?;
        page.some("Number", status.published.number.as_deref())?;
        page.some("Entries", status.published.entries.map(|number| number.to_string()).as_deref())?;
        page.time("Published", status.published.last_published)?;
        page.time("Next update", status.published.next_update)?;
        let shown = if wide { status.shards.len() } else { SHARDS_SHOWN };
        for shard in status.shards.iter().take(shown) {
            let place = shard.url.as_deref().unwrap_or("no URL: no baseURL is given");
            page.field(&format!("Part {}", shard.shard), &format!("{} entries, {} octets, {place}", shard.entries, shard.bytes))?;
        }
        page.heading("Orders")?;
        page.field("In the spec", &self.orders.to_string())?;
        page.some("Waiting", status.pending_revocations.filter(|number| *number > 0).map(|number| number.to_string()).as_deref())?;
        page.time("Oldest", status.oldest_pending)?;
        page.some("Held back", status.published.held_back.filter(|number| *number > 0).map(|number| number.to_string()).as_deref())?;
        for order in &self.refused_orders {
            page.toned(&format!("Refused [{}]", order.index), &order.message, Tone::Bad)?;
        }
        if !status.former_authorities.is_empty() {
            page.heading("Former authorities")?;
            let mut table = Table::new(&["AUTHORITY", "NEXT UPDATE", "LAST CERTIFICATE ENDS"]);
            for former in &status.former_authorities {
                table.row([
                    former.authority.clone().into(),
                    when(former.next_update.0, self.now).into(),
                    when(former.until.0, self.now).into(),
                ]);
            }
            page.table(&table)?;
        }
        page.events(&self.events)?;
        page.next(&self.next)?;
        page.unread(&self.not_looked_at)
    }

    fn names(&self) -> Vec<String> {
        vec![self.object.clone()]
    }
}
