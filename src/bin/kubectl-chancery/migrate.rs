//! `kubectl chancery migrate`: cert-manager's manifests as ours.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use chancery::plugin::{
    self,
    migrate::{
        Document,
        cluster::{self, Extent},
        documents,
        report::{Format, Only},
    },
    output,
};
use clap::{Args, ValueEnum};

use crate::access::{Access, runtime};
use crate::given::{NAMESPACE, filled};
use crate::{ended, input::read};

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// A file or folder with manifests, YAML or JSON; - for standard input. Unset: they are read from the cluster.
    #[arg(short, long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Looks into the folders of a folder too.
    #[arg(short = 'R', long, requires = "files")]
    recursive: bool,
    /// The namespace to read. Unset: that of the kubeconfig's context.
    #[arg(short, long, conflicts_with = "files", value_parser = filled(NAMESPACE))]
    namespace: Option<String>,
    /// Reads all namespaces, and the ClusterIssuers.
    #[arg(short = 'A', long, conflicts_with_all = ["files", "namespace"])]
    all_namespaces: bool,
    /// Prints and reports only these; all are looked at.
    #[arg(long, value_name = "KIND")]
    only: Option<OnlyKind>,
    /// How the manifests are printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: ManifestFormat,
    #[command(flatten)]
    access: Access,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnlyKind {
    Issuers,
    Certificates,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ManifestFormat {
    Yaml,
    Json,
}

impl Migrate {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let (input, known) = if self.files.is_empty() {
            runtime()?.block_on(async {
                let client = self.access.client().await?;
                let extent = match &self.namespace {
                    _ if self.all_namespaces => Extent::All,
                    Some(namespace) => Extent::Namespace(namespace.clone()),
                    None => Extent::Namespace(client.default_namespace().to_owned()),
                };
                anyhow::Ok(cluster::read(&client, &extent).await?)
            })?
        } else {
            let mut input = Vec::new();
            for path in &self.files {
                manifests(path, self.recursive, &mut input)?;
            }
            (input, Vec::new())
        };
        let only = match self.only {
            None => Only::All,
            Some(OnlyKind::Issuers) => Only::Issuers,
            Some(OnlyKind::Certificates) => Only::Certificates,
        };
        let outcome = plugin::migrate(&input, &known).only(only);
        let format = match self.output {
            ManifestFormat::Yaml => Format::Yaml,
            ManifestFormat::Json => Format::Json,
        };
        // The report first: whoever pipes the manifests on sees what is applied.
        let _ = io::stderr().write_all(outcome.report().as_bytes());
        output::written(io::stdout().write_all(outcome.manifests(format).as_bytes()))?;
        Ok(ended(!outcome.refuses()))
    }
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
