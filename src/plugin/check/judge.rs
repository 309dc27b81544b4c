//! What the facts mean, and what to do next. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::LeaseSpec,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionVersion},
    apimachinery::pkg::version::Info,
};

use super::{
    Checked, Line,
    facts::{Access, Facts, Found, Standing, is_away},
    responders::{Told, Unheard},
    workloads::Workload,
};
use crate::{
    api::names,
    cluster::{CallError, CallErrorKind, MAX_SKEW},
    plugin::{crl::Listing, published::PublishedError, span::span},
};

/// The oldest Kubernetes that is served: 1.33.
const OLDEST: (u32, u32) = (1, 33);

/// This program's version, which the operator's should be.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many names are told of many.
const SOME: usize = 3;

/// What to do where a kind is not there, or not as it should be.
const APPLY: &str = "apply the CRDs of this version: kubectl apply --server-side -f crds/, or helm upgrade with crds.enabled";

/// Says how an installation stands.
pub fn judge(facts: &Facts) -> Checked {
    if let Err(error) = &facts.version
        && is_away(error)
    {
        // One cause, one line: nothing else could be asked.
        return Checked { operator_namespace: facts.namespace.clone(), at: facts.at, lines: vec![server(facts.version.as_ref())] };
    }
    let mut lines = vec![server(facts.version.as_ref()), clocks(facts.skew)];
    lines.extend(facts.definitions.iter().map(|(wanted, found)| definition(wanted, found)));
    lines.extend(workloads(facts));
    lines.extend(facts.access.iter().map(|access| rights(access, &facts.pods)));
    lines.push(lease(facts));
    lines.push(registers(facts));
    lines.push(lists(facts.lists.as_ref(), &facts.namespace));
    lines.push(responder(facts));
    lines.extend(troubles(&facts.told));
    lines.extend(facts.conditions.iter().map(|(kind, found)| objects(kind, found)));
    Checked { operator_namespace: facts.namespace.clone(), at: facts.at, lines }
}

/// What may not be looked at is no fault of the installation; what cannot be asked is.
fn unseen(topic: &'static str, error: &CallError) -> Line {
    if error.kind == CallErrorKind::Forbidden {
        Line::warning(topic, format!("not looked at: {error}"), "ask somebody with that right to run this command")
    } else if error.kind == CallErrorKind::NotFound {
        Line::failed(topic, error.to_string(), format!("{APPLY}. Where they are there: is the address that of a Kubernetes API server?"))
    } else {
        Line::failed(topic, error.to_string(), "see whether the API server answers: kubectl get --raw /readyz")
    }
}

fn server(version: Result<&Info, &CallError>) -> Line {
    const TOPIC: &str = "API server";
    let info = match version {
        Ok(info) => info,
        Err(error) if error.kind == CallErrorKind::NotFound => {
            return Line::failed(
                TOPIC,
                error.to_string(),
                "what answers there is no Kubernetes API server: see the address in the kubeconfig",
            );
        }
        Err(error) => return unseen(TOPIC, error),
    };
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0);
    if (number(&info.major), number(&info.minor)) < OLDEST {
        let todo = format!("Kubernetes {}.{} or newer is needed: update the cluster first", OLDEST.0, OLDEST.1);
        return Line::failed(TOPIC, format!("version {}", info.git_version), todo);
    }
    Line::ok(TOPIC, format!("version {}", info.git_version))
}

fn clocks(skew: Option<SignedDuration>) -> Line {
    const TOPIC: &str = "clocks";
    match skew {
        None => Line::warning(TOPIC, "the API server does not tell its time", "compare the clocks of the nodes with one another"),
        Some(skew) if skew.abs() > MAX_SKEW => {
            let way = if skew.is_negative() { "behind" } else { "ahead of" };
            let todo = "set the clock of this machine: what it says of times is wrong until then. The operator refuses to sign with such a clock too";
            Line::warning(TOPIC, format!("this machine is {} {way} the API server", span(skew.abs())), todo)
        }
        Some(_) => Line::ok(TOPIC, "this machine and the API server agree"),
    }
}

