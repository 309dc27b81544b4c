//! Waiting until Roles are in force. The API server learns of its own Roles by watching them, so that a right just granted is
//! refused for some milliseconds: an operator started at once would collect 403s that are no fault of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::Value;

/// Returns when every ServiceAccount has the rights that the bindings among the documents give it by the Roles and ClusterRoles
/// among them (one verb of each rule is asked for). Access can be asked for but not watched: hence the polling, 10 seconds at
/// most.
pub(crate) async fn wait_for_rights(client: &Client, documents: &[Value]) -> Result<()> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    for (user, right) in documents.iter().flat_map(|binding| given(binding, documents)) {
        let spec = SubjectAccessReviewSpec {
            user: Some(user.clone()),
            resource_attributes: Some(right.clone()),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let mut turn = tokio::time::interval(Duration::from_millis(20));
        let granted = async {
            loop {
                turn.tick().await;
                let answer = reviews.create(&PostParams::default(), &review).await.context("access cannot be reviewed")?;
                if answer.status.is_some_and(|status| status.allowed) {
                    return anyhow::Ok(());
                }
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), granted).await {
            Ok(answer) => answer?,
            Err(_elapsed) => bail!("{user} may not do what its roles say: {right:?}"),
        }
    }
    Ok(())
}

/// What a RoleBinding or ClusterRoleBinding gives to whom; nothing for any other kind, and for a role that is elsewhere.
fn given(binding: &Value, documents: &[Value]) -> Vec<(String, ResourceAttributes)> {
    if !matches!(binding["kind"].as_str(), Some("RoleBinding" | "ClusterRoleBinding")) {
        return Vec::new();
    }
    let namespace = binding.pointer("/metadata/namespace").and_then(Value::as_str);
    let is_its_role = |role: &&Value| {
        role["kind"] == binding["roleRef"]["kind"]
            && role.pointer("/metadata/name") == binding.pointer("/roleRef/name")
            && (role["kind"] == "ClusterRole" || role.pointer("/metadata/namespace").and_then(Value::as_str) == namespace)
    };
    let rights: Vec<ResourceAttributes> = documents.iter().filter(is_its_role).flat_map(|role| granted(role, namespace)).collect();
    let subjects = binding["subjects"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let accounts = subjects
        .filter(|subject| subject["kind"] == "ServiceAccount")
        .filter_map(|subject| Some(format!("system:serviceaccount:{}:{}", subject["namespace"].as_str()?, subject["name"].as_str()?)));
    accounts.flat_map(|user| rights.iter().map(move |right| (user.clone(), right.clone()))).collect()
}

/// One right for each rule of a role, in a namespace or everywhere.
fn granted(document: &Value, namespace: Option<&str>) -> Vec<ResourceAttributes> {
    let first = |rule: &Value, field: &str| rule[field][0].as_str().map(str::to_owned);
    let rules = document["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let right = |rule: &Value| {
        let resource = first(rule, "resources")?;
        let (resource, subresource) = match resource.split_once('/') {
            Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
            None => (resource, None),
        };
        Some(ResourceAttributes {
            group: first(rule, "apiGroups"),
            resource: Some(resource),
            subresource,
            verb: first(rule, "verbs"),
            name: first(rule, "resourceNames"),
            namespace: namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        })
    };
    rules.iter().filter_map(right).collect()
}
