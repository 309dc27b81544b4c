//! `kubectl chancery register restore`: what is said before anything is handed over, and how long it is waited for.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        output::{plain, written},
        register::restore,
    },
    register::recover::Recovery,
};
use clap::Args;

use super::{exported, registers};
use crate::{
    access::{OperatorNamespace, duration},
    confirm::confirm,
    given,
    progress::progress,
};

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The registers: common, or a keyID or its first digits. Unset: all that the file has.
    #[arg(value_parser = given::register)]
    ids: Vec<String>,
    /// The export, or a log with the lines; - for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The register as it stands was begun anew, and has no line in common with the file.
    #[arg(long)]
    begun_anew: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// How long the operator may take.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let export = exported(&self.file)?;
        let standing = registers(&self.cluster).await?;
        let planned = restore::plan(&export, &self.ids, &standing, self.begun_anew, SystemClock.now())?;
        let mut out = io::stdout();
        for one in &planned {
            written(writeln!(out, "{}", plain(&one.sentence())))?;
        }
        let wanted: Vec<_> = planned.iter().filter(|one| one.recovery != Recovery::Nothing).collect();
        if self.dry_run || wanted.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes {
            confirm("Type yes to hand this over to the operator", "yes")?;
        }
        let client = self.cluster.access.client().await?;
        let mut handed = Vec::new();
        for one in &wanted {
            handed.push(restore::hand_over(&client, &self.cluster.namespace, one, self.begun_anew).await);
        }
        progress("waiting for the operator");
        let taken = handed.into_iter().map(async |handed| handed?.taken(self.timeout).await);
        let taken = futures::future::join_all(taken).await;
        progress("");
        let mut left = 0;
        for (one, done) in wanted.iter().zip(taken) {
            match done {
                Ok(()) => written(writeln!(out, "{}: done", one.id))?,
                Err(error) => {
                    left += 1;
                    let _ = writeln!(io::stderr(), "register {}: {}", one.id, plain(&format!("{error:#}")));
                }
            }
        }
        if left > 0 {
            bail!("{left} of {} registers were not restored", wanted.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}
