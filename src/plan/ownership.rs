//! Whose Secret it is. A Secret that is not this Certificate's is neither written nor deleted, whatever the spec says.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use crate::api::{Certificate, names};

/// Whose Secret it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Our annotations name this Certificate.
    Ours,
    /// Those of cert-manager name the Certificate of the same name, or the owner consented.
    Offered,
    /// Anything else; with what would change it.
    Foreign(String),
}

/// Whose Secret it is, by its annotations.
pub fn of(annotations: &BTreeMap<String, String>, certificate: &Certificate) -> Ownership {
    let name = certificate.name_any();
    match annotations.get(names::CERTIFICATE_NAME).map(String::as_str) {
        Some(owner) if owner == name => return Ownership::Ours,
        Some(owner) if !consents(annotations, &name) => {
            return Ownership::Foreign(format!("its annotation {} names \"{owner}\"; {}", names::CERTIFICATE_NAME, remedy(&name)));
        }
        _ => {}
    }
    if consents(annotations, &name) || annotations.get(names::CERT_MANAGER_CERTIFICATE_NAME).is_some_and(|owner| *owner == name) {
        return Ownership::Offered;
    }
    Ownership::Foreign(format!("it was not made by this operator; {}", remedy(&name)))
}

fn consents(annotations: &BTreeMap<String, String>, name: &str) -> bool {
    annotations.get(names::ALLOW_ADOPTION).is_some_and(|consent| consent == name)
}

fn remedy(name: &str) -> String {
    format!("choose another spec.secretName, or let its owner annotate it {}={name}", names::ALLOW_ADOPTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(annotations: &[(&str, &str)]) -> Ownership {
        let mut certificate = Certificate::new("web", crate::api::CertificateSpec::default());
        certificate.metadata.namespace = Some("shop".to_owned());
        of(&annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(), &certificate)
    }

    #[test]
    fn a_secret_is_ours_only_by_annotation_or_consent() {
        assert_eq!(owner(&[("chancery.dev/certificate-name", "web")]), Ownership::Ours);
        assert_eq!(owner(&[("cert-manager.io/certificate-name", "web")]), Ownership::Offered);
        assert_eq!(owner(&[("chancery.dev/allow-adoption", "web")]), Ownership::Offered);
        assert_eq!(owner(&[("chancery.dev/certificate-name", "old"), ("chancery.dev/allow-adoption", "web")]), Ownership::Offered);
        for foreign in [
            &[][..],
            &[("chancery.dev/certificate-name", "other")],
            &[("cert-manager.io/certificate-name", "other")],
            &[("chancery.dev/allow-adoption", "other")],
            &[("chancery.dev/certificate-name", "other"), ("cert-manager.io/certificate-name", "web")],
        ] {
            assert!(matches!(owner(foreign), Ownership::Foreign(_)), "{foreign:?}");
        }
    }
}
