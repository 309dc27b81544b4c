//! Waiting on a watch until an object's state answers a question, or the states of many objects do.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    pin::pin,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use kube::{Api, Client, Resource, ResourceExt as _, core::NamespaceResourceScope};
use kube_runtime::{
    WatchStreamExt as _,
    watcher::{self, Event, watch_object, watcher},
};
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
    Err(late(limit, last))
}

fn late(limit: Duration, last: Option<String>) -> String {
    let last = last.unwrap_or_else(|| "nothing was seen of it".to_owned());
    format!("not within {}: {last}", span(limit.try_into().unwrap_or_default()))
}

/// The same for many objects, by one watch for each namespace; that of a single object is for it alone, as somebody may be allowed.
/// `told` hears of each, by its place among them, as soon as it is known.
pub async fn answers<K, T>(
    client: &Client,
    objects: &[K],
    limit: Duration,
    pick: impl Fn(usize, &K) -> Option<T>,
    why: impl Fn(&K) -> String,
    mut told: impl FnMut(usize, Result<T, String>),
) where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let key = |object: &K| (object.namespace().unwrap_or_default(), object.name_any());
    let mut open: BTreeMap<(String, String), usize> = objects.iter().enumerate().map(|(place, object)| (key(object), place)).collect();
    let mut last: BTreeMap<usize, String> = BTreeMap::new();
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (namespace, name) in open.keys() {
        seen.entry(namespace.clone()).or_default().insert(name.clone());
    }
    let watches = seen.iter().map(|(namespace, names)| {
        let config = match names.first() {
            Some(one) if names.len() == 1 => watcher::Config::default().fields(&format!("metadata.name={one}")),
            _ => watcher::Config::default(),
        };
        let namespace = namespace.clone();
        let events = watcher(Api::<K>::namespaced(client.clone(), &namespace), config).default_backoff();
        events.map(move |event| (namespace.clone(), event)).boxed()
    });
    let mut events = stream::select_all(watches.collect::<Vec<_>>());
    let search = async {
        while !open.is_empty() {
            let Some((namespace, event)) = events.next().await else { break };
            match event {
                Ok(Event::Init) => seen.entry(namespace).or_default().clear(),
                Ok(Event::InitApply(state) | Event::Apply(state)) => {
                    let key = key(&state);
                    seen.entry(namespace).or_default().insert(key.1.clone());
                    let Some(&place) = open.get(&key) else { continue };
                    if let Some(answer) = pick(place, &state) {
                        open.remove(&key);
                        told(place, Ok(answer));
                    } else {
                        last.insert(place, why(&state));
                    }
                }
                Ok(Event::Delete(state)) => {
                    if let Some(place) = open.remove(&key(&state)) {
                        told(place, Err("it was deleted".to_owned()));
                    }
                }
                Ok(Event::InitDone) => {
                    let there = seen.entry(namespace.clone()).or_default();
                    let gone = open.extract_if(.., |(place, name), _| *place == namespace && !there.contains(name));
                    gone.for_each(|(_, place)| told(place, Err("it was deleted".to_owned())));
                }
                // A watch that fails is started anew; the time limit ends it.
                Err(error) => {
                    let of_it = open.iter().filter(|((place, _), _)| *place == namespace);
                    last.extend(of_it.map(|(_, place)| (*place, format!("it cannot be watched: {error}"))));
                }
            }
        }
    };
    // What is not known by then is told below.
    let _ = tokio::time::timeout(limit, search).await;
    for place in open.into_values() {
        told(place, Err(late(limit, last.remove(&place))));
    }
}
