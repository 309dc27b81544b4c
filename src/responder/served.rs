//! What requests are answered from, as the keeper last left it: never half of a change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::body::Bytes;
use chancery_pki::{CrlNumber, IssuerHash, IssuerHashes, KeyId, pem_bundle};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    caching::http_date,
    decide::{Circumstances, LAG, SILENCE},
    delegate::Delegate,
    shelf::Shelf,
};
use crate::{
    api::names,
    lists::{Head, shard_of},
    register::hash,
};

/// How long a head may be waited for, or what comes with it, before anyone is told: what belongs together arrives by several watches.
const PATIENCE: Duration = Duration::from_secs(10);

/// A list that was given out a number, by the register, and that no head has shown yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The number.
    pub number: CrlNumber,
    /// Since when it has been waited for.
    pub since: Instant,
}

impl Behind {
    /// What is waited for after a look at the number of the head, none where there is no head, and at the last that was given out.
    /// Numbers only grow: a head with a lower one has gone back, or is not written yet.
    pub fn of(before: Option<Self>, head: Option<CrlNumber>, last: Option<CrlNumber>) -> Option<Self> {
        let waited_for = |number: CrlNumber| head.is_none_or(|head| head < number);
        let last = last.filter(|last| waited_for(*last))?;
        // Of the numbers that are given out one after the other the first counts, until it is reached.
        Some(before.filter(|before| waited_for(before.number)).unwrap_or_else(|| Self { number: last, since: Instant::now() }))
    }

    /// Whether it has been waited for longer than it may take: who dies between the line and the head has a successor by then.
    fn is_late(&self) -> bool {
        self.since.elapsed() > LAG
    }
}

/// An authority that is served.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its lists.
    pub shelf: Shelf,
    /// Its certificate.
    pub certificate: Arc<CaCertificate>,
    /// Who signs for it, or why nobody does.
    pub delegate: Result<Arc<Delegate>, String>,
    /// What is wrong with its register.
    pub register_fault: Option<String>,
    /// Since when nobody has signed for it.
    pub no_delegate_since: Option<Instant>,
    /// Since when its register has lacked the line that its lists were made from, or others that are known to be there.
    pub lag_since: Option<Instant>,
    /// Since when its newest head was not served whole.
    pub refused_since: Option<Instant>,
    /// The list that its head should name, and does not.
    pub behind: Option<Behind>,
    /// Whether its head is gone while it has certificates that have not ended.
    pub is_headless: bool,
}

impl Authority {
    /// What there is to answer from, for certificates with these shards.
    pub fn circumstances<'a>(
        &'a self,
        shards: impl Iterator<Item = u16>,
        silence: Option<Duration>,
        clock_fault: Option<&'a str>,
    ) -> Circumstances<'a> {
        let ends = shards.map(|shard| self.shelf.shards.get(&shard).map(|pair| pair.full.next_update));
        Circumstances {
            silence,
            register_fault: self.register_fault.as_deref(),
            lag: self.lag_since.map(|since| since.elapsed()),
            behind: self.behind.map(|behind| behind.since.elapsed()),
            // None is less than any time.
            list_ends: ends.min().flatten(),
            delegate: self.delegate.as_ref().map(|delegate| delegate.certificate.not_after()).map_err(String::as_str),
            clock_fault,
        }
    }

    /// The shard of a certificate.
    pub fn shard_of(&self, serial: &chancery_pki::SerialNumber) -> u16 {
        shard_of(serial, self.shelf.head.settings.shards)
    }

    /// What a person should know.
    fn troubles(&self, now: Timestamp) -> Vec<String> {
        let mut troubles = Vec::new();
        let late = |since: Option<Instant>| since.is_some_and(|since| since.elapsed() > PATIENCE);
        if let Some(why) = &self.register_fault {
            troubles.push(format!("its register does not hold together: {why}"));
        }
        if late(self.lag_since) {
            troubles.push("lines are missing that its list was made from, or its register's head follows on".to_owned());
        }
        if let Some(why) = self.shelf.refused.as_ref().filter(|_| late(self.refused_since)) {
            troubles.push(format!("a newer list is refused: {why}"));
        }
        if let Some(behind) = self.behind.filter(Behind::is_late) {
            let (number, last) = (self.shelf.head.number, behind.number);
            troubles.push(format!("its head has number {number}, and {last} was published: it has gone back, or is not written"));
        }
        if self.is_headless {
            troubles.push("its head is gone".to_owned());
        }
        for (shard, pair) in &self.shelf.shards {
            for (what, listed) in [("list", Some(&pair.full)), ("delta", pair.delta.as_ref())] {
                if let Some(listed) = listed.filter(|listed| listed.next_update <= now) {
                    troubles.push(format!("the {what} of shard {shard} should have been renewed by {}", listed.next_update));
                }
            }
        }
        if self.shelf.head.settings.ocsp.is_some() {
            match &self.delegate {
                Err(why) if late(self.no_delegate_since) => troubles.push(why.clone()),
                Ok(delegate) if delegate.certificate.not_after() <= now => {
                    troubles.push(format!("the delegate's certificate ended at {}", delegate.certificate.not_after()));
                }
                Err(_) | Ok(_) => {}
            }
        }
        troubles
    }
}

