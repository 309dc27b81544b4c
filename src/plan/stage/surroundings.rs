//! What surrounds one Certificate on the stage: its issuer, its namespace, its registers' state, the lists of its authorities.
//!
//! Given by a test, and never changed by a reconcile.

use std::{collections::BTreeMap, sync::Arc};

use chancery_pki::KeyId;
use jiff::{SignedDuration, Timestamp};

use super::office::Office;
use crate::plan::{forms::Passwords, observed::ListCopy};

/// An authority's published list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    /// How long planned revocations wait.
    pub(crate) grace: SignedDuration,
    /// The last line in it, and when it was made.
    pub(crate) sequence: u64,
    pub(crate) built_at: Timestamp,
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
    pub(crate) lists: BTreeMap<KeyId, Listed>,
    pub(crate) dependents: Vec<String>,
    pub(crate) ca_crl: Option<Arc<ListCopy>>,
    pub(crate) ca_crl_after: Option<Timestamp>,
    pub(crate) passwords: Passwords,
}

impl<'a> Surroundings<'a> {
    /// All is well.
    pub(crate) fn of(issuer: &'a Office) -> Self {
        Self {
            issuer: Some(issuer),
            admitted: true,
            skew: None,
            turn: None,
            in_namespace: (0, None),
            rival: None,
            broken: BTreeMap::new(),
            lists: BTreeMap::new(),
            dependents: Vec::new(),
            ca_crl: None,
            ca_crl_after: None,
            passwords: Passwords::default(),
        }
    }
}
