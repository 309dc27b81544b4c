//! The versions of one Secret, one after the other, and in what two of them differ. Never what stands in them.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{WatchEvent, WatchParams};

use crate::stage::Stage;

/// All that becomes of a Secret from some version on.
pub(super) struct Versions {
    name: String,
    first: String,
    events: BoxStream<'static, kube::Result<WatchEvent<Secret>>>,
}

impl Versions {
    /// From this version of the Secret on, or of another one in the same namespace.
    pub(super) async fn since(stage: &Stage, name: &str, version: &str) -> Self {
        let one = WatchParams::default().fields(&format!("metadata.name={name}"));
        let events = stage.secrets().watch(&one, version).await;
        let events = events.unwrap_or_else(|error| panic!("Secret {name} cannot be watched: {error}"));
        Self { name: name.to_owned(), first: version.to_owned(), events: events.boxed() }
    }

    /// The versions that were written since, up to the one that stands now: an object without a write has none.
    pub(super) async fn up_to_now(&mut self, stage: &Stage) -> Vec<Secret> {
        let last = stage.secret(&self.name).await.resource_version().unwrap_or_default();
        let mut written = Vec::new();
        if last == self.first {
            return written;
        }
        while let Some(event) = self.events.next().await {
            match event {
                Ok(WatchEvent::Added(secret) | WatchEvent::Modified(secret) | WatchEvent::Deleted(secret)) => {
                    let version = secret.resource_version().unwrap_or_default();
                    written.push(secret);
                    if version == last {
                        self.first = last;
                        return written;
                    }
                }
                Ok(WatchEvent::Bookmark(_)) => {}
                Ok(WatchEvent::Error(error)) => panic!("Secret {}: {error:?}", self.name),
                Err(error) => panic!("Secret {}: {error}", self.name),
            }
        }
        panic!("Secret {}: the watch ended before version {last}", self.name);
    }
}

/// In what two versions of a Secret differ: `+` came, `-` went, `~` is another, each with what it is and its name.
pub(super) fn changes(before: &Secret, after: &Secret) -> BTreeSet<String> {
    let mut changes = BTreeSet::new();
    compare("label", before.labels(), after.labels(), &mut changes);
    compare("annotation", before.annotations(), after.annotations(), &mut changes);
    let none = BTreeMap::new();
    compare("data", before.data.as_ref().unwrap_or(&none), after.data.as_ref().unwrap_or(&none), &mut changes);
    changes
}

fn compare<V: PartialEq>(what: &str, before: &BTreeMap<String, V>, after: &BTreeMap<String, V>, changes: &mut BTreeSet<String>) {
    for name in before.keys().chain(after.keys()) {
        let sign = match (before.get(name), after.get(name)) {
            (None, _) => '+',
            (_, None) => '-',
            (Some(one), Some(other)) if one != other => '~',
            _ => continue,
        };
        changes.insert(format!("{sign}{what} {name}"));
    }
}
