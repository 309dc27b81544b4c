//! Whether a store has to be written again.

use chancery_pki::{
    KeyAlgorithm,
    keystore::{
        Contents, Pkcs12Profile, jks, jks_holds, jks_truststore, jks_truststore_holds, pkcs12, pkcs12_holds, pkcs12_truststore,
        pkcs12_truststore_holds,
    },
};

use super::support::{Issued, PASSWORD, generate};

const KINDS: [KeyAlgorithm; 5] =
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }];

#[test]
fn what_is_written_need_not_be_written_again() {
    for issued in KINDS.map(Issued::new) {
        let contents = issued.contents();
        assert!(jks_holds(&jks(&contents, PASSWORD, [7; 20]).unwrap(), &contents, PASSWORD), "{contents:?}");
        assert!(jks_truststore_holds(&jks_truststore(&issued.ca, PASSWORD).unwrap(), &issued.ca, PASSWORD));
        for profile in Pkcs12Profile::ALL {
            let store = pkcs12(&contents, profile, PASSWORD).unwrap();
            assert!(pkcs12_holds(&store, &contents, profile, PASSWORD), "{profile:?} {contents:?}");
            let store = pkcs12_truststore(&issued.ca, profile, PASSWORD).unwrap();
            assert!(pkcs12_truststore_holds(&store, &issued.ca, profile, PASSWORD), "{profile:?}");
        }
    }
}

#[test]
fn whatever_else_is_wanted_of_a_key_store_it_is_written_again() {
    let (issued, other) = (Issued::new(KeyAlgorithm::EcdsaP256), Issued::new(KeyAlgorithm::EcdsaP256));
    let contents = issued.contents();
    let turned: Vec<_> = issued.ca.iter().rev().cloned().collect();
    let others = [
        ("key", Contents { key: &other.key, chain: &other.chain, ..contents }),
        ("chain", Contents { chain: &issued.chain[..1], ..contents }),
        ("authorities", Contents { ca: &issued.ca[..1], ..contents }),
        ("no authorities", Contents { ca: &[], ..contents }),
        ("authorities' order", Contents { ca: &turned, ..contents }),
        ("alias", Contents { alias: "other", ..contents }),
        ("no alias", Contents { alias: "", ..contents }),
    ];
    let store = jks(&contents, PASSWORD, [7; 20]).unwrap();
    for (what, other) in &others {
        assert!(!jks_holds(&store, other, PASSWORD), "{what}");
    }
    assert!(!jks_holds(&store, &contents, b"another"));
    for profile in Pkcs12Profile::ALL {
        let store = pkcs12(&contents, profile, PASSWORD).unwrap();
        for (what, other) in &others {
            assert!(!pkcs12_holds(&store, other, profile, PASSWORD), "{what}");
        }
        assert!(!pkcs12_holds(&store, &contents, profile, b"another"));
        for other in Pkcs12Profile::ALL {
            let legacy = [Pkcs12Profile::LegacyRc2, Pkcs12Profile::LegacyDes];
            let alike = profile == other || legacy.contains(&profile) && legacy.contains(&other);
            assert_eq!(pkcs12_holds(&store, &contents, other, PASSWORD), alike, "{profile:?} {other:?}");
        }
    }
}

#[test]
fn whatever_else_is_wanted_of_a_trust_store_it_is_written_again() {
    let issued = Issued::new(KeyAlgorithm::EcdsaP256);
    let turned: Vec<_> = issued.ca.iter().rev().cloned().collect();
    let key = generate();
    let more = [issued.ca.clone(), vec![super::support::authority("more", 9, &key)]].concat();
    let store = jks_truststore(&issued.ca, PASSWORD).unwrap();
    for ca in [&issued.ca[..1], &[], &turned, &more] {
        assert!(!jks_truststore_holds(&store, ca, PASSWORD));
    }
    assert!(!jks_truststore_holds(&store, &issued.ca, b"another"));
    for profile in Pkcs12Profile::ALL {
        let store = pkcs12_truststore(&issued.ca, profile, PASSWORD).unwrap();
        for ca in [&issued.ca[..1], &[], &turned, &more] {
            assert!(!pkcs12_truststore_holds(&store, ca, profile, PASSWORD));
        }
        assert!(!pkcs12_truststore_holds(&store, &issued.ca, profile, b"another"));
    }
}
