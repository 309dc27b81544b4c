//! Which annotations and labels of a Secret an earlier template of ours put: they go when the template does not name them any more.
//!
//! Nothing may go that no template of ours put: whatever others made of the note, it names no key of ours or of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::{SecretTemplate, names};

/// The keys of annotations and labels that a template of ours put, as an annotation remembers them.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Put {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) annotations: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) labels: BTreeSet<String>,
}

impl Put {
    pub(super) fn of(template: &SecretTemplate) -> Option<String> {
        if template.annotations.is_empty() && template.labels.is_empty() {
            return None;
        }
        let put = Self { annotations: template.annotations.keys().cloned().collect(), labels: template.labels.keys().cloned().collect() };
        serde_json::to_string(&put).ok()
    }

    /// What others may have made of the annotation is taken as nothing, and never as a key of ours or of Kubernetes.
    pub(super) fn read(annotations: &BTreeMap<String, String>) -> Self {
        let text = annotations.get(names::SECRET_TEMPLATE).map_or("", String::as_str);
        let mut put: Self = serde_json::from_str(text).unwrap_or_default();
        put.annotations.retain(|key| !reserved(key));
        put.labels.retain(|key| !reserved(key));
        put
    }
}

fn reserved(key: &str) -> bool {
    key != names::ALLOW_DIRECT_INJECTION && names::RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}
