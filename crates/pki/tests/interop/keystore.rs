//! Key stores and trust stores are read by Java's keytool, by OpenSSL and by Go, and what they write is known again.

use chancery_pki::{
    Certificate, KeyAlgorithm, KeyEncoding, PrivateKey, issue,
    keystore::{
        Contents, Pkcs12Profile, jks, jks_holds, jks_truststore, jks_truststore_holds, pkcs12, pkcs12_holds, pkcs12_truststore,
        pkcs12_truststore_holds,
    },
    pem_bundle, self_sign,
};

use super::support::{Directory, KINDS, ca, template};

/// In a command line, `~` stands for a space.
const PASSWORD: &str = "correct horse";
const GIVEN: &str = "correct~horse";
const GOCHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/gocheck/bin/gocheck");
const SALT: [u8; 20] = [7; 20];
/// Those that OpenSSL 3.0 and Java 17 read.
const READ_BY_ALL: [Pkcs12Profile; 3] = [Pkcs12Profile::LegacyRc2, Pkcs12Profile::LegacyDes, Pkcs12Profile::Modern2023];

struct Issued {
    key: PrivateKey,
    chain: Vec<Certificate>,
    ca: Vec<Certificate>,
}

impl Issued {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let (root_key, between_key, key) = (generate(), generate(), PrivateKey::generate(algorithm).unwrap());
        let root = self_sign(&ca("root", 1, None), &root_key).unwrap();
        // As when an authority has a new key: another certificate of the same name.
        let next = self_sign(&ca("root", 2, None), &generate()).unwrap();
        let between = issue(&ca("between", 3, Some(0)), between_key.public_key(), &root, &root_key).unwrap();
        let leaf = issue(&template("leaf", 4), key.public_key(), &between, &between_key).unwrap();
        Self { key, chain: vec![leaf, between], ca: vec![root, next] }
    }

    fn contents<'a>(&'a self, alias: &'a str) -> Contents<'a> {
        Contents { key: &self.key, chain: &self.chain, ca: &self.ca, alias }
    }
}

fn generate() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn try_keytool(directory: &Directory, arguments: &str) -> Result<String, String> {
    let quick = "-J-XX:TieredStopAtLevel=1 -J-XX:+UseSerialGC -J-Duser.language=en -J-Duser.timezone=UTC";
    directory.try_program("keytool", &format!("{quick} {arguments}"))
}

fn keytool(directory: &Directory, arguments: &str) -> String {
    try_keytool(directory, arguments).unwrap_or_else(|error| panic!("keytool {arguments}: {error}"))
}

fn list(directory: &Directory, store: &str, kind: &str) -> String {
    keytool(directory, &format!("-list -v -keystore {store} -storetype {kind} -storepass {GIVEN}"))
}

/// The private key that OpenSSL finds in a PKCS#12 store.
fn openssl_key(directory: &Directory, store: &str) -> PrivateKey {
    let text = directory.openssl(&format!("pkcs12 -in {store} -nocerts -noenc -passin pass:{GIVEN}"));
    let begin = text.find("-----BEGIN").unwrap_or_else(|| panic!("no key in {text}"));
    PrivateKey::from_pem(&text.as_bytes()[begin..]).unwrap()
}

fn is(key: &PrivateKey, other: &PrivateKey) -> bool {
    key.to_der(KeyEncoding::Pkcs8).unwrap() == other.to_der(KeyEncoding::Pkcs8).unwrap()
}

#[test]
fn java_and_openssl_read_a_private_key_of_every_kind_out_of_every_store() {
    for algorithm in KINDS {
        let (directory, issued) = (Directory::new(), Issued::new(algorithm));
        let contents = issued.contents("certificate");
        directory.write_octets("keystore.jks", &jks(&contents, PASSWORD.as_bytes(), SALT).unwrap());
        let mut stores = vec![("keystore.jks".to_owned(), "JKS")];
        for profile in READ_BY_ALL {
            let store = format!("{}.p12", profile.as_str());
            directory.write_octets(&store, &pkcs12(&contents, profile, PASSWORD.as_bytes()).unwrap());
            assert!(is(&openssl_key(&directory, &store), &issued.key), "{algorithm} {store}");
            if profile != Pkcs12Profile::LegacyRc2 {
                stores.push((store, "PKCS12"));
            }
        }
        for (store, kind) in stores {
            keytool(
                &directory,
                &format!(
                    "-importkeystore -noprompt -srckeystore {store} -srcstoretype {kind} -srcstorepass {GIVEN} -destkeystore {store}.out \
                     -deststoretype PKCS12 -deststorepass {GIVEN}"
                ),
            );
            assert!(is(&openssl_key(&directory, &format!("{store}.out")), &issued.key), "{algorithm} {store}");
        }
    }
}

