//! `kubectl chancery register`: the registers as audit.

mod keep;
mod restore;
mod show;
mod verify;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use chancery::{
    plugin::{
        output::print,
        register::{
            Registers,
            follow::{Follow, follow},
            list::list,
        },
    },
    register::{RegisterId, export},
};
use clap::Subcommand;

use crate::{
    access::{OperatorNamespace, Printed, runtime},
    ended, given,
    input::read,
    progress::progress,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Register {
    /// Shows which registers there are, and how they stand.
    List {
        #[command(flatten)]
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Shows lines of registers.
    ///
    /// With -o json each is an object on a line of its own, as it stands in the register; with -o yaml a document that begins with ---; with
    /// -o name the ConfigMaps of the registers that have such lines.
    Show(show::Show),
    /// Finds lines that were altered, moved or are missing, and ends that were cut off.
    ///
    /// Each line carries the hash of the one before it. That shows all but what happened at the end; for that the checkpoint that the
    /// operator keeps is compared, and any that you give. The exit code is 3 where something is wrong.
    Verify(verify::Verify),
    /// Prints new lines as they come, until it is ended with Ctrl-C.
    ///
    /// With -o json each is an object on a line of its own, with -o yaml a document that begins with ---, with -o name the ConfigMap of its
    /// register. -o wide adds who acted and the whole serial number.
    Follow {
        /// The register: common, or a keyID or its first digits. Unset: all.
        #[arg(value_parser = given::register)]
        id: Option<String>,
        /// Begin after this line of each register. Unset: with what is new.
        #[arg(long, value_name = "NUMBER")]
        since_sequence: Option<u64>,
        #[command(flatten)]
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Writes registers, and the checkpoint of now, as one JSON object a line. The same registers give the same file.
    Export {
        /// The registers: common, or a keyID or its first digits. Unset: all.
        #[arg(value_parser = given::register)]
        ids: Vec<String>,
        /// The file; - for standard output.
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Replace the file also where it has lines that would be lost with it.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Prints the last checkpoint as it is signed, or saves it where the operator cannot write.
    ///
    /// What is there stays, and the exit code is 3, where the signature is not believed, another key signed, or the checkpoint that is
    /// there is newer.
    Checkpoint {
        /// Save it as FILE, its signature as FILE.sig and the public key as FILE.pem.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// Replace also the checkpoint of another key, and a newer one.
        #[arg(long, requires = "save")]
        force: bool,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Hands exported lines back, so that what registers have lost is on record again.
    ///
    /// Where the lines go on exactly where a register ends, they come back as they were. Where it has gone on otherwise since, what they say
    /// and the register does not know is recorded once more.
    Restore(restore::Restore),
}

impl Register {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            match self {
                Self::List { printed, cluster } => {
                    let listed = list(&registers(&cluster).await?);
                    print(&listed, printed.output)?;
                    Ok(ended(listed.is_sound()))
                }
                Self::Show(command) => command.run().await,
                Self::Verify(command) => command.run().await,
                Self::Follow { id, since_sequence, printed, cluster } => {
                    let client = cluster.access.client().await?;
                    let only = match id {
                        Some(id) => Some(followed(&Registers::read(&client, &cluster.namespace).await?, &id, &cluster.namespace)?),
                        None => None,
                    };
                    let what = Follow { namespace: &cluster.namespace, only, since: since_sequence, format: printed.output };
                    follow(&client, what, &mut io::stdout().lock()).await?;
                    Ok(ExitCode::SUCCESS)
                }
                Self::Export { ids, file, force, cluster } => keep::export(&ids, &file, force, &cluster).await,
                Self::Checkpoint { save, force, cluster } => keep::checkpoint(save.as_deref(), force, &cluster).await,
                Self::Restore(command) => command.run().await,
            }
        })
    }
}

/// The register that is followed, which may have no line yet if it is named as a whole.
fn followed(registers: &Registers, name: &str, namespace: &str) -> anyhow::Result<RegisterId> {
    if let (None, Ok(id)) = (registers.meant(name)?, name.parse()) {
        let _ = writeln!(io::stderr(), "there is no register {id} in namespace {namespace} yet: its first line is waited for");
        return Ok(id);
    }
    registers.chosen(&[name.to_owned()])?.pop().context("one register is named")
}

async fn registers(cluster: &OperatorNamespace) -> anyhow::Result<Registers> {
    let client = cluster.access.client().await?;
    progress(&format!("reading the registers of {}", cluster.namespace));
    let read = Registers::read(&client, &cluster.namespace).await;
    progress("");
    read
}

fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{}: no text", path.display()))
}

fn exported(path: &Path) -> anyhow::Result<export::Export> {
    export::read(&text(path)?).with_context(|| path.display().to_string())
}
