use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        coordination::v1::{Lease, LeaseSpec},
        core::v1::Pod,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionStatus,
    },
    apimachinery::pkg::{apis::meta::v1::MicroTime, version::Info},
};
use serde_json::json;

use super::{
    Level::{Failed, Warning},
    facts::{Access, Standing},
    responders::{Told, Unheard},
    rights::Needed,
    workloads::{Reachable, Workload},
    *,
};
use crate::{
    api::crds,
    cluster::{CallError, CallErrorKind},
    plugin::crl::Listing,
};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn at() -> Timestamp {
    time("2026-06-01T12:00:00Z")
}

fn established(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let condition = |type_: &str| CustomResourceDefinitionCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        ..CustomResourceDefinitionCondition::default()
    };
    let conditions = Some(["Established", "NamesAccepted"].map(condition).to_vec());
    definition.status = Some(CustomResourceDefinitionStatus { conditions, ..CustomResourceDefinitionStatus::default() });
    definition
}

fn held(holder: &str, renewed: &str) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        renew_time: Some(MicroTime(time(renewed))),
        lease_duration_seconds: Some(15),
        ..LeaseSpec::default()
    };
    Lease { spec: Some(spec), ..Lease::default() }
}

fn version(minor: &str) -> Info {
    Info { major: "1".to_owned(), minor: minor.to_owned(), git_version: format!("v1.{minor}.0"), ..Info::default() }
}

fn controller() -> Workload {
    Workload {
        name: "chancery-controller".to_owned(),
        component: "controller".to_owned(),
        account: "chancery-controller".to_owned(),
        image: format!("ghcr.io/chancery-dev/chancery:{}", env!("CARGO_PKG_VERSION")),
        wanted: 2,
        ready: 2,
        rolled_out: true,
        ..Workload::default()
    }
}

/// An installation with nothing wrong.
fn sound() -> Facts {
    let access = |account: &str| Access { account: account.to_owned(), missing: Ok(Vec::new()), needed: 2 };
    Facts {
        namespace: "chancery-system".to_owned(),
        pods: "chancery-system".to_owned(),
        at: at(),
        version: Ok(version("33")),
        skew: Some(SignedDuration::ZERO),
        definitions: crds::definitions().into_iter().map(|wanted| (wanted.clone(), Ok(Some(established(wanted))))).collect(),
        workloads: Ok(vec![controller()]),
        watched: Vec::new(),
        access: vec![access("chancery-controller"), access("chancery-responder")],
        lease: Ok(Some(held("pod-1", "2026-06-01T11:59:58Z"))),
        lease_name: "chancery-controller".to_owned(),
        registers: Ok(BTreeMap::from([("common".to_owned(), Ok(3))])),
        lists: Ok(Listing::new(at())),
        conditions: vec![(
            "Certificate",
            Ok(vec![Standing { name: "team/web".to_owned(), ready: Some(true), reason: "Ready".to_owned() }]),
        )],
        responder: Ok(false),
        told: vec![Told { pod: "responder-1".to_owned(), troubles: Ok(Vec::new()) }],
    }
}

fn denied(kind: CallErrorKind) -> CallError {
    CallError { what: "list things".to_owned(), kind, message: "no".to_owned() }
}

/// The lines that are not right, once something is changed.
fn wrong(change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Level, String)> {
    let mut facts = sound();
    change(&mut facts);
    let checked = judge(&facts);
    let lines = checked.lines.into_iter().filter(|line| line.level != Level::Ok);
    lines
        .map(|line| (line.topic, line.level, format!("{}|{}", line.found, line.todo.expect("what is not right says what to do"))))
        .collect()
}

#[test]
fn an_installation_that_is_right_has_nothing_to_do() {
    assert_eq!(wrong(|_| {}), []);
    assert!(judge(&sound()).is_well());
}

