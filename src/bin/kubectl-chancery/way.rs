//! The way to the API server that the command line asks for besides the kubeconfig: another cluster, server or user, somebody who is
//! impersonated, and how long a request may take. The flags are kubectl's, with its meaning: kubectl takes none before a plugin's name.

use std::{fmt, io, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use chancery::{
    cluster::{CallError, CallErrorKind, CallLayer, ClockSkew, LateFence, SystemClock, TimedOut},
    plugin::published::PublishedError,
    telemetry::Metrics,
};
use clap::{ArgAction, Args};
use http::Uri;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::access::{Misuse, duration};
use crate::given::filled;

/// Where help has these flags: they are the same for all commands, and below their own.
const HEADING: &str = "API server";

#[derive(Args, Debug)]
pub(crate) struct Way {
    /// The kubeconfig's cluster to use.
    #[arg(long, global = true, help_heading = HEADING, value_parser = filled("write a cluster of the kubeconfig, or leave the flag out"))]
    cluster: Option<String>,
    /// The kubeconfig's user to be.
    #[arg(long, global = true, help_heading = HEADING, value_parser = filled("write a user of the kubeconfig, or leave the flag out"))]
    user: Option<String>,
    /// The API server's address, as https://192.0.2.1:6443.
    #[arg(short, long, global = true, help_heading = HEADING, value_name = "URL", value_parser = address)]
    server: Option<Uri>,
    /// A bearer token for the API server.
    #[arg(long, global = true, help_heading = HEADING, value_parser = token)]
    token: Option<Token>,
    /// Whom to impersonate: a user, or system:serviceaccount:NAMESPACE:NAME.
    #[arg(long = "as", global = true, help_heading = HEADING, value_name = "USER", value_parser = filled("write a user, or leave the flag out"))]
    as_user: Option<String>,
    /// A group to impersonate (repeatable).
    #[arg(long, global = true, help_heading = HEADING, value_name = "GROUP", value_parser = filled("write a group, or leave the flag out"))]
    as_group: Vec<String>,
    /// The UID to impersonate.
    #[arg(long, global = true, help_heading = HEADING, value_name = "UID", value_parser = filled("write a UID, or leave the flag out"))]
    as_uid: Option<String>,
    /// A file with the certificate authorities that the API server's certificate is checked with.
    #[arg(long, global = true, help_heading = HEADING, value_name = "FILE")]
    certificate_authority: Option<PathBuf>,
    /// The name that the API server's certificate must have, where it is not that of its address.
    #[arg(long, global = true, help_heading = HEADING, value_name = "NAME", value_parser = filled("write a host name, or leave the flag out"))]
    tls_server_name: Option<String>,
    /// Does not check the API server's certificate: whoever is on the way can read and change everything.
    #[arg(long, global = true, help_heading = HEADING, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true", action = ArgAction::Set, conflicts_with = "certificate_authority")]
    insecure_skip_tls_verify: bool,
    /// How long one request may take, as 30s or 2m; 0: without end. A watch may go on for longer.
    #[arg(long, global = true, help_heading = HEADING, value_name = "DURATION", default_value = "1m", value_parser = request_timeout)]
    request_timeout: Duration,
}

/// What nobody may be shown.
#[derive(Clone)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a token")
    }
}

fn token(text: &str) -> Result<Token, String> {
    if text.trim().is_empty() { Err("it is empty: write a token, or leave the flag out".to_owned()) } else { Ok(Token(text.to_owned())) }
}

/// As kubectl has it: without a scheme it is http.
fn address(text: &str) -> Result<Uri, String> {
    const RIGHT: &str = "write an address as https://192.0.2.1:6443, or leave the flag out";
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let address = Uri::from_str(&whole).map_err(|_| RIGHT.to_owned())?;
    let known = matches!(address.scheme_str(), Some("http" | "https")) && address.host().is_some_and(|host| !host.is_empty());
    if known { Ok(address) } else { Err(RIGHT.to_owned()) }
}

/// As kubectl has it: a number alone is one of seconds.
fn request_timeout(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).or_else(|_| duration(text))
}

/// Whether the kubeconfig is not there, wherever it was looked for.
pub(crate) fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(error, _) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

impl Way {
    /// What is taken of the kubeconfig.
    ///
    /// # Errors
    /// When it does not have that user.
    pub(crate) fn options(&self, file: Option<&PathBuf>, context: Option<&String>) -> anyhow::Result<KubeConfigOptions> {
        if let Some(user) = &self.user
            && let Ok(kubeconfig) = file.map_or_else(Kubeconfig::read, Kubeconfig::read_from)
        {
            let known = kubeconfig.auth_infos.iter().any(|known| &known.name == user);
            anyhow::ensure!(known, "the kubeconfig has no user {user}");
        }
        Ok(KubeConfigOptions { context: context.cloned(), cluster: self.cluster.clone(), user: self.user.clone() })
    }

