//! Which cluster, which namespaces and which objects: flags that commands share, named as kubectl names them.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use chancery::api::{GoDuration, names};
use clap::Args;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Which cluster.
#[derive(Args, Debug)]
pub(crate) struct Access {
    /// The kubeconfig to use.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use.
    #[arg(long)]
    context: Option<String>,
}

impl Access {
    /// A client that acts as whom the kubeconfig names.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await,
            None => Config::from_kubeconfig(&options).await,
        };
        Client::try_from(config.context("no cluster")?).context("no cluster")
    }
}

/// For commands about what lies in the operator's namespace only: lists and registers.
#[derive(Args, Debug)]
pub(crate) struct OperatorNamespace {
    /// The operator's namespace.
    #[arg(short, long, alias = "operator-namespace", env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE)]
    pub(crate) namespace: String,
    #[command(flatten)]
    pub(crate) access: Access,
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
    use super::*;

    #[test]
    fn a_list_is_named_by_namespace_and_name() {
        assert_eq!(namespaced("a/b"), Ok(("a".to_owned(), "b".to_owned())));
        for bad in ["", "b", "/b", "a/", "a/b/c"] {
            assert!(namespaced(bad).is_err(), "{bad}");
        }
    }
}
