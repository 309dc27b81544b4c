//! `kubectl chancery register verify`: where the registers are read from, and what they are compared with.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use chancery::{
    plugin::{
        output::print,
        register::{
            self, Registers,
            kept::CheckpointFiles,
            verify::{Place, Subject, Witness, verify},
        },
    },
    register::{RegisterId, checkpoint::Signed},
};
use clap::Args;

use super::{exported, text};
use crate::{
    access::{OperatorNamespace, Printed},
    ended, given,
    input::read,
    progress::progress,
};

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The registers: common, or a keyID or its first digits. Unset: all.
    #[arg(value_parser = given::register)]
    ids: Vec<String>,
    /// All registers, which is so where none is named.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Look at this export or log in place of the cluster; - for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Compare with an older export or log, and tell the first difference.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Compare with this checkpoint, as `register checkpoint --save` wrote it (with FILE.sig beside it).
    #[arg(long, value_name = "FILE", requires = "checkpoint_key")]
    checkpoint: Option<PathBuf>,
    /// The public key (PEM) that must have signed checkpoints. Unset: the one beside the operator's checkpoint.
    #[arg(long, value_name = "FILE")]
    checkpoint_key: Option<PathBuf>,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let key = self.checkpoint_key.as_deref().map(text).transpose()?;
        let against = self.against.as_deref().map(|path| anyhow::Ok((path.display().to_string(), exported(path)?))).transpose()?;
        let (registers, checkpoint) = if let Some(path) = &self.file {
            let export = exported(path)?;
            let examined = export.registers.iter().map(|(id, exported)| (*id, exported.examine(id.unwrap_or(RegisterId::Common))));
            let examined: BTreeMap<_, _> = examined.collect();
            (examined, export.checkpoint.clone())
        } else {
            let client = self.cluster.access.client().await?;
            progress(&format!("reading the registers of {}", self.cluster.namespace));
            // The checkpoint first: registers only grow, so that they are never behind it.
            let checkpoint = register::checkpoint(&client, &self.cluster.namespace).await?;
            let read = Registers::read(&client, &self.cluster.namespace).await?;
            progress("");
            (read.registers.into_iter().map(|(id, examined)| (Some(id), examined)).collect(), checkpoint)
        };
        let place = self.file.as_ref().map(|path| Place::File(path.display().to_string()));
        let mut subject = Subject {
            place: place.unwrap_or_else(|| Place::Namespace(self.cluster.namespace.clone())),
            registers,
            named: self.ids,
            witnesses: Vec::new(),
            unbelieved: Vec::new(),
            copy: against.as_ref().map(|(who, export)| (who.clone(), export)),
        };
        let name = if self.file.is_some() { "the checkpoint in the file" } else { "the operator's checkpoint" };
        believe(&mut subject, name, checkpoint.as_ref(), key.as_deref());
        if let Some(path) = &self.checkpoint {
            let signature = read(CheckpointFiles::beside(path).signature())?;
            let saved = Signed { text: text(path)?, signature, key: String::new() };
            believe(&mut subject, &format!("the checkpoint {}", path.display()), Some(&saved), key.as_deref());
        }
        let verified = verify(subject)?;
        print(&verified, self.printed.output)?;
        Ok(ended(verified.is_sound()))
    }
}

fn believe(subject: &mut Subject<'_>, who: &str, signed: Option<&Signed>, key: Option<&str>) {
    let Some(signed) = signed else { return };
    match signed.verified(key.unwrap_or(&signed.key)) {
        Ok(checkpoint) => subject.witnesses.push(Witness { who: who.to_owned(), checkpoint }),
        Err(error) => subject.unbelieved.push(format!("{who}: {error}")),
    }
}
