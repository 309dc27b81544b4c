//! Makes a temporary certificate and writes it into the Secret.
//!
//! The key that signs it exists for this one signature. No register has a line of it: nobody trusts it, and there is nobody who
//! could revoke it.

use std::sync::Arc;

use chancery_pki::{
    CaConstraints, Certificate as X509, IssueError, KeyAlgorithm, Name, PrivateKey, SubjectParts, Template, issue, self_sign,
};

use super::{
    Context, Fault, blocking, failed,
    issue::{new_key, put, serial},
};
use crate::{
    observe::{Sight, Wiped},
    plan::{
        dress::{self, Around},
        temporary::Temporary,
    },
};

/// The name of the issuer that a temporary certificate shows.
const ISSUER: &str = "temporary certificate: trust nothing that it signs";

/// Makes a temporary certificate; returns the Secret as the API server has it now.
pub(super) async fn put_temporary(context: &Context, sight: &Sight, temporary: &Temporary) -> Result<Wiped, Fault> {
    let Ok(wanted) = &sight.wanted else {
        return Err(Fault::Stale);
    };
    let key = new_key(context, &sight.name, temporary.key).await?;
    let template = temporary.template(wanted, serial(1)?);
    let certificate = {
        let key = Arc::clone(&key);
        blocking(move || sign(&template, &key))
            .await?
            .map_err(|error| failed(format!("no temporary certificate could be made: {error}")))?
    };
    let around = Around { issuer: None, lists: None, passwords: &sight.passwords, present: sight.read() };
    let dress = dress::of_temporary(&sight.certificate, wanted, &certificate, &around);
    let pem = key.to_pem(temporary.encoding).map_err(|error| failed(format!("the key cannot be written down: {error}")))?;
    put(context, sight, wanted, &dress, Some((&key, pem.as_bytes()))).await
}

fn sign(template: &Template, key: &PrivateKey) -> Result<X509, IssueError> {
    let thrown_away = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(|error| IssueError::Encode { reason: error.to_string() })?;
    let parts = SubjectParts { common_name: Some(ISSUER.to_owned()), ..SubjectParts::default() };
    let subject = Name::from_parts(&parts).map_err(|error| IssueError::Encode { reason: error.to_string() })?;
    let ca = Template { subject, sans: Vec::new(), usages: Vec::new(), ca: Some(CaConstraints { path_len: Some(0) }), ..template.clone() };
    issue(template, key.public_key(), &self_sign(&ca, &thrown_away)?, &thrown_away)
}
