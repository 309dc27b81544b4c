//! One series per RevocationList: what its owner needs to know of it, within a limit.
//!
//! Kept as numbers in a map and turned into text only when somebody scrapes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

/// How many lists get series of their own; beyond that they are told of in their status only.
const LIMIT: usize = 1000;

/// What is told of one RevocationList.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListState {
    /// Its Ready condition.
    pub ready: bool,
    /// When the first of its lists must be replaced at the latest.
    pub next_update: Option<Timestamp>,
    /// When the first of its lists is to be replaced, long before it must be.
    pub refresh_due: Option<Timestamp>,
    /// When a list was last published.
    pub last_published: Option<Timestamp>,
    /// How many certificates are on it.
    pub entries: i64,
    /// How many octets its lists have.
    pub bytes: i64,
    /// Revocations that are on no published list yet.
    pub pending: i64,
    /// Since when the oldest of these waits.
    pub oldest_pending: Option<Timestamp>,
    /// Revocations that wait for a person.
    pub held_back: i64,
}

/// One publication, as it is counted.
#[derive(Clone, Debug)]
pub struct Publication {
    /// How many lists, deltas included.
    pub lists: usize,
    /// How many octets were written.
    pub bytes: u64,
    /// How long building, signing and checking took.
    pub took: std::time::Duration,
    /// For each certificate that is new on a list: the seconds since its revocation.
    pub delays: Vec<f64>,
}

/// The RevocationLists that are known; clones share the map.
#[derive(Clone, Debug, Default)]
pub struct ListSeries(Arc<Mutex<States>>);

/// By namespace and name.
type States = BTreeMap<(Box<str>, Box<str>), ListState>;

impl ListSeries {
    /// Replaces what is told of a list.
    pub fn set(&self, namespace: &str, name: &str, state: ListState) {
        self.lock().insert((namespace.into(), name.into()), state);
    }

    /// Tells no more of a list.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.into(), name.into()));
    }

    /// Tells of none: for a process that no longer leads.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Value = fn(&ListState) -> Option<i64>;

const GAUGES: [(&str, &str, Value); 9] = [
    ("revocation_list_ready", "1 where what was recorded is published.", |state| Some(state.ready.into())),
    ("revocation_list_next_update_timestamp_seconds", "When the first of the published lists expires, in seconds since 1970.", |state| {
        state.next_update.map(Timestamp::as_second)
    }),
    (
        "revocation_list_refresh_due_timestamp_seconds",
        "When the first of the published lists is to be replaced, in seconds since 1970.",
        |state| state.refresh_due.map(Timestamp::as_second),
    ),
    ("revocation_list_last_published_timestamp_seconds", "When a list was last published, in seconds since 1970.", |state| {
        state.last_published.map(Timestamp::as_second)
    }),
    ("revocation_list_entries", "Certificates on the published lists.", |state| Some(state.entries)),
    ("revocation_list_bytes", "Octets of the published lists.", |state| Some(state.bytes)),
    ("revocation_list_pending", "Revocations that are on no published list yet.", |state| Some(state.pending)),
    ("revocation_list_oldest_pending_timestamp_seconds", "Since when the oldest of these waits, in seconds since 1970.", |state| {
        state.oldest_pending.map(Timestamp::as_second)
    }),
    ("revocation_list_held_back", "Revocations that nobody ordered by hand and that wait for a person.", |state| Some(state.held_back)),
];

impl Collector for ListSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let lists = self.lock();
        for (name, help, value) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for ((namespace, list), state) in lists.iter().take(LIMIT) {
                if let Some(value) = value(state) {
                    family.encode_family(&[("namespace", &**namespace), ("name", &**list)])?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn each_list_has_its_numbers_until_it_is_gone() {
        let series = ListSeries::default();
        let mut registry = Registry::with_prefix("chancery");
        registry.register_collector(Box::new(series.clone()));
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        series.set("team", "list", ListState { entries: 7, pending: 2, ..ListState::default() });
        assert!(text().contains("chancery_revocation_list_entries{namespace=\"team\",name=\"list\"} 7\n"), "{}", text());
        assert!(text().contains("chancery_revocation_list_pending{namespace=\"team\",name=\"list\"} 2\n"));
        assert!(!text().contains("oldest_pending_timestamp_seconds{"));
        series.remove("team", "list");
        assert!(!text().contains("team"));
    }
}
