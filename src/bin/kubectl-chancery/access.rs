//! Which cluster, which namespaces and which objects: flags that commands share, named as kubectl names them.

use std::{borrow::Cow, ffi::OsStr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use chancery::{
    api::{GoDuration, names},
    plugin::{change::DryRun, output::Format, read},
};
use clap::Args;
use kube::{
    Api, Client, Config, Resource,
    api::ListParams,
    config::{Kubeconfig, KubeconfigError},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::given::{LABELS, NAME, NAMESPACE, OPERATOR_NAMESPACE, filled};
use crate::way::{Way, is_missing};

/// Which cluster.
#[derive(Args, Debug)]
pub(crate) struct Access {
    /// The kubeconfig to use.
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use.
    #[arg(long, global = true, value_parser = filled("write a context of the kubeconfig, or leave the flag out for the current one"))]
    context: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// What the kubelet sets in each container, and nobody sets elsewhere.
const IN_POD: &str = "KUBERNETES_SERVICE_HOST";

/// Whether there is no kubeconfig, which is another matter than one that cannot be used, or that `KUBECONFIG` (here its value) names
/// and is missing.
fn is_none(error: &KubeconfigError, named: Option<&OsStr>) -> bool {
    // A list of empty names is as good as unset to kube, too.
    let named = named.is_some_and(|value| std::env::split_paths(value).any(|path| !path.as_os_str().is_empty()));
    !named && is_missing(error)
}

impl Access {
    /// A client that acts as whom the kubeconfig names; as the pod's ServiceAccount in a pod where no flag and no `KUBECONFIG` names one
    /// and `~/.kube/config` is not there.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        if self.kubeconfig.is_none()
            && self.context.is_none()
            && let Some(config) = self.way.alone()
        {
            return self.way.client(config);
        }
        let options = self.way.options(self.kubeconfig.as_ref(), self.context.as_ref())?;
        let config = match &self.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await.context("no cluster")?,
            None => match Config::from_kubeconfig(&options).await {
                Err(error)
                    if self.context.is_none()
                        && is_none(&error, std::env::var_os("KUBECONFIG").as_deref())
                        && std::env::var_os(IN_POD).is_some() =>
                {
                    Config::incluster()
                        .context("no cluster: there is no kubeconfig, and what a pod has of its ServiceAccount cannot be read")?
                }
                config => config.context("no cluster")?,
            },
        };
        self.way.client(config)
    }
}

/// For commands about one object, or a few, of one namespace.
#[derive(Args, Debug)]
pub(crate) struct OneNamespace {
    /// The object's namespace. Unset: that of the kubeconfig's context.
    #[arg(short, long, global = true, value_parser = filled(NAMESPACE))]
    namespace: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
}

impl OneNamespace {
    /// Its name.
    pub(crate) fn name(&self, client: &Client) -> String {
        self.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned())
    }
}

/// For commands about all objects of a kind, or those with labels, in one namespace or in all.
#[derive(Args, Debug)]
pub(crate) struct Extent {
    /// The objects' namespace. Unset: that of the kubeconfig's context.
    #[arg(short, long, conflicts_with = "all_namespaces", value_parser = filled(NAMESPACE))]
    namespace: Option<String>,
    /// The objects of all namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// The objects with these labels, as kubectl selects: app=web,tier!=test
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = filled(LABELS))]
    selector: Option<String>,
    #[command(flatten)]
    pub(crate) access: Access,
}

impl Extent {
    /// The one namespace; none where it is all.
    pub(crate) fn namespace(&self, client: &Client) -> Option<String> {
        (!self.all_namespaces).then(|| self.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned()))
    }

    /// Where it is, for people: `in namespace team-blue`.
    pub(crate) fn shown(&self, client: &Client) -> String {
        self.namespace(client).map_or_else(|| "in any namespace".to_owned(), |namespace| format!("in namespace {namespace}"))
    }

    /// The objects of a kind there.
    pub(crate) fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        read::api(client, self.namespace(client).as_deref())
    }

    /// What is asked of the API server: the labels.
    pub(crate) fn params(&self) -> ListParams {
        self.selector.iter().fold(ListParams::default(), |params, labels| params.labels(labels))
    }
}