#[test]
fn each_fault_is_a_line_that_says_what_to_do() {
    let one = |change: fn(&mut Facts)| {
        let lines = wrong(change);
        let [(topic, level, text)] = lines.as_slice() else { panic!("{lines:?}") };
        (*topic, *level, text.clone())
    };
    let expect = |change: fn(&mut Facts), topic: &str, level: Level, text: &str| {
        let (found, how, said) = one(change);
        assert_eq!((found, how), (topic, level), "{said}");
        assert!(said.contains(text), "{text:?} is not in {said:?}");
    };
    expect(|facts| facts.version = Ok(version("32+")), "API server", Failed, "1.33 or newer is needed");
    expect(|facts| facts.version = Err(denied(CallErrorKind::Unavailable)), "API server", Failed, "/readyz");
    expect(|facts| facts.version = Err(denied(CallErrorKind::NotFound)), "API server", Failed, "no Kubernetes API server");
    expect(
        |facts| facts.conditions = vec![("Certificate", Err(denied(CallErrorKind::NotFound)))],
        "Certificates",
        Failed,
        "apply the CRDs",
    );
    expect(
        |facts| {
            facts.skew = Some(SignedDuration::from_mins(-5));
            facts.lease = Ok(Some(held("pod-1", "2026-06-01T12:04:58Z")));
        },
        "clocks",
        Warning,
        "5m behind the API server",
    );
    expect(|facts| facts.definitions[0].1 = Ok(None), "CRDs", Failed, "is not there");
    expect(|facts| facts.definitions[0].1 = Err(denied(CallErrorKind::Forbidden)), "CRDs", Warning, "not looked at");
    expect(|facts| facts.definitions[1].1 = Ok(Some(facts.definitions[1].0.clone())), "CRDs", Failed, "is not Established");
    expect(
        |facts| {
            let Ok(Some(definition)) = &mut facts.definitions[2].1 else { panic!("it is there") };
            definition.spec.versions[0].schema = None;
        },
        "CRDs",
        Failed,
        "the schema differs",
    );
    expect(|facts| facts.workloads = Ok(Vec::new()), "controller", Warning, "no Deployment of the controller");
    expect(
        |facts| facts.workloads = Ok(vec![Workload { ready: 1, troubles: vec!["pod a: ImagePullBackOff".to_owned()], ..controller() }]),
        "controller",
        Failed,
        "1 of 2 ready; pod a: ImagePullBackOff",
    );
    expect(|facts| facts.workloads = Ok(vec![Workload { rolled_out: false, ..controller() }]), "controller", Failed, "not rolled out yet");
    expect(
        |facts| facts.workloads = Ok(vec![Workload { image: "registry:5000/chancery:v9.9.9".to_owned(), ..controller() }]),
        "controller",
        Warning,
        "its image is 9.9.9",
    );
    expect(
        |facts| {
            let needed =
                Needed { namespace: None, group: String::new(), resource: "secrets".to_owned(), verb: "list".to_owned(), name: None };
            facts.access[0].missing = Ok(vec![needed; 5]);
        },
        "rights",
        Failed,
        "may not list secrets in all namespaces; list secrets in all namespaces; list secrets in all namespaces; and 2 more",
    );
    expect(|facts| facts.lease = Ok(None), "lease", Failed, "no controller has ever led here");
    expect(|facts| facts.lease = Ok(Some(held("", "2026-06-01T11:59:58Z"))), "lease", Failed, "nobody holds");
    expect(|facts| facts.lease = Ok(Some(held("pod-1", "2026-06-01T11:59:00Z"))), "lease", Failed, "was last heard of 60s ago");
    expect(|facts| facts.lease = Ok(Some(held("pod-1", "2026-06-01T12:10:00Z"))), "lease", Failed, "its clock is 10m ahead");
    expect(
        |facts| facts.registers = Ok(BTreeMap::from([("common".to_owned(), Err("line 3: changed".to_owned()))])),
        "registers",
        Failed,
        "line 3: changed",
    );
    expect(|facts| facts.lists = Ok(Listing { damaged: vec!["torn".to_owned()], ..Listing::new(facts.at) }), "lists", Failed, "torn");
    expect(|facts| facts.responder = Err(Unheard::Silent("503: no endpoints".to_owned())), "responder", Warning, "no endpoints");
    // What is allowed is said by the status code: words may be anyone's.
    let worded = || Unheard::Silent("no route to 10.0.4.03:4030, forbidden by nobody".to_owned());
    assert!(wrong(|facts| facts.responder = Err(worded()))[0].2.contains("does not answer"));
    expect(|facts| facts.responder = Err(Unheard::Forbidden), "responder", Warning, "that is not allowed");
    expect(
        |facts| facts.told[0].troubles = Ok(vec!["authority 00: a newer list is refused".to_owned()]),
        "responder",
        Failed,
        "is refused",
    );
    expect(|facts| facts.told[0].troubles = Err(Unheard::Forbidden), "responder", Warning, "pods/proxy");
    expect(|facts| facts.told[0].troubles = Err(Unheard::Silent("timed out".to_owned())), "responder", Warning, "responder-1 does not");
    expect(|facts| facts.lists = Err(denied(CallErrorKind::Forbidden).into()), "lists", Warning, "give the right to read ConfigMaps");
    expect(|facts| facts.lists = Err(denied(CallErrorKind::Unavailable).into()), "lists", Failed, "/readyz");
    expect(
        |facts| facts.conditions[0].1 = Ok(vec![Standing { name: "team/web".to_owned(), ready: Some(false), reason: "Denied".to_owned() }]),
        "Certificates",
        Warning,
        "1 of 1 not Ready: team/web (Denied)",
    );
}

