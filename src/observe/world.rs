//! All that is known without asking: the caches, who names whom, the issuers and the registers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use jiff::Timestamp;

use chancery_pki::KeyId;

use super::{
    cache::{Cache, Cached as _, Name},
    coverage::Coverages,
    links::Links,
    marks::{IssuerObject, NamespaceMark, PartMark},
    secret::Mark,
};
use crate::{
    api::{Certificate, IssuerKey, IssuerKind, RevocationList, condition, names},
    cluster::{Clock, ClockSkew},
    issuers::Book,
    register::Registers,
};

/// The namespaces that an operator watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// These only; empty for all.
    pub watch: Vec<String>,
    /// All but these.
    pub exclude: Vec<String>,
}

impl Scope {
    /// Whether what is in a namespace is seen.
    pub fn serves(&self, namespace: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == namespace);
        (self.watch.is_empty() || named(&self.watch)) && !named(&self.exclude)
    }
}

/// All that is known without asking.
#[derive(Debug)]
pub struct World {
    /// Certificates.
    pub certificates: Cache<Certificate>,
    /// Secrets, by their metadata.
    pub secrets: Cache<Mark>,
    /// Issuers and ClusterIssuers; the latter have no namespace.
    pub issuers: Cache<IssuerObject>,
    /// Namespaces; empty where only some are watched.
    pub namespaces: Cache<NamespaceMark>,
    /// RevocationLists.
    pub revocation_lists: Cache<RevocationList>,
    /// The ConfigMaps of what is published.
    pub list_parts: Cache<PartMark>,
    /// The ConfigMaps with lists that were handed in.
    pub imports: Cache<PartMark>,
    /// The ConfigMaps with copies of registers that were handed in.
    pub register_imports: Cache<PartMark>,
    /// What is published of which authority.
    pub lists: Coverages,
    /// The issuers as they were looked at.
    pub book: Book,
    /// The registers.
    pub registers: Registers,
    /// The operator's own namespace.
    pub namespace: String,
    /// Whether ClusterIssuers are served.
    pub cluster_wide: bool,
    /// The namespaces that are watched.
    pub scope: Scope,
    /// How far our clock and the API server's differ.
    pub skew: ClockSkew,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    links: RwLock<Links>,
    memory: Mutex<HashMap<Name, Memory>>,
    vouched: Mutex<HashMap<Name, Arc<Certificate>>>,
}

/// What is remembered of a Certificate between two reconciles, and may be forgotten.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// The Secret must be asked for, whatever the cache says: a write found it otherwise.
    pub ask: bool,
    /// The issuer changed since the last failed attempt.
    pub issuer_changed: bool,
    /// Attempts in a row that the API server did not take.
    pub unavailable: u32,
    /// When its Secret was last given revocation lists.
    pub gave_lists: Option<Timestamp>,
    /// When its Secret was last given a temporary certificate.
    pub gave_temporary: Option<Timestamp>,
}

impl World {
    /// A world of which nothing is known yet.
    pub fn new(namespace: String, scope: Scope, registers: Registers, skew: ClockSkew, clock: Arc<dyn Clock>) -> Self {
        Self {
            certificates: Cache::default(),
            secrets: Cache::default(),
            issuers: Cache::default(),
            namespaces: Cache::default(),
            revocation_lists: Cache::default(),
            list_parts: Cache::default(),
            imports: Cache::default(),
            register_imports: Cache::default(),
            lists: Coverages::default(),
            book: Book::default(),
            registers,
            namespace,
            cluster_wide: scope.watch.is_empty(),
            scope,
            skew,
            clock,
            links: RwLock::default(),
            memory: Mutex::default(),
            vouched: Mutex::default(),
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who names whom.
    pub fn links(&self) -> RwLockReadGuard<'_, Links> {
        self.links.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who names whom, to be changed.
    pub fn links_mut(&self) -> RwLockWriteGuard<'_, Links> {
        self.links.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an issuer stands in the cache.
    pub fn issuer_name(key: &IssuerKey) -> Name {
        Name::new(key.namespace.as_deref().unwrap_or_default(), &key.name)
    }

    /// The namespace in which an issuer's Secret is.
    pub fn secret_namespace<'a>(&'a self, key: &'a IssuerKey) -> &'a str {
        match key.kind {
            IssuerKind::Issuer => key.namespace.as_deref().unwrap_or_default(),
            IssuerKind::ClusterIssuer => &self.namespace,
        }
    }

    /// What is remembered of a Certificate.
    pub fn memory(&self, certificate: &Name) -> Memory {
        self.memories().get(certificate).cloned().unwrap_or_default()
    }

    /// Remembers something of a Certificate.
    pub fn remember(&self, certificate: &Name, change: impl FnOnce(&mut Memory)) {
        change(self.memories().entry(certificate.clone()).or_default());
    }

    /// Forgets what was to be remembered of a Certificate until it was looked at.
    pub fn forget(&self, certificate: &Name) {
        let mut memories = self.memories();
        let Some(Memory { gave_lists, gave_temporary, .. }) = memories.remove(certificate) else {
            return;
        };
        if gave_lists.is_some() || gave_temporary.is_some() {
            memories.insert(certificate.clone(), Memory { gave_lists, gave_temporary, ..Memory::default() });
        }
    }

    /// Forgets all of a Certificate: it is gone.
    pub fn forget_all(&self, certificate: &Name) {
        self.memories().remove(certificate);
        self.vouchers().remove(certificate);
    }

    /// Takes in that the status of this Certificate, as it stands in the cache, is what we have to say of it.
    pub fn vouch(&self, certificate: &Arc<Certificate>) {
        self.vouchers().insert(certificate.name(), Arc::clone(certificate));
    }

    /// The Certificate with the status that we wrote last, where somebody edited it since; conditions that are not ours may come and go.
    /// None also where we have not looked at it in this term.
    pub fn unedited(&self, certificate: &Certificate) -> Option<Certificate> {
        let vouched = Arc::clone(self.vouchers().get(&certificate.name())?);
        if vouched.metadata.uid != certificate.metadata.uid || vouched.status == certificate.status {
            return None;
        }
        let mut status = vouched.status.clone()?;
        let present = certificate.status.iter().flat_map(|status| &status.conditions);
        status.conditions = condition::with_foreign(&status.conditions, present);
        (Some(&status) != certificate.status.as_ref()).then(|| Certificate { status: Some(status), ..certificate.clone() })
    }

    /// Forgets what we wrote last: we do not lead any more, and another writes.
    pub fn vouch_for_none(&self) {
        self.vouchers().clear();
    }

    /// The copy of an authority's key, where it is there.
    pub fn copy(&self, key_id: &KeyId) -> Option<Arc<Mark>> {
        self.secrets.get(&Name::new(&self.namespace, &format!("{}{key_id}", names::AUTHORITY_COPY)))
    }

    fn vouchers(&self) -> MutexGuard<'_, HashMap<Name, Arc<Certificate>>> {
        self.vouched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memories(&self) -> MutexGuard<'_, HashMap<Name, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
