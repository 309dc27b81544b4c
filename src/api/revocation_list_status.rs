//! The status of a `RevocationList`: what is published, and what waits.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]
// Not `expect`: rustc reports the fields of these copies, yet counts an expectation of it as unfulfilled.
#![allow(dead_code, reason = "with serde's `remote`, nothing reads the copies")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{duration::GoDuration, readable, schema};

/// How many parts of a list the status shows. All are in the head; a status with a thousand would be written with each of them.
pub const MAX_SHARDS_SHOWN: usize = 64;
/// How many authorities that were followed by another the status shows.
pub const MAX_FORMER: usize = 16;
/// How many refused orders the status names.
pub const MAX_REFUSED: usize = 20;
/// The longest message about a refused order, in characters.
pub const MAX_REFUSAL: usize = 1024;

/// What is known of a RevocationList.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct RevocationListStatus {
    /// What holds: Ready when what was recorded is published, and where they apply OrdersRefused, HeldBack, Stalled and Reconciling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The metadata.generation that this status is about; -1 before the first look at the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The authority whose list this is: the keyID of its key, under which its register is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub authority: Option<String>,
    /// The values in effect, be they written in the spec or defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedList>,
    /// The last line of the register that the published list knows: a register that is shorter or another went back in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterAnchor>,
    /// The number of the newest published list, a decimal number that only grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub number: Option<String>,
    /// When the first of the published lists must be replaced at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub next_update: Option<Time>,
    /// How many certificates are on the published list, all its parts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub entries: Option<i64>,
    /// The published list, by its parts; of more than 64 the first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_SHARDS_SHOWN))]
    pub shards: Vec<ShardStatus>,
    /// How many revocations are recorded or asked for and are on no published list yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub pending_revocations: Option<i64>,
    /// Since when the oldest of them waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub oldest_pending: Option<Time>,
    /// How many of them are automatic ones beyond maxAutomaticRevocations: they wait for a person (spec.confirmPendingBefore).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub held_back: Option<i64>,
    /// How long building, signing and checking the last list took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub build_milliseconds: Option<i64>,
    /// When a list was last published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_published: Option<Time>,
    /// How many orders of the spec are carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub applied_orders: Option<i64>,
    /// The orders of the spec that cannot be carried out, and why; of more than 20 the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_REFUSED))]
    pub refused_orders: Vec<RefusedOrder>,
    /// The authorities that this issuer had before: their keys sign their own lists until their last certificate has expired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_FORMER))]
    pub former_authorities: Vec<FormerAuthority>,
}

impl RevocationListStatus {
    /// Shows what is published: its parts as far as they fit, and what can be said of all together.
    pub fn show(&mut self, mut shards: Vec<ShardStatus>) {
        let both = |shard: &ShardStatus| [Some(shard.next_update.clone()), shard.delta.as_ref().map(|delta| delta.next_update.clone())];
        self.next_update = shards.iter().flat_map(both).flatten().min();
        self.entries = (!shards.is_empty()).then(|| shards.iter().map(|shard| shard.entries).sum());
        let numbers = shards.iter().flat_map(|shard| [Some(&shard.number), shard.delta.as_ref().map(|delta| &delta.number)]).flatten();
        self.number = numbers.max_by_key(|number| (number.len(), (*number).clone())).cloned();
        shards.truncate(MAX_SHARDS_SHOWN);
        self.shards = shards;
    }
}

impl Serialize for RevocationListStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for RevocationListStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        readable::read_or_default(deserializer, Self::deserialize)
    }
}

/// Values in effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedList {
    /// How long a published list may be used.
    pub validity: GoDuration,
    /// How often a new list is published though nothing was revoked.
    pub refresh: GoDuration,
    /// How much time lies at least between two lists.
    pub debounce: GoDuration,
    /// Into how many parts the list is split.
    #[schemars(range(min = 0))]
    pub shards: i32,
    /// How often a new delta CRL is published; none where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<GoDuration>,
    /// How long a revocation waits that only tidies up.
    pub grace: GoDuration,
    /// How many automatic revocations are carried out within an hour.
    #[schemars(range(min = 0))]
    pub max_automatic_revocations: i32,
    /// How long an OCSP answer may be used; none where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ocsp_validity: Option<GoDuration>,
}

/// A line of a register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterAnchor {
    /// Its place, from 1.
    #[schemars(range(min = 0))]
    pub sequence: i64,
    /// Its SHA-256, lower-case hexadecimal.
    #[schemars(length(max = 64))]
    pub hash: String,
}

