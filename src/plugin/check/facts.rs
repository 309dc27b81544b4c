//! What is found in a cluster, before anything is said about it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use http::{Request, header};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        coordination::v1::Lease,
        core::v1::{ConfigMap, Pod},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::Condition,
    apimachinery::pkg::version::Info,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
    client::Body,
};

use super::{
    responders::{self, Told, Unheard},
    rights::{self, Needed},
    workloads::{self, Installed, Workload},
};
use crate::{
    api::{Certificate, ClusterIssuer, Issuer, RevocationList, condition, crds},
    cluster::{CallError, CallErrorKind, Clock, ClockSkew},
    lists::Kind,
    plugin::{
        crl::Listing,
        published::{Published, PublishedError},
        read,
    },
    register::{self, Document, RegisterId, examine::Examined},
};

/// How many reviews of access are asked for at once.
const AT_ONCE: usize = 16;

/// What is to be looked at.
#[derive(Clone, Debug)]
pub struct Question {
    /// The operator's namespace: that of its pods, or the one where it keeps its registers and lists.
    pub namespace: String,
    /// The namespaces that the operator serves; empty for those of its Deployment's flags, else all.
    pub watched: Vec<String>,
    /// The name of the lease, where it is not that of the Deployment's flags.
    pub lease: Option<String>,
}

/// Something that was looked at, or why it was not.
pub(super) type Found<T> = Result<T, CallError>;

/// What was found.
#[derive(Debug)]
pub struct Facts {
    /// Where the operator keeps its registers, its lists and the lease.
    pub namespace: String,
    /// Where its pods, their ServiceAccounts and Services are.
    pub pods: String,
    /// When its lease was looked at, by the clock here.
    pub at: Timestamp,
    /// The API server's version.
    pub version: Found<Info>,
    /// The clock here less that of the API server.
    pub skew: Option<SignedDuration>,
    /// The kinds as they should be and as they are.
    pub definitions: Vec<(CustomResourceDefinition, Found<Option<CustomResourceDefinition>>)>,
    /// The Deployments.
    pub workloads: Found<Vec<Workload>>,
    /// Which namespaces the operator serves; empty for all.
    pub watched: Vec<String>,
    /// What the operator and the responder need, and whether they may: none where that could not be asked.
    pub access: Vec<Access>,
    /// The lease.
    pub lease: Found<Option<Lease>>,
    /// Its name.
    pub lease_name: String,
    /// The registers by name: how many lines, or what is wrong.
    pub registers: Found<BTreeMap<String, Result<usize, String>>>,
    /// The lists.
    pub lists: Result<Listing, PublishedError>,
    /// The conditions of all objects, by kind.
    pub conditions: Vec<(&'static str, Found<Vec<Standing>>)>,
    /// What the responder's Service answers through the API server; none where there is no Service.
    pub responder: Result<bool, Unheard>,
    /// What those of its pods that are ready say of what they serve.
    pub told: Vec<Told>,
}

/// Whether somebody may do what they need.
#[derive(Debug)]
pub struct Access {
    /// Who: `chancery-controller`.
    pub account: String,
    /// What they may not do; or why it is not known.
    pub missing: Found<Vec<Needed>>,
    /// How much they need.
    pub needed: usize,
}

/// One object, and whether it is Ready.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As namespace/name, or name.
    pub name: String,
    /// Whether it is; none where the operator has said nothing yet.
    pub ready: Option<bool>,
    /// Why, in a word.
    pub reason: String,
}

