//! What removing an installation would leave, and in which order it is done. Nothing is changed here.

use std::io::{self, Write};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde::Serialize;

use crate::{
    api::{Certificate, DeletionPolicy, crds, names},
    cluster::{CallError, CallErrorKind},
    plugin::{
        check::workloads::{Installed, installed},
        output::{Report, Table, Tone, plain},
        published::{Published, PublishedError},
        read,
        span::when,
    },
    register,
};

/// On a CRD that Helm leaves where it is.
const HELM_KEEPS: &str = "helm.sh/resource-policy";

/// How many of the objects that would hang are named to a person.
const NAMED: usize = 3;

/// What there is, and what would become of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// The operator's namespace.
    pub operator_namespace: String,
    /// Where its pods are.
    pub pods_namespace: String,
    /// Its Deployments there; none where they may not be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Vec<String>>,
    /// When it was looked at.
    pub at: Timestamp,
    /// How many Certificates there are.
    pub certificates: usize,
    /// Those whose Secret stays, and is renewed no more.
    pub retained: usize,
    /// Those whose Secret goes with them, while the operator runs.
    pub deleted: usize,
    /// When the first of the certificates ends that are then renewed no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_end: Option<Timestamp>,
    /// Objects with a finalizer of ours, as namespace/name: they hang where the operator goes first.
    pub finalized: Vec<String>,
    /// The CRDs that Helm leaves where they are.
    pub kept_definitions: Vec<String>,
    /// The CRDs that go with the installation, and all objects of their kinds.
    pub other_definitions: Vec<String>,
    /// How many registers there are.
    pub registers: usize,
    /// Copies of authorities' keys.
    pub copies: Vec<String>,
    /// How many lists there are.
    pub lists: usize,
    /// When clients begin to refuse what they cannot check any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_list_ends: Option<Timestamp>,
}

/// Looks at what there is.
///
/// # Errors
/// When the API server does not tell.
pub async fn removal(client: &Client, named: &str, at: Timestamp) -> Result<Removal, PublishedError> {
    let certificates = read::all(&Api::<Certificate>::all(client.clone()), &ListParams::default()).await?;
    let policy = |certificate: &Certificate| certificate.spec.deletion_policy.unwrap_or_default();
    let retained = certificates.iter().filter(|certificate| policy(certificate) == DeletionPolicy::Retain).count();
    let ends = certificates.iter().filter_map(|certificate| certificate.status.as_ref()?.not_after.as_ref().map(|end| end.0));
    let finalized = certificates.iter().filter(|certificate| certificate.finalizers().iter().any(|one| one == names::FINALIZER));
    let shown = |certificate: &Certificate| format!("{}/{}", certificate.namespace().unwrap_or_default(), certificate.name_any());

    let (pods, resources, deployments) = match installed(client, named).await {
        // All else may be told without them.
        Err(error) if error.kind == CallErrorKind::Forbidden => (named.to_owned(), named.to_owned(), None),
        found => {
            let Installed { deployments, pods, resources } = found?;
            (pods, resources, Some(deployments.iter().map(kube::ResourceExt::name_any).collect()))
        }
    };
    let namespace = resources.as_str();
    let (mut kept_definitions, mut other_definitions) = (Vec::new(), Vec::new());
    let kinds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for wanted in crds::definitions() {
        let name = wanted.name_any();
        let found = kinds.get_opt(&name).await.map_err(CallError::of("get", "CustomResourceDefinition", None, &name))?;
        match found {
            Some(found) if found.annotations().get(HELM_KEEPS).is_some_and(|policy| policy == "keep") => kept_definitions.push(name),
            Some(_) => other_definitions.push(name),
            None => {}
        }
    }
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let registers = maps.list_metadata(&ListParams::default().labels(register::LABEL)).await;
    let registers = registers.map_err(CallError::of("list", "ConfigMaps", Some(namespace), ""))?;
    let mut heads: Vec<String> = registers.items.iter().filter_map(|map| map.labels().get(register::LABEL).cloned()).collect();
    heads.sort();
    heads.dedup();
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace).list_metadata(&ListParams::default()).await;
    let secrets = secrets.map_err(CallError::of("list", "Secrets", Some(namespace), ""))?;
    let copies = secrets.items.iter().map(kube::ResourceExt::name_any).filter(|name| name.starts_with(names::AUTHORITY_COPY)).collect();

    let published = Published::new(client.clone(), namespace);
    let (mut lists, mut first_list_ends) = (0, None);
    for authority in published.authorities().await? {
        // A damaged head is told by `check` itself.
        let Ok(Some(head)) = published.head(&authority).await else { continue };
        lists += head.shards.len();
        first_list_ends = head.lists().map(|list| list.next_update).chain(first_list_ends).min();
    }
    Ok(Removal {
        operator_namespace: namespace.to_owned(),
        pods_namespace: pods,
        deployments,
        at,
        certificates: certificates.len(),
        retained,
        deleted: certificates.len() - retained,
        first_end: ends.min(),
        finalized: finalized.map(shown).collect(),
        kept_definitions,
        other_definitions,
        registers: heads.len(),
        copies,
        lists,
        first_list_ends,
    })
}

