//! What bears on one Certificate, gathered so that a decision can borrow it.

mod found;

use std::{collections::BTreeMap, sync::Arc};

use chancery_pki::KeyId;
use jiff::{SignedDuration, Timestamp};
use kube::Client;

use super::{cache::Name, forms::Unlocked, revocation, secret::Wiped, world::World};
use crate::{
    api::{Certificate, IssuerKind, SecretIdentity, SpecError, Wanted, check, names},
    cluster::{CallError, MAX_SKEW},
    issuers::Entry,
    plan::{
        budget::{self, Spent},
        forms::Passwords,
        observed::{AuthorityView, Backing, Content, History, IssuerSeen, ListCopy, Observed, Recorded, SecretRead, SecretSeen, needs_own},
        renewal::add,
    },
    register::Current,
};

/// How long a Secret keeps the temporary certificate that it was given, whatever others make of it.
const TEMPORARY_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// What bears on one Certificate.
#[derive(Debug)]
pub struct Sight {
    /// Its name.
    pub name: Name,
    /// The object; its status as we wrote it last, whoever edited it since.
    pub certificate: Arc<Certificate>,
    /// Whether somebody edited the status: then it is written again, even if there is nothing new to say.
    pub edited: bool,
    /// Its spec, parsed once.
    pub wanted: Result<Wanted, SpecError>,
    /// Its issuer, when it was looked at.
    pub issuer: Option<Arc<Entry>>,
    /// Its Secret.
    pub secret: SecretSight,
    /// The passwords of its stores, where the Secret was looked for.
    pub unlocked: Unlocked,
    /// What is known of them.
    pub passwords: Passwords,
    temporary_after: Option<Timestamp>,
    issuer_exists: bool,
    issuer_not_served: bool,
    /// Whether the issuer serves the namespace; none where the namespace was not shown yet.
    namespace_admitted: Option<bool>,
    history: History,
    rival: Option<String>,
    skew: Option<SignedDuration>,
    turn: Option<Timestamp>,
    issuer_changed: bool,
    dependents: Vec<String>,
    ca_crl: Option<Arc<ListCopy>>,
    ca_crl_after: Option<Timestamp>,
}

/// The Secret of a Certificate.
#[derive(Debug)]
pub enum SecretSight {
    /// There is none.
    Absent,
    /// It is the one that the status describes.
    AsRecorded,
    /// It is somebody else's, and was not read; with what would change that.
    Foreign(String),
    /// It was read.
    Read(Box<SecretRead>, Box<Wiped>),
}

impl Sight {
    /// Gathers what bears on a Certificate; none when it does not exist. Reads the Secret where the caches do not settle it.
    ///
    /// # Errors
    /// When the Secret cannot be read.
    pub async fn gather(world: &World, client: &Client, name: &Name, read: bool) -> Result<Option<Self>, CallError> {
        let Some(certificate) = world.certificates.get(name) else {
            return Ok(None);
        };
        let (certificate, edited) = match world.unedited(&certificate) {
            Some(unedited) => (Arc::new(unedited), true),
            None => (certificate, false),
        };
        let now = world.now();
        let wanted = check(&certificate);
        let memory = world.memory(name);
        let mut sight = Self {
            name: name.clone(),
            wanted,
            issuer: None,
            secret: SecretSight::Absent,
            unlocked: Unlocked::default(),
            passwords: Passwords::default(),
            temporary_after: memory
                .gave_temporary
                .map(|time| add(time, TEMPORARY_PAUSE))
                .filter(|after| *after <= add(now, TEMPORARY_PAUSE)),
            issuer_exists: false,
            issuer_not_served: false,
            namespace_admitted: Some(true),
            history: History::default(),
            rival: None,
            skew: world.skew.check(MAX_SKEW).err().and_then(|_| world.skew.last()),
            turn: None,
            issuer_changed: memory.issuer_changed,
            dependents: Vec::new(),
            ca_crl: None,
            ca_crl_after: None,
            certificate,
            edited,
        };
        sight.look_up(world, now);
        let (Some(secret), Ok(wanted)) = (sight.look_for(world, client, read || memory.ask).await?, &sight.wanted) else {
            return Ok(Some(sight));
        };
        if wanted.is_ca
            && let Some(SecretRead { weakness: Some(_), content: Content::Pair { key, .. }, .. }) = sight.read()
        {
            sight.dependents = revocation::dependents(world, name, &key.key_id());
        }
        sight.rival = sight.rival(world, &secret);
        sight.history.anothers = sight.history.current.is_none() && sight.is_anothers(world);
        sight.history.barred = sight.is_barred(world, now);
        sight.ca_crl_after = sight.ca_crl_after(world, now);
        Ok(Some(sight))
    }

