//! What was recorded of what happened on a stage: registers' lines, Events, and the API server's audit log.

use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use kube_runtime::{WatchStreamExt, watcher};
use serde_json::Value;

use super::{SOON, Stage};
use crate::harness::Record;

impl Stage {
    /// The lines of all registers that are about a Certificate of this namespace, in the order of their time.
    pub(crate) async fn lines(&self, certificate: &str) -> Vec<Value> {
        let mut lines = self.all_lines().await;
        lines.retain(|line| line["owner"]["name"] == certificate);
        lines
    }

    /// The lines of all registers that are about Certificates of this namespace, in the order of their time.
    pub(crate) async fn all_lines(&self) -> Vec<Value> {
        let maps: Api<ConfigMap> = Api::namespaced(self.ground.client.clone(), &self.system);
        let list = maps.list(&ListParams::default().labels("chancery.dev/register")).await.expect("registers can be listed");
        let text = |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get("lines")).cloned().unwrap_or_default();
        let texts: Vec<String> = list.items.iter().map(text).collect();
        let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut lines: Vec<Value> = texts
            .iter()
            .flat_map(|text| text.lines())
            .map(parse)
            .filter(|line| line["owner"]["namespace"] == self.namespace.as_str())
            .collect();
        // As times, not as texts: 1.5 s comes after 1.499 s.
        let time = |line: &Value| line["time"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        lines.sort_by_key(|line| (time(line), line["sequence"].as_u64()));
        lines
    }

    /// The reasons of all certificates that were issued or imported for a Certificate and delivered, oldest first. What was taken back
    /// never was: for example where the Secret was there already and the watch had not shown it yet.
    pub(crate) async fn issuances(&self, certificate: &str) -> Vec<String> {
        let lines = self.lines(certificate).await;
        let voided = |line: &Value| lines.iter().any(|other| other["act"] == "voided" && other["serial"] == line["serial"]);
        let given = lines.iter().filter(|line| line["act"] == "imported" || (line["act"] == "issued" && !voided(line)));
        given.map(|line| line["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for an Event about an object of this namespace, with this reason and this in its note.
    pub(crate) async fn event(&self, object: &str, reason: &str, note: &str) -> Event {
        let mut seen = Vec::new();
        let search = async {
            let events = watcher(self.api::<Event>(), watcher::Config::default()).default_backoff().applied_objects();
            let mut events = pin!(events);
            while let Some(event) = events.next().await {
                let Ok(event) = event else { continue };
                if event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref()) != Some(object) {
                    continue;
                }
                let text = event.note.clone().unwrap_or_default();
                if event.reason.as_deref() == Some(reason) && text.contains(note) {
                    return event;
                }
                seen.push(format!("{}: {text}", event.reason.unwrap_or_default()));
            }
            unreachable!("a watch is started anew for ever");
        };
        let Ok(event) = tokio::time::timeout(SOON, search).await else {
            panic!("no Event {reason} with \"{note}\" about {object}; there were:\n{}", seen.join("\n"));
        };
        event
    }

    /// The requests of the operator in this namespace so far.
    pub(crate) fn requests(&self) -> Vec<Record> {
        let user = format!("system:serviceaccount:{}:chancery-controller", self.system);
        let mut records = self.ground.audit().of_namespace(&self.namespace);
        records.retain(|record| record.user == user);
        records
    }
}
