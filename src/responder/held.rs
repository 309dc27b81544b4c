//! What the keeper has of one authority: the head that waits, and what is served until it can be.

use std::{collections::BTreeMap, sync::Arc};

use chancery_pki::{CrlNumber, KeyId};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    delegate::{Delegate, Delegates},
    served::{Behind, CaCertificate},
    shelf::{MayGo, Shelf},
};
use crate::lists::Head;

/// What is kept of an authority.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// A head that was not taken yet, or not whole.
    pub(super) waiting: Option<Head>,
    pub(super) shelf: Option<Shelf>,
    pub(super) certificate: Option<Arc<CaCertificate>>,
    /// Why nothing is served, where there is a head.
    pub(super) unserved: Option<String>,
    pub(super) refused_since: Option<Instant>,
    pub(super) lag_since: Option<Instant>,
    /// Since when nobody may sign for it.
    pub(super) no_delegate_since: Option<Instant>,
    /// The number of a list that is on record and that no head has reached, and since when.
    pub(super) behind: Option<Behind>,
    pub(super) is_headless: bool,
}

impl Held {
    /// Takes in a head, as far as it may be served in the place of the one before.
    pub(super) fn put<'a>(&mut self, head: Head, chunk: &dyn Fn(&str) -> Option<&'a [u8]>, may_go: &MayGo<'_>) {
        match Shelf::take(self.shelf.as_ref(), head.clone(), chunk, may_go) {
            Ok(shelf) => {
                if shelf.refused.is_some() {
                    self.refused_since.get_or_insert_with(Instant::now);
                    self.waiting = Some(head);
                } else {
                    self.refused_since = None;
                }
                let chain = self.shelf.as_ref().map(|before| &before.head.chain);
                if chain != Some(&shelf.head.chain) || self.certificate.is_none() {
                    self.certificate = CaCertificate::of(&shelf.head).map(Arc::new);
                }
                self.shelf = Some(shelf);
                self.unserved = None;
            }
            Err(why) => {
                self.waiting = Some(head);
                self.refuse(why);
            }
        }
    }

    /// What was told of the head cannot be taken in.
    pub(super) fn refuse(&mut self, why: String) {
        self.refused_since.get_or_insert_with(Instant::now);
        match &mut self.shelf {
            Some(shelf) => shelf.refused = Some(why),
            None => self.unserved = Some(why),
        }
    }

    /// Compares the head with the number that was given out last: the line comes first, and the head follows.
    pub(super) fn compare(&mut self, last: Option<CrlNumber>) {
        let number = self.shelf.as_ref().map(|shelf| shelf.head.number);
        self.behind = Behind::of(self.behind, number, last);
    }
}

/// Who signs for an authority, or why nobody does.
pub(super) fn delegate_of(
    delegates: &BTreeMap<usize, Delegates>,
    key: &KeyId,
    shelf: &Shelf,
    now: Timestamp,
) -> Result<Arc<Delegate>, String> {
    let delegate = delegates.values().find_map(|delegates| delegates.get(key));
    let delegate = delegate.ok_or_else(|| "there is no delegate to sign OCSP answers".to_owned())?.clone()?;
    let authority = shelf.head.issuer().map_err(|error| error.to_string())?;
    delegate.check(authority, now)?;
    Ok(delegate)
}
