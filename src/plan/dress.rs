//! What a Secret carries around a certificate: its keys, labels and annotations, and what of them is put right without a new one.
//!
//! Pure; the private key is never here.

mod record;
mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_pki::{Certificate as X509, KeyId, San, SignatureAlgorithm, pem_bundle};
use kube::ResourceExt as _;

use super::checks::Origin;
use super::forms::{Forms, Passwords, Present};
use super::observed::{AuthorityView, Backing, ChainText, Content, IssuerView, ListCopy, Observed, SecretRead};
use crate::api::{Certificate, Defaulted, Wanted, encoding_name, names, unwritten};
use template::Put;

pub use record::{Record, issued_with};

/// Everything about a Secret but its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dress {
    /// Annotations of ours and of the template.
    pub annotations: BTreeMap<String, String>,
    /// Labels of ours and of the template.
    pub labels: BTreeMap<String, String>,
    /// Annotations and labels that were put by us and are not wanted any more.
    pub obsolete: Obsolete,
    /// `tls.crt` and `ca.crt`.
    pub chain: ChainText,
    /// `ca.crl`.
    pub lists: Lists,
    /// The other forms of key and certificates.
    pub forms: Forms,
}

/// What becomes of the revocation lists in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lists {
    /// They stay as they are, or as absent as they are.
    Leave,
    /// These take their place.
    Put(Arc<ListCopy>),
    /// They were put by us, and are not asked for any more.
    Remove,
}

impl Lists {
    /// By what is asked for, what is offered, and the annotations of the Secret that is there. Lists that are asked for and not
    /// offered stay: at the beginning of a term nobody knows yet what is published.
    fn of(wanted: &Wanted, offered: Option<&Arc<ListCopy>>, present: &BTreeMap<String, String>) -> Self {
        match offered {
            Some(lists) if wanted.ca_crl => Self::Put(Arc::clone(lists)),
            _ if !wanted.ca_crl && present.contains_key(names::CRL_NUMBER) => Self::Remove,
            _ => Self::Leave,
        }
    }

    /// The value of the annotation that tells which they are.
    fn numbers(&self, present: &BTreeMap<String, String>) -> Option<String> {
        match self {
            Self::Leave => present.get(names::CRL_NUMBER).cloned(),
            Self::Put(lists) => Some(lists.numbers.clone()),
            Self::Remove => None,
        }
    }

    fn fits(&self, present: Option<&str>) -> bool {
        match self {
            Self::Leave => true,
            Self::Put(lists) => present == Some(&*lists.text),
            Self::Remove => present.is_none(),
        }
    }
}

/// Keys that an earlier template of ours put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obsolete {
    /// Annotations.
    pub annotations: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeSet<String>,
}

impl Dress {
    /// Whether the Secret carries it already.
    pub fn fits(&self, secret: &SecretRead) -> bool {
        let has = |all: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| all.get(key) == Some(value))
        };
        has(&secret.annotations, &self.annotations)
            && has(&secret.labels, &self.labels)
            && !self.obsolete.annotations.iter().any(|key| secret.annotations.contains_key(key))
            && !self.obsolete.labels.iter().any(|key| secret.labels.contains_key(key))
            && self.chain == secret.chain
            && self.lists.fits(secret.ca_crl.as_deref())
            && self.forms.is_empty()
    }
}

/// What a Secret that was read should carry around the certificate that it holds.
pub fn of(
    observed: &Observed<'_>,
    wanted: &Wanted,
    secret: &SecretRead,
    issuer: Option<&IssuerView>,
    signer: Option<KeyId>,
    origin: Origin,
) -> Dress {
    let leaf = match &secret.content {
        Content::Pair { certificates, .. } => certificates.first(),
        _ => None,
    };
    let mut record = Record::read(&secret.annotations);
    if origin == Origin::Found {
        record.encoding = secret.key_encoding.map(|encoding| encoding_name(encoding).to_owned());
        record.signature = leaf.and_then(|leaf| not_shown(wanted, leaf)).map(|asked| asked.as_str().to_owned());
    }
    // It says no more where something else is asked for now.
    record.signature = record.signature.filter(|before| wanted.signature.is_some_and(|asked| asked.as_str() == before));
    // What is not written, and satisfies the spec all the same, is a default; also where it was written once, or was found.
    record.defaulted = unwritten(wanted);
    record.authority = signer.map(|key_id| key_id.to_string());
    let mut chain = secret.chain.clone();
    if let Some(leaf) = leaf
        && let Some(Backing::Authority(authority)) = issuer.and_then(|issuer| issuer.backing.as_ref().ok())
        && signer == Some(authority.key_id)
    {
        chain = chain_text(leaf, Some(authority));
        record.chain = Some(authority.fingerprint.clone());
    }
    let lists = match observed.ca_crl_after {
        Some(_) => Lists::Leave,
        None => Lists::of(wanted, observed.ca_crl.as_ref(), &secret.annotations),
    };
    let present = Present {
        forms: &secret.forms,
        annotation: secret.annotations.get(names::FORMS).map(String::as_str),
        same_chain: chain == secret.chain,
        elsewhere: &secret.put_elsewhere,
    };
    let forms = Forms::of(wanted, &observed.passwords, has_ca(wanted, &chain), present);
    compose(observed.certificate, wanted, leaf, &record, Filling { chain, lists, forms }, &secret.annotations)
}

