//! The API server's audit log: who asked for what, with which body and answer. `tests/controlplane/policy.yaml` says what is in it.
//!
//! It must not be printed whole: bodies of Secrets hold keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::run;

/// The audit log of a run.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    path: PathBuf,
}

/// One request. Requests of the tests themselves stand in the log only if they write, and without a body.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// `ResponseComplete`, `Panic`, or `ResponseStarted` for a watch that goes on.
    pub(crate) stage: String,
    /// When the request came in, by the API server's clock.
    pub(crate) time: Timestamp,
    pub(crate) user: String,
    pub(crate) user_agent: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub(crate) verb: String,
    pub(crate) uri: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    /// Empty for the object itself.
    pub(crate) subresource: String,
    /// Empty for cluster-scoped objects.
    pub(crate) namespace: String,
    /// Of a create only if the body named it.
    pub(crate) name: String,
    /// HTTP status of the answer; 0 if none was sent.
    pub(crate) code: u16,
    /// The API server's own remarks: the authorization decision and its reason, use of a deprecated version.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The body, only for writes of service accounts that were allowed: a 403 is answered before the body is read.
    pub(crate) request: Option<Value>,
}

impl Audit {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// That of the last run that was started, by whichever process.
    pub(crate) fn of_last_run() -> Self {
        Self::new(run::folders().join("last/control-plane/audit.log"))
    }

    /// The folder of its run: operators' logs are in it.
    pub(crate) fn folder(&self) -> PathBuf {
        self.path.ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
    }

    /// All requests so far, in the order in which they came in; of a request with several stages the last.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records_with("")
    }

    /// All requests so far for objects in a namespace. Much faster than sorting out those of all.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Vec<Record> {
        let mut records = self.records_with(namespace);
        records.retain(|record| record.namespace == namespace);
        records
    }

    /// Those whose line has this text in it.
    fn records_with(&self, text_in_it: &str) -> Vec<Record> {
        let text = fs::read_to_string(&self.path).unwrap_or_else(|error| panic!("no audit log at {}: {error}", self.path.display()));
        let mut requests: BTreeMap<String, Record> = BTreeMap::new();
        // The last line may be half written.
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        for line in complete.lines().filter(|line| line.contains(text_in_it)) {
            let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("a line of the audit log is no event: {error}"));
            let record = Record::from(event);
            requests.insert(record.id.clone(), record);
        }
        let mut records: Vec<Record> = requests.into_values().collect();
        records.sort_by_key(|record| record.time);
        records
    }

    /// All requests of a user so far.
    pub(crate) fn of_user(&self, user: &str) -> Vec<Record> {
        let mut records = self.records_with(user);
        records.retain(|record| record.user == user);
        records
    }

    /// Waits until the records fulfil a predicate, and returns them. A request is logged just after it was answered, and a file
    /// cannot be watched from here: hence the polling.
    pub(crate) async fn wait_for(&self, what: &str, limit: Duration, predicate: impl Fn(&[Record]) -> bool) -> Vec<Record> {
        let mut turn = tokio::time::interval(Duration::from_millis(50));
        let search = async {
            loop {
                turn.tick().await;
                let records = self.records();
                if predicate(&records) {
                    return records;
                }
            }
        };
        let found = tokio::time::timeout(limit, search).await;
        found.unwrap_or_else(|_| panic!("not in the audit log within {limit:?}: {what} ({})", self.path.display()))
    }
}

impl Record {
    /// Whether it asked to change something.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether it could only act on the version of the object that its sender had seen: a create, or an update, patch or delete that
    /// names a resourceVersion (a delete also by uid).
    pub(crate) fn is_conditional(&self) -> bool {
        let named = |pointer: &str| {
            let value = self.request.as_ref().and_then(|body| body.pointer(pointer)).and_then(Value::as_str);
            value.is_some_and(|value| !value.is_empty())
        };
        match self.verb.as_str() {
            "create" => true,
            "update" | "patch" => named("/metadata/resourceVersion"),
            "delete" => named("/preconditions/resourceVersion") || named("/preconditions/uid"),
            _ => false,
        }
    }

    /// What was asked for, as in `update certificates/status`.
    pub(crate) fn what(&self) -> String {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.verb, self.resource, self.subresource)
    }

    /// In one line, without the body.
    pub(crate) fn summary(&self) -> String {
        let Self { time, user, namespace, name, code, .. } = self;
        format!("{time} {user} {} {namespace}/{name} {code}", self.what())
    }
}

impl From<Event> for Record {
    fn from(event: Event) -> Self {
        let object = event.object_ref.unwrap_or_default();
        Self {
            id: event.audit_id,
            stage: event.stage,
            time: event.request_received_timestamp,
            user: event.user.username,
            user_agent: event.user_agent,
            verb: event.verb,
            uri: event.request_uri,
            group: object.api_group,
            resource: object.resource,
            subresource: object.subresource,
            namespace: object.namespace,
            name: object.name,
            code: event.response_status.map_or(0, |status| status.code),
            annotations: event.annotations,
            request: event.request_object,
        }
    }
}

/// audit.k8s.io/v1 Event, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
    request_object: Option<Value>,
    request_received_timestamp: Timestamp,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}
