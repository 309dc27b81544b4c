//! Least privilege, told by name: what the chart's Roles grant and what a run has used are the same set of rights.
//!
//! A right that nothing uses is either too much, or a test is missing that needs it. A right is used where nothing else grants it:
//! one for all namespaces counts outside the operator's own only.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use crate::harness::{Audit, Record, SHARED_SYSTEM, chart};

use super::{is_operator, is_responder, record};

/// One verb on one kind of object, as a Role grants it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Right {
    place: Place,
    group: String,
    /// With its subresource, as in `certificates/status`.
    resource: String,
    verb: String,
    /// Of the one object that it is granted for.
    name: Option<String>,
}

/// Where a right holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Everywhere,
    /// In the operator's own namespace.
    Own,
    /// In the namespaces that it serves.
    Served,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Everywhere => "everywhere",
            Place::Own => "in the operator's namespace",
            Place::Served => "in a served namespace",
        };
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{} {place}", self.verb, self.resource, self.group)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, ", {name}"))
    }
}

impl Right {
    fn allows(&self, record: &Record) -> bool {
        let resource = match record.subresource.as_str() {
            "" => self.resource == record.resource,
            subresource => self.resource.split_once('/') == Some((&record.resource, subresource)),
        };
        resource
            && self.group == record.group
            && self.verb == record.verb
            && self.name.as_ref().is_none_or(|name| *name == record.name)
            && (self.place == Place::Everywhere || self.place == place(record))
    }

    /// Whether a request could not have been made without it.
    fn is_needed_by(&self, record: &Record) -> bool {
        self.allows(record) && (self.place == place(record))
    }
}

/// Where an object is, seen from who asks for it. What is in no namespace is everywhere, and so is a list of all namespaces.
fn place(record: &Record) -> Place {
    match record.namespace.as_str() {
        "" => Place::Everywhere,
        namespace if namespace == home(record) => Place::Own,
        _ => Place::Served,
    }
}

/// The namespace of the ServiceAccount that asks.
fn home(record: &Record) -> &str {
    record.user.split(':').nth(2).unwrap_or_default()
}

/// What the bindings among the documents grant to a ServiceAccount of the operator's namespace.
fn granted(documents: &[Value], account: &str, own: &str) -> Vec<Right> {
    let is_ours = |binding: &&Value| {
        let subjects = binding["subjects"].as_array().map_or(&[][..], Vec::as_slice);
        subjects.iter().any(|subject| subject["kind"] == "ServiceAccount" && subject["name"] == account && subject["namespace"] == own)
    };
    let mut rights = Vec::new();
    for binding in documents.iter().filter(is_ours) {
        let place = match (binding["kind"].as_str(), binding["metadata"]["namespace"].as_str()) {
            (Some("ClusterRoleBinding"), _) => Place::Everywhere,
            (_, Some(namespace)) if namespace == own => Place::Own,
            _ => Place::Served,
        };
        let reference = &binding["roleRef"];
        let role = documents.iter().find(|role| {
            role["kind"] == reference["kind"]
                && role["metadata"]["name"] == reference["name"]
                && (place == Place::Everywhere || role["metadata"]["namespace"] == binding["metadata"]["namespace"])
        });
        let role = role.unwrap_or_else(|| panic!("{reference} is not among the documents"));
        rights.extend(role["rules"].as_array().into_iter().flatten().flat_map(|rule| rights_of(rule, place)));
    }
    rights
}

fn rights_of(rule: &Value, place: Place) -> Vec<Right> {
    let list = |field: &str| -> Vec<String> {
        let items = rule[field].as_array().map_or(&[][..], Vec::as_slice);
        items.iter().map(|item| item.as_str().expect("a rule lists texts").to_owned()).collect()
    };
    let mut names: Vec<Option<String>> = list("resourceNames").into_iter().map(Some).collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut rights = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for verb in list("verbs") {
                for name in &names {
                    rights.push(Right { place, group: group.clone(), resource: resource.clone(), verb: verb.clone(), name: name.clone() });
                }
            }
        }
    }
    rights
}

/// What is not the same, each with its name: granted twice, granted and not used, used and not granted.
fn differences(rights: &[Right], records: &[&Record]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (number, right) in rights.iter().enumerate() {
        let same = |other: &Right| {
            other.group == right.group
                && other.resource == right.resource
                && other.verb == right.verb
                && (other.name.is_none() || other.name == right.name)
                && (other.place == right.place || other.place == Place::Everywhere)
        };
        if rights.iter().enumerate().any(|(place, other)| place != number && same(other)) {
            found.insert(format!("granted twice: {right}"));
        }
        let everywhere = |record: &&&Record| right.place == Place::Everywhere && place(record) == Place::Served && right.allows(record);
        if !records.iter().any(|record| right.is_needed_by(record) || everywhere(&record)) {
            found.insert(format!("granted and not used: {right}"));
        }
    }
    // What is no resource (discovery) is everybody's to read. A 403 is a fault of its own.
    for record in records.iter().filter(|record| !record.resource.is_empty() && record.code != 403) {
        if !rights.iter().any(|right| right.allows(record)) {
            let slash = if record.subresource.is_empty() { "" } else { "/" };
            let right = Right {
                place: place(record),
                group: record.group.clone(),
                resource: format!("{}{slash}{}", record.resource, record.subresource),
                verb: record.verb.clone(),
                name: Some(record.name.clone()).filter(|name| !name.is_empty()),
            };
            found.insert(format!("used and not granted: {right}"));
        }
    }
    found
}

