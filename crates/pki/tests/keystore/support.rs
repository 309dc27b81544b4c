//! What the tests put into stores.

use chancery_pki::{
    CaConstraints, Certificate, KeyAlgorithm, Name, PrivateKey, RANDOM_OCTETS, SerialNumber, SubjectParts, Template, Usage, issue,
    keystore::Contents, self_sign,
};

pub(crate) use super::fixed::PASSWORD;

pub(crate) struct Issued {
    pub(crate) key: PrivateKey,
    pub(crate) chain: Vec<Certificate>,
    pub(crate) ca: Vec<Certificate>,
}

impl Issued {
    pub(crate) fn new(algorithm: KeyAlgorithm) -> Self {
        let (root_key, key) = (generate(), PrivateKey::generate(algorithm).unwrap());
        let (root, other) = (authority("root", 1, &root_key), authority("other", 2, &generate()));
        let between_key = generate();
        let between = issue(&ca_template("between", 3), between_key.public_key(), &root, &root_key).unwrap();
        let leaf = issue(&template("leaf", 4), key.public_key(), &between, &between_key).unwrap();
        Self { key, chain: vec![leaf, between], ca: vec![root, other] }
    }

    pub(crate) fn contents(&self) -> Contents<'_> {
        Contents { key: &self.key, chain: &self.chain, ca: &self.ca, alias: "certificate" }
    }
}

pub(crate) fn generate() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

pub(crate) fn authority(common_name: &str, serial: u8, key: &PrivateKey) -> Certificate {
    self_sign(&ca_template(common_name, serial), key).unwrap()
}

fn ca_template(common_name: &str, serial: u8) -> Template {
    Template { ca: Some(CaConstraints { path_len: None }), usages: vec![Usage::CertSign, Usage::CrlSign], ..template(common_name, serial) }
}

pub(crate) fn template(common_name: &str, serial: u8) -> Template {
    let subject = SubjectParts { common_name: Some(common_name.into()), ..SubjectParts::default() };
    Template::new(
        SerialNumber::issued(1, [serial; RANDOM_OCTETS]),
        Name::from_parts(&subject).unwrap(),
        "2026-06-01T12:00:00Z".parse().unwrap(),
        "2026-06-02T12:00:00Z".parse().unwrap(),
    )
}
