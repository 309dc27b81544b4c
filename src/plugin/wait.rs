//! Waiting on a watch until an object's state answers a question.

use std::{fmt::Debug, pin::pin, time::Duration};

use futures::StreamExt as _;
use kube::{Api, Resource};
use kube_runtime::{WatchStreamExt as _, watcher::watch_object};
use serde::de::DeserializeOwned;

use super::span::span;

/// The first answer that a state of the object gives. The error says what is in the way: `why` tells it of the last state.
///
/// # Errors
/// When the time is over, or the object is deleted.
pub async fn answer<K, T>(
    api: &Api<K>,
    name: &str,
    limit: Duration,
    pick: impl Fn(&K) -> Option<T>,
    why: impl Fn(&K) -> String,
) -> Result<T, String>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut last = None;
    let search = async {
        let mut states = pin!(watch_object(api.clone(), name).default_backoff());
        while let Some(state) = states.next().await {
            match state {
                Ok(Some(state)) => {
                    if let Some(answer) = pick(&state) {
                        return Ok(answer);
                    }
                    last = Some(why(&state));
                }
                Ok(None) => return Err("it was deleted".to_owned()),
                // A watch that fails is started anew; the time limit ends it.
                Err(error) => last = Some(format!("it cannot be watched: {error}")),
            }
        }
        Err("it cannot be watched".to_owned())
    };
    if let Ok(answer) = tokio::time::timeout(limit, search).await {
        return answer;
    }
    let last = last.unwrap_or_else(|| "nothing was seen of it".to_owned());
    Err(format!("not within {}: {last}", span(limit.try_into().unwrap_or_default())))
}
