//! What a watch has shown, kept by name, together with what our own writes returned.
//!
//! A watch lags behind our own writes. So that a decision is never made from a state older than what we wrote, the answer
//! to a write enters the cache at once, and what a watch shows later counts only when it is newer. kube's reflector keeps
//! neither, and does not say what vanished while a watch was down; hence this one.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_runtime::watcher::Event;

/// The namespace (empty for what is cluster-scoped) and the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace; empty for what is cluster-scoped.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Name {
    /// The name of an object in a namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The name in an object's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { write!(formatter, "{}", self.name) } else { write!(formatter, "{}/{}", self.namespace, self.name) }
    }
}

/// What a cache needs to know of what it keeps.
pub trait Cached {
    /// Where it stands.
    fn name(&self) -> Name;
    /// Its uid.
    fn uid(&self) -> &str;
    /// Its resourceVersion. Since Kubernetes 1.35 a later one is a larger number.
    fn resource_version(&self) -> &str;
}

/// A change that a watch showed.
#[derive(Clone, Debug)]
pub enum Change<V> {
    /// It is there, or is another.
    Applied {
        /// As it was before, if it was there.
        before: Option<Arc<V>>,
        /// As it is now.
        now: Arc<V>,
    },
    /// It is gone.
    Deleted(Arc<V>),
}

/// Objects of one kind.
#[derive(Debug)]
pub struct Cache<V> {
    inner: RwLock<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    objects: HashMap<Name, Arc<V>>,
    /// Per watch that is being started anew: the names that it has shown, or that we wrote meanwhile.
    listing: HashMap<usize, HashSet<Name>>,
    /// The uids of what is gone: the answer to a write of ours may come after the watch has shown its deletion, and must not
    /// bring it back. The oldest are forgotten.
    gone: VecDeque<String>,
}

/// How many deletions are remembered: those of some seconds.
const GONE: usize = 4096;

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self { inner: RwLock::new(Inner { objects: HashMap::new(), listing: HashMap::new(), gone: VecDeque::new() }) }
    }
}

