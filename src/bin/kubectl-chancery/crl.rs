//! `kubectl chancery crl`: revocation lists.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use chancery::{
    api,
    cluster::{Clock as _, SystemClock},
    lists::{Head, Kind, shard_of},
    plugin::{
        self, Import,
        crl::{Explanation, Explanations, Listing, Wanted, explain, wanted},
        fetch,
        ocsp::serial,
        output::{self, print},
        published::Published,
        read::one,
        show::{ShownList, has_signed},
    },
};
use chancery_pki::{Certificate, KeyId, SerialNumber};
use clap::Subcommand;
use kube::Api;

use crate::access::{Misuse, OperatorNamespace, Printed, duration, namespaced, runtime};
use crate::{
    ended,
    given::{self, filled},
    input::read,
    progress::during,
};

/// What would be right where a certificate is meant.
const TARGET: &str = "write a serial number, or certificate and then namespace/name";

#[derive(Debug, Subcommand)]
pub(crate) enum Crl {
    /// Prints what a list says. The cluster is not asked.
    ///
    /// With -o name it is the serial numbers of the revoked certificates; -o wide is the same as -o table.
    Show {
        /// The list, DER or PEM; - for standard input.
        file: PathBuf,
        /// Certificates (PEM) of those who may have signed it: the exit code is 3 where none of them did.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        printed: Printed,
    },
    /// Lists what is published: authorities, numbers, ages, entries.
    ///
    /// The exit code is 3 where a list is overdue or cannot be read.
    List {
        /// Reads every list whole, and verifies it as the responder does.
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Fetches a list, from the cluster or from a URL, and verifies who signed it.
    ///
    /// It is written only where the signature is good; else the exit code is 3. `crl show` reads what it writes.
    Fetch {
        /// Whose: a key id or its first digits, ClusterIssuer/name, Issuer/namespace/name, RevocationList/namespace/name; or an http URL.
        #[arg(value_name = "AUTHORITY|URL", value_parser = given::authority_or_url)]
        from: String,
        /// Which of the authority's lists.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        shard: u16,
        /// The delta instead of the complete list.
        #[arg(long)]
        delta: bool,
        /// Certificates (PEM) of those who may have signed what a URL gives. Unset: the authorities of the cluster.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// Where the list is kept; - for standard output.
        #[arg(short = 'f', long = "filename", value_name = "FILE", default_value = "-")]
        keep: PathBuf,
        /// Writes DER instead of PEM.
        #[arg(long)]
        der: bool,
        /// How long a URL may take.
        #[arg(long, default_value = "30s", value_parser = duration)]
        timeout: Duration,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Explains how a certificate stands: whether it is on its list, since when, why, and what clients see.
    ///
    /// The exit code is 3 where the list is overdue, or lacks what the register says.
    Explain {
        /// A serial number; or the word certificate, and then namespace/name.
        #[arg(value_name = "SERIAL|certificate NAMESPACE/NAME", num_args = 1..=2, required = true, value_parser = filled(TARGET))]
        target: Vec<String>,
        /// The authority, as for fetch. Unset: every authority that has it on record or on its list.
        #[arg(long, value_parser = given::authority)]
        authority: Option<String>,
        #[command(flatten)]
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Takes a signed list into the register of the authority that signed it: all that is on it is revoked here too.
    ///
    /// With -o name it is the register's ConfigMap.
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
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
}

impl Crl {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show { file, ca, printed } => show(&file, ca.as_deref(), printed),
            Self::List { verify, printed, cluster } => runtime()?.block_on(all(verify, printed, &cluster)),
            Self::Fetch { from, shard, delta, ca, keep, der, timeout, cluster } => {
                let kind = if delta { Kind::Delta } else { Kind::Full };
                let keep = Keep { file: keep, der };
                if from.contains("://") {
                    runtime()?.block_on(fetch_url(&from, ca.as_deref(), timeout, &keep, &cluster))
                } else {
                    runtime()?.block_on(fetch_published(&from, shard, kind, &keep, &cluster))
                }
            }
            Self::Explain { target, authority, printed, cluster } => {
                let target = Target::of(&target)?;
                runtime()?.block_on(explained(target, authority.as_deref(), printed, &cluster))
            }
            Self::Import { file, list, timeout, printed, cluster } => import(&file, list.as_ref(), timeout, printed, &cluster),
        }
    }
}

fn show(file: &Path, ca: Option<&Path>, printed: Printed) -> anyhow::Result<ExitCode> {
    let list = list(file)?;
    let signers = match ca {
        Some(path) => Some(Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?),
        None => None,
    };
    let shown = ShownList::new(&list, signers.as_deref());
    print(&shown, printed.output)?;
    Ok(ended(shown.is_well()))
}

fn import(
    file: &Path,
    into: Option<&(String, String)>,
    limit: Duration,
    printed: Printed,
    cluster: &OperatorNamespace,
) -> anyhow::Result<ExitCode> {
    let list = list(file)?;
    runtime()?.block_on(async {
        let client = cluster.access.client().await?;
        let into = into.map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let imported = plugin::import(&client, Import { list: &list, namespace: &cluster.namespace, into, limit }).await?;
        print(&imported, printed.output)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn list(file: &Path) -> anyhow::Result<chancery_pki::Crl> {
    chancery_pki::Crl::from_pem_or_der(&read(file)?).with_context(|| file.display().to_string())
}

async fn published(cluster: &OperatorNamespace) -> anyhow::Result<Published> {
    Ok(Published::new(cluster.access.client().await?, &cluster.namespace))
}

async fn all(verify: bool, printed: Printed, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let published = published(cluster).await?;
    let mut listing = Listing::new(SystemClock.now());
    let (heads, damaged) = published.heads().await?;
    listing.damaged = damaged;
    for head in &heads {
        for (&shard, named) in &head.shards {
            for kind in [Some(Kind::Full), named.delta.as_ref().map(|_| Kind::Delta)].into_iter().flatten() {
                let read = if verify {
                    let what = format!("reading list {} of authority {}", listing.lists.len() + 1, head.authority);
                    Some(during(&what, published.list(head, shard, kind)).await.map_err(|error| error.to_string()))
                } else {
                    None
                };
                listing.add(head, shard, kind, read);
            }
        }
    }
    print(&listing, printed.output)?;
    Ok(ended(listing.is_well()))
}

/// Where a list goes, and how.
struct Keep {
    file: PathBuf,
    der: bool,
}

impl Keep {
    fn write(&self, list: &chancery_pki::Crl, signer: &Certificate) -> anyhow::Result<ExitCode> {
        let octets = if self.der { list.as_der().to_vec() } else { list.to_pem().into_bytes() };
        if self.file == Path::new("-") {
            output::written(io::stdout().write_all(&octets))?;
        } else {
            std::fs::write(&self.file, &octets).with_context(|| self.file.display().to_string())?;
        }
        let number = list.number().map_or_else(|| "without a number".to_owned(), |number| format!("number {number}"));
        let (entries, subject) = (list.len(), output::plain(&signer.subject().to_string()));
        let _ = writeln!(io::stderr(), "list {number}, {entries} entries, signed by {subject} (key {})", signer.key_id());
        Ok(ExitCode::SUCCESS)
    }
}

async fn fetch_published(from: &str, shard: u16, kind: Kind, keep: &Keep, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let published = published(cluster).await?;
    let authority = published.authority(from).await?;
    let head = head_of(&published, &authority).await?;
    let list = published.list(&head, shard, kind).await?;
    keep.write(&list, head.issuer()?)
}

async fn head_of(published: &Published, authority: &KeyId) -> anyhow::Result<Head> {
    let head = published.head(authority).await?;
    head.with_context(|| format!("authority {authority} publishes no list in namespace {}", published.namespace()))
}

async fn fetch_url(url: &str, ca: Option<&Path>, limit: Duration, keep: &Keep, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let octets = fetch::fetch(url, None, limit).await?;
    let list = chancery_pki::Crl::from_pem_or_der(&octets).with_context(|| url.to_owned())?;
    let signers = if let Some(path) = ca {
        Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?
    } else {
        let published = published(cluster).await?;
        let mut signers = Vec::new();
        for authority in published.authorities().await? {
            signers.extend(published.head(&authority).await.ok().flatten().and_then(|head| head.issuer().ok().cloned()));
        }
        signers
    };
    if let Some(signer) = signers.iter().find(|signer| has_signed(&list, signer)) {
        return keep.write(&list, signer);
    }
    let issuer = output::plain(&list.issuer().to_string());
    let _ = writeln!(io::stderr(), "{url}: the list of {issuer} is signed by none of the {} certificates that may sign it", signers.len());
    Ok(ended(false))
}

/// Which certificate is explained.
enum Target {
    /// The one that a Certificate has now: its namespace and name.
    Certificate(String, String),
    Serial(SerialNumber),
}

impl Target {
    fn of(words: &[String]) -> anyhow::Result<Self> {
        match words {
            [word, name] if word == "certificate" => {
                namespaced(name).map(|(namespace, name)| Self::Certificate(namespace, name)).map_err(Misuse::error)
            }
            [text] => serial(text).map(Self::Serial).map_err(|why| Misuse::error(format!("{text:?} is no serial number: {why}; {TARGET}"))),
            _ => Err(Misuse::error(TARGET)),
        }
    }
}

async fn explained(target: Target, authority: Option<&str>, printed: Printed, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let published = published(cluster).await?;
    let mut asked = match target {
        Target::Certificate(namespace, name) => {
            let certificates: Api<api::Certificate> = Api::namespaced(cluster.access.client().await?, &namespace);
            wanted(&one(&certificates, &name).await?).map_err(|why| anyhow::anyhow!("Certificate {namespace}/{name}: {why}"))?
        }
        Target::Serial(serial) => Wanted { serial, authority: None },
    };
    if let Some(authority) = authority {
        asked.authority = Some(published.authority(authority).await?);
    }
    let candidates = match asked.authority {
        Some(authority) => vec![authority],
        None => published.authorities().await?,
    };
    let (mut found, mut troubles) = (Vec::new(), Vec::new());
    for authority in &candidates {
        match one_explained(&published, authority, &asked.serial).await {
            Ok(explanation) if asked.authority.is_some() || explanation.listed || !explanation.register.is_empty() => {
                found.push(explanation);
            }
            Ok(explanation) => troubles.extend(explanation.register_unread.map(|why| format!("the register of {authority}: {why}"))),
            Err(error) if asked.authority.is_some() => return Err(error),
            // The certificate may be another authority's.
            Err(error) => troubles.push(format!("{error:#}")),
        }
    }
    for trouble in &troubles {
        let _ = writeln!(io::stderr(), "not looked at: {}", output::plain(trouble));
    }
    let well = troubles.is_empty() && found.iter().all(Explanation::is_well);
    match found.as_slice() {
        [] => {
            let unread = if troubles.is_empty() { String::new() } else { format!("; {} could not be looked at", troubles.len()) };
            bail!(
                "serial number {} is neither on record nor on the list of one of {} authorities in namespace {}{unread}",
                asked.serial,
                candidates.len(),
                published.namespace()
            );
        }
        [one] => print(one, printed.output)?,
        _ => print(&Explanations { items: found }, printed.output)?,
    }
    Ok(ended(well))
}

async fn one_explained(published: &Published, authority: &KeyId, serial: &SerialNumber) -> anyhow::Result<Explanation> {
    let head = head_of(published, authority).await?;
    let list = published.list(&head, shard_of(serial, head.settings.shards), Kind::Full).await?;
    let lines = published.lines(authority, serial).await.map_err(|error| error.to_string());
    Ok(explain(&head, &list, serial, lines, SystemClock.now())?)
}
