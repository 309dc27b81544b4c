//! One Certificate with its Secret and its lines in the registers, and who carries out what is decided about it.

use std::{collections::BTreeMap, sync::Arc};

use chancery_pki::{CaConstraints, Certificate as X509, KeyAlgorithm, KeyEncoding, KeyId, PrivateKey, SerialNumber, Template};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::office::{Office, pool, serial};
use crate::{
    api::{Certificate, CertificateStatus, SecretIdentity, SpecError, Wanted, check, condition, names, reason},
    plan::{
        self, Act, Finalizer, Issue, KeySource, Plan,
        budget::{self, Spent},
        dress::{self, Dress, Record},
        observed::{Backing, ChainText, Content, History, IssuerSeen, Observed, Recorded, SecretRead, SecretSeen},
        ownership::{self, Ownership},
        recorded::{self, SecretMark},
        renewal::add,
        status::{self, Failure, Said},
    },
};

/// A line of a register that gave this Certificate a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) recorded: Recorded,
    pub(crate) authority: Option<KeyId>,
    pub(crate) voided: bool,
}

/// What bears on a Certificate and is not its own.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) issuer: Option<&'a Office>,
    pub(crate) admitted: bool,
    pub(crate) skew: Option<SignedDuration>,
    pub(crate) turn: Option<Timestamp>,
    /// Re-issuances in the namespace within the window, and the first of them.
    pub(crate) in_namespace: (usize, Option<Timestamp>),
    pub(crate) rival: Option<String>,
    pub(crate) broken: BTreeMap<Option<KeyId>, String>,
}

impl<'a> Surroundings<'a> {
    /// All is well.
    pub(crate) fn of(issuer: &'a Office) -> Self {
        Self { issuer: Some(issuer), admitted: true, skew: None, turn: None, in_namespace: (0, None), rival: None, broken: BTreeMap::new() }
    }
}

/// Where a process dies while it issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// After the register's line, before the Secret.
    AfterLine,
    /// After the Secret, before the status.
    AfterSecret,
}

/// What one reconcile did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The reasons of the certificates that were delivered.
    pub(crate) issued: Vec<&'static str>,
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

/// One Certificate.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) certificate: Certificate,
    pub(crate) wanted: Result<Wanted, SpecError>,
    pub(crate) secret: Option<SecretRead>,
    pub(crate) lines: Vec<Line>,
    pub(crate) copies: BTreeMap<KeyId, Arc<PrivateKey>>,
    /// Remembered in memory only.
    pub(crate) issuer_changed: bool,
    version: u64,
    keys: u64,
}

impl Desk {
    pub(crate) fn new(certificate: Certificate) -> Self {
        let wanted = check(&certificate);
        Self {
            wanted,
            secret: None,
            lines: Vec::new(),
            copies: BTreeMap::new(),
            issuer_changed: false,
            version: 1,
            keys: certificate.metadata.name.as_deref().unwrap_or_default().bytes().map(u64::from).sum(),
            certificate,
        }
    }

