//! Issuers with real keys, and keys that are made once for all tests.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use chancery_pki::{
    CaConstraints, Certificate as X509, Chain, KeyAlgorithm, Name, PrivateKey, SerialNumber, SubjectParts, Template, Usage, issue,
    self_sign,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::{IssuerKey, IssuerKind, Scope, check_issuer},
    plan::observed::{AuthorityView, Backing, IssuerView, Obstacle},
};

/// An authority's key and chain.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) view: AuthorityView,
}

/// An issuer, and what signs for it.
#[derive(Clone, Debug)]
pub(crate) struct Office {
    pub(crate) view: IssuerView,
    pub(crate) seal: Option<Seal>,
    /// It says that it is ready, and signs nothing.
    pub(crate) fails: bool,
    pub(crate) signed: Arc<AtomicUsize>,
}

/// A serial number that no other has.
pub(crate) fn serial() -> SerialNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut random = [0; 13];
    random[5..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    SerialNumber::issued(0, random)
}

/// One of 16 keys of this kind; RSA keys are few, since each takes its time.
pub(crate) fn pool(algorithm: KeyAlgorithm, number: u64) -> Arc<PrivateKey> {
    type Keys = HashMap<(KeyAlgorithm, u64), Arc<PrivateKey>>;
    static KEYS: OnceLock<Mutex<Keys>> = OnceLock::new();
    let number = number % if algorithm.is_rsa() { 2 } else { 16 };
    let mut keys = KEYS.get_or_init(Mutex::default).lock().unwrap();
    Arc::clone(keys.entry((algorithm, number)).or_insert_with(|| Arc::new(PrivateKey::generate(algorithm).unwrap())))
}

fn authority(name: &str, not_before: Timestamp, not_after: Timestamp, path_len: Option<u8>) -> Template {
    Template {
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ca: Some(CaConstraints { path_len }),
        ..Template::new(
            serial(),
            Name::from_parts(&SubjectParts { common_name: Some(name.to_owned()), ..SubjectParts::default() }).unwrap(),
            not_before,
            not_after,
        )
    }
}

impl Seal {
    /// A root of this name with this key.
    pub(crate) fn root(name: &str, key: Arc<PrivateKey>, not_before: Timestamp, not_after: Timestamp) -> Self {
        let own = self_sign(&authority(name, not_before, not_after, None), &*key).unwrap();
        Self::of(key, vec![own])
    }

    /// A CA below this one that may have leaves only.
    pub(crate) fn below(&self, name: &str, key: Arc<PrivateKey>, not_before: Timestamp, not_after: Timestamp) -> Self {
        let template = authority(name, not_before, not_after, Some(0));
        let own = issue(&template, key.public_key(), self.view.chain.leaf(), &*self.key).unwrap();
        let mut chain = vec![own];
        chain.extend(self.view.chain.certificates().iter().cloned());
        Self::of(key, chain)
    }

    fn of(key: Arc<PrivateKey>, chain: Vec<X509>) -> Self {
        let chain = Chain::order(chain).unwrap();
        let fingerprint = chain.leaf().serial().to_string();
        Self { view: AuthorityView { key_id: key.public_key().key_id(), chain: Arc::new(chain), fingerprint }, key }
    }
}

impl Office {
    /// An Issuer `shop/<name>` with these fields of its spec beside its kind.
    #[expect(clippy::needless_pass_by_value, reason = "the literals of the tables read better without a sign before each")]
    pub(crate) fn new(name: &str, seal: Option<Seal>, spec: Value) -> Self {
        let kind = if seal.is_some() { serde_json::json!({"ca": {"secretName": "ca"}}) } else { serde_json::json!({"selfSigned": {}}) };
        let mut object = kind;
        object.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let spec = check_issuer(&serde_json::from_value(object).unwrap(), Scope::Namespace).unwrap();
        let key = IssuerKey { kind: IssuerKind::Issuer, namespace: Some("shop".to_owned()), name: name.to_owned() };
        let backing = Ok(seal.as_ref().map_or(Backing::SelfSigned, |seal| Backing::Authority(seal.view.clone())));
        Self { view: IssuerView { key, generation: 1, spec: Some(spec), backing }, seal, fails: false, signed: Arc::default() }
    }

    /// A CA issuer `shop/ca` that holds for ten years around 2026.
    pub(crate) fn ca() -> Self {
        let (from, to) = (super::time("2025-01-01T00:00:00Z"), super::time("2035-01-01T00:00:00Z"));
        Self::new("ca", Some(Seal::root("Root", pool(KeyAlgorithm::EcdsaP256, 0), from, to)), serde_json::json!({}))
    }

    /// Another authority, or the same with another certificate.
    pub(crate) fn reseal(&mut self, seal: Seal) {
        self.view.backing = Ok(Backing::Authority(seal.view.clone()));
        self.seal = Some(seal);
    }

    /// It cannot sign, and says so.
    pub(crate) fn close(&mut self, reason: &'static str, message: &str) {
        self.view.backing = Err(Obstacle { reason, message: message.to_owned() });
    }

    /// It can sign again.
    pub(crate) fn open(&mut self) {
        self.view.backing = Ok(self.seal.as_ref().map_or(Backing::SelfSigned, |seal| Backing::Authority(seal.view.clone())));
    }

    /// Signs.
    pub(crate) fn sign(&self, template: &Template, key: &PrivateKey) -> X509 {
        self.signed.fetch_add(1, Ordering::Relaxed);
        match &self.seal {
            Some(seal) => issue(template, key.public_key(), seal.view.chain.leaf(), &*seal.key).unwrap(),
            None => self_sign(template, key).unwrap(),
        }
    }

    /// How many certificates it has signed.
    pub(crate) fn signatures(&self) -> usize {
        self.signed.load(Ordering::Relaxed)
    }

    /// The authority, where there is one.
    pub(crate) fn authority(&self) -> Option<&AuthorityView> {
        match &self.view.backing {
            Ok(Backing::Authority(authority)) => Some(authority),
            _ => None,
        }
    }
}
