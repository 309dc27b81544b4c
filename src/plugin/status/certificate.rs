//! A Certificate in depth.

use std::io::{self, Write};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    ConditionLine, EventLine, Next, advice::Scope, chain::SecretFacts, condition_lines, facts::CertificateFacts, is_well, text::Page,
    unseen,
};
use crate::{
    api::{
        Certificate, CertificateStatus, IssuedCertificate, RenewalPolicy, ResolvedSpec,
        condition::{self, find},
    },
    plugin::{
        inspect::Described,
        list::{issuer_name, names},
        output::{Report, Table, Tone},
        read::object_name,
        said::CurrentCertificate,
        span::{moment, span, when},
    },
};

/// How many of the certificates that it had are shown without `-o wide`.
const ISSUED_SHOWN: usize = 5;

/// What is asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The names that the certificate is for.
    pub names: Vec<String>,
    /// The issuer, as KIND/NAME.
    pub issuer: String,
    /// Whether it is for a CA.
    #[serde(rename = "isCA")]
    pub is_ca: bool,
    /// The values in effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedSpec>,
}

/// The issuer, as far as it matters here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerPart {
    /// Issuer or ClusterIssuer.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its conditions.
    pub conditions: Vec<ConditionLine>,
    /// Its authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The CA's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When its chain ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// The RevocationList, as far as it matters here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListPart {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its conditions.
    pub conditions: Vec<ConditionLine>,
    /// The number of the newest published list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When it must be replaced at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// Whether the current certificate stands on it; none where that could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists_it: Option<bool>,
    /// Why it stands on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// A Certificate in depth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateReport {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether the Secret holds what is asked for now, and is valid.
    pub ready: bool,
    /// What holds.
    pub conditions: Vec<ConditionLine>,
    /// What is asked for.
    pub asked: Asked,
    /// The certificate that it has now.
    #[serde(flatten)]
    pub current: CurrentCertificate,
    /// The Secret's name.
    pub secret_name: String,
    /// The Secret; none where there is none, or it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretFacts>,
    /// The issuer; none where there is none, or it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerPart>,
    /// The RevocationList; none where there is none, or it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_list: Option<ListPart>,
    /// The current certificate, first, and at most 20 earlier ones.
    pub issued: Vec<IssuedCertificate>,
    /// What happened lately, the latest first.
    pub events: Vec<EventLine>,
    /// What will happen.
    pub next: Vec<Next>,
    /// What could not be read, and why.
    pub not_looked_at: Vec<String>,
    #[serde(skip)]
    object: String,
    #[serde(skip)]
    now: Timestamp,
    #[serde(skip)]
    has_authority: bool,
}

impl CertificateReport {
    /// What there is to say at this time.
    pub fn new(facts: CertificateFacts, now: Timestamp) -> Self {
        let CertificateFacts { certificate, secret, issuer, list, published, events, unread } = facts;
        let status = certificate.status.clone().unwrap_or_default();
        let observed = status.observed_generation;
        let current = CurrentCertificate::from(&status);
        let well = is_well(&status.conditions, certificate.metadata.generation, observed) && current.not_after.is_none_or(|end| end > now);
        let entry = published.as_ref().and_then(|published| published.entry.as_ref());
        let revocation_list = list.map(|list| {
            let listed = list.status.clone().unwrap_or_default();
            ListPart {
                namespace: list.namespace().unwrap_or_default(),
                name: list.name_any(),
                conditions: condition_lines(Scope::List, &listed.conditions),
                number: listed.number,
                next_update: listed.next_update.map(|time| time.0),
                lists_it: published.as_ref().map(|published| published.entry.is_some()),
                reason: entry.map(|entry| entry.reason.to_string()),
                since: entry.map(|entry| entry.time),
            }
        });
        Self {
            namespace: certificate.namespace().unwrap_or_default(),
            name: certificate.name_any(),
            ready: well,
            conditions: condition_lines(Scope::Certificate, &status.conditions),
            asked: Asked {
                names: names(&certificate.spec),
                issuer: issuer_name(&certificate.spec.issuer_ref),
                is_ca: certificate.spec.is_ca,
                resolved: status.resolved.clone(),
            },
            current,
            secret_name: certificate.spec.secret_name.clone(),
            secret,
            issuer: issuer.map(|issuer| IssuerPart {
                kind: issuer.kind.to_owned(),
                name: issuer.metadata.name.clone().unwrap_or_default(),
                conditions: condition_lines(Scope::Issuer, &issuer.status.conditions),
                authority: issuer.status.authority,
                subject: issuer.status.subject,
                not_after: issuer.status.not_after.map(|time| time.0),
            }),
            revocation_list,
            issued: status.issued.clone(),
            events,
            next: next(&certificate, &status, now),
            not_looked_at: unread,
            object: object_name(&certificate),
            now,
            has_authority: status.authority.is_some() && status.authority != status.key_id,
        }
    }