#[test]
fn keytool_lists_a_key_store_with_its_chain_and_authorities() {
    let (directory, issued) = (Directory::new(), Issued::new(KeyAlgorithm::EcdsaP256));
    // Java finds no alias in a JKS that has capital letters.
    directory.write_octets("store", &jks(&issued.contents("Zürich-1"), PASSWORD.as_bytes(), SALT).unwrap());
    let said = list(&directory, "store", "JKS");
    for line in
        ["Your keystore contains 3 entries", "Alias name: zürich-1", "Creation date: Jun 1, 2026", "Alias name: ca\n", "Alias name: ca-1\n"]
    {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert_eq!(said.matches("Entry type: PrivateKeyEntry\nCertificate chain length: 2\n").count(), 1, "{said}");
    assert_eq!(said.matches("Entry type: trustedCertEntry").count(), 2, "{said}");
    assert_eq!(exported(&directory, "store", "JKS", "Zürich-1"), issued.chain[0].as_der());
    assert_eq!(exported(&directory, "store", "JKS", "ca-1"), issued.ca[1].as_der());
    for profile in READ_BY_ALL {
        directory.write_octets("store", &pkcs12(&issued.contents("Zürich-1"), profile, PASSWORD.as_bytes()).unwrap());
        let said = list(&directory, "store", "PKCS12");
        // Java makes the chain as long as the authorities let it be.
        for line in ["Your keystore contains 1 entry", "Alias name: zürich-1", "Entry type: PrivateKeyEntry\nCertificate chain length: 3\n"]
        {
            assert!(said.contains(line), "{profile:?}: {line:?} is not in\n{said}");
        }
        assert_eq!(exported(&directory, "store", "PKCS12", "Zürich-1"), issued.chain[0].as_der());
    }
}

fn exported(directory: &Directory, store: &str, kind: &str, alias: &str) -> Vec<u8> {
    keytool(directory, &format!("-exportcert -keystore {store} -storetype {kind} -storepass {GIVEN} -alias {alias} -file exported"));
    directory.read("exported")
}

#[test]
fn java_trusts_each_authority_of_a_trust_store() {
    let (directory, issued) = (Directory::new(), Issued::new(KeyAlgorithm::EcdsaP256));
    directory.write_octets("truststore.jks", &jks_truststore(&issued.ca, PASSWORD.as_bytes()).unwrap());
    let mut stores = vec![("truststore.jks", "JKS")];
    for profile in READ_BY_ALL {
        directory.write_octets(profile.as_str(), &pkcs12_truststore(&issued.ca, profile, PASSWORD.as_bytes()).unwrap());
        stores.push((profile.as_str(), "PKCS12"));
    }
    for (store, kind) in stores {
        let said = list(&directory, store, kind);
        assert!(said.contains("Your keystore contains 2 entries"), "{said}");
        assert_eq!(said.matches("Entry type: trustedCertEntry").count(), 2, "{said}");
        for (alias, authority) in ["ca", "ca-1"].into_iter().zip(&issued.ca) {
            assert_eq!(exported(&directory, store, kind, alias), authority.as_der(), "{store} {alias}");
        }
    }
}

#[test]
fn a_key_store_without_an_alias_has_the_one_that_java_gives() {
    let (directory, issued) = (Directory::new(), Issued::new(KeyAlgorithm::EcdsaP256));
    directory.write_octets("store", &pkcs12(&issued.contents(""), Pkcs12Profile::Modern2023, PASSWORD.as_bytes()).unwrap());
    assert!(list(&directory, "store", "PKCS12").contains("Alias name: 1\n"));
}

#[test]
fn a_self_signed_certificate_is_its_own_authority_in_a_key_store() {
    let (directory, key) = (Directory::new(), generate());
    let chain = [self_sign(&template("alone", 1), &key).unwrap()];
    let contents = Contents { key: &key, chain: &chain, ca: &chain, alias: "ca" };
    directory.write_octets("store", &pkcs12(&contents, Pkcs12Profile::Modern2023, PASSWORD.as_bytes()).unwrap());
    let said = list(&directory, "store", "PKCS12");
    assert!(said.contains("contains 1 entry") && said.contains("Entry type: PrivateKeyEntry\nCertificate chain length: 1\n"), "{said}");
    assert_eq!(directory.openssl(&format!("pkcs12 -in store -nokeys -passin pass:{GIVEN}")).matches("BEGIN CERTIFICATE").count(), 1);
    // The authority gives way to the key that has its name.
    directory.write_octets("store", &jks(&contents, PASSWORD.as_bytes(), SALT).unwrap());
    let said = list(&directory, "store", "JKS");
    for line in ["Alias name: ca\nCreation date: Jun 1, 2026\nEntry type: PrivateKeyEntry", "Alias name: ca-1\n"] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
}

#[test]
fn a_wrong_password_opens_nothing() {
    let (directory, issued) = (Directory::new(), Issued::new(KeyAlgorithm::EcdsaP256));
    let contents = issued.contents("certificate");
    directory.write_octets("JKS", &jks(&contents, PASSWORD.as_bytes(), SALT).unwrap());
    directory.write_octets("PKCS12", &pkcs12(&contents, Pkcs12Profile::Modern2023, PASSWORD.as_bytes()).unwrap());
    for kind in ["JKS", "PKCS12"] {
        let error = try_keytool(&directory, &format!("-list -keystore {kind} -storetype {kind} -storepass wrong-one")).unwrap_err();
        assert!(error.contains("password was incorrect"), "{error}");
    }
    let error = directory.try_openssl("pkcs12 -in PKCS12 -noenc -passin pass:wrong-one").unwrap_err();
    assert!(error.contains("invalid password"), "{error}");
}

#[test]
fn passwords_may_be_short_and_of_any_script() {
    let (directory, issued) = (Directory::new(), Issued::new(KeyAlgorithm::EcdsaP256));
    let contents = issued.contents("certificate");
    for password in ["a", "pässwörd-€", "пароль密码🔑"] {
        directory.write_octets("store", &jks(&contents, password.as_bytes(), SALT).unwrap());
        let said = keytool(&directory, &format!("-list -keystore store -storetype JKS -storepass {password}"));
        assert!(said.contains("certificate, Jun 1, 2026, PrivateKeyEntry"), "{said}");
        for profile in READ_BY_ALL {
            directory.write_octets("store", &pkcs12(&contents, profile, password.as_bytes()).unwrap());
            directory.openssl(&format!("pkcs12 -in store -noenc -passin pass:{password}"));
            // Java itself makes no PKCS#12 store, and opens none, with a password beyond ASCII.
            if password.is_ascii() {
                let said = keytool(&directory, &format!("-list -keystore store -storetype PKCS12 -storepass {password}"));
                assert!(said.contains("PrivateKeyEntry"), "{said}");
            }
        }
        // Go takes no character beyond the BMP.
        directory.write_octets("store", &pkcs12(&contents, Pkcs12Profile::Modern2026, password.as_bytes()).unwrap());
        let said = directory.try_program(GOCHECK, &format!("keystore store {password}"));
        assert_eq!(said.is_ok(), !password.contains('🔑'), "{said:?}");
    }
}

#[test]
fn go_reads_what_is_written_in_every_profile() {
    for algorithm in KINDS {
        let (directory, issued) = (Directory::new(), Issued::new(algorithm));
        for profile in Pkcs12Profile::ALL {
            let (contents, password) = (issued.contents("certificate"), PASSWORD.as_bytes());
            directory.write_octets("keystore", &pkcs12(&contents, profile, password).unwrap());
            directory.write_octets("truststore", &pkcs12_truststore(&issued.ca, profile, password).unwrap());
            let listed = |certificates: &[Certificate]| {
                let listed: Vec<_> = certificates.iter().map(|certificate| format!("\"{}\"", certificate.sha256())).collect();
                format!("\"certificates\":[{}]}}\n", listed.join(","))
            };
            let said = gocheck(&directory, &format!("keystore keystore {GIVEN}"));
            let all = listed(&[issued.chain.clone(), issued.ca.clone()].concat());
            assert_eq!(said, format!("{{\"key\":\"{}\",{all}", issued.key.key_id()), "{algorithm} {profile:?}");
            let said = gocheck(&directory, &format!("truststore truststore {GIVEN}"));
            assert_eq!(said, format!("{{{}", listed(&issued.ca)), "{profile:?}");
            let error = directory.try_program(GOCHECK, "keystore keystore wrong-one").unwrap_err();
            assert!(error.contains("password incorrect"), "{error}");
        }
    }
}

fn gocheck(directory: &Directory, arguments: &str) -> String {
    directory.try_program(GOCHECK, arguments).unwrap_or_else(|error| panic!("gocheck {arguments}: {error}"))
}

#[test]
fn what_go_wrote_need_not_be_written_again_but_for_rc2() {
    for algorithm in KINDS {
        let (directory, mut issued) = (Directory::new(), Issued::new(algorithm));
        directory.write("key.pem", &issued.key.to_pem(KeyEncoding::Pkcs8).unwrap());
        directory.write("chain.pem", &pem_bundle(&issued.chain));
        let written = |kind: &str, ca: &[Certificate]| {
            directory.write("ca.pem", &pem_bundle(ca));
            gocheck(&directory, &format!("stores {kind} key.pem chain.pem ca.pem {GIVEN}"));
            (directory.read("keystore"), directory.read("truststore"))
        };
        let password = PASSWORD.as_bytes();
        let (keystore, truststore) = written("JKS", &issued.ca);
        assert!(jks_holds(&keystore, &issued.contents("certificate"), password), "{algorithm}");
        assert!(jks_truststore_holds(&truststore, &issued.ca, password), "{algorithm}");
        // Authorities of one name have one alias there, so that Java sees one only: to be written again.
        let (_, truststore) = written("LegacyDES", &issued.ca);
        assert!(!pkcs12_truststore_holds(&truststore, &issued.ca, Pkcs12Profile::LegacyDes, password));
        issued.ca.truncate(1);
        for profile in Pkcs12Profile::ALL {
            let (keystore, truststore) = written(profile.as_str(), &issued.ca);
            let holds = profile != Pkcs12Profile::LegacyRc2;
            assert_eq!(pkcs12_holds(&keystore, &issued.contents(""), profile, password), holds, "{algorithm} {profile:?}");
            assert_eq!(pkcs12_truststore_holds(&truststore, &issued.ca, profile, password), holds, "{profile:?}");
        }
    }
}

#[test]
fn what_openssl_wrote_need_not_be_written_again() {
    for algorithm in KINDS {
        let (directory, issued) = (Directory::new(), Issued::new(algorithm));
        directory.write("key.pem", &issued.key.to_pem(KeyEncoding::Pkcs8).unwrap());
        directory.write("chain.pem", &pem_bundle(&issued.chain));
        directory.write("ca.pem", &pem_bundle(&issued.ca));
        let export = format!("pkcs12 -export -inkey key.pem -in chain.pem -certfile ca.pem -name web -passout pass:{GIVEN} -out store");
        directory.openssl(&export);
        assert!(
            pkcs12_holds(&directory.read("store"), &issued.contents("web"), Pkcs12Profile::Modern2023, PASSWORD.as_bytes()),
            "{algorithm}"
        );
        directory.openssl(&format!("{export} -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1"));
        assert!(
            pkcs12_holds(&directory.read("store"), &issued.contents("web"), Pkcs12Profile::LegacyDes, PASSWORD.as_bytes()),
            "{algorithm}"
        );
    }
}
