//! Who carries out what is decided about a Certificate, and may die over it.

use std::sync::Arc;

use chancery_pki::{KeyEncoding, PrivateKey, Reason, SerialNumber};
use jiff::Timestamp;

use super::{
    desk::{Desk, Line, blank, revocation},
    office::{pool, serial},
    surroundings::Surroundings,
};
use crate::{
    api::{names, reason},
    plan::{
        self, Act, Finalizer, Issue, KeySource, Plan,
        dress::{self, Around, Dress, Lists, Record},
        observed::{Content, Recorded, SecretRead},
        status::Failure,
    },
    register::{Revocation, Standing},
};

/// Where a process dies while it issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// After the register's line, before the Secret.
    AfterLine,
    /// After the Secret, before the status.
    AfterSecret,
    /// After the first of several lines that revoke.
    BetweenRevocations,
}

/// What one reconcile did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The reasons of the certificates that were delivered.
    pub(crate) issued: Vec<&'static str>,
    /// How many certificates were put on record as revoked.
    pub(crate) revoked: usize,
    /// Whether an attempt failed.
    pub(crate) failed: bool,
    /// Writes of the Secret, and of the status.
    pub(crate) secret_writes: usize,
    pub(crate) status_writes: usize,
    /// When it is looked at again.
    pub(crate) wake: Option<Timestamp>,
    /// The process died.
    pub(crate) crashed: bool,
    /// The Certificate is gone.
    pub(crate) gone: bool,
}

impl Desk {
    /// One reconcile.
    pub(crate) fn reconcile(&mut self, around: &Surroundings<'_>, crash: Option<Crash>, now: Timestamp) -> Done {
        let mut done = Done::default();
        let (plan, read) = self.decide(around, now);
        match plan.act {
            Act::Nothing => self.conclude(around, &plan, read, None, &mut done, now),
            Act::Read => panic!("asked to read a Secret that was read"),
            Act::Finalizer(change) => {
                let finalizers = self.certificate.metadata.finalizers.get_or_insert_default();
                finalizers.retain(|finalizer| finalizer != names::FINALIZER);
                if change == Finalizer::Add {
                    finalizers.push(names::FINALIZER.to_owned());
                    return self.reconcile(around, crash, now);
                }
                done.gone = self.certificate.metadata.deletion_timestamp.is_some();
                if !done.gone {
                    return self.reconcile(around, crash, now);
                }
            }
            Act::Destroy(_) => {
                self.secret = None;
                self.certificate.metadata.finalizers = None;
                done.gone = true;
            }
            Act::Dress(dress) => {
                self.put(&dress, None);
                done.secret_writes += 1;
                self.settle(around, &mut done, now);
            }
            Act::Import(dress, held) => {
                let recorded = Recorded {
                    serial: held.serial.clone(),
                    key_id: Some(held.key_id),
                    not_after: Some(held.validity.not_after),
                    reason: reason::certificate::FOUND.to_owned(),
                    time: now,
                };
                self.lines.push(Line::new(recorded, held.authority));
                self.put(&dress, None);
                done.secret_writes += 1;
                self.settle(around, &mut done, now);
            }
            Act::Revoke(revoke) => {
                // A line whose time to be listed from has passed says since when a list that was handed in had it.
                assert!(
                    revoke.certificates.iter().all(|(_, _, from)| from.is_none_or(|from| from > now)),
                    "revoked before now: {revoke:?}"
                );
                let marks = revoke.certificates.iter().map(|(_, own, from)| (own.serial.clone(), *from)).collect::<Vec<_>>();
                for (number, (serial, from)) in marks.iter().enumerate() {
                    if number > 0 && crash == Some(Crash::BetweenRevocations) {
                        done.crashed = true;
                        return done;
                    }
                    self.revoke(serial, revoke.reason, *from, Some(revoke.before), now);
                }
                let after = self.reconcile(around, crash.filter(|crash| *crash != Crash::BetweenRevocations), now);
                return Done { revoked: done.revoked + marks.len(), ..after };
            }
            Act::Pend(certificates) => {
                for own in &certificates {
                    let line = self.lines.iter_mut().find(|line| line.recorded.serial == own.serial).unwrap();
                    self.sequence += 1;
                    line.standing = Standing::Pending(Box::new(revocation(Reason::CessationOfOperation, self.sequence, now)));
                }
                return self.reconcile(around, crash, now);
            }
            Act::Temporary(temporary) => {
                let wanted = self.wanted.clone().unwrap();
                self.keys += 1;
                let key = pool(temporary.key, self.keys);
                // That it is a stranger's is what counts here, not how it is signed.
                let certificate = chancery_pki::self_sign(&temporary.template(&wanted, serial()), &*key).unwrap();
                let fitting = Around { issuer: None, lists: None, passwords: &around.passwords, present: self.secret.as_ref() };
                let dress = dress::of_temporary(&self.certificate, &wanted, &certificate, &fitting);
                self.put(&dress, Some((Content::Pair { certificates: vec![certificate], key }, temporary.encoding)));
                done.secret_writes += 1;
                self.settle(around, &mut done, now);
            }
            Act::Issue(issue) => self.issue(around, &issue, crash, &mut done, now),
        }
        done
    }

