//! Watches Secrets and registers, and keeps every version that ever stood.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery::register::{LABEL, Line};
use chancery_pki::{Certificate as X509, PrivateKey};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt as _};
use kube_runtime::watcher::{self, Event};
use kube_runtime::{WatchStreamExt as _, watcher as watch_all};
use tokio::sync::watch;

use super::Ledger;
use crate::harness::OwnGround;

/// One version of a Secret with a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    /// The Secret.
    pub(crate) secret: String,
    /// Its resourceVersion.
    pub(crate) version: u64,
    /// Who wrote it last.
    pub(crate) manager: String,
    /// The certificate's serial and whether the key beside it is its own; or why there is no saying.
    pub(crate) content: Result<(String, bool), String>,
}

/// Watches from its start on.
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    version: watch::Receiver<u64>,
}

#[derive(Default)]
struct Seen {
    secrets: Vec<Sighting>,
    /// By register (as the label names it) and sequence.
    lines: BTreeMap<(String, u64), String>,
    forks: Vec<String>,
}

impl Witness {
    /// Begins to watch a ground; returns when it has begun.
    pub(crate) async fn start(own: &OwnGround) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (newest, version) = watch::channel(0);
        let (ready, mut begun) = tokio::sync::mpsc::channel(2);
        let (secrets, taken) = (Arc::clone(&seen), ready.clone());
        tokio::spawn(follow(own.api::<Secret>(), watcher::Config::default(), taken, move |secret: Secret| {
            let sighting = sighting(&secret);
            newest.send_modify(|newest| *newest = sighting.version.max(*newest));
            secrets.lock().expect("nobody panics with this lock").secrets.push(sighting);
        }));
        let registers = Arc::clone(&seen);
        tokio::spawn(follow(own.system_api::<ConfigMap>(), watcher::Config::default().labels(LABEL), ready, move |map| {
            registers.lock().expect("nobody panics with this lock").take(&map);
        }));
        for _ in 0..2 {
            let begins = tokio::time::timeout(Duration::from_secs(20), begun.recv()).await;
            assert!(begins.is_ok_and(|begun| begun.is_some()), "the witness could not begin to watch");
        }
        Self { seen, version }
    }

    /// All versions of Secrets so far, once this resourceVersion was seen.
    pub(crate) async fn sightings_up_to(&self, version: &str) -> Vec<Sighting> {
        let version: u64 = version.parse().expect("resourceVersions are numbers");
        let seen = self.version.clone().wait_for(|newest| *newest >= version).await.map(|_| ());
        assert!(seen.is_ok(), "the witness does not watch any more");
        self.sightings()
    }

    /// All versions of Secrets so far.
    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        self.seen.lock().expect("nobody panics with this lock").secrets.clone()
    }

    /// Panics unless each version of each Secret that the operator wrote had a key and certificate that belong together,
    /// and a line in the register; and unless each line that ever stood still stands, unchanged.
    pub(crate) fn vouch(&self, ledger: &Ledger) {
        for sighting in self.sightings().iter().filter(|sighting| sighting.manager == "chancery") {
            let (serial, matches) = sighting.content.as_ref().unwrap_or_else(|why| panic!("{sighting:?}: {why}"));
            assert!(matches, "key and certificate do not match: {sighting:?}");
            assert!(ledger.knows(serial, &sighting.secret), "no line in a register: {sighting:?}");
        }
        let seen = self.seen.lock().expect("nobody panics with this lock");
        assert!(seen.forks.is_empty(), "a register forked: {:?}", seen.forks);
        let standing: BTreeMap<String, &Line> = ledger.lines().map(|line| (line.to_text(), line)).collect();
        let first_left = |text: &str| standing.contains_key(text);
        for ((register, sequence), text) in &seen.lines {
            // What was trimmed went with its segment, oldest first.
            let trimmed = text.contains("\"reason\":\"ancient\"");
            assert!(trimmed || first_left(text), "line {sequence} of register {register} stood and is gone: {text}");
        }
    }
}

impl Seen {
    fn take(&mut self, map: &ConfigMap) {
        let register = map.labels().get(LABEL).cloned().unwrap_or_default();
        let text = map.data.as_ref().and_then(|data| data.get("lines")).map_or("", String::as_str);
        for raw in text.lines() {
            let Ok(line) = serde_json::from_str::<Line>(raw) else {
                self.forks.push(format!("ConfigMap {} has what is no line: {raw}", map.name_any()));
                continue;
            };
            let before = self.lines.entry((register.clone(), line.sequence)).or_insert_with(|| raw.to_owned());
            if before != raw {
                self.forks.push(format!("register {register}: {before} and {raw}"));
            }
        }
    }
}

async fn follow<K>(api: Api<K>, config: watcher::Config, begun: tokio::sync::mpsc::Sender<()>, mut take: impl FnMut(K))
where
    K: kube::Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let mut events = std::pin::pin!(watch_all(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::InitApply(object) | Event::Apply(object)) => take(object),
            Ok(Event::InitDone) => {
                let _ = begun.try_send(());
            }
            Ok(Event::Init | Event::Delete(_)) | Err(_) => {}
        }
    }
}

fn sighting(secret: &Secret) -> Sighting {
    let managers = secret.metadata.managed_fields.iter().flatten();
    let last = managers.max_by_key(|entry| entry.time.as_ref().map(|time| time.0)).and_then(|entry| entry.manager.clone());
    Sighting {
        secret: secret.name_any(),
        version: secret.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default(),
        manager: last.unwrap_or_default(),
        content: content(secret),
    }
}

fn content(secret: &Secret) -> Result<(String, bool), String> {
    let data = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| format!("it has no {key}"));
    let certificates = X509::bundle_from_pem(&data("tls.crt")?.0).map_err(|error| error.to_string())?;
    let leaf = certificates.first().ok_or("no certificate")?;
    let key = PrivateKey::from_pem(&data("tls.key")?.0).map_err(|error| error.to_string())?;
    Ok((leaf.serial().to_string(), leaf.public_key() == key.public_key()))
}

/// The serial in a Secret, and whether its key belongs to it.
pub(crate) fn read(secret: &Secret) -> Result<(String, bool), String> {
    content(secret)
}
