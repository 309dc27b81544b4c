//! What the operator and the responder may do: each right that they use, and no other.
//!
//! This is the one list of them. `deploy/base` grants exactly these (a test compares), and `check` asks the API server for each.

/// A right to do some things to the objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group.
    pub group: &'static str,
    /// The resource, with the subresource after a slash.
    pub resource: &'static str,
    /// What may be done.
    pub verbs: &'static [&'static str],
    /// To these objects only; all where it is empty.
    pub names: &'static [&'static str],
}

const fn right(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Right {
    Right { group, resource, verbs, names: &[] }
}

const OURS: &str = "chancery.dev";

/// What the operator does in each namespace that it serves, or in all.
pub const SERVED: [Right; 9] = [
    right(OURS, "certificates", &["list", "watch", "patch"]),
    right(OURS, "issuers", &["list", "watch"]),
    right(OURS, "revocationlists", &["list", "watch"]),
    right(OURS, "certificates/status", &["update"]),
    right(OURS, "issuers/status", &["update"]),
    right(OURS, "revocationlists/status", &["update"]),
    right("", "secrets", &["get", "list", "watch", "create", "update", "delete"]),
    // Copies of revocation lists.
    right("", "configmaps", &["get", "create", "update"]),
    right("events.k8s.io", "events", &["create"]),
];

/// What it does besides where it serves the whole cluster.
pub const CLUSTER: [Right; 3] = [
    right(OURS, "clusterissuers", &["list", "watch"]),
    right(OURS, "clusterissuers/status", &["update"]),
    right("", "namespaces", &["list", "watch"]),
];

/// What it does in its own namespace: registers, lists, the lease, copies of authorities' keys.
pub const SYSTEM: [Right; 4] = [
    right("", "configmaps", &["get", "list", "watch", "create", "update", "delete"]),
    right("", "secrets", &["get", "list", "watch", "create", "update", "delete"]),
    right("coordination.k8s.io", "leases", &["create"]),
    Right { group: "coordination.k8s.io", resource: "leases", verbs: &["get", "update"], names: &["chancery-controller"] },
];

/// What the responder does in the operator's namespace.
pub const RESPONDER: [Right; 2] =
    [right("", "configmaps", &["list", "watch"]), Right { group: "", resource: "secrets", verbs: &["get", "watch"], names: &DELEGATES }];

/// The Secrets with the keys that sign OCSP answers.
const DELEGATES: [&str; 16] = [
    "chancery-ocsp-0",
    "chancery-ocsp-1",
    "chancery-ocsp-2",
    "chancery-ocsp-3",
    "chancery-ocsp-4",
    "chancery-ocsp-5",
    "chancery-ocsp-6",
    "chancery-ocsp-7",
    "chancery-ocsp-8",
    "chancery-ocsp-9",
    "chancery-ocsp-a",
    "chancery-ocsp-b",
    "chancery-ocsp-c",
    "chancery-ocsp-d",
    "chancery-ocsp-e",
    "chancery-ocsp-f",
];

/// One thing that somebody must be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    /// In which namespace; none for all of them.
    pub namespace: Option<String>,
    /// The API group.
    pub group: String,
    /// The resource, with the subresource after a slash.
    pub resource: String,
    /// What is done.
    pub verb: String,
    /// To which object; none for all.
    pub name: Option<String>,
}

impl Needed {
    fn each<'a>(rights: &'a [Right], namespace: Option<&'a str>) -> impl Iterator<Item = Self> + 'a {
        rights.iter().flat_map(move |right| {
            let names = if right.names.is_empty() { vec![None] } else { right.names.iter().map(|name| Some((*name).to_owned())).collect() };
            right.verbs.iter().flat_map(move |verb| {
                names.clone().into_iter().map(move |name| Self {
                    namespace: namespace.map(str::to_owned),
                    group: right.group.to_owned(),
                    resource: right.resource.to_owned(),
                    verb: (*verb).to_owned(),
                    name,
                })
            })
        })
    }

    /// In words: `list secrets in namespace team-a`.
    pub fn shown(&self) -> String {
        let Self { namespace, group, resource, verb, name } = self;
        let kind = if group.is_empty() { resource.clone() } else { format!("{resource}.{group}") };
        let which = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
        let place = namespace.as_ref().map_or_else(|| " in all namespaces".to_owned(), |namespace| format!(" in namespace {namespace}"));
        format!("{verb} {kind}{which}{place}")
    }
}

