//! What no store is written for, and how aliases are given.

use chancery_pki::{
    KeyAlgorithm,
    keystore::{
        ALIAS_MAX, Contents, KeystoreError, PASSWORD_MAX, Pkcs12Profile, jks, jks_holds, jks_truststore, pkcs12, pkcs12_holds,
        pkcs12_truststore, pkcs12_truststore_holds,
    },
};

use super::support::{Issued, PASSWORD};

/// Why it is written in neither format, if that is the same for both.
fn refusal(contents: &Contents<'_>, password: &[u8]) -> Option<KeystoreError> {
    let one = jks(contents, password, [7; 20]).err();
    for profile in Pkcs12Profile::ALL {
        assert_eq!(pkcs12(contents, profile, password).err(), one, "{profile:?}");
    }
    one
}

#[test]
fn a_store_is_refused_by_the_rule_that_it_breaks() {
    let (issued, other) = (Issued::new(KeyAlgorithm::EcdsaP256), Issued::new(KeyAlgorithm::Ed25519));
    let contents = issued.contents();
    let long = "a".repeat(ALIAS_MAX + 1);
    for (contents, password, error) in [
        (contents, &b""[..], KeystoreError::PasswordEmpty),
        (contents, &[0xc3], KeystoreError::PasswordNotText),
        (contents, &[b'a'; PASSWORD_MAX + 1], KeystoreError::PasswordTooLong { most: PASSWORD_MAX }),
        (Contents { chain: &[], ..contents }, PASSWORD, KeystoreError::NoCertificate),
        (Contents { key: &other.key, ..contents }, PASSWORD, KeystoreError::KeyMismatch),
        (Contents { alias: &long, ..contents }, PASSWORD, KeystoreError::AliasTooLong { most: ALIAS_MAX }),
    ] {
        assert_eq!(refusal(&contents, password), Some(error));
    }
    assert_eq!(refusal(&Contents { alias: &long[1..], ..contents }, &[b'a'; PASSWORD_MAX]), None);
    let nameless = Contents { alias: "", ..contents };
    assert_eq!(jks(&nameless, PASSWORD, [7; 20]).err(), Some(KeystoreError::AliasEmpty));
    let store = pkcs12(&nameless, Pkcs12Profile::Modern2023, PASSWORD).unwrap();
    assert!(pkcs12_holds(&store, &nameless, Pkcs12Profile::Modern2023, PASSWORD));
}

#[test]
fn a_trust_store_of_nothing_is_refused() {
    assert_eq!(jks_truststore(&[], PASSWORD).err(), Some(KeystoreError::NoCertificate));
    for profile in Pkcs12Profile::ALL {
        assert_eq!(pkcs12_truststore(&[], profile, PASSWORD).err(), Some(KeystoreError::NoCertificate));
    }
}

#[test]
fn an_authority_that_is_given_twice_is_there_once() {
    let issued = Issued::new(KeyAlgorithm::EcdsaP256);
    let twice = [issued.ca.clone(), issued.ca.clone()].concat();
    assert_eq!(jks_truststore(&twice, PASSWORD).unwrap(), jks_truststore(&issued.ca, PASSWORD).unwrap());
    let store = pkcs12_truststore(&twice, Pkcs12Profile::Modern2023, PASSWORD).unwrap();
    assert!(pkcs12_truststore_holds(&store, &issued.ca, Pkcs12Profile::Modern2023, PASSWORD));
}

#[test]
fn capital_letters_of_an_alias_make_no_difference_in_a_jks() {
    let issued = Issued::new(KeyAlgorithm::EcdsaP256);
    let (small, capital) = (Contents { alias: "web", ..issued.contents() }, Contents { alias: "WEB", ..issued.contents() });
    assert_eq!(*jks(&small, PASSWORD, [7; 20]).unwrap(), *jks(&capital, PASSWORD, [7; 20]).unwrap());
    assert!(jks_holds(&jks(&small, PASSWORD, [7; 20]).unwrap(), &capital, PASSWORD));
}

#[test]
fn neither_errors_nor_debug_output_tell_the_password() {
    let issued = Issued::new(KeyAlgorithm::EcdsaP256);
    let secret = "s3cr3t".repeat(200);
    let error = jks(&issued.contents(), secret.as_bytes(), [7; 20]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
}
