//! The CustomResourceDefinitions, made from the kinds.
//!
//! `crds/` holds what [`files`] gives; a test fails where they differ.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
    ValidationRule,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{certificate::Certificate, issuer::ClusterIssuer, issuer::Issuer, revocation_list::RevocationList};

/// The definitions of all kinds.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        finished(Certificate::crd(), &CERTIFICATE_COLUMNS),
        of_one_namespace(finished(Issuer::crd(), &ISSUER_COLUMNS)),
        finished(ClusterIssuer::crd(), &ISSUER_COLUMNS),
        finished(RevocationList::crd(), &LIST_COLUMNS),
    ]
}

/// All definitions as one YAML stream.
///
/// # Errors
/// When a definition cannot be written as YAML, which only a change of this program can bring about.
pub fn render() -> Result<String, serde_yaml::Error> {
    let mut stream = String::new();
    for (_, text) in files()? {
        stream.push_str("---\n");
        stream.push_str(&text);
    }
    Ok(stream)
}

/// The files of `crds/`: name and content.
///
/// # Errors
/// As [`render`].
pub fn files() -> Result<Vec<(String, String)>, serde_yaml::Error> {
    definitions().iter().map(file).collect()
}

fn file(definition: &CustomResourceDefinition) -> Result<(String, String), serde_yaml::Error> {
    let name = format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural);
    let text = serde_yaml::to_string(definition)?;
    Ok((name, format!("# Made by `chancery crds`; do not edit.\n{text}")))
}

/// What `kubectl get` shows: name, path, description; and whether only `-o wide` shows it.
///
/// Points in time that lie ahead are strings: kubectl prints a `date` as an age, and one that lies ahead as `<invalid>`.
type Column = (&'static str, &'static str, &'static str, bool);

const READY: &str = ".status.conditions[?(@.type==\"Ready\")].status";
const REASON: &str = ".status.conditions[?(@.type==\"Ready\")].reason";
const MESSAGE: &str = ".status.conditions[?(@.type==\"Ready\")].message";
const AGE: Column = ("Age", ".metadata.creationTimestamp", "How long it has existed.", false);

const CERTIFICATE_COLUMNS: [Column; 12] = [
    ("Ready", READY, "Whether the Secret holds a valid certificate as it is asked for.", false),
    ("Reason", REASON, "Why it is ready or not.", false),
    ("Secret", ".spec.secretName", "The Secret that holds it.", false),
    ("Issuer", ".spec.issuerRef.name", "Who signs it.", false),
    ("Expires", ".status.notAfter", "When the certificate expires.", false),
    ("Renews", ".status.renewalTime", "When it will be renewed.", false),
    AGE,
    ("Issuer-Kind", ".spec.issuerRef.kind", "The kind of the issuer.", true),
    ("Key", ".status.resolved.privateKey.algorithm", "The kind of key.", true),
    ("Revision", ".status.revision", "How many certificates it has had.", true),
    ("Serial", ".status.serialNumber", "The certificate's serial number.", true),
    ("Message", MESSAGE, "Why it is ready or not, for people.", true),
];

const ISSUER_COLUMNS: [Column; 8] = [
    ("Ready", READY, "Whether it can sign.", false),
    ("Reason", REASON, "Why it can sign or not.", false),
    ("Expires", ".status.notAfter", "When the first certificate of its chain expires: nothing that it signs is valid longer.", false),
    AGE,
    ("Secret", ".spec.ca.secretName", "The Secret with the CA's certificate and key.", true),
    ("Subject", ".status.subject", "The name of the CA.", true),
    ("Authority", ".status.authority", "The keyID of the CA's key.", true),
    ("Message", MESSAGE, "Why it can sign or not, for people.", true),
];

const LIST_COLUMNS: [Column; 10] = [
    ("Ready", READY, "Whether what was recorded is published.", false),
    ("Reason", REASON, "Why it is published or not.", false),
    ("Issuer", ".spec.issuerRef.name", "The issuer whose authority signs it.", false),
    ("Entries", ".status.entries", "How many certificates are on the published list.", false),
    ("Next-Update", ".status.nextUpdate", "When it must be replaced at the latest.", false),
    ("Pending", ".status.pendingRevocations", "How many revocations are on no published list yet.", false),
    AGE,
    ("Authority", ".status.authority", "The keyID of the key that signs it.", true),
    ("Number", ".status.number", "The number of the newest list.", true),
    ("Message", MESSAGE, "Why it is published or not, for people.", true),
];

fn columns(columns: &[Column]) -> Vec<CustomResourceColumnDefinition> {
    let column = |&(name, json_path, description, wide): &Column| CustomResourceColumnDefinition {
        name: name.to_owned(),
        json_path: json_path.to_owned(),
        description: Some(description.to_owned()),
        type_: match name {
            "Age" => "date",
            "Revision" | "Entries" | "Pending" => "integer",
            _ => "string",
        }
        .to_owned(),
        priority: wide.then_some(1),
        format: None,
    };
    columns.iter().map(column).collect()
}

/// What the derive macros cannot say, or not without repetition.
fn finished(mut definition: CustomResourceDefinition, printed: &[Column]) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        version.additional_printer_columns = Some(columns(printed));
        let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        tidy(root);
        let properties = root.properties.get_or_insert_default();
        if let Some(spec) = properties.get_mut("spec") {
            spec.description = Some("What is asked for.".to_owned());
        }
        if let Some(status) = properties.get_mut("status") {
            status.description = Some("What is known of it.".to_owned());
            // A tool that waits for the object must not take the absence of a status for success.
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
    definition
}

/// An Issuer's spec is a ClusterIssuer's without the selector. The rule stands at the spec and not at the whole object: there it would
/// be checked at each write of a status, and an object that was stored under other rules could not even be told what is wrong with it.
fn of_one_namespace(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for schema in definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        if let Some(spec) = schema.properties.get_or_insert_default().get_mut("spec") {
            spec.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
                rule: "!has(self.allow) || !has(self.allow.namespaceSelector)".to_owned(),
                message: Some("only a ClusterIssuer has a namespaceSelector".to_owned()),
                field_path: Some(".allow.namespaceSelector".to_owned()),
                ..ValidationRule::default()
            });
        }
    }
    definition
}

/// Takes away what derived schemas say too much: defaults, which would show as drift; null, which no field means anything by;
/// line breaks in descriptions.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.default = None;
    schema.nullable = None;
    schema.title = None;
    if let Some(description) = &mut schema.description {
        *description = description.replace('\n', " ");
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(item)) => tidy(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = schema.additional_properties.as_mut() {
        tidy(value);
    }
}

#[cfg(test)]
#[path = "crds_tests.rs"]
mod tests;