/// Looks at all of it.
pub async fn gather(client: &Client, question: &Question, clock: &dyn Clock) -> Facts {
    let (version, skew) = version(client, clock).await;
    if let Err(error) = &version
        && is_away(error)
    {
        return Facts::without_server(error, question, clock.now());
    }
    let mut definitions = Vec::new();
    let kinds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for wanted in crds::definitions() {
        let name = wanted.metadata.name.clone().unwrap_or_default();
        let found = kinds.get_opt(&name).await.map_err(CallError::of("get", "CustomResourceDefinition", None, &name));
        definitions.push((wanted, found));
    }
    let (workloads, pods, namespace) = match workloads::installed(client, &question.namespace).await {
        Ok(Installed { deployments, pods, resources }) => {
            let found =
                read::all(&Api::<Pod>::namespaced(client.clone(), &pods), &ListParams::default().labels(workloads::COMPONENTS)).await;
            (found.map(|found| workloads::of(&deployments, &found)), pods, resources)
        }
        Err(error) => (Err(error), question.namespace.clone(), question.namespace.clone()),
    };
    let controller = workloads.as_ref().ok().and_then(|all| all.iter().find(|one| one.component == "controller"));
    let responder = workloads.as_ref().ok().and_then(|all| all.iter().find(|one| one.component == "responder"));
    let watched = match controller {
        Some(controller) if question.watched.is_empty() => controller.flags("--watch-namespace"),
        _ => question.watched.clone(),
    };
    let lease_name =
        question.lease.clone().or_else(|| controller?.flags("--lease-name").pop()).unwrap_or_else(|| "chancery-controller".to_owned());
    let account = |workload: Option<&Workload>, name: &str| workload.map_or_else(|| name.to_owned(), |workload| workload.account.clone());
    let access = vec![
        access(client, &pods, account(controller, "chancery-controller"), rights::of_controller(&namespace, &watched, &lease_name)).await,
        access(client, &pods, account(responder, workloads::RESPONDER), rights::of_responder(&namespace)).await,
    ];
    let lease = Api::<Lease>::namespaced(client.clone(), &namespace).get_opt(&lease_name).await;
    let lease = lease.map_err(CallError::of("get", "Lease", Some(&namespace), &lease_name));
    // What follows may take a while, and a lease that was read before is not older for it.
    let at = clock.now();
    let lists = listing(&Published::new(client.clone(), &namespace), at).await;
    let conditions = vec![
        ("ClusterIssuer", if watched.is_empty() { cluster_issuers(client).await } else { Ok(Vec::new()) }),
        (
            "Issuer",
            standings::<Issuer>(client, &watched, |issuer| conditions(issuer.status.as_ref().map(|status| &status.conditions))).await,
        ),
        (
            "RevocationList",
            standings::<RevocationList>(client, &watched, |list| conditions(list.status.as_ref().map(|status| &status.conditions))).await,
        ),
        (
            "Certificate",
            standings::<Certificate>(client, &watched, |one| conditions(one.status.as_ref().map(|status| &status.conditions))).await,
        ),
    ];
    let told = match responder {
        Some(responder) => responders::told(client, &pods, &responder.reachable).await,
        None => Vec::new(),
    };
    let service = responder.map_or_else(|| workloads::RESPONDER.to_owned(), |responder| responder.name.clone());
    Facts {
        at,
        version,
        skew,
        definitions,
        workloads,
        watched,
        access,
        lease,
        lease_name,
        registers: registers(client, &namespace).await,
        lists,
        conditions,
        responder: responders::answers(client, &pods, &service).await,
        told,
        pods,
        namespace,
    }
}

/// Whether the API server itself does not answer: then nothing else can be asked.
pub(super) fn is_away(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::Timeout | CallErrorKind::Unavailable)
}

impl Facts {
    fn without_server(error: &CallError, question: &Question, at: Timestamp) -> Self {
        Self {
            namespace: question.namespace.clone(),
            pods: question.namespace.clone(),
            at,
            version: Err(error.clone()),
            skew: None,
            definitions: Vec::new(),
            workloads: Err(error.clone()),
            watched: question.watched.clone(),
            access: Vec::new(),
            lease: Err(error.clone()),
            lease_name: question.lease.clone().unwrap_or_default(),
            registers: Err(error.clone()),
            lists: Err(error.clone().into()),
            conditions: Vec::new(),
            responder: Err(Unheard::Silent(error.to_string())),
            told: Vec::new(),
        }
    }
}

/// The API server's version and how far its clock is from ours, by one request.
async fn version(client: &Client, clock: &dyn Clock) -> (Found<Info>, Option<SignedDuration>) {
    let failed = |error| CallError::of("get", "version", None, "of the API server")(error);
    let request = match Request::get("/version").body(Body::empty()) {
        Ok(request) => request,
        Err(error) => return (Err(failed(kube::Error::HttpError(error))), None),
    };
    let sent = clock.now();
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(error) => return (Err(failed(error)), None),
    };
    let received = clock.now();
    let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    let skew = date.and_then(|date| ClockSkew::default().observe(&date, sent, received));
    let version = client.apiserver_version().await.map_err(failed);
    (version, skew)
}