    /// Changes the object as a user does.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Certificate)) {
        let spec = self.certificate.spec.clone();
        change(&mut self.certificate);
        if spec != self.certificate.spec {
            *self.certificate.metadata.generation.get_or_insert(1) += 1;
        }
        self.wanted = check(&self.certificate);
    }

    /// Changes the Secret as somebody else does.
    pub(crate) fn tamper(&mut self, change: impl FnOnce(&mut SecretRead)) {
        self.version += 1;
        let secret = self.secret.as_mut().unwrap();
        change(secret);
        secret.resource_version = self.version.to_string();
    }

    /// What the registers know.
    pub(crate) fn history(&self, around: &Surroundings<'_>, now: Timestamp) -> History {
        let live = || self.lines.iter().filter(|line| !line.voided);
        let current = live().next_back();
        let since = add(now, -budget::WINDOW);
        let reissued = live().rev().take_while(|line| line.recorded.time >= since).filter(|line| line.recorded.reason != "Created");
        let mut by_certificate: Vec<Timestamp> = reissued.map(|line| line.recorded.time).collect();
        by_certificate.reverse();
        History {
            copy: current.and_then(|line| line.recorded.key_id).is_some_and(|key_id| self.copies.contains_key(&key_id)),
            destroyed: false,
            previous: live().rev().nth(1).and_then(|line| Some((line.recorded.serial.clone(), line.recorded.key_id?))),
            imported: current.is_some_and(|line| line.recorded.reason == reason::certificate::FOUND),
            anothers: false,
            authority: current.and_then(|line| line.authority),
            current: current.map(|line| line.recorded.clone()),
            spent: Spent { by_certificate, in_namespace: around.in_namespace.0, oldest_in_namespace: around.in_namespace.1 },
            broken: around.broken.clone(),
        }
    }

    fn secret_seen(&self, around: &Surroundings<'_>, history: &History, read: bool) -> SecretSeen<'_> {
        let Some(secret) = &self.secret else {
            return SecretSeen::Absent;
        };
        if let Ownership::Foreign(why) = ownership::of(&secret.annotations, &self.certificate) {
            return SecretSeen::Foreign(Box::leak(why.into_boxed_str()));
        }
        let mark = SecretMark {
            uid: &secret.uid,
            resource_version: &secret.resource_version,
            chain: secret.annotations.get(names::CHAIN).map(String::as_str),
        };
        let backing: Option<&Backing> = around.issuer.and_then(|office| office.view.backing.as_ref().ok());
        if !read && recorded::describes(&self.certificate, history, backing, mark) {
            return SecretSeen::AsRecorded;
        }
        SecretSeen::Read(secret)
    }

    /// What a decision is made from. `read` where the Secret is read whatever the status says.
    pub(crate) fn observed<'a>(&'a self, around: &'a Surroundings<'_>, read: bool, now: Timestamp) -> Observed<'a> {
        let history = self.history(around, now);
        Observed {
            certificate: &self.certificate,
            wanted: &self.wanted,
            issuer: match around.issuer {
                Some(office) => IssuerSeen::Found { issuer: &office.view, namespace_admitted: around.admitted },
                None => IssuerSeen::Absent,
            },
            secret: self.secret_seen(around, &history, read),
            history,
            rival: around.rival.clone(),
            skew: around.skew,
            turn: around.turn,
            issuer_changed: self.issuer_changed,
        }
    }

    /// The decision, as a reconcile comes to it: the Secret is read where that is asked for.
    pub(crate) fn decide(&self, around: &Surroundings<'_>, now: Timestamp) -> (Plan, bool) {
        let plan = plan::decide(&self.observed(around, false, now), now);
        if matches!(plan.act, Act::Read) {
            return (plan::decide(&self.observed(around, true, now), now), true);
        }
        (plan, false)
    }

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
                self.lines.push(Line { recorded, authority: held.authority, voided: false });
                self.put(&dress, None);
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
        let template = Template {
            serial: serial(),
            subject: wanted.subject.clone(),
            sans: wanted.sans.iter().cloned().collect(),
            not_before: issue.validity.not_before,
            not_after: issue.validity.not_after,
            usages: issue.resolved.usages.iter().copied().collect(),
            ca: wanted.is_ca.then_some(CaConstraints { path_len: None }),
            crl_distribution_points: Vec::new(),
            ocsp_servers: Vec::new(),
            issuing_certificate_urls: Vec::new(),
        };
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
        self.lines.push(Line { recorded, authority: office.authority().map(|authority| authority.key_id), voided: false });
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
        let none = BTreeMap::new();
        let present = self.secret.as_ref().map_or(&none, |secret| &secret.annotations);
        let dress = dress::of_issued(&self.certificate, &wanted, &certificate, &record, office.authority(), present);
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

    /// The status that a plan comes to.
    pub(crate) fn status(
        &self,
        around: &Surroundings<'_>,
        plan: &Plan,
        read: bool,
        failure: Option<&Failure>,
        now: Timestamp,
    ) -> Option<CertificateStatus> {
        let standing = plan.standing.as_ref()?;
        let observed = self.observed(around, read, now);
        let seen = match &observed.secret {
            SecretSeen::Read(secret) => Some(*secret),
            _ => None,
        };
        let wanted = self.wanted.as_ref().ok();
        let spec = around.issuer.and_then(|office| office.view.spec.as_ref());
        let said = Said {
            standing,
            secret: standing.held.as_ref().and_then(|_| {
                Some(SecretIdentity {
                    name: wanted?.secret_name.clone(),
                    uid: seen?.uid.clone(),
                    resource_version: seen?.resource_version.clone(),
                })
            }),
            issued_with: wanted.zip(seen).and_then(|(wanted, secret)| dress::issued_with(wanted, spec, secret)),
            recorded: observed.history.current.as_ref(),
            failure,
            issuer_changed: self.issuer_changed,
        };
        Some(status::of(&self.certificate, &said, now))
    }

    /// A second look changes nothing.
    pub(crate) fn assert_quiet(&self, around: &Surroundings<'_>, now: Timestamp) {
        let (plan, read) = self.decide(around, now);
        assert!(matches!(plan.act, Act::Nothing), "a second look acts: {:?}", plan.act);
        if let Some(status) = self.status(around, &plan, read, None, now) {
            assert_eq!(Some(&status), self.certificate.status.as_ref(), "a second look says something else");
        }
    }

    /// Writes the Secret down as the API server keeps it, and reads it again.
    pub(crate) fn through_the_api_server(&mut self) {
        let Some(secret) = self.secret.take() else { return };
        let mut object = Secret::default();
        object.metadata.uid = Some(secret.uid);
        object.metadata.resource_version = Some(secret.resource_version);
        object.metadata.annotations = Some(secret.annotations);
        object.metadata.labels = Some(secret.labels);
        object.type_ = Some(secret.kind);
        let data = object.data.get_or_insert_default();
        data.insert(names::TLS_CERTIFICATE.to_owned(), ByteString(secret.chain.chain.into_bytes()));
        if let Some(ca) = secret.chain.ca {
            data.insert(names::CA_CERTIFICATE.to_owned(), ByteString(ca.into_bytes()));
        }
        if let Content::Pair { key, .. } = &secret.content {
            let pem = key.to_pem(secret.key_encoding.unwrap()).unwrap();
            data.insert(names::TLS_KEY.to_owned(), ByteString(pem.as_bytes().to_vec()));
        }
        self.secret = Some(crate::observe::read(&object));
    }

    /// A condition: its status, reason and message.
    pub(crate) fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let found = condition::find(&self.certificate.status.as_ref()?.conditions, kind)?;
        Some((&found.status, &found.reason, &found.message))
    }

    /// The certificate in the Secret.
    pub(crate) fn leaf(&self) -> Option<&X509> {
        match &self.secret.as_ref()?.content {
            Content::Pair { certificates, .. } => certificates.first(),
            _ => None,
        }
    }

    /// Its serial number.
    pub(crate) fn held_serial(&self) -> Option<SerialNumber> {
        self.leaf().map(|leaf| leaf.serial().clone())
    }

    /// The kind of key in the Secret.
    pub(crate) fn algorithm(&self) -> Option<KeyAlgorithm> {
        self.secret.as_ref()?.key_algorithm()
    }
}

/// An empty Secret.
pub(crate) fn blank() -> SecretRead {
    SecretRead {
        uid: "uid-0".to_owned(),
        resource_version: "0".to_owned(),
        kind: names::SECRET_TYPE.to_owned(),
        immutable: false,
        annotations: BTreeMap::new(),
        labels: BTreeMap::new(),
        content: Content::Missing(names::TLS_CERTIFICATE),
        key_encoding: None,
        chain: ChainText::default(),
        other_writer: None,
    }
}