/// An authority's certificate in the forms in which it is served.
#[derive(Debug)]
pub struct CaCertificate {
    /// How certificates name their issuer.
    pub hashes: IssuerHashes,
    /// The DER.
    pub der: Bytes,
    /// The certificate and those above it.
    pub pem: Bytes,
    /// Of the DER, in hexadecimal.
    pub sha256: String,
    /// Of the PEM: those above change, too.
    pub pem_sha256: String,
    /// The begin of its validity, as HTTP writes it.
    pub last_modified: String,
}

impl CaCertificate {
    /// The certificate of a head's authority; none where its chain is empty.
    pub fn of(head: &Head) -> Option<Self> {
        let certificate = head.chain.first()?;
        let pem = pem_bundle(&head.chain);
        Some(Self {
            hashes: IssuerHashes::of(certificate),
            der: Bytes::copy_from_slice(certificate.as_der()),
            pem_sha256: hash(&pem),
            pem: pem.into(),
            sha256: certificate.sha256(),
            last_modified: http_date(certificate.not_before()),
        })
    }
}

/// All that is served at a moment.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The authorities.
    pub authorities: HashMap<KeyId, Arc<Authority>>,
    /// Which authority a hash of name and key stands for.
    pub issuers: HashMap<IssuerHash, KeyId>,
    /// The paths that URLs in certificates may begin with, the longest first.
    pub prefixes: Vec<String>,
    /// The registers that do not hold together, whether their authorities are served or not.
    pub register_faults: BTreeMap<String, String>,
    /// The authorities that have a head and no list that could be served, with the reason.
    pub unserved: BTreeMap<KeyId, String>,
    /// The authorities that have no head, and lists that were published.
    pub missing: BTreeMap<KeyId, Behind>,
    /// Whether all lists have been read once: what is not served is not there.
    pub lists_read: bool,
    /// Whether all registers have been: a certificate that is not known is on no record.
    pub registers_read: bool,
    /// Whether all Secrets of delegates have been: for whom nobody signs, nobody may.
    pub delegates_read: bool,
    /// The digits of those Secrets that may not be read.
    pub forbidden: Vec<char>,
}

impl Served {
    /// These authorities, and nothing else that is known.
    pub fn of(authorities: HashMap<KeyId, Arc<Authority>>) -> Self {
        let issuers = authorities.iter().flat_map(|(key, authority)| authority.certificate.hashes.all().iter().map(|hash| (*hash, *key)));
        let heads = authorities.values().map(|authority| &authority.shelf.head);
        let urls = heads.flat_map(|head| head.settings.base_url.iter().chain(&head.former_base_urls));
        let mut prefixes: Vec<String> = urls.filter_map(|url| path_of(url)).map(str::to_owned).collect();
        prefixes.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        prefixes.dedup();
        Self { issuers: issuers.collect(), prefixes, authorities, ..Self::default() }
    }

    /// What was not read yet, not even once, a line each: no answer can come of it. Once all was read, it stays so.
    pub fn unread(&self) -> Vec<String> {
        let parts = [
            (self.lists_read && self.registers_read, "registers and lists were not read yet"),
            (self.delegates_read, "the keys that sign OCSP answers were not read yet"),
        ];
        parts.iter().filter(|(is_read, _)| !is_read).map(|(_, unread)| (*unread).to_owned()).collect()
    }

    /// All that is not as it should be, a line each; empty when all is well.
    pub fn troubles(&self, silence: Option<Duration>, now: Timestamp) -> Vec<String> {
        let mut troubles = self.unread();
        match silence {
            Some(silence) if silence > SILENCE => troubles.push(format!("nothing was heard of the API server for {} s", silence.as_secs())),
            _ => {}
        }
        let forbidden =
            |digit: &char| format!("Secret {}{digit}, with keys that sign OCSP answers, may not be read", names::DELEGATES_PREFIX);
        troubles.extend(self.forbidden.iter().map(forbidden));
        troubles.extend(self.unserved.iter().map(|(key, why)| format!("authority {key}: no list can be served: {why}")));
        let missing = self.missing.iter().filter(|(_, behind)| behind.is_late());
        troubles
            .extend(missing.map(|(key, behind)| format!("authority {key}: list {} was published, and its head is gone", behind.number)));
        let served = |register: &String| register.parse().is_ok_and(|key: KeyId| self.authorities.contains_key(&key));
        let others = self.register_faults.iter().filter(|(register, _)| !served(register));
        troubles.extend(others.map(|(register, why)| format!("register {register} does not hold together: {why}")));
        let mut authorities: Vec<_> = self.authorities.iter().collect();
        authorities.sort_unstable_by_key(|(key, _)| **key);
        for (key, authority) in authorities {
            troubles.extend(authority.troubles(now).into_iter().map(|trouble| format!("authority {key}: {trouble}")));
        }
        troubles
    }
}

/// The path of a URL, without a slash at its end; none where it has none.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    let path = path.trim_end_matches('/');
    (!path.is_empty()).then_some(path)
}

/// Where the keeper puts what is served; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<RwLock<Arc<Served>>>);

impl Shared {
    /// What is served now.
    pub fn get(&self) -> Arc<Served> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this is served.
    pub fn set(&self, served: Served) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(served);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_base_url_is_understood() {
        for (url, path) in [
            ("http://pki.example.org", None),
            ("http://pki.example.org/", None),
            ("http://pki.example.org:8080/a/b", Some("/a/b")),
            ("no url", None),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