/// Whether there are roots for a trust store.
fn has_ca(wanted: &Wanted, chain: &ChainText) -> bool {
    let readable = |ca: &String| X509::bundle_from_pem(ca.as_bytes()).is_ok_and(|certificates| !certificates.is_empty());
    !wanted.keystores.is_empty() && chain.ca.as_ref().is_some_and(readable)
}

/// The signature that is asked for of a certificate that signs itself, and has another.
fn not_shown(wanted: &Wanted, leaf: &X509) -> Option<SignatureAlgorithm> {
    wanted.signature.filter(|asked| leaf.is_self_signed() && leaf.signature_algorithm() != Some(*asked))
}

/// What a Secret carries around a certificate that was just issued.
pub fn of_issued(certificate: &Certificate, wanted: &Wanted, leaf: &X509, record: &Record, around: &Around<'_>) -> Dress {
    let none = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let (annotations, forms, elsewhere) = match around.present {
        Some(secret) => (&secret.annotations, &secret.forms, &secret.put_elsewhere),
        None => (&none.0, &none.1, &none.2),
    };
    let chain = chain_text(leaf, around.issuer);
    let present = Present { forms, annotation: annotations.get(names::FORMS).map(String::as_str), same_chain: false, elsewhere };
    let forms = Forms::of(wanted, around.passwords, has_ca(wanted, &chain), present);
    let filling = Filling { chain, lists: Lists::of(wanted, around.lists, annotations), forms };
    compose(certificate, wanted, Some(leaf), record, filling, annotations)
}

/// What a Secret carries around a temporary certificate.
pub fn of_temporary(certificate: &Certificate, wanted: &Wanted, leaf: &X509, around: &Around<'_>) -> Dress {
    let mut dress = of_issued(certificate, wanted, leaf, &Record::default(), around);
    dress.chain = ChainText { chain: leaf.to_pem(), ca: None };
    dress.forms.put.retain(|name| ![names::TRUSTSTORE_JKS, names::TRUSTSTORE_P12].contains(name));
    for annotation in [names::SERIAL_NUMBER, names::KEY_ID] {
        dress.annotations.remove(annotation);
        dress.obsolete.annotations.insert(annotation.to_owned());
    }
    dress.annotations.insert(names::TEMPORARY_SERIAL.to_owned(), leaf.serial().to_string());
    dress.obsolete.annotations.remove(names::TEMPORARY_SERIAL);
    dress
}

/// What bears on a Secret that is written with a new certificate.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The authority that signed; none where it signed itself.
    pub issuer: Option<&'a AuthorityView>,
    /// The revocation lists that are offered.
    pub lists: Option<&'a Arc<ListCopy>>,
    /// The passwords of the stores that are wanted.
    pub passwords: &'a Passwords,
    /// The Secret as it is, where there is one.
    pub present: Option<&'a SecretRead>,
}

/// What a Secret's data are put right with, but for the key.
struct Filling {
    chain: ChainText,
    lists: Lists,
    forms: Forms,
}

/// `tls.crt` (the certificate and what stands between it and the root) and `ca.crt` (the top of the chain).
pub fn chain_text(leaf: &X509, issuer: Option<&AuthorityView>) -> ChainText {
    let Some(authority) = issuer else {
        return ChainText { chain: leaf.to_pem(), ca: Some(leaf.to_pem()) };
    };
    let mut sent = vec![leaf.clone()];
    sent.extend(authority.chain.without_root());
    let top = authority.chain.certificates().last().map(X509::to_pem);
    ChainText { chain: pem_bundle(&sent), ca: top }
}

