//! Whom a change concerns.

use std::sync::Arc;

use chancery_pki::KeyId;
use jiff::Timestamp;

use super::{Key, Work};
use crate::{
    api::{Certificate, DEFAULT_DURATION, IssuerKey, Kind, OnAuthorityChange, PasswordSource, RevocationList, check, check_list, names},
    lists,
    observe::{Cached as _, Change, IssuerObject, Mark, Name, Named, NamespaceMark, World},
    register::KeyRecord,
};

/// Turns changes into work.
#[derive(Clone, Debug)]
pub(crate) struct Reactor {
    pub(crate) world: Arc<World>,
    pub(crate) work: Arc<Work>,
}

impl Reactor {
    /// A Certificate changed.
    pub(crate) fn certificate(&self, change: &Change<Certificate>) {
        match change {
            Change::Applied { now, .. } => {
                let name = now.name();
                let named = named(now);
                let before = self.world.links_mut().certificate(&name, named.clone());
                if let Some(before) = before.as_ref().filter(|before| named.as_ref() != Some(*before)) {
                    self.asked_no_more(before);
                }
                if let Some(before) = before
                    && named.as_ref().is_none_or(|named| named.secret != before.secret)
                {
                    self.secret_is_free(&before.secret);
                }
                if let Some(named) = &named {
                    self.longest(named);
                }
                self.push_certificate(&name);
            }
            Change::Deleted(certificate) => {
                let name = certificate.name();
                let before = self.world.links_mut().certificate(&name, None);
                self.work.forget(&Key::Certificate(name.clone()));
                // One more look forgets the rest of it.
                self.push_certificate(&name);
                if let Some(before) = before {
                    self.asked_no_more(&before);
                    self.secret_is_free(&before.secret);
                }
            }
        }
    }

    /// An issuer whose longest asker is gone may have to take its warning back.
    fn asked_no_more(&self, before: &Named) {
        let known = self.world.issuers.get(&World::issuer_name(&before.issuer)).and_then(|issuer| issuer.status.as_ref()?.longest_duration);
        if known.is_some_and(|known| before.duration.is_none_or(|asked| asked >= known.get())) {
            self.work.push(Key::Issuer(before.issuer.clone()), 0);
        }
    }

    /// Another Certificate that names this Secret may have it now.
    fn secret_is_free(&self, secret: &Name) {
        let waiting = self.world.links().of_secret(secret);
        for other in &waiting {
            self.push_certificate(other);
        }
    }

    /// An issuer that is asked for more than ever before may have to warn.
    fn longest(&self, named: &Named) {
        let Some(issuer) = self.world.issuers.get(&World::issuer_name(&named.issuer)) else {
            return;
        };
        let known = issuer.status.as_ref().and_then(|status| status.longest_duration).map(crate::api::GoDuration::get);
        let default = issuer.spec.certificate_defaults.as_ref().and_then(|defaults| defaults.duration).map(crate::api::GoDuration::get);
        let asked = named.duration.or(default).unwrap_or(DEFAULT_DURATION);
        if issuer.spec.ca.is_some() && known.is_none_or(|known| asked > known) {
            self.work.push(Key::Issuer(named.issuer.clone()), 0);
        }
    }

    /// A Secret changed.
    pub(crate) fn secret(&self, change: &Change<Mark>) {
        let name = match change {
            Change::Applied { now, .. } => now.name(),
            Change::Deleted(mark) => mark.name(),
        };
        self.issuers_of(&name);
        if *name.namespace == *self.world.namespace {
            self.owner_of_copy(&name);
            if name.name.starts_with(names::DELEGATES_PREFIX) {
                self.all_lists();
            }
        }
        let mut certificates = self.world.links().of_secret(&name);
        certificates.extend(self.world.links().of_password(&name));
        for certificate in &certificates {
            self.push_certificate(certificate);
        }
    }