    fn issue(&mut self, around: &Surroundings<'_>, issue: &Issue, crash: Option<Crash>, done: &mut Done, now: Timestamp) {
        let office = around.issuer.unwrap();
        let wanted = self.wanted.clone().unwrap();
        let key = self.key(issue);
        if wanted.is_ca && issue.key == KeySource::New {
            self.copies.insert(key.public_key().key_id(), Arc::clone(&key));
        }
        let template = issue.template(&wanted, serial());
        let first = !self.lines.iter().any(|line| !line.voided);
        let reason = if first { reason::certificate::CREATED } else { issue.reason() };
        // The registers' time never goes back.
        let time = self.lines.last().map_or(now, |line| now.max(line.recorded.time));
        let recorded = Recorded {
            serial: template.serial.clone(),
            key_id: Some(key.public_key().key_id()),
            not_after: Some(template.not_after),
            reason: reason.to_owned(),
            time,
        };
        self.lines.push(Line::new(recorded, office.authority().map(|authority| authority.key_id)));
        if office.fails {
            self.lines.last_mut().unwrap().voided = true;
            let failure = Failure { reason: reason::FAILED, message: "the issuer did not sign: it is out of ink".to_owned(), retry: true };
            done.failed = true;
            let plan = plan::failed(&self.observed(around, true, now), &failure, now);
            self.conclude(around, &plan, true, Some(&failure), done, now);
            return;
        }
        if crash == Some(Crash::AfterLine) {
            done.crashed = true;
            return;
        }
        let certificate = office.sign(&template, &key);
        let record = Record::of_issue(&issue.resolved, issue.renew_handled.as_deref(), office.authority(), now);
        let dress_around = Around {
            issuer: office.authority(),
            lists: around.ca_crl.as_ref(),
            passwords: &around.passwords,
            present: self.secret.as_ref(),
        };
        let dress = dress::of_issued(&self.certificate, &wanted, &certificate, &record, &dress_around);
        let mut certificates = vec![certificate];
        if let Some(authority) = office.authority() {
            certificates.extend(authority.chain.without_root());
        }
        self.put(&dress, Some((Content::Pair { certificates, key }, issue.resolved.encoding)));
        done.secret_writes += 1;
        done.issued.push(reason);
        if crash == Some(Crash::AfterSecret) {
            done.crashed = true;
            return;
        }
        self.settle(around, done, now);
    }

    /// A line of the register: what it says of one that is revoked already changes only where the key is compromised.
    fn revoke(&mut self, serial: &SerialNumber, reason: Reason, from: Option<Timestamp>, before: Option<Timestamp>, now: Timestamp) {
        let time = self.lines.last().map_or(now, |line| now.max(line.recorded.time));
        self.sequence += 1;
        let sequence = self.sequence;
        let line = self.lines.iter_mut().find(|line| line.recorded.serial == *serial).unwrap();
        let since = line.standing.revocation().map_or(time, |revocation| revocation.time);
        let from = from.unwrap_or(time);
        line.standing = Standing::Revoked(Box::new(Revocation { from, before, ..revocation(reason, sequence, since) }));
    }

    fn key(&mut self, issue: &Issue) -> Arc<PrivateKey> {
        match (issue.key, &self.secret) {
            (KeySource::Copy(key_id), _) => Arc::clone(&self.copies[&key_id]),
            (KeySource::Keep, Some(SecretRead { content: Content::Pair { key, .. }, .. })) => Arc::clone(key),
            (KeySource::Keep, _) => panic!("asked to keep a key that is not there"),
            (KeySource::New, _) => {
                self.keys += 1;
                // Where the pool has but few, two in a row must differ all the same.
                pool(issue.resolved.key, self.keys)
            }
        }
    }

    /// Writes the Secret as `apply` does.
    fn put(&mut self, dress: &Dress, content: Option<(Content, KeyEncoding)>) {
        self.version += 1;
        let version = self.version.to_string();
        let secret = self.secret.get_or_insert_with(|| SecretRead { uid: format!("uid-{version}"), ..blank() });
        secret.annotations.retain(|key, _| !dress.obsolete.annotations.contains(key));
        secret.annotations.extend(dress.annotations.clone());
        secret.labels.retain(|key, _| !dress.obsolete.labels.contains(key));
        secret.labels.extend(dress.labels.clone());
        secret.chain.clone_from(&dress.chain);
        match &dress.lists {
            Lists::Leave => {}
            Lists::Put(lists) => secret.ca_crl = Some(lists.text.clone()),
            Lists::Remove => secret.ca_crl = None,
        }
        secret.forms.retain(|form, _| !dress.forms.remove.contains(form));
        secret.forms.extend(dress.forms.put.iter().map(|form| (*form, true)));
        if let Some((content, encoding)) = content {
            secret.content = content;
            secret.key_encoding = Some(encoding);
        }
        secret.resource_version = version;
    }

    /// Like `apply`: what was written must be what is wanted.
    fn settle(&mut self, around: &Surroundings<'_>, done: &mut Done, now: Timestamp) {
        let plan = plan::decide(&self.observed(around, true, now), now);
        assert!(matches!(plan.act, Act::Nothing), "what was written does not satisfy the spec: {:?}", plan.act);
        self.conclude(around, &plan, true, None, done, now);
    }

    fn conclude(&mut self, around: &Surroundings<'_>, plan: &Plan, read: bool, failure: Option<&Failure>, done: &mut Done, now: Timestamp) {
        done.wake = plan.wake;
        if let Some(status) = self.status(around, plan, read, failure, now)
            && self.certificate.status.as_ref() != Some(&status)
        {
            self.certificate.status = Some(status);
            done.status_writes += 1;
        }
        self.issuer_changed = false;
    }
}