/// A published part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShardStatus {
    /// Which part, from 0.
    #[schemars(range(min = 0))]
    pub shard: i32,
    /// The CRL number.
    #[schemars(length(max = 40))]
    pub number: String,
    /// From when on it may be used: five minutes before it was made.
    #[schemars(schema_with = "schema::time")]
    pub this_update: Time,
    /// Until when it may be used; another is published before.
    #[schemars(schema_with = "schema::time")]
    pub next_update: Time,
    /// How many certificates are on it.
    #[schemars(range(min = 0))]
    pub entries: i64,
    /// Its size in octets.
    #[schemars(range(min = 0))]
    pub bytes: i64,
    /// Its SHA-256, lower-case hexadecimal.
    #[schemars(length(max = 64))]
    pub sha256: String,
    /// Where it is fetched; none without a baseURL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
    /// The delta CRL beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<DeltaStatus>,
}

/// A published delta CRL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeltaStatus {
    /// The CRL number.
    #[schemars(length(max = 40))]
    pub number: String,
    /// From when on it may be used: five minutes before it was made.
    #[schemars(schema_with = "schema::time")]
    pub this_update: Time,
    /// Until when it may be used; another is published before.
    #[schemars(schema_with = "schema::time")]
    pub next_update: Time,
    /// How many certificates are on it.
    #[schemars(range(min = 0))]
    pub entries: i64,
    /// Its size in octets.
    #[schemars(range(min = 0))]
    pub bytes: i64,
    /// Its SHA-256, lower-case hexadecimal.
    #[schemars(length(max = 64))]
    pub sha256: String,
    /// Where it is fetched; none without a baseURL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
}

/// An order that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedOrder {
    /// Its place in spec.revocations, from 0.
    #[schemars(range(min = 0))]
    pub index: i32,
    /// Why, and what would be right.
    #[schemars(length(max = MAX_REFUSAL))]
    pub message: String,
}

/// An authority that was followed by another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FormerAuthority {
    /// The keyID of its key.
    #[schemars(length(max = 64))]
    pub authority: String,
    /// Until when its published list may be used.
    #[schemars(schema_with = "schema::time")]
    pub next_update: Time,
    /// When its last certificate expires: one list more, and its key is destroyed.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shard(shard: i32, number: &str, next_update: &str) -> ShardStatus {
        serde_json::from_value(json!({
            "shard": shard, "number": number, "thisUpdate": "2026-01-01T00:00:00Z", "nextUpdate": next_update, "entries": 2, "bytes": 300, "sha256": "00",
        }))
        .unwrap()
    }

    #[test]
    fn many_parts_are_summed_up_and_the_first_are_shown() {
        let mut shards: Vec<ShardStatus> = (0..100).map(|index| shard(index, "9", "2026-01-09T00:00:00Z")).collect();
        shards[90] = shard(90, "10", "2026-01-08T00:00:00Z");
        let mut status = RevocationListStatus::default();
        status.show(shards);
        assert_eq!((status.shards.len(), status.entries, status.number.as_deref()), (MAX_SHARDS_SHOWN, Some(200), Some("10")));
        assert_eq!(status.next_update, Some(Time("2026-01-08T00:00:00Z".parse().unwrap())));
    }

    #[test]
    fn a_delta_counts_for_number_and_time_and_nothing_published_shows_nothing() {
        let mut one = shard(0, "10", "2026-01-09T00:00:00Z");
        one.delta = Some(DeltaStatus {
            number: "11".to_owned(),
            this_update: one.this_update.clone(),
            next_update: Time("2026-01-02T00:00:00Z".parse().unwrap()),
            entries: 7,
            bytes: 1,
            sha256: String::new(),
            url: None,
        });
        let mut status = RevocationListStatus::default();
        status.show(vec![one]);
        assert_eq!((status.entries, status.number.as_deref()), (Some(2), Some("11")));
        assert_eq!(status.next_update, Some(Time("2026-01-02T00:00:00Z".parse().unwrap())));
        status.show(Vec::new());
        assert_eq!(status, RevocationListStatus::default());
    }

    #[test]
    fn a_status_of_another_shape_counts_as_none() {
        let list: crate::api::RevocationList = serde_json::from_value(json!({
            "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": "a"}, "spec": {"issuerRef": {"name": "a"}},
            "status": {"shards": "all"},
        }))
        .unwrap();
        assert_eq!(list.status, Some(RevocationListStatus::default()));
    }
}
