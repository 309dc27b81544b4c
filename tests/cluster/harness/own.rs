//! Operators for tests that cannot share one: each with a namespace that the shared operator leaves alone, a system namespace,
//! a ServiceAccount with the Roles of `deploy/namespaced`, and a lease of its own.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde_json::Value;

use super::operator::{Operator, Settings};
use super::{Access, Ground, Responder, apply_manifests, kustomization, parse_manifests, run, wait_for_rights};

/// How many tests can have operators of their own in one run.
const COUNT: usize = 60;

/// The namespaces that the shared operator leaves alone.
pub(crate) fn names() -> impl Iterator<Item = String> {
    (1..=COUNT).map(|number| format!("own-{number:02}"))
}

/// A pair of namespaces with an identity that may work in them: for one operator, or several with the same lease.
#[derive(Clone)]
pub(crate) struct OwnGround {
    /// The watched namespace, `own-..`.
    pub(crate) namespace: String,
    /// The operator's namespace, `own-..-system`.
    pub(crate) system: String,
    /// The operator's identity, at the API server's own address.
    pub(crate) identity: Access,
    client: Client,
}

impl OwnGround {
    /// Takes the next pair and makes what is in it.
    pub(crate) async fn claim(ground: &Ground) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = names().nth(number).unwrap_or_else(|| panic!("more than {COUNT} tests want an operator of their own: raise COUNT"));
        match Self::make(ground, &namespace).await {
            Ok(own) => own,
            Err(error) => panic!("{namespace} was not made: {error:#}"),
        }
    }

    /// How to start an operator here, with a lease of 3 seconds. `name` is unique within this ground.
    pub(crate) fn settings(&self, name: &str) -> Settings {
        self.settings_as(name, &self.identity)
    }

    /// The same through a proxy that speaks plain HTTP and passes the bearer token on.
    pub(crate) fn settings_through(&self, name: &str, proxy: &str) -> Settings {
        self.settings_as(name, &self.identity.through(proxy))
    }

    /// Starts a responder of its own for the operators here; returns when it lives.
    pub(crate) async fn responder(&self, ground: &Ground) -> Responder {
        self.responder_with(ground, &[]).await
    }

    /// The same with more on its command line.
    pub(crate) async fn responder_with(&self, ground: &Ground, flags: &[&str]) -> Responder {
        match Responder::spawn(ground.access(), &self.client, &self.system, &self.namespace, flags).await {
            Ok(responder) => {
                responder.live().await;
                responder
            }
            Err(error) => panic!("{}: no responder: {error:#}", self.namespace),
        }
    }

    /// The objects of a kind in the watched namespace, as administrator.
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The objects of a kind in the operator's namespace, as administrator.
    pub(crate) fn system_api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.system)
    }

    /// The user name under which its operators stand in the audit log.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:chancery-controller", self.system)
    }

    fn settings_as(&self, name: &str, identity: &Access) -> Settings {
        let name = format!("{}-{name}", self.namespace);
        let kubeconfig = run::folder().join(format!("operator-{name}.kubeconfig"));
        if let Err(error) = identity.write_kubeconfig(&kubeconfig) {
            panic!("{error:#}");
        }
        Settings::new(name, kubeconfig)
            .flag("--cluster-resource-namespace", &self.system)
            .flag("--watch-namespace", &self.namespace)
            .flag("--lease-name", "chancery-controller")
            .flag("--lease-duration", "3s")
            .serves([self.namespace.clone(), self.system.clone()])
    }

    async fn make(ground: &Ground, namespace: &str) -> Result<Self> {
        let system = format!("{namespace}-system");
        let mut documents = vec![serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })];
        documents.extend(kustomization(&run::source().join("deploy/namespaced"))?);
        let responder = run::source().join("deploy/base/responder.yaml");
        let responder = fs::read_to_string(&responder).with_context(|| format!("cannot read {}", responder.display()))?;
        documents.extend(parse_manifests(&responder)?);
        for document in &mut documents {
            rename(document, &[("team-a", namespace), ("chancery-system", &system)]);
        }
        apply_manifests(&ground.client, &documents).await?;
        wait_for_rights(&ground.client, &documents).await?;
        let day = Duration::from_hours(24);
        let identity = ground.access().as_service_account(&ground.client, &system, "chancery-controller", day).await?;
        Ok(Self { namespace: namespace.to_owned(), system, identity, client: ground.client.clone() })
    }
}

/// One operator on a ground of its own, ready. Use it as an [`Operator`].
pub(crate) struct OwnOperator {
    pub(crate) ground: OwnGround,
    operator: Operator,
}

impl OwnOperator {
    /// On the next free ground, with its settings as they are.
    pub(crate) async fn start(ground: &Ground) -> Self {
        Self::start_with(ground, |settings| settings).await
    }

    /// On the next free ground, with its settings changed: more flags, an environment.
    pub(crate) async fn start_with(ground: &Ground, change: impl FnOnce(Settings) -> Settings) -> Self {
        let own = OwnGround::claim(ground).await;
        let operator = change(own.settings("operator")).start().await;
        Self { ground: own, operator }
    }
}

impl Deref for OwnOperator {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.operator
    }
}

impl DerefMut for OwnOperator {
    fn deref_mut(&mut self) -> &mut Operator {
        &mut self.operator
    }
}

/// Replaces every string that is one of the names, wherever it stands.
fn rename(value: &mut Value, names: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            if let Some((_, new)) = names.iter().find(|(old, _)| old == text) {
                (*new).clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, names)),
        _ => {}
    }
}