    /// Whether it is ready, and what lies in the Secret is as it should be and not revoked, as far as that could be looked at.
    pub fn is_well(&self) -> bool {
        let sound = self.secret.as_ref().is_none_or(|secret| secret.problems.is_empty());
        let revoked = self.revocation_list.as_ref().is_some_and(|list| list.lists_it == Some(true));
        self.ready && sound && !revoked
    }

    fn asked(&self, page: &mut Page<'_>, wide: bool) -> io::Result<()> {
        page.heading("Asked for")?;
        page.field("Names", &self.asked.names.join(", "))?;
        page.field("Issuer", &self.asked.issuer)?;
        page.field("CA", if self.asked.is_ca { "yes" } else { "" })?;
        let Some(resolved) = &self.asked.resolved else { return Ok(()) };
        let before = resolved.renew_before.map(|before| format!(", renewed {} before its end", span(before.get()))).unwrap_or_default();
        page.field("Lifetime", &format!("{}{before}", span(resolved.duration.get())))?;
        let key = &resolved.private_key;
        let size = key.size.map(|size| format!(" {size}")).unwrap_or_default();
        let rotation = if key.rotation_policy == "Never" { "kept at renewal" } else { "a new one each time" };
        page.field("Key", &format!("{}{size} ({}), {rotation}", key.algorithm, key.encoding))?;
        page.field("Usages", &if wide { resolved.usages.join(", ") } else { String::new() })
    }

    fn secret(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.heading(&format!("Secret {}", self.secret_name))?;
        let Some(secret) = &self.secret else {
            let told = self.not_looked_at.iter().any(|what| what.contains(" Secret "));
            return page.toned("", if told { "could not be read, see below" } else { "is not there" }, Tone::Warning);
        };
        page.field("Type", &secret.type_)?;
        page.field("Keys", &secret.keys.join(", "))?;
        page.some("Owner", secret.owner.as_deref().map(|owner| format!("Certificate {owner}")).as_deref())?;
        page.toned("Certificate", if secret.is_current { "the one of the status" } else { "" }, Tone::Good)?;
        page.toned("Certificate", if secret.is_temporary { "a temporary one, which nobody trusts" } else { "" }, Tone::Warning)?;
        for problem in &secret.problems {
            page.toned("Problem", problem, Tone::Bad)?;
        }
        for (place, link) in secret.chain.iter().enumerate() {
            self.link(page, place + 1, link)?;
        }
        Ok(())
    }

    fn link(&self, page: &mut Page<'_>, place: usize, link: &Described) -> io::Result<()> {
        let subject = if link.subject.is_empty() { "(no subject)" } else { link.subject.as_str() };
        page.heading(&format!("Certificate {place}: {subject}{}", if link.is_ca { " (a CA)" } else { "" }))?;
        page.field("Issuer", &link.issuer)?;
        let tone = if link.not_after <= self.now { Tone::Bad } else { Tone::Plain };
        page.toned("Valid", &format!("{} to {}", link.not_before, moment(link.not_after, self.now)), tone)?;
        page.field("Key", &format!("{}, {}", link.key.algorithm, link.key.id))?;
        page.field("Serial", &link.serial_number)?;
        page.field("SHA-256", &link.sha256)
    }