impl Removal {
    /// Some of what would hang, and what names all of it.
    fn hanging(&self) -> String {
        let named = self.finalized.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        match self.finalized.len().saturating_sub(NAMED) {
            0 => named,
            more => format!(
                "{named} and {more} more; all: kubectl chancery check --uninstall -n {} -o json | jq -r '.finalized[]'",
                self.operator_namespace
            ),
        }
    }

    /// What is to be done, in its order.
    fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        let namespace = &self.operator_namespace;
        if self.lists > 0 {
            steps.push(
                "Tell those who check certificates by list or OCSP: have them stop checking, or move the lists, before the time above"
                    .to_owned(),
            );
        }
        if self.registers > 0 || !self.copies.is_empty() {
            steps.push(format!(
                "Back up what cannot be made again: kubectl -n {namespace} get configmaps,secrets -o yaml. It holds keys: keep it safe"
            ));
        }
        if self.deleted > 0 || !self.finalized.is_empty() {
            steps.push(
                "Where a Secret must outlive its Certificate, set deletionPolicy: Retain before anything is deleted. Delete takes the Secret and its key with it; RevokeAndDelete also revokes the certificates, and what is revoked stays revoked"
                    .to_owned(),
            );
        }
        if !self.finalized.is_empty() {
            steps.push(
                "While the operator runs, wait until those with Retain have no finalizer any more, delete the other Certificates that have one, and wait until they are gone"
                    .to_owned(),
            );
        }
        let stop = match (&self.deployments, &self.pods_namespace) {
            (None, namespace) => format!(
                "helm uninstall RELEASE, or have its Deployments deleted: whether there are any in namespace {namespace} you may not see"
            ),
            (Some(none), namespace) if none.is_empty() => {
                format!("helm uninstall RELEASE, or end it where it runs: no Deployment of it is found in namespace {namespace}")
            }
            (Some(found), namespace) => {
                format!("helm uninstall RELEASE, or kubectl -n {namespace} delete deployment {}", found.join(" "))
            }
        };
        steps.push(format!(
            "Stop the operator: {stop}. Secrets with certificates stay. Do not use kubectl delete -k of an overlay without a selector: it deletes the CRDs and the namespace too"
        ));
        if !self.kept_definitions.is_empty() || !self.other_definitions.is_empty() {
            steps.push(format!(
                "Delete the CRDs last, if at all: kubectl delete crd {}. All Certificates, issuers and lists go with them",
                self.kept_definitions.iter().chain(&self.other_definitions).cloned().collect::<Vec<_>>().join(" ")
            ));
        }
        steps.push(format!(
            "Delete the namespace {namespace} when no certificate is checked any more: registers, lists and CAs' keys go with it"
        ));
        steps
    }
}

