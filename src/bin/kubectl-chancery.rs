//! The command line of `kubectl chancery`: kubectl finds a program of this name on the PATH.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use chancery::{
    api::{GoDuration, names},
    plugin::{self, Import},
};
use chancery_pki::{Certificate, Crl};
use clap::{Args, Parser, Subcommand};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// The longest file that is read, in octets: far more than any list.
const FILE_MAX: u64 = 1 << 30;

/// Looks after certificates, authorities and revocation lists of Chancery.
#[derive(Debug, Parser)]
#[command(name = "kubectl-chancery", bin_name = "kubectl chancery", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Revocation lists (CRLs).
    #[command(subcommand)]
    Crl(CrlCommand),
}

#[derive(Debug, Subcommand)]
enum CrlCommand {
    /// Prints what a list says. The cluster is not asked.
    Show {
        /// The list, DER or PEM; - for standard input.
        file: PathBuf,
        /// Certificates (PEM) of those who may have signed it: the signature is checked.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Takes a signed list into the register of the authority that signed it: all that is on it is revoked here too.
    Import {
        /// The list, DER or PEM; - for standard input.
        file: PathBuf,
        /// The RevocationList whose authority must have signed it. Unset: any whose lists are published.
        #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
        list: Option<(String, String)>,
        /// How long the operator may take.
        #[arg(long, default_value = "1m", value_parser = duration)]
        timeout: Duration,
        #[command(flatten)]
        cluster: Cluster,
    },
}

#[derive(Args, Debug)]
struct Cluster {
    /// The operator's namespace.
    #[arg(short, long, env = "CHANCERY_NAMESPACE", default_value = names::DEFAULT_NAMESPACE)]
    namespace: String,
    /// The kubeconfig to use.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use.
    #[arg(long)]
    context: Option<String>,
}

fn main() -> ExitCode {
    let Command::Crl(command) = Cli::parse().command;
    let done = match command {
        CrlCommand::Show { file, ca } => show(&file, ca.as_deref()),
        CrlCommand::Import { file, list, timeout, cluster } => import(&file, list.as_ref(), timeout, &cluster),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "kubectl chancery: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(file: &Path, ca: Option<&Path>) -> anyhow::Result<()> {
    let list = list(file)?;
    let signers = match ca {
        Some(path) => Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?,
        None => Vec::new(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match plugin::show(&list, &signers, &mut out).and_then(|()| out.flush()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

fn import(file: &Path, into: Option<&(String, String)>, limit: Duration, cluster: &Cluster) -> anyhow::Result<()> {
    let list = list(file)?;
    // One provider for all of TLS, before anything asks for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")?;
    runtime.block_on(async {
        let client = cluster.client().await?;
        let into = into.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let authority = plugin::import(&client, Import { list: &list, namespace: &cluster.namespace, into, limit }).await?;
        let entries = list.len();
        let done = writeln!(io::stdout(), "{entries} entries are on record for {} (authority {})", authority.subject(), authority.key_id());
        done.context("standard output")
    })
}

impl Cluster {
    async fn client(&self) -> anyhow::Result<Client> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match &self.kubeconfig {
            Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await,
            None => Config::from_kubeconfig(&options).await,
        };
        Client::try_from(config.context("no cluster")?).context("no cluster")
    }
}

fn list(file: &Path) -> anyhow::Result<Crl> {
    Crl::from_pem_or_der(&read(file)?).with_context(|| file.display().to_string())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(FILE_MAX).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut octets))
    };
    read.with_context(|| path.display().to_string())?;
    if octets.len() as u64 == FILE_MAX {
        bail!("{}: has a gigabyte or more", path.display());
    }
    Ok(octets)
}

fn namespaced(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write it as namespace/name, as in chancery-system/sample".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from(duration.get()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_list_is_named_by_namespace_and_name() {
        assert_eq!(namespaced("a/b"), Ok(("a".to_owned(), "b".to_owned())));
        for bad in ["", "b", "/b", "a/", "a/b/c"] {
            assert!(namespaced(bad).is_err(), "{bad}");
        }
    }
}