/// All that the operator must be allowed to do; `watched` are the namespaces that it serves, none for all of the cluster. The lease's
/// name is that of the operator's flag.
pub fn of_controller(system: &str, watched: &[String], lease: &str) -> Vec<Needed> {
    let mut needed: Vec<Needed> = if watched.is_empty() {
        Needed::each(&SERVED, None).chain(Needed::each(&CLUSTER, None)).collect()
    } else {
        watched.iter().flat_map(|namespace| Needed::each(&SERVED, Some(namespace))).collect()
    };
    needed.extend(Needed::each(&SYSTEM, Some(system)));
    for one in needed.iter_mut().filter(|one| one.resource == "leases" && one.name.is_some()) {
        one.name = Some(lease.to_owned());
    }
    needed.sort();
    needed.dedup();
    needed
}

/// All that the responder must be allowed to do.
pub fn of_responder(system: &str) -> Vec<Needed> {
    let mut needed: Vec<_> = Needed::each(&RESPONDER, Some(system)).collect();
    needed.sort();
    needed
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use serde::Deserialize as _;
    use serde_json::Value;

    use super::*;

    fn manifests(folder: &Path) -> Vec<Value> {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        let mut documents = Vec::new();
        for path in entries {
            if path.is_dir() {
                documents.extend(manifests(&path));
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                documents.extend(serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()));
            }
        }
        documents
    }

    /// What roles of this name grant; in `system` where they are Roles, in all namespaces where they are ClusterRoles.
    fn granted(documents: &[Value], name: &str, system: &str) -> BTreeSet<Needed> {
        let texts = |rule: &Value, field: &str| -> Vec<String> {
            rule[field].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let mut all = BTreeSet::new();
        for role in documents.iter().filter(|role| role["metadata"]["name"] == name) {
            let namespace = match role["kind"].as_str() {
                Some("ClusterRole") => None,
                Some("Role") => Some(system.to_owned()),
                _ => continue,
            };
            for rule in role["rules"].as_array().into_iter().flatten() {
                let names = texts(rule, "resourceNames");
                let names: Vec<Option<String>> = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
                for (group, resource) in texts(rule, "apiGroups")
                    .iter()
                    .flat_map(|group| texts(rule, "resources").into_iter().map(move |resource| (group.clone(), resource)))
                {
                    for (verb, name) in
                        texts(rule, "verbs").iter().flat_map(|verb| names.iter().map(move |name| (verb.clone(), name.clone())))
                    {
                        all.insert(Needed { namespace: namespace.clone(), group: group.clone(), resource: resource.clone(), verb, name });
                    }
                }
            }
        }
        all
    }

    /// Without what is granted in all namespaces anyway.
    fn reduced(rights: impl IntoIterator<Item = Needed>) -> BTreeSet<Needed> {
        let all: BTreeSet<Needed> = rights.into_iter().collect();
        let everywhere = |right: &Needed| right.namespace.is_some() && all.contains(&Needed { namespace: None, ..right.clone() });
        all.iter().filter(|right| !everywhere(right)).cloned().collect()
    }

    #[test]
    fn the_base_grants_exactly_what_is_needed() {
        let documents = manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base"));
        let system = "chancery-system";
        let needed = reduced(of_controller(system, &[], "chancery-controller"));
        let given = reduced(granted(&documents, "chancery-controller", system));
        let shown = |one: &BTreeSet<Needed>, other: &BTreeSet<Needed>| one.difference(other).map(Needed::shown).collect::<Vec<_>>();
        assert_eq!((shown(&needed, &given), shown(&given, &needed)), (vec![], vec![]), "needed and not given, given and not needed");
        let (needed, given) = (reduced(of_responder(system)), granted(&documents, "chancery-responder", system));
        assert_eq!((shown(&needed, &given), shown(&given, &needed)), (vec![], vec![]), "the responder's");
    }

    #[test]
    fn with_watched_namespaces_nothing_is_needed_elsewhere() {
        let needed = of_controller("ops", &["team-a".to_owned()], "lease");
        assert!(needed.iter().all(|right| right.namespace.is_some()));
        assert!(needed.iter().any(|right| right.name.as_deref() == Some("lease")));
        let shown: Vec<String> = needed.iter().map(Needed::shown).collect();
        assert!(shown.contains(&"patch certificates.chancery.dev in namespace team-a".to_owned()), "{shown:?}");
    }
}