impl Report for Removal {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(&["WHAT", "COUNT", "WITHOUT THE OPERATOR"]);
        let ends = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| format!("{time} ({})", when(time, self.at)));
        let row =
            |table: &mut Table, what: &str, count: usize, then: String| table.row([what.into(), count.to_string().into(), then.into()]);
        let renewed = format!("stay, and are renewed no more: the first ends at {}", ends(self.first_end));
        row(&mut table, "Secrets of Certificates", self.certificates, if self.certificates == 0 { "none".to_owned() } else { renewed });
        row(&mut table, "  of these: Retain", self.retained, "stay also when the Certificate is deleted".to_owned());
        row(
            &mut table,
            "  of these: Delete",
            self.deleted,
            "go with the Certificate, by the operator: without it the Certificate hangs".to_owned(),
        );
        let hanging = if self.finalized.is_empty() { "nothing hangs".to_owned() } else { format!("hang when deleted: {}", self.hanging()) };
        row(&mut table, "Finalizers", self.finalized.len(), hanging);
        row(&mut table, "CRDs that Helm keeps", self.kept_definitions.len(), "stay after helm uninstall, with all objects".to_owned());
        row(
            &mut table,
            "CRDs besides",
            self.other_definitions.len(),
            "go when their manifests are deleted, and all objects with them".to_owned(),
        );
        row(&mut table, "Registers", self.registers, "stay in the operator's namespace".to_owned());
        row(&mut table, "Copies of CAs' keys", self.copies.len(), "stay in the operator's namespace".to_owned());
        let lists = if self.lists == 0 {
            "none".to_owned()
        } else {
            format!("are made no more: clients begin to refuse at {}", ends(self.first_list_ends))
        };
        row(&mut table, "Revocation lists", self.lists, lists);
        table.write(false, out)?;
        writeln!(out, "\nIn this order:")?;
        self.steps()
            .iter()
            .enumerate()
            .try_for_each(|(index, step)| writeln!(out, "{} {}", Tone::Plain.paint(&format!("{}.", index + 1)), plain(step)))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("namespace/{}", self.operator_namespace)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two Certificates, one of each kind.
    fn two() -> Removal {
        Removal {
            operator_namespace: "pki".to_owned(),
            pods_namespace: "pods".to_owned(),
            deployments: Some(vec!["pki-controller".to_owned(), "pki-responder".to_owned()]),
            at: "2026-06-01T12:00:00Z".parse().unwrap(),
            certificates: 2,
            retained: 1,
            deleted: 1,
            first_end: None,
            finalized: vec!["team/web".to_owned()],
            kept_definitions: vec!["certificates.chancery.dev".to_owned()],
            other_definitions: Vec::new(),
            registers: 1,
            copies: Vec::new(),
            lists: 1,
            first_list_ends: None,
        }
    }

    #[test]
    fn of_many_that_would_hang_three_are_named_and_programs_are_given_all() {
        let names: Vec<String> = (1..=40).map(|number| format!("team/web-{number}")).collect();
        for (count, shown) in
            [(3, "team/web-1, team/web-2, team/web-3"), (40, "team/web-1, team/web-2, team/web-3 and 37 more; all: kubectl ")]
        {
            let removal = Removal { finalized: names[..count].to_vec(), ..two() };
            let mut text = Vec::new();
            removal.text(false, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(&format!("hang when deleted: {shown}")) && !text.contains("web-4,"), "{text}");
            assert_eq!(serde_json::to_value(&removal).unwrap()["finalized"].as_array().map(Vec::len), Some(count));
        }
    }

    #[test]
    fn an_operator_that_runs_elsewhere_is_not_stopped_by_a_command_that_finds_nothing() {
        for (deployments, told) in [(Some(Vec::new()), "no Deployment of it is found in namespace pods"), (None, "you may not see")] {
            let removal = Removal { deployments, ..two() };
            let steps = removal.steps();
            assert!(!steps.iter().any(|step| step.contains("delete deployment")), "{steps:?}");
            assert!(steps.iter().any(|step| step.starts_with("Stop the operator: ") && step.contains(told)), "{steps:?}");
        }
    }

    #[test]
    fn secrets_are_kept_before_anything_is_deleted_and_no_step_takes_all_with_it() {
        let removal = two();
        let steps = removal.steps();
        let place =
            |text: &str| steps.iter().position(|step| step.contains(text)).unwrap_or_else(|| panic!("{text:?} is not in {steps:?}"));
        let (keep, delete, stop) =
            (place("set deletionPolicy: Retain"), place("delete the other Certificates"), place("helm uninstall RELEASE"));
        assert!(keep < delete && delete < stop && stop < place("kubectl delete crd") && stop < place("Delete the namespace"), "{steps:?}");
        assert!(steps[keep].contains("RevokeAndDelete also revokes"), "{}", steps[keep]);
        assert!(steps[stop].contains("kubectl -n pods delete deployment pki-controller pki-responder."), "{}", steps[stop]);
        assert!(!steps.iter().any(|step| step.contains("delete -k deploy")), "{steps:?}");
    }
}
