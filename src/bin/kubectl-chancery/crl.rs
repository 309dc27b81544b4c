//! `kubectl chancery crl`: revocation lists.

use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use chancery::plugin::{self, Import, output};
use chancery_pki::Certificate;
use clap::Subcommand;

use crate::access::{OperatorNamespace, duration, namespaced, runtime};
use crate::input::read;

#[derive(Debug, Subcommand)]
pub(crate) enum Crl {
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
        cluster: OperatorNamespace,
    },
}

impl Crl {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show { file, ca } => show(&file, ca.as_deref()),
            Self::Import { file, list, timeout, cluster } => import(&file, list.as_ref(), timeout, &cluster),
        }
    }
}

fn show(file: &Path, ca: Option<&Path>) -> anyhow::Result<ExitCode> {
    let list = list(file)?;
    let signers = match ca {
        Some(path) => Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?,
        None => Vec::new(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    output::written(plugin::show(&list, &signers, &mut out).and_then(|()| out.flush()))?;
    Ok(ExitCode::SUCCESS)
}

fn import(file: &Path, into: Option<&(String, String)>, limit: Duration, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let list = list(file)?;
    runtime()?.block_on(async {
        let client = cluster.access.client().await?;
        let into = into.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let authority = plugin::import(&client, Import { list: &list, namespace: &cluster.namespace, into, limit }).await?;
        let entries = list.len();
        let done = writeln!(io::stdout(), "{entries} entries are on record for {} (authority {})", authority.subject(), authority.key_id());
        output::written(done)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn list(file: &Path) -> anyhow::Result<chancery_pki::Crl> {
    chancery_pki::Crl::from_pem_or_der(&read(file)?).with_context(|| file.display().to_string())
}