    /// Takes in what the register and the issuers say.
    pub fn look_up(&mut self, world: &World, now: Timestamp) {
        let index = world.registers.index();
        let (namespace, name) = (&self.name.namespace, &self.name.name);
        let since = add(now, -budget::WINDOW);
        let current = index.current(namespace, name);
        self.history = History {
            copy: current.as_ref().is_some_and(|current| self.may_have_copy(world, current)),
            previous: index.previous(namespace, name).map(|previous| (previous.serial, previous.key_id)),
            imported: current.as_ref().is_some_and(|current| current.imported),
            anothers: current.is_none() && self.is_anothers(world),
            destroyed: current.as_ref().and_then(|current| index.key(&current.key_id)).is_some_and(|key| key.destroyed().is_some()),
            authority: current.as_ref().and_then(|current| revocation::authority_of(current.register)),
            standing: current.as_ref().map(|current| revocation::standing(world, &current.register, &current.serial)).unwrap_or_default(),
            blocked: current
                .as_ref()
                .is_some_and(|current| index.is_blocked(revocation::authority_of(current.register).as_ref(), &current.key_id)),
            barred: self.is_barred(world, now),
            published: false,
            own: Vec::new(),
            lists: BTreeMap::new(),
            current: current.map(|current| Recorded {
                serial: current.serial,
                key_id: Some(current.key_id),
                not_after: Some(current.not_after),
                reason: current.reason.to_string(),
                time: current.time,
            }),
            spent: Spent {
                by_certificate: index.reissues_since(namespace, name, since),
                in_namespace: index.reissues_in_namespace_since(namespace, since),
                oldest_in_namespace: index.first_reissue_in_namespace_since(namespace, since),
            },
            broken: world.registers.broken(),
        };
        let Ok(wanted) = &self.wanted else {
            return;
        };
        self.issuer = world.book.get(&wanted.issuer);
        self.turn = world.book.turn(&wanted.issuer, &self.name);
        self.issuer_exists = world.issuers.get(&World::issuer_name(&wanted.issuer)).is_some();
        self.issuer_not_served = wanted.issuer.kind == IssuerKind::ClusterIssuer && !world.cluster_wide;
        let selector = self.issuer.as_ref().and_then(|entry| entry.view.spec.as_ref()).and_then(|spec| spec.allow.namespaces.as_ref());
        self.namespace_admitted = match selector {
            Some(selector) => world.namespaces.get(&Name::new("", namespace)).map(|namespace| selector.matches(&namespace.labels)),
            None => Some(true),
        };
        self.look_up_revocation(world, now);
    }

    /// Takes in what bears on revocations: the certificates of old, where they are published, and who depends on a CA.
    fn look_up_revocation(&mut self, world: &World, now: Timestamp) {
        let Ok(wanted) = &self.wanted else {
            return;
        };
        let history = &self.history;
        let published = history
            .current
            .as_ref()
            .is_some_and(|current| revocation::is_published(world, history.authority.as_ref(), &current.serial, &history.standing));
        self.history.published = published;
        if needs_own(&self.certificate, wanted) {
            self.history.own = revocation::own(world, &self.name, now);
        }
        let authorities = self.history.own.iter().filter_map(|own| own.authority).chain(self.history.authority);
        self.history.lists = revocation::lists(world, authorities);
        self.ca_crl = self.lists_of(world, self.history.authority);
        self.ca_crl_after = self.ca_crl_after(world, now);
        self.dependents = match &self.history.current {
            Some(Recorded { key_id: Some(key_id), .. }) if wanted.is_ca && (self.history.blocked || !self.history.standing.is_good()) => {
                revocation::dependents(world, &self.name, key_id)
            }
            _ => Vec::new(),
        };
    }

    /// The issuer's authority, where it is one and can sign.
    fn signer(&self) -> Option<&AuthorityView> {
        match self.issuer.as_ref()?.view.backing.as_ref().ok()? {
            Backing::Authority(authority) => Some(authority),
            Backing::SelfSigned => None,
        }
    }

