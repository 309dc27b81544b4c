//! A rehearsal: what is about to be signed is made once with a key that is thrown away, read back by a parser that shares no
//! code with the encoder (x509-parser), and compared with what was asked for.
//!
//! Nothing here sees the issuer's key. What is compared is put into words on both sides, one fact for each field and each
//! extension, so that a difference has a name; an extension that nobody asked for is a difference too.

mod expected;
mod found;

use std::{collections::BTreeMap, sync::OnceLock};

use thiserror::Error;

use crate::{
    Certificate, IssueError, KeyAlgorithm, PrivateKey, PublicKey, Template,
    issue::{self, Under},
};

/// What a certificate says, in words: by the name of the field or extension.
type Facts = BTreeMap<String, String>;

/// How much of a fact is shown where two differ, in characters.
const SHOWN: usize = 200;

/// Makes what would be signed for this key, under the name and key identifier of `issuer` (none: it signs itself), with a key
/// that is thrown away, and compares it with the template.
///
/// Takes some tenths of a millisecond. What the real signature will have and this has not is its algorithm.
///
/// # Errors
/// When it cannot be made, cannot be read, or does not say what was asked for; the field is named.
pub fn rehearse(template: &Template, subject_key: &PublicKey, issuer: Option<&Certificate>) -> Result<(), RehearsalError> {
    let thrown_away = thrown_away()?;
    let under = match issuer {
        Some(issuer) => {
            issue::may_issue(template, issuer)?;
            Under { name: issuer.subject().clone(), key_identifier: Some(issuer.identifier_for_issued()) }
        }
        None => Under { name: template.subject.clone(), key_identifier: None },
    };
    let made = issue::draft(template, subject_key, &under, thrown_away)?;
    compare(&made, template, subject_key, &under)
}

/// The key that signs rehearsals. It certifies nothing, stands in no certificate that leaves this module, and goes with the process;
/// making it anew for each would cost several times the rehearsal itself.
fn thrown_away() -> Result<&'static PrivateKey, RehearsalError> {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(|error| RehearsalError::NoKey(error.to_string()))?;
    Ok(KEY.get_or_init(|| key))
}

fn compare(der: &[u8], template: &Template, subject_key: &PublicKey, under: &Under) -> Result<(), RehearsalError> {
    let mut found = found::facts(der).map_err(RehearsalError::Unreadable)?;
    for (field, expected) in expected::facts(template, subject_key, under) {
        let found = found.remove(&field);
        if found.as_ref() != Some(&expected) {
            return Err(RehearsalError::Differs { field, expected: shown(&expected), found: found.as_deref().map(shown) });
        }
    }
    match found.pop_first() {
        Some((field, _)) => Err(RehearsalError::Unasked { field }),
        None => Ok(()),
    }
}

fn shown(fact: &str) -> String {
    fact.chars().take(SHOWN).collect()
}

/// What a rehearsal came upon.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RehearsalError {
    /// It cannot be made at all.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// There was no key to throw away.
    #[error("no key could be made for the rehearsal: {0}")]
    NoKey(String),
    /// The other parser does not read it.
    #[error("another parser does not read it: {0}")]
    Unreadable(String),
    /// It says something else than was asked for.
    #[error("{field} would be {}, and {expected} was asked for", found.as_deref().unwrap_or("missing"))]
    Differs {
        /// The field or extension.
        field: String,
        /// What was asked for.
        expected: String,
        /// What it says; none where it is not there.
        found: Option<String>,
    },
    /// It says something that nobody asked for.
    #[error("{field} would be there, and nobody asked for it")]
    Unasked {
        /// The field or extension.
        field: String,
    },
}

#[cfg(test)]
mod tests;
