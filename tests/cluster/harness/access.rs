//! A way into an API server: its address, the CA to trust, a bearer token. Becomes a client or a kubeconfig file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client, Config};

/// Where an API server is and as whom to speak to it. Has no Debug: the token is a credential.
#[derive(Clone)]
pub(crate) struct Access {
    /// `https://127.0.0.1:..`, or `http://..` of a proxy.
    pub(crate) server: String,
    /// PEM file of the CA to trust; `None` for plain HTTP.
    pub(crate) ca: Option<PathBuf>,
    /// Bearer token.
    pub(crate) token: String,
}

impl Access {
    /// The same identity at another address, for a proxy that speaks plain HTTP.
    pub(crate) fn through(&self, proxy: &str) -> Self {
        Self { server: proxy.to_owned(), ca: None, token: self.token.clone() }
    }

    /// The same address with the identity of a ServiceAccount; the token is good for `lifetime` (10 minutes at least).
    pub(crate) async fn as_service_account(&self, client: &Client, namespace: &str, name: &str, lifetime: Duration) -> Result<Self> {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let spec = TokenRequestSpec { expiration_seconds: i64::try_from(lifetime.as_secs()).ok(), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("no token for ServiceAccount {namespace}/{name}"))?;
        let token = answer.status.and_then(|status| status.token).context("a TokenRequest was answered without a token")?;
        Ok(Self { token, ..self.clone() })
    }

    /// A client of its own, bound to the runtime that this is called in. Reads no proxy settings from the environment.
    pub(crate) fn client(&self) -> Result<Client> {
        let mut config = Config::new(self.server.parse().context("the server's address is no URL")?);
        config.root_cert_file.clone_from(&self.ca);
        config.auth_info.token = Some(self.token.clone().into());
        Client::try_from(config).context("no client can be made")
    }

    /// Writes a kubeconfig file for another program.
    pub(crate) fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let mut cluster = serde_json::json!({ "server": self.server });
        if let Some(ca) = &self.ca {
            cluster["certificate-authority"] = ca.to_string_lossy().into();
        }
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "control-plane", "cluster": cluster }],
            "users": [{ "name": "user", "user": { "token": self.token } }],
            "contexts": [{ "name": "control-plane", "context": { "cluster": "control-plane", "user": "user" } }],
            "current-context": "control-plane",
        });
        std::fs::write(path, serde_yaml::to_string(&kubeconfig)?).with_context(|| format!("cannot write {}", path.display()))
    }
}
