//! New lines as they come.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    pin::pin,
};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use kube_runtime::{
    WatchStreamExt as _,
    watcher::{self, Event},
};

use super::show;
use crate::{
    plugin::output::{Format, written},
    register::{Document, LABEL, RegisterId, examine::Examined},
};

/// What is followed, and how it is printed.
#[derive(Clone, Copy, Debug)]
pub struct Follow<'a> {
    /// The operator's namespace.
    pub namespace: &'a str,
    /// One register; none for all.
    pub only: Option<RegisterId>,
    /// The last line that is not printed; none for those that are there.
    pub since: Option<u64>,
    /// How each line is printed.
    pub format: Format,
}

/// Prints lines until it is ended, or nobody reads any more.
///
/// # Errors
/// When the cluster cannot be asked, or `out` cannot be written.
pub async fn follow(client: &Client, follow: Follow<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), follow.namespace);
    // A first look tells that the cluster answers; the watch goes on for ever.
    let documents = super::documents(client, follow.namespace).await?;
    let mut printed: BTreeMap<RegisterId, u64> = BTreeMap::new();
    let mut all: BTreeMap<String, Document> = documents.into_iter().map(|document| (document.name.clone(), document)).collect();
    let documents: Vec<Document> = all.values().cloned().collect();
    for id in documents.iter().filter_map(Document::register).collect::<BTreeSet<_>>() {
        let end = Examined::of(id, &documents).end().sequence;
        printed.insert(id, follow.since.unwrap_or(end));
    }
    if !print(&all, follow, &mut printed, out)? {
        return Ok(());
    }
    let mut events = pin!(watcher::watcher(maps, watcher::Config::default().labels(LABEL)).default_backoff());
    while let Some(event) = events.try_next().await.context("the registers cannot be watched")? {
        match event {
            Event::Apply(map) | Event::InitApply(map) => {
                let document = Document::from(map);
                all.insert(document.name.clone(), document);
            }
            Event::Delete(map) => drop(all.remove(&Document::from(map).name)),
            Event::Init | Event::InitDone => {}
        }
        if !print(&all, follow, &mut printed, out)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Prints what is new; false when nobody reads any more.
fn print(
    all: &BTreeMap<String, Document>,
    follow: Follow<'_>,
    printed: &mut BTreeMap<RegisterId, u64>,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let heads =
        all.values().filter_map(|document| Some((document.register()?, document))).filter(|(id, document)| document.name == id.name());
    for (id, head) in heads {
        if follow.only.is_some_and(|only| only != id) {
            continue;
        }
        let last = printed.entry(id).or_insert(0);
        // Mostly the head has all that is new; else segments were sealed in between.
        let mut lines = Examined::of_lines(id, head.lines().lines()).lines;
        if lines.first().is_none_or(|first| first.line.sequence > *last + 1) {
            lines = Examined::of(id, &all.values().cloned().collect::<Vec<_>>()).lines;
        }
        for line in lines.iter().filter(|line| line.line.sequence > *last) {
            let text = show::as_it_comes(&id, line, follow.only.is_none(), follow.format);
            let done = text.and_then(|text| writeln!(out, "{text}")).and_then(|()| out.flush());
            let over = done.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
            written(done)?;
            if over {
                return Ok(false);
            }
        }
        *last = lines.last().map_or(*last, |end| end.line.sequence.max(*last));
    }
    Ok(true)
}
