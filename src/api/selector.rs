//! Which namespaces a ClusterIssuer serves.

#![expect(unreachable_pub, reason = "a schema is derived through private copies of its struct")]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{check::error::SpecError, check::text, schema};

/// A label selector, with the meaning of `metav1.LabelSelector`: all requirements hold; an empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that must be there with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub match_expressions: Vec<Requirement>,
}

/// A requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)").message("In and NotIn need values, Exists and DoesNotExist have none").field_path(".values"))]
pub struct Requirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label relates to the values.
    pub operator: Operator,
    /// The values, for In and NotIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a label relates to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")] // else it would replace the field's own
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is not there, or has another value.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl NamespaceSelector {
    /// Whether it selects a namespace with these labels.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels.get(&requirement.key)))
    }

    /// Checks what the schema says of it.
    ///
    /// # Errors
    /// The first requirement that makes no sense.
    pub(super) fn check(&self, field: &str) -> Result<(), SpecError> {
        for key in self.match_labels.keys() {
            text::qualified_name(key).map_err(|problem| SpecError::new(format!("{field}.matchLabels[{key}]"), problem))?;
        }
        for (index, requirement) in self.match_expressions.iter().enumerate() {
            let field = format!("{field}.matchExpressions[{index}]");
            text::qualified_name(&requirement.key).map_err(|problem| SpecError::new(format!("{field}.key"), problem))?;
            if matches!(requirement.operator, Operator::In | Operator::NotIn) == requirement.values.is_empty() {
                return Err(SpecError::new(format!("{field}.values"), "In and NotIn need values, Exists and DoesNotExist have none"));
            }
        }
        Ok(())
    }
}

impl Requirement {
    fn holds(&self, value: Option<&String>) -> bool {
        let among = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => among,
            Operator::NotIn => !among,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: serde_json::Value) -> NamespaceSelector {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_selector_means_what_kubernetes_means_by_it() {
        let labels = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
        let table = [
            (serde_json::json!({}), true),
            (serde_json::json!({"matchLabels": {"team": "blue"}}), true),
            (serde_json::json!({"matchLabels": {"team": "red"}}), false),
            (serde_json::json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["red", "blue"]}]}), true),
            (serde_json::json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["blue"]}]}), false),
            (serde_json::json!({"matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["blue"]}]}), true),
            (serde_json::json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}), true),
            (serde_json::json!({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}), false),
            (serde_json::json!({"matchLabels": {"team": "blue"}, "matchExpressions": [{"key": "stage", "operator": "Exists"}]}), false),
        ];
        for (json, expected) in table {
            assert_eq!(selector(json.clone()).matches(&labels), expected, "{json}");
        }
    }

    #[test]
    fn a_requirement_without_its_values_is_refused_by_name() {
        let error = selector(serde_json::json!({"matchExpressions": [{"key": "team", "operator": "In"}]})).check("s").unwrap_err();
        assert_eq!(error.field(), "s.matchExpressions[0].values");
    }
}