#[test]
fn a_wrong_clock_here_is_not_taken_for_a_dead_leader() {
    let lines = wrong(|facts| {
        facts.skew = Some(SignedDuration::from_mins(10));
        facts.lease = Ok(Some(held("pod-1", "2026-06-01T11:49:58Z")));
    });
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), ["clocks"]);
}

#[test]
fn a_deployment_is_read_with_its_flags_its_version_and_what_its_pods_wait_for() {
    let labels = json!({"app.kubernetes.io/name": "chancery", "app.kubernetes.io/component": "controller"});
    let arguments = json!(["controller", "--watch-namespace=team-a", "--watch-namespace", "team-b", "--lease-name=x"]);
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"name": "chancery-controller", "labels": labels, "generation": 2},
        "spec": {"replicas": 2, "selector": {}, "template": {"metadata": {"labels": labels}, "spec": {
            "serviceAccountName": "account", "containers": [{"name": "controller", "image": "host:5000/a/chancery:0.1.0@sha256:00", "args": arguments}],
        }}},
        "status": {"observedGeneration": 1, "readyReplicas": 1, "updatedReplicas": 2},
    }))
    .unwrap();
    let pod = |name: &str, status| -> Pod {
        let spec = json!({"containers": [{"name": "c", "ports": [{"name": "http-metrics", "containerPort": 9402}]}]});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})).unwrap()
    };
    let pods = [
        pod("good", json!({"conditions": [{"type": "Ready", "status": "True"}]})),
        pod(
            "waiting",
            json!({"containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}}]}),
        ),
        pod("pending", json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]})),
    ];
    let [workload] = workloads::of(&[deployment], &pods).try_into().unwrap();
    assert_eq!(workload.troubles, ["pod waiting: ErrImagePull", "pod pending: Unschedulable"]);
    assert_eq!(workload.reachable, [Reachable { pod: "good".to_owned(), port: 9402 }]);
    assert_eq!((workload.version(), workload.rolled_out, workload.ready), (Some("0.1.0"), false, 1));
    assert_eq!(workload.flags("--watch-namespace"), ["team-a", "team-b"]);
    assert_eq!((workload.flags("--lease-name"), workload.flags("--lease")), (vec!["x".to_owned()], vec![]));
}
