//! Stores that others have changed or made up: nothing panics, and nothing is taken for what it is not.

use std::{fs, path::Path, sync::LazyLock};

use chancery_pki::{
    Certificate, PrivateKey,
    keystore::{
        Contents, Pkcs12Profile, jks, jks_holds, jks_truststore, jks_truststore_holds, pkcs12, pkcs12_holds, pkcs12_truststore,
        pkcs12_truststore_holds,
    },
};
use proptest::{collection::vec, option, prelude::*, sample};

use super::fixed::{CERTIFICATE, KEY, PASSWORD};

/// Whether it is any of the stores of the fixed key and certificate.
fn is_one(store: &[u8]) -> bool {
    let (contents, ca) = (contents(), &FIXED.1);
    let pkcs12 = |profile| pkcs12_holds(store, &contents, profile, PASSWORD) || pkcs12_truststore_holds(store, ca, profile, PASSWORD);
    jks_holds(store, &contents, PASSWORD) || jks_truststore_holds(store, ca, PASSWORD) || Pkcs12Profile::ALL.into_iter().any(pkcs12)
}

static FIXED: LazyLock<(PrivateKey, Vec<Certificate>)> =
    LazyLock::new(|| (PrivateKey::from_pem(KEY.as_bytes()).unwrap(), Certificate::bundle_from_pem(CERTIFICATE.as_bytes()).unwrap()));

fn contents() -> Contents<'static> {
    Contents { key: &FIXED.0, chain: &FIXED.1, ca: &FIXED.1, alias: "certificate" }
}

/// All stores of the fixed key and certificate, by name.
static STORES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let (contents, ca) = (contents(), &FIXED.1);
    let mut stores = vec![
        ("keystore.jks".to_owned(), jks(&contents, PASSWORD, [7; 20]).unwrap().to_vec()),
        ("truststore.jks".to_owned(), jks_truststore(ca, PASSWORD).unwrap()),
    ];
    for profile in Pkcs12Profile::ALL {
        let name = profile.as_str();
        stores.push((format!("keystore.{name}"), pkcs12(&contents, profile, PASSWORD).unwrap().to_vec()));
        stores.push((format!("truststore.{name}"), pkcs12_truststore(ca, profile, PASSWORD).unwrap()));
    }
    stores
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_store_that_was_changed_is_looked_at_without_panic(
        which in any::<sample::Index>(),
        edits in vec((any::<sample::Index>(), any::<u8>()), 0..4),
        length in option::weighted(0.3, any::<sample::Index>()),
        more in option::weighted(0.1, vec(any::<u8>(), 1..20)),
    ) {
        let (name, store) = which.get(&STORES);
        let mut changed = store.clone();
        for (place, octet) in edits {
            *place.get_mut(&mut changed) = octet;
        }
        changed.truncate(length.map_or(store.len(), |length| length.index(store.len())));
        changed.extend(more.unwrap_or_default());
        let holds = is_one(&changed);
        prop_assert!(!holds || changed.len() == store.len(), "{name}: shortened or lengthened");
        prop_assert!(holds || changed != *store, "{name}: as it was");
    }

    #[test]
    fn octets_of_any_kind_are_no_store(octets in vec(any::<u8>(), 0..2000)) {
        prop_assert!(!is_one(&octets));
    }
}

/// So that what the fuzz target has reached is reached with every change. The stores that are named are such; the others
/// are named by their hash.
#[test]
fn what_is_kept_of_fuzzing_is_known_or_refused_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/keystore");
    let mut named = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().to_string_lossy().into_owned();
        let holds = is_one(&fs::read(file.path()).unwrap());
        let is_hash = name.len() == 40;
        assert!(holds || is_hash, "{name} is no longer known");
        named += usize::from(!is_hash);
    }
    assert_eq!(named, STORES.len());
}