#[tokio::test]
#[ignore = "a step of its own after all others: make test, or cargo test --test cluster audit_log -- --ignored after a run"]
async fn what_the_chart_grants_is_what_the_run_has_used() {
    let records = Audit::of_last_run().records();
    let in_cluster = |record: &&Record| home(record) == SHARED_SYSTEM;
    let in_namespaces = |record: &&Record| home(record).starts_with("own-");
    let of_all = chart::template(&chart::chart(), chart::RELEASE, SHARED_SYSTEM, &json!({})).await.expect("the chart renders");
    let values = json!({ "watchNamespaces": ["served"], "crds": { "enabled": false } });
    let of_some = chart::template(&chart::chart(), chart::RELEASE, "own", &values).await.expect("the chart renders");
    let mut found = Vec::new();
    let mut count = 0;
    for (mode, documents, own, is_of_mode) in [
        ("the whole cluster", &of_all, SHARED_SYSTEM, &in_cluster as &dyn Fn(&&Record) -> bool),
        ("some namespaces", &of_some, "own", &in_namespaces),
    ] {
        for (account, is_of_account) in
            [("chancery-controller", is_operator as fn(&Record) -> bool), ("chancery-responder", is_responder as fn(&Record) -> bool)]
        {
            let rights = granted(documents, account, own);
            count += rights.len();
            let of_account: Vec<&Record> = records.iter().filter(|record| is_of_account(record)).filter(is_of_mode).collect();
            found.extend(differences(&rights, &of_account).into_iter().map(|what| format!("{account} for {mode}: {what}")));
        }
    }
    assert!(found.is_empty(), "{} rights are not as they should be:\n{}", found.len(), found.join("\n"));
    println!("{count} rights of operators and responders, all granted and all used");
}

/// A request of the operator whose home is `own`.
fn request(verb: &str, resource: &str, namespace: &str, name: &str) -> Record {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Record {
        user: "system:serviceaccount:own:chancery-controller".to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..record(verb, resource, 200, "{}")
    }
}

fn installation(cluster: &Value, own: &Value) -> Vec<Value> {
    let subjects = json!([{ "kind": "ServiceAccount", "name": "chancery-controller", "namespace": "own" }]);
    let place = json!({ "name": "c", "namespace": "own" });
    vec![
        json!({ "kind": "ClusterRole", "metadata": { "name": "c" }, "rules": cluster }),
        json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "c" }, "subjects": subjects, "roleRef": { "kind": "ClusterRole", "name": "c" } }),
        json!({ "kind": "Role", "metadata": place, "rules": own }),
        json!({ "kind": "RoleBinding", "metadata": place, "subjects": subjects, "roleRef": { "kind": "Role", "name": "c" } }),
    ]
}

fn told(cluster: &Value, own: &Value, records: &[Record]) -> Vec<String> {
    let rights = granted(&installation(cluster, own), "chancery-controller", "own");
    differences(&rights, &records.iter().collect::<Vec<_>>()).into_iter().collect()
}

#[test]
fn rights_that_are_all_used_and_requests_that_are_all_granted_are_no_difference() {
    let cluster = json!([
        { "apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"] },
        { "apiGroups": [""], "resources": ["certificates/status"], "verbs": ["update"] },
    ]);
    let own = json!([{ "apiGroups": [""], "resources": ["leases"], "resourceNames": ["c"], "verbs": ["get"] }]);
    let records = [
        request("list", "secrets", "", ""),
        request("get", "secrets", "team", "web"),
        request("get", "secrets", "own", "ca"),
        request("update", "certificates/status", "team", "web"),
        request("get", "leases", "own", "c"),
        // Discovery.
        request("get", "", "", ""),
    ];
    assert_eq!(told(&cluster, &own, &records), [""; 0]);
}

#[test]
fn each_difference_is_told_by_name() {
    let rule = |resource: &str, verb: &str| json!([{ "apiGroups": [""], "resources": [resource], "verbs": [verb] }]);
    let none = || json!([]);
    let rows = [
        ("granted and not used: get secrets everywhere", rule("secrets", "get"), none(), vec![]),
        // What is only done at home need not be granted everywhere.
        ("granted and not used: get secrets everywhere", rule("secrets", "get"), none(), vec![request("get", "secrets", "own", "ca")]),
        ("granted and not used: get secrets in the operator's namespace", none(), rule("secrets", "get"), vec![]),
        (
            "granted twice: get secrets in the operator's namespace",
            rule("secrets", "get"),
            rule("secrets", "get"),
            vec![request("get", "secrets", "own", "ca"), request("get", "secrets", "team", "web")],
        ),
        ("used and not granted: get secrets in a served namespace, web", none(), none(), vec![request("get", "secrets", "team", "web")]),
        ("used and not granted: list secrets everywhere", none(), none(), vec![request("list", "secrets", "", "")]),
    ];
    for (wanted, cluster, own, records) in rows {
        assert_eq!(told(&cluster, &own, &records), [wanted]);
    }
    let own = json!([{ "apiGroups": [""], "resources": ["leases"], "resourceNames": ["c", "d"], "verbs": ["get"] }]);
    let found = told(&none(), &own, &[request("get", "leases", "own", "c"), request("get", "leases", "own", "e")]);
    let wanted = [
        "granted and not used: get leases in the operator's namespace, d",
        "used and not granted: get leases in the operator's namespace, e",
    ];
    assert_eq!(found, wanted);
    let of_status = told(&rule("certificates", "update"), &none(), &[request("update", "certificates/status", "team", "web")]);
    assert_eq!(of_status.len(), 2, "a status is not its object: {of_status:?}");
}