fn definition(wanted: &CustomResourceDefinition, found: &Found<Option<CustomResourceDefinition>>) -> Line {
    const TOPIC: &str = "CRDs";
    let name = wanted.metadata.name.as_deref().unwrap_or_default();
    let apply = APPLY;
    let found = match found {
        Ok(Some(found)) => found,
        Ok(None) => return Line::failed(TOPIC, format!("{name} is not there"), apply),
        Err(error) => return unseen(TOPIC, error),
    };
    let conditions = found.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    for wanted in ["Established", "NamesAccepted"] {
        let condition = conditions.iter().find(|condition| condition.type_ == wanted);
        if condition.is_none_or(|condition| condition.status != "True") {
            let why = condition
                .and_then(|condition| condition.message.clone())
                .unwrap_or_else(|| "the API server has said nothing yet".to_owned());
            return Line::failed(
                TOPIC,
                format!("{name} is not {wanted}: {why}"),
                "see the conditions of the CRD; another may have the same names",
            );
        }
    }
    let served =
        |definition: &CustomResourceDefinition| definition.spec.versions.iter().find(|version| version.name == names::VERSION).cloned();
    let (Some(ours), Some(theirs)) = (served(wanted), served(found)) else {
        return Line::failed(TOPIC, format!("{name} has no version {}", names::VERSION), apply);
    };
    if !theirs.served {
        return Line::failed(TOPIC, format!("{name} does not serve version {}", names::VERSION), apply);
    }
    match difference(&ours, &theirs) {
        Some(what) => {
            let todo = format!("{apply}; or use the plugin of the version that is installed (this one is {VERSION})");
            Line::failed(TOPIC, format!("{name}: {what} differs from that of version {VERSION}"), todo)
        }
        None => Line::ok(TOPIC, format!("{name} is that of version {VERSION}")),
    }
}

fn difference(ours: &CustomResourceDefinitionVersion, theirs: &CustomResourceDefinitionVersion) -> Option<&'static str> {
    if ours.schema != theirs.schema {
        Some("the schema")
    } else if ours.subresources != theirs.subresources {
        Some("the status subresource")
    } else if ours.selectable_fields.as_deref().unwrap_or_default() != theirs.selectable_fields.as_deref().unwrap_or_default() {
        Some("what can be selected by")
    } else {
        None
    }
}

fn workloads(facts: &Facts) -> Vec<Line> {
    let all = match &facts.workloads {
        Ok(all) => all,
        Err(error) => return vec![unseen("Deployments", error)],
    };
    let mut lines: Vec<Line> = all.iter().map(workload).collect();
    if !all.iter().any(|one| one.component == "controller") {
        let found = format!("no Deployment of the controller in namespace {}", facts.namespace);
        let todo = "install it, or give its namespace with -n; one that runs elsewhere is known by its lease only";
        lines.insert(0, Line::warning("controller", found, todo));
    }
    lines
}

fn workload(workload: &Workload) -> Line {
    let topic = if workload.component == "responder" { "responder" } else { "controller" };
    let Workload { name, wanted, ready, .. } = workload;
    let counted = format!("Deployment {name}: {ready} of {wanted} ready");
    if ready < wanted || !workload.rolled_out {
        let why = some(&workload.troubles);
        let found = if why.is_empty() { format!("{counted}, not rolled out yet") } else { format!("{counted}; {why}") };
        return Line::failed(
            topic,
            found,
            format!("kubectl describe deployment,pods -l app.kubernetes.io/component={topic}, and the pods' logs, say more"),
        );
    }
    match workload.version() {
        Some(version) if version != VERSION => {
            let todo = "use the plugin of the operator's version, or update the operator";
            Line::warning(topic, format!("{counted}; its image is {version}, this plugin {VERSION}"), todo)
        }
        _ => Line::ok(topic, format!("{counted}, {}", workload.image)),
    }
}

fn rights(access: &Access, namespace: &str) -> Line {
    const TOPIC: &str = "rights";
    let who = format!("ServiceAccount {namespace}/{}", access.account);
    match &access.missing {
        Err(error) => unseen(TOPIC, error),
        Ok(missing) if missing.is_empty() => Line::ok(TOPIC, format!("{who} may do all that it needs ({} rights)", access.needed)),
        Ok(missing) => {
            let shown: Vec<String> = missing.iter().map(super::rights::Needed::shown).collect();
            let todo = "apply the Roles and bindings of the chart or of deploy/base again, for the namespaces that are served";
            Line::failed(TOPIC, format!("{who} may not {}", some(&shown)), todo)
        }
    }
}

