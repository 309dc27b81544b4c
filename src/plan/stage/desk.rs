//! One Certificate with its Secret and its lines in the registers, as an observer sees them.
//!
//! It is changed by people and by `clerk`; nothing is decided here but by the real decision.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_pki::{Certificate as X509, KeyAlgorithm, KeyId, PrivateKey, Reason, SerialNumber};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::surroundings::Surroundings;
use crate::{
    api::{Certificate, CertificateStatus, SecretIdentity, SpecError, Wanted, check, condition, names, reason},
    plan::{
        self, Act, Plan,
        budget::{self, Spent},
        dress,
        forms::as_recorded,
        observed::{
            Backing, ChainText, Content, History, IssuerSeen, Observed, OwnCertificate, Recorded, SecretRead, SecretSeen, needs_own,
        },
        ownership::{self, Ownership},
        recorded::{self, SecretMark},
        renewal::add,
        revocation,
        status::{self, Failure, Said},
    },
    register::{Revocation, Standing},
};

/// A line of a register that gave this Certificate a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) recorded: Recorded,
    pub(crate) authority: Option<KeyId>,
    pub(crate) voided: bool,
    pub(crate) standing: Standing,
}

impl Line {
    /// A certificate that was just recorded.
    pub(crate) fn new(recorded: Recorded, authority: Option<KeyId>) -> Self {
        Self { recorded, authority, voided: false, standing: Standing::Good }
    }
}

/// One Certificate.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) certificate: Certificate,
    pub(crate) wanted: Result<Wanted, SpecError>,
    pub(crate) secret: Option<SecretRead>,
    pub(crate) lines: Vec<Line>,
    pub(crate) copies: BTreeMap<KeyId, Arc<PrivateKey>>,
    /// Keys that may not be certified again.
    pub(crate) blocked: BTreeSet<KeyId>,
    /// How many lines about revocations were written.
    pub(crate) sequence: u64,
    /// Remembered in memory only.
    pub(crate) issuer_changed: bool,
    pub(super) version: u64,
    pub(super) keys: u64,
}

impl Desk {
    pub(crate) fn new(certificate: Certificate) -> Self {
        let wanted = check(&certificate);
        Self {
            wanted,
            secret: None,
            lines: Vec::new(),
            copies: BTreeMap::new(),
            blocked: BTreeSet::new(),
            sequence: 0,
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
            standing: current.map(|line| line.standing.clone()).unwrap_or_default(),
            blocked: current.and_then(|line| line.recorded.key_id).is_some_and(|key_id| self.blocked.contains(&key_id)),
            barred: self.leaf().is_some_and(|leaf| self.is_barred(&leaf.key_id(), now)),
            published: current.is_some_and(|line| is_published(around, line)),
            own: self.own(around, now),
            lists: around.lists.iter().map(|(authority, list)| (*authority, list.grace)).collect(),
            authority: current.and_then(|line| line.authority),
            current: current.map(|line| line.recorded.clone()),
            spent: Spent { by_certificate, in_namespace: around.in_namespace.0, oldest_in_namespace: around.in_namespace.1 },
            broken: around.broken.clone(),
        }
    }

    fn own(&self, around: &Surroundings<'_>, now: Timestamp) -> Vec<OwnCertificate> {
        if !self.wanted.as_ref().is_ok_and(|wanted| needs_own(&self.certificate, wanted)) {
            return Vec::new();
        }
        let own = |line: &Line| {
            Some(OwnCertificate {
                authority: line.authority,
                serial: line.recorded.serial.clone(),
                time: line.recorded.time,
                not_after: line.recorded.not_after.filter(|end| *end >= now)?,
                key_id: line.recorded.key_id,
                standing: line.standing.clone(),
                published: is_published(around, line),
            })
        };
        self.lines.iter().filter(|line| !line.voided).filter_map(own).collect()
    }