    /// The lists that belong beside a certificate of this authority, where they are asked for.
    fn lists_of(&self, world: &World, authority: Option<KeyId>) -> Option<Arc<ListCopy>> {
        let asked = self.wanted.as_ref().is_ok_and(|wanted| wanted.ca_crl);
        authority.filter(|_| asked).and_then(|authority| revocation::ca_crl(world, &authority, self.signer()))
    }

    /// Whether the key that was read may not be certified again.
    fn is_barred(&self, world: &World, now: Timestamp) -> bool {
        let SecretSight::Read(read, _) = &self.secret else {
            return false;
        };
        match &read.content {
            Content::Pair { key, .. } => {
                let key_id = key.public_key().key_id();
                revocation::is_barred(world, &self.name, self.signer().map(|signer| &signer.key_id), &key_id, now)
            }
            Content::Missing(_) | Content::Unreadable(_) | Content::Mismatch => false,
        }
    }

    /// Takes in that the register of this authority takes no lines, though it was not known as broken.
    pub fn give_up(&mut self, broken: &BTreeMap<Option<KeyId>, String>) {
        self.history.broken.extend(broken.iter().map(|(authority, why)| (*authority, why.clone())));
    }

    /// Whether the copy of a CA's key is this Certificate's to have back.
    ///
    /// A namespace and a name may pass to somebody else, who must not get their predecessor's key; the uid does not. After a
    /// restore from a backup, where uids are new, an administrator says so on the copy.
    fn may_have_copy(&self, world: &World, current: &Current) -> bool {
        let index = world.registers.index();
        if !index.copy_exists(&current.key_id) {
            return false;
        }
        let Some(copy) = world.copy(&current.key_id) else {
            return false;
        };
        let same = self.certificate.metadata.uid.as_deref() == Some(&*current.uid);
        let retired = index.key(&current.key_id).is_some_and(|key| key.is_retired());
        let consented = copy.ownership.get(names::ALLOW_ADOPTION).is_some_and(|owner| *owner == self.name.to_string());
        (same && !retired) || consented
    }

    /// Whether the certificate that was read is on record as another Certificate's.
    fn is_anothers(&self, world: &World) -> bool {
        let SecretSight::Read(read, _) = &self.secret else {
            return false;
        };
        let (namespace, name) = (&self.name.namespace, &self.name.name);
        match &read.content {
            Content::Pair { certificates, .. } => certificates
                .first()
                .is_some_and(|found| world.registers.index().is_anothers(found.serial(), &found.key_id(), namespace, name)),
            _ => false,
        }
    }

    /// What a decision is made from.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            certificate: &self.certificate,
            wanted: &self.wanted,
            issuer: match &self.issuer {
                _ if self.issuer_not_served => IssuerSeen::NotServed,
                _ if !self.issuer_exists => IssuerSeen::Absent,
                Some(entry) => match self.namespace_admitted {
                    Some(namespace_admitted) => IssuerSeen::Found { issuer: &entry.view, namespace_admitted },
                    // A namespace and its first Certificate are often made in one go, and shown by two watches.
                    None => IssuerSeen::Pending,
                },
                None => IssuerSeen::Pending,
            },
            secret: match &self.secret {
                SecretSight::Absent => SecretSeen::Absent,
                SecretSight::AsRecorded => SecretSeen::AsRecorded,
                SecretSight::Foreign(why) => SecretSeen::Foreign(why),
                SecretSight::Read(read, _) => SecretSeen::Read(read),
            },
            history: self.history.clone(),
            rival: self.rival.clone(),
            skew: self.skew,
            turn: self.turn,
            issuer_changed: self.issuer_changed,
            dependents: self.dependents.clone(),
            ca_crl: self.ca_crl.clone(),
            passwords: self.passwords.clone(),
            temporary_after: self.temporary_after,
            ca_crl_after: self.ca_crl_after,
        }
    }

    /// The Secret, where it was read.
    pub fn read(&self) -> Option<&SecretRead> {
        match &self.secret {
            SecretSight::Read(read, _) => Some(read),
            SecretSight::Absent | SecretSight::AsRecorded | SecretSight::Foreign(_) => None,
        }
    }

    /// The Secret that was read or written last, as a status names it.
    pub fn secret_identity(&self) -> Option<SecretIdentity> {
        match (&self.secret, &self.wanted) {
            (SecretSight::Read(read, _), Ok(wanted)) => Some(SecretIdentity {
                name: wanted.secret_name.clone(),
                uid: read.uid.clone(),
                resource_version: read.resource_version.clone(),
            }),
            _ => None,
        }
    }
}
