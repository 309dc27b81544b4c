//! The other forms of key and certificates in a Secret: which are wanted, which stand in it, what is put and what is taken away.
//!
//! Whether a form that stands there is right is observed, since that takes a password; nothing here sees one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::{OutputFormat, PasswordSource, Wanted, names};

/// The name of a store among the forms.
pub const JKS: &str = "jks";
/// The name of a store among the forms.
pub const PKCS12: &str = "pkcs12";

/// The keys of a Secret under which a form stands.
fn keys(form: &str) -> &'static [&'static str] {
    match form {
        "DER" => &[names::KEY_DER],
        "CombinedPEM" => &[names::COMBINED_PEM],
        JKS => &[names::KEYSTORE_JKS, names::TRUSTSTORE_JKS],
        PKCS12 => &[names::KEYSTORE_P12, names::TRUSTSTORE_P12],
        _ => &[],
    }
}

/// All keys of a Secret that are forms.
pub const ALL: [&str; 6] =
    [names::KEY_DER, names::COMBINED_PEM, names::KEYSTORE_JKS, names::TRUSTSTORE_JKS, names::KEYSTORE_P12, names::TRUSTSTORE_P12];

/// What is known of the passwords that are wanted, without knowing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passwords {
    /// Of each store whose password stands in a Secret: which Secret in which version.
    pub marks: BTreeMap<&'static str, String>,
    /// Of each store whose password cannot be had: what is not there, and what to do about it.
    pub missing: BTreeMap<&'static str, String>,
}

impl Passwords {
    /// What to do first, where a password is missing.
    pub fn missing(&self) -> Option<&str> {
        self.missing.values().next().map(String::as_str)
    }
}

/// The stores that are wanted, with where their passwords are.
pub fn sources(wanted: &Wanted) -> impl Iterator<Item = (&'static str, &PasswordSource)> {
    let keystores = &wanted.keystores;
    let jks = keystores.jks.iter().map(|jks| (JKS, &jks.password));
    jks.chain(keystores.pkcs12.iter().map(|pkcs12| (PKCS12, &pkcs12.password)))
}

/// Which forms a Secret holds because we put them, as an annotation records it: so they can be taken away again, and it can be told
/// without reading the Secret that a password changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Record {
    #[serde(default)]
    forms: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    passwords: BTreeMap<String, String>,
}

impl Record {
    /// Of what is wanted.
    pub fn of(wanted: &Wanted, passwords: &Passwords) -> Self {
        let formats = wanted.formats.iter().map(|format| match format {
            OutputFormat::Der => "DER",
            OutputFormat::CombinedPem => "CombinedPEM",
        });
        let forms = formats.chain(sources(wanted).map(|(store, _)| store)).map(ToOwned::to_owned).collect();
        let marks = passwords.marks.iter().map(|(store, mark)| ((*store).to_owned(), mark.clone())).collect();
        Self { forms, passwords: marks }
    }

    /// As an annotation's value; none where there is no form. What others made of it counts as nothing.
    fn read(annotation: Option<&str>) -> Self {
        annotation.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The annotation's value; none where there is no form.
    pub fn text(&self) -> Option<String> {
        if self.forms.is_empty() {
            return None;
        }
        serde_json::to_string(self).ok()
    }

    /// A store whose password is missing stays as it is.
    fn or_as_before(mut self, passwords: &Passwords, before: &Self) -> Self {
        for store in passwords.missing.keys().copied() {
            if !before.forms.contains(store) {
                self.forms.remove(store);
            }
            match before.passwords.get(store) {
                Some(mark) => drop(self.passwords.insert(store.to_owned(), mark.clone())),
                None => drop(self.passwords.remove(store)),
            }
        }
        self
    }

    fn keys(&self) -> BTreeSet<&'static str> {
        self.forms.iter().flat_map(|form| keys(form)).copied().collect()
    }
}

/// Whether a Secret's annotation says that it holds what is wanted. Of a store whose password is missing nothing better could be put.
pub fn as_recorded(wanted: &Wanted, passwords: &Passwords, annotation: Option<&str>) -> bool {
    Record::of(wanted, passwords).or_as_before(passwords, &Record::read(annotation)).text().as_deref() == annotation
}

/// What is put into a Secret and taken away from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// The keys that are written.
    pub put: BTreeSet<&'static str>,
    /// The keys that are taken away.
    pub remove: BTreeSet<&'static str>,
    /// The annotation's new value.
    pub record: Option<String>,
}

/// What stands in a Secret beside a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Present<'a> {
    /// The forms in it, and whether each is what it should be.
    pub forms: &'a BTreeMap<&'static str, bool>,
    /// The annotation that records them.
    pub annotation: Option<&'a str>,
    /// Whether certificate and chain stay as they are: then what is right stays too.
    pub same_chain: bool,
    /// The forms that cert-manager put, which are recorded nowhere.
    pub elsewhere: &'a BTreeSet<&'static str>,
}

impl Forms {
    /// What has to happen so that a Secret holds what is wanted. A store whose password is missing stays as it is.
    pub fn of(wanted: &Wanted, passwords: &Passwords, has_ca: bool, present: Present<'_>) -> Self {
        let recorded = Record::read(present.annotation);
        let record = Record::of(wanted, passwords).or_as_before(passwords, &recorded);
        let stay: BTreeSet<&str> = passwords.missing.keys().flat_map(|store| keys(store)).copied().collect();
        let mut keys = record.keys();
        if !has_ca {
            keys.retain(|key| ![names::TRUSTSTORE_JKS, names::TRUSTSTORE_P12].contains(key));
        }
        let right = |key: &str| present.same_chain && present.forms.get(key) == Some(&true);
        let before: BTreeSet<&str> = recorded.keys().into_iter().chain(present.elsewhere.iter().copied()).collect();
        Self {
            put: keys.iter().copied().filter(|key| !right(key) && !stay.contains(key)).collect(),
            remove: before
                .into_iter()
                .filter(|key| !keys.contains(key) && !stay.contains(key) && present.forms.contains_key(key))
                .collect(),
            record: record.text(),
        }
    }

    /// Whether nothing has to happen but to the annotation.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }
}