    fn authority(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.heading(&format!("Issuer {}", self.asked.issuer))?;
        match &self.issuer {
            None => {
                let told = self.not_looked_at.iter().any(|what| what.contains("Issuer "));
                page.toned("", if told { "could not be read, see below" } else { "is not there" }, Tone::Warning)?;
            }
            Some(issuer) => {
                page.conditions(&issuer.conditions)?;
                page.some("Name", issuer.subject.as_deref())?;
                page.some("Authority", issuer.authority.as_deref())?;
                page.time("Ends", issuer.not_after)?;
            }
        }
        if !self.has_authority {
            return Ok(());
        }
        let Some(list) = &self.revocation_list else {
            page.heading("Revocation list")?;
            return page.field("", "none that could be read covers the authority: what is revoked is recorded, and nobody hears of it");
        };
        page.heading(&format!("Revocation list {}/{}", list.namespace, list.name))?;
        page.conditions(&list.conditions)?;
        page.some("Number", list.number.as_deref())?;
        page.time("Next update", list.next_update)?;
        match (list.lists_it, list.since) {
            (Some(true), since) => {
                let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
                page.toned("This serial", &format!("is on it{since}: {}", list.reason.as_deref().unwrap_or_default()), Tone::Bad)
            }
            (Some(false), _) => page.toned("This serial", "is not on it", Tone::Good),
            (None, _) => Ok(()),
        }
    }

    fn issued(&self, page: &mut Page<'_>, wide: bool) -> io::Result<()> {
        if self.issued.is_empty() {
            return Ok(());
        }
        page.heading("Issued")?;
        let shown = if wide { self.issued.len() } else { ISSUED_SHOWN };
        let mut table = Table::new(&["SERIAL", "ISSUED", "REASON", "ENDS"]);
        for one in self.issued.iter().take(shown) {
            table.row([
                one.serial_number.clone().into(),
                when(one.issued_at.0, self.now).into(),
                one.reason.clone().into(),
                when(one.not_after.0, self.now).into(),
            ]);
        }
        page.table(&table)?;
        let more = self.issued.len().saturating_sub(shown);
        if more > 0 { page.field("", &format!("and {more} more (-o wide)")) } else { Ok(()) }
    }
}

/// What comes next, as far as the status tells.
fn next(certificate: &Certificate, status: &CertificateStatus, now: Timestamp) -> Vec<Next> {
    let mut next: Vec<Next> = Vec::new();
    if certificate.metadata.deletion_timestamp.is_some() {
        next.push(Next::sometime("it is being deleted"));
    }
    next.extend(unseen(certificate.metadata.generation, status.observed_generation));
    let attempts = status.failed_issuance_attempts.filter(|attempts| *attempts > 0);
    if let Some(time) = &status.next_retry_time {
        let failed = attempts.map(|attempts| format!(", after {attempts} that failed")).unwrap_or_default();
        next.push(Next::at(time.0, format!("the next attempt{failed}")));
    }
    let disabled = certificate.spec.renewal.as_ref().is_some_and(|renewal| renewal.policy == Some(RenewalPolicy::Disabled));
    let windows = certificate.spec.renewal.as_ref().is_some_and(|renewal| !renewal.windows.is_empty());
    let held = status.not_after.as_ref();
    match &status.renewal_time {
        Some(time) if time.0 <= now => {
            let issuing = find(&status.conditions, condition::ISSUING).map(|found| found.reason.clone());
            let why = issuing.map(|reason| format!(" ({reason})")).unwrap_or_default();
            next.push(Next::at(time.0, format!("it should have been renewed{why}")));
        }
        Some(time) => next.push(Next::at(time.0, if windows { "it is renewed, in a window of spec.renewal" } else { "it is renewed" })),
        None if disabled && held.is_some() => next.push(Next::sometime("time never renews it: spec.renewal.policy is Disabled")),
        None => {}
    }
    if let Some(end) = held {
        next.push(Next::at(end.0, if end.0 <= now { "it ended" } else { "it ends" }));
    }
    next.sort_by_key(|next| next.at);
    next
}

impl Report for CertificateReport {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page { out, now: self.now };
        let ended = self.current.not_after.is_some_and(|end| end <= self.now);
        let (word, tone) = match (self.ready, ended) {
            (true, _) => ("ready", Tone::Good),
            (false, true) => ("expired", Tone::Bad),
            (false, false) => ("not ready", Tone::Bad),
        };
        page.title(&format!("Certificate {}/{}", self.namespace, self.name), word, tone)?;
        page.conditions(&self.conditions)?;
        self.asked(&mut page, wide)?;
        self.secret(&mut page)?;
        self.authority(&mut page)?;
        self.issued(&mut page, wide)?;
        page.events(&self.events)?;
        page.next(&self.next)?;
        page.unread(&self.not_looked_at)
    }

    fn names(&self) -> Vec<String> {
        vec![self.object.clone()]
    }
}
