//! The Deployments of an installation, and their pods: where they are, and which namespace they keep their registers and lists in.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, PodStatus},
};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use crate::{
    cluster::{CallError, CallErrorKind},
    plugin::read,
};

/// What Deployments and pods of an installation have, whatever it is called: of the labels by which the chart's Deployments know their
/// pods, which no value changes, the one that is the same in each. Other programs have it too.
pub(super) const COMPONENTS: &str = "app.kubernetes.io/component in (controller, responder)";
const COMPONENT: &str = "app.kubernetes.io/component";
/// Labels that say whose it is, unless they were set to something else: the first is the chart's `nameOverride`, the second may be one of
/// `global.commonLabels`.
const WHOSE: [&str; 2] = ["app.kubernetes.io/name", "app.kubernetes.io/part-of"];
const PRODUCT: &str = "chancery";
/// The flag that says where an installation keeps what is its own; both programs are given it.
const RESOURCES: &str = "--cluster-resource-namespace";
/// The responder's Deployment and Service, where nothing tells of another.
pub(in crate::plugin) const RESPONDER: &str = "chancery-responder";
/// The port at which both programs tell of themselves.
const METRICS: &str = "http-metrics";

/// What the kubelet replaces by the namespace of the pod.
const POD_NAMESPACE: &str = "$(POD_NAMESPACE)";

/// An installation, as far as its Deployments tell.
#[derive(Debug)]
pub(in crate::plugin) struct Installed {
    /// The Deployments.
    pub(in crate::plugin) deployments: Vec<Deployment>,
    /// Where they and their ServiceAccounts are.
    pub(in crate::plugin) pods: String,
    /// Where the registers, the lists and the lease are.
    pub(in crate::plugin) resources: String,
}

/// The installation of which a person names the one namespace or the other.
///
/// # Errors
/// When the API server cannot be asked, or refuses.
pub(in crate::plugin) async fn installed(client: &Client, named: &str) -> Result<Installed, CallError> {
    let params = ListParams::default().labels(COMPONENTS);
    let mut here = read::all(&Api::<Deployment>::namespaced(client.clone(), named), &params).await?;
    here.retain(is_ours);
    if let Some(leading) = leading(&here) {
        let resources = resources(leading);
        return Ok(Installed { resources, pods: named.to_owned(), deployments: here });
    }
    let mut elsewhere = match read::all(&Api::<Deployment>::all(client.clone()), &params).await {
        Ok(found) => found,
        // Whoever may look at the one namespace only is told that there is none in it.
        Err(error) if error.kind == CallErrorKind::Forbidden => Vec::new(),
        Err(error) => return Err(error),
    };
    elsewhere.retain(|deployment| is_ours(deployment) && resources(deployment) == named);
    let pods = leading(&elsewhere).and_then(kube::ResourceExt::namespace).unwrap_or_else(|| named.to_owned());
    elsewhere.retain(|deployment| deployment.namespace().as_ref() == Some(&pods));
    Ok(Installed { deployments: elsewhere, pods, resources: named.to_owned() })
}

impl Installed {
    /// The name of the responder's Deployment, and so of its Service.
    pub(in crate::plugin) fn responder(&self) -> Option<String> {
        let responder = self.deployments.iter().find(|one| one.labels().get(COMPONENT).is_some_and(|component| component == "responder"));
        responder.map(kube::ResourceExt::name_any)
    }
}

/// Whether a Deployment that has one of the components is ours: by a label, or by how its program is started where labels were set.
fn is_ours(deployment: &Deployment) -> bool {
    let labels = deployment.labels();
    let arguments = arguments(deployment);
    WHOSE.iter().any(|label| labels.get(*label).is_some_and(|whose| whose == PRODUCT))
        || (arguments.first() == labels.get(COMPONENT) && !flags(arguments, RESOURCES).is_empty())
}

fn arguments(deployment: &Deployment) -> &[String] {
    let container = deployment.spec.template.spec.as_ref().and_then(|template| template.containers.first());
    container.and_then(|container| container.args.as_deref()).unwrap_or_default()
}

/// That of the controller, else any.
fn leading(deployments: &[Deployment]) -> Option<&Deployment> {
    let controller = deployments.iter().find(|one| one.labels().get(COMPONENT).is_some_and(|component| component == "controller"));
    controller.or_else(|| deployments.first())
}

