//! Texts as documents: YAML with any number of them, JSON, lists of objects.

use serde::Deserialize as _;
use serde_json::Value;
use thiserror::Error;

use super::Document;

/// The documents in a text; `place` says where the text is from. Empty ones are left out, lists are taken apart.
///
/// # Errors
/// When the text is neither YAML nor JSON, or a document is no object.
pub fn parse(place: &str, text: &str) -> Result<Vec<Document>, DocumentError> {
    let mut documents = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let place = || format!("{place}, document {}", index.saturating_add(1));
        let malformed = |source| DocumentError::Malformed { place: place(), source };
        let mut value = serde_yaml::Value::deserialize(document).map_err(malformed)?;
        value.apply_merge().map_err(malformed)?;
        match serde_json::to_value(value) {
            Ok(Value::Null) => {}
            Ok(object @ Value::Object(_)) => take_apart(&place(), object, &mut documents),
            _ => return Err(DocumentError::NoObject { place: place() }),
        }
    }
    Ok(documents)
}

/// `kubectl get -o yaml` gives a `List`, the API server lists with the kind in their name: both have items.
fn take_apart(place: &str, mut object: Value, documents: &mut Vec<Document>) {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) && object["items"].is_array();
    if !is_list {
        documents.push(Document { place: place.to_owned(), object });
        return;
    }
    if let Value::Array(items) = object["items"].take() {
        for (index, item) in items.into_iter().enumerate() {
            documents.push(Document { place: format!("{place}, item {}", index.saturating_add(1)), object: item });
        }
    }
}

/// Why a text cannot be taken as documents.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// It is neither YAML nor JSON.
    #[error("{place}: {source} (a template has to be rendered first, for example by `helm template`)")]
    Malformed {
        /// Which document.
        place: String,
        /// What is wrong.
        source: serde_yaml::Error,
    },
    /// It is something else.
    #[error("{place}: is no object, or has keys that are no text")]
    NoObject {
        /// Which document.
        place: String,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn objects(text: &str) -> Vec<Value> {
        parse("file", text).unwrap().into_iter().map(|document| document.object).collect()
    }

    #[test]
    fn several_documents_lists_and_json_are_read_and_empty_documents_are_none() {
        assert_eq!(objects("---\n# only a comment\n---\na: 1\n---\nb: [x]\n"), [json!({"a": 1}), json!({"b": ["x"]})]);
        assert_eq!(objects(""), [Value::Null; 0]);
        assert_eq!(objects("{\"kind\": \"Issuer\"}"), [json!({"kind": "Issuer"})]);
        assert_eq!(objects("kind: CertificateList\nitems:\n- kind: Certificate\n- kind: Issuer\n").len(), 2);
    }

    #[test]
    fn anchors_and_merge_keys_mean_what_kubectl_makes_of_them() {
        let text = "x: &x {name: ca, kind: Issuer}\nspec:\n  issuerRef: {<<: *x, kind: ClusterIssuer}\n";
        assert_eq!(objects(text)[0]["spec"]["issuerRef"], json!({"name": "ca", "kind": "ClusterIssuer"}));
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_place() {
        for (text, expected) in [
            ("a: 1\n---\na: {{ .Values.a }}\n", "file, document 2: "),
            ("a: 1\na: 2\n", "file, document 1: duplicate entry"),
            ("- a\n", "file, document 1: is no object"),
            ("word", "file, document 1: is no object"),
        ] {
            let said = parse("file", text).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{text:?}: {said}");
        }
    }
}