fn lease(facts: &Facts) -> Line {
    const TOPIC: &str = "lease";
    let name = &facts.lease_name;
    let start = "start the controller, and see its log: nothing is issued or renewed without a leader";
    let spec = match &facts.lease {
        Ok(Some(lease)) => lease.spec.clone().unwrap_or_default(),
        Ok(None) => return Line::failed(TOPIC, format!("there is no Lease {name}: no controller has ever led here"), start),
        Err(error) => return unseen(TOPIC, error),
    };
    let LeaseSpec { holder_identity, renew_time, lease_duration_seconds, .. } = spec;
    let (Some(holder), Some(renewed)) = (holder_identity.filter(|holder| !holder.is_empty()), renew_time) else {
        return Line::failed(TOPIC, format!("nobody holds Lease {name}"), start);
    };
    let duration = SignedDuration::from_secs(i64::from(lease_duration_seconds.unwrap_or(15)));
    // By the API server's clock, as far as it is known: ours may be wrong.
    let now = facts.at.checked_sub(facts.skew.unwrap_or_default()).unwrap_or(facts.at);
    let age = now.duration_since(renewed.0);
    if age < -MAX_SKEW {
        let todo = "set the clock of its node: while it differs by more than 2 minutes nothing is signed";
        return Line::failed(TOPIC, format!("{holder} holds it, and its clock is {} ahead of the API server's", span(age.abs())), todo);
    }
    // A leader renews it several times in its duration.
    if age > duration {
        return Line::failed(TOPIC, format!("{holder} held it, and was last heard of {} ago", span(age)), start);
    }
    Line::ok(TOPIC, format!("held by {holder}, renewed {} ago", span(age)))
}

fn registers(facts: &Facts) -> Line {
    const TOPIC: &str = "registers";
    let found = match &facts.registers {
        Ok(found) => found,
        Err(error) => return unseen(TOPIC, error),
    };
    let broken: Vec<String> =
        found.iter().filter_map(|(name, state)| Some(format!("{}: {}", short(name), state.as_ref().err()?))).collect();
    if !broken.is_empty() {
        let todo =
            "kubectl chancery register verify says what was done to it; docs/disasters.md has the steps. It takes no lines until then";
        return Line::failed(TOPIC, some(&broken), todo);
    }
    let lines: usize = found.values().filter_map(|state| state.as_ref().ok()).sum();
    Line::ok(TOPIC, format!("{} hold together, with {lines} lines", found.len()))
}

fn lists(found: Result<&Listing, &PublishedError>, namespace: &str) -> Line {
    const TOPIC: &str = "lists";
    let listing = match found {
        Ok(listing) => listing,
        Err(PublishedError::Call(error)) if error.kind == CallErrorKind::Forbidden => {
            let todo = format!("give the right to read ConfigMaps in namespace {namespace}");
            return Line::warning(TOPIC, format!("not looked at: {error}"), todo);
        }
        Err(PublishedError::Call(error)) => return unseen(TOPIC, error),
        Err(error) => return Line::failed(TOPIC, error.to_string(), "docs/revocation.md says how lists are kept"),
    };
    let bad = listing
        .lists
        .iter()
        .filter(|list| list.state != "verified")
        .map(|list| format!("{} (shard {}): {}", list.issuer, list.shard, list.state));
    let bad: Vec<String> = listing.damaged.iter().cloned().chain(bad).collect();
    if !bad.is_empty() {
        let todo = "clients refuse what they cannot check: see the condition Ready of the RevocationList, and docs/revocation.md";
        return Line::failed(TOPIC, some(&bad), todo);
    }
    match listing.lists.iter().map(|list| list.next_update).min() {
        None => Line::ok(TOPIC, "none is published"),
        Some(next) => {
            Line::ok(TOPIC, format!("{} are fresh and signed rightly, the first for {} more", listing.lists.len(), left(next, listing.at)))
        }
    }
}

