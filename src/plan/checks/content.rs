//! Whether a certificate, with what annotations tell of it, is what the spec asks for: field by field, in order.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{Certificate as X509, KeyAlgorithm, KeyEncoding, PrivateKey, SignatureAlgorithm};

use super::{Origin, Violation, read, text_of};
use crate::{
    api::{Defaulted, GoDuration, Resolved, Wanted, encoding_name, names, reason::certificate as reason, resolve},
    plan::observed::{Backing, IssuerView, SecretRead},
};

/// Whether certificate and annotations are what the spec asks for. `taken_over` where the register has it as made elsewhere.
///
/// # Errors
/// The first check that is violated.
pub fn satisfies(
    wanted: &Wanted,
    certificates: &[X509],
    key: &PrivateKey,
    secret: &SecretRead,
    issuer_view: Option<&IssuerView>,
    origin: Origin,
    taken_over: bool,
) -> Result<(), Violation> {
    let annotations = &secret.annotations;
    let Some(certificate) = certificates.first() else {
        return Ok(());
    };
    // What is neither written nor was a default: it was written once, and the default holds again.
    let effective =
        |adopted| issuer_view.and_then(|issuer| issuer.spec.as_ref()).map(|spec| resolve(wanted, &spec.defaults, &spec.allow, adopted));
    let mut defaulted = match origin {
        Origin::Issued => Defaulted::from_list(annotations.get(names::DEFAULTED).map_or("", String::as_str)),
        // Nobody wrote down which of its values were defaults; what the spec leaves open is as it is found.
        Origin::Found => Defaulted::ALL.into(),
    };
    if taken_over {
        // Versions before this one took them over without a word about these.
        defaulted.extend(Defaulted::OF_OTHERS);
    }
    if origin == Origin::Issued {
        issuer(wanted, annotations)?;
    }
    names_of(wanted, certificate)?;
    subject(wanted, certificate)?;
    constraints(wanted, certificate, &defaulted)?;
    usages(wanted, certificate, effective(Some(key.algorithm())).as_ref(), &defaulted)?;
    private_key(wanted, key, secret.key_encoding, effective(None).as_ref(), &defaulted)?;
    if matches!(issuer_view.and_then(|issuer| issuer.backing.as_ref().ok()), Some(Backing::SelfSigned)) {
        signature(wanted, certificate, key.algorithm(), annotations, &defaulted, origin)?;
    }
    duration(wanted, certificate, annotations, effective(None).as_ref(), &defaulted)
}

fn issuer(wanted: &Wanted, annotations: &BTreeMap<String, String>) -> Result<(), Violation> {
    let kind = read(annotations, names::ISSUER_KIND).unwrap_or("Issuer");
    let name = read(annotations, names::ISSUER_NAME).unwrap_or_default();
    if name == wanted.issuer.name && kind == wanted.issuer.kind.as_str() {
        return Ok(());
    }
    let found = if name.is_empty() { "no issuer".to_owned() } else { format!("{kind} {name}") };
    Err(Violation::spec(
        reason::ISSUER_CHANGED,
        format!("the certificate is from {found}, the spec names {} {}", wanted.issuer.kind.as_str(), wanted.issuer.name),
    ))
}

fn names_of(wanted: &Wanted, certificate: &X509) -> Result<(), Violation> {
    if !certificate.has_unknown_sans() && *certificate.sans() == wanted.sans {
        return Ok(());
    }
    let text = |sans: &BTreeSet<chancery_pki::San>| sans.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(Violation::spec(
        reason::NAMES_CHANGED,
        format!("the certificate is for [{}], the spec asks for [{}]", text(certificate.sans()), text(&wanted.sans)),
    ))
}

fn subject(wanted: &Wanted, certificate: &X509) -> Result<(), Violation> {
    let same = if wanted.literal {
        certificate.subject().has_same_values(&wanted.subject)
    } else {
        // The same values in another form (several of one attribute in one SET, as Go writes them) are the same subject.
        *certificate.subject() == wanted.subject || certificate.subject().has_parts(&wanted.subject_parts)
    };
    if same {
        return Ok(());
    }
    Err(Violation::spec(
        reason::SUBJECT_CHANGED,
        format!("the certificate's subject is \"{}\", the spec asks for \"{}\"", certificate.subject(), wanted.subject),
    ))
}

/// What a CA may certify.
fn constraints(wanted: &Wanted, certificate: &X509, defaulted: &BTreeSet<Defaulted>) -> Result<(), Violation> {
    let changed = |message: String| Err(Violation::spec(reason::CONSTRAINTS_CHANGED, message));
    let as_found = wanted.name_constraints.is_none() && defaulted.contains(&Defaulted::NameConstraints);
    let same = !certificate.has_unknown_name_constraints() && certificate.name_constraints() == wanted.name_constraints.as_ref();
    if !same && !as_found {
        return changed("the certificate's name constraints are not those that the spec asks for".to_owned());
    }
    let Some(ca) = certificate.ca() else { return Ok(()) };
    if ca.path_len == wanted.path_len || (wanted.path_len.is_none() && defaulted.contains(&Defaulted::PathLen)) {
        return Ok(());
    }
    let text = |length: Option<u8>| length.map_or_else(|| "unbounded".to_owned(), |length| length.to_string());
    changed(format!("the certificate's path length is {}, the spec asks for {}", text(ca.path_len), text(wanted.path_len)))
}