/// What of this an account may not do.
async fn access(client: &Client, namespace: &str, account: String, needed: Vec<Needed>) -> Access {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let count = needed.len();
    let asked = stream::iter(needed).map(|needed| {
        let review = review(&user, &needed);
        let reviews = &reviews;
        async move {
            let answer =
                reviews.create(&PostParams::default(), &review).await.map_err(CallError::of("create", "SubjectAccessReview", None, ""))?;
            let allowed = answer.status.is_some_and(|status| status.allowed);
            Ok::<_, CallError>((!allowed).then_some(needed))
        }
    });
    let answers: Vec<Result<Option<Needed>, CallError>> = asked.buffered(AT_ONCE).collect().await;
    let missing = answers.into_iter().collect::<Result<Vec<_>, _>>().map(|missing| missing.into_iter().flatten().collect());
    Access { account, missing, needed: count }
}

fn review(user: &str, needed: &Needed) -> SubjectAccessReview {
    let (resource, subresource) = match needed.resource.split_once('/') {
        Some((resource, subresource)) => (resource.to_owned(), Some(subresource.to_owned())),
        None => (needed.resource.clone(), None),
    };
    let attributes = ResourceAttributes {
        group: Some(needed.group.clone()),
        resource: Some(resource),
        subresource,
        verb: Some(needed.verb.clone()),
        name: needed.name.clone(),
        namespace: needed.namespace.clone(),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

/// Each register, from its ConfigMaps.
async fn registers(client: &Client, namespace: &str) -> Found<BTreeMap<String, Result<usize, String>>> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let documents = read::all(&maps, &ListParams::default().labels(register::LABEL)).await?;
    let documents: Vec<Document> = documents.into_iter().map(Document::from).collect();
    let names = documents.iter().filter_map(|document| document.name.strip_prefix("chancery-register-")?.split('-').next()?.parse().ok());
    let ids: BTreeSet<RegisterId> = names.collect();
    let examined = ids.into_iter().map(|id| {
        let examined = Examined::of(id, &documents);
        let state = examined.faults.first().map_or(Ok(examined.lines.len()), |fault| Err(fault.to_string()));
        (id.to_string(), state)
    });
    Ok(examined.collect())
}

async fn listing(published: &Published, at: Timestamp) -> Result<Listing, PublishedError> {
    let mut listing = Listing::new(at);
    let (heads, damaged) = published.heads().await?;
    listing.damaged = damaged;
    for head in &heads {
        for &shard in head.shards.keys() {
            let list = published.list(head, shard, Kind::Full).await.map_err(|error| error.to_string());
            listing.add(head, shard, Kind::Full, Some(list));
        }
    }
    Ok(listing)
}

fn conditions(conditions: Option<&Vec<Condition>>) -> Option<Condition> {
    conditions.and_then(|conditions| condition::find(conditions, condition::READY)).cloned()
}

async fn cluster_issuers(client: &Client) -> Found<Vec<Standing>> {
    let found = read::all(&Api::<ClusterIssuer>::all(client.clone()), &ListParams::default()).await?;
    let ready = |issuer: &ClusterIssuer| conditions(issuer.status.as_ref().map(|status| &status.conditions));
    Ok(found.iter().map(|issuer| Standing::of(issuer.metadata.name.clone().unwrap_or_default(), ready(issuer))).collect())
}

async fn standings<K>(client: &Client, watched: &[String], ready: impl Fn(&K) -> Option<Condition>) -> Found<Vec<Standing>>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    K::DynamicType: Default,
{
    let places: Vec<Option<&str>> = if watched.is_empty() { vec![None] } else { watched.iter().map(|one| Some(one.as_str())).collect() };
    let mut found = Vec::new();
    for place in places {
        for object in read::all(&read::api::<K>(client, place), &ListParams::default()).await? {
            let meta = object.meta();
            let name = format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
            found.push(Standing::of(name, ready(&object)));
        }
    }
    Ok(found)
}

impl Standing {
    fn of(name: String, ready: Option<Condition>) -> Self {
        let reason = ready.as_ref().map(|ready| ready.reason.clone()).unwrap_or_default();
        Self { name, ready: ready.map(|ready| ready.status == "True"), reason }
    }
}
