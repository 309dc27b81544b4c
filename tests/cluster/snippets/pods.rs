//! In place of nodes: runs the controller and the responder as their Deployments say, with the tokens of their ServiceAccounts.
//!
//! One that is scaled to nothing or deleted is stopped, one whose template changes is started anew. Nothing is written into the cluster:
//! who waits for a pod waits in vain.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt as _};
use kube_runtime::WatchStreamExt as _;
use kube_runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;

use crate::harness::{Ground, Operator, Responder, Settings, run_folder};

/// The programs of one control plane.
pub(super) struct Pods {
    responder: watch::Receiver<Option<String>>,
}

impl Pods {
    /// Follows the Deployments of a control plane as long as the run lasts, in a thread of its own: it outlives the test that asks first.
    pub(super) fn of(ground: &Ground, name: &'static str) -> Self {
        let (tell, responder) = watch::channel(None);
        let ground = ground.clone();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
            runtime.block_on(async {
                let mut node = Node { ground: ground.again(), name, running: HashMap::new(), tell };
                node.follow().await;
            });
        });
        Self { responder }
    }

    /// Where the responder serves, as soon as it does.
    pub(super) async fn responder(&self) -> String {
        let mut address = self.responder.clone();
        let told = tokio::time::timeout(Duration::from_mins(1), address.wait_for(Option::is_some)).await;
        told.expect("the responder is up within a minute").expect("the thread lasts").clone().expect("it was waited for")
    }

    /// Where it serves, if it does.
    pub(super) fn responder_now(&self) -> Option<String> {
        self.responder.borrow().clone()
    }
}

struct Node {
    ground: Ground,
    name: &'static str,
    running: HashMap<String, (Template, Running)>,
    tell: watch::Sender<Option<String>>,
}

enum Running {
    Controller(Operator),
    Responder(Responder),
}

/// What of a Deployment decides how its program runs.
#[derive(Clone, PartialEq)]
struct Template {
    namespace: String,
    account: String,
    arguments: Vec<String>,
    annotations: BTreeMap<String, String>,
}

impl Template {
    /// That of a Deployment of ours which is to run.
    fn of(deployment: &Deployment) -> Option<Self> {
        let spec = Some(&deployment.spec).filter(|spec| spec.replicas != Some(0))?;
        let pod = spec.template.spec.as_ref()?;
        let container = pod.containers.first()?;
        let namespace = deployment.namespace()?;
        let arguments = container.args.iter().flatten().map(|argument| argument.replace("$(POD_NAMESPACE)", &namespace)).collect();
        let annotations = spec.template.metadata.as_ref().and_then(|metadata| metadata.annotations.clone()).unwrap_or_default();
        Some(Self { account: pod.service_account_name.clone()?, arguments, annotations, namespace })
    }

    fn is(&self, program: &str) -> bool {
        self.arguments.first().is_some_and(|first| first == program)
    }
}

impl Node {
    async fn follow(&mut self) {
        let deployments: Api<Deployment> = Api::all(self.ground.client.clone());
        let mut events = pin!(watcher(deployments, watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            let (deployment, wanted) = match event {
                Ok(Event::Apply(deployment) | Event::InitApply(deployment)) => {
                    let wanted = Template::of(&deployment).filter(|template| template.is("controller") || template.is("responder"));
                    (deployment, wanted)
                }
                Ok(Event::Delete(deployment)) => (deployment, None),
                Ok(Event::Init | Event::InitDone) | Err(_) => continue,
            };
            let name = deployment.name_any();
            if self.running.get(&name).map(|(template, _)| template) == wanted.as_ref() {
                continue;
            }
            let mut again = tokio::time::interval(Duration::from_secs(1));
            // Nothing runs after a failure, and a program of ours is missing until it does. What was changed meanwhile is heard after it.
            for _ in 0..10 {
                let Err(error) = self.replace(&name, wanted.clone()).await else { break };
                eprintln!("{}: {name} was not started: {error:#}", self.name);
                again.tick().await;
            }
        }
    }

    async fn replace(&mut self, name: &str, wanted: Option<Template>) -> Result<()> {
        let before = self.running.remove(name).map(|(_, running)| running);
        let Some(template) = wanted else {
            if let Some(Running::Controller(mut operator)) = before {
                operator.terminate().await;
            }
            return Ok(());
        };
        let running = match before {
            Some(Running::Responder(mut responder)) => {
                responder.respawn().await;
                Running::Responder(responder)
            }
            Some(Running::Controller(mut operator)) => {
                operator.terminate().await;
                self.start(&template).await?
            }
            None => self.start(&template).await?,
        };
        if let Running::Responder(responder) = &running {
            responder.live().await;
            self.tell.send_replace(Some(responder.base_url()));
        }
        self.running.insert(name.to_owned(), (template, running));
        Ok(())
    }

    async fn start(&self, template: &Template) -> Result<Running> {
        let (ground, namespace) = (&self.ground, template.namespace.as_str());
        if template.is("responder") {
            let arguments = vec![format!("--cluster-resource-namespace={namespace}")];
            return Ok(Running::Responder(Responder::spawn(ground.access(), &ground.client, namespace, self.name, arguments).await?));
        }
        let day = Duration::from_hours(24);
        let identity = ground.access().as_service_account(&ground.client, namespace, &template.account, day).await?;
        let kubeconfig = run_folder().join(format!("operator-{}.kubeconfig", self.name));
        identity.write_kubeconfig(&kubeconfig)?;
        let mut settings = Settings::new(self.name, kubeconfig).serves([format!("{}-no-namespace", self.name)]);
        for argument in &template.arguments[1..] {
            let (flag, value) = argument.split_once('=').with_context(|| format!("{argument} has no value"))?;
            if !matches!(flag, "--http-address" | "--log-level") {
                settings = settings.flag(flag, value);
            }
        }
        Ok(Running::Controller(settings.spawn()))
    }
}