    /// The Certificate whose key a copy holds may wait for it.
    fn owner_of_copy(&self, secret: &Name) {
        let key_id = secret.name.strip_prefix(names::AUTHORITY_COPY).and_then(|key_id| key_id.parse().ok());
        let record = key_id.and_then(|key_id| self.world.registers.index().key(&key_id));
        if let Some(owner) = record.as_ref().and_then(KeyRecord::owner) {
            self.push_certificate(&Name::new(&owner.namespace, &owner.name));
        }
    }

    /// The issuers whose key is in a Secret have something to look at.
    pub(crate) fn issuers_of(&self, secret: &Name) {
        let issuers = self.world.links().issuers_of_secret(secret);
        for issuer in issuers {
            self.work.push(Key::Issuer(issuer), 0);
        }
    }

    /// An issuer changed.
    pub(crate) fn issuer(&self, change: &Change<IssuerObject>) {
        let (key, secret) = match change {
            Change::Applied { now, .. } => {
                let secret = now.spec.ca.as_ref().map(|ca| Name::new(self.world.secret_namespace(&now.key), &ca.secret_name));
                (now.key.clone(), secret)
            }
            Change::Deleted(issuer) => (issuer.key.clone(), None),
        };
        self.world.links_mut().issuer(&key, secret);
        self.work.push(Key::Issuer(key), 0);
    }

    /// A RevocationList changed.
    pub(crate) fn list(&self, change: &Change<RevocationList>) {
        match change {
            Change::Applied { now, .. } => {
                let name = now.name();
                // What cannot be read names nobody; its own condition says so.
                let issuer = check_list(now).ok().map(|wanted| wanted.issuer);
                self.world.links_mut().list(&name, issuer);
                self.push_list(&name);
            }
            Change::Deleted(list) => {
                let name = list.name();
                let issuer = self.world.links().issuer_of_list(&name).cloned();
                self.world.links_mut().list(&name, None);
                self.work.forget(&Key::List(name.clone()));
                // One more look sees to what it published.
                self.push_list(&name);
                // Another list may cover the authority now.
                if let Some(issuer) = issuer {
                    self.lists_of_issuer(&issuer);
                }
            }
        }
    }

    /// What belongs to a list, or was handed in as one, changed.
    pub(crate) fn list_part(&self, name: &Name) {
        match lists::part_of(&name.name) {
            Some((authority, _)) => self.revoked(&authority),
            // A list that was handed in says itself whose it is.
            None => self.all_lists(),
        }
    }

    /// A copy of a register was handed in.
    pub(crate) fn copies(&self) {
        self.work.push(Key::Copies, 0);
    }

    /// All that is published, all lists and all Certificates have something to look at.
    pub(crate) fn everything(&self) {
        for authority in self.world.lists.all().iter().map(|coverage| coverage.head.authority) {
            self.revoked(&authority);
        }
        self.all_lists();
        for certificate in self.world.certificates.all() {
            self.push_certificate(&certificate.name());
        }
    }

    /// Something of an authority was recorded that belongs on its list.
    pub(crate) fn revoked(&self, authority: &KeyId) {
        match self.world.lists.coverage(authority) {
            Some(coverage) => match &coverage.list {
                Some(list) => self.push_list(list),
                None => self.work.push(Key::Publication(*authority), 0),
            },
            // What is about to be covered, or never will be.
            None => self.all_lists(),
        }
    }

    /// Certificates whose revocations came to stand on a list have something to look at.
    pub(crate) fn listed(&self, owners: &[Name]) {
        for owner in owners {
            self.push_certificate(owner);
        }
    }

    fn all_lists(&self) {
        for list in self.world.revocation_lists.all() {
            self.push_list(&list.name());
        }
    }

    fn lists_of_issuer(&self, issuer: &IssuerKey) {
        let lists = self.world.links().lists_of_issuer(issuer);
        for list in &lists {
            self.push_list(list);
        }
    }

    fn push_list(&self, name: &Name) {
        self.work.push(Key::List(name.clone()), 0);
    }