impl<V: Cached> Cache<V> {
    /// The object of that name.
    pub fn get(&self, name: &Name) -> Option<Arc<V>> {
        self.read().objects.get(name).cloned()
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<V>> {
        self.read().objects.values().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read().objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.read().objects.is_empty()
    }

    /// Takes in what a write of ours returned. It counts also where it has the version that is known: the API server answers
    /// the write that lets a deleted object go with its last version.
    pub fn wrote(&self, object: impl Into<Arc<V>>) {
        let object = object.into();
        let mut inner = self.write();
        if inner.gone.iter().any(|uid| uid == object.uid()) {
            return;
        }
        let name = object.name();
        for seen in inner.listing.values_mut() {
            seen.insert(name.clone());
        }
        inner.apply(object, true);
    }

    /// Takes in that a write of ours removed the object with that uid.
    pub fn removed(&self, name: &Name, uid: &str) {
        let mut inner = self.write();
        if inner.objects.get(name).is_some_and(|object| object.uid() == uid) {
            inner.objects.remove(name);
        }
        inner.bury(uid);
    }

    /// Takes in what a watch shows. `watch` tells several watches of one kind apart; `covers` says which namespaces it shows.
    ///
    /// Returns the changes, and whether the watch has now shown all there is.
    pub fn observe<K>(
        &self,
        watch: usize,
        covers: &dyn Fn(&str) -> bool,
        event: Event<K>,
        keep: impl Fn(K) -> V,
    ) -> (Vec<Change<V>>, bool) {
        let mut inner = self.write();
        match event {
            Event::Init => {
                inner.listing.insert(watch, HashSet::new());
                (Vec::new(), false)
            }
            Event::InitApply(object) => {
                let object = keep(object);
                if let Some(seen) = inner.listing.get_mut(&watch) {
                    seen.insert(object.name());
                }
                (inner.apply(Arc::new(object), false).into_iter().collect(), false)
            }
            Event::InitDone => {
                let seen = inner.listing.remove(&watch).unwrap_or_default();
                let gone: Vec<Name> =
                    inner.objects.keys().filter(|name| covers(&name.namespace) && !seen.contains(*name)).cloned().collect();
                let gone: Vec<Arc<V>> = gone.iter().filter_map(|name| inner.objects.remove(name)).collect();
                for object in &gone {
                    inner.bury(object.uid());
                }
                (gone.into_iter().map(Change::Deleted).collect(), true)
            }
            Event::Apply(object) => (inner.apply(Arc::new(keep(object)), false).into_iter().collect(), false),
            Event::Delete(object) => {
                let object = keep(object);
                let name = object.name();
                inner.bury(object.uid());
                // One that was made anew under the same name stays.
                let same = inner.objects.get(&name).is_some_and(|present| present.uid() == object.uid());
                (if same { inner.objects.remove(&name).map(Change::Deleted) } else { None }.into_iter().collect(), false)
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<V>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<V>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Cached> Inner<V> {
    fn bury(&mut self, uid: &str) {
        if self.gone.len() == GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(uid.to_owned());
    }

    /// None where what is there is newer, or the same and that does not count.
    fn apply(&mut self, object: Arc<V>, same_counts: bool) -> Option<Change<V>> {
        let name = object.name();
        let before = self.objects.get(&name).cloned();
        if let Some(before) = &before
            && !newer(object.resource_version(), before.resource_version())
            && !(same_counts && object.resource_version() == before.resource_version())
        {
            return None;
        }
        self.objects.insert(name, Arc::clone(&object));
        Some(Change::Applied { before, now: object })
    }
}

/// Whether one resourceVersion is later than another; where they are no numbers, whatever comes later is.
fn newer(candidate: &str, present: &str) -> bool {
    match (candidate.parse::<u128>(), present.parse::<u128>()) {
        (Ok(candidate), Ok(present)) => candidate > present,
        _ => candidate != present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Thing(&'static str, &'static str, &'static str);

    impl Cached for Thing {
        fn name(&self) -> Name {
            Name::new("ns", self.0)
        }
        fn uid(&self) -> &str {
            self.1
        }
        fn resource_version(&self) -> &str {
            self.2
        }
    }

    fn see(cache: &Cache<Thing>, event: Event<Thing>) -> usize {
        cache.observe(0, &|_| true, event, |thing| thing).0.len()
    }

    fn version(cache: &Cache<Thing>) -> Option<&'static str> {
        cache.get(&Name::new("ns", "a")).map(|thing| thing.2)
    }

    #[test]
    fn what_we_wrote_is_not_undone_by_a_watch_that_lags() {
        let cache = Cache::default();
        cache.wrote(Thing("a", "u", "12"));
        assert_eq!(see(&cache, Event::Apply(Thing("a", "u", "9"))), 0);
        assert_eq!(version(&cache), Some("12"));
        assert_eq!(see(&cache, Event::Apply(Thing("a", "u", "12"))), 0);
        assert_eq!(see(&cache, Event::Apply(Thing("a", "u", "100"))), 1);
        assert_eq!(version(&cache), Some("100"));
    }

    #[test]
    fn what_our_write_returned_counts_also_as_the_same_version() {
        let cache = Cache::default();
        see(&cache, Event::Apply(Thing("a", "with finalizer", "5")));
        cache.wrote(Thing("a", "without", "5"));
        assert_eq!(cache.get(&Name::new("ns", "a")).map(|thing| thing.1), Some("without"));
        assert_eq!(see(&cache, Event::Apply(Thing("a", "with finalizer", "5"))), 0);
    }

    #[test]
    fn what_vanished_while_the_watch_was_down_is_reported() {
        let cache = Cache::default();
        see(&cache, Event::Apply(Thing("a", "u", "1")));
        see(&cache, Event::Init);
        cache.wrote(Thing("b", "v", "2"));
        assert_eq!(see(&cache, Event::InitDone), 1);
        assert_eq!(version(&cache), None);
        assert!(cache.get(&Name::new("ns", "b")).is_some(), "written while the list was on its way");
    }

    #[test]
    fn the_answer_to_a_write_does_not_bring_back_what_is_gone() {
        let cache = Cache::default();
        see(&cache, Event::Apply(Thing("a", "u", "10")));
        see(&cache, Event::Delete(Thing("a", "u", "11")));
        cache.wrote(Thing("a", "u", "10"));
        assert_eq!(version(&cache), None);
        cache.wrote(Thing("a", "successor", "12"));
        assert_eq!(version(&cache), Some("12"));
    }

    #[test]
    fn the_deletion_of_a_predecessor_does_not_remove_its_successor() {
        let cache = Cache::default();
        cache.wrote(Thing("a", "new", "5"));
        assert_eq!(see(&cache, Event::Delete(Thing("a", "old", "4"))), 0);
        assert_eq!(version(&cache), Some("5"));
        assert_eq!(see(&cache, Event::Delete(Thing("a", "new", "6"))), 1);
    }
}
