//! Whether a GitOps tool or Helm keeps an object as it stands elsewhere: what is changed in the cluster alone, it may undo.

use kube::api::ObjectMeta;

/// Signs of a tool on an object: the names with which it writes, and the labels and annotations that it puts there.
struct Tool {
    name: &'static str,
    writers: &'static [&'static str],
    marks: &'static [&'static str],
}

const TOOLS: [Tool; 3] = [
    Tool {
        name: "Argo CD",
        writers: &["argocd-controller", "argocd-application-controller"],
        marks: &["argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id"],
    },
    Tool {
        name: "Flux",
        writers: &["kustomize-controller", "helm-controller"],
        marks: &["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"],
    },
    Tool { name: "Helm", writers: &["helm", "Helm"], marks: &["meta.helm.sh/release-name"] },
];

/// The tool that keeps this object, if one does.
pub fn tool(metadata: &ObjectMeta) -> Option<&'static str> {
    let writes = |tool: &Tool| {
        metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref()).any(|manager| tool.writers.contains(&manager))
    };
    let marked = |tool: &Tool| {
        let keys = metadata.labels.iter().flatten().chain(metadata.annotations.iter().flatten()).map(|(key, _)| key.as_str());
        keys.into_iter().any(|key| tool.marks.contains(&key))
    };
    TOOLS.iter().find(|tool| writes(tool) || marked(tool)).map(|tool| tool.name)
}

/// What is told of a change of such an object's spec.
pub fn hint(metadata: &ObjectMeta, what: &str) -> Option<String> {
    tool(metadata).map(|tool| format!("{what} is kept by {tool}: write the same into its source, or it may be undone there"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_tool_is_known_by_its_writer_or_its_marks() {
        let rows: [(Value, Option<&str>); 6] = [
            (json!({"managedFields": [{"manager": "argocd-controller", "operation": "Apply"}]}), Some("Argo CD")),
            (json!({"annotations": {"argocd.argoproj.io/tracking-id": "a"}}), Some("Argo CD")),
            (json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "a"}}), Some("Flux")),
            (json!({"managedFields": [{"manager": "helm-controller", "operation": "Apply"}]}), Some("Flux")),
            (json!({"annotations": {"meta.helm.sh/release-name": "a"}}), Some("Helm")),
            (json!({"labels": {"app": "helm"}, "managedFields": [{"manager": "kubectl", "operation": "Update"}]}), None),
        ];
        for (metadata, expected) in rows {
            assert_eq!(tool(&serde_json::from_value(metadata.clone()).unwrap()), expected, "{metadata}");
        }
    }
}