    /// A namespace changed.
    pub(crate) fn namespace(&self, change: &Change<NamespaceMark>) {
        let Change::Applied { before, now } = change else {
            return;
        };
        if before.as_ref().is_some_and(|before| before.labels == now.labels && before.terminating == now.terminating) {
            return;
        }
        let name = now.name().name;
        for certificate in self.world.certificates.all() {
            if certificate.metadata.namespace.as_deref() == Some(&*name) {
                self.push_certificate(&certificate.name());
            }
        }
    }

    /// The Certificates of an issuer that changed have something to look at, what expires first first.
    pub(crate) fn issuer_changed(&self, key: &IssuerKey) {
        let mut certificates: Vec<(i64, Name)> =
            self.world.links().of_issuer(key).into_iter().map(|name| (self.priority(&name), name)).collect();
        certificates.sort();
        self.lists_of_issuer(key);
        self.line_up(key);
        for (priority, name) in certificates {
            if self.failed(&name) {
                self.world.remember(&name, |memory| memory.issuer_changed = true);
            }
            self.work.push(Key::Certificate(name), priority);
        }
    }

    /// Where the certificates of an issuer follow its authority, each gets its turn, what expires first first.
    pub(crate) fn line_up(&self, key: &IssuerKey) {
        let follows = self
            .world
            .book
            .get(key)
            .and_then(|entry| match &entry.view.spec {
                Some(spec) if matches!(spec.kind, Kind::Ca { .. }) => Some(spec.defaults.on_authority_change),
                _ => None,
            })
            .is_some_and(|policy| policy == OnAuthorityChange::Reissue);
        if !follows {
            return;
        }
        let of_issuer = self.world.links().of_issuer(key);
        let mut behind: Vec<(i64, Name)> =
            of_issuer.into_iter().filter(|name| self.is_behind(key, name)).map(|name| (self.priority(&name), name)).collect();
        behind.sort();
        self.world.book.line_up(key, behind.into_iter().map(|(_, name)| name), self.world.now());
    }

    /// Whether a Certificate's certificate is from an authority that its issuer does not have any more.
    fn is_behind(&self, key: &IssuerKey, name: &Name) -> bool {
        let authority = self.world.book.get(key).and_then(|entry| match &entry.view.backing {
            Ok(crate::plan::observed::Backing::Authority(view)) => Some(view.key_id.to_string()),
            _ => None,
        });
        let held = self.world.certificates.get(name).and_then(|certificate| certificate.status.clone()?.authority);
        held.is_some() && held != authority
    }

    fn failed(&self, name: &Name) -> bool {
        self.world
            .certificates
            .get(name)
            .and_then(|certificate| certificate.status.as_ref()?.failed_issuance_attempts)
            .is_some_and(|attempts| attempts > 0)
    }

    pub(crate) fn push_certificate(&self, name: &Name) {
        self.work.push(Key::Certificate(name.clone()), self.priority(name));
    }

    /// What expires first goes first; what has nothing yet before that.
    pub(crate) fn priority(&self, name: &Name) -> i64 {
        self.world
            .certificates
            .get(name)
            .and_then(|certificate| certificate.status.as_ref()?.not_after.as_ref().map(|end| end.0))
            .map_or(0, Timestamp::as_second)
    }
}

fn named(certificate: &Certificate) -> Option<Named> {
    // What cannot be read names nobody; its own condition says so.
    let wanted = check(certificate).ok()?;
    let namespace = certificate.metadata.namespace.as_deref().unwrap_or_default();
    let passwords = wanted.keystores.passwords().filter_map(|source| match source {
        PasswordSource::Secret { name, .. } => Some(Name::new(namespace, name)),
        PasswordSource::Literal(_) => None,
    });
    Some(Named {
        secret: Name::new(namespace, &wanted.secret_name),
        passwords: passwords.collect(),
        issuer: wanted.issuer,
        duration: wanted.duration,
    })
}