/// For commands that act on some objects: by name, by labels, or all.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The objects' names.
    #[arg(value_name = "NAME", value_parser = filled(NAME), conflicts_with_all = ["selector", "all", "all_namespaces"])]
    names: Vec<String>,
    /// All objects of the namespace, or with -A of all namespaces.
    #[arg(long, conflicts_with = "selector")]
    all: bool,
    #[command(flatten)]
    pub(crate) extent: Extent,
}

impl Chosen {
    /// Whether nothing is chosen.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.all && self.extent.selector.is_none()
    }

    /// Refuses a command line that chooses nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.is_empty() {
            return Err(Misuse::error("name the objects, or choose them by -l LABELS or --all"));
        }
        Ok(())
    }

    /// The objects themselves; those that are named in the order of their names here, each once.
    ///
    /// # Errors
    /// When one that is named is not there, none has the labels, or the API server cannot be asked, or refuses.
    pub(crate) async fn objects<K>(&self, client: &Client) -> anyhow::Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
        K::DynamicType: Default,
    {
        let api: Api<K> = self.extent.api(client);
        self.check()?;
        if self.names.is_empty() {
            let found = read::all(&api, &self.extent.params()).await?;
            let kinds = K::plural(&K::DynamicType::default()).into_owned();
            anyhow::ensure!(!found.is_empty(), "no {kinds} found {}", self.extent.shown(client));
            return Ok(found);
        }
        let mut found = Vec::new();
        for (place, name) in self.names.iter().enumerate() {
            if !self.names[..place].contains(name) {
                found.push(read::one(&api, name).await?);
            }
        }
        Ok(found)
    }
}

/// The operator's namespace, for commands whose `-n` is another.
#[derive(Args, Debug)]
pub(crate) struct Operator {
    /// The operator's namespace.
    #[arg(long, value_name = "NAMESPACE", env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE, global = true, value_parser = filled(OPERATOR_NAMESPACE))]
    pub(crate) operator_namespace: String,
}

/// How a command prints.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Printed {
    /// How it is printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "table", global = true)]
    pub(crate) output: Format,
}

/// For commands that change something: whether they do, and how they print what was done.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Change {
    /// Changes nothing: client shows what would be done, server has the API server check it.
    #[arg(long, value_name = "WHERE", default_value = "none", default_missing_value = "client", num_args = 0..=1, require_equals = true)]
    pub(crate) dry_run: DryRun,
    #[command(flatten)]
    pub(crate) printed: Printed,
}

/// For commands about what lies in the operator's namespace only: lists and registers.
#[derive(Args, Debug)]
pub(crate) struct OperatorNamespace {
    /// The operator's namespace.
    #[arg(short, long, alias = "operator-namespace", env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE, value_parser = filled(OPERATOR_NAMESPACE))]
    pub(crate) namespace: String,
    #[command(flatten)]
    pub(crate) access: Access,
}

/// A command line that clap takes and that is wrong all the same: the exit code is clap's.
#[derive(Debug, Error)]
#[error("{0}; see --help")]
pub(crate) struct Misuse(pub(crate) Cow<'static, str>);

impl Misuse {
    /// What is wrong, as an error.
    pub(crate) fn error(what: impl Into<Cow<'static, str>>) -> anyhow::Error {
        Self(what.into()).into()
    }
}

/// The runtime of one command.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // One provider for all of TLS, before anything asks for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")
}

/// A flag's value as in `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(duration.get()).map_err(|error| error.to_string())
}

/// A flag's value as in `chancery-system/sample`.
pub(crate) fn namespaced(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write it as namespace/name, as in chancery-system/sample".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_kubeconfig_that_is_named_and_missing_is_not_as_if_there_were_none() {
        let missing = KubeconfigError::ReadConfig(io::ErrorKind::NotFound.into(), "/nowhere".into());
        for (named, none) in [(None, true), (Some(""), true), (Some(":"), true), (Some("/nowhere"), false), (Some(":/nowhere"), false)] {
            assert_eq!(is_none(&missing, named.map(OsStr::new)), none, "{named:?}");
        }
        assert!(!is_none(&KubeconfigError::ReadConfig(io::ErrorKind::PermissionDenied.into(), "/nowhere".into()), None));
    }

    #[test]
    fn a_list_is_named_by_namespace_and_name() {
        assert_eq!(namespaced("a/b"), Ok(("a".to_owned(), "b".to_owned())));
        for bad in ["", "b", "/b", "a/", "a/b/c"] {
            assert!(namespaced(bad).is_err(), "{bad}");
        }
    }
}