    fn is_barred(&self, key: &KeyId, now: Timestamp) -> bool {
        let lasts = |line: &Line| line.recorded.not_after.is_some_and(|end| end >= now);
        let bars = |line: &Line| line.recorded.key_id == Some(*key) && !line.standing.is_good() && lasts(line);
        self.blocked.contains(key) || self.lines.iter().any(bars)
    }

    /// The line of the current certificate.
    pub(crate) fn current(&self) -> Option<&Line> {
        self.lines.iter().rfind(|line| !line.voided)
    }

    /// Whether the current certificate is on hold and has not ended.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        let held = |line: &&Line| matches!(line.standing, Standing::Held(_)) && line.recorded.not_after.is_some_and(|end| end >= now);
        self.current().as_ref().is_some_and(held)
    }

    /// The authority's owner revokes the current certificate, or puts it on hold.
    pub(crate) fn stand(&mut self, standing: impl FnOnce(Box<Revocation>) -> Standing, reason: Reason, now: Timestamp) {
        self.sequence += 1;
        let revocation = revocation(reason, self.sequence, now);
        self.lines.iter_mut().rfind(|line| !line.voided).unwrap().standing = standing(Box::new(revocation));
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
        let numbers = secret.annotations.get(names::CRL_NUMBER);
        let wants_lists = self.wanted.as_ref().is_ok_and(|wanted| wanted.ca_crl);
        let old = match &around.ca_crl {
            Some(lists) if wants_lists => numbers != Some(&lists.numbers),
            _ => !wants_lists && numbers.is_some(),
        };
        let read = read || (old && around.ca_crl_after.is_none());
        let forms = secret.annotations.get(names::FORMS).map(String::as_str);
        let as_recorded = self.wanted.as_ref().is_ok_and(|wanted| as_recorded(wanted, &around.passwords, forms));
        if !read && as_recorded && recorded::describes(&self.certificate, history, backing, mark) {
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
            dependents: around.dependents.clone(),
            ca_crl: around.ca_crl.clone(),
            passwords: around.passwords.clone(),
            temporary_after: None,
            ca_crl_after: around.ca_crl_after,
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
            told: revocation::tell(&observed, now),
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
        if let Some(lists) = secret.ca_crl {
            data.insert(names::CA_CRL_KEY.to_owned(), ByteString(lists.into_bytes()));
        }
        if let Content::Pair { key, .. } = &secret.content {
            let pem = key.to_pem(secret.key_encoding.unwrap()).unwrap();
            data.insert(names::TLS_KEY.to_owned(), ByteString(pem.as_bytes().to_vec()));
        }
        self.secret = Some(SecretRead { forms: secret.forms, put_elsewhere: secret.put_elsewhere, ..crate::observe::read(&object) });
    }

    /// A condition: its status, reason and message.
    pub(crate) fn condition(&self, kind: &str) -> Option<(&str, &str, &str)> {
        let found = condition::find(&self.certificate.status.as_ref()?.conditions, kind)?;
        Some((&found.status, &found.reason, &found.message))
    }

    /// Whether its renewals wait for windows.
    pub(crate) fn has_windows(&self) -> bool {
        self.wanted.as_ref().is_ok_and(|wanted| !wanted.schedule.windows.is_empty())
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

/// A revocation that was recorded at that time, and is published from then on.
pub(super) fn revocation(reason: Reason, sequence: u64, time: Timestamp) -> Revocation {
    Revocation { time, date: time, reason, invalidity_date: None, from: time, sequence, before: None, automatic: None }
}

/// Whether a list has the revocation of a certificate.
fn is_published(around: &Surroundings<'_>, line: &Line) -> bool {
    let list = line.authority.and_then(|authority| around.lists.get(&authority));
    let revocation = line.standing.revocation();
    list.zip(revocation).is_some_and(|(list, revocation)| revocation.sequence <= list.sequence && revocation.from <= list.built_at)
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
        weakness: None,
        key_encoding: None,
        chain: ChainText::default(),
        ca_crl: None,
        forms: BTreeMap::new(),
        put_elsewhere: BTreeSet::new(),
        other_writer: None,
    }
}