/// Where a Deployment's pods keep what is theirs.
fn resources(deployment: &Deployment) -> String {
    let own = deployment.namespace().unwrap_or_default();
    let given = flags(arguments(deployment), RESOURCES).pop();
    given.map_or_else(|| own.clone(), |given| given.replace(POD_NAMESPACE, &own))
}

/// The values of a flag, `--flag=value` or `--flag value`.
fn flags(arguments: &[String], flag: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(flag) {
            Some("") => values.extend(arguments.next().cloned()),
            Some(rest) => values.extend(rest.strip_prefix('=').map(str::to_owned)),
            None => {}
        }
    }
    values
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// `controller` or `responder`.
    pub component: String,
    /// Its ServiceAccount.
    pub account: String,
    /// Its container's image.
    pub image: String,
    /// Its container's arguments.
    pub arguments: Vec<String>,
    /// How many pods it is to have.
    pub wanted: i32,
    /// How many are ready.
    pub ready: i32,
    /// Whether the operator of Deployments has seen its spec, and replaced all pods.
    pub rolled_out: bool,
    /// Why pods are not ready.
    pub troubles: Vec<String>,
    /// The pods that are ready.
    pub reachable: Vec<Reachable>,
}

/// A pod that can be asked how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachable {
    /// Its name.
    pub pod: String,
    /// Where it tells of itself.
    pub port: i32,
}

impl Workload {
    /// The values of a flag, `--flag=value` or `--flag value`.
    pub fn flags(&self, flag: &str) -> Vec<String> {
        flags(&self.arguments, flag)
    }

    /// The version that its image's tag names; none where it is named by its digest.
    pub fn version(&self) -> Option<&str> {
        let named = self.image.split('@').next().unwrap_or_default();
        let last = named.rsplit('/').next().unwrap_or_default();
        last.split_once(':').map(|(_, tag)| tag.trim_start_matches('v'))
    }
}

/// Each Deployment with what its pods say.
pub(super) fn of(deployments: &[Deployment], pods: &[Pod]) -> Vec<Workload> {
    deployments.iter().map(|deployment| workload(deployment, pods)).collect()
}

fn workload(deployment: &Deployment, pods: &[Pod]) -> Workload {
    let label = |labels: &std::collections::BTreeMap<String, String>| labels.get(COMPONENT).cloned().unwrap_or_default();
    let component = label(deployment.labels());
    let spec = &deployment.spec;
    let template = spec.template.spec.as_ref();
    let container = template.and_then(|template| template.containers.first());
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = spec.replicas.unwrap_or(1);
    let selected = spec.selector.match_labels.clone().unwrap_or_default();
    let of_it = |pod: &&Pod| label(pod.labels()) == component && selected.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    let ours = || pods.iter().filter(of_it);
    let seen = status.observed_generation.is_some_and(|seen| Some(seen) >= deployment.metadata.generation);
    Workload {
        name: deployment.name_any(),
        account: template.and_then(|template| template.service_account_name.clone()).unwrap_or_else(|| "default".to_owned()),
        image: container.and_then(|container| container.image.clone()).unwrap_or_default(),
        arguments: container.and_then(|container| container.args.clone()).unwrap_or_default(),
        wanted,
        ready: status.ready_replicas.unwrap_or(0),
        rolled_out: seen && status.updated_replicas.unwrap_or(0) >= wanted,
        troubles: ours().filter_map(trouble).collect(),
        reachable: ours().filter_map(reachable).collect(),
        component,
    }
}

fn is_ready(status: &PodStatus) -> bool {
    status.conditions.iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn reachable(pod: &Pod) -> Option<Reachable> {
    let mut ports = pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(METRICS))?.container_port;
    let is_asked = pod.metadata.deletion_timestamp.is_none() && pod.status.as_ref().is_some_and(is_ready);
    is_asked.then(|| Reachable { pod: pod.name_any(), port })
}

/// Why a pod is not ready.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if is_ready(status) {
        return None;
    }
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let waiting = status.container_statuses.iter().flatten().find_map(|container| container.state.as_ref()?.waiting.as_ref());
    let why = if let Some(waiting) = waiting {
        waiting.reason.clone().unwrap_or_default()
    } else {
        let unmet = conditions.iter().find(|condition| condition.status == "False");
        unmet.and_then(|condition| condition.reason.clone()).or_else(|| status.phase.clone()).unwrap_or_default()
    };
    Some(format!("pod {}: {why}", pod.name_any()))
}
