//! The other forms of key and certificates that a Secret is to hold.

use std::collections::BTreeSet;

use chancery_pki::keystore::{ALIAS_MAX, Pkcs12Profile};

use super::{error::SpecError, text};
use crate::api::{
    certificate::CertificateSpec,
    keystores::{MAX_PASSWORD, OutputFormat, Password, SecretKeyRef},
};

/// The name of a key's entry where none is given.
const DEFAULT_ALIAS: &str = "certificate";
/// The key of a Secret that holds a password where none is given.
const DEFAULT_KEY: &str = "password";

/// Stores for Java programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedKeystores {
    /// In Java's own format.
    pub jks: Option<WantedJks>,
    /// In PKCS#12.
    pub pkcs12: Option<WantedPkcs12>,
}

/// A store in Java's own format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedJks {
    /// The name of the key's entry.
    pub alias: String,
    /// What it is locked with.
    pub password: PasswordSource,
}

/// A store in PKCS#12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPkcs12 {
    /// Which algorithms protect it.
    pub profile: Pkcs12Profile,
    /// What it is locked with.
    pub password: PasswordSource,
}

/// Where a password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordSource {
    /// In the spec.
    Literal(Password),
    /// In a Secret of the same namespace.
    Secret {
        /// The Secret.
        name: String,
        /// The key in it.
        key: String,
    },
}

impl WantedKeystores {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.jks.is_none() && self.pkcs12.is_none()
    }

    /// Where their passwords are.
    pub fn passwords(&self) -> impl Iterator<Item = &PasswordSource> {
        self.jks.iter().map(|jks| &jks.password).chain(self.pkcs12.iter().map(|pkcs12| &pkcs12.password))
    }
}

/// Which other forms are asked for.
pub(super) fn formats(spec: &CertificateSpec) -> Result<BTreeSet<OutputFormat>, SpecError> {
    let mut formats = BTreeSet::new();
    for (index, wanted) in spec.additional_output_formats.iter().enumerate() {
        if !formats.insert(wanted.format) {
            return Err(SpecError::new(format!("spec.additionalOutputFormats[{index}].type"), "stands there twice: each format once"));
        }
    }
    Ok(formats)
}

/// Which stores are asked for.
pub(super) fn stores(spec: &CertificateSpec) -> Result<WantedKeystores, SpecError> {
    let Some(keystores) = &spec.keystores else {
        return Ok(WantedKeystores::default());
    };
    let mut wanted = WantedKeystores::default();
    if let Some(jks) = keystores.jks.as_ref().filter(|jks| jks.create) {
        let alias = jks.alias.clone().unwrap_or_else(|| DEFAULT_ALIAS.to_owned());
        text::attribute(&alias, 253).map_err(|problem| SpecError::new("spec.keystores.jks.alias", problem))?;
        if alias.to_lowercase().len() > ALIAS_MAX {
            return Err(SpecError::new("spec.keystores.jks.alias", format!("has more than {ALIAS_MAX} octets in UTF-8")));
        }
        let password = password(&spec.secret_name, "spec.keystores.jks", jks.password.as_ref(), jks.password_secret_ref.as_ref())?;
        wanted.jks = Some(WantedJks { alias, password });
    }
    if let Some(pkcs12) = keystores.pkcs12.as_ref().filter(|pkcs12| pkcs12.create) {
        let password = password(&spec.secret_name, "spec.keystores.pkcs12", pkcs12.password.as_ref(), pkcs12.password_secret_ref.as_ref())?;
        wanted.pkcs12 = Some(WantedPkcs12 { profile: pkcs12.profile.unwrap_or(Pkcs12Profile::LegacyRc2), password });
    }
    Ok(wanted)
}

fn password(own: &str, field: &str, literal: Option<&Password>, reference: Option<&SecretKeyRef>) -> Result<PasswordSource, SpecError> {
    match (literal, reference) {
        (Some(literal), None) if literal.as_bytes().is_empty() => Err(SpecError::new(format!("{field}.password"), "is empty")),
        (Some(literal), None) if literal.as_bytes().len() > MAX_PASSWORD => {
            Err(SpecError::new(format!("{field}.password"), format!("has more than {MAX_PASSWORD} octets")))
        }
        (Some(literal), None) => Ok(PasswordSource::Literal(literal.clone())),
        // It would change with each change of itself.
        (None, Some(reference)) if reference.name == own => Err(SpecError::new(
            format!("{field}.passwordSecretRef.name"),
            "is spec.secretName itself: the password must be in another Secret",
        )),
        (None, Some(reference)) => {
            text::subdomain(&reference.name).map_err(|problem| SpecError::new(format!("{field}.passwordSecretRef.name"), problem))?;
            let key = reference.key.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned());
            text::data_key(&key).map_err(|problem| SpecError::new(format!("{field}.passwordSecretRef.key"), problem))?;
            Ok(PasswordSource::Secret { name: reference.name.clone(), key })
        }
        _ => Err(SpecError::new(field, "exactly one of password and passwordSecretRef is required")),
    }
}