fn compose(
    certificate: &Certificate,
    wanted: &Wanted,
    leaf: Option<&X509>,
    record: &Record,
    Filling { chain, lists, forms }: Filling,
    present: &BTreeMap<String, String>,
) -> Dress {
    let template = &wanted.template;
    let mut annotations = template.annotations.clone();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            annotations.insert(key.to_owned(), value);
        }
    };
    put(names::CERTIFICATE_NAME, Some(certificate.name_any()));
    put(names::ISSUER_NAME, Some(wanted.issuer.name.clone()));
    put(names::ISSUER_KIND, Some(wanted.issuer.kind.as_str().to_owned()));
    put(names::ISSUER_GROUP, Some(names::GROUP.to_owned()));
    let sans = |pick: fn(&San) -> Option<String>| wanted.sans.iter().filter_map(pick).collect::<Vec<_>>().join(",");
    put(names::COMMON_NAME, Some(wanted.subject_parts.common_name.clone().unwrap_or_default()));
    put(names::ALT_NAMES, Some(sans(|san| if let San::Dns(name) = san { Some(name.clone()) } else { None })));
    put(names::IP_SANS, Some(sans(|san| if let San::Ip(ip) = san { Some(ip.to_string()) } else { None })));
    put(names::URI_SANS, Some(sans(|san| if let San::Uri(uri) = san { Some(uri.clone()) } else { None })));
    put(names::EMAIL_SANS, some(sans(|san| if let San::Email(email) = san { Some(email.clone()) } else { None })));
    let subject = &wanted.subject_parts;
    for (key, values) in [
        (names::SUBJECT_ORGANIZATIONS, &subject.organizations),
        (names::SUBJECT_ORGANIZATIONAL_UNITS, &subject.organizational_units),
        (names::SUBJECT_COUNTRIES, &subject.countries),
        (names::SUBJECT_PROVINCES, &subject.provinces),
        (names::SUBJECT_LOCALITIES, &subject.localities),
        (names::SUBJECT_POSTAL_CODES, &subject.postal_codes),
        (names::SUBJECT_STREET_ADDRESSES, &subject.street_addresses),
    ] {
        put(key, some(list(values)));
    }
    put(names::SUBJECT_SERIAL_NUMBER, subject.serial_number.clone());
    put(names::SERIAL_NUMBER, leaf.map(|leaf| leaf.serial().to_string()));
    put(names::KEY_ID, leaf.map(|leaf| leaf.key_id().to_string()));
    put(names::ISSUED_AT, record.issued_at.clone());
    put(names::REQUESTED_DURATION, record.duration.clone());
    put(names::REQUESTED_KEY_ENCODING, record.encoding.clone());
    put(names::REQUESTED_SIGNATURE, record.signature.clone());
    put(names::RENEW_HANDLED, record.renew_handled.clone());
    put(names::DEFAULTED, some(Defaulted::list(&record.defaulted.iter().copied().filter(|value| tells(*value, leaf)).collect())));
    put(names::AUTHORITY, record.authority.clone());
    put(names::CHAIN, record.chain.clone());
    put(names::CRL_NUMBER, lists.numbers(present));
    put(names::FORMS, forms.record.clone());
    put(names::SECRET_TEMPLATE, Put::of(template));

    let mut labels = template.labels.clone();
    labels.insert(names::MANAGED.to_owned(), "true".to_owned());

    let before = Put::read(present);
    let mut obsolete = Obsolete {
        annotations: before.annotations.into_iter().filter(|key| !annotations.contains_key(key)).collect(),
        labels: before.labels.into_iter().filter(|key| !labels.contains_key(key)).collect(),
    };
    obsolete.annotations.extend(
        names::SECRET_ANNOTATIONS
            .iter()
            .filter(|key| present.contains_key(**key) && !annotations.contains_key(**key))
            .map(|key| (*key).to_owned()),
    );
    Dress { annotations, labels, obsolete, chain, lists, forms }
}

/// Whether that a value is a default has to be remembered. Some can be other than the default only in what was found.
fn tells(value: Defaulted, leaf: Option<&X509>) -> bool {
    let Some(leaf) = leaf else { return true };
    match value {
        Defaulted::PathLen => leaf.ca().is_some_and(|ca| ca.path_len.is_some()),
        Defaulted::NameConstraints => leaf.name_constraints().is_some() || leaf.has_unknown_name_constraints(),
        Defaulted::Signature => {
            leaf.is_self_signed() && leaf.signature_algorithm() != leaf.public_key().algorithm().map(SignatureAlgorithm::usual)
        }
        Defaulted::Key | Defaulted::Duration | Defaulted::Usages | Defaulted::Encoding => true,
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Values as one line of comma-separated text (RFC 4180): a value with a comma or a quote in it is quoted, so that a reader gets
/// back what was put in.
fn list(values: &[String]) -> String {
    let quoted = |value: &String| {
        if value.contains([',', '"', '\r', '\n']) || value.starts_with(' ') {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.clone()
        }
    };
    values.iter().map(quoted).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_values_is_one_line_that_can_be_taken_apart_again() {
        let values = |values: &[&str]| list(&values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>());
        assert_eq!(values(&["Example", "Example Ltd"]), "Example,Example Ltd");
        assert_eq!(values(&["Example, Inc.", "the \"other\" one"]), "\"Example, Inc.\",\"the \"\"other\"\" one\"");
        assert_eq!(values(&[]), "");
    }
}
