//! The command line of `kubectl chancery`: kubectl finds a program of this name on the PATH.
//!
//! It ends with 0 where all is done, 1 where something failed, 2 where the command line is wrong, and `migrate` with 3 where an object was
//! refused.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use chancery::{
    api::{GoDuration, names},
    plugin::{
        self, Import,
        migrate::{
            Document,
            cluster::{self, Extent},
            documents,
            report::{Format, Only},
        },
    },
};
use chancery_pki::{Certificate, Crl};
use clap::{Args, Parser, Subcommand, ValueEnum};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// The longest file that is read, in octets: far more than any list.
const FILE_MAX: u64 = 1 << 30;

/// How `migrate` ends where an object was refused.
const REFUSED: u8 = 3;

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
    /// Prints cert-manager's Certificates and issuers as manifests of Chancery; what differs is said on standard error.
    ///
    /// Nothing in a cluster is changed. Objects that are not cert-manager's are left out, and so are requests, orders and challenges that it
    /// made for a Certificate. An object that cannot be carried over whole is refused: nothing of it is printed, the report says why, and
    /// the exit code is 3.
    Migrate(Migrate),
}

#[derive(Args, Debug)]
struct Migrate {
    /// A file or folder with manifests, YAML or JSON; - for standard input. Unset: they are read from the cluster.
    #[arg(short, long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Looks into the folders of a folder too.
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// The namespace to read. Unset: that of the kubeconfig's context.
    #[arg(short, long, conflicts_with = "files")]
    namespace: Option<String>,
    /// Reads all namespaces, and the ClusterIssuers.
    #[arg(short = 'A', long, conflicts_with_all = ["files", "namespace"])]
    all_namespaces: bool,
    /// Prints and reports only these; all are looked at.
    #[arg(long, value_name = "KIND")]
    only: Option<OnlyKind>,
    /// How the manifests are printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: OutputFormat,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnlyKind {
    Issuers,
    Certificates,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Yaml,
    Json,
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
    #[command(flatten)]
    access: Access,
}

/// Which cluster.
#[derive(Args, Debug)]
struct Access {
    /// The kubeconfig to use.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context to use.
    #[arg(long)]
    context: Option<String>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Crl(CrlCommand::Show { file, ca }) => show(&file, ca.as_deref()).map(|()| ExitCode::SUCCESS),
        Command::Crl(CrlCommand::Import { file, list, timeout, cluster }) => {
            import(&file, list.as_ref(), timeout, &cluster).map(|()| ExitCode::SUCCESS)
        }
        Command::Migrate(arguments) => migrate(&arguments),
    };
    match done {
        Ok(code) => code,
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
    printed(plugin::show(&list, &signers, &mut out).and_then(|()| out.flush()))
}

fn printed(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}

fn import(file: &Path, into: Option<&(String, String)>, limit: Duration, cluster: &Cluster) -> anyhow::Result<()> {
    let list = list(file)?;
    runtime()?.block_on(async {
        let client = cluster.access.client().await?;
        let into = into.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let authority = plugin::import(&client, Import { list: &list, namespace: &cluster.namespace, into, limit }).await?;
        let entries = list.len();
        let done = writeln!(io::stdout(), "{entries} entries are on record for {} (authority {})", authority.subject(), authority.key_id());
        done.context("standard output")
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // One provider for all of TLS, before anything asks for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")
}

fn migrate(arguments: &Migrate) -> anyhow::Result<ExitCode> {
    let (input, known) = if arguments.files.is_empty() {
        runtime()?.block_on(async {
            let client = arguments.access.client().await?;
            let extent = match &arguments.namespace {
                _ if arguments.all_namespaces => Extent::All,
                Some(namespace) => Extent::Namespace(namespace.clone()),
                None => Extent::Namespace(client.default_namespace().to_owned()),
            };
            anyhow::Ok(cluster::read(&client, &extent).await?)
        })?
    } else {
        let mut input = Vec::new();
        for path in &arguments.files {
            manifests(path, arguments.recursive, &mut input)?;
        }
        (input, Vec::new())
    };
    let only = match arguments.only {
        None => Only::All,
        Some(OnlyKind::Issuers) => Only::Issuers,
        Some(OnlyKind::Certificates) => Only::Certificates,
    };
    let outcome = plugin::migrate(&input, &known).only(only);
    let format = match arguments.output {
        OutputFormat::Yaml => Format::Yaml,
        OutputFormat::Json => Format::Json,
    };
    // The report first: whoever pipes the manifests on sees what is applied.
    let _ = io::stderr().write_all(outcome.report().as_bytes());
    printed(io::stdout().write_all(outcome.manifests(format).as_bytes()))?;
    Ok(if outcome.refuses() { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

/// The documents of a file, or of the files of a folder in the order of their names.
fn manifests(path: &Path, recursive: bool, input: &mut Vec<Document>) -> anyhow::Result<()> {
    let shown = path.display().to_string();
    if !path.is_dir() {
        let text = String::from_utf8(read(path)?).with_context(|| shown.clone())?;
        input.extend(documents::parse(&shown, &text)?);
        return Ok(());
    }
    let entries =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>());
    let mut entries = entries.with_context(|| shown)?;
    entries.sort();
    for entry in entries {
        let is_manifest = entry.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known));
        if (is_manifest && !entry.is_dir()) || (recursive && entry.is_dir() && !entry.is_symlink()) {
            manifests(&entry, recursive, input)?;
        }
    }
    Ok(())
}

impl Access {
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