/// How a certificate signs itself.
fn signature(
    wanted: &Wanted,
    certificate: &X509,
    key: KeyAlgorithm,
    annotations: &BTreeMap<String, String>,
    defaulted: &BTreeSet<Defaulted>,
    origin: Origin,
) -> Result<(), Violation> {
    let asked = match wanted.signature {
        Some(asked) => asked,
        None if defaulted.contains(&Defaulted::Signature) => return Ok(()),
        None => SignatureAlgorithm::usual(key),
    };
    // cert-manager signs with the key's usual algorithm whatever is asked. What was asked of it is not asked anew by taking it over.
    let was_asked = || annotations.get(names::REQUESTED_SIGNATURE).map(String::as_str) == Some(asked.as_str());
    if certificate.signature_algorithm() == Some(asked) || origin == Origin::Found || was_asked() {
        return Ok(());
    }
    Err(Violation::spec(reason::SIGNATURE_CHANGED, format!("the certificate does not sign itself with {asked}, which the spec asks for")))
}

fn usages(wanted: &Wanted, certificate: &X509, effective: Option<&Resolved>, defaulted: &BTreeSet<Defaulted>) -> Result<(), Violation> {
    if certificate.ca().is_some() != wanted.is_ca {
        let message = if wanted.is_ca { "the spec asks for a CA certificate" } else { "the spec asks for no CA certificate" };
        return Err(Violation::spec(reason::USAGES_CHANGED, message));
    }
    if wanted.usages.is_none() && defaulted.contains(&Defaulted::Usages) {
        return Ok(());
    }
    let Some(asked) = wanted.usages.clone().or_else(|| effective.map(|effective| effective.usages.clone())) else {
        return Ok(());
    };
    let asked: BTreeSet<_> = asked.into_iter().map(chancery_pki::Usage::canonical).collect();
    if *certificate.usages() == asked {
        return Ok(());
    }
    let text = |usages: &BTreeSet<chancery_pki::Usage>| usages.iter().map(chancery_pki::Usage::as_str).collect::<Vec<_>>().join(", ");
    Err(Violation::spec(
        reason::USAGES_CHANGED,
        format!("the certificate's usages are [{}], the spec asks for [{}]", text(certificate.usages()), text(&asked)),
    ))
}

fn private_key(
    wanted: &Wanted,
    key: &PrivateKey,
    encoded: Option<KeyEncoding>,
    effective: Option<&Resolved>,
    defaulted: &BTreeSet<Defaulted>,
) -> Result<(), Violation> {
    let goes = wanted.signature.is_none_or(|signature| signature.family() == key.algorithm().family());
    let asked = match (wanted.key, goes && defaulted.contains(&Defaulted::Key)) {
        (Some(asked), _) => asked,
        (None, false) if effective.is_some() => effective.map_or_else(|| key.algorithm(), |effective| effective.key),
        (None, _) => key.algorithm(),
    };
    if key.algorithm() != asked {
        return Err(Violation::spec(reason::KEY_CHANGED, format!("the private key is {}, the spec asks for {asked}", key.algorithm())));
    }
    if key.algorithm() == KeyAlgorithm::Ed25519 {
        // It has one encoding only (RFC 8410).
        return Ok(());
    }
    let Some(encoded) = encoded else {
        return Ok(());
    };
    let asked = match (wanted.encoding, defaulted.contains(&Defaulted::Encoding)) {
        (Some(asked), _) => asked,
        (None, false) => effective.map_or(KeyEncoding::Pkcs1, |effective| effective.encoding),
        (None, true) => return Ok(()),
    };
    if encoded != asked {
        return Err(Violation::spec(
            reason::KEY_CHANGED,
            format!("the private key is encoded as {}, the spec asks for {}", encoding_name(encoded), encoding_name(asked)),
        ));
    }
    Ok(())
}

fn duration(
    wanted: &Wanted,
    certificate: &X509,
    annotations: &BTreeMap<String, String>,
    effective: Option<&Resolved>,
    defaulted: &BTreeSet<Defaulted>,
) -> Result<(), Violation> {
    if wanted.duration.is_none() && defaulted.contains(&Defaulted::Duration) {
        return Ok(());
    }
    let Some(asked) = wanted.duration.or_else(|| effective.map(|effective| effective.duration)) else {
        return Ok(());
    };
    let given = read(annotations, names::REQUESTED_DURATION)
        .and_then(|text| text.parse::<GoDuration>().ok())
        .map_or_else(|| certificate.not_after().duration_since(certificate.not_before()), GoDuration::get);
    if given == asked {
        return Ok(());
    }
    Err(Violation::spec(
        reason::DURATION_CHANGED,
        format!("the certificate was asked to last {}, the spec asks for {}", text_of(given), text_of(asked)),
    ))
}