fn left(until: Timestamp, now: Timestamp) -> String {
    span(until.duration_since(now))
}

fn responder(facts: &Facts) -> Line {
    const TOPIC: &str = "responder";
    let needed = facts.lists.as_ref().is_ok_and(|listing| listing.lists.iter().any(|list| list.url.is_some()));
    match &facts.responder {
        Ok(true) => Line::ok(TOPIC, "answers on its Service"),
        Ok(false) if needed => {
            let todo = "install the responder, or serve the lists elsewhere: certificates name URLs of it";
            Line::failed(TOPIC, format!("there is no Service of it in namespace {}", facts.pods), todo)
        }
        Ok(false) => Line::ok(TOPIC, "not installed, and no list is served"),
        Err(Unheard::Forbidden) => {
            let todo = "give the right to get services/proxy in the operator's namespace, or ask its URL: kubectl chancery crl fetch URL";
            Line::warning(TOPIC, "not asked through the API server: that is not allowed", todo)
        }
        Err(Unheard::Silent(why)) => {
            let found = format!("does not answer on its Service: {why}");
            let todo =
                "see the pods of the responder, and whether the NetworkPolicies let the API server in; clients use its URL, not this way";
            if needed { Line::failed(TOPIC, found, todo) } else { Line::warning(TOPIC, found, todo) }
        }
    }
}

/// What pods that are ready have to say of what they serve: a list that is stale leaves them ready.
fn troubles(told: &[Told]) -> Option<Line> {
    const TOPIC: &str = "responder";
    let troubles: BTreeSet<&String> = told.iter().filter_map(|told| told.troubles.as_ref().ok()).flatten().collect();
    if !troubles.is_empty() {
        let troubles: Vec<String> = troubles.into_iter().cloned().collect();
        let todo = "docs/runbooks.md says what each means, under ChanceryResponderTroubled; it goes on serving what it can answer for";
        return Some(Line::failed(TOPIC, some(&troubles), todo));
    }
    let unheard = told.iter().find_map(|told| Some((&told.pod, told.troubles.as_ref().err()?)));
    Some(match unheard {
        None if told.is_empty() => return None,
        None => Line::ok(TOPIC, format!("nothing is wrong with what its pods serve ({} asked)", told.len())),
        Some((_, Unheard::Forbidden)) => {
            let todo = "give the right to get pods/proxy in the operator's namespace, or look at the metric chancery_responder_troubles";
            Line::warning(TOPIC, "not asked what is wrong with what it serves: that is not allowed", todo)
        }
        Some((pod, Unheard::Silent(why))) => {
            let todo =
                "kubectl port-forward to the pod's port http-metrics, and GET /troubles; a NetworkPolicy may keep the API server out";
            Line::warning(TOPIC, format!("pod {pod} does not say what is wrong with what it serves: {why}"), todo)
        }
    })
}

fn objects(kind: &'static str, found: &Found<Vec<Standing>>) -> Line {
    let topic = match kind {
        "Certificate" => "Certificates",
        "RevocationList" => "RevocationLists",
        "Issuer" => "Issuers",
        _ => "ClusterIssuers",
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return unseen(topic, error),
    };
    let not_ready: Vec<String> = found
        .iter()
        .filter(|one| one.ready != Some(true))
        .map(|one| format!("{} ({})", one.name, if one.reason.is_empty() { "no status yet" } else { &one.reason }))
        .collect();
    if not_ready.is_empty() {
        return Line::ok(topic, format!("{}, all Ready", found.len()));
    }
    let todo = match kind {
        "Certificate" => "kubectl chancery status NAME says why, and what comes next",
        _ => "see the message of the condition Ready",
    };
    Line::warning(topic, format!("{} of {} not Ready: {}", not_ready.len(), found.len(), some(&not_ready)), todo)
}

/// The first few of many.
fn some(all: &[String]) -> String {
    let mut shown = all.iter().take(SOME).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > SOME {
        shown.extend(["; and ".to_owned(), (all.len() - SOME).to_string(), " more".to_owned()]);
    }
    shown
}

/// Enough of a key id to know it by.
fn short(name: &str) -> String {
    name.chars().take(16).collect()
}
