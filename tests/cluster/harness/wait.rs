//! Waiting for objects on watches, and showing what was there instead when the wait was in vain.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::{Api, Resource};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::watch_object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::operator;

/// Waits until the object exists and the predicate holds; returns it as it was then. When the time is over it panics with
/// `what` was waited for, the object's last state and the last lines of the operator that serves its namespace.
pub(crate) async fn wait_for<K>(api: &Api<K>, name: &str, what: &str, limit: Duration, predicate: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut last = Last::Nothing;
    let reached = first_state(api, name, limit, &mut last, |state| state.filter(|object| predicate(object)).cloned()).await;
    reached.unwrap_or_else(|| panic!("{}", last.report(api, name, &format!("not within {limit:?}: {what}"))))
}

/// Waits until there is no such object.
pub(crate) async fn wait_gone<K>(api: &Api<K>, name: &str, limit: Duration)
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut last = Last::Nothing;
    let gone = first_state(api, name, limit, &mut last, |state| state.is_none().then_some(())).await;
    assert!(gone.is_some(), "{}", last.report(api, name, &format!("still there after {limit:?}")));
}

/// Watches the object for a while and panics as soon as it is gone or the predicate fails: for what must not happen.
pub(crate) async fn stays<K>(api: &Api<K>, name: &str, what: &str, during: Duration, predicate: impl Fn(&K) -> bool)
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let mut states = pin!(watch_object(api.clone(), name).default_backoff());
    let mut last = Last::Nothing;
    // The while begins when it is seen first, however long that takes.
    let mut end = Instant::now() + Duration::from_mins(1);
    while let Ok(Some(state)) = timeout_at(end, states.next()).await {
        let is_first = !matches!(last, Last::Object(_));
        let is_so = state.as_ref().is_ok_and(|state| state.as_ref().is_some_and(&predicate));
        match state {
            Ok(state) => last = state.map_or(Last::Absent, Last::Object),
            Err(error) if is_first => last = Last::Trouble(error.to_string()),
            Err(_) => continue,
        }
        assert!(is_so || matches!(last, Last::Trouble(_)), "{}", last.report(api, name, &format!("no longer so: {what}")));
        if is_first && is_so {
            end = Instant::now() + during;
        }
    }
    assert!(matches!(last, Last::Object(_)), "{}", last.report(api, name, "it was never seen"));
}

/// Asks every 50 ms until there is an answer; none when the time is over. For what cannot be watched: what a server serves, what a log has.
pub(crate) async fn until<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let asked = async {
        let mut turn = tokio::time::interval(Duration::from_millis(50));
        loop {
            turn.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(limit, asked).await.ok()
}

/// An object as YAML for a person, a Secret's values replaced by their lengths.
pub(crate) fn printable<K: Serialize>(object: &K) -> String {
    let mut value = serde_json::to_value(object).unwrap_or_else(|error| Value::String(format!("not printable: {error}")));
    // Typed Secrets do not serialize their kind in every version; any map of that name is treated as one.
    for field in ["data", "stringData"] {
        if let Some(Value::Object(entries)) = value.get_mut(field) {
            for entry in entries.values_mut() {
                let length = entry.as_str().map_or(0, str::len);
                *entry = Value::String(format!("<{length} characters>"));
            }
        }
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    serde_yaml::to_string(&value).unwrap_or_else(|error| format!("not printable: {error}"))
}

/// What was last seen of the object.
enum Last<K> {
    Nothing,
    Absent,
    Object(K),
    Trouble(String),
}

impl<K: Resource + Serialize> Last<K> {
    fn report(&self, api: &Api<K>, name: &str, what: &str) -> String {
        let state = match self {
            Self::Nothing => "nothing was seen of it".to_owned(),
            Self::Absent => "it does not exist".to_owned(),
            Self::Object(object) => printable(object),
            Self::Trouble(error) => format!("it could not be watched: {error}"),
        };
        format!("{}/{name}: {what}\n{state}\n{}", api.resource_url(), operator::last_lines(api.namespace(), name))
    }
}

/// The first state that `pick` takes, or `None` when the time is over. A failing watch is started anew.
async fn first_state<K, T>(
    api: &Api<K>,
    name: &str,
    limit: Duration,
    last: &mut Last<K>,
    pick: impl Fn(Option<&K>) -> Option<T>,
) -> Option<T>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let search = async {
        let mut states = pin!(watch_object(api.clone(), name).default_backoff());
        while let Some(state) = states.next().await {
            match state {
                Ok(state) => {
                    if let Some(picked) = pick(state.as_ref()) {
                        return Some(picked);
                    }
                    *last = state.map_or(Last::Absent, Last::Object);
                }
                Err(error) => *last = Last::Trouble(error.to_string()),
            }
        }
        None
    };
    tokio::time::timeout(limit, search).await.ok().flatten()
}
