//! What is published in one operator's namespace: heads and chunks read by the reader that the responder has too, and compared with
//! the registers as `ledger` reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::lease::Unfenced;
use chancery::lists::{Lists, Publisher};
use chancery::register::{Act, KubeStore, RegisterId};
use chancery_pki::{CrlNumber, KeyId};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use super::Ledger;

/// All lists of all authorities, found whole: lengths, hashes and signatures are right.
pub(crate) struct Publications(BTreeMap<KeyId, (CrlNumber, BTreeMap<u16, Lists>)>);

impl Publications {
    /// Reads all; panics if one does not hold together.
    pub(crate) async fn read(maps: &Api<ConfigMap>) -> Self {
        let publisher = Publisher::new(Arc::new(KubeStore::new(maps.clone())), Arc::new(Unfenced));
        let mut all = BTreeMap::new();
        for authority in publisher.authorities().await.expect("heads can be listed") {
            let standing = publisher.read(&authority).await.expect("a head can be read");
            assert!(standing.unreadable.is_none(), "{authority}: {:?}", standing.unreadable);
            let published = standing.published.unwrap_or_else(|| panic!("{authority}: chunks without a head"));
            assert!(published.damaged.is_empty(), "{authority}: {:?}", published.damaged);
            all.insert(authority, (published.head.number, published.lists));
        }
        Self(all)
    }

    /// Panics unless every list has what its authority's register says, and its number is the last that the register gave out;
    /// and unless the numbers that a register has given out only grow.
    pub(crate) fn agree_with(&self, ledger: &Ledger) {
        for (authority, (number, lists)) in &self.0 {
            let register = RegisterId::Authority(*authority);
            let on_record: Vec<String> =
                ledger.index().ledger(&register, |found| found.revoked().map(|(serial, _, _)| serial.to_string()).collect());
            let mut listed = Vec::new();
            for list in lists.values() {
                listed.extend(list.full.entries().map(|entry| entry.expect("it was read before").serial.to_string()));
            }
            listed.sort_unstable();
            let mut wanted = on_record;
            wanted.sort_unstable();
            assert_eq!(listed, wanted, "{authority}: on the list (left), and on record (right)");
            let numbers: Vec<CrlNumber> = ledger
                .of_register(&register.name())
                .iter()
                .filter(|line| line.entry.act == Act::Published)
                .filter_map(|line| line.entry.number)
                .collect();
            assert!(numbers.is_sorted_by(|one, next| one < next), "{authority}: {numbers:?}");
            assert_eq!(numbers.last(), Some(number), "{authority}: the last number on record, and the list's");
        }
    }
}