    /// What suffices where there is no kubeconfig at all: the address.
    pub(crate) fn alone(&self) -> Option<Config> {
        let server = self.server.clone()?;
        let absent = match Kubeconfig::read() {
            Ok(kubeconfig) => kubeconfig.contexts.is_empty() && kubeconfig.current_context.is_none(),
            Err(error) => is_missing(&error),
        };
        (absent && self.cluster.is_none() && self.user.is_none()).then(|| Config::new(server))
    }

    /// A client that goes this way; it makes no request yet.
    ///
    /// # Errors
    /// When that is no way, or somebody's groups are to be impersonated and nobody is.
    pub(crate) fn client(&self, mut config: Config) -> anyhow::Result<Client> {
        self.change(&mut config)?;
        let builder = ClientBuilder::try_from(config).context("no cluster")?;
        if self.request_timeout.is_zero() {
            return Ok(builder.build());
        }
        // Nothing is counted here, and no write is held to a lease.
        let (clock, metrics) = (Arc::new(SystemClock), Metrics::new(0));
        let layer = CallLayer::new(self.request_timeout, None, LateFence::default(), clock, ClockSkew::default(), metrics);
        Ok(builder.with_layer(&layer).build())
    }

    fn change(&self, config: &mut Config) -> anyhow::Result<()> {
        if let Some(server) = &self.server {
            config.cluster_url = server.clone();
        }
        // The name of the kubeconfig is that of another server.
        if self.server.is_some() || self.tls_server_name.is_some() {
            config.tls_server_name.clone_from(&self.tls_server_name);
        }
        if let Some(file) = &self.certificate_authority {
            let pem = std::fs::read(file).with_context(|| file.display().to_string())?;
            let authorities = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            let authorities = authorities.with_context(|| file.display().to_string())?;
            anyhow::ensure!(!authorities.is_empty(), "{}: there is no certificate in it", file.display());
            config.root_cert = Some(authorities.iter().map(|authority| authority.to_vec()).collect());
            config.root_cert_file = None;
            config.accept_invalid_certs = false;
        }
        if self.insecure_skip_tls_verify {
            config.root_cert = None;
            config.root_cert_file = None;
            config.accept_invalid_certs = true;
        }
        let auth = &mut config.auth_info;
        if let Some(Token(token)) = &self.token {
            auth.token = Some(token.clone().into());
            auth.token_file = None;
            (auth.username, auth.password) = (None, None);
            (auth.exec, auth.auth_provider) = (None, None);
        }
        if let Some(user) = &self.as_user {
            auth.impersonate = Some(user.clone());
        }
        if !self.as_group.is_empty() {
            auth.impersonate_groups = Some(self.as_group.clone());
        }
        if let Some(uid) = &self.as_uid {
            auth.impersonate_uid = Some(uid.clone());
        }
        let whose = auth.impersonate_groups.is_some() || auth.impersonate_uid.is_some();
        if whose && auth.impersonate.is_none() {
            return Err(Misuse::error("--as-group and --as-uid need --as USER: groups and a UID are those of somebody"));
        }
        Ok(())
    }
}

/// What to look at where a request was not answered in time; none for any other error.
pub(crate) fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let late = error.chain().any(|error| {
        let call = match error.downcast_ref::<PublishedError>() {
            Some(PublishedError::Call(call)) => Some(call),
            _ => error.downcast_ref::<CallError>(),
        };
        let service = match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Service(error)) => error.is::<TimedOut>(),
            _ => false,
        };
        service || call.is_some_and(|call| call.kind == CallErrorKind::Timeout)
    });
    late.then_some(
        "The API server did not answer in time. See whether it answers at all (kubectl get --raw /readyz), and what lies on the way to it: proxy, VPN, load balancer. --request-timeout 5m waits longer, --request-timeout 0 without end.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_timeout_is_read_as_kubectl_reads_it() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("30", 30), ("30s", 30), ("1m", 60), ("1m30s", 90)] {
            assert_eq!(request_timeout(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "-1", "-1s", "soon"] {
            assert!(request_timeout(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_read_as_kubectl_reads_it() {
        for (text, whole) in [("https://192.0.2.1:6443", "https://192.0.2.1:6443/"), ("localhost:8080", "http://localhost:8080/")] {
            assert_eq!(address(text).unwrap().to_string(), whole);
        }
        for bad in ["", "ftp://a", "https://", "a b"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", token("hunter2").unwrap()).contains("hunter2"));
    }
}
