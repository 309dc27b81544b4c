//! What is told of lists: Events on the RevocationList, log lines, and what metrics show of it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Context;
use crate::{
    api::{GoDuration, RevocationListStatus, condition, reason::event},
    cluster::Severity,
    lists::{Built, Published},
    observe::ListSight,
    plan::{
        publication::Obstacle as Obstruction,
        renewal::{BACKDATE, add},
    },
    register::{Act, Entry, RegisterId},
    telemetry::ListState,
};

/// How many serials an Event names.
const SERIALS: usize = 5;

/// Says what went on record: one Event for each kind of act.
pub(super) fn recorded(context: &Context, sight: &ListSight, lines: &[(RegisterId, Entry)]) {
    let acts = [
        (Act::Revoked, event::REVOKED, "Revoke", "revoked"),
        (Act::Held, event::HELD, "Hold", "put on hold"),
        (Act::Released, event::RELEASED, "Release", "released"),
    ];
    for (act, reason, action, word) in acts {
        let serials: Vec<String> =
            lines.iter().filter(|(_, entry)| entry.act == act).filter_map(|(_, entry)| Some(entry.serial.as_ref()?.to_string())).collect();
        if serials.is_empty() {
            continue;
        }
        let more = if serials.len() > SERIALS { format!(" and {} more", serials.len() - SERIALS) } else { String::new() };
        let shown = serials.iter().take(SERIALS).cloned().collect::<Vec<_>>().join(", ");
        tracing::info!(list = %sight.name, count = serials.len(), word, "recorded");
        say(context, sight, Severity::Normal, reason, action, format!("{word}: serial {shown}{more}"));
    }
    for (_, entry) in lines.iter().filter(|(_, entry)| entry.act == Act::Blocked) {
        let key = entry.key_id.map(|key| key.to_string()).unwrap_or_default();
        say(context, sight, Severity::Normal, event::KEY_BLOCKED, "Block", format!("key {key} is not certified again"));
    }
}

/// Says that lists were published, where certificates came or went.
pub(super) fn published(context: &Context, list: Option<&ListSight>, built: &Built, before: Option<&Published>) {
    let entries = |head: &crate::lists::Head| head.shards.values().map(|shard| shard.entries).sum::<usize>();
    let (now, then) = (entries(&built.head), before.map(|before| entries(&before.head)));
    tracing::info!(authority = %built.head.authority, number = %built.head.number, lists = built.made.len(), entries = now, "published");
    let Some(list) = list.filter(|_| then != Some(now)) else { return };
    let text = format!("number {}, {} certificates of authority {}", built.head.number, now, built.head.authority);
    say(context, list, Severity::Normal, event::PUBLISHED, "Publish", text);
}

/// Counts what keeps a list from being published.
pub(super) fn blocked(context: &Context, obstacle: &Obstruction) {
    if matches!(obstacle, Obstruction::RolledBack { .. }) {
        context.metrics.rolled_back();
    }
}

/// An Event for an obstacle, and for what waits for a person; once for each that is new.
pub(super) fn obstructed(context: &Context, sight: &ListSight, status: &RevocationListStatus) {
    let old = sight.object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let is_new = |kind: &str| {
        let now = condition::find(&status.conditions, kind)?;
        let before = condition::find(old, kind);
        before.is_none_or(|before| before.reason != now.reason || before.status != now.status).then_some(now)
    };
    if let Some(stalled) = is_new(condition::STALLED) {
        say(context, sight, Severity::Warning, event::FAILED, "Publish", format!("{}: {}", stalled.reason, stalled.message));
    }
    if let Some(waiting) = is_new(condition::HELD_BACK) {
        say(context, sight, Severity::Warning, event::HELD_BACK, "Revoke", waiting.message.clone());
    }
}

/// What metrics show of a list.
pub(super) fn state(status: &RevocationListStatus) -> ListState {
    ListState {
        ready: condition::is_true(&status.conditions, condition::READY),
        next_update: status.next_update.as_ref().map(|time| time.0),
        refresh_due: refresh_due(status),
        last_published: status.last_published.as_ref().map(|time| time.0),
        entries: status.entries.unwrap_or(0),
        bytes: status.shards.iter().map(|shard| shard.bytes).sum(),
        pending: status.pending_revocations.unwrap_or(0),
        oldest_pending: status.oldest_pending.as_ref().map(|time| time.0),
        held_back: status.held_back.unwrap_or(0),
    }
}

/// When the first of the lists that stand, deltas included, is to be replaced.
fn refresh_due(status: &RevocationListStatus) -> Option<Timestamp> {
    let resolved = status.resolved.as_ref()?;
    let due = |made: &Time, refresh: GoDuration| add(add(made.0, BACKDATE), refresh.get());
    let full = status.shards.iter().map(|shard| due(&shard.this_update, resolved.refresh));
    let deltas = status.shards.iter().filter_map(|shard| Some(due(&shard.delta.as_ref()?.this_update, resolved.delta?)));
    full.chain(deltas).min()
}

/// Says something about a list.
pub(super) fn say(context: &Context, list: &ListSight, severity: Severity, reason: &str, action: &str, text: String) {
    super::super::event::say(&context.recorder, "RevocationList", &list.object.metadata, severity, reason, action, text);
}
